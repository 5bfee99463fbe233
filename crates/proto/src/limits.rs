//! Every limit of the wire format, by name.

/// Length of the header of a binary packet: magic, kind and body length, in bytes.
pub const HEADER_BYTES: usize = 12;

/// Largest packet body read from one peer when nothing else is configured, in bytes: 64 MiB.
pub const BODY_BYTES_MAX_DEFAULT: u32 = 64 * 1024 * 1024;

/// Longest text line, its line feed included, in bytes.
///
/// The receive buffer of the reference server has this size.
pub const LINE_BYTES_MAX: usize = 8192;

/// Longest text line of a typed command that carries a workload, beyond that workload's largest size in base64,
/// in bytes: 64 KiB for what stands around it.
pub const LONG_LINE_BYTES_MIN: usize = 64 * 1024;

/// How far into a line the words of a typed command and the length of its JSON may reach, in bytes.
pub const COMMAND_HEAD_BYTES_MAX: usize = 64;

/// Most words in one text line; the reference closes the connection over a sixth.
pub const LINE_WORDS_MAX: usize = 5;

/// Longest function name, in bytes: with its NUL it fills the receive buffer of the reference.
pub const FUNCTION_BYTES_MAX: usize = 8191;

/// Longest unique, in bytes. A longer one is answered with `ERROR ARGUMENT_TOO_LARGE`.
pub const UNIQUE_BYTES_MAX: usize = 64;

/// Longest reducer name, in bytes. A longer one is answered with `ERROR ARGUMENT_TOO_LARGE`.
pub const REDUCER_BYTES_MAX: usize = 64;

/// Longest job handle, in bytes.
pub const HANDLE_BYTES_MAX: usize = 63;

/// Longest client id that is kept, in bytes; the rest of a longer one is cut off, as in the reference.
pub const CLIENT_ID_BYTES_MAX: usize = 127;
