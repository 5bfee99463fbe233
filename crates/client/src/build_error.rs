//! Why there is no client, or no worker: what a builder was told cannot be.
//!
//! From: the `build` functions of both roles, async and blocking. To: whoever writes or configures the program.
//! Never: says anything of a server, since nothing is connected yet.

use crate::address::AddressError;
use geartrain_proto::limits::{CLIENT_ID_BYTES_MAX, FUNCTION_BYTES_MAX};
use std::io;
use std::time::Duration;
use thiserror::Error;

/// Why a client or a worker cannot be put together, async or blocking.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A server's address is none, or a list of servers is empty.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The operating system gave no means to wait for sockets (blocking clients only).
    #[error("no runtime came about: {0}")]
    Runtime(#[source] io::Error),
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
