//! The roles for programs that are not async: a thin layer over the async ones, on a runtime of its own.

mod admin;
mod client;
mod worker;

pub use admin::Admin;
pub use client::{BackgroundAll, Client, Job, JobBuilder, JobSet, RunAll};
pub use worker::Worker;
