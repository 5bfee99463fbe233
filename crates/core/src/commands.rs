//! Typed commands: what people steer the queue with, answered in lines of JSON.
//!
//! From: `Core::handle_admin`. To: the file named after the noun of the command. A command that needs what
//! only the store has is begun, and called again with what was read; the answer goes out when what the
//! command changed is durable. Never: does more than a page at once.

mod dead;
mod explain;
mod jobs;
mod moving;
mod policy;
mod schedule;
mod workers;

pub(crate) use dead::{LetterFilter, READ_BYTES_MAX};

use crate::core::Core;
use crate::ids::{ConnId, Ticket};
use crate::outbox::{Answer, Outbox};
use crate::persist::Wanted;
use crate::reads::{Fetched, Purpose};
use crate::rules::is_pattern;
use geartrain_proto::command::{Command, CommandError, Page};
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};

/// Commands of one connection that may wait for the store at once: each may hold a page of what is read.
const READING_MAX: u32 = 16;

/// Commands of all connections together that may wait for the store: half a second of reading, and half a
/// gigabyte of what was read.
const READING_ALL_MAX: usize = 128;

/// Answers of all connections together that may wait for their changes to be durable: some kilobytes each.
const REPLIES_MAX: usize = 65_536;

/// The last line of every answer.
const END: &[u8] = b".\n";

/// Why a command is not answered with its rows while the store takes no changes.
const NOT_ON_DISK: &str = "what was changed is in force but not on disk: it is written once the store takes changes again, and lost if \
     the server dies before (hint: see its log)";

/// How a command goes on.
#[derive(Debug)]
pub(crate) enum Reply {
    /// These rows are the answer.
    Rows(Rows),
    /// These are, once every function has the policy that was set.
    Passing(Rows),
    /// The command is to be called again with these jobs, as far as they are found.
    Read {
        wanted: Wanted,
        numbers: Vec<u64>,
        /// Where the next page begins; it comes back with what was read.
        next: Option<u64>,
    },
}

/// What a command that asked for jobs is called again with.
#[derive(Debug)]
pub(crate) struct Reading {
    /// What it asked for.
    pub(crate) asked: Vec<u64>,
    pub(crate) fetched: Vec<Fetched>,
    /// Where it asked for workloads alone.
    pub(crate) workloads: BTreeMap<u64, Vec<u8>>,
    /// Length of the workloads and texts in it.
    pub(crate) bytes: usize,
    /// The first job that was left out, since there was enough before it.
    pub(crate) cut: Option<u64>,
    pub(crate) next: Option<u64>,
}

/// Lines of JSON.
#[derive(Debug, Default)]
pub(crate) struct Rows(Vec<u8>);

impl Rows {
    /// The answer that has one row.
    pub(crate) fn one(row: &impl Serialize) -> Reply {
        let mut rows = Self::default();
        rows.push(row);
        rows.end(None)
    }

    pub(crate) fn push(&mut self, row: &impl Serialize) {
        serde_json::to_writer(&mut self.0, row).expect("rows have no keys that are no strings");
        self.0.push(b'\n');
    }

    /// Length so far, in bytes.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The whole answer; `next` is where the next page begins.
    pub(crate) fn end(mut self, next: Option<u64>) -> Reply {
        self.push(&Page { next });
        Reply::Rows(self)
    }
}

impl Reply {
    /// The answer to a command that set a rule of this name. A name that is no pattern is in force at once.
    pub(crate) fn once_in_force(self, pattern: &[u8]) -> Self {
        match self {
            Reply::Rows(rows) if is_pattern(pattern) => Reply::Passing(rows),
            reply @ (Reply::Rows(_) | Reply::Passing(_) | Reply::Read { .. }) => reply,
        }
    }
}

/// Answers of commands whose changes are not durable yet.
#[derive(Debug, Default)]
pub(crate) struct Replies {
    waiting: VecDeque<WaitingReply>,
    /// Those that wait until every function has the policy that was set, with the pass that sees to it.
    passing: VecDeque<(u64, WaitingReply)>,
}

#[derive(Debug)]
struct WaitingReply {
    /// The last change.
    after: Ticket,
    conn: ConnId,
    /// The place that is held for the answer.
    place: Ticket,
    text: Vec<u8>,
}

impl Core {
    pub(crate) fn handle_command(
        &mut self,
        conn: ConnId,
        command: Result<&Command, &CommandError>,
        out: &mut dyn Outbox,
    ) {
        let place = self.reads.next_ticket();
        out.hold(conn, place, Answer::Text(END));
        match command {
            Ok(command)
                if changes(command)
                    && self.replies.waiting.len() + self.replies.passing.len() >= REPLIES_MAX =>
            {
                let error = CommandError::new(format!(
                    "{REPLIES_MAX} commands of all connections wait for the disk, which is the limit (hint: try again \
                     in a second)"
                ));
                out.replace(conn, place, Answer::Text(&refusal(&error)));
            }
            Ok(command) => self.run_command(conn, place, command, None, out),
            Err(error) => out.replace(conn, place, Answer::Text(&refusal(error))),
        }
    }

    /// What a command asked for was read, or could not be.
    pub(crate) fn resume_command(
        &mut self,
        conn: ConnId,
        place: Ticket,
        command: &Command,
        reading: Result<Reading, CommandError>,
        out: &mut dyn Outbox,
    ) {
        match reading {
            Ok(reading) => self.run_command(conn, place, command, Some(reading), out),
            Err(error) => out.replace(conn, place, Answer::Text(&refusal(&error))),
        }
    }

    fn run_command(
        &mut self,
        conn: ConnId,
        place: Ticket,
        command: &Command,
        reading: Option<Reading>,
        out: &mut dyn Outbox,
    ) {
        let before = self.writing.last_ticket();
        match self.dispatch(conn, command, reading, out) {
            Ok(Reply::Rows(rows)) => {
                let reply = self.waiting_reply(conn, place, rows);
                if reply.after == before {
                    out.replace_text(conn, place, reply.text);
                } else {
                    self.answer_when_durable(reply, out);
                }
            }
            Ok(Reply::Passing(rows)) => {
                let reply = self.waiting_reply(conn, place, rows);
                self.replies.passing.push_back((self.chores.policies.wanted(), reply));
                self.answer_passed(out);
            }
            Ok(Reply::Read { .. }) if !self.may_read(conn) => {
                let error = CommandError::new(format!(
                    "{READING_MAX} commands of this connection wait for the store, which is the limit (hint: read \
                     their answers before you ask for more)"
                ));
                out.replace(conn, place, Answer::Text(&refusal(&error)));
            }
            Ok(Reply::Read { .. }) if self.reads.commands() >= READING_ALL_MAX => {
                let error = CommandError::new(format!(
                    "{READING_ALL_MAX} commands of all connections wait for the store, which is the limit (hint: try \
                     again in a second)"
                ));
                out.replace(conn, place, Answer::Text(&refusal(&error)));
            }
            Ok(Reply::Read { wanted, numbers, next }) => {
                if let Some(peer) = self.conns.get_mut(conn) {
                    peer.reading += 1;
                }
                let purpose = Purpose::command(conn, place, command.clone(), numbers.clone(), next);
                self.read(wanted, &numbers, purpose, out);
            }
            Err(error) => out.replace(conn, place, Answer::Text(&refusal(&error))),
        }
    }

    fn waiting_reply(&self, conn: ConnId, place: Ticket, rows: Rows) -> WaitingReply {
        let mut text = rows.0;
        text.extend_from_slice(END);
        WaitingReply { after: self.writing.last_ticket(), conn, place, text }
    }

    /// Whether one more command of the connection may wait for the store. One whose peer has left asks no more.
    fn may_read(&self, conn: ConnId) -> bool {
        self.conns.get(conn).is_some_and(|peer| peer.reading < READING_MAX)
    }

    fn dispatch(
        &mut self,
        conn: ConnId,
        command: &Command,
        reading: Option<Reading>,
        out: &mut dyn Outbox,
    ) -> Result<Reply, CommandError> {
        match command {
            Command::PolicyShow(arguments) => self.policy_show(arguments),
            Command::PolicySet(arguments) => self.policy_set(conn, arguments, out),
            Command::PolicyUnset(arguments) => self.policy_unset(conn, arguments, out),
            Command::JobsCount(arguments) => self.jobs_count(arguments, reading),
            Command::JobsList(arguments) => self.jobs_list(arguments, reading),
            Command::JobsShow(arguments) => self.jobs_show(arguments, reading),
            Command::JobsCancel(arguments) => self.jobs_cancel(conn, arguments, reading, out),
            Command::JobsMove(arguments) => self.jobs_move(conn, arguments, reading, out),
            Command::JobsPriority(arguments) => self.jobs_priority(conn, arguments, reading, out),
            Command::WorkersList(arguments) => Ok(self.workers_list(arguments)),
            Command::DeadGroups(arguments) => Ok(self.dead_groups(arguments)),
            Command::DeadCounts(_) => Ok(self.dead_counts()),
            Command::DeadList(arguments) => self.dead_list(arguments, reading),
            Command::DeadShow(arguments) => self.dead_show(arguments, reading),
            Command::DeadRequeue(arguments) => self.dead_requeue(conn, arguments, out),
            Command::DeadProgress(arguments) => self.dead_progress(arguments),
            Command::DeadDrop(arguments) => self.dead_drop(conn, arguments, reading, out),
            Command::ScheduleAdd(arguments) => self.schedule_add(arguments, out),
            Command::ScheduleList(arguments) => Ok(self.schedule_list(arguments)),
            Command::ScheduleShow(arguments) => self.schedule_show(arguments),
            Command::SchedulePause(arguments) => self.schedule_pause(arguments, out),
            Command::ScheduleResume(arguments) => self.schedule_resume(arguments, out),
            Command::ScheduleRun(arguments) => self.schedule_run(arguments, out),
            Command::ScheduleRemove(arguments) => self.schedule_remove(arguments, out),
            Command::Explain(arguments) => self.explain(arguments),
            Command::Export(arguments) => self.export(arguments, reading, out),
            Command::Import(arguments) => self.import(arguments, out),
        }
    }

    fn answer_when_durable(&mut self, reply: WaitingReply, out: &mut dyn Outbox) {
        if self.writing.is_ready() {
            self.replies.waiting.push_back(reply);
        } else {
            let error = refusal(&CommandError::new(NOT_ON_DISK));
            out.replace(reply.conn, reply.place, Answer::Text(&error));
        }
    }

    /// Answers the commands whose policies are in force everywhere now, where they are durable.
    pub(crate) fn answer_passed(&mut self, out: &mut dyn Outbox) {
        let passed = self.chores.policies.passed();
        while let Some((_, reply)) = self.replies.passing.pop_front_if(|(pass, _)| *pass <= passed) {
            // Behind all that waits, and what the policy changed on its way: answers are in this order.
            let after = self.writing.last_ticket();
            self.answer_when_durable(WaitingReply { after, ..reply }, out);
        }
        self.release_replies(self.writing.committed(), out);
    }

    /// All changes up to this ticket are durable: their commands are answered.
    pub(crate) fn release_replies(&mut self, upto: Ticket, out: &mut dyn Outbox) {
        while let Some(reply) = self.replies.waiting.pop_front_if(|reply| reply.after <= upto) {
            out.replace_text(reply.conn, reply.place, reply.text);
        }
    }

    /// Changes up to this ticket are not durable: they are in force, and will be written later.
    pub(crate) fn fail_replies(&mut self, upto: Ticket, out: &mut dyn Outbox) {
        let error = CommandError::new(NOT_ON_DISK);
        while let Some(reply) = self.replies.waiting.pop_front_if(|reply| reply.after <= upto) {
            out.replace(reply.conn, reply.place, Answer::Text(&refusal(&error)));
        }
    }
}

/// Whether the answer of a command may have to wait until something is durable. What only looks is answered
/// whatever waits: it says why.
fn changes(command: &Command) -> bool {
    match command {
        Command::PolicySet(_)
        | Command::PolicyUnset(_)
        | Command::JobsCancel(_)
        | Command::JobsMove(_)
        | Command::JobsPriority(_)
        | Command::DeadRequeue(_)
        | Command::DeadDrop(_)
        | Command::ScheduleAdd(_)
        | Command::SchedulePause(_)
        | Command::ScheduleResume(_)
        | Command::ScheduleRun(_)
        | Command::ScheduleRemove(_)
        | Command::Import(_) => true,
        Command::PolicyShow(_)
        | Command::JobsCount(_)
        | Command::JobsList(_)
        | Command::JobsShow(_)
        | Command::WorkersList(_)
        | Command::DeadGroups(_)
        | Command::DeadCounts(_)
        | Command::DeadList(_)
        | Command::DeadShow(_)
        | Command::DeadProgress(_)
        | Command::ScheduleList(_)
        | Command::ScheduleShow(_)
        | Command::Explain(_)
        // What it has to remember it does once in the life of a queue.
        | Command::Export(_) => false,
    }
}

fn refusal(error: &CommandError) -> Vec<u8> {
    let mut rows = Rows::default();
    rows.push(error);
    rows.0.extend_from_slice(END);
    rows.0
}
