//! What follows from the rules for one function.
//!
//! Never: depends on the order in which functions are asked for.

use super::error::shown;
use super::key::PolicyKey;
use super::{Rule, Rules, Source, Sourced, glob, value};
use crate::policy::Policy;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most different outcomes that are remembered, so that functions share them.
const SHARED_MAX: usize = 10_000;

/// Workers that a job with a rule about its attempts may lose by default.
const LOST_WORKERS_DEFAULT: u32 = 3;

/// Patterns that a name is compared with in the time that a portion has for one entry.
const PATTERNS_AT_ONCE: usize = 16;

/// A rule that holds for a function: its source, its name or pattern, what it says.
type Holding<'r> = (Source, &'r [u8], &'r Rule);

/// The value that counts for each key that some rule sets: its source, the rule's name, the value.
pub(super) type Winners<'r> = BTreeMap<PolicyKey, (Source, &'r [u8], &'r str)>;

impl Rules {
    /// What holds for a function of this name. Functions with the same rules share one value.
    pub(crate) fn resolve(&mut self, function: &[u8]) -> Arc<Policy> {
        if self.from_file.is_empty() && self.set.is_empty() {
            return Arc::clone(&self.defaults);
        }
        let ids: Vec<u64> = self.rules_of(function).map(|(_, _, rule)| rule.id).collect();
        if ids.is_empty() {
            return Arc::clone(&self.defaults);
        }
        if let Some(known) = self.shared.get(&ids) {
            return Arc::clone(known);
        }
        let policy = Arc::new(self.policy_of(&self.winners(function, None)));
        if self.shared.len() >= SHARED_MAX {
            self.shared.clear();
        }
        self.shared.insert(ids, Arc::clone(&policy));
        policy
    }

    /// How many names can be resolved where so many entries can be looked at.
    pub(crate) fn names_compared(&self, entries: usize) -> usize {
        (entries / (1 + self.patterns.len() / PATTERNS_AT_ONCE)).max(1)
    }

    /// All values of a function of this name, in the order of the keys.
    pub(crate) fn values_with_sources(&self, function: &[u8]) -> Vec<Sourced> {
        let winners = self.winners(function, None);
        let policy = self.policy_of(&winners);
        let sourced = |key: &PolicyKey| match winners.get(key) {
            Some((source, pattern, value)) => {
                Sourced { key: *key, value: (*value).to_owned(), source: source_text(*source, pattern) }
            }
            None => Sourced { key: *key, value: value::format(&policy, *key), source: "default".to_owned() },
        };
        PolicyKey::ALL.iter().map(sourced).collect()
    }

    /// What counts for a function of this name, with the rules up to this one, the others left out.
    pub(super) fn winners<'r>(&'r self, function: &'r [u8], upto: Option<u64>) -> Winners<'r> {
        let mut winners = Winners::new();
        for (source, pattern, rule) in self.rules_of(function) {
            let values = rule.values.iter();
            winners.extend(values.map(|(key, value)| (*key, (source, pattern, value.as_str()))));
            if Some(rule.id) == upto {
                break;
            }
        }
        winners
    }

    pub(super) fn policy_of(&self, winners: &Winners<'_>) -> Policy {
        let mut policy = Policy::clone(&self.defaults);
        let is_about_attempts = |key: &PolicyKey| {
            matches!(
                key,
                PolicyKey::Attempts
                    | PolicyKey::RetryOn
                    | PolicyKey::BackoffFirst
                    | PolicyKey::BackoffFactor
                    | PolicyKey::BackoffMax
                    | PolicyKey::BackoffJitter
            )
        };
        if winners.keys().any(is_about_attempts) {
            policy.lost_workers = LOST_WORKERS_DEFAULT;
        }
        for (key, (_, _, value)) in winners {
            value::apply(&mut policy, *key, value).expect("what was taken once is taken again");
        }
        policy
    }

    /// The rules for a function, what counts more behind what counts less.
    fn rules_of<'r>(&'r self, function: &'r [u8]) -> impl Iterator<Item = Holding<'r>> {
        [Source::File, Source::Set].into_iter().flat_map(move |source| {
            let rules = self.of(source);
            let patterns = self.patterns.iter().filter(move |it| it.rank.0 == source);
            let patterns =
                patterns.filter(move |it| glob::matches(&it.text, function)).map(|it| it.text.as_ref());
            // A pattern is no name, so a function of that very name has it once.
            let name = Some(function).filter(|name| !glob::is_pattern(name));
            patterns.chain(name).filter_map(move |name| {
                let (name, rule) = rules.get_key_value(name)?;
                Some((source, name.as_ref(), rule))
            })
        })
    }
}

/// Where a value comes from, as it is shown.
pub(super) fn source_text(source: Source, pattern: &[u8]) -> String {
    format!("{}:{}", source.name(), shown(pattern))
}
