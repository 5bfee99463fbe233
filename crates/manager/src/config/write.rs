//! A configuration as the file would have it.
//!
//! Never: writes what would not read as the same again.

use super::keys::{AUTOSCALE, Key, MANAGER, PROGRAM};
use super::{Config, Program};
use serde_json::{Map, Value as Json};

impl Config {
    /// The configuration as TOML, every key with its value; those that have their default say so.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut out = String::new();
        write_table(&mut out, MANAGER, self, &Self::default());
        for (name, program) in &self.programs {
            let default = Program::new(program.directory.clone());
            let name = toml_key(name.as_str());
            out.push_str(&format!("\n[program.{name}]\n"));
            write_table(&mut out, PROGRAM, program, &default);
            if let Some(scale) = &program.autoscale {
                out.push_str(&format!("\n[program.{name}.autoscale]\n"));
                write_table(&mut out, AUTOSCALE, scale, &super::Autoscale::default());
            }
        }
        out
    }

    /// The configuration as JSON: its keys, and `program` with an object for each program by its name.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let mut all = json_table(MANAGER, self);
        let programs = self.programs.iter().map(|(name, program)| {
            let mut table = json_table(PROGRAM, program);
            if let Some(scale) = &program.autoscale {
                table.insert("autoscale".to_owned(), Json::Object(json_table(AUTOSCALE, scale)));
            }
            (name.to_string(), Json::Object(table))
        });
        all.insert("program".to_owned(), Json::Object(programs.collect()));
        Json::Object(all)
    }
}

fn write_table<T>(out: &mut String, keys: &[Key<T>], of: &T, default: &T) {
    for key in keys {
        let Some(value) = key.value(of) else { continue };
        let mark = if key.value(default).as_ref() == Some(&value) { "  # default" } else { "" };
        out.push_str(&format!("{} = {value}{mark}\n", key.name));
    }
}

fn json_table<T>(keys: &[Key<T>], of: &T) -> Map<String, Json> {
    let pair = |key: &Key<T>| {
        let value = serde_json::to_value(key.value(of)?).unwrap_or_default();
        Some((key.name.to_owned(), value))
    };
    keys.iter().filter_map(pair).collect()
}

/// A key, in quotes where it has to be.
#[must_use]
pub(crate) fn toml_key(name: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !name.is_empty() && name.bytes().all(is_bare) {
        name.to_owned()
    } else {
        toml::Value::String(name.to_owned()).to_string()
    }
}
