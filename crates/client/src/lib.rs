//! Talking to a Gearman job server: the blocking connection under the command-line tools.
//!
//! ```no_run
//! use geartrain_client::{Connection, Limits, ReplyLimits, ServerAddress, TextCommand};
//!
//! let server = ServerAddress::parse("localhost:4730", 4730)?;
//! let mut connection = Connection::open(&server, &Limits::default())?;
//! let mut reply = connection.ask(&TextCommand::Status, ReplyLimits::default())?;
//! while let Some(row) = reply.next_line()? {
//!     println!("{}", String::from_utf8_lossy(row));
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The way of a job: a [`ServerAddress`] becomes a [`Connection`]; [`Connection::send`] writes a typed request,
//! and [`Connection::receive`] hands out what the server sends for it, packet by packet. Between socket and
//! packets lies the [`Inbox`], which does no IO and so serves any runtime.
//!
//! Nothing here waits without a limit unless its caller says so, and nothing a server sends makes it panic
//! or take memory beyond the limits in [`limits`].

#[cfg(feature = "blocking")]
pub mod blocking;
pub mod limits;
#[cfg(feature = "async")]
pub mod session;

mod address;
#[cfg(feature = "async")]
mod admin;
#[cfg(feature = "async")]
mod client;
mod connection;
mod error;
mod inbox;
#[cfg(feature = "async")]
mod net;
mod text;
mod typed;

pub use address::{AddressError, DEFAULT_PORT, SERVERS_VARIABLE, ServerAddress, parse_port};
#[cfg(feature = "async")]
pub use admin::{Admin, FunctionPriorities, FunctionStatus, JobLine, WorkerLine};
#[cfg(feature = "async")]
pub use client::{
    Client, ClientBuilder, HandleError, Job, JobBuilder, JobError, JobEvent, JobHandle, JobStatus, Resend,
    Run, RunAll, ServerChoice,
};
pub use connection::{Connection, Limits};
pub use error::ClientError;
pub use geartrain_proto::Priority;
pub use inbox::Inbox;
pub use text::{ReplyLimits, TextCommand, TextReply, Waiting, Word, WordError};
pub use typed::TypedRows;
