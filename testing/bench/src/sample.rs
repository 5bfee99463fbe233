//! Latencies, percentiles and medians.

use std::time::Duration;

/// Latencies as they were taken: a batch of answers that came in one read has one.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    taken: Vec<(Duration, u64)>,
}

/// Three percentiles of one measurement, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p95: f64,
    pub(crate) p99: f64,
}

impl Samples {
    /// Adds `count` answers that took `latency` each.
    pub(crate) fn add(&mut self, latency: Duration, count: u64) {
        self.taken.push((latency, count));
    }

    /// The three percentiles, or nothing when no answer was taken.
    pub(crate) fn latency(&mut self) -> Option<Latency> {
        self.taken.sort_unstable();
        Some(Latency {
            p50: micros(self.percentile(50)?),
            p95: micros(self.percentile(95)?),
            p99: micros(self.percentile(99)?),
        })
    }

    /// The longest, or nothing when no answer was taken.
    pub(crate) fn longest(&self) -> Option<Duration> {
        self.taken.iter().map(|(latency, _)| *latency).max()
    }

    /// The smallest latency that at least `percent` of all answers did not exceed; needs sorted samples.
    fn percentile(&self, percent: u64) -> Option<Duration> {
        let total: u64 = self.taken.iter().map(|(_, count)| count).sum();
        let rank = (total * percent).div_ceil(100).max(1);
        let mut seen = 0;
        self.taken.iter().find_map(|(latency, count)| {
            seen += count;
            (seen >= rank).then_some(*latency)
        })
    }
}

/// A duration in microseconds.
pub(crate) fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// The middle value, the mean of the two middle ones of an even number, nothing of nothing.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    let lower = *values.get(middle - 1)?;
    Some(f64::midpoint(lower, upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    #[test]
    fn percentiles_are_ranks_over_all_answers() {
        let mut samples = Samples::default();
        for value in (1..=100).rev() {
            samples.add(millis(value), 1);
        }
        let latency = samples.latency().unwrap();
        assert_eq!(latency, Latency { p50: 50_000.0, p95: 95_000.0, p99: 99_000.0 });
        assert_eq!(samples.longest(), Some(millis(100)));
    }

    #[test]
    fn a_batch_weighs_as_many_as_it_holds() {
        let mut samples = Samples::default();
        samples.add(millis(9), 2);
        samples.add(millis(1), 98);
        let latency = samples.latency().unwrap();
        assert_eq!(latency, Latency { p50: 1_000.0, p95: 1_000.0, p99: 9_000.0 });
    }

    #[test]
    fn nothing_taken_has_no_percentiles_and_one_has_all() {
        assert_eq!(Samples::default().latency(), None);
        let mut one = Samples::default();
        one.add(millis(3), 1);
        assert_eq!(one.latency(), Some(Latency { p50: 3_000.0, p95: 3_000.0, p99: 3_000.0 }));
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }
}
