//! The limits of a worker.

use crate::limits::{
    ANSWER_LIMIT_DEFAULT, BODY_BYTES_MAX_DEFAULT, CONNECT_LIMIT_DEFAULT, WRITE_LIMIT_DEFAULT,
};
use crate::net::Pauses;
use std::time::Duration;

/// The limits of a worker and its connections; [`WorkerBuilder`](super::WorkerBuilder) says what each is.
#[derive(Debug, Clone)]
pub(super) struct WorkerLimits {
    pub(super) connect: Duration,
    pub(super) answer: Duration,
    pub(super) grab: Duration,
    pub(super) write: Duration,
    pub(super) look_every: Duration,
    pub(super) pauses: Pauses,
    pub(super) body_bytes_max: u32,
    pub(super) unwritten_bytes_max: usize,
}

impl Default for WorkerLimits {
    fn default() -> Self {
        Self {
            connect: CONNECT_LIMIT_DEFAULT,
            answer: ANSWER_LIMIT_DEFAULT,
            grab: Duration::from_secs(10),
            write: WRITE_LIMIT_DEFAULT,
            look_every: Duration::from_secs(30),
            pauses: Pauses { first: Duration::from_millis(100), longest: Duration::from_secs(15) },
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

/// How much later than the server a worker gives up a job over its time limit: 1 second.
///
/// The server acts first: it gives the job to another worker, where this one would end it for good.
pub(super) const TIMEOUT_GRACE: Duration = Duration::from_secs(1);

/// Longest time limit of a job that servers keep: 24 days.
pub(super) const TIMEOUT_MAX: Duration = Duration::from_secs(24 * 24 * 60 * 60);

/// Shortest time limit of a job that servers keep: 1 second.
pub(super) const TIMEOUT_MIN: Duration = Duration::from_secs(1);

/// How long results of jobs that end at once may be gathered for one write: 1 millisecond.
pub(super) const GATHER_LIMIT: Duration = Duration::from_millis(1);
