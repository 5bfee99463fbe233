//! The bytes of one connection, unread and unwritten.
//!
//! From: whoever reads the socket, and requests. To: whole packets; what a large one carries leaves without a copy,
//! what is small beside the buffer is copied, so that it does not hold the buffer, and the buffer is used again.
//! Never: takes memory that a server announces before a good part of it has come, or holds that of one large packet
//! for the life of the connection.

use crate::limits::{READ_BYTES_MAX, READ_BYTES_MIN};
use bytes::{Buf, Bytes, BytesMut};
use geartrain_proto::{DecodeError, Request, Response, Step, decode_response};

/// What is of this size or more, and of half the buffer or more, is taken out of the buffer with its memory, in bytes:
/// 8 KiB. What is smaller would hold many times what it is counted as.
const TAKEN_WHOLE_BYTES_MIN: usize = 8 * 1024;

/// Bytes that came and were not read yet.
#[derive(Debug)]
pub(super) struct Incoming {
    bytes: BytesMut,
    /// How much memory the buffer has, with what was taken out of it.
    allocated: usize,
    body_bytes_max: u32,
    /// How many bytes the next packet is known to need.
    needed: usize,
}

impl Incoming {
    pub(super) fn new(body_bytes_max: u32) -> Self {
        Self { bytes: BytesMut::new(), allocated: 0, body_bytes_max, needed: 0 }
    }

    /// Takes bytes for a caller who has them already.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    /// Where to read to, with room for what the packet at hand lacks, within limits of its own.
    pub(super) fn space(&mut self) -> &mut BytesMut {
        let lacks = self.needed.saturating_sub(self.bytes.len());
        self.reserve(lacks.clamp(READ_BYTES_MIN, READ_BYTES_MAX));
        &mut self.bytes
    }

    fn reserve(&mut self, additional: usize) {
        let before = self.bytes.capacity();
        self.bytes.reserve(additional);
        // It grows by a new buffer, or by its own from the beginning.
        if self.bytes.capacity() > before {
            self.allocated = self.bytes.capacity();
        }
    }

    /// The next packet and its length, if it is whole; it stays unread.
    pub(super) fn peek(&mut self) -> Option<(usize, Result<Response<'_>, DecodeError>)> {
        match decode_response(&self.bytes, self.body_bytes_max) {
            Step::Incomplete { needed } => {
                self.needed = needed;
                None
            }
            Step::Complete { consumed, message } => {
                self.needed = 0;
                Some((consumed, message))
            }
        }
    }

    /// Drops the first `packet_len` bytes.
    pub(super) fn skip(&mut self, packet_len: usize) {
        self.bytes.advance(packet_len);
        self.let_go(packet_len);
    }

    /// Lets go of the memory of a large packet; of what came behind it there is little.
    fn let_go(&mut self, packet_len: usize) {
        if packet_len > READ_BYTES_MAX {
            self.bytes = BytesMut::from(&*self.bytes);
            self.allocated = self.bytes.capacity();
        }
    }

    /// Drops the first `packet_len` bytes, and hands out the last `data_len` of them.
    pub(super) fn take(&mut self, packet_len: usize, data_len: usize) -> Bytes {
        let before = packet_len.saturating_sub(data_len);
        if data_len >= TAKEN_WHOLE_BYTES_MIN.max(self.allocated / 2) {
            self.bytes.advance(before);
            let data = self.bytes.split_to(data_len).freeze();
            self.let_go(packet_len);
            return data;
        }
        let data = Bytes::copy_from_slice(self.bytes.get(before..packet_len).unwrap_or_default());
        self.skip(packet_len);
        data
    }
}

/// Bytes on their way to the server, which leave in as few writes as possible.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    bytes: Vec<u8>,
    /// Where the unwritten part begins.
    start: usize,
    /// Bytes of the whole stream that are written.
    written: u64,
}

impl Outgoing {
    pub(super) fn put(&mut self, packet: &Request<'_>) {
        packet.encode(&mut self.bytes);
    }

    pub(super) fn pending(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    /// Takes the first `count` pending bytes as written.
    pub(super) fn written(&mut self, count: usize) {
        let count = count.min(self.pending().len());
        self.start += count;
        self.written = self.written.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        if self.start == self.bytes.len() {
            self.bytes.clear();
            self.bytes.shrink_to(READ_BYTES_MAX);
            self.start = 0;
        } else if self.start > READ_BYTES_MAX && self.start > self.bytes.len() / 2 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
    }

    /// How far the whole stream is written.
    pub(super) fn written_to(&self) -> u64 {
        self.written
    }

    /// Where the stream ends that is written and pending.
    pub(super) fn ends_at(&self) -> u64 {
        self.written.saturating_add(u64::try_from(self.pending().len()).unwrap_or(u64::MAX))
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use geartrain_proto::Handle;

    fn complete(result: &[u8]) -> Vec<u8> {
        let mut packet = Vec::new();
        Response::WorkComplete { handle: Handle::from("H:h:1"), result }.encode(&mut packet);
        packet
    }

    fn take_next(incoming: &mut Incoming, data_len: usize) -> Bytes {
        let (packet_len, _) = incoming.peek().unwrap();
        incoming.take(packet_len, data_len)
    }

    /// What holds ten times its size would make the limits of what is held mean nothing.
    #[test]
    fn a_small_part_of_a_large_buffer_does_not_hold_it() {
        let (large, small) = (vec![7; READ_BYTES_MAX / 2], vec![8; TAKEN_WHOLE_BYTES_MIN]);
        for skipped in [false, true] {
            let mut incoming = Incoming::new(u32::MAX);
            incoming.feed(&[complete(&large), complete(&small), complete(&small)].concat());
            let buffer = incoming.bytes.as_ptr_range();
            if skipped {
                let (packet_len, _) = incoming.peek().unwrap();
                incoming.skip(packet_len);
            } else {
                let data = take_next(&mut incoming, large.len());
                assert!(data == large && buffer.contains(&data.as_ptr()), "most of it leaves as it is");
            }
            for _ in 0..2 {
                let data = take_next(&mut incoming, small.len());
                assert!(data == small && !buffer.contains(&data.as_ptr()));
            }
        }
        // A buffer of its own leaves as it is.
        let mut incoming = Incoming::new(u32::MAX);
        incoming.feed(&complete(&small));
        let buffer = incoming.bytes.as_ptr_range();
        assert!(buffer.contains(&take_next(&mut incoming, small.len()).as_ptr()));
    }

    /// Whether it is handed on, copied or passed over.
    #[test]
    fn the_memory_of_a_large_packet_is_not_kept() {
        let large = vec![7; 4 * READ_BYTES_MAX];
        for data_len in [large.len(), 100, 0] {
            let mut incoming = Incoming::new(u32::MAX);
            incoming.feed(&[complete(&large), complete(b"next")].concat());
            let (packet_len, _) = incoming.peek().unwrap();
            if data_len == 0 {
                incoming.skip(packet_len);
            } else {
                assert_eq!(incoming.take(packet_len, data_len), large[..data_len]);
            }
            assert!(incoming.space().capacity() < READ_BYTES_MAX, "{data_len}");
            let (packet_len, next) = incoming.peek().unwrap();
            assert_eq!(next, Ok(Response::WorkComplete { handle: Handle::from("H:h:1"), result: b"next" }));
            assert_eq!(incoming.take(packet_len, 4), "next");
        }
    }
}
