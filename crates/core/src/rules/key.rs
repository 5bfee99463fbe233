//! The keys of a policy: one row each for its name, what it means, what it takes, and an example.
//!
//! To: the parser of values, the configuration file, `policy set`, and the reference page, which is made
//! from the same rows. Never: says what is not so; see the tests of `value.rs`.

use super::error::{PolicyError, excerpt};
use super::value;
use crate::policy::Policy;

const TIMES: &str = "a time from 1ms to 3650d such as 250ms, 90s, 1h30m or 7d, or none";
const PAUSE: &str = "a time up to 3650d such as 250ms, 90s, 1h30m or 7d, or none";
const COUNTS: &str = "a number from 1 to 4294967295, or none";
const TRIES: &str = "a number from 1 to 1000000, or none";
const KEPT_COUNTS: &str = "a number from 0 up, or none";
const KEPT_BYTES: &str = "a number of bytes, also with KiB, MiB, GiB or TiB behind it, or none";
const SWITCH: &str = "true or false";

macro_rules! keys {
    ($($variant:ident = $name:literal, $help:literal, $allowed:expr, $example:literal;)*) => {
        /// A value of a policy.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum PolicyKey {
            $(#[doc = $help] $variant,)*
        }

        impl PolicyKey {
            /// All of them, in the order in which a person reads them.
            pub const ALL: &'static [PolicyKey] = &[$(PolicyKey::$variant),*];

            /// Its name in the configuration file, in commands and in stored rules.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(PolicyKey::$variant => $name,)* }
            }

            /// What it means: one sentence without a full stop.
            #[must_use]
            pub const fn help(self) -> &'static str {
                match self { $(PolicyKey::$variant => $help,)* }
            }

            /// What it takes.
            #[must_use]
            pub const fn allowed(self) -> &'static str {
                match self { $(PolicyKey::$variant => $allowed,)* }
            }

            /// A value that makes sense.
            #[must_use]
            pub const fn example(self) -> &'static str {
                match self { $(PolicyKey::$variant => $example,)* }
            }
        }
    };
}

keys! {
    Attempts = "attempts",
        "Attempts after which a job is given up, and becomes a dead letter", TRIES, "3";
    RetryOn = "retry-on",
        "Which ends of an attempt lead to another one; any other end is the end of the job",
        "words of disconnect, timeout, fail and exception with commas between them, or none",
        "disconnect,timeout,exception";
    LostWorkers = "lost-workers",
        "Workers that a job may lose, by their disconnecting, before it becomes a dead letter whatever its \
         attempts say; by default 3 where attempts, retry-on or one of backoff-* is set, else none",
        TRIES, "3";
    BackoffFirst = "backoff-first",
        "Pause after the first attempt, in which others get their turn", PAUSE, "10s";
    BackoffFactor = "backoff-factor",
        "How many times longer the pause is after each further attempt", "a number from 1 to 1000", "2";
    BackoffMax = "backoff-max",
        "Longest pause between two attempts",
        "a time from 1ms to 3650d such as 250ms, 90s, 1h30m or 7d", "1h";
    BackoffJitter = "backoff-jitter",
        "Which part of the pause is left to chance, so that jobs that failed together do not come back together",
        "a number from 0 to 1", "0.2";
    Timeout = "timeout",
        "Time that a job may be on a worker, where the worker gave no limit of its own", TIMES, "5m";
    TimeoutExtends = "timeout-extends",
        "Whether progress (WORK_STATUS, WORK_DATA) gives a job its whole time again", SWITCH, "true";
    Expires = "expires",
        "Time that a job may wait, from its submit or its epoch on, before it becomes a dead letter",
        TIMES, "1d";
    MaxRunning = "max-running",
        "Most jobs on workers at once", COUNTS, "20";
    Rate = "rate",
        "Most jobs started in a second",
        "a number of jobs a second from 0.00001 to 100000, also as 30/m or 100/h, or none", "10";
    RateBurst = "rate-burst",
        "Jobs that may be started at once after a pause; needs rate, and is 1 without this",
        "a number from 1 to 4294967295", "20";
    MaxWaitingHigh = "max-waiting-high",
        "Most waiting jobs of high priority; a submit over it is refused", COUNTS, "100000";
    MaxWaitingNormal = "max-waiting-normal",
        "Most waiting jobs of normal priority; a submit over it is refused", COUNTS, "1000000";
    MaxWaitingLow = "max-waiting-low",
        "Most waiting jobs of low priority; a submit over it is refused", COUNTS, "1000000";
    OnDuplicate = "on-duplicate",
        "Priority of a waiting job that another submit of its unique joins: its own, that of the last submit, \
         or the highest of all",
        "keep, last or highest", "highest";
    DeadAge = "dead-age",
        "Time that a dead letter is kept", TIMES, "30d";
    DeadCount = "dead-count",
        "Most dead letters of a function; the oldest go first", KEPT_COUNTS, "100000";
    DeadBytes = "dead-bytes",
        "Most bytes of the dead letters of a function; the oldest go first", KEPT_BYTES, "1GiB";
    FinishedAge = "finished-age",
        "Time that a finished job is kept, where finished-count lets any be kept", TIMES, "1d";
    FinishedCount = "finished-count",
        "Most finished jobs of a function; the oldest go first", KEPT_COUNTS, "1000";
    FinishedBytes = "finished-bytes",
        "Most bytes of the finished jobs of a function; the oldest go first", KEPT_BYTES, "64MiB";
    Paused = "paused",
        "Whether no job is started; submits are taken", SWITCH, "true";
    Draining = "draining",
        "Whether no job is accepted; what waits is still done", SWITCH, "true";
}

impl PolicyKey {
    /// The key of this name.
    ///
    /// # Errors
    /// When there is none; the nearest is named.
    pub fn from_name(name: &str) -> Result<Self, PolicyError> {
        if let Some(key) = Self::ALL.iter().find(|key| key.name() == name) {
            return Ok(*key);
        }
        let key = excerpt(name);
        // Nothing of that length is near, and looking for the nearest takes time.
        let near = (name.len() <= 64).then(|| Self::nearest(name)).flatten();
        let hint = match near {
            Some(near) => format!("did you mean '{}'?", near.name()),
            None => Self::names(),
        };
        Err(PolicyError::UnknownKey { key, hint })
    }

    /// Whether it says how long letters are kept.
    pub(crate) fn is_about_letters(self) -> bool {
        matches!(
            self,
            PolicyKey::DeadAge
                | PolicyKey::DeadCount
                | PolicyKey::DeadBytes
                | PolicyKey::FinishedAge
                | PolicyKey::FinishedCount
                | PolicyKey::FinishedBytes
        )
    }

    /// Looks at one value alone.
    ///
    /// # Errors
    /// When the key does not take it.
    pub fn check(self, text: &str) -> Result<(), PolicyError> {
        value::apply(&mut Policy::default(), self, text)
    }

    /// Its value where nothing is set.
    #[must_use]
    pub fn default_value(self) -> String {
        value::format(&Policy::default(), self)
    }

    fn nearest(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase().replace('_', "-");
        let distance = |key: Self| strsim::osa_distance(key.name(), &name);
        let near = Self::ALL.iter().copied().min_by_key(|key| distance(*key))?;
        (distance(near) <= 1 + name.len() / 4).then_some(near)
    }

    fn names() -> String {
        let names: Vec<_> = Self::ALL.iter().map(|key| key.name()).collect();
        format!("one of {}", names.join(", "))
    }
}
