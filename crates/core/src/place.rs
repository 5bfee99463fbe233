//! Places: putting a job into its line, or among those that wait for their time, and taking it out again.
//!
//! From: whoever made a job, got it back, or changes where it belongs. To: `job.rs` and the timers, which
//! must agree about every job. Never: decides where a job belongs.

use crate::core::Core;
use crate::ids::{Moment, UnixTime};
use crate::job::{Job, JobKey, NEVER, State};
use crate::outbox::Outbox;
use crate::persist::Outcome;
use crate::timers::{Alarm, Due};

impl Core {
    /// Puts a displaced job to its place: at the end of its line, or to wait until `until`, where that is
    /// in the future. Its wait counts from `since`.
    pub(crate) fn place(&mut self, key: JobKey, until: Option<UnixTime>, since: UnixTime) {
        let number = self.jobs.get(key).number();
        if let Some(until) = until.filter(|until| *until > self.now.unix) {
            self.jobs.delay(key, until);
            return self.timers.add(until, Due::Job(number));
        }
        let expires = self.expiry(key, since);
        self.jobs.set_since(key, since);
        self.jobs.enqueue(key, expires);
        if expires != NEVER {
            self.timers.add(expires, Due::Job(number));
        }
    }

    /// Lets a displaced job wait its pause, and puts it to the end of its line when that is over already. A pause
    /// is a span of time: it follows no clock that is set.
    pub(crate) fn pause(&mut self, key: JobKey, until: Moment) {
        if until <= self.now.moment {
            return self.place(key, None, self.now.unix);
        }
        self.jobs.pause(key, until);
        let until = Moment::from_millis(until.millis_ceil());
        self.timers.set_alarm(until, Alarm::Pause(self.jobs.get(key).number()));
    }

    /// Puts a new job to its place that a store had, this one or another. Its wait counts from `since` where no
    /// worker had it yet. When its last attempt ended is not stored: its wait counts anew then.
    pub(crate) fn place_stored(&mut self, key: JobKey, not_before: UnixTime, since: UnixTime) {
        let job = self.jobs.get(key);
        if job.attempts() == 0 {
            return self.place(key, Some(not_before), since);
        }
        // It is stored when its pause ends. However the clock was set since, it is no longer than it was.
        let backoff = self.functions.get(job.function()).policy.backoff;
        let pause = not_before.since(self.now.unix).min(backoff.pause(job.attempts(), 0.0));
        self.pause(key, self.now.moment.after(pause));
    }

    /// When a job expires that waits since then.
    pub(crate) fn expiry(&self, key: JobKey, since: UnixTime) -> UnixTime {
        self.expiry_of(self.jobs.get(key), since)
    }

    /// When a queued job expires, as its policy says now, whether the sweep has come to it or not.
    pub(crate) fn expires(&self, job: &Job) -> Option<UnixTime> {
        let is_queued = matches!(job.state(), State::Queued { .. });
        Some(self.expiry_of(job, job.waits_since())).filter(|expiry| is_queued && *expiry != NEVER)
    }

    fn expiry_of(&self, job: &Job, since: UnixTime) -> UnixTime {
        match self.functions.get(job.function()).policy.expires {
            Some(expires) => {
                let millis = i64::try_from(expires.as_millis()).unwrap_or(i64::MAX);
                UnixTime::from_millis(since.millis().saturating_add(millis))
            }
            None => NEVER,
        }
    }

    /// Gives a queued job the end of its wait that its policy says now; `true` when it has come.
    ///
    /// Whoever lets a job expire asks here: a policy is in force though its sweep has not come to the job.
    pub(crate) fn follow_expiry(&mut self, key: JobKey) -> bool {
        let job = self.jobs.get(key);
        let State::Queued { expires: before, .. } = *job.state() else { return false };
        let (number, since) = (job.number(), job.waits_since());
        let expires = self.expiry(key, since);
        if expires != before {
            self.timers.remove(before, Due::Job(number));
            self.jobs.set_expires(key, expires);
            if expires != NEVER {
                self.timers.add(expires, Due::Job(number));
            }
        }
        expires <= self.now.unix
    }

    /// Takes a job from its place: off its worker's list, off the timers, out of its line.
    pub(crate) fn displace(&mut self, key: JobKey) {
        let job = self.jobs.get(key);
        match job.state() {
            State::Delayed { until, .. } => self.timers.remove(*until, Due::Job(job.number())),
            State::Paused { until_ms, .. } => {
                self.timers.remove_alarm(Moment::from_millis(*until_ms), Alarm::Pause(job.number()));
            }
            State::Queued { expires, .. } => self.timers.remove(*expires, Due::Job(job.number())),
            State::Running(_) => self.detach(key),
        }
        self.jobs.displace(key);
    }

    /// Takes a running job off its worker's list and its time limit off the timers.
    fn detach(&mut self, key: JobKey) {
        let job = self.jobs.get(key);
        let Some(running) = job.running() else { return };
        let (worker, index, deadline) = (running.worker, running.index as usize, running.deadline);
        if let Some(deadline) = deadline {
            self.timers.remove_alarm(deadline, Alarm::Deadline(job.number()));
        }
        let Some(peer) = self.conns.get_mut(worker) else { return };
        if index < peer.running.len() {
            peer.running.swap_remove(index);
            if let Some(moved) = peer.running.get(index).copied() {
                self.jobs.set_worker_index(moved, u32::try_from(index).unwrap_or(u32::MAX));
            }
        }
    }

    /// The time has come that a waiting job has a timer for.
    pub(crate) fn job_is_due(&mut self, number: u64, out: &mut dyn Outbox) {
        let key = self.jobs.find(number).expect("a job with a timer lives");
        match self.jobs.get(key).state() {
            State::Delayed { until, .. } => {
                let since = *until;
                self.jobs.displace(key);
                self.place(key, None, since);
                self.wake(self.jobs.get(key).function(), out);
            }
            State::Queued { .. } => {
                if self.follow_expiry(key) {
                    self.die(key, Outcome::Expired, b"", out);
                }
            }
            State::Paused { .. } | State::Running(_) => unreachable!("it has no timer of the calendar"),
        }
    }

    /// The pause of a job before its next attempt is over.
    pub(crate) fn pause_is_over(&mut self, number: u64, out: &mut dyn Outbox) {
        let key = self.jobs.find(number).expect("a job with a timer lives");
        self.jobs.displace(key);
        self.place(key, None, self.now.unix);
        self.wake(self.jobs.get(key).function(), out);
    }
}
