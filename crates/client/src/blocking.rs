//! The library for programs without a runtime: thin layers over the async roles.

mod client;

pub use client::{BuildError, Client, ClientBuilder, Job, JobBuilder, RunAll};
