//! Policies that cannot be met: values that are good alone, and not together.
//!
//! From: every rule that is made or changed. Never: looks at rules that count more than the one in question;
//! where these contradict it, theirs is what holds: a pause is never longer than `backoff-max`, and a burst
//! without a rate means nothing.

use super::error::PolicyError;
use super::key::PolicyKey;
use super::{Rules, Source};
use crate::policy::RetryOn;
use geartrain_proto::units::format_time;

const NEVER: RetryOn = RetryOn { disconnect: false, timeout: false, fail: false, exception: false };

impl Rules {
    /// Whether what a rule sets can be met, on top of all that counts less than it.
    pub(super) fn check(&self, source: Source, pattern: &[u8]) -> Result<(), PolicyError> {
        let Some(rule) = self.of(source).get(pattern) else { return Ok(()) };
        let policy = self.policy_of(&self.winners(pattern, Some(rule.id)));
        let refused = |key: PolicyKey, reason: String| {
            let value = rule.values.get(&key).cloned().unwrap_or_default();
            Err(PolicyError::CannotBeMet { key: key.name(), value, reason })
        };
        let sets = |key: PolicyKey| rule.values.contains_key(&key);
        let backoff = policy.backoff;
        if backoff.first > backoff.max {
            let (first, max) = (format_time(backoff.first), format_time(backoff.max));
            if sets(PolicyKey::BackoffFirst) {
                let reason = format!("backoff-max is {max}, and no pause is longer (hint: set both)");
                return refused(PolicyKey::BackoffFirst, reason);
            }
            if sets(PolicyKey::BackoffMax) {
                let reason =
                    format!("backoff-first is {first}, and the first pause is the shortest (hint: set both)");
                return refused(PolicyKey::BackoffMax, reason);
            }
        }
        if sets(PolicyKey::RateBurst) && policy.rate.is_none() {
            let reason = "there is no rate that it could be a burst of (hint: set rate as well)";
            return refused(PolicyKey::RateBurst, reason.to_owned());
        }
        if sets(PolicyKey::Attempts) && policy.attempts > 1 && policy.retry_on == NEVER {
            let reason = "retry-on is none, so that nothing leads to a second one \
                          (hint: set retry-on, or attempts 1)";
            return refused(PolicyKey::Attempts, reason.to_owned());
        }
        Ok(())
    }
}
