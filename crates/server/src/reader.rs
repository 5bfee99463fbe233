//! The thread that reads back from the store what the queue asks for.
//!
//! From: [`geartrain_core::Outbox::read`], gathered while the hub is locked.
//! To: [`geartrain_core::Core::handle_read`] and [`geartrain_core::Core::handle_read_end`].
//! Never: holds the hub while the disk is read, or holds up a commit.

use crate::limits::{READ_PIECE_BYTES, TRIM_BYTES_MIN, TRIM_PAUSE, WORKLOADS_IN_A_ROW};
use crate::log::Level;
use crate::shared::Shared;
use geartrain_core::{Found, OwnedFound, Ticket, Wanted};
use geartrain_store::Reader;
use parking_lot::MutexGuard;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What is to be read: which jobs, and for which ticket.
type Read = (Ticket, Wanted, Vec<u64>);

/// What is to be read, first asked first: workloads that workers wait for before what people ask.
///
/// How much may wait `core` says: so many commands, one read of each requeue, the windows of long backlogs.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    workloads: VecDeque<Read>,
    others: VecDeque<Read>,
    /// Workloads that were read since one of the others.
    in_a_row: u32,
    pub(crate) trims: Trims,
}

/// When memory that workloads left is given back to the system: where it is much, and not again and again, since
/// everybody who wants memory meanwhile waits for it.
#[derive(Debug, Default)]
pub(crate) struct Trims {
    /// Bytes that were left since the last time.
    bytes: u64,
    last: Option<Instant>,
    /// Whether the reader has not seen yet that it is much.
    is_new: bool,
}

impl Trims {
    /// So many bytes of workloads left memory.
    pub(crate) fn note(&mut self, bytes: u64) {
        let before = self.bytes;
        self.bytes = before.saturating_add(bytes);
        self.is_new |= before < TRIM_BYTES_MIN && self.bytes >= TRIM_BYTES_MIN;
    }

    /// How long to wait before memory is given back; `None` while it is not much.
    fn pause(&mut self, now: Instant) -> Option<Duration> {
        self.is_new = false;
        let since = |last| TRIM_PAUSE.saturating_sub(now.duration_since(last));
        (self.bytes >= TRIM_BYTES_MIN).then(|| self.last.map_or(Duration::ZERO, since))
    }

    /// It is given back now.
    fn begin(&mut self, now: Instant) {
        *self = Self { last: Some(now), ..Self::default() };
    }
}

impl Reads {
    pub(crate) fn push(&mut self, ticket: Ticket, wanted: Wanted, numbers: &[u64]) {
        let waiting = match wanted {
            Wanted::Workloads => &mut self.workloads,
            Wanted::Jobs | Wanted::Letters(_) => &mut self.others,
        };
        waiting.push_back((ticket, wanted, numbers.to_vec()));
    }

    /// What is to be read next. Where workers take all that can be read, the others still get their turn.
    fn pop(&mut self) -> Option<Read> {
        let is_turn_of_others = self.in_a_row >= WORKLOADS_IN_A_ROW || self.workloads.is_empty();
        if is_turn_of_others && let Some(read) = self.others.pop_front() {
            self.in_a_row = 0;
            return Some(read);
        }
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.workloads.pop_front()
    }

    /// Whether there is nothing to do.
    pub(crate) fn is_empty(&self) -> bool {
        self.workloads.is_empty() && self.others.is_empty() && !self.trims.is_new
    }
}

/// Reads until the server ends.
pub(crate) fn run(shared: &Arc<Shared>, mut reader: Box<dyn Reader>) {
    while let Some((ticket, wanted, numbers)) = take(shared) {
        let mut piece = Piece::default();
        let outcome = reader.read(wanted, &numbers, &mut |found| {
            piece.push(found);
            if piece.bytes >= READ_PIECE_BYTES {
                piece.hand_over(shared, ticket);
            }
        });
        piece.hand_over(shared, ticket);
        let reason = outcome.map_err(|error| error.to_string());
        if let Err(reason) = &reason {
            shared.log.line(Level::Error, format_args!("jobs could not be read back: {reason}"));
        }
        shared.run(|now, hub| {
            let outcome = reason.as_ref().map_err(String::as_str).copied();
            hub.core.handle_read_end(now, ticket, outcome, &mut hub.out);
        });
    }
}

/// Waits for something to read; `None` when the server ends.
fn take(shared: &Shared) -> Option<Read> {
    let mut hub = shared.hub.lock();
    loop {
        if hub.reader_stops {
            return None;
        }
        if let Some(read) = hub.out.reads.pop() {
            return Some(read);
        }
        let now = Instant::now();
        let pause = hub.out.reads.trims.pause(now);
        if pause == Some(Duration::ZERO) {
            hub.out.reads.trims.begin(now);
            MutexGuard::unlocked(&mut hub, give_memory_back);
            continue;
        }
        hub.reader_waits = true;
        match pause {
            Some(pause) => drop(shared.reader_wake.wait_for(&mut hub, pause)),
            None => shared.reader_wake.wait(&mut hub),
        }
        hub.reader_waits = false;
    }
}

/// Gives the system what the allocator holds and nobody uses. It would keep the place of some million workloads, for
/// jobs of their size that now never are in memory together.
fn give_memory_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        #[expect(unsafe_code, reason = "the C library's allocator has no other way to be told")]
        // SAFETY: `malloc_trim` may be called by any thread at any time; it takes the allocator's own locks, and
        // touches only memory that is free.
        unsafe {
            libc::malloc_trim(0);
        }
    }
}

/// What was read and not handed over yet.
#[derive(Debug, Default)]
struct Piece {
    found: Vec<OwnedFound>,
    /// Numbers of jobs, and where their workloads end in `content`: one buffer for all.
    workloads: Vec<(u64, usize)>,
    content: Vec<u8>,
    bytes: usize,
}

impl Piece {
    fn push(&mut self, found: Found<'_>) {
        if let Found::Workload { number, workload } = found {
            self.content.extend_from_slice(workload);
            self.workloads.push((number, self.content.len()));
            self.bytes += workload.len() + size_of::<(u64, usize)>();
        } else {
            let found = OwnedFound::from(found);
            self.bytes += found.bytes();
            self.found.push(found);
        }
    }

    fn hand_over(&mut self, shared: &Shared, ticket: Ticket) {
        if self.bytes == 0 {
            return;
        }
        shared.run(|_, hub| {
            for found in self.found.drain(..) {
                hub.core.handle_read(ticket, found.as_found());
            }
            let mut start = 0;
            for (number, end) in self.workloads.drain(..) {
                let workload = self.content.get(start..end).unwrap_or_default();
                hub.core.handle_read(ticket, Found::Workload { number, workload });
                start = end;
            }
        });
        self.content.clear();
        self.bytes = 0;
    }
}

/// Asks the thread to end.
pub(crate) fn stop(shared: &Shared) {
    shared.hub.lock().reader_stops = true;
    shared.reader_wake.notify_all();
}

#[cfg(test)]
mod tests {
    use super::*;
    use geartrain_core::Shelf;

    fn order(reads: &mut Reads) -> Vec<u64> {
        std::iter::from_fn(|| reads.pop()).map(|(ticket, ..)| ticket.number()).collect()
    }

    #[test]
    fn workloads_come_before_commands_and_leave_them_a_turn() {
        let mut reads = Reads::default();
        reads.push(Ticket::new(1), Wanted::Letters(Shelf::Dead), &[1]);
        reads.push(Ticket::new(2), Wanted::Jobs, &[2]);
        for ticket in 3..=14 {
            reads.push(Ticket::new(ticket), Wanted::Workloads, &[ticket]);
        }
        assert_eq!(order(&mut reads), [3, 4, 5, 6, 7, 8, 9, 10, 1, 11, 12, 13, 14, 2]);
        assert!(reads.is_empty());
        reads.push(Ticket::new(15), Wanted::Jobs, &[2]);
        assert!(!reads.is_empty());
        assert_eq!(order(&mut reads), [15]);
    }

    #[test]
    fn memory_is_given_back_where_much_was_left_and_not_again_at_once() {
        let (mut reads, start) = (Reads::default(), Instant::now());
        reads.trims.note(TRIM_BYTES_MIN - 1);
        assert!(reads.is_empty() && reads.trims.pause(start).is_none(), "it is not worth it yet");
        reads.trims.note(1);
        assert!(!reads.is_empty(), "the reader is woken");
        assert_eq!(reads.trims.pause(start), Some(Duration::ZERO));
        assert!(reads.is_empty(), "and not again for the same");
        reads.trims.begin(start);
        assert_eq!(reads.trims.pause(start), None);
        reads.trims.note(TRIM_BYTES_MIN);
        assert!(!reads.is_empty());
        assert_eq!(reads.trims.pause(start + TRIM_PAUSE / 4), Some(TRIM_PAUSE / 4 * 3), "it waits");
        reads.trims.note(TRIM_BYTES_MIN);
        assert!(reads.is_empty(), "it is waiting already");
        assert_eq!(reads.trims.pause(start + TRIM_PAUSE), Some(Duration::ZERO));
    }

    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[test]
    fn memory_that_nobody_uses_goes_back_to_the_system() {
        let resident_kib = || {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
            line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
        };
        // As workloads are: the last of them keeps the heap from ending below it.
        let mut workloads: Vec<Vec<u8>> = (0..400_000).map(|_| vec![1; 256]).collect();
        let last = workloads.pop();
        drop(workloads);
        let before = resident_kib();
        give_memory_back();
        let after = resident_kib();
        assert!(before > after + 64 * 1024, "{before} KiB before, {after} KiB after");
        drop(last);
    }
}
