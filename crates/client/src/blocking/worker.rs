//! A worker for programs that are not async.

use crate::build_error::BuildError;
use crate::worker::{self, Departure, RunError, ShutdownHandle};
use tokio::runtime::Builder;

/// How many threads there may be beside those of the jobs in hand: 512.
const THREADS_TO_SPARE: usize = 512;

/// A worker that runs on the calling thread; handlers that block run on threads of their own.
///
/// It is put together as the [async one](worker::Worker), with
/// [`register_blocking`](worker::WorkerBuilder::register_blocking).
///
/// ```no_run
/// use bytes::Bytes;
/// use geartrain_client::blocking::Worker;
///
/// fn reverse(workload: Bytes) -> Bytes {
///     workload.iter().rev().copied().collect()
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let worker = Worker::builder()
///     .servers("localhost:4730")
///     .register_blocking("reverse", reverse)
///     .at_once(4)
///     .stop_on_signals()
///     .build_blocking()?;
/// let departure = worker.run()?;
/// println!("left after {} jobs", departure.jobs);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a worker does nothing before it runs"]
pub struct Worker {
    worker: worker::Worker,
}

impl worker::WorkerBuilder {
    /// Puts the worker together, for a program without a runtime. It connects when it runs.
    ///
    /// # Errors
    /// As [`build`](worker::WorkerBuilder::build).
    pub fn build_blocking(self) -> Result<Worker, BuildError> {
        Ok(Worker { worker: self.build()? })
    }
}

impl Worker {
    /// Begins to put a worker together, ending with [`build_blocking`](worker::WorkerBuilder::build_blocking).
    pub fn builder() -> worker::WorkerBuilder {
        worker::Worker::builder()
    }

    /// Something that asks this worker to stop, from another thread.
    #[must_use]
    pub fn shutdown_handle(&self) -> ShutdownHandle {
        self.worker.shutdown_handle()
    }

    /// Works until asked to stop, or until its jobs or its lifetime are over.
    ///
    /// # Errors
    /// When no runtime can be had, or the process cannot be told of the signals it is to stop at.
    ///
    /// # Panics
    /// On a thread that runs async code: there, use the async worker.
    pub fn run(self) -> Result<Departure, RunError> {
        // Names of servers are looked up on such threads as well, and handlers over their time limit keep theirs.
        let threads = self.worker.jobs_at_once().saturating_add(THREADS_TO_SPARE);
        let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(threads).build();
        let runtime = runtime.map_err(RunError::Runtime)?;
        let departure = runtime.block_on(self.worker.run());
        // A handler that was given up may block its thread for ever.
        runtime.shutdown_background();
        departure
    }
}
