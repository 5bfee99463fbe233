//! Who waits for what over one connection, and what came for them that they have not read yet.
//!
//! From: events of the session, by key. To: the readers, who are woken by whoever drives the connection: one for its
//! one request, or a set for many, whose news it takes all at once.
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

/// What a set of requests is known by.
pub(crate) type SetKey = usize;

/// What a set knows one of its requests by.
pub(crate) type Seat = usize;

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
            Self::Report(report) => report.is_failure(),
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

/// Requests whose news one reader takes all at once.
#[derive(Debug, Default)]
struct Set {
    waker: Option<Waker>,
    /// News of those that had their last.
    told: Vec<Told>,
    held_bytes: usize,
    /// How many of its requests have not had their last news.
    waiting: usize,
}

/// News of one request of a set.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) seat: Seat,
    pub(crate) news: News,
    pub(crate) last: Last,
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

    /// A set of requests to come.
    pub(crate) fn add_set(&mut self) -> SetKey {
        let free = self.sets.iter().position(Option::is_none);
        let key = free.unwrap_or(self.sets.len());
        match self.sets.get_mut(key) {
            Some(set) => *set = Some(Set::default()),
            None => self.sets.push(Some(Set::default())),
        }
        key
    }

    /// Forgets a set: whoever has it is not interested in its requests any more. Its waker, whose end must not happen
    /// under a lock.
    pub(crate) fn remove_set(&mut self, key: SetKey) -> Option<Waker> {
        let set = self.sets.get_mut(key)?.take()?;
        self.held_bytes -= set.held_bytes;
        if set.waiting > 0 {
            let all = (0..).zip(&self.slots);
            let its = all.filter(|(_, slot)| slot.is_of(key)).map(|(key, _)| key).collect::<Vec<_>>();
            for key in its {
                self.abandon(key);
            }
        }
        set.waker
    }

    fn set(&mut self, key: SetKey) -> Option<&mut Set> {
        self.sets.get_mut(key)?.as_mut()
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

    /// Gives a request of its own, of which nothing was read, to a set.
    pub(crate) fn join(&mut self, key: Key, set_key: SetKey, seat: Seat) {
        let Some(slot) = self.slots.get_mut(index(key)) else { return };
        let Some(Some(set)) = self.sets.get_mut(set_key) else { return };
        match &mut slot.reader {
            Reader::Waiting(bell) => {
                *bell = Bell::OfSet(set_key, seat);
                set.waiting += 1;
            }
            Reader::Told => {
                if let Some(last) = slot.news.pop_back() {
                    slot.tell_set(set, seat, last);
                }
                slot.reader = Reader::Gone;
                if slot.phase == Phase::Over {
                    self.release(key);
                }
            }
            Reader::Gone => {}
        }
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

    /// All news for a set, into `told`, which is empty; `former` as in [`Slots::poll`].
    pub(crate) fn collect(
        &mut self,
        key: SetKey,
        context: &Context<'_>,
        told: &mut Vec<Told>,
        former: &mut Option<Waker>,
    ) -> Poll<()> {
        let Some(Some(set)) = self.sets.get_mut(key) else { return Poll::Pending };
        if set.told.is_empty() {
            register(&mut set.waker, context, former);
            return Poll::Pending;
        }
        self.held_bytes -= mem::take(&mut set.held_bytes);
        mem::swap(told, &mut set.told);
        Poll::Ready(())
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

/// Whether a reader hears more, and if not, and its job failed, the handle of the job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Last {
    No,
    Yes(Option<Box<OwnedHandle>>),
}

impl Slot {
    fn last(&self, news: &News) -> Last {
        Last::Yes(if news.is_failure() { self.handle.map(Box::new) } else { None })
    }

    fn is_of(&self, set: SetKey) -> bool {
        matches!(&self.reader, Reader::Waiting(Bell::OfSet(key, _)) if *key == set)
    }

    /// Moves all news, and the last, to the set that the request belongs to.
    fn tell_set(&mut self, set: &mut Set, seat: Seat, news: News) {
        set.held_bytes += mem::take(&mut self.held_bytes);
        // Most have no other news than their last.
        if !self.news.is_empty() {
            set.told.extend(self.news.drain(..).map(|news| Told { seat, news, last: Last::No }));
        }
        let last = self.last(&news);
        set.told.push(Told { seat, news, last });
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
    use std::collections::HashSet;

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
        let keys: Vec<Key> = (0..5).map(|_| slots.insert(Want::Stream, limits(now), For::Itself)).collect();
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
        let key = slots.insert(Want::Stream, limits(now), For::Itself);
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
        let key = slots.insert(Want::Answer, limits, For::Itself);
        assert_eq!(slots.sweep(now, now, &mut wakers), Sweep::Unanswered);
        assert!(matches!(news(&mut slots, key), Some(News::TimedOut { .. })));
    }

    #[test]
    fn what_a_burst_left_is_not_looked_through_for_ever() {
        let now = Instant::now();
        let (mut slots, mut wakers) = (Slots::new(1000, 3000), Vec::new());
        let keys: Vec<Key> =
            (0..10_000).map(|_| slots.insert(Want::Answer, limits(now), For::Itself)).collect();
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
        let key = slots.insert(Want::Result, limits(now), For::Itself);
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
        let key = slots.insert(Want::Answer, limits(now), For::Itself);
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
        let key = slots.insert(Want::Stream, limits(Instant::now()), For::Itself);
        slots.created(key, OwnedHandle::default(), &mut wakers);
        for numerator in 0..100_000 {
            slots.report(key, Report::Status { numerator, denominator: 100_000 }, &mut wakers);
        }
        assert_eq!(news(&mut slots, key), Some(News::Overrun(Held::OfJob)));
        assert!(slots.slots[0].news.capacity() < 100_000);
    }

    /// Whatever session and readers do in whatever order: when both are through, nothing is left.
    #[test]
    #[expect(clippy::too_many_lines, reason = "one arm per step")]
    fn slots_are_free_when_session_and_reader_are_through() {
        let mut random = fastrand::Rng::with_seed(11);
        let now = Instant::now();
        for _ in 0..500 {
            let (mut slots, mut wakers) = (Slots::new(100, 1_000_000), Vec::new());
            // What session and readers still know of each key, and how many of a set have had their last news.
            let mut session: Vec<(Key, bool)> = Vec::new();
            let mut readers: Vec<Key> = Vec::new();
            let mut set = slots.add_set();
            let (mut seats, mut ended) = (0, HashSet::new());
            let mut told = Vec::new();
            for _ in 0..200 {
                match random.u8(..10) {
                    0 | 1 => {
                        let want = [Want::Answer, Want::Result, Want::Stream][random.usize(..3)];
                        let is_in_set = want != Want::Stream && random.bool();
                        let reader = if is_in_set { For::Set(set, seats) } else { For::Itself };
                        let key = slots.insert(want, limits(now), reader);
                        session.push((key, want != Want::Answer));
                        if is_in_set {
                            seats += 1;
                        } else {
                            readers.push(key);
                        }
                    }
                    8 => {
                        let context = Context::from_waker(Waker::noop());
                        told.clear();
                        let collected = slots.collect(set, &context, &mut told, &mut None);
                        assert_eq!(collected.is_ready(), !told.is_empty());
                        for Told { seat, last, .. } in &told {
                            assert!(!ended.contains(seat), "nothing follows the last");
                            if *last != Last::No {
                                ended.insert(*seat);
                            }
                        }
                    }
                    9 if random.u8(..8) == 0 => {
                        drop(slots.remove_set(set));
                        set = slots.add_set();
                        (seats, ended) = (0, HashSet::new());
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
            // Each of the set has its last news exactly once, unless it was told a time limit before.
            told.clear();
            let collected = slots.collect(set, &Context::from_waker(Waker::noop()), &mut told, &mut None);
            assert_eq!(collected.is_ready(), !told.is_empty());
            ended.extend(told.iter().filter(|told| told.last != Last::No).map(|told| told.seat));
            assert_eq!(ended.len(), seats);
            drop(slots.remove_set(set));
            assert_eq!((slots.len(), slots.waiting(), slots.abandoned(), slots.held_bytes), (0, 0, 0, 0));
        }
    }
}
