//! Commands about policies.

use super::Bytes;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;

/// The name of a function, or a pattern with `*` and `?`.
pub type FunctionName = Bytes;

/// The value of a policy as people write it: a number, a time such as `90s`, a word, or words with commas.
///
/// In JSON also a number, `true`, `false`, or a list of words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyValue(pub String);

impl<'de> Deserialize<'de> for PolicyValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Text(String),
            Number(serde_json::Number),
            Switch(bool),
            List(Vec<String>),
        }
        let form = Form::deserialize(deserializer).map_err(|_| {
            D::Error::custom("a value is a string, a number, true, false or a list of strings")
        })?;
        Ok(Self(match form {
            Form::Text(text) => text,
            Form::Number(number) => number.to_string(),
            Form::Switch(switch) => switch.to_string(),
            Form::List(words) => words.join(","),
        }))
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
