//! What a client's session tells its caller.

use super::handle::OwnedHandle;
use super::jobs::Effect;
use bytes::Bytes;
use geartrain_proto::{Status, lenient_number};
use std::fmt;

/// What happened to a request or a job; `token` is what its caller gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are named in each variant")]
#[non_exhaustive]
pub enum ClientEvent<T> {
    /// The server accepted a job and calls it by `handle`: `JOB_CREATED`. A background job ends with it.
    Created { token: T, handle: OwnedHandle },
    /// A worker reports on a foreground job.
    Work { token: T, report: Report },
    /// The server refused the request: `ERROR`.
    Refused { token: T, refusal: Refusal },
    /// The echo came back: `ECHO_RES`.
    Echo { token: T, data: Bytes },
    /// How a job is: `STATUS_RES`, or `STATUS_RES_UNIQUE` with how many clients wait for it.
    Status { token: T, status: Status, clients: Option<u32> },
    /// The option is on: `OPTION_RES`.
    Option { token: T },
}

/// What a worker says about a job.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are named in each variant")]
#[non_exhaustive]
pub enum Report {
    /// A piece of the result: `WORK_DATA`.
    Data(Bytes),
    /// A warning: `WORK_WARNING`.
    Warning(Bytes),
    /// Progress: `WORK_STATUS`. What a worker sends that is no number is 0; servers keep 32 bits.
    Status { numerator: u32, denominator: u32 },
    /// The result: `WORK_COMPLETE`. It is the last.
    Complete(Bytes),
    /// The job failed: `WORK_FAIL`. It is the last.
    Fail,
    /// The job failed for this reason: `WORK_EXCEPTION`. It is the last.
    Exception(Bytes),
}

/// Why a server refused a request, as its `ERROR` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The word for programs, for example `QUEUE_ERROR`.
    pub code: String,
    /// The words for people.
    pub text: String,
}

/// How far a request had come when its connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sent {
    /// Not all of it was written, so the server does not know of it.
    Not,
    /// It was written, and not answered: the server may know of it.
    Unanswered,
    /// The server accepted it: the job may wait, run, or be done.
    Accepted,
}

/// A report without what it carries, which is still in the buffer.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Data,
    Warning,
    Status { numerator: u32, denominator: u32 },
    Complete,
    Fail,
    Exception,
}

impl Kind {
    pub(super) fn status(numerator: &[u8], denominator: &[u8]) -> Self {
        let number = |text| {
            lenient_number(text).map_or(u32::MAX, |number| match u32::try_from(number) {
                Ok(number) => number,
                Err(_) if number < 0 => 0,
                Err(_) => u32::MAX,
            })
        };
        Self::Status { numerator: number(numerator), denominator: number(denominator) }
    }

    pub(super) fn effect(self) -> Effect {
        match self {
            Self::Data | Self::Warning | Self::Status { .. } => Effect::GoesOn,
            Self::Complete | Self::Fail | Self::Exception => Effect::Ends,
        }
    }

    pub(super) fn with(self, data: Bytes) -> Report {
        match self {
            Self::Data => Report::Data(data),
            Self::Warning => Report::Warning(data),
            Self::Status { numerator, denominator } => Report::Status { numerator, denominator },
            Self::Complete => Report::Complete(data),
            Self::Fail => Report::Fail,
            Self::Exception => Report::Exception(data),
        }
    }
}

impl Report {
    /// Whether nothing follows it.
    #[must_use]
    pub fn is_last(&self) -> bool {
        self.effect() == Effect::Ends
    }

    /// Whether the job came to no good end.
    pub(crate) fn is_failure(&self) -> bool {
        matches!(self, Self::Fail | Self::Exception(_))
    }

    pub(super) fn effect(&self) -> Effect {
        match self {
            Self::Data(_) | Self::Warning(_) | Self::Status { .. } => Effect::GoesOn,
            Self::Complete(_) | Self::Fail | Self::Exception(_) => Effect::Ends,
        }
    }

    /// Bytes it carries.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Data(data) | Self::Warning(data) | Self::Complete(data) | Self::Exception(data) => {
                data.len()
            }
            Self::Status { .. } | Self::Fail => 0,
        }
    }
}

impl Refusal {
    pub(super) fn new(code: &[u8], text: &[u8]) -> Self {
        let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned();
        Self { code: shown(code), text: shown(text) }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.text)
    }
}
