//! Fixed periods: `every 90s`.
//!
//! Never: knows a clock or a zone.

use super::CalendarError;
use crate::ids::UnixTime;

/// Shortest period, in milliseconds: a second.
const PERIOD_MS_MIN: i64 = 1000;
/// Longest period, in milliseconds: 3660 days, ten years.
const PERIOD_MS_MAX: i64 = 3660 * 86_400_000;

/// A period between a second and ten years.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Period {
    millis: i64,
}

impl Period {
    pub(super) fn parse(text: &str) -> Result<Self, CalendarError> {
        let bad = || CalendarError::BadPeriod { period: text.to_owned() };
        let millis = parse_millis(text).ok_or_else(bad)?;
        if !(PERIOD_MS_MIN..=PERIOD_MS_MAX).contains(&millis) {
            return Err(CalendarError::PeriodOutOfRange { period: text.to_owned() });
        }
        Ok(Self { millis })
    }

    pub(super) fn next_after(self, anchor: UnixTime, after: UnixTime) -> Option<UnixTime> {
        let since = after.millis().checked_sub(anchor.millis())?;
        let periods = since.div_euclid(self.millis).checked_add(1)?;
        let due = anchor.millis().checked_add(periods.checked_mul(self.millis)?)?;
        Some(UnixTime::from_millis(due))
    }
}

/// Numbers with units, one behind the other: `1h30m`. `None` when it is not that, or too large a number.
fn parse_millis(text: &str) -> Option<i64> {
    let mut rest = text;
    let mut sum: i64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|char: char| !char.is_ascii_digit())?;
        let (number, tail) = rest.split_at(digits);
        let unit_len = tail.find(|char: char| !char.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_len);
        let unit_ms = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 7 * 86_400_000,
            _ => return None,
        };
        sum = sum.checked_add(number.parse::<i64>().ok()?.checked_mul(unit_ms)?)?;
        rest = tail.trim_start();
    }
    (!text.is_empty()).then_some(sum)
}
