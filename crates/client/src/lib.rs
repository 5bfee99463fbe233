//! Submits jobs to Gearman servers, works on them, and steers the servers: this project's gearmand, and any other that
//! speaks the protocol.
//!
//! ```no_run
//! use geartrain_client::Client;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::new("jobs1.example, jobs2.example:4731")?;
//! let result = client.job("reverse", "hello").run().await?;
//! assert_eq!(result, "olleh");
//! # Ok(())
//! # }
//! ```
//!
//! # Jobs
//!
//! [`Client::job`] describes a job: [`priority`](JobBuilder::priority), [`unique`](JobBuilder::unique),
//! [`timeout`](JobBuilder::timeout). It ends in one of three ways:
//!
//! - [`run`](JobBuilder::run) waits for the result.
//! - [`start`](JobBuilder::start) follows the job while it runs: a [`Job`] is a stream of its data, warnings and
//!   progress, and of its result.
//! - [`background`](JobBuilder::background) leaves the job to the server. The [`JobHandle`] names it to any client of
//!   that server, in this process or another: [`Client::status`].
//!
//! [`Client::run_all`] runs any number of jobs, a window of them at once; [`Client::background_all`] submits them.
//!
//! # Workers
//!
//! A [`Worker`] does jobs: async functions by name, many at once, on all its servers. The page of [`worker`] has an
//! example.
//!
//! # Servers
//!
//! A client of several servers picks one by the job's function and unique, so that jobs with the same unique meet and
//! become one; jobs without a unique go anywhere ([`ServerChoice`]). Where none are named, the variable
//! `GEARMAN_SERVERS` names them, and else it is the one on this machine. A server that cannot be reached is left out,
//! and tried again with growing pauses. What was in flight on it is sent again as [`Resend`] says, or ends with
//! [`JobError::Lost`], which says what is known of the job.
//!
//! # Limits
//!
//! Every wait has a limit, which [`ClientBuilder`] sets: to connect, to be answered, for the job as a whole. Nothing a
//! server sends makes this library panic, wait without an end, or take memory beyond the limits in [`limits`], which
//! hold for each connection.
//! Futures may be dropped at any time; the connection stays as good as it was.
//!
//! # Layers
//!
//! The way of a job: [`JobBuilder`] makes a [`Submit`](geartrain_proto::Submit) of it; a connection of its server takes
//! it to [`ClientSession`](session::client::ClientSession), which does no IO: it turns requests into bytes, and what
//! the server sends into events that name the job they are for. [`blocking`] has both roles for programs without a
//! runtime, [`Admin`] lists and steers what a server has. The plain [`Connection`], one packet or line of text at a
//! time, is what the command-line tools use; it needs none of this crate's features.
//!
//! # Features
//!
//! - `async` (default): [`Client`], [`Worker`], [`Admin`] and the sessions, on tokio.
//! - `blocking` (default): the module [`blocking`].
//! - `json`, `msgpack`: workloads and results of any type that serde knows, as `Json` and `MsgPack`.

#[cfg(feature = "blocking")]
pub mod blocking;
pub mod limits;
#[cfg(feature = "async")]
pub mod session;
#[cfg(feature = "async")]
pub mod worker;

mod address;
#[cfg(feature = "async")]
mod admin;
#[cfg(feature = "async")]
mod build_error;
#[cfg(feature = "async")]
mod client;
mod connection;
mod error;
mod inbox;
#[cfg(feature = "async")]
mod net;
mod text;
mod typed;
#[cfg(feature = "async")]
mod values;

pub use address::{AddressError, DEFAULT_PORT, SERVERS_VARIABLE, ServerAddress, parse_port};
#[cfg(feature = "async")]
pub use admin::{Admin, FunctionPriorities, FunctionStatus, JobLine, WorkerLine};
#[cfg(feature = "async")]
pub use build_error::BuildError;
#[cfg(feature = "async")]
pub use client::{
    Background, BackgroundAll, Client, ClientBuilder, HandleError, Held, Job, JobBuilder, JobError, JobEvent,
    JobHandle, JobSet, JobStatus, Resend, Run, RunAll, ServerChoice,
};
pub use connection::{Connection, ConnectionLimits};
pub use error::{ClientError, chain};
/// The protocol, whose types some of this crate's functions take and return: packets, handles, typed commands.
#[doc(no_inline)]
pub use geartrain_proto as proto;
pub use geartrain_proto::Priority;
pub use inbox::Inbox;
pub use text::{ReplyLimits, TextCommand, TextReply, Waiting, Word, WordError};
pub use typed::TypedRows;
#[cfg(all(feature = "async", feature = "json"))]
pub use values::Json;
#[cfg(all(feature = "async", feature = "msgpack"))]
pub use values::MsgPack;
#[cfg(feature = "async")]
pub use values::{BoxError, FromBytes, IntoBytes};
#[cfg(feature = "async")]
pub use worker::Worker;
