//! What waits for time: jobs for their second, jobs on workers for their limit, wake-ups for their grab.
//!
//! From: `submit`, `grab`, `sleep`; the driver, when the time has come. To: a queued job and a woken
//! worker. Never: reads a clock.

use crate::conn::{Sleep, WakeLimit};
use crate::core::Core;
use crate::event::GivenBack;
use crate::ids::{Moment, Now, UnixTime};
use crate::outbox::Outbox;
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

/// Everything that waits for time.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    /// Jobs that wait for a second of Unix time, by it and their number.
    delayed: BTreeSet<(i64, u64)>,
    /// Jobs with a time limit on a worker, by its end and their number.
    deadlines: BTreeSet<(Moment, u64)>,
    /// Workers that were woken, in that order, which is also the order of their limits.
    wake_limits: VecDeque<WakeLimit>,
}

/// The second, where it is in the future.
pub(crate) fn future_second(second: i64, now: Now) -> Option<i64> {
    (UnixTime::from_seconds(second) > now.unix).then_some(second)
}

impl Timers {
    pub(crate) fn add_delayed(&mut self, second: i64, number: u64) {
        self.delayed.insert((second, number));
    }

    pub(crate) fn remove_delayed(&mut self, second: i64, number: u64) {
        self.delayed.remove(&(second, number));
    }

    pub(crate) fn add_deadline(&mut self, at: Moment, number: u64) {
        self.deadlines.insert((at, number));
    }

    pub(crate) fn remove_deadline(&mut self, at: Moment, number: u64) {
        self.deadlines.remove(&(at, number));
    }

    pub(crate) fn add_wake_limit(&mut self, limit: WakeLimit) {
        self.wake_limits.push_back(limit);
    }

    pub(crate) fn waits_for_calendar(&self) -> bool {
        !self.delayed.is_empty()
    }

    pub(crate) fn delayed_len(&self) -> usize {
        self.delayed.len()
    }

    pub(crate) fn deadlines_len(&self) -> usize {
        self.deadlines.len()
    }

    pub(crate) fn is_delayed(&self, second: i64, number: u64) -> bool {
        self.delayed.contains(&(second, number))
    }

    pub(crate) fn has_deadline(&self, at: Moment, number: u64) -> bool {
        self.deadlines.contains(&(at, number))
    }

    pub(crate) fn next(&self, now: Now) -> Option<Moment> {
        let due = self.delayed.first().map(|(second, _)| {
            let millis = UnixTime::from_seconds(*second).millis().saturating_sub(now.unix.millis());
            now.moment.after(Duration::from_millis(u64::try_from(millis).unwrap_or(0)))
        });
        let deadline = self.deadlines.first().map(|(at, _)| *at);
        let wake = self.wake_limits.front().map(|limit| limit.at);
        [due, deadline, wake].into_iter().flatten().min()
    }

    fn pop_due(&mut self, now: Now) -> Option<u64> {
        let (second, _) = *self.delayed.first()?;
        if future_second(second, now).is_some() {
            return None;
        }
        self.delayed.pop_first().map(|(_, number)| number)
    }

    fn pop_deadline(&mut self, now: Now) -> Option<u64> {
        let (at, _) = *self.deadlines.first()?;
        if at > now.moment {
            return None;
        }
        self.deadlines.pop_first().map(|(_, number)| number)
    }
}

impl Core {
    /// Does all that is due.
    pub(crate) fn expire(&mut self, now: Now, out: &mut dyn Outbox) {
        while let Some(number) = self.timers.pop_due(now) {
            let key = self.jobs.find(number).expect("a job among the delayed lives");
            self.jobs.make_due(key);
            self.wake(now, self.jobs.get(key).function(), out);
        }
        while let Some(number) = self.timers.pop_deadline(now) {
            let key = self.jobs.find(number).expect("a job with a deadline lives");
            self.give_back(now, key, GivenBack::TimedOut, out);
        }
        // Limits that are set here lie in the future, so the loop ends.
        while let Some(limit) = self.timers.wake_limits.pop_front_if(|limit| limit.at <= now.moment) {
            if self.is_unanswered(limit) {
                let sleep = self.conns.get(limit.conn).map_or(Sleep::Awake, |peer| peer.sleep);
                self.wake_instead_of(now, sleep, out);
            }
        }
        self.drop_answered_wakes();
    }

    /// Whether a worker has not grabbed since it was woken.
    fn is_unanswered(&self, limit: WakeLimit) -> bool {
        let Some(peer) = self.conns.get(limit.conn) else { return false };
        matches!(peer.sleep, Sleep::Woken { serial, .. } if serial == limit.serial)
    }

    /// Forgets the wake-ups at the front that were answered, so that an idle queue asks for no call.
    pub(crate) fn drop_answered_wakes(&mut self) {
        while let Some(limit) = self.timers.wake_limits.front().copied() {
            if self.is_unanswered(limit) {
                break;
            }
            self.timers.wake_limits.pop_front();
        }
    }
}
