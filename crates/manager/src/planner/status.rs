//! What is going on, for people.
//!
//! From: pools and places. To: `ctl status`. Never: decides.

use super::Planner;
use super::leave::Leave;
use super::moment::Moment;
use super::pool::Pool;
use super::slot::{Beside, Slot};
use super::state::{ProcessId, State};

/// One program.
#[derive(Debug, Clone, PartialEq)]
pub struct PoolStatus {
    /// Its name.
    pub program: String,
    /// How many processes it has while it is up.
    pub wanted: u32,
    /// Whether it is to run.
    pub is_up: bool,
    /// Whether that was said by hand.
    pub is_by_hand: bool,
    /// How far a restart of all processes is, or why it is held.
    pub rollout: Option<String>,
    /// Its places.
    pub places: Vec<PlaceStatus>,
}

/// One place of a program.
#[derive(Debug, Clone, PartialEq)]
pub struct PlaceStatus {
    /// Its number, from 0.
    pub number: u32,
    /// The name of its state.
    pub state: &'static str,
    /// Since when.
    pub since: Moment,
    /// Why.
    pub why: String,
    /// When the pause is over, in a backoff.
    pub until: Option<Moment>,
    /// Processes that took the place of another, since the manager's start.
    pub restarts: u64,
    /// How the last process ended.
    pub last_end: Option<String>,
    /// Its processes: the one of the place first.
    pub processes: Vec<(ProcessId, ProcessRole)>,
}

/// What a process is to its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessRole {
    /// The process of the place.
    Main,
    /// It takes over when it is ready.
    Successor,
    /// It was told to leave, and its successor is there.
    Predecessor,
}

impl Planner {
    /// All programs, by name.
    #[must_use]
    pub fn status(&self) -> Vec<PoolStatus> {
        self.pools.values().map(pool_status).collect()
    }

    /// The place of a process, as program and number.
    #[must_use]
    pub fn place_of(&self, process: ProcessId) -> Option<(String, u32)> {
        self.place(process).map(|(pool, slot)| (pool.name.to_string(), slot))
    }

    /// Processes that are not ready yet and wait for a job server to list them.
    #[must_use]
    pub fn unready(&self) -> Vec<ProcessId> {
        self.pools.values().flat_map(|pool| pool.slots.values()).filter_map(unready).collect()
    }

    /// Processes that were told to leave, that may have jobs and are still there; also what is left of a group.
    pub fn leaving(&self) -> impl Iterator<Item = ProcessId> {
        self.leaves().filter(|leave| self.floor.word(leave.process).is_asked).map(|leave| leave.process)
    }

    /// Whether a process has a place and was not told to leave.
    #[must_use]
    pub fn is_staying(&self, process: ProcessId) -> bool {
        let slot = self.place(process).and_then(|(pool, number)| pool.slots.get(&number));
        slot.is_some_and(|slot| slot.leaves().all(|leave| leave.process != process))
    }

    /// From when on the planner wants to hear of the jobs of a process before it decides, for each such process.
    pub fn words_wanted(&self) -> impl Iterator<Item = Moment> {
        self.leaves().filter_map(|leave| leave.word_wanted(&self.floor.word(leave.process)))
    }

    fn leaves(&self) -> impl Iterator<Item = &Leave> {
        let slots = self.pools.values().flat_map(|pool| pool.slots.values());
        slots.flat_map(Slot::leaves).chain(self.floor.remains.values().map(|remains| &remains.leave))
    }
}

fn unready(slot: &Slot) -> Option<ProcessId> {
    if let Beside::Successor(up) = &slot.beside {
        return up.is_worker.then_some(up.process);
    }
    match &slot.state {
        State::Starting(up) => up.is_worker.then_some(up.process),
        State::Running(_)
        | State::Backoff { .. }
        | State::Stopping(_)
        | State::Draining(_)
        | State::Exited
        | State::CrashLooping => None,
    }
}

fn pool_status(pool: &Pool) -> PoolStatus {
    PoolStatus {
        program: pool.name.to_string(),
        wanted: pool.count,
        is_up: pool.is_up,
        is_by_hand: pool.is_by_hand,
        rollout: pool.rollout_text(),
        places: pool.slots.values().map(place_status).collect(),
    }
}

fn place_status(slot: &Slot) -> PlaceStatus {
    let main = slot.state.process().map(|process| (process, ProcessRole::Main));
    let beside = match &slot.beside {
        Beside::None => None,
        Beside::Successor(up) => Some((up.process, ProcessRole::Successor)),
        Beside::Leaving(leave) => Some((leave.process, ProcessRole::Predecessor)),
    };
    PlaceStatus {
        number: slot.number,
        state: slot.state.name(),
        since: slot.since,
        why: slot.why.clone(),
        until: match &slot.state {
            State::Backoff { until } => Some(*until),
            State::Starting(_)
            | State::Running(_)
            | State::Stopping(_)
            | State::Draining(_)
            | State::Exited
            | State::CrashLooping => None,
        },
        restarts: slot.restarts,
        last_end: slot.last_end.as_ref().map(ToString::to_string),
        processes: main.into_iter().chain(beside).collect(),
    }
}
