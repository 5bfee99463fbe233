//! What a job is, kept until it has ended, so that it can be sent again.

use super::choice;
use super::error::JobError;
use super::limits::Resend;
use super::name::Name;
use super::news::Want;
use crate::session::client::InvalidSubmit;
use bytes::Bytes;
use geartrain_proto::{Function, Priority, Reducer, Submit, SubmitMode, Unique};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

/// It moves with the job, so what few jobs have is apart.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    pub(crate) function: Name,
    pub(crate) unique: Name,
    pub(crate) workload: Bytes,
    pub(crate) priority: Priority,
    pub(crate) limit: Duration,
    pub(crate) resend: Resend,
    pub(crate) rare: Option<Box<Rare>>,
}

/// What few jobs have.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rare {
    pub(crate) reducer: Option<Bytes>,
    /// Whole seconds of Unix time.
    pub(crate) not_before: Option<i64>,
    /// Why the workload has no form in bytes.
    pub(crate) fault: Option<Arc<dyn Error + Send + Sync>>,
}

impl Spec {
    /// What few jobs have, for this one.
    pub(crate) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Whether a job can be had from this at all, for whoever wants that of it.
    ///
    /// # Errors
    /// [`JobError::Value`] and [`JobError::Invalid`].
    pub(crate) fn check(&self, want: Want) -> Result<(), JobError> {
        let Some(rare) = &self.rare else { return Ok(()) };
        if let Some(cause) = &rare.fault {
            return Err(JobError::Value { what: "workload", cause: Arc::clone(cause) });
        }
        if rare.not_before.is_some() && want != Want::Answer {
            let what = "a job for a given time whose result is waited for";
            return Err(InvalidSubmit::NoSuchPacket(what).into());
        }
        Ok(())
    }

    /// The packet; of a job of which nothing but the answer is wanted, it is in background.
    pub(crate) fn submit(&self, want: Want) -> Submit<'_> {
        let rare = self.rare.as_deref();
        let mode = match want {
            Want::Result | Want::Stream => SubmitMode::Foreground,
            Want::Answer => {
                rare.and_then(|rare| rare.not_before).map_or(SubmitMode::Background, SubmitMode::Epoch)
            }
        };
        let reducer = rare.and_then(|rare| rare.reducer.as_deref());
        Submit {
            function: Function::new(&self.function),
            unique: Unique::new(&self.unique),
            priority: self.priority,
            mode,
            reducer: reducer.map(|name| Reducer { name, aggregate: b"" }),
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
