//! One job on its way: a server is found, the job submitted, its news handed on, and the job sent again where that is
//! wanted.
//!
//! From: [`JobBuilder`](super::JobBuilder). To: whoever polls it, or the [set](super::JobSet) it is in, which asks for
//! many at once and hands each its news. Dropped in the middle, it leaves the connection as good as it was: what still
//! comes for the job is passed over.

use super::error::JobError;
use super::handle::JobHandle;
use super::limits::{Resend, deadline};
use super::link::{Asking, Link, NotTaken, Question, Terms};
use super::news::{Held, Last, News, Want};
use super::pool::{Found, Pool};
use super::slots::{For, Key, Seat, SetKey};
use super::spec::Spec;
use crate::limits::RESENDS_MAX;
use crate::session::client::{Report, Sent, check};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
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

/// The way of a job that has to wait for a connection, or for room on it.
pub(crate) type Finding = Pin<Box<dyn Future<Output = Result<Waiting, JobError>> + Send>>;

enum State {
    New,
    /// The connection is not there, or has no room.
    Finding(Finding),
    Waiting(Waiting),
    /// As one of a set, which is told its news.
    InSet,
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
                    if let Err(error) = self.begin() {
                        return Poll::Ready(Some(Err(error)));
                    }
                }
                State::Finding(finding) => match ready!(finding.as_mut().poll(context)) {
                    Ok(waiting) => self.state = State::Waiting(waiting),
                    Err(error) => {
                        self.state = State::Over;
                        return Poll::Ready(Some(Err(error)));
                    }
                },
                State::Waiting(waiting) => {
                    let (news, last) = ready!(waiting.poll(context));
                    let link = Arc::clone(&waiting.link);
                    if let Some(step) = self.take(news, last, &link) {
                        return Poll::Ready(Some(step));
                    }
                }
                State::InSet | State::Over => return Poll::Ready(None),
            }
        }
    }

    /// Submits the job, or begins to look for a connection.
    fn begin(&mut self) -> Result<(), JobError> {
        let now = Instant::now();
        let asked = self.find().map(|link| {
            let key = link.asking(now).and_then(|mut asking| self.ask(&mut asking, For::Itself));
            key.map(|key| Waiting { link, key: Some(key) })
        });
        self.state = match asked {
            Some(Ok(waiting)) => State::Waiting(waiting),
            Some(Err(NotTaken::Invalid(invalid))) => {
                self.state = State::Over;
                return Err(invalid.into());
            }
            Some(Err(NotTaken::Full | NotTaken::Ended)) | None => State::Finding(self.finding(now)),
        };
        Ok(())
    }

    /// The connection that the job goes over, if it is there.
    pub(crate) fn find(&self) -> Option<Arc<Link>> {
        match self.pool.find(|| self.spec.key()) {
            Found::Link(link) => Some(link),
            Found::Opening { .. } | Found::Down { .. } => None,
        }
    }

    /// Whether all jobs of this client go over the connection that this one goes over, and so does that one.
    pub(crate) fn goes_the_way_of(&self, other: &Arc<Pool>) -> bool {
        Arc::ptr_eq(&self.pool, other) && self.pool.has_one_way()
    }

    pub(crate) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// Submits the job over its connection, as one of a set.
    pub(crate) fn ask_in_set(
        &mut self,
        asking: &mut Asking<'_>,
        set: SetKey,
        seat: Seat,
    ) -> Result<(), NotTaken> {
        self.ask(asking, For::Set(set, seat))?;
        self.state = State::InSet;
        Ok(())
    }

    fn ask(&mut self, asking: &mut Asking<'_>, reader: For) -> Result<Key, NotTaken> {
        let ends_by = self.ends_by(asking.now());
        let terms = Terms { want: self.want, ends_by, limit: self.spec.limit };
        asking.ask(Question::Submit(&self.spec.submit(self.want)), terms, reader)
    }

    /// The search for a connection with room, which ends with the request on its way.
    pub(crate) fn finding(&mut self, now: Instant) -> Finding {
        let (pool, spec, ends_by) = (Arc::clone(&self.pool), self.spec.clone(), self.ends_by(now));
        Box::pin(submit(pool, spec, self.want, ends_by))
    }

    /// Known from the first try on.
    fn ends_by(&mut self, now: Instant) -> Instant {
        *self.ends_by.get_or_insert_with(|| deadline(now, self.spec.limit))
    }

    /// Whether it is to be submitted, again perhaps.
    pub(crate) fn is_new(&self) -> bool {
        matches!(self.state, State::New)
    }

    /// What news from its connection mean to the job; `None` when they are none of its own.
    pub(crate) fn take(
        &mut self,
        news: News,
        last: Last,
        link: &Arc<Link>,
    ) -> Option<Result<Step, JobError>> {
        if last != Last::No {
            self.state = State::Over;
        }
        if let News::Lost(sent) = news
            && self.may_be_sent_again(sent)
        {
            self.resends += 1;
            self.state = State::New;
            return Some(Ok(Step::Again));
        }
        match news {
            News::Created(handle) => Some(Ok(Step::Created(JobHandle::of(link.server(), &handle)))),
            News::Report(report) if !report.is_failure() => Some(Ok(Step::Report(report))),
            // Nothing that is no failure comes to a job beside these.
            news @ (News::Report(_)
            | News::Echo(_)
            | News::Status(..)
            | News::Refused(_)
            | News::Lost(_)
            | News::TimedOut { .. }
            | News::Overrun(_)) => without_failure(news, last, link).err().map(Err),
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

async fn submit(pool: Arc<Pool>, spec: Spec, want: Want, ends_by: Instant) -> Result<Waiting, JobError> {
    let submit = spec.submit(want);
    check(&submit)?;
    let find = || Ok(pool.find(|| spec.key()));
    ask(&pool, Question::Submit(&submit), Terms { want, ends_by, limit: spec.limit }, find).await
}

/// Asks over a connection from `find`, as soon as there is one with room.
pub(crate) async fn ask(
    pool: &Pool,
    question: Question<'_>,
    terms: Terms,
    find: impl Fn() -> Result<Found, JobError>,
) -> Result<Waiting, JobError> {
    let Terms { ends_by, limit, .. } = terms;
    let asking = async {
        loop {
            let link = pool.wait(ends_by, limit, &find).await?;
            match link.ask_with_room(question, terms).await {
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
    pub(crate) fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// Gives the job to a set from now on.
    pub(crate) fn join(mut self, set: SetKey, seat: Seat, submission: &mut Submission) {
        if let Some(key) = self.key.take() {
            self.link.join(key, set, seat);
        }
        submission.state = State::InSet;
    }

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
    let handle = known.as_deref().map(|handle| JobHandle::of(link.server(), handle));
    // The session knows no report of a job without a handle.
    let of_job = || JobHandle::of(link.server(), &known.as_deref().copied().unwrap_or_default());
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
