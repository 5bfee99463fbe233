//! Commands about policies.

use super::Bytes;
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// The name of a function, or a pattern with `*` and `?`.
pub type FunctionName = Bytes;

/// The value of a policy as people write it: a number, a time such as `90s`, a word, or words with commas.
///
/// In JSON also a number, `true`, `false`, or a list of words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyValue(pub String);

impl<'de> Deserialize<'de> for PolicyValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Form)
    }
}

struct Form;

impl<'de> Visitor<'de> for Form {
    type Value = PolicyValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, a number, true, false or a list of strings")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<PolicyValue, E> {
        Ok(PolicyValue(text.to_owned()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<PolicyValue, E> {
        Ok(PolicyValue(number.to_string()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<PolicyValue, E> {
        Ok(PolicyValue(number.to_string()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<PolicyValue, E> {
        Ok(PolicyValue(number.to_string()))
    }

    fn visit_bool<E: Error>(self, switch: bool) -> Result<PolicyValue, E> {
        Ok(PolicyValue(switch.to_string()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<PolicyValue, A::Error> {
        let mut words = Vec::<String>::new();
        while let Some(word) = list.next_element()? {
            words.push(word);
        }
        Ok(PolicyValue(words.join(",")))
    }
}

/// `policy show`
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyShow {
    /// The function whose values are asked for; absent: all rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<FunctionName>,
}

/// `policy set`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicySet {
    /// The function, or a pattern.
    pub function: FunctionName,
    /// The values by key.
    pub values: BTreeMap<String, PolicyValue>,
}

/// `policy unset`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyUnset {
    /// The function, or a pattern, as it was set.
    pub function: FunctionName,
    /// The keys; none: the whole rule.
    #[serde(default)]
    pub keys: Vec<String>,
}

/// A rule, or all values of a function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyRow {
    /// The function, or the pattern of the rule.
    pub function: FunctionName,
    /// Each value, and where it comes from: `default`, `file:PATTERN` or `set:PATTERN`.
    pub values: BTreeMap<String, (String, String)>,
}
