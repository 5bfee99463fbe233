//! Reading the options, with the manners of the reference server.
//!
//! From: the command line, the environment, the configuration file. To: [`Raw`].
//! Never: guesses an option from its beginning, or ends the process.

use crate::file::{self, FileContents, FileOption};
use crate::raw::Raw;
use anyhow::{Result, anyhow, bail};
use clap::builder::BoolishValueParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, Command, CommandFactory, FromArgMatches};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

const CONFIG_FILE: &str = "/etc/gearmand.conf";

/// Where options are read from, as often as they are.
#[derive(Debug)]
pub(crate) struct Sources {
    arguments: Vec<OsString>,
    /// Read where the arguments name no other, if it exists.
    default_file: PathBuf,
    /// Whether it did.
    had_default: AtomicBool,
}

impl Sources {
    pub(crate) fn new(arguments: Vec<OsString>) -> Self {
        Self::with_default(arguments, CONFIG_FILE.into())
    }

    fn with_default(arguments: Vec<OsString>, default_file: PathBuf) -> Self {
        Self { arguments, default_file, had_default: AtomicBool::new(false) }
    }

    /// The command line, with the name of the program.
    pub(crate) fn arguments(&self) -> &[OsString] {
        &self.arguments
    }

    /// Reads all options: the command line counts before the file, the file before the environment.
    ///
    /// # Errors
    /// When an option is wrong, or a file is missing that was named or was there before: somebody is about to write
    /// it anew, and all that stood in it must not end with it.
    pub(crate) fn read(&self) -> Result<Raw> {
        let command = command();
        let FileContents { options, rules, schedules } = self.file_contents(&command)?;
        for option in &options {
            check(&command, option)?;
        }
        Ok(Raw { rules, schedules, ..self.join(&command, &options)? })
    }

    /// Where in the file the one option stands without which `is_good` would be.
    pub(crate) fn place_of_fault(&self, is_good: impl Fn(Raw) -> bool) -> Option<String> {
        let command = command();
        let options = self.file_contents(&command).ok()?.options;
        (0..options.len()).find_map(|index| {
            let mut others = options.clone();
            let option = others.remove(index);
            is_good(self.join(&command, &others).ok()?).then_some(option.place)
        })
    }

    /// What stands in the file, without the options that the command line has as well.
    fn file_contents(&self, command: &Command) -> Result<FileContents> {
        let given = parse(command, &self.arguments)?;
        let mut contents = self.read_file(command, &given)?;
        contents.options.retain(|option| given.value_source(&option.id) != Some(ValueSource::CommandLine));
        Ok(contents)
    }

    fn read_file(&self, command: &Command, given: &ArgMatches) -> Result<FileContents> {
        let missing = |path: &Path, hint| {
            anyhow!("Could not open configuration file {}: it does not exist{hint}", path.display())
        };
        if let Some(path) = given.get_one::<PathBuf>("config_file") {
            return file::read(command, path)?.ok_or_else(|| missing(path, ""));
        }
        let path = &self.default_file;
        match file::read(command, path)? {
            Some(contents) => {
                self.had_default.store(true, Ordering::Relaxed);
                Ok(contents)
            }
            None if self.had_default.load(Ordering::Relaxed) => {
                Err(missing(path, " any more (hint: an empty one takes back all that stood in it)"))
            }
            None => Ok(FileContents::default()),
        }
    }

    fn join(&self, command: &Command, options: &[FileOption]) -> Result<Raw> {
        let (name, typed) = self.arguments.split_at(self.arguments.len().min(1));
        let from_file = options.iter().map(|option| option.argument().into());
        let all: Vec<OsString> = name.iter().cloned().chain(from_file).chain(typed.iter().cloned()).collect();
        Ok(Raw::from_arg_matches(&parse(command, &all)?)?)
    }
}

/// The help text.
pub(crate) fn help() -> String {
    command().render_help().to_string()
}

/// The options; -1 is a value, a variable may say 1 or yes for true, and the variables are named once, at
/// the end of the help.
pub(crate) fn command() -> Command {
    Raw::command().mut_args(|arg| {
        let takes_value = arg.get_action().takes_values();
        let is_flag = matches!(arg.get_action(), ArgAction::SetTrue);
        let arg = arg.hide_env(true).allow_negative_numbers(takes_value);
        if is_flag { arg.value_parser(BoolishValueParser::new()) } else { arg }
    })
}

/// Looks at one option of the file alone, so that an error can name its line.
fn check(command: &Command, option: &FileOption) -> Result<()> {
    let arguments = ["gearmand".into(), OsString::from(option.argument())];
    match parse(command, &arguments) {
        Ok(_) => Ok(()),
        Err(error) => bail!("{}: {error}", option.place),
    }
}

fn parse(command: &Command, arguments: &[OsString]) -> Result<ArgMatches> {
    command.clone().try_get_matches_from(arguments).map_err(|error| anyhow!(explain(&error)))
}

/// The reference's words for what is wrong with the options.
fn explain(error: &clap::Error) -> String {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.as_str(),
        _ => "",
    };
    let argument = context(ContextKind::InvalidArg);
    let option = argument.split([' ', '=']).next().unwrap_or(argument);
    let value = context(ContextKind::InvalidValue);
    #[expect(clippy::wildcard_enum_match_arm, reason = "the library may add kinds")]
    match error.kind() {
        ErrorKind::UnknownArgument => format!("unrecognised option '{argument}'"),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation if !value.is_empty() => {
            format!("the argument ('{value}') for option '{option}' is invalid")
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            format!("the required argument for option '{option}' is missing")
        }
        ErrorKind::ArgumentConflict => format!("option '{option}' cannot be specified more than once"),
        ErrorKind::TooManyValues => format!("option '{option}' does not take any arguments"),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_default_file_that_was_there_must_be_there_when_it_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gearmand.conf");
        let sources = Sources::with_default(vec!["gearmand".into()], path.clone());
        assert!(sources.read().unwrap().rules.is_empty(), "nobody has to have one");
        fs::write(&path, "[function.f]\nattempts = 2\n").unwrap();
        assert_eq!(sources.read().unwrap().rules.len(), 1);
        fs::remove_file(&path).unwrap();
        let error = sources.read().unwrap_err().to_string();
        assert!(error.contains("does not exist any more (hint: an empty one"), "{error}");
        fs::write(&path, "").unwrap();
        assert!(sources.read().unwrap().rules.is_empty(), "an empty one has nothing in it");
    }
}
