//! What happens in the queue, for logs and metrics: each line and each counter comes from one of these.

use crate::ids::ConnId;
use geartrain_proto::{ErrorCode, Function, Handle, Unique};

/// Why a worker lost a job it had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GivenBack {
    /// Its connection ended.
    Disconnected,
    /// It took longer than its `CAN_DO_TIMEOUT`.
    TimedOut,
    /// It sent `CANT_DO` or `RESET_ABILITIES` while it ran the job.
    Unable,
}

/// How a job left the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// `WORK_COMPLETE`.
    Completed,
    /// `WORK_FAIL`.
    Failed,
    /// `WORK_EXCEPTION`.
    Exception,
    /// `cancel job`, or `drop function NAME force`.
    Cancelled,
    /// Its attempts (`--job-retries`) were used up.
    RetriesSpent,
    /// Its last foreground client left before it ran.
    Abandoned,
    /// Its record could not be written; its client was told so.
    NotStored,
}

/// Something that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields name themselves")]
pub enum Event<'a> {
    /// A submit made a new job.
    Accepted {
        handle: Handle<'a>,
        function: Function<'a>,
        unique: Unique<'a>,
        not_before: i64,
        background: bool,
    },
    /// A submit joined a job that waits or runs.
    Coalesced { handle: Handle<'a>, function: Function<'a>, unique: Unique<'a> },
    /// A worker got a job.
    Assigned { handle: Handle<'a>, function: Function<'a> },
    /// A worker lost a job, which goes back to the queue.
    GivenBack { handle: Handle<'a>, function: Function<'a>, reason: GivenBack, attempts: u32 },
    /// A job is gone.
    Ended { handle: Handle<'a>, function: Function<'a>, how: Ended },
    /// A request of this connection was answered with `ERROR`.
    Refused { conn: ConnId, code: ErrorCode, text: &'a str },
    /// A sleeping worker was sent `NOOP`.
    Woken,
}
