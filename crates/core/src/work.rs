//! Work: what a worker reports about a job it runs, on its way to the clients that wait for it.
//!
//! From: `WORK_*`. To: the same packet to every foreground submit, in order; a job that ended is gone.
//! Never: takes a report from a connection that does not run the job.

use crate::core::Core;
use crate::event::Ended;
use crate::ids::ConnId;
use crate::job::JobKey;
use crate::outbox::Outbox;
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
        (running.worker == conn).then_some(key)
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
        for waiter in self.end(key, Ended::Completed, out).waiters() {
            out.send(*waiter, Response::WorkComplete { handle, result });
        }
    }

    /// `WORK_FAIL`, final. Right behind the same worker's `WORK_EXCEPTION` for the job it is no mistake:
    /// some client libraries send both.
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
        for waiter in self.end(key, Ended::Failed, out).waiters() {
            out.send(*waiter, Response::WorkFail { handle });
        }
    }

    /// `WORK_EXCEPTION`, final: clients that did not ask for exceptions get `WORK_FAIL`.
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
        let job = self.end(key, Ended::Exception, out);
        if let Some(peer) = self.conns.get_mut(conn) {
            peer.exception_for = Some(job.number());
        }
        for waiter in job.waiters() {
            let wants_it = self.conns.get(*waiter).is_some_and(|peer| peer.exceptions);
            out.send(
                *waiter,
                if wants_it {
                    Response::WorkException { handle, exception }
                } else {
                    Response::WorkFail { handle }
                },
            );
        }
    }
}

/// A number of `WORK_STATUS` as the reference keeps it: 32 bits, wrapping, 0 when it is none.
fn wrapping_number(text: &[u8]) -> u32 {
    let number = lenient_number(text).unwrap_or(-1);
    u32::try_from(number & i64::from(u32::MAX)).unwrap_or(u32::MAX)
}
