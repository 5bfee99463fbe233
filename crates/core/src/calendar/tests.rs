use super::zone::{Zone, zone_names};
use super::*;
use jiff::civil::{DateTime, date};
use std::collections::BTreeSet;

const DAY: i64 = 86_400;

fn second(zone: &str, civil: DateTime) -> i64 {
    civil.to_zoned(jiff::tz::TimeZoneDatabase::bundled().get(zone).unwrap()).unwrap().timestamp().as_second()
}

fn recurrence(text: &str, zone: &str) -> Recurrence {
    Recurrence::parse(text, zone).unwrap_or_else(|error| panic!("{text:?} in {zone}: {error}"))
}

/// The times between two seconds, one after the other.
fn run(recurrence: &Recurrence, after: i64, until: i64) -> Vec<i64> {
    let mut times = Vec::new();
    let mut last = UnixTime::from_seconds(after);
    while let Some(next) = recurrence.next_after(last).filter(|next| next.seconds() <= until) {
        assert!(next > last, "times go forward");
        times.push(next.seconds());
        last = next;
    }
    times
}

/// The times as the clock of the zone shows them.
fn shown(text: &str, zone: &str, from: DateTime, until: DateTime) -> Vec<String> {
    let clock = Zone::find(zone).unwrap();
    let times = run(&recurrence(text, zone), second(zone, from), second(zone, until));
    times.into_iter().map(|second| clock.civil(second).strftime("%d %H:%M:%S").to_string()).collect()
}

#[test]
fn a_time_that_is_skipped_runs_once_right_after_the_gap() {
    // Berlin, 29 March 2026: 02:00 is followed by 03:00.
    let (from, until) = (date(2026, 3, 28).at(12, 0, 0, 0), date(2026, 3, 30).at(12, 0, 0, 0));
    assert_eq!(shown("30 2 * * *", "Europe/Berlin", from, until), ["29 03:00:00", "30 02:30:00"]);
    assert_eq!(
        shown("*/20 2,3 * * *", "Europe/Berlin", from, until),
        [
            "29 03:00:00",
            "29 03:20:00",
            "29 03:40:00",
            "30 02:00:00",
            "30 02:20:00",
            "30 02:40:00",
            "30 03:00:00",
            "30 03:20:00",
            "30 03:40:00"
        ]
    );
    // Every second hour is a list of hours: the skipped one is not lost.
    let night = date(2026, 3, 29).at(5, 0, 0, 0);
    assert_eq!(
        shown("0 */2 * * *", "Europe/Berlin", date(2026, 3, 28).at(23, 30, 0, 0), night),
        ["29 00:00:00", "29 03:00:00", "29 04:00:00"]
    );
    // Midnight itself may be skipped: Cairo, 24 April 2026.
    let cairo = (date(2026, 4, 23).at(12, 0, 0, 0), date(2026, 4, 25).at(12, 0, 0, 0));
    assert_eq!(shown("@daily", "Africa/Cairo", cairo.0, cairo.1), ["24 01:00:00", "25 00:00:00"]);
}

#[test]
fn a_time_that_comes_twice_runs_once() {
    // Berlin, 25 October 2026: 03:00 is followed by 02:00.
    let (from, until) = (date(2026, 10, 24).at(12, 0, 0, 0), date(2026, 10, 25).at(12, 0, 0, 0));
    assert_eq!(shown("30 2 * * *", "Europe/Berlin", from, until), ["25 02:30:00"]);
    assert_eq!(
        shown("0,30 1-3 * * *", "Europe/Berlin", from, until),
        ["25 01:00:00", "25 01:30:00", "25 02:00:00", "25 02:30:00", "25 03:00:00", "25 03:30:00"]
    );
    // Asked within the second showing, the next is after it.
    let second_showing = second("Europe/Berlin", date(2026, 10, 25).at(2, 15, 0, 0)) + 3600;
    let next = recurrence("30 2,4 * * *", "Europe/Berlin").next_after(UnixTime::from_seconds(second_showing));
    assert_eq!(next.unwrap().seconds(), second("Europe/Berlin", date(2026, 10, 25).at(4, 30, 0, 0)));
}

#[test]
fn a_line_of_every_hour_runs_in_each_real_hour() {
    for day in [date(2026, 3, 29), date(2026, 10, 25)] {
        let start = second("Europe/Berlin", day.at(0, 0, 0, 0));
        for (text, every) in [("@hourly", 3600), ("*/5 * * * *", 300), ("*/10 * * * * *", 10)] {
            let times = run(&recurrence(text, "Europe/Berlin"), start, start + 6 * 3600);
            let expected: Vec<i64> = (1..=6 * 3600 / every).map(|count| start + count * every).collect();
            assert_eq!(times, expected, "{text} on {day}");
        }
    }
}

#[test]
fn a_period_counts_from_its_anchor() {
    let anchor = UnixTime::from_millis(1_000_250);
    let every = recurrence("every 90s", "UTC").anchored(anchor);
    assert_eq!(every.next_after(anchor), Some(UnixTime::from_millis(1_090_250)));
    assert_eq!(every.next_after(UnixTime::from_millis(1_090_249)), Some(UnixTime::from_millis(1_090_250)));
    assert_eq!(every.next_after(UnixTime::from_millis(1_090_250)), Some(UnixTime::from_millis(1_180_250)));
    assert_eq!(every.next_after(UnixTime::from_millis(910_000)), Some(UnixTime::from_millis(910_250)));
    let long = recurrence("every 1h30m", "Europe/Berlin");
    assert_eq!(long.next_after(UnixTime::from_seconds(1)), Some(UnixTime::from_seconds(5400)));
    assert_eq!(long.next_after(UnixTime::from_millis(i64::MAX)), None);
    assert_eq!(every.count_between(anchor, UnixTime::from_seconds(1_000_000), 3).0, 3);
    assert_eq!(every.count_between(anchor, UnixTime::from_millis(1_090_249), 3), (0, None));
}

#[test]
fn what_cannot_be_met_is_refused_with_what_would_be_right() {
    let refused = |text: &str, zone: &str| Recurrence::parse(text, zone).unwrap_err().to_string();
    let unknown = "is not understood (hint: five cron fields \"minute hour day month weekday\", six with seconds \
                   first, @hourly, @daily, @weekly, @monthly, @yearly, or \"every 90s\")";
    for (text, zone, message) in [
        ("0 0 30 2 *", "UTC", "recurrence \"0 0 30 2 *\" never comes: no month that it names has such a day (hint: L stands for a month's last day)".to_owned()),
        ("0 0 31 4,6 *", "UTC", "recurrence \"0 0 31 4,6 *\" never comes: no month that it names has such a day (hint: L stands for a month's last day)".to_owned()),
        (", 0 1 1 *", "UTC", "recurrence \", 0 1 1 *\" never comes: a field has no value (hint: * stands for any)".to_owned()),
        ("61 * * * *", "UTC", "cron line \"61 * * * *\" has \"61\" as its minute (hint: the minute is 0 to 59, such as 5, 0,30 or */15)".to_owned()),
        ("0 0 0 * 13 *", "UTC", "cron line \"0 0 0 * 13 *\" has \"13\" as its month (hint: the month is 1 to 12, such as 6, 1-3 or JAN,JUL)".to_owned()),
        ("* * * * NOON", "UTC", "cron line \"* * * * NOON\" has \"NOON\" as its weekday (hint: the weekday is 0 to 7, such as 0 for Sunday, MON-FRI or 5#2)".to_owned()),
        ("", "UTC", format!("recurrence \"\" {unknown}")),
        ("@reboot", "UTC", format!("recurrence \"@reboot\" {unknown}")),
        ("* * * *", "UTC", format!("recurrence \"* * * *\" {unknown}")),
        ("0 0 0 1 1 * 2030", "UTC", format!("recurrence \"0 0 0 1 1 * 2030\" {unknown}")),
        ("every", "UTC", "period \"\" of \"every\" is not understood (hint: numbers with units, as in 90s, 5m, 1h30m or 7d)".to_owned()),
        ("every 90", "UTC", "period \"90\" of \"every\" is not understood (hint: numbers with units, as in 90s, 5m, 1h30m or 7d)".to_owned()),
        ("every 10ms", "UTC", "period \"10ms\" of \"every\" is out of range (hint: from 1s to 3660d)".to_owned()),
        ("@daily", "Europe/Berln", "time zone \"Europe/Berln\" is unknown (hint: did you mean Europe/Berlin?)".to_owned()),
        ("@daily", "berlin", "time zone \"berlin\" is unknown (hint: did you mean Europe/Berlin?)".to_owned()),
        ("@daily", "new york", "time zone \"new york\" is unknown (hint: did you mean America/New_York?)".to_owned()),
        ("@daily", "Etc/Unknown", "time zone \"Etc/Unknown\" is unknown (hint: a name such as UTC, Europe/Berlin or America/New_York)".to_owned()),
        ("@daily", "", "time zone \"\" is unknown (hint: a name such as UTC, Europe/Berlin or America/New_York)".to_owned()),
    ] {
        assert_eq!(refused(text, zone), message);
    }
    assert_eq!(
        refused(&"1,".repeat(9999), "UTC"),
        "recurrence of 19998 bytes is over the limit of 256 bytes"
    );
    assert!(refused("@daily", &"x".repeat(9999)).len() < 200);
}

#[test]
fn rare_days_are_found() {
    // 2100 has no leap day, so that some weekday waits 40 years for one.
    let after = date(2072, 3, 1);
    let mut longest = 0;
    for (number, name) in ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"].iter().enumerate() {
        let is_it = |year: &i16| {
            let day = jiff::civil::Date::new(*year, 2, 29);
            day.is_ok_and(|day| day.weekday().to_sunday_zero_offset() == i8::try_from(number).unwrap())
        };
        let year = (2073..).find(is_it).unwrap();
        longest = longest.max(year - after.year());
        let found = recurrence(&format!("0 0 29 2 +{name}"), "UTC")
            .next_after(UnixTime::from_seconds(second("UTC", after.at(0, 0, 0, 0))));
        assert_eq!(found.unwrap().seconds(), second("UTC", date(year, 2, 29).at(0, 0, 0, 0)), "{name}");
    }
    assert!(longest >= 36, "{longest}");
    let after = UnixTime::from_seconds(second("UTC", date(2026, 2, 10).at(0, 0, 0, 0)));
    for (text, expected) in [
        ("0 0 29 2 *", date(2028, 2, 29)),
        ("0 0 L * *", date(2026, 2, 28)),
        ("0 0 15W 3 *", date(2026, 3, 16)),
        ("0 0 * * MON#5", date(2026, 3, 30)),
        ("0 0 * * 5L", date(2026, 2, 27)),
        ("0 0 * FEB-MAR sun", date(2026, 2, 15)),
        ("@weekly", date(2026, 2, 15)),
        ("@monthly", date(2026, 3, 1)),
        ("@annually", date(2027, 1, 1)),
    ] {
        let found = recurrence(text, "UTC").next_after(after).map(|next| next.seconds());
        assert_eq!(found, Some(second("UTC", expected.at(0, 0, 0, 0))), "{text}");
    }
    assert_eq!(recurrence("@yearly", "UTC").next_after(UnixTime::from_millis(i64::MAX)), None);
    assert_eq!(recurrence("@hourly", "UTC").next_after(UnixTime::from_millis(i64::MIN)), None);
}

#[test]
fn the_fields_of_a_sched_packet_all_match_and_weekdays_count_from_monday() {
    // 20 November 2026 is a Friday.
    let now = UnixTime::from_seconds(second("UTC", date(2026, 11, 20).at(10, 30, 0, 0)));
    let next = |fields: [&str; 5]| {
        let [minute, hour, day, month, weekday] = fields.map(str::as_bytes);
        next_sched(minute, hour, day, month, weekday, "UTC", now).map(|next| next.seconds())
    };
    for (fields, expected) in [
        (["", "", "", "", ""], date(2026, 11, 20).at(10, 31, 0, 0)),
        (["*", "*", "*", "*", "*"], date(2026, 11, 20).at(10, 31, 0, 0)),
        (["30", "10", "", "", ""], date(2026, 11, 21).at(10, 30, 0, 0)),
        (["0", "0", "", "", "0"], date(2026, 11, 23).at(0, 0, 0, 0)),
        (["0", "0", "", "", "6"], date(2026, 11, 22).at(0, 0, 0, 0)),
        (["0", "0", "", "", "5-6"], date(2026, 11, 21).at(0, 0, 0, 0)),
        // Day and weekday: Friday the 13th.
        (["0", "0", "13", "", "4"], date(2027, 8, 13).at(0, 0, 0, 0)),
        (["0,15", "3-4", "1", "1", ""], date(2027, 1, 1).at(3, 0, 0, 0)),
        (["05", "", "", "", ""], date(2026, 11, 20).at(11, 5, 0, 0)),
    ] {
        assert_eq!(next(fields), Ok(second("UTC", expected)), "{fields:?}");
    }
    let refused = |fields| next(fields).unwrap_err().to_string();
    let hint = "(hint: empty or * matches any)";
    assert_eq!(
        refused(["60", "", "", "", ""]),
        format!("minute \"60\" of the job's time is not 0 to 59 {hint}")
    );
    assert_eq!(
        refused(["", "-1", "", "", ""]),
        format!("hour \"-1\" of the job's time is not 0 to 23 {hint}")
    );
    assert_eq!(
        refused(["", "", "0", "", ""]),
        format!("day of the month \"0\" of the job's time is not 1 to 31 {hint}")
    );
    assert_eq!(
        refused(["", "", "", "x\n", ""]),
        format!("month \"x\\n\" of the job's time is not 1 to 12 {hint}")
    );
    assert_eq!(
        refused(["", "", "", "", "7"]),
        format!("weekday \"7\" of the job's time is not 0 (Monday) to 6 (Sunday) {hint}")
    );
    assert!(refused(["", "", "31", "2", ""]).contains("never comes: no month that it names has such a day"));
    let raw = next_sched(b"\xff\xfe", b"", b"", b"", b"", "UTC", now);
    assert!(matches!(raw, Err(CalendarError::BadSchedField { field: "minute", .. })));
}

/// A field read in the plainest way: numbers, ranges, steps and commas.
fn values(field: &str, first: i64, last: i64) -> BTreeSet<i64> {
    let mut set = BTreeSet::new();
    for part in field.split(',') {
        let (range, step) =
            part.split_once('/').map_or((part, 1), |(range, step)| (range, step.parse().unwrap()));
        let (from, to) = match range.split_once('-') {
            Some((from, to)) => (from.parse().unwrap(), to.parse().unwrap()),
            None if range == "*" => (first, last),
            None => (range.parse().unwrap(), range.parse().unwrap()),
        };
        set.extend((from..=to).step_by(step));
    }
    set
}

/// Six fields, read in the plainest way.
struct Plain {
    fields: [BTreeSet<i64>; 6],
    either_day: bool,
}

impl Plain {
    fn parse(text: &str) -> Self {
        let line = if text.split(' ').count() == 5 { format!("0 {text}") } else { text.to_owned() };
        let parts: Vec<&str> = line.split(' ').collect();
        let bounds = [(0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 6)];
        let fields = std::array::from_fn(|index| values(parts[index], bounds[index].0, bounds[index].1));
        Self { fields, either_day: parts[3] != "*" && parts[5] != "*" }
    }

    fn matches(&self, civil: DateTime) -> bool {
        let [seconds, minutes, hours, days, months, weekdays] = &self.fields;
        let weekday = weekdays.contains(&civil.weekday().to_sunday_zero_offset().into());
        let day = days.contains(&civil.day().into());
        let day = if self.either_day { day || weekday } else { day && weekday };
        let has = |set: &BTreeSet<i64>, value: i8| set.contains(&value.into());
        day && has(seconds, civil.second())
            && has(minutes, civil.minute())
            && has(hours, civil.hour())
            && has(months, civil.month())
    }

    /// The times that walking step by step finds: in seconds, after `from`.
    fn scan(&self, zone: &Zone, from: i64, until: i64, step: i64) -> Vec<i64> {
        let every_hour = self.fields[2].len() == 24;
        let mut times = Vec::new();
        let mut furthest = zone.civil(from);
        for second in (from + step..=until).step_by(usize::try_from(step).unwrap()) {
            let civil = zone.civil(second);
            if every_hour {
                if self.matches(civil) {
                    times.push(second);
                }
                continue;
            }
            // What the clock passed over since it was furthest, and what it shows now.
            let mut is_due = false;
            while furthest < civil {
                furthest = furthest.checked_add(jiff::SignedDuration::from_secs(step)).unwrap();
                is_due |= self.matches(furthest);
            }
            if is_due {
                times.push(second);
            }
        }
        times
    }
}

#[test]
fn around_every_change_of_every_zone_the_times_are_those_of_a_scan() {
    let (start, end) =
        (second("UTC", date(2026, 1, 1).at(0, 0, 0, 0)), second("UTC", date(2028, 1, 1).at(0, 0, 0, 0)));
    let lines = [
        "@hourly",
        "*/15 * * * *",
        "30 2 * * *",
        "0 0 * * *",
        "*/20 1-3 * * *",
        "0 */2 * * *",
        "15,45 1,2 * * *",
        "59 23 * * *",
        "*/7 0-4 * * 0,6",
        "30 0-22 * * *",
    ];
    let (mut changes, mut times) = (0, 0);
    let mut seen = BTreeSet::new();
    for name in zone_names() {
        let zone = Zone::find(&name).unwrap();
        for change in zone.changes(start, end) {
            let around = [-DAY, -1, 0, DAY].map(|add| zone.civil(change + add));
            // Zones that share a clock share the answer.
            if !seen.insert((change, around)) {
                continue;
            }
            changes += 1;
            let (from, until) = (change - DAY - DAY / 2, change + DAY + DAY / 2);
            for text in lines {
                let found = run(&recurrence(text, &name), from, until);
                let plain = Plain::parse(if text == "@hourly" { "0 * * * *" } else { text });
                assert_eq!(found, plain.scan(&zone, from, until, 60), "{text} in {name} around {change}");
                times += found.len();
            }
        }
    }
    assert!(changes > 50 && times > 10_000, "{changes} changes, {times} times");
}

#[test]
fn from_any_time_the_next_is_the_first_of_a_scan() {
    for (name, day) in [
        ("Europe/Berlin", date(2026, 3, 29)),
        ("Europe/Berlin", date(2026, 10, 25)),
        ("Australia/Lord_Howe", date(2026, 4, 5)),
        ("Australia/Lord_Howe", date(2026, 10, 4)),
        ("Africa/Cairo", date(2026, 10, 29)),
        // 30 December did not happen there.
        ("Pacific/Apia", date(2011, 12, 30)),
    ] {
        let zone = Zone::find(name).unwrap();
        let middle = second(name, day.at(0, 0, 0, 0));
        for text in ["*/30 * * * *", "30 2 * * *", "10,50 1-2 * * *", "0 0 * * *"] {
            let expected = Plain::parse(text).scan(&zone, middle - 2 * DAY, middle + 3 * DAY, 60);
            let recurrence = recurrence(text, name);
            for after in (middle - DAY..middle + DAY).step_by(97) {
                let first = expected.iter().find(|second| **second > after).copied();
                let next = recurrence.next_after(UnixTime::from_seconds(after)).map(|next| next.seconds());
                assert_eq!(next, first, "{text} in {name} after {after}");
            }
        }
    }
}

/// Numbers that look random, the same each time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }

    fn field(&mut self, first: u64, last: u64) -> String {
        let span = last - first + 1;
        let mut number = || first + self.next(span);
        let (low, high) = (number(), number());
        let (low, high) = (low.min(high), low.max(high));
        match self.next(5) {
            0 => format!("{low}"),
            1 => format!("{low}-{high}"),
            2 => format!("{low}-{high}/{}", 1 + self.next(5)),
            3 => format!("*/{}", 1 + self.next(span)),
            _ => "*".to_owned(),
        }
    }
}

#[test]
fn random_lines_have_the_times_of_a_scan() {
    let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
    let utc = Zone::find("UTC").unwrap();
    let mut times = 0;
    for round in 0..300 {
        let bounds = [(0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 6)];
        let fields = bounds.map(|(first, last)| numbers.field(first, last));
        let from = second("UTC", date(2026, 1, 1).at(0, 0, 0, 0))
            + i64::try_from(numbers.next(366 * 86_400)).unwrap();
        let (text, from, step, span) = match round % 3 {
            0 => (fields.join(" "), from, 1, DAY / 4),
            1 => (fields[1..].join(" "), from - from.rem_euclid(60), 60, 20 * DAY),
            _ => (format!("0 0 {}", fields[3..].join(" ")), from - from.rem_euclid(DAY), DAY, 800 * DAY),
        };
        match Recurrence::parse(&text, "UTC") {
            Ok(recurrence) => {
                let found = run(&recurrence, from, from + span);
                assert_eq!(
                    found,
                    Plain::parse(&text).scan(&utc, from, from + span, step),
                    "{text} from {from}"
                );
                times += found.len();
            }
            Err(CalendarError::Never { .. }) => {
                let scan =
                    Plain::parse(&text).scan(&utc, from - from.rem_euclid(DAY), from + 3000 * DAY, DAY);
                assert!(scan.is_empty(), "{text} does come");
            }
            Err(error) => panic!("{text}: {error}"),
        }
    }
    assert!(times > 10_000, "{times} times");
}

#[test]
fn no_text_panics_or_searches_without_end() {
    let mut numbers = Numbers(0x2545_F491_4F6C_DD1D);
    let alphabet: Vec<char> = "0123456789 *,-/?LW#+@aeiJANMONevrysmhd\u{e9}\n".chars().collect();
    let mut good = 0;
    for _ in 0..100_000 {
        let len = numbers.next(24);
        let text: String = (0..len)
            .map(|_| alphabet[usize::try_from(numbers.next(alphabet.len() as u64)).unwrap()])
            .collect();
        let line = if numbers.next(2) == 0 { format!("{text} * * * *") } else { format!("0 0 {text} *") };
        if let Ok(recurrence) = Recurrence::parse(&line, "Europe/Berlin") {
            good += 1;
            for after in [i64::MIN, -1, 0, 1_800_000_000_000, i64::MAX] {
                if let Some(next) = recurrence.next_after(UnixTime::from_millis(after)) {
                    assert!(next.millis() > after, "{line:?}");
                }
            }
        }
        let bytes = text.as_bytes();
        let sched = next_sched(bytes, b"", bytes, b"", bytes, "UTC", UnixTime::from_seconds(0));
        assert!(sched.is_err() || sched.is_ok_and(|next| next.millis() > 0));
    }
    assert!(good > 100, "{good} lines were good");
}
