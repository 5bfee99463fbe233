//! One job: described, submitted, waited for.

use super::error::JobError;
use super::handle::JobHandle;
use super::limits::Resend;
use super::name::Name;
use super::news::Want;
use super::pool::Pool;
use super::spec::{Rare, Spec};
use super::submission::{Step, Submission};
use crate::session::client::{Report, Sent};
use crate::values::{BoxError, FromBytes};
use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use geartrain_proto::Priority;
use std::fmt;
use std::future::{IntoFuture, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A job that is not submitted yet, from [`Client::job`](super::Client::job).
///
/// It ends in one of three ways: [`run`](JobBuilder::run) waits for the result, [`start`](JobBuilder::start) follows
/// the job while it runs, and [`background`](JobBuilder::background) leaves it to the server. Awaiting the builder
/// itself runs it.
#[derive(Clone)]
#[must_use = "a job is submitted when `run`, `start` or `background` is awaited"]
pub struct JobBuilder {
    pool: Arc<Pool>,
    spec: Spec,
}

impl JobBuilder {
    pub(super) fn new(
        pool: &Arc<Pool>,
        resend: Resend,
        function: &[u8],
        workload: Result<Bytes, BoxError>,
    ) -> Self {
        let (workload, rare) = match workload {
            Ok(workload) => (workload, None),
            Err(error) => {
                (Bytes::new(), Some(Box::new(Rare { fault: Some(error.into()), ..Rare::default() })))
            }
        };
        let spec = Spec {
            function: Name::new(function),
            unique: Name::EMPTY,
            workload,
            priority: Priority::Normal,
            limit: pool.limits.job,
            resend,
            rare,
        };
        Self { pool: Arc::clone(pool), spec }
    }

    /// How urgent the job is within its function; default [`Priority::Normal`].
    ///
    /// Jobs with a reducer or a time have no other.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.spec.priority = priority;
        self
    }

    /// What makes this job the same as another of its function: at most
    /// [63 bytes](crate::limits::UNIQUE_BYTES_MAX).
    ///
    /// While a job with the same function and unique waits or runs, the server does not make another: both submits
    /// get the one job's result. `-` makes the workload the unique. Default: none, and then no job is the same.
    pub fn unique(mut self, unique: impl AsRef<[u8]>) -> Self {
        self.spec.unique = Name::new(unique.as_ref());
        self
    }

    /// When the job may run at the earliest, in whole seconds: `SUBMIT_JOB_EPOCH`. For background jobs.
    ///
    /// gearmand 1.1 looks at such jobs only when another one of the function arrives.
    pub fn not_before(mut self, time: SystemTime) -> Self {
        let seconds = |span: Duration| i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
        self.spec.rare().not_before = Some(match time.duration_since(UNIX_EPOCH) {
            Ok(since) => seconds(since),
            Err(before) => -seconds(before.duration()),
        });
        self
    }

    /// The function that puts partial results together, for workers that know of it: at most 64 bytes,
    /// `SUBMIT_REDUCE_JOB`.
    pub fn reducer(mut self, name: impl AsRef<[u8]>) -> Self {
        self.spec.rare().reducer = Some(Bytes::copy_from_slice(name.as_ref()));
        self
    }

    /// How long it may take from now until the job has ended, or a background job is accepted; with the search for a
    /// server, and with sending it again. Default: what the client says, which is 1 hour by default. Kept to 10 ms.
    ///
    /// The job itself is not stopped: a server has no way to be told.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.spec.limit = limit;
        self
    }

    /// What becomes of the job when its connection ends first; default: what the client says.
    pub fn resend(mut self, resend: Resend) -> Self {
        self.spec.resend = resend;
        self
    }

    /// Submits the job in foreground (`SUBMIT_JOB`) and waits for its result.
    ///
    /// Pieces of the result that the worker sent while it ran (`WORK_DATA`) stand before what it ended with
    /// (`WORK_COMPLETE`). Dropping the future is safe at any time; the job may run all the same.
    ///
    /// # Errors
    /// [`JobError`] says what is known of a job that has no result.
    pub fn run(self) -> Run {
        Run { submission: self.submission(Want::Result), pieces: Vec::new() }
    }

    /// As [`JobBuilder::run`], and reads the result: as text, as `Json` or `MsgPack`.
    ///
    /// # Errors
    /// As there, and [`JobError::Value`] when the result is of another kind.
    pub async fn run_as<R: FromBytes>(self) -> Result<R, JobError> {
        read_as(&self.run().await?)
    }

    /// Submits the job in foreground (`SUBMIT_JOB`) and waits until the server has accepted it.
    ///
    /// # Errors
    /// [`JobError`] when it was not accepted.
    pub async fn start(self) -> Result<Job, JobError> {
        let mut submission = self.submission(Want::Stream)?;
        let handle = poll_fn(|context| poll_created(&mut submission, context)).await?;
        Ok(Job { submission, handle })
    }

    /// Submits the job in background (`SUBMIT_JOB_BG`, or `SUBMIT_JOB_EPOCH` with a time) and waits until the server
    /// has accepted it: with our server, and with a persistent queue of gearmand, it is on disk then.
    ///
    /// # Errors
    /// [`JobError`] when it is not known to be accepted.
    pub fn background(self) -> Background {
        Background { submission: self.submission(Want::Answer) }
    }

    pub(super) fn submission(self, want: Want) -> Result<Submission, JobError> {
        self.check(want)?;
        Ok(self.checked(want))
    }

    /// Whether it can be submitted at all, for whoever wants that of it.
    ///
    /// # Errors
    /// As [`Spec::check`].
    pub(super) fn check(&self, want: Want) -> Result<(), JobError> {
        self.spec.check(want)
    }

    /// The way of a job that was checked: a set has it where it stays.
    pub(super) fn checked(self, want: Want) -> Submission {
        Submission::new(self.pool, self.spec, want)
    }
}

impl fmt::Debug for JobBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobBuilder")
            .field("function", &self.spec.function)
            .field("unique", &self.spec.unique)
            .field("priority", &self.spec.priority)
            .field("workload_bytes", &self.spec.workload.len())
            .finish_non_exhaustive()
    }
}

impl IntoFuture for JobBuilder {
    type Output = Result<Bytes, JobError>;
    type IntoFuture = Run;

    fn into_future(self) -> Run {
        self.run()
    }
}

fn read_as<R: FromBytes>(result: &Bytes) -> Result<R, JobError> {
    R::from_bytes(result).map_err(|error| JobError::Value { what: "result", cause: error.into() })
}

fn poll_created(submission: &mut Submission, context: &mut Context<'_>) -> Poll<Result<JobHandle, JobError>> {
    loop {
        match ready!(submission.poll(context)) {
            Some(Ok(step)) => {
                if let Some(handle) = handle_of(&mut Vec::new(), step) {
                    return Poll::Ready(Ok(handle));
                }
            }
            Some(Err(error)) => return Poll::Ready(Err(error)),
            None => return Poll::Pending,
        }
    }
}

/// The handle of a background job to come, from [`JobBuilder::background`].
#[must_use = "a job is submitted when this is awaited"]
pub struct Background {
    submission: Result<Submission, JobError>,
}

impl Future for Background {
    type Output = Result<JobHandle, JobError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.submission {
            Ok(submission) => poll_created(submission, context),
            Err(error) => Poll::Ready(Err(error.clone())),
        }
    }
}

impl fmt::Debug for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Background").finish_non_exhaustive()
    }
}

/// The result of a foreground job to come, from [`JobBuilder::run`].
#[must_use = "a job is submitted when this is awaited"]
pub struct Run {
    submission: Result<Submission, JobError>,
    pieces: Vec<Bytes>,
}

impl Future for Run {
    type Output = Result<Bytes, JobError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let submission = match &mut this.submission {
            Ok(submission) => submission,
            Err(error) => return Poll::Ready(Err(error.clone())),
        };
        loop {
            match ready!(submission.poll(context)) {
                Some(Ok(step)) => {
                    if let Some(result) = result_of(&mut this.pieces, step) {
                        return Poll::Ready(Ok(result));
                    }
                }
                Some(Err(error)) => return Poll::Ready(Err(error)),
                None => return Poll::Pending,
            }
        }
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").finish_non_exhaustive()
    }
}

/// The result of a job, if this step is its end; pieces of it are kept until then.
pub(super) fn result_of(pieces: &mut Vec<Bytes>, step: Step) -> Option<Bytes> {
    match step {
        Step::Report(Report::Data(piece)) => pieces.push(piece),
        Step::Report(Report::Complete(end)) => return Some(joined(pieces, end)),
        Step::Again => pieces.clear(),
        Step::Created(_) | Step::Report(_) => {}
    }
    None
}

/// The handle of a job, if this step says so.
pub(super) fn handle_of(_: &mut Vec<Bytes>, step: Step) -> Option<JobHandle> {
    match step {
        Step::Created(handle) => Some(handle),
        // Nothing is reported of a job before its handle is known.
        Step::Report(_) | Step::Again => None,
    }
}

/// The pieces of a result and its end, as one.
fn joined(pieces: &mut Vec<Bytes>, end: Bytes) -> Bytes {
    match pieces.as_mut_slice() {
        [] => return end,
        [piece] if end.is_empty() => return std::mem::take(piece),
        _ => {}
    }
    pieces.push(end);
    let mut whole = BytesMut::with_capacity(pieces.iter().map(Bytes::len).sum());
    for piece in pieces.drain(..) {
        whole.extend_from_slice(&piece);
    }
    whole.freeze()
}

/// A foreground job that a server has accepted, from [`JobBuilder::start`]: a stream of what happens to it.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use geartrain_client::{Client, JobEvent};
///
/// let client = Client::new("localhost")?;
/// let mut job = client.job("resize", "photo.jpg").start().await?;
/// while let Some(event) = job.next().await {
///     match event? {
///         JobEvent::Status { numerator, denominator } => println!("{numerator} of {denominator}"),
///         JobEvent::Complete(result) => println!("{} bytes", result.len()),
///         _ => {}
///     }
/// }
/// # Ok(())
/// # }
/// ```
///
/// The stream ends behind [`JobEvent::Complete`] or the first error. What comes is held until it is read, up to a
/// limit ([`ClientBuilder::held_bytes_max`](super::ClientBuilder::held_bytes_max)). Dropping it is safe at any time.
#[must_use = "what happens to the job comes to whoever polls this"]
pub struct Job {
    submission: Submission,
    handle: JobHandle,
}

/// What happens to a job while somebody waits for it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum JobEvent {
    /// A piece of the result: `WORK_DATA`.
    Data(Bytes),
    /// A warning: `WORK_WARNING`.
    Warning(Bytes),
    /// Progress, in units of the worker's choice: `WORK_STATUS`.
    Status {
        /// Done so far.
        numerator: u32,
        /// Of so many; 0 when the worker does not know.
        denominator: u32,
    },
    /// The result, or its end where pieces came before: `WORK_COMPLETE`. It is the last event.
    Complete(Bytes),
    /// The connection ended, and the job was sent again, as [`Resend`] allows. What was said of it before is said
    /// anew, and [`Job::handle`] is another.
    Resent,
}

impl Job {
    /// The job's server and handle.
    #[must_use]
    pub fn handle(&self) -> &JobHandle {
        &self.handle
    }

    /// What happens next; `None` behind the end. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Result<JobEvent, JobError>> {
        poll_fn(|context| self.poll_event(context)).await
    }

    /// Waits for the rest of the result: further pieces and its end, as one.
    ///
    /// # Errors
    /// As the stream.
    pub async fn result(mut self) -> Result<Bytes, JobError> {
        let mut pieces = Vec::new();
        while let Some(event) = self.next().await {
            match event? {
                JobEvent::Data(piece) => pieces.push(piece),
                JobEvent::Complete(end) => return Ok(joined(&mut pieces, end)),
                JobEvent::Resent => pieces.clear(),
                JobEvent::Warning(_) | JobEvent::Status { .. } => {}
            }
        }
        Err(self.over())
    }

    /// As [`Job::result`], and reads it: as text, as `Json` or `MsgPack`.
    ///
    /// # Errors
    /// As there, and [`JobError::Value`] when the result is of another kind.
    pub async fn result_as<R: FromBytes>(self) -> Result<R, JobError> {
        read_as(&self.result().await?)
    }

    /// Why there is no result of a job whose end was read before.
    fn over(&self) -> JobError {
        let server = Arc::new(self.handle.server().clone());
        let cause = crate::error::ClientError::Closed {
            server: self.handle.server().clone(),
            doing: "waiting for a result that was read already",
        };
        JobError::Lost {
            server,
            handle: Some(self.handle.clone()),
            sent: Sent::Accepted,
            cause: Arc::new(cause),
        }
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<JobEvent, JobError>>> {
        loop {
            let event = match ready!(self.submission.poll(context)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(Step::Created(handle))) => {
                    self.handle = handle;
                    continue;
                }
                Some(Ok(Step::Again)) => JobEvent::Resent,
                Some(Ok(Step::Report(report))) => match report {
                    Report::Data(data) => JobEvent::Data(data),
                    Report::Warning(warning) => JobEvent::Warning(warning),
                    Report::Status { numerator, denominator } => JobEvent::Status { numerator, denominator },
                    Report::Complete(result) => JobEvent::Complete(result),
                    // These are errors of the submission.
                    Report::Fail | Report::Exception(_) => continue,
                },
            };
            return Poll::Ready(Some(Ok(event)));
        }
    }
}

impl Stream for Job {
    type Item = Result<JobEvent, JobError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_event(context)
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("handle", &self.handle).finish_non_exhaustive()
    }
}
