//! Processes that are told to leave.

use crate::manager::{Manager, is_alive, number_in, ticks, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::time::{Duration, Instant};

const DEAF: &str = "[program.deaf]\ncommand = 'trap \"\" TERM; echo ready; while :; do sleep 0.05; done'\nshell = true\n\
                    stop-patience = 'none'\n";

/// Waits until a signal to end is another one than that which was sent before. Who asks after a signal is answered in a
/// turn after it.
fn wait_for_another_breath(manager: &Manager) {
    let since = || manager.process("deaf:0")["since-seconds"].as_f64().unwrap();
    let first = since();
    wait_until("a second has passed", || since() > first + 1.2);
}

#[test]
fn a_second_signal_says_that_nobody_wants_to_wait() {
    let mut manager = Manager::start(DEAF);
    manager.wait_for("deaf:0 ready");
    let pid = manager.pids("deaf")[0];
    // In the same breath it is one signal that came twice.
    manager.signal(Signal::SIGTERM);
    manager.signal(Signal::SIGINT);
    manager.wait_for("shutting down: SIG");
    let update = manager.ctl(&["update"]);
    assert_eq!((update.code, update.err.as_str()), (2, "gearman-manager: the manager is shutting down\n"));
    assert!(is_alive(pid));
    wait_for_another_breath(&manager);
    manager.signal(Signal::SIGTERM);
    manager.wait_for("patience is over for all that leave: SIGTERM once more");
    assert_eq!(manager.wait(), Some(0));
    assert!(!is_alive(pid));
}

#[test]
fn the_first_signal_after_a_shutdown_by_ctl_is_in_no_hurry() {
    let mut manager = Manager::start(DEAF);
    manager.wait_for("deaf:0 ready");
    let pid = manager.pids("deaf")[0];
    let mut ctl = manager.ctl_command(&["shutdown"]).spawn().unwrap();
    manager.wait_for("shutting down: asked for by ctl");
    manager.signal(Signal::SIGTERM);
    wait_for_another_breath(&manager);
    assert!(is_alive(pid) && !manager.has_said("patience is over"));
    manager.signal(Signal::SIGTERM);
    manager.wait_for("patience is over for all that leave: SIGTERM once more");
    assert_eq!(manager.wait(), Some(0));
    ctl.wait().unwrap();
}

#[test]
fn who_would_join_another_group_stays_in_its_own() {
    let mut manager = Manager::start(
        "[program.w]\ncommand = ['perl', '-e', '$SIG{TERM} = \"IGNORE\"; setpgrp(0, getpgrp(getppid())); $| = 1; print \"ready\\n\"; sleep 60']\n\
         stop-patience = '300ms'\n",
    );
    manager.wait_for("w:0 ready");
    let pid = manager.pids("w")[0];
    assert_eq!(manager.ctl(&["stop", "w"]).code, 0);
    manager.wait_for("w: a process is killed, its patience is over");
    manager.wait_for("w:0 stopping -> exited: stopped by hand: SIGKILL");
    assert!(!is_alive(pid));
}

/// A look at all processes of the machine for each rest of a group would take as much of a core as there are rests.
#[test]
fn many_rests_of_groups_cost_no_more_than_one() {
    let mut manager = Manager::start(
        "[program.w]\ncommand = '(trap \"\" TERM; echo ready; exec sleep 60) & wait'\nshell = true\nready-after = '0s'\n\
         processes = 120\nstop-patience = 'none'\n",
    );
    for place in 0..120 {
        manager.wait_for_any(&format!("w:{place} ready"));
    }
    assert_eq!(manager.ctl(&["stop", "w"]).code, 0);
    for place in 0..120 {
        manager.wait_for_any(&format!("w:{place} stopping -> exited"));
    }
    let (begun, before) = (Instant::now(), ticks(manager.pid()));
    wait_until("three seconds have passed", || begun.elapsed() >= Duration::from_secs(3));
    let used = ticks(manager.pid()) - before;
    assert!(used < 30, "{used} hundredths of a second of the processor in three seconds");
    assert_eq!(manager.ctl(&["stop", "--now", "w"]).code, 0);
    manager.signal(Signal::SIGTERM);
    assert_eq!(manager.wait(), Some(0));
}

#[test]
fn who_is_stopped_now_is_not_waited_for() {
    let mut manager = Manager::start(DEAF);
    manager.wait_for("deaf:0 ready");
    assert_eq!(manager.ctl(&["stop", "deaf"]).code, 0);
    manager.wait_for("-> stopping");
    let done = manager.ctl(&["stop", "--now", "deaf:0"]);
    assert_eq!((done.code, done.out.as_str()), (0, "deaf:0 is killed\n"));
    manager.wait_for("stopping -> exited: stopped by hand: SIGKILL");
}

#[test]
fn whoever_left_its_group_is_named_at_the_end() {
    let mut manager = Manager::start(
        "[program.w]\ncommand = 'setsid sh -c \"echo \\$\\$ > daemon; exec sleep 1000\" & exec sleep 1000'\nshell = true\n\
         ready-after = '0s'\n",
    );
    let daemon = number_in(&manager.path("daemon"));
    manager.wait_for("w:0 starting -> running");
    wait_until("it is what it is named after", || {
        std::fs::read_to_string(format!("/proc/{daemon}/comm")).is_ok_and(|name| name == "sleep\n")
    });
    manager.signal(Signal::SIGTERM);
    manager.wait_for(&format!("pid {daemon} (sleep) goes on: it is a process of ours that left its group"));
    assert_eq!(manager.wait(), Some(0));
    kill(Pid::from_raw(daemon), Signal::SIGKILL).unwrap();
}

#[test]
fn the_next_one_waits_for_what_the_last_one_left() {
    let mut manager = Manager::start(
        "[program.w]\ncommand = '''echo up >> order; sh -c 'trap \"sleep 0.5; echo gone >> order; exit\" TERM; echo ready; while :; do sleep 0.05; done' & wait'''\n\
         shell = true\nready-after = '0s'\n",
    );
    manager.wait_for("w:0 ready");
    assert_eq!(manager.ctl(&["restart", "w"]).code, 0);
    manager.wait_for("w:0 ready");
    let order = std::fs::read_to_string(manager.path("order")).unwrap();
    assert_eq!(order, "up\ngone\nup\n");
}

#[test]
fn a_process_that_ignores_its_signal_is_killed_when_patience_is_over() {
    let mut manager = Manager::start(
        "[program.deaf]\ncommand = 'trap \"\" TERM; echo ready; while :; do sleep 0.05; done'\nshell = true\n\
         stop-patience = '700ms'\n",
    );
    manager.wait_for("deaf:0 ready");
    let pid = manager.pids("deaf")[0];
    let told = Instant::now();
    assert_eq!(manager.ctl(&["stop", "deaf"]).code, 0);
    manager.wait_for("-> stopping: stopped by hand");
    manager.wait_for("deaf: a process is killed, its patience is over");
    assert!(told.elapsed() >= Duration::from_millis(700));
    manager.wait_for("stopping -> exited: stopped by hand: SIGKILL");
    assert!(!is_alive(pid));
    let process = manager.process("deaf:0");
    assert_eq!((&process["state"], &process["last-exit"]), (&"exited".into(), &"SIGKILL".into()));
    assert_eq!(manager.ctl(&["start", "deaf:0"]).code, 0);
    manager.wait_for("deaf:0 ready");
}

#[test]
fn who_leaves_already_has_a_new_patience_from_its_change_on() {
    let mut manager = Manager::start(DEAF);
    manager.wait_for("deaf:0 ready");
    assert_eq!(manager.ctl(&["stop", "deaf"]).code, 0);
    manager.wait_for("-> stopping");
    let told = Instant::now();
    wait_until("half a second has passed", || told.elapsed() >= Duration::from_millis(500));
    manager.configure("", &DEAF.replace("'none'", "'400ms'"));
    let changed = Instant::now();
    assert_eq!(manager.ctl(&["update"]).code, 0);
    manager.wait_for("deaf: a process is killed, its patience is over");
    assert!(changed.elapsed() >= Duration::from_millis(400));
    manager.wait_for("stopping -> exited: stopped by hand: SIGKILL");
}

#[test]
fn a_lifetime_ends_without_haste() {
    let mut manager = Manager::start(
        "[program.old]\ncommand = 'trap \"sleep 1; echo finished; exit 0\" TERM; while :; do sleep 0.05; done'\n\
         shell = true\nready-after = '0s'\nlifetime = '3s'\nlifetime-jitter = 0\n",
    );
    manager.wait_for("running -> draining: its lifetime is over");
    manager.wait_for("old:0 finished");
    manager.wait_for("draining -> starting: its lifetime is over: exit code 0");
    assert!(!manager.has_said("is killed"));
}

#[test]
fn a_shutdown_ends_programs_in_the_reverse_order_and_then_the_manager() {
    let slow = "trap \"sleep 0.3; exit 0\" TERM; while :; do sleep 0.05; done";
    let mut manager = Manager::start(&format!(
        "[program.app]\ncommand = '{slow}'\nshell = true\nready-after = '0s'\nafter = ['base']\n\
         [program.base]\ncommand = '{slow}'\nshell = true\nready-after = '0s'\n",
    ));
    manager.wait_for("base:0 starting");
    manager.wait_for("app:0 starting");
    manager.wait_for("app:0 starting -> running");
    let pids = [manager.pids("app")[0], manager.pids("base")[0]];
    manager.signal(Signal::SIGTERM);
    manager.wait_for("shutting down: SIGTERM");
    manager.wait_for("app:0 stopping -> exited");
    manager.wait_for("base:0 running -> stopping");
    manager.wait_for("base:0 stopping -> exited");
    assert_eq!(manager.wait(), Some(0));
    wait_until("all processes are gone", || pids.iter().all(|pid| !is_alive(*pid)));
    assert!(!manager.path("socket").exists());
}
