//! The floor: the least that any server has to do for a packet.
//!
//! From: connections on loopback that send `ECHO_REQ`.
//! To: `ECHO_RES` with the same body; all whole packets of one read are answered with one write.
//! Never: queues, looks at a body, uses a second thread, or copies a packet: the request becomes its answer in
//! the buffer it was read into.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::packet::{self, ECHO_REQ};
use crate::trouble::Trouble;

/// Bytes read at once; more than 64 packets of four loaded connections need.
const READ_BYTES: usize = 256 * 1024;

/// Answers one peer may leave unread, in bytes; then it is closed.
const UNSENT_BYTES_MAX: usize = 16 << 20;

/// Magic and kind of `ECHO_RES`.
const ANSWER_HEAD: [u8; 8] = *b"\0RES\0\0\0\x11";

const LISTENER: u64 = u64::MAX;

struct Peer {
    stream: TcpStream,
    /// The beginning of a packet whose end has not arrived.
    partial: Vec<u8>,
    /// Answers the kernel would not take.
    unsent: Vec<u8>,
}

/// Serves on `port` of 127.0.0.1 until the process is ended.
///
/// # Errors
///
/// `Io` when the port or epoll cannot be had.
pub(crate) fn serve(port: u16) -> Result<(), Trouble> {
    let listener = TcpListener::bind(("127.0.0.1", port)).map_err(Trouble::io("bind"))?;
    listener.set_nonblocking(true).map_err(Trouble::io("set_nonblocking"))?;
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(Trouble::io("epoll_create"))?;
    epoll.add(&listener, EpollEvent::new(EpollFlags::EPOLLIN, LISTENER)).map_err(Trouble::io("epoll_ctl"))?;
    let mut peers: Vec<Option<Peer>> = Vec::new();
    let mut free: Vec<usize> = Vec::new();
    let mut buffer = vec![0; READ_BYTES];
    let mut events = [EpollEvent::empty(); 256];
    loop {
        let count = match epoll.wait(&mut events, EpollTimeout::NONE) {
            Ok(count) => count,
            Err(nix::errno::Errno::EINTR) => continue,
            Err(error) => return Err(Trouble::io("epoll_wait")(error)),
        };
        for event in events.iter().take(count) {
            if event.data() == LISTENER {
                accept(&listener, &epoll, &mut peers, &mut free);
                continue;
            }
            let Ok(index) = usize::try_from(event.data()) else { continue };
            let Some(slot) = peers.get_mut(index) else { continue };
            let Some(peer) = slot else { continue };
            if serve_peer(peer, event.events(), &epoll, event.data(), &mut buffer).is_err() {
                *slot = None;
                free.push(index);
            }
        }
    }
}

fn accept(listener: &TcpListener, epoll: &Epoll, peers: &mut Vec<Option<Peer>>, free: &mut Vec<usize>) {
    while let Ok((stream, _)) = listener.accept() {
        let index = free.pop().unwrap_or_else(|| {
            peers.push(None);
            peers.len() - 1
        });
        let Some(slot) = peers.get_mut(index) else { continue };
        let data = u64::try_from(index).unwrap_or(LISTENER);
        let ready = stream.set_nonblocking(true).and_then(|()| stream.set_nodelay(true));
        if ready.is_ok() && epoll.add(&stream, EpollEvent::new(EpollFlags::EPOLLIN, data)).is_ok() {
            *slot = Some(Peer { stream, partial: Vec::new(), unsent: Vec::new() });
        } else {
            free.push(index);
        }
    }
}

/// Reads once and answers; an error closes the peer.
fn serve_peer(
    peer: &mut Peer,
    ready: EpollFlags,
    epoll: &Epoll,
    data: u64,
    buffer: &mut [u8],
) -> io::Result<()> {
    if !peer.unsent.is_empty() {
        let unsent = std::mem::take(&mut peer.unsent);
        send(peer, &unsent)?;
        watch(epoll, peer, data)?;
    }
    if !ready.intersects(EpollFlags::EPOLLIN | EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR) {
        return Ok(());
    }
    let count = match peer.stream.read(buffer) {
        Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(count) => count,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
        Err(error) => return Err(error),
    };
    let fresh = buffer.get_mut(..count).unwrap_or_default();
    if peer.partial.is_empty() {
        let whole = answer_in_place(fresh)?;
        let (answers, rest) = fresh.split_at(whole);
        peer.partial.extend_from_slice(rest);
        send(peer, answers)?;
    } else {
        let mut joined = std::mem::take(&mut peer.partial);
        joined.extend_from_slice(fresh);
        let whole = answer_in_place(&mut joined)?;
        peer.partial = joined.split_off(whole);
        send(peer, &joined)?;
    }
    if !peer.unsent.is_empty() {
        watch(epoll, peer, data)?;
    }
    Ok(())
}

fn watch(epoll: &Epoll, peer: &Peer, data: u64) -> io::Result<()> {
    let flags =
        if peer.unsent.is_empty() { EpollFlags::EPOLLIN } else { EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT };
    Ok(epoll.modify(peer.stream.as_fd(), &mut EpollEvent::new(flags, data))?)
}

fn send(peer: &mut Peer, answers: &[u8]) -> io::Result<()> {
    let mut rest = answers;
    while !rest.is_empty() && peer.unsent.is_empty() {
        match peer.stream.write(rest) {
            Ok(count) => rest = rest.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    if peer.unsent.len() + rest.len() > UNSENT_BYTES_MAX {
        return Err(io::ErrorKind::OutOfMemory.into());
    }
    peer.unsent.extend_from_slice(rest);
    Ok(())
}

/// Turns every whole `ECHO_REQ` at the start of `bytes` into its answer and says how many bytes those are.
fn answer_in_place(bytes: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = bytes.get_mut(done..) {
        let length = match packet::first(rest, b"\0REQ") {
            Ok(None) => break,
            Ok(Some(packet)) if packet.kind == ECHO_REQ => packet.len(),
            Ok(Some(_)) | Err(_) => return Err(io::ErrorKind::InvalidData.into()),
        };
        if let Some(head) = rest.first_chunk_mut::<8>() {
            *head = ANSWER_HEAD;
        }
        done += length;
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{ECHO_RES, answer, request};

    #[test]
    fn whole_requests_become_answers_and_the_rest_stays() {
        let mut bytes = Vec::new();
        request(ECHO_REQ, &[b"one"], &mut bytes);
        request(ECHO_REQ, &[b"two"], &mut bytes);
        let whole = answer_in_place(&mut bytes[..20]).unwrap();
        assert_eq!(whole, 15);
        let first = answer(&bytes).unwrap().unwrap();
        assert_eq!((first.kind, first.body), (ECHO_RES, &b"one"[..]));
        assert_eq!(&bytes[15..19], b"\0REQ");
    }

    #[test]
    fn another_packet_ends_the_connection() {
        let mut bytes = Vec::new();
        request(packet::GRAB_JOB, &[], &mut bytes);
        assert!(answer_in_place(&mut bytes).is_err());
    }
}
