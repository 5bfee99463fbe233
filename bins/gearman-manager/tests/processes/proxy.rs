//! A proxy, as it stands before a published port of a container: the server sees its address.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

/// Connections one test makes at most.
const CONNECTIONS_MAX: usize = 100;

/// Forwards to this port of loopback, from another address of it; the port to connect to.
pub(crate) fn start(server: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for near in listener.incoming().take(CONNECTIONS_MAX).map_while(Result::ok) {
            let Ok(far) = connect_from(Ipv4Addr::new(127, 0, 0, 7), server) else { continue };
            let (near_too, far_too) = (near.try_clone().unwrap(), far.try_clone().unwrap());
            thread::spawn(move || forward(near, far));
            thread::spawn(move || forward(far_too, near_too));
        }
    });
    port
}

fn connect_from(from: Ipv4Addr, port: u16) -> std::io::Result<TcpStream> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, socket};
    use std::os::fd::AsRawFd;
    let socket = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    let [a, b, c, d] = from.octets();
    bind(socket.as_raw_fd(), &SockaddrIn::new(a, b, c, d, 0))?;
    connect(socket.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, port))?;
    let stream = TcpStream::from(socket);
    debug_assert!(matches!(stream.peer_addr(), Ok(SocketAddr::V4(_))));
    Ok(stream)
}

fn forward(mut from: TcpStream, mut to: TcpStream) {
    let mut bytes = [0; 4096];
    while let Ok(count) = from.read(&mut bytes) {
        if count == 0 || to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    // The other direction may be at its end already.
    let _closed = to.shutdown(Shutdown::Write);
}
