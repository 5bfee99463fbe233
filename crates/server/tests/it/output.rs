//! Peers that do not read.

use crate::peer::submit;
use crate::world::{World, wait_until};
use geartrain_proto::{Function, GrabKind, Handle, PacketKind, Request, Response, SubmitMode};
use geartrain_server::Config;

#[test]
fn a_client_that_never_reads_a_hundred_megabytes_is_closed_and_its_worker_goes_on() {
    let world = World::with(Config { threads: 2, output_bytes_max: 32 << 20, ..Config::default() }, None);
    let (mut client, mut worker, mut other) = (world.connect(), world.connect(), world.connect());
    client.send(&[submit("reverse", SubmitMode::Foreground, b"x")]);
    client.body_of(PacketKind::JobCreated);
    worker.send(&[Request::CanDo { function: Function::from("reverse") }, Request::Grab(GrabKind::Plain)]);
    let handle = worker.first_part_of(PacketKind::JobAssign);
    let handle = Handle::new(&handle);
    let part = vec![b'x'; 1 << 20];
    for _ in 0..100 {
        worker.send(&[Request::WorkData { handle, data: &part }]);
    }
    worker.expect_alive();
    other.expect_alive();
    // Worker, asker, and no client any more.
    wait_until("the client is closed", || world.connect().listing("workers").len() == 3);
    worker.send(&[Request::WorkComplete { handle, result: b"" }]);
    worker.expect_alive();
}

#[test]
fn one_packet_larger_than_the_bound_passes() {
    let world = World::with(Config { output_bytes_max: 1 << 20, ..Config::default() }, None);
    let mut peer = world.connect();
    let big = vec![b'x'; 8 << 20];
    peer.send(&[Request::Echo { data: &big }]);
    peer.expect(&Response::Echo { data: &big });
    peer.expect_alive();
}

#[test]
fn a_peer_that_reads_late_gets_everything_in_order() {
    let world = World::new();
    let (mut client, mut worker) = (world.connect(), world.connect());
    client.send(&[submit("reverse", SubmitMode::Foreground, b"x")]);
    client.body_of(PacketKind::JobCreated);
    worker.send(&[Request::CanDo { function: Function::from("reverse") }, Request::Grab(GrabKind::Plain)]);
    let handle = worker.first_part_of(PacketKind::JobAssign);
    let handle = Handle::new(&handle);
    let parts: Vec<Vec<u8>> = (0..40_u8).map(|number| vec![number; 1 << 20]).collect();
    for part in &parts {
        worker.send(&[Request::WorkData { handle, data: part }]);
    }
    worker.expect_alive();
    for part in &parts {
        client.expect(&Response::WorkData { handle, data: part });
    }
    client.expect_alive();
}
