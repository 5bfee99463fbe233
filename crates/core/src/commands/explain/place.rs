//! Where a job stands in its line, and when it will probably start.

use super::words::span;
use super::{Blockers, finding};
use crate::core::Core;
use crate::function::FunctionKey;
use crate::job::{Job, JobKey};
use geartrain_proto::Priority;
use geartrain_proto::command::Finding;
use std::time::Duration;

/// How many jobs are walked past, each way, to find the place of one: some milliseconds.
const WALKED_MAX: u64 = 50_000;

/// Of the last minute, no time is so short that one job in it means a pace.
const PACE_TIME_MIN: Duration = Duration::from_secs(1);

/// Jobs that are served before one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Of higher priority.
    higher: u64,
    /// Of the same.
    before: u64,
    /// Whether `before` is all of them, or there are more.
    is_exact: bool,
}

impl Place {
    /// Jobs before it, where that is known.
    pub(super) fn exactly(self) -> Option<u64> {
        self.is_exact.then_some(self.higher + self.before)
    }
}

impl Core {
    /// The place of a queued job.
    ///
    /// It is found from the nearer end of the queue; in the middle of a long one it is only known to be at
    /// least as far behind as was walked.
    pub(super) fn place_of(&self, key: JobKey) -> Place {
        let job = self.jobs.get(key);
        let line = self.jobs.line(job.function());
        let higher = Priority::ALL.into_iter().filter(|priority| *priority < job.priority());
        let higher = higher.map(|priority| u64::from(line.queue(priority).len)).sum();
        let (mut back, mut forth) = (key, key);
        for walked in 0..WALKED_MAX {
            match self.jobs.neighbours(back) {
                (_, Some(previous)) => back = previous,
                (_, None) => return Place { higher, before: walked, is_exact: true },
            }
            match self.jobs.neighbours(forth) {
                (Some(next), _) => forth = next,
                (None, _) => {
                    let before = u64::from(line.queue(job.priority()).len).saturating_sub(walked + 1);
                    return Place { higher, before, is_exact: true };
                }
            }
        }
        Place { higher, before: WALKED_MAX, is_exact: false }
    }

    /// `can_start`: whether a job of its function may start without somebody doing something first.
    pub(super) fn explain_place(&self, job: &Job, place: Place, can_start: bool) -> Finding {
        let all = place.higher + place.before;
        let is_next = all == 0 && can_start;
        let mut text = match (all, place.is_exact) {
            (0, _) if !is_next => "no job of its function is before it".to_owned(),
            (0, _) => "it is the next of its function".to_owned(),
            (all, is_exact) => {
                let at_least = if is_exact { "" } else { "at least " };
                let are = if all == 1 { "job is" } else { "jobs are" };
                format!(
                    "{at_least}{all} {are} served before it, {} of them for their higher priority",
                    place.higher
                )
            }
        };
        if let Some(expires) = self.expires(job) {
            text.push_str(&format!("; it expires in {}", span(expires.since(self.now.unix))));
        }
        finding(if is_next { "next" } else { "queue" }, text)
    }

    /// Jobs of the function that ended in the last minute.
    pub(super) fn served_per_minute(&self, function: FunctionKey) -> u64 {
        let (served, time) = self.functions.get(function).served.recent(self.now.moment);
        if time <= Duration::from_secs(60) {
            return served;
        }
        let millis = u128::from(served) * 60_000 / time.as_millis();
        u64::try_from(millis).unwrap_or(u64::MAX)
    }

    /// How long this many jobs take, at the pace of the last minute; `None` when nothing ended in it.
    pub(super) fn time_to_serve(&self, function: FunctionKey, jobs: u64) -> Option<Duration> {
        let (served, time) = self.functions.get(function).served.recent(self.now.moment);
        let millis =
            (u128::from(jobs) * time.max(PACE_TIME_MIN).as_millis()).checked_div(u128::from(served))?;
        Some(Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX)))
    }

    /// Milliseconds until a queued job will probably start.
    pub(super) fn starts_in(&self, job: &Job, place: Place, blockers: &Blockers) -> Option<u64> {
        let ahead = place.exactly()?;
        self.time_to_start(job.function(), ahead, blockers).map(millis)
    }

    /// How long until a job starts that has so many before it; `None` when none can, or nothing tells.
    pub(super) fn time_to_start(
        &self,
        function: FunctionKey,
        ahead: u64,
        blockers: &Blockers,
    ) -> Option<Duration> {
        if blockers.lasting {
            return None;
        }
        let by_rate = self.rate_allows_in(function, ahead);
        // Workers that are free wait for the rate: what they did in the last minute says nothing more.
        if blockers.are_only("rate") && self.jobs.line(function).running() == 0 {
            return by_rate;
        }
        self.time_to_serve(function, ahead + 1).max(by_rate)
    }

    /// Milliseconds until a delayed job will probably start.
    pub(super) fn starts_after_delay(&self, job: &Job, wait: Duration, blockers: &Blockers) -> Option<u64> {
        if blockers.lasting {
            return None;
        }
        let line = self.jobs.line(job.function());
        let sooner = Priority::ALL.into_iter().filter(|priority| *priority <= job.priority());
        let queued: u64 = sooner.map(|priority| u64::from(line.queue(priority).len)).sum();
        let by_queue =
            queued.checked_sub(1).and_then(|ahead| self.time_to_start(job.function(), ahead, blockers));
        let by_rate = self.rate_allows_in(job.function(), queued);
        Some(millis(by_queue.max(by_rate).unwrap_or_default().max(wait)))
    }

    /// When the rate allows a job to start that has so many before it; `None` without a rate.
    pub(super) fn rate_allows_in(&self, function: FunctionKey, ahead: u64) -> Option<Duration> {
        let gate = self.jobs.line(function).gate;
        let rate = gate.rate?;
        let ahead = u32::try_from(ahead).unwrap_or(u32::MAX);
        Some(match gate.rate_opens {
            Some(opens) => opens.since(self.now.moment).saturating_add(rate.interval.saturating_mul(ahead)),
            None => {
                // What is left of the burst starts at once.
                let owed = gate.rate_spent.since(self.now.moment);
                let burst = rate.interval.saturating_mul(rate.burst.saturating_sub(1));
                owed.saturating_add(rate.interval.saturating_mul(ahead)).saturating_sub(burst)
            }
        })
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
