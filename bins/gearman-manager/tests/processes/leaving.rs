//! Processes that are told to leave.

use crate::manager::{Manager, is_alive, wait_until};
use nix::sys::signal::Signal;
use std::time::{Duration, Instant};

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
fn a_lifetime_ends_without_haste() {
    let mut manager = Manager::start(
        "[program.old]\ncommand = 'trap \"sleep 1; echo finished; exit 0\" TERM; while :; do sleep 0.05; done'\n\
         shell = true\nready-after = '0s'\nlifetime = '1s'\nlifetime-jitter = 0\n",
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
