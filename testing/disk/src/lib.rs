//! An in-memory disk for SQLite that can crash, tear, fail and fill up.
//!
//! A [`Disk`] is a file system that SQLite knows by [`Disk::vfs_name`]. It keeps two images of each
//! file: what programs see, and what would be left if the power went now. Only a sync brings the
//! second up to the first. A test plans one [`Fault`] at a time, or cuts the power itself with
//! [`Disk::crash`], and opens the database again. The same seed and the same calls give the same
//! disk; only the salts that SQLite draws for its write-ahead log differ between processes.
//!
//! ```
//! use geartrain_disk::{Disk, Unsynced};
//!
//! let disk = Disk::new(7);
//! disk.write_file("/notes", b"kept");
//! disk.crash(Unsynced::Lost);
//! assert_eq!(disk.read_file("/notes").as_deref(), Some(&b"kept"[..]));
//! ```
//!
//! From: a store opened on it.
//! To: memory that goes with the last handle.
//! Never: sleeps, touches the real file system, draws random numbers that are not seeded.

mod lock;
mod shm;
mod state;
mod vfs;

use state::State;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A disk; a clone is another handle to the same disk.
///
/// When the last handle goes, databases that are still open on it keep their files, but no new one
/// opens. Each disk leaves some hundred bytes behind, since SQLite may keep its description.
#[derive(Debug, Clone)]
pub struct Disk {
    shared: Arc<Shared>,
    registration: Arc<vfs::Registration>,
}

/// What happens at a planned operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The operation fails and does nothing. A sync that fails also forgets that the changes before
    /// it were ever to be written, as Linux does: they are seen until the power goes, and a later
    /// sync that succeeds says nothing about them.
    Io,
    /// As [`Fault::Io`], at the first sync from the planned operation on.
    SyncIo,
    /// The disk is full from now on; see [`Disk::set_full`].
    Full,
    /// The power goes before the operation: it and all later ones fail until [`Disk::crash`].
    PowerBefore,
    /// The power goes after the operation, which is done but not answered.
    PowerAfter,
}

/// What a crash does with changes that were not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsynced {
    /// They stay: only the process died.
    Kept,
    /// They are lost.
    Lost,
    /// A seeded choice of them stays, torn at sectors of 512 bytes.
    Torn,
}

/// What the C side and the handles share.
pub(crate) struct Shared {
    state: Mutex<State>,
    on_sync: Mutex<Option<SyncHook>>,
}

/// Called with the number of each sync, before it happens.
type SyncHook = Arc<dyn Fn(u64) + Send + Sync>;

impl Disk {
    /// An empty disk.
    ///
    /// # Panics
    /// When SQLite cannot take another file system, for want of memory.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let shared = Arc::new(Shared { state: Mutex::new(State::new(seed)), on_sync: Mutex::new(None) });
        let registration = Arc::new(vfs::Registration::new(&shared));
        Self { shared, registration }
    }

    /// The name under which SQLite knows it.
    #[must_use]
    pub fn vfs_name(&self) -> &str {
        self.registration.name()
    }

    /// Cuts the power, or ends a power cut, and starts anew: databases that were open fail from now
    /// on, whatever they do, and new ones find what the crash left.
    pub fn crash(&self, unsynced: Unsynced) {
        self.shared.state().crash(unsynced);
    }

    /// Plans a fault at the operation after the next `ops` ones; replaces an earlier plan.
    ///
    /// Operations are writes, truncations, deletions and syncs.
    pub fn fail_after_ops(&self, ops: u64, fault: Fault) {
        self.shared.state().plan(ops, fault);
    }

    /// Takes back a planned fault that has not happened.
    pub fn clear_fault(&self) {
        self.shared.state().clear_plan();
    }

    /// Makes the disk full: files do not grow, but what they have can be written over. Or not full.
    pub fn set_full(&self, full: bool) {
        self.shared.state().set_full(full);
    }

    /// Calls `hook` before every sync, without a lock, so that it may take its time; its argument is
    /// the number of the sync, 1 for the first.
    pub fn on_sync(&self, hook: impl Fn(u64) + Send + Sync + 'static) {
        *self.shared.on_sync.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(hook));
    }

    /// How many operations there were.
    #[must_use]
    pub fn ops(&self) -> u64 {
        self.shared.state().ops()
    }

    /// How many syncs there were, failed ones counted.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.shared.state().syncs()
    }

    /// Whether a power cut waits for [`Disk::crash`].
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.shared.state().is_off()
    }

    /// The names of all files, in order.
    #[must_use]
    pub fn files(&self) -> Vec<String> {
        self.shared.state().files()
    }

    /// What programs see in a file.
    #[must_use]
    pub fn read_file(&self, name: &str) -> Option<Vec<u8>> {
        self.shared.state().read_file(name)
    }

    /// Makes a file of these bytes, synced; to be used while no database has it open.
    pub fn write_file(&self, name: &str, bytes: &[u8]) {
        self.shared.state().write_file(name, bytes);
    }

    /// The files, and what each would have, if the power went now and took all that was not synced.
    #[must_use]
    pub fn left_by_a_crash(&self) -> Vec<(String, Vec<u8>)> {
        self.shared.state().left_by_a_crash()
    }

    /// Removes a file, at once and for good; to be used while no database has it open.
    pub fn remove_file(&self, name: &str) {
        self.shared.state().remove_file(name);
    }
}

impl Shared {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // Every change of the state is complete before anything can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn call_on_sync(&self) {
        let hook = self.on_sync.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(hook) = hook {
            let next = self.state().syncs() + 1;
            hook(next);
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("state", &self.state).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
