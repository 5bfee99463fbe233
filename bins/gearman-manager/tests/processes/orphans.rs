//! What a killed manager leaves behind.

use crate::manager::{Manager, is_alive, number_in, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;

const TICKING: &str = "[program.tick]\ncommand = 'n=0; while :; do n=$((n+1)); echo tick $n; sleep 0.05; done'\n\
                       shell = true\nready-after = '0s'\nprocesses = 2\nstdout = 'tick-{number}.log'\n";

#[test]
fn orphans_are_stopped_before_their_places_are_filled() {
    let mut manager = Manager::start(TICKING);
    manager.wait_for("tick:1 starting -> running");
    let old = manager.pids("tick");
    manager.kill();
    assert!(old.iter().all(|pid| is_alive(*pid)));
    manager.start_again();
    manager.wait_for("left by the last manager, is told to leave");
    manager.wait_for("draining -> starting: left by the last manager");
    manager.wait_for("draining -> starting: left by the last manager");
    wait_until("the orphans are gone", || !old.iter().any(|pid| is_alive(*pid)));
    let new = manager.pids("tick");
    assert!(new.len() == 2 && new.iter().all(|pid| !old.contains(pid)), "{old:?} {new:?}");
}

#[test]
fn orphans_are_adopted_with_their_output_and_watched_as_before() {
    let mut manager = Manager::start_with("orphans = 'adopt'", TICKING, |_| {});
    manager.wait_for("tick:1 starting -> running");
    let old = manager.pids("tick");
    let log = manager.path("tick-0.log");
    // In a pause of that program: a line that was read and not yet written would be lost.
    let lines = || fs::read_to_string(&log).unwrap_or_default().lines().count();
    let seen = lines();
    wait_until("a line is written", || lines() > seen);
    manager.kill();
    let before = lines();
    manager.start_again();
    manager.wait_for("starting -> running");
    assert_eq!(manager.pids("tick"), old);
    wait_until("an orphan's output is read on", || lines() > before + 5);
    // Nothing of what it wrote in between is lost. The last line may be half there.
    let text = fs::read_to_string(&log).unwrap();
    let (lines, _) = text.rsplit_once('\n').unwrap();
    let numbers: Vec<u32> = lines.lines().map(|line| line["tick ".len()..].parse().unwrap()).collect();
    assert!(numbers.is_sorted_by(|a, b| b - a == 1), "{numbers:?}");
    kill(Pid::from_raw(old[1]), Signal::SIGKILL).unwrap();
    manager.wait_for("tick:1 running -> starting: the last one ended: unknown end");
    assert_eq!(manager.ctl(&["stop", "tick:0"]).code, 0);
    manager.wait_for("tick:0 stopping -> exited");
    assert!(!is_alive(old[0]));
}

#[test]
fn an_orphan_of_a_changed_program_is_not_adopted() {
    let mut manager = Manager::start_with("orphans = 'adopt'", TICKING, |_| {});
    manager.wait_for("tick:1 starting -> running");
    let old = manager.pids("tick");
    manager.kill();
    manager.configure("orphans = 'adopt'", "[program.other]\ncommand = 'sleep 1000'\n");
    manager.start_again();
    wait_until("the orphans are gone", || !old.iter().any(|pid| is_alive(*pid)));
}

#[test]
fn a_second_manager_on_the_same_folder_starts_nothing() {
    let mut manager = Manager::start(TICKING);
    manager.wait_for("tick:1 starting -> running");
    let second = std::process::Command::new(env!("CARGO_BIN_EXE_gearman-manager"))
        .args(["run", "--config"])
        .arg(manager.path("manager.toml"))
        .output()
        .unwrap();
    let error = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(1), "{error}");
    assert!(error.contains(&format!("process {} has it", manager.pid())), "{error}");
    assert_eq!(manager.ctl(&["status"]).code, 0, "the first one's socket is still there");
}

#[test]
fn a_service_that_a_worker_started_is_no_orphan() {
    // A session and a group of its own, and the environment of the worker: as tmux, at or a deploy hook leaves one.
    let program = "[program.w]\ncommand = '(setsid sh -c \"echo \\$\\$ > service; exec sleep 1000\" &); exec sleep 1000'\n\
                   shell = true\nready-after = '0s'\n";
    let mut manager = Manager::start(program);
    manager.wait_for("w:0 starting -> running");
    let service = number_in(&manager.path("service"));
    manager.kill();
    manager.start_again();
    manager.wait_for("left by the last manager, is told to leave");
    manager.wait_for("draining -> starting: left by the last manager");
    let told = manager.has_said(&format!("pid {service}, left by the last manager"));
    let lives = is_alive(service);
    let mut second = service;
    wait_until("the next one has left its own", || {
        second = number_in(&manager.path("service"));
        second != service
    });
    for service in [service, second] {
        let _gone = kill(Pid::from_raw(service), Signal::SIGKILL);
    }
    assert!(lives && !told, "the service was taken for a process of the manager");
}

#[test]
fn a_process_with_the_variables_of_a_manager_is_not_its_orphan() {
    let mut manager = Manager::start(TICKING);
    manager.wait_for("tick:1 starting -> running");
    manager.kill();
    // That of a folder of the same path elsewhere, as in a container, and that of this very folder.
    let path = manager.path("state").to_str().unwrap().to_owned();
    let mark = fs::read_to_string(manager.path("state/mark")).unwrap_or_default();
    let mut others: Vec<std::process::Child> = [path, mark]
        .iter()
        .map(|mark| {
            let mut command = Command::new("sleep");
            command.arg("1000").env("GEARMAN_MANAGER_STATE", mark).env("GEARMAN_MANAGER_PROCESS", "tick:7");
            command.process_group(0).spawn().unwrap()
        })
        .collect();
    manager.start_again();
    manager.wait_for("draining -> starting: left by the last manager");
    manager.wait_for("draining -> starting: left by the last manager");
    let live = others.iter_mut().all(|other| other.try_wait().unwrap().is_none());
    others.iter_mut().for_each(|other| {
        other.kill().unwrap();
        other.wait().unwrap();
    });
    assert!(live && !manager.has_said("tick:7"));
}

#[test]
fn a_process_whose_line_was_not_written_any_more_is_found() {
    let mut manager = Manager::start_with("orphans = 'adopt'", TICKING, |_| {});
    manager.wait_for("tick:1 starting -> running");
    let old = manager.pids("tick");
    manager.kill();
    // As if the manager had been killed between the fork and the line about the last process.
    let path = manager.path("state/processes");
    let mut lines: Vec<Value> =
        fs::read_to_string(&path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = lines.iter().rposition(|line| line["spawned"]["pid"] == old[1]).unwrap();
    let mut record = lines.remove(last)["spawned"].clone();
    lines.retain(|line| line.get("intent").is_none());
    record["pid"] = json!(0);
    let user = nix::unistd::Uid::effective().as_raw();
    lines.push(json!({"intent": {"record": record, "user": user}}));
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(&path, text).unwrap();
    manager.start_again();
    manager.wait_for(&format!("tick:1 pid {}, left by the last manager, goes on", old[1]));
    assert_eq!(manager.pids("tick"), old);
}

#[test]
fn what_was_wanted_by_hand_outlives_a_kill_and_no_orderly_end() {
    let programs = format!("{TICKING}[program.other]\ncommand = 'sleep 1000'\nready-after = '0s'\n");
    let mut manager = Manager::start_with("orphans = 'adopt'", &programs, |_| {});
    manager.wait_for("other:0 starting -> running");
    assert_eq!(manager.ctl(&["scale", "tick", "+1"]).code, 0);
    manager.wait_for("tick:2 starting -> running");
    assert_eq!(manager.ctl(&["stop", "other"]).code, 0);
    manager.wait_for("other:0 stopping -> exited");
    let old = manager.pids("tick");
    manager.kill();
    manager.start_again();
    for _ in 0..3 {
        manager.wait_for("left by the last manager, goes on");
    }
    assert_eq!(manager.pids("tick"), old);
    assert!(manager.pids("other").is_empty());
    manager.signal(Signal::SIGTERM);
    assert_eq!(manager.wait(), Some(0));
    manager.start_again();
    manager.wait_for("other:0 starting -> running");
    assert_eq!(manager.pids("tick").len(), 2);
}

#[test]
fn a_place_that_was_stopped_by_hand_stays_so_after_a_kill() {
    let once = "[program.once]\ncommand = 'echo run >> runs'\nshell = true\nrestart = 'on-failure'\nready-after = '0s'\n";
    let programs = format!("{TICKING}{once}");
    let mut manager = Manager::start_with("orphans = 'adopt'", &programs, |_| {});
    manager.wait_for("tick:1 starting -> running");
    manager.wait_for_any("and restart says to leave it at that");
    assert_eq!(manager.ctl(&["stop", "tick:0"]).code, 0);
    manager.wait_for("tick:0 stopping -> exited");
    // Of a program whose places are all empty, nothing is left to be done, but this is wanted from now on.
    assert_eq!(manager.ctl(&["stop", "once"]).code, 0);
    let left = manager.pids("tick");
    manager.kill();
    manager.start_again();
    manager.wait_for("tick:1 starting -> running");
    assert_eq!(manager.pids("tick"), left);
    assert_eq!(manager.process("tick:0")["state"], "exited");
    assert_eq!(fs::read_to_string(manager.path("runs")).unwrap(), "run\n");
    assert_eq!(manager.ctl(&["start", "tick:0"]).code, 0);
    manager.wait_for("tick:0 starting -> running");
}

#[test]
fn an_orphan_that_has_its_stop_signal_does_not_get_a_second_one() {
    let program = "[program.w]\ncommand = 'trap \"echo told >> told; [ -e go ] && exit 0\" TERM; echo ready; \
                   while :; do sleep 0.05; done'\nshell = true\nready-after = '0s'\n";
    let mut manager = Manager::start_with("orphans = 'adopt'", program, |_| {});
    manager.wait_for("w:0 ready");
    let pid = manager.pids("w")[0];
    assert_eq!(manager.ctl(&["restart", "w"]).code, 0);
    wait_until("it was told", || manager.path("told").exists());
    manager.kill();
    manager.start_again();
    manager.wait_for(&format!("pid {pid}, left by the last manager, is told to leave"));
    wait_until("a second signal would have come", || {
        manager.process("w:0")["since-seconds"].as_f64().is_some_and(|seconds| seconds > 0.5)
    });
    assert_eq!(fs::read_to_string(manager.path("told")).unwrap(), "told\n");
    fs::write(manager.path("go"), "").unwrap();
    kill(Pid::from_raw(pid), Signal::SIGTERM).unwrap();
    manager.wait_for("draining -> starting: left by the last manager");
}
