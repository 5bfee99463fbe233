//! Commands about jobs that wait or run, and about workers.

use super::{AttemptRow, Bytes, FunctionName};
use crate::names::Priority;
use serde::{Deserialize, Serialize};

/// A priority by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum PriorityName {
    High,
    Normal,
    Low,
}

impl From<Priority> for PriorityName {
    fn from(priority: Priority) -> Self {
        match priority {
            Priority::High => PriorityName::High,
            Priority::Normal => PriorityName::Normal,
            Priority::Low => PriorityName::Low,
        }
    }
}

impl From<PriorityName> for Priority {
    fn from(name: PriorityName) -> Self {
        match name {
            PriorityName::High => Priority::High,
            PriorityName::Normal => Priority::Normal,
            PriorityName::Low => Priority::Low,
        }
    }
}

/// Where a job is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StateName {
    /// It waits for a worker, or for its time: in a filter `queued` and `delayed` together.
    Waiting,
    /// It waits for a worker.
    Queued,
    /// It waits for its time: an epoch, or the pause before its next attempt.
    Delayed,
    /// It is on a worker.
    Running,
}

/// Which jobs are meant: those that fulfil all that is given. Nothing given: all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct JobsFilter {
    /// Name of the function, or a pattern with `*` and `?`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<FunctionName>,
    /// Where the job is in its life.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<StateName>,
    /// Its priority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<PriorityName>,
    /// Submitted at least this many seconds ago.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub older_than: Option<u64>,
    /// Submitted at most this many seconds ago.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub younger_than: Option<u64>,
    /// Pattern of the unique, with `*` and `?`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unique: Option<Bytes>,
    /// Bytes that the workload has somewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<Bytes>,
}

/// Jobs by handle, or by filter page by page.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JobsPick {
    /// The handles; when there are any, the filter counts for nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub handles: Vec<Bytes>,
    /// Which jobs.
    pub filter: JobsFilter,
    /// `next` of the page before; 0 is the beginning.
    pub after: u64,
}

/// `jobs count`
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JobsCount {
    /// Which jobs.
    pub pick: JobsPick,
}

/// `jobs list`
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JobsList {
    /// Which jobs.
    pub pick: JobsPick,
    /// Most rows of this page; 0 and what is over [`super::PAGE_ROWS_MAX`] is that.
    pub limit: u32,
}

/// `jobs show`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobsShow {
    /// The job.
    pub handle: Bytes,
}

/// `jobs cancel`
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JobsCancel {
    /// Which jobs.
    pub pick: JobsPick,
}

/// `jobs move`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobsMove {
    /// Which jobs; those that run stay where they are.
    pub pick: JobsPick,
    /// Name of the function they go to.
    pub to: FunctionName,
}

/// `jobs priority`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobsPriority {
    /// Which jobs; those that run stay as they are.
    pub pick: JobsPick,
    /// Their new priority.
    pub to: PriorityName,
}

/// How many jobs a page looked at and changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Changed {
    /// Jobs that the filter matched, or that were found by handle.
    pub matched: u64,
    /// Those of them that were changed.
    pub changed: u64,
}

/// A job that waits or runs. Times are milliseconds of Unix time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct JobRow {
    /// Its handle.
    pub handle: Bytes,
    /// Its function.
    pub function: FunctionName,
    /// Its unique; empty for none.
    pub unique: Bytes,
    /// Its priority.
    pub priority: PriorityName,
    /// `queued`, `delayed` or `running`.
    pub state: StateName,
    /// Whether it outlives its clients.
    pub background: bool,
    /// When it was submitted.
    pub submitted: i64,
    /// When it becomes ready, where it waits for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<i64>,
    /// When it ends as expired if it still waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<i64>,
    /// Workers it was given to that did not finish it.
    pub attempts: u32,
    /// The worker that runs it: address and client id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<Bytes>,
    /// Since how many milliseconds it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running_ms: Option<u64>,
    /// Clients that wait for it.
    pub clients: u64,
    /// The workload; only from `jobs show`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<Bytes>,
    /// How each attempt so far ended; only from `jobs show`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<AttemptRow>,
}

/// `workers list`
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorkersList {
    /// `next` of the page before; 0 is the beginning.
    pub after: u64,
}

/// A connection that is able to do something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct WorkerRow {
    /// Number of its socket.
    pub descriptor: i32,
    /// Where it comes from.
    pub address: String,
    /// The port it comes from; none for a socket in the file system.
    ///
    /// With `address` it says which process of its machine is behind it. Servers before this key leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Its client id; empty for none.
    pub client_id: Bytes,
    /// `awake`, `sleeping` or `woken`.
    pub sleep: String,
    /// What it is able to do, at most 100 of it.
    pub functions: Vec<FunctionName>,
    /// Handles of the jobs it runs, at most 100 of them.
    pub running: Vec<Bytes>,
    /// Jobs in a row that it lost or failed, and that others completed then.
    pub failures: u32,
    /// For how many milliseconds more it gets no jobs, since it failed too many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended_ms: Option<u64>,
}
