//! Rules that were set at run time, as the store keeps them.
//!
//! A body is `{"order":7,"values":{"attempts":"3"}}`: the rule with the larger order is the later one.

use super::error::{PolicyError, excerpt};
use super::{Rules, Source, parse};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Largest order that is believed: rules set later count up from it.
const ORDER_MAX: u64 = u64::MAX / 2;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    order: u64,
    values: BTreeMap<String, String>,
}

impl Rules {
    /// What the store is to keep under this name; `None` when there is no such rule any more.
    pub(crate) fn document(&self, pattern: &[u8]) -> Option<Vec<u8>> {
        let rule = self.set.get(pattern)?;
        let values = rule.values.iter().map(|(key, value)| (key.name().to_owned(), value.clone())).collect();
        let body = Body { order: rule.order, values };
        Some(serde_json::to_vec(&body).expect("numbers and strings under strings are JSON"))
    }

    /// Takes a rule back that the store kept under this name.
    ///
    /// Whether it can be met was looked at when it was set, and is not again: the configuration file may be
    /// another one now. A rule that was set while the queue is being loaded is the later one, and stays.
    pub(crate) fn load_document(&mut self, name: &[u8], body: &[u8]) -> Result<(), PolicyError> {
        let body: Body = serde_json::from_slice(body)
            .map_err(|error| PolicyError::Unreadable(excerpt(&error.to_string())))?;
        let values = parse(body.values.iter().map(|(key, value)| (key.as_str(), value.as_str())))?;
        if values.is_empty() {
            return Err(PolicyError::NoValues);
        }
        if body.order > ORDER_MAX {
            return Err(PolicyError::Unreadable(format!("its order {} is over {ORDER_MAX}", body.order)));
        }
        if self.set.contains_key(name) {
            return Ok(());
        }
        self.insert(Source::Set, name, body.order, values)
    }
}
