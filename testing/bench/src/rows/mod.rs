//! The rows of the table: what is measured, on which servers, and when its goal is met.

mod backlog;
mod calendar;
mod client;
mod deep;
mod drain;
mod epoch;
mod foreground;
mod idle;
mod load;
mod memory;
mod register;
mod submit;
mod wake;

use std::time::Duration;

use crate::figures::Figures;
use crate::goal::Check;
use crate::server::{Kind, Lab};
use crate::trouble::Trouble;

/// Longest time for one measurement's work; what takes longer is reported as such.
const WORK_LIMIT: Duration = Duration::from_secs(60);

/// The goal of a row that only shows.
pub(crate) const NO_GOAL: &str = "none, for information";

/// Which figure a ratio is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    Rate,
    Cpu,
    P50,
    Memory,
    /// A figure that only the row has.
    Extra(&'static str),
}

impl Key {
    /// The figure itself.
    pub(crate) fn of(self, figures: &Figures) -> Option<f64> {
        match self {
            Self::Rate => figures.rate,
            Self::Cpu => figures.cpu_us,
            Self::P50 => figures.latency.map(|latency| latency.p50),
            Self::Memory => figures.memory,
            Self::Extra(name) => figures.extra(name),
        }
    }

    /// What a ratio of it is called.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Cpu => "cpu",
            Self::P50 => "p50",
            Self::Memory => "mem",
            Self::Extra(name) => name,
        }
    }

    /// The same in a narrow column.
    pub(crate) fn short_name(self) -> &'static str {
        self.name().split(' ').next().unwrap_or_default()
    }
}

/// The figures of one row by server.
pub(crate) type Outcome = [(Kind, Result<Figures, Trouble>)];

/// One row of the table.
pub(crate) struct Row {
    /// The name for `--only`.
    pub(crate) name: &'static str,
    pub(crate) work: &'static str,
    pub(crate) goal: &'static str,
    pub(crate) servers: &'static [Kind],
    /// Repetitions of a full run; a quick one has one.
    pub(crate) repetitions: u64,
    pub(crate) floor_ratio: Key,
    pub(crate) gearmand_ratio: Key,
    pub(crate) measure: fn(&Lab, Kind) -> Result<Figures, Trouble>,
    pub(crate) checks: fn(&Outcome) -> Vec<Check>,
}

/// All rows, in the order they run and are printed.
pub(crate) const ALL: &[Row] = &[
    submit::DEEP_PIPELINE,
    submit::ONE_IN_FLIGHT,
    drain::ROW,
    foreground::ROW,
    wake::ROW,
    memory::PER_JOB,
    memory::PER_CONNECTION,
    submit::DURABLE,
    submit::DURABLE_DEEP,
    load::ROW,
    register::ROW,
    register::STORM,
    epoch::ROW,
    calendar::EPOCH,
    calendar::EPOCH_DURABLE,
    calendar::SCHEDULES,
    deep::ROW,
    backlog::ROW,
    idle::ROW,
    calendar::IDLE,
    client::FOREGROUND,
    client::FOREGROUND_64,
    client::BACKGROUND_64,
    client::WORKER_1,
    client::WORKER_64,
    client::WORKER_ASLEEP,
];
