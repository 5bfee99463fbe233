//! Bytes as they come from a server, read straight to where they are decoded.
//!
//! From: whoever reads the socket, into [`Incoming::space`]. To: whole packets; what a large one carries leaves
//! without a copy, what a small one carries is copied, so that it does not hold the whole buffer.
//! Never: takes memory that a server announces before a good part of it has come.

use crate::limits::{READ_BYTES_MAX, READ_BYTES_MIN};
use bytes::Bytes;

/// Size of the buffer while packets are small, in bytes: 32 KiB.
const BUFFER_BYTES: usize = 2 * READ_BYTES_MIN;

/// From this size on, what a packet carries leaves together with the buffer, in bytes: 32 KiB.
const HANDED_ON_BYTES_MIN: usize = BUFFER_BYTES;

#[derive(Debug, Default)]
pub(super) struct Incoming {
    /// All of it is written to: reading into fresh memory would need unsafe code or a fill before each read.
    bytes: Vec<u8>,
    /// Where the unread part begins and ends.
    start: usize,
    end: usize,
    /// How many unread bytes the packet at hand needs, header included.
    needed: usize,
}

impl Incoming {
    /// Where to read to; never empty.
    pub(super) fn space(&mut self) -> &mut [u8] {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
            if self.bytes.len() > READ_BYTES_MAX {
                self.bytes = Vec::new();
            }
        }
        let lacking = self.needed.saturating_sub(self.unread().len()).clamp(READ_BYTES_MIN, READ_BYTES_MAX);
        if self.bytes.len() - self.end < lacking {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            let wanted = (self.end + lacking).max(BUFFER_BYTES);
            if self.bytes.len() < wanted {
                self.bytes.resize(wanted, 0);
            }
        }
        self.bytes.get_mut(self.end..).unwrap_or_default()
    }

    /// Takes the first `count` bytes of the space as read.
    pub(super) fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.bytes.len());
    }

    /// The bytes that are not yet consumed.
    pub(super) fn unread(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// Remembers how many unread bytes the packet at hand needs.
    pub(super) fn expect(&mut self, needed: usize) {
        self.needed = needed;
    }

    /// Drops a packet of `packet_len` bytes from the front and hands out its last `data_len` bytes.
    pub(super) fn consume(&mut self, packet_len: usize, data_len: usize) -> Bytes {
        let data = self.start + packet_len - data_len..self.start + packet_len;
        self.start += packet_len;
        self.needed = 0;
        if data_len < HANDED_ON_BYTES_MIN {
            return Bytes::copy_from_slice(self.bytes.get(data).unwrap_or_default());
        }
        let rest = self.unread();
        let mut fresh = Vec::with_capacity(rest.len().max(BUFFER_BYTES));
        fresh.extend_from_slice(rest);
        let rest_len = fresh.len();
        fresh.resize(rest_len.max(BUFFER_BYTES), 0);
        let full = Bytes::from(std::mem::replace(&mut self.bytes, fresh));
        self.start = 0;
        self.end = rest_len;
        full.slice(data)
    }
}
