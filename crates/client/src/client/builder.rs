//! What a client is told at its beginning.

use super::Client;
use super::choice::ServerChoice;
use super::limits::{ClientLimits, Resend};
use super::pool::Pool;
use crate::address::{AddressError, DEFAULT_PORT, SERVERS_VARIABLE, ServerAddress};
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
/// # Ok::<(), geartrain_client::AddressError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "`build` makes the client"]
pub struct ClientBuilder {
    servers: Result<Vec<ServerAddress>, AddressError>,
    connections: usize,
    choice: ServerChoice,
    resend: Resend,
    limits: ClientLimits,
}

impl Default for ClientBuilder {
    fn default() -> Self {
        Self {
            servers: Ok(Vec::new()),
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
    /// For jobs to coalesce across clients, all clients name a server alike; their order does not matter. What is no
    /// address is said by [`ClientBuilder::build`].
    pub fn servers(mut self, list: &str) -> Self {
        if let Ok(servers) = &mut self.servers {
            match ServerAddress::parse_list(list, DEFAULT_PORT) {
                Ok(list) => servers.extend(list),
                Err(error) => self.servers = Err(error),
            }
        }
        self
    }

    /// Adds one server.
    pub fn server(mut self, server: ServerAddress) -> Self {
        if let Ok(servers) = &mut self.servers {
            servers.push(server);
        }
        self
    }

    /// Adds the servers that the variable `GEARMAN_SERVERS` names, or `localhost` when it is not set.
    pub fn servers_from_environment(self) -> Self {
        match std::env::var(SERVERS_VARIABLE) {
            Ok(list) => self.servers(&list),
            Err(_) => self.servers("localhost"),
        }
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
    /// When a server's address is none, or there is no server.
    pub fn build(self) -> Result<Client, AddressError> {
        let mut servers = self.servers?;
        if servers.is_empty() {
            return Err(AddressError::EmptyList);
        }
        let mut seen = std::collections::HashSet::new();
        servers.retain(|server| seen.insert(server.clone()));
        let pool = Pool::new(servers, self.connections, self.choice, self.limits);
        Ok(Client { pool: Arc::new(pool), resend: self.resend })
    }
}
