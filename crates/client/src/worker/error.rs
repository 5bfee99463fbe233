//! What can go wrong with a worker.

use crate::address::{AddressError, ServerAddress};
use geartrain_proto::limits::FUNCTION_BYTES_MAX;
use std::io;
use thiserror::Error;

/// Why a worker cannot be put together.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A server's address is none.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// No function is registered.
    #[error("the worker has no function (hint: register one)")]
    NoFunction,
    /// The name of a function is empty, has a NUL, or is too long for servers.
    #[error("function name {function:?} is empty, has a NUL, or is over {FUNCTION_BYTES_MAX} bytes")]
    FunctionName {
        /// The name.
        function: String,
    },
    /// A function is registered twice.
    #[error("function {function:?} is registered twice")]
    FunctionTwice {
        /// The function.
        function: String,
    },
    /// The worker or a function may have no job in hand.
    #[error("{what} may have no job in hand (hint: at_once is 1 or more)")]
    NoneAtOnce {
        /// `the worker`, or `function` and its name.
        what: String,
    },
}

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
