//! Time zones by their names, from the database in the binary.
//!
//! Never: reads the system's zones or its environment.

use super::CalendarError;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use std::sync::LazyLock;

/// Longest name of a zone, in bytes; the longest there is has 32.
const ZONE_BYTES_MAX: usize = 64;

static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// A time zone.
#[derive(Debug, Clone)]
pub(super) struct Zone(TimeZone);

/// A stretch of time in which the offset of a zone does not change.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stretch {
    /// Seconds to add to Unix time.
    offset: i64,
    /// The second at which the next one begins.
    pub(super) end: Option<i64>,
}

impl Stretch {
    /// What the clock shows.
    pub(super) fn civil(self, second: i64) -> Option<DateTime> {
        let shown = Timestamp::from_second(second.checked_add(self.offset)?).ok()?;
        Some(TimeZone::UTC.to_datetime(shown))
    }

    /// When the clock would show this if the stretch never ended.
    pub(super) fn second(self, civil: DateTime) -> Option<i64> {
        Some(TimeZone::UTC.to_timestamp(civil).ok()?.as_second() - self.offset)
    }
}

impl Zone {
    pub(super) fn find(name: &str) -> Result<Self, CalendarError> {
        let known = (name.len() <= ZONE_BYTES_MAX).then(|| ZONES.get(name).ok()).flatten();
        match known.filter(|zone| !zone.is_unknown()) {
            Some(zone) => Ok(Self(zone)),
            None => {
                let shown: String = name.chars().take(ZONE_BYTES_MAX).collect();
                Err(CalendarError::UnknownZone { hint: hint_for(&shown), zone: shown })
            }
        }
    }

    /// The stretch in which this second lies.
    pub(super) fn stretch(&self, second: i64) -> Option<Stretch> {
        let at = Timestamp::from_second(second).ok()?;
        let end = self.0.following(at).next().map(|change| change.timestamp().as_second());
        Some(Stretch { offset: i64::from(self.0.to_offset(at).seconds()), end })
    }

    /// What the clock shows, without times it shows for the second time: they count as the end of what it
    /// shows twice.
    pub(super) fn civil_once(&self, second: i64) -> Option<DateTime> {
        let at = Timestamp::from_second(second).ok()?;
        let civil = self.0.to_datetime(at);
        let AmbiguousOffset::Fold { before, after } = self.0.to_ambiguous_timestamp(civil).offset() else {
            return Some(civil);
        };
        if self.0.to_offset(at) != after {
            return Some(civil);
        }
        let change = self.change_before(second)?;
        let last_shown = before.to_datetime(Timestamp::from_second(change).ok()?);
        last_shown.checked_sub(jiff::SignedDuration::from_secs(1)).ok()
    }

    /// When the clock first shows this, or when it skips it.
    pub(super) fn first_second(&self, civil: DateTime) -> Option<i64> {
        match self.0.to_ambiguous_timestamp(civil).offset() {
            AmbiguousOffset::Unambiguous { offset } | AmbiguousOffset::Fold { before: offset, .. } => {
                Some(offset.to_timestamp(civil).ok()?.as_second())
            }
            AmbiguousOffset::Gap { before, .. } => {
                self.change_before(before.to_timestamp(civil).ok()?.as_second())
            }
        }
    }

    /// The last change of the offset at or before this second.
    fn change_before(&self, second: i64) -> Option<i64> {
        let after = Timestamp::from_second(second.checked_add(1)?).ok()?;
        Some(self.0.preceding(after).next()?.timestamp().as_second())
    }
}

/// The name that was probably meant.
fn hint_for(name: &str) -> String {
    let wanted = name.replace(' ', "_").to_ascii_lowercase();
    let mut best: Option<(usize, String)> = None;
    for known in ZONES.available() {
        let known = known.as_str();
        let lower = known.to_ascii_lowercase();
        let city = lower.rsplit('/').next().unwrap_or(&lower);
        let distance = distance(&wanted, &lower).min(distance(&wanted, city));
        if best.as_ref().is_none_or(|(nearest, _)| distance < *nearest) {
            best = Some((distance, known.to_owned()));
        }
    }
    match best {
        Some((distance, known)) if distance <= wanted.len() / 3 => format!("did you mean {known}?"),
        _ => "a name such as UTC, Europe/Berlin or America/New_York".to_owned(),
    }
}

/// How many bytes must be changed, added or left out to turn one into the other.
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (done, byte) in from.bytes().enumerate() {
        let mut diagonal = done;
        let mut left = done + 1;
        for (slot, other) in row.iter_mut().skip(1).zip(to.bytes()) {
            let changed = diagonal + usize::from(byte != other);
            diagonal = *slot;
            left = changed.min(left + 1).min(*slot + 1);
            *slot = left;
        }
        if let Some(first) = row.first_mut() {
            *first = done + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
pub(super) fn zone_names() -> Vec<String> {
    ZONES.available().map(|name| name.as_str().to_owned()).collect()
}

#[cfg(test)]
impl Zone {
    /// The seconds between these at which the offset changes.
    pub(super) fn changes(&self, from: i64, until: i64) -> Vec<i64> {
        let start = Timestamp::from_second(from).unwrap();
        let changes = self.0.following(start).map(|change| change.timestamp().as_second());
        changes.take_while(|second| *second < until).collect()
    }

    /// What the clock shows.
    pub(super) fn civil(&self, second: i64) -> DateTime {
        self.0.to_datetime(Timestamp::from_second(second).unwrap())
    }
}
