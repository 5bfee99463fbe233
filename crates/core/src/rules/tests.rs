//! Values good and bad, what counts before what, and what is refused whole.

use super::*;
use crate::policy::{Backoff, OnDuplicate, Rate, RetryOn};
use std::time::Duration;

fn rules() -> Rules {
    Rules::new(Policy::default())
}

fn file(rules: &[(&str, &[(&str, &str)])]) -> Vec<FileRule> {
    let rule = |(pattern, values): &(&str, &[(&str, &str)])| FileRule {
        pattern: pattern.as_bytes().to_vec(),
        values: values.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
    };
    rules.iter().map(rule).collect()
}

fn set(rules: &mut Rules, pattern: &str, values: &[(&str, &str)]) -> Result<(), PolicyError> {
    rules.set(pattern.as_bytes(), values.iter().copied())
}

fn set_error(values: &[(&str, &str)]) -> String {
    let mut rules = rules();
    let error = set(&mut rules, "image.*", values).unwrap_err().to_string();
    assert_eq!(rules.rows().count(), 0, "nothing half done");
    assert_eq!(*rules.resolve(b"image.resize"), Policy::default());
    error
}

fn value_of(rules: &Rules, function: &str, key: PolicyKey) -> (String, String) {
    let all = rules.values_with_sources(function.as_bytes());
    let found = all.into_iter().find(|sourced| sourced.key == key).unwrap();
    (found.value, found.source)
}

#[test]
fn every_key_sets_its_field_and_shows_it_again() {
    let values: &[(&str, &str)] = &[
        ("attempts", "5"),
        ("retry-on", "fail, exception"),
        ("lost-workers", "2"),
        ("backoff-first", "10s"),
        ("backoff-factor", "1.5"),
        ("backoff-max", "10m"),
        ("backoff-jitter", "0.25"),
        ("timeout", "90s"),
        ("timeout-extends", "true"),
        ("expires", "7d"),
        ("max-running", "20"),
        ("rate", "0.5"),
        ("rate-burst", "4"),
        ("max-waiting-high", "1"),
        ("max-waiting-normal", "2"),
        ("max-waiting-low", "3"),
        ("on-duplicate", "highest"),
        ("dead-age", "30d"),
        ("dead-count", "100"),
        ("dead-bytes", "64 MiB"),
        ("finished-age", "1h30m"),
        ("finished-count", "7"),
        ("finished-bytes", "65537"),
        ("paused", "true"),
        ("draining", "true"),
    ];
    let names: Vec<_> = PolicyKey::ALL.iter().map(|key| key.name()).collect();
    assert_eq!(names, values.iter().map(|(key, _)| *key).collect::<Vec<_>>());
    let mut rules = rules();
    set(&mut rules, "f", values).unwrap();
    let secs = Duration::from_secs;
    let expected = Policy {
        attempts: 5,
        retry_on: RetryOn { disconnect: false, timeout: false, fail: true, exception: true },
        lost_workers: 2,
        backoff: Backoff { first: secs(10), factor: 1.5, max: secs(600), jitter: 0.25 },
        timeout: Some(secs(90)),
        timeout_extends: true,
        expires: Some(secs(7 * 86_400)),
        max_running: Some(20),
        rate: Some(Rate { interval: secs(2), burst: 4 }),
        max_waiting: [Some(1), Some(2), Some(3)],
        on_duplicate: OnDuplicate::Highest,
        dead: crate::policy::Keep { age: Some(secs(30 * 86_400)), count: 100, bytes: 64 << 20 },
        finished: crate::policy::Keep { age: Some(secs(5400)), count: 7, bytes: 65_537 },
        paused: true,
        draining: true,
    };
    assert_eq!(*rules.resolve(b"f"), expected);
    let shown: Vec<_> = rules.values_with_sources(b"f").into_iter().map(|it| it.value).collect();
    assert_eq!(
        shown.join(" "),
        "5 fail,exception 2 10s 1.5 10m 0.25 1m30s true 7d 20 0.5 4 1 2 3 highest 30d 100 64MiB 1h30m 7 65537 \
         true true"
    );
}

#[test]
fn what_is_shown_reads_as_the_same_again() {
    let defaults: Vec<_> = PolicyKey::ALL.iter().map(|key| (*key, key.default_value())).collect();
    let examples = PolicyKey::ALL.iter().map(|key| (*key, key.example().to_owned()));
    let more = [
        (PolicyKey::RetryOn, "none"),
        (PolicyKey::Attempts, "0"),
        (PolicyKey::Rate, "3"),
        (PolicyKey::Rate, "70000"),
        (PolicyKey::Rate, "100/h"),
        (PolicyKey::Rate, "7/m"),
        (PolicyKey::Rate, "0.00001"),
        (PolicyKey::DeadBytes, "18446744073709551615"),
    ];
    let more = more.into_iter().map(|(key, text)| (key, text.to_owned()));
    for (key, text) in defaults.into_iter().chain(examples).chain(more) {
        let shown = value::canonical(key, &text).unwrap();
        assert_eq!(value::canonical(key, &shown).as_ref(), Ok(&shown), "{} {text}", key.name());
    }
    assert_eq!(value::canonical(PolicyKey::Rate, "70000").unwrap(), "70000");
    assert_eq!(value::canonical(PolicyKey::Rate, "10/s").unwrap(), "10");
    assert_eq!(value::canonical(PolicyKey::Rate, "30/m").unwrap(), "0.5");
    assert_eq!(value::canonical(PolicyKey::Rate, "100/h").unwrap(), "100/h");
}

#[test]
fn a_rate_is_never_rounded_up() {
    for per_second in 1..5000_u32 {
        let mut policy = Policy::default();
        value::apply(&mut policy, PolicyKey::Rate, &per_second.to_string()).unwrap();
        let interval = policy.rate.unwrap().interval.as_nanos();
        assert!(interval * u128::from(per_second) >= 1_000_000_000, "{per_second}");
        assert!((interval - 1) * u128::from(per_second) < 1_000_000_000, "{per_second}");
    }
}

/// What each key refuses; of every kind of wrong value one.
const BAD: &[(&str, &[&str])] = &[
    ("attempts", &["", "-1", "+1", "1.5", "1000001", "many", "1 000"]),
    ("retry-on", &["", "disconnect,", "crash", "fail exception", "none,fail", "FAIL"]),
    ("lost-workers", &["-1", "1000001", "true"]),
    ("backoff-first", &["", "10", "-1s", "3651d", "10us"]),
    ("backoff-factor", &["0.9", "1001", "inf", "NaN", "none", "1e2", "-2", "."]),
    ("backoff-max", &["none", "0s", "0", "90"]),
    ("backoff-jitter", &["1.1", "-0.1", "20%", "none"]),
    ("timeout", &["0s", "0", "90", "-5m", "5 lightyears", "500us"]),
    ("timeout-extends", &["yes", "1", "", "True"]),
    ("expires", &["0s", "never"]),
    ("max-running", &["0", "-1", "4294967296", "1.0"]),
    ("rate", &["0", "-1", "0/s", "10/d", "/s", "200000", "0.000001", "10 /s", "inf", "1e3"]),
    ("rate-burst", &["0", "none", "4294967296"]),
    ("max-waiting-high", &["0", "-1"]),
    ("max-waiting-normal", &["0", "lots"]),
    ("max-waiting-low", &["0", "4294967296"]),
    ("on-duplicate", &["first", "", "Keep"]),
    ("dead-age", &["0s", "30"]),
    ("dead-count", &["-1", "1k", "18446744073709551616"]),
    ("dead-bytes", &["1GB", "-1", "1.5GiB", "16777216TiB"]),
    ("finished-age", &["0ms", "always"]),
    ("finished-count", &["", "all"]),
    ("finished-bytes", &["1M"]),
    ("paused", &["on", "0"]),
    ("draining", &["off", "none"]),
];

#[test]
fn a_wrong_value_is_refused_with_the_key_the_value_and_what_is_allowed() {
    let names: Vec<_> = PolicyKey::ALL.iter().map(|key| key.name()).collect();
    assert_eq!(names, BAD.iter().map(|(key, _)| *key).collect::<Vec<_>>());
    for (name, values) in BAD {
        let key = PolicyKey::from_name(name).unwrap();
        for value in *values {
            let expected = format!("{name} cannot be '{value}': it takes {}", key.allowed());
            assert_eq!(set_error(&[("timeout-extends", "true"), ("rate", "1"), (name, value)]), expected);
        }
    }
    assert_eq!(
        set_error(&[("timeout", "0s")]),
        "timeout cannot be '0s': it takes a time from 1ms to 3650d such as 250ms, 90s, 1h30m or 7d, or none"
    );
}

#[test]
fn a_long_or_unprintable_value_makes_no_long_or_unprintable_error() {
    let error = set_error(&[("timeout", &"\n\u{1b}x".repeat(10_000))]);
    assert!(error.len() < 400 && !error.contains(char::is_control), "{error}");
    let error = set_error(&[(&"\n\u{1b}x".repeat(10_000), "1")]);
    assert!(error.len() < 800 && !error.contains(char::is_control), "{error}");
}

#[test]
fn an_unknown_key_is_refused_with_the_one_that_was_meant() {
    for (wrong, meant) in [("atempts", "attempts"), ("retry_on", "retry-on"), ("Max-Running", "max-running")]
    {
        assert_eq!(
            set_error(&[(wrong, "1")]),
            format!("there is no policy '{wrong}' (hint: did you mean '{meant}'?)")
        );
    }
    let error = set_error(&[("colour", "red")]);
    assert!(error.starts_with("there is no policy 'colour' (hint: one of attempts, retry-on,"), "{error}");
}

#[test]
fn what_cannot_be_met_together_is_refused() {
    assert_eq!(
        set_error(&[("backoff-first", "2h")]),
        "backoff-first cannot be '2h': backoff-max is 1h, and no pause is longer (hint: set both)"
    );
    assert_eq!(
        set_error(&[("rate-burst", "5")]),
        "rate-burst cannot be '5': there is no rate that it could be a burst of (hint: set rate as well)"
    );
    assert_eq!(
        set_error(&[("attempts", "3"), ("retry-on", "none")]),
        "attempts cannot be '3': retry-on is none, so that nothing leads to a second one (hint: set retry-on, or \
         attempts 1)"
    );
    let mut rules = rules();
    set(&mut rules, "f", &[("backoff-first", "2h"), ("backoff-max", "3h")]).unwrap();
    set(&mut rules, "f", &[("attempts", "1"), ("retry-on", "none")]).unwrap();
    set(&mut rules, "f", &[("rate", "1"), ("rate-burst", "5")]).unwrap();
    let before: Vec<_> = rules.values_with_sources(b"f");
    let error = set(&mut rules, "f", &[("backoff-max", "1h")]).unwrap_err();
    assert_eq!(error.key(), Some("backoff-first"));
    assert!(rules.unset(b"f", ["backoff-max"].into_iter()).is_err());
    assert!(rules.unset(b"f", ["rate"].into_iter()).is_err(), "its burst would be left alone");
    assert_eq!(rules.values_with_sources(b"f"), before);
    rules.unset(b"f", ["rate", "rate-burst"].into_iter()).unwrap();
}

#[test]
fn what_a_wider_rule_sets_can_be_what_a_narrower_one_needs() {
    let mut rules = rules();
    set(&mut rules, "*", &[("rate", "1"), ("backoff-max", "1d")]).unwrap();
    set(&mut rules, "image.*", &[("rate-burst", "5"), ("backoff-first", "2h")]).unwrap();
    let policy = rules.resolve(b"image.resize");
    assert_eq!(policy.rate, Some(Rate { interval: Duration::from_secs(1), burst: 5 }));
    let file = file(&[("image.*", &[("rate-burst", "5")]), ("*", &[("rate", "1")])]);
    Rules::with_file(Policy::default(), &file).unwrap();
}

#[test]
fn rules_that_contradict_each_other_still_make_a_policy() {
    let mut rules = rules();
    set(&mut rules, "*", &[("rate", "1"), ("rate-burst", "5"), ("backoff-first", "1m")]).unwrap();
    set(&mut rules, "f", &[("rate", "none"), ("retry-on", "none")]).unwrap();
    assert_eq!(rules.resolve(b"f").rate, None);
    let burst = value_of(&rules, "f", PolicyKey::RateBurst);
    assert_eq!(burst, ("5".to_owned(), "set:*".to_owned()));
}

#[test]
fn a_name_counts_before_a_pattern_and_what_is_set_before_the_file() {
    // Each line counts before those above it; whatever the order in which the rules come.
    let ranked = [
        (Source::File, "*", "1"),
        (Source::File, "image*", "2"),
        (Source::File, "image.*", "3"),
        (Source::File, "?mage.resiz?", "4"),
        (Source::File, "image.resize", "5"),
        (Source::Set, "*", "6"),
        (Source::Set, "*resize", "7"),
        (Source::Set, "image.*iz?", "8"),
        (Source::Set, "image.resize", "9"),
    ];
    for rotation in 0..ranked.len() {
        let mut order: Vec<_> = ranked[rotation..].iter().chain(&ranked[..rotation]).copied().collect();
        for upto in (1..=ranked.len()).rev() {
            let mut rules = rules();
            let from_file = order.iter().filter(|(source, _, _)| *source == Source::File);
            let from_file: Vec<_> = from_file
                .map(|(_, pattern, value)| FileRule {
                    pattern: pattern.as_bytes().to_vec(),
                    values: vec![("attempts".to_owned(), (*value).to_owned())],
                })
                .collect();
            if !from_file.is_empty() {
                rules = Rules::with_file(Policy::default(), &from_file).unwrap();
            }
            for (_, pattern, value) in order.iter().filter(|(source, _, _)| *source == Source::Set) {
                set(&mut rules, pattern, &[("attempts", value)]).unwrap();
            }
            let (source, pattern, value) = ranked[upto - 1];
            assert_eq!(rules.resolve(b"image.resize").attempts, value.parse::<u32>().unwrap());
            let expected = (value.to_owned(), format!("{}:{pattern}", source.name()));
            assert_eq!(value_of(&rules, "image.resize", PolicyKey::Attempts), expected);
            order.retain(|(_, _, other)| *other != value);
        }
    }
}

#[test]
fn of_two_equal_patterns_the_later_counts() {
    let mut rules = Rules::with_file(
        Policy::default(),
        &file(&[("b*", &[("attempts", "1")]), ("*b", &[("attempts", "2")])]),
    )
    .unwrap();
    assert_eq!(rules.resolve(b"b").attempts, 2);
    set(&mut rules, "*b", &[("attempts", "3")]).unwrap();
    set(&mut rules, "b*", &[("attempts", "4")]).unwrap();
    assert_eq!(rules.resolve(b"b").attempts, 4);
    set(&mut rules, "*b", &[("timeout", "1m")]).unwrap();
    assert_eq!(rules.resolve(b"b").attempts, 3, "the rule was changed last");
}

#[test]
fn each_key_is_looked_up_by_itself() {
    let mut rules =
        Rules::with_file(Policy::default(), &file(&[("f", &[("attempts", "3"), ("timeout", "1m")])]))
            .unwrap();
    set(&mut rules, "*", &[("timeout", "2m")]).unwrap();
    let policy = rules.resolve(b"f");
    assert_eq!((policy.attempts, policy.timeout), (3, Some(Duration::from_secs(120))));
    assert_eq!(value_of(&rules, "f", PolicyKey::Paused), ("false".to_owned(), "default".to_owned()));
}

#[test]
fn a_rule_about_attempts_limits_lost_workers_unless_it_says_otherwise() {
    for (key, value) in [
        ("attempts", "9"),
        ("retry-on", "fail"),
        ("backoff-first", "1s"),
        ("backoff-factor", "3"),
        ("backoff-max", "1m"),
        ("backoff-jitter", "0.5"),
    ] {
        let mut rules = rules();
        set(&mut rules, "f", &[(key, value)]).unwrap();
        assert_eq!(rules.resolve(b"f").lost_workers, 3, "{key}");
        assert_eq!(value_of(&rules, "f", PolicyKey::LostWorkers), ("3".to_owned(), "default".to_owned()));
        set(&mut rules, "*", &[("lost-workers", "none")]).unwrap();
        assert_eq!(rules.resolve(b"f").lost_workers, 0, "{key}");
    }
    let mut rules = rules();
    set(&mut rules, "f", &[("timeout", "9s")]).unwrap();
    assert_eq!(rules.resolve(b"f").lost_workers, 0);
}

#[test]
fn the_defaults_hold_where_no_rule_says_otherwise() {
    let mut rules = Rules::new(Policy { attempts: 7, ..Policy::default() });
    set(&mut rules, "f", &[("timeout", "9s")]).unwrap();
    assert_eq!(rules.resolve(b"f").attempts, 7);
    assert_eq!(value_of(&rules, "f", PolicyKey::Attempts), ("7".to_owned(), "default".to_owned()));
    assert!(Arc::ptr_eq(&rules.resolve(b"g"), &rules.resolve(b"h")));
}

#[test]
fn functions_with_the_same_rules_share_one_policy() {
    let mut rules = rules();
    set(&mut rules, "image.*", &[("attempts", "3")]).unwrap();
    let first = rules.resolve(b"image.0");
    let shared = (1..100_000).all(|n| Arc::ptr_eq(&first, &rules.resolve(format!("image.{n}").as_bytes())));
    assert!(shared);
    set(&mut rules, "image.5", &[("attempts", "4")]).unwrap();
    assert_eq!(rules.resolve(b"image.5").attempts, 4);
    assert!(Arc::ptr_eq(&first, &rules.resolve(b"image.6")));
    set(&mut rules, "image.*", &[("timeout", "1m")]).unwrap();
    assert_eq!(rules.resolve(b"image.6").timeout, Some(Duration::from_secs(60)));
    assert_eq!(rules.shared.len(), 1, "what no function can have any more is forgotten");
}

#[test]
fn unset_takes_values_or_the_whole_rule_back() {
    let mut rules = Rules::with_file(Policy::default(), &file(&[("f", &[("attempts", "3")])])).unwrap();
    set(&mut rules, "f", &[("attempts", "5"), ("timeout", "1m"), ("paused", "true")]).unwrap();
    rules.unset(b"f", ["attempts"].into_iter()).unwrap();
    assert_eq!(value_of(&rules, "f", PolicyKey::Attempts), ("3".to_owned(), "file:f".to_owned()));
    assert!(rules.resolve(b"f").paused);
    let error = rules.unset(b"f", ["timeout", "attempts"].into_iter()).unwrap_err();
    assert_eq!(error.to_string(), "attempts was not set for 'f' (hint: what was: timeout, paused)");
    assert!(rules.row(b"f").unwrap().iter().any(|it| it.key == PolicyKey::Timeout), "nothing half done");
    rules.unset(b"f", ["timeout", "paused"].into_iter()).unwrap();
    assert_eq!(rules.row(b"f"), None, "an empty rule is none");
    assert_eq!(
        rules.unset(b"f", [].into_iter()).unwrap_err().to_string(),
        "no policy was set for 'f' at run time (hint: its rule is in the configuration file)"
    );
    assert_eq!(
        rules.unset(b"g", [].into_iter()).unwrap_err().to_string(),
        "no policy was set for 'g' at run time (hint: policy show lists what was)"
    );
    set(&mut rules, "f*", &[("attempts", "5"), ("timeout", "1m")]).unwrap();
    rules.unset(b"f*", [].into_iter()).unwrap();
    assert!(rules.patterns.is_empty());
    assert_eq!(*rules.resolve(b"fg"), Policy::default());
}

#[test]
fn rules_come_back_from_the_store_as_they_were() {
    let mut rules = rules();
    set(&mut rules, "*b", &[("attempts", "2"), ("retry-on", "fail"), ("rate", "3"), ("rate-burst", "2")])
        .unwrap();
    set(&mut rules, "b*", &[("attempts", "3"), ("dead-age", "7d")]).unwrap();
    set(&mut rules, "b", &[("timeout", "1m")]).unwrap();
    set(&mut rules, "*b", &[("expires", "1h")]).unwrap();
    let mut loaded = Rules::new(Policy::default());
    for name in ["b*", "b", "*b"] {
        let body = rules.document(name.as_bytes()).unwrap();
        loaded.load_document(name.as_bytes(), &body).unwrap();
        assert_eq!(loaded.document(name.as_bytes()), Some(body));
    }
    assert_eq!(loaded.resolve(b"b"), rules.resolve(b"b"));
    assert_eq!(loaded.values_with_sources(b"b"), rules.values_with_sources(b"b"));
    set(&mut loaded, "b*", &[("paused", "true")]).unwrap();
    assert_eq!(loaded.resolve(b"b").attempts, 3, "what is set now is later than all that was loaded");
    assert_eq!(rules.document(b"c"), None);
}

#[test]
fn an_unreadable_document_is_an_error_and_no_rule() {
    let bodies: &[&[u8]] = &[
        b"",
        b"{",
        b"[]",
        b"{\"order\":1}",
        b"{\"order\":1,\"values\":{}}",
        b"{\"order\":-1,\"values\":{}}",
        b"{\"order\":1,\"values\":{\"attempts\":\"3\"},\"of-a-later-version\":1}",
        b"{\"order\":1,\"values\":{\"attempts\":\"many\"}}",
        b"{\"order\":1,\"values\":{\"of-a-later-version\":\"3\"}}",
        b"\xff\xfe\0",
    ];
    let mut rules = rules();
    for body in bodies {
        let error = rules.load_document(b"f", body).unwrap_err().to_string();
        assert!(!error.is_empty() && !error.contains(char::is_control), "{error}");
    }
    assert!(rules.load_document(b"", b"{\"order\":1,\"values\":{\"attempts\":\"3\"}}").is_err());
    // Rules set later count up from the order.
    let with_order = |order: u64| format!("{{\"order\":{order},\"values\":{{\"attempts\":\"3\"}}}}");
    assert!(rules.load_document(b"f", with_order(u64::MAX).as_bytes()).is_err());
    assert_eq!(rules.rows().count(), 0);
    rules.load_document(b"f", with_order(u64::MAX / 2).as_bytes()).unwrap();
    set(&mut rules, "g", &[("attempts", "3")]).unwrap();
}

#[test]
fn rules_and_patterns_have_limits() {
    let mut rules = rules();
    let values = [("attempts", "3")];
    for number in 0..PATTERNS_MAX {
        set(&mut rules, &format!("f{number}*"), &values).unwrap();
    }
    assert_eq!(set(&mut rules, "*", &values), Err(PolicyError::TooManyPatterns));
    for number in PATTERNS_MAX..RULES_MAX {
        set(&mut rules, &format!("f{number}"), &values).unwrap();
    }
    assert_eq!(set(&mut rules, "f", &values), Err(PolicyError::TooManyRules));
    set(&mut rules, "f1*", &[("timeout", "1m")]).unwrap();
    rules.unset(b"f1*", [].into_iter()).unwrap();
    set(&mut rules, "*", &values).unwrap();
    let longest = "x".repeat(PATTERN_BYTES_MAX + 1);
    assert_eq!(set(&mut rules, &longest, &values).unwrap_err(), PolicyError::PatternTooLong { len: 1025 });
    assert_eq!(set(&mut rules, "", &values).unwrap_err(), PolicyError::NoPattern);
    assert_eq!(set(&mut rules, "f", &[]).unwrap_err(), PolicyError::NoValues);
}

#[test]
fn a_file_is_refused_by_its_first_wrong_rule() {
    let wrong = file(&[("a", &[("attempts", "3")]), ("b", &[("attempts", "3"), ("timeout", "soon")])]);
    let (index, error) = Rules::with_file(Policy::default(), &wrong).unwrap_err();
    assert_eq!((index, error.key()), (1, Some("timeout")));
    let wrong = file(&[("a", &[("rate-burst", "3")]), ("b", &[("rate", "3")])]);
    let (index, error) = Rules::with_file(Policy::default(), &wrong).unwrap_err();
    assert_eq!((index, error.key()), (0, Some("rate-burst")));
}

#[test]
fn rows_are_the_rules_with_what_they_set() {
    let mut rules = Rules::with_file(Policy::default(), &file(&[("z*", &[("attempts", "3")])])).unwrap();
    set(&mut rules, "a", &[("timeout", "90s"), ("attempts", "4")]).unwrap();
    let rows: Vec<_> = rules
        .rows()
        .map(|(pattern, values)| {
            let values: Vec<_> =
                values.iter().map(|it| format!("{}={} {}", it.key.name(), it.value, it.source)).collect();
            format!("{}: {}", pattern.escape_ascii(), values.join(", "))
        })
        .collect();
    assert_eq!(rows, ["z*: attempts=3 file:z*", "a: attempts=4 set:a, timeout=1m30s set:a"]);
}
