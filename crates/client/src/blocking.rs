//! The roles for programs that are not async: a thin layer over the async ones, on a runtime of its own.

mod client;
mod worker;

pub use client::{BuildError, Client, ClientBuilder, Job, JobBuilder, RunAll};
pub use worker::Worker;
