//! gearadmin against real servers and servers that misbehave.

#[path = "../../../gearman/tests/it/support.rs"]
mod support;

mod failures;
mod listings;
