//! The two roles without IO: bytes go in and come out, and what they mean is a list of events.
//!
//! A session can be driven by any runtime, and tested without a socket. Most users want the async or blocking
//! roles that are built on them.

mod buffers;

pub mod client;
pub mod worker;
