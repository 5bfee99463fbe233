//! Reading the file: TOML becomes a [`Config`], or all its mistakes at once.
//!
//! From: the text of the file. To: [`Config`]. Never: opens another file than the environments it names; takes a
//! file in part.

mod check;

use super::given::Given;
use super::keys::{AUTOSCALE, Key, MANAGER, PROGRAM};
use super::problem::{ConfigError, Mistake, Problem};
use super::{Autoscale, Config, LogTarget, Orphans, Program, ProgramName, environment};
use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

const PROGRAMS: &str = "program";
const SCALING: &str = "autoscale";

/// Reads another file, for its text.
type ReadFile<'a> = &'a dyn Fn(&Path) -> io::Result<String>;

/// Largest configuration or environment file, in bytes: it is read as a whole.
const FILE_BYTES_MAX: u64 = 16 << 20;

impl Config {
    /// Reads a file, and those with variables that it names.
    ///
    /// # Errors
    /// When it cannot be read, or is wrong: then all its mistakes, each with its line.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
        let bytes = read_bytes(path).map_err(unreadable)?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let line = line_of(error.as_bytes(), error.utf8_error().valid_up_to());
            let mistake = Mistake::Syntax { message: "it is not UTF-8".to_owned() };
            ConfigError::Wrong {
                problems: vec![Problem { file: path.to_owned(), line, program: None, mistake }],
            }
        })?;
        let folder = std::path::absolute(path).map_err(unreadable)?;
        let folder = folder.parent().unwrap_or(Path::new("/"));
        Self::parse(&text, path, folder, &read_file)
    }

    /// Reads the text of a file; relative paths in it are meant from `folder`, which is absolute, and `read_file`
    /// reads the files with variables.
    ///
    /// # Errors
    /// When it is wrong: all its mistakes, each with its line.
    pub fn parse(
        text: &str,
        path: &Path,
        folder: &Path,
        read_file: ReadFile<'_>,
    ) -> Result<Self, ConfigError> {
        let mut reader = Reader { text, path, folder, read_file, problems: Vec::new(), program: None };
        let config = reader.read();
        let mut problems = reader.problems;
        problems.sort_by_key(|problem| problem.line);
        if problems.is_empty() { Ok(config) } else { Err(ConfigError::Wrong { problems }) }
    }
}

impl Default for Config {
    fn default() -> Self {
        let server = geartrain_client::ServerAddress::Tcp {
            host: "localhost".to_owned(),
            port: geartrain_client::DEFAULT_PORT,
        };
        Self {
            servers: vec![server],
            socket: "/run/gearman-manager/socket".into(),
            socket_mode: 0o600,
            socket_user: None,
            socket_group: None,
            state_folder: "/var/lib/gearman-manager".into(),
            orphans: Orphans::Stop,
            programs: BTreeMap::new(),
        }
    }
}

fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let file = std::fs::File::open(path)?;
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(file, FILE_BYTES_MAX + 1), &mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is over 16 MiB"));
    }
    Ok(bytes)
}

fn read_file(path: &Path) -> io::Result<String> {
    // A FIFO would make the manager wait for whoever writes to it.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    let not_text = |_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8");
    String::from_utf8(read_bytes(path)?).map_err(not_text)
}

/// The line of what stands at this offset.
fn line_of(text: &[u8], at: usize) -> usize {
    text.iter().take(at).filter(|byte| **byte == b'\n').count() + 1
}

/// Where the keys of a table stand: the offset of each, and of the value behind it.
type Places = BTreeMap<&'static str, (usize, Range<usize>)>;

struct Reader<'a> {
    text: &'a str,
    path: &'a Path,
    folder: &'a Path,
    read_file: ReadFile<'a>,
    problems: Vec<Problem>,
    /// The program that is being read, for its problems.
    program: Option<String>,
}

impl Reader<'_> {
    fn read(&mut self) -> Config {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            let message = error.message().lines().next().unwrap_or_default().to_owned();
            self.note(error.span().map_or(0, |span| span.start), Mistake::Syntax { message });
        }
        let mut config = Config::default();
        if !errors.is_empty() {
            // What was understood in spite of them may be misunderstood.
            return config;
        }
        let table = table.get_ref();
        self.set_all(MANAGER, table, &[PROGRAMS], &mut config);
        config.socket = self.folder.join(&config.socket);
        config.state_folder = self.folder.join(&config.state_folder);
        let mut places = BTreeMap::new();
        if let Some((key, value)) = find(table, PROGRAMS) {
            let hint = "[program.resize]";
            for (name, value) in self.tables(key, value, PROGRAMS, hint) {
                self.program = Some(name.get_ref().to_string());
                let at = name.span().start;
                let read = self.read_program(at, value);
                match (ProgramName::parse(name.get_ref()), read) {
                    (None, _) => self.note(at, Mistake::BadName),
                    (Some(_), None) => {}
                    (Some(name), Some((program, places_of_program))) => {
                        places.insert(name.clone(), places_of_program);
                        config.programs.insert(name, program);
                    }
                }
                self.program = None;
            }
        }
        self.check_order(&config, &places);
        self.check_logs(&config, &places);
        config
    }

    fn read_program(&mut self, at: usize, value: &Spanned<DeValue<'_>>) -> Option<(Program, Places)> {
        let DeValue::Table(table) = value.get_ref() else {
            let name = self.program.clone().unwrap_or_default();
            let hint = format!("[program.{name}]");
            self.note(at, Mistake::NoTable { key: name, hint });
            return None;
        };
        let mut program = Program::new(self.folder.to_owned());
        let places = self.set_all(PROGRAM, table, &[SCALING], &mut program);
        if !places.contains_key("command") {
            self.note(at, Mistake::NoCommand);
        }
        if let Some((key, value)) = find(table, SCALING) {
            let at = key.span().start;
            if let DeValue::Table(table) = value.get_ref() {
                let mut scale = Autoscale::default();
                self.set_all(AUTOSCALE, table, &[], &mut scale);
                program.autoscale = Some(scale);
                self.check_scaling(&program, at);
            } else {
                let name = self.program.clone().unwrap_or_default();
                self.note(
                    at,
                    Mistake::NoTable { key: SCALING.to_owned(), hint: format!("[program.{name}.{SCALING}]") },
                );
            }
        }
        self.check_together(&program, &places);
        self.make_absolute(&mut program);
        self.read_environment(&mut program, &places);
        Some((program, places))
    }

    /// Sets the values of a table in the order of `keys`, notes what is wrong, and says where they stand.
    fn set_all<T>(
        &mut self,
        keys: &'static [Key<T>],
        table: &DeTable<'_>,
        beside: &[&'static str],
        of: &mut T,
    ) -> Places {
        let mut places = Places::new();
        for key in keys {
            let Some((name, value)) = find(table, key.name) else { continue };
            places.insert(key.name, (name.span().start, value.span()));
            let given = Given(value.get_ref());
            if (key.set)(of, given).is_none() {
                let value = given.excerpt(self.source(value.span()));
                self.note(name.span().start, Mistake::BadValue { key: key.name, value, takes: key.takes });
            }
        }
        let names: Vec<_> = keys.iter().map(|key| key.name).chain(beside.iter().copied()).collect();
        for (name, _) in table {
            let key = name.get_ref();
            if !names.contains(&key.as_ref()) {
                let hint = hint(key, &names);
                self.note(name.span().start, Mistake::UnknownKey { key: key.to_string(), hint });
            }
        }
        places
    }

    /// The entries of a table of tables, in the order of the file.
    fn tables<'t, 'i>(
        &mut self,
        key: &Spanned<std::borrow::Cow<'i, str>>,
        value: &'t Spanned<DeValue<'i>>,
        name: &str,
        hint: &str,
    ) -> Vec<(&'t Spanned<std::borrow::Cow<'i, str>>, &'t Spanned<DeValue<'i>>)> {
        let DeValue::Table(table) = value.get_ref() else {
            let mistake = Mistake::NoTable { key: name.to_owned(), hint: hint.to_owned() };
            self.note(key.span().start, mistake);
            return Vec::new();
        };
        table.iter().collect()
    }

    fn make_absolute(&self, program: &mut Program) {
        let absolute = |path: &mut PathBuf| *path = self.folder.join(&*path);
        absolute(&mut program.directory);
        program.environment_file.iter_mut().for_each(absolute);
        for target in [&mut program.stdout, &mut program.stderr] {
            if let LogTarget::File(path) = target {
                absolute(path);
            }
        }
        program.watch = program.watch.iter().map(|pattern| pattern.below(self.folder)).collect();
    }

    fn read_environment(&mut self, program: &mut Program, places: &Places) {
        let Some(path) = &program.environment_file else { return };
        let read = (self.read_file)(path).map_err(|error| format!("cannot read it: {error}"));
        let parsed = read.and_then(|text| {
            let wrong = |line| format!("line {line} is no NAME=VALUE");
            environment::parse(&text).map_err(wrong)
        });
        match parsed {
            Ok(variables) => program.environment_of_file = variables,
            Err(reason) => {
                let at = places.get("environment-file").map_or(0, |(at, _)| *at);
                let path = path.clone();
                self.note(at, Mistake::EnvironmentFile { path, reason });
            }
        }
    }

    fn note(&mut self, at: usize, mistake: Mistake) {
        let line = line_of(self.text.as_bytes(), at);
        let (file, program) = (self.path.to_owned(), self.program.clone());
        self.problems.push(Problem { file, line, program, mistake });
    }

    /// How a value is written.
    fn source(&self, span: Range<usize>) -> &str {
        self.text.get(span).unwrap_or_default()
    }
}

fn find<'t, 'i>(
    table: &'t DeTable<'i>,
    key: &str,
) -> Option<(&'t Spanned<std::borrow::Cow<'i, str>>, &'t Spanned<DeValue<'i>>)> {
    table.iter().find(|(name, _)| name.get_ref() == key)
}

/// The name that was meant, or all there are.
fn hint(key: &str, names: &[&str]) -> String {
    let key = key.replace('_', "-").to_ascii_lowercase();
    let near = names.iter().map(|name| (strsim::osa_distance(name, &key), name)).min();
    match near.filter(|(distance, _)| *distance <= 3) {
        Some((_, name)) => format!("hint: did you mean '{name}'?"),
        None => {
            let mut names = names.to_vec();
            names.sort_unstable();
            format!("hint: there are {}", names.join(", "))
        }
    }
}
