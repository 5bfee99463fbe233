//! Handlers: async functions that do jobs, with arguments taken from the job and results that end it.
//!
//! From: a [`Job`]. To: how the job ends. Never: knows a connection.

use super::job::Job;
use super::limits::EXCEPTION_BYTES_MAX;
use crate::error::chain;
use crate::values::{BoxError, FromBytes, IntoBytes};
use bytes::Bytes;
use std::error::Error;
use std::future::{Future, ready};
use std::marker::PhantomData;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use thiserror::Error;

/// What a handler's future becomes: how its job ends.
pub type HandlerFuture = Pin<Box<dyn Future<Output = JobEnd> + Send + 'static>>;

/// Something that does jobs: mostly an async function or closure.
///
/// It is implemented for functions with one or two arguments, each of which implements [`FromJob`], whose
/// result implements [`IntoJobEnd`]:
///
/// ```
/// use bytes::Bytes;
/// use geartrain_client::worker::{Handler, Job, ReportError};
/// use std::convert::Infallible;
///
/// async fn reverse(workload: Bytes) -> Bytes {
///     workload.iter().rev().copied().collect()
/// }
///
/// async fn count(job: Job, text: String) -> Result<String, ReportError> {
///     job.status(1, 1).await?;
///     Ok(text.lines().count().to_string())
/// }
/// # fn handlers<A, B>(_: impl Handler<A>, _: impl Handler<B>) {}
/// # handlers(reverse, count);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler of jobs",
    note = "a handler is an async function of one or two arguments that implement `FromJob` (`Job`, `Bytes`, \
            `String`, `Json<T>`, ...), and returns bytes, or a `Result` of bytes and an error"
)]
pub trait Handler<Arguments>: Send + Sync + 'static {
    /// Begins a job.
    fn call(&self, job: &Job) -> HandlerFuture;
}

impl<F, A, Fut> Handler<(A,)> for F
where
    F: Fn(A) -> Fut + Send + Sync + 'static,
    A: FromJob,
    Fut: Future + Send + 'static,
    Fut::Output: IntoJobEnd,
{
    fn call(&self, job: &Job) -> HandlerFuture {
        match A::from_job(job) {
            Ok(argument) => finish(self(argument)),
            Err(error) => refuse(&*error),
        }
    }
}

impl<F, A, B, Fut> Handler<(A, B)> for F
where
    F: Fn(A, B) -> Fut + Send + Sync + 'static,
    A: FromJob,
    B: FromJob,
    Fut: Future + Send + 'static,
    Fut::Output: IntoJobEnd,
{
    fn call(&self, job: &Job) -> HandlerFuture {
        match (A::from_job(job), B::from_job(job)) {
            (Ok(first), Ok(second)) => finish(self(first, second)),
            (Err(error), _) | (_, Err(error)) => refuse(&*error),
        }
    }
}

fn finish<Fut>(future: Fut) -> HandlerFuture
where
    Fut: Future + Send + 'static,
    Fut::Output: IntoJobEnd,
{
    Box::pin(async move { future.await.into_job_end() })
}

fn refuse(error: &(dyn Error + 'static)) -> HandlerFuture {
    Box::pin(ready(JobEnd::Exception(exception_text(error))))
}

/// A handler that is not async, for [`register_blocking`](super::WorkerBuilder::register_blocking).
///
/// It is implemented for functions as [`Handler`] is, which says what they may take and return.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a blocking handler of jobs",
    note = "a blocking handler is a function of one or two arguments that implement `FromJob` (`Job`, `Bytes`, \
            `String`, `Json<T>`, ...), and returns bytes, or a `Result` of bytes and an error"
)]
pub trait BlockingHandler<Arguments>: Send + Sync + 'static {
    /// Does a job.
    fn call(&self, job: &Job) -> JobEnd;
}

impl<F, A, R> BlockingHandler<(A,)> for F
where
    F: Fn(A) -> R + Send + Sync + 'static,
    A: FromJob,
    R: IntoJobEnd,
{
    fn call(&self, job: &Job) -> JobEnd {
        match A::from_job(job) {
            Ok(argument) => self(argument).into_job_end(),
            Err(error) => JobEnd::Exception(exception_text(&*error)),
        }
    }
}

impl<F, A, B, R> BlockingHandler<(A, B)> for F
where
    F: Fn(A, B) -> R + Send + Sync + 'static,
    A: FromJob,
    B: FromJob,
    R: IntoJobEnd,
{
    fn call(&self, job: &Job) -> JobEnd {
        match (A::from_job(job), B::from_job(job)) {
            (Ok(first), Ok(second)) => self(first, second).into_job_end(),
            (Err(error), _) | (_, Err(error)) => JobEnd::Exception(exception_text(&*error)),
        }
    }
}

/// Runs a blocking handler on a thread that may block.
pub(super) struct OnThread<H, A>(Arc<H>, PhantomData<fn(A)>);

pub(super) fn blocking<H: BlockingHandler<A>, A: 'static>(handler: H) -> OnThread<H, A> {
    OnThread(Arc::new(handler), PhantomData)
}

impl<H: BlockingHandler<A>, A: 'static> Handler<A> for OnThread<H, A> {
    fn call(&self, job: &Job) -> HandlerFuture {
        let (handler, job) = (Arc::clone(&self.0), job.clone());
        let span = tracing::Span::current();
        let thread = tokio::task::spawn_blocking(move || span.in_scope(|| handler.call(&job)));
        Box::pin(async move {
            match thread.await {
                Ok(end) => end,
                Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
                Err(error) => JobEnd::Exception(format!("the handler did not run: {error}")),
            }
        })
    }
}

/// An argument of a handler: something that can be had from a job.
pub trait FromJob: Sized {
    /// Takes the argument from the job.
    ///
    /// # Errors
    /// When the workload is not of its kind; the job then ends with an exception that says so.
    fn from_job(job: &Job) -> Result<Self, BoxError>;
}

/// The job itself: what is known of it, and how to report on it.
impl FromJob for Job {
    fn from_job(job: &Job) -> Result<Self, BoxError> {
        Ok(job.clone())
    }
}

/// The workload: bytes, text, `Json` or `MsgPack`.
impl<T: FromBytes> FromJob for T {
    fn from_job(job: &Job) -> Result<Self, BoxError> {
        T::from_bytes(job.workload()).map_err(|error| format!("the workload {error}").into())
    }
}

/// How a job ends.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum JobEnd {
    /// With a result (`WORK_COMPLETE`).
    Complete(Bytes),
    /// Without success and without a word (`WORK_FAIL`).
    Fail,
    /// Without success, and with the reason (`WORK_EXCEPTION`).
    Exception(String),
}

/// What a handler may return: a result, or a `Result` of one and any error.
///
/// An error ends the job with an exception whose text is the error and the chain of its causes, up to 64 KiB.
/// Clients that did not ask for exceptions are told by their server that the job failed; background jobs are
/// over. The error [`JobFailed`] ends the job without a text.
pub trait IntoJobEnd {
    /// How the job ends.
    fn into_job_end(self) -> JobEnd;
}

impl<R: IntoBytes> IntoJobEnd for R {
    fn into_job_end(self) -> JobEnd {
        match self.into_bytes() {
            Ok(result) => JobEnd::Complete(result),
            Err(error) => JobEnd::Exception(format!("the result {}", exception_text(&*error))),
        }
    }
}

impl<R: IntoBytes, E: Into<BoxError>> IntoJobEnd for Result<R, E> {
    fn into_job_end(self) -> JobEnd {
        match self {
            Ok(result) => result.into_job_end(),
            Err(error) => {
                let error = error.into();
                if error.is::<JobFailed>() {
                    JobEnd::Fail
                } else {
                    JobEnd::Exception(exception_text(&*error))
                }
            }
        }
    }
}

/// An error that ends a job with `WORK_FAIL` and without a text.
///
/// Rarely needed: gearmand 1.1.20 tells a client that did not ask for exceptions of one with a packet on which
/// older client libraries in C hang. Where such clients wait for jobs on such a server, fail with this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the job failed")]
pub struct JobFailed;

/// The text of an exception for an error: it and its causes.
fn exception_text(error: &(dyn Error + 'static)) -> String {
    let mut text = chain(error);
    text.truncate(text.floor_char_boundary(EXCEPTION_BYTES_MAX));
    text
}

/// The text of an exception for a panic with this payload.
pub(super) fn panic_text(payload: &(dyn std::any::Any + Send)) -> String {
    let said = payload.downcast_ref::<&str>().copied();
    let said = said.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let mut text = match said {
        Some(said) => format!("the handler panicked: {said}"),
        None => "the handler panicked".to_owned(),
    };
    text.truncate(text.floor_char_boundary(EXCEPTION_BYTES_MAX));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Error)]
    #[error("no thumbnail")]
    struct Outer(#[source] Inner);

    #[derive(Debug, Error)]
    #[error("no image: {0}")]
    struct Inner(#[source] std::num::ParseIntError);

    fn parse_error() -> std::num::ParseIntError {
        "x".parse::<u8>().unwrap_err()
    }

    #[test]
    fn an_error_is_told_with_its_causes_and_each_of_them_once() {
        let end = Err::<(), _>(Outer(Inner(parse_error()))).into_job_end();
        let text = "no thumbnail: no image: invalid digit found in string";
        assert_eq!(end, JobEnd::Exception(text.to_owned()));
    }

    #[test]
    fn results_of_all_kinds_complete_a_job() {
        let complete = |bytes: &'static [u8]| JobEnd::Complete(Bytes::from_static(bytes));
        assert_eq!(().into_job_end(), complete(b""));
        assert_eq!("a".into_job_end(), complete(b"a"));
        assert_eq!(Ok::<_, Outer>(vec![b'b']).into_job_end(), complete(b"b"));
        assert_eq!(Ok::<_, String>("c".to_owned()).into_job_end(), complete(b"c"));
    }

    #[test]
    fn errors_of_all_kinds_end_a_job() {
        assert_eq!(Err::<(), _>("why").into_job_end(), JobEnd::Exception("why".to_owned()));
        assert_eq!(Err::<Bytes, _>(JobFailed).into_job_end(), JobEnd::Fail);
        assert_eq!(Err::<Bytes, BoxError>(JobFailed.into()).into_job_end(), JobEnd::Fail);
    }

    #[test]
    fn an_exception_has_a_limit_and_ends_between_characters() {
        let end = Err::<(), _>("\u{e4}".repeat(EXCEPTION_BYTES_MAX) + "x").into_job_end();
        let JobEnd::Exception(text) = end else { panic!("{end:?}") };
        assert_eq!(text.len(), EXCEPTION_BYTES_MAX);
    }

    #[test]
    fn what_a_panic_said_is_told() {
        let payload = |work: fn()| std::panic::catch_unwind(work).unwrap_err();
        assert_eq!(panic_text(&*payload(|| panic!("oh"))), "the handler panicked: oh");
        assert_eq!(panic_text(&*payload(|| panic!("{}", 1))), "the handler panicked: 1");
        assert_eq!(panic_text(&*payload(|| std::panic::panic_any(7))), "the handler panicked");
    }
}
