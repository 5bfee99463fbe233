//! What a seed decides before anything happens: how the server is set up, who is there, what goes wrong.

use fastrand::Rng;
use geartrain_core::{FunctionOrder, Wakeup};
use std::time::Duration;

/// Functions that clients submit to and workers register.
pub(crate) const FUNCTIONS: [&str; 4] = ["resize", "mail", "", "x y"];

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Steps before the faults are healed.
    pub(crate) steps: u32,
    pub(crate) store: StoreKind,
    pub(crate) job_retries: u32,
    pub(crate) wakeup: Wakeup,
    pub(crate) function_order: FunctionOrder,
    pub(crate) exceptions: bool,
    /// Failures in a row after which a worker is suspended; 0 is never.
    pub(crate) bad_worker_after: u32,
    /// A client gives a typed command at so many of a hundred of its turns.
    pub(crate) steering: u32,
    pub(crate) clients: usize,
    pub(crate) workers: usize,
    /// A client speaks at one of so many of its turns: where it is silent for long, workers sleep.
    pub(crate) silence: u32,
    /// At one of so many steps, time goes on by up to 1.5 s; at the others by up to 3 ms.
    pub(crate) calm: u32,
    /// How many of ten functions a worker is able to do.
    pub(crate) abilities: u32,
    /// Bytes the server keeps for one peer before it closes the connection.
    pub(crate) output_bytes_max: usize,
    /// Bytes the fake network takes from the server for one peer that does not read.
    pub(crate) socket_bytes: usize,
    pub(crate) faults: Faults,
    /// Bytes of workloads of waiting stored jobs that the server keeps in memory: what real servers have, or
    /// so little that most of them leave.
    pub(crate) queue_memory_bytes: u64,
    /// Entries that a portion of work on very many looks at: what real servers do at once, or so few that
    /// anything happens between two portions.
    pub(crate) portion: usize,
}

/// Entries of a portion of a real server.
const PORTION: usize = 2048;

/// Where background jobs are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StoreKind {
    /// SQLite on a disk that fails.
    Sqlite,
    /// In memory that outlives the server: every commit succeeds.
    Memory,
}

/// How likely each fault is at a step, in 10,000ths.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    pub(crate) worker_death: u32,
    pub(crate) client_death: u32,
    pub(crate) half_close: u32,
    pub(crate) slow_peer: u32,
    pub(crate) server_crash: u32,
    pub(crate) disk_error: u32,
    pub(crate) disk_full: u32,
    pub(crate) clock_jump: u32,
    /// A read fails, of a hundred.
    pub(crate) read_error: u32,
    /// A read of workloads lacks one that cannot be read, of a hundred.
    pub(crate) unreadable: u32,
}

impl Plan {
    pub(crate) fn new(rng: &mut Rng) -> Self {
        let store = if rng.u32(0..5) == 0 { StoreKind::Memory } else { StoreKind::Sqlite };
        let mut plan = Self {
            steps: rng.u32(200..3000),
            store,
            job_retries: if rng.u32(0..3) == 0 { rng.u32(1..4) } else { 0 },
            wakeup: match rng.u32(0..5) {
                0 => Wakeup::All,
                1 => Wakeup::Count(rng.u32(1..3)),
                _ => Wakeup::OneThenNext(Duration::from_millis(100)),
            },
            function_order: match rng.u32(0..3) {
                0 => FunctionOrder::LastRegistered,
                1 => FunctionOrder::RoundRobin,
                _ => FunctionOrder::Priority,
            },
            exceptions: rng.bool(),
            bad_worker_after: *rng.choice(&[0, 0, 1, 2]).unwrap_or(&0),
            steering: *rng.choice(&[0, 5, 15, 40]).unwrap_or(&0),
            silence: *rng.choice(&[1, 1, 3, 10, 30]).unwrap_or(&1),
            calm: *rng.choice(&[10, 100, 1000]).unwrap_or(&10),
            abilities: *rng.choice(&[3, 6, 9]).unwrap_or(&6),
            clients: rng.usize(1..5),
            workers: rng.usize(0..8),
            output_bytes_max: if rng.u32(0..4) == 0 { 600 } else { 64 * 1024 },
            socket_bytes: if rng.u32(0..2) == 0 { 200 } else { 16 * 1024 },
            faults: Faults::new(rng, store),
            queue_memory_bytes: match rng.u32(0..3) {
                0 => *rng.choice(&[1, 40, 300, 4000]).unwrap_or(&1),
                _ => 1 << 30,
            },
            portion: PORTION,
        };
        if rng.u32(0..3) == 0 {
            // Rules are changed often enough to meet the portions of those before.
            plan.portion = rng.usize(1..5);
            plan.steering = *rng.choice(&[15, 40, 70]).unwrap_or(&40);
        }
        plan
    }

    /// Whether things happen between two portions of work that a real server does at once.
    pub(crate) fn is_portioned(&self) -> bool {
        self.portion < PORTION
    }

    /// Whether workloads leave memory.
    pub(crate) fn is_tight(&self) -> bool {
        self.queue_memory_bytes < 1 << 20
    }
}

impl Faults {
    /// Each kind is off in some seeds, so that a failure is not always buried under the others.
    fn new(rng: &mut Rng, store: StoreKind) -> Self {
        let mut at = |most: u32| if rng.u32(0..3) == 0 { 0 } else { rng.u32(1..=most) };
        let disk = |chance| if store == StoreKind::Sqlite { chance } else { 0 };
        Self {
            worker_death: at(200),
            client_death: at(150),
            half_close: at(60),
            slow_peer: at(100),
            server_crash: at(30),
            disk_error: disk(at(120)),
            disk_full: disk(at(60)),
            clock_jump: at(80),
            read_error: at(30),
            unreadable: at(10),
        }
    }
}
