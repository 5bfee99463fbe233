//! What is to be remembered: the records of background jobs and of those that left the queue, the documents
//! of policies and schedules, and the changes to all of them.
//!
//! From: `core`, whenever something of this comes, goes or changes.
//! To: a store, in the order of the tickets; and back, at start through [`crate::Core::load`], later through
//! [`crate::Core::handle_read`] where `core` asked for it.

mod owned;

pub use owned::{OwnedAttempt, OwnedFound, OwnedRecord, OwnedShelving};

use crate::ids::UnixTime;
use geartrain_proto::Priority;

/// A background job as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// The number in the job's handle; never given twice. 1 or larger.
    pub number: u64,
    /// Where the job stands among those of its function and priority: the smaller is served first.
    ///
    /// A new job's place is its number; a job that is given back gets a new one, at the end.
    pub place: u64,
    /// Name of the function.
    pub function: &'a [u8],
    /// The unique; empty when absent, `-` when the workload stands for it.
    pub unique: &'a [u8],
    /// How urgent it is.
    pub priority: Priority,
    /// What the worker gets; may be empty.
    pub workload: &'a [u8],
    /// The reducer of `SUBMIT_REDUCE_JOB_BACKGROUND`.
    pub reducer: Option<&'a [u8]>,
    /// Second of Unix time before which it does not run; 0 means none. Below 0, it waits in its line since that
    /// second after 1970, whatever the clock says.
    pub not_before: i64,
    /// How many workers it was given to that did not finish it.
    pub attempts: u32,
    /// How many of these disconnected.
    pub lost: u32,
    /// When it was submitted.
    pub submitted: UnixTime,
}

/// How an attempt, or a job, came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Outcome {
    /// `WORK_COMPLETE`; stored as 0.
    Completed = 0,
    /// The worker's connection ended; stored as 1.
    Disconnected = 1,
    /// It took longer than it may; stored as 2.
    TimedOut = 2,
    /// The worker sent `CANT_DO` or `RESET_ABILITIES` while it ran the job; stored as 3.
    Unable = 3,
    /// `WORK_FAIL`; stored as 4.
    Failed = 4,
    /// `WORK_EXCEPTION`; stored as 5.
    Exception = 5,
    /// It lost so many workers that it is taken for the cause; stored as 6.
    LostWorkers = 6,
    /// It waited longer than its function's policy allows; stored as 7.
    Expired = 7,
    /// It could not be read from the store; stored as 8.
    Unreadable = 8,
}

impl Outcome {
    /// All of them, by the number they are stored as.
    pub const ALL: [Outcome; 9] = [
        Outcome::Completed,
        Outcome::Disconnected,
        Outcome::TimedOut,
        Outcome::Unable,
        Outcome::Failed,
        Outcome::Exception,
        Outcome::LostWorkers,
        Outcome::Expired,
        Outcome::Unreadable,
    ];

    /// The outcome stored as this number.
    #[must_use]
    pub fn from_stored(number: i64) -> Option<Self> {
        usize::try_from(number).ok().and_then(|index| Self::ALL.get(index)).copied()
    }

    /// Its name in replies and policies.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Outcome::Completed => "completed",
            Outcome::Disconnected => "disconnect",
            Outcome::TimedOut => "timeout",
            Outcome::Unable => "unable",
            Outcome::Failed => "fail",
            Outcome::Exception => "exception",
            Outcome::LostWorkers => "lost-workers",
            Outcome::Expired => "expired",
            Outcome::Unreadable => "unreadable",
        }
    }

    /// The outcome of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }
}

/// An attempt that ended without a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt<'a> {
    /// The job.
    pub number: u64,
    /// 1 is the first. A store keeps the last [`ATTEMPTS_KEPT`] of a job.
    pub attempt: u32,
    /// When the worker got the job.
    pub started: UnixTime,
    /// When it was over.
    pub ended: UnixTime,
    /// Client id of the worker; empty for none.
    pub client_id: &'a [u8],
    /// Address of the worker.
    pub address: &'a [u8],
    /// How it ended.
    pub how: Outcome,
    /// What the worker said of it: at most [`ATTEMPT_TEXT_BYTES_MAX`].
    pub text: &'a [u8],
}

/// How many attempts of a job a store keeps; an older one gives way.
pub const ATTEMPTS_KEPT: u32 = 64;

/// Longest text of an attempt, in bytes; what is beyond is cut off.
pub const ATTEMPT_TEXT_BYTES_MAX: usize = 64 * 1024;

/// Longest excerpt of an error that is kept with a letter, in bytes.
pub const ERROR_BYTES_MAX: usize = 512;

/// Where jobs are kept that left the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Shelf {
    /// Dead letters; stored as 0.
    Dead = 0,
    /// Finished jobs; stored as 1.
    Finished = 1,
}

impl Shelf {
    /// All of them, by the number they are stored as.
    pub const ALL: [Shelf; 2] = [Shelf::Dead, Shelf::Finished];

    /// The shelf stored as this number.
    #[must_use]
    pub fn from_stored(number: i64) -> Option<Self> {
        usize::try_from(number).ok().and_then(|index| Self::ALL.get(index)).copied()
    }
}

/// What is written about a job that goes to a shelf, beside its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shelving<'a> {
    /// The job; it may be unknown to the store when its record never became durable.
    pub number: u64,
    /// Where it is kept.
    pub shelf: Shelf,
    /// When it left the queue.
    pub ended: UnixTime,
    /// How it ended.
    pub how: Outcome,
    /// How many workers it was given to that did not finish it.
    pub attempts: u32,
    /// The error of its last attempt: at most [`ERROR_BYTES_MAX`].
    pub error: &'a [u8],
}

/// A job on a shelf, without its contents: what is loaded at start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LetterHead<'a> {
    /// What was written when it was shelved.
    pub shelving: Shelving<'a>,
    /// Name of its function.
    pub function: &'a [u8],
    /// Length of its function, unique, reducer and workload together, in bytes.
    pub bytes: u64,
}

/// Something kept under a name: a rule of policies, a schedule. Its body is JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Document<'a> {
    /// What it is.
    pub kind: DocumentKind,
    /// Its name; unique among its kind.
    pub name: &'a [u8],
    /// What it says; `None` when it is to be forgotten.
    pub body: Option<&'a [u8]>,
}

/// What a document is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum DocumentKind {
    /// A rule of policies, by its pattern; stored as 0.
    Policy = 0,
    /// A schedule, by its name; stored as 1.
    Schedule = 1,
    /// Which jobs were taken in from an export, by the origin of that; stored as 2.
    Import = 2,
}

impl DocumentKind {
    /// All of them, by the number they are stored as.
    pub const ALL: [DocumentKind; 3] = [DocumentKind::Policy, DocumentKind::Schedule, DocumentKind::Import];

    /// The kind stored as this number.
    #[must_use]
    pub fn from_stored(number: i64) -> Option<Self> {
        usize::try_from(number).ok().and_then(|index| Self::ALL.get(index)).copied()
    }
}

/// One durable change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op<'a> {
    /// A background job was accepted: remember it.
    Put(Record<'a>),
    /// A stored job that waits was changed: it came back from a worker, was moved, or got another priority.
    Change(Change<'a>),
    /// An attempt of a stored job ended without a result.
    Attempt(Attempt<'a>),
    /// A job left the queue, and is kept on a shelf with its attempts: both in one step.
    Shelve(Shelving<'a>),
    /// A job is on a shelf no more, and its attempts are forgotten. Void when it is not there.
    ///
    /// Where a [`Op::Put`] of its number stands before it in the same input, the job is back in the queue.
    Unshelve {
        /// The job.
        number: u64,
        /// Where it was kept.
        shelf: Shelf,
    },
    /// A stored job ended: forget it. The job may be unknown to the store.
    Delete {
        /// The job.
        number: u64,
        /// How many attempts of it were written, so that a job without any costs nothing more.
        attempts: u32,
    },
    /// A document was written, or is to be forgotten.
    Document(Document<'a>),
    /// Numbers below `until` may be given out: after a restart none of them is given again.
    ReserveNumbers {
        /// The first number that is not reserved.
        until: u64,
    },
}

/// All that may change about a stored job that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change<'a> {
    /// The job.
    pub number: u64,
    /// Its place.
    pub place: u64,
    /// Name of its function.
    pub function: &'a [u8],
    /// How urgent it is.
    pub priority: Priority,
    /// Second of Unix time before which it does not run; 0 means none. Below 0, it waits in its line since that
    /// second after 1970, whatever the clock says.
    pub not_before: i64,
    /// How many workers it was given to that did not finish it.
    pub attempts: u32,
    /// How many of these disconnected.
    pub lost: u32,
}

/// What is loaded at start: documents first, then letters in the order of their numbers, then jobs in the
/// order of their places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored<'a> {
    /// A policy or schedule; its body is there.
    Document(Document<'a>),
    /// A job on a shelf.
    Letter(LetterHead<'a>),
    /// A job that waits.
    Job(Record<'a>),
}

/// What `core` asks the store for while it runs; see [`crate::Outbox::read`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Workloads of waiting jobs: [`Found::Workload`].
    Workloads,
    /// Waiting jobs, each followed by its attempts: [`Found::Job`], [`Found::Attempt`].
    Jobs,
    /// Jobs on a shelf, each followed by its attempts: [`Found::Letter`], [`Found::Attempt`].
    Letters(Shelf),
}

/// One thing that was found in the store. What was asked for and is not there is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found<'a> {
    /// The workload of a waiting job.
    Workload {
        /// Number of the job.
        number: u64,
        /// What its worker gets.
        workload: &'a [u8],
    },
    /// A waiting job.
    Job(Record<'a>),
    /// A job on a shelf; `place` of its record is its number.
    Letter(Record<'a>, Shelving<'a>),
    /// An attempt of the job given last, the oldest first.
    Attempt(Attempt<'a>),
}
