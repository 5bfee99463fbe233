//! The values of a policy as text, and back.
//!
//! Never: takes a value in part, or shows one that would not read as the same again.

use super::error::{PolicyError, excerpt};
use super::key::PolicyKey;
use crate::policy::{Keep, OnDuplicate, Policy, Rate, RetryOn};
use geartrain_proto::units::{format_bytes, format_time, parse_bytes, parse_number, parse_time};
use std::ops::RangeInclusive;
use std::time::Duration;

const NONE: &str = "none";
const ATTEMPTS_MAX: u64 = 1_000_000;
const TICK: Duration = Duration::from_millis(1);
/// Jobs a second.
const RATES: RangeInclusive<f64> = 0.000_01..=100_000.0;

/// Sets one value.
///
/// `rate-burst` without a rate changes nothing; whether there is one is for the whole rule to say.
pub(crate) fn apply(policy: &mut Policy, key: PolicyKey, text: &str) -> Result<(), PolicyError> {
    let text = text.trim_ascii();
    let refused =
        || PolicyError::BadValue { key: key.name(), value: excerpt(text), allowed: key.allowed().to_owned() };
    try_apply(policy, key, text).ok_or_else(refused)
}

fn try_apply(policy: &mut Policy, key: PolicyKey, text: &str) -> Option<()> {
    match key {
        PolicyKey::Attempts => policy.attempts = tries(text)?,
        PolicyKey::RetryOn => policy.retry_on = retry_on(text)?,
        PolicyKey::LostWorkers => policy.lost_workers = tries(text)?,
        PolicyKey::BackoffFirst => {
            policy.backoff.first = if text == NONE { Duration::ZERO } else { parse_time(text)? };
        }
        PolicyKey::BackoffFactor => policy.backoff.factor = number_within(text, 1.0..=1000.0)?,
        PolicyKey::BackoffMax => policy.backoff.max = parse_time(text).filter(|time| *time >= TICK)?,
        PolicyKey::BackoffJitter => policy.backoff.jitter = number_within(text, 0.0..=1.0)?,
        PolicyKey::Timeout => policy.timeout = or_none(text, time_limit)?,
        PolicyKey::TimeoutExtends => policy.timeout_extends = switch(text)?,
        PolicyKey::Expires => policy.expires = or_none(text, time_limit)?,
        PolicyKey::MaxRunning => policy.max_running = or_none(text, count)?,
        PolicyKey::Rate => {
            let burst = policy.rate.map_or(1, |rate| rate.burst);
            policy.rate = or_none(text, interval)?.map(|interval| Rate { interval, burst });
        }
        PolicyKey::RateBurst => {
            let burst = count(text)?;
            policy.rate = policy.rate.map(|rate| Rate { burst, ..rate });
        }
        PolicyKey::MaxWaitingHigh => policy.max_waiting[0] = or_none(text, count)?,
        PolicyKey::MaxWaitingNormal => policy.max_waiting[1] = or_none(text, count)?,
        PolicyKey::MaxWaitingLow => policy.max_waiting[2] = or_none(text, count)?,
        PolicyKey::OnDuplicate => policy.on_duplicate = on_duplicate(text)?,
        PolicyKey::DeadAge => policy.dead.age = or_none(text, time_limit)?,
        PolicyKey::DeadCount => policy.dead.count = kept(text, parse_number)?,
        PolicyKey::DeadBytes => policy.dead.bytes = kept(text, parse_bytes)?,
        PolicyKey::FinishedAge => policy.finished.age = or_none(text, time_limit)?,
        PolicyKey::FinishedCount => policy.finished.count = kept(text, parse_number)?,
        PolicyKey::FinishedBytes => policy.finished.bytes = kept(text, parse_bytes)?,
        PolicyKey::Paused => policy.paused = switch(text)?,
        PolicyKey::Draining => policy.draining = switch(text)?,
    }
    Some(())
}

/// The value of a key.
pub(crate) fn format(policy: &Policy, key: PolicyKey) -> String {
    let Policy { dead, finished, .. } = policy;
    match key {
        PolicyKey::Attempts => tries_text(policy.attempts),
        PolicyKey::RetryOn => retry_on_text(policy.retry_on),
        PolicyKey::LostWorkers => tries_text(policy.lost_workers),
        PolicyKey::BackoffFirst => time_text(Some(policy.backoff.first).filter(|time| !time.is_zero())),
        PolicyKey::BackoffFactor => policy.backoff.factor.to_string(),
        PolicyKey::BackoffMax => format_time(policy.backoff.max),
        PolicyKey::BackoffJitter => policy.backoff.jitter.to_string(),
        PolicyKey::Timeout => time_text(policy.timeout),
        PolicyKey::TimeoutExtends => policy.timeout_extends.to_string(),
        PolicyKey::Expires => time_text(policy.expires),
        PolicyKey::MaxRunning => count_text(policy.max_running),
        PolicyKey::Rate => policy.rate.map_or_else(|| NONE.to_owned(), rate_text),
        PolicyKey::RateBurst => policy.rate.map_or(1, |rate| rate.burst).to_string(),
        PolicyKey::MaxWaitingHigh => count_text(policy.max_waiting[0]),
        PolicyKey::MaxWaitingNormal => count_text(policy.max_waiting[1]),
        PolicyKey::MaxWaitingLow => count_text(policy.max_waiting[2]),
        PolicyKey::OnDuplicate => on_duplicate_text(policy.on_duplicate).to_owned(),
        PolicyKey::DeadAge => time_text(dead.age),
        PolicyKey::DeadCount => kept_text(*dead, |keep| keep.count, |count| count.to_string()),
        PolicyKey::DeadBytes => kept_text(*dead, |keep| keep.bytes, format_bytes),
        PolicyKey::FinishedAge => time_text(finished.age),
        PolicyKey::FinishedCount => kept_text(*finished, |keep| keep.count, |count| count.to_string()),
        PolicyKey::FinishedBytes => kept_text(*finished, |keep| keep.bytes, format_bytes),
        PolicyKey::Paused => policy.paused.to_string(),
        PolicyKey::Draining => policy.draining.to_string(),
    }
}

/// The value as it is kept and shown, however it was written.
pub(crate) fn canonical(key: PolicyKey, text: &str) -> Result<String, PolicyError> {
    let mut policy = Policy::default();
    if key == PolicyKey::RateBurst {
        policy.rate = Some(Rate { interval: Duration::from_secs(1), burst: 1 });
    }
    apply(&mut policy, key, text)?;
    Ok(format(&policy, key))
}

fn or_none<T>(text: &str, parse: impl Fn(&str) -> Option<T>) -> Option<Option<T>> {
    if text == NONE { Some(None) } else { parse(text).map(Some) }
}

/// 0 is taken as `none`, as the flag `--job-retries` has it.
fn tries(text: &str) -> Option<u32> {
    let count = if text == NONE { 0 } else { parse_number(text).filter(|count| *count <= ATTEMPTS_MAX)? };
    u32::try_from(count).ok()
}

fn tries_text(count: u32) -> String {
    if count == 0 { NONE.to_owned() } else { count.to_string() }
}

fn count(text: &str) -> Option<u32> {
    parse_number(text).and_then(|count| u32::try_from(count).ok()).filter(|count| *count > 0)
}

fn count_text(count: Option<u32>) -> String {
    count.map_or_else(|| NONE.to_owned(), |count| count.to_string())
}

fn kept(text: &str, parse: impl Fn(&str) -> Option<u64>) -> Option<u64> {
    Some(or_none(text, parse)?.unwrap_or(u64::MAX))
}

fn kept_text(keep: Keep, part: impl Fn(Keep) -> u64, text: impl Fn(u64) -> String) -> String {
    match part(keep) {
        u64::MAX => NONE.to_owned(),
        number => text(number),
    }
}

fn time_limit(text: &str) -> Option<Duration> {
    parse_time(text).filter(|time| !time.is_zero())
}

fn time_text(time: Option<Duration>) -> String {
    time.map_or_else(|| NONE.to_owned(), format_time)
}

fn switch(text: &str) -> Option<bool> {
    text.parse().ok()
}

/// Digits with at most one point: what a float takes beside that (`inf`, `1e5`, `+1`) is no value here.
fn number_within(text: &str, range: RangeInclusive<f64>) -> Option<f64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let number = text.parse().ok().filter(|_| plain)?;
    range.contains(&number).then_some(number)
}

/// Rounded up to whole nanoseconds, so that the rate is never exceeded.
fn interval(text: &str) -> Option<Duration> {
    let (number, seconds) = match text.split_once('/') {
        None | Some((_, "s")) => (text.strip_suffix("/s").unwrap_or(text), 1.0),
        Some((number, "m")) => (number, 60.0),
        Some((number, "h")) => (number, 3600.0),
        Some(_) => return None,
    };
    let number = number_within(number, 0.0..=1e9)?;
    if !RATES.contains(&(number / seconds)) {
        return None;
    }
    let exact = Duration::try_from_secs_f64(seconds / number).ok()?;
    let lacks = exact.as_secs_f64() * number < seconds;
    Some(if lacks { exact + Duration::from_nanos(1) } else { exact })
}

/// The shortest number that reads as this rate, a second, a minute or an hour.
fn rate_text(rate: Rate) -> String {
    let seconds = rate.interval.as_secs_f64();
    let units = [("", 1.0), ("/m", 60.0), ("/h", 3600.0)];
    let mut texts = units.into_iter().flat_map(|(unit, per)| {
        (1..=6).filter_map(move |digits| Some(format!("{}{unit}", rounded(per / seconds, digits)?)))
    });
    let reads_as_this = |text: &String| interval(text) == Some(rate.interval);
    texts.find(reads_as_this).unwrap_or_else(|| (1.0 / seconds).to_string())
}

/// The number with this many digits that count, without an exponent.
fn rounded(number: f64, digits: usize) -> Option<f64> {
    format!("{number:.*e}", digits - 1).parse().ok()
}

const RETRY_WORDS: [&str; 4] = ["disconnect", "timeout", "fail", "exception"];

fn retry_on(text: &str) -> Option<RetryOn> {
    let mut chosen = [false; 4];
    if text != NONE {
        for word in text.split(',').map(str::trim_ascii) {
            let index = RETRY_WORDS.iter().position(|known| *known == word)?;
            *chosen.get_mut(index)? = true;
        }
    }
    let [disconnect, timeout, fail, exception] = chosen;
    Some(RetryOn { disconnect, timeout, fail, exception })
}

fn retry_on_text(retry_on: RetryOn) -> String {
    let RetryOn { disconnect, timeout, fail, exception } = retry_on;
    let chosen = RETRY_WORDS.into_iter().zip([disconnect, timeout, fail, exception]);
    let words: Vec<_> = chosen.filter_map(|(word, is_chosen)| is_chosen.then_some(word)).collect();
    if words.is_empty() { NONE.to_owned() } else { words.join(",") }
}

fn on_duplicate(text: &str) -> Option<OnDuplicate> {
    let all = [OnDuplicate::Keep, OnDuplicate::Last, OnDuplicate::Highest];
    all.into_iter().find(|which| on_duplicate_text(*which) == text)
}

const fn on_duplicate_text(which: OnDuplicate) -> &'static str {
    match which {
        OnDuplicate::Keep => "keep",
        OnDuplicate::Last => "last",
        OnDuplicate::Highest => "highest",
    }
}
