//! Commands of people.

use crate::manager::{Manager, is_alive, wait_until};
use std::os::unix::fs::PermissionsExt;

const POOL: &str = "[program.pool]\ncommand = 'sleep 1000'\nready-after = '0s'\nprocesses = '1..4'\n";

#[test]
fn the_number_of_processes_is_changed_by_hand_within_the_range() {
    let mut manager = Manager::start(POOL);
    manager.wait_for("pool:0 starting -> running");
    let done = manager.ctl(&["scale", "pool", "+2"]);
    assert_eq!((done.code, done.out.as_str()), (0, "pool is to have 3 processes; there were 1\n"));
    manager.wait_for("pool scaled 1 -> 3: by hand (+2)");
    manager.wait_for("pool:2 starting -> running");
    let three = manager.pids("pool");
    assert_eq!(three.len(), 3);
    assert_eq!(manager.ctl(&["scale", "pool", "-1"]).code, 0);
    wait_until("the last one is gone", || !is_alive(three[2]));
    wait_until("its place is gone", || manager.pids("pool") == three[..2]);
    let refused = manager.ctl(&["scale", "pool", "=5"]);
    let error = "gearman-manager: pool cannot have 5 processes: its configuration allows 1 to 4\n";
    assert_eq!((refused.code, refused.err.as_str()), (2, error));
    assert_eq!(manager.ctl(&["scale", "pool", "many"]).code, 64);
    assert_eq!(manager.pids("pool"), three[..2]);
}

#[test]
fn only_those_who_may_reach_the_socket() {
    let mut manager = Manager::start_with("socket-mode = '0640'", POOL, |_| {});
    manager.wait_for("pool:0 starting");
    let mode = manager.path("socket").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
}

#[test]
fn what_is_not_there_is_said() {
    let mut manager = Manager::start(POOL);
    manager.wait_for("pool:0 starting");
    for (arguments, error) in [
        (["stop", "pol"], "there is no program \"pol\" (hint: there are pool)"),
        (["restart", "pool:9"], "pool has no process 9 (hint: it has 0)"),
        (["status", "nothing"], "there is no \"nothing\""),
    ] {
        let done = manager.ctl(&arguments);
        assert_eq!((done.code, done.err), (2, format!("gearman-manager: {error}\n")), "{arguments:?}");
    }
    manager.kill();
    let done = manager.ctl(&["status"]);
    assert_eq!(done.code, 1);
    assert!(done.err.contains("no manager answers on "), "{}", done.err);
}

#[test]
fn shutdown_returns_when_all_is_over() {
    let mut manager = Manager::start(POOL);
    manager.wait_for("pool:0 starting -> running");
    let pid = manager.pids("pool")[0];
    let done = manager.ctl(&["shutdown"]);
    assert_eq!((done.code, done.out.as_str()), (0, "shutting down\n"));
    assert!(!is_alive(pid));
    assert_eq!(manager.wait(), Some(0));
}
