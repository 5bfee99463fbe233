//! Workers that sleep until jobs are due, and then take them as fast as the server hands them out.
//!
//! A worker that is woken sends many grabs in one write, and one more with each job that it finishes, so that the
//! server and not the round trip is the limit. It sleeps again when all of its grabs were answered by nothing.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::dialect::FUNCTION;
use crate::load::{Outbox, Script};
use crate::packet::{
    CAN_DO, GRAB_JOB, JOB_ASSIGN, NO_JOB, NOOP, PRE_SLEEP, Packet, WORK_COMPLETE, each_answer, request,
};
use crate::sample::Samples;
use crate::trouble::Trouble;

/// Grabs that a woken worker sends.
const IN_FLIGHT: u64 = 32;

/// What the workload of a job says about its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Time {
    /// The second of Unix time.
    Unix,
    /// The second within a period of so many seconds that divides the minute; lateness is less than the period.
    Within(u64),
}

impl Time {
    /// How long after its second it is; nothing when it is before.
    fn late(self, second: u64, now: Duration) -> Option<Duration> {
        let second = Duration::from_secs(second);
        match self {
            Self::Unix => now.checked_sub(second),
            Self::Within(period) => {
                let within = Duration::new(now.as_secs() % period, now.subsec_nanos());
                Some(
                    within
                        .checked_sub(second)
                        .unwrap_or_else(|| within + Duration::from_secs(period) - second),
                )
            }
        }
    }
}

/// Takes `wanted` jobs. All connections are workers.
pub(crate) struct Due {
    time: Time,
    wanted: u64,
    /// Jobs that start before this time are not counted.
    from: Duration,
    /// Grabs of each worker that are unanswered; a worker with none sleeps.
    grabs: Vec<u64>,
    pub(crate) ran: u64,
    /// Jobs that ran before their second.
    pub(crate) early: u64,
    /// From the beginning of its second to the `JOB_ASSIGN`.
    pub(crate) late: Samples,
    /// The first start for each second.
    pub(crate) first: Samples,
    /// The second whose first job was seen.
    current: Option<u64>,
}

impl Due {
    pub(crate) fn new(time: Time, wanted: u64) -> Self {
        Self {
            time,
            wanted,
            from: Duration::ZERO,
            grabs: Vec::new(),
            ran: 0,
            early: 0,
            late: Samples::default(),
            first: Samples::default(),
            current: None,
        }
    }

    /// Counts from this time on only.
    pub(crate) fn from(mut self, from: Duration) -> Self {
        self.from = from;
        self
    }

    fn take(&mut self, job: Packet<'_>, now: Duration) -> Result<(), Trouble> {
        let workload = job.body.split(|byte| *byte == 0).next_back().unwrap_or_default();
        let second = std::str::from_utf8(workload).ok().and_then(|digits| digits.parse().ok());
        let second = second.ok_or_else(|| job.unexpected())?;
        if now < self.from {
            return Ok(());
        }
        self.ran += 1;
        let Some(late) = self.time.late(second, now) else {
            self.early += 1;
            return Ok(());
        };
        self.late.add(late, 1);
        if self.current.replace(second) != Some(second) {
            self.first.add(late, 1);
        }
        Ok(())
    }
}

/// The wall clock, which is what these jobs are about.
pub(crate) fn unix_time() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

impl Script for Due {
    fn start(&mut self, outbox: &mut Outbox) {
        self.grabs = vec![1; outbox.len()];
        for link in 0..outbox.len() {
            request(CAN_DO, &[FUNCTION], outbox.to(link));
            request(GRAB_JOB, &[], outbox.to(link));
        }
    }

    fn receive(
        &mut self,
        link: usize,
        input: &[u8],
        _: Instant,
        outbox: &mut Outbox,
    ) -> Result<usize, Trouble> {
        let now = unix_time();
        let mut grabs = self.grabs.get(link).copied().unwrap_or_default();
        let used = each_answer(input, |answer| {
            let out = outbox.to(link);
            match answer.kind {
                NOOP => {
                    for _ in 0..IN_FLIGHT {
                        request(GRAB_JOB, &[], out);
                    }
                    grabs += IN_FLIGHT;
                }
                NO_JOB => {
                    grabs -= 1;
                    if grabs == 0 {
                        request(PRE_SLEEP, &[], out);
                    }
                }
                JOB_ASSIGN => {
                    self.take(answer, now)?;
                    request(WORK_COMPLETE, &[answer.first_field(), b""], out);
                    request(GRAB_JOB, &[], out);
                }
                _ => return Err(answer.unexpected()),
            }
            Ok(())
        })?;
        if let Some(place) = self.grabs.get_mut(link) {
            *place = grabs;
        }
        Ok(used)
    }

    fn is_done(&self) -> bool {
        self.ran >= self.wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lateness_is_from_the_second_of_the_workload() {
        let now = Duration::from_millis(1_000_000_007_250);
        assert_eq!(Time::Unix.late(1_000_000_007, now), Some(Duration::from_millis(250)));
        assert_eq!(Time::Unix.late(1_000_000_008, now), None);
    }

    #[test]
    fn lateness_within_a_minute_goes_over_its_end() {
        let now = Duration::from_millis(60_000 * 7 + 1_500);
        assert_eq!(Time::Within(60).late(1, now), Some(Duration::from_millis(500)));
        assert_eq!(Time::Within(60).late(59, now), Some(Duration::from_millis(2_500)));
        assert_eq!(Time::Within(10).late(1, now), Some(Duration::from_millis(500)));
    }
}
