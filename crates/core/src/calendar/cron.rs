//! Cron lines: which times of which days match.
//!
//! croner reads the line and knows which days match; the times of day and the zone are done here.
//! Never: steps from second to second, or further than [`SEARCH_YEARS`].

use super::zone::Zone;
use super::{CalendarError, SEARCH_YEARS};
use crate::ids::UnixTime;
use croner::parser::{CronParser, Year};
use croner::{CronComponent, CronPattern, Weekday};
use jiff::civil::{Date, DateTime, Time};
use jiff::{SignedDuration, ToSpan};

/// Furthest that any zone lies from another, and a clock jumps, in seconds, with room to spare.
const OFFSET_SECONDS_MAX: i64 = 2 * 86_400;

/// A cron line that matches some day.
#[derive(Debug, Clone)]
pub(super) struct CronLine {
    /// Bit n stands for second n.
    seconds: u64,
    minutes: u64,
    hours: u64,
    months: u64,
    /// Which days match. The times of day and the years are left out, which saves 5 KiB a line.
    days: CronPattern,
}

/// A field of a line: name, range, and examples.
type Field = (&'static str, &'static str, &'static str);

const FIELDS: [Field; 6] = [
    ("second", "0 to 59", "0, 0,30 or */10"),
    ("minute", "0 to 59", "5, 0,30 or */15"),
    ("hour", "0 to 23", "9, 8-17 or */6"),
    ("day of the month", "1 to 31", "1, 1,15, L or 15W"),
    ("month", "1 to 12", "6, 1-3 or JAN,JUL"),
    ("weekday", "0 to 7", "0 for Sunday, MON-FRI or 5#2"),
];

impl CronLine {
    pub(super) fn parse(text: &str) -> Result<Self, CalendarError> {
        let unknown = || CalendarError::UnknownForm { text: text.to_owned() };
        let line = if text.starts_with('@') { of_nickname(text).ok_or_else(unknown)? } else { text };
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        if !line.is_ascii() || !matches!(fields.len(), 5 | 6) {
            return Err(unknown());
        }
        let pattern = match parser(false).parse(line) {
            Ok(cron) => cron.pattern,
            Err(_) => return Err(bad_field(text, &fields).unwrap_or_else(unknown)),
        };
        Self::of_pattern(pattern, text)
    }

    /// The fields of `SUBMIT_JOB_SCHED`: all of them must match, and weekdays count from Monday.
    pub(super) fn of_sched(fields: [&[u8]; 5]) -> Result<Self, CalendarError> {
        const SCHED: [(&str, &str, u32); 5] = [
            ("minute", "0 to 59", 0),
            ("hour", "0 to 23", 0),
            ("day of the month", "1 to 31", 0),
            ("month", "1 to 12", 0),
            ("weekday", "0 (Monday) to 6 (Sunday)", 1),
        ];
        let mut line = String::new();
        for (position, (value, (field, allowed, add))) in fields.into_iter().zip(SCHED).enumerate() {
            let bad = || CalendarError::BadSchedField {
                field,
                value: String::from_utf8_lossy(value.get(..32).unwrap_or(value)).into_owned(),
                allowed,
            };
            let text = sched_field(value, add).ok_or_else(bad)?;
            parse_alone(position + 1, &text).ok_or_else(bad)?;
            line.push_str(&text);
            line.push(' ');
        }
        let line = line.trim_end();
        let unknown = || CalendarError::UnknownForm { text: line.to_owned() };
        Self::of_pattern(parser(true).parse(line).map_err(|_| unknown())?.pattern, line)
    }

    fn of_pattern(mut pattern: CronPattern, text: &str) -> Result<Self, CalendarError> {
        let take = |component: &mut CronComponent| mask(&std::mem::take(component));
        let line = Self {
            seconds: take(&mut pattern.seconds),
            minutes: take(&mut pattern.minutes),
            hours: take(&mut pattern.hours),
            months: mask(&pattern.months),
            days: {
                take(&mut pattern.years);
                pattern
            },
        };
        let never = |reason| Err(CalendarError::Never { text: text.to_owned(), reason });
        if line.seconds == 0 || line.minutes == 0 || line.hours == 0 || line.months == 0 {
            return never("a field has no value (hint: * stands for any)");
        }
        match line.next_civil(Date::constant(2000, 1, 1).at(0, 0, 0, 0)) {
            Some(_) => Ok(line),
            None => never("no month that it names has such a day (hint: L stands for a month's last day)"),
        }
    }

    pub(super) fn text(&self) -> String {
        self.days.as_str().to_owned()
    }

    pub(super) fn next_after(&self, zone: &Zone, after: UnixTime) -> Option<UnixTime> {
        let after = after.seconds();
        let next =
            if self.is_every_hour() { self.next_real(zone, after) } else { self.next_of_day(zone, after) };
        next.map(UnixTime::from_seconds)
    }

    fn is_every_hour(&self) -> bool {
        self.hours.count_ones() == 24
    }

    /// The next second at which the clock shows what matches, however often it shows it.
    fn next_real(&self, zone: &Zone, after: i64) -> Option<i64> {
        let mut from = after.checked_add(1)?;
        loop {
            let stretch = zone.stretch(from)?;
            let second = stretch.second(self.next_civil(stretch.civil(from)?)?)?;
            match stretch.end {
                Some(end) if second >= end => from = end.max(second - OFFSET_SECONDS_MAX),
                _ => return Some(second),
            }
        }
    }

    /// The next second at which the clock for the first time shows, or skips, what matches.
    fn next_of_day(&self, zone: &Zone, after: i64) -> Option<i64> {
        let mut civil = zone.civil_once(after)?;
        loop {
            civil = self.next_civil(civil.checked_add(SignedDuration::from_secs(1)).ok()?)?;
            let second = zone.first_second(civil)?;
            if second > after {
                return Some(second);
            }
        }
    }

    /// The first match of the calendar at or after this one, where every day has 24 hours.
    fn next_civil(&self, from: DateTime) -> Option<DateTime> {
        let mut date = from.date();
        let last = date.checked_add(SEARCH_YEARS.years()).unwrap_or(Date::MAX);
        let mut earliest = from.time();
        while date <= last {
            if self.months >> date.month() & 1 == 0 {
                date = date.last_of_month().tomorrow().ok()?;
                earliest = Time::midnight();
                continue;
            }
            if self.is_day(date)
                && let Some(time) = self.next_time(earliest)
            {
                return Some(date.to_datetime(time));
            }
            date = date.tomorrow().ok()?;
            earliest = Time::midnight();
        }
        None
    }

    fn is_day(&self, date: Date) -> bool {
        let weekday =
            Weekday::from_days_from_sunday(date.weekday().to_sunday_zero_offset().unsigned_abs().into());
        let (month, day) = (date.month().unsigned_abs().into(), date.day().unsigned_abs().into());
        self.days.day_match(date.year().into(), month, day, weekday).unwrap_or(false)
    }

    /// The first time of a day at or after this one.
    fn next_time(&self, from: Time) -> Option<Time> {
        let (hour, minute, second) = (from.hour(), from.minute(), from.second());
        let (first_minute, first_second) = (next_bit(self.minutes, 0)?, next_bit(self.seconds, 0)?);
        let of = |hour, minute, second| Time::new(hour, minute, second, 0).ok();
        if next_bit(self.hours, hour) == Some(hour) {
            if next_bit(self.minutes, minute) == Some(minute)
                && let Some(second) = next_bit(self.seconds, second)
            {
                return of(hour, minute, second);
            }
            if let Some(minute) = next_bit(self.minutes, minute + 1) {
                return of(hour, minute, first_second);
            }
        }
        of(next_bit(self.hours, hour + 1)?, first_minute, first_second)
    }
}

/// The lowest bit that is set, from this one up.
fn next_bit(mask: u64, from: i8) -> Option<i8> {
    let rest = mask.checked_shr(u32::from(from.unsigned_abs()))?;
    let distance = i8::try_from(rest.trailing_zeros()).ok()?;
    (rest != 0).then(|| from + distance)
}

fn mask(component: &CronComponent) -> u64 {
    component.values().into_iter().fold(0, |mask, value| mask | 1_u64.checked_shl(value.into()).unwrap_or(0))
}

fn parser(all_must_match: bool) -> CronParser {
    CronParser::builder().year(Year::Disallowed).dom_and_dow(all_must_match).build()
}

fn of_nickname(text: &str) -> Option<&'static str> {
    Some(match text {
        "@hourly" => "0 * * * *",
        "@daily" | "@midnight" => "0 0 * * *",
        "@weekly" => "0 0 * * 0",
        "@monthly" => "0 0 1 * *",
        "@yearly" | "@annually" => "0 0 1 1 *",
        _ => return None,
    })
}

/// Whether a line with this field, and any value in the others, can be read. Seconds are field 0.
fn parse_alone(position: usize, value: &str) -> Option<()> {
    let mut fields = ["*"; 6];
    *fields.get_mut(position)? = value;
    parser(false).parse(&fields.join(" ")).ok().map(|_| ())
}

/// The first field that cannot be read.
fn bad_field(text: &str, fields: &[&str]) -> Option<CalendarError> {
    let skipped = FIELDS.len().checked_sub(fields.len())?;
    fields.iter().zip(skipped..).zip(FIELDS.iter().skip(skipped)).find_map(|((value, position), field)| {
        let (field, allowed, example) = *field;
        if parse_alone(position, value).is_some() {
            return None;
        }
        let (text, value) = (text.to_owned(), (*value).to_owned());
        Some(CalendarError::BadField { text, field, value, allowed, example })
    })
}

/// A field of `SUBMIT_JOB_SCHED` as one of a cron line, each number larger by `add`.
fn sched_field(value: &[u8], add: u32) -> Option<String> {
    if value.is_empty() || value == b"*" {
        return Some("*".to_owned());
    }
    let text = std::str::from_utf8(value).ok().filter(|text| text.len() <= super::RECURRENCE_BYTES_MAX)?;
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number: u32 = is_number.then(|| text.parse().ok()).flatten()?;
        (add == 0 || number <= 6).then(|| number + add)
    };
    let part = |part: &str| match part.split_once('-') {
        Some((first, last)) => Some(format!("{}-{}", number(first)?, number(last)?)),
        None => Some(number(part)?.to_string()),
    };
    let parts: Option<Vec<String>> = text.split(',').map(part).collect();
    Some(parts?.join(","))
}
