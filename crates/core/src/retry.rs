//! Retries: what becomes of a job whose worker did not finish it.
//!
//! From: `WORK_FAIL`, `WORK_EXCEPTION`, a time limit, the end of a worker's connection, `CANT_DO`.
//! To: the job waits its pause and stands at the end of its line again, with one attempt more; or it is dead:
//! its clients get their one final answer, and a background job becomes a dead letter.
//! Never: tells clients anything between two attempts.

use crate::core::Core;
use crate::event::{Ended, Event};
use crate::function::FunctionKey;
use crate::job::{JobKey, Kept};
use crate::outbox::Outbox;
use crate::persist::{ATTEMPT_TEXT_BYTES_MAX, Attempt, Op, Outcome};
use geartrain_proto::Response;
use std::hash::BuildHasher;

impl Core {
    /// Whether an attempt of this function's jobs that ended like this leads to another one.
    pub(crate) fn is_retried(&self, function: FunctionKey, how: Outcome) -> bool {
        self.functions.get(function).policy.retry_on.covers(how)
    }

    /// A worker did not finish a job that it ran; `text` is what it said of it.
    pub(crate) fn attempt_failed(&mut self, key: JobKey, how: Outcome, text: &[u8], out: &mut dyn Outbox) {
        if self.jobs.get(key).assigning().is_some() {
            // The worker never got it: no attempt was made.
            return self.withdraw(key, out);
        }
        let text = text.get(..ATTEMPT_TEXT_BYTES_MAX).unwrap_or(text);
        self.log_attempt(key, how, text, out);
        self.displace(key);
        self.jobs.count_attempt(key, how);
        let job = self.jobs.get(key);
        let (function, attempts, lost) = (job.function(), job.attempts(), job.lost());
        let handle = self.handles.text(job.number());
        out.note(Event::GivenBack {
            handle: handle.as_handle(),
            function: self.functions.name(function),
            reason: how,
            attempts,
        });
        let policy = &self.functions.get(function).policy;
        let is_suspicious =
            how == Outcome::Disconnected && policy.lost_workers > 0 && lost >= policy.lost_workers;
        let is_spent = policy.attempts > 0 && attempts >= policy.attempts;
        if is_suspicious {
            self.die(key, Outcome::LostWorkers, text, out);
        } else if is_spent || !policy.retry_on.covers(how) {
            self.die(key, how, text, out);
        } else if job.kept() == Kept::ByClients && job.waiters().is_empty() {
            self.end(key, Ended::Abandoned, out);
        } else {
            self.retry(key, out);
        }
    }

    /// Queues a displaced job again, after its pause.
    fn retry(&mut self, key: JobKey, out: &mut dyn Outbox) {
        let job = self.jobs.get(key);
        let (number, function, attempts) = (job.number(), job.function(), job.attempts());
        // Left to chance means spread, not unpredictable: the same in every replay.
        let spread = (self.hash.hash_one((number, attempts)) >> 11) as f64 / (1_u64 << 53) as f64;
        let pause = self.functions.get(function).policy.backoff.pause(attempts, spread);
        self.pause(key, self.now.moment.after(pause));
        self.change_record(key, out);
        drop(self.spare_memory(key, None));
        self.wake_if_ready(function, out);
    }

    /// Ends a job for good that did not complete: its clients get their final answer.
    pub(crate) fn die(&mut self, key: JobKey, how: Outcome, text: &[u8], out: &mut dyn Outbox) {
        let job = self.end_with(key, Ended::Dead(how), text, out);
        let handle = self.handles.text(job.number());
        for waiter in job.waiters() {
            self.send_failure(*waiter, handle.as_handle(), how, text, out);
        }
    }

    /// The final answer to a client whose job did not complete: clients that did not ask for exceptions get
    /// `WORK_FAIL`.
    pub(crate) fn send_failure(
        &self,
        waiter: crate::ids::ConnId,
        handle: geartrain_proto::Handle<'_>,
        how: Outcome,
        exception: &[u8],
        out: &mut dyn Outbox,
    ) {
        let wants_it = self.conns.get(waiter).is_some_and(|peer| peer.exceptions);
        out.send(
            waiter,
            if how == Outcome::Exception && wants_it {
                Response::WorkException { handle, exception }
            } else {
                Response::WorkFail { handle }
            },
        );
    }

    fn log_attempt(&mut self, key: JobKey, how: Outcome, text: &[u8], out: &mut dyn Outbox) {
        let job = self.jobs.get(key);
        let running = job.running().expect("only a job on a worker has an attempt that ends");
        let (worker, started, number) = (running.worker, running.started, job.number());
        self.suspect(worker, number);
        let job = self.jobs.get(key);
        if job.kept() == Kept::ByClients {
            return;
        }
        let ticket = self.writing.next_ticket();
        let peer = self.conns.get(worker);
        out.persist(
            ticket,
            Op::Attempt(Attempt {
                number,
                attempt: job.attempts().saturating_add(1),
                started: started.unix,
                ended: self.now.unix,
                client_id: peer.map_or(&[], |peer| &peer.client_id),
                address: peer.map_or(&[], |peer| peer.address.as_bytes()),
                how,
                text,
            }),
        );
    }
}
