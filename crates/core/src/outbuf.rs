//! What waits to be written to one connection, in order, with the parts that wait for the disk.
//!
//! From: an [`crate::Outbox`], which appends what `core` sends. To: whoever writes to the socket.
//! Never: reorders. A client that pipelines counts on answers in the order of its requests, so all that
//! was sent behind a held answer waits with it.

use crate::ids::Ticket;
use crate::outbox::Answer;
use geartrain_proto::Response;
use std::collections::VecDeque;

/// The bytes on their way to one connection.
#[derive(Debug, Default)]
pub struct Outbuf {
    bytes: Vec<u8>,
    /// Answers that wait for their ticket, first one first. Offsets count from the start of `bytes`.
    held: VecDeque<Held>,
    /// Packets that go out in the place of others, first one first.
    instead: VecDeque<Instead>,
    /// Bytes that replacing will add and take away, all of `instead` together.
    added: usize,
    removed: usize,
}

#[derive(Debug)]
struct Held {
    ticket: Ticket,
    start: usize,
    end: usize,
    free: bool,
}

/// A packet, and the bytes that it replaces when they are taken. To replace them at once would move all
/// that is behind them for every answer of a large batch that failed.
#[derive(Debug)]
struct Instead {
    start: usize,
    end: usize,
    packet: Vec<u8>,
}

/// Room for held answers that is kept while none is held.
const HELD_KEPT: usize = 64;

impl Outbuf {
    /// An empty buffer; it takes no memory until something is put in.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: Vec::new(), held: VecDeque::new(), instead: VecDeque::new(), added: 0, removed: 0 }
    }

    /// Bytes in the buffer, held ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len() + self.added - self.removed
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
        self.len_as_sent(self.ready_end())
    }

    /// Up to where in `bytes` nothing is held.
    fn ready_end(&self) -> usize {
        self.held.front().map_or(self.bytes.len(), |first| first.start)
    }

    /// Length of the bytes up to `end` once refused answers among them are replaced.
    fn len_as_sent(&self, end: usize) -> usize {
        let replaced = self.instead.iter().take_while(|instead| instead.end <= end);
        replaced.fold(end, |len, instead| len + instead.packet.len() - (instead.end - instead.start))
    }

    /// Appends a packet.
    pub fn put(&mut self, response: &Response<'_>) {
        response.encode(&mut self.bytes);
    }

    /// Appends the answer to a text command.
    pub fn put_text(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
    }

    /// Appends an answer that, with all that follows it, waits for `ticket`. It must not be empty.
    pub fn hold(&mut self, ticket: Ticket, answer: &Answer<'_>) {
        let start = self.bytes.len();
        answer.encode(&mut self.bytes);
        self.held.push_back(Held { ticket, start, end: self.bytes.len(), free: false });
    }

    /// Frees what waits for `ticket`; nothing happens when nothing does.
    pub fn release(&mut self, ticket: Ticket) {
        if let Some(held) = self.held.iter_mut().find(|held| held.ticket == ticket && !held.free) {
            held.free = true;
        }
        self.drop_free();
    }

    /// Puts `answer` in the place of the one that waits for `ticket`, and frees it.
    pub fn replace(&mut self, ticket: Ticket, answer: &Answer<'_>) {
        let mut packet = Vec::new();
        answer.encode(&mut packet);
        self.replace_with(ticket, packet);
    }

    /// As [`Outbuf::replace`], with the bytes of the answer.
    pub fn replace_with(&mut self, ticket: Ticket, packet: Vec<u8>) {
        let refused = self.held.iter_mut().find(|held| held.ticket == ticket && !held.free);
        let Some(refused) = refused else { return };
        refused.free = true;
        let (start, end) = (refused.start, refused.end);
        self.added += packet.len();
        self.removed += end - start;
        let at = self.instead.partition_point(|instead| instead.start < start);
        self.instead.insert(at, Instead { start, end, packet });
        self.drop_free();
    }

    /// Takes all that may be written now out of the buffer, and leaves `spare` in its place when that
    /// saves an allocation. `spare` must be empty.
    pub fn take_ready(&mut self, spare: Vec<u8>) -> Vec<u8> {
        let ready = self.ready_end();
        let mut rest = spare;
        if !self.held.is_empty() {
            rest.extend_from_slice(self.bytes.get(ready..).unwrap_or_default());
        }
        for held in &mut self.held {
            held.start -= ready;
            held.end -= ready;
        }
        let mut taken = std::mem::replace(&mut self.bytes, rest);
        taken.truncate(ready);
        if self.instead.is_empty() { taken } else { self.replace_refused(&taken) }
    }

    /// The bytes that were taken, refused answers replaced.
    fn replace_refused(&mut self, taken: &[u8]) -> Vec<u8> {
        let (mut replaced, mut done) = (Vec::new(), 0);
        while let Some(instead) = self.instead.pop_front_if(|instead| instead.end <= taken.len()) {
            self.added -= instead.packet.len();
            if instead.start == 0 {
                // It may be a gigabyte.
                replaced = instead.packet;
            } else {
                replaced.extend_from_slice(taken.get(done..instead.start).unwrap_or_default());
                replaced.extend_from_slice(&instead.packet);
            }
            self.removed -= instead.end - instead.start;
            done = instead.end;
        }
        replaced.extend_from_slice(taken.get(done..).unwrap_or_default());
        for instead in &mut self.instead {
            instead.start -= taken.len();
            instead.end -= taken.len();
        }
        self.instead.shrink_to_fit();
        replaced
    }

    fn drop_free(&mut self) {
        while self.held.front().is_some_and(|held| held.free) {
            self.held.pop_front();
        }
        if self.held.is_empty() {
            self.held.shrink_to(HELD_KEPT);
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

    fn held(handle: &str) -> Answer<'_> {
        Answer::Packet(created(handle))
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
        out.hold(Ticket::new(1), &held("a"));
        out.put(&Response::NoJob);
        out.hold(Ticket::new(2), &held("b"));
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
        out.hold(Ticket::new(1), &held("a"));
        out.hold(Ticket::new(2), &held("b"));
        out.hold(Ticket::new(3), &held("c"));
        out.put(&Response::NoJob);
        out.replace(Ticket::new(2), &Answer::Packet(error));
        assert_eq!(out.ready_len(), 0);
        out.release(Ticket::new(1));
        assert_eq!(out.take_ready(Vec::new()), encoded(&[created("a"), error]));
        out.release(Ticket::new(3));
        assert_eq!(out.take_ready(Vec::new()), encoded(&[created("c"), Response::NoJob]));
    }

    #[test]
    fn a_long_text_is_handed_on_without_a_copy() {
        let mut out = Outbuf::new();
        out.hold(Ticket::new(1), &Answer::Text(b"."));
        let text = vec![b'x'; 1 << 20];
        let place = text.as_ptr();
        out.replace_with(Ticket::new(1), text);
        let taken = out.take_ready(Vec::new());
        assert_eq!((taken.as_ptr(), taken.len()), (place, 1 << 20));
    }

    #[test]
    fn refused_answers_are_replaced_where_they_stood_in_any_order() {
        let error = Response::Error { code: b"QUEUE_ERROR", text: b"no" };
        let mut out = Outbuf::new();
        for (ticket, handle) in [(1, "a"), (2, "b"), (3, "c"), (4, "d")] {
            out.hold(Ticket::new(ticket), &held(handle));
        }
        out.replace(Ticket::new(4), &Answer::Packet(error));
        out.replace(Ticket::new(2), &Answer::Packet(error));
        out.release(Ticket::new(1));
        assert_eq!(out.len(), encoded(&[created("a"), error, created("c"), error]).len());
        assert_eq!(out.ready_len(), encoded(&[created("a"), error]).len());
        assert_eq!(out.take_ready(Vec::new()), encoded(&[created("a"), error]));
        out.put(&Response::Noop);
        out.release(Ticket::new(3));
        assert_eq!(out.take_ready(Vec::new()), encoded(&[created("c"), error, Response::Noop]));
        assert!(out.is_empty() && !out.is_holding());
    }

    /// Moving all that is behind each of them would take minutes.
    #[test]
    fn a_large_batch_is_refused_in_one_go() {
        const ANSWERS: u64 = 200_000;
        let error = Response::Error { code: b"QUEUE_ERROR", text: b"a text that is longer than the answer" };
        let mut out = Outbuf::new();
        (0..ANSWERS).for_each(|ticket| out.hold(Ticket::new(ticket), &held("a")));
        for ticket in 0..ANSWERS {
            out.replace(Ticket::new(ticket), &Answer::Packet(error));
            assert!(out.len() >= out.bytes.len(), "the text is longer");
        }
        assert_eq!(out.take_ready(Vec::new()), encoded(&vec![error; 200_000]));
        assert!(out.held.capacity() <= HELD_KEPT, "what they took goes back");
    }
}
