//! The net effect of a batch on one job.
//!
//! It is written in a fixed order, whatever came in which order: off its shelf, forgotten, put or changed,
//! its attempts, onto a shelf. What a job was before the batch is not known here, only that `core` knows it:
//! no job is changed that never was, and a `Put` of a job on a shelf comes with its `Unshelve`. Attempts may be
//! written of a job without a record: one that is held in memory until it goes to a shelf.
//!
//! To do an effect twice is to do it once. A follow-up depends on that: its batch may have been written.

use super::entry::{Entry, Keep};
use super::{Batch, Certainty};
use geartrain_core::{ATTEMPTS_KEPT, Shelf};

/// What stands of a job's changes. Entries are named by their index in the batch.
#[derive(Debug)]
pub(super) struct Effect {
    number: u64,
    /// Whether it comes off these shelves, dead letters first.
    unshelved: [bool; Shelf::ALL.len()],
    /// What was stored before is forgotten, with so many attempts.
    deleted: Option<u32>,
    job: Standing,
    shelved: Option<u32>,
    has_attempts: bool,
}

/// The job among those that wait.
#[derive(Debug, Clone, Copy)]
enum Standing {
    /// As it was before the batch.
    Before { change: Option<u32> },
    /// As this batch says.
    Put { entry: u32, change: Option<u32>, keep: Keep },
    /// It is not there.
    Gone,
}

/// One change to be written of an effect.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    Unshelve { number: u64, shelf: Shelf },
    Delete { number: u64, attempts: u32 },
    Put { entry: u32, change: Option<u32>, keep: Keep },
    Change { entry: u32 },
    Attempts,
    Shelve { entry: u32 },
}

/// Calls `each` with the effect on every job of the batch, and with the entries of its attempts, in the
/// order of the numbers.
pub(super) fn fold(batch: &Batch, certainty: Certainty, each: &mut dyn FnMut(&Effect, &[u32])) {
    // More than 2^32 entries would be over 300 GiB; what cannot be counted cannot have been pushed.
    let mut order: Vec<(u64, u32)> =
        (0..u32::MAX).zip(&batch.entries).map(|(index, entry)| (entry.number(), index)).collect();
    order.sort_unstable();
    let mut attempts = Vec::new();
    for of_one_job in order.chunk_by(|earlier, later| earlier.0 == later.0) {
        let Some((number, _)) = of_one_job.first() else { continue };
        let mut effect = Effect::new(*number);
        attempts.clear();
        for (_, index) in of_one_job {
            if let Some(entry) = batch.entries.get(*index as usize) {
                effect.then(*index, entry, certainty, &mut attempts);
            }
        }
        effect.has_attempts = !attempts.is_empty();
        each(&effect, &attempts);
    }
}

impl Effect {
    const fn new(number: u64) -> Self {
        Self {
            number,
            unshelved: [false; Shelf::ALL.len()],
            deleted: None,
            job: Standing::Before { change: None },
            shelved: None,
            has_attempts: false,
        }
    }

    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// Whether its record was refused.
    pub(super) const fn is_withdrawn(&self) -> bool {
        matches!(self.job, Standing::Put { keep: Keep::Withdrawn, .. })
    }

    /// How many attempts of a refused record were perhaps written.
    pub(super) fn withdrawn_attempts(&self, attempts: &[u32]) -> u32 {
        self.deleted.unwrap_or(0).max(written_at_most(attempts))
    }

    /// What is to be done, in this order.
    pub(super) fn steps(&self) -> impl Iterator<Item = Step> {
        let number = self.number;
        let unshelve = Shelf::ALL.into_iter().zip(self.unshelved);
        let unshelve =
            unshelve.filter(|(_, comes)| *comes).map(move |(shelf, _)| Step::Unshelve { number, shelf });
        let delete = self.deleted.map(|attempts| Step::Delete { number, attempts });
        let job = match self.job {
            Standing::Before { change } => change.map(|entry| Step::Change { entry }),
            Standing::Put { entry, change, keep } => Some(Step::Put { entry, change, keep }),
            Standing::Gone => None,
        };
        let attempts = self.has_attempts.then_some(Step::Attempts);
        let shelve = self.shelved.map(|entry| Step::Shelve { entry });
        unshelve.chain(delete).chain(job).chain(attempts).chain(shelve)
    }

    /// The entry comes behind all that came before.
    fn then(&mut self, index: u32, entry: &Entry, certainty: Certainty, attempts: &mut Vec<u32>) {
        match entry {
            Entry::Put(stored) => self.put(index, stored.keep, attempts),
            Entry::Change(_) if self.shelved.is_none() => match &mut self.job {
                Standing::Before { change } | Standing::Put { change, .. } => *change = Some(index),
                Standing::Gone => {}
            },
            Entry::Attempt(_) if !matches!(self.job, Standing::Gone) => {
                // They are counted on, so the store keeps the last ones alone.
                if attempts.len() >= ATTEMPTS_KEPT as usize {
                    attempts.remove(0);
                }
                attempts.push(index);
            }
            Entry::Shelve(_) if self.shelved.is_none() && !matches!(self.job, Standing::Gone) => {
                self.shelved = Some(index);
                if let Standing::Put { keep, .. } = &mut self.job {
                    *keep = Keep::Owed;
                }
            }
            Entry::Unshelve { shelf, .. } => self.unshelve(*shelf, attempts),
            Entry::Delete { attempts: written, .. } if self.shelved.is_none() => {
                let is_stored = match self.job {
                    Standing::Before { .. } => true,
                    Standing::Put { keep, .. } => keep == Keep::Withdrawn || certainty == Certainty::Doubtful,
                    Standing::Gone => certainty == Certainty::Doubtful,
                };
                if is_stored {
                    self.delete((*written).max(written_at_most(attempts)));
                }
                self.job = Standing::Gone;
                attempts.clear();
            }
            // The job ended, or went to a shelf, before.
            Entry::Change(_) | Entry::Attempt(_) | Entry::Shelve(_) | Entry::Delete { .. } => {}
        }
    }

    fn put(&mut self, entry: u32, keep: Keep, attempts: &mut Vec<u32>) {
        let before = self.job;
        let was_shelved = self.shelved.take().is_some();
        let keep = match before {
            // It comes back from the shelf, as its `Unshelve` will say.
            Standing::Before { .. } | Standing::Put { .. } if was_shelved => {
                self.delete(u32::MAX);
                attempts.clear();
                Keep::Owed
            }
            Standing::Put { keep: Keep::Withdrawn, .. } => {
                self.delete(written_at_most(attempts));
                attempts.clear();
                keep
            }
            Standing::Put { keep: Keep::Owed, .. } => Keep::Owed,
            Standing::Before { .. } | Standing::Gone if self.unshelved.contains(&true) => Keep::Owed,
            Standing::Before { .. } | Standing::Put { .. } | Standing::Gone => keep,
        };
        self.job = Standing::Put { entry, change: None, keep };
    }

    fn unshelve(&mut self, shelf: Shelf, attempts: &mut Vec<u32>) {
        for (comes, of) in self.unshelved.iter_mut().zip(Shelf::ALL) {
            *comes |= of == shelf;
        }
        match &mut self.job {
            // The letter was made in this batch. Its attempts, or its record, may be older.
            Standing::Before { .. } | Standing::Put { .. } if self.shelved.take().is_some() => {
                self.delete(u32::MAX);
                self.job = Standing::Gone;
                attempts.clear();
            }
            Standing::Put { keep, .. } => *keep = Keep::Owed,
            Standing::Before { .. } | Standing::Gone => {}
        }
    }

    fn delete(&mut self, attempts: u32) {
        self.deleted = Some(self.deleted.unwrap_or(0).max(attempts));
    }
}

/// A count of attempts that were perhaps written: only whether it is 0 matters.
fn written_at_most(attempts: &[u32]) -> u32 {
    u32::try_from(attempts.len()).unwrap_or(u32::MAX)
}
