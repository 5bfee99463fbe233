//! A set of many jobs: so many at once, what comes of each as it comes.
//!
//! From: an iterator of jobs, which is asked for the next ones only when there is room for them. To: a stream of
//! results, or of handles. Jobs go to their connection together, under one lock and in one write, and their news come
//! back together: a connection knows the set as one reader with many requests. Only a job that has to wait for a
//! connection, or for room on it, has a task of its own meanwhile.
//! Never: holds more than a window of jobs and results, or takes memory or a waker for each: a seat serves one job
//! after the other.

use super::error::JobError;
use super::handle::JobHandle;
use super::job::{JobBuilder, handle_of, result_of};
use super::link::{Link, NotTaken};
use super::news::Want;
use super::slots::{SetKey, Told};
use super::submission::{Step, Submission, Waiting};
use crate::limits::WINDOW_DEFAULT;
use bytes::Bytes;
use futures_core::Stream;
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::iter::Fuse;
use std::mem;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::task::{self, JoinError, JoinSet};
use tokio::time::Instant;

/// The results of many jobs, from [`Client::run_all`](super::Client::run_all): a stream of the job's place in the set,
/// from 0, and its result. They come in the order in which the jobs end.
pub type RunAll<I> = JobSet<I, Bytes>;

/// The handles of many background jobs, from [`Client::background_all`](super::Client::background_all): a stream of the
/// job's place in the set, from 0, and its handle. They come in the order in which servers accept the jobs.
pub type BackgroundAll<I> = JobSet<I, JobHandle>;

/// Many jobs, a window of them at once: [`RunAll`] or [`BackgroundAll`].
///
/// While it is not polled it submits nothing. What servers say of the jobs in flight waits then, and holds up nobody
/// else who uses the client.
#[must_use = "jobs are submitted when this is polled"]
pub struct JobSet<I: Iterator, T> {
    jobs: Fuse<I>,
    manner: Manner<T>,
    /// The place of the next job.
    place: usize,
    window: usize,
    finding: JoinSet<(usize, Result<Waiting, JobError>)>,
    seats: Vec<Seat>,
    /// Seats without a job.
    free: Vec<usize>,
    /// Seats whose jobs are to be submitted.
    unsent: VecDeque<usize>,
    desks: Vec<Desk>,
    /// News that were just collected; empty between polls.
    told: Vec<Told>,
    /// What is to be handed out.
    at_hand: VecDeque<(usize, Result<T, JobError>)>,
}

/// What is done with the jobs of a set.
struct Manner<T> {
    want: Want,
    /// What a job ends with, if this step is its end. Pieces of a result are kept until then.
    end: fn(&mut Vec<Bytes>, Step) -> Option<T>,
    awaited: Awaited,
}

/// Who the jobs of a set wait for, and so when free places of the window are given to new ones.
#[derive(Debug, Clone, Copy)]
enum Awaited {
    /// Workers, who wait for jobs as well: each place at once when no result is at hand, and else a quarter of the
    /// window together.
    Workers,
    /// The server, which answers by itself; few large writes cost less than many small ones. When no handle is at hand,
    /// a quarter of the window together, or half of a small one.
    Server,
}

/// Where one job of the window waits.
struct Seat {
    place: usize,
    submission: Option<Submission>,
    /// The task that looks for a connection.
    finding: Option<task::Id>,
    pieces: Vec<Bytes>,
}

/// A connection that jobs of the set go over.
struct Desk {
    link: Arc<Link>,
    set: SetKey,
}

impl<I: Iterator<Item = JobBuilder>> RunAll<I> {
    pub(super) fn of_results(jobs: I) -> Self {
        let awaited = Awaited::Workers;
        Self::new(jobs, Manner { want: Want::Result, end: result_of, awaited })
    }

    /// Waits for all results, in the order of the jobs; ends with the first error.
    ///
    /// # Errors
    /// That of the first job that has one; the jobs behind it in the set may not have been submitted.
    pub async fn collect(mut self) -> Result<Vec<Bytes>, JobError> {
        let mut results: Vec<Bytes> = Vec::new();
        while let Some((place, result)) = self.next().await {
            let result = result?;
            if results.len() <= place {
                results.resize(place + 1, Bytes::new());
            }
            if let Some(at) = results.get_mut(place) {
                *at = result;
            }
        }
        Ok(results)
    }
}

impl<I: Iterator<Item = JobBuilder>> BackgroundAll<I> {
    pub(super) fn of_handles(jobs: I) -> Self {
        let awaited = Awaited::Server;
        Self::new(jobs, Manner { want: Want::Answer, end: handle_of, awaited })
    }
}

impl<I: Iterator<Item = JobBuilder>, T> JobSet<I, T> {
    fn new(jobs: I, manner: Manner<T>) -> Self {
        Self {
            jobs: jobs.fuse(),
            manner,
            place: 0,
            window: WINDOW_DEFAULT,
            finding: JoinSet::new(),
            seats: Vec::new(),
            free: Vec::new(),
            unsent: VecDeque::new(),
            desks: Vec::new(),
            told: Vec::new(),
            at_hand: VecDeque::new(),
        }
    }

    /// How many jobs are in flight at once; at least 1, default 256.
    ///
    /// Memory is bounded by this many workloads and results. Places whose jobs have ended are given to new ones some
    /// together: by quarters of the window while results are at hand, and for handles, when none is at hand, by
    /// quarters or by halves of a window of less than 128.
    pub fn window(mut self, jobs: usize) -> Self {
        self.window = jobs.max(1);
        self
    }

    /// The next result, with the place of its job; `None` behind the last. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<(usize, Result<T, JobError>)> {
        poll_fn(|context| self.poll_result(context)).await
    }

    /// The next result if there is nothing else to do first: neither to wait for it nor to submit jobs.
    pub(crate) fn next_at_hand(&mut self) -> Option<(usize, Result<T, JobError>)> {
        if self.is_to_be_filled() { None } else { self.at_hand.pop_front() }
    }

    fn poll_result(&mut self, context: &mut Context<'_>) -> Poll<Option<(usize, Result<T, JobError>)>> {
        loop {
            if self.is_to_be_filled() {
                self.fill();
            }
            self.submit();
            if let Some(result) = self.at_hand.pop_front() {
                return Poll::Ready(Some(result));
            }
            if self.in_flight() == 0 {
                return Poll::Ready(None);
            }
            let (found, heard) = (self.poll_finding(context), self.collect_news(context));
            if !found && !heard {
                return Poll::Pending;
            }
        }
    }

    fn in_flight(&self) -> usize {
        self.seats.len() - self.free.len()
    }

    /// How many jobs more there may be.
    fn room(&self) -> usize {
        self.window.saturating_sub(self.in_flight() + self.at_hand.len())
    }

    fn is_to_be_filled(&self) -> bool {
        let window = self.window;
        let together = match (self.manner.awaited, self.at_hand.is_empty()) {
            (Awaited::Workers, true) => 1,
            (Awaited::Workers, false) => window / 4,
            (Awaited::Server, true) => (window / 4).max(64).min(window / 2),
            (Awaited::Server, false) => return false,
        };
        self.room() >= together.max(1)
    }

    /// Gives every free place of the window a job.
    fn fill(&mut self) {
        for _ in 0..self.room() {
            let Some(job) = self.jobs.next() else { return };
            let place = self.place;
            self.place += 1;
            match job.check(self.manner.want) {
                Ok(()) => {
                    let seat = self.seat(place, job.checked(self.manner.want));
                    self.unsent.push_back(seat);
                }
                Err(error) => self.at_hand.push_back((place, Err(error))),
            }
        }
    }

    fn seat(&mut self, place: usize, submission: Submission) -> usize {
        if let Some(index) = self.free.pop()
            && let Some(seat) = self.seats.get_mut(index)
        {
            seat.place = place;
            seat.submission = Some(submission);
            return index;
        }
        self.seats.push(Seat { place, submission: Some(submission), finding: None, pieces: Vec::new() });
        self.seats.len() - 1
    }

    /// Submits the jobs that are to be.
    fn submit(&mut self) {
        if self.unsent.is_empty() {
            return;
        }
        let now = Instant::now();
        let mut untaken = Vec::new();
        while let Some(index) = self.unsent.front().copied() {
            match self.submission(index).and_then(|submission| submission.find()) {
                Some(link) => self.submit_over(&link, now, &mut untaken),
                None => {
                    self.unsent.pop_front();
                    self.find_later(index, now);
                }
            }
        }
        // Not under the lock of a connection: what ends with a job may end a client.
        for (index, why) in untaken {
            match why {
                NotTaken::Invalid(invalid) => self.end(index, Err(invalid.into())),
                NotTaken::Full | NotTaken::Ended => self.find_later(index, now),
            }
        }
    }

    /// Submits the next job over this connection, and those behind it that go the same way.
    fn submit_over(&mut self, link: &Arc<Link>, now: Instant, untaken: &mut Vec<(usize, NotTaken)>) {
        let set = self.set_at(link);
        let mut pool = None;
        let mut asking = match link.asking(now) {
            Ok(asking) => asking,
            Err(why) => return untaken.extend(self.unsent.pop_front().map(|index| (index, why))),
        };
        while let Some(index) = self.unsent.front().copied() {
            let Some(submission) = self.seats.get_mut(index).and_then(|seat| seat.submission.as_mut()) else {
                return;
            };
            match &pool {
                None => pool = Some(Arc::clone(submission.pool())),
                Some(pool) if submission.goes_the_way_of(pool) => {}
                Some(_) => return,
            }
            if let Err(why) = submission.ask_in_set(&mut asking, set, index) {
                untaken.push((index, why));
            }
            self.unsent.pop_front();
        }
    }

    /// What the connection knows this set by.
    fn set_at(&mut self, link: &Arc<Link>) -> SetKey {
        if let Some(desk) = self.desks.iter().find(|desk| Arc::ptr_eq(&desk.link, link)) {
            return desk.set;
        }
        let set = link.add_set();
        self.desks.push(Desk { link: Arc::clone(link), set });
        set
    }

    fn submission(&mut self, index: usize) -> Option<&mut Submission> {
        self.seats.get_mut(index)?.submission.as_mut()
    }

    /// Lets a job wait for a connection, or for room, on its own.
    fn find_later(&mut self, index: usize, now: Instant) {
        let Some(finding) = self.submission(index).map(|submission| submission.finding(now)) else { return };
        let task = self.finding.spawn(async move { (index, finding.await) });
        if let Some(seat) = self.seats.get_mut(index) {
            seat.finding = Some(task.id());
        }
    }

    /// Takes the jobs back that are submitted by now; says whether there were any.
    fn poll_finding(&mut self, context: &mut Context<'_>) -> bool {
        let mut found = false;
        while let Poll::Ready(Some(joined)) = self.finding.poll_join_next(context) {
            found = true;
            match joined {
                Ok((index, Ok(waiting))) => {
                    let set = self.set_at(&Arc::clone(waiting.link()));
                    if let Some(submission) = self.submission(index) {
                        waiting.join(set, index, submission);
                    }
                }
                Ok((index, Err(error))) => self.end(index, Err(error)),
                Err(error) => self.find_again(error),
            }
        }
        found
    }

    /// The runtime of a task was shut down; this is polled in another.
    fn find_again(&mut self, error: JoinError) {
        let id = error.id();
        let index = self.seats.iter().position(|seat| seat.finding == Some(id));
        if let Ok(panic) = error.try_into_panic() {
            resume_unwind(panic);
        }
        self.unsent.extend(index);
    }

    /// Takes all news; says whether there were any.
    fn collect_news(&mut self, context: &mut Context<'_>) -> bool {
        let mut told = mem::take(&mut self.told);
        let mut heard = false;
        let mut at = 0;
        while let Some(desk) = self.desks.get(at) {
            let link = Arc::clone(&desk.link);
            // Once a connection has ended, the last news of each job are there.
            let was_over = link.is_over();
            if link.collect(desk.set, context, &mut told).is_ready() {
                heard = true;
                told.drain(..).for_each(|told| self.hear(told, &link));
            } else if was_over {
                self.desks.swap_remove(at);
                continue;
            }
            at += 1;
        }
        self.told = told;
        heard
    }

    fn hear(&mut self, Told { seat: index, news, last }: Told, link: &Arc<Link>) {
        let Some(seat) = self.seats.get_mut(index) else { return };
        let Some(submission) = &mut seat.submission else { return };
        match submission.take(news, last, link) {
            Some(Ok(step)) => {
                let end = (self.manner.end)(&mut seat.pieces, step);
                if submission.is_new() {
                    self.unsent.push_back(index);
                }
                if let Some(end) = end {
                    self.end(index, Ok(end));
                }
            }
            Some(Err(error)) => self.end(index, Err(error)),
            None => {}
        }
    }

    fn end(&mut self, index: usize, result: Result<T, JobError>) {
        let Some(seat) = self.seats.get_mut(index) else { return };
        seat.submission = None;
        seat.finding = None;
        seat.pieces.clear();
        self.free.push(index);
        self.at_hand.push_back((seat.place, result));
    }
}

impl<I, T> Stream for JobSet<I, T>
where
    I: Iterator<Item = JobBuilder> + Unpin,
    T: Unpin,
{
    type Item = (usize, Result<T, JobError>);

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_result(context)
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.link.remove_set(self.set);
    }
}

impl<I: Iterator, T> fmt::Debug for JobSet<I, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let in_flight = self.seats.len() - self.free.len();
        f.debug_struct("JobSet")
            .field("window", &self.window)
            .field("in_flight", &in_flight)
            .finish_non_exhaustive()
    }
}
