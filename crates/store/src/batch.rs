//! What is made durable at once: the changes of one commit.
//!
//! From: the network threads, which push under the lock that orders the changes.
//! To: [`crate::Store::commit`], as the net effect.
//! Never: allocates per change, looks at the clock, does IO.

mod net;

pub use net::Net;

use geartrain_core::{Op, Record, Ticket, UnixTime};
use geartrain_proto::Priority;
use std::ops::Range;

/// How many bytes of room [`Batch::clear`] keeps for names and workloads: 4 MiB.
///
/// A batch that grew past it held a rare burst or large workloads; that memory goes back.
pub const KEPT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How many changes [`Batch::clear`] keeps room for.
pub const KEPT_OPS_MAX: usize = 32 * 1024;

/// Changes that become durable together, in the order in which they were pushed.
///
/// Pushing copies the bytes of the change behind those of the one before: two vectors grow, and
/// nothing is allocated for a change alone. [`Batch::iter_net`] gives what is left to be written
/// once the changes of one job are folded into each other; [`Batch::failed_followup`] what is to be
/// done about a batch of which nobody knows whether it reached the disk.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    entries: Vec<Entry>,
    arena: Vec<u8>,
    last_ticket: Ticket,
    numbers_until: u64,
}

/// A change, its bytes in the arena.
#[derive(Debug, Clone, Copy)]
enum Entry {
    Put(Stored),
    /// A record that was refused, and is only written again should the job be buried.
    Withdraw(Stored),
    GiveBack {
        number: u64,
        place: u64,
        attempts: u32,
    },
    Bury {
        number: u64,
        attempts: u32,
    },
    Delete {
        number: u64,
    },
}

impl Entry {
    const fn number(&self) -> u64 {
        match self {
            Entry::Put(stored) | Entry::Withdraw(stored) => stored.number,
            Entry::GiveBack { number, .. } | Entry::Bury { number, .. } | Entry::Delete { number } => *number,
        }
    }
}

/// A record whose function, unique, reducer and workload lie in the arena in this order.
#[derive(Debug, Clone, Copy)]
struct Stored {
    number: u64,
    place: u64,
    not_before: i64,
    submitted: UnixTime,
    start: usize,
    function_len: usize,
    workload_len: usize,
    unique_len: usize,
    reducer_len: Option<usize>,
    attempts: u32,
    priority: Priority,
}

impl Stored {
    const fn moved(self, by: usize) -> Self {
        Self { start: self.start + by, ..self }
    }
}

impl Batch {
    /// A batch without changes, and without memory.
    #[must_use]
    pub const fn new() -> Self {
        Self { entries: Vec::new(), arena: Vec::new(), last_ticket: Ticket::ZERO, numbers_until: 0 }
    }

    /// Adds a change behind all others.
    pub fn push(&mut self, ticket: Ticket, op: Op<'_>) {
        match op {
            Op::Put(record) => {
                let stored = self.store(&record);
                self.entries.push(Entry::Put(stored));
            }
            Op::GiveBack { number, place, attempts } => {
                self.entries.push(Entry::GiveBack { number, place, attempts });
            }
            Op::Bury { number, attempts } => self.entries.push(Entry::Bury { number, attempts }),
            Op::Delete { number } => self.entries.push(Entry::Delete { number }),
            Op::ReserveNumbers { until } => self.numbers_until = self.numbers_until.max(until),
        }
        self.last_ticket = self.last_ticket.max(ticket);
    }

    /// Whether there is nothing to make durable.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many changes are in it; all reservations of numbers together count as one.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len() + usize::from(self.numbers_until > 0)
    }

    /// How many bytes its names and workloads have, for bounding what waits for the disk.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.arena.len()
    }

    /// The largest ticket that was pushed; [`Ticket::ZERO`] in a new batch.
    ///
    /// When the batch is durable, so is every change up to this ticket.
    #[must_use]
    pub fn last_ticket(&self) -> Ticket {
        self.last_ticket
    }

    /// What is to be written: at most one change for each job, in the order of their numbers, and
    /// a reservation of numbers at the end.
    ///
    /// - A `Delete` annihilates a `Put` before it: that job ended before its record was written.
    /// - A `GiveBack` folds into a `Put` before it; of several the last counts.
    /// - A `GiveBack` of a job that was deleted or buried before is void.
    /// - A `Bury` behind a `Put` is the one case of two changes: the record, then the `Bury`.
    /// - Of several reservations the largest counts.
    #[must_use]
    pub fn iter_net(&self) -> Net<'_> {
        Net::new(self)
    }

    /// What to commit first once the store is open again, after the commit of this batch failed.
    ///
    /// A commit whose sync failed may have reached the disk all the same. Its clients were told
    /// `ERROR`, so every record it put is deleted; every job that ended is deleted or buried, since
    /// no answer waits for the disk then; so are give-backs and reservations written again. Jobs
    /// that came and went within the batch need nothing. The follow-up carries the batch's last
    /// ticket.
    ///
    /// A job that is buried has run and failed, which a person is to find. So a record that was put and
    /// buried is put and buried again; and where the `Bury` comes in a later batch, which is to be
    /// appended, the follow-up still has the record, to bury it instead of deleting it.
    #[must_use]
    pub fn failed_followup(&self) -> Batch {
        let mut followup =
            Batch { last_ticket: self.last_ticket, numbers_until: self.numbers_until, ..Batch::new() };
        for effect in net::effects(self) {
            let Some(entry) = self.entries.get(effect.entry as usize) else { continue };
            match entry {
                Entry::Put(stored) | Entry::Withdraw(stored) => {
                    let mut record = self.record(stored);
                    effect.fold_into(&mut record);
                    let stored = followup.store(&record);
                    if let Some(attempts) = effect.buried {
                        followup.entries.push(Entry::Put(stored));
                        followup.entries.push(Entry::Bury { number: stored.number, attempts });
                    } else {
                        followup.entries.push(Entry::Withdraw(stored));
                    }
                }
                Entry::GiveBack { .. } | Entry::Bury { .. } | Entry::Delete { .. } => {
                    followup.entries.push(*entry);
                }
            }
        }
        followup
    }

    /// Adds all changes of `later` behind those of this batch.
    pub fn append(&mut self, later: &Batch) {
        let base = self.arena.len();
        self.arena.extend_from_slice(&later.arena);
        self.entries.extend(later.entries.iter().map(|entry| match entry {
            Entry::Put(stored) => Entry::Put(stored.moved(base)),
            Entry::Withdraw(stored) => Entry::Withdraw(stored.moved(base)),
            Entry::GiveBack { .. } | Entry::Bury { .. } | Entry::Delete { .. } => *entry,
        }));
        self.last_ticket = self.last_ticket.max(later.last_ticket);
        self.numbers_until = self.numbers_until.max(later.numbers_until);
    }

    /// Forgets all changes and the last ticket; keeps memory for the next ones, up to
    /// [`KEPT_BYTES_MAX`] and [`KEPT_OPS_MAX`].
    pub fn clear(&mut self) {
        self.entries.clear();
        self.entries.shrink_to(KEPT_OPS_MAX);
        self.arena.clear();
        self.arena.shrink_to(KEPT_BYTES_MAX);
        self.last_ticket = Ticket::ZERO;
        self.numbers_until = 0;
    }

    fn store(&mut self, record: &Record<'_>) -> Stored {
        let start = self.arena.len();
        let reducer = record.reducer.unwrap_or_default();
        self.arena
            .reserve(record.function.len() + record.unique.len() + reducer.len() + record.workload.len());
        self.arena.extend_from_slice(record.function);
        self.arena.extend_from_slice(record.unique);
        self.arena.extend_from_slice(reducer);
        self.arena.extend_from_slice(record.workload);
        Stored {
            number: record.number,
            place: record.place,
            not_before: record.not_before,
            submitted: record.submitted,
            start,
            function_len: record.function.len(),
            unique_len: record.unique.len(),
            reducer_len: record.reducer.map(<[u8]>::len),
            workload_len: record.workload.len(),
            attempts: record.attempts,
            priority: record.priority,
        }
    }

    fn record(&self, stored: &Stored) -> Record<'_> {
        let function = stored.start..stored.start + stored.function_len;
        let unique = function.end..function.end + stored.unique_len;
        let reducer = unique.end..unique.end + stored.reducer_len.unwrap_or(0);
        let workload = reducer.end..reducer.end + stored.workload_len;
        Record {
            number: stored.number,
            place: stored.place,
            function: self.slice(function),
            unique: self.slice(unique),
            priority: stored.priority,
            workload: self.slice(workload),
            reducer: stored.reducer_len.map(|_| self.slice(reducer)),
            not_before: stored.not_before,
            attempts: stored.attempts,
            submitted: stored.submitted,
        }
    }

    fn slice(&self, range: Range<usize>) -> &[u8] {
        self.arena.get(range).expect("an entry points at bytes that were copied before it was made")
    }
}

#[cfg(test)]
mod tests;
