//! What can be wrong with bytes, and what the peer that sent them gets for it.

use crate::kind::PacketKind;
use thiserror::Error;

/// The code word of an `ERROR` packet, as client libraries know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorCode {
    /// A packet to the server did not begin with `\0REQ`.
    InvalidMagic,
    /// The kind is not a request, or one that is not served.
    InvalidCommand,
    /// The packet does not have the shape of its kind, or is over a limit.
    InvalidPacket,
    /// A part of the packet is longer than it may be.
    ArgumentTooLarge,
    /// The job was not accepted into the queue.
    QueueError,
    /// `OPTION_REQ` named an option that does not exist.
    UnknownOption,
    /// The job is not known, or not this worker's.
    JobNotFound,
}

impl ErrorCode {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            ErrorCode::InvalidMagic => "INVALID_MAGIC",
            ErrorCode::InvalidCommand => "INVALID_COMMAND",
            ErrorCode::InvalidPacket => "INVALID_PACKET",
            ErrorCode::ArgumentTooLarge => "ARGUMENT_TOO_LARGE",
            ErrorCode::QueueError => "QUEUE_ERROR",
            ErrorCode::UnknownOption => "UNKNOWN_OPTION",
            ErrorCode::JobNotFound => "JOB_NOT_FOUND",
        }
    }
}

/// What a peer gets for an error that its bytes caused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// One `ERROR`; the connection goes on behind the packet.
    Reply(ErrorCode),
    /// One `ERROR`, then the connection is closed.
    ReplyThenClose(ErrorCode),
    /// One text line that begins with `ERR`, then the connection is closed.
    ReplyLineThenClose(&'static str),
}

/// Why bytes are not a packet or a line of the protocol.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The first four bytes of a binary packet are neither `\0REQ` nor `\0RES`.
    #[error("packet magic {0:02x?} is not part of the protocol")]
    UnknownMagic([u8; 4]),
    /// A packet to the server has the magic of a packet from it.
    #[error("Request magic expected")]
    ResponseMagic,
    /// A packet from the server has the magic of a packet to it.
    #[error("Response magic expected")]
    RequestMagic,
    /// The kind has no meaning in the protocol.
    #[error("packet kind {0} is not part of the protocol")]
    UnknownKind(u32),
    /// The kind exists, but a peer on this side does not send it.
    #[error("Command not expected")]
    UnexpectedKind(PacketKind),
    /// The announced body is larger than this server takes.
    #[error("packet body of {len} bytes is over the limit of {max} bytes")]
    BodyTooLarge {
        /// Announced length, in bytes.
        len: u32,
        /// The limit, in bytes.
        max: u32,
    },
    /// A NUL that ends a part is missing.
    #[error("{kind} has no NUL after its {part}")]
    MissingPart {
        /// Kind of the packet.
        kind: PacketKind,
        /// Name of the part.
        part: &'static str,
    },
    /// A function name is longer than [`crate::limits::FUNCTION_BYTES_MAX`].
    #[error("function name of {len} bytes is over the limit of {max} bytes")]
    FunctionTooLong {
        /// Its length, in bytes.
        len: usize,
        /// The limit, in bytes.
        max: usize,
    },
    /// A unique is longer than [`crate::limits::UNIQUE_BYTES_MAX`].
    #[error("Unique value too large")]
    UniqueTooLong,
    /// A reducer is longer than [`crate::limits::REDUCER_BYTES_MAX`].
    #[error("Reducer value too large")]
    ReducerTooLong,
    /// The second given with `SUBMIT_JOB_EPOCH` does not fit a number.
    #[error("epoch is out of range")]
    EpochOutOfRange,
    /// A number in a packet from the server is not a number.
    #[error("{kind} has a malformed {part}")]
    MalformedPart {
        /// Kind of the packet.
        kind: PacketKind,
        /// Name of the part.
        part: &'static str,
    },
    /// A text line is longer than [`crate::limits::LINE_BYTES_MAX`], or says that it is longer than it may be.
    #[error("text line is over the limit of {max} bytes")]
    LineTooLong {
        /// The limit, in bytes.
        max: usize,
    },
    /// The line does not end where it says.
    #[error("text line goes on behind the {length} bytes that it announced")]
    LineLengthWrong {
        /// What it announced, its words included, in bytes.
        length: usize,
    },
    /// A text line has more than [`crate::limits::LINE_WORDS_MAX`] words.
    #[error("text line has more than {max} words")]
    LineTooManyWords {
        /// The limit.
        max: usize,
    },
}

impl DecodeError {
    /// What the peer gets for it.
    #[must_use]
    pub const fn disposition(&self) -> Disposition {
        use Disposition::{Reply, ReplyLineThenClose, ReplyThenClose};
        match self {
            DecodeError::UnknownMagic(_) => ReplyThenClose(ErrorCode::InvalidMagic),
            DecodeError::ResponseMagic | DecodeError::RequestMagic => Reply(ErrorCode::InvalidMagic),
            DecodeError::UnknownKind(_) => ReplyThenClose(ErrorCode::InvalidCommand),
            DecodeError::UnexpectedKind(_) => Reply(ErrorCode::InvalidCommand),
            DecodeError::BodyTooLarge { .. }
            | DecodeError::MissingPart { .. }
            | DecodeError::MalformedPart { .. } => ReplyThenClose(ErrorCode::InvalidPacket),
            DecodeError::FunctionTooLong { .. } => ReplyThenClose(ErrorCode::ArgumentTooLarge),
            DecodeError::UniqueTooLong | DecodeError::ReducerTooLong => Reply(ErrorCode::ArgumentTooLarge),
            DecodeError::EpochOutOfRange => Reply(ErrorCode::InvalidPacket),
            DecodeError::LineTooLong { .. } => ReplyLineThenClose("LINE_TOO_LONG"),
            DecodeError::LineLengthWrong { .. } => ReplyLineThenClose("LINE_LENGTH_WRONG"),
            DecodeError::LineTooManyWords { .. } => ReplyLineThenClose("TOO_MANY_WORDS"),
        }
    }
}
