//! Workers against real servers, each test over this project's server and over the reference, and against
//! servers that misbehave.

mod ends;
mod limits;
mod lost;
mod misbehaving;
mod outcomes;
mod servers;
mod signals;
pub(crate) mod support;
