//! What the planner did, for the log.
//!
//! From: the planner. To: the runner's log, a line each. Never: text that the log would have to be parsed for.

use super::state::ProcessId;
use std::fmt;
use std::time::Duration;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A place of a program changed its state.
    State {
        /// The program.
        program: String,
        /// The place.
        slot: u32,
        /// The process, where there is one.
        process: Option<ProcessId>,
        /// The state before; empty for a new place.
        from: &'static str,
        /// The state now.
        to: &'static str,
        /// Why.
        why: String,
    },
    /// A second process of a place, its successor or its predecessor, began or ended.
    Beside {
        /// The program.
        program: String,
        /// The place.
        slot: u32,
        /// The process.
        process: ProcessId,
        /// What became of it.
        what: String,
    },
    /// A process was killed: its patience was over.
    Killed {
        /// The program.
        program: String,
        /// The process.
        process: ProcessId,
        /// Whether it was in the middle of a job, and the hard limit was over.
        had_job: bool,
    },
    /// A process would die of its stop signal in the middle of a job, and gets it afterwards.
    Held {
        /// The program.
        program: String,
        /// The process.
        process: ProcessId,
    },
    /// A rolling restart took a step.
    Rollout {
        /// The program.
        program: String,
        /// What happened.
        step: String,
    },
    /// The number of processes was decided on.
    Scaled {
        /// The program.
        program: String,
        /// The number before.
        from: u32,
        /// The number now.
        to: u32,
        /// Why, with the figures.
        why: String,
    },
    /// More processes would be needed, and are not started.
    NotScaled {
        /// The program.
        program: String,
        /// Why, with the figures.
        why: String,
    },
    /// The manager is about to end.
    ShuttingDown {
        /// Why.
        why: String,
    },
    /// Whatever was told to leave is killed.
    Hurried {
        /// Why.
        why: String,
    },
}

impl Event {
    /// The process it is about.
    #[must_use]
    pub fn process(&self) -> Option<ProcessId> {
        match self {
            Event::State { process, .. } => *process,
            Event::Beside { process, .. } | Event::Killed { process, .. } | Event::Held { process, .. } => {
                Some(*process)
            }
            Event::Rollout { .. }
            | Event::Scaled { .. }
            | Event::NotScaled { .. }
            | Event::ShuttingDown { .. }
            | Event::Hurried { .. } => None,
        }
    }

    /// Whether somebody should look soon.
    #[must_use]
    pub fn is_warning(&self) -> bool {
        match self {
            Event::State { to, .. } => *to == "crash-looping" || *to == "backoff",
            Event::Killed { .. } | Event::NotScaled { .. } | Event::Hurried { .. } => true,
            Event::Rollout { step, .. } => step.starts_with("held"),
            Event::Beside { .. } | Event::Held { .. } | Event::Scaled { .. } | Event::ShuttingDown { .. } => {
                false
            }
        }
    }

    /// The program it is about.
    #[must_use]
    pub fn program(&self) -> Option<&str> {
        match self {
            Event::State { program, .. }
            | Event::Beside { program, .. }
            | Event::Killed { program, .. }
            | Event::Held { program, .. }
            | Event::Rollout { program, .. }
            | Event::Scaled { program, .. }
            | Event::NotScaled { program, .. } => Some(program),
            Event::ShuttingDown { .. } | Event::Hurried { .. } => None,
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::State { program, slot, from: "", to, why, .. } => {
                write!(f, "{program}:{slot} {to}: {why}")
            }
            Event::State { program, slot, from, to, why, .. } => {
                write!(f, "{program}:{slot} {from} -> {to}: {why}")
            }
            Event::Beside { program, slot, what, .. } => write!(f, "{program}:{slot} {what}"),
            Event::Killed { program, had_job: false, .. } => {
                write!(f, "{program}: a process is killed, its patience is over")
            }
            Event::Killed { program, had_job: true, .. } => {
                write!(f, "{program}: a process is killed in the middle of a job, the hard limit is over")
            }
            Event::Held { program, .. } => {
                write!(f, "{program}: a process may die of its stop signal: it gets it after its job")
            }
            Event::Rollout { program, step } => write!(f, "{program} restart: {step}"),
            Event::Scaled { program, from, to, why } => write!(f, "{program} scaled {from} -> {to}: {why}"),
            Event::NotScaled { program, why } => write!(f, "{program} not scaled: {why}"),
            Event::ShuttingDown { why } => write!(f, "shutting down: {why}"),
            Event::Hurried { why } => write!(f, "patience is over for all that leave: {why}"),
        }
    }
}

/// A time for people: `250 ms`, `12 s`, `3 min 20 s`, `5 h 3 min`, `2 d 4 h`.
#[must_use]
pub fn for_people(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 if time.is_zero() => "0 s".to_owned(),
        0 => format!("{} ms", time.as_millis()),
        1..=59 => format!("{seconds} s"),
        60..=3599 => two(seconds / 60, "min", seconds % 60, "s"),
        3600..=86_399 => two(seconds / 3600, "h", seconds % 3600 / 60, "min"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3600, "h"),
    }
}

fn two(large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    match small {
        0 => format!("{large} {large_unit}"),
        _ => format!("{large} {large_unit} {small} {small_unit}"),
    }
}
