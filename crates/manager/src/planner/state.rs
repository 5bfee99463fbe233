//! What a process of a program is doing, as people see it.
//!
//! From: the planner's decisions. To: status, log. Never: two states at once.

use super::leave::Leave;
use super::moment::Moment;
use std::fmt;

/// One process for as long as the manager runs; numbers are never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessId(pub u64);

/// The state of one place of a program.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// The process was spawned and is not ready yet.
    Starting(Up),
    /// The process is ready.
    Running(Up),
    /// No process; the next one is spawned at this moment, or when the programs before it are ready.
    Backoff {
        /// When the pause is over.
        until: Moment,
    },
    /// A person, a shutdown or a new configuration wants the process gone.
    Stopping(Leave),
    /// The process was told to leave in the course of things: its lifetime is over, another one takes its
    /// place, there are to be fewer. It finishes its job.
    Draining(Leave),
    /// No process, and none is wanted.
    Exited,
    /// Processes ended too soon, too often in a row: none is spawned until a person or a change says so.
    CrashLooping,
}

/// A process that is not told to leave.
#[derive(Debug, Clone, PartialEq)]
pub struct Up {
    /// Which one.
    pub process: ProcessId,
    /// When it was spawned.
    pub spawned: Moment,
    /// Whether it was spawned to do functions: then a job server says when it is ready.
    pub is_worker: bool,
    /// Which change of its program it was spawned after.
    pub(crate) version: u64,
    /// When its lifetime is over.
    pub(crate) expires: Option<Moment>,
}

/// A process that another manager left behind, in a place of a program that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Orphan {
    /// The number of its place.
    pub slot: u32,
    /// When it was spawned.
    pub spawned: Moment,
    /// Whether it was spawned to do functions, whatever its program is by now.
    pub is_worker: bool,
    /// It goes on in its place; otherwise it is told to leave, and its place waits for that.
    pub may_stay: bool,
}

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// With this exit code.
    Code(i32),
    /// By this signal, as `SIGKILL`.
    Signal(&'static str),
    /// It was an orphan that was adopted: whose child it was knows how.
    Unknown,
    /// It never began: the operating system's reason.
    NotSpawned(String),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(name) => f.write_str(name),
            Self::Unknown => f.write_str("unknown end"),
            Self::NotSpawned(reason) => write!(f, "cannot be started: {reason}"),
        }
    }
}

impl State {
    /// The name of the state, as `ctl status` prints it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Starting(_) => "starting",
            Self::Running(_) => "running",
            Self::Backoff { .. } => "backoff",
            Self::Stopping(_) => "stopping",
            Self::Draining(_) => "draining",
            Self::Exited => "exited",
            Self::CrashLooping => "crash-looping",
        }
    }

    /// The process in this state.
    #[must_use]
    pub const fn process(&self) -> Option<ProcessId> {
        match self {
            Self::Starting(up) | Self::Running(up) => Some(up.process),
            Self::Stopping(leave) | Self::Draining(leave) => Some(leave.process),
            Self::Backoff { .. } | Self::Exited | Self::CrashLooping => None,
        }
    }

    /// The process, unless it was told to leave.
    pub(crate) const fn up(&self) -> Option<&Up> {
        match self {
            Self::Starting(up) | Self::Running(up) => Some(up),
            Self::Stopping(_)
            | Self::Draining(_)
            | Self::Backoff { .. }
            | Self::Exited
            | Self::CrashLooping => None,
        }
    }
}
