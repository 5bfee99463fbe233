//! The net effect of a batch, as changes to be written.

use super::effect::{self, Effect, Step};
use super::entry::{self, Entry, Keep};
use super::{Batch, Certainty};
use geartrain_core::{Op, Shelf};
use std::ops::Range;

/// What a batch leaves to be written; see [`Batch::iter_net`].
#[derive(Debug)]
pub struct Net<'a> {
    batch: &'a Batch,
    writes: Writes,
    documents: std::vec::IntoIter<u32>,
    reserve: bool,
}

/// The changes of jobs that stand, in the order of their numbers.
#[derive(Debug)]
enum Writes {
    /// Every entry as it is: new records or deletions of ascending numbers, the most frequent batches.
    All(Range<u32>),
    /// These.
    Folded(std::vec::IntoIter<Write>),
}

#[derive(Debug, Clone, Copy)]
enum Write {
    /// The entry as it is.
    Entry(u32),
    /// The record of a `Put` with a later `Change` of it.
    Put {
        entry: u32,
        change: Option<u32>,
    },
    Unshelve {
        number: u64,
        shelf: Shelf,
    },
    Delete {
        number: u64,
        attempts: u32,
    },
}

impl<'a> Net<'a> {
    pub(super) fn new(batch: &'a Batch) -> Self {
        let writes = match u32::try_from(batch.entries.len()) {
            Ok(len) if stands_as_it_is(batch) => Writes::All(0..len),
            _ => Writes::Folded(folded(batch).into_iter()),
        };
        let documents = entry::last_documents(batch).into_iter();
        Self { batch, writes, documents, reserve: batch.numbers_until > 0 }
    }

    fn op(&self, write: Write) -> Option<Op<'a>> {
        match write {
            Write::Entry(entry) => {
                self.batch.entries.get(entry as usize).map(|entry| entry.op(&self.batch.arena))
            }
            Write::Put { entry, change } => self.batch.record(entry, change).map(Op::Put),
            Write::Unshelve { number, shelf } => Some(Op::Unshelve { number, shelf }),
            Write::Delete { number, attempts } => Some(Op::Delete { number, attempts }),
        }
    }
}

impl<'a> Iterator for Net<'a> {
    type Item = Op<'a>;

    fn next(&mut self) -> Option<Op<'a>> {
        let write = match &mut self.writes {
            Writes::All(entries) => entries.next().map(Write::Entry),
            Writes::Folded(writes) => writes.next(),
        };
        if let Some(write) = write {
            return self.op(write);
        }
        if let Some(index) = self.documents.next() {
            let stored = self.batch.documents.get(index as usize)?;
            return Some(Op::Document(stored.document(&self.batch.arena)));
        }
        std::mem::take(&mut self.reserve).then_some(Op::ReserveNumbers { until: self.batch.numbers_until })
    }
}

fn stands_as_it_is(batch: &Batch) -> bool {
    let stands = |entry: &Entry| match entry {
        Entry::Put(stored) => stored.keep != Keep::Withdrawn,
        Entry::Delete { .. } => true,
        Entry::Change(_) | Entry::Attempt(_) | Entry::Shelve(_) | Entry::Unshelve { .. } => false,
    };
    batch.entries.iter().all(stands)
        && batch.entries.is_sorted_by(|earlier, later| earlier.number() < later.number())
}

fn folded(batch: &Batch) -> Vec<Write> {
    let certainty: Certainty = batch.certainty;
    let mut writes = Vec::with_capacity(batch.entries.len());
    effect::fold(batch, certainty, &mut |effect, attempts| add(&mut writes, effect, attempts));
    writes
}

fn add(writes: &mut Vec<Write>, effect: &Effect, attempts: &[u32]) {
    for step in effect.steps() {
        match step {
            // A refused record is deleted, and its attempts with it.
            Step::Put { keep: Keep::Withdrawn, .. } => {
                writes.push(Write::Delete {
                    number: effect.number(),
                    attempts: effect.withdrawn_attempts(attempts),
                });
                break;
            }
            Step::Delete { .. } if effect.is_withdrawn() => {}
            Step::Put { entry, change, keep: Keep::Asked | Keep::Owed } => {
                writes.push(Write::Put { entry, change });
            }
            Step::Attempts => writes.extend(attempts.iter().copied().map(Write::Entry)),
            Step::Change { entry } | Step::Shelve { entry } => writes.push(Write::Entry(entry)),
            Step::Unshelve { number, shelf } => writes.push(Write::Unshelve { number, shelf }),
            Step::Delete { number, attempts } => writes.push(Write::Delete { number, attempts }),
        }
    }
}
