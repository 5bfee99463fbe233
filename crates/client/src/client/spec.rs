//! What a job is, kept until it has ended, so that it can be sent again.

use super::choice;
use super::limits::Resend;
use super::name::Name;
use bytes::Bytes;
use geartrain_proto::{Function, Priority, Reducer, Submit, SubmitMode, Unique};
use std::time::Duration;

#[derive(Debug, Clone)]
pub(crate) struct Spec {
    pub(crate) function: Name,
    pub(crate) unique: Name,
    pub(crate) workload: Bytes,
    pub(crate) priority: Priority,
    pub(crate) mode: SubmitMode,
    pub(crate) reducer: Option<Bytes>,
    pub(crate) limit: Duration,
    pub(crate) resend: Resend,
}

impl Spec {
    pub(crate) fn submit(&self) -> Submit<'_> {
        Submit {
            function: Function::new(&self.function),
            unique: Unique::new(&self.unique),
            priority: self.priority,
            mode: self.mode,
            reducer: self.reducer.as_deref().map(|name| Reducer { name, aggregate: b"" }),
            workload: &self.workload,
        }
    }

    /// What decides on the server; jobs that coalesce have the same. `None` where nothing coalesces.
    pub(crate) fn key(&self) -> Option<u64> {
        let unique = Unique::new(&self.unique);
        if unique.is_absent() {
            return None;
        }
        let unique: &[u8] = if unique.is_workload() { &self.workload } else { &self.unique };
        Some(choice::key(&self.function, unique))
    }
}
