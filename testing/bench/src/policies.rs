//! Policies in force: the whole table with them, for a comparison with a run without.
//!
//! From: `--policies`. To: the configuration file that our server is started with, and the proof that it took it.
//! Never: measures a server that has other policies than were asked for.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::dialect::FUNCTION;
use crate::server::Server;
use crate::trouble::Trouble;

/// Values that are all in force and limit nothing here.
const BUILTIN: &str = include_str!("policies.toml");

/// What `--policies` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Choice {
    Builtin,
    File(PathBuf),
}

/// The configuration file of our server, and what has to come of it.
#[derive(Debug)]
pub(crate) struct Policies {
    /// Starts with `builtin` or is the path, for the head of the table.
    pub(crate) name: String,
    pub(crate) file: PathBuf,
    /// Keys that have to be from the file; none: at least one has to.
    keys: Vec<&'static str>,
}

impl Policies {
    /// Writes the built-in file into `dir`, or takes the one that was given.
    ///
    /// # Errors
    ///
    /// `Io` when it cannot be written or found.
    pub(crate) fn set_up(choice: &Choice, dir: &Path) -> Result<Self, Trouble> {
        match choice {
            Choice::Builtin => {
                let file = dir.join("policies.toml");
                fs::write(&file, BUILTIN).map_err(Trouble::io("write the policies"))?;
                Ok(Self { name: "builtin".to_owned(), file, keys: builtin_keys() })
            }
            Choice::File(path) => {
                let file = path.canonicalize().map_err(Trouble::io("find the file of policies"))?;
                Ok(Self { name: file.display().to_string(), file, keys: Vec::new() })
            }
        }
    }

    /// Asks the server what is in force for the bench's function.
    ///
    /// # Errors
    ///
    /// `Policies` when a value is not from the file; `Io` or `Closed` when there is no answer.
    pub(crate) fn check(&self, server: &Server) -> Result<(), Trouble> {
        let question =
            format!("policy show {}\n", serde_json::json!({ "function": String::from_utf8_lossy(FUNCTION) }));
        let answer = server.ask(question.as_bytes(), b"\n.\n")?;
        let lacking = self.lacking(&String::from_utf8_lossy(&answer));
        if lacking.is_empty() { Ok(()) } else { Err(Trouble::Policies(lacking.join(", "))) }
    }

    /// The keys that an answer does not show as coming from the file.
    fn lacking(&self, answer: &str) -> Vec<&str> {
        let row: Value =
            answer.lines().next().and_then(|line| serde_json::from_str(line).ok()).unwrap_or_default();
        let is_set = |value: &Value| {
            value.get(1).and_then(Value::as_str).is_some_and(|source| source.starts_with("file:"))
        };
        let values = row.get("values").and_then(Value::as_object);
        if self.keys.is_empty() {
            let any = values.is_some_and(|values| values.values().any(is_set));
            return if any { Vec::new() } else { vec!["every value"] };
        }
        let from_file = |key: &str| values.and_then(|values| values.get(key)).is_some_and(is_set);
        self.keys.iter().copied().filter(|key| !from_file(key)).collect()
    }
}

fn builtin_keys() -> Vec<&'static str> {
    BUILTIN.lines().filter_map(|line| line.split_once(" = ")).map(|(key, _)| key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn builtin() -> Policies {
        Policies { name: String::new(), file: PathBuf::new(), keys: vec!["attempts", "rate"] }
    }

    #[test]
    fn a_value_that_is_not_from_the_file_is_named() {
        let answer =
            r#"{"function":"resize","values":{"attempts":["5","file:*"],"rate":["none","default"]}}"#;
        assert_eq!(builtin().lacking(answer), ["rate"]);
        assert_eq!(builtin().lacking("{\"error\":\"no\",\"hint\":\"\"}\n."), ["attempts", "rate"]);
        let set = answer.replace("default", "file:*");
        assert!(builtin().lacking(&set).is_empty());
    }

    #[test]
    fn a_file_of_the_users_has_to_set_something() {
        let own = Policies { keys: Vec::new(), ..builtin() };
        let answer =
            r#"{"function":"resize","values":{"attempts":["5","file:re*"],"rate":["none","default"]}}"#;
        assert!(own.lacking(answer).is_empty());
        assert_eq!(own.lacking(&answer.replace("file:re*", "default")), ["every value"]);
    }

    #[test]
    fn the_builtin_file_sets_most_of_the_keys() {
        assert_eq!(builtin_keys().len(), 20);
    }
}
