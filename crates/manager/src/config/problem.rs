//! What is wrong with a file.

use std::fmt;
use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// Why there is no configuration.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It says something wrong; all of it, in the order of the lines.
    #[error("{}", lines(problems))]
    Wrong {
        /// Never empty.
        problems: Vec<Problem>,
    },
}

/// One mistake of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The program whose table it is, where it is one.
    pub program: Option<String>,
    /// What is wrong.
    pub mistake: Mistake,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Mistake {
    /// It is no TOML.
    #[error("{message}")]
    Syntax {
        /// In the words of the parser.
        message: String,
    },
    /// There is no such key.
    #[error("unknown key '{key}' ({hint})")]
    UnknownKey {
        /// As it is written.
        key: String,
        /// The nearest key, or all.
        hint: String,
    },
    /// The key takes no such value.
    #[error("{key} cannot be {value}: it takes {takes}")]
    BadValue {
        /// The key.
        key: &'static str,
        /// The value as it is written, shortened.
        value: String,
        /// What is allowed.
        takes: &'static str,
    },
    /// The value is good alone, and not with the others.
    #[error("{key} cannot be {value}: {reason}")]
    CannotBeMet {
        /// The key.
        key: &'static str,
        /// The value.
        value: String,
        /// Why not, and what would be right.
        reason: String,
    },
    /// A program has no command.
    #[error("it has no command (hint: command = [\"php\", \"worker.php\"])")]
    NoCommand,
    /// A table is something else, or something else is a table.
    #[error("'{key}' is a table (hint: {hint})")]
    NoTable {
        /// The key.
        key: String,
        /// How it would be right.
        hint: String,
    },
    /// A program has a name that is none.
    #[error(
        "a name has 1 to 64 letters, digits, '.', '-' and '_', a letter or digit first, and is not 'all'"
    )]
    BadName,
    /// The file with variables cannot be read, or has a line that is none.
    #[error("environment-file {}: {reason}", path.display())]
    EnvironmentFile {
        /// That file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file.display(), self.line)?;
        if let Some(program) = &self.program {
            write!(f, "program '{program}': ")?;
        }
        write!(f, "{}", self.mistake)
    }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
