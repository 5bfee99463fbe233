//! What core calls the things it is told about: connections, tickets, moments.

use std::time::Duration;

/// A connection, from [`crate::Core::handle_connected`] to [`crate::Core::handle_closed`].
///
/// Slots are small and dense, so that a driver can keep its side of a connection in a vector; the
/// generation tells two connections apart that had the same slot one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnId {
    slot: u32,
    generation: u32,
}

impl ConnId {
    /// No connection: never open.
    pub(crate) const NOBODY: ConnId = ConnId::new(u32::MAX, u32::MAX);

    pub(crate) const fn new(slot: u32, generation: u32) -> Self {
        Self { slot, generation }
    }

    /// Index of this connection among those open now.
    #[must_use]
    pub const fn slot(self) -> usize {
        self.slot as usize
    }

    pub(crate) const fn generation(self) -> u32 {
        self.generation
    }
}

/// Number of one durable change; later changes have larger numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Ticket(u64);

impl Ticket {
    /// The ticket before the first.
    pub const ZERO: Ticket = Ticket(0);

    /// The ticket of a read with this number: of another kind than those of changes.
    #[must_use]
    pub(crate) const fn of_read(number: u64) -> Self {
        Self(1 << 63 | number)
    }

    /// The ticket with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number; the first ticket of a process is 1.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    pub(crate) const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// A point of the driver's monotonic clock: time since an origin that never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Moment(Duration);

impl Moment {
    /// The point this long after the origin.
    #[must_use]
    pub const fn new(since_origin: Duration) -> Self {
        Self(since_origin)
    }

    /// The point this many milliseconds after the origin.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// Milliseconds after the origin, the last ones that can be expressed if it is later. Parts of one count as
    /// a whole one.
    #[must_use]
    pub fn millis_ceil(self) -> u64 {
        u64::try_from(self.0.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }

    /// How long after the origin.
    #[must_use]
    pub const fn since_origin(self) -> Duration {
        self.0
    }

    /// The point `delay` later; the end of time when that cannot be expressed.
    #[must_use]
    pub const fn after(self, delay: Duration) -> Self {
        Self(self.0.saturating_add(delay))
    }

    /// How long from `earlier` to this point; zero when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Moment) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// A time of the calendar: milliseconds since 1970, which may jump either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct UnixTime(i64);

impl UnixTime {
    /// The time this many milliseconds after 1970.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// The time this many seconds after 1970, the last one that can be expressed if it is later.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// The time this long after it, the last one that can be expressed if it is later. Parts of a millisecond
    /// count as a whole one.
    #[must_use]
    pub fn after(self, delay: std::time::Duration) -> Self {
        let millis = i64::try_from(delay.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(millis))
    }

    /// How long from `earlier` to this time; zero when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: UnixTime) -> std::time::Duration {
        std::time::Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The first second that is not before it.
    #[must_use]
    pub const fn seconds_ceil(self) -> i64 {
        self.0.div_euclid(1000) + if self.0.rem_euclid(1000) > 0 { 1 } else { 0 }
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }
}

/// Both clocks at one instant; every input of [`crate::Core`] that depends on time comes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// For time limits and pauses.
    pub moment: Moment,
    /// For jobs that wait for a time of the calendar.
    pub unix: UnixTime,
}
