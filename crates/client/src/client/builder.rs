//! What a client is told at its beginning.

use super::Client;
use super::choice::ServerChoice;
use super::limits::{ClientLimits, Resend};
use super::pool::Pool;
use crate::address::{ServerAddress, ServerList};
use crate::build_error::BuildError;
use crate::net::Pauses;
use std::sync::Arc;
use std::time::Duration;

/// A client to be, from [`Client::builder`].
///
/// ```
/// use geartrain_client::{Client, Resend};
/// use std::time::Duration;
///
/// let client = Client::builder()
///     .servers("jobs1.example:4730, jobs2.example:4730")
///     .job_timeout(Duration::from_secs(30))
///     .resend(Resend::Never)
///     .build()?;
/// # Ok::<(), geartrain_client::BuildError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "`build` makes the client"]
pub struct ClientBuilder {
    servers: ServerList,
    connections: usize,
    choice: ServerChoice,
    resend: Resend,
    limits: ClientLimits,
}

impl Default for ClientBuilder {
    fn default() -> Self {
        Self {
            servers: ServerList::default(),
            connections: 1,
            choice: ServerChoice::default(),
            resend: Resend::default(),
            limits: ClientLimits::default(),
        }
    }
}

impl ClientBuilder {
    /// Adds servers, separated by commas: `host`, `host:port`, `[::1]:4730` or `unix:/path`.
    ///
    /// Without any, the variable `GEARMAN_SERVERS` names them, and without that it is `localhost:4730`. For jobs to
    /// coalesce across clients, all clients name a server alike; their order does not matter. What is no address is
    /// said by [`ClientBuilder::build`].
    pub fn servers(mut self, list: impl AsRef<str>) -> Self {
        self.servers.add_list(list.as_ref());
        self
    }

    /// Adds one server.
    pub fn server(mut self, server: ServerAddress) -> Self {
        self.servers.add(server);
        self
    }

    /// How many connections each server gets, used in turn; at least 1, default 1.
    ///
    /// One is enough for any number of jobs, unless their results are so large that small ones wait behind them.
    pub fn connections(mut self, connections: usize) -> Self {
        self.connections = connections;
        self
    }

    /// How a server is picked for a job; default [`ServerChoice::ByUnique`].
    pub fn choice(mut self, choice: ServerChoice) -> Self {
        self.choice = choice;
        self
    }

    /// What becomes of jobs whose connection ends before they do, where the job does not say; default
    /// [`Resend::Unsent`].
    pub fn resend(mut self, resend: Resend) -> Self {
        self.resend = resend;
        self
    }

    /// How long a connection may take to come about; default 10 seconds.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.limits.connect = limit;
        self
    }

    /// How long a server may take none of the bytes written to it; default 60 seconds. Then the connection is given up.
    pub fn write_timeout(mut self, limit: Duration) -> Self {
        self.limits.write = limit;
        self
    }

    /// How long a server may be silent while it owes an answer: to a submit its handle, to a question the answer;
    /// default 60 seconds. Then the connection is given up.
    pub fn answer_timeout(mut self, limit: Duration) -> Self {
        self.limits.answer = limit;
        self
    }

    /// How long a job may take from its submit to its end, where the job does not say; default 1 hour.
    pub fn job_timeout(mut self, limit: Duration) -> Self {
        self.limits.job = limit;
        self
    }

    /// How long a job waits while no server can be reached; default 10 seconds. With zero it fails at once.
    pub fn patience(mut self, limit: Duration) -> Self {
        self.limits.patience = limit;
        self
    }

    /// The pauses between tries to reach a server: the first, about, and the longest; default 50 ms and 5 seconds. Each
    /// is twice as long as the one before, with up to as much again by chance. A pause below 1 ms is raised to that,
    /// and a longest below the first to the first.
    pub fn reconnect_pauses(mut self, first: Duration, longest: Duration) -> Self {
        self.limits.pauses = Pauses { first, longest };
        self
    }

    /// Largest packet taken from a server, in bytes; default 256 MiB. A larger one ends the connection.
    pub fn body_bytes_max(mut self, bytes: u32) -> Self {
        self.limits.session.body_bytes_max = bytes;
        self
    }

    /// Most bytes held of one job that nobody has read yet; default 256 MiB. A job that sends more ends with
    /// [`JobError::Overrun`](super::JobError::Overrun).
    pub fn held_bytes_max(mut self, bytes: usize) -> Self {
        self.limits.held_bytes_max = bytes;
        self
    }

    /// Most bytes held of all jobs of one connection that nobody has read yet; default 1 GiB. The job that sends more
    /// ends with [`JobError::Overrun`](super::JobError::Overrun).
    pub fn held_bytes_in_all_max(mut self, bytes: usize) -> Self {
        self.limits.held_bytes_in_all_max = bytes;
        self
    }

    /// Most requests and foreground jobs in flight over one connection; default 65,536. Further ones wait.
    pub fn in_flight_max(mut self, requests: usize) -> Self {
        self.limits.session.in_flight_max = requests.max(2);
        self
    }

    /// The client. Nothing is connected yet.
    ///
    /// # Errors
    /// When a server's address is none, or a list of servers is empty.
    pub fn build(self) -> Result<Client, BuildError> {
        let servers = self.servers.finish()?;
        let pool = Pool::new(servers, self.connections, self.choice, self.limits);
        Ok(Client { pool: Arc::new(pool), resend: self.resend })
    }
}
