//! Unread bytes of one connection, and the packets in them: small ones are copied out, large ones are not.

use crate::limits::{READ_BYTES_MAX, READ_BYTES_MIN};
use bytes::{Buf, Bytes, BytesMut};
use geartrain_proto::{DecodeError, Response, Step, decode_response};

/// A packet of this size or more is taken out of the buffer with its memory, in bytes: 8 KiB. A smaller one is
/// copied, so that a job does not hold the buffer and the buffer is used again.
const TAKEN_WHOLE_BYTES_MIN: usize = 8 * 1024;

/// See the module.
#[derive(Debug)]
pub(super) struct Incoming {
    bytes: BytesMut,
    body_bytes_max: u32,
    /// How many bytes the next packet is known to need.
    needed: usize,
}

impl Incoming {
    pub(super) fn new(body_bytes_max: u32) -> Self {
        Self { bytes: BytesMut::new(), body_bytes_max, needed: 0 }
    }

    /// Makes room for the next read: what the packet at hand lacks, within limits of its own.
    ///
    /// What a server announces takes no memory before a good part of it has come.
    pub(super) fn reserve(&mut self) {
        let lacks = self.needed.saturating_sub(self.bytes.len());
        self.bytes.reserve(lacks.clamp(READ_BYTES_MIN, READ_BYTES_MAX));
    }

    pub(super) fn buffer(&mut self) -> &mut BytesMut {
        &mut self.bytes
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

    pub(super) fn skip(&mut self, length: usize) {
        self.bytes.advance(length);
    }

    pub(super) fn take(&mut self, length: usize) -> Bytes {
        if length >= TAKEN_WHOLE_BYTES_MIN {
            return self.bytes.split_to(length).freeze();
        }
        let packet = Bytes::copy_from_slice(self.bytes.get(..length).unwrap_or_default());
        self.bytes.advance(length);
        packet
    }
}
