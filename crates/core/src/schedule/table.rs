//! The table of all schedules.
//!
//! From: `run.rs` and `commands.rs`. Never: sets a timer, or writes a document.

use super::body::{self, Body};
use super::{Schedule, Source};
use crate::ids::UnixTime;
use geartrain_proto::command::ScheduleAdd;
use std::collections::{BTreeMap, BTreeSet};

/// Where a schedule lies in the table; later ones have larger keys, and none is given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ScheduleKey(u64);

impl ScheduleKey {
    pub(crate) const fn new(number: u64) -> Self {
        Self(number)
    }

    pub(crate) const fn number(self) -> u64 {
        self.0
    }
}

/// All schedules.
#[derive(Debug, Default)]
pub(crate) struct Schedules {
    entries: BTreeMap<ScheduleKey, Schedule>,
    by_name: BTreeMap<String, ScheduleKey>,
    last_key: u64,
    /// How many were added at run time.
    added: usize,
    /// Runs whose jobs live, by the job's number, with their due times in milliseconds; a run that a person
    /// asked for has none. Those of a removed schedule stay until their jobs end.
    live: BTreeMap<(u64, ScheduleKey), Option<i64>>,
    /// Schedules that are due, and wait for the store.
    pub(crate) held_up: BTreeSet<ScheduleKey>,
    /// Whether all is loaded, so that they run.
    pub(crate) begun: bool,
    /// Whether the server ends once it holds no job in memory alone.
    pub(crate) draining: bool,
    /// What was loaded and is not begun yet, by name.
    pub(crate) loaded: BTreeMap<String, Body<ScheduleAdd>>,
    /// How much the calendar was ahead of the monotonic clock when last seen, in milliseconds.
    pub(crate) clock_ahead: Option<i64>,
}

impl Schedules {
    /// Takes a stored schedule in, which begins when all is loaded; `false` when it cannot be read.
    pub(crate) fn load(&mut self, name: &[u8], body: &[u8]) -> bool {
        match (std::str::from_utf8(name), body::parse(body)) {
            (Ok(name), Some(body)) if body.schedule.name == name => {
                self.loaded.insert(name.to_owned(), body);
                true
            }
            _ => false,
        }
    }

    /// How many were added at run time.
    pub(crate) fn added(&self) -> usize {
        self.added
    }

    pub(crate) fn find(&self, name: &str) -> Option<ScheduleKey> {
        self.by_name.get(name).copied()
    }

    pub(crate) fn get(&self, key: ScheduleKey) -> &Schedule {
        self.entries.get(&key).expect("a key in use names a schedule")
    }

    pub(crate) fn get_mut(&mut self, key: ScheduleKey) -> &mut Schedule {
        self.entries.get_mut(&key).expect("a key in use names a schedule")
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (ScheduleKey, &Schedule)> {
        self.entries.iter().map(|(key, schedule)| (*key, schedule))
    }

    /// Schedules behind this key.
    pub(crate) fn after(&self, key: ScheduleKey) -> impl Iterator<Item = (ScheduleKey, &Schedule)> {
        let behind = (std::ops::Bound::Excluded(key), std::ops::Bound::Unbounded);
        self.entries.range(behind).map(|(key, schedule)| (*key, schedule))
    }

    /// Adds a schedule whose name is not there yet.
    pub(crate) fn insert(&mut self, schedule: Schedule) -> ScheduleKey {
        self.last_key += 1;
        let key = ScheduleKey(self.last_key);
        self.added += usize::from(schedule.source == Source::Set);
        self.by_name.insert(schedule.given.name.clone(), key);
        self.entries.insert(key, schedule);
        key
    }

    pub(crate) fn remove(&mut self, key: ScheduleKey) -> Schedule {
        let schedule = self.entries.remove(&key).expect("a key in use names a schedule");
        self.added -= usize::from(schedule.source == Source::Set);
        self.by_name.remove(&schedule.given.name);
        self.held_up.remove(&key);
        schedule
    }

    /// A run of the schedule is this job. Where later runs join it, the first due time is what comes again.
    pub(crate) fn add_live(&mut self, number: u64, key: ScheduleKey, due: Option<UnixTime>) {
        let first = self.live.entry((number, key)).or_default();
        *first = first.or(due.map(UnixTime::millis));
    }

    /// Whether any job that lives is a run of a schedule.
    pub(crate) fn has_live(&self) -> bool {
        !self.live.is_empty()
    }

    /// The schedules that this job is a run of, with the due time of each; they are forgotten.
    pub(crate) fn take_live(&mut self, number: u64) -> Vec<(ScheduleKey, Option<i64>)> {
        let of_job = (number, ScheduleKey(0))..=(number, ScheduleKey(u64::MAX));
        let mut runs: Vec<_> = self.live.range(of_job).map(|((_, key), due)| (*key, *due)).collect();
        for (key, _) in &runs {
            self.live.remove(&(number, *key));
        }
        runs.retain(|(key, _)| self.entries.contains_key(key));
        runs
    }

    /// Numbers of the jobs that live and are runs of schedules.
    pub(crate) fn live_numbers(&self) -> impl Iterator<Item = u64> {
        self.live.keys().map(|(number, _)| *number)
    }
}
