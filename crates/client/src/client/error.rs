//! Why a job has no result: what happened, where, and what is known of the job.

use super::handle::JobHandle;
use super::news::Held;
use crate::address::ServerAddress;
use crate::error::ClientError;
use crate::session::client::{InvalidSubmit, Refusal, Sent};
use bytes::Bytes;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;

/// Most characters of an exception that a message shows; the error has the whole.
const EXCEPTION_CHARS_SHOWN: usize = 1000;

/// Why a job has no result, or a question no answer.
#[derive(Debug, Clone, Error)]
#[expect(missing_docs, reason = "the fields are named in each message")]
#[non_exhaustive]
pub enum JobError {
    /// The worker said that the job failed, and not why: `WORK_FAIL`.
    ///
    /// A server also says so of a job that was cancelled, or whose attempts are used up.
    #[error("{handle} failed, without a reason")]
    Failed { handle: JobHandle },
    /// The worker said why the job failed: `WORK_EXCEPTION`.
    #[error("{handle} failed: {}", shown(exception))]
    Exception { handle: JobHandle, exception: Bytes },
    /// The server did not take the request: `ERROR`. The job does not run.
    #[error("{server} refused it: {refusal}")]
    Refused { server: Arc<ServerAddress>, refusal: Refusal },
    /// The connection ended before the job did. `sent` and `handle` say what is known of the job; whether it is sent
    /// again by itself is up to [`Resend`](super::Resend).
    #[error("{cause}; {}", fate(*sent))]
    Lost {
        server: Arc<ServerAddress>,
        handle: Option<JobHandle>,
        sent: Sent,
        #[source]
        cause: Arc<ClientError>,
    },
    /// A question has no answer, because the connection ended. Questions change nothing.
    #[error("{cause}")]
    Unanswered {
        server: Arc<ServerAddress>,
        #[source]
        cause: Arc<ClientError>,
    },
    /// The time limit ran out. A job that a server accepted (`handle` is there) may still run. Before there is a
    /// connection, `cause` says what the last try came to.
    #[error("{doing}{} took longer than {} ms{} (hint: raise the time limit)", at(server), limit.as_millis(), because(cause))]
    TimedOut {
        doing: &'static str,
        server: Option<Arc<ServerAddress>>,
        limit: Duration,
        handle: Option<JobHandle>,
        #[source]
        cause: Option<Arc<ClientError>>,
    },
    /// No server could be reached. Nothing was sent.
    #[error("no server can be reached: {cause}{}", and(others))]
    NoServer {
        /// What the one said that is tried next.
        #[source]
        cause: Arc<ClientError>,
        /// What the others said.
        others: Vec<Arc<ClientError>>,
    },
    /// A worker sent more than may be held before it is read.
    #[error("{handle} sent too much: {} over {max} bytes were not read yet (hint: read data as it comes)", of(*held))]
    Overrun { handle: JobHandle, held: Held, max: usize },
    /// The job or the question cannot be sent as it is. Nothing was sent.
    #[error("it cannot be sent: {0}")]
    Invalid(#[from] InvalidSubmit),
    /// The handle is of a server that this client was not given. Nothing was sent.
    #[error(
        "{server} is none of this client's servers (hint: name it as it was named where the job was submitted)"
    )]
    UnknownServer { server: ServerAddress },
    /// The workload has no form in bytes, and nothing was sent; or the result is not of the type that the caller named.
    #[error("the {what} {cause}")]
    Value { what: &'static str, cause: Arc<dyn Error + Send + Sync> },
}

impl JobError {
    /// The job it is about, where a server accepted it.
    #[must_use]
    pub fn handle(&self) -> Option<&JobHandle> {
        match self {
            Self::Failed { handle } | Self::Exception { handle, .. } | Self::Overrun { handle, .. } => {
                Some(handle)
            }
            Self::Lost { handle, .. } | Self::TimedOut { handle, .. } => handle.as_ref(),
            Self::Refused { .. }
            | Self::Unanswered { .. }
            | Self::NoServer { .. }
            | Self::Invalid(_)
            | Self::UnknownServer { .. }
            | Self::Value { .. } => None,
        }
    }
}

fn shown(exception: &Bytes) -> String {
    String::from_utf8_lossy(exception).chars().take(EXCEPTION_CHARS_SHOWN).collect()
}

fn of(held: Held) -> &'static str {
    match held {
        Held::OfJob => "of it",
        Held::OfConnection => "of all jobs over its connection",
    }
}

fn at(server: &Option<Arc<ServerAddress>>) -> String {
    server.as_ref().map_or_else(String::new, |server| format!(" at {server}"))
}

fn because(cause: &Option<Arc<ClientError>>) -> String {
    cause.as_ref().map_or_else(String::new, |cause| format!(": {cause}"))
}

fn and(others: &[Arc<ClientError>]) -> String {
    others.iter().map(|cause| format!("; {cause}")).collect()
}

fn fate(sent: Sent) -> &'static str {
    match sent {
        Sent::Not => "the job was not sent",
        Sent::Unanswered => "the job was sent and not acknowledged: it may run or not",
        Sent::Accepted => "the job was accepted: it may wait, run, or be done",
    }
}
