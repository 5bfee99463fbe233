//! Durable changes: what was handed to the store, and who waits for it.
//!
//! From: submits, give-backs and ends of stored jobs; the driver, when a batch is durable or failed.
//! To: `Outbox::persist`; the answers that were held. Never: knows which store there is.

use crate::core::Core;
use crate::event::Ended;
use crate::ids::{ConnId, Now, Ticket};
use crate::job::{Job, JobKey, Kept, NewJob};
use crate::outbox::Outbox;
use crate::persist::{Op, Record};
use crate::settings::Durability;
use crate::timers::future_second;
use geartrain_proto::{ErrorCode, Function, Response, Unique};
use std::collections::{BTreeMap, VecDeque};

/// How many numbers are reserved at once: a restart may leave a gap of this many.
const NUMBERS_RESERVED: u64 = 1 << 20;

/// Text of the `ERROR` for a background submit whose record could not be written.
const NOT_WRITTEN: &str =
    "the job was not accepted: it could not be written to the queue, see the server's log";

/// Changes on their way to the store.
#[derive(Debug)]
pub(crate) struct Writing {
    ready: bool,
    last_ticket: Ticket,
    /// All changes up to here are durable.
    committed: Ticket,
    next_number: u64,
    reserved_until: u64,
    /// Submits whose answer is held, in the order in which they are answered.
    pending: VecDeque<Pending>,
    /// Every job whose record is being written, by its number.
    by_number: BTreeMap<u64, Unwritten>,
}

/// A job whose record is being written. It lives as long as it is among those.
#[derive(Debug, Clone, Copy)]
struct Unwritten {
    key: JobKey,
    ticket: Ticket,
    /// The client that submitted it first.
    conn: ConnId,
}

#[derive(Debug, Clone, Copy)]
struct Pending {
    ticket: Ticket,
    number: u64,
    conn: ConnId,
}

impl Writing {
    pub(crate) fn new(next_number: u64) -> Self {
        Self {
            ready: true,
            last_ticket: Ticket::ZERO,
            committed: Ticket::ZERO,
            next_number,
            reserved_until: next_number,
            pending: VecDeque::new(),
            by_number: BTreeMap::new(),
        }
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.ready
    }

    pub(crate) fn is_writing(&self, number: u64) -> bool {
        self.by_number.contains_key(&number)
    }

    pub(crate) fn len(&self) -> usize {
        self.by_number.len()
    }

    fn next_ticket(&mut self) -> Ticket {
        self.last_ticket = self.last_ticket.next();
        self.last_ticket
    }

    /// Another background submit of a job whose record is being written waits for the same ticket. Its
    /// answer comes when all that was handed to the store before it is durable.
    pub(crate) fn join(&mut self, number: u64, conn: ConnId) -> Option<Ticket> {
        let ticket = self.by_number.get(&number)?.ticket;
        self.pending.push_back(Pending { ticket, number, conn });
        Some(ticket)
    }

    fn pop_pending(&mut self, upto: Ticket) -> Option<Pending> {
        self.pending.pop_front_if(|pending| pending.ticket <= upto)
    }

    /// All submits whose record is not written: those up to the ticket, and those that joined them later.
    fn take_failed(&mut self, upto: Ticket) -> Vec<Pending> {
        let failed = self.pending.iter().filter(|pending| pending.ticket <= upto).copied().collect();
        self.pending.retain(|pending| pending.ticket > upto);
        failed
    }
}

impl Core {
    /// Takes a stored job back into the queue; to be called in the order of the places, before any
    /// request. Connections may be open meanwhile and ask text commands.
    ///
    /// Bounds on functions and jobs do not apply: what was accepted is not lost to a smaller limit.
    pub fn load(&mut self, now: Now, record: Record<'_>) {
        let name = Function::new(record.function);
        let function = self.functions.find(name).unwrap_or_else(|| self.add_function(name));
        let not_before = future_second(record.not_before, now);
        let unique = Unique::new(record.unique);
        self.jobs.insert(&NewJob {
            number: record.number,
            function,
            unique,
            identity: self.jobs.identity(function, unique, record.workload),
            priority: record.priority,
            workload: record.workload,
            reducer: record.reducer,
            not_before,
            attempts: record.attempts,
            kept: Kept::Stored,
        });
        if let Some(second) = not_before {
            self.timers.add_delayed(second, record.number);
        }
        self.writing.next_number = self.writing.next_number.max(record.number + 1).max(record.place + 1);
        self.writing.reserved_until = self.writing.reserved_until.max(self.writing.next_number);
    }

    /// All stored jobs are loaded: asks the store to reserve numbers. The driver makes that durable before
    /// the first request, so that no number is given twice.
    pub fn handle_loaded(&mut self, out: &mut dyn Outbox) {
        self.reserve_numbers(out);
    }

    /// All changes up to this ticket are durable.
    pub fn handle_committed(&mut self, upto: Ticket, out: &mut dyn Outbox) {
        self.writing.committed = self.writing.committed.max(upto);
        while let Some(Pending { ticket, number, conn }) = self.writing.pop_pending(upto) {
            if self.conns.get(conn).is_some() {
                out.release(conn, ticket);
            }
            if let Some(Unwritten { key, .. }) = self.writing.by_number.remove(&number) {
                self.jobs.set_kept(key, Kept::Stored);
            }
        }
    }

    /// All changes up to this ticket that are not yet committed failed. Their submits are refused.
    ///
    /// Other changes are for the driver to keep and try again. Until [`Core::handle_store_ready`],
    /// background submits are answered with `ERROR`.
    pub fn handle_store_failed(&mut self, upto: Ticket, out: &mut dyn Outbox) {
        self.writing.ready = false;
        let failed = self.writing.take_failed(upto);
        let error =
            Response::Error { code: ErrorCode::QueueError.as_str().as_bytes(), text: NOT_WRITTEN.as_bytes() };
        for Pending { ticket, conn, .. } in &failed {
            if self.conns.get(*conn).is_none() {
                continue;
            }
            // A submit that joined a record may stand behind later ones when that record is durable.
            if *ticket <= self.writing.committed {
                out.release(*conn, *ticket);
            } else {
                out.refuse(*conn, *ticket, error);
            }
        }
        for Pending { number, .. } in failed {
            if let Some(Unwritten { key, .. }) = self.writing.by_number.remove(&number) {
                self.unkeep(key, out);
            }
        }
    }

    /// The store takes changes again.
    pub fn handle_store_ready(&mut self) {
        self.writing.ready = true;
    }

    /// The next number: of a job, or of the place of a job that is given back.
    pub(crate) fn take_number(&mut self, out: &mut dyn Outbox) -> u64 {
        let number = self.writing.next_number;
        self.writing.next_number += 1;
        self.reserve_numbers(out);
        number
    }

    /// Keeps the reservation half a step ahead, so that it is durable long before it is needed.
    fn reserve_numbers(&mut self, out: &mut dyn Outbox) {
        let Writing { next_number, reserved_until, .. } = self.writing;
        if self.settings.durability == Durability::Stored
            && next_number + NUMBERS_RESERVED / 2 > reserved_until
        {
            let until = next_number + NUMBERS_RESERVED;
            self.writing.reserved_until = until;
            out.persist(self.writing.next_ticket(), Op::ReserveNumbers { until });
        }
    }

    /// Hands a job's record to the store; its client waits for the ticket.
    pub(crate) fn put_record(&mut self, now: Now, conn: ConnId, key: JobKey, out: &mut dyn Outbox) -> Ticket {
        self.jobs.set_kept(key, Kept::Writing);
        // A job that was given back stands behind those that were submitted since.
        let was_given_back = self.jobs.get(key).attempts() > 0;
        let place = was_given_back.then(|| self.take_number(out));
        let ticket = self.writing.next_ticket();
        let job = self.jobs.get(key);
        let number = job.number();
        let not_before = match job.state() {
            crate::job::State::Delayed { not_before } => *not_before,
            crate::job::State::Queued | crate::job::State::Running(_) => 0,
        };
        out.persist(
            ticket,
            Op::Put(Record {
                number,
                place: place.unwrap_or(number),
                function: self.functions.name(job.function()).as_bytes(),
                unique: job.unique().as_bytes(),
                priority: job.priority(),
                workload: job.workload(),
                reducer: job.reducer(),
                not_before,
                attempts: job.attempts(),
                submitted: now.unix,
            }),
        );
        self.writing.pending.push_back(Pending { ticket, number, conn });
        self.writing.by_number.insert(number, Unwritten { key, ticket, conn });
        ticket
    }

    /// Lets the store know the attempts of a job, and its new place at the end of its line.
    pub(crate) fn give_back_record(&mut self, key: JobKey, out: &mut dyn Outbox) {
        if !self.jobs.get(key).kept().has_record() {
            return;
        }
        let place = self.take_number(out);
        let job = self.jobs.get(key);
        let op = Op::GiveBack { number: job.number(), place, attempts: job.attempts() };
        out.persist(self.writing.next_ticket(), op);
    }

    /// Lets the store forget a job that ended (I7). Where its record is not written yet, its client need
    /// not wait any longer: the job has run. A job that is buried is owed to a person, and its client waits
    /// until that is durable (I6).
    pub(crate) fn forget_record(&mut self, job: &Job, how: Ended, out: &mut dyn Outbox) {
        if !job.kept().has_record() {
            return;
        }
        let number = job.number();
        let op = match how {
            Ended::RetriesSpent => Op::Bury { number, attempts: job.attempts() },
            Ended::Completed
            | Ended::Failed
            | Ended::Exception
            | Ended::Cancelled
            | Ended::Abandoned
            | Ended::NotStored => Op::Delete { number },
        };
        out.persist(self.writing.next_ticket(), op);
        if let Some(Unwritten { ticket, conn, .. }) = self.writing.by_number.remove(&number)
            && how != Ended::RetriesSpent
            && self.conns.get(conn).is_some()
        {
            out.release(conn, ticket);
        }
    }
}
