//! Text commands beside packets.

use crate::world::World;
use geartrain_proto::{Function, Request, Response};

#[test]
fn text_and_packets_alternate_on_one_connection() {
    let world = World::new();
    let mut peer = world.connect();
    peer.send(&[Request::Echo { data: b"1" }]);
    peer.send_bytes(b"version\r\n");
    peer.send(&[Request::Echo { data: b"2" }]);
    peer.expect(&Response::Echo { data: b"1" });
    assert_eq!(peer.line(), "OK 1.1.20\n");
    peer.expect(&Response::Echo { data: b"2" });
}

#[test]
fn workers_are_listed_with_their_address() {
    let world = World::new();
    let mut peer = world.connect();
    peer.send(&[Request::CanDo { function: Function::from("reverse") }]);
    let lines = peer.listing("workers");
    assert_eq!(lines.len(), 1);
    let (descriptor, rest) = lines[0].split_once(' ').unwrap();
    assert!(descriptor.parse::<u32>().is_ok());
    assert_eq!(rest, "127.0.0.1 - : reverse");
    // The typed row also has the port: so a supervisor on the peer's machine knows whose connection it is.
    peer.send_bytes(b"workers list\r\n");
    let row = peer.line();
    let port = peer.stream.local_addr().unwrap().port();
    assert!(row.contains(&format!(r#""address":"127.0.0.1","port":{port},"#)), "{row}");
}
