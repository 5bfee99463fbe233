//! Policies: how the jobs of a function are treated, where that differs from the reference.
//!
//! From: flags for the defaults, rules of the configuration file and of `policy set`; see `rules.rs`.
//! To: every place that decides about a job; a function holds its resolved [`Policy`].
//! Never: changes anything by default: a [`Policy::default`] is the reference's behaviour.

use crate::persist::{Outcome, Shelf};
use std::time::Duration;

/// How the jobs of a function are treated.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Attempts after which a job is given up; 0 is no limit. Key `attempts`, default `--job-retries`.
    pub attempts: u32,
    /// Which ends of an attempt lead to another one. Key `retry-on`, default `disconnect,timeout`.
    pub retry_on: RetryOn,
    /// How many workers a job may lose, by their disconnecting, before it is put aside whatever its attempts
    /// say; 0 is no limit. Key `lost-workers`; default 3 where a rule sets `attempts`, `retry-on` or one of
    /// `backoff-*`, else 0.
    pub lost_workers: u32,
    /// How long a job waits before its next attempt.
    pub backoff: Backoff,
    /// How long a job may be on a worker, where the worker gave no limit of its own. Key `timeout`, default none.
    pub timeout: Option<Duration>,
    /// Whether `WORK_STATUS` and `WORK_DATA` give the job its whole time again. Key `timeout-extends`, default
    /// false.
    pub timeout_extends: bool,
    /// How long a job may wait, from its submit or its epoch on. Key `expires`, default none.
    pub expires: Option<Duration>,
    /// Most jobs on workers at once. Key `max-running`, default none.
    pub max_running: Option<u32>,
    /// How often a job is started. Keys `rate` and `rate-burst`, default none.
    pub rate: Option<Rate>,
    /// Most waiting jobs of high, normal and low priority. Keys `max-waiting-*`, default none.
    pub max_waiting: [Option<u32>; 3],
    /// What a submit changes that joins a waiting job. Key `on-duplicate`, default `keep`.
    pub on_duplicate: OnDuplicate,
    /// How long dead letters are kept. Keys `dead-*`.
    pub dead: Keep,
    /// How long finished jobs are kept. Keys `finished-*`; by default none is.
    pub finished: Keep,
    /// Whether no job is started. Key `paused`, default false.
    pub paused: bool,
    /// Whether no job is accepted. Key `draining`, default false.
    pub draining: bool,
}

/// Which ends of an attempt lead to another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a set of four words")]
pub struct RetryOn {
    /// The worker's connection ended, or it gave the function up.
    pub disconnect: bool,
    /// It took longer than it may.
    pub timeout: bool,
    /// `WORK_FAIL`.
    pub fail: bool,
    /// `WORK_EXCEPTION`.
    pub exception: bool,
}

impl RetryOn {
    /// Whether an attempt that ended like this leads to another one.
    #[must_use]
    pub const fn covers(self, how: Outcome) -> bool {
        match how {
            Outcome::Disconnected | Outcome::Unable => self.disconnect,
            Outcome::TimedOut => self.timeout,
            Outcome::Failed => self.fail,
            Outcome::Exception => self.exception,
            Outcome::Completed | Outcome::LostWorkers | Outcome::Expired | Outcome::Unreadable => false,
        }
    }
}

/// The pause before the next attempt: `first`, then `factor` times more at each attempt, up to `max`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    /// Pause after the first attempt. Key `backoff-first`, default none.
    pub first: Duration,
    /// Range 1 to 1000. Key `backoff-factor`, default 2.
    pub factor: f64,
    /// Longest pause. Key `backoff-max`, default 1 hour.
    pub max: Duration,
    /// Which part of the pause is left to chance: 0 to 1. Key `backoff-jitter`, default 0.
    pub jitter: f64,
}

impl Backoff {
    /// The pause after this many attempts; `chance` is from 0 to 1.
    #[must_use]
    pub fn pause(&self, attempts: u32, chance: f64) -> Duration {
        if self.first.is_zero() {
            // Nothing grows out of nothing; a factor that has grown beyond all numbers would say otherwise.
            return Duration::ZERO;
        }
        let exponent = i32::try_from(attempts.saturating_sub(1)).unwrap_or(i32::MAX);
        let max = self.max.as_secs_f64();
        let whole = (self.first.as_secs_f64() * self.factor.powi(exponent)).min(max);
        Duration::try_from_secs_f64(whole * (1.0 - self.jitter * chance)).unwrap_or(self.max)
    }
}

/// How often a job is started: one every `interval`, and up to `burst` at once after a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Time between two starts; not zero.
    pub interval: Duration,
    /// 1 and up.
    pub burst: u32,
}

/// What a submit changes that joins a waiting job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnDuplicate {
    /// Nothing, as in the reference.
    #[default]
    Keep,
    /// The job gets the priority of the last submit.
    Last,
    /// The job gets the highest priority of all its submits.
    Highest,
}

/// How long jobs are kept on a shelf; whatever is reached first counts, and the oldest go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Longest time; `None` is for ever.
    pub age: Option<Duration>,
    /// Most jobs of one function.
    pub count: u64,
    /// Most bytes of the jobs of one function.
    pub bytes: u64,
}

impl Policy {
    /// How long jobs are kept on a shelf.
    #[must_use]
    pub const fn keep(&self, shelf: Shelf) -> Keep {
        match shelf {
            Shelf::Dead => self.dead,
            Shelf::Finished => self.finished,
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            attempts: 0,
            retry_on: RetryOn { disconnect: true, timeout: true, fail: false, exception: false },
            lost_workers: 0,
            backoff: Backoff {
                first: Duration::ZERO,
                factor: 2.0,
                max: Duration::from_secs(3600),
                jitter: 0.0,
            },
            timeout: None,
            timeout_extends: false,
            expires: None,
            max_running: None,
            rate: None,
            max_waiting: [None; 3],
            on_duplicate: OnDuplicate::Keep,
            dead: Keep { age: None, count: 1_000_000, bytes: 4 << 30 },
            finished: Keep { age: None, count: 0, bytes: 1 << 30 },
            paused: false,
            draining: false,
        }
    }
}
