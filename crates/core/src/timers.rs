//! What waits for time: jobs for their second, their next attempt or their expiry, letters for the end of
//! their keeping, jobs on workers for their limit, gates for their rate, wake-ups for their grab.
//!
//! From: whoever sets a time; the driver, when it has come. To: the file that owns what is due.
//! Never: reads a clock; does more at once than [`DUE_MAX`], so that a million jobs that are due in one
//! second hold up nobody.

mod dues;

use crate::conn::{Sleep, WakeLimit};
use crate::core::Core;
use crate::function::FunctionKey;
use crate::ids::{Moment, Now, UnixTime};
use crate::outbox::Outbox;
use crate::persist::{Outcome, Shelf};
use crate::schedule::ScheduleKey;
use dues::Dues;
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

/// How much of what is due is done in one call.
pub(crate) const DUE_MAX: usize = 2048;

/// What waits for a time of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    /// A delayed job becomes ready; a queued one expires.
    Job(u64),
    /// A letter was kept long enough.
    Letter(Shelf, u64),
    /// A schedule runs.
    Schedule(ScheduleKey),
}

/// What waits for a moment: spans of time, which a clock that is set neither shortens nor prolongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Alarm {
    /// A job was on its worker for as long as it may.
    Deadline(u64),
    /// The pause of a job before its next attempt is over.
    Pause(u64),
    /// Dead letters are requeued at a rate.
    Campaign(u64),
    /// The rate of a function allows a start again.
    Gate(FunctionKey),
    /// Workloads of a function are read again, after the store could not be read.
    Reads(FunctionKey),
    /// A worker that failed too many jobs gets some again.
    Suspension(u64),
}

/// Everything that waits for time.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    calendar: Dues,
    alarms: BTreeSet<(Moment, Alarm)>,
    /// Workers that were woken, in that order, which is also the order of their limits.
    wake_limits: VecDeque<WakeLimit>,
}

/// The second as a time, where it is in the future.
pub(crate) fn future_second(second: i64, now: Now) -> Option<UnixTime> {
    Some(UnixTime::from_seconds(second)).filter(|time| *time > now.unix)
}

impl Timers {
    pub(crate) fn add(&mut self, at: UnixTime, due: Due) {
        self.calendar.add(at, due);
    }

    pub(crate) fn remove(&mut self, at: UnixTime, due: Due) {
        self.calendar.remove(at, due);
    }

    pub(crate) fn set_alarm(&mut self, at: Moment, alarm: Alarm) {
        self.alarms.insert((at, alarm));
    }

    pub(crate) fn remove_alarm(&mut self, at: Moment, alarm: Alarm) {
        self.alarms.remove(&(at, alarm));
    }

    pub(crate) fn add_wake_limit(&mut self, limit: WakeLimit) {
        self.wake_limits.push_back(limit);
    }

    pub(crate) fn waits_for_calendar(&self) -> bool {
        !self.calendar.is_empty()
    }

    pub(crate) fn calendar(&self) -> &Dues {
        &self.calendar
    }

    pub(crate) fn alarms(&self) -> &BTreeSet<(Moment, Alarm)> {
        &self.alarms
    }

    pub(crate) fn next(&self, now: Now) -> Option<Moment> {
        let due = self.calendar.first().map(|(at, _)| {
            let millis = at.millis().saturating_sub(now.unix.millis());
            now.moment.after(Duration::from_millis(u64::try_from(millis).unwrap_or(0)))
        });
        let alarm = self.alarms.first().map(|(at, _)| *at);
        let wake = self.wake_limits.front().map(|limit| limit.at);
        [due, alarm, wake].into_iter().flatten().min()
    }

    fn pop_due(&mut self, now: Now) -> Option<(UnixTime, Due)> {
        self.calendar.first().filter(|(at, _)| *at <= now.unix)?;
        self.calendar.pop_first()
    }

    fn pop_alarm(&mut self, now: Now) -> Option<(Moment, Alarm)> {
        self.alarms.first().filter(|(at, _)| *at <= now.moment)?;
        self.alarms.pop_first()
    }
}

impl Core {
    /// Does what is due; what is over [`DUE_MAX`] waits for the next call, which is due at once.
    pub(crate) fn expire(&mut self, out: &mut dyn Outbox) {
        self.schedules_follow_clock(out);
        for _ in 0..DUE_MAX {
            let Some((_, due)) = self.timers.pop_due(self.now) else { break };
            match due {
                Due::Job(number) => self.job_is_due(number, out),
                Due::Letter(shelf, number) => self.letter_is_old(shelf, number, out),
                Due::Schedule(key) => self.schedule_is_due(key, out),
            }
        }
        for _ in 0..DUE_MAX {
            let Some((at, alarm)) = self.timers.pop_alarm(self.now) else { break };
            match alarm {
                Alarm::Deadline(number) => {
                    let key = self.jobs.find(number).expect("a job with a deadline lives");
                    self.attempt_failed(key, Outcome::TimedOut, b"", out);
                }
                Alarm::Pause(number) => self.pause_is_over(number, out),
                Alarm::Campaign(number) => self.advance_campaign(number, out),
                Alarm::Gate(function) => self.rate_opens(function, at, out),
                Alarm::Reads(function) => self.read_again(function, at, out),
                Alarm::Suspension(serial) => self.end_suspension(serial, out),
            }
        }
        // Limits that are set here lie in the future, so the loop ends.
        let now = self.now.moment;
        while let Some(limit) = self.timers.wake_limits.pop_front_if(|limit| limit.at <= now) {
            if self.is_unanswered(limit) {
                let sleep = self.conns.get(limit.conn).map_or(Sleep::Awake, |peer| peer.sleep);
                self.wake_instead_of(sleep, out);
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
