//! What happens in the queue, for logs and metrics: each line and each counter comes from one of these.

use crate::ids::ConnId;
use crate::persist::{DocumentKind, Outcome, Shelf};
use geartrain_proto::{ErrorCode, Function, Handle, Unique};
use std::time::Duration;

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
    /// It was given up: its attempts were used up, or it expired, or it is taken for the cause that its workers
    /// were lost. A background job is a dead letter now.
    Dead(Outcome),
    /// Its last foreground client left before it ran.
    Abandoned,
    /// Its record could not be written; its client was told so.
    NotStored,
}

impl Ended {
    /// Whether a worker's time was spent on it to the end, so that it says how fast jobs are served.
    pub(crate) const fn was_served(self) -> bool {
        match self {
            Ended::Completed | Ended::Failed | Ended::Exception => true,
            Ended::Dead(how) => !matches!(how, Outcome::Expired | Outcome::Unreadable),
            Ended::Cancelled | Ended::Abandoned | Ended::NotStored => false,
        }
    }
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
    /// The budget for waiting jobs is used up, for the first time since they were well below it or by ever more:
    /// workloads of so many bytes left memory that came before. That may be given back to the system.
    Spilled { bytes: u64, is_first: bool },
    /// A worker waits for a job whose workload is not in memory: it gets the job when that was read.
    Awaited { handle: Handle<'a>, function: Function<'a> },
    /// A worker got a job.
    Assigned { handle: Handle<'a>, function: Function<'a> },
    /// A worker did not finish a job, which goes back to the queue or is given up.
    GivenBack { handle: Handle<'a>, function: Function<'a>, reason: Outcome, attempts: u32 },
    /// A job is gone.
    Ended { handle: Handle<'a>, function: Function<'a>, how: Ended },
    /// A request of this connection was answered with `ERROR`.
    Refused { conn: ConnId, code: ErrorCode, text: &'a str },
    /// A sleeping worker was sent `NOOP`.
    Woken,
    /// A worker, by its client id or address, gets no jobs for a while: it failed that many in a row which
    /// others completed.
    Suspended { worker: &'a [u8], failures: u32, pause: Duration },
    /// That is over.
    Unsuspended { worker: &'a [u8] },
    /// A letter was kept for as long as, or is one more than, its function's policy says.
    LetterRemoved { handle: Handle<'a>, function: Function<'a>, shelf: Shelf },
    /// What the store keeps under this name cannot be read. It is left as it is, and does not count.
    UnreadableDocument { kind: DocumentKind, name: &'a [u8], error: &'a str },
    /// Runs of a schedule were left out: their times had passed. There were more than that, where it says so.
    RunsMissed { name: &'a [u8], count: u32, more: bool },
    /// The job of a schedule was refused.
    RunRefused { name: &'a [u8], reason: &'a str },
    /// A schedule of the configuration file has no effect: one of its name was added at run time.
    ScheduleHidden { name: &'a [u8] },
    /// A schedule was left out.
    ScheduleLeft { name: &'a [u8], reason: &'a str },
    /// Another policy is in force for this function.
    PolicyChanged { function: Function<'a> },
    /// A person changed so many jobs, letters or values of a policy with a typed command.
    Steered { conn: ConnId, command: &'a str, changed: u64 },
}
