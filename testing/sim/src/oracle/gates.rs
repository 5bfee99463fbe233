//! Whether a job of a function may be started: pauses, caps, rates, and workers that get none.

use super::{Job, Oracle};
use crate::policy::{Policy, Rules, is_about};
use geartrain_core::Moment;
use std::collections::VecDeque;
use std::time::Duration;

/// Starts of a function that are remembered.
const STARTS_MAX: usize = 200;

/// Starts since the rate of a function was set.
#[derive(Debug, Default)]
pub(crate) struct Starts {
    rate: Option<(Duration, u32)>,
    times: VecDeque<Moment>,
}

impl Oracle {
    /// What is in force for the jobs of a function.
    pub(crate) fn policy(&mut self, function: &[u8]) -> Policy {
        match self.in_force.get(function) {
            Some(policy) => policy.clone(),
            None => self.policy_of_rules(function),
        }
    }

    /// What the rules say, which counts for letters at once.
    pub(super) fn policy_of_rules(&self, function: &[u8]) -> Policy {
        self.rules.resolve(function, self.job_retries)
    }

    /// Changes the rules: each function there is keeps its policy until it is said to have another one.
    pub(super) fn change_rules(&mut self, change: impl FnOnce(&mut Rules)) {
        self.counts.policies += 1;
        self.counts.policies_between += u64::from(!self.behind.is_empty());
        for function in &self.functions {
            let policy = || self.rules.resolve(function, self.job_retries);
            self.in_force.entry(function.clone()).or_insert_with(policy);
        }
        self.in_force.retain(|function, _| self.functions.contains(function));
        change(&mut self.rules);
        self.rule_changes += 1;
        for (function, policy) in &self.in_force {
            if self.rules.resolve(function, self.job_retries) == *policy {
                self.behind.remove(function);
            } else {
                self.behind.entry(function.clone()).or_insert(self.rule_changes);
            }
        }
    }

    /// The policy of a function is what the rules say: a rate that is another one counts anew.
    pub(super) fn policy_changed(&mut self, function: &[u8]) {
        let policy = self.policy_of_rules(function);
        let starts = self.starts.entry(function.to_vec()).or_default();
        if starts.rate != policy.rate {
            *starts = Starts { rate: policy.rate, times: VecDeque::new() };
        }
        self.behind.remove(function);
        self.in_force.insert(function.to_vec(), policy);
    }

    /// A change of a rule was answered: no function that it is about has a policy from before it.
    pub(super) fn check_in_force(&self, pattern: &[u8], change: u64) {
        let is_behind = |(name, since): &(&Vec<u8>, &u64)| **since <= change && is_about(pattern, name);
        let behind = self.behind.iter().find(is_behind).map(|(name, _)| name.escape_ascii().to_string());
        assert_eq!(behind, None, "I17: change {change} of the rules is answered and not in force");
    }

    /// A function is gone.
    pub(super) fn function_dropped(&mut self, function: &[u8]) {
        self.starts.remove(function);
        self.in_force.remove(function);
        self.behind.remove(function);
        self.away.forget(function);
        let left = self.jobs.values().any(|job| job.content.function == function);
        assert!(!left, "jobs of a dropped function are left");
        self.functions.remove(function);
        self.need_not_list(&function.escape_ascii().to_string());
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
