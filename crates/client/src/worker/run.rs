//! The run of one job: its handler is polled until it ends, panics or takes too long, and the end is reported.
//!
//! From: the driver, which polls it once itself where that takes nothing from other jobs, and otherwise gives it
//! to a task. To: [`Link::end_job`] and the hook behind a job. Never: lets a panic out.

use super::handler::{HandlerFuture, JobEnd, panic_text};
use super::job::Job;
use super::limits::TIMEOUT_GRACE;
use super::link::{Flush, Link};
use super::report::{JobReport, Outcome};
use super::shared::{Function, TaskId};
use crate::session::worker::AssignedJob;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::time::Sleep;
use tracing::Span;

/// How a run ended.
#[derive(Debug)]
pub(super) enum End {
    Handler(JobEnd),
    Panicked(String),
    TimedOut,
}

/// A job and its handler at work.
pub(super) struct Run {
    job: Job,
    future: HandlerFuture,
    limit: Option<Pin<Box<Sleep>>>,
    began: Instant,
    /// How long the job had waited when it began.
    wait: Option<Duration>,
    span: Span,
    stage: Stage,
}

enum Stage {
    /// The driver polls it.
    Inline,
    /// A task of its own polls it.
    Task(TaskId),
    Over,
}

impl Run {
    pub(super) fn begin(link: &Arc<Link>, function: &Function, assigned: AssignedJob) -> Self {
        let worker = link.worker();
        worker.jobs_begun.fetch_add(1, Ordering::Relaxed);
        let job = Job::new(assigned, Arc::clone(link));
        let span = tracing::info_span!(
            "job",
            function = job.function(),
            handle = %job.handle(),
            server = %job.server(),
        );
        let wait = if worker.after_job.is_some() { job.age() } else { None };
        let limit = function.timeout.map(|limit| limit.saturating_add(TIMEOUT_GRACE));
        let future = span.in_scope(|| {
            worker.hook_before(&job);
            let begun = catch_unwind(AssertUnwindSafe(|| function.handler.begin(&job)));
            // A handler that panics before it has a future ends as one whose future does.
            begun.unwrap_or_else(|payload| Box::pin(async { resume_unwind(payload) }))
        });
        let limit = limit.map(|limit| Box::pin(tokio::time::sleep(limit)));
        Self { job, future, limit, began: Instant::now(), wait, span, stage: Stage::Inline }
    }

    /// Leaves the run to a task of its own.
    pub(super) fn spawn(mut self) {
        let worker = Arc::clone(self.job.link().worker());
        let id = worker.tasks.enter();
        self.stage = Stage::Task(id);
        let task = tokio::spawn(self);
        worker.tasks.set(id, task.abort_handle());
    }

    fn end(&mut self, end: End) {
        let (flush, task) = match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Inline => (Flush::Later, None),
            Stage::Task(id) => (Flush::Now, Some(id)),
            Stage::Over => return,
        };
        let told = self.job.link().end_job(&self.job, &end, flush);
        let result_bytes = match &end {
            End::Handler(JobEnd::Complete(result)) => result.len(),
            End::Handler(JobEnd::Fail | JobEnd::Exception(_)) | End::Panicked(_) | End::TimedOut => 0,
        };
        let outcome = match end {
            End::TimedOut => Outcome::TimedOut,
            _ if !told => Outcome::Lost,
            End::Handler(JobEnd::Complete(_)) => Outcome::Completed,
            End::Handler(JobEnd::Fail) => Outcome::Failed,
            End::Handler(JobEnd::Exception(text)) => Outcome::Exception(text),
            End::Panicked(text) => Outcome::Panicked(text),
        };
        self.report(&outcome, result_bytes);
        // Last, so that no hook is called once the worker has left.
        if let Some(id) = task {
            self.job.link().worker().tasks.leave(id);
        }
    }

    fn report(&self, outcome: &Outcome, result_bytes: usize) {
        let run = self.began.elapsed();
        let run_ms = u64::try_from(run.as_millis()).unwrap_or(u64::MAX);
        self.span.in_scope(|| {
            match outcome {
                Outcome::Completed => tracing::debug!(run_ms, result_bytes, "the job is complete"),
                Outcome::Failed | Outcome::Exception(_) => tracing::info!(run_ms, %outcome, "the job failed"),
                Outcome::Panicked(_) => tracing::error!(run_ms, %outcome, "the job failed"),
                Outcome::TimedOut | Outcome::Lost | Outcome::Abandoned => {
                    tracing::warn!(run_ms, %outcome, "the job is left to another worker");
                }
            }
            self.job.link().worker().hook_after(&JobReport {
                function: self.job.function(),
                handle: self.job.handle(),
                server: self.job.server(),
                wait: self.wait,
                run,
                workload_bytes: self.job.workload().len(),
                result_bytes,
                outcome,
            });
        });
    }
}

impl Future for Run {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let run = &mut *self;
        let future = run.future.as_mut();
        let polled = run.span.in_scope(|| catch_unwind(AssertUnwindSafe(|| future.poll(context))));
        let end = match polled {
            Ok(Poll::Ready(end)) => End::Handler(end),
            Err(payload) => End::Panicked(panic_text(&*payload)),
            Ok(Poll::Pending) => match run.limit.as_mut().map(|limit| limit.as_mut().poll(context)) {
                Some(Poll::Ready(())) => End::TimedOut,
                Some(Poll::Pending) | None => return Poll::Pending,
            },
        };
        run.end(end);
        Poll::Ready(())
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let task = match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Over => return,
            Stage::Inline => None,
            Stage::Task(id) => Some(id),
        };
        let link = self.job.link();
        link.worker().jobs_abandoned.fetch_add(1, Ordering::Relaxed);
        self.report(&Outcome::Abandoned, 0);
        link.abandon_job();
        if let Some(id) = task {
            link.worker().tasks.leave(id);
        }
    }
}
