//! One foreground job after the other, each submitted when the one before has its result.

use std::time::Instant;

use crate::dialect::{FUNCTION, WORKLOAD, unique};
use crate::load::{Outbox, Script};
use crate::packet::{JOB_CREATED, SUBMIT_JOB, WORK_COMPLETE, each_answer, request};
use crate::trouble::Trouble;

/// Jobs `first` to `end` on one connection.
pub(crate) struct Single {
    next: u64,
    end: u64,
    done: bool,
}

impl Single {
    pub(crate) fn new(first: u64, count: u64) -> Self {
        Self { next: first, end: first + count, done: false }
    }

    fn submit(&mut self, outbox: &mut Outbox) {
        if self.next == self.end {
            self.done = true;
            return;
        }
        request(SUBMIT_JOB, &[FUNCTION, &unique(self.next), WORKLOAD], outbox.to(0));
        self.next += 1;
    }
}

impl Script for Single {
    fn start(&mut self, outbox: &mut Outbox) {
        self.submit(outbox);
    }

    fn receive(
        &mut self,
        _link: usize,
        input: &[u8],
        _now: Instant,
        outbox: &mut Outbox,
    ) -> Result<usize, Trouble> {
        each_answer(input, |answer| {
            match answer.kind {
                JOB_CREATED => {}
                WORK_COMPLETE if answer.body.ends_with(WORKLOAD) => self.submit(outbox),
                _ => return Err(answer.unexpected()),
            }
            Ok(())
        })
    }

    fn is_done(&self) -> bool {
        self.done
    }
}
