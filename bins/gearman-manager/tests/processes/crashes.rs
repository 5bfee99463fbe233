//! Processes that die.

use crate::manager::{Manager, is_there, number_in, parent_of, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::process::Command;
use std::time::{Duration, Instant};

#[test]
fn a_crash_loop_is_held_and_shown_with_its_last_words() {
    let mut manager = Manager::start(
        "[program.bad]\ncommand = 'echo oh no; exit 3'\nshell = true\n\
         backoff-first = '10ms'\ncrash-loop-exits = 3\n",
    );
    manager.wait_for("-> crash-looping: the last one ended: exit code 3, failure 3 in a row");
    manager.wait_for("bad:0 last stdout: oh no");
    let process = manager.process("bad:0");
    assert_eq!(process["state"], "crash-looping");
    assert_eq!(process["last-exit"], "exit code 3");
    assert_eq!(process["restarts"], 2);
    assert_eq!(process["last-lines"], serde_json::json!(["oh no", "oh no", "oh no"]));
    let table = manager.ctl(&["status"]).out;
    assert!(table.contains("bad:0 wrote: oh no"), "{table}");
    let done = manager.ctl(&["start", "bad"]);
    assert_eq!((done.code, done.out.as_str()), (0, "bad is started\n"));
    manager.wait_for("crash-looping -> starting: started by hand");
    manager.wait_for("-> crash-looping");
}

#[test]
fn an_end_with_0_is_no_loop_of_forks() {
    let mut manager = Manager::start(
        "[program.die]\ncommand = 'true'\nready-after = '0s'\nbackoff-first = '1ms'\nbackoff-max = '1ms'\n",
    );
    manager.wait_for("-> crash-looping: the last one ended: exit code 0, failure 5 in a row");
    assert_eq!(manager.process("die:0")["restarts"], 4);
}

#[test]
fn a_program_that_is_not_there_says_so() {
    let mut manager = Manager::start("[program.none]\ncommand = './not-there'\ncrash-loop-exits = 2\n");
    manager.wait_for(
        "none:0 starting -> crash-looping: the last one ended: cannot be started: ./not-there: no such",
    );
}

/// How long this machine takes for the end of a process and another one at the moment, as a test sees it.
fn pace() -> Duration {
    let begun = Instant::now();
    for _ in 0..2 {
        let mut process = Command::new("sleep").arg("1000").spawn().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }
    begun.elapsed()
}

/// Half of them must be faster; one may meet a machine that is busy with something else, and all a slow one.
#[test]
fn the_next_process_is_there_within_50_ms() {
    let mut manager = Manager::start(
        "[program.a]\ncommand = 'sleep 1000'\nready-after = '0s'\ncrash-loop-exits = 'none'\nbackoff-first = '0s'\n",
    );
    let mut paces = Vec::new();
    let mut times: Vec<Duration> = (0..9)
        .map(|_| {
            manager.wait_for("-> running");
            paces.push(pace());
            let pid = manager.pids("a")[0];
            let died = Instant::now();
            kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
            let (at, _) = manager.wait_for_at("-> starting: the last one ended: SIGKILL");
            at - died
        })
        .collect();
    times.sort();
    paces.sort();
    assert!(times[4] < Duration::from_millis(50) + 5 * paces[4], "{times:?} where it takes {paces:?}");
}

#[test]
fn the_children_of_a_process_are_reaped_when_it_leaves_them_alone() {
    let mut manager = Manager::start(
        "[program.parent]\ncommand = '''(sh -c \"echo \\$\\$ > orphan; while [ ! -e go ]; do sleep 0.05; done\" &) ; exec sleep 1000'''\n\
         shell = true\n",
    );
    manager.wait_for("parent:0 starting");
    let orphan = number_in(&manager.path("orphan"));
    wait_until("the orphan is the manager's", || parent_of(orphan) == Some(manager.pid()));
    std::fs::write(manager.path("go"), "").unwrap();
    // A child that nobody waits for would stay as a zombie as long as the manager lives.
    wait_until("the orphan is gone without a trace", || !is_there(orphan));
    assert_eq!(manager.process("parent:0")["restarts"], 0);
}

#[test]
fn a_process_group_ends_whole() {
    let mut manager = Manager::start(
        "[program.parent]\ncommand = '''trap \"\" TERM; sh -c \"trap : TERM; echo \\$\\$ > child; while :; do sleep 0.1; done\" & wait; sleep 1000'''\n\
         shell = true\nstop-patience = '300ms'\n",
    );
    manager.wait_for("parent:0 starting");
    let child = number_in(&manager.path("child"));
    let parent = manager.pids("parent")[0];
    // The leader dies by itself; what it leaves ignores the stop signal and is killed.
    kill(Pid::from_raw(parent), Signal::SIGKILL).unwrap();
    manager.wait_for("a process is killed, its patience is over");
    wait_until("the rest of the group is gone", || !is_there(child));
}

#[test]
fn a_process_with_too_much_memory_is_replaced() {
    let mut manager = Manager::start(
        "[program.fat]\ncommand = '''if [ ! -e once ]; then touch once; x=$(head -c 60000000 /dev/zero | tr \"\\\\0\" x); fi; while :; do sleep 0.1; done'''\n\
         shell = true\nmemory-max = '30MiB'\n",
    );
    manager.wait_for("fat:0 running -> draining: its memory of ");
    manager.wait_for("fat:0 draining -> starting");
}
