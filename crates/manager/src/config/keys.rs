//! The keys of the file: each a row with its name, what it takes, its default, and how it is read and shown.
//!
//! From: `read`, which looks rows up by name. To: fields of [`Config`](super::Config), and back for `write` and
//! `diff`; the reference page is made of the rows. Never: two truths about a key.

mod autoscale;
mod manager;
mod program;

pub use autoscale::AUTOSCALE;
pub use manager::MANAGER;
pub use program::PROGRAM;

use super::given::{Given, NONE};
use geartrain_proto::units::format_time;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use toml::Value;

/// When a changed value counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// At once, for what runs as well.
    Live,
    /// For new processes: those that run are replaced.
    Restart,
    /// From the manager's next start on.
    Manager,
}

/// One key of a table of the file.
pub struct Key<T: 'static> {
    /// As it stands in the file.
    pub name: &'static str,
    /// What it says, as a sentence without a full stop.
    pub help: &'static str,
    /// What values it takes.
    pub takes: &'static str,
    /// The value where it does not stand, as TOML or in words.
    pub default: &'static str,
    /// A value, as TOML.
    pub example: &'static str,
    /// When a changed value counts.
    pub effect: Effect,
    /// Sets the value; `None` and nothing changed when it is not one that the key takes.
    pub(super) set: fn(&mut T, Given<'_>) -> Option<()>,
    /// The value as the file would have it; `None` where nothing could be written there.
    pub(super) show: fn(&T) -> Option<Value>,
}

impl<T> std::fmt::Debug for Key<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<T> Key<T> {
    /// The value as the file would have it; `None` where nothing could be written there, as for a user that is
    /// the manager's own.
    #[must_use]
    pub fn value(&self, of: &T) -> Option<Value> {
        (self.show)(of)
    }
}

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

fn text(text: impl Into<String>) -> Option<Value> {
    Some(Value::String(text.into()))
}

fn path(path: &Path) -> Option<Value> {
    text(path.to_string_lossy())
}

fn list(texts: impl IntoIterator<Item = impl Into<String>>) -> Option<Value> {
    Some(Value::Array(texts.into_iter().map(|text| Value::String(text.into())).collect()))
}

fn table(pairs: &BTreeMap<String, String>) -> Option<Value> {
    let pairs = pairs.iter().map(|(key, value)| (key.clone(), Value::String(value.clone())));
    Some(Value::Table(pairs.collect()))
}

fn time(time: Duration) -> Option<Value> {
    text(format_time(time))
}

fn number(number: u32) -> Option<Value> {
    Some(Value::Integer(number.into()))
}

/// Without a point where it is whole.
#[expect(clippy::cast_possible_truncation, reason = "it is whole and below a thousand")]
fn decimal(number: f64) -> Option<Value> {
    let is_whole = number.fract() == 0.0 && number.abs() < 1e9;
    Some(if is_whole { Value::Integer(number as i64) } else { Value::Float(number) })
}

fn mode(mode: u32) -> Option<Value> {
    text(format!("{mode:04o}"))
}

fn or_none<T>(value: Option<T>, show: impl Fn(T) -> Option<Value>) -> Option<Value> {
    value.map_or_else(|| text(NONE), show)
}
