//! What can go wrong with a worker that runs.

use crate::address::ServerAddress;
use std::io;
use thiserror::Error;

/// Why a worker cannot run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    /// The process cannot be told of signals.
    #[error("cannot listen for signals: {0}")]
    Signals(#[source] io::Error),
    /// No runtime can be had (blocking workers only).
    #[error("cannot start a runtime: {0}")]
    Runtime(#[source] io::Error),
}

/// Why progress, data or a warning was not sent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The connection over which the job came is lost: the server gives the job to another worker.
    #[error("job {handle} is lost with the connection to {server}")]
    Lost {
        /// The job.
        handle: String,
        /// Its server.
        server: ServerAddress,
    },
    /// The job is over: its handler has returned, or the server gave it out anew after its time limit.
    #[error("job {handle} is over")]
    Over {
        /// The job.
        handle: String,
    },
}
