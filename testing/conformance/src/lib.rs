//! Conversations with a job server: one text, three servers that it is held with.
//!
//! A talk (`talks/*.talk`) says what clients, workers and administrators send and what each of them gets.
//! [`parse`] reads it, [`run`] holds it with a [`Server`]: with `core` alone ([`CoreServer`]), with a
//! process over sockets ([`Process`]), be it our daemon or the reference server. Where the reference does
//! something else, the talk says what, and why.
//!
//! ```text
//! == a unique coalesces within one function only
//! c1 > SUBMIT_JOB_BG  reverse  u1  "abc"
//! c1 < JOB_CREATED    $h1
//! c1 > SUBMIT_JOB_BG  resize   u1  "abc"
//! c1 < JOB_CREATED    $h2              # differs from $h1
//! ```
//!
//! The whole grammar is in `README.md` beside this crate.

#![allow(
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a harness that panics, or stops at what it does not know, is a failing test"
)]

mod core_server;
mod parse;
mod process;
mod run;
mod talk;

pub use core_server::CoreServer;
pub use parse::{ParseError, parse};
pub use process::Process;
pub use run::{Item, Mismatch, Server, run};
pub use talk::{Action, Instead, Packet, Piece, Runner, Step, Talk, Template, What};
