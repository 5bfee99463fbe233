//! `kill -9` of the real server under load, with real sockets and a real file, again and again: every
//! background job that got `JOB_CREATED` runs, and no handle is given twice.
//!
//! `KILL9_ROUNDS` is how often it is killed (50), `KILL9_SEED` decides when.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::wildcard_enum_match_arm,
    clippy::print_stdout,
    clippy::too_many_lines,
    reason = "a test that meets the unexpected is to fail there and then"
)]

#[path = "../../../crates/server/tests/it/peer.rs"]
#[allow(dead_code, reason = "the file is shared with other tests, and each uses a part of it")]
mod peer;
#[path = "it/process.rs"]
#[allow(dead_code, reason = "the file is shared with other tests, and each uses a part of it")]
mod process;
#[path = "kill9/steered.rs"]
mod steered;

use geartrain_proto::{Function, GrabKind, Handle, PacketKind, Request, Step, SubmitMode, decode_response};
use peer::{Peer, encode, submit};
use process::Gearmand;
use std::collections::HashSet;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

const ARGUMENTS: [&str; 2] = ["--libsqlite3-db=queue.db", "--verbose=ERROR"];
const CLIENTS: usize = 4;
const WORKERS: usize = 2;
const IN_FLIGHT: usize = 16;

/// What the peers saw, over all lives of the server.
#[derive(Debug, Default)]
struct Seen {
    submitted: AtomicU64,
    /// Numbers of jobs whose `JOB_CREATED` came, and their handles.
    acknowledged: Mutex<HashSet<u64>>,
    handles: Mutex<HashSet<Vec<u8>>>,
    /// Numbers of jobs that a worker got.
    ran: Mutex<HashSet<u64>>,
    /// Acknowledged since the server was started last.
    this_life: AtomicUsize,
}

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

#[test]
fn every_acknowledged_job_runs_however_often_the_server_is_killed() {
    let rounds = from_environment("KILL9_ROUNDS", 50);
    let mut random = from_environment("KILL9_SEED", 1);
    let seen = Arc::new(Seen::default());
    let mut server = Gearmand::start(&ARGUMENTS);
    for _ in 0..rounds {
        seen.this_life.store(0, Ordering::SeqCst);
        let peers = start_peers(&server, &seen);
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let enough = 1 + usize::try_from(random >> 33).unwrap() % 600;
        process::wait_until("jobs are acknowledged", || seen.this_life.load(Ordering::SeqCst) >= enough);
        let folder = server.kill();
        peers.into_iter().for_each(|peer| peer.join().expect("no peer fails"));
        server = Gearmand::start_in(folder, &ARGUMENTS);
    }
    drain(&server, &seen);
    let acknowledged = seen.acknowledged.lock().unwrap();
    let ran = seen.ran.lock().unwrap();
    let mut missing: Vec<_> = acknowledged.difference(&ran).collect();
    missing.sort();
    assert!(missing.is_empty(), "{} of {} jobs are missing: {missing:?}", missing.len(), acknowledged.len());
    assert!(ran.iter().all(|number| *number < seen.submitted.load(Ordering::SeqCst)));
    println!("{rounds} kills, {} jobs acknowledged, {} ran", acknowledged.len(), ran.len());
}

fn start_peers(server: &Gearmand, seen: &Arc<Seen>) -> Vec<thread::JoinHandle<()>> {
    let clients = (0..CLIENTS).map(|_| {
        let (peer, seen) = (server.connect(), Arc::clone(seen));
        thread::spawn(move || submit_until_the_end(peer, &seen))
    });
    let clients: Vec<_> = clients.collect();
    let workers = (0..WORKERS).map(|_| {
        let (peer, seen) = (server.connect(), Arc::clone(seen));
        thread::spawn(move || work_until_the_end(peer, &seen))
    });
    clients.into_iter().chain(workers).collect()
}

/// Keeps some submits in flight, and counts the answers, also those that came before the end.
fn submit_until_the_end(mut peer: Peer, seen: &Seen) {
    let mut in_flight = std::collections::VecDeque::new();
    let mut reader = Packets::new(&peer);
    loop {
        while in_flight.len() < IN_FLIGHT {
            let number = seen.submitted.fetch_add(1, Ordering::SeqCst);
            let packet = encode(&[submit("reverse", SubmitMode::Background, &number.to_be_bytes())]);
            // The answers that are still on their way count, so that reading finds the end.
            if peer.stream.write_all(&packet).is_err() {
                break;
            }
            in_flight.push_back(number);
        }
        let Some((kind, handle)) = reader.next() else { return };
        assert_eq!(kind, PacketKind::JobCreated);
        let number = in_flight.pop_front().expect("an answer to a submit");
        assert!(seen.handles.lock().unwrap().insert(handle), "a handle is given twice");
        seen.acknowledged.lock().unwrap().insert(number);
        seen.this_life.fetch_add(1, Ordering::SeqCst);
    }
}

/// Works until the server is gone.
fn work_until_the_end(mut peer: Peer, seen: &Seen) {
    let mut reader = Packets::new(&peer);
    let grab = encode(&[Request::Grab(GrabKind::Plain)]);
    let sleep = encode(&[Request::PreSleep]);
    let mut send = |bytes: &[u8]| peer.stream.write_all(bytes).is_ok();
    let can_do = encode(&[Request::CanDo { function: Function::from("reverse") }]);
    let mut going = send(&can_do) && send(&grab);
    while going {
        let Some((kind, body)) = reader.next() else { return };
        going = match kind {
            PacketKind::NoJob => send(&sleep),
            PacketKind::Noop => send(&grab),
            _ => {
                let handle = ran(kind, &body, seen);
                send(&encode(&[
                    Request::WorkComplete { handle: Handle::new(handle), result: b"" },
                    Request::Grab(GrabKind::Plain),
                ]))
            }
        };
    }
}

/// Notes that a job was assigned; returns its handle.
fn ran<'a>(kind: PacketKind, body: &'a [u8], seen: &Seen) -> &'a [u8] {
    assert_eq!(kind, PacketKind::JobAssign);
    let mut parts = body.splitn(3, |byte| *byte == 0);
    let (handle, _function, workload) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    seen.ran.lock().unwrap().insert(u64::from_be_bytes(workload.try_into().expect("a number")));
    handle
}

/// Runs what is left.
fn drain(server: &Gearmand, seen: &Seen) {
    let mut peer = server.connect();
    peer.send(&[Request::CanDo { function: Function::from("reverse") }]);
    loop {
        peer.send(&[Request::Grab(GrabKind::Plain)]);
        let (kind, body) = peer.packet();
        if kind == PacketKind::NoJob {
            return;
        }
        let handle = ran(kind, &body, seen);
        peer.send(&[Request::WorkComplete { handle: Handle::new(handle), result: b"" }]);
    }
}

/// The packets of a connection, to its end.
struct Packets {
    stream: std::net::TcpStream,
    unread: Vec<u8>,
}

impl Packets {
    fn new(peer: &Peer) -> Self {
        Self { stream: peer.stream.try_clone().unwrap(), unread: Vec::new() }
    }

    fn next(&mut self) -> Option<(PacketKind, Vec<u8>)> {
        loop {
            if let Step::Complete { consumed, message } = decode_response(&self.unread, 1 << 20) {
                let kind = message.expect("a packet of the protocol").kind();
                let body = self.unread[12..consumed].to_vec();
                self.unread.drain(..consumed);
                return Some((kind, body));
            }
            let mut bytes = [0; 4096];
            // A reset is how a killed server ends a connection, too.
            match self.stream.read(&mut bytes) {
                Ok(0) | Err(_) => return None,
                Ok(len) => self.unread.extend_from_slice(&bytes[..len]),
            }
        }
    }
}
