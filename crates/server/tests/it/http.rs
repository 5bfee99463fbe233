//! Health over HTTP.

use crate::world::{World, open_store};
use geartrain_disk::{Disk, Fault};
use geartrain_server::{Config, HttpListen};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

fn ask(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(crate::peer::PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

fn config() -> Config {
    Config { http: HttpListen::Required("127.0.0.1:0".parse().unwrap()), ..Config::default() }
}

#[test]
fn a_server_in_memory_lives_and_is_ready() {
    let world = World::with(config(), None);
    let address = world.server().http_address().unwrap();
    assert_eq!(ask(address, "/livez"), (200, "alive\n".to_owned()));
    assert_eq!(ask(address, "/readyz"), (200, "ready\n".to_owned()));
    assert_eq!(ask(address, "/nothing").0, 404);
}

#[test]
fn a_server_whose_store_failed_lives_and_is_not_ready() {
    let disk = Disk::new(1);
    let world = World::with(config(), Some(open_store(&disk)));
    let address = world.server().http_address().unwrap();
    crate::world::wait_until("it is ready", || ask(address, "/readyz").0 == 200);
    disk.set_full(true);
    disk.fail_after_ops(0, Fault::Full);
    let mut client = world.connect();
    let mode = geartrain_proto::SubmitMode::Background;
    client.send(&[crate::peer::submit("reverse", mode, &[b'x'; 100_000])]);
    client.body_of(geartrain_proto::PacketKind::Error);
    let (status, reason) = ask(address, "/readyz");
    assert_eq!(status, 503);
    assert!(reason.contains("full"), "{reason}");
    assert_eq!(ask(address, "/livez").0, 200);
    disk.set_full(false);
    crate::world::wait_until("it is ready again", || ask(address, "/readyz").0 == 200);
}

#[test]
fn an_address_that_is_taken_is_done_without_unless_it_was_asked_for() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let world = World::with(Config { http: HttpListen::IfFree(address), ..Config::default() }, None);
    assert_eq!(world.server().http_address(), None);
    world.connect().expect_alive();
}
