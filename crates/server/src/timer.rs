//! The clock hand of the queue: calls it when it asked to be called.
//!
//! From: [`geartrain_core::Core::poll_timeout`]. To: [`geartrain_core::Core::handle_timeout`].
//! Never: ticks while nothing waits for time.

use crate::limits::TIMER_SLEEP_MAX;
use crate::shared::Shared;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Drives the timers of the queue for ever.
pub(crate) async fn run(shared: Arc<Shared>) {
    loop {
        let next = shared.run(|now, hub| {
            hub.core.handle_timeout(now, &mut hub.out);
            hub.timer_at = hub.core.poll_timeout(now);
            (hub.timer_at, hub.core.waits_for_calendar())
        });
        match next {
            (None, _) => shared.timer_wake.notified().await,
            (Some(next), calendar) => {
                let pause_max = if calendar { TIMER_SLEEP_MAX } else { Duration::MAX };
                let pause = shared.clock.until(next).min(pause_max);
                // Running into the end of the pause is what it is for.
                timeout(pause, shared.timer_wake.notified()).await.ok();
            }
        }
    }
}
