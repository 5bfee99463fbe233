//! What a new configuration changes.
//!
//! Never: calls a program changed that is written in another way but means the same.

use super::keys::{Effect, Key, MANAGER, PROGRAM};
use super::{Config, Program, ProgramName};
use std::collections::BTreeMap;

/// What a new configuration changes; see [`Config::diff`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Diff {
    /// Keys at the top of the file that changed. `servers` is taken over at once; `socket`, `socket-mode`,
    /// `state-folder` and `orphans` count from the manager's next start on.
    pub manager: Vec<&'static str>,
    /// Programs that are new.
    pub added: Vec<ProgramName>,
    /// Programs that are gone.
    pub removed: Vec<ProgramName>,
    /// Programs that are different.
    pub changed: BTreeMap<ProgramName, Change>,
}

/// How a program changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Change {
    /// Keys that count for processes that run already: their number, limits, logs, pauses.
    pub live: Vec<&'static str>,
    /// Keys that only a new process can have: its command, user, environment.
    pub restart: Vec<&'static str>,
}

impl Diff {
    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Change {
    /// Whether running processes have to be replaced.
    #[must_use]
    pub fn needs_restart(&self) -> bool {
        !self.restart.is_empty()
    }
}

impl Config {
    /// What `new` changes in `self`.
    #[must_use]
    pub fn diff(&self, new: &Self) -> Diff {
        let mut diff = Diff {
            manager: changed(MANAGER, self, new).map(|key| key.name).collect(),
            removed: self.programs.keys().filter(|name| !new.programs.contains_key(*name)).cloned().collect(),
            ..Diff::default()
        };
        for (name, program) in &new.programs {
            match self.programs.get(name) {
                None => diff.added.push(name.clone()),
                Some(old) if old == program => {}
                Some(old) => {
                    diff.changed.insert(name.clone(), change(old, program));
                }
            }
        }
        diff
    }
}

/// What `new` changes in `old`.
pub(crate) fn change(old: &Program, new: &Program) -> Change {
    let mut change = Change::default();
    for key in changed(PROGRAM, old, new) {
        match key.effect {
            Effect::Restart => change.restart.push(key.name),
            Effect::Live | Effect::Manager => change.live.push(key.name),
        }
    }
    let file = "environment-file";
    if old.environment_of_file != new.environment_of_file && !change.restart.contains(&file) {
        change.restart.push(file);
    }
    if old.autoscale != new.autoscale {
        change.live.push("autoscale");
    }
    change
}

fn changed<T>(keys: &'static [Key<T>], old: &T, new: &T) -> impl Iterator<Item = &'static Key<T>> {
    keys.iter().filter(|key| key.value(old) != key.value(new))
}
