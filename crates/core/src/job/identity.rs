//! By what a submit finds the job that it joins (I5).
//!
//! From: `job.rs`, for its index of uniques. Never: finds a job without a unique.

use super::Job;
use crate::function::FunctionKey;
use foldhash::fast::FixedState;
use geartrain_proto::Unique;
use std::hash::BuildHasher;

impl Job {
    pub(super) fn identity_hash(&self, state: &FixedState) -> Option<u64> {
        Some(self.identity()?.hash(self.function, state))
    }

    pub(super) fn identity(&self) -> Option<Identity<'_>> {
        // A job whose workload is its identity never parts with it.
        Identity::new(self.unique(), self.workload().unwrap_or_default())
    }

    /// Whether a submit finds it by its workload.
    pub(super) fn is_known_by_workload(&self) -> bool {
        matches!(self.identity(), Some(Identity::Workload(_)))
    }
}

/// By what a submit finds the job that it joins. An absent unique is no identity (I5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Identity<'a> {
    Unique(&'a [u8]),
    Workload(&'a [u8]),
}

impl<'a> Identity<'a> {
    pub(super) fn new(unique: Unique<'a>, workload: &'a [u8]) -> Option<Self> {
        if unique.is_workload() {
            (!workload.is_empty()).then_some(Identity::Workload(workload))
        } else {
            (!unique.is_absent()).then_some(Identity::Unique(unique.as_bytes()))
        }
    }

    pub(super) fn hash(self, function: FunctionKey, state: &FixedState) -> u64 {
        match self {
            Identity::Unique(bytes) => state.hash_one((function.index(), bytes)),
            Identity::Workload(bytes) => state.hash_one((function.index(), true, bytes)),
        }
    }
}
