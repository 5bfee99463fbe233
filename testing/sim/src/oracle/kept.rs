//! What the store may hold of each job: the state that is known to be durable, and every later one.
//!
//! From: the changes that `core` hands to the store, and which of them are durable. To: a judgement of what a
//! start finds: nothing older than what was durable, and nothing that never was.

use super::Oracle;
use crate::output::Change;
use geartrain_core::{LetterHead, Outcome, Record, Shelf, Ticket};
use geartrain_proto::Priority;
use std::collections::{BTreeMap, BTreeSet};

/// What is stored of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    Gone,
    Queued { function: Vec<u8>, priority: Priority, not_before: i64, attempts: u32, lost: u32 },
    Shelved { shelf: Shelf, how: Outcome, attempts: u32 },
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct KeptJobs {
    /// By number: states with the change that led to them, the first one durable.
    by_number: BTreeMap<u64, Vec<(Ticket, Fate)>>,
    /// Those with states that are not durable yet.
    open: BTreeSet<u64>,
    /// Records that are withdrawn when their commit fails.
    asked: BTreeMap<u64, Ticket>,
}

impl KeptJobs {
    fn push(&mut self, number: u64, ticket: Ticket, fate: Fate) {
        let states = self.by_number.entry(number).or_insert_with(|| vec![(Ticket::ZERO, Fate::Gone)]);
        states.push((ticket, fate));
        self.open.insert(number);
    }

    fn last(&self, number: u64) -> Option<&Fate> {
        self.by_number.get(&number)?.last().map(|(_, fate)| fate)
    }

    /// Enters a change.
    pub(crate) fn enter(&mut self, ticket: Ticket, change: &Change) {
        match change {
            Change::Put(record) => {
                self.asked.insert(record.number, ticket);
                self.push(record.number, ticket, queued(&record.as_record()));
            }
            Change::Moved { number, function, priority, not_before, attempts, lost } => {
                let fate = Fate::Queued {
                    function: function.clone(),
                    priority: *priority,
                    not_before: *not_before,
                    attempts: *attempts,
                    lost: *lost,
                };
                self.push(*number, ticket, fate);
            }
            Change::Shelve(it) => {
                self.asked.remove(&it.number);
                self.push(
                    it.number,
                    ticket,
                    Fate::Shelved { shelf: it.shelf, how: it.how, attempts: it.attempts },
                );
            }
            Change::Unshelve { number, shelf } => {
                // A record that comes with this is owed, whatever fails.
                self.asked.remove(number);
                if matches!(self.last(*number), Some(Fate::Shelved { shelf: on, .. }) if on == shelf) {
                    self.push(*number, ticket, Fate::Gone);
                }
            }
            Change::Delete { number } => {
                self.asked.remove(number);
                self.push(*number, ticket, Fate::Gone);
            }
            Change::Attempt { .. } | Change::Document { .. } | Change::Reserve => {}
        }
    }

    /// All changes up to this one are durable.
    pub(crate) fn committed(&mut self, upto: Ticket) {
        let states = &mut self.by_number;
        self.open.retain(|number| {
            let Some(of_job) = states.get_mut(number) else { return false };
            let durable = of_job.iter().rposition(|(ticket, _)| *ticket <= upto).unwrap_or(0);
            of_job.drain(..durable);
            if of_job.len() == 1 && of_job.first().is_some_and(|(_, fate)| *fate == Fate::Gone) {
                states.remove(number);
                return false;
            }
            of_job.len() > 1
        });
        self.asked.retain(|_, ticket| *ticket > upto);
    }

    /// Changes up to this one may be durable or not, and records of submits are withdrawn.
    pub(crate) fn failed(&mut self, upto: Ticket) {
        let withdrawn: Vec<u64> =
            self.asked.iter().filter(|(_, ticket)| **ticket <= upto).map(|(number, _)| *number).collect();
        for number in withdrawn {
            self.asked.remove(&number);
            self.push(number, upto, Fate::Gone);
        }
    }

    /// A start found this of a job, or nothing: whether that may be.
    fn found(&mut self, number: u64, fate: &Fate) -> bool {
        let states = self.by_number.remove(&number);
        let states = states.unwrap_or_else(|| vec![(Ticket::ZERO, Fate::Gone)]);
        let may_be = states.iter().any(|(_, state)| state == fate);
        self.by_number.insert(number, vec![(Ticket::ZERO, fate.clone())]);
        may_be
    }
}

fn queued(record: &Record<'_>) -> Fate {
    Fate::Queued {
        function: record.function.to_vec(),
        priority: record.priority,
        not_before: record.not_before,
        attempts: record.attempts,
        lost: record.lost,
    }
}

impl Oracle {
    /// What the store was told last of an acknowledged job that waits is what is so.
    pub(super) fn check_told(&self) {
        for (handle, job) in &self.jobs {
            let acknowledged = self.ever.get(handle).is_some_and(|life| life.acknowledged);
            if !acknowledged || job.state.is_on_worker() {
                continue;
            }
            let name = super::handle_text(handle);
            let Some(Fate::Queued { function, priority, attempts, lost, .. }) =
                self.kept.last(super::number_of(handle))
            else {
                panic!("I7: {name} waits, and the store was told something else");
            };
            assert_eq!(
                (function, *priority, *attempts, *lost),
                (&job.content.function, job.content.priority, job.attempts, job.lost),
                "I7: what the store was told of {name}"
            );
        }
    }

    /// Whether the store was told of a job that waits.
    pub(super) fn is_told(&self, number: u64) -> bool {
        matches!(self.kept.last(number), Some(Fate::Queued { .. }))
    }

    pub(super) fn found_job(&mut self, record: &Record<'_>) {
        let (number, fate) = (record.number, queued(record));
        self.check_found(number, &fate);
    }

    pub(super) fn found_letter(&mut self, head: &LetterHead<'_>) {
        let it = head.shelving;
        let fate = Fate::Shelved { shelf: it.shelf, how: it.how, attempts: it.attempts };
        self.check_found(it.number, &fate);
    }

    fn check_found(&mut self, number: u64, fate: &Fate) {
        let states = self.kept.by_number.get(&number).cloned();
        assert!(
            self.kept.found(number, fate),
            "I7: job {number} was found as {fate:?}, and may be {states:?}"
        );
    }

    /// All was found: what was not must be allowed to be gone.
    pub(super) fn check_not_found(&mut self, found: &BTreeSet<u64>) {
        let missing: Vec<u64> =
            self.kept.by_number.keys().filter(|number| !found.contains(number)).copied().collect();
        for number in missing {
            self.check_found(number, &Fate::Gone);
            self.kept.by_number.remove(&number);
        }
        self.kept.open.clear();
        self.kept.asked.clear();
    }
}
