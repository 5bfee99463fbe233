//! What a session refuses to send, and what it refuses to take.

use super::event::Refusal;
use geartrain_proto::{DecodeError, PacketKind};
use thiserror::Error;

/// What a server sent that makes no sense; the connection is good for nothing afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the fields are named in each message")]
#[non_exhaustive]
pub enum ClientSessionError {
    /// The bytes are no packet, or the packet is over the limit.
    #[error("{0}")]
    Decode(#[from] DecodeError),
    /// A packet that answers nothing, or that is not for a client.
    #[error("a {kind} came that answers no request")]
    Unasked { kind: PacketKind },
    /// The status of another job than was asked for: answers and questions do not belong together any more.
    #[error("a {kind} came about another job than was asked for")]
    OtherJob { kind: PacketKind },
    /// More reports came of jobs that the server has not accepted yet than can be kept.
    #[error("too many reports came of jobs before they were accepted")]
    TooEarly,
    /// An `ERROR` that answers nothing.
    #[error("the server refuses this connection: {0}")]
    Refused(Refusal),
    /// A handle that is longer than any server makes them.
    #[error("a handle of {bytes} bytes is over the limit of {max} bytes")]
    HandleTooLong { bytes: usize, max: usize },
}

/// Why a session takes no further request.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// As much is in flight as may be: wait for an event, or write what is pending.
    #[error("as many requests are in flight over this connection as may be")]
    Full,
    /// The request cannot be sent as it is, over any connection.
    #[error(transparent)]
    Invalid(#[from] InvalidSubmit),
}

/// Why a request cannot be sent as it is.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the fields are named in each message")]
#[non_exhaustive]
pub enum InvalidSubmit {
    /// A name has a NUL, which would end it on the wire.
    #[error("the {part} {name:?} has a NUL byte, which ends it on the wire")]
    Nul { part: &'static str, name: String },
    /// A name is longer than a server takes.
    #[error("the {part} is {bytes} bytes long, over the limit of {max} bytes")]
    TooLong { part: &'static str, bytes: usize, max: usize },
    /// The function has no name.
    #[error("the function has no name")]
    NoFunction,
    /// More than a packet can carry.
    #[error("{bytes} bytes of data do not fit a packet, which carries {max} bytes at most")]
    BodyTooLarge { bytes: usize, max: usize },
    /// The protocol has no packet for this combination.
    #[error("the protocol has no way to submit {0}")]
    NoSuchPacket(&'static str),
}
