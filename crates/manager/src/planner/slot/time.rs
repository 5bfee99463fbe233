//! What is due of a place by the clock.
//!
//! From: the planner, whenever it is woken. To: kills, and processes that are ready or given up since they are late.
//! Never: gives up one while no job server answers.

use super::{Beside, Context, Ended, Slot, tell_to_leave};
use crate::config::Program;
use crate::planner::floor::{Floor, Sight};
use crate::planner::leave::Leave;
use crate::planner::moment::Moment;
use crate::planner::state::{ProcessId, State, Up};

impl Slot {
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
