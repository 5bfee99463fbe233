//! The manager with real processes: each test has a manager of its own, and ends all that it started.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected is to fail there and then"
)]

mod manager;
#[path = "../../../gearman/tests/it/support.rs"]
mod support;

mod accounts;
mod crashes;
mod descriptors;
mod folder;
mod jobs;
mod leaving;
mod orphans;
mod output;
mod proxy;
mod restarts;
mod servers;
mod steering;
mod systemd;
