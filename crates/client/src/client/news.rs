//! What comes for whoever waits for a request, and what of it is wanted.

use crate::session::client::{OwnedHandle, Refusal, Report, Sent};
use bytes::Bytes;
use geartrain_proto::Status;
use std::time::Duration;

/// What a reader waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    /// The one answer to a request: the handle of a background job, an echo, a status.
    Answer,
    /// The result of a foreground job; its data is kept until then, its progress and warnings are not.
    Result,
    /// All that happens to a foreground job.
    Stream,
}

/// What came for a reader.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum News {
    Created(OwnedHandle),
    Report(Report),
    Echo(Bytes),
    Status(Status, Option<u32>),
    Refused(Refusal),
    Lost(Sent),
    TimedOut { doing: &'static str, limit: Duration },
    Overrun(Held),
}

/// Whose unread bytes were over their limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Held {
    /// Those of the one job.
    OfJob,
    /// Those of all jobs over its connection; the job was the one that sent more then.
    OfConnection,
}

impl News {
    /// Whether the request came to no good end.
    pub(crate) fn is_failure(&self) -> bool {
        match self {
            Self::Report(report) => report.is_failure(),
            Self::Created(_) | Self::Echo(_) | Self::Status(..) => false,
            Self::Refused(_) | Self::Lost(_) | Self::TimedOut { .. } | Self::Overrun(_) => true,
        }
    }
}

/// Whether a reader hears more, and if not, and its job failed, the handle of the job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Last {
    No,
    Yes(Option<Box<OwnedHandle>>),
}

/// What a report takes while nobody has read it: progress has no bytes, and is held all the same.
pub(crate) fn weight(report: &Report) -> usize {
    report.len() + size_of::<News>()
}
