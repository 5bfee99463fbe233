//! Waking: many workers of one function sleep, one job comes.
//!
//! A job is submitted when every worker is asleep for certain: each worker's `PRE_SLEEP` is followed by an `ECHO_REQ`,
//! and its answer says that the server has handled both.

use std::time::{Duration, Instant};

use crate::dialect::{Dialect, FUNCTION};
use crate::load::{Outbox, Script};
use crate::packet::{
    CAN_DO, ECHO_REQ, ECHO_RES, GRAB_JOB, JOB_ASSIGN, JOB_CREATED, NO_JOB, NOOP, PRE_SLEEP, WORK_COMPLETE,
    each_answer, request,
};
use crate::sample::Samples;
use crate::trouble::Trouble;

const CLIENT: usize = 0;

/// What the workers are at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Workers {
    /// Connected, and nothing more.
    New,
    /// Registered and asleep, by an earlier script on the same connections.
    Asleep,
}

/// Connection 0 submits, all others are workers.
pub(crate) struct Wake {
    wanted: u64,
    until: Instant,
    workers: Workers,
    submitted: u64,
    job_is_out: bool,
    /// Answers that the workers wait for: of grabs and of echoes.
    unanswered: u64,
    submitted_at: Instant,
    /// `NOOP` packets that all workers got.
    pub(crate) noops: u64,
    /// From the submit to the `JOB_ASSIGN`.
    pub(crate) samples: Samples,
}

impl Wake {
    /// Registers the workers and puts them to sleep.
    pub(crate) fn put_to_sleep() -> Self {
        Self::new(Workers::New, 0, Duration::ZERO)
    }

    /// Submits `wanted` jobs, or as many as can be done within `time`, to workers that are asleep.
    pub(crate) fn one_by_one(wanted: u64, time: Duration) -> Self {
        Self::new(Workers::Asleep, wanted, time)
    }

    fn new(workers: Workers, wanted: u64, time: Duration) -> Self {
        let now = Instant::now();
        Self {
            wanted,
            until: now + time,
            workers,
            submitted: 0,
            job_is_out: false,
            unanswered: 0,
            submitted_at: now,
            noops: 0,
            samples: Samples::default(),
        }
    }

    /// Jobs submitted, all of them done.
    pub(crate) fn jobs(&self) -> u64 {
        self.submitted
    }

    fn submit_when_all_sleep(&mut self, outbox: &mut Outbox) {
        if self.unanswered > 0 || self.job_is_out || self.submitted == self.wanted {
            return;
        }
        let now = Instant::now();
        if now > self.until {
            self.wanted = self.submitted;
            return;
        }
        Dialect::Gearman.submit(self.submitted, outbox.to(CLIENT));
        self.submitted += 1;
        self.job_is_out = true;
        self.submitted_at = now;
    }

    fn grab(&mut self, out: &mut Vec<u8>) {
        request(GRAB_JOB, &[], out);
        self.unanswered += 1;
    }
}

impl Script for Wake {
    fn start(&mut self, outbox: &mut Outbox) {
        if self.workers == Workers::Asleep {
            return self.submit_when_all_sleep(outbox);
        }
        for worker in 1..outbox.len() {
            let out = outbox.to(worker);
            request(CAN_DO, &[FUNCTION], out);
            self.grab(out);
        }
    }

    fn receive(
        &mut self,
        link: usize,
        input: &[u8],
        now: Instant,
        outbox: &mut Outbox,
    ) -> Result<usize, Trouble> {
        let used = each_answer(input, |answer| {
            let out = outbox.to(link);
            match answer.kind {
                JOB_CREATED if link == CLIENT => {}
                NOOP => {
                    self.noops += 1;
                    self.grab(out);
                }
                NO_JOB => {
                    request(PRE_SLEEP, &[], out);
                    request(ECHO_REQ, &[b"asleep"], out);
                }
                ECHO_RES => self.unanswered -= 1,
                JOB_ASSIGN => {
                    self.samples.add(now.saturating_duration_since(self.submitted_at), 1);
                    self.job_is_out = false;
                    request(WORK_COMPLETE, &[answer.first_field(), b""], out);
                    self.unanswered -= 1;
                    self.grab(out);
                }
                _ => return Err(answer.unexpected()),
            }
            Ok(())
        })?;
        self.submit_when_all_sleep(outbox);
        Ok(used)
    }

    fn is_done(&self) -> bool {
        self.submitted == self.wanted && !self.job_is_out && self.unanswered == 0
    }
}
