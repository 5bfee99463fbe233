//! Rules of policies: which values were set for which functions, where, and what follows for one function.
//!
//! From: the defaults, the configuration file, `policy set`, the store. To: an [`Arc<Policy>`] for each
//! function. Never: takes a rule in part; one wrong value refuses all of it.
//!
//! For each key the value counts that comes from, in this order: the rule of the function's own name that
//! was set at run time, then a pattern set at run time, the name in the configuration file, a pattern there,
//! the default. Among patterns the longer literal part counts, then the later.

mod check;
mod document;
mod error;
mod glob;
mod key;
mod outcome;
mod value;

#[cfg(test)]
mod tests;

pub use error::PolicyError;
pub(crate) use error::shown;
pub(crate) use glob::{is_pattern, matches};
pub use key::PolicyKey;

use crate::policy::Policy;
use geartrain_proto::limits::FUNCTION_BYTES_MAX;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most rules, from the file and set at run time together.
pub(crate) const RULES_MAX: usize = 10_000;

/// Most of them that are patterns: each function is compared with every one.
pub(crate) const PATTERNS_MAX: usize = 1_000;

/// Longest name or pattern of a rule, in bytes.
pub(crate) const PATTERN_BYTES_MAX: usize = 1_024;
const _: () = assert!(PATTERN_BYTES_MAX <= FUNCTION_BYTES_MAX);

/// What a rule says of how long letters are kept: where this is as it was, no letter is kept by another rule.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Keeping {
    /// Where a pattern stands among all of them.
    position: Option<usize>,
    values: Vec<(PolicyKey, String)>,
}

/// A rule of the configuration file: `[function."PATTERN"]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileRule {
    /// The name of a function, or a pattern with `*` and `?`.
    pub pattern: Vec<u8>,
    /// Its values by key, as a person writes them.
    pub values: Vec<(String, String)>,
}

/// Looks at the rules of a configuration file.
///
/// # Errors
/// The index of the first that is wrong, and why.
pub fn check_rules(rules: &[FileRule]) -> Result<(), (usize, PolicyError)> {
    Rules::with_file(Policy::default(), rules).map(drop)
}

/// Where a rule comes from; the later counts more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    File,
    Set,
}

impl Source {
    const fn name(self) -> &'static str {
        match self {
            Source::File => "file",
            Source::Set => "set",
        }
    }
}

/// Of two patterns, what counts more is greater: the one set at run time, the longer literal part, the later.
type Rank = (Source, usize, u64);

#[derive(Debug, Clone)]
struct Rule {
    /// Never that of another rule or of an earlier state of this one: what is remembered goes by it.
    id: u64,
    /// The larger is the later.
    order: u64,
    /// As they are shown.
    values: BTreeMap<PolicyKey, String>,
}

#[derive(Debug)]
struct Pattern {
    rank: Rank,
    text: Box<[u8]>,
}

/// A value, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sourced {
    pub(crate) key: PolicyKey,
    pub(crate) value: String,
    /// `default`, `file:PATTERN` or `set:PATTERN`.
    pub(crate) source: String,
}

/// All rules.
#[derive(Debug)]
pub(crate) struct Rules {
    defaults: Arc<Policy>,
    from_file: BTreeMap<Box<[u8]>, Rule>,
    set: BTreeMap<Box<[u8]>, Rule>,
    /// Those that are patterns, by their rank.
    patterns: Vec<Pattern>,
    last_id: u64,
    last_order: u64,
    /// Outcomes by the rules that lead to them.
    shared: BTreeMap<Vec<u64>, Arc<Policy>>,
}

impl Rules {
    pub(crate) fn new(defaults: Policy) -> Self {
        Self {
            defaults: Arc::new(defaults),
            from_file: BTreeMap::new(),
            set: BTreeMap::new(),
            patterns: Vec::new(),
            last_id: 0,
            last_order: 0,
            shared: BTreeMap::new(),
        }
    }

    /// The rules of a configuration file, the defaults being these.
    pub(crate) fn with_file(defaults: Policy, file: &[FileRule]) -> Result<Self, (usize, PolicyError)> {
        let mut rules = Self::new(defaults);
        for (index, rule) in file.iter().enumerate() {
            let order = rules.last_order + 1;
            let values = rule.values.iter().map(|(key, value)| (key.as_str(), value.as_str()));
            let values = parse(values).map_err(|error| (index, error))?;
            rules.insert(Source::File, &rule.pattern, order, values).map_err(|error| (index, error))?;
        }
        // One rule of the file may have what another needs.
        for (index, rule) in file.iter().enumerate() {
            rules.check(Source::File, &rule.pattern).map_err(|error| (index, error))?;
        }
        Ok(rules)
    }

    /// Takes the rules of another configuration file, which are all that `new` has; those of before are in it then.
    ///
    /// Nothing is replaced when those set at run time find no room beside them: the pattern of one, and why.
    pub(crate) fn replace_file(&mut self, new: &mut Self) -> Result<(), (Vec<u8>, PolicyError)> {
        for (pattern, rule) in &self.set {
            let inserted = new.insert(Source::Set, pattern, rule.order, rule.values.clone());
            inserted.map_err(|error| (pattern.to_vec(), error))?;
        }
        new.defaults = Arc::clone(&self.defaults);
        std::mem::swap(self, new);
        Ok(())
    }

    /// Sets values of a rule that is set at run time; the rule is made when it is new, and is the latest now.
    ///
    /// Nothing is set when one of the values is refused.
    pub(crate) fn set<'v>(
        &mut self,
        pattern: &[u8],
        values: impl Iterator<Item = (&'v str, &'v str)>,
    ) -> Result<(), PolicyError> {
        let added = parse(values)?;
        if added.is_empty() {
            return Err(PolicyError::NoValues);
        }
        let before = self.set.get(pattern).cloned();
        let mut values = before.as_ref().map_or_else(BTreeMap::new, |rule| rule.values.clone());
        values.extend(added);
        let order = self.last_order + 1;
        self.insert(Source::Set, pattern, order, values)?;
        self.check_or_restore(pattern, before)
    }

    /// Takes values of a rule back that was set at run time, or with no keys the whole rule.
    pub(crate) fn unset<'k>(
        &mut self,
        pattern: &[u8],
        keys: impl Iterator<Item = &'k str>,
    ) -> Result<(), PolicyError> {
        let keys = keys.map(PolicyKey::from_name).collect::<Result<Vec<_>, _>>()?;
        let Some(before) = self.set.get(pattern).cloned() else {
            let hint = match self.from_file.contains_key(pattern) {
                true => " at run time (hint: its rule is in the configuration file)",
                false => " at run time (hint: policy show lists what was)",
            };
            return Err(PolicyError::NoRule { pattern: shown(pattern), hint });
        };
        let mut values = before.values.clone();
        for key in &keys {
            if !before.values.contains_key(key) {
                let present: Vec<_> = before.values.keys().map(|key| key.name()).collect();
                let (pattern, present) = (shown(pattern), present.join(", "));
                return Err(PolicyError::NotSet { key: key.name(), pattern, present });
            }
            values.remove(key);
        }
        if keys.is_empty() || values.is_empty() {
            self.remove(Source::Set, pattern);
            return Ok(());
        }
        self.insert(Source::Set, pattern, before.order, values)?;
        self.check_or_restore(pattern, Some(before))
    }

    /// Every rule with its own values: those of the file first, then by name.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&[u8], Vec<Sourced>)> {
        [Source::File, Source::Set].into_iter().flat_map(|source| {
            let rules = self.of(source).iter();
            rules.map(move |(pattern, rule)| (pattern.as_ref(), own_values(source, pattern, rule)))
        })
    }

    /// Every rule that was set at run time, with its own values, by name.
    pub(crate) fn set_rows(&self) -> impl Iterator<Item = (&[u8], Vec<Sourced>)> {
        self.set.iter().map(|(pattern, rule)| (pattern.as_ref(), own_values(Source::Set, pattern, rule)))
    }

    /// The values of one rule that was set at run time; `None` when there is no such rule.
    pub(crate) fn row(&self, pattern: &[u8]) -> Option<Vec<Sourced>> {
        self.set.get(pattern).map(|rule| own_values(Source::Set, pattern, rule))
    }

    /// What a rule that was set at run time says of how long letters are kept, if anything.
    pub(crate) fn keeping(&self, pattern: &[u8]) -> Option<Keeping> {
        let rule = self.set.get(pattern)?;
        let values = rule.values.iter().filter(|(key, _)| key.is_about_letters());
        let values: Vec<(PolicyKey, String)> = values.map(|(key, value)| (*key, value.clone())).collect();
        let is_it = |it: &Pattern| it.rank.0 == Source::Set && *it.text == *pattern;
        let position = self.patterns.iter().position(is_it);
        (!values.is_empty()).then_some(Keeping { position, values })
    }

    fn of(&self, source: Source) -> &BTreeMap<Box<[u8]>, Rule> {
        match source {
            Source::File => &self.from_file,
            Source::Set => &self.set,
        }
    }

    fn of_mut(&mut self, source: Source) -> &mut BTreeMap<Box<[u8]>, Rule> {
        match source {
            Source::File => &mut self.from_file,
            Source::Set => &mut self.set,
        }
    }

    /// Puts a rule in the place of the one of the same name.
    fn insert(
        &mut self,
        source: Source,
        pattern: &[u8],
        order: u64,
        values: BTreeMap<PolicyKey, String>,
    ) -> Result<(), PolicyError> {
        self.check_room(source, pattern)?;
        self.remove(source, pattern);
        self.last_id += 1;
        self.last_order = self.last_order.max(order);
        if glob::is_pattern(pattern) {
            let rank = (source, glob::literal_len(pattern), order);
            let index = self.patterns.partition_point(|other| other.rank < rank);
            self.patterns.insert(index, Pattern { rank, text: pattern.into() });
        }
        let rule = Rule { id: self.last_id, order, values };
        self.of_mut(source).insert(pattern.into(), rule);
        Ok(())
    }

    fn check_room(&self, source: Source, pattern: &[u8]) -> Result<(), PolicyError> {
        if pattern.is_empty() {
            return Err(PolicyError::NoPattern);
        }
        if pattern.len() > PATTERN_BYTES_MAX {
            return Err(PolicyError::PatternTooLong { len: pattern.len() });
        }
        if self.of(source).contains_key(pattern) {
            return Ok(());
        }
        if self.from_file.len() + self.set.len() >= RULES_MAX {
            return Err(PolicyError::TooManyRules);
        }
        if glob::is_pattern(pattern) && self.patterns.len() >= PATTERNS_MAX {
            return Err(PolicyError::TooManyPatterns);
        }
        Ok(())
    }

    fn remove(&mut self, source: Source, pattern: &[u8]) {
        let Some(rule) = self.of_mut(source).remove(pattern) else { return };
        self.patterns.retain(|other| other.rank.0 != source || *other.text != *pattern);
        self.shared.retain(|ids, _| !ids.contains(&rule.id));
    }

    fn check_or_restore(&mut self, pattern: &[u8], before: Option<Rule>) -> Result<(), PolicyError> {
        let outcome = self.check(Source::Set, pattern);
        if outcome.is_err() {
            self.remove(Source::Set, pattern);
            if let Some(Rule { order, values, .. }) = before {
                self.insert(Source::Set, pattern, order, values)?;
            }
        }
        outcome
    }
}

/// The values as they are shown; the last of a key counts.
fn parse<'v>(
    values: impl Iterator<Item = (&'v str, &'v str)>,
) -> Result<BTreeMap<PolicyKey, String>, PolicyError> {
    let parse_one = |(key, value)| {
        let key = PolicyKey::from_name(key)?;
        Ok((key, value::canonical(key, value)?))
    };
    values.map(parse_one).collect()
}

fn own_values(source: Source, pattern: &[u8], rule: &Rule) -> Vec<Sourced> {
    let source = outcome::source_text(source, pattern);
    let sourced = |(key, value): (&PolicyKey, &String)| Sourced {
        key: *key,
        value: value.clone(),
        source: source.clone(),
    };
    rule.values.iter().map(sourced).collect()
}
