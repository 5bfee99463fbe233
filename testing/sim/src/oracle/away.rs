//! Workloads out of memory: workers that wait for one, what is being read for them, and what a store that
//! cannot be read may hold up.
//!
//! From: held answers, reads and their ends. To: what the oracle holds each start and each `NO_JOB` against.
//! Never: knows which workloads are in memory; whoever gets a job gets the one that was submitted.

use super::shelves::Changes;
use super::{Cause, Oracle, State, handle_of, handle_text};
use crate::output::{Effect, Note};
use geartrain_core::{ConnId, Moment, Ticket};
use geartrain_proto::{GrabKind, Request, Response, Step, decode_response};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// For so long a function starts nothing when workloads could not be read.
const READ_PAUSE: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Away {
    /// By the place of their answer.
    held: BTreeMap<Ticket, Held>,
    /// Jobs that are being read, and whether each was given to the server.
    reads: BTreeMap<Ticket, BTreeMap<u64, bool>>,
    closed: BTreeMap<Vec<u8>, Closed>,
    /// Jobs of the read that ends in this step.
    ending: BTreeMap<u64, bool>,
}

/// A worker that waits for a job.
#[derive(Debug)]
struct Held {
    conn: ConnId,
    handle: Vec<u8>,
    kind: GrabKind,
}

/// Until when a function starts nothing: certainly, and perhaps.
#[derive(Debug, Clone, Copy)]
struct Closed {
    certainly: Option<Moment>,
    perhaps: Moment,
    /// Whether it was open when it was closed last.
    was_open: bool,
}

impl Away {
    /// A function was dropped.
    pub(super) fn forget(&mut self, function: &[u8]) {
        self.closed.remove(function);
    }
}

impl Oracle {
    /// What the input itself changes, before its effects.
    pub(super) fn before_away(&mut self, cause: Cause<'_>) {
        self.away.ending.clear();
        let Cause::Read { ticket, failed, .. } = cause else { return };
        self.away.ending = self.away.reads.remove(&ticket).unwrap_or_default();
        if !failed {
            return;
        }
        let at = self.now.moment.after(READ_PAUSE);
        let jobs = self.away.ending.keys().filter_map(|number| self.jobs.get(&handle_of(*number)));
        for function in jobs.map(|job| job.content.function.clone()).collect::<BTreeSet<_>>() {
            let before = self.away.closed.get(&function).filter(|it| self.fired.moment < it.perhaps);
            let certainly = before.and_then(|it| it.certainly);
            self.away.closed.insert(function, Closed { certainly, perhaps: at, was_open: before.is_none() });
        }
    }

    /// Whether a function certainly may start jobs, as far as reads are concerned.
    pub(super) fn may_be_read(&self, function: &[u8]) -> bool {
        self.away.closed.get(function).is_none_or(|it| self.fired.moment >= it.perhaps)
    }

    /// A job of this function is started, or awaited.
    pub(super) fn check_reads_open(&self, function: &[u8], name: &str) {
        let until = self.away.closed.get(function).and_then(|it| it.certainly);
        let is_open = until.is_none_or(|until| self.fired.moment >= until);
        assert!(is_open, "job {name} is started though the store could not be read just now");
    }

    /// Workloads are wanted.
    pub(super) fn wanted(&mut self, ticket: Ticket, numbers: &[u64]) {
        assert!(numbers.is_sorted(), "the store is read in the order of its rows");
        for number in numbers {
            let name = number.to_string();
            let is_read = self.away.reads.values().any(|read| read.get(number) == Some(&false));
            assert!(!is_read, "the workload of job {name} is read twice at once");
            let acknowledged = self.ever.get(&handle_of(*number)).is_some_and(|life| life.acknowledged);
            let is_kept = acknowledged || self.is_told(*number);
            assert!(is_kept, "the workload of job {name} is wanted, and the store never had it");
        }
        self.away.reads.insert(ticket, numbers.iter().map(|number| (*number, false)).collect());
    }

    /// The server was given what was read of a job.
    pub(crate) fn found_workload(&mut self, ticket: Ticket, number: u64) {
        if let Some(found) = self.away.reads.get_mut(&ticket).and_then(|read| read.get_mut(&number)) {
            *found = true;
        }
    }

    /// A grab is answered later: the worker has the job it waits for from now on, as far as others see.
    pub(super) fn judge_held(&mut self, conn: ConnId, kind: GrabKind, effects: &[Effect]) {
        let awaited = effects.iter().find_map(|effect| match effect {
            Effect::Note(Note::Awaited { handle }) => Some(handle.clone()),
            _ => None,
        });
        let place = effects.iter().find_map(|effect| match effect {
            Effect::Hold { conn: to, ticket, .. } if *to == conn => Some(*ticket),
            _ => None,
        });
        match (awaited, place) {
            (None, None) => self.judge_no_job(conn),
            (Some(handle), Some(place)) => {
                let twin = self.away.held.insert(place, Held { conn, handle, kind });
                assert!(twin.is_none(), "two answers are held in one place");
            }
            other => panic!("I11: a grab is answered by half a job, {other:?}"),
        }
    }

    /// Something goes in the place of an answer that was held: the job that its worker waits for, or none.
    pub(super) fn replaced(&mut self, cause: Cause<'_>, changes: &Changes, place: Ticket, packet: &[u8]) {
        let Some(held) = self.away.held.remove(&place) else { return };
        let Step::Complete { message: Ok(response), .. } = decode_response(packet, u32::MAX) else {
            panic!("I11: core sent what is no packet");
        };
        match response {
            Response::NoJob if changes.is_ended(&held.handle) => {}
            Response::NoJob => self.withdrawn(cause, &held),
            Response::JobAssign { handle, .. }
            | Response::JobAssignUniq { handle, .. }
            | Response::JobAssignAll { handle, .. } => {
                assert_eq!(handle.as_bytes(), held.handle, "a worker gets another job than it waited for");
                self.judge_assignment(held.conn, held.kind, &response);
            }
            other => panic!("I11: a grab that was held is answered by {other:?}"),
        }
    }

    /// A worker that waited for a job gets none: the job is in its line again, in the place that it had.
    fn withdrawn(&mut self, cause: Cause<'_>, held: &Held) {
        self.counts.withdrawn += 1;
        let name = handle_text(&held.handle);
        let job =
            self.jobs.get_mut(&held.handle).unwrap_or_else(|| panic!("I7: {name} was held and is lost"));
        assert_eq!(job.state, State::Held(held.conn), "{name} goes back from a worker that waits for it");
        let content = &job.content;
        let is_unread = match cause {
            Cause::Closed(conn) | Cause::Request(conn, Request::ResetAbilities) => {
                assert_eq!(conn, held.conn, "{name} is taken from another worker");
                false
            }
            Cause::Request(conn, Request::CantDo { function }) => {
                assert_eq!(conn, held.conn, "{name} is taken from another worker");
                assert_eq!(function.as_bytes(), content.function, "{name} is taken for another function");
                false
            }
            Cause::Read { failed: true, .. } => {
                let number = super::number_of(&held.handle);
                assert!(self.away.ending.contains_key(&number), "{name} is taken back for a read of others");
                true
            }
            other => panic!("NO_JOB goes to a worker that waits for {name}, for {other:?}"),
        };
        if is_unread
            && let Some(closed) = self.away.closed.get_mut(&content.function).filter(|it| it.was_open)
        {
            closed.certainly = Some(closed.perhaps);
        }
        job.state = State::Waiting;
    }

    /// After each step: a worker waits only for a job that lives, is its, and is being read.
    pub(super) fn check_held(&self) {
        for held in self.away.held.values() {
            let (name, number) = (handle_text(&held.handle), super::number_of(&held.handle));
            assert!(self.conns.contains_key(&held.conn), "I8: {name} is held for a worker that is gone");
            let state = self.jobs.get(&held.handle).map(|job| job.state);
            assert_eq!(state, Some(State::Held(held.conn)), "I11: a worker waits for {name}");
            let is_read = self.away.reads.values().any(|read| read.contains_key(&number));
            assert!(is_read, "I11: a worker waits for {name}, which nobody reads");
        }
        let held = self.jobs.values().filter(|job| matches!(job.state, State::Held(_))).count();
        assert_eq!(held, self.away.held.len(), "I8: each job that is held has a worker that waits for it");
    }
}
