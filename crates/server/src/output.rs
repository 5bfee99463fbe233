//! Where `core` puts what it sends: one buffer for each connection, and the changes for the store.
//!
//! From: [`geartrain_core::Core`], while the hub is locked.
//! To: [`crate::flush`] by way of [`Output::collect`], and the thread of the store.
//! Never: keeps room for a connection that has nothing to send.

use crate::events;
use crate::flush::Write;
use crate::limits::SPARES_MAX;
use crate::link::{Link, Requests};
use crate::log::Log;
use crate::reader::Reads;
use geartrain_core::{Answer, ConnId, Event, Op, Outbox, Outbuf, Ticket, Wanted};
use geartrain_proto::Response;
use geartrain_store::Batch;
use std::sync::Arc;

/// See the module.
#[derive(Debug)]
pub(crate) struct Output {
    slots: Vec<Option<Slot>>,
    dirty: Vec<ConnId>,
    spares: Vec<Vec<u8>>,
    bytes_max: usize,
    log: Log,
    /// Whether a connection was asked to close since this was last reset.
    pub(crate) closing_some: bool,
    /// Changes that the store has not taken yet.
    pub(crate) batch: Batch,
    /// What is to be read back from the store.
    pub(crate) reads: Reads,
}

#[derive(Debug)]
struct Slot {
    conn: ConnId,
    link: Arc<Link>,
    buf: Outbuf,
    dirty: bool,
    end: End,
}

/// How far a connection is from its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    /// It closes once all is written.
    Closing,
    /// It took too little: nothing is written any more.
    Aborted,
}

impl Output {
    pub(crate) fn new(bytes_max: usize, log: Log) -> Self {
        Self {
            slots: Vec::new(),
            dirty: Vec::new(),
            spares: Vec::new(),
            bytes_max,
            log,
            closing_some: false,
            batch: Batch::new(),
            reads: Reads::default(),
        }
    }

    /// Makes room for a new connection.
    pub(crate) fn add(&mut self, conn: ConnId, link: Arc<Link>) {
        if self.slots.len() <= conn.slot() {
            self.slots.resize_with(conn.slot() + 1, || None);
        }
        if let Some(slot) = self.slots.get_mut(conn.slot()) {
            *slot = Some(Slot { conn, link, buf: Outbuf::new(), dirty: false, end: End::Open });
        }
    }

    pub(crate) fn forget(&mut self, conn: ConnId) {
        if let Some(slot) = self.slots.get_mut(conn.slot())
            && slot.as_ref().is_some_and(|slot| slot.conn == conn)
        {
            *slot = None;
        }
    }

    /// Whether the connection is about to end, so that nothing it sends counts any more.
    pub(crate) fn is_ending(&mut self, conn: ConnId) -> bool {
        self.slot(conn).is_none_or(|slot| slot.end != End::Open)
    }

    /// Whether something for this connection can be written at once.
    pub(crate) fn has_ready(&mut self, conn: ConnId) -> bool {
        self.slot(conn).is_some_and(|slot| slot.buf.ready_len() > 0)
    }

    /// Wakes the tasks of all connections.
    pub(crate) fn resume_all(&self) {
        self.slots.iter().flatten().for_each(|slot| slot.link.request(Requests::RESUME));
    }

    /// Takes back buffers whose bytes are written.
    pub(crate) fn recycle(&mut self, spares: &mut Vec<Vec<u8>>) {
        let room = SPARES_MAX.saturating_sub(self.spares.len());
        self.spares.extend(spares.drain(..).take(room));
    }

    /// Takes what can be written to the connections that were touched, and the turn to write it.
    pub(crate) fn collect(&mut self, writes: &mut Vec<Write>) {
        for conn in self.dirty.drain(..) {
            let slot = self.slots.get_mut(conn.slot()).and_then(Option::as_mut);
            if let Some(slot) = slot.filter(|slot| slot.conn == conn) {
                slot.dirty = false;
                if slot.end == End::Aborted {
                    slot.link.request(Requests::ABORT);
                } else if slot.has_work() && slot.link.begin() {
                    writes.push(slot.take());
                } else {
                    // Answers that wait for the disk count as well: who goes on sending is not read.
                    slot.link.set_queued(slot.buf.len());
                }
            }
        }
    }

    /// Takes what came for a connection while the holder of the turn wrote; gives the turn back when
    /// that is nothing.
    pub(crate) fn collect_more(&mut self, conn: ConnId, link: &Link) -> Option<Write> {
        let slot = self.slots.get_mut(conn.slot()).and_then(Option::as_mut);
        match slot.filter(|slot| slot.conn == conn) {
            Some(slot) if slot.has_work() && slot.end != End::Aborted => {
                link.keep();
                Some(slot.take())
            }
            _ => {
                link.end_for_good();
                None
            }
        }
    }

    fn slot(&mut self, conn: ConnId) -> Option<&mut Slot> {
        self.slots.get_mut(conn.slot()).and_then(Option::as_mut).filter(|slot| slot.conn == conn)
    }

    /// The buffer of a connection that something is to be put in; `None` when it is gone or over its
    /// bound.
    fn buffer(&mut self, conn: ConnId) -> Option<&mut Outbuf> {
        let slot = self.slots.get_mut(conn.slot()).and_then(Option::as_mut);
        let slot = slot.filter(|slot| slot.conn == conn && slot.end != End::Aborted)?;
        if !slot.dirty {
            slot.dirty = true;
            self.dirty.push(conn);
        }
        if slot.buf.is_empty() {
            if let Some(spare) = self.spares.pop() {
                slot.buf.take_ready(spare);
            }
        } else if slot.buf.len() + slot.link.unsent_len() > self.bytes_max {
            slot.end = End::Aborted;
            slot.buf = Outbuf::new();
            self.closing_some = true;
            events::output_over_limit(&self.log, slot.link.who(), self.bytes_max);
            return None;
        }
        Some(&mut slot.buf)
    }
}

impl Slot {
    /// Whether a writer has something to do here.
    fn has_work(&self) -> bool {
        self.buf.ready_len() > 0 || self.is_last()
    }

    /// Whether the connection ends behind what can be written now.
    fn is_last(&self) -> bool {
        self.end == End::Closing && !self.buf.is_holding()
    }

    fn take(&mut self) -> Write {
        let last = self.is_last();
        let bytes = self.buf.take_ready(Vec::new());
        self.link.set_queued(self.buf.len());
        Write { conn: self.conn, link: Arc::clone(&self.link), bytes, last }
    }
}

impl Outbox for Output {
    fn send(&mut self, conn: ConnId, response: Response<'_>) {
        if let Some(buf) = self.buffer(conn) {
            buf.put(&response);
        }
    }

    fn hold(&mut self, conn: ConnId, ticket: Ticket, answer: Answer<'_>) {
        if let Some(buf) = self.buffer(conn) {
            buf.hold(ticket, &answer);
        }
    }

    fn release(&mut self, conn: ConnId, ticket: Ticket) {
        if let Some(buf) = self.buffer(conn) {
            buf.release(ticket);
        }
    }

    fn replace(&mut self, conn: ConnId, ticket: Ticket, answer: Answer<'_>) {
        if let Some(buf) = self.buffer(conn) {
            buf.replace(ticket, &answer);
        }
    }

    fn replace_text(&mut self, conn: ConnId, ticket: Ticket, text: Vec<u8>) {
        if let Some(buf) = self.buffer(conn) {
            buf.replace_with(ticket, text);
        }
    }

    fn text(&mut self, conn: ConnId, text: &[u8]) {
        if let Some(buf) = self.buffer(conn) {
            buf.put_text(text);
        }
    }

    fn persist(&mut self, ticket: Ticket, op: Op<'_>) {
        self.batch.push(ticket, op);
    }

    fn read(&mut self, ticket: Ticket, wanted: Wanted, numbers: &[u64]) {
        self.reads.push(ticket, wanted, numbers);
    }

    fn close(&mut self, conn: ConnId) {
        self.closing_some = true;
        let slot = self.slots.get_mut(conn.slot()).and_then(Option::as_mut);
        if let Some(slot) = slot.filter(|slot| slot.conn == conn && slot.end == End::Open) {
            slot.end = End::Closing;
            if !slot.dirty {
                slot.dirty = true;
                self.dirty.push(conn);
            }
        }
    }

    fn note(&mut self, event: Event<'_>) {
        let who = if let Event::Refused { conn, .. } | Event::Steered { conn, .. } = event {
            self.slot(conn).map(|slot| slot.link.who())
        } else {
            None
        };
        if let Event::Spilled { bytes, .. } = event {
            self.reads.trims.note(bytes);
        }
        events::note(&self.log, &event, who);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::{Who, Writer};
    use crate::log::{Level, LogTarget};
    use geartrain_core::{Core, Settings};
    use geartrain_proto::Handle;
    use tokio::net::UnixStream;
    use tokio::runtime::Builder;

    #[test]
    fn answers_that_wait_for_the_disk_count_as_backlog() {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let _entered = runtime.enter();
        let (stream, _peer) = UnixStream::pair().expect("a pair of sockets");
        let who = Who { descriptor: 7, address: None };
        let link = Arc::new(Link::new(who, Writer::Unix(stream.into_split().1)));
        let mut out =
            Output::new(1 << 20, Log::open(Level::Fatal, LogTarget::Nowhere, false).expect("a log"));
        let conn = Core::new(Settings::default()).expect("a queue").handle_connected(7, "unix");
        out.add(conn, Arc::clone(&link));
        let mut writes = Vec::new();
        let created = Response::JobCreated { handle: Handle::from("H:host:1") };
        out.hold(conn, Ticket::new(1), Answer::Packet(created));
        out.collect(&mut writes);
        assert!(writes.is_empty(), "nothing can be written yet");
        assert_eq!(link.backlog(), 20);
        out.release(conn, Ticket::new(1));
        out.collect(&mut writes);
        assert_eq!(writes.len(), 1);
        assert_eq!(link.backlog(), 0);
    }
}
