//! The roles for programs that are not async: a thin layer on a runtime of its own.

mod worker;

pub use worker::Worker;
