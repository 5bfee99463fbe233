//! The outputs of `core` in the simulation: buffers for each connection, the batch for the store, and a
//! list of all that was asked for, by which the oracle judges.

use fastrand::Rng;
use geartrain_core::{
    Answer, ConnId, DocumentKind, Ended, Event, Op, Outbox, Outbuf, Outcome, OwnedRecord, OwnedShelving,
    Shelf, Ticket, Wanted,
};
use geartrain_proto::{Priority, Response};
use geartrain_store::Batch;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Output {
    pub(crate) lanes: BTreeMap<ConnId, Lane>,
    /// Connections that ended: what they are sent goes nowhere.
    pub(crate) ended: BTreeSet<ConnId>,
    pub(crate) batch: Batch,
    /// What is to be looked up in the store.
    pub(crate) reads: VecDeque<(Ticket, Wanted, Vec<u64>)>,
    pub(crate) effects: Vec<Effect>,
}

/// What is on its way to one connection, kept twice: as the server keeps it, and packet by packet.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    pub(crate) buffer: Outbuf,
    pub(crate) shadow: VecDeque<Shadow>,
}

/// One packet or text on its way.
#[derive(Debug)]
pub(crate) struct Shadow {
    pub(crate) bytes: Vec<u8>,
    /// The ticket it waits for.
    pub(crate) held: Option<Ticket>,
    /// The background job it acknowledges, by handle.
    pub(crate) acknowledges: Option<Vec<u8>>,
}

/// Something `core` asked for while it handled one input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    Send {
        conn: ConnId,
        packet: Vec<u8>,
    },
    Hold {
        conn: ConnId,
        ticket: Ticket,
        packet: Vec<u8>,
    },
    /// What goes in the place of a packet that was held.
    Replaced {
        ticket: Ticket,
        packet: Vec<u8>,
    },
    /// Workloads of these jobs are wanted back.
    Read {
        ticket: Ticket,
        numbers: Vec<u64>,
    },
    /// A place for the answer to a text command.
    Place {
        conn: ConnId,
        ticket: Ticket,
    },
    /// What stands in such a place.
    Placed {
        conn: ConnId,
        ticket: Ticket,
        text: Vec<u8>,
    },
    Text {
        conn: ConnId,
        text: Vec<u8>,
    },
    Close {
        conn: ConnId,
    },
    Persist {
        ticket: Ticket,
        change: Change,
    },
    Note(Note),
}

/// An [`Op`] that owns what the oracle judges of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    Put(OwnedRecord),
    Moved { number: u64, function: Vec<u8>, priority: Priority, not_before: i64, attempts: u32, lost: u32 },
    Attempt { number: u64, attempt: u32, how: Outcome },
    Shelve(OwnedShelving),
    Unshelve { number: u64, shelf: Shelf },
    Delete { number: u64 },
    Document { kind: DocumentKind, name: Vec<u8>, body: Option<Vec<u8>> },
    Reserve,
}

impl From<&Op<'_>> for Change {
    fn from(op: &Op<'_>) -> Self {
        match *op {
            Op::Put(record) => Change::Put(record.into()),
            Op::Change(it) => Change::Moved {
                number: it.number,
                function: it.function.to_vec(),
                priority: it.priority,
                not_before: it.not_before,
                attempts: it.attempts,
                lost: it.lost,
            },
            Op::Attempt(it) => Change::Attempt { number: it.number, attempt: it.attempt, how: it.how },
            Op::Shelve(shelving) => Change::Shelve(shelving.into()),
            Op::Unshelve { number, shelf } => Change::Unshelve { number, shelf },
            Op::Delete { number, .. } => Change::Delete { number },
            Op::Document(document) => Change::Document {
                kind: document.kind,
                name: document.name.to_vec(),
                body: document.body.map(<[u8]>::to_vec),
            },
            Op::ReserveNumbers { .. } => Change::Reserve,
        }
    }
}

/// An [`Event`] that owns what it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Note {
    Accepted { handle: Vec<u8>, not_before: i64 },
    Coalesced { handle: Vec<u8> },
    Awaited { handle: Vec<u8> },
    Assigned { handle: Vec<u8> },
    GivenBack { handle: Vec<u8>, reason: Outcome, attempts: u32 },
    Ended { handle: Vec<u8>, how: Ended },
    LetterRemoved { handle: Vec<u8>, shelf: Shelf },
    Suspended { worker: Vec<u8> },
    Unsuspended { worker: Vec<u8> },
    PolicyChanged { function: Vec<u8> },
}

impl Output {
    fn append(&mut self, conn: ConnId, packet: Vec<u8>, held: Option<Ticket>) {
        let lane = self.lanes.entry(conn).or_default();
        lane.shadow.push_back(Shadow { bytes: packet, held, acknowledges: None });
    }

    /// Remembers that the packet sent last to this connection acknowledges a background job.
    pub(crate) fn mark_acknowledgement(&mut self, conn: ConnId, handle: &[u8]) {
        // The connection may have been closed for all that it does not read.
        if let Some(shadow) = self.lanes.get_mut(&conn).and_then(|lane| lane.shadow.back_mut()) {
            shadow.acknowledges = Some(handle.to_vec());
        }
    }

    /// Takes what may be written to a connection now, and what of it acknowledges a background job.
    pub(crate) fn take_ready(&mut self, conn: ConnId) -> (Vec<u8>, Vec<Vec<u8>>) {
        let Some(lane) = self.lanes.get_mut(&conn) else { return (Vec::new(), Vec::new()) };
        let ready = lane.buffer.ready_len();
        let bytes = lane.buffer.take_ready(Vec::new());
        assert_eq!(bytes.len(), ready, "Outbuf gives what it says is ready");
        let mut rest = bytes.as_slice();
        let mut acknowledged = Vec::new();
        while !rest.is_empty() {
            let shadow = lane.shadow.pop_front().expect("I11: nothing is written that was not sent");
            assert_eq!(shadow.held, None, "I6: an answer that waits for the disk is not written");
            assert!(rest.starts_with(&shadow.bytes), "I11: answers are written in the order of requests");
            rest = rest.get(shadow.bytes.len()..).unwrap_or_default();
            acknowledged.extend(shadow.acknowledges);
        }
        (bytes, acknowledged)
    }

    /// Whether all that was sent to a connection has been taken.
    pub(crate) fn is_empty(&self, conn: ConnId) -> bool {
        self.lanes.get(&conn).is_none_or(|lane| lane.buffer.is_empty())
    }
}

impl Lane {
    fn held_mut(&mut self, ticket: Ticket) -> Option<&mut Shadow> {
        self.shadow.iter_mut().find(|shadow| shadow.held == Some(ticket))
    }
}

pub(crate) fn encoded(response: &Response<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    response.encode(&mut bytes);
    bytes
}

impl Outbox for Output {
    fn send(&mut self, conn: ConnId, response: Response<'_>) {
        if self.ended.contains(&conn) {
            return;
        }
        let packet = encoded(&response);
        self.effects.push(Effect::Send { conn, packet: packet.clone() });
        self.append(conn, packet, None);
        self.lanes.entry(conn).or_default().buffer.put(&response);
    }

    fn hold(&mut self, conn: ConnId, ticket: Ticket, answer: Answer<'_>) {
        let mut bytes = Vec::new();
        answer.encode(&mut bytes);
        self.effects.push(match answer {
            Answer::Packet(_) => Effect::Hold { conn, ticket, packet: bytes.clone() },
            Answer::Text(_) => Effect::Place { conn, ticket },
        });
        self.append(conn, bytes, Some(ticket));
        self.lanes.entry(conn).or_default().buffer.hold(ticket, &answer);
    }

    fn release(&mut self, conn: ConnId, ticket: Ticket) {
        let lane = self.lanes.entry(conn).or_default();
        if let Some(shadow) = lane.held_mut(ticket) {
            shadow.held = None;
        }
        lane.buffer.release(ticket);
    }

    fn replace(&mut self, conn: ConnId, ticket: Ticket, answer: Answer<'_>) {
        self.effects.push(match answer {
            Answer::Text(text) => Effect::Placed { conn, ticket, text: text.to_vec() },
            Answer::Packet(packet) => Effect::Replaced { ticket, packet: encoded(&packet) },
        });
        // The peer may be gone, with all that was on its way to it.
        let Some(lane) = self.lanes.get_mut(&conn) else { return };
        if let Some(shadow) = lane.held_mut(ticket) {
            let mut bytes = Vec::new();
            answer.encode(&mut bytes);
            *shadow = Shadow { bytes, held: None, acknowledges: None };
        }
        lane.buffer.replace(ticket, &answer);
    }

    fn text(&mut self, conn: ConnId, text: &[u8]) {
        self.effects.push(Effect::Text { conn, text: text.to_vec() });
        self.append(conn, text.to_vec(), None);
        self.lanes.entry(conn).or_default().buffer.put_text(text);
    }

    fn persist(&mut self, ticket: Ticket, op: Op<'_>) {
        assert!(ticket > self.batch.last_ticket(), "tickets grow");
        self.effects.push(Effect::Persist { ticket, change: Change::from(&op) });
        self.batch.push(ticket, op);
    }

    fn read(&mut self, ticket: Ticket, wanted: Wanted, numbers: &[u64]) {
        if wanted == Wanted::Workloads {
            self.effects.push(Effect::Read { ticket, numbers: numbers.to_vec() });
        }
        self.reads.push_back((ticket, wanted, numbers.to_vec()));
    }

    fn close(&mut self, conn: ConnId) {
        self.effects.push(Effect::Close { conn });
    }

    fn note(&mut self, event: Event<'_>) {
        let owned = |handle: geartrain_proto::Handle<'_>| handle.as_bytes().to_vec();
        self.effects.push(Effect::Note(match event {
            Event::Accepted { handle, not_before, .. } => {
                Note::Accepted { handle: owned(handle), not_before }
            }
            Event::Coalesced { handle, .. } => Note::Coalesced { handle: owned(handle) },
            Event::Awaited { handle, .. } => Note::Awaited { handle: owned(handle) },
            Event::Assigned { handle, .. } => Note::Assigned { handle: owned(handle) },
            Event::GivenBack { handle, reason, attempts, .. } => {
                Note::GivenBack { handle: owned(handle), reason, attempts }
            }
            Event::Ended { handle, how, .. } => Note::Ended { handle: owned(handle), how },
            Event::LetterRemoved { handle, shelf, .. } => {
                Note::LetterRemoved { handle: owned(handle), shelf }
            }
            Event::Suspended { worker, .. } => Note::Suspended { worker: worker.to_vec() },
            Event::Unsuspended { worker } => Note::Unsuspended { worker: worker.to_vec() },
            Event::PolicyChanged { function } => {
                Note::PolicyChanged { function: function.as_bytes().to_vec() }
            }
            _ => return,
        }));
    }
}

/// Some bytes from the front of a stream: one, a few, or all.
pub(crate) fn some_of(rng: &mut Rng, len: usize) -> usize {
    match rng.u32(0..4) {
        0 => 1.min(len),
        1 => rng.usize(0..=len),
        _ => len,
    }
}
