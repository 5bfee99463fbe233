//! Whether a job of a function may be started: pauses, caps, rates, and workers that get none.

use super::{Job, Oracle};
use crate::policy::Policy;
use geartrain_core::Moment;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Starts of a function that are remembered.
const STARTS_MAX: usize = 200;

/// Starts since the rate of a function was set.
#[derive(Debug, Default)]
pub(crate) struct Starts {
    rate: Option<(Duration, u32)>,
    times: VecDeque<Moment>,
}

/// What the rules say, by function; made when it is asked for, gone when a rule changes.
pub(crate) type Resolved = BTreeMap<Vec<u8>, Policy>;

impl Oracle {
    pub(crate) fn policy(&mut self, function: &[u8]) -> Policy {
        if let Some(policy) = self.resolved.get(function) {
            return policy.clone();
        }
        let policy = self.rules.resolve(function, self.job_retries);
        self.resolved.insert(function.to_vec(), policy.clone());
        policy
    }

    /// The rules have changed: a rate that is another one counts anew.
    pub(super) fn rules_changed(&mut self) {
        self.resolved.clear();
        let functions: Vec<Vec<u8>> = self.functions.iter().cloned().collect();
        for function in functions {
            let rate = self.policy(&function).rate;
            let starts = self.starts.entry(function).or_default();
            if starts.rate != rate {
                *starts = Starts { rate, times: VecDeque::new() };
            }
        }
    }

    pub(super) fn running(&self, function: &[u8]) -> usize {
        let runs = |job: &&Job| job.content.function == function && job.state.is_on_worker();
        self.jobs.values().filter(runs).count()
    }

    /// A job of this function is started now.
    pub(super) fn check_start(&mut self, function: &[u8], name: &str) {
        let policy = self.policy(function);
        assert!(!policy.paused, "job {name} is started though its function is paused");
        let running = self.running(function);
        assert!(
            policy.max_running.is_none_or(|max| running < max),
            "job {name} is started though {running} run, and max-running is {:?}",
            policy.max_running
        );
        let now = self.now.moment;
        let starts = self.starts.entry(function.to_vec()).or_default();
        starts.rate = policy.rate;
        assert!(
            allows(starts, now),
            "job {name} is started over the rate {:?} of its function, after starts at {:?}",
            policy.rate,
            starts.times
        );
        starts.times.push_back(now);
        if starts.times.len() > STARTS_MAX {
            starts.times.pop_front();
        }
        self.counts.limited_starts += u64::from(policy.rate.is_some() || policy.max_running.is_some());
    }

    /// Whether a job of the function would certainly be given to a worker that asks.
    pub(super) fn is_open(&mut self, function: &[u8]) -> bool {
        let policy = self.policy(function);
        if policy.paused
            || !self.may_be_read(function)
            || policy.max_running.is_some_and(|max| self.running(function) >= max)
        {
            return false;
        }
        // A rate that allows the next start is noticed by the timer.
        let fired = self.fired.moment;
        self.starts.get(function).is_none_or(|starts| {
            starts.rate != policy.rate
                || allows(starts, starts.times.back().copied().unwrap_or(fired).max(fired))
        })
    }
}

/// Whether in every window that ends now there is room for one start more: the burst, and one each interval.
fn allows(starts: &Starts, now: Moment) -> bool {
    let Some((interval, burst)) = starts.rate else { return true };
    let windows = (2..).zip(starts.times.iter().rev());
    let mut windows = windows.map(|(count, first): (u128, &Moment)| {
        let paid = now.since(*first).as_nanos() / interval.as_nanos().max(1);
        count <= u128::from(burst) + paid
    });
    burst >= 1 && windows.all(|is_within| is_within)
}
