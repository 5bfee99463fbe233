//! A Gearman job server within a test: the real one, on a port of its own, with a clock that is moved by hand.
//!
//! ```
//! use geartrain_client::{Connection, ConnectionLimits, ServerAddress};
//! use geartrain_proto::{Request, Response};
//! use geartrain_testserver::TestServer;
//! use std::time::Duration;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = TestServer::start()?;
//! let address = ServerAddress::parse(server.address(), 4730)?;
//! let mut connection = Connection::open(&address, &ConnectionLimits::default())?;
//! connection.send(&Request::Echo { data: b"hello" }, "asking")?;
//! let answer = connection.receive(Some(Duration::from_secs(10)), "waiting")?;
//! assert_eq!(answer, Response::Echo { data: b"hello" });
//! # Ok(())
//! # }
//! ```
//!
//! Each server has its own queue, in memory, and threads of its own: tests that run side by side do not meet, and
//! neither a runtime nor an installed server is needed. All clients and workers of the protocol can use it. It
//! ends when it is dropped; with it ends each connection, as when a server dies.
//!
//! A job for later (`SUBMIT_JOB_EPOCH`), a time limit of a job and a pause before an attempt need no waiting:
//! [`TestServer::advance`] lets time pass for the server alone.

use geartrain_server::{
    Address, BindError, Clock, ClockHand, Config, Level, Listeners, Log, LogTarget, OpenLogError, Server,
    StartError,
};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;
use thiserror::Error;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 128;

/// Why a server cannot start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TestServerError {
    /// No port of the loopback can be had.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// No thread for the log can be had.
    #[error(transparent)]
    Log(#[from] OpenLogError),
    /// No thread can be had.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// A job server that runs in this process until it is dropped; see the [crate](self).
#[derive(Debug)]
pub struct TestServer {
    /// `None` only while it is dropped.
    server: Option<Server>,
    address: String,
    port: u16,
    hand: ClockHand,
}

impl TestServer {
    /// Starts a server on a port of the loopback that nobody else uses.
    ///
    /// # Errors
    /// When no port, or no thread, can be had.
    pub fn start() -> Result<Self, TestServerError> {
        Self::start_on(0)
    }

    /// Starts a server on this port of the loopback: that of one that was dropped, for tests of what comes after.
    ///
    /// Its queue is empty.
    ///
    /// # Errors
    /// When the port is taken, or no thread can be had.
    pub fn start_on(port: u16) -> Result<Self, TestServerError> {
        let wanted = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port));
        let listeners = Listeners::bind(&[Address::Tcp(wanted)], BACKLOG)?;
        let (clock, hand) = Clock::by_hand();
        let config = Config { clock, ..Config::default() };
        let log = Log::open(Level::Fatal, LogTarget::Nowhere, false)?;
        let server = Server::start(config, listeners, None, log)?;
        let bound = server.addresses().iter().find_map(|address| match address {
            Address::Tcp(address) => Some(*address),
            Address::Unix(_) => None,
        });
        let bound = bound.unwrap_or(wanted);
        Ok(Self { server: Some(server), address: bound.to_string(), port: bound.port(), hand })
    }

    /// Where it listens, as clients take it: `127.0.0.1:12345`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Lets time pass for the server: jobs come due, time limits and pauses run out.
    ///
    /// Between two calls its time runs as fast as any other. What is due is done by the server's own threads, soon
    /// after this returns.
    pub fn advance(&self, by: Duration) {
        self.hand.advance(by);
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            // Its queue is in memory, so there is nothing that could not be written.
            server.stop().ok();
        }
    }
}
