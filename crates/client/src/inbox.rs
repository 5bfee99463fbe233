//! Unread bytes of one connection, and the packets and lines in them.
//!
//! From: whoever reads the socket, through [`Inbox::feed`]. To: typed responses and lines of text, borrowed.
//! Never: reads or waits. It holds what it is fed, so its reader stops feeding at the limit of a message.

use crate::limits::{READ_BYTES_MAX, READ_BYTES_MIN};
use geartrain_proto::{DecodeError, Response, Step, decode_response};

/// The buffer between a socket and the typed side of a connection; it does no IO itself.
#[derive(Debug)]
pub struct Inbox {
    bytes: Vec<u8>,
    /// Where the unread part begins.
    start: usize,
    body_bytes_max: u32,
    /// How many unread bytes the next packet is known to need.
    needed: usize,
    /// How far the unread part was searched for a line feed.
    searched: usize,
}

impl Inbox {
    /// An empty buffer that takes packet bodies up to `body_bytes_max`.
    #[must_use]
    pub fn new(body_bytes_max: u32) -> Self {
        Self { bytes: Vec::new(), start: 0, body_bytes_max, needed: 0, searched: 0 }
    }

    /// How many bytes to read next: what the packet at hand lacks, within limits of its own.
    ///
    /// What a server announces takes no memory before a good part of it has come.
    #[must_use]
    pub fn wanted(&self) -> usize {
        self.needed.saturating_sub(self.unread().len()).clamp(READ_BYTES_MIN, READ_BYTES_MAX)
    }

    /// Takes bytes as they came from the socket.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.bytes.drain(..self.start);
            self.start = 0;
            if self.bytes.is_empty() {
                self.bytes.shrink_to(READ_BYTES_MAX);
            }
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The bytes not yet handed out.
    #[must_use]
    pub fn unread(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    /// Whether [`Inbox::take_response`] has a packet, well formed or not, to hand out.
    pub fn has_response(&mut self) -> bool {
        match decode_response(self.unread(), self.body_bytes_max) {
            Step::Incomplete { needed } => {
                self.needed = needed;
                false
            }
            Step::Complete { .. } => true,
        }
    }

    /// Takes the next packet, if it is whole.
    pub fn take_response(&mut self) -> Option<Result<Response<'_>, DecodeError>> {
        let unread = self.bytes.get(self.start..).unwrap_or_default();
        match decode_response(unread, self.body_bytes_max) {
            Step::Incomplete { needed } => {
                self.needed = needed;
                None
            }
            Step::Complete { consumed, message } => {
                self.start += consumed;
                self.needed = 0;
                Some(message)
            }
        }
    }

    /// Whether [`Inbox::take_line`] has a line to hand out.
    pub fn has_line(&mut self) -> bool {
        let fresh = self.unread().get(self.searched..).unwrap_or_default();
        match fresh.iter().position(|byte| *byte == b'\n') {
            Some(end) => {
                self.searched += end;
                true
            }
            None => {
                self.searched = self.unread().len();
                false
            }
        }
    }

    /// The next line, its line feed included, if it is whole; it stays unread.
    pub fn peek_line(&mut self) -> &[u8] {
        if !self.has_line() {
            return &[];
        }
        self.unread().get(..=self.searched).unwrap_or_default()
    }

    /// Takes the next line, its line feed included, if it is whole.
    pub fn take_line(&mut self) -> Option<&[u8]> {
        if !self.has_line() {
            return None;
        }
        let from = self.start;
        self.start += self.searched + 1;
        self.searched = 0;
        self.bytes.get(from..self.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use geartrain_proto::Handle;

    fn packets() -> Vec<u8> {
        let mut bytes = Vec::new();
        Response::Noop.encode(&mut bytes);
        Response::WorkComplete { handle: Handle::from("H:h:1"), result: &[7; 40_000] }.encode(&mut bytes);
        Response::NoJob.encode(&mut bytes);
        bytes
    }

    #[test]
    fn packets_come_out_whole_however_they_are_split() {
        for size in [1, 11, 12, 13, 4096, 1 << 20] {
            let mut inbox = Inbox::new(65_536);
            let mut kinds = Vec::new();
            for piece in packets().chunks(size) {
                inbox.feed(piece);
                while let Some(response) = inbox.take_response() {
                    kinds.push(response.unwrap().kind().name());
                }
            }
            assert_eq!(kinds, ["NOOP", "WORK_COMPLETE", "NO_JOB"], "split every {size} bytes");
            assert!(inbox.unread().is_empty());
        }
    }

    #[test]
    fn an_announced_body_takes_no_memory_before_it_comes() {
        let mut inbox = Inbox::new(u32::MAX);
        inbox.feed(b"\0RES\0\0\0\x0d\xff\xff\xff\xff");
        assert!(inbox.take_response().is_none());
        assert_eq!(inbox.wanted(), READ_BYTES_MAX);
        assert!(inbox.bytes.capacity() < 1024);
    }

    #[test]
    fn a_body_over_the_limit_is_an_error_before_it_comes() {
        let mut inbox = Inbox::new(100);
        inbox.feed(b"\0RES\0\0\0\x0d\0\0\0\x65");
        assert_eq!(inbox.take_response(), Some(Err(DecodeError::BodyTooLarge { len: 101, max: 100 })));
    }

    #[test]
    fn lines_come_out_whole_however_they_are_split() {
        for size in [1, 2, 3, 100] {
            let mut inbox = Inbox::new(100);
            let mut lines = Vec::new();
            for piece in b"OK 1\r\nx\n\ny".chunks(size) {
                inbox.feed(piece);
                while let Some(line) = inbox.take_line() {
                    lines.push(line.to_vec());
                }
            }
            assert_eq!(lines, [&b"OK 1\r\n"[..], b"x\n", b"\n"], "split every {size} bytes");
            assert_eq!(inbox.unread(), b"y");
        }
    }
}
