//! How a job is named within the table of jobs.
//!
//! From: `job.rs`. Never: outlives its job; numbers and handles do.

use std::num::NonZeroU32;

/// Where a job lies in the table; means nothing once the job is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct JobKey(NonZeroU32);

impl JobKey {
    /// The key of a slot; keys count from 1, so that an absent one takes no room.
    pub(crate) fn of(index: u32) -> Self {
        Self(NonZeroU32::MIN.checked_add(index).expect("jobs_max is below 2^32"))
    }

    pub(super) const fn slot(self) -> u32 {
        self.0.get() - 1
    }

    /// The number that [`Self::from_bits`] turns into the key again.
    pub(crate) const fn bits(self) -> u32 {
        self.0.get()
    }

    pub(crate) const fn from_bits(bits: u32) -> Self {
        Self(NonZeroU32::new(bits).expect("bits of a key"))
    }

    /// Where `Jobs::slots` finds it.
    pub(crate) fn slot_number(self) -> u64 {
        u64::from(self.slot())
    }

    pub(super) const fn index(self) -> usize {
        self.slot() as usize
    }
}
