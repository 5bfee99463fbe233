//! Epoch: jobs for given seconds, and one sleeping worker that nothing else wakes.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::dialect::{FUNCTION, unique};
use crate::load::{Outbox, Script};
use crate::packet::{
    CAN_DO, GRAB_JOB, JOB_ASSIGN, JOB_CREATED, NO_JOB, NOOP, PRE_SLEEP, Packet, SUBMIT_JOB_EPOCH,
    WORK_COMPLETE, each_answer, request,
};
use crate::sample::Samples;
use crate::trouble::Trouble;

const CLIENT: usize = 0;
const WORKER: usize = 1;

/// Jobs for each second.
const PER_SECOND: u64 = 10;

/// Jobs that say in their workload when they want to run. Needs two connections.
pub(crate) struct Epoch {
    seconds: u64,
    submitted: bool,
    pub(crate) wanted: u64,
    pub(crate) ran: u64,
    /// Jobs that ran before their second.
    pub(crate) early: u64,
    /// From the beginning of the wanted second to the `JOB_ASSIGN`.
    pub(crate) late: Samples,
}

impl Epoch {
    /// Ten jobs for each of `seconds` seconds, the first of them two seconds ahead.
    pub(crate) fn new(seconds: u64) -> Self {
        Self {
            seconds,
            submitted: false,
            wanted: seconds * PER_SECOND,
            ran: 0,
            early: 0,
            late: Samples::default(),
        }
    }

    fn submit_all(&mut self, out: &mut Vec<u8>) {
        let first = unix_time().as_secs() + 2;
        for number in 0..self.wanted {
            let second = (first + number % self.seconds).to_string();
            let fields = [FUNCTION, &unique(number), second.as_bytes(), second.as_bytes()];
            request(SUBMIT_JOB_EPOCH, &fields, out);
        }
        self.submitted = true;
    }

    fn take(&mut self, job: Packet<'_>) -> Result<(), Trouble> {
        let workload = job.body.split(|byte| *byte == 0).next_back().unwrap_or_default();
        let second = std::str::from_utf8(workload).ok().and_then(|digits| digits.parse().ok());
        let second = Duration::from_secs(second.ok_or_else(|| job.unexpected())?);
        self.ran += 1;
        match unix_time().checked_sub(second) {
            Some(late) => self.late.add(late, 1),
            None => self.early += 1,
        }
        Ok(())
    }
}

/// The wall clock, which is what an epoch job is about.
fn unix_time() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

impl Script for Epoch {
    fn start(&mut self, outbox: &mut Outbox) {
        request(CAN_DO, &[FUNCTION], outbox.to(WORKER));
        request(GRAB_JOB, &[], outbox.to(WORKER));
    }

    fn receive(
        &mut self,
        link: usize,
        input: &[u8],
        _: Instant,
        outbox: &mut Outbox,
    ) -> Result<usize, Trouble> {
        each_answer(input, |answer| {
            match (link, answer.kind) {
                (CLIENT, JOB_CREATED) => {}
                (WORKER, NOOP) => request(GRAB_JOB, &[], outbox.to(WORKER)),
                (WORKER, NO_JOB) => {
                    request(PRE_SLEEP, &[], outbox.to(WORKER));
                    if !self.submitted {
                        self.submit_all(outbox.to(CLIENT));
                    }
                }
                (WORKER, JOB_ASSIGN) => {
                    self.take(answer)?;
                    request(WORK_COMPLETE, &[answer.first_field(), b""], outbox.to(WORKER));
                    request(GRAB_JOB, &[], outbox.to(WORKER));
                }
                _ => return Err(answer.unexpected()),
            }
            Ok(())
        })
    }

    fn is_done(&self) -> bool {
        self.submitted && self.ran == self.wanted
    }
}
