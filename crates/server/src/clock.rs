//! The two clocks of the queue, read together.

use geartrain_core::{Moment, Now, UnixTime};
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::Notify;

/// Turns the clocks of the machine into those of `core`.
///
/// A clone shows the same time.
#[derive(Debug, Clone)]
pub struct Clock {
    origin: Instant,
    ahead: Option<Arc<Ahead>>,
}

/// Moves a [`Clock`] ahead by hand, for tests of what waits for a time.
#[derive(Debug, Clone)]
pub struct ClockHand {
    ahead: Arc<Ahead>,
}

/// By how much a clock is ahead of the machine's.
#[derive(Debug, Default)]
struct Ahead {
    millis: AtomicU64,
    moved: Notify,
}

impl Default for Clock {
    fn default() -> Self {
        Self { origin: Instant::now(), ahead: None }
    }
}

impl Clock {
    /// A clock that can be moved ahead. Between the moves it runs as fast as the machine's.
    #[must_use]
    pub fn by_hand() -> (Self, ClockHand) {
        let ahead = Arc::new(Ahead::default());
        let hand = ClockHand { ahead: Arc::clone(&ahead) };
        (Self { origin: Instant::now(), ahead: Some(ahead) }, hand)
    }

    pub(crate) fn now(&self) -> Now {
        let unix = match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |millis| -millis),
        };
        let ahead = self.ahead();
        let unix = unix.saturating_add(i64::try_from(ahead.as_millis()).unwrap_or(i64::MAX));
        Now { moment: self.moment(ahead), unix: UnixTime::from_millis(unix) }
    }

    /// How long until `moment`; zero when it has passed.
    pub(crate) fn until(&self, moment: Moment) -> Duration {
        moment.since(self.moment(self.ahead()))
    }

    /// Waits until it is moved by hand.
    pub(crate) async fn moved(&self) {
        match &self.ahead {
            Some(ahead) => ahead.moved.notified().await,
            None => pending().await,
        }
    }

    fn moment(&self, ahead: Duration) -> Moment {
        Moment::new(self.origin.elapsed().saturating_add(ahead))
    }

    fn ahead(&self) -> Duration {
        let millis = self.ahead.as_ref().map_or(0, |ahead| ahead.millis.load(Ordering::Acquire));
        Duration::from_millis(millis)
    }
}

impl ClockHand {
    /// Moves the clock ahead: for its server, this much time has passed. Parts of a millisecond are left out.
    ///
    /// What is due by then is done by the server's own threads, soon after this returns.
    pub fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        let sum = |millis: u64| Some(millis.saturating_add(by).min(AHEAD_MILLIS_MAX));
        // The closure always gives a value.
        self.ahead.millis.fetch_update(Ordering::AcqRel, Ordering::Acquire, sum).ok();
        self.ahead.moved.notify_one();
    }
}

/// Furthest that a clock can be ahead, in milliseconds: about a thousand years, so that no time runs over.
const AHEAD_MILLIS_MAX: u64 = 1000 * 366 * 24 * 60 * 60 * 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clocks_move_ahead_together_and_never_run_over() {
        let (clock, hand) = Clock::by_hand();
        let before = clock.now();
        hand.advance(Duration::from_secs(3600));
        let after = clock.now();
        let hour = Duration::from_secs(3600);
        assert!(after.moment.since(before.moment) >= hour);
        assert!(after.unix.millis() - before.unix.millis() >= 3_600_000);
        assert_eq!(clock.until(before.moment.after(hour)), Duration::ZERO);
        hand.advance(Duration::MAX);
        hand.advance(Duration::MAX);
        assert!(clock.now().unix.millis() > after.unix.millis());
    }
}
