//! Who waits for what over one connection, and what came for them that they have not read yet.
//!
//! From: events of the session, by key. To: the readers, who are woken by whoever drives the connection.
//! Never: locks, waits, or keeps a slot that neither the session nor a reader knows.

use crate::session::client::{OwnedHandle, Refusal, Report, Sent};
use bytes::Bytes;
use geartrain_proto::Status;
use std::collections::VecDeque;
use std::mem;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::time::Instant;

/// What a slot is known by, to its reader and to the session.
pub(crate) type Key = u32;

/// News kept by a slot that is free, at most.
const NEWS_KEPT: usize = 32;

/// Slots kept when none is in use, at most.
const SLOTS_KEPT: usize = 1024;

/// What a reader waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    /// The one answer to a request: the handle of a background job, an echo, a status.
    Answer,
    /// The result of a foreground job; its data is kept until then, its progress and warnings are not.
    Result,
    /// All that happens to a foreground job.
    Stream,
}

/// What came for a reader.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum News {
    Created(OwnedHandle),
    Report(Report),
    Echo(Bytes),
    Status(Status, Option<u32>),
    Refused(Refusal),
    Lost(Sent),
    TimedOut { doing: &'static str, limit: Duration },
    Overrun(Held),
}

/// Whose unread bytes were over their limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Held {
    /// Those of the one job.
    OfJob,
    /// Those of all jobs over its connection; the job was the one that sent more then.
    OfConnection,
}

impl News {
    /// Whether the request came to no good end.
    pub(crate) fn is_failure(&self) -> bool {
        match self {
            Self::Report(report) => matches!(report, Report::Fail | Report::Exception(_)),
            Self::Created(_) | Self::Echo(_) | Self::Status(..) => false,
            Self::Refused(_) | Self::Lost(_) | Self::TimedOut { .. } | Self::Overrun(_) => true,
        }
    }
}

/// The time limits of one request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// When the server must have answered it.
    pub(crate) answer_by: Instant,
    /// When the reader stops to wait.
    pub(crate) ends_by: Instant,
    /// The limit that ends there, as it was said.
    pub(crate) limit: Duration,
}

#[derive(Debug)]
struct Slot {
    want: Want,
    phase: Phase,
    reader: Reader,
    limits: Limits,
    handle: Option<OwnedHandle>,
    news: VecDeque<News>,
    held_bytes: usize,
}

/// How far the request is, as the session knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Free,
    Unanswered,
    Running,
    /// The session does not know it any more.
    Over,
}

#[derive(Debug)]
enum Reader {
    Waiting(Option<Waker>),
    /// Its last news is there, and not read yet.
    Told,
    Gone,
}

/// The slots of one connection.
#[derive(Debug)]
pub(crate) struct Slots {
    slots: Vec<Slot>,
    free: Vec<Key>,
    /// Most bytes that a job may have sent and nobody read.
    held_bytes_max: usize,
    /// The same for all jobs.
    held_bytes_in_all_max: usize,
    held_bytes: usize,
    /// How many readers wait.
    waiting: usize,
    /// How many jobs run that nobody waits for.
    abandoned: usize,
}

/// What a look at the time limits found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Sweep {
    /// Nothing is due before this.
    Next(Option<Instant>),
    /// The server owes an answer for longer than it may.
    Unanswered,
}

impl Slots {
    pub(crate) fn new(held_bytes_max: usize, held_bytes_in_all_max: usize) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            held_bytes_max,
            held_bytes_in_all_max,
            held_bytes: 0,
            waiting: 0,
            abandoned: 0,
        }
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    pub(crate) fn abandoned(&self) -> usize {
        self.abandoned
    }

    /// Slots in use.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(crate) fn insert(&mut self, want: Want, limits: Limits) -> Key {
        self.waiting += 1;
        let reader = Reader::Waiting(None);
        if let Some(key) = self.free.pop()
            && let Some(slot) = self.slots.get_mut(index(key))
        {
            slot.want = want;
            slot.phase = Phase::Unanswered;
            slot.reader = reader;
            slot.limits = limits;
            return key;
        }
        let key = Key::try_from(self.slots.len()).expect("the session's limit is far below 2^32");
        let phase = Phase::Unanswered;
        let (news, held_bytes) = (VecDeque::new(), 0);
        self.slots.push(Slot { want, phase, reader, limits, handle: None, news, held_bytes });
        key
    }

    /// Takes back a slot whose request the session did not take.
    pub(crate) fn take_back(&mut self, key: Key) {
        self.waiting -= 1;
        self.release(key);
    }

    fn release(&mut self, key: Key) {
        let Some(slot) = self.slots.get_mut(index(key)) else { return };
        slot.phase = Phase::Free;
        slot.reader = Reader::Gone;
        slot.handle = None;
        self.held_bytes -= slot.forget_news();
        slot.news.shrink_to(NEWS_KEPT);
        self.free.push(key);
        // What a burst left would be looked through with each look at the time limits.
        if self.free.len() == self.slots.len() && self.slots.len() > SLOTS_KEPT {
            self.slots = Vec::new();
            self.free = Vec::new();
        }
    }

    pub(crate) fn created(&mut self, key: Key, handle: OwnedHandle, wakers: &mut Vec<Waker>) {
        let Some(slot) = self.slots.get_mut(index(key)) else { return };
        slot.handle = Some(handle);
        match slot.want {
            Want::Answer => self.end(key, News::Created(handle), wakers),
            Want::Result | Want::Stream => {
                slot.phase = Phase::Running;
                self.abandoned += usize::from(!matches!(slot.reader, Reader::Waiting(_)));
                if slot.want == Want::Stream {
                    slot.tell(News::Created(handle), wakers);
                }
            }
        }
    }

    pub(crate) fn report(&mut self, key: Key, report: Report, wakers: &mut Vec<Waker>) {
        if report.is_last() {
            return self.end(key, News::Report(report), wakers);
        }
        let Some(slot) = self.slots.get_mut(index(key)) else { return };
        let is_data = matches!(report, Report::Data(_));
        if !matches!(slot.reader, Reader::Waiting(_)) || (slot.want == Want::Result && !is_data) {
            return;
        }
        if let Err(held) = self.hold(key, &report) {
            return self.tell_last(key, News::Overrun(held), wakers);
        }
        let Some(slot) = self.slots.get_mut(index(key)) else { return };
        match slot.want {
            Want::Result => slot.news.push_back(News::Report(report)),
            Want::Stream | Want::Answer => slot.tell(News::Report(report), wakers),
        }
    }

    /// Counts what is held for a reader from now on; over a limit, all that was held for it is dropped.
    ///
    /// One report may always be held for a job, whatever its size, unless others of the connection hold too much.
    fn hold(&mut self, key: Key, report: &Report) -> Result<(), Held> {
        let Some(slot) = self.slots.get_mut(index(key)) else { return Ok(()) };
        let weight = weight(report);
        let of_job = slot.held_bytes > 0 && slot.held_bytes + weight > self.held_bytes_max;
        if of_job || (self.held_bytes > 0 && self.held_bytes + weight > self.held_bytes_in_all_max) {
            self.held_bytes -= slot.forget_news();
            return Err(if of_job { Held::OfJob } else { Held::OfConnection });
        }
        slot.held_bytes += weight;
        self.held_bytes += weight;
        Ok(())
    }

    /// Takes the last that the session has to say of a request.
    pub(crate) fn end(&mut self, key: Key, news: News, wakers: &mut Vec<Waker>) {
        let Some(slot) = self.slots.get_mut(index(key)) else { return };
        let was_running = mem::replace(&mut slot.phase, Phase::Over) == Phase::Running;
        match slot.reader {
            Reader::Waiting(_) => {
                let held = match &news {
                    News::Report(report) => self.hold(key, report),
                    News::Created(_)
                    | News::Echo(_)
                    | News::Status(..)
                    | News::Refused(_)
                    | News::Lost(_)
                    | News::TimedOut { .. }
                    | News::Overrun(_) => Ok(()),
                };
                self.tell_last(key, held.map_or_else(News::Overrun, |()| news), wakers);
            }
            Reader::Told => self.abandoned -= usize::from(was_running),
            Reader::Gone => {
                self.abandoned -= usize::from(was_running);
                self.release(key);
            }
        }
    }

    /// Tells a reader that waits the last it hears.
    fn tell_last(&mut self, key: Key, news: News, wakers: &mut Vec<Waker>) {
        let Some(slot) = self.slots.get_mut(index(key)) else { return };
        slot.tell(news, wakers);
        slot.reader = Reader::Told;
        self.waiting -= 1;
        self.abandoned += usize::from(slot.phase == Phase::Running);
    }

    /// The reader is not interested any more.
    pub(crate) fn abandon(&mut self, key: Key) {
        let Some(slot) = self.slots.get_mut(index(key)) else { return };
        if matches!(slot.reader, Reader::Waiting(_)) {
            self.waiting -= 1;
            self.abandoned += usize::from(slot.phase == Phase::Running);
        }
        slot.reader = Reader::Gone;
        self.held_bytes -= slot.forget_news();
        if slot.phase == Phase::Over {
            self.release(key);
        }
    }

    /// Whether this reader waits, and nobody else.
    pub(crate) fn waits_alone(&self, key: Key) -> bool {
        let slot = self.slots.get(index(key));
        self.waiting == 1 && slot.is_some_and(|slot| matches!(slot.reader, Reader::Waiting(_)))
    }

    /// A reader that waits is not woken before it is polled again; the waker that it had.
    pub(crate) fn disarm(&mut self, key: Key) -> Option<Waker> {
        match &mut self.slots.get_mut(index(key))?.reader {
            Reader::Waiting(waker) => waker.take(),
            Reader::Told | Reader::Gone => None,
        }
    }

    /// The next news for a reader; with the last, the reader is gone and the key is not its own any more.
    ///
    /// A waker that is replaced comes to `former`: whatever its end does must not happen under a lock.
    pub(crate) fn poll(
        &mut self,
        key: Key,
        context: &Context<'_>,
        former: &mut Option<Waker>,
    ) -> Poll<(News, Last)> {
        let Some(slot) = self.slots.get_mut(index(key)) else { return Poll::Pending };
        match &mut slot.reader {
            // Pieces of a result are handed out with its end, all at once.
            Reader::Waiting(waker) if slot.want == Want::Result || slot.news.is_empty() => {
                if !waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
                    *former = waker.replace(context.waker().clone());
                }
                Poll::Pending
            }
            Reader::Waiting(_) | Reader::Told | Reader::Gone => {
                let Some(news) = slot.news.pop_front() else { return Poll::Pending };
                if let News::Report(report) = &news {
                    slot.held_bytes -= weight(report);
                    self.held_bytes -= weight(report);
                }
                let last = if slot.news.is_empty() && matches!(slot.reader, Reader::Told) {
                    Last::Yes(slot.handle)
                } else {
                    Last::No
                };
                if last != Last::No {
                    slot.reader = Reader::Gone;
                    if slot.phase == Phase::Over {
                        self.release(key);
                    }
                }
                Poll::Ready((news, last))
            }
        }
    }

    /// Tells the readers whose time is over so, and finds what is due next. The server is not silent before `silent_by`.
    pub(crate) fn sweep(&mut self, now: Instant, silent_by: Instant, wakers: &mut Vec<Waker>) -> Sweep {
        let mut next: Option<Instant> = None;
        let mut due = Vec::new();
        let mut is_owed = false;
        for (key, slot) in (0..).zip(&self.slots) {
            let unanswered =
                (slot.phase == Phase::Unanswered).then_some(slot.limits.answer_by.max(silent_by));
            is_owed |= unanswered.is_some_and(|at| at <= now);
            let waits = matches!(slot.reader, Reader::Waiting(_)).then_some(slot.limits.ends_by);
            if waits.is_some_and(|at| at <= now) {
                due.push(key);
            }
            let later = waits.filter(|at| *at > now);
            next = [next, unanswered, later].into_iter().flatten().min();
        }
        for key in due {
            let Some(slot) = self.slots.get_mut(index(key)) else { continue };
            let doing = match (slot.phase, slot.want) {
                (Phase::Unanswered, Want::Answer) => "waiting for an answer",
                (Phase::Unanswered, _) => "waiting for the job to be accepted",
                (Phase::Running | Phase::Over | Phase::Free, _) => "waiting for the job to end",
            };
            let limit = slot.limits.limit;
            // Whoever reads all that happens gets what came in time.
            if slot.want != Want::Stream {
                self.held_bytes -= slot.forget_news();
            }
            self.tell_last(key, News::TimedOut { doing, limit }, wakers);
        }
        if is_owed { Sweep::Unanswered } else { Sweep::Next(next) }
    }
}

/// Whether a reader hears more, and if not, the handle of its job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Last {
    No,
    Yes(Option<OwnedHandle>),
}

impl Slot {
    /// Drops what was not read, and says how many bytes were held.
    fn forget_news(&mut self) -> usize {
        self.news.clear();
        mem::take(&mut self.held_bytes)
    }

    fn tell(&mut self, news: News, wakers: &mut Vec<Waker>) {
        self.news.push_back(news);
        if let Reader::Waiting(waker) = &mut self.reader {
            wakers.extend(waker.take());
        }
    }
}

/// What a report takes while nobody has read it: progress has no bytes, and is held all the same.
fn weight(report: &Report) -> usize {
    report.len() + mem::size_of::<News>()
}

fn index(key: Key) -> usize {
    usize::try_from(key).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::client::Report;

    fn limits(now: Instant) -> Limits {
        let limit = Duration::from_secs(10);
        Limits { answer_by: now + Duration::from_secs(60), ends_by: now + limit, limit }
    }

    fn news(slots: &mut Slots, key: Key) -> Option<News> {
        match slots.poll(key, &Context::from_waker(Waker::noop()), &mut None) {
            Poll::Ready((news, _)) => Some(news),
            Poll::Pending => None,
        }
    }

    #[test]
    fn all_jobs_of_a_connection_together_hold_no_more_than_their_limit() {
        let now = Instant::now();
        let (mut slots, mut wakers) = (Slots::new(1000, 3000), Vec::new());
        let piece = || Report::Data(Bytes::from_static(&[0; 700]));
        let keys: Vec<Key> = (0..5).map(|_| slots.insert(Want::Stream, limits(now))).collect();
        for key in &keys {
            slots.created(*key, OwnedHandle::default(), &mut wakers);
            assert!(matches!(news(&mut slots, *key), Some(News::Created(_))));
            // One is read at once, and so it is nobody's burden.
            slots.report(*key, piece(), &mut wakers);
            if *key == keys[0] {
                news(&mut slots, *key);
            }
        }
        let told: Vec<_> = keys.iter().map(|key| news(&mut slots, *key)).collect();
        let overrun = Some(News::Overrun(Held::OfConnection));
        assert_eq!(told[0], None);
        assert!(
            told[1..4].iter().all(|news| matches!(news, Some(News::Report(Report::Data(_))))),
            "{told:?}"
        );
        assert_eq!(told[4], overrun, "it came last");
        // A result counts as well.
        slots.report(keys[0], piece(), &mut wakers);
        slots.report(keys[1], piece(), &mut wakers);
        slots.report(keys[2], piece(), &mut wakers);
        slots.end(keys[3], News::Report(Report::Complete(Bytes::from_static(&[0; 3000]))), &mut wakers);
        assert_eq!(news(&mut slots, keys[3]), overrun);
    }

    #[test]
    fn what_came_in_time_is_read_behind_the_time_limit() {
        let now = Instant::now();
        let (mut slots, mut wakers) = (Slots::new(1000, 3000), Vec::new());
        let key = slots.insert(Want::Stream, limits(now));
        slots.created(key, OwnedHandle::default(), &mut wakers);
        slots.report(key, Report::Data(Bytes::from_static(b"in time")), &mut wakers);
        slots.sweep(now + Duration::from_secs(10), now, &mut wakers);
        let told: Vec<_> = std::iter::from_fn(|| news(&mut slots, key)).collect();
        assert!(matches!(told[..], [News::Created(_), News::Report(_), News::TimedOut { .. }]), "{told:?}");
    }

    #[test]
    fn those_whose_time_is_over_are_told_before_the_connection_is_given_up() {
        let now = Instant::now();
        let (mut slots, mut wakers) = (Slots::new(1000, 3000), Vec::new());
        let limits = Limits { answer_by: now, ends_by: now, limit: Duration::ZERO };
        let key = slots.insert(Want::Answer, limits);
        assert_eq!(slots.sweep(now, now, &mut wakers), Sweep::Unanswered);
        assert!(matches!(news(&mut slots, key), Some(News::TimedOut { .. })));
    }

    #[test]
    fn what_a_burst_left_is_not_looked_through_for_ever() {
        let now = Instant::now();
        let (mut slots, mut wakers) = (Slots::new(1000, 3000), Vec::new());
        let keys: Vec<Key> = (0..10_000).map(|_| slots.insert(Want::Answer, limits(now))).collect();
        for key in keys {
            slots.end(key, News::Lost(Sent::Not), &mut wakers);
            news(&mut slots, key);
        }
        assert_eq!((slots.len(), slots.slots.len()), (0, 0));
    }

    #[test]
    fn a_reader_whose_time_is_over_is_told_once_and_its_job_goes_on() {
        let now = Instant::now();
        let (mut slots, mut wakers) = (Slots::new(1000, 1_000_000), Vec::new());
        let key = slots.insert(Want::Result, limits(now));
        slots.created(key, OwnedHandle::default(), &mut wakers);
        assert_eq!(slots.sweep(now, now, &mut wakers), Sweep::Next(Some(now + Duration::from_secs(10))));
        assert_eq!(news(&mut slots, key), None);
        assert_eq!(slots.sweep(now + Duration::from_secs(10), now, &mut wakers), Sweep::Next(None));
        assert_eq!(wakers.len(), 1);
        assert!(matches!(
            news(&mut slots, key),
            Some(News::TimedOut { doing: "waiting for the job to end", .. })
        ));
        assert_eq!(
            (slots.len(), slots.waiting(), slots.abandoned()),
            (1, 0, 1),
            "the session knows it still"
        );
        slots.report(key, Report::Data(Bytes::from_static(b"late")), &mut wakers);
        slots.end(key, News::Report(Report::Fail), &mut wakers);
        assert_eq!((slots.len(), slots.waiting(), slots.abandoned()), (0, 0, 0));
    }

    #[test]
    fn an_answer_that_is_owed_too_long_is_noticed_though_nobody_waits_for_it() {
        let now = Instant::now();
        let (mut slots, mut wakers) = (Slots::new(1000, 1_000_000), Vec::new());
        let key = slots.insert(Want::Answer, limits(now));
        slots.abandon(key);
        let minute = now + Duration::from_secs(60);
        assert_eq!(slots.sweep(now, now, &mut wakers), Sweep::Next(Some(minute)));
        let later = minute + Duration::from_secs(5);
        assert_eq!(slots.sweep(minute, later, &mut wakers), Sweep::Next(Some(later)), "it says other things");
        assert_eq!(slots.sweep(now + Duration::from_secs(60), now, &mut wakers), Sweep::Unanswered);
    }

    #[test]
    fn progress_that_nobody_reads_is_held_to_the_limit_as_well() {
        let (mut slots, mut wakers) = (Slots::new(1_000_000, 1_000_000), Vec::new());
        let key = slots.insert(Want::Stream, limits(Instant::now()));
        slots.created(key, OwnedHandle::default(), &mut wakers);
        for numerator in 0..100_000 {
            slots.report(key, Report::Status { numerator, denominator: 100_000 }, &mut wakers);
        }
        assert_eq!(news(&mut slots, key), Some(News::Overrun(Held::OfJob)));
        assert!(slots.slots[0].news.capacity() < 100_000);
    }

    /// Whatever session and readers do in whatever order: when both are through, nothing is left.
    #[test]
    fn slots_are_free_when_session_and_reader_are_through() {
        let mut random = fastrand::Rng::with_seed(11);
        let now = Instant::now();
        for _ in 0..500 {
            let (mut slots, mut wakers) = (Slots::new(100, 1_000_000), Vec::new());
            // What session and reader still know of each key.
            let mut session: Vec<(Key, bool)> = Vec::new();
            let mut readers: Vec<Key> = Vec::new();
            for _ in 0..200 {
                match random.u8(..8) {
                    0 | 1 => {
                        let want = [Want::Answer, Want::Result, Want::Stream][random.usize(..3)];
                        let key = slots.insert(want, limits(now));
                        session.push((key, want != Want::Answer));
                        readers.push(key);
                    }
                    2 if !session.is_empty() => {
                        let at = random.usize(..session.len());
                        let (key, is_job) = session[at];
                        slots.created(key, OwnedHandle::default(), &mut wakers);
                        if is_job {
                            // A second JOB_CREATED does not come.
                            session.swap_remove(at);
                            for _ in 0..random.u8(..4) {
                                let piece = Bytes::from_static(&[0; 60]);
                                slots.report(key, Report::Data(piece), &mut wakers);
                            }
                            if random.bool() {
                                slots.end(key, News::Report(Report::Fail), &mut wakers);
                            } else {
                                slots.end(key, News::Lost(Sent::Accepted), &mut wakers);
                            }
                        } else {
                            session.swap_remove(at);
                        }
                    }
                    3 if !session.is_empty() => {
                        let (key, _) = session.swap_remove(random.usize(..session.len()));
                        slots.end(key, News::Lost(Sent::Unanswered), &mut wakers);
                    }
                    4 if !readers.is_empty() => {
                        slots.abandon(readers.swap_remove(random.usize(..readers.len())));
                    }
                    5 if !readers.is_empty() => {
                        let at = random.usize(..readers.len());
                        let polled = slots.poll(readers[at], &Context::from_waker(Waker::noop()), &mut None);
                        if matches!(polled, Poll::Ready((_, Last::Yes(_)))) {
                            readers.swap_remove(at);
                        }
                    }
                    6 => drop(slots.sweep(now + Duration::from_secs(10), now, &mut wakers)),
                    _ => {}
                }
            }
            for (key, _) in session {
                slots.end(key, News::Lost(Sent::Unanswered), &mut wakers);
            }
            for key in readers {
                slots.abandon(key);
            }
            assert_eq!((slots.len(), slots.waiting(), slots.abandoned(), slots.held_bytes), (0, 0, 0, 0));
        }
    }
}
