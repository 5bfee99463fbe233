//! One place of a program: the process in it, and what comes after that.
//!
//! From: [`super::pool`], which says what is wanted. To: actions, and the state people see.
//! Never: decides how many places there are, or which version a process has.

mod ended;
mod time;

use super::event::Event;
use super::floor::{Action, Floor};
use super::leave::Leave;
use super::moment::Moment;
use super::state::{End, ProcessId, State, Up};
use crate::config::{Program, ProgramName};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// What a place works with: the time, the floor, and its program as it is now.
pub(crate) struct Context<'a> {
    pub(crate) now: Moment,
    pub(crate) floor: &'a mut Floor,
    pub(crate) name: &'a ProgramName,
    pub(crate) program: &'a Arc<Program>,
    /// Whether the program as a whole is to run.
    pub(crate) is_up: bool,
}

/// What stands before the reason for a process that waits for the rest of the last one's group.
const WAITS_FOR_REST: &str = "waits for the rest of its process group; ";

/// What is wanted of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// A process is to be there.
    Keep,
    /// None is to be there: a person said so.
    Stopped,
    /// None is to be there: the last one ended, and its program says to leave it at that.
    Over,
    /// The place itself goes away.
    Remove,
}

/// A second process of a place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Beside {
    None,
    /// It takes over when it is ready.
    Successor(Up),
    /// It was told to leave: a predecessor, or a successor that was not ready in time.
    Leaving(Leave),
}

/// What follows when the process that was told to leave is gone, and the place is kept.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Next {
    AtOnce,
    Pause(Duration),
    Hold,
}

/// What the end of a process means to its program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It was told to leave, or left as it should.
    AsWanted,
    /// It failed; with the version it was of, where it never was ready.
    Failed { unready: Option<u64> },
}

#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) number: u32,
    pub(crate) fate: Fate,
    pub(crate) state: State,
    pub(crate) since: Moment,
    pub(crate) why: String,
    pub(crate) beside: Beside,
    pub(crate) restarts: u64,
    pub(crate) last_end: Option<End>,
    /// Its first process has to wait until the programs before it are ready.
    pub(crate) waits_for_others: bool,
    /// Its next process has to wait until nothing is left of the last one's group.
    pub(crate) waits_for_rest: bool,
    /// The version of the last process that was to stay.
    pub(crate) version: u64,
    /// The version of its process, which ended as it should and is not to be replaced.
    pub(crate) done: Option<u64>,
    /// When a successor that failed is tried again, or one for the sake of memory may come.
    pub(crate) retry: Option<Moment>,
    next: Next,
    /// Failures in a row, for the pause.
    failures: u32,
    /// Those of them that never were ready, in a row.
    unready: u32,
    /// When failures were, for the crash loop.
    failed: VecDeque<Moment>,
    /// Processes in a row that soon had too much memory.
    fat: u32,
    /// Since when processes came at once after the last one, and how many.
    at_once: (Moment, u32),
    /// The state that the log had last.
    noted: &'static str,
}

impl Slot {
    pub(crate) fn new(now: Moment, number: u32) -> Self {
        Self {
            number,
            fate: Fate::Keep,
            state: State::Backoff { until: now },
            since: now,
            why: "not started yet".to_owned(),
            beside: Beside::None,
            restarts: 0,
            last_end: None,
            waits_for_others: false,
            waits_for_rest: false,
            version: 0,
            done: None,
            retry: None,
            next: Next::AtOnce,
            failures: 0,
            unready: 0,
            failed: VecDeque::new(),
            fat: 0,
            at_once: (now, 0),
            noted: "",
        }
    }

    /// Whether no process is left of it.
    pub(crate) fn is_empty(&self) -> bool {
        self.state.process().is_none() && self.beside == Beside::None
    }

    /// How many processes it has.
    pub(crate) fn processes(&self) -> u32 {
        u32::from(self.state.process().is_some()) + u32::from(self.beside != Beside::None)
    }

    /// Whether no other process is to come until somebody says so, or a change: now, or when the one that was given
    /// up is gone.
    pub(crate) fn is_held(&self) -> bool {
        match self.state {
            State::CrashLooping => true,
            State::Stopping(_) | State::Draining(_) => self.next == Next::Hold,
            State::Starting(_) | State::Running(_) | State::Backoff { .. } | State::Exited => false,
        }
    }

    fn set(&mut self, cx: &mut Context<'_>, state: State, why: impl Into<String>) {
        let why = why.into();
        // What is over in the same moment is no news.
        let is_passing = matches!(&state, State::Backoff { until } if *until <= cx.now);
        if !is_passing {
            cx.floor.note(Event::State {
                program: cx.name.to_string(),
                slot: self.number,
                process: state.process(),
                from: self.noted,
                to: state.name(),
                why: why.clone(),
            });
            self.noted = state.name();
        }
        if let Some(up) = state.up() {
            self.version = up.version;
        }
        self.state = state;
        self.since = cx.now;
        self.why = why;
        self.waits_for_rest = false;
    }

    /// A place whose process another manager left behind.
    pub(crate) fn adopt(&mut self, cx: &mut Context<'_>, up: Up) {
        self.set(cx, State::Starting(up), "left by the last manager, adopted");
    }

    /// Another process is wanted now, whatever held it back.
    pub(crate) fn release(&mut self, cx: &mut Context<'_>, why: &str) {
        self.failures = 0;
        self.unready = 0;
        self.fat = 0;
        self.failed.clear();
        self.done = None;
        self.next = Next::AtOnce;
        if self.state.process().is_none() {
            self.set(cx, State::Backoff { until: cx.now }, why);
        }
    }

    pub(crate) fn spawn(&mut self, cx: &mut Context<'_>, program: &Arc<Program>, version: u64) {
        let why = match &self.last_end {
            None => "first start".to_owned(),
            Some(_) => self.why.trim_start_matches(WAITS_FOR_REST).to_owned(),
        };
        self.waits_for_others = false;
        self.waits_for_rest = false;
        self.done = None;
        let up = self.spawn_process(cx, program, version);
        self.restarts += u64::from(self.last_end.is_some());
        self.set(cx, State::Starting(up), why);
    }

    /// The next process waits until nothing is left of the last one's group: that may hold its port or its file.
    pub(crate) fn wait_for_rest(&mut self) {
        if !self.waits_for_rest {
            self.waits_for_rest = true;
            self.why = format!("{WAITS_FOR_REST}{}", self.why);
        }
    }

    fn spawn_process(&mut self, cx: &mut Context<'_>, program: &Arc<Program>, version: u64) -> Up {
        let is_worker = !program.functions.is_empty();
        let process = cx.floor.admit(cx.name, self.number, is_worker);
        cx.floor.act(Action::Spawn {
            process,
            name: cx.name.clone(),
            slot: self.number,
            program: Arc::clone(program),
            version,
        });
        Up { process, spawned: cx.now, is_worker, version, expires: lifetime_end(cx, cx.now) }
    }

    /// Spawns the process that takes over when it is ready.
    pub(crate) fn spawn_successor(
        &mut self,
        cx: &mut Context<'_>,
        program: &Arc<Program>,
        version: u64,
        why: &str,
    ) {
        let up = self.spawn_process(cx, program, version);
        self.note_beside(cx, up.process, format!("has a successor starting: {why}"));
        self.retry = None;
        self.beside = Beside::Successor(up);
    }

    fn note_beside(&self, cx: &mut Context<'_>, process: ProcessId, what: String) {
        cx.floor.note(Event::Beside { program: cx.name.to_string(), slot: self.number, process, what });
    }

    /// Tells the process to leave in the course of things; the next one comes at once.
    pub(crate) fn drain(&mut self, cx: &mut Context<'_>, why: impl Into<String>) {
        if let Some(up) = self.state.up() {
            let leave = tell_to_leave(cx, up.process);
            self.next = Next::AtOnce;
            self.set(cx, State::Draining(leave), why);
        }
        self.leave_beside(cx);
    }

    /// Tells the process to leave since nobody wants it any more.
    pub(crate) fn stop(&mut self, cx: &mut Context<'_>, why: impl Into<String>) {
        match &self.state {
            State::Starting(up) | State::Running(up) => {
                let leave = tell_to_leave(cx, up.process);
                self.next = Next::AtOnce;
                self.set(cx, State::Stopping(leave), why);
            }
            State::Draining(leave) => {
                let leave = leave.clone();
                self.set(cx, State::Stopping(leave), why);
            }
            State::Backoff { .. } | State::CrashLooping => self.set(cx, State::Exited, why),
            State::Stopping(_) | State::Exited => {}
        }
        self.leave_beside(cx);
    }

    pub(crate) fn leave_beside(&mut self, cx: &mut Context<'_>) {
        if let Beside::Successor(up) = &self.beside {
            let process = up.process;
            self.beside = Beside::Leaving(tell_to_leave(cx, process));
            self.note_beside(cx, process, "has a successor that is told to leave".to_owned());
        }
    }

    /// A process is ready.
    pub(crate) fn handle_ready(&mut self, cx: &mut Context<'_>, process: ProcessId, why: &str) {
        if let State::Starting(up) = &self.state
            && up.process == process
        {
            let up = up.clone();
            self.set(cx, State::Running(up), why);
            return;
        }
        let Beside::Successor(successor) = &self.beside else { return };
        if successor.process != process {
            return;
        }
        let successor = successor.clone();
        self.beside = match self.state.up() {
            Some(old) => Beside::Leaving(tell_to_leave(cx, old.process)),
            None => Beside::None,
        };
        self.restarts += 1;
        // What failed before was not this one.
        self.failures = 0;
        self.unready = 0;
        self.set(cx, State::Running(successor), format!("{why}; its predecessor is told to leave"));
    }

    /// The leave of each of its processes that was told to leave.
    pub(crate) fn leaves(&self) -> impl Iterator<Item = &Leave> {
        let main = match &self.state {
            State::Stopping(leave) | State::Draining(leave) => Some(leave),
            State::Starting(_)
            | State::Running(_)
            | State::Backoff { .. }
            | State::Exited
            | State::CrashLooping => None,
        };
        let beside = match &self.beside {
            Beside::Leaving(leave) => Some(leave),
            Beside::None | Beside::Successor(_) => None,
        };
        main.into_iter().chain(beside)
    }

    pub(crate) fn leaves_mut(&mut self) -> impl Iterator<Item = &mut Leave> {
        let main = match &mut self.state {
            State::Stopping(leave) | State::Draining(leave) => Some(leave),
            State::Starting(_)
            | State::Running(_)
            | State::Backoff { .. }
            | State::Exited
            | State::CrashLooping => None,
        };
        let beside = match &mut self.beside {
            Beside::Leaving(leave) => Some(leave),
            Beside::None | Beside::Successor(_) => None,
        };
        main.into_iter().chain(beside)
    }
}

fn tell_to_leave(cx: &mut Context<'_>, process: ProcessId) -> Leave {
    cx.floor.tell_to_leave(cx.now, process, false, &cx.program.stop)
}

/// When a process that was spawned then has lived long enough: up to the jitter earlier.
pub(crate) fn lifetime_end(cx: &mut Context<'_>, spawned: Moment) -> Option<Moment> {
    let lifetime = cx.program.lifetime?;
    let jitter = cx.program.lifetime_jitter.clamp(0.0, 1.0);
    let mean = lifetime.mul_f64(1.0 - jitter / 2.0);
    Some(spawned + cx.floor.random.around(mean, jitter / (2.0 - jitter)))
}
