//! Work: what a worker reports about a job it runs, on its way to the clients that wait for it.
//!
//! From: `WORK_*`. To: the same packet to every foreground submit, in order; a job that ended is gone.
//! Never: takes a report from a connection that does not run the job.

use crate::core::Core;
use crate::event::Ended;
use crate::ids::ConnId;
use crate::job::JobKey;
use crate::outbox::Outbox;
use crate::persist::Outcome;
use crate::timers::Alarm;
use geartrain_proto::{ErrorCode, Handle, Response, lenient_number};

/// `ERROR` texts of the reference for a report about a job that is not the worker's.
const NO_SUCH_RESULT: &str = "Job given in work result not found";
const NO_SUCH_JOB: &str = "Job does not exist on server";
const NO_SUCH_EXCEPTION: &str = "An exception was received for a job that does not exist";

impl Core {
    /// The job with this handle, where this connection runs it.
    fn owned(&self, conn: ConnId, handle: Handle<'_>) -> Option<JobKey> {
        let key = self.jobs.find(self.handles.number(handle)?)?;
        let running = self.jobs.get(key).running()?;
        (running.worker == conn && running.assigning.is_none()).then_some(key)
    }

    pub(crate) fn work_status(
        &mut self,
        conn: ConnId,
        handle: Handle<'_>,
        numerator: &[u8],
        denominator: &[u8],
        out: &mut dyn Outbox,
    ) {
        let Some(key) = self.owned(conn, handle) else {
            return Self::refuse(conn, ErrorCode::JobNotFound, NO_SUCH_RESULT, out);
        };
        self.extend_deadline(key);
        self.jobs.set_progress(key, wrapping_number(numerator), wrapping_number(denominator));
        for waiter in self.jobs.get(key).waiters() {
            out.send(*waiter, Response::WorkStatus { handle, numerator, denominator });
        }
    }

    /// `WORK_DATA` and `WORK_WARNING`.
    pub(crate) fn work_relay(
        &mut self,
        conn: ConnId,
        handle: Handle<'_>,
        response: Response<'_>,
        out: &mut dyn Outbox,
    ) {
        let Some(key) = self.owned(conn, handle) else {
            return Self::refuse(conn, ErrorCode::JobNotFound, NO_SUCH_JOB, out);
        };
        if matches!(response, Response::WorkData { .. }) {
            self.extend_deadline(key);
        }
        for waiter in self.jobs.get(key).waiters() {
            out.send(*waiter, response);
        }
    }

    pub(crate) fn work_complete(
        &mut self,
        conn: ConnId,
        handle: Handle<'_>,
        result: &[u8],
        out: &mut dyn Outbox,
    ) {
        let Some(key) = self.owned(conn, handle) else {
            return Self::refuse(conn, ErrorCode::JobNotFound, NO_SUCH_RESULT, out);
        };
        let number = self.jobs.get(key).number();
        self.credit(conn, number, out);
        for waiter in self.end(key, Ended::Completed, out).waiters() {
            out.send(*waiter, Response::WorkComplete { handle, result });
        }
    }

    /// `WORK_FAIL`, final unless the policy of the function says retry. Right behind the same worker's `WORK_EXCEPTION`
    /// for the job it is no mistake: some client libraries send both.
    pub(crate) fn work_fail(
        &mut self,
        conn: ConnId,
        handle: Handle<'_>,
        exception_for: Option<u64>,
        out: &mut dyn Outbox,
    ) {
        let Some(key) = self.owned(conn, handle) else {
            if exception_for.is_none() || self.handles.number(handle) != exception_for {
                Self::refuse(conn, ErrorCode::JobNotFound, NO_SUCH_RESULT, out);
            }
            return;
        };
        if self.is_retried(self.jobs.get(key).function(), Outcome::Failed) {
            return self.attempt_failed(key, Outcome::Failed, b"", out);
        }
        for waiter in self.end(key, Ended::Failed, out).waiters() {
            out.send(*waiter, Response::WorkFail { handle });
        }
    }

    /// `WORK_EXCEPTION`, final unless the policy of the function says retry: clients that did not ask for
    /// exceptions get `WORK_FAIL`.
    pub(crate) fn work_exception(
        &mut self,
        conn: ConnId,
        handle: Handle<'_>,
        exception: &[u8],
        out: &mut dyn Outbox,
    ) {
        let Some(key) = self.owned(conn, handle) else {
            return Self::refuse(conn, ErrorCode::JobNotFound, NO_SUCH_EXCEPTION, out);
        };
        let job = self.jobs.get(key);
        let (number, function) = (job.number(), job.function());
        if let Some(peer) = self.conns.get_mut(conn) {
            peer.exception_for = Some(number);
        }
        if self.is_retried(function, Outcome::Exception) {
            return self.attempt_failed(key, Outcome::Exception, exception, out);
        }
        for waiter in self.end(key, Ended::Exception, out).waiters() {
            self.send_failure(*waiter, handle, Outcome::Exception, exception, out);
        }
    }

    /// A job shows that it is alive: where the policy says so, it has its whole time again.
    fn extend_deadline(&mut self, key: JobKey) {
        let job = self.jobs.get(key);
        let policy = &self.functions.get(job.function()).policy;
        let (Some(running), true) = (job.running(), policy.timeout_extends) else { return };
        let own = self.conns.get(running.worker).and_then(|peer| peer.ability(job.function(), &self.hash));
        let timeout = own.and_then(|ability| ability.timeout).or(policy.timeout);
        let (Some(before), Some(timeout)) = (running.deadline, timeout) else { return };
        let (number, after) = (job.number(), self.now.moment.after(timeout));
        self.timers.remove_alarm(before, Alarm::Deadline(number));
        self.timers.set_alarm(after, Alarm::Deadline(number));
        self.jobs.set_deadline(key, after);
    }
}

/// A number of `WORK_STATUS` as the reference keeps it: 32 bits, wrapping, 0 when it is none.
fn wrapping_number(text: &[u8]) -> u32 {
    let number = lenient_number(text).unwrap_or(-1);
    u32::try_from(number & i64::from(u32::MAX)).unwrap_or(u32::MAX)
}
