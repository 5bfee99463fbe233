//! A job as its handler sees it: what is known of it, and reports on it.

use super::error::ReportError;
use super::link::Link;
use super::report::age_of_unique;
use crate::address::ServerAddress;
use crate::session::worker::{AssignedJob, JobKey};
use bytes::Bytes;
use geartrain_proto::Handle;
use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, SystemTime};

/// A job that this worker has in hand.
///
/// A clone is the same job. Reports go to the server at once; they wait where the server does not take what was
/// written before. In code that may not be async, as in [`tokio::task::spawn_blocking`], use the forms that
/// begin with `blocking`.
#[derive(Clone)]
pub struct Job {
    inner: Arc<Inner>,
}

struct Inner {
    assigned: AssignedJob,
    link: Arc<Link>,
}

/// A report that is no end.
#[derive(Debug, Clone, Copy)]
pub(super) enum Report<'a> {
    Status { numerator: u32, denominator: u32 },
    Data(&'a [u8]),
    Warning(&'a [u8]),
}

impl Job {
    pub(super) fn new(assigned: AssignedJob, link: Arc<Link>) -> Self {
        Self { inner: Arc::new(Inner { assigned, link }) }
    }

    /// What the client sent; a clone of it is no copy.
    #[must_use]
    pub fn workload(&self) -> &Bytes {
        &self.inner.assigned.workload
    }

    /// The function.
    #[must_use]
    pub fn function(&self) -> &str {
        &self.inner.assigned.function
    }

    /// The handle, by which the server knows the job; as in `H:host:1`.
    #[must_use]
    pub fn handle(&self) -> Handle<'_> {
        self.inner.assigned.key.handle()
    }

    /// The unique that the client gave the job, if it gave one and the server tells.
    #[must_use]
    pub fn unique(&self) -> Option<&[u8]> {
        Some(&*self.inner.assigned.unique).filter(|unique| !unique.is_empty())
    }

    /// The function that puts the results together, for a job of a client that reduces (`SUBMIT_REDUCE_JOB`).
    #[must_use]
    pub fn reducer(&self) -> Option<&[u8]> {
        Some(&*self.inner.assigned.reducer).filter(|reducer| !reducer.is_empty())
    }

    /// The server that the job came from.
    #[must_use]
    pub fn server(&self) -> &ServerAddress {
        self.inner.link.server()
    }

    /// How long ago the job was submitted, where its unique tells; see [`super::JobReport::wait`].
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        age_of_unique(&self.inner.assigned.unique, SystemTime::now())
    }

    /// Reports progress to the clients that wait, and to those that ask (`WORK_STATUS`).
    ///
    /// # Errors
    /// When the job is over, or lost with its connection.
    pub async fn status(&self, numerator: u32, denominator: u32) -> Result<(), ReportError> {
        self.report(Report::Status { numerator, denominator }).await
    }

    /// Sends a part of the result to the clients that wait (`WORK_DATA`).
    ///
    /// # Errors
    /// When the job is over, or lost with its connection.
    pub async fn data(&self, data: impl AsRef<[u8]>) -> Result<(), ReportError> {
        self.report(Report::Data(data.as_ref())).await
    }

    /// Sends a warning to the clients that wait (`WORK_WARNING`).
    ///
    /// # Errors
    /// When the job is over, or lost with its connection.
    pub async fn warning(&self, warning: impl AsRef<[u8]>) -> Result<(), ReportError> {
        self.report(Report::Warning(warning.as_ref())).await
    }

    /// As [`Job::status`], for code that is not async.
    ///
    /// # Errors
    /// When the job is over, or lost with its connection.
    pub fn blocking_status(&self, numerator: u32, denominator: u32) -> Result<(), ReportError> {
        block_on(self.status(numerator, denominator))
    }

    /// As [`Job::data`], for code that is not async.
    ///
    /// # Errors
    /// When the job is over, or lost with its connection.
    pub fn blocking_data(&self, data: impl AsRef<[u8]>) -> Result<(), ReportError> {
        block_on(self.data(data))
    }

    /// As [`Job::warning`], for code that is not async.
    ///
    /// # Errors
    /// When the job is over, or lost with its connection.
    pub fn blocking_warning(&self, warning: impl AsRef<[u8]>) -> Result<(), ReportError> {
        block_on(self.warning(warning))
    }

    /// Whether the connection over which the job came is lost: its result will reach nobody, and the server gives
    /// the job to another worker. The handler runs on, so that it may end what it has begun.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.inner.link.is_lost()
    }

    /// Waits until the job is lost, see [`Job::is_lost`].
    pub async fn lost(&self) {
        self.inner.link.lost().await;
    }

    pub(super) fn key(&self) -> &JobKey {
        &self.inner.assigned.key
    }

    pub(super) fn link(&self) -> &Arc<Link> {
        &self.inner.link
    }

    async fn report(&self, report: Report<'_>) -> Result<(), ReportError> {
        self.inner.link.report(self.key(), report).await
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("function", &self.function())
            .field("handle", &self.handle())
            .field("workload_bytes", &self.workload().len())
            .finish_non_exhaustive()
    }
}

/// Waits for a future of this module on a thread that is not the runtime's.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
