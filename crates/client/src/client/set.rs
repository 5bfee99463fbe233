//! A set of many jobs: so many at once, what comes of each as it comes.
//!
//! From: an iterator of jobs, which is asked for the next one only when there is room for it. To: a stream of results,
//! or of handles.
//! Never: holds more than a window of jobs, or takes memory for each: a seat and its waker serve one job after the
//! other, where a set of futures that knows nothing of a window would allocate for each.

use super::error::JobError;
use super::job::{Background, JobBuilder, Run};
use crate::limits::WINDOW_DEFAULT;
use bytes::Bytes;
use futures_core::Stream;
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::iter::Fuse;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// Each result makes room for a job at once: workers wait for it.
pub(super) const EACH: usize = usize::MAX;

/// Handles make room for a quarter of the window together: for answers, which come by themselves, no worker waits, and
/// few large writes cost less than many small ones.
pub(super) const QUARTERS: usize = 4;

/// How often jobs are polled beyond once each before the runtime gets its turn.
const POLLS_MORE: usize = 32;

/// The results of many jobs, from [`Client::run_all`](super::Client::run_all): a stream of the job's place in the set,
/// from 0, and its result. They come in the order in which the jobs end.
pub type RunAll<I> = JobSet<I, Run>;

/// The handles of many background jobs, from [`Client::background_all`](super::Client::background_all): a stream of the
/// job's place in the set, from 0, and its handle. They come in the order in which servers accept the jobs.
pub type BackgroundAll<I> = JobSet<I, Background>;

/// Many jobs, a window of them at once: [`RunAll`] or [`BackgroundAll`].
#[must_use = "jobs are submitted when this is polled"]
pub struct JobSet<I: Iterator, F> {
    jobs: Fuse<I>,
    begin: fn(JobBuilder) -> F,
    /// The window is filled again when one of so many parts of it is free.
    parts: usize,
    /// The place of the next job.
    place: usize,
    window: usize,
    runs: Vec<Seat<F>>,
    /// Seats without a job.
    free: Vec<usize>,
    /// Seats to be polled, taken from `ready` all at once.
    queue: VecDeque<usize>,
    ready: Arc<Ready>,
}

/// Where one job of the window waits; its waker outlives the jobs.
struct Seat<F> {
    run: Option<(usize, F)>,
    waker: Waker,
    token: Arc<SeatWaker>,
}

/// The seats whose jobs have something new.
#[derive(Default)]
struct Ready(Mutex<ReadyState>);

#[derive(Default)]
struct ReadyState {
    seats: VecDeque<usize>,
    /// Who polls the set.
    waker: Option<Waker>,
}

struct SeatWaker {
    ready: Arc<Ready>,
    seat: usize,
    is_queued: AtomicBool,
}

impl<I, F, T> JobSet<I, F>
where
    I: Iterator<Item = JobBuilder>,
    F: Future<Output = Result<T, JobError>> + Unpin,
{
    pub(super) fn new(jobs: I, begin: fn(JobBuilder) -> F, parts: usize) -> Self {
        Self {
            jobs: jobs.fuse(),
            begin,
            parts,
            place: 0,
            window: WINDOW_DEFAULT,
            runs: Vec::new(),
            free: Vec::new(),
            queue: VecDeque::new(),
            ready: Arc::default(),
        }
    }

    /// How many jobs are in flight at once; at least 1, default 256.
    ///
    /// Memory is bounded by this many workloads and results.
    pub fn window(mut self, jobs: usize) -> Self {
        self.window = jobs.max(1);
        self
    }

    /// The next result, with the place of its job; `None` behind the last. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<(usize, Result<T, JobError>)> {
        poll_fn(|context| self.poll_result(context)).await
    }

    fn poll_result(&mut self, context: &mut Context<'_>) -> Poll<Option<(usize, Result<T, JobError>)>> {
        self.fill();
        // A job that wakes itself whenever it is polled, as one does whose task has used up its share of the
        // runtime, must not keep this from returning to the runtime.
        for _ in 0..self.runs.len() + POLLS_MORE {
            let Some(seat) = self.next_seat(context) else {
                return if self.free.len() == self.runs.len() { Poll::Ready(None) } else { Poll::Pending };
            };
            if let Some(result) = self.poll_seat(seat) {
                return Poll::Ready(Some(result));
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    fn next_seat(&mut self, context: &Context<'_>) -> Option<usize> {
        if self.queue.is_empty() {
            self.ready.take(&mut self.queue, context);
        }
        self.queue.pop_front()
    }

    /// Gives every free seat of the window a job.
    fn fill(&mut self) {
        let free = self.window.saturating_sub(self.runs.len() - self.free.len());
        if free < self.window / self.parts {
            return;
        }
        while self.runs.len() - self.free.len() < self.window {
            let Some(job) = self.jobs.next() else { return };
            let run = Some((self.place, (self.begin)(job)));
            self.place += 1;
            let seat = match self.free.pop() {
                Some(seat) => seat,
                None => self.add_seat(),
            };
            if let Some(at) = self.runs.get_mut(seat) {
                at.run = run;
                at.token.is_queued.store(true, Ordering::Relaxed);
                self.queue.push_back(seat);
            }
        }
    }

    fn add_seat(&mut self) -> usize {
        let seat = self.runs.len();
        let token =
            Arc::new(SeatWaker { ready: Arc::clone(&self.ready), seat, is_queued: AtomicBool::new(false) });
        self.runs.push(Seat { run: None, waker: Waker::from(Arc::clone(&token)), token });
        seat
    }

    fn poll_seat(&mut self, index: usize) -> Option<(usize, Result<T, JobError>)> {
        let seat = self.runs.get_mut(index)?;
        seat.token.is_queued.store(false, Ordering::Release);
        let (place, run) = seat.run.as_mut()?;
        let place = *place;
        match Pin::new(run).poll(&mut Context::from_waker(&seat.waker)) {
            Poll::Pending => None,
            Poll::Ready(result) => {
                seat.run = None;
                self.free.push(index);
                Some((place, result))
            }
        }
    }
}

impl<I: Iterator<Item = JobBuilder>> RunAll<I> {
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

impl<I, F, T> Stream for JobSet<I, F>
where
    I: Iterator<Item = JobBuilder> + Unpin,
    F: Future<Output = Result<T, JobError>> + Unpin,
{
    type Item = (usize, Result<T, JobError>);

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_result(context)
    }
}

impl<I: Iterator, F> fmt::Debug for JobSet<I, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let in_flight = self.runs.len() - self.free.len();
        f.debug_struct("JobSet")
            .field("window", &self.window)
            .field("in_flight", &in_flight)
            .finish_non_exhaustive()
    }
}

impl Ready {
    fn lock(&self) -> MutexGuard<'_, ReadyState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All seats, into an empty queue; or the promise to wake.
    fn take(&self, queue: &mut VecDeque<usize>, context: &Context<'_>) {
        let mut state = self.lock();
        if state.seats.is_empty() {
            match &mut state.waker {
                Some(waker) => waker.clone_from(context.waker()),
                none => *none = Some(context.waker().clone()),
            }
        }
        std::mem::swap(queue, &mut state.seats);
    }
}

impl SeatWaker {
    fn queue(&self) {
        if self.is_queued.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut state = self.ready.lock();
        state.seats.push_back(self.seat);
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }
}

impl Wake for SeatWaker {
    fn wake(self: Arc<Self>) {
        self.queue();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.queue();
    }
}
