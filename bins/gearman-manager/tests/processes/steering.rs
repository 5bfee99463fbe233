//! Commands of people.

use crate::manager::{Manager, PROGRAM, is_alive, wait_until};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::thread::{self, JoinHandle};

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

/// The first answer of a manager to a request, which it has as soon as it listens.
fn first_answer(socket: PathBuf, request: &'static str) -> JoinHandle<Value> {
    thread::spawn(move || {
        let mut stream = None;
        wait_until("somebody listens", || {
            stream = UnixStream::connect(&socket).ok();
            stream.is_some()
        });
        let mut stream = stream.unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    })
}

#[test]
fn who_asks_has_an_answer_while_many_are_spawned() {
    let many = "[program.many]\ncommand = 'sleep 1000'\nready-after = '0s'\nprocesses = 300\n";
    let mut answer = None;
    let mut manager = Manager::start_with("", many, |folder| {
        answer = Some(first_answer(folder.join("socket"), "{\"command\":\"status\"}\n"));
    });
    let answer = answer.unwrap().join().unwrap();
    let places = answer["programs"][0]["processes"].as_array().unwrap();
    let spawned = places.iter().filter(|place| place["pid"].is_i64()).count();
    assert!(places.len() == 300 && spawned < 300, "{spawned} of {}", places.len());
    for place in 0..300 {
        manager.wait_for_any(&format!("many:{place} starting -> running"));
    }
    assert_eq!(manager.pids("many").len(), 300);
    manager.signal(Signal::SIGTERM);
    assert_eq!(manager.wait(), Some(0));
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
fn a_signal_is_sent_and_nothing_more() {
    let mut manager = Manager::start(
        "[program.w]\ncommand = 'trap \"echo heard\" USR1; echo ready; while :; do sleep 0.05; done'\nshell = true\n",
    );
    let first = manager.wait_for("w:0 starting: first start");
    manager.wait_for("w:0 ready");
    let pid = manager.pids("w")[0];
    assert!(first.ends_with(&format!("(pid {pid})")), "{first}");
    let done = manager.ctl(&["signal", "w", "usr1"]);
    assert_eq!((done.code, done.out.as_str()), (0, "SIGUSR1 is sent to w, 1 in all\n"));
    manager.wait_for("w:0 heard");
    for (arguments, error) in [
        (["signal", "w", "LOUD"], "\"LOUD\" is no signal (hint: HUP, USR1)"),
        (["signal", "v", "HUP"], "there is no \"v\" (hint: there are w)"),
    ] {
        let done = manager.ctl(&arguments);
        assert_eq!((done.code, done.err), (2, format!("gearman-manager: {error}\n")));
    }
    assert_eq!(manager.pids("w"), [pid]);
}

#[test]
fn signals_that_mean_nothing_here_end_nothing() {
    use nix::sys::signal::Signal;
    let mut manager = Manager::start(POOL);
    manager.wait_for("pool:0 starting");
    manager.signal(Signal::SIGALRM);
    manager.wait_for("SIGALRM means nothing here");
    // What it means to supervisord.
    manager.signal(Signal::SIGUSR2);
    manager.wait_for("SIGUSR2: log files are opened anew");
    assert_eq!(manager.ctl(&["status"]).code, 0);
}

#[test]
fn a_state_folder_that_others_may_write_to_starts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("state")).unwrap();
    let open = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(folder.path().join("state"), open).unwrap();
    let file = folder.path().join("m.toml");
    std::fs::write(&file, "socket = 's'\nstate-folder = 'state'\n").unwrap();
    let mut manager = std::process::Command::new(PROGRAM);
    let done = manager.args(["run", "--config", file.to_str().unwrap()]).output().unwrap();
    let said = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(1));
    assert!(
        said.contains("others may write there, and have it end any process (hint: chmod go-w)"),
        "{said}"
    );
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
