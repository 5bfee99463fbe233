//! What the fuzz targets do with their bytes.
//!
//! Each function takes any bytes and panics when a promise does not hold. `fuzz/` feeds them by coverage, the
//! tests of this crate with the seeds in `fuzz/seeds` and some thousand random inputs.

#![allow(
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a harness that panics, or stops at what it does not know, has found something"
)]

mod admin_line;
mod client_model;
mod client_session;
mod decode;
mod model;
mod queue_model;
mod store_recovery;
mod worker_session;

pub use admin_line::admin_line;
pub use client_session::client_session;
pub use decode::decode;
pub use queue_model::queue_model;
pub use store_recovery::store_recovery;
pub use worker_session::worker_session;
