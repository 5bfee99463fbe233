//! The planner without processes, and importing with real files.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    clippy::print_stdout,
    reason = "a test that meets the unexpected is to fail there and then"
)]

mod calm;
mod import;
mod loops;
mod planner;
mod rollout;
mod simulation;
mod world;
