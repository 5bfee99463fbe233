//! When something recurs: cron lines, nicknames and fixed periods, in any time zone.
//!
//! From: the text of a schedule, and the fields of `SUBMIT_JOB_SCHED`. To: the next time, as [`UnixTime`].
//! Never: reads a clock or the system's time zones; the zones are part of the binary, so that every
//! machine computes the same times. Never searches further than [`SEARCH_YEARS`].
//!
//! Daylight saving: a line that runs in every hour (`*/5 * * * *`, `@hourly`) follows real time, so it runs
//! in each real hour, also in the one that the clock shows twice. Any other line means times of the day:
//! one that the clock skips runs once, right when the skipped hour would have begun; one that the clock
//! shows twice runs the first time only. A period (`every 90s`) knows no clock.

mod cron;
mod period;
mod zone;

use crate::ids::UnixTime;
use cron::CronLine;
use period::Period;
use thiserror::Error;
use zone::Zone;

/// Longest text of a recurrence, in bytes.
pub const RECURRENCE_BYTES_MAX: usize = 256;

/// How far ahead of a time the next one is looked for, in years.
///
/// 29 February on a certain weekday comes after 40 years at the latest, when a century without a leap day
/// lies between.
pub const SEARCH_YEARS: i16 = 41;

/// Why a recurrence, a calendar field or a time zone is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CalendarError {
    /// The text is too long.
    #[error("recurrence of {len} bytes is over the limit of {max} bytes")]
    TooLong {
        /// Its length, in bytes.
        len: usize,
        /// The limit, in bytes.
        max: usize,
    },
    /// The text is of no known form.
    #[error(
        "recurrence {text:?} is not understood (hint: five cron fields \"minute hour day month weekday\", six \
         with seconds first, @hourly, @daily, @weekly, @monthly, @yearly, or \"every 90s\")"
    )]
    UnknownForm {
        /// The text.
        text: String,
    },
    /// A field of a cron line is not understood or out of its range.
    #[error(
        "cron line {text:?} has {value:?} as its {field} (hint: the {field} is {allowed}, such as {example})"
    )]
    BadField {
        /// The whole line.
        text: String,
        /// Name of the field.
        field: &'static str,
        /// What stands there.
        value: String,
        /// The range.
        allowed: &'static str,
        /// Values that would be right.
        example: &'static str,
    },
    /// No day matches.
    #[error("recurrence {text:?} never comes: {reason}")]
    Never {
        /// The text.
        text: String,
        /// What never comes, and what would be right.
        reason: &'static str,
    },
    /// A period is not understood.
    #[error(
        "period {period:?} of \"every\" is not understood (hint: numbers with units, as in 90s, 5m, 1h30m or 7d)"
    )]
    BadPeriod {
        /// What follows `every`.
        period: String,
    },
    /// A period is too short or too long.
    #[error("period {period:?} of \"every\" is out of range (hint: from 1s to 3660d)")]
    PeriodOutOfRange {
        /// What follows `every`.
        period: String,
    },
    /// There is no such time zone.
    #[error("time zone {zone:?} is unknown (hint: {hint})")]
    UnknownZone {
        /// The name.
        zone: String,
        /// A name that is close to it, or how names look.
        hint: String,
    },
    /// A field of `SUBMIT_JOB_SCHED` is not understood or out of its range.
    #[error("{field} {value:?} of the job's time is not {allowed} (hint: empty or * matches any)")]
    BadSchedField {
        /// Name of the field.
        field: &'static str,
        /// What stands there.
        value: String,
        /// The range.
        allowed: &'static str,
    },
}

/// When something recurs.
#[derive(Debug, Clone)]
pub struct Recurrence(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Cron { line: Box<CronLine>, zone: Zone },
    Every { period: Period, anchor: UnixTime },
}

impl Recurrence {
    /// Reads a cron line of five fields, or six with the seconds first; one of `@hourly`, `@daily`,
    /// `@midnight`, `@weekly`, `@monthly`, `@yearly`, `@annually`; or `every` with a period (`every 1h30m`).
    ///
    /// `zone` is a name such as `Europe/Berlin` or `UTC`, in which a cron line is meant; a period has none,
    /// but the name is checked all the same. Where day and weekday are both given, a day that matches
    /// either will do; `+` before the weekday asks for both. `L`, `W` and `#` stand for the last day, the
    /// nearest working day and the nth weekday of the month.
    ///
    /// # Errors
    /// When the text or the zone is not understood, and when the line never comes (30 February).
    pub fn parse(text: &str, zone: &str) -> Result<Self, CalendarError> {
        let text = text.trim();
        if text.len() > RECURRENCE_BYTES_MAX {
            return Err(CalendarError::TooLong { len: text.len(), max: RECURRENCE_BYTES_MAX });
        }
        let zone = Zone::find(zone)?;
        if let Some(period) = text.strip_prefix("every") {
            let period = Period::parse(period.trim_start())?;
            return Ok(Self(Kind::Every { period, anchor: UnixTime::from_seconds(0) }));
        }
        Ok(Self(Kind::Cron { line: Box::new(CronLine::parse(text)?), zone }))
    }

    /// The same, where the times of a period are counted from here; it is 1970 otherwise.
    ///
    /// A cron line has no anchor.
    #[must_use]
    pub fn anchored(self, anchor: UnixTime) -> Self {
        match self.0 {
            Kind::Every { period, .. } => Self(Kind::Every { period, anchor }),
            Kind::Cron { .. } => self,
        }
    }

    /// The first time after this one; `None` when the calendar ends before (in the year 9999).
    #[must_use]
    pub fn next_after(&self, after: UnixTime) -> Option<UnixTime> {
        match &self.0 {
            Kind::Cron { line, zone } => line.next_after(zone, after),
            Kind::Every { period, anchor } => period.next_after(*anchor, after),
        }
    }

    /// How many times there are after the first and up to and including the second, counted up to `max`,
    /// and the last one that was counted.
    #[must_use]
    pub fn count_between(&self, after: UnixTime, until: UnixTime, max: usize) -> (usize, Option<UnixTime>) {
        let (mut count, mut last) = (0, None);
        while count < max {
            match self.next_after(last.unwrap_or(after)) {
                Some(due) if due <= until => last = Some(due),
                _ => break,
            }
            count += 1;
        }
        (count, last)
    }
}

/// Whether there is a time zone of this name.
///
/// # Errors
/// When there is none; the error names one that is close.
pub fn check_zone(name: &str) -> Result<(), CalendarError> {
    Zone::find(name).map(|_| ())
}

/// The next time after `after` that matches the fields of `SUBMIT_JOB_SCHED`, all of them.
///
/// A field is empty or `*` (any), a number, or numbers and ranges with commas between (`1,3-5`). Weekdays
/// count from 0 for Monday, as the protocol has it.
///
/// # Errors
/// When a field or the zone is not understood, and when the time never comes.
pub fn next_sched(
    minute: &[u8],
    hour: &[u8],
    day: &[u8],
    month: &[u8],
    weekday: &[u8],
    zone: &str,
    after: UnixTime,
) -> Result<UnixTime, CalendarError> {
    let line = CronLine::of_sched([minute, hour, day, month, weekday])?;
    let next = line.next_after(&Zone::find(zone)?, after);
    next.ok_or(CalendarError::Never { text: line.text(), reason: "the calendar ends before" })
}

#[cfg(test)]
mod tests;
