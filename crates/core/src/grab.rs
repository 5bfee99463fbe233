//! Grabbing: a worker asks for work and gets the first job of the best function it is able to do.
//!
//! From: `Core::handle_request` with `Request::Grab`.
//! To: `JOB_ASSIGN*` or `NO_JOB`; the job is running. Where its workload is not in memory, see `backlog.rs`.
//! Never: waits, reads the clock, changes the store (being grabbed is not a durable change).

use crate::conn::Sleep;
use crate::core::Core;
use crate::event::Event;
use crate::function::FunctionKey;
use crate::ids::{ConnId, Ticket};
use crate::job::{JobKey, Running, State};
use crate::outbox::{Answer, Outbox};
use crate::persist::Outcome;
use crate::settings::FunctionOrder;
use crate::timers::{Alarm, DUE_MAX, Due};
use geartrain_proto::{GrabKind, Priority, Response};
use std::cmp::Reverse;

impl Core {
    pub(crate) fn grab(&mut self, conn: ConnId, kind: GrabKind, out: &mut dyn Outbox) {
        let Some(peer) = self.conns.get_mut(conn) else { return };
        let woken = std::mem::replace(&mut peer.sleep, Sleep::Awake);
        let selected = if self.assigning { self.select_unexpired(conn, out) } else { None };
        match selected {
            Some(function) => {
                let (priority, key) =
                    self.jobs.line(function).first().expect("a selected function has a ready job");
                self.read_first(key, function, priority, out);
                self.assign(conn, key, function);
                if self.jobs.get(key).presence().is_here() {
                    self.limit_time(conn, key);
                    self.send_assignment(conn, key, kind, None, out);
                } else {
                    self.hold_assignment(conn, key, kind, out);
                }
                self.read_ahead(function, priority, out);
                self.rotate(conn, function);
                if self.jobs.line(function).is_limited() {
                    // Its gate opened for one worker at a time: there may be room for another (I10).
                    self.wake_if_ready(function, out);
                }
            }
            None => out.send(conn, Response::NoJob),
        }
        if woken != Sleep::Awake {
            self.drop_answered_wakes();
            // It was woken for one function and may have got a job of another (I10).
            self.wake_instead_of(woken, out);
        }
    }

    /// As [`Core::select`]; jobs whose wait is over although their timer was not looked at yet go first.
    fn select_unexpired(&mut self, conn: ConnId, out: &mut dyn Outbox) -> Option<FunctionKey> {
        for _ in 0..DUE_MAX {
            let function = self.select(conn)?;
            let (_, key) = self.jobs.line(function).first().expect("a selected function has a ready job");
            if !self.follow_expiry(key) {
                return Some(function);
            }
            self.die(key, Outcome::Expired, b"", out);
        }
        // The others go when the timers are looked at, which is now; the worker asks again then.
        None
    }

    /// The function whose first job this worker would get now.
    ///
    /// `PRE_SLEEP` asks the same question, so that a worker is never told of a job it does not get.
    pub(crate) fn select(&self, conn: ConnId) -> Option<FunctionKey> {
        let peer = self.conns.get(conn).filter(|peer| !self.is_suspended(peer))?;
        let precedence = |function: FunctionKey, rank: i64| {
            let (priority, _) = self.jobs.line(function).first()?;
            let precedence = match self.settings.function_order {
                FunctionOrder::LastRegistered | FunctionOrder::RoundRobin => (Reverse(Priority::High), rank),
                FunctionOrder::Priority => (Reverse(priority), rank),
            };
            Some((precedence, function))
        };
        let ready = self.jobs.ready_functions();
        // A worker may be able to do ten thousand functions of which three have jobs, or the reverse.
        let best = if ready.len() < peer.abilities().len() {
            let ability = |function: &FunctionKey| peer.ability(*function, &self.hash);
            ready
                .iter()
                .filter_map(ability)
                .filter_map(|it| precedence(it.function, it.rank))
                .max_by_key(|it| it.0)
        } else {
            peer.abilities().iter().filter_map(|it| precedence(it.function, it.rank)).max_by_key(|it| it.0)
        };
        best.map(|(_, function)| function)
    }

    /// The job is on the worker.
    fn assign(&mut self, conn: ConnId, key: JobKey, function: FunctionKey) {
        let number = self.jobs.get(key).number();
        if let State::Queued { expires, .. } = self.jobs.get(key).state() {
            self.timers.remove(*expires, Due::Job(number));
        }
        let peer = self.conns.get_mut(conn).expect("the grabbing connection is open");
        let index = u32::try_from(peer.running.len()).expect("a worker runs fewer than 2^32 jobs");
        peer.running.push(key);
        self.jobs.start(key, Running::new(conn, index, self.now));
        self.spend_rate(function);
    }

    /// The time that a worker has for a job begins.
    pub(crate) fn limit_time(&mut self, conn: ConnId, key: JobKey) {
        let job = self.jobs.get(key);
        let (number, function) = (job.number(), job.function());
        let own = self.conns.get(conn).and_then(|peer| peer.ability(function, &self.hash)?.timeout);
        if let Some(timeout) = own.or(self.functions.get(function).policy.timeout) {
            let deadline = self.now.moment.after(timeout);
            self.jobs.set_deadline(key, deadline);
            self.timers.set_alarm(deadline, Alarm::Deadline(number));
        }
    }

    /// Sends a job to its worker, behind all that was sent to it or to the place that is held for it.
    pub(crate) fn send_assignment(
        &self,
        conn: ConnId,
        key: JobKey,
        kind: GrabKind,
        place: Option<Ticket>,
        out: &mut dyn Outbox,
    ) {
        let job = self.jobs.get(key);
        let text = self.handles.text(job.number());
        let (handle, function) = (text.as_handle(), self.functions.name(job.function()));
        let workload = job.workload().expect("a job is sent when its workload is there");
        let unique = job.unique();
        let reducer = job.reducer().filter(|reducer| !reducer.is_empty());
        out.note(Event::Assigned { handle, function });
        let assignment = match (kind, reducer) {
            (GrabKind::Plain, _) => Response::JobAssign { handle, function, workload },
            (GrabKind::All, Some(reducer)) => {
                Response::JobAssignAll { handle, function, unique, reducer, workload }
            }
            (GrabKind::All, None) | (GrabKind::Unique, _) => {
                Response::JobAssignUniq { handle, function, unique, workload }
            }
        };
        match place {
            None => out.send(conn, assignment),
            Some(place) => out.replace(conn, place, Answer::Packet(assignment)),
        }
    }

    /// Where functions take turns, the one that was served goes behind the worker's others.
    fn rotate(&mut self, conn: ConnId, function: FunctionKey) {
        match self.settings.function_order {
            FunctionOrder::LastRegistered => {}
            FunctionOrder::RoundRobin | FunctionOrder::Priority => {
                if let Some(peer) = self.conns.get_mut(conn) {
                    peer.rank_last(function, &self.hash);
                }
            }
        }
    }
}
