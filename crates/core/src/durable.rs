//! Durable changes: what was handed to the store, and who waits for it.
//!
//! From: submits, give-backs and ends of stored jobs; the driver, when a batch is durable or failed.
//! To: `Outbox::persist`; the answers that were held. Never: knows which store there is.

use crate::core::Core;
use crate::event::{Ended, Event};
use crate::ids::{ConnId, Now, Ticket, UnixTime};
use crate::job::{Job, JobKey, Kept, NewJob, State};
use crate::outbox::{Answer, Outbox};
use crate::persist::{
    Change, Document, DocumentKind, ERROR_BYTES_MAX, LetterHead, Op, Outcome, Record, Shelf, Shelving, Stored,
};
use crate::settings::Durability;
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
    /// Jobs that count as stored although their record is not written yet: it will be, whatever fails
    /// meanwhile.
    owed: BTreeMap<u64, Ticket>,
    /// Every job whose record is being written, by its number.
    by_number: BTreeMap<u64, Unwritten>,
}

/// A job whose record is being written. It lives as long as it is among those.
#[derive(Debug)]
struct Unwritten {
    key: JobKey,
    ticket: Ticket,
    /// The client that submitted it first.
    conn: ConnId,
    /// What is to stay in memory when its workload leaves.
    stays: Option<Box<[u8]>>,
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
            owed: BTreeMap::new(),
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

    /// The record of this job, which counts as stored, is written with this ticket.
    pub(crate) fn owe(&mut self, number: u64, ticket: Ticket) {
        self.owed.insert(number, ticket);
    }

    /// Whether a job counts as stored although its record is not written yet.
    pub(crate) fn is_owed(&self, number: u64) -> bool {
        !self.owed.is_empty() && self.owed.contains_key(&number)
    }

    /// Jobs that need not count as owed any more.
    pub(crate) fn take_settled(&mut self, upto: Ticket) -> Vec<u64> {
        let settled: Vec<u64> =
            self.owed.iter().filter(|(_, ticket)| **ticket <= upto).map(|(number, _)| *number).collect();
        self.owed.retain(|_, ticket| *ticket > upto);
        settled
    }

    /// The first number that was never given out.
    pub(crate) fn next_number(&self) -> u64 {
        self.next_number
    }

    /// Whether a job may have had this number.
    pub(crate) fn was_given(&self, number: u64) -> bool {
        (1..self.next_number).contains(&number)
    }

    /// The ticket of the last change.
    pub(crate) fn last_ticket(&self) -> Ticket {
        self.last_ticket
    }

    /// All changes up to here are durable.
    pub(crate) fn committed(&self) -> Ticket {
        self.committed
    }

    pub(crate) fn next_ticket(&mut self) -> Ticket {
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
    /// Takes something that is stored back in: in the order in which the store gives it, before any request.
    /// Connections may be open meanwhile and ask text commands.
    ///
    /// Bounds on functions and jobs do not apply: what was accepted is not lost to a smaller limit.
    pub fn load(&mut self, now: Now, stored: Stored<'_>, out: &mut dyn Outbox) {
        self.now = now;
        match stored {
            Stored::Document(document) => self.load_document(&document, out),
            Stored::Letter(head) => {
                self.note_number(head.shelving.number);
                self.file_letter(&head, Ticket::ZERO, out);
            }
            Stored::Job(record) => self.load_job(&record),
        }
    }

    fn load_document(&mut self, document: &Document<'_>, out: &mut dyn Outbox) {
        let (kind, name, body) = (document.kind, document.name, document.body.unwrap_or_default());
        match kind {
            DocumentKind::Policy => self.load_policy(name, body, out),
            DocumentKind::Schedule if self.schedules.load(name, body) => {}
            DocumentKind::Schedule => {
                let error = "it is no schedule";
                out.note(Event::UnreadableDocument { kind, name, error });
            }
            DocumentKind::Import if self.imports.load(name, body) => {}
            DocumentKind::Import => {
                let error = "it does not say which jobs were taken in";
                out.note(Event::UnreadableDocument { kind, name, error });
            }
        }
    }

    fn load_job(&mut self, record: &Record<'_>) {
        let name = Function::new(record.function);
        let function = self.functions.find(name).unwrap_or_else(|| self.add_function(name));
        let unique = Unique::new(record.unique);
        let new = NewJob {
            number: record.number,
            function,
            unique,
            identity: self.jobs.identity(function, unique, record.workload),
            priority: record.priority,
            workload: record.workload,
            reducer: record.reducer,
            submitted: record.submitted,
            attempts: record.attempts,
            lost: record.lost,
            kept: Kept::Stored,
        };
        let key = if self.is_over_budget(record.workload.len()) {
            self.note_memory();
            self.jobs.insert_away(&new)
        } else {
            self.jobs.insert(&new)
        };
        let second = UnixTime::from_seconds(record.not_before.saturating_abs());
        let not_before = if record.not_before < 0 { UnixTime::default() } else { second };
        self.place_stored(key, not_before, record.submitted.max(second));
        self.note_number(record.number.max(record.place));
    }

    /// A number was given out before this process began.
    fn note_number(&mut self, number: u64) {
        self.writing.next_number = self.writing.next_number.max(number + 1);
        self.writing.reserved_until = self.writing.reserved_until.max(self.writing.next_number);
    }

    /// All stored jobs are loaded: asks the store to reserve numbers. The driver makes that durable before
    /// the first request, so that no number is given twice.
    pub fn handle_loaded(&mut self, now: Now, out: &mut dyn Outbox) {
        self.now = now;
        self.reserve_numbers(out);
        self.begin_schedules(out);
    }

    /// All changes up to this ticket are durable.
    pub fn handle_committed(&mut self, now: Now, upto: Ticket, out: &mut dyn Outbox) {
        self.now = now;
        self.writing.committed = self.writing.committed.max(upto);
        let mut left = Vec::new();
        while let Some(Pending { ticket, number, conn }) = self.writing.pop_pending(upto) {
            if self.conns.get(conn).is_some() {
                out.release(conn, ticket);
            }
            if let Some(Unwritten { key, stays, .. }) = self.writing.by_number.remove(&number) {
                self.jobs.set_kept(key, Kept::Stored);
                left.extend(self.spare_memory(key, stays));
            }
        }
        drop(left);
        self.settle(upto);
        self.release_replies(upto, out);
    }

    /// All changes up to this ticket that are not yet committed failed. Their submits are refused.
    ///
    /// Other changes are for the driver to keep and try again. Until [`Core::handle_store_ready`],
    /// background submits are answered with `ERROR`.
    pub fn handle_store_failed(&mut self, now: Now, upto: Ticket, out: &mut dyn Outbox) {
        self.now = now;
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
                out.replace(*conn, *ticket, Answer::Packet(error));
            }
        }
        for Pending { number, .. } in failed {
            if let Some(Unwritten { key, .. }) = self.writing.by_number.remove(&number) {
                self.unkeep(key, out);
            }
        }
        self.fail_replies(upto, out);
    }

    /// The store takes changes again.
    pub fn handle_store_ready(&mut self) {
        self.writing.ready = true;
        self.resume_held_up_schedules();
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
    pub(crate) fn put_record(&mut self, conn: ConnId, key: JobKey, out: &mut dyn Outbox) -> Ticket {
        self.jobs.set_kept(key, Kept::Writing);
        // A job that was given back stands behind those that were submitted since.
        let was_given_back = self.jobs.get(key).attempts() > 0;
        let place = was_given_back.then(|| self.take_number(out));
        let ticket = self.writing.next_ticket();
        let job = self.jobs.get(key);
        let number = job.number();
        out.persist(ticket, Op::Put(self.record(job, place.unwrap_or(number))));
        self.writing.pending.push_back(Pending { ticket, number, conn });
        // Made here, by the thread that has just made the job: an allocator that keeps apart what its threads free
        // would put what stays of millions of jobs beside the room that their workloads leave, not into it.
        let stays = self.is_over_budget(0).then(|| self.jobs.get(key).head().into());
        self.writing.by_number.insert(number, Unwritten { key, ticket, conn, stays });
        ticket
    }

    /// A job as it is stored.
    pub(crate) fn record<'a>(&'a self, job: &'a Job, place: u64) -> Record<'a> {
        Record {
            number: job.number(),
            place,
            function: self.functions.name(job.function()).as_bytes(),
            unique: job.unique().as_bytes(),
            priority: job.priority(),
            workload: job.workload().expect("a job has its workload until its record is durable"),
            reducer: job.reducer(),
            not_before: self.stored_second(job),
            attempts: job.attempts(),
            lost: job.lost(),
            submitted: job.submitted(),
        }
    }

    /// Lets the store know what changed about a waiting job, and its new place at the end of its line.
    pub(crate) fn change_record(&mut self, key: JobKey, out: &mut dyn Outbox) {
        if !self.jobs.get(key).kept().has_record() {
            return;
        }
        let (place, ticket) = (self.take_number(out), self.writing.next_ticket());
        let job = self.jobs.get(key);
        let change = Change {
            number: job.number(),
            place,
            function: self.functions.name(job.function()).as_bytes(),
            priority: job.priority(),
            not_before: self.stored_second(job),
            attempts: job.attempts(),
            lost: job.lost(),
        };
        out.persist(ticket, Op::Change(change));
    }

    /// Lets the store forget a job that ended, or put it on a shelf (I7). Where its record is not written yet,
    /// its client need not wait any longer: the job has run. A dead letter is owed to a person, and its client
    /// waits until that is durable (I6).
    pub(crate) fn forget_record(&mut self, job: &Job, how: Ended, error: &[u8], out: &mut dyn Outbox) {
        if job.kept() == Kept::ByClients {
            return;
        }
        let number = job.number();
        let keeps_finished = || self.functions.get(job.function()).policy.finished.count > 0;
        match how {
            Ended::Dead(how) => self.shelve(job, Shelf::Dead, how, error, out),
            Ended::Completed if keeps_finished() => {
                self.shelve(job, Shelf::Finished, Outcome::Completed, b"", out);
            }
            Ended::Completed
            | Ended::Failed
            | Ended::Exception
            | Ended::Cancelled
            | Ended::Abandoned
            | Ended::NotStored => {
                let attempts = job.attempts();
                if job.kept().has_record() || attempts > 0 {
                    out.persist(self.writing.next_ticket(), Op::Delete { number, attempts });
                }
            }
        }
        if let Some(Unwritten { ticket, conn, .. }) = self.writing.by_number.remove(&number)
            && !matches!(how, Ended::Dead(_))
            && self.conns.get(conn).is_some()
        {
            out.release(conn, ticket);
        }
    }

    /// Until when a job waits, or since when, as it is stored: see [`Record::not_before`].
    fn stored_second(&self, job: &Job) -> i64 {
        match job.state() {
            State::Delayed { until, .. } => until.seconds_ceil(),
            State::Paused { .. } => self.now.unix.after(job.wait(self.now)).seconds_ceil(),
            // After a restart its wait in the line counts from then, as it does now, and not from its submit; and it
            // does not wait for that again where the clock was set back.
            State::Queued { .. } if job.attempts() == 0 && job.waits_since() > job.submitted() => {
                -job.waits_since().seconds()
            }
            State::Queued { .. } | State::Running(_) => 0,
        }
    }

    /// Lets the store forget the attempts of a job that it was never given.
    pub(crate) fn forget_attempts(&mut self, key: JobKey, out: &mut dyn Outbox) {
        let job = self.jobs.get(key);
        let (number, attempts) = (job.number(), job.attempts());
        if attempts > 0 {
            out.persist(self.writing.next_ticket(), Op::Delete { number, attempts });
        }
    }

    fn shelve(&mut self, job: &Job, shelf: Shelf, how: Outcome, error: &[u8], out: &mut dyn Outbox) {
        let number = job.number();
        if !job.kept().has_record() {
            // Until now it was held in memory alone.
            let ticket = self.writing.next_ticket();
            out.persist(ticket, Op::Put(self.record(job, number)));
        }
        let ticket = self.writing.next_ticket();
        let error = error.get(..ERROR_BYTES_MAX).unwrap_or(error);
        let (ended, attempts) = (self.now.unix, job.attempts());
        let shelving = Shelving { number, shelf, ended, how, attempts, error };
        out.persist(ticket, Op::Shelve(shelving));
        let function: Box<[u8]> = self.functions.name(job.function()).as_bytes().into();
        let bytes = function.len() as u64 + job.content_len();
        self.file_letter(&LetterHead { shelving, function: &function, bytes }, ticket, out);
    }
}
