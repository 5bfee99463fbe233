//! One job on its way: a server is found, the job submitted, its news handed on, and the job sent again where that is
//! wanted.
//!
//! From: [`JobBuilder`](super::JobBuilder). To: whoever polls it. Dropped in the middle, it leaves the connection
//! as good as it was: what still comes for the job is passed over.

use super::error::JobError;
use super::handle::JobHandle;
use super::limits::{Resend, deadline};
use super::link::{Link, NotTaken, Question};
use super::pool::{Found, Pool};
use super::slots::{Held, Key, Last, News, Want};
use super::spec::Spec;
use crate::limits::RESENDS_MAX;
use crate::session::client::{Report, Sent, check};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

pub(crate) struct Submission {
    pool: Arc<Pool>,
    spec: Spec,
    want: Want,
    /// Known from the first poll on.
    ends_by: Option<Instant>,
    state: State,
    resends: u32,
}

type Finding = Pin<Box<dyn Future<Output = Result<Waiting, JobError>> + Send>>;

enum State {
    New,
    /// The connection is not there, or has no room.
    Finding(Finding),
    Waiting(Waiting),
    Over,
}

/// What happens to a job.
#[derive(Debug)]
pub(crate) enum Step {
    Created(JobHandle),
    /// Not a failure.
    Report(Report),
    /// The job is sent again.
    Again,
}

/// A request that a connection took; its answer is not waited for any more when this is dropped.
pub(crate) struct Waiting {
    link: Arc<Link>,
    /// `None` behind its last news: the key is another's by then.
    key: Option<Key>,
}

impl Submission {
    pub(crate) fn new(pool: Arc<Pool>, spec: Spec, want: Want) -> Self {
        Self { pool, spec, want, ends_by: None, state: State::New, resends: 0 }
    }

    /// What happens next; `None` behind the end.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Step, JobError>>> {
        loop {
            match &mut self.state {
                State::New => {
                    let now = Instant::now();
                    let ends_by = *self.ends_by.get_or_insert_with(|| deadline(now, self.spec.limit));
                    self.state = match self.submit_at_once(now, ends_by) {
                        Some(Ok(waiting)) => State::Waiting(waiting),
                        Some(Err(error)) => return self.over(error),
                        None => {
                            let (pool, spec) = (Arc::clone(&self.pool), self.spec.clone());
                            State::Finding(Box::pin(submit(pool, spec, self.want, ends_by)))
                        }
                    };
                }
                State::Finding(finding) => match ready!(finding.as_mut().poll(context)) {
                    Ok(waiting) => self.state = State::Waiting(waiting),
                    Err(error) => return self.over(error),
                },
                State::Waiting(waiting) => {
                    let (news, last) = ready!(waiting.poll(context));
                    let lost = if let News::Lost(sent) = news { Some(sent) } else { None };
                    let step = step(news, last, &waiting.link);
                    if last != Last::No {
                        self.state = State::Over;
                    }
                    if lost.is_some_and(|sent| self.may_be_sent_again(sent)) {
                        self.resends += 1;
                        self.state = State::New;
                        return Poll::Ready(Some(Ok(Step::Again)));
                    }
                    if let Some(step) = step.transpose() {
                        return Poll::Ready(Some(step));
                    }
                }
                State::Over => return Poll::Ready(None),
            }
        }
    }

    fn over(&mut self, error: JobError) -> Poll<Option<Result<Step, JobError>>> {
        self.state = State::Over;
        Poll::Ready(Some(Err(error)))
    }

    /// The usual way, without a wait or memory of its own; `None` when it is not open.
    fn submit_at_once(&self, now: Instant, ends_by: Instant) -> Option<Result<Waiting, JobError>> {
        let Found::Link(link) = self.pool.find(|| self.spec.key()) else { return None };
        match link.ask(Question::Submit(&self.spec.submit()), self.want, now, ends_by, self.spec.limit) {
            Ok(key) => Some(Ok(Waiting { link, key: Some(key) })),
            Err(NotTaken::Invalid(invalid)) => Some(Err(invalid.into())),
            Err(NotTaken::Full | NotTaken::Ended) => None,
        }
    }

    fn may_be_sent_again(&self, sent: Sent) -> bool {
        let is_wanted = match self.spec.resend {
            Resend::Never => false,
            Resend::Unsent => sent == Sent::Not,
            Resend::Always => true,
        };
        is_wanted && self.resends < RESENDS_MAX && self.ends_by.is_none_or(|at| Instant::now() < at)
    }
}

/// The way of a job that has to wait for a connection, or for room on it.
async fn submit(pool: Arc<Pool>, spec: Spec, want: Want, ends_by: Instant) -> Result<Waiting, JobError> {
    let submit = spec.submit();
    check(&submit)?;
    let find = || Ok(pool.find(|| spec.key()));
    ask(&pool, Question::Submit(&submit), want, ends_by, spec.limit, find).await
}

/// Asks over a connection from `find`, as soon as there is one with room.
pub(crate) async fn ask(
    pool: &Pool,
    question: Question<'_>,
    want: Want,
    ends_by: Instant,
    limit: Duration,
    find: impl Fn() -> Result<Found, JobError>,
) -> Result<Waiting, JobError> {
    let asking = async {
        loop {
            let link = pool.wait(ends_by, limit, &find).await?;
            match link.ask_with_room(question, want, ends_by, limit).await {
                Ok(key) => return Ok(Waiting { link, key: Some(key) }),
                Err(NotTaken::Invalid(invalid)) => return Err(invalid.into()),
                Err(NotTaken::Full | NotTaken::Ended) => {}
            }
        }
    };
    let too_late = |_| JobError::TimedOut {
        doing: "waiting for room on the connection",
        server: None,
        limit,
        handle: None,
        cause: None,
    };
    timeout_at(ends_by, asking).await.map_err(too_late)?
}

impl Waiting {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<(News, Last)> {
        let Some(key) = self.key else { return Poll::Pending };
        let (news, last) = ready!(self.link.poll(key, context));
        if last != Last::No {
            self.key = None;
        }
        Poll::Ready((news, last))
    }

    /// The one answer to a question.
    pub(crate) async fn answer(mut self) -> Result<News, JobError> {
        let (news, last) = poll_fn(|context| self.poll(context)).await;
        without_failure(news, last, &self.link)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.link.abandon(key);
        }
    }
}

/// What news mean to a job; `None` when they are none of its own.
fn step(news: News, last: Last, link: &Arc<Link>) -> Result<Option<Step>, JobError> {
    Ok(match without_failure(news, last, link)? {
        News::Created(handle) => Some(Step::Created(JobHandle::of(link.server(), &handle))),
        News::Report(report) => Some(Step::Report(report)),
        News::Echo(_)
        | News::Status(..)
        | News::Refused(_)
        | News::Lost(_)
        | News::TimedOut { .. }
        | News::Overrun(_) => None,
    })
}

/// Makes an error of news that are one.
fn without_failure(news: News, last: Last, link: &Arc<Link>) -> Result<News, JobError> {
    if !news.is_failure() {
        return Ok(news);
    }
    let server = || Arc::clone(link.server());
    let known = match last {
        Last::Yes(handle) => handle,
        Last::No => None,
    };
    let handle = known.map(|handle| JobHandle::of(link.server(), &handle));
    // The session knows no report of a job without a handle.
    let of_job = || JobHandle::of(link.server(), &known.unwrap_or_default());
    Err(match news {
        News::Report(Report::Fail) => JobError::Failed { handle: of_job() },
        News::Report(Report::Exception(exception)) => JobError::Exception { handle: of_job(), exception },
        News::Refused(refusal) => JobError::Refused { server: server(), refusal },
        News::Lost(sent) => JobError::Lost { server: server(), handle, sent, cause: link.end_cause() },
        News::TimedOut { doing, limit } => {
            JobError::TimedOut { doing, server: Some(server()), limit, handle, cause: None }
        }
        News::Overrun(held) => {
            let max = match held {
                Held::OfJob => link.limits().held_bytes_max,
                Held::OfConnection => link.limits().held_bytes_in_all_max,
            };
            JobError::Overrun { handle: of_job(), held, max }
        }
        News::Created(_) | News::Report(_) | News::Echo(_) | News::Status(..) => return Ok(news),
    })
}
