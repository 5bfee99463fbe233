//! Times and sizes as people write them.
//!
//! Never: loses anything: what is written here reads as the same value again.

use std::time::Duration;

/// Longest time that is read: ten years.
pub const TIME_MAX: Duration = Duration::from_secs(3650 * 86_400);

/// A time such as `90s`, `1h30m`, `7d` or `250ms`, up to [`TIME_MAX`]. Milliseconds are the finest: nothing
/// that is configured knows anything shorter.
///
/// `None` when it is none of that.
#[must_use]
pub fn parse_time(text: &str) -> Option<Duration> {
    let time = humantime::parse_duration(text).ok()?;
    (time <= TIME_MAX && time.subsec_nanos().is_multiple_of(1_000_000)).then_some(time)
}

/// The time without spaces, in days at most.
#[must_use]
pub fn format_time(time: Duration) -> String {
    let seconds = time.as_secs();
    let parts = [
        (seconds / 86_400, "d"),
        (seconds / 3600 % 24, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
        (u64::from(time.subsec_millis()), "ms"),
    ];
    let text: String =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}")).collect();
    if text.is_empty() { "0s".to_owned() } else { text }
}

const SIZES: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];

/// A number of bytes, also with `KiB`, `MiB`, `GiB` or `TiB` behind it: `1GiB`, `512 MiB`, `65536`.
///
/// `None` when it is none of that, or does not fit into 64 bits.
#[must_use]
pub fn parse_bytes(text: &str) -> Option<u64> {
    let (number, shift) = SIZES
        .iter()
        .find_map(|(unit, shift)| Some((text.strip_suffix(unit)?.trim_end(), *shift)))
        .unwrap_or((text, 0));
    parse_number(number)?.checked_mul(1 << shift)
}

/// The number with the largest unit in which it is whole.
#[must_use]
pub fn format_bytes(bytes: u64) -> String {
    let whole = |shift: u32| bytes > 0 && bytes.is_multiple_of(1 << shift);
    match SIZES.iter().find(|(_, shift)| whole(*shift)) {
        Some((unit, shift)) => format!("{}{unit}", bytes >> shift),
        None => bytes.to_string(),
    }
}

/// Digits and nothing else: no sign, no spaces.
#[must_use]
pub fn parse_number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them_and_written_so_that_they_read_the_same() {
        let times = [
            ("0s", 0),
            ("250ms", 250),
            ("90s", 90_000),
            ("1m30s", 90_000),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("1h 30m", 5_400_000),
            ("7d", 604_800_000),
            ("1w", 604_800_000),
            ("1500ms", 1500),
        ];
        for (text, millis) in times {
            let time = Duration::from_millis(millis);
            assert_eq!(parse_time(text), Some(time), "{text}");
            assert_eq!(parse_time(&format_time(time)), Some(time), "{text}");
        }
        assert_eq!(format_time(Duration::from_millis(90_061_001)), "1d1h1m1s1ms");
        assert_eq!(format_time(Duration::from_secs(7 * 86_400)), "7d");
        for text in ["", "90", "s", "-1s", "1x", "10us", "1500us", "3651d", "99999999999999999999d", "none"] {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_take_binary_units_and_keep_every_byte() {
        let sizes = [
            ("0", 0),
            ("65536", 65_536),
            ("64KiB", 65_536),
            ("512 MiB", 512 << 20),
            ("1GiB", 1 << 30),
            ("3TiB", 3 << 40),
        ];
        for (text, bytes) in sizes {
            assert_eq!(parse_bytes(text), Some(bytes), "{text}");
            assert_eq!(parse_bytes(&format_bytes(bytes)), Some(bytes), "{text}");
        }
        assert_eq!(format_bytes(65_536), "64KiB");
        assert_eq!(format_bytes(65_537), "65537");
        for text in
            ["", "KiB", "1KB", "1k", "-1", "+1", "1.5GiB", "1_000", "18446744073709551616", "16777216TiB"]
        {
            assert_eq!(parse_bytes(text), None, "{text}");
        }
    }
}
