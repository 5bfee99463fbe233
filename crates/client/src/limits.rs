//! Every limit of the client side, by name.

use std::time::Duration;

/// Largest packet body taken from a server when nothing else is said, in bytes: 256 MiB.
pub const BODY_BYTES_MAX_DEFAULT: u32 = 256 * 1024 * 1024;

/// Longest line of a text reply, in bytes: 16 MiB.
///
/// `workers` puts all functions of a worker on one line.
pub const LINE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Longest row of the reply to a typed command, in bytes: 2 GiB.
///
/// It has a whole workload, in base64 where that is not text, and the texts of attempts.
pub const ROW_BYTES_MAX: usize = 2 * 1024 * 1024 * 1024;

/// Largest text reply when nothing else is said, in bytes: 4 GiB, over 100 million jobs.
///
/// A listing is handed on line by line and never held; the limit ends a listing that has no end.
pub const REPLY_BYTES_MAX_DEFAULT: u64 = 4 * 1024 * 1024 * 1024;

/// How long a connection may take to come about when nothing else is said: 10 seconds.
pub const CONNECT_LIMIT_DEFAULT: Duration = Duration::from_secs(10);

/// How long a server may take none of the bytes written to it when nothing else is said: 60 seconds.
pub const WRITE_LIMIT_DEFAULT: Duration = Duration::from_secs(60);

/// How long a server may be silent while it owes an answer, when nothing else is said: 60 seconds.
pub const ANSWER_LIMIT_DEFAULT: Duration = Duration::from_secs(60);

/// How long a connection may be idle before the kernel asks whether the peer is still there: 30 seconds.
pub const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);

/// Bytes read at once, at least: 16 KiB.
pub(crate) const READ_BYTES_MIN: usize = 16 * 1024;

/// Bytes read at once, at most: 1 MiB. More memory is taken only after this much has arrived.
pub(crate) const READ_BYTES_MAX: usize = 1024 * 1024;
