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
use std::path::Path;

const CONFIG_FILE: &str = "/etc/gearmand.conf";

/// Reads all options: the command line counts before the file, the file before the environment.
pub(crate) fn read(arguments: &[OsString]) -> Result<Raw> {
    let command = command();
    let FileContents { options, rules, schedules } = file_contents(&command, arguments)?;
    for option in &options {
        check(&command, option)?;
    }
    Ok(Raw { rules, schedules, ..join(&command, arguments, &options)? })
}

/// Where in the file the one option stands without which `is_good` would be.
pub(crate) fn place_of_fault(arguments: &[OsString], is_good: impl Fn(Raw) -> bool) -> Option<String> {
    let command = command();
    let options = file_contents(&command, arguments).ok()?.options;
    (0..options.len()).find_map(|index| {
        let mut others = options.clone();
        let option = others.remove(index);
        is_good(join(&command, arguments, &others).ok()?).then_some(option.place)
    })
}

/// What stands in the file, without the options that the command line has as well.
fn file_contents(command: &Command, arguments: &[OsString]) -> Result<FileContents> {
    let given = parse(command, arguments)?;
    let mut contents = read_file(command, &given)?;
    contents.options.retain(|option| given.value_source(&option.id) != Some(ValueSource::CommandLine));
    Ok(contents)
}

fn join(command: &Command, arguments: &[OsString], options: &[FileOption]) -> Result<Raw> {
    let (name, typed) = arguments.split_at(arguments.len().min(1));
    let from_file = options.iter().map(|option| option.argument().into());
    let all: Vec<OsString> = name.iter().cloned().chain(from_file).chain(typed.iter().cloned()).collect();
    Ok(Raw::from_arg_matches(&parse(command, &all)?)?)
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

fn read_file(command: &Command, given: &ArgMatches) -> Result<FileContents> {
    match given.get_one::<std::path::PathBuf>("config_file") {
        Some(path) => file::read(command, path)?.ok_or_else(|| {
            anyhow!("Could not open configuration file {}: it does not exist", path.display())
        }),
        None => Ok(file::read(command, Path::new(CONFIG_FILE))?.unwrap_or_default()),
    }
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
