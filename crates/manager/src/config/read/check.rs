//! Values that are good alone, and not together.

use super::{Places, Reader};
use crate::config::problem::Mistake;
use crate::config::{Config, LogTarget, Program, ProgramName};
use std::collections::{BTreeMap, BTreeSet};

impl Reader<'_> {
    /// Values of one program.
    pub(super) fn check_together(&mut self, program: &Program, places: &Places) {
        let backoff = program.backoff;
        if backoff.first > backoff.max {
            let max = geartrain_proto::units::format_time(backoff.max);
            let reason = format!("it is over backoff-max, which is {max} (hint: set that as well)");
            let key = if places.contains_key("backoff-first") { "backoff-first" } else { "backoff-max" };
            self.refuse(key, reason, places);
        }
        if program.crash_loop.is_none() && places.contains_key("crash-loop-within") {
            let reason = "with crash-loop-exits = \"none\" nothing is counted".to_owned();
            self.refuse("crash-loop-within", reason, places);
        }
    }

    /// A program that is scaled, with its table at this offset.
    pub(super) fn check_scaling(&mut self, program: &Program, at: usize) {
        let reason = if program.functions.is_empty() {
            "without functions nobody knows what waits (hint: functions = [\"resize\"])"
        } else if program.processes.min == program.processes.max {
            "processes is no range (hint: processes = \"2..8\")"
        } else {
            return;
        };
        let (key, value) = ("autoscale", "there".to_owned());
        self.note(at, Mistake::CannotBeMet { key, value, reason: reason.to_owned() });
    }

    /// The order of all programs: each `after` names another one, and no program waits for itself.
    pub(super) fn check_order(&mut self, config: &Config, places: &BTreeMap<ProgramName, Places>) {
        for (name, program) in &config.programs {
            let Some(places) = places.get(name) else { continue };
            self.program = Some(name.to_string());
            for before in program.after.iter().filter(|before| !config.programs.contains_key(*before)) {
                let names: Vec<_> = config.programs.keys().map(ProgramName::as_str).collect();
                let reason =
                    format!("there is no program '{before}' ({})", super::hint(before.as_str(), &names));
                self.refuse("after", reason, places);
            }
            if let Some(way) = way_back(config, name) {
                let way: Vec<_> = way.iter().map(|name| name.as_str()).collect();
                self.refuse("after", format!("it would wait for itself: {}", way.join(" after ")), places);
            }
        }
        self.program = None;
    }

    /// Files of output: programs that share one agree on when it is put aside.
    pub(super) fn check_logs(&mut self, config: &Config, places: &BTreeMap<ProgramName, Places>) {
        let mut known = BTreeMap::new();
        for (name, program) in &config.programs {
            let Some(places) = places.get(name) else { continue };
            for (key, target) in [("stdout", &program.stdout), ("stderr", &program.stderr)] {
                let LogTarget::File(path) = target else { continue };
                let (other, rotation) = *known.entry(path).or_insert((name, program.rotation));
                if rotation != program.rotation {
                    self.program = Some(name.to_string());
                    let reason = format!(
                        "program '{other}' writes there as well, with another log-bytes or log-files"
                    );
                    self.refuse(key, reason, places);
                }
            }
        }
        self.program = None;
    }

    fn refuse(&mut self, key: &'static str, reason: String, places: &Places) {
        let (at, value) = places.get(key).cloned().unwrap_or((0, 0..0));
        let value = self.source(value).split_whitespace().collect::<Vec<_>>().join(" ");
        self.note(at, Mistake::CannotBeMet { key, value, reason });
    }
}

/// The way over `after` from a program back to it.
fn way_back<'c>(config: &'c Config, start: &'c ProgramName) -> Option<Vec<&'c ProgramName>> {
    let mut ways = vec![vec![start]];
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop() {
        let program = way.last().and_then(|name| config.programs.get(*name));
        for before in program.into_iter().flat_map(|program| &program.after) {
            let further: Vec<_> = way.iter().copied().chain([before]).collect();
            if before == start {
                return Some(further);
            }
            if seen.insert(before) {
                ways.push(further);
            }
        }
    }
    None
}
