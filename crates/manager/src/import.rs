//! Configurations of other supervisors become ours, with a report of what each key became.
//!
//! From: the INI file of GearmanManager, or `supervisord.conf` with all it includes. To: the text of our file, which
//! [`Config`] reads. Never: drops a key in silence; guesses a value that is not there.

mod draft;
mod expand;
mod gearman_manager;
mod ini;
mod report;
mod supervisord;

pub use report::{Became, Row};

use crate::ConfigError;
use crate::config::{Config, Problem};
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// What was imported.
#[derive(Debug)]
pub struct Imported {
    /// The text of our file.
    pub text: String,
    /// What each key of the other file became, in the order of that file.
    pub report: Vec<Row>,
}

/// What importing asks of the machine, and of the person.
pub struct Around<'a> {
    /// The value of a variable, for `%(ENV_X)s`.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// The name of the machine, for `%(host_node_name)s`.
    pub host: &'a str,
    /// The worker that takes the place of GearmanManager's own: it is started with the functions as arguments.
    pub worker: &'a [String],
}

/// Why nothing was imported.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ImportError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file is no INI file.
    #[error("{}: {reason}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// In the words of the parser.
        reason: String,
    },
    /// It is neither of the two formats.
    #[error(
        "{}: this is neither a configuration of GearmanManager nor of supervisord (hint: the one has a section \
         [GearmanManager], the other [program:NAME])",
        path.display()
    )]
    Unknown {
        /// The file.
        path: PathBuf,
    },
    /// A value is wrong, there as well.
    #[error("{}: [{section}] {key}: {reason}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// The section.
        section: String,
        /// The key.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// A value is right there, and cannot be here.
    #[error(
        "{}: what it says cannot stand in our file: {}",
        path.display(),
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    )]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What our file refuses, with lines of the text that was made.
        problems: Vec<Problem>,
    },
}

/// Imports a file of either format.
///
/// # Errors
/// When it, or a file that it includes, cannot be read or is wrong. Then nothing of it is imported.
pub fn import(path: &Path, around: &Around<'_>) -> Result<Imported, ImportError> {
    let folder = std::path::absolute(path)
        .map(|path| path.parent().unwrap_or(Path::new("/")).to_owned())
        .map_err(|source| ImportError::Unreadable { path: path.to_owned(), source })?;
    let text = ini::read(path)?;
    let is_manager = ini::sections(&text, path, ini::Dialect::Php).is_ok_and(|sections| {
        sections.iter().any(|section| section.name.eq_ignore_ascii_case(gearman_manager::MAIN))
    });
    let (draft, report) = if is_manager {
        gearman_manager::import(path, &folder, &text, around)?
    } else {
        supervisord::import(path, &folder, &text, around)?
    };
    let text = draft.to_toml(path);
    let no_file = |_: &Path| Err(io::ErrorKind::NotFound.into());
    match Config::parse(&text, Path::new("import"), &folder, &no_file) {
        Ok(_) => Ok(Imported { text, report }),
        Err(ConfigError::Wrong { problems }) => Err(ImportError::Unfit { path: path.to_owned(), problems }),
        Err(ConfigError::Unreadable { path, source }) => Err(ImportError::Unreadable { path, source }),
    }
}
