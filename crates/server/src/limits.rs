//! Every limit of the server, by name.

use std::time::Duration;

/// Room for what one read takes, shared by all connections of a thread, in bytes.
pub(crate) const READ_BYTES: usize = 32 * 1024;

/// Messages of one connection that are served before others get their turn. A worker may register
/// thousands of functions in one write, and nobody else is to notice.
pub(crate) const TURN_MESSAGES_MAX: usize = 64;

/// Tasks of a thread that run before it looks for sockets that became ready.
pub(crate) const TURNS_BETWEEN_LOOKS: u32 = 8;

/// Most unread bytes that are moved to the front of the shared read buffer before more is read behind
/// them; a longer beginning of a packet grows in a buffer of its own.
pub(crate) const UNREAD_SHARED_BYTES_MAX: usize = 16 * 1024;

/// Least and most room made at once for a packet that grows in a buffer of its own, in bytes: what
/// arrived counts, not what was announced.
pub(crate) const UNREAD_GROWTH_BYTES: (usize, usize) = (32 * 1024, 1024 * 1024);

/// Unsent output over which a connection is not read until half of it is written, in bytes.
///
/// Clients may send a megabyte of requests before they read the first answer, so it is well above that.
pub(crate) const OUTPUT_PAUSE_BYTES: usize = 8 * 1024 * 1024;

/// Largest unsent output of one connection when nothing else is configured, in bytes: 64 MiB.
pub const OUTPUT_BYTES_MAX_DEFAULT: usize = 64 * 1024 * 1024;

/// Output buffers kept for the next packets, and the largest that is kept, in bytes.
pub(crate) const SPARES_MAX: usize = 64;
/// See [`SPARES_MAX`].
pub(crate) const SPARE_BYTES_MAX: usize = 64 * 1024;

/// How long the rest of what a refused peer sends is read and dropped, so that the `ERROR` before the
/// end of the stream reaches it and is not overtaken by a reset.
pub(crate) const LINGER: Duration = Duration::from_secs(2);

/// Most bytes that are read and dropped in [`LINGER`].
pub(crate) const LINGER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How long a peer that sends nothing more may read none of the rest of its answers.
pub(crate) const OWING_MAX: Duration = Duration::from_secs(60);

/// Pause after an accept that failed for want of descriptors or memory.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// At most one line about failing accepts in this time.
pub(crate) const ACCEPT_LOG_EVERY: Duration = Duration::from_secs(10);

/// File descriptors left to the store, the log and the listeners when connections are counted.
pub const DESCRIPTORS_RESERVED: usize = 64;

/// Longest sleep of the timer while something waits for a time of the calendar. The kernel tells of jumps of
/// the wall clock; this is for one that it would miss.
pub(crate) const CLOCK_LOOK_EVERY: Duration = Duration::from_secs(60);

/// The same where the kernel does not tell of jumps.
pub(crate) const CLOCK_LOOK_EVERY_UNTOLD: Duration = Duration::from_secs(1);

/// Pause between two tries to open a store again that failed.
pub(crate) const STORE_RETRY: Duration = Duration::from_secs(1);

/// Bytes that are read back from the store before they are handed to the queue.
pub(crate) const READ_PIECE_BYTES: usize = 256 * 1024;

/// Reads of workloads that workers wait for, after which something else is read that waits.
pub(crate) const WORKLOADS_IN_A_ROW: u32 = 8;

/// Bytes of workloads that left memory, from which on it is given back to the system.
pub(crate) const TRIM_BYTES_MIN: u64 = 64 << 20;

/// Memory is given back at most once in this time.
pub(crate) const TRIM_PAUSE: Duration = Duration::from_secs(10);

/// Stored jobs taken into the queue before connections get their turn.
pub(crate) const LOAD_CHUNK: u32 = 256;

/// A line about the progress of a long load is written this often.
pub(crate) const LOAD_LOG_EVERY: Duration = Duration::from_secs(1);

/// Log lines that may wait for a slow disk or pipe; further ones are counted and dropped.
pub(crate) const LOG_LINES_MAX: usize = 8192;

/// HTTP connections served at once.
pub(crate) const HTTP_CONNECTIONS_MAX: usize = 16;

/// Time an HTTP peer has for the head of its request.
pub(crate) const HTTP_HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Time an HTTP peer has for all its requests, and to read the answers.
pub(crate) const HTTP_CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);
