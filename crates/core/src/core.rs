//! The queue seen from outside: inputs, outputs, and the next time it wants to be called.
//!
//! From: whoever drives it, one input at a time. To: the file named after what the input asks for.

use crate::archive::Archive;
use crate::backlog::Spilling;
use crate::chores::{Chores, Leaver};
use crate::commands::Replies;
use crate::conn::{Conns, Sleep};
use crate::durable::Writing;
use crate::event::{Ended, Event};
use crate::function::{FunctionKey, Functions};
use crate::handle::Handles;
use crate::ids::{ConnId, Moment, Now};
use crate::imports::Imports;
use crate::job::{Job, JobKey, Jobs, Kept};
use crate::outbox::Outbox;
use crate::persist::Outcome;
use crate::reads::Reads;
use crate::requeue::Campaigns;
use crate::rules::Rules;
use crate::schedule::Schedules;
use crate::settings::{Settings, SettingsError};
use crate::suspect::Suspects;
use crate::timers::Timers;
use foldhash::fast::FixedState;
use geartrain_proto::{
    AdminCommand, DecodeError, Disposition, ErrorCode, Function, Priority, Request, Response, Submit,
    SubmitMode,
};

/// The whole job queue.
///
/// Inputs are `handle_*`; what they cause goes to the [`Outbox`] that comes with them. After each input,
/// [`Core::poll_timeout`] says when [`Core::handle_timeout`] is due. A driver with a store calls
/// [`Core::load`] for every record and then [`Core::handle_loaded`] before the first request.
#[derive(Debug)]
pub struct Core {
    pub(crate) settings: Settings,
    /// When the input came that is being handled.
    pub(crate) now: Now,
    pub(crate) rules: Rules,
    pub(crate) handles: Handles,
    pub(crate) hash: FixedState,
    pub(crate) jobs: Jobs,
    pub(crate) functions: Functions,
    pub(crate) conns: Conns,
    pub(crate) timers: Timers,
    pub(crate) chores: Chores,
    pub(crate) spilling: Spilling,
    pub(crate) writing: Writing,
    pub(crate) archive: Archive,
    pub(crate) campaigns: Campaigns,
    pub(crate) imports: Imports,
    pub(crate) reads: Reads,
    pub(crate) replies: Replies,
    pub(crate) suspects: Suspects,
    pub(crate) schedules: Schedules,
    /// Whether workers are given jobs.
    pub(crate) assigning: bool,
}

impl Core {
    /// An empty queue.
    ///
    /// # Errors
    /// When the handle prefix is too long or cannot be carried in text.
    pub fn new(mut settings: Settings) -> Result<Self, SettingsError> {
        let of_file = std::mem::take(&mut settings.rules);
        let rules = settings.rules(&of_file)?;
        Ok(Self {
            handles: Handles::new(&settings.handle_prefix)?,
            hash: FixedState::with_seed(settings.hash_seed),
            jobs: Jobs::new(settings.hash_seed),
            functions: Functions::new(settings.hash_seed),
            conns: Conns::default(),
            timers: Timers::default(),
            chores: Chores::default(),
            spilling: Spilling::default(),
            writing: Writing::new(settings.next_number.max(1)),
            archive: Archive::default(),
            campaigns: Campaigns::default(),
            imports: Imports::default(),
            reads: Reads::default(),
            replies: Replies::default(),
            suspects: Suspects::default(),
            schedules: Schedules::default(),
            now: Now::default(),
            rules,
            assigning: true,
            settings,
        })
    }

    /// A peer connected. `descriptor` and `address` are what the text command `workers` prints.
    pub fn handle_connected(&mut self, descriptor: i32, address: &str) -> ConnId {
        self.conns.insert(descriptor, address, self.settings.exceptions)
    }

    /// The same, of a peer that comes from a port, for `workers list`.
    pub fn handle_connected_from(&mut self, descriptor: i32, address: &str, port: Option<u16>) -> ConnId {
        let conn = self.handle_connected(descriptor, address);
        if let Some(peer) = self.conns.get_mut(conn) {
            peer.port = port;
        }
        conn
    }

    /// A packet came.
    pub fn handle_request(&mut self, now: Now, conn: ConnId, request: &Request<'_>, out: &mut dyn Outbox) {
        self.now = now;
        let Some(peer) = self.conns.get_mut(conn) else { return };
        let exception_for = peer.exception_for.take();
        match *request {
            Request::Submit(ref submit) => self.submit(conn, submit, out),
            Request::Grab(kind) => self.grab(conn, kind, out),
            Request::PreSleep => self.pre_sleep(conn, out),
            Request::WorkStatus { handle, numerator, denominator } => {
                self.work_status(conn, handle, numerator, denominator, out);
            }
            Request::WorkData { handle, data } => {
                self.work_relay(conn, handle, Response::WorkData { handle, data }, out);
            }
            Request::WorkWarning { handle, warning } => {
                self.work_relay(conn, handle, Response::WorkWarning { handle, warning }, out);
            }
            Request::WorkComplete { handle, result } => self.work_complete(conn, handle, result, out),
            Request::WorkFail { handle } => self.work_fail(conn, handle, exception_for, out),
            Request::WorkException { handle, exception } => self.work_exception(conn, handle, exception, out),
            Request::CanDo { function } => self.can_do(conn, function, 0, out),
            Request::CanDoTimeout { function, timeout_ms } => {
                self.can_do(conn, function, timeout_ms, out);
            }
            Request::CantDo { function } => self.cant_do(conn, function, out),
            Request::ResetAbilities => self.reset_abilities(conn, out),
            Request::GetStatus { handle } => self.get_status(conn, handle, out),
            Request::GetStatusUnique { unique } => self.get_status_unique(conn, unique, out),
            Request::Echo { data } => out.send(conn, Response::Echo { data }),
            Request::Option { name } => self.option(conn, name, out),
            Request::SetClientId { id } => self.set_client_id(conn, id, out),
            Request::SubmitSched { function, unique, calendar, workload } => {
                let submit = Submit {
                    function,
                    unique,
                    priority: Priority::Normal,
                    mode: SubmitMode::Background,
                    reducer: None,
                    workload,
                };
                self.submit_sched(conn, submit, &calendar, out);
            }
            Request::AllYours => {
                Self::refuse(conn, ErrorCode::InvalidCommand, "Command not expected", out);
            }
        }
    }

    /// A text command came.
    pub fn handle_admin(&mut self, now: Now, conn: ConnId, command: &AdminCommand<'_>, out: &mut dyn Outbox) {
        self.now = now;
        if self.conns.get(conn).is_some() {
            self.admin(conn, command, out);
        }
    }

    /// Bytes came that are no message: they are answered as the error's disposition says, and the driver
    /// is asked to close the connection where it says so. Nothing more may be read from it then.
    pub fn handle_malformed(&mut self, conn: ConnId, error: &DecodeError, out: &mut dyn Outbox) {
        if self.conns.get(conn).is_none() {
            return;
        }
        match error.disposition() {
            Disposition::Reply(code) => Self::refuse(conn, code, &error.to_string(), out),
            Disposition::ReplyThenClose(code) => {
                Self::refuse(conn, code, &error.to_string(), out);
                out.close(conn);
            }
            Disposition::ReplyLineThenClose(word) => {
                out.text(conn, format!("ERR {word} {error}\r\n").as_bytes());
                out.close(conn);
            }
        }
    }

    /// The connection ended; its id means nothing any more.
    ///
    /// Jobs it ran go back to their lines before this returns (I8). Jobs that only it waited for are dropped, unless
    /// they run; where it waited for very many, in portions, before which they may still be started.
    pub fn handle_closed(&mut self, now: Now, conn: ConnId, out: &mut dyn Outbox) {
        self.now = now;
        let Some(peer) = self.conns.get_mut(conn) else { return };
        self.chores.lists.retain(|list| list.conn != conn);
        let abilities = peer.take_abilities();
        let sleep = std::mem::replace(&mut peer.sleep, Sleep::Awake);
        let mut leaver = Leaver { conn, waits: peer.waits.iter().copied().collect() };
        let mut running = peer.running.clone();
        for ability in abilities {
            self.remove_worker(ability.function);
        }
        let has_left = self.leave(&mut leaver, out);
        running.sort_by_key(|key| self.order_back(*key));
        for key in running {
            self.attempt_failed(key, Outcome::Disconnected, b"", out);
        }
        if has_left {
            self.conns.remove(conn);
        } else {
            self.chores.leavers.push_back(leaver);
        }
        self.wake_instead_of(sleep, out);
    }

    /// Takes a portion of the waits of a client that left off their jobs; whether no more are left.
    pub(crate) fn leave(&mut self, leaver: &mut Leaver, out: &mut dyn Outbox) -> bool {
        let Leaver { conn, waits } = leaver;
        let mut keys = waits.split_off(waits.len().saturating_sub(self.settings.portion));
        // Whoever has the place of a job that ended since is none of its jobs.
        keys.retain(|key| self.conns.get_mut(*conn).is_some_and(|peer| peer.stop_awaiting(*key)));
        keys.sort_by_key(|key| self.jobs.get(*key).number());
        for key in keys {
            self.jobs.remove_waiter(key, *conn);
            self.drop_if_abandoned(key, out);
        }
        waits.is_empty()
    }

    /// The time of [`Core::poll_timeout`] has come; harmless when it has not.
    pub fn handle_timeout(&mut self, now: Now, out: &mut dyn Outbox) {
        self.now = now;
        self.expire(out);
        self.do_chores(out);
    }

    /// When [`Core::handle_timeout`] is to be called; `None` while nothing waits for time. At once, while there is
    /// work that is done in portions.
    ///
    /// Where a job waits for a time of the calendar, the answer holds only while the clock does not jump.
    #[must_use]
    pub fn poll_timeout(&self, now: Now) -> Option<Moment> {
        if self.chores.is_empty() { self.timers.next(now) } else { Some(now.moment) }
    }

    /// Whether some job waits for a time of the calendar, which a jump of the clock may bring nearer.
    #[must_use]
    pub fn waits_for_calendar(&self) -> bool {
        self.timers.waits_for_calendar()
    }

    /// Jobs that wait or run.
    #[must_use]
    pub fn jobs(&self) -> usize {
        self.jobs.len()
    }

    /// Jobs that are held in memory alone: foreground jobs, background jobs without a store, and those
    /// whose record is not written yet.
    #[must_use]
    pub fn jobs_in_memory_only(&self) -> usize {
        self.jobs.in_memory_only()
    }

    /// Jobs that run on a worker.
    #[must_use]
    pub fn jobs_running(&self) -> usize {
        self.jobs.running()
    }

    /// Stops handing out jobs: workers get `NO_JOB` and are not woken (flag `--shutdown-grace`).
    pub fn stop_assigning(&mut self) {
        self.assigning = false;
    }

    /// The server ends once no job is held in memory alone: schedules whose jobs would be are left out.
    pub fn begin_drain(&mut self) {
        self.schedules.draining = true;
    }

    pub(crate) fn refuse(conn: ConnId, code: ErrorCode, text: &str, out: &mut dyn Outbox) {
        out.note(Event::Refused { conn, code, text });
        out.send(conn, Response::Error { code: code.as_str().as_bytes(), text: text.as_bytes() });
    }

    /// The function of this name, made when it is new; `None` when there are too many.
    pub(crate) fn function_for(&mut self, name: Function<'_>) -> Option<FunctionKey> {
        if let Some(key) = self.functions.find(name) {
            return Some(key);
        }
        if self.functions.len() >= self.settings.limits.functions_max {
            return None;
        }
        Some(self.add_function(name))
    }

    /// Makes a function that is not there yet, whatever the limit.
    pub(crate) fn add_function(&mut self, name: Function<'_>) -> FunctionKey {
        let policy = self.rules.resolve(name.as_bytes());
        let key = self.functions.insert(name, policy);
        self.jobs.add_line(key);
        self.set_up_gate(key);
        key
    }

    /// Ends a job: takes it from wherever it is, and lets the store forget it.
    ///
    /// Returns it, so that its clients can be told.
    pub(crate) fn end(&mut self, key: JobKey, how: Ended, out: &mut dyn Outbox) -> Job {
        self.end_with(key, how, b"", out)
    }

    /// As [`Core::end`]; `error` is what is kept with a dead letter.
    pub(crate) fn end_with(&mut self, key: JobKey, how: Ended, error: &[u8], out: &mut dyn Outbox) -> Job {
        self.refuse_assignment(key, out);
        self.displace(key);
        let job = self.jobs.remove(key);
        let number = job.number();
        if how.was_served() {
            self.functions.get_mut(job.function()).served.count(self.now.moment);
        }
        for waiter in job.waiters() {
            if let Some(peer) = self.conns.get_mut(*waiter) {
                peer.stop_awaiting(key);
            }
        }
        self.forget_suspicion(number);
        self.forget_record(&job, how, error, out);
        self.scheduled_job_ended(number, how, out);
        let handle = self.handles.text(number);
        let function = self.functions.name(job.function());
        out.note(Event::Ended { handle: handle.as_handle(), function, how });
        self.tell_campaign(number, how, out);
        if self.jobs.line(job.function()).is_limited() {
            self.wake_if_ready(job.function(), out);
        }
        job
    }

    /// Drops a job that waits only for clients that have all left.
    pub(crate) fn drop_if_abandoned(&mut self, key: JobKey, out: &mut dyn Outbox) {
        let job = self.jobs.get(key);
        let abandoned = job.kept() == Kept::ByClients && job.waiters().is_empty();
        if abandoned && job.running().is_none() {
            self.end(key, Ended::Abandoned, out);
        }
    }
}
