//! What the conversations of `testing/conformance` do not reach: limits, many abilities, held answers.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "these are tests")]

mod bounds;
mod explain;
mod jobs;
mod limits;
mod lists;
mod long_backlog;
mod many_abilities;
mod policies;
mod reloads;
mod retries;
mod schedules;
mod spill;
mod stalls;
mod store;
mod wakes;
mod workers;
mod world;
