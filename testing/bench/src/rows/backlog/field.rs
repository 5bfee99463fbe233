//! The work of the row: portions of submits and drains, and what they took.
//!
//! A drain has ended when what it finished is durable: behind their last finished jobs the workers submit one
//! more each, which is answered after the disk has all before it. The next drain takes that one as well.

use std::time::{Duration, Instant};

use super::PORTION;
use crate::dialect::{Dialect, Shape};
use crate::figures::number;
use crate::goal::short;
use crate::load::{Load, Script};
use crate::process::{cpu, own_cpu};
use crate::sample::micros;
use crate::scripts::drain::Drain;
use crate::scripts::submit::Submit;
use crate::server::{Lab, Server};
use crate::trouble::Trouble;

/// Clients, and as many workers.
const CONNECTIONS: usize = 4;

/// The jobs that workers submit behind a drain.
const BEHIND: u64 = 4;

/// Submits, or grabs, that each connection keeps unanswered.
const IN_FLIGHT: u64 = 256;

/// Time for a portion, however long its phase may take, and the least that a phase has.
const LIMIT_MIN: Duration = Duration::from_secs(60);

/// The same for each job.
const LIMIT_EACH: Duration = Duration::from_micros(50);

/// What some work took.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    jobs: u64,
    time: Duration,
    cpu: Duration,
    load_cpu: Duration,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.jobs += other.jobs;
        self.time += other.time;
        self.cpu += other.cpu;
        self.load_cpu += other.load_cpu;
    }

    /// Jobs per second.
    pub(super) fn rate(&self) -> f64 {
        number(self.jobs) / self.time.as_secs_f64()
    }

    /// CPU of the server per job, in microseconds.
    pub(super) fn cpu_us(&self) -> f64 {
        micros(self.cpu) / number(self.jobs)
    }

    /// CPU of the load per job, in microseconds.
    pub(super) fn load_us(&self) -> f64 {
        micros(self.load_cpu) / number(self.jobs)
    }
}

/// What portions of submits and of drains in turn took.
#[derive(Debug, Default)]
pub(super) struct Both {
    pub(super) submit: Tally,
    pub(super) drain: Tally,
}

/// A part of the row with a limit of its own.
struct Phase {
    what: &'static str,
    limit: Duration,
    start: Instant,
}

impl Phase {
    fn start(what: &'static str, jobs: u64) -> Self {
        let limit = LIMIT_MIN + LIMIT_EACH.saturating_mul(u32::try_from(jobs).unwrap_or(u32::MAX));
        eprintln!("  {what}: {} jobs, at most {} s", short(number(jobs)), limit.as_secs());
        Self { what, limit, start: Instant::now() }
    }

    fn run(&self, load: &mut Load, script: &mut impl Script) -> Result<(), Trouble> {
        let left = self.limit.saturating_sub(self.start.elapsed());
        match load.run(script, self.what, left) {
            Err(Trouble::Limit { what, .. }) => Err(Trouble::Limit { what, limit: self.limit }),
            outcome => outcome,
        }
    }
}

/// A server, its clients and its workers.
pub(super) struct Field {
    pub(super) server: Server,
    shape: Shape,
    clients: Load,
    workers: Load,
    /// The number of the next job.
    next: u64,
}

impl Field {
    /// Connects to a server that has all its jobs.
    ///
    /// # Errors
    ///
    /// `Io` when a connection is refused.
    pub(super) fn new(lab: &Lab, server: Server) -> Result<Self, Trouble> {
        let (clients, workers) =
            (Load::open(server.port, CONNECTIONS)?, Load::open(server.port, CONNECTIONS)?);
        // Numbers of a second field must differ from those that may still wait.
        let next = u64::from(server.pid().as_raw().unsigned_abs()) << 40;
        Ok(Self { server, shape: Shape { unique_bytes: lab.backlog.unique_bytes }, clients, workers, next })
    }

    /// Closes the connections.
    pub(super) fn end(self) -> Server {
        self.server
    }

    /// Submits `count` jobs; what that took, and the last part of it.
    ///
    /// # Errors
    ///
    /// `Limit`, and what a load meets.
    pub(super) fn fill(&mut self, count: u64) -> Result<(Tally, Tally), Trouble> {
        let phase = Phase::start("filling", count);
        let (mut all, mut last) = (Tally::default(), Tally::default());
        for part in parts(count) {
            last = self.submit(part, &phase)?;
            all.add(&last);
            show(&all, count, &last);
        }
        Ok((all, last))
    }

    /// Drains `count` jobs; what that took, and the rate of its slowest part.
    ///
    /// # Errors
    ///
    /// `Limit`, and what a load meets.
    pub(super) fn drain_long(&mut self, count: u64, what: &'static str) -> Result<(Tally, f64), Trouble> {
        let phase = Phase::start(what, count);
        let (mut all, mut slowest) = (Tally::default(), f64::INFINITY);
        for part in parts(count) {
            let last = self.drain(part, &phase)?;
            slowest = slowest.min(last.rate());
            all.add(&last);
            show(&all, count, &last);
        }
        Ok((all, slowest))
    }

    /// Submits a portion and drains as much, again and again.
    ///
    /// # Errors
    ///
    /// `Limit`, and what a load meets.
    pub(super) fn alternate(&mut self, portions: u64, what: &'static str) -> Result<Both, Trouble> {
        let phase = Phase::start(what, portions * PORTION);
        let mut both = Both::default();
        for _ in 0..portions {
            both.submit.add(&self.submit(PORTION, &phase)?);
            both.drain.add(&self.drain(PORTION, &phase)?);
        }
        Ok(both)
    }

    fn submit(&mut self, count: u64, phase: &Phase) -> Result<Tally, Trouble> {
        let mut submit = Submit::new(Dialect::Gearman, IN_FLIGHT, self.next, count).of(self.shape);
        self.next += count;
        let spent = Spent::start(&self.server)?;
        phase.run(&mut self.clients, &mut submit)?;
        spent.stop(&self.server, count)
    }

    /// Leaves `count` jobs less in the queue.
    fn drain(&mut self, count: u64, phase: &Phase) -> Result<Tally, Trouble> {
        let taken = count + BEHIND;
        let mut drain = Drain::new(Dialect::Gearman, IN_FLIGHT, taken).of(self.shape);
        let mut behind = Submit::new(Dialect::Gearman, 1, self.next, BEHIND).of(self.shape);
        self.next += BEHIND;
        let spent = Spent::start(&self.server)?;
        phase.run(&mut self.workers, &mut drain)?;
        phase.run(&mut self.workers, &mut behind)?;
        spent.stop(&self.server, taken)
    }
}

/// At most thirty parts of about the same size, none smaller than a portion if the whole is not.
fn parts(count: u64) -> impl Iterator<Item = u64> {
    let many = (count / PORTION).clamp(1, 30);
    (0..many).map(move |part| count * (part + 1) / many - count * part / many)
}

/// Time and CPU at the beginning of some work.
struct Spent {
    start: Instant,
    cpu: Duration,
    load_cpu: Duration,
}

impl Spent {
    fn start(server: &Server) -> Result<Self, Trouble> {
        Ok(Self { cpu: cpu(server.pid())?, load_cpu: own_cpu()?, start: Instant::now() })
    }

    fn stop(&self, server: &Server, jobs: u64) -> Result<Tally, Trouble> {
        Ok(Tally {
            jobs,
            time: self.start.elapsed(),
            cpu: cpu(server.pid())?.saturating_sub(self.cpu),
            load_cpu: own_cpu()?.saturating_sub(self.load_cpu),
        })
    }
}

fn show(all: &Tally, count: u64, last: &Tally) {
    let (done, count) = (short(number(all.jobs)), short(number(count)));
    eprintln!("    {done} of {count}, the last at {}/s", short(last.rate()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn portions_are_added_up_before_they_are_divided() {
        let portion = |jobs, millis| Tally {
            jobs,
            time: Duration::from_millis(millis),
            cpu: Duration::from_millis(millis / 2),
            load_cpu: Duration::from_millis(millis / 4),
        };
        let mut all = Tally::default();
        all.add(&portion(1_000, 100));
        all.add(&portion(3_000, 700));
        assert_eq!((all.jobs, all.rate()), (4_000, 5_000.0));
        assert_eq!((all.cpu_us(), all.load_us()), (100.0, 50.0));
    }

    #[test]
    fn long_work_has_parts_of_about_one_size() {
        for count in [1, 9_999, 10_000, 25_000, 1_414_464, 29_990_000] {
            let parts: Vec<u64> = parts(count).collect();
            assert_eq!(parts.iter().sum::<u64>(), count);
            assert!(parts.len() <= 30 && parts.iter().all(|part| *part >= PORTION.min(count)));
            assert!(parts.iter().max().unwrap() - parts.iter().min().unwrap() <= 1);
        }
    }

    #[test]
    fn a_phase_has_more_time_for_more_jobs() {
        assert_eq!(Phase::start("testing", 1_000).limit.as_secs(), 60);
        assert_eq!(Phase::start("testing", 30_000_000).limit.as_secs(), 60 + 1_500);
    }
}
