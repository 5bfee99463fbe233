//! Our file in the making.
//!
//! Never: writes a key twice, or a name that two programs have.

use crate::config::ProgramName;
use crate::config::write::toml_key;
use std::path::Path;
use toml::Value;

/// Our file in the making.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) manager: Table,
    pub(super) programs: Vec<(String, Table)>,
}

/// Keys with their values, in the order in which they are written.
#[derive(Debug, Clone, Default)]
pub(super) struct Table(Vec<(&'static str, Value)>);

impl Table {
    /// Sets a value and says how it stands in our file; an environment without its values, which may be secret.
    pub(super) fn set(&mut self, key: &'static str, value: impl Into<Value>) -> String {
        let value = value.into();
        let shown = match &value {
            Value::Table(table) => {
                let names: Vec<_> = table.keys().map(String::as_str).collect();
                format!("{key}, with {}", names.join(", "))
            }
            Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_) => format!("{key} = {value}"),
        };
        match self.0.iter_mut().find(|(name, _)| *name == key) {
            Some((_, old)) => *old = value,
            None => self.0.push((key, value)),
        }
        shown
    }

    /// Sets all that another table has.
    pub(super) fn extend(&mut self, other: &Self) {
        for (key, value) in &other.0 {
            self.set(key, value.clone());
        }
    }

    fn write(&self, out: &mut String) {
        for (key, value) in &self.0 {
            out.push_str(&format!("{key} = {value}\n"));
        }
    }
}

impl Draft {
    /// Adds a program under this name, or the nearest that is one and free, and says which.
    pub(super) fn add(&mut self, wanted: &str, table: Table) -> String {
        let name = self.free_name(wanted);
        self.programs.push((name.clone(), table));
        name
    }

    fn free_name(&self, wanted: &str) -> String {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let plain: String = wanted.chars().map(|c| if fits(c) { c } else { '-' }).take(56).collect();
        let plain = plain.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
        let plain = if plain.is_empty() { "program" } else { plain };
        let is_free = |name: &String| {
            ProgramName::parse(name).is_some() && self.programs.iter().all(|(taken, _)| taken != name)
        };
        let numbered = (2_u32..).map(|number| format!("{plain}-{number}"));
        [wanted.to_owned(), plain.to_owned()].into_iter().chain(numbered).find(is_free).unwrap_or_default()
    }

    /// The text of our file.
    pub(super) fn to_toml(&self, from: &Path) -> String {
        let from: String = from.display().to_string().chars().filter(|c| !c.is_control()).collect();
        let mut out = format!("# Made from {from} by gearman-manager import.\n");
        self.manager.write(&mut out);
        for (name, table) in &self.programs {
            out.push_str(&format!("\n[program.{}]\n", toml_key(name)));
            table.write(&mut out);
        }
        out
    }
}
