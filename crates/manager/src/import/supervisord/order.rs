//! The order in which programs are started.
//!
//! Supervisord starts those with a lower priority first, and does not wait for them. We name those that are to be
//! ready before, which is more: a worker that needs another one finds it ready.
//!
//! Never: makes a program wait for one that is started by hand.

use super::values::{boolean, integer};
use super::{GROUP, Importer, PROGRAM};
use crate::import::ImportError;
use crate::import::draft::Draft;
use crate::import::report::{Row, Rows};
use std::collections::BTreeMap;
use toml::Value;

const PRIORITY_DEFAULT: &str = "999";

/// Its group's priority, then its own.
type Rank = (i64, i64);

/// Which programs come before which.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// By the name there.
    ranks: BTreeMap<String, Rank>,
    groups: BTreeMap<String, String>,
    by_hand: Vec<String>,
    /// Which programs a program became here.
    became: BTreeMap<String, Vec<String>>,
}

impl Order {
    pub(super) fn of(importer: &Importer<'_>) -> Result<Self, ImportError> {
        let mut order = Self::default();
        let read = |section: &str, value: Option<&str>| {
            let value =
                importer.expanded(section, "priority", value.unwrap_or(PRIORITY_DEFAULT), &|_| None)?;
            integer(&value).map_err(|reason| importer.wrong(section, "priority", reason))
        };
        for section in &importer.sections {
            let Some(name) = section.name.strip_prefix(PROGRAM) else { continue };
            let own = read(&section.name, section.value("priority"))?;
            order.ranks.insert(name.trim().to_owned(), (own, own));
            if section.value("autostart").is_some_and(|text| boolean(text) == Ok(false)) {
                order.by_hand.push(name.trim().to_owned());
            }
        }
        for section in &importer.sections {
            let Some(group) = section.name.strip_prefix(GROUP) else { continue };
            let of_group = read(&section.name, section.value("priority"))?;
            for program in section.value("programs").unwrap_or_default().split(',').map(str::trim) {
                order.groups.insert(program.to_owned(), group.trim().to_owned());
                if let Some((of_group_before, _)) = order.ranks.get_mut(program) {
                    *of_group_before = of_group;
                }
            }
        }
        Ok(order)
    }

    /// The group of a program: one of its own where it is in none.
    pub(super) fn group<'a>(&'a self, program: &'a str) -> &'a str {
        self.groups.get(program).map_or(program, String::as_str)
    }

    /// Remembers which program of our file one of theirs became.
    pub(super) fn became(&mut self, program: &str, ours: String) {
        self.became.entry(program.to_owned()).or_default().push(ours);
    }

    /// Writes into each program those that come right before it.
    pub(super) fn resolve(&self, draft: &mut Draft, rows: &mut Vec<Row>) {
        for (program, rank) in &self.ranks {
            let others = self.ranks.iter().filter(|(name, _)| !self.by_hand.contains(name));
            let before = others.clone().map(|(_, rank)| *rank).filter(|other| other < rank).max();
            let Some(before) = before else { continue };
            let names = others.filter(|(_, other)| **other == before);
            let names = names.filter_map(|(name, _)| self.became.get(name));
            let names: Vec<_> = names.flatten().cloned().map(Value::String).collect();
            let section = format!("{PROGRAM}{program}");
            for ours in self.became.get(program).into_iter().flatten() {
                let table = draft.programs.iter_mut().find(|(name, _)| name == ours);
                let said = table.map(|(_, table)| table.set("after", names.clone())).unwrap_or_default();
                let said = format!("[program.{ours}] {said}, which also waits until they are ready");
                Rows { section: &section, all: rows }.this("(order)", said);
            }
        }
    }
}
