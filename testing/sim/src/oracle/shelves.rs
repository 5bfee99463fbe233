//! Letters: what came to a shelf, why it left, and that no job is in two places.

use super::{Cause, Letter, Oracle, handle_of, handle_text};
use crate::output::{Change, Effect, Note};
use geartrain_core::{Ended, Outcome, OwnedRecord, OwnedShelving, Shelf};
use geartrain_proto::command::Command;
use std::collections::BTreeSet;

/// What one input did to the store, looked at as a whole.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    puts: Vec<OwnedRecord>,
    shelved: BTreeSet<u64>,
    /// Letters whose keeping was over.
    removed: BTreeSet<(Shelf, u64)>,
    ended: BTreeSet<Vec<u8>>,
    /// Jobs that were made or joined.
    made: BTreeSet<Vec<u8>>,
}

impl Changes {
    pub(crate) fn new(effects: &[Effect]) -> Self {
        let mut changes = Self::default();
        for effect in effects {
            match effect {
                Effect::Persist { change: Change::Put(record), .. } => changes.puts.push(record.clone()),
                Effect::Persist { change: Change::Shelve(it), .. } => {
                    changes.shelved.insert(it.number);
                }
                Effect::Note(Note::Accepted { handle, .. } | Note::Coalesced { handle }) => {
                    changes.made.insert(handle.clone());
                }
                Effect::Note(Note::Ended { handle, .. }) => {
                    changes.ended.insert(handle.clone());
                }
                Effect::Note(Note::LetterRemoved { handle, shelf }) => {
                    changes.removed.insert((*shelf, super::number_of(handle)));
                }
                _ => {}
            }
        }
        changes
    }

    /// Whether a job is gone behind this step.
    pub(crate) fn is_ended(&self, handle: &[u8]) -> bool {
        self.ended.contains(handle)
    }

    /// Whether a submit made this job or joined it.
    pub(crate) fn is_made(&self, handle: &[u8]) -> bool {
        self.made.contains(handle)
    }

    pub(crate) fn has_puts(&self) -> bool {
        !self.puts.is_empty()
    }

    pub(crate) fn put(&self, number: u64) -> Option<&OwnedRecord> {
        self.puts.iter().find(|record| record.number == number)
    }
}

impl Oracle {
    /// A background job that dies goes to the dead letters, in the same step.
    pub(super) fn check_shelved(&mut self, changes: &Changes, handle: &[u8], how: Ended, function: &[u8]) {
        let acknowledged = self.ever.get(handle).is_some_and(|life| life.acknowledged);
        let keeps = self.policy(function).finished.count != Some(0);
        let wanted = match how {
            Ended::Dead(_) => acknowledged,
            Ended::Completed => acknowledged && keeps,
            _ => return,
        };
        let is_shelved = changes.shelved.contains(&super::number_of(handle));
        assert!(is_shelved || !wanted, "I7: job {} ended as {how:?} and is not kept", handle_text(handle));
    }

    pub(super) fn shelved(&mut self, cause: Cause<'_>, changes: &Changes, it: &OwnedShelving) {
        let handle = handle_of(it.number);
        let name = handle_text(&handle);
        let function = match (self.ever.get(&handle), changes.put(it.number)) {
            (Some(life), _) => life.content.function.clone(),
            (None, Some(record)) if matches!(cause, Cause::Typed(..)) => {
                self.imported_letter(&handle, record);
                record.function.clone()
            }
            _ => panic!("I7: {name} is shelved and was never accepted"),
        };
        let expected = match it.how {
            Outcome::Completed => Shelf::Finished,
            _ => Shelf::Dead,
        };
        assert_eq!(it.shelf, expected, "shelf of {name}, {:?}", it.how);
        if let Some(job) = self.jobs.get(&handle) {
            assert_eq!(it.attempts, job.attempts, "attempts of {name} as it is shelved");
        }
        let letter = Letter { shelf: it.shelf, function, ended: it.ended.millis() };
        assert!(self.letters.insert(handle, letter).is_none(), "I7: {name} is shelved twice");
    }

    /// A letter leaves its shelf: a rule says so, a person does, or it goes back into the queue.
    pub(super) fn unshelved(&mut self, cause: Cause<'_>, changes: &Changes, number: u64, shelf: Shelf) {
        let handle = handle_of(number);
        let name = handle_text(&handle);
        let Some(letter) = self.letters.get(&handle).cloned() else {
            let record = changes.put(number).expect("I7: what is on no shelf is taken from one");
            return self.imported_job(cause, &handle, record);
        };
        assert_eq!(letter.shelf, shelf, "shelf of {name}");
        // A job whose record was never written is put, shelved and perhaps removed in one step.
        if let Some(record) = changes.put(number).filter(|_| !changes.shelved.contains(&number)) {
            self.letters.remove(&handle);
            return self.requeued(&handle, &letter, record);
        }
        if changes.removed.contains(&(shelf, number)) {
            self.check_surplus(&handle, &letter);
            self.counts.letters_removed += 1;
        } else {
            let by_person = self.commands_under_way(cause).any(|command| match command {
                Command::DeadDrop(drop) => {
                    let of_function = drop.filter.function.as_ref().is_none_or(|it| it.0 == letter.function);
                    let of_handle =
                        drop.filter.handles.is_empty() || drop.filter.handles.iter().any(|it| it.0 == handle);
                    Shelf::from(drop.shelf) == shelf && of_function && of_handle && !drop.dry
                }
                _ => false,
            });
            assert!(by_person, "I7: the letter {name} was removed by nobody");
            self.counts.letters_dropped += 1;
        }
        self.letters.remove(&handle);
        self.ever.get_mut(&handle).expect("a letter was a job").removed = true;
    }

    /// A letter that is removed was kept for long enough, or is the oldest of too many.
    fn check_surplus(&mut self, handle: &[u8], letter: &Letter) {
        let policy = self.policy_of_rules(&letter.function);
        let keep = if letter.shelf == Shelf::Dead { policy.dead } else { policy.finished };
        let is_old = keep.age_ms.is_some_and(|age| self.now.unix.millis() >= letter.ended + age);
        let of_function =
            || self.letters.values().filter(|it| it.shelf == letter.shelf && it.function == letter.function);
        let is_oldest = of_function().all(|other| other.ended >= letter.ended);
        let is_surplus = is_oldest && keep.count.is_some_and(|count| of_function().count() > count);
        assert!(
            is_old || is_surplus,
            "I7: letter {} is removed, {keep:?}, {} are there, age {} ms",
            handle_text(handle),
            of_function().count(),
            self.now.unix.millis() - letter.ended
        );
    }

    /// No more letters of a function are kept than its policy says: of those that got one in this step, and of all
    /// when all is done, none of which is too old then.
    pub(super) fn check_letters(&self, cause: Cause<'_>, effects: &[Effect]) {
        let is_done = matches!(cause, Cause::Timeout { is_done: true });
        let shelved = effects.iter().filter_map(|effect| match effect {
            Effect::Persist { change: Change::Shelve(it), .. } => self.letters.get(&handle_of(it.number)),
            _ => None,
        });
        let concerned: Vec<&Letter> =
            if is_done { self.letters.values().collect() } else { shelved.collect() };
        let concerned: BTreeSet<(Shelf, &Vec<u8>)> =
            concerned.into_iter().map(|letter| (letter.shelf, &letter.function)).collect();
        for (shelf, function) in concerned {
            let policy = self.policy_of_rules(function);
            let keep = if shelf == Shelf::Dead { policy.dead } else { policy.finished };
            let of_function =
                || self.letters.values().filter(|it| it.shelf == shelf && it.function == *function);
            let (count, name) = (of_function().count(), function.escape_ascii());
            assert!(
                keep.count.is_none_or(|max| count <= max),
                "{count} letters of {name} are kept, {keep:?}"
            );
            let oldest = of_function().map(|letter| letter.ended).min().filter(|_| is_done);
            let is_old = |(ended, age): (i64, i64)| ended + age <= self.now.unix.millis();
            assert!(!oldest.zip(keep.age_ms).is_some_and(is_old), "a letter of {name} is too old, {keep:?}");
        }
    }
}
