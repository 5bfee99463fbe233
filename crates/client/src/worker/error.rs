//! What can go wrong with a worker.

use crate::address::{AddressError, ServerAddress};
use geartrain_proto::limits::{CLIENT_ID_BYTES_MAX, FUNCTION_BYTES_MAX};
use std::io;
use std::time::Duration;
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
    /// The name of the worker is not one word of 127 bytes at most.
    #[error("client id {id:?} is empty, has white space, or is over {CLIENT_ID_BYTES_MAX} bytes")]
    ClientId {
        /// The id.
        id: String,
    },
    /// The time limit of a function is none that servers keep.
    #[error("the time limit of function {function:?} is {} ms (hint: from 1 second to 24 days)", limit.as_millis())]
    Timeout {
        /// The function.
        function: String,
        /// Its limit.
        limit: Duration,
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
