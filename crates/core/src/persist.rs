//! What is to be remembered: the record of a background job, and the changes to records.
//!
//! From: `core`, whenever a background job comes, goes or is given back.
//! To: a store, in the order of the tickets; and back at start, through [`crate::Core::load`].

use crate::ids::UnixTime;
use geartrain_proto::Priority;

/// A background job as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// The number in the job's handle; never given twice. 1 or larger.
    pub number: u64,
    /// Where the job stands among those of its function and priority: the smaller is served first.
    ///
    /// A new job's place is its number; a job that is given back gets a new one, at the end.
    pub place: u64,
    /// Name of the function.
    pub function: &'a [u8],
    /// The unique; empty when absent, `-` when the workload stands for it.
    pub unique: &'a [u8],
    /// How urgent it is.
    pub priority: Priority,
    /// What the worker gets; may be empty.
    pub workload: &'a [u8],
    /// The reducer of `SUBMIT_REDUCE_JOB_BACKGROUND`.
    pub reducer: Option<&'a [u8]>,
    /// Second of Unix time before which it does not run; 0 means none.
    pub not_before: i64,
    /// How many workers it was given to that did not finish it.
    pub attempts: u32,
    /// When it was submitted.
    pub submitted: UnixTime,
}

/// One durable change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op<'a> {
    /// A background job was accepted: remember it.
    Put(Record<'a>),
    /// A stored job came back from a worker: remember its attempts and its new place.
    GiveBack {
        /// The job.
        number: u64,
        /// Its new place.
        place: u64,
        /// How many workers it was given to that did not finish it.
        attempts: u32,
    },
    /// A job used up its attempts: take it off the queue, and keep it where a person finds it.
    Bury {
        /// The job; it may be unknown to the store when its record never became durable.
        number: u64,
        /// How many workers it was given to that did not finish it.
        attempts: u32,
    },
    /// A stored job ended: forget it. The job may be unknown to the store.
    Delete {
        /// The job.
        number: u64,
    },
    /// Numbers below `until` may be given out: after a restart none of them is given again.
    ReserveNumbers {
        /// The first number that is not reserved.
        until: u64,
    },
}
