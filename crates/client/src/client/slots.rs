//! Who waits for what over one connection, and what came for them that they have not read yet.
//!
//! From: events of the session, by key. To: the readers, who are woken by whoever drives the connection: one for its
//! one request, or a set for many, whose news it takes all at once.
//! Never: locks, waits, or keeps a slot that neither the session nor a reader knows.

mod set;

pub(crate) use set::{Seat, SetKey, Told};

use super::news::{Held, Last, News, Want, weight};
use crate::session::client::{OwnedHandle, Report};
use set::Set;
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
    Waiting(Bell),
    /// Its last news is there, and not read yet.
    Told,
    Gone,
}

/// Who is told that there is news.
#[derive(Debug)]
enum Bell {
    /// The reader of this one request, woken if it was polled.
    Own(Option<Waker>),
    /// The set that the request belongs to.
    OfSet(SetKey, Seat),
}

/// Who reads the news of a request: as asked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    /// Whoever polls its key.
    Itself,
    /// A set, which knows it by its seat.
    Set(SetKey, Seat),
}

/// Who looks for news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Looks {
    One(Key),
    Set(SetKey),
}

/// The slots of one connection.
#[derive(Debug)]
pub(crate) struct Slots {
    slots: Vec<Slot>,
    free: Vec<Key>,
    sets: Vec<Option<Set>>,
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
            sets: Vec::new(),
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

    pub(crate) fn insert(&mut self, want: Want, limits: Limits, reader: For) -> Key {
        let reader = Reader::Waiting(self.bell(reader));
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

    /// The bell of one more who waits.
    fn bell(&mut self, reader: For) -> Bell {
        self.waiting += 1;
        match reader {
            For::Itself => Bell::Own(None),
            For::Set(key, seat) => {
                self.set(key).into_iter().for_each(|set| set.waiting += 1);
                Bell::OfSet(key, seat)
            }
        }
    }

    /// If the reader of a slot waits, it is `reader` from now on, which does not; the bell that it had.
    fn stop_waiting(&mut self, key: Key, reader: Reader) -> Option<Bell> {
        let slot = self.slots.get_mut(index(key)).filter(|slot| matches!(slot.reader, Reader::Waiting(_)))?;
        let Reader::Waiting(bell) = mem::replace(&mut slot.reader, reader) else { return None };
        self.waiting -= 1;
        if let Bell::OfSet(set, _) = bell {
            self.set(set).into_iter().for_each(|set| set.waiting -= 1);
        }
        Some(bell)
    }

    /// Takes back a slot whose request the session did not take.
    pub(crate) fn take_back(&mut self, key: Key) {
        self.stop_waiting(key, Reader::Gone);
        self.release(key);
    }

    fn release(&mut self, key: Key) {
        let Some(slot) = self.slots.get_mut(index(key)) else { return };
        slot.phase = Phase::Free;
        slot.reader = Reader::Gone;
        slot.handle = None;
        self.held_bytes -= slot.forget_news();
        if slot.news.capacity() > NEWS_KEPT {
            slot.news.shrink_to(NEWS_KEPT);
        }
        self.free.push(key);
        // What a burst left would be looked through with each look at the time limits.
        if self.free.len() == self.slots.len() && self.slots.len() > SLOTS_KEPT {
            self.slots = Vec::new();
            self.free = Vec::new();
        }
    }

    pub(crate) fn created(&mut self, key: Key, handle: OwnedHandle, wakers: &mut Vec<Waker>) {
        let Some(slot) = self.slots.get_mut(index(key)) else { return };
        match slot.want {
            Want::Answer => self.end(key, News::Created(handle), wakers),
            Want::Result | Want::Stream => {
                slot.handle = Some(handle);
                slot.phase = Phase::Running;
                self.abandoned += usize::from(!matches!(slot.reader, Reader::Waiting(_)));
                if slot.want == Want::Stream {
                    self.tell(key, News::Created(handle), wakers);
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
            Want::Stream | Want::Answer => self.tell(key, News::Report(report), wakers),
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

    /// Tells a reader that waits for the next.
    fn tell(&mut self, key: Key, news: News, wakers: &mut Vec<Waker>) {
        let Some(slot) = self.slots.get_mut(index(key)) else { return };
        slot.news.push_back(news);
        if let Reader::Waiting(Bell::Own(waker)) = &mut slot.reader {
            wakers.extend(waker.take());
        }
    }

    /// Tells a reader that waits the last it hears.
    fn tell_last(&mut self, key: Key, news: News, wakers: &mut Vec<Waker>) {
        let Some(bell) = self.stop_waiting(key, Reader::Told) else { return };
        let Some(slot) = self.slots.get_mut(index(key)) else { return };
        self.abandoned += usize::from(slot.phase == Phase::Running);
        match bell {
            Bell::Own(waker) => {
                slot.news.push_back(news);
                wakers.extend(waker);
            }
            Bell::OfSet(set, seat) => {
                if let Some(Some(set)) = self.sets.get_mut(set) {
                    slot.tell_set(set, seat, news);
                    wakers.extend(set.waker.take());
                }
                slot.reader = Reader::Gone;
                if slot.phase == Phase::Over {
                    self.release(key);
                }
            }
        }
    }

    /// The reader is not interested any more; its waker, whose end must not happen under a lock.
    pub(crate) fn abandon(&mut self, key: Key) -> Option<Waker> {
        let bell = self.stop_waiting(key, Reader::Gone);
        let slot = self.slots.get_mut(index(key))?;
        slot.reader = Reader::Gone;
        self.abandoned += usize::from(bell.is_some() && slot.phase == Phase::Running);
        self.held_bytes -= slot.forget_news();
        if slot.phase == Phase::Over {
            self.release(key);
        }
        match bell {
            Some(Bell::Own(waker)) => waker,
            Some(Bell::OfSet(..)) | None => None,
        }
    }

    /// Whether this reader waits, and nobody else.
    pub(crate) fn waits_alone(&self, looks: Looks) -> bool {
        match looks {
            Looks::One(key) => {
                let slot = self.slots.get(index(key));
                self.waiting == 1 && slot.is_some_and(|slot| matches!(slot.reader, Reader::Waiting(_)))
            }
            Looks::Set(key) => {
                let set = self.sets.get(key).and_then(Option::as_ref);
                self.waiting > 0 && set.is_some_and(|set| set.waiting == self.waiting)
            }
        }
    }

    /// A reader that waits is not woken before it is polled again; the waker that it had.
    pub(crate) fn disarm(&mut self, looks: Looks) -> Option<Waker> {
        match looks {
            Looks::One(key) => match &mut self.slots.get_mut(index(key))?.reader {
                Reader::Waiting(Bell::Own(waker)) => waker.take(),
                Reader::Waiting(Bell::OfSet(..)) | Reader::Told | Reader::Gone => None,
            },
            Looks::Set(key) => self.set(key)?.waker.take(),
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
            Reader::Waiting(Bell::Own(waker)) if slot.want == Want::Result || slot.news.is_empty() => {
                register(waker, context, former);
                Poll::Pending
            }
            Reader::Waiting(_) | Reader::Told | Reader::Gone => {
                self.next(key).map_or(Poll::Pending, Poll::Ready)
            }
        }
    }

    /// The next of what a reader has not read.
    fn next(&mut self, key: Key) -> Option<(News, Last)> {
        let slot = self.slots.get_mut(index(key))?;
        let news = slot.news.pop_front()?;
        if let News::Report(report) = &news {
            slot.held_bytes -= weight(report);
            self.held_bytes -= weight(report);
        }
        if !slot.news.is_empty() || !matches!(slot.reader, Reader::Told) {
            return Some((news, Last::No));
        }
        let last = slot.last(&news);
        slot.reader = Reader::Gone;
        if slot.phase == Phase::Over {
            self.release(key);
        }
        Some((news, last))
    }

    /// Tells the readers whose time is over so, and finds what is due next. The server is not silent before
    /// `silent_by`.
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

impl Slot {
    fn last(&self, news: &News) -> Last {
        Last::Yes(if news.is_failure() { self.handle.map(Box::new) } else { None })
    }

    /// Drops what was not read, and says how many bytes were held.
    fn forget_news(&mut self) -> usize {
        if !self.news.is_empty() {
            self.news.clear();
        }
        mem::take(&mut self.held_bytes)
    }
}

/// Has whoever polls be woken; a waker that is replaced comes to `former`.
fn register(waker: &mut Option<Waker>, context: &Context<'_>, former: &mut Option<Waker>) {
    if !waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
        *former = waker.replace(context.waker().clone());
    }
}

fn index(key: Key) -> usize {
    usize::try_from(key).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
