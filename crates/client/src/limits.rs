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

/// How long a job may take from its submit to its end when nothing else is said: 1 hour.
pub const JOB_LIMIT_DEFAULT: Duration = Duration::from_secs(60 * 60);

/// How long a job waits for a server while none can be reached, when nothing else is said: 10 seconds.
pub const PATIENCE_DEFAULT: Duration = Duration::from_secs(10);

/// The first pause before a dead server is tried again, about: 50 ms. Each following one is twice as long.
pub const PAUSE_MIN: Duration = Duration::from_millis(50);

/// The shortest pause before a dead server is tried again, whatever is asked for: 1 ms.
pub const PAUSE_LEAST: Duration = Duration::from_millis(1);

/// The longest pause before a dead server is tried again, about: 5 seconds.
pub const PAUSE_MAX: Duration = Duration::from_secs(5);

/// How long a job that belongs to one server waits for it to be connected to, before it goes elsewhere: 1 second.
pub const OPENING_AWAITED: Duration = Duration::from_secs(1);

/// Most requests and foreground jobs in flight over one connection when nothing else is said.
pub const JOBS_IN_FLIGHT_MAX_DEFAULT: usize = 65_536;

/// Most bytes that wait to be written to one connection when nothing else is said: 64 MiB.
///
/// One request may always wait, whatever its size.
pub const OUTGOING_BYTES_MAX_DEFAULT: usize = 64 * 1024 * 1024;

/// Most bytes held of one job that nobody has read yet when nothing else is said: 256 MiB.
pub const HELD_BYTES_MAX_DEFAULT: usize = 256 * 1024 * 1024;

/// Most bytes held of all jobs of one connection that nobody has read yet when nothing else is said: 1 GiB.
pub const HELD_BYTES_IN_ALL_MAX_DEFAULT: usize = 1024 * 1024 * 1024;

/// Longest unique, in bytes: 63.
///
/// Servers take 64, but gearmand 1.1.20 keeps 63 of these, puts a NUL in front of the workload, and leaves a question
/// for the job's status without an answer.
pub const UNIQUE_BYTES_MAX: usize = 63;

/// Most jobs that run over one connection although nobody waits for them any more: 1,024.
///
/// A client cannot tell a server that it lost interest in a job but by closing the connection. With this many, new
/// jobs go over a new connection, and the old one closes with its last job that somebody waits for.
pub const ABANDONED_JOBS_MAX: usize = 1024;

/// Jobs of a set in flight at once when nothing else is said: 256.
pub const WINDOW_DEFAULT: usize = 256;

/// How finely time limits are kept: 10 ms.
pub const TIME_LIMIT_STEP: Duration = Duration::from_millis(10);

/// Most reports kept that came before the `JOB_CREATED` of their job: 1,024. More end the connection.
pub const EARLY_REPORTS_MAX: usize = 1024;

/// Most bytes of such reports: 16 MiB. More end the connection.
pub const EARLY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How often a job or a question is sent again at most: 5 times.
///
/// A server may end a connection because of what it is sent.
pub const RESENDS_MAX: u32 = 5;

/// After how much silence a connection is looked at before it is used again: 500 us.
///
/// A runtime that was busy elsewhere, or that runs only now and then, has not noticed yet that the server hung up.
pub const TRUSTED_SILENCE: Duration = Duration::from_micros(500);

/// How long an answer to a job may be left unread because its result is waited for: 20 ms.
///
/// Only of jobs that follow each other this quickly.
pub const UNSEEN_ANSWER_MAX: Duration = Duration::from_millis(20);

/// Largest reply that is held as a whole, in bytes: 256 MiB, over 4 million jobs.
pub const HELD_REPLY_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// A longer limit is none: 10 years.
pub(crate) const NO_LIMIT: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
