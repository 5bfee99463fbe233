//! File descriptors and threads, many and none.

use crate::manager::{Manager, PROGRAM, ticks, wait_until};
use crate::servers::{servers, worker};
use crate::support::Server;
use nix::sys::signal::Signal;
use nix::unistd::Uid;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::Command;
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

/// Sets a soft limit of a process, as whoever it is: root itself may not be allowed to.
fn limit(pid: i32, what: &str) {
    let facts = fs::metadata(format!("/proc/{pid}")).unwrap();
    let mut prlimit = Command::new("prlimit");
    prlimit.args(["--pid", &pid.to_string(), what]);
    if Uid::effective().is_root() {
        prlimit.uid(facts.uid()).gid(facts.gid());
    }
    assert!(prlimit.status().unwrap().success(), "{what}");
}

#[test]
fn what_could_not_be_watched_is_tried_again() {
    let mut manager = Manager::start("");
    fs::create_dir(manager.path("src")).unwrap();
    manager.configure(
        "",
        "[program.w]\ncommand = 'sleep 1000'\nready-after = '0s'\nwatch = ['src/*']\nwatch-settle = '0s'\n",
    );
    // Enough to read the file, and not for a watch.
    let numbers = fs::read_dir(format!("/proc/{}/fd", manager.pid())).unwrap().flatten();
    let numbers: Vec<u32> =
        numbers.map(|entry| entry.file_name().to_str().unwrap().parse().unwrap()).collect();
    let free = (0..).find(|number| !numbers.contains(number)).unwrap();
    limit(manager.pid(), &format!("--nofile={}:", free + 2));
    manager.signal(Signal::SIGHUP);
    manager.wait_for("ERROR no path can be watched: ");
    let (said, begun) = ("no path can be watched", Instant::now());
    wait_until("it was tried again", || begun.elapsed() >= Duration::from_millis(2500));
    assert_eq!(manager.times_said(said), 1, "said once");
    limit(manager.pid(), "--nofile=256:");
    manager.wait_for("all paths are watched again");
    manager.wait_for_any("w:0 starting -> running");
    fs::write(manager.path("src/a"), "").unwrap();
    manager.wait_for("w restart: begins: ");
}

#[test]
fn threads_that_could_not_be_made_are_made_later() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(folder.path().join("src")).unwrap();
    // The limit on threads and processes is none for root, and counts those of all programs of a user.
    let (own, as_user) = (folder.path().join("manager"), 61_234);
    let mut before = String::new();
    if Uid::effective().is_root() {
        fs::copy(PROGRAM, &own).unwrap();
        chown(folder.path(), Some(as_user), Some(as_user)).unwrap();
        let own = own.display();
        before = format!("exec setpriv --reuid={as_user} --regid={as_user} --clear-groups {own} \"$@\"");
    }
    let mut manager = Manager::start_in_folder_after(folder, &before, "");
    limit(manager.pid(), "--nproc=1:");
    let program = format!(
        "[program.w]\ncommand = '{}'\nfunctions = ['f']\nwatch = ['src/*']\nwatch-settle = '0s'\n\
         crash-loop-exits = 'none'\nbackoff-max = '1s'\n",
        worker(&server, "f", "cat")
    );
    manager.configure(&servers(&server), &program);
    assert_eq!(manager.ctl(&["update"]).code, 0);
    manager.wait_for_any("no thread can ask it: ");
    manager.wait_for_any("ERROR no path can be watched: ");
    assert!(manager.ctl(&["status"]).out.contains("no thread can ask it: "));
    limit(manager.pid(), "--nproc=1000:");
    manager.wait_for_any("all paths are watched again");
    manager.wait_for_any("w:0 starting -> running: a job server lists it with its functions");
    fs::write(manager.path("src/a"), "").unwrap();
    manager.wait_for("w restart: begins: ");
    assert_eq!(
        (manager.times_said("no thread can ask it"), manager.times_said("no path can be watched")),
        (1, 1)
    );
}
