//! Bad input costs its sender the connection at most, and nobody else anything.

use crate::peer::Peer;
use crate::world::World;
use geartrain_proto::{Function, PacketKind, Request};
use geartrain_server::Config;
use std::io::Write;
use std::time::Duration;

/// A server with a bystander, who is served before and after.
struct Scene {
    world: World,
    bystander: Peer,
}

impl Scene {
    fn new() -> Self {
        let world = World::new();
        let mut bystander = world.connect();
        bystander.expect_alive();
        Self { world, bystander }
    }

    /// These bytes get one `ERROR` with this code, and the end of the connection.
    fn expect_error_and_end(&mut self, bytes: &[u8], code: &str) {
        let mut peer = self.world.connect();
        peer.send_bytes(bytes);
        assert_eq!(String::from_utf8(peer.first_part_of(PacketKind::Error)).unwrap(), code);
        peer.expect_end();
        self.bystander.expect_alive();
    }
}

fn header(magic: &[u8; 4], kind: u32, len: u32) -> Vec<u8> {
    [&magic[..], &kind.to_be_bytes(), &len.to_be_bytes()].concat()
}

#[test]
fn a_kind_with_the_top_bit_set_is_refused() {
    Scene::new().expect_error_and_end(&header(b"\0REQ", 0x8000_0000, 0), "INVALID_COMMAND");
}

#[test]
fn kinds_outside_the_protocol_are_refused() {
    let mut scene = Scene::new();
    for kind in [0, 43, 1000, u32::MAX] {
        scene.expect_error_and_end(&header(b"\0REQ", kind, 0), "INVALID_COMMAND");
    }
}

#[test]
fn a_magic_of_another_protocol_is_refused() {
    Scene::new().expect_error_and_end(b"\0XXX\0\0\0\x10\0\0\0\0", "INVALID_MAGIC");
}

#[test]
fn a_body_announced_as_four_gibibytes_is_refused_before_it_is_read() {
    Scene::new().expect_error_and_end(&header(b"\0REQ", 7, u32::MAX), "INVALID_PACKET");
}

#[test]
fn the_error_reaches_a_peer_that_goes_on_sending() {
    let mut scene = Scene::new();
    let mut peer = scene.world.connect();
    peer.send_bytes(&header(b"\0REQ", 7, u32::MAX));
    // The server may close while this is under way.
    let sent = (0..64).map(|_| peer.stream.write_all(&[b'x'; 16 * 1024])).take_while(Result::is_ok).count();
    assert!(sent > 0);
    assert_eq!(peer.first_part_of(PacketKind::Error), b"INVALID_PACKET");
    scene.bystander.expect_alive();
}

#[test]
fn missing_nuls_are_refused() {
    let mut scene = Scene::new();
    for kind in [7, 18, 36, 37] {
        let bytes = [&header(b"\0REQ", kind, 9)[..], b"no-nuls-1"].concat();
        scene.expect_error_and_end(&bytes, "INVALID_PACKET");
    }
}

#[test]
fn half_a_packet_for_ever_costs_nobody_else_anything() {
    let mut scene = Scene::new();
    let mut half = scene.world.connect();
    half.send_bytes(&header(b"\0REQ", 16, 1_000_000));
    half.send_bytes(&[b'x'; 10_000]);
    scene.bystander.expect_alive();
    half.expect_silence(Duration::from_millis(50));
    half.send_bytes(&vec![b'x'; 990_000]);
    assert_eq!(half.body_of(PacketKind::EchoRes).len(), 1_000_000);
}

#[test]
fn a_text_line_of_a_megabyte_is_refused() {
    let mut scene = Scene::new();
    let mut peer = scene.world.connect();
    // The server may close while this is under way.
    peer.stream.write_all(&vec![b'a'; 1 << 20]).ok();
    let line = peer.line();
    assert!(line.starts_with("ERR LINE_TOO_LONG"), "{line}");
    peer.expect_end();
    scene.bystander.expect_alive();
}

#[test]
fn a_refused_worker_gives_its_job_back() {
    let mut scene = Scene::new();
    let mut worker = scene.world.connect();
    scene.bystander.send(&[crate::peer::submit("reverse", geartrain_proto::SubmitMode::Background, b"x")]);
    scene.bystander.body_of(PacketKind::JobCreated);
    worker.send(&[
        Request::CanDo { function: Function::from("reverse") },
        Request::Grab(geartrain_proto::GrabKind::Plain),
    ]);
    worker.body_of(PacketKind::JobAssign);
    assert_eq!(scene.bystander.listing("status"), ["reverse\t1\t1\t1"]);
    worker.send_bytes(&header(b"\0REQ", 0, 0));
    worker.body_of(PacketKind::Error);
    worker.expect_end();
    assert_eq!(scene.bystander.listing("status"), ["reverse\t1\t0\t0"]);
}

#[test]
fn a_connection_too_many_is_told_so_and_the_others_go_on() {
    let config = Config { connections_max: 3, ..Config::default() };
    let world = World::with(config, None);
    let mut peers: Vec<_> = (0..3).map(|_| world.connect()).collect();
    peers.iter_mut().for_each(Peer::expect_alive);
    let mut one_more = world.connect();
    assert_eq!(one_more.body_of(PacketKind::Error), b"QUEUE_ERROR\0Too many connections");
    one_more.expect_end();
    peers.iter_mut().for_each(Peer::expect_alive);
    peers.pop();
    crate::world::wait_until("there is room again", || {
        let mut peer = world.connect();
        peer.send(&[Request::Echo { data: b"" }]);
        peer.packet().0 == PacketKind::EchoRes
    });
}
