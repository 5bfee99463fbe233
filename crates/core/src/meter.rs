//! Meters: how many jobs of a function ended of late.
//!
//! From: the end of a job that ran. To: `explain`, which tells from it when a job will start.
//! Never: takes memory, or more than a few instructions, at the end of a job.

use crate::ids::Moment;
use std::time::Duration;

/// Length of one bucket, in seconds.
const BUCKET_SECONDS: u64 = 10;

/// How many full buckets are remembered, beside the one that is being filled.
const BUCKETS: usize = 6;

/// Ends in the last minute.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Meter {
    /// The latest bucket, counted from the origin of time.
    latest: u64,
    /// The bucket in which the first end was counted.
    first: Option<u64>,
    /// Ends in the latest bucket, the one before, and so on.
    ends: [u32; BUCKETS + 1],
}

impl Meter {
    /// A job ended.
    pub(crate) fn count(&mut self, now: Moment) {
        let bucket = bucket(now);
        if bucket != self.latest {
            *self = self.at(bucket);
        }
        self.first.get_or_insert(bucket);
        let [latest, ..] = &mut self.ends;
        *latest = latest.saturating_add(1);
    }

    /// How many jobs ended in the last minute, or up to ten seconds more; and how long that is.
    pub(crate) fn recent(&self, now: Moment) -> (u64, Duration) {
        let bucket = bucket(now);
        let current = self.at(bucket);
        let began = bucket.saturating_sub(BUCKETS as u64).max(self.first.unwrap_or(bucket));
        let span = now.since(Moment::new(Duration::from_secs(began * BUCKET_SECONDS)));
        (current.ends.iter().map(|ends| u64::from(*ends)).sum(), span)
    }

    /// It, seen from this bucket.
    fn at(self, bucket: u64) -> Self {
        let passed = usize::try_from(bucket.saturating_sub(self.latest)).unwrap_or(usize::MAX);
        let mut ends = [0; BUCKETS + 1];
        for (later, earlier) in ends.iter_mut().skip(passed).zip(self.ends) {
            *later = earlier;
        }
        Self { latest: bucket.max(self.latest), first: self.first, ends }
    }
}

fn bucket(now: Moment) -> u64 {
    now.since_origin().as_secs() / BUCKET_SECONDS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::new(Duration::from_secs(seconds))
    }

    #[test]
    fn ends_are_forgotten_after_a_minute() {
        let mut meter = Meter::default();
        for second in 100..110 {
            meter.count(at(second));
        }
        meter.count(at(115));
        assert_eq!(meter.recent(at(119)), (11, Duration::from_secs(19)));
        assert_eq!(meter.recent(at(169)), (11, Duration::from_secs(69)));
        assert_eq!(meter.recent(at(170)), (1, Duration::from_secs(60)));
        assert_eq!(meter.recent(at(180)), (0, Duration::from_secs(60)));
        meter.count(at(100_000));
        assert_eq!(meter.recent(at(100_001)).0, 1);
    }

    #[test]
    fn a_young_meter_does_not_speak_of_a_whole_minute() {
        let mut meter = Meter::default();
        meter.count(at(1_000));
        meter.count(at(1_004));
        assert_eq!(meter.recent(at(1_005)), (2, Duration::from_secs(5)));
    }
}
