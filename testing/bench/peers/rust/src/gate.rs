//! What all peers share: the jobs, and the words with the bench.

use bytes::Bytes;
use std::io::{Read, Write, stdin, stdout};
use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The function of all jobs.
pub(crate) const FUNCTION: &str = "resize";

/// The workload of all jobs, and their result.
pub(crate) const WORKLOAD: &[u8; 64] =
    b"{\"photo\":\"2026/11/20/00000001.jpg\",\"width\":1600,\"format\":\"webp\"}";

/// How much is to be done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) jobs: usize,
    /// Jobs before those that are measured.
    pub(crate) warm_up: usize,
    /// How many jobs are in flight together.
    pub(crate) in_flight: usize,
}

impl Plan {
    /// The uniques of all jobs, made before anything is measured.
    pub(crate) fn uniques(&self) -> Vec<String> {
        (0..self.warm_up + self.jobs).map(|number| format!("9f1c2a7e-4b60-4d1c-a{number:016}")).collect()
    }

    /// The jobs before the measurement.
    pub(crate) fn before(&self) -> Range<usize> {
        0..self.warm_up
    }

    /// The jobs that are measured.
    pub(crate) fn measured(&self) -> Range<usize> {
        self.warm_up..self.warm_up + self.jobs
    }
}

/// The workload, without a copy.
pub(crate) fn workload() -> Bytes {
    Bytes::from_static(WORKLOAD)
}

/// Says that the warm-up is over and waits until the measurement has begun.
pub(crate) fn await_go() {
    say("ready");
    if stdin().read_line(&mut String::new()).is_err() {
        std::process::exit(1);
    }
}

/// Says how many jobs came to a good end, and waits until the CPU time was read.
pub(crate) fn say_done(verified: usize) {
    say(&format!("done {verified}"));
    let mut rest = Vec::new();
    // The bench ends this process by closing its end, or by force.
    drop(stdin().read_to_end(&mut rest));
}

fn say(line: &str) {
    let mut out = stdout().lock();
    // A bench that does not listen any more ends this process.
    drop(writeln!(out, "{line}").and_then(|()| out.flush()));
}

/// Counts a worker's jobs, and speaks to the bench from within the first and the last one measured.
#[derive(Debug)]
pub(crate) struct Counter {
    plan: Plan,
    begun: AtomicUsize,
    /// There once the measurement has begun.
    going: OnceLock<()>,
}

impl Counter {
    pub(crate) fn new(plan: Plan) -> Self {
        Self { plan, begun: AtomicUsize::new(0), going: OnceLock::new() }
    }

    /// Called at the beginning of each job. Those behind the warm-up wait for `go`, on whatever thread they run.
    pub(crate) fn begin(&self) {
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        if number < self.plan.warm_up {
            return;
        }
        if number == self.plan.warm_up {
            await_go();
            self.going.get_or_init(|| ());
        }
        self.going.wait();
        if number == self.plan.warm_up + self.plan.jobs {
            say(&format!("done {}", self.plan.jobs));
        }
    }
}
