//! Reading back: what `core` asks the store for while it runs, and what for.
//!
//! From: typed commands and requeues that need the contents of jobs, long backlogs whose workloads are wanted
//! again. To: [`Outbox::read`]; and back through [`Core::handle_read`] and [`Core::handle_read_end`].
//! Never: waits; whoever asked goes on then.

use crate::backlog::WorkloadRead;
use crate::commands::Reading;
use crate::core::Core;
use crate::ids::{ConnId, Now, Ticket};
use crate::outbox::Outbox;
use crate::persist::{Found, OwnedRecord, OwnedShelving, Wanted};
use geartrain_proto::command::{AttemptRow, Bytes, Command, CommandError};
use std::collections::BTreeMap;

/// What is being read.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    last: u64,
    pending: BTreeMap<Ticket, Purpose>,
    /// How many of these are for commands.
    commands: usize,
    /// No workload of a job with a larger number is being read.
    workloads_upto: u64,
}

/// What something is read for.
#[derive(Debug)]
pub(crate) enum Purpose {
    /// A command goes on with it.
    Command(Box<CommandRead>),
    /// Dead letters go back into the queue.
    Campaign { number: u64, asked: Vec<u64>, fetched: Vec<Fetched> },
    /// Waiting jobs get their workloads back.
    Workloads(WorkloadRead),
}

/// A command that waits for what it asked for.
#[derive(Debug)]
pub(crate) struct CommandRead {
    conn: ConnId,
    place: Ticket,
    command: Command,
    reading: Reading,
}

/// A job that was read, with all that is kept about it.
#[derive(Debug, Clone)]
pub(crate) struct Fetched {
    pub(crate) record: OwnedRecord,
    /// What was written when it was shelved, for a letter.
    pub(crate) shelving: Option<OwnedShelving>,
    pub(crate) log: Vec<AttemptRow>,
}

impl Purpose {
    pub(crate) fn command(
        conn: ConnId,
        place: Ticket,
        command: Command,
        asked: Vec<u64>,
        next: Option<u64>,
    ) -> Self {
        let reading =
            Reading { asked, fetched: Vec::new(), workloads: BTreeMap::new(), bytes: 0, cut: None, next };
        Purpose::Command(Box::new(CommandRead { conn, place, command, reading }))
    }

    pub(crate) fn campaign(number: u64, asked: Vec<u64>) -> Self {
        Purpose::Campaign { number, asked, fetched: Vec::new() }
    }
}

impl Reads {
    /// A ticket of its own kind; see [`Outbox::read`].
    pub(crate) fn next_ticket(&mut self) -> Ticket {
        self.last += 1;
        Ticket::of_read(self.last)
    }

    /// Workloads are asked for, of jobs up to this number.
    pub(crate) fn note_workloads(&mut self, upto: u64) {
        self.workloads_upto = self.workloads_upto.max(upto);
    }

    /// Commands of all connections that wait for the store.
    pub(crate) fn commands(&self) -> usize {
        self.commands
    }

    /// Reads of workloads that have not ended.
    pub(crate) fn workloads(&self) -> impl Iterator<Item = &WorkloadRead> {
        self.pending.values().filter_map(|purpose| match purpose {
            Purpose::Workloads(read) => Some(read),
            Purpose::Command(_) | Purpose::Campaign { .. } => None,
        })
    }

    /// Whether the workload of a job is being read.
    pub(crate) fn is_reading(&self, number: u64) -> bool {
        number <= self.workloads_upto && self.workloads().any(|read| read.lacks(number))
    }

    fn take(&mut self, ticket: Ticket) -> Option<Purpose> {
        let purpose = self.pending.remove(&ticket);
        self.commands -= usize::from(matches!(purpose, Some(Purpose::Command(_))));
        if self.pending.is_empty() {
            self.workloads_upto = 0;
        }
        purpose
    }
}

impl Core {
    pub(crate) fn read(&mut self, wanted: Wanted, numbers: &[u64], purpose: Purpose, out: &mut dyn Outbox) {
        let ticket = self.reads.next_ticket();
        self.reads.commands += usize::from(matches!(purpose, Purpose::Command(_)));
        self.reads.pending.insert(ticket, purpose);
        out.read(ticket, wanted, numbers);
    }

    /// Something was found that [`Outbox::read`] asked for with this ticket.
    pub fn handle_read(&mut self, ticket: Ticket, found: Found<'_>) {
        match self.reads.pending.get_mut(&ticket) {
            None => {}
            Some(Purpose::Command(read)) => read.take(found),
            Some(Purpose::Campaign { fetched, .. }) => take(fetched, found, false),
            Some(Purpose::Workloads(read)) => {
                if let Found::Workload { number, workload } = found {
                    read.take(number, workload, &mut self.jobs);
                }
            }
        }
    }

    /// All was given that could be found; or the store could not be read, for this reason.
    pub fn handle_read_end(
        &mut self,
        now: Now,
        ticket: Ticket,
        outcome: Result<(), &str>,
        out: &mut dyn Outbox,
    ) {
        self.now = now;
        match self.reads.take(ticket) {
            None => {}
            Some(Purpose::Command(read)) => {
                let CommandRead { conn, place, command, reading } = *read;
                if let Some(peer) = self.conns.get_mut(conn) {
                    peer.reading -= 1;
                }
                let reading = outcome.map(|()| reading).map_err(|reason| {
                    CommandError::new(format!(
                        "the store could not be read: {reason} (hint: see the server's log)"
                    ))
                });
                self.resume_command(conn, place, &command, reading, out);
            }
            Some(Purpose::Campaign { number, asked, fetched }) => {
                self.release_letters(number, asked, outcome.map(|()| fetched).map_err(|_| ()), out);
            }
            Some(Purpose::Workloads(read)) => self.end_workload_read(read, outcome.is_ok(), out),
        }
    }
}

impl CommandRead {
    fn take(&mut self, found: Found<'_>) {
        let keeps_log =
            matches!(self.command, Command::DeadShow(_) | Command::JobsShow(_) | Command::Export(_));
        let reading = &mut self.reading;
        if let Found::Job(record) | Found::Letter(record, _) = found
            && keeps_log
            && reading.bytes > READ_BYTES_KEPT
            && reading.cut.is_none()
        {
            reading.cut = Some(record.number);
        }
        if reading.cut.is_some() {
            return;
        }
        reading.bytes += match found {
            Found::Workload { workload, .. } => workload.len(),
            Found::Job(record) | Found::Letter(record, _) => record.workload.len(),
            Found::Attempt(attempt) => attempt.text.len(),
        };
        if let Found::Workload { number, workload } = found {
            reading.workloads.insert(number, workload.to_vec());
        } else {
            take(&mut reading.fetched, found, keeps_log);
        }
    }
}

/// Bytes of what is read for a command, after which its page ends: attempts say how long they are only then.
const READ_BYTES_KEPT: usize = 8 << 20;

/// Attempts are left out where nobody asks for them: a page of jobs may have gigabytes of them.
fn take(fetched: &mut Vec<Fetched>, found: Found<'_>, keeps_log: bool) {
    match found {
        Found::Workload { .. } => debug_assert!(false, "whole jobs were asked for"),
        Found::Job(record) => {
            fetched.push(Fetched { record: record.into(), shelving: None, log: Vec::new() });
        }
        Found::Letter(record, shelving) => {
            let shelving = Some(shelving.into());
            fetched.push(Fetched { record: record.into(), shelving, log: Vec::new() });
        }
        Found::Attempt(_) if !keeps_log => {}
        Found::Attempt(attempt) => {
            let Some(of) = fetched.last_mut().filter(|of| of.record.number == attempt.number) else {
                return;
            };
            of.log.push(AttemptRow {
                attempt: attempt.attempt,
                started: attempt.started.millis(),
                ended: attempt.ended.millis(),
                client_id: Bytes::from(attempt.client_id),
                address: String::from_utf8_lossy(attempt.address).into_owned(),
                how: attempt.how.name().to_owned(),
                text: Bytes::from(attempt.text),
            });
        }
    }
}
