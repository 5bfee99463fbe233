//! What a new configuration changes.
//!
//! Never: calls a program changed that is written in another way but means the same.

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
        let mut diff = Diff::default();
        let mut note = |key, differs: bool| diff.manager.extend(differs.then_some(key));
        note("servers", self.servers != new.servers);
        note("socket", self.socket != new.socket);
        note("socket-mode", self.socket_mode != new.socket_mode);
        note("state-folder", self.state_folder != new.state_folder);
        note("orphans", self.orphans != new.orphans);
        diff.removed =
            self.programs.keys().filter(|name| !new.programs.contains_key(*name)).cloned().collect();
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

fn change(old: &Program, new: &Program) -> Change {
    let mut change = Change::default();
    let mut restart = |key, differs: bool| change.restart.extend(differs.then_some(key));
    restart("command", old.command.words != new.command.words);
    restart("shell", old.command.shell != new.command.shell);
    restart("user", old.user != new.user);
    restart("group", old.group != new.group);
    restart("directory", old.directory != new.directory);
    restart("umask", old.umask != new.umask);
    restart("environment", old.environment != new.environment);
    let of_file = |program: &Program| (program.environment_file.clone(), program.environment_of_file.clone());
    restart("environment-file", of_file(old) != of_file(new));
    let mut live = |key, differs: bool| change.live.extend(differs.then_some(key));
    live("functions", old.functions != new.functions);
    live("processes", old.processes != new.processes);
    live("autostart", old.autostart != new.autostart);
    live("after", old.after != new.after);
    live("ready-after", old.ready.after != new.ready.after);
    live("ready-within", old.ready.within != new.ready.within);
    live("stop-signal", old.stop.signal != new.stop.signal);
    live("stop-group", old.stop.group != new.stop.group);
    live("stop-patience", old.stop.patience != new.stop.patience);
    live("lifetime", old.lifetime != new.lifetime);
    live("lifetime-jitter", old.lifetime_jitter.to_bits() != new.lifetime_jitter.to_bits());
    live("restart", old.restart != new.restart);
    live("exit-codes", old.exit_codes != new.exit_codes);
    live("backoff", old.backoff != new.backoff);
    live("crash-loop", old.crash_loop != new.crash_loop);
    live("memory-max", old.memory_bytes_max != new.memory_bytes_max);
    live("watch", old.watch != new.watch);
    live("watch-settle", old.watch_settle != new.watch_settle);
    live("stdout", old.stdout != new.stdout);
    live("stderr", old.stderr != new.stderr);
    live("log", old.rotation != new.rotation);
    live("autoscale", old.autoscale != new.autoscale);
    change
}
