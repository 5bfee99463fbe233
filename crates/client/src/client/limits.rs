//! What a client is told once and keeps to: time limits, sizes, and what is sent again.

use crate::limits::{
    ANSWER_LIMIT_DEFAULT, CONNECT_LIMIT_DEFAULT, HELD_BYTES_IN_ALL_MAX_DEFAULT, HELD_BYTES_MAX_DEFAULT,
    JOB_LIMIT_DEFAULT, PATIENCE_DEFAULT, PAUSE_MAX, PAUSE_MIN, WRITE_LIMIT_DEFAULT,
};
use crate::net::Pauses;
use crate::session::client::ClientSessionLimits;
use std::time::Duration;
use tokio::time::Instant;

/// What becomes of a job whose connection ends before the job does.
///
/// Whatever is not sent again is reported as [`JobError::Lost`](super::JobError::Lost), which says how far it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Resend {
    /// It is not sent again.
    Never,
    /// It is sent again where no server can know of it, because not all of it was written. It never runs twice on
    /// this account. The default.
    #[default]
    Unsent,
    /// It is sent again, whatever came of it before: it may run twice. For jobs that may.
    Always,
}

/// All limits of a client.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientLimits {
    pub(crate) connect: Duration,
    pub(crate) write: Duration,
    pub(crate) answer: Duration,
    pub(crate) job: Duration,
    pub(crate) patience: Duration,
    pub(crate) pauses: Pauses,
    pub(crate) held_bytes_max: usize,
    pub(crate) held_bytes_in_all_max: usize,
    pub(crate) session: ClientSessionLimits,
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self {
            connect: CONNECT_LIMIT_DEFAULT,
            write: WRITE_LIMIT_DEFAULT,
            answer: ANSWER_LIMIT_DEFAULT,
            job: JOB_LIMIT_DEFAULT,
            patience: PATIENCE_DEFAULT,
            pauses: Pauses { first: PAUSE_MIN, longest: PAUSE_MAX },
            held_bytes_max: HELD_BYTES_MAX_DEFAULT,
            held_bytes_in_all_max: HELD_BYTES_IN_ALL_MAX_DEFAULT,
            session: ClientSessionLimits::default(),
        }
    }
}

/// When a limit that begins at `from` ends.
pub(crate) fn deadline(from: Instant, limit: Duration) -> Instant {
    from + limit.min(crate::limits::NO_LIMIT)
}
