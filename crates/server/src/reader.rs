//! The thread that reads back from the store what the queue asks for.
//!
//! From: [`geartrain_core::Outbox::read`], gathered while the hub is locked.
//! To: [`geartrain_core::Core::handle_read`] and [`geartrain_core::Core::handle_read_end`].
//! Never: holds the hub while the disk is read, or holds up a commit.

use crate::limits::READ_PIECE_BYTES;
use crate::log::Level;
use crate::shared::Shared;
use geartrain_core::{Found, OwnedFound, Ticket, Wanted};
use geartrain_store::Reader;
use std::collections::VecDeque;
use std::sync::Arc;

/// What is to be read, first asked first.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    waiting: VecDeque<(Ticket, Wanted, Vec<u64>)>,
}

impl Reads {
    pub(crate) fn push(&mut self, ticket: Ticket, wanted: Wanted, numbers: &[u64]) {
        self.waiting.push_back((ticket, wanted, numbers.to_vec()));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

/// Reads until the server ends.
pub(crate) fn run(shared: &Arc<Shared>, mut reader: Box<dyn Reader>) {
    while let Some((ticket, wanted, numbers)) = take(shared) {
        let mut piece = Piece::default();
        let outcome = reader.read(wanted, &numbers, &mut |found| {
            piece.push(&found);
            if piece.bytes >= READ_PIECE_BYTES {
                piece.hand_over(shared, ticket);
            }
        });
        piece.hand_over(shared, ticket);
        let reason = outcome.map_err(|error| error.to_string());
        if let Err(reason) = &reason {
            shared.log.line(Level::Error, format_args!("jobs could not be read back: {reason}"));
        }
        shared.run(|now, hub| {
            let outcome = reason.as_ref().map_err(String::as_str).copied();
            hub.core.handle_read_end(now, ticket, outcome, &mut hub.out);
        });
    }
}

/// Waits for something to read; `None` when the server ends.
fn take(shared: &Shared) -> Option<(Ticket, Wanted, Vec<u64>)> {
    let mut hub = shared.hub.lock();
    loop {
        if hub.reader_stops {
            return None;
        }
        if let Some(read) = hub.out.reads.waiting.pop_front() {
            return Some(read);
        }
        hub.reader_waits = true;
        shared.reader_wake.wait(&mut hub);
        hub.reader_waits = false;
    }
}

/// What was read and not handed over yet.
#[derive(Debug, Default)]
struct Piece {
    found: Vec<OwnedFound>,
    bytes: usize,
}

impl Piece {
    fn push(&mut self, found: &Found<'_>) {
        let found = OwnedFound::from(*found);
        self.bytes += found.bytes();
        self.found.push(found);
    }

    fn hand_over(&mut self, shared: &Shared, ticket: Ticket) {
        if self.found.is_empty() {
            return;
        }
        shared.run(|_, hub| {
            for found in self.found.drain(..) {
                hub.core.handle_read(ticket, found.as_found());
            }
        });
        self.bytes = 0;
    }
}

/// Asks the thread to end.
pub(crate) fn stop(shared: &Shared) {
    shared.hub.lock().reader_stops = true;
    shared.reader_wake.notify_all();
}
