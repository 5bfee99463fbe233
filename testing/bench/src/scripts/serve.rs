//! A worker for jobs that others submit: as cheap as the protocol allows, so that it costs their server least.
//!
//! It sleeps while there is nothing to do. Woken, and with each result, it asks for as many jobs as it does at once.

use std::time::Instant;

use crate::dialect::FUNCTION;
use crate::load::{Outbox, Script};
use crate::packet::{
    CAN_DO, GRAB_JOB, JOB_ASSIGN, NO_JOB, NOOP, PRE_SLEEP, WORK_COMPLETE, each_answer, request,
};
use crate::trouble::Trouble;

/// One worker on one connection, which serves on from run to run.
pub(crate) struct Serve {
    at_once: u64,
    is_registered: bool,
    unanswered: u64,
    done: u64,
    wanted: u64,
}

impl Serve {
    pub(crate) fn new(at_once: u64) -> Self {
        Self { at_once, is_registered: false, unanswered: 0, done: 0, wanted: 0 }
    }

    /// The next run serves so many jobs more.
    pub(crate) fn want(&mut self, jobs: u64) -> &mut Self {
        self.wanted += jobs;
        self
    }

    fn grab(&mut self, count: u64, outbox: &mut Outbox) {
        for _ in 0..count {
            request(GRAB_JOB, &[], outbox.to(0));
        }
        self.unanswered += count;
    }
}

impl Script for &mut Serve {
    fn start(&mut self, outbox: &mut Outbox) {
        if !self.is_registered {
            self.is_registered = true;
            request(CAN_DO, &[FUNCTION], outbox.to(0));
            self.grab(self.at_once, outbox);
        }
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
                // One that comes while grabs are unanswered says nothing that their answers do not.
                NOOP if self.unanswered == 0 => self.grab(self.at_once, outbox),
                NOOP => {}
                JOB_ASSIGN => {
                    let mut fields = answer.body.splitn(3, |byte| *byte == 0);
                    let (handle, workload) = (fields.next(), fields.nth(1));
                    let fields = [handle.unwrap_or_default(), workload.unwrap_or_default()];
                    request(WORK_COMPLETE, &fields, outbox.to(0));
                    self.done += 1;
                    self.unanswered -= 1;
                    self.grab(self.at_once - self.unanswered, outbox);
                }
                NO_JOB => {
                    self.unanswered -= 1;
                    if self.unanswered == 0 {
                        request(PRE_SLEEP, &[], outbox.to(0));
                    }
                }
                _ => return Err(answer.unexpected()),
            }
            Ok(())
        })
    }

    fn is_done(&self) -> bool {
        self.done >= self.wanted
    }
}
