//! What waits to be written to one connection, in order, with the parts that wait for the disk.
//!
//! From: an [`crate::Outbox`], which appends what `core` sends. To: whoever writes to the socket.
//! Never: reorders. A client that pipelines counts on answers in the order of its requests, so all that
//! was sent behind a held answer waits with it.

use crate::ids::Ticket;
use geartrain_proto::Response;
use std::collections::VecDeque;

/// The bytes on their way to one connection.
#[derive(Debug, Default)]
pub struct Outbuf {
    bytes: Vec<u8>,
    /// Answers that wait for their ticket, first one first. Offsets count from the start of `bytes`.
    held: VecDeque<Held>,
}

#[derive(Debug)]
struct Held {
    ticket: Ticket,
    start: usize,
    end: usize,
    free: bool,
}

impl Outbuf {
    /// An empty buffer; it takes no memory until something is put in.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: Vec::new(), held: VecDeque::new() }
    }

    /// Bytes in the buffer, held ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing is in the buffer.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether something is held back.
    #[must_use]
    pub fn is_holding(&self) -> bool {
        !self.held.is_empty()
    }

    /// How many bytes may be written now.
    #[must_use]
    pub fn ready_len(&self) -> usize {
        self.held.front().map_or(self.bytes.len(), |first| first.start)
    }

    /// Appends a packet.
    pub fn put(&mut self, response: &Response<'_>) {
        response.encode(&mut self.bytes);
    }

    /// Appends the answer to a text command.
    pub fn put_text(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
    }

    /// Appends a packet that, with all that follows it, waits for `ticket`.
    pub fn hold(&mut self, ticket: Ticket, response: &Response<'_>) {
        let start = self.bytes.len();
        response.encode(&mut self.bytes);
        self.held.push_back(Held { ticket, start, end: self.bytes.len(), free: false });
    }

    /// Frees what waits for `ticket`; nothing happens when nothing does.
    pub fn release(&mut self, ticket: Ticket) {
        if let Some(held) = self.held.iter_mut().find(|held| held.ticket == ticket && !held.free) {
            held.free = true;
        }
        self.drop_free();
    }

    /// Puts `response` in the place of the packet that waits for `ticket`, and frees it.
    pub fn refuse(&mut self, ticket: Ticket, response: &Response<'_>) {
        let Some(index) = self.held.iter().position(|held| held.ticket == ticket && !held.free) else {
            return;
        };
        let mut packet = Vec::new();
        response.encode(&mut packet);
        let mut held = self.held.iter_mut().skip(index);
        if let Some(refused) = held.next() {
            let (old_len, new_len) = (refused.end - refused.start, packet.len());
            self.bytes.splice(refused.start..refused.end, packet);
            refused.end = refused.start + new_len;
            refused.free = true;
            for later in held {
                later.start = later.start + new_len - old_len;
                later.end = later.end + new_len - old_len;
            }
        }
        self.drop_free();
    }

    /// Takes all that may be written now out of the buffer, and leaves `spare` in its place when that
    /// saves an allocation. `spare` must be empty.
    pub fn take_ready(&mut self, spare: Vec<u8>) -> Vec<u8> {
        if self.held.is_empty() {
            return std::mem::replace(&mut self.bytes, spare);
        }
        let ready = self.ready_len();
        let mut rest = spare;
        rest.extend_from_slice(self.bytes.get(ready..).unwrap_or_default());
        for held in &mut self.held {
            held.start -= ready;
            held.end -= ready;
        }
        let mut taken = std::mem::replace(&mut self.bytes, rest);
        taken.truncate(ready);
        taken
    }

    fn drop_free(&mut self) {
        while self.held.front().is_some_and(|held| held.free) {
            self.held.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use geartrain_proto::Handle;

    fn created(handle: &str) -> Response<'_> {
        Response::JobCreated { handle: Handle::from(handle) }
    }

    fn encoded(responses: &[Response<'_>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        responses.iter().for_each(|response| response.encode(&mut bytes));
        bytes
    }

    #[test]
    fn nothing_overtakes_an_answer_that_waits_for_the_disk() {
        let mut out = Outbuf::new();
        out.put(&Response::Noop);
        out.hold(Ticket::new(1), &created("a"));
        out.put(&Response::NoJob);
        out.hold(Ticket::new(2), &created("b"));
        assert_eq!(out.take_ready(Vec::new()), encoded(&[Response::Noop]));
        out.release(Ticket::new(2));
        assert_eq!(out.ready_len(), 0);
        out.release(Ticket::new(1));
        assert_eq!(out.take_ready(Vec::new()), encoded(&[created("a"), Response::NoJob, created("b")]));
        assert!(out.is_empty() && !out.is_holding());
    }

    #[test]
    fn a_refused_answer_keeps_its_place() {
        let error =
            Response::Error { code: b"QUEUE_ERROR", text: b"the disk is full and that is a long text" };
        let mut out = Outbuf::new();
        out.hold(Ticket::new(1), &created("a"));
        out.hold(Ticket::new(2), &created("b"));
        out.hold(Ticket::new(3), &created("c"));
        out.put(&Response::NoJob);
        out.refuse(Ticket::new(2), &error);
        assert_eq!(out.ready_len(), 0);
        out.release(Ticket::new(1));
        assert_eq!(out.take_ready(Vec::new()), encoded(&[created("a"), error]));
        out.release(Ticket::new(3));
        assert_eq!(out.take_ready(Vec::new()), encoded(&[created("c"), Response::NoJob]));
    }
}
