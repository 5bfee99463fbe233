//! Foreground: one client submits and waits for the result, one worker sleeps, wakes, grabs and completes.
//!
//! The worker does what the C library's does: on `NOOP` it grabs, after completing it grabs again, and on `NO_JOB` it
//! sends `PRE_SLEEP`. The client submits the next job when it has the result.

use std::time::Instant;

use crate::dialect::{FUNCTION, WORKLOAD, unique};
use crate::load::{Outbox, Script};
use crate::packet::{
    CAN_DO, GRAB_JOB, JOB_ASSIGN, JOB_CREATED, NO_JOB, NOOP, PRE_SLEEP, SUBMIT_JOB, WORK_COMPLETE,
    each_answer, request,
};
use crate::sample::Samples;
use crate::trouble::Trouble;

const CLIENT: usize = 0;
const WORKER: usize = 1;

/// `total` jobs, one after the other. Needs two connections.
pub(crate) struct Foreground {
    total: u64,
    submitted: u64,
    done: u64,
    submitted_at: Instant,
    pub(crate) samples: Samples,
}

impl Foreground {
    pub(crate) fn new(total: u64) -> Self {
        Self { total, submitted: 0, done: 0, submitted_at: Instant::now(), samples: Samples::default() }
    }

    fn submit(&mut self, now: Instant, outbox: &mut Outbox) {
        request(SUBMIT_JOB, &[FUNCTION, &unique(self.submitted), WORKLOAD], outbox.to(CLIENT));
        self.submitted += 1;
        self.submitted_at = now;
    }
}

impl Script for Foreground {
    fn start(&mut self, outbox: &mut Outbox) {
        request(CAN_DO, &[FUNCTION], outbox.to(WORKER));
        request(GRAB_JOB, &[], outbox.to(WORKER));
    }

    fn receive(
        &mut self,
        link: usize,
        input: &[u8],
        now: Instant,
        outbox: &mut Outbox,
    ) -> Result<usize, Trouble> {
        each_answer(input, |answer| {
            match (link, answer.kind) {
                (CLIENT, JOB_CREATED) => {}
                (CLIENT, WORK_COMPLETE) => {
                    self.samples.add(now.saturating_duration_since(self.submitted_at), 1);
                    self.done += 1;
                    if self.done < self.total {
                        self.submit(now, outbox);
                    }
                }
                (WORKER, NOOP) => request(GRAB_JOB, &[], outbox.to(WORKER)),
                (WORKER, JOB_ASSIGN) => {
                    request(WORK_COMPLETE, &[answer.first_field(), b""], outbox.to(WORKER));
                    request(GRAB_JOB, &[], outbox.to(WORKER));
                }
                (WORKER, NO_JOB) => {
                    request(PRE_SLEEP, &[], outbox.to(WORKER));
                    if self.submitted == 0 {
                        self.submit(now, outbox);
                    }
                }
                _ => return Err(answer.unexpected()),
            }
            Ok(())
        })
    }

    fn is_done(&self) -> bool {
        self.done == self.total
    }
}
