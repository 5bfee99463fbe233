//! What every store can do.

use crate::{Batch, StoreError};
use geartrain_core::{Found, Stored, Wanted};

/// Remembers background jobs, what became of them, and the documents of policies and schedules.
///
/// Blocking; one thread drives it. A value is an open store: opening is each store's own function.
pub trait Store: Send {
    /// What was found when the store was opened.
    fn opening(&self) -> Opening;

    /// Streams what is stored: documents, then letters in the order of their numbers, then jobs in the
    /// order of their places.
    ///
    /// What cannot be read is put aside in the store, counted, and does not stop the rest: a job whose
    /// number and function can be read becomes a dead letter, which is streamed like one; everything else
    /// is set aside.
    ///
    /// # Errors
    /// When the store cannot be read at all.
    fn load(&mut self, each: &mut dyn FnMut(Stored<'_>)) -> Result<LoadReport, StoreError>;

    /// Makes a batch durable: all of it or nothing.
    ///
    /// # Errors
    /// When it is not certain that the batch is on disk. From then on every commit fails with
    /// [`StoreError::Failed`] until [`Store::reopen`] succeeds.
    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError>;

    /// Opens the store anew after a failure.
    ///
    /// # Errors
    /// When that is not possible yet; it may be tried again.
    fn reopen(&mut self) -> Result<(), StoreError>;

    /// Another look at the same store, for a thread of its own. It sees what was committed.
    ///
    /// # Errors
    /// When there can be none; the store itself goes on.
    fn reader(&self) -> Result<Box<dyn Reader>, StoreError>;
}

/// Looks jobs up while the store they are in takes changes.
///
/// Blocking; never holds up a commit for long, and keeps nothing open between two reads.
pub trait Reader: Send {
    /// Calls `each` with what is found of these jobs, in the order of their numbers, whatever order they
    /// are asked for in.
    ///
    /// What is not there, or cannot be read, is left out. All that is found in one read was there at one
    /// moment, at or after the last commit that was answered when the read began.
    ///
    /// # Errors
    /// When the store cannot be read now. The reader stays usable: the next read tries anew.
    fn read(
        &mut self,
        wanted: Wanted,
        numbers: &[u64],
        each: &mut dyn FnMut(Found<'_>),
    ) -> Result<(), StoreError>;
}

/// What was found when a store was opened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Opening {
    /// The first number that was never given out.
    pub next_number: u64,
    /// About how many jobs are stored, for progress while they load: exact below
    /// [`JOBS_COUNTED_MAX`], else estimated, since counting would read them all.
    pub jobs_estimate: u64,
    /// Where it lies, for people.
    pub location: String,
    /// How many jobs were taken over from a table of the reference server just now.
    pub imported: u64,
    /// How many rows of that table could not be taken over, and were set aside.
    pub set_aside: u64,
}

/// Up to how many stored jobs are counted when a store is opened.
pub const JOBS_COUNTED_MAX: u64 = 10_000;

/// How a load went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LoadReport {
    /// Jobs that were loaded.
    pub loaded: u64,
    /// Jobs on shelves, those of `unreadable` counted.
    pub letters: u64,
    /// Policies, schedules and the like.
    pub documents: u64,
    /// Jobs that could not be read as they are, and became dead letters just now.
    pub unreadable: u64,
    /// Records that could not be read at all, and were set aside.
    pub set_aside: u64,
}
