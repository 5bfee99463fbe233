//! Policies as the oracle understands them: rules in the order in which they count, and what they say together.
//!
//! From: the commands that were sent. To: what the oracle holds each start, wait and end against.
//! Never: uses the parser or the rules of `core`.

use fastrand::Rng;
use geartrain_core::Outcome;
use geartrain_proto::Priority;
use geartrain_proto::command::{Bytes, Command, PolicySet, PolicyUnset, PolicyValue};
use std::collections::BTreeMap;
use std::time::Duration;

/// Patterns that rules are set for, the one that counts least first.
const PATTERNS: [&str; 5] = ["*", "re*", "resize", "mail", "x y"];

/// Values by key.
pub(crate) type Values = BTreeMap<String, String>;

/// All rules that are in force.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rules {
    pub(crate) by_pattern: BTreeMap<Vec<u8>, Values>,
}

/// What the rules say of one function.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Policy {
    pub(crate) attempts: u32,
    retry_on: Vec<String>,
    pub(crate) lost_workers: u32,
    first_ms: f64,
    factor: f64,
    max_ms: f64,
    jitter: f64,
    pub(crate) expires_ms: Option<i64>,
    /// How long a worker may take, where it set no limit itself.
    pub(crate) timeout: Option<Duration>,
    /// Whether progress gives it its whole time again.
    pub(crate) timeout_extends: bool,
    pub(crate) max_running: Option<usize>,
    /// Time between two starts, and how many may come at once.
    pub(crate) rate: Option<(Duration, u32)>,
    max_waiting: [Option<usize>; 3],
    pub(crate) on_duplicate: String,
    pub(crate) dead: Keep,
    pub(crate) finished: Keep,
    pub(crate) paused: bool,
    pub(crate) draining: bool,
}

/// How long letters are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Keep {
    pub(crate) age_ms: Option<i64>,
    pub(crate) count: Option<usize>,
}

/// Whether a rule of this name is about a function.
pub(crate) fn is_about(pattern: &[u8], function: &[u8]) -> bool {
    match pattern {
        b"*" => true,
        b"re*" => function.starts_with(b"re"),
        name => name == function,
    }
}

impl Rules {
    pub(crate) fn set(&mut self, set: &PolicySet) {
        let rule = self.by_pattern.entry(set.function.0.clone()).or_default();
        for (key, PolicyValue(value)) in &set.values {
            rule.insert(key.clone(), value.clone());
        }
    }

    pub(crate) fn unset(&mut self, unset: &PolicyUnset) {
        if let Some(rule) = self.by_pattern.get_mut(&unset.function.0) {
            rule.retain(|key, _| !unset.keys.is_empty() && !unset.keys.contains(key));
            if rule.is_empty() {
                self.by_pattern.remove(&unset.function.0);
            }
        }
    }

    pub(crate) fn resolve(&self, function: &[u8], job_retries: u32) -> Policy {
        let mut values = Values::new();
        for pattern in PATTERNS {
            let rule = self.by_pattern.get(pattern.as_bytes());
            if let Some(rule) = rule.filter(|_| is_about(pattern.as_bytes(), function)) {
                values.extend(rule.clone());
            }
        }
        Policy::new(&values, job_retries)
    }
}

impl Policy {
    fn new(values: &Values, job_retries: u32) -> Self {
        let text = |key: &str| values.get(key).map(String::as_str).filter(|text| *text != "none");
        let number = |key: &str| text(key).map(|text| text.parse::<f64>().expect("a number that was chosen"));
        let count = |key: &str| text(key).map(|text| text.parse::<usize>().expect("a count that was chosen"));
        let time = |key: &str| text(key).map(millis);
        let switch = |key: &str| text(key) == Some("true");
        let retries =
            ["attempts", "retry-on", "backoff-first", "backoff-factor", "backoff-max", "backoff-jitter"];
        let lost = match values.get("lost-workers") {
            Some(_) => count("lost-workers").unwrap_or(0),
            None if retries.iter().any(|key| values.contains_key(*key)) => 3,
            None => 0,
        };
        let retry_on = match values.get("retry-on") {
            Some(words) => words.split(',').map(str::to_owned).collect(),
            None => vec!["disconnect".to_owned(), "timeout".to_owned()],
        };
        let attempts = count("attempts").map_or(job_retries, |it| u32::try_from(it).unwrap_or(0));
        let keep = |shelf: &str, none: Option<usize>| Keep {
            age_ms: time(&format!("{shelf}-age")),
            count: count(&format!("{shelf}-count")).or(none),
        };
        Self {
            attempts,
            retry_on,
            lost_workers: u32::try_from(lost).unwrap_or(0),
            first_ms: time("backoff-first").map_or(0.0, |ms| ms as f64),
            factor: number("backoff-factor").unwrap_or(2.0),
            max_ms: time("backoff-max").map_or(3_600_000.0, |ms| ms as f64),
            jitter: number("backoff-jitter").unwrap_or(0.0),
            expires_ms: time("expires"),
            timeout: time("timeout").map(|ms| Duration::from_millis(ms.unsigned_abs())),
            timeout_extends: switch("timeout-extends"),
            max_running: count("max-running"),
            rate: number("rate").map(|rate| {
                let burst = count("rate-burst").unwrap_or(1);
                (Duration::from_secs_f64(1.0 / rate), u32::try_from(burst).unwrap_or(1))
            }),
            max_waiting: ["high", "normal", "low"].map(|priority| count(&format!("max-waiting-{priority}"))),
            on_duplicate: text("on-duplicate").unwrap_or("keep").to_owned(),
            dead: keep("dead", None),
            finished: keep("finished", Some(0)),
            paused: switch("paused"),
            draining: switch("draining"),
        }
    }

    pub(crate) fn retries(&self, how: Outcome) -> bool {
        let word = match how {
            Outcome::Unable => "disconnect",
            how => how.name(),
        };
        self.retry_on.iter().any(|it| it == word)
    }

    /// The pause after so many attempts: the shortest and the longest that may be, in milliseconds.
    pub(crate) fn pause(&self, attempts: u32) -> Option<(i64, i64)> {
        let mut pause = self.first_ms;
        for _ in 1..attempts.min(100) {
            pause = (pause * self.factor).min(self.max_ms);
        }
        let pause = pause.min(self.max_ms);
        let whole =
            |ms: f64| i64::try_from(Duration::from_secs_f64(ms / 1000.0).as_millis()).unwrap_or(i64::MAX);
        (pause > 0.0).then(|| (whole(pause * (1.0 - self.jitter)), whole(pause)))
    }

    pub(crate) fn max_waiting(&self, priority: Priority) -> Option<usize> {
        let [high, normal, low] = self.max_waiting;
        match priority {
            Priority::High => high,
            Priority::Normal => normal,
            Priority::Low => low,
        }
    }
}

fn millis(text: &str) -> i64 {
    let number = |digits: &str| digits.parse::<i64>().expect("a time that was chosen");
    match text.strip_suffix("ms") {
        Some(digits) => number(digits),
        None => number(text.strip_suffix('s').expect("times are in ms or s")) * 1000,
    }
}

/// Something to set: keys that belong together are set together, so that every rule can be met.
fn some_values(rng: &mut Rng) -> Vec<(&'static str, String)> {
    let mut one = |choices: &[&str]| rng.choice(choices).copied().unwrap_or_default().to_owned();
    let group = one(&[
        "tries", "tries", "pause", "limits", "limits", "limits", "expires", "cap", "cap", "rate", "rate",
        "waiting", "join", "dead", "finished", "paused", "paused", "draining", "lost",
    ]);
    match group.as_str() {
        "tries" => vec![
            ("attempts", one(&["1", "2", "3", "4"])),
            (
                "retry-on",
                one(&["disconnect,timeout,fail,exception", "fail,exception", "timeout", "disconnect"]),
            ),
        ],
        "pause" => vec![
            ("backoff-first", one(&["100ms", "1s", "2s"])),
            ("backoff-factor", one(&["1", "2", "10"])),
            ("backoff-max", one(&["2s", "50s"])),
            ("backoff-jitter", one(&["0", "0", "0.5"])),
        ],
        "limits" => {
            vec![
                ("timeout", one(&["500ms", "3s", "3s", "none"])),
                ("timeout-extends", one(&["true", "true", "false"])),
            ]
        }
        "expires" => vec![("expires", one(&["1s", "5s", "30s", "none"]))],
        "cap" => vec![("max-running", one(&["1", "2", "3", "none"]))],
        "rate" => vec![("rate", one(&["0.5", "1", "4", "20"])), ("rate-burst", one(&["1", "2", "3"]))],
        "waiting" => vec![(
            rng.choice(["max-waiting-high", "max-waiting-normal", "max-waiting-low"])
                .unwrap_or("max-waiting-low"),
            rng.choice(["1", "3", "none"]).unwrap_or("3").to_owned(),
        )],
        "join" => vec![("on-duplicate", one(&["keep", "last", "highest"]))],
        "dead" => {
            vec![("dead-age", one(&["2s", "30s", "none"])), ("dead-count", one(&["0", "1", "3", "none"]))]
        }
        "finished" => {
            vec![("finished-age", one(&["2s", "none"])), ("finished-count", one(&["0", "1", "2", "9"]))]
        }
        "paused" => vec![("paused", one(&["true", "false"]))],
        "draining" => vec![("draining", one(&["true", "false", "false"]))],
        _ => vec![("lost-workers", one(&["1", "2", "none"]))],
    }
}

/// A command about policies: some set a rule, some take one back.
pub(crate) fn some_command(rng: &mut Rng) -> Command {
    let function = Bytes::from(rng.choice(PATTERNS).unwrap_or("*"));
    if rng.u32(0..3) == 0 {
        let unset = PolicyUnset { function, keys: Vec::new() };
        return Command::PolicyUnset(Box::new(unset));
    }
    let values = some_values(rng).into_iter().map(|(key, value)| (key.to_owned(), PolicyValue(value)));
    Command::PolicySet(Box::new(PolicySet { function, values: values.collect() }))
}
