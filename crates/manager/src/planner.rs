//! What is to be done so that the processes are as they should be.
//!
//! From: the configuration, and what the runner sees: processes that ended or are ready, memory, counts of the job
//! servers, changed files, commands. To: [`Action`]s, in order, with [`Planner::poll_action`].
//! Never: does IO, reads a clock or draws unseeded chance; the same inputs give the same actions.
//!
//! The way of a process: a `pool` wants a place filled, `slot` spawns into it, `rollout` and lifetimes let it
//! give way to a successor, `leave` gives it time to finish its job.

mod autoscale;
mod command;
mod event;
mod floor;
mod job;
mod leave;
mod moment;
mod pool;
mod random;
mod rollout;
mod slot;
mod state;
mod status;
mod wish;

pub use autoscale::{MachineLoad, Work};
pub use command::{Command, CommandError, Pick, Scale};
pub use event::{Event, for_people};
pub use floor::{Action, Sight, Spare};
pub use job::Job;
pub use leave::Leave;
pub use moment::Moment;
pub use state::{End, Orphan, ProcessId, State, Up};
pub use status::{PlaceStatus, PoolStatus, ProcessRole};
pub use wish::Wish;

use crate::config::{Config, Program, ProgramName, Stop};
use autoscale::{Decision, Range};
use floor::{Floor, Live, Remains};
use job::Word;
use pool::Pool;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Decides what is started, replaced and ended.
///
/// Inputs go in with `handle_*`; after each of them, or a few, [`Planner::poll_action`] is called until it has
/// nothing more: only then all that follows from them is seen. [`Planner::poll_timeout`] says when to call
/// [`Planner::handle_time`].
#[derive(Debug)]
pub struct Planner {
    floor: Floor,
    pools: BTreeMap<ProgramName, Pool>,
    load: MachineLoad,
    /// When something came in that all programs were not looked at for yet.
    news: Option<Moment>,
    has_ended: bool,
}

impl Planner {
    /// A planner for these programs; `seed` decides all jitter.
    ///
    /// Nothing is started before [`Planner::handle_time`], so that orphans can take their places first.
    #[must_use]
    pub fn new(seed: u64, config: &Config) -> Self {
        let pool = |(name, program): (&ProgramName, &Program)| {
            (name.clone(), Pool::new(name.clone(), Arc::new(program.clone())))
        };
        Self {
            floor: Floor::new(seed),
            pools: config.programs.iter().map(pool).collect(),
            load: MachineLoad::default(),
            news: None,
            has_ended: false,
        }
    }

    /// The next thing to do, if any.
    ///
    /// What came in since is looked at here, all of it together: each look is one at all programs.
    pub fn poll_action(&mut self) -> Option<Action> {
        let known = self.floor.poll_action();
        if known.is_some() {
            return known;
        }
        self.advance(self.news?);
        self.floor.poll_action()
    }

    /// When [`Planner::handle_time`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Moment> {
        let pools = self.pools.values().filter_map(|pool| pool.deadline(&self.floor));
        let remains = self.floor.remains.values().filter_map(|it| it.leave.deadline(&it.word));
        pools.chain(remains).chain(self.news).min()
    }

    /// Time has passed.
    pub fn handle_time(&mut self, now: Moment) {
        self.advance(now);
    }

    /// A new configuration: only what changed is restarted.
    ///
    /// Nothing is taken over once a shutdown is under way.
    pub fn handle_config(&mut self, now: Moment, config: &Config) {
        if self.floor.is_ending {
            return;
        }
        for (name, pool) in &mut self.pools {
            if !config.programs.contains_key(name) {
                pool.is_removed = true;
                pool.is_up = false;
            }
        }
        for (name, program) in &config.programs {
            match self.pools.get_mut(name) {
                Some(pool) => pool.handle_program(now, &mut self.floor, program),
                None => {
                    let mut pool = Pool::new(name.clone(), Arc::new(program.clone()));
                    // What is left of it from a time when it was there before.
                    let remains = self.floor.remains.iter().filter(|(_, rest)| rest.program == *name);
                    pool.rests = remains.map(|(process, rest)| (*process, rest.slot)).collect();
                    self.pools.insert(name.clone(), pool);
                }
            }
        }
        self.advance(now);
    }

    /// A process that another manager left behind, before the first configuration takes effect on its place.
    ///
    /// Those that may stay come first. `None` when there is no such program, or the place has a process already.
    pub fn handle_orphan(&mut self, now: Moment, program: &str, orphan: &Orphan) -> Option<ProcessId> {
        let pool = self.pools.get_mut(program)?;
        pool.handle_orphan(now, &mut self.floor, orphan)
    }

    /// A process that another manager left behind and that has no place: it is told to leave, with its whole group.
    ///
    /// `slot`: the place it had; the next process there waits for it where it is to be alone. `is_worker`: job servers
    /// tell whether it has a job.
    pub fn handle_stray(
        &mut self,
        now: Moment,
        program: &ProgramName,
        slot: u32,
        is_worker: bool,
        stop: &Stop,
    ) -> ProcessId {
        let process = self.floor.admit(program, slot, is_worker);
        if let Some(live) = self.floor.live.remove(&process) {
            self.add_remains(now, process, live, stop);
        }
        process
    }

    fn add_remains(&mut self, now: Moment, process: ProcessId, live: Live, stop: &Stop) {
        let Live { program, slot, word, .. } = live;
        if let Some(pool) = self.pools.get_mut(&program) {
            pool.rests.insert(process, slot);
        }
        let leave = Leave::new(now, process, stop);
        self.floor.remains.insert(process, Remains { program, slot, leave, word });
        let leave = self.floor.tell_to_leave(now, process, true, stop);
        if let Some(remains) = self.floor.remains.get_mut(&process) {
            remains.leave = leave;
        }
    }

    /// A process ended. `has_remains`: others of its process group are still there.
    pub fn handle_exited(&mut self, now: Moment, process: ProcessId, end: &End, has_remains: bool) {
        if let Some(live) = self.floor.live.remove(&process) {
            let stop = self.pools.get(&live.program).map(|pool| pool.program.stop);
            if let Some(stop) = stop.filter(|_| has_remains) {
                // They get the signal that their leader got or did not get, and the same time; the job may be theirs.
                self.add_remains(now, process, live.clone(), &stop);
            }
            if let Some(pool) = self.pools.get_mut(&live.program) {
                pool.handle_ended(now, &mut self.floor, live.slot, process, end);
            }
        } else if !has_remains {
            self.forget_rest(process);
        }
        self.news = Some(now);
    }

    fn forget_rest(&mut self, process: ProcessId) {
        let Some(rest) = self.floor.remains.remove(&process) else { return };
        if let Some(pool) = self.pools.get_mut(&rest.program) {
            pool.rests.remove(&process);
        }
    }

    /// Nothing is left of the process group of a process that ended before.
    pub fn handle_group_gone(&mut self, now: Moment, process: ProcessId) {
        self.forget_rest(process);
        self.news = Some(now);
    }

    /// The processes that ended and of whose process groups something is left.
    pub fn remains(&self) -> impl Iterator<Item = ProcessId> {
        self.floor.remains.keys().copied()
    }

    /// A job server lists the process as able to do all of its functions.
    pub fn handle_ready(&mut self, now: Moment, process: ProcessId) {
        if let Some((pool, slot)) = self.place(process) {
            let name = pool.name.clone();
            if let Some(pool) = self.pools.get_mut(&name) {
                pool.handle_ready(now, &mut self.floor, slot, process);
            }
            self.news = Some(now);
        }
    }

    /// What the job servers say of a process that is not ready; it counts when its time to become ready is over.
    pub fn handle_sight(&mut self, process: ProcessId, sight: Sight) {
        if let Some(live) = self.floor.live.get_mut(&process) {
            live.sight = sight;
        }
    }

    /// What is known of the jobs of processes; `as_of`: when the servers that answer were asked, if any does.
    pub fn handle_jobs(
        &mut self,
        now: Moment,
        as_of: Option<Moment>,
        jobs: impl IntoIterator<Item = (ProcessId, Job)>,
    ) {
        for (process, job) in jobs {
            let Some(word) = self.floor.word_mut(process) else { continue };
            let had_job = word.has_job();
            word.job = job;
            word.as_of = as_of.or(word.as_of);
            let word = *word;
            if had_job
                && !word.has_job()
                && let Some(leave) = self.leave_mut(process)
            {
                leave.handle_job_ended(now);
            }
            self.note_held(process, &word);
        }
        if self.leaving().next().is_some() {
            self.news = Some(now);
        }
    }

    /// A process did not get its stop signal: it would die of it, and may have a job.
    pub fn handle_held(&mut self, now: Moment, process: ProcessId) {
        let word = self.floor.word(process);
        if let Some(leave) = self.leave_mut(process) {
            leave.handle_held();
            self.note_held(process, &word);
            self.news = Some(now);
        }
    }

    fn note_held(&mut self, process: ProcessId, word: &Word) {
        let is_news = self.leave_mut(process).is_some_and(|leave| leave.poll_held_for_job(word));
        if let Some(program) = self.floor.program(process).filter(|_| is_news).map(ToString::to_string) {
            self.floor.note(Event::Held { program, process });
        }
    }

    fn leave_mut(&mut self, process: ProcessId) -> Option<&mut Leave> {
        match self.floor.live.get(&process) {
            Some(live) => {
                let slot = self.pools.get_mut(&live.program)?.slots.get_mut(&live.slot)?;
                slot.leaves_mut().find(|leave| leave.process == process)
            }
            None => self.floor.remains.get_mut(&process).map(|remains| &mut remains.leave),
        }
    }

    /// The memory of a process with all of its group, in bytes.
    pub fn handle_memory(&mut self, now: Moment, process: ProcessId, bytes: u64) {
        if let Some((pool, slot)) = self.place(process)
            && pool.program.memory_bytes_max.is_some_and(|max| bytes > max)
        {
            let name = pool.name.clone();
            if let Some(pool) = self.pools.get_mut(&name) {
                pool.handle_memory(now, &mut self.floor, slot, process, bytes);
            }
            self.news = Some(now);
        }
    }

    /// Whether any job server answers.
    pub fn handle_servers(&mut self, now: Moment, do_answer: bool) {
        match (do_answer, self.floor.servers_since) {
            (true, None) => self.floor.servers_since = Some(now),
            (false, Some(_)) => self.floor.servers_since = None,
            (true, Some(_)) | (false, None) => return,
        }
        self.news = Some(now);
    }

    /// How busy the machine is.
    pub fn handle_load(&mut self, load: MachineLoad) {
        self.load = load;
    }

    /// What the job servers count for the functions of a program.
    pub fn handle_work(&mut self, now: Moment, program: &str, work: &Work) {
        let Some(pool) = self.pools.get_mut(program) else { return };
        let Some(rule) = pool.program.autoscale else { return };
        if !pool.is_up || pool.is_by_hand {
            pool.scaling.forget();
            return;
        }
        let is_coming_up = pool.is_coming_up(now);
        let processes = pool.program.processes;
        let range = Range { count: pool.count, min: processes.min, max: processes.max, is_coming_up };
        let program = pool.name.to_string();
        match pool.scaling.decide(now, &rule, work, &self.load, range) {
            Decision::Stay => {}
            Decision::Refused(why) => self.floor.note(Event::NotScaled { program, why }),
            Decision::To(to, why) => {
                let from = std::mem::replace(&mut pool.count, to);
                self.floor.note(Event::Scaled { program, from, to, why });
                self.news = Some(now);
            }
        }
    }

    /// A watched path of a program changed.
    pub fn handle_changed(&mut self, now: Moment, program: &str, what: &str) {
        if let Some(pool) = self.pools.get_mut(program).filter(|pool| pool.is_up) {
            pool.begin_rollout(now, &mut self.floor, what);
            self.news = Some(now);
        }
    }

    /// All processes are to end, those of the programs that others come after last.
    pub fn handle_shutdown(&mut self, now: Moment, why: &str) {
        if !self.floor.is_ending {
            self.floor.note(Event::ShuttingDown { why: why.to_owned() });
            self.floor.is_ending = true;
            for pool in self.pools.values_mut() {
                pool.is_up = false;
            }
        }
        self.advance(now);
    }

    /// Nobody wants to wait any longer in a shutdown: whatever was told to leave, or is told later, is killed at once,
    /// in the middle of its job or not.
    pub fn handle_hurry(&mut self, now: Moment, why: &str) {
        self.floor.note(Event::Hurried { why: why.to_owned() });
        self.floor.is_hurried = true;
        self.hurry(now, &Pick::All);
        self.advance(now);
    }

    /// Whether a shutdown is under way.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        self.floor.is_ending
    }

    fn place(&self, process: ProcessId) -> Option<(&Pool, u32)> {
        let live = self.floor.live.get(&process)?;
        Some((self.pools.get(&live.program)?, live.slot))
    }

    /// Does all that is due, program by program, until nothing more follows from it.
    fn advance(&mut self, now: Moment) {
        self.news = None;
        loop {
            let needed = self.needed_by_others();
            let in_the_way = self.in_the_way();
            for (name, pool) in &mut self.pools {
                let before = pool.program.after.iter().find_map(|before| in_the_way.get(before));
                let may_start = before.map_or(Ok(()), |before| Err(before.as_str()));
                let may_stop = !self.floor.is_ending || !needed.contains(name);
                pool.advance(now, &mut self.floor, may_start, may_stop);
            }
            self.pools.retain(|_, pool| !pool.is_removed || !pool.slots.is_empty() || !pool.rests.is_empty());
            if in_the_way == self.in_the_way() && needed == self.needed_by_others() {
                break;
            }
        }
        let mut remains = std::mem::take(&mut self.floor.remains);
        for rest in remains.values_mut() {
            self.floor.see_off(now, &rest.program, &mut rest.leave, &rest.word, true);
        }
        self.floor.remains = remains;
        let is_done = self.floor.is_ending && self.floor.live.is_empty() && self.floor.remains.is_empty();
        if is_done && !self.has_ended {
            self.has_ended = true;
            self.floor.act(Action::End);
        }
    }

    /// Programs that others come after, and that were not ready yet.
    fn in_the_way(&self) -> BTreeSet<ProgramName> {
        let awaited = self.pools.values().flat_map(|pool| &pool.program.after);
        let is_in_the_way = |name: &&ProgramName| self.pools.get(*name).is_some_and(Pool::is_in_the_way);
        awaited.filter(is_in_the_way).cloned().collect()
    }

    /// Programs that come before one which still has processes.
    fn needed_by_others(&self) -> BTreeSet<ProgramName> {
        let live = self.pools.values().filter(|pool| pool.processes() > 0 || !pool.rests.is_empty());
        live.flat_map(|pool| pool.program.after.iter().cloned()).collect()
    }
}
