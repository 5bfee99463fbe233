//! Writing: the bytes of a batch go out on the thread that made them.
//!
//! From: [`crate::hub::Hub`], which gives the turn to write along with the bytes.
//! To: the socket; what the kernel does not take goes to the connection's own thread, with the turn.
//! Never: waits, or writes to a connection whose turn it does not hold.

use crate::limits::{OUTPUT_PAUSE_BYTES, SPARE_BYTES_MAX};
use crate::link::{Link, Requests, Unsent};
use crate::shared::Shared;
use geartrain_core::ConnId;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

/// Bytes for one connection, and the turn to write them.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) conn: ConnId,
    pub(crate) link: Arc<Link>,
    pub(crate) bytes: Vec<u8>,
    /// Whether the connection ends behind them.
    pub(crate) last: bool,
}

/// Writes all of them; `spares` gets their buffers.
pub(crate) fn write_all(shared: &Shared, writes: &mut Vec<Write>, spares: &mut Vec<Vec<u8>>) {
    for write in writes.drain(..) {
        let mut next = Some(write);
        while let Some(write) = next.take() {
            next = write_one(shared, write, spares);
        }
    }
}

/// Writes one; what came for the same connection meanwhile is next.
fn write_one(shared: &Shared, write: Write, spares: &mut Vec<Vec<u8>>) -> Option<Write> {
    let Write { conn, link, bytes, last } = write;
    match write_some(&link, &bytes, 0) {
        Ok(start) if start < bytes.len() => {
            link.put_unsent(Unsent { bytes, start, last });
            link.request(Requests::DRAIN);
            None
        }
        Ok(_) => {
            keep_spare(spares, bytes);
            resume_if_small(&link);
            finish(shared, conn, &link, last)
        }
        Err(_) => {
            // The turn is kept: nobody is to write to this connection again.
            link.request(Requests::ABORT);
            None
        }
    }
}

/// Gives the turn back, unless more came.
fn finish(shared: &Shared, conn: ConnId, link: &Link, last: bool) -> Option<Write> {
    if last {
        link.request(Requests::CLOSE);
        return None;
    }
    if link.end() {
        return None;
    }
    shared.hub.lock().out.collect_more(conn, link)
}

/// Writes until the kernel takes no more; returns where it stopped.
fn write_some(link: &Link, bytes: &[u8], mut start: usize) -> io::Result<usize> {
    while let Some(rest) = bytes.get(start..).filter(|rest| !rest.is_empty()) {
        match link.try_write(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(len) => start += len,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(start)
}

/// Writes what the kernel did not take, as it takes it, and all that comes meanwhile.
pub(crate) async fn drain(shared: Arc<Shared>, conn: ConnId, link: Arc<Link>) {
    while let Some(Unsent { bytes, mut start, last }) = link.take_unsent() {
        while start < bytes.len() {
            let written = match link.writable().await {
                Ok(()) => write_some(&link, &bytes, start),
                Err(error) => Err(error),
            };
            match written {
                Ok(end) => start = end,
                Err(_) => return link.request(Requests::ABORT),
            }
            link.set_unsent_len(bytes.len() - start);
            resume_if_small(&link);
        }
        drop(bytes);
        if let Some(Write { bytes, last, .. }) = finish(&shared, conn, &link, last) {
            link.put_unsent(Unsent { bytes, start: 0, last });
        }
        resume_if_small(&link);
    }
}

fn resume_if_small(link: &Link) {
    // Either this sees the mark, or who set it sees the smaller backlog: see `Connection::set_mode`.
    fence(Ordering::SeqCst);
    if link.is_paused() && link.backlog() <= OUTPUT_PAUSE_BYTES / 2 {
        link.request(Requests::RESUME);
    }
}

fn keep_spare(spares: &mut Vec<Vec<u8>>, mut bytes: Vec<u8>) {
    if bytes.capacity() > 0 && bytes.capacity() <= SPARE_BYTES_MAX {
        bytes.clear();
        spares.push(bytes);
    }
}
