//! What a killed manager leaves behind.

use crate::manager::{Manager, is_alive, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;

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
    manager.kill();
    let log = manager.path("tick-0.log");
    let before = fs::read_to_string(&log).unwrap().lines().count();
    manager.start_again();
    manager.wait_for("starting -> running");
    assert_eq!(manager.pids("tick"), old);
    wait_until("an orphan's output is read on", || {
        fs::read_to_string(&log).unwrap().lines().count() > before + 5
    });
    // Nothing of what it wrote in between is lost.
    let lines = fs::read_to_string(&log).unwrap();
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
