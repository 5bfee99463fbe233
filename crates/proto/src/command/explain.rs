//! The command `explain`.

use super::{Bytes, FunctionName};
use serde::{Deserialize, Serialize};

/// `explain`: exactly one of both.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Explain {
    /// A job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handle: Option<Bytes>,
    /// A function.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<FunctionName>,
}

/// Why something does not move, and when it will.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Explanation {
    /// The job, where one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handle: Option<Bytes>,
    /// The function.
    pub function: FunctionName,
    /// The findings, the decisive one first.
    pub findings: Vec<Finding>,
    /// Jobs that are served before it; 0 is the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ahead: Option<u64>,
    /// Milliseconds until it will probably start, by the recent service rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_in_ms: Option<u64>,
    /// Jobs of the function that ended in the last minute.
    pub served_per_minute: u64,
}

/// One reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Its name, for scripts: `unknown`, `no-worker`, `all-busy`, `paused`, `draining`, `delayed`, `retry-pause`,
    /// `max-running`, `rate`, `woken`, `suspended`, `not-assigning`, `running`, `next`, `dead`, `finished`, `idle`;
    /// `queue` (jobs are before it), `other-functions` (its workers serve others first), `silent` (workers that
    /// neither sleep nor ask), `not-written` (the record is on its way to disk), `store` (it takes no changes).
    pub reason: String,
    /// The same as a sentence, with its figures.
    pub text: String,
}
