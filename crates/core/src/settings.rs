//! How a queue is told to behave.

use crate::chores::PORTION;
use crate::policy::Policy;
use crate::rules::{self, FileRule, PolicyError, Rules};
use geartrain_proto::command::ScheduleAdd;
use geartrain_proto::limits::{BODY_BYTES_MAX_DEFAULT, HANDLE_BYTES_MAX};
use std::time::Duration;
use thiserror::Error;

/// In which order the functions of a worker are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FunctionOrder {
    /// As gearmand 1.1.20: the last registered first, each drained over its priorities before the next.
    #[default]
    LastRegistered,
    /// As gearmand 1.1.20 with `--round-robin`: a function that was served goes to the end.
    RoundRobin,
    /// As gearmand 2.0: the highest priority first over all functions, which take turns.
    Priority,
}

/// How many sleeping workers are woken for one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wakeup {
    /// One, and the next if it does not grab within this time.
    OneThenNext(Duration),
    /// All that are able: the reference's default, `--worker-wakeup 0`.
    All,
    /// Up to this many: `--worker-wakeup N`.
    Count(u32),
}

impl Default for Wakeup {
    fn default() -> Self {
        Wakeup::OneThenNext(Duration::from_millis(100))
    }
}

/// Whether background jobs are handed to a store before they are acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// They live in memory only (`--queue-type builtin`), and are acknowledged at once.
    #[default]
    Memory,
    /// `JOB_CREATED` waits for [`crate::Core::handle_committed`].
    Stored,
}

/// Bounds on what peers can make the queue keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Functions known at once, however they came to be. Default 1,000,000.
    pub functions_max: usize,
    /// Functions one worker may be able to do. Default 100,000.
    pub abilities_max: usize,
    /// Foreground submits that may wait for one job. Default 100,000.
    pub waiters_max: usize,
    /// Jobs that wait or run, all functions together. Default 4,000,000,000.
    pub jobs_max: usize,
    /// Bytes of the answer to a text command; a longer list is refused with `ERR`. Default 1 GiB.
    pub list_bytes_max: usize,
    /// Schedules that `schedule add` makes, and as many of the configuration file. Default 100,000.
    pub schedules_max: usize,
    /// Dead letters, and as many finished jobs that are kept, all functions together: the oldest make room.
    /// Default 2,000,000, so that one function at its default limit leaves room. Flag `--dead-letters-max`.
    pub letters_max: usize,
    /// Bytes of these, as they are counted by the policy `dead-bytes`. Default 16 GiB. Flag
    /// `--dead-letters-bytes-max`.
    pub letters_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            functions_max: 1_000_000,
            abilities_max: 100_000,
            waiters_max: 100_000,
            jobs_max: 4_000_000_000,
            list_bytes_max: 1 << 30,
            schedules_max: 100_000,
            letters_max: 2_000_000,
            letters_bytes_max: 16 << 30,
        }
    }
}

/// How a queue is told to behave; see the field docs for flags and defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What handles begin with, before a colon and the job's number. Flag `--job-handle-prefix`.
    pub handle_prefix: String,
    /// Attempts after which a job that loses its workers is given up; 0 is no limit. Flag `--job-retries`.
    pub job_retries: u32,
    /// Flag `--worker-wakeup`.
    pub wakeup: Wakeup,
    /// Flags `--function-order` and `--round-robin`.
    pub function_order: FunctionOrder,
    /// Whether every connection gets `WORK_EXCEPTION` without asking for it. Flag `--exceptions`.
    pub exceptions: bool,
    /// Whether there is a store.
    pub durability: Durability,
    /// The first number that was never given out; 1 for a new queue.
    pub next_number: u64,
    /// Answer to the text command `version`, without `OK `.
    pub version: String,
    /// Answer to the text command `verbose`, without `OK `.
    pub verbose: String,
    /// Answer to the text command `getpid`.
    pub pid: u32,
    /// What a new queue is known by in exports; an old one has its own. Any value, another for each queue.
    pub queue_id: u64,
    /// Seed of the hash of uniques, so that peers cannot make them collide. Any value.
    pub hash_seed: u64,
    /// Jobs in a row that a worker fails and others complete, after which it gets none for a while; 0 is never.
    /// Flag `--bad-worker-after`.
    pub bad_worker_after: u32,
    /// How long it gets none. Flag `--bad-worker-pause`.
    pub bad_worker_pause: Duration,
    /// Bytes of waiting jobs in memory, over which the workloads that the store has leave it; 0 is no limit.
    /// Flag `--queue-memory`.
    pub queue_memory_bytes: u64,
    /// Largest workload that an import may bring, in bytes. Default 64 MiB. Flag `--body-bytes-max`.
    pub workload_bytes_max: u32,
    /// Policies of functions, the later before the earlier where two patterns are equal. Tables
    /// `[function."PATTERN"]` of the configuration file.
    pub rules: Vec<FileRule>,
    /// The zone in which `SUBMIT_JOB_SCHED`, and schedules without one of their own, are meant. Flag
    /// `--time-zone`.
    pub time_zone: String,
    /// Schedules of the configuration file; each was checked with [`crate::check_schedule`].
    pub schedules: Vec<ScheduleAdd>,
    /// Bounds on what peers can make the queue keep.
    pub limits: Limits,
    /// Entries that a portion of work on very many of them looks at: 1 and up, default 2048. For tests, which
    /// have fewer entries.
    #[doc(hidden)]
    pub portion: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            handle_prefix: "H:localhost".to_owned(),
            job_retries: 0,
            wakeup: Wakeup::default(),
            function_order: FunctionOrder::default(),
            exceptions: false,
            durability: Durability::default(),
            next_number: 1,
            version: "1.1.20".to_owned(),
            verbose: "ERROR".to_owned(),
            pid: 0,
            queue_id: 0,
            hash_seed: 0,
            bad_worker_after: 0,
            bad_worker_pause: Duration::from_secs(60),
            queue_memory_bytes: 1 << 30,
            workload_bytes_max: BODY_BYTES_MAX_DEFAULT,
            rules: Vec::new(),
            time_zone: "UTC".to_owned(),
            schedules: Vec::new(),
            limits: Limits::default(),
            portion: PORTION,
        }
    }
}

impl Settings {
    /// These rules of a configuration file, on top of the defaults that flags give.
    pub(crate) fn rules(&self, file: &[FileRule]) -> Result<Rules, SettingsError> {
        let defaults = Policy { attempts: self.job_retries, ..Policy::default() };
        Rules::with_file(defaults, file).map_err(|(index, error)| {
            let pattern = file.get(index).map(|rule| rules::shown(&rule.pattern)).unwrap_or_default();
            SettingsError::Policy { pattern, error }
        })
    }
}

/// Longest [`Settings::handle_prefix`], in bytes: a colon and a number of 20 digits fit behind it.
pub const HANDLE_PREFIX_BYTES_MAX: usize = HANDLE_BYTES_MAX - 21;

/// Why settings cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The prefix leaves no room for the number.
    #[error("job handle prefix of {len} bytes is over the limit of {max} bytes")]
    PrefixTooLong {
        /// Its length, in bytes.
        len: usize,
        /// The limit, in bytes.
        max: usize,
    },
    /// The prefix has a byte that the text protocol cannot carry.
    #[error("job handle prefix {0:?} has a space or a control character")]
    PrefixNotPrintable(String),
    /// A policy cannot be used.
    #[error("policy of function {pattern:?}: {error}")]
    Policy {
        /// The name or pattern of its rule.
        pattern: String,
        /// What is wrong with it.
        error: PolicyError,
    },
}
