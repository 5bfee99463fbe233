//! What can go wrong in one measurement. It ends that measurement, never the run.

use std::io;
use std::time::Duration;

use thiserror::Error;

use crate::figures::number;

/// The reason why a measurement has no figures; shown in the table in their place.
#[derive(Debug, Error)]
#[non_exhaustive]
pub(crate) enum Trouble {
    /// The operating system refused something.
    #[error("{step}: {source}")]
    Io {
        /// What was tried.
        step: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// The peer's program is absent.
    #[error("not installed ({hint})")]
    NotInstalled {
        /// Where it comes from.
        hint: &'static str,
    },
    /// The server ended or never answered.
    #[error("did not start: {reason}")]
    NotStarted {
        /// Its exit status, and the last line of its log.
        reason: String,
    },
    /// The server closed a connection in the middle of the work.
    #[error("closed a connection while {what}")]
    Closed {
        /// What the load was doing.
        what: &'static str,
    },
    /// The work was not done in the time allowed.
    #[error("not done after {} s: {what}", .limit.as_secs())]
    Limit {
        /// What the load was doing.
        what: &'static str,
        /// The time it had.
        limit: Duration,
    },
    /// Our server does not have the policies that were asked for.
    #[error("policies are not in force: {0}")]
    Policies(String),
    /// A library's process did not do what it was asked.
    #[error("{0}")]
    Peer(String),
    /// An answer that the work does not expect.
    #[error("unexpected answer: {0}")]
    Answer(String),
    /// The work would fill the disk.
    #[error(
        "needs about {:.1} GB of disk, and {:.1} GB are free (hint: --dir on another disk, or fewer jobs)",
        gigabytes(.wanted), gigabytes(.free)
    )]
    NoRoom {
        /// Bytes that the work needs.
        wanted: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// Fewer jobs came out than went in.
    #[error("{missing} of {of} jobs are missing")]
    Lost {
        /// Jobs that never came.
        missing: u64,
        /// Jobs submitted.
        of: u64,
    },
}

impl Trouble {
    /// Names the step that an operating system's error belongs to.
    pub(crate) fn io<E: Into<io::Error>>(step: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::Io { step, source: source.into() }
    }
}

fn gigabytes(bytes: &u64) -> f64 {
    number(*bytes) / 1e9
}
