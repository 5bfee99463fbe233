//! One place of a program: the process in it, and what comes after that.
//!
//! From: [`super::pool`], which says what is wanted. To: actions, and the state people see.
//! Never: decides how many places there are, or which version a process has.

use super::event::Event;
use super::floor::{Action, Floor, Sight};
use super::leave::Leave;
use super::moment::Moment;
use super::state::{End, ProcessId, State, Up};
use crate::config::{Program, ProgramName, Restart};
use crate::limits::{AT_ONCE_MAX, AT_ONCE_PAUSE, AT_ONCE_WITHIN, MEMORY_LIFE, ROW_END_MIN};
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
    /// None is to be there.
    Empty,
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

    /// Notes that the process that is told to leave, or to be replaced, soon had too much memory: one that cannot do with
    /// less is not replaced without end.
    pub(crate) fn count_fat(&mut self, cx: &mut Context<'_>, lived: Duration) {
        // It may have had to stay for the pause before.
        let is_soon = lived < MEMORY_LIFE + cx.program.backoff.max;
        self.fat = if is_soon { self.fat.saturating_add(1) } else { 0 };
        let pause = pause(cx.program, self.fat);
        if pause.is_zero() {
            return;
        }
        let pause = cx.floor.random.around(pause, cx.program.backoff.jitter);
        if matches!(self.state, State::Draining(_)) {
            self.next = Next::Pause(pause);
        } else {
            self.retry = Some(cx.now + pause);
        }
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

    /// A process ended.
    pub(crate) fn handle_ended(&mut self, cx: &mut Context<'_>, process: ProcessId, end: &End) -> Ended {
        match &self.beside {
            Beside::Leaving(leave) if leave.process == process => {
                self.beside = Beside::None;
                self.note_beside(cx, process, format!("has lost the process that was to leave: {end}"));
                return Ended::AsWanted;
            }
            Beside::Successor(up) if up.process == process => {
                let version = up.version;
                self.beside = Beside::None;
                self.note_beside(cx, process, format!("has lost its successor before it was ready: {end}"));
                self.retry_later(cx);
                return Ended::Failed { unready: Some(version) };
            }
            Beside::None | Beside::Leaving(_) | Beside::Successor(_) => {}
        }
        if self.state.process() != Some(process) {
            return Ended::AsWanted;
        }
        self.last_end = Some(end.clone());
        let state = std::mem::replace(&mut self.state, State::Exited);
        let ended = match &state {
            State::Starting(up) => {
                let is_done = self.is_success(cx, end) && cx.program.restart != Restart::Always;
                if is_done { Ended::AsWanted } else { Ended::Failed { unready: Some(up.version) } }
            }
            State::Running(_) if self.is_success(cx, end) && !self.is_short_life(cx) => Ended::AsWanted,
            State::Running(_) => Ended::Failed { unready: None },
            State::Stopping(_)
            | State::Draining(_)
            | State::Backoff { .. }
            | State::Exited
            | State::CrashLooping => Ended::AsWanted,
        };
        self.state = state;
        // The successor is the process of this place now.
        if let Beside::Successor(up) = &self.beside {
            let up = up.clone();
            self.beside = Beside::None;
            self.restarts += 1;
            self.set(cx, State::Starting(up), format!("its predecessor left: {end}"));
            return if ended == Ended::AsWanted { ended } else { Ended::Failed { unready: None } };
        }
        self.follow(cx, end, &ended);
        ended
    }

    /// What comes after a process that ended.
    fn follow(&mut self, cx: &mut Context<'_>, end: &End, ended: &Ended) {
        if self.fate != Fate::Keep || !cx.is_up {
            self.set(cx, State::Exited, format!("{}: {end}", self.why));
            return;
        }
        let is_told = matches!(self.state, State::Stopping(_) | State::Draining(_));
        let is_wanted = is_told
            || match cx.program.restart {
                Restart::Always => true,
                Restart::OnFailure => *ended != Ended::AsWanted,
                Restart::Never => false,
            };
        if !is_wanted {
            self.done = self.state.up().filter(|_| *ended == Ended::AsWanted).map(|up| up.version);
            self.fate = Fate::Empty;
            self.set(cx, State::Exited, format!("{end}, and restart says to leave it at that"));
            return;
        }
        let next = match ended {
            Ended::AsWanted => self.next,
            Ended::Failed { .. } => self.count_failure(cx),
        };
        let why = if is_told { format!("{}: {end}", self.why) } else { format!("the last one ended: {end}") };
        self.next = Next::AtOnce;
        let row = match self.failures {
            0 => String::new(),
            failures => format!(", failure {failures} in a row"),
        };
        match if next == Next::AtOnce { self.paced(cx.now) } else { next } {
            Next::AtOnce => self.set(cx, State::Backoff { until: cx.now }, why),
            Next::Pause(pause) => {
                self.set(cx, State::Backoff { until: cx.now + pause }, format!("{why}{row}"));
            }
            Next::Hold => {
                let why = format!("{why}{row} (hint: ctl start {})", cx.name);
                self.set(cx, State::CrashLooping, why);
            }
        }
    }

    /// What comes at once does so not without end: no configuration makes a loop of forks.
    fn paced(&mut self, now: Moment) -> Next {
        if now.since(self.at_once.0) >= AT_ONCE_WITHIN {
            self.at_once = (now, 0);
        }
        self.at_once.1 = self.at_once.1.saturating_add(1);
        if self.at_once.1 > AT_ONCE_MAX { Next::Pause(AT_ONCE_PAUSE) } else { Next::AtOnce }
    }

    /// Whether a process that is to run on ended as soon as it was ready: no exit status makes that well.
    fn is_short_life(&self, cx: &Context<'_>) -> bool {
        cx.program.restart == Restart::Always && cx.now.since(self.since) < cx.program.short_life
    }

    fn is_success(&self, cx: &Context<'_>, end: &End) -> bool {
        match end {
            End::Code(code) => cx.program.exit_codes.iter().any(|it| i32::from(*it) == *code),
            End::Unknown => true,
            End::Signal(_) | End::NotSpawned(_) => false,
        }
    }

    /// A failure more, and what follows from it.
    fn count_failure(&mut self, cx: &mut Context<'_>) -> Next {
        let backoff = &cx.program.backoff;
        if matches!(self.state, State::Running(_)) {
            self.unready = 0;
            if cx.now.since(self.since) >= backoff.max.max(ROW_END_MIN) {
                self.failures = 0;
            }
        } else {
            self.unready = self.unready.saturating_add(1);
        }
        self.failures = self.failures.saturating_add(1);
        if let Some(crash_loop) = &cx.program.crash_loop {
            self.failed.push_back(cx.now);
            while self.failed.front().is_some_and(|first| cx.now.since(*first) > crash_loop.within) {
                self.failed.pop_front();
            }
            let lately = u32::try_from(self.failed.len()).unwrap_or(u32::MAX);
            // What takes long to become ready, and never is, would never fail often enough within that time.
            if lately.max(self.unready) >= crash_loop.exits {
                return Next::Hold;
            }
        }
        match pause(cx.program, self.failures) {
            pause if pause.is_zero() => Next::AtOnce,
            pause => Next::Pause(cx.floor.random.around(pause, backoff.jitter)),
        }
    }

    fn retry_later(&mut self, cx: &mut Context<'_>) {
        self.failures = self.failures.saturating_add(1);
        let pause = pause(cx.program, self.failures.saturating_add(1));
        self.retry = Some(cx.now + cx.floor.random.around(pause, cx.program.backoff.jitter));
    }

    /// Does what is due by the clock; says what a process that was not ready in time means.
    pub(crate) fn handle_time(&mut self, cx: &mut Context<'_>) -> Ended {
        if let State::Stopping(leave) | State::Draining(leave) = &mut self.state {
            let word = cx.floor.word(leave.process);
            cx.floor.see_off(cx.now, cx.name, leave, &word, false);
        }
        if let Beside::Leaving(leave) = &mut self.beside {
            let word = cx.floor.word(leave.process);
            cx.floor.see_off(cx.now, cx.name, leave, &word, false);
        }
        let (now, program) = (cx.now, cx.program);
        let by_time = |up: &Up| !up.is_worker && now.since(up.spawned) >= program.ready.after;
        if let State::Starting(up) = &self.state
            && by_time(up)
        {
            let process = up.process;
            self.handle_ready(cx, process, "it stayed up");
        }
        if let Beside::Successor(up) = &self.beside
            && by_time(up)
        {
            let process = up.process;
            self.handle_ready(cx, process, "it stayed up");
        }
        self.check_ready_in_time(cx)
    }

    fn check_ready_in_time(&mut self, cx: &mut Context<'_>) -> Ended {
        let is_late =
            |up: &Up| ready_deadline(up, cx.program, cx.floor).is_some_and(|deadline| cx.now >= deadline);
        let (up, is_successor) = match (&self.beside, &self.state) {
            (Beside::Successor(up), _) if is_late(up) => (up, true),
            (_, State::Starting(up)) if is_late(up) => (up, false),
            _ => return Ended::AsWanted,
        };
        let (process, version) = (up.process, up.version);
        match sight(cx, process) {
            Ok(why) => {
                self.handle_ready(cx, process, &why);
                return Ended::AsWanted;
            }
            Err(why) if is_successor => {
                self.note_beside(cx, process, format!("has a successor that is given up: {why}"));
                self.leave_beside(cx);
                self.retry_later(cx);
            }
            Err(why) => {
                self.next = self.count_failure(cx);
                let leave = tell_to_leave(cx, process);
                self.set(cx, State::Stopping(leave), why);
            }
        }
        Ended::Failed { unready: Some(version) }
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

    /// When to look at it again. `may_expire`: its process can give way to another one now.
    pub(crate) fn deadline(&self, program: &Program, floor: &Floor, may_expire: bool) -> Option<Moment> {
        let of_leave = |leave: &Leave| leave.deadline(&floor.word(leave.process));
        let of_start = |up: &Up| {
            if up.is_worker {
                ready_deadline(up, program, floor)
            } else {
                Some(up.spawned + program.ready.after)
            }
        };
        let main = match &self.state {
            State::Starting(up) => of_start(up),
            State::Running(up) if may_expire => {
                up.expires.map(|expires| self.retry.map_or(expires, |retry| retry.max(expires)))
            }
            State::Running(_) | State::Exited | State::CrashLooping => None,
            State::Backoff { until } => {
                Some(*until).filter(|_| !self.waits_for_others && !self.waits_for_rest)
            }
            State::Stopping(leave) | State::Draining(leave) => of_leave(leave),
        };
        let beside = match &self.beside {
            Beside::None => None,
            Beside::Successor(up) => of_start(up),
            Beside::Leaving(leave) => of_leave(leave),
        };
        main.into_iter().chain(beside).min()
    }
}

/// The pause after so many failures in a row: none after the first.
pub(crate) fn pause(program: &Program, failures: u32) -> Duration {
    let backoff = &program.backoff;
    if failures <= 1 {
        return Duration::ZERO;
    }
    let exponent = i32::try_from(failures - 2).unwrap_or(i32::MAX);
    let seconds = backoff.first.as_secs_f64() * backoff.factor.powi(exponent);
    Duration::try_from_secs_f64(seconds).unwrap_or(backoff.max).min(backoff.max)
}

/// When a process that is listed by no job server yet is given up; only time in which one answers counts.
fn ready_deadline(up: &Up, program: &Program, floor: &Floor) -> Option<Moment> {
    if !up.is_worker {
        return None;
    }
    Some(up.spawned.max(floor.servers_since?) + program.ready.within?)
}

/// Whether a process that no job server lists for certain in time is one that works all the same, and why.
fn sight(cx: &Context<'_>, process: ProcessId) -> Result<String, String> {
    match cx.floor.live.get(&process).map(|live| &live.sight) {
        Some(Sight::Likely(seen)) => Ok(format!("no job server lists it for certain, but {seen}")),
        Some(Sight::Unseen(seen)) => {
            Err(format!("no job server listed it with its functions in time: {seen}"))
        }
        None => Err("no job server listed it with its functions in time".to_owned()),
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
