//! The clock hand of the queue: calls it when it asked to be called, and when the wall clock was set.
//!
//! From: [`geartrain_core::Core::poll_timeout`]. To: [`geartrain_core::Core::handle_timeout`].
//! Never: ticks while nothing is due.

use crate::jumps::ClockJumps;
use crate::limits::{CLOCK_LOOK_EVERY, CLOCK_LOOK_EVERY_UNTOLD};
use crate::shared::Shared;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

/// Drives the timers of the queue for ever.
pub(crate) async fn run(shared: Arc<Shared>) {
    let jumps = ClockJumps::watch().ok();
    let look_every = if jumps.is_some() { CLOCK_LOOK_EVERY } else { CLOCK_LOOK_EVERY_UNTOLD };
    loop {
        let next = shared.run(|now, hub| {
            hub.core.handle_timeout(now, &mut hub.out);
            hub.timer_at = hub.core.poll_timeout(now);
            (hub.timer_at, hub.core.waits_for_calendar())
        });
        let pause = match next {
            (None, _) => Duration::MAX,
            (Some(next), false) => shared.clock.until(next),
            (Some(next), true) => shared.clock.until(next).min(look_every),
        };
        tokio::select! {
            () = shared.timer_wake.notified() => {}
            () = tokio::time::sleep(pause) => {}
            () = jump(jumps.as_ref()) => {}
            () = shared.clock.moved() => {}
        }
    }
}

async fn jump(jumps: Option<&ClockJumps>) {
    match jumps {
        Some(jumps) => jumps.next().await,
        None => pending().await,
    }
}
