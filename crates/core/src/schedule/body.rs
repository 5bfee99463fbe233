//! How a schedule is stored: the JSON of its document.
//!
//! Never: refuses a body for a key it does not know, so that an older server reads what a newer one wrote.

use super::{Memory, Schedule, Source};
use geartrain_proto::command::ScheduleAdd;
use serde::{Deserialize, Serialize};

/// A schedule as it is stored.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Body<Given> {
    pub(crate) source: Source,
    pub(crate) schedule: Given,
    pub(crate) memory: Memory,
}

impl Schedule {
    /// The body of its document.
    pub(crate) fn body(&self) -> Vec<u8> {
        let body = Body { source: self.source, schedule: &self.given, memory: self.memory.clone() };
        serde_json::to_vec(&body).expect("a schedule has no keys that are no strings")
    }
}

impl Body<ScheduleAdd> {
    /// Whether this is how the schedule would be stored.
    pub(crate) fn is_of(&self, schedule: &Schedule) -> bool {
        self.source == schedule.source && self.schedule == schedule.given && self.memory == schedule.memory
    }
}

/// Reads a body; `None` when it is none of ours.
pub(crate) fn parse(body: &[u8]) -> Option<Body<ScheduleAdd>> {
    serde_json::from_slice(body).ok()
}
