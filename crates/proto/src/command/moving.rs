//! The commands `export` and `import`: all that is kept, as lines of JSON.

use super::{AttemptRow, Bytes, FunctionName, PriorityName, ScheduleAdd, ShelfName};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is exported, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Section {
    /// Rules that were set at run time.
    Policies,
    /// Schedules that were added at run time.
    Schedules,
    /// Dead letters.
    Dead,
    /// Background jobs that wait or run.
    Jobs,
}

/// `export`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Export {
    /// Which section.
    pub section: Section,
    /// `next` of the page before; 0 is the beginning.
    #[serde(default)]
    pub after: u64,
    /// For the section `dead`: which letters. Default all.
    #[serde(default)]
    pub filter: super::DeadFilter,
}

/// One line of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind", deny_unknown_fields)]
pub enum Item {
    /// A rule.
    Policy {
        /// The function or pattern.
        function: FunctionName,
        /// Its values by key.
        values: BTreeMap<String, String>,
    },
    /// A schedule.
    Schedule {
        /// As it was added.
        schedule: ScheduleAdd,
        /// Whether its runs pass.
        paused: bool,
        /// The time of its last run, in milliseconds of Unix time.
        last: Option<i64>,
    },
    /// A job that waits or runs, or one on a shelf.
    #[serde(rename_all = "kebab-case")]
    Job {
        /// The number of the queue it comes from, and its own there: one job is taken in once.
        origin: String,
        /// Its number there.
        number: u64,
        /// Its function.
        function: FunctionName,
        /// Its unique; empty for none.
        #[serde(default)]
        unique: Bytes,
        /// Its priority.
        priority: PriorityName,
        /// Its workload.
        workload: Bytes,
        /// Its reducer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reducer: Option<Bytes>,
        /// Second of Unix time before which it does not run; 0 is none.
        #[serde(default)]
        not_before: i64,
        /// Workers it was given to that did not finish it.
        #[serde(default)]
        attempts: u32,
        /// Workers it lost.
        #[serde(default)]
        lost: u32,
        /// When it was submitted, in milliseconds of Unix time.
        submitted: i64,
        /// Where it is kept, when it is not in the queue.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        shelf: Option<ShelfName>,
        /// When it left the queue.
        #[serde(default)]
        ended: i64,
        /// How it ended.
        #[serde(default)]
        how: String,
        /// The error of its last attempt.
        #[serde(default)]
        error: Bytes,
        /// How each attempt ended.
        #[serde(default)]
        log: Vec<AttemptRow>,
    },
}

/// `import`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Import {
    /// What is taken in.
    pub item: Item,
    /// Whether it is only looked at: it is answered as it would be, or `checked`, and nothing is taken in.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub check: bool,
}

/// What became of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// `new`, or `known` when it was taken in before.
    pub outcome: String,
    /// The handle of the job it became.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handle: Option<Bytes>,
}
