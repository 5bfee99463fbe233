//! Many peers, few descriptors, and no work.

use crate::peer::Peer;
use crate::process::{Gearmand, wait_until};
use geartrain_proto::{Function, GrabKind, PacketKind, Request, Response};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::io::Read;
use std::net::TcpStream;
use std::process::Command;
use std::thread;
use std::time::Duration;

fn allow_many_descriptors() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
}

#[test]
fn ten_thousand_connections_that_send_nothing_cost_under_four_kibibytes_each() {
    allow_many_descriptors();
    let server = Gearmand::start(&["--queue-type=builtin"]);
    let mut active = server.connect();
    active.expect_alive();
    let before = server.resident();
    let crowd: Vec<TcpStream> = (0..10_000).map(|_| TcpStream::connect(server.address()).unwrap()).collect();
    wait_until("all are served", || server.connect().listing("workers").len() > crowd.len());
    let each = (server.resident() - before) / crowd.len() as u64;
    assert!(each < 4096, "{each} bytes for each idle connection");
    active.expect_alive();
}

#[test]
fn five_hundred_sleeping_workers_use_no_processor_time() {
    let server = Gearmand::start(&[]);
    let mut workers: Vec<Peer> = (0..500).map(|_| server.connect()).collect();
    for worker in &mut workers {
        worker.send(&[
            Request::CanDo { function: Function::from("reverse") },
            Request::Grab(GrabKind::Plain),
            Request::PreSleep,
        ]);
    }
    for worker in &mut workers {
        worker.expect(&Response::NoJob);
        worker.expect_alive();
    }
    let before = server.cpu_time();
    // What is measured is that nothing happens: time has to pass.
    thread::sleep(Duration::from_secs(2));
    let used = server.cpu_time() - before;
    // What is counted in hundredths of a second may be about to be counted when time begins.
    assert!(used <= Duration::from_millis(20), "{used:?} in two seconds");
}

#[test]
fn when_descriptors_run_out_those_who_are_in_go_on_and_it_does_not_spin() {
    let server = Gearmand::start(&["--queue-type=builtin"]);
    let mut inside: Vec<Peer> = (0..10).map(|_| server.connect()).collect();
    inside.iter_mut().for_each(Peer::expect_alive);
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.id())).unwrap().count();
    let lowered = Command::new("prlimit")
        .args(["--pid", &server.id().to_string(), &format!("--nofile={}", open + 2)])
        .status()
        .unwrap();
    assert!(lowered.success());
    let mut outside: Vec<TcpStream> =
        (0..20).map(|_| TcpStream::connect(server.address()).unwrap()).collect();
    // The last ones are told, or closed.
    let last = outside.last_mut().unwrap();
    last.set_read_timeout(Some(crate::peer::PATIENCE)).unwrap();
    let mut told = Vec::new();
    last.read_to_end(&mut told).unwrap();
    assert!(told.is_empty() || told.starts_with(b"\0RES"), "{told:?}");
    inside.iter_mut().for_each(Peer::expect_alive);
    let before = server.cpu_time();
    // What is measured is that little happens: time has to pass.
    thread::sleep(Duration::from_secs(1));
    assert!(server.cpu_time() - before < Duration::from_millis(200));
    server.wait_for_text("cannot accept");
    let complaints = server.said().iter().filter(|line| line.contains("cannot accept")).count();
    assert_eq!(complaints, 1, "{:?}", server.said());
    drop(outside);
    inside.truncate(2);
    wait_until("there is room again", || {
        let mut peer = server.connect();
        peer.send(&[Request::Echo { data: b"" }]);
        let mut header = [0; 12];
        peer.stream.read_exact(&mut header).is_ok()
            && header[7] == PacketKind::EchoRes.to_wire().to_be_bytes()[3]
    });
}
