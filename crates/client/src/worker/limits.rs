//! The limits of a worker.

use crate::limits::{
    ANSWER_LIMIT_DEFAULT, BODY_BYTES_MAX_DEFAULT, CONNECT_LIMIT_DEFAULT, WRITE_LIMIT_DEFAULT,
};
use std::time::Duration;

/// The limits of a worker and its connections.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WorkerLimits {
    /// How long connecting to a server may take, over all addresses of its host; default 10 seconds.
    pub connect: Duration,
    /// How long a server may leave a grab unanswered, while jobs that it assigned are in hand, before the connection
    /// is given up; default 60 seconds.
    pub answer: Duration,
    /// The same while no job is in hand that could be lost; default 10 seconds. Meanwhile the grab has a slot that
    /// other servers could use.
    pub grab: Duration,
    /// How long a server may take none of the bytes written to it; default 60 seconds.
    pub write: Duration,
    /// How often a sleeping worker looks for work by itself; default 30 seconds.
    ///
    /// It finds jobs that its server forgot to wake anybody for (gearmand 1.1.20: those whose time has come), and
    /// notices a server that is gone without a word.
    pub look_every: Duration,
    /// The first pause before a connection is tried again; default 100 milliseconds. Pauses double, with jitter
    /// of up to as much again.
    pub reconnect_min: Duration,
    /// The longest pause before a connection is tried again, jitter aside; default 15 seconds.
    pub reconnect_max: Duration,
    /// Largest packet body taken, in bytes; default 256 MiB.
    pub body_bytes_max: u32,
    /// How many bytes of progress, data and warnings may wait for a server to take them before the handlers that
    /// report more are made to wait; default 1 MiB.
    pub unwritten_bytes_max: usize,
}

impl Default for WorkerLimits {
    fn default() -> Self {
        Self {
            connect: CONNECT_LIMIT_DEFAULT,
            answer: ANSWER_LIMIT_DEFAULT,
            grab: Duration::from_secs(10),
            write: WRITE_LIMIT_DEFAULT,
            look_every: Duration::from_secs(30),
            reconnect_min: Duration::from_millis(100),
            reconnect_max: Duration::from_secs(15),
            body_bytes_max: BODY_BYTES_MAX_DEFAULT,
            unwritten_bytes_max: 1024 * 1024,
        }
    }
}

/// How long a worker that leaves waits for a server that says nothing: 5 seconds. It is done with its jobs, and a
/// server gives to others what it assigns now.
pub(super) const LEAVE_LIMIT: Duration = Duration::from_secs(5);

/// Longest text of an exception that a handler's error becomes, in bytes: 64 KiB.
pub(super) const EXCEPTION_BYTES_MAX: usize = 64 * 1024;

/// Most causes of an error that its text names.
pub(super) const EXCEPTION_CAUSES_MAX: usize = 32;

/// How much later than the server a worker gives up a job over its time limit: 1 second.
///
/// The server acts first: it gives the job to another worker, where this one would end it for good.
pub(super) const TIMEOUT_GRACE: Duration = Duration::from_secs(1);

/// Shortest time limit of a job that servers keep: a shorter one is raised to it.
pub(super) const TIMEOUT_MIN: Duration = Duration::from_secs(1);

/// How long results of jobs that end at once may be gathered for one write: 1 millisecond.
pub(super) const GATHER_LIMIT: Duration = Duration::from_millis(1);
