//! What comes after a process of a place: another one at once or after a pause, or none.
//!
//! From: the end of a process, or that it is given up. To: the state of the place. Never: a row of failures, or of
//! forks, without pauses.

use super::{Beside, Context, Ended, Fate, Next, Slot};
use crate::config::{Program, Restart};
use crate::limits::{AT_ONCE_MAX, AT_ONCE_PAUSE, AT_ONCE_WITHIN, MEMORY_LIFE, ROW_END_MIN};
use crate::planner::moment::Moment;
use crate::planner::state::{End, ProcessId, State};
use std::time::Duration;

impl Slot {
    /// Notes that the process that is told to leave, or to be replaced, soon had too much memory: one that cannot do
    /// with less is not replaced without end.
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
            self.fate = Fate::Over;
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
    pub(super) fn count_failure(&mut self, cx: &mut Context<'_>) -> Next {
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

    pub(super) fn retry_later(&mut self, cx: &mut Context<'_>) {
        self.failures = self.failures.saturating_add(1);
        // Nothing else slows this down where `backoff-first` is none.
        let pause = pause(cx.program, self.failures.saturating_add(1)).max(AT_ONCE_PAUSE);
        self.retry = Some(cx.now + cx.floor.random.around(pause, cx.program.backoff.jitter));
    }
}

/// The pause after so many failures in a row: none after the first.
fn pause(program: &Program, failures: u32) -> Duration {
    let backoff = &program.backoff;
    if failures <= 1 {
        return Duration::ZERO;
    }
    let exponent = i32::try_from(failures - 2).unwrap_or(i32::MAX);
    let seconds = backoff.first.as_secs_f64() * backoff.factor.powi(exponent);
    Duration::try_from_secs_f64(seconds).unwrap_or(backoff.max).min(backoff.max)
}
