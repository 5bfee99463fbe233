//! Tests side by side in one process, of which one starts another process.
//!
//! From: tests. To: a lock between them.
//! Never: in the program.
//!
//! All that one test has open is open in the process that another one starts, until that becomes its program: a lock is
//! held, a socket is listened on and a pipe has a writer a moment longer than the test has them.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

static FORKS: RwLock<()> = RwLock::new(());

/// No other test starts a process as long as this is held: what is closed is closed.
pub(crate) fn none() -> RwLockReadGuard<'static, ()> {
    FORKS.read().unwrap_or_else(PoisonError::into_inner)
}

/// To be held while a process is started.
pub(crate) fn one() -> RwLockWriteGuard<'static, ()> {
    FORKS.write().unwrap_or_else(PoisonError::into_inner)
}
