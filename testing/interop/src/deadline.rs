//! The moment until which one cell of the table may wait, and what can go wrong before it.
//!
//! From: `matrix`, one per cell. To: every wait for a line, a process or an answer.
//! Never: waits by itself.

use std::time::{Duration, Instant};

/// The end of a cell's time: every wait in the cell shares it, so the cell ends whatever hangs.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// A deadline that is `limit` from now.
    #[must_use]
    pub fn after(limit: Duration) -> Self {
        Self(Instant::now() + limit)
    }

    /// What is left, or the failure that nothing is.
    ///
    /// # Errors
    /// [`Failure::TimedOut`] with what was waited for.
    pub fn left(self, waiting_for: &str) -> Result<Duration, Failure> {
        let left = self.0.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(Failure::TimedOut(waiting_for.to_owned())) } else { Ok(left) }
    }
}

/// Why a cell is not passed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// What the cell waited for did not come within its limit.
    #[error("timed out waiting for {0}")]
    TimedOut(String),
    /// A process ended before it did what it was asked.
    #[error("{label} ended with {status}{talk}")]
    Ended {
        /// Which process.
        label: String,
        /// How it ended, as the system puts it.
        status: String,
        /// The last it said on stderr, or nothing.
        talk: String,
    },
    /// A peer saw something else than the scenario expects.
    #[error("{0}")]
    Unexpected(String),
    /// The machine failed the suite, not the server.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done.
        doing: String,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Failure {
    /// Wraps an error of the system with what was being done.
    pub fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }
}
