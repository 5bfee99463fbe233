//! Values as people read and write them: times, ages, sizes, counts, and bytes that may be anything.
//!
//! Never: lets a control character of a name or workload reach a terminal.

use geartrain_proto::command::Bytes;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::fmt::Write;
use std::time::Duration;

/// A moment in the local time zone, and how far away it is: `2026-11-21T04:00:00+01:00 (3m ago)`.
pub(crate) fn time(unix_ms: i64) -> String {
    let away = Timestamp::now().as_millisecond().saturating_sub(unix_ms);
    let far = span(Duration::from_millis(away.unsigned_abs()));
    let relation = if away < 0 { format!("in {far}") } else { format!("{far} ago") };
    match Timestamp::from_millisecond(unix_ms) {
        Ok(moment) => {
            format!("{} ({relation})", moment.to_zoned(TimeZone::system()).strftime("%Y-%m-%dT%H:%M:%S%:z"))
        }
        Err(_) => relation,
    }
}

/// A length of time by its largest unit: `250ms`, `12s`, `3m`, `5h`, `7d`.
pub(crate) fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 => format!("{}ms", time.as_millis()),
        1..=119 => format!("{seconds}s"),
        120..=7199 => format!("{}m", seconds / 60),
        7200..=172_799 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Reads a length of time: `90s`, `5m`, `1h30m`, `7d`, `250ms`; a number alone is seconds.
///
/// # Errors
/// What would be right.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no time (right: 90s, 5m, 1h30m, 7d or 250ms)");
    if let Ok(seconds) = text.parse() {
        return Ok(Duration::from_secs(seconds));
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, behind) = rest.split_at(digits);
        let letters = behind.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, behind) = behind.split_at(letters);
        let unit_ms: u64 = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(wrong()),
        };
        let ms =
            number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit_ms)).ok_or_else(wrong)?;
        total = total.checked_add(Duration::from_millis(ms)).ok_or_else(wrong)?;
        rest = behind;
    }
    if text.is_empty() { Err(wrong()) } else { Ok(total) }
}

/// A size: `512 B`, `1.5 KiB`, `64.0 MiB`.
pub(crate) fn size(bytes: usize) -> String {
    const UNITS: &[&str] = &["B", "KiB", "MiB", "GiB"];
    let mut unit = 0;
    let mut scale = 1;
    while bytes / scale >= 1024 && unit + 1 < UNITS.len() {
        unit += 1;
        scale *= 1024;
    }
    let name = UNITS.get(unit).copied().unwrap_or_default();
    if unit == 0 {
        format!("{bytes} B")
    } else {
        format!("{}.{} {name}", bytes / scale, bytes % scale * 10 / scale)
    }
}

/// A number with commas: `1,234`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 job`, `1,234 jobs`.
pub(crate) fn counted(number: u64, what: &str) -> String {
    format!("{} {what}{}", count(number), if number == 1 { "" } else { "s" })
}

/// Bytes as one line of text: what no terminal should get is escaped.
pub(crate) fn text(bytes: &Bytes) -> String {
    escaped(bytes.as_bytes(), false)
}

/// A word of the server, whatever is in it.
pub(crate) fn word(text: &str) -> String {
    escaped(text.as_bytes(), false)
}

/// Bytes as lines of text.
pub(crate) fn lines(bytes: &[u8]) -> String {
    escaped(bytes, true)
}

fn escaped(bytes: &[u8], with_lines: bool) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c == '\n' && with_lines {
                text.push(c);
            } else if c.is_control() || is_invisible(c) {
                text.extend(c.escape_default());
            } else {
                text.push(c);
            }
        }
        for byte in chunk.invalid() {
            // Writing to a string cannot fail.
            let _written = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// What changes how the text around it is shown, without being shown itself.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_all_units_together() {
        for (text, ms) in
            [("90", 90_000), ("1h30m", 5_400_000), ("250ms", 250), ("7d", 604_800_000), ("0s", 0)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in
            ["", "m", "5 m", "5x", "1.5h", "-3s", "99999999999999999999d", "5m3", "999999999999999999d"]
        {
            let error = parse_duration(text).unwrap_err();
            assert!(error.ends_with("is no time (right: 90s, 5m, 1h30m, 7d or 250ms)"), "{text}: {error}");
        }
    }

    #[test]
    fn values_are_short() {
        assert_eq!(
            [0, 119, 120, 7200, 172_800].map(|s| span(Duration::from_secs(s))),
            ["0ms", "119s", "2m", "2h", "2d"]
        );
        assert_eq!([0, 1023, 1536, 64 << 20].map(size), ["0 B", "1023 B", "1.5 KiB", "64.0 MiB"]);
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([counted(1, "job"), counted(2000, "job")], ["1 job", "2,000 jobs"]);
    }

    #[test]
    fn nothing_in_a_name_steers_a_terminal() {
        let name = Bytes("gr\u{fc}n\u{1b}[2J\n\u{202e}\u{9b}".as_bytes().to_vec());
        assert_eq!(text(&name), "gr\u{fc}n\\u{1b}[2J\\n\\u{202e}\\u{9b}");
        assert_eq!(text(&Bytes(vec![b'a', 0xff, 0])), "a\\xff\\u{0}");
        assert_eq!(lines(b"a\nb\x1b"), "a\nb\\u{1b}");
    }
}
