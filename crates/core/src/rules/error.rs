//! Why a policy is refused.

use super::{PATTERN_BYTES_MAX, PATTERNS_MAX, RULES_MAX};
use thiserror::Error;

/// Longest excerpt of a wrong value in an error, in characters.
const EXCERPT_CHARS_MAX: usize = 60;

/// Why a policy is refused: the key, the value, and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// There is no such key.
    #[error("there is no policy '{key}' (hint: {hint})")]
    UnknownKey {
        /// As it was written.
        key: String,
        /// The nearest key, or all keys.
        hint: String,
    },
    /// The value is none that the key takes.
    #[error("{key} cannot be '{value}': it takes {allowed}")]
    BadValue {
        /// The key.
        key: &'static str,
        /// As it was written.
        value: String,
        /// What the key takes.
        allowed: String,
    },
    /// The value is one that the key takes, but it cannot be met together with the others.
    #[error("{key} cannot be '{value}': {reason}")]
    CannotBeMet {
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
        /// What stands against it, and what would be right.
        reason: String,
    },
    /// A rule without a name or pattern.
    #[error("a policy needs the name of a function, or a pattern with * and ?")]
    NoPattern,
    /// The name or pattern is too long.
    #[error("a function or pattern of {len} bytes is over the limit of {PATTERN_BYTES_MAX} bytes")]
    PatternTooLong {
        /// Its length, in bytes.
        len: usize,
    },
    /// A rule without values.
    #[error("no value is given (hint: one such as attempts 3)")]
    NoValues,
    /// There are too many rules.
    #[error(
        "there are {RULES_MAX} rules already, which is the limit (hint: a pattern with * stands for many names)"
    )]
    TooManyRules,
    /// There are too many rules whose name is a pattern.
    #[error(
        "there are {PATTERNS_MAX} patterns already, which is the limit (hint: names without * and ? are not counted)"
    )]
    TooManyPatterns,
    /// There is no rule of this name that was set at run time.
    #[error("no policy was set for '{pattern}'{hint}")]
    NoRule {
        /// As it was written.
        pattern: String,
        /// What there is instead.
        hint: &'static str,
    },
    /// The rule has no value of this key.
    #[error("{key} was not set for '{pattern}' (hint: what was: {present})")]
    NotSet {
        /// The key.
        key: &'static str,
        /// The rule's name.
        pattern: String,
        /// The keys that the rule has.
        present: String,
    },
    /// A stored rule cannot be read.
    #[error("the stored policy cannot be read: {0}")]
    Unreadable(String),
}

impl PolicyError {
    /// The key that is wrong, as it was written; `None` where it is no single one.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        match self {
            PolicyError::UnknownKey { key, .. } => Some(key),
            PolicyError::BadValue { key, .. }
            | PolicyError::CannotBeMet { key, .. }
            | PolicyError::NotSet { key, .. } => Some(key),
            PolicyError::NoPattern
            | PolicyError::PatternTooLong { .. }
            | PolicyError::NoValues
            | PolicyError::TooManyRules
            | PolicyError::TooManyPatterns
            | PolicyError::NoRule { .. }
            | PolicyError::Unreadable(_) => None,
        }
    }
}

/// As much of a wrong value as a sentence bears, without control characters.
pub(super) fn excerpt(text: &str) -> String {
    let mut shown: String = text.chars().take(EXCERPT_CHARS_MAX).flat_map(char::escape_debug).collect();
    if text.chars().nth(EXCERPT_CHARS_MAX).is_some() {
        shown.push_str("...");
    }
    shown
}

/// A name or pattern as text.
pub(crate) fn shown(pattern: &[u8]) -> String {
    match std::str::from_utf8(pattern) {
        Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
        Ok(_) | Err(_) => pattern.escape_ascii().to_string(),
    }
}
