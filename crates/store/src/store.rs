//! What every store can do.

use crate::{Batch, StoreError};
use geartrain_core::Record;

/// Remembers background jobs.
///
/// Blocking; one thread drives it. A value is an open store: opening is each store's own function.
pub trait Store: Send {
    /// What was found when the store was opened.
    fn opening(&self) -> Opening;

    /// Streams every stored job in the order of its place.
    ///
    /// A record that cannot be read is set aside in the store, counted, and does not stop the rest.
    ///
    /// # Errors
    /// When the store cannot be read at all.
    fn load(&mut self, each: &mut dyn FnMut(Record<'_>)) -> Result<LoadReport, StoreError>;

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
}

/// What was found when a store was opened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Opening {
    /// The first number that was never given out.
    pub next_number: u64,
    /// How many jobs are stored, for progress while they load.
    pub jobs: u64,
    /// How many jobs are kept that used up their attempts.
    pub buried: u64,
    /// Where it lies, for people.
    pub location: String,
    /// How many jobs were taken over from a table of the reference server just now.
    pub imported: u64,
    /// How many rows of that table could not be taken over, and were set aside.
    pub set_aside: u64,
}

/// How a load went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LoadReport {
    /// Jobs that were loaded.
    pub loaded: u64,
    /// Records that could not be read, and were set aside.
    pub set_aside: u64,
}
