//! Commands about recurring schedules.

use super::{Bytes, FunctionName, PriorityName};
use serde::{Deserialize, Serialize};

/// What happens to runs whose time passed while the server could not start them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Missed {
    /// They are left out.
    Skip,
    /// One run stands for all of them.
    #[default]
    One,
    /// Each is made up for, up to a limit.
    All,
}

/// What happens when a run is due while the one before waits or runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Overlap {
    /// It is left out.
    Skip,
    /// It is submitted all the same.
    #[default]
    Queue,
    /// It joins the one before: a run that waits or runs stands for it as well.
    Coalesce,
}

/// `schedule add`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ScheduleAdd {
    /// Its name.
    pub name: String,
    /// When it runs: five or six cron fields, `@hourly` and the like, or `every 90s`.
    pub when: String,
    /// Name of the time zone, such as `Europe/Berlin`; default the server's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Function of its jobs.
    pub function: FunctionName,
    /// Workload of its jobs. Absent where it is empty, and in the answers to changes, which do not repeat it.
    #[serde(default, skip_serializing_if = "Bytes::is_empty")]
    pub workload: Bytes,
    /// Priority of its jobs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<PriorityName>,
    /// Unique of its jobs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique: Option<Bytes>,
    /// What happens to runs whose time passed while the server was down.
    #[serde(default)]
    pub missed: Missed,
    /// What happens while the run before is not over.
    #[serde(default)]
    pub overlap: Overlap,
    /// Whether a schedule of this name is replaced instead of being an error.
    #[serde(default)]
    pub replace: bool,
}

/// `schedule list`
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScheduleList {
    /// `next` of the page before; 0 is the beginning.
    pub after: u64,
}

/// `schedule show`, `pause`, `resume`, `run` and `remove`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleName {
    /// Its name.
    pub name: String,
}

/// A schedule. Times are milliseconds of Unix time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ScheduleRow {
    /// What was given with `schedule add`, the zone filled in.
    #[serde(flatten)]
    pub schedule: ScheduleAdd,
    /// `file` or `set`.
    pub source: String,
    /// Whether its runs pass.
    pub paused: bool,
    /// When it runs next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
    /// The time of its last run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<i64>,
    /// When the job of its last run was submitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_started: Option<i64>,
    /// Handle of its last job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handle: Option<Bytes>,
    /// `waiting`, `running`, or how its last job ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_outcome: Option<String>,
    /// How many milliseconds its last job took, from its submit to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_took_ms: Option<i64>,
    /// Jobs it submitted.
    pub runs: u64,
    /// Runs that were left out since it was paused, or the run before was not over.
    pub skipped: u64,
    /// Runs that were left out since their time had passed.
    #[serde(default)]
    pub missed_runs: u64,
    /// Runs whose job was refused, or ended otherwise than by completing.
    #[serde(default)]
    pub failed: u64,
}
