//! The queue and all output buffers behind one lock.
//!
//! From: whoever read a batch of packets, the timer, the thread of the store.
//! To: [`crate::flush`], with the bytes of every connection that the batch touched.
//! Never: does IO, or waits, while it is locked (I3): what is to be written leaves it as [`Write`]s.

use crate::flush::Write;
use crate::output::Output;
use geartrain_core::{ConnId, Core, Moment, Now};
use std::time::Duration;

/// By how much the timer must be early before it is set anew.
const TIMER_TOLERANCE: Duration = Duration::from_millis(1);

/// See the module.
#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) core: Core,
    pub(crate) out: Output,
    /// Whether stored jobs are still being taken into the queue.
    pub(crate) loading: bool,
    /// Whether the thread of the store waits for a change.
    pub(crate) store_waits: bool,
    /// Whether the thread of the store is to end once nothing is left to store.
    pub(crate) store_stops: bool,
    /// Whether the reader waits for something to read, and whether it is to end.
    pub(crate) reader_waits: bool,
    pub(crate) reader_stops: bool,
    /// When the timer looks next.
    pub(crate) timer_at: Option<Moment>,
    pub(crate) watch: Watch,
}

/// What the end of the process waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Watch {
    Nothing,
    /// That no job is lost when the process ends.
    OnlyStored,
    /// That no job runs.
    NoneRunning,
}

/// What is to be done once the hub is unlocked.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct After {
    pub(crate) wake_store: bool,
    pub(crate) wake_reader: bool,
    pub(crate) wake_timer: bool,
    pub(crate) drained: bool,
}

impl Hub {
    pub(crate) fn new(core: Core, out: Output, loading: bool) -> Self {
        Self {
            core,
            out,
            loading,
            store_waits: false,
            store_stops: false,
            reader_waits: false,
            reader_stops: false,
            timer_at: None,
            watch: Watch::Nothing,
        }
    }

    /// Ends a batch of inputs: takes what is to be written, and says whom to wake.
    pub(crate) fn finish(&mut self, now: Now, writes: &mut Vec<Write>) -> After {
        self.out.collect(writes);
        let mut after = After::default();
        if self.store_waits && !self.out.batch.is_empty() {
            self.store_waits = false;
            after.wake_store = true;
        }
        if self.reader_waits && !self.out.reads.is_empty() {
            self.reader_waits = false;
            after.wake_reader = true;
        }
        if let Some(next) = self.core.poll_timeout(now)
            // Times of the calendar are known to a millisecond, and would seem nearer at every look.
            && self.timer_at.is_none_or(|at| next.after(TIMER_TOLERANCE) < at)
        {
            self.timer_at = Some(next);
            after.wake_timer = true;
        }
        after.drained = match self.watch {
            Watch::Nothing => false,
            Watch::OnlyStored => self.core.jobs_in_memory_only() == 0,
            Watch::NoneRunning => self.core.jobs_running() == 0,
        };
        after
    }

    /// Forgets a connection that ended.
    pub(crate) fn forget(&mut self, now: Now, conn: ConnId) {
        self.out.forget(conn);
        self.core.handle_closed(now, conn, &mut self.out);
    }
}
