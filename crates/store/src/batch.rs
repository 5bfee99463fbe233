//! What is made durable at once: the changes of one commit.
//!
//! From: the network threads, which push under the lock that orders the changes.
//! To: [`crate::Store::commit`], as the net effect.
//! Never: allocates per change, looks at the clock, does IO.

mod arena;
mod effect;
mod entry;
mod net;

pub use net::Net;

use arena::Arena;
use effect::Effect;
use entry::{Entry, Keep, StoredDocument};
use geartrain_core::{Op, Ticket};

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
    documents: Vec<StoredDocument>,
    arena: Arena,
    last_ticket: Ticket,
    numbers_until: u64,
    certainty: Certainty,
}

/// Whether a part of a batch may be on disk already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Certainty {
    /// Nothing of it was ever handed to a store.
    #[default]
    New,
    /// It follows up on a commit that failed.
    Doubtful,
}

/// What a batch is folded for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// The same changes in less room.
    Fold,
    /// The commit of these changes failed.
    Failed,
}

impl Batch {
    /// A batch without changes, and without memory.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            entries: Vec::new(),
            documents: Vec::new(),
            arena: Arena::new(),
            last_ticket: Ticket::ZERO,
            numbers_until: 0,
            certainty: Certainty::New,
        }
    }

    /// Adds a change behind all others.
    pub fn push(&mut self, ticket: Ticket, op: Op<'_>) {
        self.last_ticket = self.last_ticket.max(ticket);
        match op {
            Op::ReserveNumbers { until } => self.numbers_until = self.numbers_until.max(until),
            Op::Document(document) => {
                let stored = StoredDocument::new(&mut self.arena, &document);
                self.documents.push(stored);
            }
            Op::Put(_)
            | Op::Change(_)
            | Op::Attempt(_)
            | Op::Shelve(_)
            | Op::Unshelve { .. }
            | Op::Delete { .. } => self.entries.extend(Entry::new(&mut self.arena, &op)),
        }
    }

    /// Whether there is nothing to make durable.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many changes are in it; all reservations of numbers together count as one.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len() + self.documents.len() + usize::from(self.numbers_until > 0)
    }

    /// How many bytes its names, workloads, texts and documents have, for bounding what waits for the disk.
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

    /// What is to be written, in the order of the jobs' numbers; documents and a reservation of numbers
    /// come last. Of each job, in this order and at most one of each but attempts: an `Unshelve`, a
    /// `Delete`, a `Put` or a `Change`, its `Attempt`s, a `Shelve`.
    ///
    /// - A `Delete` annihilates a `Put` before it, with its attempts: that job ended before its record was
    ///   written. Where the batch follows up on a failed one, the record may be there: the `Delete` stays.
    /// - A `Change` folds into a `Put` before it; of several the last counts.
    /// - A `Shelve` stands behind the `Put` of its job. What comes behind it is void, until the job is put
    ///   again.
    /// - A `Put` with an `Unshelve` brings a job back from a shelf; from a shelf to which it went in the
    ///   same batch as well.
    /// - A change of a job that was deleted before is void.
    /// - Of several documents of one name the last counts, and of several reservations the largest.
    #[must_use]
    pub fn iter_net(&self) -> Net<'_> {
        Net::new(self)
    }

    /// What to commit first once the store is open again, after the commit of this batch failed.
    ///
    /// A commit whose sync failed may have reached the disk all the same. Its clients were told
    /// `ERROR`, so every record it put is deleted; everything else is owed, and is written again: what was
    /// deleted, changed, shelved, taken off a shelf, the attempts, the documents and the reservation.
    /// The follow-up carries the batch's last ticket, and may be done on top of itself.
    ///
    /// Two kinds of records are owed as well, and are put again. A job that went to a shelf has run, which
    /// a person is to find; where its `Shelve` comes in a later batch, which is to be appended, the
    /// follow-up still has the record, to shelve it instead of deleting it. And a job that came back from a
    /// shelf was accepted long before.
    #[must_use]
    pub fn failed_followup(&self) -> Batch {
        self.rebuilt(Purpose::Failed)
    }

    /// The same changes in less room: those of one job are folded into each other.
    ///
    /// To be used where changes gather for long. What [`Batch::iter_net`] gives would not do: a follow-up
    /// knows more about its records.
    #[must_use]
    pub fn folded(&self) -> Batch {
        self.rebuilt(Purpose::Fold)
    }

    /// Adds all changes of `later` behind those of this batch.
    pub fn append(&mut self, later: &Batch) {
        let base = self.arena.append(&later.arena);
        self.entries.extend(later.entries.iter().map(|entry| entry.moved(base)));
        self.documents.extend(later.documents.iter().map(|document| document.moved(base)));
        self.last_ticket = self.last_ticket.max(later.last_ticket);
        self.numbers_until = self.numbers_until.max(later.numbers_until);
        if later.certainty == Certainty::Doubtful {
            self.certainty = Certainty::Doubtful;
        }
    }

    /// Forgets all changes and the last ticket; keeps memory for the next ones, up to
    /// [`KEPT_BYTES_MAX`] and [`KEPT_OPS_MAX`].
    pub fn clear(&mut self) {
        self.entries.clear();
        self.entries.shrink_to(KEPT_OPS_MAX);
        self.documents.clear();
        self.documents.shrink_to(KEPT_OPS_MAX);
        self.arena.clear(KEPT_BYTES_MAX);
        self.last_ticket = Ticket::ZERO;
        self.numbers_until = 0;
        self.certainty = Certainty::New;
    }

    fn rebuilt(&self, purpose: Purpose) -> Batch {
        let certainty = match purpose {
            Purpose::Fold => self.certainty,
            Purpose::Failed => Certainty::Doubtful,
        };
        let mut rebuilt = Batch {
            last_ticket: self.last_ticket,
            numbers_until: self.numbers_until,
            certainty,
            ..Batch::new()
        };
        effect::fold(self, certainty, &mut |effect, attempts| rebuilt.add(self, purpose, effect, attempts));
        for index in entry::last_documents(self) {
            if let Some(document) = self.documents.get(index as usize) {
                let document = document.document(&self.arena);
                rebuilt.documents.push(StoredDocument::new(&mut rebuilt.arena, &document));
            }
        }
        rebuilt
    }

    /// Adds what stands of a job of another batch.
    fn add(&mut self, from: &Batch, purpose: Purpose, effect: &Effect, attempts: &[u32]) {
        for step in effect.steps() {
            match step {
                effect::Step::Put { entry, change, keep } => {
                    let Some(record) = from.record(entry, change) else { continue };
                    let keep = match (keep, purpose) {
                        (Keep::Asked, Purpose::Failed) => Keep::Withdrawn,
                        (keep, _) => keep,
                    };
                    self.entries.push(Entry::put(&mut self.arena, &record, keep));
                }
                effect::Step::Attempts => attempts.iter().for_each(|entry| self.copy(from, *entry)),
                effect::Step::Change { entry } | effect::Step::Shelve { entry } => self.copy(from, entry),
                effect::Step::Unshelve { number, shelf } => {
                    self.entries.push(Entry::Unshelve { number, shelf });
                }
                effect::Step::Delete { number, attempts } => {
                    self.entries.push(Entry::Delete { number, attempts });
                }
            }
        }
    }

    fn copy(&mut self, from: &Batch, entry: u32) {
        let op = from.entries.get(entry as usize).map(|entry| entry.op(&from.arena));
        self.entries.extend(op.and_then(|op| Entry::new(&mut self.arena, &op)));
    }
}

#[cfg(test)]
mod tests;
