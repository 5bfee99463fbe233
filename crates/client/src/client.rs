//! The client: submits jobs to one or several servers, and waits for what comes of them.
//!
//! From: [`Client::job`]. To: a result, a stream of events, or a handle.
//! Never: takes a job for done or for lost that it does not know to be; [`JobError`] says what is known.

mod builder;
mod choice;
mod driver;
mod error;
mod handle;
mod job;
pub(crate) mod limits;
mod link;
mod name;
mod news;
mod pool;
mod set;
mod slots;
mod spec;
mod submission;

pub use builder::ClientBuilder;
pub use choice::ServerChoice;
pub use error::JobError;
pub use handle::{HandleError, JobHandle};
pub use job::{Background, Job, JobBuilder, JobEvent, Run};
pub use limits::Resend;
pub use news::Held;
pub use set::{BackgroundAll, JobSet, RunAll};

use crate::address::ServerAddress;
use crate::admin::Admin;
use crate::build_error::BuildError;
use crate::limits::RESENDS_MAX;
use crate::values::IntoBytes;
use bytes::Bytes;
use geartrain_proto::Unique;
use limits::deadline;
use link::{Question, Terms};
use news::{News, Want};
use pool::{Found, Pool};
use std::fmt;
use std::sync::Arc;
use tokio::time::Instant;

/// A client of one or several servers.
///
/// It is a handle: clones share its connections, and may be used from any number of tasks. A connection comes about
/// with the first job that needs it, serves all tasks at once, and is kept. When a server ends it, the next job
/// connects anew.
///
/// It is used within a tokio runtime, and its connections live in the runtime where they came about: when that shuts
/// down, who waits is told, and the next job connects in the runtime where it is submitted.
#[derive(Clone)]
pub struct Client {
    pool: Arc<Pool>,
    resend: Resend,
}

impl Client {
    /// A client of these servers: `host`, `host:port`, `[::1]:4730` or `unix:/path`, separated by commas.
    ///
    /// Nothing is connected yet. [`Client::builder`] says more.
    ///
    /// # Errors
    /// When an element is no address, or there is none.
    pub fn new(servers: &str) -> Result<Self, BuildError> {
        Self::builder().servers(servers).build()
    }

    /// A client whose servers, limits and manners are to be said.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// A job for the workers of a function: any bytes, at most 8191 (gearmand's own clients take 512), none of them
    /// NUL.
    ///
    /// The workload is what the worker gets: bytes and text as they are, other values as `Json` or `MsgPack`. One
    /// that has no form in bytes is told by [`JobError::Value`] when the job is submitted.
    pub fn job(&self, function: impl AsRef<[u8]>, workload: impl IntoBytes) -> JobBuilder {
        JobBuilder::new(&self.pool, self.resend, function.as_ref(), workload.into_bytes())
    }

    /// Runs many jobs, a window of them at once, and hands out their results as they come.
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// let client = geartrain_client::Client::new("localhost")?;
    /// let pages = (1..=1_000_000).map(|page| client.job("render", page.to_string()));
    /// let mut results = client.run_all(pages).window(64);
    /// while let Some((place, result)) = results.next().await {
    ///     println!("page {} is {} bytes", place + 1, result?.len());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn run_all<J>(&self, jobs: J) -> RunAll<J::IntoIter>
    where
        J: IntoIterator<Item = JobBuilder>,
    {
        RunAll::of_results(jobs.into_iter())
    }

    /// Submits many jobs in background, a window of them at once, and hands out their handles as they come.
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// let client = geartrain_client::Client::new("localhost")?;
    /// let mails = (1..=1_000_000).map(|user| client.job("mail", user.to_string()));
    /// let mut handles = client.background_all(mails).window(64);
    /// while let Some((_, handle)) = handles.next().await {
    ///     handle?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn background_all<J>(&self, jobs: J) -> BackgroundAll<J::IntoIter>
    where
        J: IntoIterator<Item = JobBuilder>,
    {
        BackgroundAll::of_handles(jobs.into_iter())
    }

    /// The servers, in the order they were given.
    pub fn servers(&self) -> impl Iterator<Item = &ServerAddress> {
        self.pool.addresses()
    }

    /// Asks a job's server how the job is: `GET_STATUS`. Any client of that server may ask.
    ///
    /// A job that has ended is not known any more.
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// use geartrain_client::{Client, JobHandle};
    ///
    /// let client = Client::new("jobs.example")?;
    /// let handle = client.job("mail", "everybody").background().await?.to_string();
    ///
    /// // Elsewhere, with the text of the handle:
    /// let handle: JobHandle = handle.parse()?;
    /// let status = client.status(&handle).await?;
    /// println!("it {}", if status.is_running { "runs" } else { "waits, or has ended" });
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`JobError::UnknownServer`] when the server is none of this client's: it connects nowhere because of a
    /// handle that came from elsewhere. Otherwise when there is no answer.
    pub async fn status(&self, job: &JobHandle) -> Result<JobStatus, JobError> {
        let find = || self.pool.find_server(job.server());
        self.status_from(Question::Status(job.handle()), find).await
    }

    /// Asks how the job with this unique is: `GET_STATUS_UNIQUE`, of the server where a job of this function and
    /// unique goes.
    ///
    /// The servers themselves look for a unique in all functions.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn status_of_unique(
        &self,
        function: impl AsRef<[u8]>,
        unique: impl AsRef<[u8]>,
    ) -> Result<JobStatus, JobError> {
        let key = choice::key(function.as_ref(), unique.as_ref());
        let question = Question::StatusOfUnique(Unique::new(unique.as_ref()));
        self.status_from(question, || Ok(self.pool.find(|| Some(key)))).await
    }

    /// Has a server send bytes back: `ECHO_REQ`. It shows that the server is there and answers.
    ///
    /// # Errors
    /// As [`Client::status`].
    pub async fn echo(&self, server: &ServerAddress, data: impl AsRef<[u8]>) -> Result<Bytes, JobError> {
        loop {
            let question = Question::Echo(data.as_ref());
            if let News::Echo(data) = self.ask(question, || self.pool.find_server(server)).await? {
                return Ok(data);
            }
        }
    }

    /// A connection of its own to a server, for steering and inspecting it. It comes about with the first command.
    #[must_use]
    pub fn admin(&self, server: &ServerAddress) -> Admin {
        Admin::with_limits(server.clone(), self.pool.limits.connect, self.pool.limits.answer)
    }

    async fn status_from(
        &self,
        question: Question<'_>,
        find: impl Fn() -> Result<Found, JobError>,
    ) -> Result<JobStatus, JobError> {
        loop {
            if let News::Status(status, clients) = self.ask(question, &find).await? {
                return Ok(JobStatus {
                    is_known: status.known,
                    is_running: status.running,
                    numerator: status.numerator,
                    denominator: status.denominator,
                    clients,
                });
            }
        }
    }

    /// Asks what changes nothing, so that it may be asked again over another connection.
    async fn ask(
        &self,
        question: Question<'_>,
        find: impl Fn() -> Result<Found, JobError>,
    ) -> Result<News, JobError> {
        let limit = self.pool.limits.answer;
        let ends_by = deadline(Instant::now(), limit);
        let terms = Terms { want: Want::Answer, ends_by, limit };
        for _ in 0..RESENDS_MAX {
            let waiting = submission::ask(&self.pool, question, terms, &find).await?;
            match waiting.answer().await {
                Err(JobError::Lost { .. }) if Instant::now() < ends_by => {}
                answer => return answer.map_err(of_question),
            }
        }
        let waiting = submission::ask(&self.pool, question, terms, &find).await?;
        waiting.answer().await.map_err(of_question)
    }
}

/// A question that was lost is no job that may run.
fn of_question(error: JobError) -> JobError {
    if let JobError::Lost { server, cause, .. } = error {
        return JobError::Unanswered { server, cause };
    }
    error
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("servers", &self.servers().collect::<Vec<_>>()).finish_non_exhaustive()
    }
}

/// How a job is, as its server knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobStatus {
    /// Whether the server has the job: it waits or runs. A job that has ended, or never was, is not known.
    pub is_known: bool,
    /// Whether a worker runs it.
    pub is_running: bool,
    /// Done so far, in units of the worker's choice.
    pub numerator: u32,
    /// Of so many; 0 when the worker did not say.
    pub denominator: u32,
    /// How many clients wait for it, where the unique was asked for.
    pub clients: Option<u32>,
}

impl JobStatus {
    /// How much is done, from 0 to 1; `None` when the worker did not say.
    #[must_use]
    pub fn progress(&self) -> Option<f64> {
        let whole = Some(self.denominator).filter(|whole| *whole > 0)?;
        Some((f64::from(self.numerator) / f64::from(whole)).min(1.0))
    }
}
