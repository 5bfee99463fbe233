//! Submitting epoch jobs ahead of their time: one after the other second, some hundreds unanswered.
//!
//! The workload is the second that a job is for.

use std::time::{Duration, Instant};

use crate::dialect::{FUNCTION, unique};
use crate::load::{Outbox, Script};
use crate::packet::{JOB_CREATED, SUBMIT_JOB_EPOCH, each_answer, request};
use crate::trouble::Trouble;

/// Unanswered submits.
const IN_FLIGHT: u64 = 512;

/// Submits `total` jobs, spread evenly over `seconds` seconds. Needs one connection.
pub(crate) struct Ahead {
    first: u64,
    seconds: u64,
    total: u64,
    sent: u64,
    created: u64,
}

impl Ahead {
    /// Jobs for the seconds from `first` on.
    pub(crate) fn new(first: Duration, seconds: u64, total: u64) -> Self {
        Self { first: first.as_secs(), seconds, total, sent: 0, created: 0 }
    }

    fn send(&mut self, count: u64, out: &mut Vec<u8>) {
        for number in self.sent..self.total.min(self.sent + count) {
            let second = (self.first + number * self.seconds / self.total).to_string();
            let fields = [FUNCTION, &unique(number), second.as_bytes(), second.as_bytes()];
            request(SUBMIT_JOB_EPOCH, &fields, out);
            self.sent += 1;
        }
    }
}

impl Script for Ahead {
    fn start(&mut self, outbox: &mut Outbox) {
        self.send(IN_FLIGHT, outbox.to(0));
    }

    fn receive(&mut self, _: usize, input: &[u8], _: Instant, outbox: &mut Outbox) -> Result<usize, Trouble> {
        let mut count = 0;
        let used = each_answer(input, |answer| {
            count += 1;
            if answer.kind == JOB_CREATED { Ok(()) } else { Err(answer.unexpected()) }
        })?;
        self.created += count;
        self.send(count, outbox.to(0));
        Ok(used)
    }

    fn is_done(&self) -> bool {
        self.created == self.total
    }
}
