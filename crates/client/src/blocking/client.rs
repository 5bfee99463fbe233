//! A client that blocks the calling thread: each call runs the async client on a runtime of this client's own.
//!
//! From: the calling thread. To: the same results and errors as those of [`crate::Client`].
//! Never: does anything between calls: a server that hangs up is noticed with the next call. The one thread it starts
//! is that on which the system looks up the name of a server.

use super::admin::Admin;
use crate::address::ServerAddress;
use crate::build_error::BuildError;
use crate::client::{self, JobError, JobEvent, JobHandle, JobStatus, Resend};
use crate::values::{FromBytes, IntoBytes};
use bytes::Bytes;
use geartrain_proto::Priority;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::runtime::{self, Builder};

/// A runtime whose end waits for nothing: looking up a name may take longer than anybody wants to wait.
#[derive(Debug)]
pub(super) struct Runtime(Option<runtime::Runtime>);

impl Runtime {
    fn new() -> io::Result<Self> {
        Ok(Self(Some(Builder::new_current_thread().enable_all().build()?)))
    }

    pub(super) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.0.as_ref().expect("it is taken when it is dropped").block_on(future)
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// A client of one or several servers that blocks the calling thread; see [`crate::Client`].
///
/// Clones share connections. It must not be used within an async runtime, whose thread it would block: a call panics
/// there, as tokio's `block_on` does.
///
/// ```no_run
/// use geartrain_client::blocking::Client;
///
/// let client = Client::new("localhost:4730")?;
/// let result = client.job("reverse", "abc").run()?;
/// assert_eq!(result, "cba");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Client {
    // Dropped before the runtime, which its connections need.
    inner: client::Client,
    runtime: Arc<Runtime>,
}

impl client::ClientBuilder {
    /// The client, for a program without a runtime. Nothing is connected yet.
    ///
    /// # Errors
    /// As [`build`](client::ClientBuilder::build), and when the system is out of file descriptors.
    pub fn build_blocking(self) -> Result<Client, BuildError> {
        let runtime = Runtime::new().map_err(BuildError::Runtime)?;
        Ok(Client { inner: self.build()?, runtime: Arc::new(runtime) })
    }
}

impl Client {
    /// A client of these servers, as [`crate::Client::new`].
    ///
    /// # Errors
    /// When an element is no address, or there is none, or the system is out of file descriptors.
    pub fn new(servers: &str) -> Result<Self, BuildError> {
        client::Client::builder().servers(servers).build_blocking()
    }

    /// A client whose servers, limits and manners are to be said, ending with
    /// [`build_blocking`](client::ClientBuilder::build_blocking).
    pub fn builder() -> client::ClientBuilder {
        client::Client::builder()
    }

    /// A job for the workers of a function, as [`crate::Client::job`].
    pub fn job(&self, function: impl AsRef<[u8]>, workload: impl IntoBytes) -> JobBuilder {
        JobBuilder { inner: self.inner.job(function, workload), runtime: Arc::clone(&self.runtime) }
    }

    /// Runs many jobs, a window of them at once, as [`crate::Client::run_all`].
    pub fn run_all<J>(&self, jobs: J) -> RunAll<impl Iterator<Item = client::JobBuilder> + use<J>>
    where
        J: IntoIterator<Item = JobBuilder>,
    {
        let jobs = jobs.into_iter().map(|job| job.inner);
        JobSet { inner: self.inner.run_all(jobs), runtime: Arc::clone(&self.runtime) }
    }

    /// Submits many jobs in background, a window of them at once, as [`crate::Client::background_all`].
    pub fn background_all<J>(
        &self,
        jobs: J,
    ) -> BackgroundAll<impl Iterator<Item = client::JobBuilder> + use<J>>
    where
        J: IntoIterator<Item = JobBuilder>,
    {
        let jobs = jobs.into_iter().map(|job| job.inner);
        JobSet { inner: self.inner.background_all(jobs), runtime: Arc::clone(&self.runtime) }
    }

    /// Asks a job's server how the job is, as [`crate::Client::status`].
    ///
    /// # Errors
    /// As there.
    pub fn status(&self, job: &JobHandle) -> Result<JobStatus, JobError> {
        self.runtime.block_on(self.inner.status(job))
    }

    /// Asks how the job with this unique is, as [`crate::Client::status_of_unique`].
    ///
    /// # Errors
    /// As there.
    pub fn status_of_unique(
        &self,
        function: impl AsRef<[u8]>,
        unique: impl AsRef<[u8]>,
    ) -> Result<JobStatus, JobError> {
        self.runtime.block_on(self.inner.status_of_unique(function, unique))
    }

    /// Has a server send bytes back, as [`crate::Client::echo`].
    ///
    /// # Errors
    /// As there.
    pub fn echo(&self, server: &ServerAddress, data: impl AsRef<[u8]>) -> Result<Bytes, JobError> {
        self.runtime.block_on(self.inner.echo(server, data))
    }

    /// A connection of its own to a server, for steering and inspecting it, as [`crate::Client::admin`].
    #[must_use]
    pub fn admin(&self, server: &ServerAddress) -> Admin {
        Admin::new(self.inner.admin(server), Arc::clone(&self.runtime))
    }

    /// The servers, in the order they were given.
    pub fn servers(&self) -> impl Iterator<Item = &ServerAddress> {
        self.inner.servers()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// A job that is not submitted yet; see [`crate::JobBuilder`].
#[derive(Debug, Clone)]
#[must_use = "a job is submitted by `run`, `start` or `background`"]
pub struct JobBuilder {
    inner: client::JobBuilder,
    runtime: Arc<Runtime>,
}

impl JobBuilder {
    /// How urgent the job is, as [`crate::JobBuilder::priority`].
    pub fn priority(mut self, priority: Priority) -> Self {
        self.inner = self.inner.priority(priority);
        self
    }

    /// What makes this job the same as another, as [`crate::JobBuilder::unique`].
    pub fn unique(mut self, unique: impl AsRef<[u8]>) -> Self {
        self.inner = self.inner.unique(unique);
        self
    }

    /// When the job may run at the earliest, as [`crate::JobBuilder::not_before`].
    pub fn not_before(mut self, time: SystemTime) -> Self {
        self.inner = self.inner.not_before(time);
        self
    }

    /// The function that puts partial results together, as [`crate::JobBuilder::reducer`].
    pub fn reducer(mut self, name: impl AsRef<[u8]>) -> Self {
        self.inner = self.inner.reducer(name);
        self
    }

    /// How long it may take, as [`crate::JobBuilder::timeout`].
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.inner = self.inner.timeout(limit);
        self
    }

    /// What becomes of the job when its connection ends first, as [`crate::JobBuilder::resend`].
    pub fn resend(mut self, resend: Resend) -> Self {
        self.inner = self.inner.resend(resend);
        self
    }

    /// Submits the job in foreground and waits for its result, as [`crate::JobBuilder::run`].
    ///
    /// # Errors
    /// As there.
    pub fn run(self) -> Result<Bytes, JobError> {
        self.runtime.block_on(self.inner.run())
    }

    /// As [`JobBuilder::run`], and reads the result, as [`crate::JobBuilder::run_as`].
    ///
    /// # Errors
    /// As there.
    pub fn run_as<R: FromBytes>(self) -> Result<R, JobError> {
        self.runtime.block_on(self.inner.run_as())
    }

    /// Submits the job in foreground and waits until it is accepted, as [`crate::JobBuilder::start`].
    ///
    /// # Errors
    /// As there.
    pub fn start(self) -> Result<Job, JobError> {
        let inner = self.runtime.block_on(self.inner.start())?;
        Ok(Job { inner, runtime: self.runtime })
    }

    /// Submits the job in background and waits until it is accepted, as [`crate::JobBuilder::background`].
    ///
    /// # Errors
    /// As there.
    pub fn background(self) -> Result<JobHandle, JobError> {
        self.runtime.block_on(self.inner.background())
    }
}

/// A foreground job that a server has accepted: an iterator of what happens to it; see [`crate::Job`].
///
/// What comes is read while a call of this client waits, and not between.
#[derive(Debug)]
#[must_use = "what happens to the job comes to whoever asks this"]
pub struct Job {
    inner: client::Job,
    runtime: Arc<Runtime>,
}

impl Job {
    /// The job's server and handle.
    #[must_use]
    pub fn handle(&self) -> &JobHandle {
        self.inner.handle()
    }

    /// Waits for the rest of the result, as [`crate::Job::result`].
    ///
    /// # Errors
    /// As there.
    pub fn result(self) -> Result<Bytes, JobError> {
        self.runtime.block_on(self.inner.result())
    }

    /// As [`Job::result`], and reads it, as [`crate::Job::result_as`].
    ///
    /// # Errors
    /// As there.
    pub fn result_as<R: FromBytes>(self) -> Result<R, JobError> {
        self.runtime.block_on(self.inner.result_as())
    }
}

impl Iterator for Job {
    type Item = Result<JobEvent, JobError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.runtime.block_on(self.inner.next())
    }
}

/// The results of many jobs: an iterator of the job's place in the set and its result; see [`crate::RunAll`].
pub type RunAll<I> = JobSet<I, Bytes>;

/// The handles of many background jobs: an iterator of the job's place in the set and its handle; see
/// [`crate::BackgroundAll`].
pub type BackgroundAll<I> = JobSet<I, JobHandle>;

/// Many jobs, a window of them at once: [`RunAll`] or [`BackgroundAll`].
#[derive(Debug)]
#[must_use = "jobs are submitted when this is asked for what comes of them"]
pub struct JobSet<I: Iterator, T> {
    inner: client::JobSet<I, T>,
    runtime: Arc<Runtime>,
}

impl<I: Iterator<Item = client::JobBuilder>, T> JobSet<I, T> {
    /// How many jobs are in flight at once; at least 1, default 256.
    pub fn window(self, jobs: usize) -> Self {
        Self { inner: self.inner.window(jobs), runtime: self.runtime }
    }
}

impl<I: Iterator<Item = client::JobBuilder>> RunAll<I> {
    /// Waits for all results, in the order of the jobs, as [`crate::RunAll::collect`].
    ///
    /// # Errors
    /// As there.
    pub fn results(self) -> Result<Vec<Bytes>, JobError> {
        self.runtime.block_on(self.inner.collect())
    }
}

impl<I: Iterator<Item = client::JobBuilder>, T> Iterator for JobSet<I, T> {
    type Item = (usize, Result<T, JobError>);

    fn next(&mut self) -> Option<Self::Item> {
        self.inner.next_at_hand().or_else(|| self.runtime.block_on(self.inner.next()))
    }
}
