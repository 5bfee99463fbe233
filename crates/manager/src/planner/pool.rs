//! All processes of one program: how many, and which version each has.
//!
//! From: the planner. To: [`super::slot`], place by place. Never: looks at another program.

use super::autoscale::Scaling;
use super::event::Event;
use super::floor::Floor;
use super::moment::Moment;
use super::rollout::Rollout;
use super::slot::{Beside, Context, Ended, Fate, Slot, lifetime_end};
use super::state::{End, ProcessId, State, Up};
use crate::config::{Processes, Program, ProgramName, change};
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) name: ProgramName,
    /// As the configuration has it now.
    pub(crate) program: Arc<Program>,
    /// Counts the changes that need new processes.
    pub(crate) version: u64,
    /// The version, and what is spawned for it, that is known to become ready.
    pub(crate) proven_version: u64,
    pub(crate) proven: Arc<Program>,
    pub(crate) rollout: Rollout,
    /// Why the version was raised.
    pub(crate) rollout_why: String,
    pub(crate) slots: BTreeMap<u32, Slot>,
    /// How many places are wanted.
    pub(crate) count: u32,
    pub(crate) is_up: bool,
    /// Gone from the configuration: it goes when its processes are gone.
    pub(crate) is_removed: bool,
    /// Whether all of its places were ready at once since it was started.
    pub(crate) was_ready: bool,
    /// Its number was set by hand.
    pub(crate) is_by_hand: bool,
    pub(crate) scaling: Scaling,
}

/// How a process gives way to its successor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replace {
    /// The successor is ready before the old one is told to leave: one process more for that time.
    StartFirst,
    /// The old one is gone before the successor is spawned.
    StopFirst,
}

impl Pool {
    pub(crate) fn new(name: ProgramName, program: Arc<Program>) -> Self {
        Self {
            name,
            version: 1,
            proven_version: 1,
            proven: Arc::clone(&program),
            rollout: Rollout::Settled,
            rollout_why: String::new(),
            slots: BTreeMap::new(),
            count: program.processes.min,
            is_up: program.autostart,
            is_removed: false,
            was_ready: false,
            is_by_hand: false,
            scaling: Scaling::default(),
            program,
        }
    }

    /// Splits the pool into what its places need and the places.
    pub(crate) fn split<'a>(
        &'a mut self,
        now: Moment,
        floor: &'a mut Floor,
    ) -> (Context<'a>, &'a mut BTreeMap<u32, Slot>) {
        let cx = Context { now, floor, name: &self.name, program: &self.program, is_up: self.is_up };
        (cx, &mut self.slots)
    }

    pub(crate) fn replace(&self) -> Replace {
        // A worker is one of many and can stand beside its successor; another program may hold a port or a file.
        if self.program.functions.is_empty() { Replace::StopFirst } else { Replace::StartFirst }
    }

    /// Processes of all places.
    pub(crate) fn processes(&self) -> u32 {
        self.slots.values().map(Slot::processes).sum()
    }

    pub(crate) fn has_beside(&self) -> bool {
        self.slots.values().any(|slot| slot.beside != Beside::None)
    }

    /// Whether it keeps the programs after it from starting.
    pub(crate) fn is_in_the_way(&self) -> bool {
        self.is_up && !self.was_ready
    }

    /// Does what is due. `may_start`: the programs before it are ready; `may_stop`: those after it are gone.
    pub(crate) fn advance(
        &mut self,
        now: Moment,
        floor: &mut Floor,
        may_start: Result<(), &str>,
        may_stop: bool,
    ) {
        self.handle_times(now, floor);
        self.fit_count(now, floor);
        self.stop_unwanted(now, floor, may_stop);
        self.advance_rollout(now, floor);
        self.replace_expired(now, floor);
        self.spawn_due(now, floor, may_start);
        self.slots.retain(|_, slot| slot.fate != Fate::Remove || !slot.is_empty());
        let are_ready = self.slots.values().all(|slot| matches!(slot.state, State::Running(_)));
        self.was_ready |= self.is_up && are_ready && self.kept() >= self.count;
    }

    fn handle_times(&mut self, now: Moment, floor: &mut Floor) {
        let (mut cx, slots) = self.split(now, floor);
        let mut failures = Vec::new();
        for slot in slots.values_mut() {
            if let Ended::Failed { unready: Some(version) } = slot.handle_time(&mut cx) {
                failures.push((slot.number, version));
            }
        }
        for (number, version) in failures {
            self.handle_unready(now, floor, number, version, "was not ready in time");
        }
    }

    /// Places that are to have a process.
    pub(crate) fn kept(&self) -> u32 {
        let kept = self.slots.values().filter(|slot| slot.fate != Fate::Remove).count();
        u32::try_from(kept).unwrap_or(u32::MAX)
    }

    /// Adds and takes away places until there are as many as wanted.
    fn fit_count(&mut self, now: Moment, floor: &mut Floor) {
        if !self.is_up && !self.is_removed {
            return;
        }
        let wanted = if self.is_removed { 0 } else { self.count };
        let mut kept = self.kept();
        while kept < wanted {
            // A place whose process still leaves is taken back first: so there are never more processes than places.
            let leaving = self.slots.values_mut().find(|slot| slot.fate == Fate::Remove);
            if let Some(slot) = leaving {
                slot.fate = Fate::Keep;
            } else {
                let number = (0..).find(|number| !self.slots.contains_key(number)).unwrap_or(u32::MAX);
                self.slots.insert(number, Slot::new(now, number));
            }
            kept += 1;
        }
        let (mut cx, slots) = self.split(now, floor);
        while kept > wanted {
            // Those without a process go first, then the last ones.
            let kept_slots = slots.values_mut().filter(|slot| slot.fate != Fate::Remove);
            let Some(slot) = kept_slots.max_by_key(|slot| (slot.state.up().is_none(), slot.number)) else {
                break;
            };
            slot.fate = Fate::Remove;
            slot.drain(&mut cx, "there are to be fewer processes");
            if slot.state.process().is_none() {
                slot.stop(&mut cx, "there are to be fewer processes");
            }
            kept -= 1;
        }
    }

    fn stop_unwanted(&mut self, now: Moment, floor: &mut Floor, may_stop: bool) {
        let why = match (floor.is_ending, self.is_removed) {
            (true, _) => "shutdown",
            (_, true) => "gone from the configuration",
            _ => "stopped by hand",
        };
        let (mut cx, slots) = self.split(now, floor);
        let is_up = cx.is_up;
        for slot in slots.values_mut() {
            let is_unwanted = !is_up || slot.fate == Fate::Empty;
            if is_unwanted && (may_stop || slot.state.process().is_none()) {
                slot.stop(&mut cx, why);
            }
        }
    }

    /// Processes whose lifetime is over give way.
    fn replace_expired(&mut self, now: Moment, floor: &mut Floor) {
        if !self.is_up {
            return;
        }
        let is_due = |slot: &Slot| {
            let is_over = matches!(&slot.state, State::Running(up) if up.expires.is_some_and(|at| now >= at));
            is_over && slot.retry.is_none_or(|retry| now >= retry)
        };
        let due: Vec<u32> = self.slots.values().filter(|slot| is_due(slot)).map(|slot| slot.number).collect();
        for number in due {
            self.begin_replace(now, floor, number, "its lifetime is over");
        }
    }

    /// Lets the process of a place give way; false where it has to wait for another one's.
    pub(crate) fn begin_replace(&mut self, now: Moment, floor: &mut Floor, number: u32, why: &str) -> bool {
        let replace = self.replace();
        if replace == Replace::StartFirst && self.has_beside() {
            return false;
        }
        let (program, version) = self.next_launch(number);
        let (mut cx, slots) = self.split(now, floor);
        let Some(slot) = slots.get_mut(&number) else { return false };
        if slot.fate != Fate::Keep {
            return false;
        }
        match (&slot.state, replace) {
            (State::Running(_), Replace::StartFirst) => slot.spawn_successor(&mut cx, &program, version, why),
            // Nobody misses one that is not ready.
            (State::Starting(_), _) | (State::Running(_), Replace::StopFirst) => slot.drain(&mut cx, why),
            (
                State::Backoff { .. }
                | State::Stopping(_)
                | State::Draining(_)
                | State::Exited
                | State::CrashLooping,
                _,
            ) => return false,
        }
        true
    }

    fn spawn_due(&mut self, now: Moment, floor: &mut Floor, may_start: Result<(), &str>) {
        let is_due = |slot: &Slot| matches!(&slot.state, State::Backoff { until } if *until <= now);
        let due: Vec<u32> = self.slots.values().filter(|slot| is_due(slot)).map(|slot| slot.number).collect();
        for number in due {
            let (program, version) = self.next_launch(number);
            let (mut cx, slots) = self.split(now, floor);
            let Some(slot) = slots.get_mut(&number) else { continue };
            if !cx.is_up || slot.fate != Fate::Keep || cx.floor.is_ending {
                continue;
            }
            // Only the first start has an order: what ran once does not wait for others.
            match may_start {
                Err(before) if slot.last_end.is_none() => {
                    slot.waits_for_others = true;
                    slot.why = format!("waits for {before} to be ready");
                }
                Ok(()) | Err(_) => slot.spawn(&mut cx, &program, version),
            }
        }
    }

    /// A process is ready.
    pub(crate) fn handle_ready(&mut self, now: Moment, floor: &mut Floor, number: u32, process: ProcessId) {
        let (mut cx, slots) = self.split(now, floor);
        if let Some(slot) = slots.get_mut(&number) {
            slot.handle_ready(&mut cx, process, "a job server lists it with its functions");
        }
    }

    /// A process ended.
    pub(crate) fn handle_ended(
        &mut self,
        now: Moment,
        floor: &mut Floor,
        number: u32,
        process: ProcessId,
        end: &End,
    ) {
        let (mut cx, slots) = self.split(now, floor);
        let Some(slot) = slots.get_mut(&number) else { return };
        let ended = slot.handle_ended(&mut cx, process, end);
        if let Ended::Failed { unready: Some(version) } = ended {
            self.handle_unready(now, floor, number, version, &format!("ended before it was ready: {end}"));
        }
    }

    /// The memory of a process, with all of its group.
    pub(crate) fn handle_memory(
        &mut self,
        now: Moment,
        floor: &mut Floor,
        number: u32,
        process: ProcessId,
        bytes: u64,
    ) {
        let Some(max) = self.program.memory_bytes_max.filter(|max| bytes > *max) else { return };
        let Some(slot) = self.slots.get(&number) else { return };
        let is_its_own = slot.state.up().is_some_and(|up| up.process == process);
        if is_its_own && slot.beside == Beside::None && slot.retry.is_none_or(|retry| now >= retry) {
            let mebi = |bytes: u64| bytes.div_ceil(1024 * 1024);
            let why = format!("its memory of {} MiB is over the limit of {} MiB", mebi(bytes), mebi(max));
            self.begin_replace(now, floor, number, &why);
        }
    }

    /// A process of this program that another manager left behind; `is_kept`: it goes on.
    pub(crate) fn handle_orphan(
        &mut self,
        now: Moment,
        floor: &mut Floor,
        number: u32,
        spawned: Moment,
        is_kept: bool,
    ) -> Option<ProcessId> {
        if self.slots.get(&number).is_some_and(|slot| slot.state.process().is_some()) {
            return None;
        }
        let is_wanted = self.is_up && number < self.count;
        let (mut cx, slots) = self.split(now, floor);
        let is_worker = !cx.program.functions.is_empty();
        let process = cx.floor.admit(cx.name, number, is_worker);
        let expires = lifetime_end(&mut cx, spawned);
        let slot = slots.entry(number).or_insert_with(|| Slot::new(now, number));
        slot.fate = if is_wanted { Fate::Keep } else { Fate::Remove };
        slot.adopt(&mut cx, Up { process, spawned, is_worker, version: 1, expires });
        if !is_kept || !is_wanted {
            slot.drain(&mut cx, "left by the last manager");
        }
        Some(process)
    }

    /// The configuration of this program, perhaps changed.
    pub(crate) fn handle_program(&mut self, now: Moment, floor: &mut Floor, program: &Program) {
        if self.is_removed {
            self.is_removed = false;
            self.is_up = program.autostart;
        }
        let old = std::mem::replace(&mut self.program, Arc::new(program.clone()));
        let Processes { min, max } = program.processes;
        if old.processes != program.processes {
            self.is_by_hand = false;
            self.count = self.count.clamp(min, max);
        }
        if change(&old, program).needs_restart() {
            self.begin_rollout(now, floor, "its configuration changed");
        }
    }

    /// Whether its number should not be changed: its processes are only coming up, or do not come up.
    pub(crate) fn is_unsteady(&self) -> bool {
        let is_unsteady = |slot: &Slot| match &slot.state {
            State::Starting(_) | State::Backoff { .. } | State::CrashLooping => true,
            State::Running(_) | State::Stopping(_) | State::Draining(_) | State::Exited => false,
        };
        self.slots.values().any(|slot| slot.fate == Fate::Keep && is_unsteady(slot))
    }

    pub(crate) fn deadline(&self, floor: &Floor) -> Option<Moment> {
        // A lifetime that is over waits for the successor of another place; its end is what wakes us then.
        let may_expire = self.is_up && (self.replace() == Replace::StopFirst || !self.has_beside());
        self.slots.values().filter_map(|slot| slot.deadline(&self.program, floor, may_expire)).min()
    }

    pub(crate) fn note_rollout(&self, floor: &mut Floor, step: impl Into<String>) {
        floor.note(Event::Rollout { program: self.name.to_string(), step: step.into() });
    }
}
