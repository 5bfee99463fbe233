//! A bell: wakes the one task that listens, from wherever something happened that it must see.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

/// Rung by anyone, heard by the task that listened last.
///
/// The listener listens first and looks afterwards; whoever rings changes first and rings afterwards. So
/// nothing is missed.
#[derive(Debug, Default)]
pub(super) struct Bell {
    listener: Mutex<Option<Waker>>,
}

impl Bell {
    pub(super) fn listen(&self, context: &Context<'_>) {
        let mut listener = self.lock();
        match &mut *listener {
            Some(waker) => waker.clone_from(context.waker()),
            None => *listener = Some(context.waker().clone()),
        }
    }

    pub(super) fn ring(&self) {
        let listener = self.lock().take();
        if let Some(waker) = listener {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Waker>> {
        self.listener.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
