//! The manager with real processes: each test has a manager of its own, and ends all that it started.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected is to fail there and then"
)]

mod manager;

mod crashes;
mod leaving;
mod orphans;
mod output;
mod restarts;
mod steering;
