//! File descriptors, many and none.

use crate::manager::{Manager, ticks, wait_until};
use std::fs;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// The soft and the hard limit.
fn limits_of(pid: i32) -> [String; 2] {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let numbers: Vec<&str> = line.split_ascii_whitespace().skip(3).collect();
    [numbers[0].to_owned(), numbers[1].to_owned()]
}

#[test]
fn the_manager_has_as_many_as_it_may_and_its_processes_as_before() {
    let program = "[program.w]\ncommand = 'sleep 1000'\nready-after = '0s'\n";
    let mut manager = Manager::start_after("ulimit -S -n 256; ulimit -H -n 512", program);
    manager.wait_for("w:0 starting");
    assert_eq!(limits_of(manager.pid()), ["512", "512"]);
    assert_eq!(limits_of(manager.pids("w")[0]), ["256", "512"]);
}

#[test]
fn without_any_left_the_manager_rests_and_loses_no_process() {
    let program = "[program.w]\ncommand = 'exec sleep 1000'\nshell = true\nready-after = '0s'\n";
    let mut manager = Manager::start_after("ulimit -n 40", program);
    manager.wait_for("w:0 starting -> running");
    let pid = manager.pids("w")[0];
    let knocking: Vec<UnixStream> =
        (0..60).map(|_| UnixStream::connect(manager.path("socket")).unwrap()).collect();
    let open = || fs::read_dir(format!("/proc/{}/fd", manager.pid())).unwrap().count();
    wait_until("no descriptor is left", || open() >= 40);
    let (begun, before) = (Instant::now(), ticks(manager.pid()));
    wait_until("two seconds have passed", || begun.elapsed() >= Duration::from_secs(2));
    let used = ticks(manager.pid()) - before;
    assert!(used < 50, "{used} hundredths of a second of the processor in two seconds");
    drop(knocking);
    wait_until("somebody is taken in again", || manager.ctl(&["status"]).code == 0);
    assert_eq!(manager.pids("w"), [pid]);
}
