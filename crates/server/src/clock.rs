//! The two clocks of the queue, read together.

use geartrain_core::{Moment, Now, UnixTime};
use std::time::{Duration, Instant, SystemTime};

/// Turns the clocks of the machine into those of `core`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    origin: Instant,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { origin: Instant::now() }
    }

    pub(crate) fn now(&self) -> Now {
        let unix = match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |millis| -millis),
        };
        Now { moment: Moment::new(self.origin.elapsed()), unix: UnixTime::from_millis(unix) }
    }

    /// How long until `moment`; zero when it has passed.
    pub(crate) fn until(&self, moment: Moment) -> Duration {
        moment.since(Moment::new(self.origin.elapsed()))
    }
}
