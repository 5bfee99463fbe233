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
        if listener.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            return;
        }
        let former = listener.replace(context.waker().clone());
        // The end of a waker may be that of a task, which may ring this bell.
        drop(listener);
        drop(former);
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
