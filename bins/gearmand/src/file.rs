//! The configuration file: TOML with one key for each option, tables of policies and of schedules, or the
//! reference server's list of options.
//!
//! From: `--config-file`, or `/etc/gearmand.conf`. To: options as the command line has them, rules
//! and schedules. Never: takes a key that is none of these.

mod function;
pub(crate) mod schedule;

use anyhow::{Context, Result, bail};
use clap::{ArgAction, Command};
use geartrain_core::FileRule;
use geartrain_proto::command::ScheduleAdd;
use std::io::ErrorKind;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// All that stands in a file.
#[derive(Debug, Default)]
pub(crate) struct FileContents {
    pub(crate) options: Vec<FileOption>,
    /// The tables `[function."PATTERN"]`, each of them checked.
    pub(crate) rules: Vec<FileRule>,
    /// The tables `[schedule.NAME]`, each of them checked.
    pub(crate) schedules: Vec<ScheduleAdd>,
}

/// One option of the file.
#[derive(Debug, Clone)]
pub(crate) struct FileOption {
    /// Name of its field.
    pub(crate) id: String,
    /// File and line, for errors.
    pub(crate) place: String,
    long: String,
    value: Option<String>,
}

impl FileOption {
    /// The option as one argument.
    pub(crate) fn argument(&self) -> String {
        match &self.value {
            Some(value) => format!("--{}={value}", self.long),
            None => format!("--{}", self.long),
        }
    }
}

/// Reads the file; `None` when there is none.
pub(crate) fn read(command: &Command, path: &Path) -> Result<Option<FileContents>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(error)
                .with_context(|| format!("Could not open configuration file {}", path.display()));
        }
    };
    let reader = Reader { command, path, text: &text };
    if reader.is_list() {
        let options = reader.read_list()?;
        return Ok(Some(FileContents { options, ..FileContents::default() }));
    }
    reader.read_toml().map(Some)
}

struct Reader<'a> {
    command: &'a Command,
    path: &'a Path,
    text: &'a str,
}

impl Reader<'_> {
    /// Whether the file has the reference's format: options with their dashes.
    fn is_list(&self) -> bool {
        let mut lines = self.text.lines().map(str::trim_start);
        lines
            .find(|line| !line.is_empty() && !line.starts_with('#'))
            .is_some_and(|line| line.starts_with('-'))
    }

    /// Words that are neither option nor value are passed over, and a value may stand on the line after its
    /// option, as the reference has it.
    fn read_list(&self) -> Result<Vec<FileOption>> {
        let mut options = Vec::new();
        let lines = self.text.lines().enumerate();
        let mut words = lines.flat_map(|(index, line)| {
            let words = line.split_ascii_whitespace().take_while(|word| !word.starts_with('#'));
            words.map(move |word| (index + 1, word))
        });
        while let Some((line, word)) = words.next() {
            let Some(name) = word.strip_prefix('-') else { continue };
            options.push(self.list_option(name, &self.place(line), &mut words)?);
        }
        Ok(options)
    }

    fn list_option<'w>(
        &self,
        word: &str,
        place: &str,
        rest: &mut impl Iterator<Item = (usize, &'w str)>,
    ) -> Result<FileOption> {
        let (found, attached) = match word.strip_prefix('-') {
            Some(long) => {
                let (long, value) =
                    long.split_once('=').map_or((long, None), |(long, value)| (long, Some(value)));
                (self.find_long(long), value)
            }
            None => {
                let mut letters = word.chars();
                let short = letters.next();
                let value = Some(letters.as_str()).filter(|value| !value.is_empty());
                (self.command.get_arguments().find(|arg| arg.get_short() == short && short.is_some()), value)
            }
        };
        let Some(arg) = found else { bail!("{place}: unrecognised option '-{word}'") };
        let value =
            if takes_value(arg) { attached.or_else(|| rest.next().map(|(_, word)| word)) } else { attached };
        Ok(option(arg, place.to_owned(), value.map(str::to_owned)))
    }

    fn read_toml(&self) -> Result<FileContents> {
        let table = match DeTable::parse(self.text) {
            Ok(table) => table.into_inner(),
            Err(error) => {
                let line = error.span().map_or(1, |span| self.line(span.start));
                bail!("{}: {}", self.place(line), error.message());
            }
        };
        let mut contents = FileContents::default();
        for (key, value) in &table {
            let place = self.place(self.line(key.span().start));
            let name: &str = key.get_ref();
            if name == function::TABLES {
                contents.rules = function::read(self, &place, value)?;
                continue;
            }
            if name == schedule::TABLES {
                contents.schedules = schedule::read(self, &place, value)?;
                continue;
            }
            let Some(arg) = self.find_long(name) else {
                bail!("{place}: unknown key '{name}'{}", self.hint(name))
            };
            self.toml_option(arg, &place, value, &mut contents.options)?;
        }
        contents.options.sort_by_key(|option| option.id != "listen");
        Ok(contents)
    }

    fn toml_option(
        &self,
        arg: &clap::Arg,
        place: &str,
        value: &Spanned<DeValue<'_>>,
        options: &mut Vec<FileOption>,
    ) -> Result<()> {
        let name = arg.get_long().unwrap_or_default();
        let mut push = |value| options.push(option(arg, place.to_owned(), value));
        match value.get_ref() {
            DeValue::Boolean(true) if !takes_value(arg) => push(None),
            DeValue::Boolean(false) if !takes_value(arg) => {}
            _ if !takes_value(arg) => bail!("{place}: '{name}' is true or false"),
            DeValue::String(text) => push(Some(text.to_string())),
            DeValue::Integer(number) => push(Some(number.as_str().replace('_', ""))),
            DeValue::Array(values) if matches!(arg.get_action(), ArgAction::Append) => {
                for value in values {
                    self.toml_option(arg, place, value, options)?;
                }
            }
            DeValue::Boolean(_)
            | DeValue::Float(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_)
            | DeValue::Table(_) => {
                bail!("{place}: '{name}' takes a string or a number");
            }
        }
        Ok(())
    }

    /// The option of this name, unless it makes no sense in a file.
    fn find_long(&self, long: &str) -> Option<&clap::Arg> {
        self.command.get_arguments().find(|arg| arg.get_long() == Some(long) && is_key(arg))
    }

    fn hint(&self, name: &str) -> String {
        let longs =
            self.command.get_arguments().filter(|arg| !arg.is_hide_set()).filter_map(clap::Arg::get_long);
        longs
            .chain([function::TABLES, schedule::TABLES])
            .map(|long| (strsim::osa_distance(long, &name.replace('_', "-")), long))
            .min()
            .filter(|(distance, _)| *distance <= 3)
            .map(|(_, long)| format!(" (hint: did you mean '{long}'?)"))
            .unwrap_or_default()
    }

    fn place(&self, line: usize) -> String {
        format!("{}:{line}", self.path.display())
    }

    fn line(&self, offset: usize) -> usize {
        self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
    }
}

/// Whether an option can stand in a file.
pub(crate) fn is_key(arg: &clap::Arg) -> bool {
    !["config_file", "help", "version", "check_args", "generate"].contains(&arg.get_id().as_str())
}

fn takes_value(arg: &clap::Arg) -> bool {
    arg.get_action().takes_values()
}

fn option(arg: &clap::Arg, place: String, value: Option<String>) -> FileOption {
    let long = arg.get_long().unwrap_or_default().to_owned();
    FileOption { id: arg.get_id().to_string(), place, long, value }
}
