//! Recurring schedules: what they are, and what is known of their runs.
//!
//! From: the configuration file, `schedule add`, the documents of the store. To: jobs, which the queue submits
//! to itself (`schedule/run.rs`), and a document for each schedule, written in the same step as the job, so
//! that a run is neither lost nor doubled by a restart.
//! Never: runs a due time twice, also when the clock is set back; see [`Schedule::done`].
//!
//! `plan.rs` decides what happens at a due time, `table.rs` holds them all, `body.rs` is how one is stored.

mod body;
mod plan;
mod run;
mod table;

use crate::calendar::Recurrence;
use crate::ids::UnixTime;
use geartrain_proto::command::{CommandError, ScheduleAdd};
use geartrain_proto::limits::{FUNCTION_BYTES_MAX, UNIQUE_BYTES_MAX};
use serde::{Deserialize, Serialize};
pub(crate) use table::{ScheduleKey, Schedules};

/// Longest name of a schedule, in bytes.
pub const SCHEDULE_NAME_BYTES_MAX: usize = 50;

/// Longest workload of a schedule, in bytes. It is written anew at each run.
pub const SCHEDULE_WORKLOAD_BYTES_MAX: usize = 1 << 20;

/// Where a schedule comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Source {
    /// The configuration file: it is there as long as it stands in it.
    File,
    /// `schedule add`: it is there until `schedule remove`.
    Set,
}

impl Source {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Source::File => "file",
            Source::Set => "set",
        }
    }
}

/// A schedule.
#[derive(Debug)]
pub(crate) struct Schedule {
    /// As it was given, the zone filled in.
    pub(crate) given: ScheduleAdd,
    pub(crate) recurrence: Recurrence,
    pub(crate) source: Source,
    pub(crate) memory: Memory,
    /// Its next due time; `None` while it is paused, and when its calendar has ended.
    pub(crate) next: Option<UnixTime>,
    /// Late runs that were made up for in a row.
    made_up: u32,
}

/// What is remembered of the runs of a schedule, over restarts as well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Memory {
    pub(crate) paused: bool,
    /// Where a period is counted from, in milliseconds of Unix time.
    anchor: i64,
    /// All due times up to here, in milliseconds of Unix time, are dealt with and never looked at again.
    done: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last: Option<LastRun>,
    /// Jobs it submitted, those that joined another included.
    #[serde(default)]
    pub(crate) runs: u64,
    /// Runs left out because it was paused, or because the run before was not over.
    #[serde(default)]
    pub(crate) skipped: u64,
    /// Runs left out because their time had passed.
    #[serde(default)]
    pub(crate) missed: u64,
    /// Runs that ended otherwise than by completing, and those whose job was refused.
    #[serde(default)]
    pub(crate) failed: u64,
}

/// The last run of a schedule. Times are milliseconds of Unix time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LastRun {
    /// When it was due.
    pub(crate) due: i64,
    /// When its job was submitted.
    pub(crate) started: i64,
    /// Number of its job; absent when the job was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) number: Option<u64>,
    /// How it ended; absent while it waits or runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) outcome: Option<String>,
    /// How long it took from its submit to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) took_ms: Option<i64>,
}

impl Schedule {
    /// A schedule that begins now.
    ///
    /// # Errors
    /// When something about it cannot be met.
    pub(crate) fn new(
        mut given: ScheduleAdd,
        zone: &str,
        source: Source,
        now: UnixTime,
    ) -> Result<Self, CommandError> {
        let recurrence = check_schedule(&given, zone)?.anchored(now);
        given.zone.get_or_insert_with(|| zone.to_owned());
        given.replace = false;
        let memory = Memory {
            paused: false,
            anchor: now.millis(),
            done: now.millis(),
            last: None,
            runs: 0,
            skipped: 0,
            missed: 0,
            failed: 0,
        };
        let next = recurrence.next_after(now);
        Ok(Self { given, recurrence, source, memory, next, made_up: 0 })
    }

    /// Takes over what is remembered of a schedule of this name.
    ///
    /// Its due times begin now when it had others before.
    pub(crate) fn remember(&mut self, before: &ScheduleAdd, memory: Memory) {
        let begun = std::mem::replace(&mut self.memory, memory);
        if before.when != self.given.when || before.zone != self.given.zone {
            self.memory.anchor = begun.anchor;
            self.memory.done = self.memory.done.max(begun.done);
        }
        self.recurrence = self.recurrence.clone().anchored(UnixTime::from_millis(self.memory.anchor));
        self.set_next();
    }

    /// It goes on where another queue left it: all due times up to `last` are dealt with, if that is not to come.
    pub(crate) fn go_on_behind(&mut self, last: Option<i64>, paused: bool) {
        self.memory.paused = paused;
        if let Some(last) = last.filter(|last| *last < self.memory.done) {
            self.memory.done = last;
            self.memory.anchor = last;
            self.recurrence = self.recurrence.clone().anchored(UnixTime::from_millis(last));
        }
        self.set_next();
    }

    /// All due times up to here are dealt with.
    pub(crate) fn done(&self) -> UnixTime {
        UnixTime::from_millis(self.memory.done)
    }

    /// The unique of its jobs; empty for none.
    pub(crate) fn unique(&self) -> Vec<u8> {
        use geartrain_proto::command::Overlap;
        match (&self.given.unique, self.given.overlap) {
            (Some(unique), _) => unique.as_bytes().to_vec(),
            // What makes a run join the one before.
            (None, Overlap::Coalesce) => format!("schedule:{}", self.given.name).into_bytes(),
            (None, Overlap::Skip | Overlap::Queue) => Vec::new(),
        }
    }

    fn set_next(&mut self) {
        self.next = if self.memory.paused { None } else { self.recurrence.next_after(self.done()) };
    }
}

/// When a schedule runs, where it can be met; `zone` is the server's.
///
/// # Errors
/// When its name, its time, its zone, or a length is wrong: one sentence that says what would be right.
pub fn check_schedule(given: &ScheduleAdd, zone: &str) -> Result<Recurrence, CommandError> {
    let name = &given.name;
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b':' | b'/');
    if name.is_empty() || name.len() > SCHEDULE_NAME_BYTES_MAX || !name.bytes().all(is_name) {
        let shown: String = name.chars().take(SCHEDULE_NAME_BYTES_MAX).collect();
        return Err(CommandError::new(format!(
            "schedule name {shown:?} is not allowed (hint: 1 to {SCHEDULE_NAME_BYTES_MAX} letters, digits and . _ - : /)"
        )));
    }
    let wrong = |text: String| Err(CommandError::new(format!("schedule {name}: {text}")));
    let function = given.function.as_bytes();
    if function.is_empty() || function.len() > FUNCTION_BYTES_MAX || function.contains(&0) {
        let shown = function.get(..64).unwrap_or(function).escape_ascii();
        return wrong(format!(
            "function \"{shown}\" is not allowed (hint: 1 to {FUNCTION_BYTES_MAX} bytes, none of them NUL)"
        ));
    }
    let unique = given.unique.as_ref().map_or(&[][..], |unique| unique.as_bytes());
    if unique.len() > UNIQUE_BYTES_MAX || unique.contains(&0) {
        return wrong(format!(
            "its unique is not allowed (hint: up to {UNIQUE_BYTES_MAX} bytes, none of them NUL)"
        ));
    }
    let workload_len = given.workload.as_bytes().len();
    if workload_len > SCHEDULE_WORKLOAD_BYTES_MAX {
        return wrong(format!(
            "workload of {workload_len} bytes is over the limit of {SCHEDULE_WORKLOAD_BYTES_MAX} bytes"
        ));
    }
    match Recurrence::parse(&given.when, given.zone.as_deref().unwrap_or(zone)) {
        Ok(recurrence) => Ok(recurrence),
        Err(error) => wrong(error.to_string()),
    }
}
