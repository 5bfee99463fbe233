//! Sockets, configuration and process life around the job queue.
//!
//! A [`Server`] is put together from a [`Config`], bound [`Listeners`], a [`Log`] and, when background jobs
//! are to outlive the process, an open store:
//!
//! ```
//! use geartrain_server::{Address, Config, Level, Listeners, Log, LogTarget, Server};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let listeners = Listeners::bind(&[Address::Tcp("127.0.0.1:0".parse()?)], 128)?;
//! let log = Log::open(Level::Error, LogTarget::Stderr, false)?;
//! let server = Server::start(Config::default(), listeners, None, log)?;
//! println!("listening on {}", server.addresses()[0]);
//! server.stop()?;
//! # Ok(())
//! # }
//! ```
//!
//! The way of a job through this crate: `listen` accepts the connection and deals it to a thread;
//! `connection` reads many packets at once and takes them through the queue in `hub`, under its lock;
//! `output` gathers what the queue sends, and `flush` writes it from the same thread; `persist` makes
//! background jobs durable on a thread of its own, and lets their answers go.

mod clock;
mod config;
mod connection;
mod events;
mod flush;
mod http;
mod hub;
mod jumps;
mod limits;
mod link;
mod listen;
mod load;
mod log;
mod output;
mod persist;
mod reader;
mod server;
mod shared;
mod timer;

pub use clock::{Clock, ClockHand};
pub use config::{Config, HttpListen, Keepalive};
pub use limits::{DESCRIPTORS_RESERVED, OUTPUT_BYTES_MAX_DEFAULT};
pub use listen::{Address, BindError, Listeners};
pub use log::{Level, Log, LogTarget, OpenLogError};
pub use persist::StoreWhen;
pub use server::{Server, StartError};
pub use shared::{Health, connections_for};
