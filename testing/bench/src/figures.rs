//! The figures of one measurement, and the meter that takes those every row has.

use std::time::{Duration, Instant};

use crate::process;
use crate::sample::{Latency, median, micros};
use crate::server::Server;
use crate::trouble::Trouble;

/// What one measurement, or the median of several, found.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Figures {
    /// Jobs per second.
    pub(crate) rate: Option<f64>,
    /// User and system time of the server's process per job, in microseconds.
    pub(crate) cpu_us: Option<f64>,
    /// The same of the load, to show whether it could have gone faster.
    pub(crate) load_us: Option<f64>,
    pub(crate) latency: Option<Latency>,
    /// Resident bytes of the server for each job or connection.
    pub(crate) memory: Option<f64>,
    /// Figures that only this row has; the name ends with the unit.
    pub(crate) extra: Vec<(&'static str, f64)>,
}

impl Figures {
    /// The row's own figure `name`.
    pub(crate) fn extra(&self, name: &str) -> Option<f64> {
        self.extra.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    /// The median of each figure by itself.
    pub(crate) fn median_of(runs: &[Self]) -> Self {
        let pick = |figure: &dyn Fn(&Self) -> Option<f64>| median(runs.iter().filter_map(figure).collect());
        let latency = |part: fn(&Latency) -> f64| pick(&|run| run.latency.as_ref().map(part));
        let names = runs.first().map_or(&[][..], |run| &run.extra);
        Self {
            rate: pick(&|run| run.rate),
            cpu_us: pick(&|run| run.cpu_us),
            load_us: pick(&|run| run.load_us),
            latency: latency(|all| all.p50)
                .zip(latency(|all| all.p95))
                .zip(latency(|all| all.p99))
                .map(|((p50, p95), p99)| Latency { p50, p95, p99 }),
            memory: pick(&|run| run.memory),
            extra: names
                .iter()
                .filter_map(|(name, _)| Some((*name, pick(&|run| run.extra(name))?)))
                .collect(),
        }
    }
}

/// Takes time and CPU from a moment on.
pub(crate) struct Meter {
    start: Instant,
    server_cpu: Duration,
    own_cpu: Duration,
}

impl Meter {
    /// Starts.
    ///
    /// # Errors
    ///
    /// `Io` when the server is gone.
    pub(crate) fn start(server: &Server) -> Result<Self, Trouble> {
        Ok(Self {
            server_cpu: process::cpu(server.pid())?,
            own_cpu: process::own_cpu()?,
            start: Instant::now(),
        })
    }

    /// Rate and CPU of the `jobs` done since the start.
    ///
    /// # Errors
    ///
    /// `Io` when the server is gone.
    pub(crate) fn stop(&self, server: &Server, jobs: u64) -> Result<Figures, Trouble> {
        let elapsed = self.start.elapsed();
        let server_cpu = process::cpu(server.pid())?.saturating_sub(self.server_cpu);
        let own_cpu = process::own_cpu()?.saturating_sub(self.own_cpu);
        Ok(Figures {
            rate: Some(number(jobs) / elapsed.as_secs_f64()),
            cpu_us: Some(micros(server_cpu) / number(jobs)),
            load_us: Some(micros(own_cpu) / number(jobs)),
            ..Figures::default()
        })
    }
}

/// A count as a number to divide by or to show; the bench counts far below 2^53.
#[expect(clippy::cast_precision_loss, reason = "counts of the bench are below 2^53")]
pub(crate) fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_figure_has_its_own_median_and_absent_ones_stay_absent() {
        let run = |rate, cpu, noops| Figures {
            rate: Some(rate),
            cpu_us: Some(cpu),
            latency: Some(Latency { p50: cpu, p95: 2.0, p99: 3.0 }),
            extra: vec![("noops", noops)],
            ..Figures::default()
        };
        let median = Figures::median_of(&[run(1.0, 9.0, 4.0), run(3.0, 7.0, 6.0), run(2.0, 8.0, 5.0)]);
        assert_eq!((median.rate, median.cpu_us, median.memory), (Some(2.0), Some(8.0), None));
        assert_eq!(median.latency, Some(Latency { p50: 8.0, p95: 2.0, p99: 3.0 }));
        assert_eq!(median.extra("noops"), Some(5.0));
        assert_eq!(Figures::median_of(&[]), Figures::default());
    }
}
