//! The machine's time since its start, and what `/proc` counts in.
//!
//! Never: the wall clock, which people and daemons set.

use crate::planner::Moment;
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{SysconfVar, sysconf};
use std::time::Duration;

/// Time since the machine's start.
pub(crate) fn now() -> Moment {
    let time = clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default();
    Moment::after_boot(time)
}

/// How long a number of the kernel's ticks is.
pub(crate) fn ticks(count: u64) -> Duration {
    let per_second = per_second();
    let nanos_of_one = 1_000_000_000 / per_second;
    Duration::from_secs(count / per_second) + Duration::from_nanos(count % per_second * nanos_of_one)
}

/// The whole ticks between the machine's start and a moment.
pub(crate) fn in_ticks(moment: Moment) -> u64 {
    let elapsed = moment.since(Moment::default());
    let part = u64::from(elapsed.subsec_nanos()) * per_second() / 1_000_000_000;
    elapsed.as_secs().saturating_mul(per_second()) + part
}

fn per_second() -> u64 {
    let per_second = sysconf(SysconfVar::CLK_TCK).ok().flatten().and_then(|it| u64::try_from(it).ok());
    per_second.filter(|it| *it > 0).unwrap_or(100)
}
