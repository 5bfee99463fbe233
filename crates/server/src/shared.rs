//! What all threads of the server share.

use crate::clock::Clock;
use crate::flush;
use crate::hub::{After, Hub};
use crate::limits::DESCRIPTORS_RESERVED;
use crate::log::Log;
use geartrain_core::Now;
use parking_lot::{Condvar, Mutex};
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;

/// See the module.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) hub: Mutex<Hub>,
    pub(crate) clock: Clock,
    pub(crate) log: Log,
    pub(crate) body_bytes_max: u32,
    pub(crate) connections: Connections,
    pub(crate) health: Mutex<Health>,
    /// Wakes the thread of the store; goes with the lock of `hub`.
    pub(crate) store_wake: Condvar,
    /// Wakes the thread that reads back; goes with the lock of `hub`.
    pub(crate) reader_wake: Condvar,
    pub(crate) timer_wake: Notify,
    /// Told once [`crate::hub::Watch`] has seen what it waits for.
    pub(crate) drained: Notify,
    /// Told once the stored jobs are in the queue, or cannot be loaded.
    pub(crate) loaded: Notify,
}

/// Whether the server does what it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// Stored jobs are being taken into the queue.
    Loading,
    /// All is well.
    Ready,
    /// Background jobs are refused, for this reason.
    StoreFailed(String),
    /// The stored jobs could not be read: the server is to end.
    LoadFailed(String),
    /// The server is about to end.
    Ending,
}

impl Shared {
    /// Does something with the queue on behalf of no connection, and writes what that caused.
    pub(crate) fn run<T>(&self, work: impl FnOnce(Now, &mut Hub) -> T) -> T {
        let mut writes = Vec::new();
        let now = self.clock.now();
        let mut hub = self.hub.lock();
        let done = work(now, &mut hub);
        let after = hub.finish(now, &mut writes);
        drop(hub);
        self.after(after);
        let mut spares = Vec::new();
        flush::write_all(self, &mut writes, &mut spares);
        done
    }

    /// Says how the server is; once it ends it stays so.
    pub(crate) fn set_health(&self, health: Health) {
        let mut current = self.health.lock();
        if *current != Health::Ending {
            *current = health;
        }
    }

    /// Wakes whom a batch of inputs concerns.
    pub(crate) fn after(&self, after: After) {
        if after.wake_store {
            self.store_wake.notify_one();
        }
        if after.wake_reader {
            self.reader_wake.notify_one();
        }
        if after.wake_timer {
            self.timer_wake.notify_one();
        }
        if after.drained {
            self.drained.notify_one();
        }
    }
}

/// Counts connections against their limit.
#[derive(Debug)]
pub(crate) struct Connections {
    open: AtomicUsize,
    max: usize,
}

impl Connections {
    pub(crate) const fn new(max: usize) -> Self {
        Self { open: AtomicUsize::new(0), max }
    }

    /// Counts one more, if there is room.
    pub(crate) fn enter(&self) -> bool {
        self.open
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |open| (open < self.max).then_some(open + 1))
            .is_ok()
    }

    pub(crate) fn leave(&self) {
        self.open.fetch_sub(1, Ordering::AcqRel);
    }

    pub(crate) fn max(&self) -> usize {
        self.max
    }
}

/// Most connections that fit under a limit of file descriptors.
#[must_use]
pub fn connections_for(descriptors: usize) -> usize {
    descriptors.saturating_sub(DESCRIPTORS_RESERVED).max(1)
}
