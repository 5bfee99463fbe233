//! Bytes on their way to the server, which leave in as few writes as possible.

use crate::limits::READ_BYTES_MAX;
use geartrain_proto::Request;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    bytes: Vec<u8>,
    /// Where the unwritten part begins.
    start: usize,
}

impl Outgoing {
    pub(super) fn put(&mut self, packet: &Request<'_>) {
        packet.encode(&mut self.bytes);
    }

    pub(super) fn pending(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    pub(super) fn written(&mut self, bytes: usize) {
        self.start += bytes.min(self.pending().len());
        if self.start == self.bytes.len() {
            self.bytes.clear();
            self.start = 0;
            // One large result must not hold its memory for the life of the connection.
            self.bytes.shrink_to(READ_BYTES_MAX);
        } else if self.start >= self.bytes.len() / 2 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
    }
}
