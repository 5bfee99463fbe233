//! How many file descriptors there may be.
//!
//! From: the limits that the manager was started with. To: as many as the kernel lets it have, since each process has
//! pipes and each log a file. Never: hands that on to processes; a high limit makes some programs slow, and breaks
//! those that use select.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::sync::OnceLock;

/// The limit as it was.
static FIRST: OnceLock<Rlimit> = OnceLock::new();

/// Raises the limit to what is allowed.
pub(crate) fn raise() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    // Where it is refused, it stays as it was.
    if setrlimit(Resource::Nofile, raised).is_ok() {
        let _again = FIRST.set(limit);
    }
}

/// The limit for processes, where the manager has another one.
pub(crate) fn of_children() -> Option<Rlimit> {
    FIRST.get().copied()
}
