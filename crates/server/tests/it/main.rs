//! The server over real sockets, on ports the system gives.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::wildcard_enum_match_arm,
    clippy::print_stdout,
    clippy::too_many_lines,
    reason = "a test that meets the unexpected is to fail there and then"
)]

mod admin;
mod dead;
mod durable;
mod http;
mod input;
mod loading;
mod output;
mod peer;
mod reload;
mod talk;
mod world;
