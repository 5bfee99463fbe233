//! All processes of one program: how many, and which version each has.
//!
//! From: the planner. To: [`super::slot`], place by place. Never: looks at another program.

use super::autoscale::Scaling;
use super::event::Event;
use super::floor::Floor;
use super::moment::Moment;
use super::rollout::Rollout;
use super::slot::{Beside, Context, Ended, Fate, Slot, lifetime_end};
use super::state::{End, Orphan, ProcessId, State, Up};
use crate::config::{Processes, Program, ProgramName, Replace, change};
use crate::limits::{away_max, leaving_max};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

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
    /// Which of what belongs to no place had one here, as the rest of a group, and which.
    pub(crate) rests: BTreeMap<ProcessId, u32>,
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
            rests: BTreeMap::new(),
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
        self.program.replace()
    }

    /// Processes of all places.
    pub(crate) fn processes(&self) -> u32 {
        self.slots.values().map(Slot::processes).sum()
    }

    /// Whether another process may give way now, as far as the others of its program go.
    ///
    /// Those that were told to leave and take their time do not hold up the others, up to a limit: there are more
    /// processes for as long as they take.
    pub(crate) fn has_room(&self) -> bool {
        let is_leaving = |slot: &&Slot| {
            matches!(slot.beside, Beside::Leaving(_)) || matches!(slot.state, State::Draining(_))
        };
        match self.replace() {
            Replace::StartFirst => {
                let is_coming = |slot: &Slot| matches!(slot.beside, Beside::Successor(_));
                !self.slots.values().any(is_coming) && self.count_of(is_leaving) < leaving_max(self.count)
            }
            Replace::StopFirst => {
                let is_away = |slot: &&Slot| {
                    let is_changing = match &slot.state {
                        State::Starting(_)
                        | State::Backoff { .. }
                        | State::Draining(_)
                        | State::Stopping(_) => true,
                        State::Running(_) | State::Exited | State::CrashLooping => false,
                    };
                    slot.fate == Fate::Keep && is_changing
                };
                self.count_of(is_away) < away_max(self.count)
            }
        }
    }

    fn count_of(&self, is_meant: impl Fn(&&Slot) -> bool) -> u32 {
        u32::try_from(self.slots.values().filter(is_meant).count()).unwrap_or(u32::MAX)
    }

    /// Whether nothing is replaced that still runs: the next process would be of the version that is held.
    fn does_rest(&self) -> bool {
        self.replace() == Replace::StopFirst && matches!(self.rollout, Rollout::Held { .. })
    }

    /// Whether a process may give way since its lifetime is over. Where the next one comes after it, none does beside a
    /// canary either: what is started anew may be another first one of its files.
    fn may_expire(&self) -> bool {
        let is_canary =
            matches!(self.rollout, Rollout::Canary { .. }) && self.replace() == Replace::StopFirst;
        self.is_up && !self.does_rest() && !is_canary && self.has_room()
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
        self.slots.retain(|_, slot| slot.fate != Fate::Remove || !slot.is_empty());
        self.advance_rollout(now, floor);
        self.replace_expired(now, floor);
        self.spawn_due(now, floor, may_start);
        let is_ready = |slot: &Slot| match slot.fate {
            Fate::Keep | Fate::Over => slot.done.is_some() || matches!(slot.state, State::Running(_)),
            // Nobody wants a process there.
            Fate::Stopped | Fate::Remove => true,
        };
        self.was_ready |= self.is_up && self.slots.values().all(is_ready) && self.kept() >= self.count;
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
            self.handle_unready(floor, number, version, "was not ready in time");
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
            let is_leaving = |slot: &&Slot| slot.fate == Fate::Remove && slot.state.process().is_some();
            // A worker that finishes a long job is no help: there is another one beside it, up to as many as are
            // wanted. One of its kind alone gives its place back when it is gone.
            let may_add = self.replace() == Replace::StartFirst && self.count_of(is_leaving) < wanted;
            let (mut cx, slots) = self.split(now, floor);
            let is_free =
                |slot: &&mut Slot| slot.fate == Fate::Remove && !(may_add && slot.state.process().is_some());
            if let Some(slot) = slots.values_mut().find(is_free) {
                slot.fate = Fate::Keep;
                slot.release(&mut cx, "there are to be more processes");
            } else {
                let number = (0..).find(|number| !slots.contains_key(number)).unwrap_or(u32::MAX);
                slots.insert(number, Slot::new(now, number));
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
            let is_unwanted = !is_up || slot.fate == Fate::Stopped;
            if is_unwanted && (may_stop || slot.state.process().is_none()) {
                slot.stop(&mut cx, why);
            }
        }
    }

    /// Processes whose lifetime is over give way.
    fn replace_expired(&mut self, now: Moment, floor: &mut Floor) {
        let is_due = |slot: &Slot| {
            let is_over = matches!(&slot.state, State::Running(up) if up.expires.is_some_and(|at| now >= at));
            is_over && slot.retry.is_none_or(|retry| now >= retry)
        };
        let due: Vec<u32> = self.slots.values().filter(|slot| is_due(slot)).map(|slot| slot.number).collect();
        for number in due {
            if !self.may_expire() {
                break;
            }
            self.begin_replace(now, floor, number, "its lifetime is over");
        }
    }

    /// Lets the process of a place give way; false where it has to wait for another one's.
    pub(crate) fn begin_replace(&mut self, now: Moment, floor: &mut Floor, number: u32, why: &str) -> bool {
        let replace = self.replace();
        let is_free = self.slots.get(&number).is_some_and(|slot| slot.beside == Beside::None);
        if replace == Replace::StartFirst && !(is_free && self.has_room()) {
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
        let is_after = self.replace() == Replace::StopFirst;
        for number in due {
            let (program, version) = self.next_launch(number);
            // Also one that was to stand beside, before its program was told to be alone.
            let has_other = self.slots.get(&number).is_some_and(|slot| slot.beside != Beside::None);
            let has_rest = is_after && (has_other || self.rests.values().any(|place| *place == number));
            let (mut cx, slots) = self.split(now, floor);
            let Some(slot) = slots.get_mut(&number) else { continue };
            if !cx.is_up || slot.fate != Fate::Keep || cx.floor.is_ending {
                continue;
            }
            if has_rest {
                slot.wait_for_rest();
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
            self.handle_unready(floor, number, version, &format!("ended before it was ready: {end}"));
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
        let Some(up) = slot.state.up().filter(|up| up.process == process) else { return };
        let lived = now.since(up.spawned);
        let unready = matches!(slot.state, State::Starting(_)).then_some(up.version);
        let is_paused = slot.retry.is_some_and(|retry| now < retry);
        if !self.is_up || is_paused || matches!(slot.beside, Beside::Successor(_)) || self.does_rest() {
            return;
        }
        let mebi = |bytes: u64| bytes.div_ceil(1024 * 1024);
        let why = format!("its memory of {} MiB is over the limit of {} MiB", mebi(bytes), mebi(max));
        if !self.begin_replace(now, floor, number, &why) && !self.drain_in_place(now, floor, number, &why) {
            return;
        }
        let (mut cx, slots) = self.split(now, floor);
        if let Some(slot) = slots.get_mut(&number) {
            slot.count_fat(&mut cx, lived);
        }
        if let Some(version) = unready {
            self.handle_unready(floor, number, version, "had too much memory before it was ready");
        }
    }

    /// Lets a process with too much memory go where its successor cannot come first: others take their time to leave.
    /// One at a time, so that there is never less than all but one at work.
    fn drain_in_place(&mut self, now: Moment, floor: &mut Floor, number: u32, why: &str) -> bool {
        let is_coming = |slot: &Slot| {
            matches!(slot.beside, Beside::Successor(_))
                || matches!(slot.state, State::Draining(_) | State::Starting(_))
        };
        if self.slots.values().any(|slot| slot.fate == Fate::Keep && is_coming(slot)) {
            return false;
        }
        let (mut cx, slots) = self.split(now, floor);
        let Some(slot) = slots.get_mut(&number).filter(|slot| slot.fate == Fate::Keep) else { return false };
        slot.drain(&mut cx, why);
        true
    }

    /// A process of this program that another manager left behind.
    pub(crate) fn handle_orphan(
        &mut self,
        now: Moment,
        floor: &mut Floor,
        orphan: &Orphan,
    ) -> Option<ProcessId> {
        let Orphan { slot: number, spawned, is_worker, may_stay } = *orphan;
        if self.slots.get(&number).is_some_and(|slot| slot.state.process().is_some()) {
            return None;
        }
        // Their numbers say nothing: those in between may have left when there were to be fewer.
        let is_stopped = self.slots.get(&number).is_some_and(|slot| slot.fate == Fate::Stopped);
        let is_wanted = self.is_up && !is_stopped && self.kept() < self.count;
        let (mut cx, slots) = self.split(now, floor);
        let process = cx.floor.admit(cx.name, number, is_worker);
        let expires = lifetime_end(&mut cx, spawned);
        let slot = slots.entry(number).or_insert_with(|| Slot::new(now, number));
        if !is_stopped {
            slot.fate = if is_wanted { Fate::Keep } else { Fate::Remove };
        }
        slot.adopt(&mut cx, Up { process, spawned, is_worker, version: 1, expires });
        if !may_stay || !is_wanted {
            slot.drain(&mut cx, "left by the last manager");
        }
        Some(process)
    }

    /// The configuration of this program, perhaps changed.
    pub(crate) fn handle_program(&mut self, now: Moment, floor: &mut Floor, program: &Program) {
        let is_back = std::mem::take(&mut self.is_removed);
        if is_back {
            self.is_up = program.autostart;
        }
        let old = std::mem::replace(&mut self.program, Arc::new(program.clone()));
        let Processes { min, max } = program.processes;
        if old.processes != program.processes {
            self.is_by_hand = false;
            self.count = self.count.clamp(min, max);
        }
        if old.stop.patiences() != program.stop.patiences() {
            let rests = floor.remains.values_mut().filter(|rest| rest.program == self.name);
            let leaves = self.slots.values_mut().flat_map(Slot::leaves_mut);
            leaves
                .chain(rests.map(|rest| &mut rest.leave))
                .for_each(|leave| leave.set_patience(now, &program.stop));
        }
        if change(&old, program).needs_restart() {
            self.begin_rollout(now, floor, "its configuration changed");
            if is_back {
                // Nothing of it runs any more that could be lost.
                self.prove();
            }
        }
    }

    /// Whether processes are coming up for the first time, so that what is counted is not what will be; for a minute.
    pub(crate) fn is_coming_up(&self, now: Moment) -> bool {
        let is_coming = |slot: &Slot| match &slot.state {
            State::Starting(up) => slot.last_end.is_none() && now.since(up.spawned) < Duration::from_secs(60),
            State::Backoff { .. } => slot.last_end.is_none(),
            State::Running(_)
            | State::CrashLooping
            | State::Stopping(_)
            | State::Draining(_)
            | State::Exited => false,
        };
        self.slots.values().any(|slot| slot.fate == Fate::Keep && is_coming(slot))
    }

    pub(crate) fn deadline(&self, floor: &Floor) -> Option<Moment> {
        // A lifetime that is over waits for the processes of other places; what becomes of them is what wakes us then.
        let may_expire = self.may_expire();
        let is_after = self.replace() == Replace::StopFirst;
        let of = |slot: &Slot| {
            slot.deadline(&self.program, floor, may_expire && (is_after || slot.beside == Beside::None))
        };
        self.slots.values().filter_map(of).min()
    }

    pub(crate) fn note_rollout(&self, floor: &mut Floor, step: impl Into<String>) {
        floor.note(Event::Rollout { program: self.name.to_string(), step: step.into() });
    }
}
