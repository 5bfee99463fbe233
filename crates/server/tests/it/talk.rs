//! Jobs from submit to result.

use crate::peer::{Peer, encode, submit};
use crate::world::World;
use geartrain_proto::{Function, GrabKind, Handle, PacketKind, Request, Response, SubmitMode};
use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

const CAN_REVERSE: Request<'_> = Request::CanDo { function: Function::new(b"reverse") };
const GRAB: Request<'_> = Request::Grab(GrabKind::Plain);

#[test]
fn a_foreground_job_runs_on_a_sleeping_worker_and_its_client_gets_the_result() {
    let world = World::new();
    let (mut client, mut worker) = (world.connect(), world.connect());
    worker.send(&[CAN_REVERSE, GRAB, Request::PreSleep]);
    worker.expect(&Response::NoJob);
    client.send(&[submit("reverse", SubmitMode::Foreground, b"abc")]);
    let handle = client.first_part_of(PacketKind::JobCreated);
    worker.expect(&Response::Noop);
    worker.send(&[GRAB]);
    let handle = Handle::new(&handle);
    worker.expect(&Response::JobAssign { handle, function: "reverse".into(), workload: b"abc" });
    worker.send(&[Request::WorkComplete { handle, result: b"cba" }, GRAB]);
    client.expect(&Response::WorkComplete { handle, result: b"cba" });
    worker.expect(&Response::NoJob);
}

#[test]
fn a_job_whose_worker_dies_goes_to_the_next_one() {
    let world = World::new();
    let (mut client, mut first, mut second) = (world.connect(), world.connect(), world.connect());
    client.send(&[submit("reverse", SubmitMode::Foreground, b"abc")]);
    let handle = client.first_part_of(PacketKind::JobCreated);
    first.send(&[CAN_REVERSE, GRAB]);
    first.body_of(PacketKind::JobAssign);
    second.send(&[CAN_REVERSE, Request::PreSleep]);
    second.expect_alive();
    drop(first);
    second.expect(&Response::Noop);
    second.send(&[GRAB]);
    let handle = Handle::new(&handle);
    second.expect(&Response::JobAssign { handle, function: "reverse".into(), workload: b"abc" });
}

#[test]
fn packets_split_anywhere_are_understood() {
    let world = World::new();
    let mut peer = world.connect();
    let bytes = encode(&[Request::Echo { data: b"one" }, Request::Echo { data: b"two" }]);
    for cut in 1..bytes.len() {
        peer.send_bytes(&bytes[..cut]);
        thread::yield_now();
        peer.send_bytes(&bytes[cut..]);
        peer.expect(&Response::Echo { data: b"one" });
        peer.expect(&Response::Echo { data: b"two" });
    }
}

#[test]
fn a_thousand_requests_in_one_write_are_answered_in_order() {
    let world = World::new();
    let mut peer = world.connect();
    let texts: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
    let requests: Vec<_> = texts.iter().map(|text| Request::Echo { data: text.as_bytes() }).collect();
    peer.send(&requests);
    for text in &texts {
        peer.expect(&Response::Echo { data: text.as_bytes() });
    }
}

#[test]
fn eight_mebibytes_of_binary_arrive_whole_in_both_directions() {
    let world = World::new();
    let big: Vec<u8> =
        (0..8 << 20).map(|index: u32| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let (mut client, mut worker) = (world.connect(), world.connect());
    client.send(&[submit("reverse", SubmitMode::Foreground, &big)]);
    let handle = client.first_part_of(PacketKind::JobCreated);
    worker.send(&[CAN_REVERSE, GRAB]);
    let handle = Handle::new(&handle);
    worker.expect(&Response::JobAssign { handle, function: "reverse".into(), workload: &big });
    worker.send(&[Request::WorkComplete { handle, result: &big }]);
    client.expect(&Response::WorkComplete { handle, result: &big });
}

#[test]
fn a_job_for_the_future_runs_when_its_second_comes() {
    let world = World::new();
    let (mut client, mut worker) = (world.connect(), world.connect());
    worker.send(&[CAN_REVERSE, Request::PreSleep]);
    let now = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap();
    let second = now.as_secs() + 2;
    client.send(&[submit("reverse", SubmitMode::Epoch(i64::try_from(second).unwrap()), b"x")]);
    client.body_of(PacketKind::JobCreated);
    worker.expect(&Response::Noop);
    let woken = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap();
    assert!(woken >= Duration::from_secs(second), "woken {woken:?} before second {second}");
    worker.send(&[GRAB]);
    worker.body_of(PacketKind::JobAssign);
}

/// As many client libraries do: Nagle's algorithm on, header and body written apart, and no answer for
/// some packets. The kernel would acknowledge each first part 40 ms late.
fn nagling(world: &World) -> Peer {
    let peer = world.connect();
    peer.stream.set_nodelay(false).unwrap();
    peer
}

fn send_in_two(peer: &mut Peer, request: &Request<'_>) {
    let bytes = encode(&[*request]);
    peer.stream.write_all(&bytes[..12]).unwrap();
    peer.stream.write_all(&bytes[12..]).unwrap();
}

#[test]
fn peers_that_leave_nagles_algorithm_on_do_not_wait_for_late_acknowledgements() {
    let world = World::new();
    let (mut client, mut worker) = (nagling(&world), nagling(&world));
    send_in_two(&mut worker, &CAN_REVERSE);
    let started = Instant::now();
    let jobs = 500;
    for _ in 0..jobs {
        send_in_two(&mut client, &submit("reverse", SubmitMode::Foreground, b"abc"));
        let handle = client.first_part_of(PacketKind::JobCreated);
        worker.send(&[GRAB]);
        worker.body_of(PacketKind::JobAssign);
        let handle = Handle::new(&handle);
        send_in_two(&mut worker, &Request::WorkComplete { handle, result: b"cba" });
        client.expect(&Response::WorkComplete { handle, result: b"cba" });
    }
    // Two late acknowledgements a job would take 40 s.
    let taken = started.elapsed();
    assert!(taken < Duration::from_secs(20), "{jobs} jobs took {taken:?}");
}

#[test]
fn a_half_closed_peer_gets_every_answer_to_what_it_sent() {
    let world = World::new();
    for _ in 0..100 {
        let mut peer = world.connect();
        peer.send_bytes(b"version\n");
        peer.send(&[submit("reverse", SubmitMode::Background, b"abc"), Request::Echo { data: b"last" }]);
        peer.half_close();
        assert_eq!(peer.line(), "OK 1.1.20\n");
        peer.body_of(PacketKind::JobCreated);
        peer.expect(&Response::Echo { data: b"last" });
        peer.expect_end();
    }
    assert_eq!(world.connect().listing("status"), ["reverse\t100\t0\t0"]);
}

#[test]
fn a_megabyte_of_requests_before_the_first_answer_is_read_does_not_deadlock() {
    let world = World::new();
    let mut peer = world.connect();
    let data = vec![b'x'; 1000];
    let request = Request::Echo { data: &data };
    let count = 4000;
    for _ in 0..count {
        peer.send(&[request]);
    }
    for _ in 0..count {
        peer.expect(&Response::Echo { data: &data });
    }
}
