//! The program as a person, a script or a supervisor meets it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::wildcard_enum_match_arm,
    clippy::print_stdout,
    clippy::too_many_lines,
    reason = "a test that meets the unexpected is to fail there and then"
)]

mod cli;
mod config_file;
mod crowd;
mod daemon;
mod listen;
#[path = "../../../../crates/server/tests/it/peer.rs"]
#[allow(dead_code, reason = "the file is shared with the server's tests, and each uses a part of it")]
mod peer;
mod policy;
mod process;
mod reference;
mod schedules;
mod signals;
mod streams;
