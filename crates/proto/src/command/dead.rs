//! Commands about dead letters, and about finished jobs, which are kept in the same way.

use super::{Bytes, FunctionName, PriorityName};
use serde::{Deserialize, Serialize};

/// Where jobs are kept that left the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ShelfName {
    /// Jobs that used up their attempts, expired, or could not be read.
    #[default]
    Dead,
    /// Jobs that completed, where the policy of their function keeps them.
    Finished,
}

/// Which letters are meant: those that fulfil all that is given. Nothing given: all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct DeadFilter {
    /// These handles only, when there are any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub handles: Vec<Bytes>,
    /// Name of the function, or a pattern with `*` and `?`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<FunctionName>,
    /// The group, as `dead groups` names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Died at least this many seconds ago.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub older_than: Option<u64>,
    /// Died at most this many seconds ago.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub younger_than: Option<u64>,
    /// Pattern of the unique, with `*` and `?`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unique: Option<Bytes>,
    /// Bytes that the workload or the error has somewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<Bytes>,
}

/// `dead groups`
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeadGroups {
    /// `next` of the page before; 0 is the beginning.
    pub after: u64,
}

/// Dead letters whose errors are alike but for numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupRow {
    /// Its name: 16 hexadecimal digits.
    pub group: String,
    /// How they ended: `disconnect`, `timeout`, `fail`, `exception`, `lost-workers`, `expired`, `unreadable`.
    pub how: String,
    /// The error, numbers and hexadecimal blurred; at most 512 bytes.
    pub error: Bytes,
    /// Letters in it.
    pub count: u64,
    /// When the first of them died, in milliseconds of Unix time.
    pub first: i64,
    /// When the last of them died, in milliseconds of Unix time.
    pub last: i64,
    /// Their functions, at most 100 of them.
    pub functions: Vec<FunctionName>,
}

/// `dead counts`
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeadCounts {}

/// How many letters there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Dead letters.
    pub dead: u64,
    /// Their groups.
    pub groups: u64,
    /// Finished jobs that are kept.
    pub finished: u64,
    /// Letters of both kinds that were removed since the server started, since they were too old or too many
    /// for the policy of their function.
    pub removed: u64,
}

/// `dead list`
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeadList {
    /// Which shelf.
    pub shelf: ShelfName,
    /// Which letters.
    pub filter: DeadFilter,
    /// `next` of the page before; 0 is the beginning.
    pub after: u64,
    /// Most rows of this page; 0 and what is over [`super::PAGE_ROWS_MAX`] is that.
    pub limit: u32,
}

/// `dead show`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeadShow {
    /// Which shelf.
    #[serde(default)]
    pub shelf: ShelfName,
    /// The letter.
    pub handle: Bytes,
}

/// A letter. Times are milliseconds of Unix time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LetterRow {
    /// Its handle.
    pub handle: Bytes,
    /// Its function.
    pub function: FunctionName,
    /// Its unique; empty for none.
    pub unique: Bytes,
    /// Its priority.
    pub priority: PriorityName,
    /// Its group, for a dead letter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// How it ended: as [`GroupRow::how`], or `completed`.
    pub how: String,
    /// The error of its last attempt, at most 512 bytes here; whole in the attempts of `dead show`.
    pub error: Bytes,
    /// When it was submitted.
    pub submitted: i64,
    /// When it left the queue.
    pub ended: i64,
    /// Workers it was given to that did not finish it.
    pub attempts: u32,
    /// The workload; only from `dead show`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<Bytes>,
    /// How each attempt ended; only from `dead show`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<AttemptRow>,
}

/// One attempt of a job that ended without a result. Times are milliseconds of Unix time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AttemptRow {
    /// 1 is the first.
    pub attempt: u32,
    /// When the worker got the job.
    pub started: i64,
    /// When it was over.
    pub ended: i64,
    /// Client id of the worker; empty for none.
    pub client_id: Bytes,
    /// Address of the worker.
    pub address: String,
    /// `disconnect`, `timeout`, `unable`, `fail` or `exception`.
    pub how: String,
    /// What the worker said of it, up to 64 KiB.
    pub text: Bytes,
}

/// `dead requeue`
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeadRequeue {
    /// Which letters.
    pub filter: DeadFilter,
    /// Jobs per second, as `10/s`, `0.5/s` or `30/m`; absent: all at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<String>,
    /// How many go first, and have to complete before the others follow; 0: none.
    pub canary: u32,
    /// The function they go to, instead of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<FunctionName>,
    /// Their workload, instead of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload: Option<Bytes>,
}

/// `dead progress`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeadProgress {
    /// The number that `dead requeue` gave.
    pub campaign: u64,
}

/// How far a campaign is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CampaignState {
    /// The first jobs are on their way, and the others wait for their fate.
    Canary,
    /// Jobs are being released.
    Releasing,
    /// All are released; the fate of some is not known yet.
    Waiting,
    /// All are released, and none of them failed.
    Done,
    /// One that was released died again: the others stay where they are.
    Stopped,
}

/// Dead letters on their way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Campaign {
    /// Its number, for `dead progress`.
    pub campaign: u64,
    /// How far it is.
    pub state: CampaignState,
    /// Letters that the filter matched.
    pub matched: u64,
    /// Those that are back in the queue, or were.
    pub released: u64,
    /// Of these, those that completed.
    pub completed: u64,
    /// Of these, those that died again.
    pub died: u64,
}

/// `dead drop`
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeadDrop {
    /// Which shelf.
    pub shelf: ShelfName,
    /// Which letters.
    pub filter: DeadFilter,
    /// `next` of the page before; 0 is the beginning.
    pub after: u64,
    /// Whether they are only counted.
    pub dry: bool,
}

/// How many letters a page dropped, or with `dry` would have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Dropped {
    /// Letters that the filter matched.
    pub matched: u64,
}
