//! A worker's side of one connection: abilities, the rhythm of grabbing and sleeping, and the jobs in hand.
//!
//! From: bytes of the server ([`WorkerSession::feed`]), and calls that register, grab and report.
//! To: bytes for the server ([`WorkerSession::pending`]), and [`WorkerEvent`]s.
//! Never: reads a clock, waits, grabs more than it is allowed to, or lets a job go unanswered.
//!
//! The rhythm is that of the protocol. While the session is awake it may grab (`GRAB_JOB_ALL`); the server
//! assigns a job, or has none (`NO_JOB`). With the last unanswered grab unsuccessful the session sleeps
//! (`PRE_SLEEP`), and the server wakes it (`NOOP`) when there may be a job. Jobs in hand run on meanwhile.
//!
//! ```
//! use geartrain_client::session::worker::{WorkerEvent, WorkerSession};
//! use geartrain_proto::{Function, Handle, Response, Unique};
//!
//! let mut session = WorkerSession::new(1024 * 1024);
//! session.register("reverse", None);
//! session.grab(1);
//! let sent = session.pending().len(); // CAN_DO and GRAB_JOB_ALL: write them, and say so.
//! session.written(sent);
//!
//! let mut bytes = Vec::new(); // What the server answers.
//! let (handle, function, unique) = (Handle::from("H:host:1"), Function::from("reverse"), Unique::from(""));
//! Response::JobAssignUniq { handle, function, unique, workload: b"abc" }.encode(&mut bytes);
//! session.feed(&bytes);
//! let Some(Ok(WorkerEvent::Assigned(job))) = session.poll() else { panic!("a job was assigned") };
//! assert_eq!(job.workload, "abc");
//! assert!(session.complete(&job.key, b"cba"));
//! session.grab(1); // WORK_COMPLETE and the next GRAB_JOB_ALL leave in one write.
//! ```

mod abilities;
mod event;
#[cfg(test)]
mod tests;

pub use event::{AssignedJob, JobKey, WorkerEvent, WorkerSessionError};

use super::buffers::{Incoming, Outgoing};
use abilities::Abilities;
use bytes::{Bytes, BytesMut};
use event::assigned;
use geartrain_proto::{ClientId, Function, GrabKind, Handle, Request, Response};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Most grabs that wait for their answers at once.
const GRABS_MAX: usize = 64;

/// How often in a row a wake-up may turn out empty before the next one is held back.
///
/// gearmand 1.1.20 answers `PRE_SLEEP` with `NOOP` and the grab with `NO_JOB` for as long as a function has
/// only jobs for later: a worker that follows turns as fast as it can.
const EMPTY_WAKES_MAX: u32 = 100;

/// How often in a row a wake-up may bring one job and no more before the session goes to sleep with the end of that
/// job, without asking for another: the server, which looks at its queues then, wakes it if there is one.
const SINGLES_MIN: u32 = 3;

/// Every so many of these jobs it asks all the same: where jobs wait, one answer more for each is what it costs.
const SINGLES_ASK: u32 = 8;

/// Longest time limit that a server is told, in milliseconds: gearmand 1.1.20 dies of one with twenty digits.
const TIMEOUT_MILLIS_MAX: u64 = i32::MAX.unsigned_abs() as u64;

/// A worker's side of one connection; see the [module](self).
#[derive(Debug)]
pub struct WorkerSession {
    incoming: Incoming,
    outgoing: Outgoing,
    abilities: Abilities,
    jobs: HashMap<Bytes, InHand>,
    /// Number of the next assignment, which tells two of the same handle apart.
    next_assignment: u64,
    rhythm: Rhythm,
    /// Grabs without an answer.
    asked: usize,
    /// Signs of life that were asked for and have not come.
    echoes_owed: usize,
    /// Whether an end of a job may not have reached the server.
    unconfirmed: bool,
    /// Whether a report was sent since the server answered something: an error may be about that.
    reported: bool,
    /// Jobs assigned since the last `NO_JOB`: how much the next batch of grabs may hope for.
    streak: usize,
    empty_wakes: u32,
    /// Wake-ups in a row that brought one job and no more.
    singles: u32,
    grab_kind: GrabKind,
    /// Whether the server has answered a sign of life, or a grab.
    answers: bool,
    /// Whether the server has answered a grab: it knows this kind.
    grab_kind_known: bool,
    /// Whether gearmand 1.1.20 may hold a running timer for a job that has ended.
    timer_left: bool,
    stopping: bool,
}

/// A job that was assigned and has not ended.
#[derive(Debug)]
struct InHand {
    assignment: u64,
    function: Arc<str>,
}

/// Whether the server has work, as far as the session knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rhythm {
    /// There may be work: grab when allowed.
    Awake,
    /// There was none; the server sends `NOOP` when there is.
    Asleep,
    /// As asleep, and a `NOOP` came that is not followed before [`WorkerSession::nudge`].
    Held,
    /// Nothing is known before the server has given a sign of life.
    Probing,
}

/// The code of an `ERROR` about a job that is not this worker's any more.
pub(crate) const JOB_NOT_FOUND: &str = "JOB_NOT_FOUND";

/// What the server is to send back as a sign of life.
const SIGN: &[u8] = b"geartrain";

impl WorkerSession {
    /// A session on a new connection, which takes packet bodies of up to `body_bytes_max`.
    #[must_use]
    pub fn new(body_bytes_max: u32) -> Self {
        Self {
            incoming: Incoming::new(body_bytes_max),
            outgoing: Outgoing::default(),
            abilities: Abilities::default(),
            jobs: HashMap::new(),
            next_assignment: 0,
            rhythm: Rhythm::Awake,
            asked: 0,
            echoes_owed: 0,
            unconfirmed: false,
            reported: false,
            streak: 0,
            empty_wakes: 0,
            singles: 0,
            grab_kind: GrabKind::All,
            answers: false,
            grab_kind_known: false,
            timer_left: false,
            stopping: false,
        }
    }

    // --- Abilities

    /// Tells the server a name for this worker, which its list of workers shows (`SET_CLIENT_ID`).
    pub fn set_client_id(&mut self, id: &str) {
        self.outgoing.put(&Request::SetClientId { id: ClientId::from(id) });
    }

    /// Says that this worker does a function (`CAN_DO`, with a time limit `CAN_DO_TIMEOUT`).
    ///
    /// When the limit runs out the server gives the job to another worker. It counts in milliseconds, at most
    /// 24 days; servers raise less than a second to one. A function that is registered already stays as it is.
    /// Of several functions, gearmand 1.1.20 serves the one registered last first.
    pub fn register(&mut self, function: &str, timeout: Option<Duration>) {
        if !self.abilities.add(function, timeout.is_some()) {
            return;
        }
        let function = Function::from(function);
        let timeout = timeout
            .map(|limit| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX).clamp(1, TIMEOUT_MILLIS_MAX));
        self.outgoing.put(&match timeout {
            Some(timeout_ms) => Request::CanDoTimeout { function, timeout_ms },
            None => Request::CanDo { function },
        });
        // gearmand 1.1.20 does not wake a worker that sleeps while it becomes able to do a waiting job.
        self.wake();
    }

    /// Takes a function back (`CANT_DO`), as soon as that takes no job away.
    ///
    /// A server gives all jobs of the function that run on this connection to others when it is taken back.
    /// So nothing is grabbed any more while such jobs run or may still be assigned, and jobs of the function
    /// that come meanwhile are to be done.
    pub fn unregister(&mut self, function: &str) {
        self.abilities.leave(function);
        self.settle();
    }

    /// Grabs no more; what was grabbed is still to be done. See [`WorkerSession::is_finished`].
    pub fn stop(&mut self) {
        if self.stopping {
            return;
        }
        self.stopping = true;
        self.abilities.leave_all();
        self.settle();
        self.take_leave();
    }

    /// Whether it was asked to stop.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stopping
    }

    /// Whether a stopped session has no job in hand, none that may still come, and nothing left to write; and the
    /// server has all results, as its answer to a last `ECHO_REQ` shows.
    ///
    /// Without that answer, a close could throw away what is on its way: a kernel that is told to close with
    /// something unread sends no more.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.is_done() && !self.unconfirmed && self.pending().is_empty()
    }

    fn is_done(&self) -> bool {
        self.stopping && self.asked == 0 && self.jobs.is_empty()
    }

    /// Has the last results confirmed: the server works requests off in their order.
    fn take_leave(&mut self) {
        if self.is_done() && self.unconfirmed {
            self.ask_for_sign();
        }
    }

    // --- Grabbing

    /// How many jobs the session would grab now, if it was allowed to.
    ///
    /// It is one at first and after a `NO_JOB`, and grows while jobs come. Zero while asleep or stopped.
    #[must_use]
    pub fn grabs_wanted(&self) -> usize {
        let may_not = self.stopping || self.abilities.some_leave() || self.abilities.is_empty();
        if may_not || self.rhythm != Rhythm::Awake {
            return 0;
        }
        self.streak.clamp(1, GRABS_MAX).saturating_sub(self.asked)
    }

    /// Asks for this many jobs (`GRAB_JOB_ALL`), at most [`WorkerSession::grabs_wanted`].
    ///
    /// Each grab is answered by [`WorkerEvent::Assigned`] or [`WorkerEvent::NoJob`].
    pub fn grab(&mut self, count: usize) {
        for _ in 0..count.min(self.grabs_wanted()) {
            self.asked += 1;
            self.timer_left = false;
            self.outgoing.put(&Request::Grab(self.grab_kind));
        }
    }

    /// Says that no grab follows a report for now, where the server should know.
    ///
    /// gearmand 1.1.20 keeps one timer for each connection and lets it run on when the job has ended; only the
    /// next assignment or a `PRE_SLEEP` stops it. Ran out, it would give away a job that is no more.
    pub fn rest(&mut self) {
        if self.timer_left && self.asked == 0 && self.jobs.is_empty() {
            self.timer_left = false;
            // The rhythm stays: the server wakes nobody twice who has not grabbed since.
            self.outgoing.put(&Request::PreSleep);
        }
    }

    /// Looks for work although the server has not said that there is any.
    ///
    /// Called now and then, it makes up for a wake-up that a server forgot: gearmand 1.1.20 wakes nobody for
    /// jobs whose time has come. It is also how a held wake-up is followed ([`WorkerSession::hold`]).
    pub fn nudge(&mut self) {
        self.wake();
    }

    /// How long a wake-up is to be held back before [`WorkerSession::nudge`], if one is.
    ///
    /// That is so after a hundred that turned out empty: from 5 ms, doubled with each further hundred, to
    /// 320 ms.
    #[must_use]
    pub fn hold(&self) -> Option<Duration> {
        let hundreds = (self.empty_wakes / EMPTY_WAKES_MAX).clamp(1, 7) - 1;
        (self.rhythm == Rhythm::Held).then(|| Duration::from_millis(5 << hundreds))
    }

    /// Asks the server for a sign of life (`ECHO_REQ`), and grabs nothing until it has come; then it is awake.
    ///
    /// A grab occupies a slot until it is answered, which a server that hangs never does. One that answers this is
    /// worth a slot.
    pub fn probe(&mut self) {
        if self.rhythm != Rhythm::Probing {
            self.rhythm = Rhythm::Probing;
            self.ask_for_sign();
        }
    }

    fn ask_for_sign(&mut self) {
        self.echoes_owed += 1;
        self.outgoing.put(&Request::Echo { data: SIGN });
    }

    /// How many grabs the server has not answered.
    #[must_use]
    pub fn grabs_unanswered(&self) -> usize {
        self.asked
    }

    /// Whether the server owes an answer: to a grab, or a sign of life.
    #[must_use]
    pub fn is_owed(&self) -> bool {
        self.asked + self.echoes_owed > 0
    }

    /// Whether the server has answered anything yet.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.answers
    }

    /// Whether the server has answered a grab.
    #[must_use]
    pub fn has_grabbed(&self) -> bool {
        self.grab_kind_known
    }

    /// Whether there was no job, and the server has not said since that there is one.
    #[must_use]
    pub fn is_asleep(&self) -> bool {
        matches!(self.rhythm, Rhythm::Asleep | Rhythm::Held)
    }

    fn wake(&mut self) {
        if self.is_asleep() {
            self.rhythm = Rhythm::Awake;
            self.streak = 0;
        }
    }

    /// Takes functions back, once no job can be lost by that.
    fn settle(&mut self) {
        // A server forgets the abilities of a connection that ends, so the last ones need no words.
        if self.asked == 0 && !(self.stopping && self.jobs.is_empty()) {
            let outgoing = &mut self.outgoing;
            self.abilities.remove_idle(|function| {
                outgoing.put(&Request::CantDo { function: Function::from(function) });
            });
        }
    }

    // --- Reports

    /// How many jobs are in hand.
    #[must_use]
    pub fn jobs_in_hand(&self) -> usize {
        self.jobs.len()
    }

    /// Whether this assignment of a job is in hand: it was not ended, nor assigned anew.
    #[must_use]
    pub fn has_in_hand(&self, job: &JobKey) -> bool {
        self.jobs.get(&job.handle).is_some_and(|held| held.assignment == job.assignment)
    }

    /// Reports progress (`WORK_STATUS`); `false` when the job is no longer in hand, and nothing is sent.
    pub fn status(&mut self, job: &JobKey, numerator: u32, denominator: u32) -> bool {
        let (numerator, denominator) = (numerator.to_string(), denominator.to_string());
        self.report(
            job,
            &Request::WorkStatus {
                handle: Handle::new(&job.handle),
                numerator: numerator.as_bytes(),
                denominator: denominator.as_bytes(),
            },
        )
    }

    /// Sends a part of the result (`WORK_DATA`); `false` as for [`WorkerSession::status`].
    pub fn data(&mut self, job: &JobKey, data: &[u8]) -> bool {
        self.report(job, &Request::WorkData { handle: Handle::new(&job.handle), data })
    }

    /// Sends a warning (`WORK_WARNING`); `false` as for [`WorkerSession::status`].
    pub fn warning(&mut self, job: &JobKey, warning: &[u8]) -> bool {
        self.report(job, &Request::WorkWarning { handle: Handle::new(&job.handle), warning })
    }

    /// Ends a job with its result (`WORK_COMPLETE`); `false` as for [`WorkerSession::status`].
    pub fn complete(&mut self, job: &JobKey, result: &[u8]) -> bool {
        self.end(job, &Request::WorkComplete { handle: Handle::new(&job.handle), result })
    }

    /// Ends a job without success (`WORK_FAIL`); `false` as for [`WorkerSession::status`].
    pub fn fail(&mut self, job: &JobKey) -> bool {
        self.end(job, &Request::WorkFail { handle: Handle::new(&job.handle) })
    }

    /// Ends a job without success, and says why (`WORK_EXCEPTION`); `false` as for [`WorkerSession::status`].
    ///
    /// No `WORK_FAIL` follows: every server takes the exception for the end of the job, tells clients that did
    /// not ask for exceptions that it failed, and gearmand answers a second end with an error.
    pub fn exception(&mut self, job: &JobKey, exception: &[u8]) -> bool {
        self.end(job, &Request::WorkException { handle: Handle::new(&job.handle), exception })
    }

    fn report(&mut self, job: &JobKey, packet: &Request<'_>) -> bool {
        let in_hand = self.has_in_hand(job);
        if in_hand {
            self.reported = true;
            self.outgoing.put(packet);
        }
        in_hand
    }

    fn end(&mut self, job: &JobKey, packet: &Request<'_>) -> bool {
        if !self.report(job, packet) {
            return false;
        }
        if let Some(held) = self.jobs.remove(&job.handle) {
            self.timer_left |= self.abilities.ended(&held.function);
        }
        self.unconfirmed = true;
        self.settle();
        self.doze();
        self.take_leave();
        true
    }

    /// Goes to sleep with the end of a job where no other is to be expected.
    ///
    /// Not with several functions: where a job was abandoned, gearmand may lose another one at a `PRE_SLEEP` that
    /// comes before a grab.
    fn doze(&mut self) {
        let was_single = self.rhythm == Rhythm::Awake && self.streak == 1 && self.asked == 0;
        if !was_single
            || self.abilities.count() != 1
            || !self.jobs.is_empty()
            || self.stopping
            || self.singles < SINGLES_MIN
        {
            return;
        }
        self.singles = self.singles.saturating_add(1);
        if !self.singles.is_multiple_of(SINGLES_ASK) {
            self.streak = 0;
            self.sleep();
        }
    }

    fn sleep(&mut self) {
        self.rhythm = Rhythm::Asleep;
        self.timer_left &= !self.jobs.is_empty();
        self.outgoing.put(&Request::PreSleep);
    }

    // --- Bytes

    /// What is to be written, all of it.
    #[must_use]
    pub fn pending(&self) -> &[u8] {
        self.outgoing.pending()
    }

    /// Says that this many bytes of [`WorkerSession::pending`] were written.
    pub fn written(&mut self, bytes: usize) {
        self.outgoing.written(bytes);
    }

    /// Takes bytes as they came from the server.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.incoming.feed(bytes);
    }

    /// Where bytes of the server can be read to without a copy: behind those that are there, into its spare
    /// capacity, which is as much as should be read at once.
    pub fn read_buffer(&mut self) -> &mut BytesMut {
        self.incoming.space()
    }

    /// What the server said next; `None` when more bytes are needed.
    ///
    /// # Errors
    /// When the server does not keep to the protocol. The connection is good for nothing then; what is in hand
    /// is lost to this worker, and the server gives it to another.
    pub fn poll(&mut self) -> Option<Result<WorkerEvent, WorkerSessionError>> {
        loop {
            let (consumed, step) = match self.incoming.peek()? {
                (consumed, Ok(response)) => (consumed, Step::of(&response)),
                (_, Err(error)) => return Some(Err(error.into())),
            };
            let taken = match step {
                Step::Assign => {
                    let packet = self.incoming.take(consumed, consumed);
                    self.handle_assign(&packet).map(Some)
                }
                Step::NoJob => {
                    self.incoming.skip(consumed);
                    self.handle_no_job().map(Some)
                }
                Step::Noop => {
                    self.incoming.skip(consumed);
                    self.handle_noop();
                    Ok(None)
                }
                Step::Echo => {
                    self.incoming.skip(consumed);
                    self.handle_echo().map(|()| None)
                }
                Step::Error { code, text } => {
                    self.incoming.skip(consumed);
                    self.handle_error(code, text)
                }
                Step::Unexpected(kind) => Err(WorkerSessionError::Unexpected { kind }),
            };
            if let Some(outcome) = taken.transpose() {
                return Some(outcome);
            }
        }
    }

    fn handle_noop(&mut self) {
        // One that comes while awake was sent before the server saw the grab: the answer to that says more.
        if self.rhythm == Rhythm::Asleep {
            if self.empty_wakes > 0 && self.empty_wakes.is_multiple_of(EMPTY_WAKES_MAX) {
                self.rhythm = Rhythm::Held;
            } else {
                self.wake();
            }
        }
    }

    fn handle_echo(&mut self) -> Result<(), WorkerSessionError> {
        let unasked = WorkerSessionError::Unasked { answer: "ECHO_RES" };
        self.echoes_owed = self.echoes_owed.checked_sub(1).ok_or(unasked)?;
        self.answers = true;
        self.reported = false;
        if self.rhythm == Rhythm::Probing {
            self.rhythm = Rhythm::Awake;
            self.streak = 0;
        }
        // One that was asked for before the stop says nothing of the results behind it.
        if self.is_done() && self.echoes_owed == 0 {
            self.unconfirmed = false;
        }
        Ok(())
    }

    fn handle_no_job(&mut self) -> Result<WorkerEvent, WorkerSessionError> {
        self.answered("NO_JOB")?;
        self.no_job();
        Ok(WorkerEvent::NoJob)
    }

    fn no_job(&mut self) {
        if self.streak == 1 {
            self.singles = self.singles.saturating_add(1);
        }
        self.streak = 0;
        if self.asked == 0 {
            self.empty_wakes = self.empty_wakes.saturating_add(1);
            self.settle();
            if !self.stopping {
                // Looks at the queues once more: a job submitted since found nobody asleep to wake.
                self.sleep();
            }
            self.take_leave();
        }
    }

    fn handle_assign(&mut self, packet: &Bytes) -> Result<WorkerEvent, WorkerSessionError> {
        if self.asked == 0 {
            return Err(WorkerSessionError::Unasked { answer: "JOB_ASSIGN" });
        }
        let (function, mut job) = assigned(packet)?;
        let Some(name) = self.abilities.take_on(function.as_bytes()) else {
            return Err(WorkerSessionError::UnknownFunction { function: function.to_string() });
        };
        // Only now: a grab that brought nothing but an error stays unanswered.
        self.answered("JOB_ASSIGN")?;
        self.streak = self.streak.saturating_add(1);
        if self.streak > 1 {
            self.singles = 0;
        }
        self.empty_wakes = 0;
        job.function = Arc::clone(&name);
        job.key.assignment = self.next_assignment;
        self.next_assignment += 1;
        let held = InHand { assignment: job.key.assignment, function: name };
        if let Some(former) = self.jobs.insert(job.key.handle.clone(), held) {
            // The server took the job back, as after a time limit, and gives it out anew. Reports of the former
            // run would be taken for those of the new one.
            self.abilities.ended(&former.function);
        }
        Ok(WorkerEvent::Assigned(job))
    }

    fn answered(&mut self, answer: &'static str) -> Result<(), WorkerSessionError> {
        self.asked = self.asked.checked_sub(1).ok_or(WorkerSessionError::Unasked { answer })?;
        self.answers = true;
        self.grab_kind_known = true;
        self.reported = false;
        Ok(())
    }

    fn handle_error(
        &mut self,
        code: String,
        text: String,
    ) -> Result<Option<WorkerEvent>, WorkerSessionError> {
        // Of what is unanswered, a report may be what it is about; and where nothing else is, it is a grab.
        if self.asked == 0 || self.reported || code == JOB_NOT_FOUND {
            return Ok(Some(WorkerEvent::Refused { code, text }));
        }
        if self.grab_kind_known {
            self.answered("ERROR")?;
            self.no_job();
            return Ok(Some(WorkerEvent::GrabRefused { code, text }));
        }
        // A server that does not know this kind of grab may know an older one.
        self.grab_kind = match self.grab_kind {
            GrabKind::All => GrabKind::Unique,
            GrabKind::Unique => GrabKind::Plain,
            GrabKind::Plain => return Err(WorkerSessionError::GrabRefused { code, text }),
        };
        self.outgoing.put(&Request::Grab(self.grab_kind));
        Ok(None)
    }
}

/// What a packet is to a worker.
enum Step {
    Assign,
    NoJob,
    Noop,
    Echo,
    Error { code: String, text: String },
    Unexpected(&'static str),
}

impl Step {
    fn of(response: &Response<'_>) -> Self {
        match response {
            Response::JobAssign { .. } | Response::JobAssignUniq { .. } | Response::JobAssignAll { .. } => {
                Self::Assign
            }
            Response::NoJob => Self::NoJob,
            Response::Noop => Self::Noop,
            Response::Echo { .. } => Self::Echo,
            Response::Error { code, text } => Self::Error {
                code: code.escape_ascii().to_string(),
                text: String::from_utf8_lossy(text).into_owned(),
            },
            Response::JobCreated { .. }
            | Response::WorkStatus { .. }
            | Response::WorkComplete { .. }
            | Response::WorkFail { .. }
            | Response::WorkException { .. }
            | Response::WorkData { .. }
            | Response::WorkWarning { .. }
            | Response::StatusRes { .. }
            | Response::StatusResUnique { .. }
            | Response::Option { .. } => Self::Unexpected(response.kind().name()),
        }
    }
}
