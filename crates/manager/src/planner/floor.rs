//! What all programs share: chance, the numbers of processes, and what is to be done.
//!
//! From: the planner and its programs. To: the runner, action by action. Never: decides.

use super::event::Event;
use super::job::Word;
use super::leave::{Due, Leave};
use super::moment::Moment;
use super::random::Random;
use super::state::ProcessId;
use crate::config::{Program, ProgramName, Stop};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// What the runner is to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Spawn a process; where that fails, [`super::Planner::handle_exited`] is told [`super::End::NotSpawned`].
    Spawn {
        /// Its number.
        process: ProcessId,
        /// Its program.
        name: ProgramName,
        /// Its place in the program, from 0.
        slot: u32,
        /// What it is.
        program: Arc<Program>,
        /// Which change of its program it is spawned after: what is known of processes of another one need not be true
        /// of it.
        version: u64,
    },
    /// Tell a process to leave, with the stop signal of its program.
    Stop {
        /// Which one.
        process: ProcessId,
        /// Whether its whole process group is meant, whatever its program says.
        group: bool,
        /// Whether it is not sent to one that would die of it; [`super::Planner::handle_held`] is told then.
        spare: Spare,
    },
    /// Kill a process with its whole process group.
    Kill {
        /// Which one.
        process: ProcessId,
    },
    /// Write an event into the log.
    Note(Event),
    /// All processes are gone after a shutdown: the manager ends.
    End,
}

/// Whose stop signal waits for the end of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spare {
    /// Nobody's: there is no job, or it waited long enough.
    Nobody,
    /// That of a process which would die of it for certain: it has a job, or nobody knows. Its patience has no end, and
    /// one that only may die would wait for as long as its function has jobs.
    WouldDie,
    /// Also that of one which has a handler and may die all the same.
    MayDie,
}

/// What is known of a live process.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    pub(crate) program: ProgramName,
    pub(crate) slot: u32,
    pub(crate) word: Word,
    pub(crate) sight: Sight,
}

/// What the job servers say of a process that is not ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// None lists it; what was seen instead.
    Unseen(String),
    /// One lists a worker that it may be; what is not as it should be there.
    Likely(String),
}

/// A process that belongs to no place: what is left of a group whose leader ended, or an orphan of a program
/// that is no more.
#[derive(Debug, Clone)]
pub(crate) struct Remains {
    pub(crate) program: ProgramName,
    /// The place that its leader had.
    pub(crate) slot: u32,
    pub(crate) leave: Leave,
    pub(crate) word: Word,
}

#[derive(Debug)]
pub(crate) struct Floor {
    pub(crate) random: Random,
    pub(crate) live: BTreeMap<ProcessId, Live>,
    pub(crate) remains: BTreeMap<ProcessId, Remains>,
    /// Since when a job server answers; without, none does, and readiness cannot be seen.
    pub(crate) servers_since: Option<Moment>,
    pub(crate) is_ending: bool,
    /// Nobody who is told to leave is waited for.
    pub(crate) is_hurried: bool,
    actions: VecDeque<Action>,
    next_process: u64,
}

impl Floor {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            live: BTreeMap::new(),
            remains: BTreeMap::new(),
            servers_since: None,
            is_ending: false,
            is_hurried: false,
            actions: VecDeque::new(),
            next_process: 1,
        }
    }

    pub(crate) fn act(&mut self, action: Action) {
        self.actions.push_back(action);
    }

    pub(crate) fn note(&mut self, event: Event) {
        self.act(Action::Note(event));
    }

    pub(crate) fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// A number for a process of this place; `is_worker`: job servers tell whether it has a job.
    pub(crate) fn admit(&mut self, program: &ProgramName, slot: u32, is_worker: bool) -> ProcessId {
        let process = ProcessId(self.next_process);
        self.next_process += 1;
        let sight = Sight::Unseen("no job server was asked since".to_owned());
        self.live.insert(process, Live { program: program.clone(), slot, word: Word::new(is_worker), sight });
        process
    }

    /// The program of a process, also of what is left of its group.
    pub(crate) fn program(&self, process: ProcessId) -> Option<&ProgramName> {
        let of_live = self.live.get(&process).map(|live| &live.program);
        of_live.or_else(|| Some(&self.remains.get(&process)?.program))
    }

    /// The last word about the jobs of a process, also of what is left of its group.
    pub(crate) fn word(&self, process: ProcessId) -> Word {
        let of_live = self.live.get(&process).map(|live| live.word);
        of_live.or_else(|| Some(self.remains.get(&process)?.word)).unwrap_or_default()
    }

    pub(crate) fn word_mut(&mut self, process: ProcessId) -> Option<&mut Word> {
        match self.live.get_mut(&process) {
            Some(live) => Some(&mut live.word),
            None => self.remains.get_mut(&process).map(|remains| &mut remains.word),
        }
    }

    /// Tells a process to leave; `group`: all that is left of its group.
    pub(crate) fn tell_to_leave(
        &mut self,
        now: Moment,
        process: ProcessId,
        group: bool,
        stop: &Stop,
    ) -> Leave {
        let word = self.word(process);
        let has_none = !word.has_job() && word.is_of(now);
        let spare = match stop.patience {
            _ if self.is_hurried || has_none => Spare::Nobody,
            None => Spare::WouldDie,
            Some(_) => Spare::MayDie,
        };
        self.act(Action::Stop { process, group, spare });
        let mut leave = Leave::new(now, process, stop);
        if self.is_hurried
            && let Some(program) = self.program(process).cloned()
        {
            leave.hurry(now);
            self.see_off(now, &program, &mut leave, &word, group);
        }
        leave
    }

    /// Does what is due of a process that was told to leave; `group`: all that is left of its group.
    pub(crate) fn see_off(
        &mut self,
        now: Moment,
        program: &ProgramName,
        leave: &mut Leave,
        word: &Word,
        group: bool,
    ) {
        let process = leave.process;
        match leave.poll_due(now, word) {
            None => {}
            Some(Due::Signal) => self.act(Action::Stop { process, group, spare: Spare::Nobody }),
            Some(Due::Kill) => {
                self.act(Action::Kill { process });
                let program = program.to_string();
                self.note(Event::Killed { program, process, had_job: word.has_job() });
            }
        }
    }
}
