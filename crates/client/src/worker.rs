//! Working: async functions that do the jobs of servers.
//!
//! ```no_run
//! use bytes::Bytes;
//! use geartrain_client::Worker;
//! use geartrain_client::worker::Job;
//! use std::error::Error;
//!
//! async fn reverse(workload: Bytes) -> Bytes {
//!     workload.iter().rev().copied().collect()
//! }
//!
//! async fn sum(job: Job, numbers: String) -> Result<String, Box<dyn Error + Send + Sync>> {
//!     let lines = u32::try_from(numbers.lines().count())?;
//!     let mut total = 0;
//!     for (done, number) in (1..).zip(numbers.lines()) {
//!         total += number.parse::<i64>()?; // An error ends the job with an exception that says why.
//!         job.status(done, lines).await?;
//!     }
//!     Ok(total.to_string())
//! }
//!
//! # async fn run() -> Result<(), Box<dyn Error>> {
//! let worker = Worker::builder()
//!     .servers("localhost:4730")
//!     .register("reverse", reverse)
//!     .register("sum", sum)
//!     .at_once(8)
//!     .stop_on_signals()
//!     .build()?;
//! let departure = worker.run().await?;
//! println!("left after {} jobs", departure.jobs);
//! # Ok(())
//! # }
//! ```
//!
//! The way of a job: a driver keeps each connection and asks for as many jobs as slots are free; the session
//! hands it a job; its handler runs, at first within the driver where that holds up no other job, then on a task
//! of its own; and whoever ends the job writes the result to the server, together with the next grab.
//!
//! What happens when:
//!
//! | event | consequence |
//! |---|---|
//! | a handler returns an error | the job ends with an exception: the error and its causes |
//! | a handler panics | the job ends with an exception; the worker goes on |
//! | a job takes longer than its function's time limit | the server gives it to another worker; the handler is dropped |
//! | a server is lost | its jobs run on, their results are dropped, the server gives them to other workers; the worker connects again, with growing pauses |
//! | the worker is asked to stop | it grabs no more, does what it has in hand, and leaves |
//! | [`Worker::run`] is dropped | as with [`ShutdownHandle::shutdown_now`] |

mod bell;
mod builder;
mod driver;
mod error;
mod handler;
mod job;
mod limits;
mod link;
mod report;
mod run;
mod shared;
mod shutdown;
mod slots;

pub use builder::{Ability, WorkerBuilder};
pub use error::{ReportError, RunError};
pub use handler::{BlockingHandler, FromJob, Handler, HandlerFuture, IntoJobEnd, JobEnd, JobFailed};
pub use job::Job;
pub use report::{Departure, JobReport, Outcome, Reason};
pub use shutdown::ShutdownHandle;

use crate::address::ServerAddress;
use bell::Bell;
use driver::{Functions, Lane, Polling, drive};
use shared::Shared;
use shutdown::{Signals, Stage, reached};
use std::future::{pending, poll_fn};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// How long handlers that were dropped may take to be gone: 1 second. One that blocks its thread cannot be ended.
const ABANDON_LIMIT: Duration = Duration::from_secs(1);

/// A worker: does the jobs of its servers until it is asked to stop. See the [module](self).
#[derive(Debug)]
#[must_use = "a worker does nothing before it runs"]
pub struct Worker {
    shared: Arc<Shared>,
    servers: Vec<ServerAddress>,
    groups: Vec<Group>,
    at_once: usize,
    /// Rung when the last job is over, or the last of those that were to be done.
    watcher: Arc<Bell>,
    lifetime: Option<Lifetime>,
    patience: Option<Duration>,
    stop_on_signals: bool,
    shutdown: ShutdownHandle,
}

/// Functions that share a connection to each server.
#[derive(Debug)]
struct Group {
    functions: Arc<Functions>,
    slots: usize,
}

#[derive(Debug, Clone, Copy)]
struct Lifetime {
    length: Duration,
    jitter: Duration,
}

/// How far the leave has come.
enum Leave {
    Over,
    OutOfPatience,
}

impl Worker {
    /// Begins to put a worker together.
    pub fn builder() -> WorkerBuilder {
        WorkerBuilder::new()
    }

    /// Something that asks this worker to stop, while it runs.
    #[must_use]
    pub fn shutdown_handle(&self) -> ShutdownHandle {
        self.shutdown.clone()
    }

    /// How many jobs may be in hand at once.
    #[cfg(feature = "blocking")]
    pub(crate) fn jobs_at_once(&self) -> usize {
        self.at_once
    }

    /// Works until asked to stop, or until its jobs or its lifetime are over; on a tokio runtime with IO and time.
    ///
    /// A server that cannot be reached is tried again and again, with growing pauses, while the others are served.
    ///
    /// # Errors
    /// When the process cannot be told of the signals it is to stop at.
    pub async fn run(self) -> Result<Departure, RunError> {
        let mut signals = match self.stop_on_signals {
            true => Some(Signals::listen().map_err(RunError::Signals)?),
            false => None,
        };
        let _abandon = AbandonOnDrop(Arc::clone(&self.shared));
        let mut drivers = self.start();
        let reason = self.until_stop(&mut drivers, &mut signals).await;
        tracing::info!(?reason, "stopping: no more jobs are grabbed");
        self.shutdown.shutdown();
        if let Leave::OutOfPatience = self.until_over(&mut drivers, &mut signals).await {
            self.shutdown.shutdown_now();
            self.shared.tasks.abort_all();
            if timeout(ABANDON_LIMIT, self.over(&mut drivers)).await.is_err() {
                tracing::warn!("a handler blocks its thread and cannot be ended");
            }
        }
        Ok(Departure {
            reason,
            jobs: self.shared.jobs_begun.load(Ordering::Relaxed),
            abandoned: self.shared.jobs_abandoned.load(Ordering::Relaxed),
        })
    }

    /// Starts a driver for each connection.
    fn start(&self) -> JoinSet<()> {
        // One at a time holds up nobody else; and on a single thread, jobs take turns in any case.
        let alone = self.at_once == 1 || Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread;
        let polling = if alone { Polling::Inline } else { Polling::Task };
        let mut drivers = JoinSet::new();
        for server in &self.servers {
            for group in &self.groups {
                let bell = Arc::new(Bell::default());
                let lane = Lane {
                    server: server.clone(),
                    functions: Arc::clone(&group.functions),
                    id: self.shared.slots.add_lane(group.slots, Arc::clone(&bell)),
                    bell,
                    polling,
                };
                drivers.spawn(drive(lane, Arc::clone(&self.shared), self.shutdown.subscribe()));
            }
        }
        drivers
    }

    async fn until_stop(&self, drivers: &mut JoinSet<()>, signals: &mut Option<Signals>) -> Reason {
        let mut stage = self.shutdown.subscribe();
        tokio::select! {
            biased;
            () = reached(&mut stage, Stage::Stopping) => Reason::Asked,
            // No driver ends before that but by a panic.
            () = ended(drivers) => Reason::Asked,
            () = signal(signals) => Reason::Signal,
            () = self.jobs_done() => Reason::JobsDone,
            () = self.lifetime_over() => Reason::LifetimeOver,
        }
    }

    async fn until_over(&self, drivers: &mut JoinSet<()>, signals: &mut Option<Signals>) -> Leave {
        let mut stage = self.shutdown.subscribe();
        let patience = async {
            match self.patience {
                Some(patience) => sleep(patience).await,
                None => pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.over(drivers) => Leave::Over,
            () = reached(&mut stage, Stage::Leaving) => Leave::OutOfPatience,
            () = signal(signals) => Leave::OutOfPatience,
            () = patience => Leave::OutOfPatience,
        }
    }

    /// Waits until all connections are closed and all jobs are over, those of lost connections too.
    async fn over(&self, drivers: &mut JoinSet<()>) {
        ended(drivers).await;
        poll_fn(|context| {
            self.watcher.listen(context);
            let is_over = self.shared.slots.is_idle() && self.shared.tasks.are_over();
            if is_over { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    async fn jobs_done(&self) {
        poll_fn(|context| {
            self.watcher.listen(context);
            if self.shared.slots.is_spent() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    async fn lifetime_over(&self) {
        match self.lifetime {
            Some(Lifetime { length, jitter }) => {
                let extra = Duration::try_from_secs_f64(jitter.as_secs_f64() * fastrand::f64());
                sleep(length.saturating_add(extra.unwrap_or(jitter))).await;
            }
            None => pending().await,
        }
    }
}

/// Waits until all drivers have ended; a panic of one is that of the worker.
async fn ended(drivers: &mut JoinSet<()>) {
    while let Some(ended) = drivers.join_next().await {
        if let Err(error) = ended
            && error.is_panic()
        {
            resume_unwind(error.into_panic());
        }
    }
}

async fn signal(signals: &mut Option<Signals>) {
    match signals {
        Some(signals) => signals.next().await,
        None => pending().await,
    }
}

/// Ends the tasks of jobs with the worker, however that comes about.
struct AbandonOnDrop(Arc<Shared>);

impl Drop for AbandonOnDrop {
    fn drop(&mut self) {
        drop(self.0.slots.close());
        self.0.tasks.abort_all();
    }
}
