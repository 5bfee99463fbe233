//! Rolling restarts: one process first, the others when it is ready, one by one.
//!
//! From: a watched path that changed, a new configuration, a person. To: [`super::pool`], which replaces.
//! Never: touches a second process before the first one of a new version is ready.

use super::floor::Floor;
use super::moment::Moment;
use super::pool::Pool;
use super::slot::{Beside, Fate, Slot};
use super::state::State;
use crate::config::{Program, Replace};
use std::sync::Arc;

/// How far the newest version of a program has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rollout {
    /// All processes have it, or it is to begin.
    Settled,
    /// The process of one place has it or is to get it; all others wait for that one.
    Canary { slot: u32 },
    /// One was ready; the others follow.
    Rolling,
    /// A process did not become ready: the others stay as they are.
    Held { slot: u32, why: String },
}

impl Pool {
    /// A change that needs new processes.
    pub(crate) fn begin_rollout(&mut self, now: Moment, floor: &mut Floor, why: &str) {
        self.version += 1;
        self.rollout = Rollout::Settled;
        self.rollout_why = why.to_owned();
        self.note_rollout(floor, format!("begins: {why}"));
        // A successor that is not ready is out of date already.
        let (mut cx, slots) = self.split(now, floor);
        slots.values_mut().for_each(|slot| slot.leave_beside(&mut cx));
    }

    /// What the next process of a place is spawned from, and its version.
    pub(crate) fn next_launch(&self, number: u32) -> (Arc<Program>, u64) {
        let is_newest = match &self.rollout {
            Rollout::Settled | Rollout::Rolling => self.proven_version == self.version,
            Rollout::Canary { slot } => *slot == number,
            Rollout::Held { .. } => false,
        };
        if is_newest {
            (Arc::clone(&self.program), self.version)
        } else {
            (Arc::clone(&self.proven), self.proven_version)
        }
    }

    /// What a person should know of a restart under way.
    pub(crate) fn rollout_text(&self) -> Option<String> {
        match &self.rollout {
            Rollout::Settled => None,
            Rollout::Canary { slot } => {
                Some(format!("restart of {}:{slot} as the first one: {}", self.name, self.rollout_why))
            }
            Rollout::Rolling => Some(format!("restart, one by one: {}", self.rollout_why)),
            Rollout::Held { why, .. } => {
                Some(format!("restart held: {why} ({}); the others stay as they are", self.rollout_why))
            }
        }
    }

    /// A process that was not ready ended, or was given up.
    pub(crate) fn handle_unready(&mut self, floor: &mut Floor, number: u32, version: u64, what: &str) {
        let is_of_rollout = version == self.version && self.is_rolling();
        if !is_of_rollout {
            return;
        }
        let why = format!("the new process of {}:{number} {what}", self.name);
        let rest = match self.replace() {
            Replace::StartFirst => "",
            // Their next processes would be of the version that failed.
            Replace::StopFirst => "; lifetimes and the memory limit rest",
        };
        self.note_rollout(floor, format!("held: {why}{rest}"));
        self.rollout = Rollout::Held { slot: number, why };
    }

    fn is_rolling(&self) -> bool {
        matches!(self.rollout, Rollout::Canary { .. } | Rollout::Rolling)
    }

    /// Whether a process of the newest version is ready in this place, or did there what it was to do.
    fn is_proof(&self, slot: &Slot) -> bool {
        slot.done == Some(self.version)
            || matches!(&slot.state, State::Running(up) if up.version == self.version)
    }

    pub(crate) fn advance_rollout(&mut self, now: Moment, floor: &mut Floor) {
        if !self.is_up {
            // Whoever starts it again starts the newest.
            self.prove();
            self.rollout = Rollout::Settled;
            return;
        }
        match self.rollout.clone() {
            Rollout::Settled if self.version != self.proven_version => self.choose_canary(now, floor),
            Rollout::Settled => {}
            Rollout::Canary { slot } => self.advance_canary(now, floor, slot),
            Rollout::Held { slot, .. } => match self.slots.get(&slot) {
                Some(place) if self.is_proof(place) => self.follow_canary(now, floor, slot),
                // The version is good elsewhere, and the place that failed with it is no more.
                None if self.version == self.proven_version => {
                    self.rollout = Rollout::Rolling;
                    self.roll(now, floor);
                }
                Some(_) | None => {}
            },
            Rollout::Rolling => self.roll(now, floor),
        }
    }

    fn advance_canary(&mut self, now: Moment, floor: &mut Floor, number: u32) {
        match self.slots.get(&number) {
            Some(place) if self.is_proof(place) => self.follow_canary(now, floor, number),
            Some(place) if place.fate == Fate::Keep => {
                // Held by what the old version did: the new one had no chance yet, or the restart would be held.
                if place.is_held() {
                    self.release(now, floor, number);
                }
                self.replace_stale(now, floor, number);
            }
            // Nobody is to come there any more: another one is the first.
            Some(_) | None => self.choose_canary(now, floor),
        }
    }

    /// The first process of a version is ready, or did what it was to do.
    fn follow_canary(&mut self, now: Moment, floor: &mut Floor, number: u32) {
        let is_done = self.slots.get(&number).is_some_and(|place| place.done.is_some());
        let what = if is_done { "ended as it should" } else { "is ready" };
        self.note_rollout(floor, format!("{}:{number} {what}, the others follow", self.name));
        self.prove();
        self.rollout = Rollout::Rolling;
        self.roll(now, floor);
    }

    /// The newest version is that of all that is started.
    pub(crate) fn prove(&mut self) {
        self.proven = Arc::clone(&self.program);
        self.proven_version = self.version;
    }

    /// One that does not run well loses least; else the first one.
    fn choose_canary(&mut self, now: Moment, floor: &mut Floor) {
        let kept = self.slots.values().filter(|slot| slot.fate == Fate::Keep);
        let order = |slot: &&Slot| {
            let is_busy = matches!(slot.beside, Beside::Leaving(_));
            (worth(slot, self.proven_version), is_busy, slot.number)
        };
        let Some(slot) = kept.min_by_key(order) else {
            self.prove();
            self.rollout = Rollout::Settled;
            return;
        };
        let number = slot.number;
        let is_up = slot.state.up().is_some();
        self.rollout = Rollout::Canary { slot: number };
        if !is_up {
            self.release(now, floor, number);
        }
        self.replace_stale(now, floor, number);
    }

    /// Replaces the process of a place if it is older than the version.
    fn replace_stale(&mut self, now: Moment, floor: &mut Floor, number: u32) -> bool {
        let Some(slot) = self.slots.get(&number) else { return false };
        let is_stale = slot.state.up().is_some_and(|up| up.version != self.version);
        let has_successor = matches!(&slot.beside, Beside::Successor(up) if up.version == self.version);
        if !is_stale || has_successor || slot.fate != Fate::Keep {
            return false;
        }
        let why = self.rollout_why.clone();
        self.begin_replace(now, floor, number, &why)
    }

    /// What an old version could not do, the new one may.
    fn release_held(&mut self, now: Moment, floor: &mut Floor) {
        let is_meant =
            |slot: &&Slot| slot.fate == Fate::Keep && slot.is_held() && slot.version != self.version;
        let held: Vec<u32> = self.slots.values().filter(is_meant).map(|slot| slot.number).collect();
        for number in held {
            self.release(now, floor, number);
        }
    }

    fn release(&mut self, now: Moment, floor: &mut Floor, number: u32) {
        let why = self.rollout_why.clone();
        let (mut cx, slots) = self.split(now, floor);
        if let Some(slot) = slots.get_mut(&number) {
            slot.release(&mut cx, &why);
        }
    }

    /// The next process that is older, once no new one is on its way.
    fn roll(&mut self, now: Moment, floor: &mut Floor) {
        self.release_held(now, floor);
        let is_on_its_way = |slot: &Slot| match &slot.state {
            State::Starting(up) => up.version == self.version,
            // Who waits for another program may wait for long.
            State::Backoff { .. } => !slot.waits_for_others,
            State::Draining(_) | State::Stopping(_) => self.replace() == Replace::StopFirst,
            State::Running(_) | State::Exited | State::CrashLooping => false,
        };
        if self.slots.values().any(|slot| slot.fate == Fate::Keep && is_on_its_way(slot)) {
            return;
        }
        let is_stale = |slot: &&Slot| {
            slot.fate == Fate::Keep && slot.state.up().is_some_and(|up| up.version != self.version)
        };
        // The old ones may still take jobs.
        let is_leaving = |slot: &Slot| {
            let is_told = matches!(slot.state, State::Draining(_) | State::Stopping(_));
            slot.beside != Beside::None || (slot.fate == Fate::Keep && is_told)
        };
        let mut stale = self.slots.values().filter(is_stale).peekable();
        let is_done = stale.peek().is_none();
        // Where all that are left have a predecessor that still leaves, its end is what wakes us.
        match stale.find(|slot| slot.beside == Beside::None).map(|slot| slot.number) {
            Some(number) => {
                self.replace_stale(now, floor, number);
            }
            None if is_done && !self.slots.values().any(is_leaving) => {
                self.rollout = Rollout::Settled;
                self.note_rollout(floor, "done: all processes are new");
            }
            None => {}
        }
    }
}

/// How much is lost when the process of a place gives way to one that may fail.
fn worth(slot: &Slot, proven_version: u64) -> u8 {
    match &slot.state {
        // The canary of the change before: there is never a second one beside it.
        State::Starting(up) if up.version > proven_version => 0,
        State::Backoff { .. } if slot.waits_for_others => 5,
        State::Backoff { .. } | State::Exited | State::CrashLooping => 1,
        State::Stopping(_) | State::Draining(_) => 2,
        State::Starting(_) => 3,
        State::Running(_) => 4,
    }
}
