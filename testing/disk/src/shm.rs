//! The memory that connections to one database share: the index of its write-ahead log.
#![expect(unsafe_code, reason = "SQLite reads and writes this memory through pointers it keeps")]

use std::collections::BTreeSet;
use std::ptr::NonNull;
use std::sync::{Mutex, PoisonError};

/// Words of 8 bytes in one region: SQLite asks for regions of 32 KiB.
const REGION_WORDS: usize = 4096;

/// Bytes in one region.
pub(crate) const REGION_BYTES: usize = REGION_WORDS * 8;

/// How many locks there are.
pub(crate) const SLOTS: usize = libsqlite3_sys::SQLITE_SHM_NLOCK as usize;

type Region = [u64; REGION_WORDS];

/// Regions that stay where they are as long as one handle has this value, and their locks.
#[derive(Debug, Default)]
pub(crate) struct Shm {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    regions: Vec<NonNull<Region>>,
    slots: [Slot; SLOTS],
}

#[derive(Debug, Default)]
struct Slot {
    exclusive: Option<u64>,
    shared: BTreeSet<u64>,
}

// SAFETY: `regions` own their memory, and nothing here reads or writes it after it was zeroed; the
// list itself is behind the mutex. SQLite orders its own accesses by locks and barriers.
unsafe impl Send for Inner {}

impl Shm {
    /// The region of this index; `None` when it does not exist and is not to be made.
    pub(crate) fn region(&self, index: usize, extend: bool) -> Option<NonNull<u8>> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        while extend && inner.regions.len() <= index {
            let region: Box<Region> = Box::new([0; REGION_WORDS]);
            inner.regions.push(NonNull::from(Box::leak(region)));
        }
        inner.regions.get(index).map(|region| region.cast())
    }

    /// Takes or frees the locks `first..first + count`; all or none.
    pub(crate) fn lock(&self, handle: u64, first: usize, count: usize, change: Change) -> bool {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(slots) = inner.slots.get_mut(first..first + count) else {
            return false;
        };
        if !slots.iter().all(|slot| slot.allows(handle, change)) {
            return false;
        }
        for slot in slots {
            match change {
                Change::Share => _ = slot.shared.insert(handle),
                Change::Own => slot.exclusive = Some(handle),
                Change::Unshare => _ = slot.shared.remove(&handle),
                Change::Disown => slot.exclusive = None,
            }
        }
        true
    }

    /// Frees all locks of a handle.
    pub(crate) fn release(&self, handle: u64) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        for slot in &mut inner.slots {
            slot.shared.remove(&handle);
            if slot.exclusive == Some(handle) {
                slot.exclusive = None;
            }
        }
    }
}

/// What is to happen to a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Share,
    Own,
    Unshare,
    Disown,
}

impl Slot {
    fn allows(&self, handle: u64, change: Change) -> bool {
        match change {
            Change::Share => self.exclusive.is_none_or(|owner| owner == handle),
            Change::Own => {
                self.exclusive.is_none_or(|owner| owner == handle)
                    && self.shared.iter().all(|sharer| *sharer == handle)
            }
            Change::Unshare | Change::Disown => true,
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        for region in self.regions.drain(..) {
            // SAFETY: it came from `Box::leak` in `Shm::region` and leaves the list here. SQLite has
            // no pointer to it any more: each handle that mapped it keeps the `Shm` until it is closed.
            drop(unsafe { Box::from_raw(region.as_ptr()) });
        }
    }
}
