//! Submitting: a client gives a job, which is new or joins one that waits or runs.
//!
//! From: `Core::handle_request` with `Request::Submit`.
//! To: `JOB_CREATED`, at once or when the record is durable; the job is queued or waits for its time, and
//! one sleeping worker is woken.
//! Never: waits for the store before the job may run; running early breaks no promise, since the client
//! has no answer yet.

use crate::calendar::next_sched;
use crate::core::Core;
use crate::event::{Ended, Event};
use crate::function::FunctionKey;
use crate::ids::{ConnId, Moment, UnixTime};
use crate::job::{IdentityHash, JobKey, Kept, NewJob, State};
use crate::outbox::{Answer, Outbox};
use crate::policy::OnDuplicate;
use crate::settings::Durability;
use crate::timers::future_second;
use geartrain_proto::{Calendar, ErrorCode, Priority, Response, Submit, SubmitMode};

/// Text of the `ERROR` for a background submit while the store cannot write.
const STORE_NOT_READY: &str =
    "background jobs are refused: the queue cannot be written, see the server's log";

impl Core {
    pub(crate) fn submit(&mut self, conn: ConnId, submit: &Submit<'_>, out: &mut dyn Outbox) {
        let Some(function) = self.function_for(submit.function) else {
            return Self::refuse(conn, ErrorCode::QueueError, "too many functions", out);
        };
        match self.jobs.find_identity(function, submit.unique, submit.workload) {
            Ok(key) => self.join(conn, key, submit, out),
            Err(identity) => self.create(conn, function, identity, submit, out),
        }
    }

    /// The job exists: its data and time stay, its priority too unless a policy says otherwise, and the client
    /// gets its handle.
    fn join(&mut self, conn: ConnId, key: JobKey, submit: &Submit<'_>, out: &mut dyn Outbox) {
        let job = self.jobs.get(key);
        if submit.mode == SubmitMode::Foreground {
            if job.waiters().len() >= self.settings.limits.waiters_max {
                return Self::refuse(conn, ErrorCode::QueueError, "too many clients wait for this job", out);
            }
            self.joined(key, submit.priority, out);
            return self.await_result(conn, key, out);
        }
        if job.kept() == Kept::ByClients && !self.may_keep() {
            return Self::refuse(conn, ErrorCode::QueueError, STORE_NOT_READY, out);
        }
        self.joined(key, submit.priority, out);
        self.acknowledge_background(conn, key, out);
    }

    /// A submit joined a job.
    fn joined(&mut self, key: JobKey, priority: Priority, out: &mut dyn Outbox) {
        let job = self.jobs.get(key);
        let handle = self.handles.text(job.number());
        let function = self.functions.name(job.function());
        out.note(Event::Coalesced { handle: handle.as_handle(), function, unique: job.unique() });
        self.keep_function(job.function(), out);
        self.raise_priority(key, priority, out);
    }

    /// A waiting job may get the priority of a submit that joined it, and goes to the end of that.
    fn raise_priority(&mut self, key: JobKey, priority: Priority, out: &mut dyn Outbox) {
        let job = self.jobs.get(key);
        let policy = &self.functions.get(job.function()).policy;
        let changes = match policy.on_duplicate {
            OnDuplicate::Keep => false,
            OnDuplicate::Last => priority != job.priority(),
            OnDuplicate::Highest => priority < job.priority(),
        };
        if changes && job.running().is_none() {
            self.move_job(key, job.function(), priority, out);
        }
    }

    /// Gives a waiting job another function or priority: it goes to the end of that line, and its wait for a
    /// time goes on.
    pub(crate) fn move_job(
        &mut self,
        key: JobKey,
        function: FunctionKey,
        priority: Priority,
        out: &mut dyn Outbox,
    ) {
        let job = self.jobs.get(key);
        let (until, pause, since) = match job.state() {
            State::Delayed { until, .. } => (Some(*until), None, *until),
            State::Paused { until_ms, .. } => (None, Some(Moment::from_millis(*until_ms)), self.now.unix),
            State::Queued { .. } => (None, None, job.waits_since()),
            State::Running(_) => return,
        };
        self.displace(key);
        self.jobs.reassign(key, function, priority);
        match pause {
            Some(end) => self.pause(key, end),
            None => self.place(key, until, since),
        }
        self.change_record(key, out);
        drop(self.spare_memory(key, None));
        self.wake_if_ready(function, out);
    }

    fn create(
        &mut self,
        conn: ConnId,
        function: FunctionKey,
        identity: IdentityHash,
        submit: &Submit<'_>,
        out: &mut dyn Outbox,
    ) {
        let key = match self.insert_job(function, identity, submit, out) {
            Ok(key) => key,
            Err(text) => return Self::refuse(conn, ErrorCode::QueueError, text, out),
        };
        if submit.mode == SubmitMode::Foreground {
            self.await_result(conn, key, out);
        } else {
            self.acknowledge_background(conn, key, out);
        }
        self.wake_for_new(key, out);
    }

    /// A new job may have become ready.
    fn wake_for_new(&mut self, key: JobKey, out: &mut dyn Outbox) {
        let job = self.jobs.get(key);
        if matches!(job.state(), State::Queued { .. }) {
            self.wake_if_ready(job.function(), out);
        }
    }

    /// Puts a new job to its place, where there is room; nobody keeps it yet.
    fn insert_job(
        &mut self,
        function: FunctionKey,
        identity: IdentityHash,
        submit: &Submit<'_>,
        out: &mut dyn Outbox,
    ) -> Result<JobKey, &'static str> {
        let background = submit.mode != SubmitMode::Foreground;
        self.check_room(function, submit.priority, background)?;
        let not_before = match submit.mode {
            SubmitMode::Epoch(second) => future_second(second, self.now),
            SubmitMode::Foreground | SubmitMode::Background => None,
        };
        let number = self.take_number(out);
        let key = self.jobs.insert(&NewJob {
            number,
            function,
            unique: submit.unique,
            identity,
            priority: submit.priority,
            workload: submit.workload,
            reducer: submit.reducer.map(|reducer| reducer.name),
            submitted: self.now.unix,
            attempts: 0,
            lost: 0,
            kept: Kept::ByClients,
        });
        self.place(key, not_before, self.now.unix);
        let handle = self.handles.text(number);
        out.note(Event::Accepted {
            handle: handle.as_handle(),
            function: submit.function,
            unique: submit.unique,
            not_before: not_before.map_or(0, UnixTime::seconds),
            background,
        });
        Ok(key)
    }

    /// Submits a background job that no client waits for, or joins one: its number.
    pub(crate) fn submit_unattended(
        &mut self,
        submit: &Submit<'_>,
        out: &mut dyn Outbox,
    ) -> Result<u64, &'static str> {
        let function = self.function_for(submit.function).ok_or("too many functions")?;
        let (key, is_new) = match self.jobs.find_identity(function, submit.unique, submit.workload) {
            Ok(key) => (key, false),
            Err(identity) => (self.insert_job(function, identity, submit, out)?, true),
        };
        if !is_new {
            if self.jobs.get(key).kept() == Kept::ByClients && !self.may_keep() {
                return Err(STORE_NOT_READY);
            }
            self.joined(key, submit.priority, out);
        }
        if self.jobs.get(key).kept() == Kept::ByClients {
            match self.settings.durability {
                Durability::Memory => self.jobs.set_kept(key, Kept::InMemory),
                Durability::Stored => {
                    self.put_record(ConnId::NOBODY, key, out);
                }
            }
        }
        if is_new {
            self.wake_for_new(key, out);
        }
        Ok(self.jobs.get(key).number())
    }

    /// `SUBMIT_JOB_SCHED`: a job that runs once, when its calendar fields match the next time.
    pub(crate) fn submit_sched(
        &mut self,
        conn: ConnId,
        submit: Submit<'_>,
        calendar: &Calendar<'_>,
        out: &mut dyn Outbox,
    ) {
        let Calendar { minute, hour, day, month, weekday } = *calendar;
        let zone = &self.settings.time_zone;
        match next_sched(minute, hour, day, month, weekday, zone, self.now.unix) {
            Ok(next) => {
                let mode = SubmitMode::Epoch(next.seconds());
                self.submit(conn, &Submit { mode, ..submit }, out);
            }
            Err(error) => Self::refuse(conn, ErrorCode::QueueError, &error.to_string(), out),
        }
    }

    fn check_room(
        &self,
        function: FunctionKey,
        priority: Priority,
        background: bool,
    ) -> Result<(), &'static str> {
        if !self.has_room(function, priority, self.jobs.line(function).total()) {
            return Err("Job queue is full");
        }
        if self.functions.get(function).policy.draining {
            return Err("the function takes no new jobs, it is being drained");
        }
        if self.jobs.len() >= self.settings.limits.jobs_max {
            return Err("too many jobs wait");
        }
        if background && !self.may_keep() {
            return Err(STORE_NOT_READY);
        }
        Ok(())
    }

    /// Whether the bounds of a function allow one more waiting job of this priority, beside `others` jobs that
    /// wait or run.
    pub(crate) fn has_room(&self, function: FunctionKey, priority: Priority, others: u32) -> bool {
        let entry = self.functions.get(function);
        let of_priority = |[high, normal, low]: [Option<u32>; 3]| match priority {
            Priority::High => high,
            Priority::Normal => normal,
            Priority::Low => low,
        };
        let waiting = self.jobs.line(function).waiting(priority);
        of_priority(entry.bounds).is_none_or(|bound| others < bound)
            && of_priority(entry.policy.max_waiting).is_none_or(|max| waiting < max)
    }

    /// Whether a background job can be remembered.
    pub(crate) fn may_keep(&self) -> bool {
        self.settings.durability == Durability::Memory || self.writing.is_ready()
    }

    /// The connection waits for the job, and is told its handle.
    fn await_result(&mut self, conn: ConnId, key: JobKey, out: &mut dyn Outbox) {
        self.jobs.add_waiter(key, conn);
        if let Some(peer) = self.conns.get_mut(conn) {
            peer.await_job(key);
        }
        let handle = self.handles.text(self.jobs.get(key).number());
        out.send(conn, Response::JobCreated { handle: handle.as_handle() });
    }

    /// The job is remembered from now on, and the client is told its handle when it is (I6).
    fn acknowledge_background(&mut self, conn: ConnId, key: JobKey, out: &mut dyn Outbox) {
        let (number, kept) = (self.jobs.get(key).number(), self.jobs.get(key).kept());
        let handle = self.handles.text(number);
        let created = Response::JobCreated { handle: handle.as_handle() };
        match (kept, self.settings.durability) {
            (Kept::ByClients, Durability::Memory) => {
                self.jobs.set_kept(key, Kept::InMemory);
                out.send(conn, created);
            }
            (Kept::ByClients, Durability::Stored) => {
                let ticket = self.put_record(conn, key, out);
                out.hold(conn, ticket, Answer::Packet(created));
            }
            (Kept::Writing, _) => match self.writing.join(number, conn) {
                Some(ticket) => out.hold(conn, ticket, Answer::Packet(created)),
                None => out.send(conn, created),
            },
            (Kept::InMemory | Kept::Stored, _) => out.send(conn, created),
        }
    }

    /// A client gave up on a job whose record could not be written.
    pub(crate) fn unkeep(&mut self, key: JobKey, out: &mut dyn Outbox) {
        self.jobs.set_kept(key, Kept::ByClients);
        self.forget_attempts(key, out);
        let job = self.jobs.get(key);
        if job.running().is_none() && job.waiters().is_empty() {
            self.end(key, Ended::NotStored, out);
        }
    }
}
