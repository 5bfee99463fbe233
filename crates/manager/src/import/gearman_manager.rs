//! The INI file of GearmanManager, and what its workers did.
//!
//! GearmanManager is supervisor and worker in one: it loads the PHP files of a folder and registers a function for
//! each. Here a worker of one's own takes the second part. Its arguments are the functions, and what it needs beside
//! that is in its environment: `GEARMAN_SERVERS`, `WORKER_DIR`, `WORKER_PREFIX`, `WORKER_MAX_RUNS` and
//! `WORKER_TIMEOUTS` (`NAME=SECONDS`, with commas).
//!
//! Never: starts more or fewer processes for a function than GearmanManager did.

use super::draft::{Draft, Table};
use super::ini::{Dialect, Section, sections};
use super::report::{Row, Rows};
use super::{Around, ImportError};
use geartrain_proto::units::format_time;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::Value;

/// The section that is no function.
pub(super) const MAIN: &str = "GearmanManager";

/// The program of the processes that do all functions which are not dedicated.
const SHARED: &str = "shared";

/// What it did where a key is not there.
const LIFETIME_DEFAULT: u64 = 3600;
const SPLAY_DEFAULT: u64 = 600;
const SHUTDOWN_DEFAULT: u64 = 60;

/// Longest time that is taken from a file, in seconds.
const SECONDS_MAX: u64 = 365 * 86_400;

struct Importer<'a> {
    path: &'a Path,
    folder: &'a Path,
    main: Section,
    functions: BTreeMap<String, Section>,
    worker: &'a [String],
    rows: Vec<Row>,
}

/// How the processes of a function are counted.
struct Counts {
    /// Processes that do this function alone.
    dedicated: u64,
    /// Whether the processes that do all functions leave it out.
    only: bool,
}

pub(super) fn import(
    path: &Path,
    folder: &Path,
    text: &str,
    around: &Around<'_>,
) -> Result<(Draft, Vec<Row>), ImportError> {
    let mut main = Section { name: MAIN.to_owned(), keys: Vec::new() };
    let mut functions = BTreeMap::new();
    for section in sections(text, path, Dialect::Php)? {
        if section.name.eq_ignore_ascii_case(MAIN) {
            main = section;
        } else {
            functions.insert(section.name.clone(), section);
        }
    }
    let importer = Importer { path, folder, main, functions, worker: around.worker, rows: Vec::new() };
    importer.import()
}

impl Importer<'_> {
    fn import(mut self) -> Result<(Draft, Vec<Row>), ImportError> {
        let names = self.names();
        let all_count = self.number(&self.main, "count")?.unwrap_or(0);
        let mut counts = Vec::new();
        for name in &names {
            counts.push((name.clone(), self.counts(name, all_count)?));
        }
        let mut draft = Draft::default();
        let mut common = Table::default();
        self.main_rows(&mut draft, &mut common, all_count)?;
        self.function_rows(&names)?;
        let shared: Vec<String> =
            counts.iter().filter(|(_, counts)| !counts.only).map(|(name, _)| name.clone()).collect();
        if all_count > 0 && !shared.is_empty() {
            self.add(&mut draft, SHARED, &shared, all_count, &common)?;
        }
        for (name, counts) in counts.iter().filter(|(_, counts)| counts.dedicated > 0) {
            self.add(&mut draft, name, std::slice::from_ref(name), counts.dedicated, &common)?;
        }
        Ok((draft, self.rows))
    }

    /// The functions: the PHP files of the folders where they can be read, else what the file names.
    fn names(&mut self) -> Vec<String> {
        let (mut names, mut unread) = (Vec::new(), Vec::new());
        for folder in self.worker_folders() {
            match std::fs::read_dir(&folder) {
                Ok(entries) => {
                    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
                    let php =
                        paths.filter(|path| path.extension().is_some_and(|extension| extension == "php"));
                    names.extend(php.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())));
                }
                Err(_) => unread.push(folder.display().to_string()),
            }
        }
        let include = self.list("include");
        if !unread.is_empty() {
            let named = include.iter().filter(|name| *name != "*").cloned();
            names.extend(named.chain(self.functions.keys().cloned()));
            let mut rows = Rows { section: MAIN, all: &mut self.rows };
            let why = format!(
                "{} cannot be read, so only the functions that the file names are known (hint: import on the machine \
                 of the workers, in the folder from which GearmanManager is started)",
                unread.join(", ")
            );
            rows.nothing("(functions of worker_dir)", why);
        }
        let exclude = self.list("exclude");
        let all = include.is_empty() || include.iter().any(|name| name == "*");
        names.retain(|name| (all || include.contains(name)) && !exclude.contains(name));
        names.sort();
        names.dedup();
        // Those with a higher priority are registered first.
        names.sort_by_key(|name| std::cmp::Reverse(self.priority(name)));
        names
    }

    fn priority(&self, name: &str) -> i64 {
        let priority = self.functions.get(name).and_then(|section| section.value("priority")?.parse().ok());
        priority.unwrap_or(0)
    }

    fn worker_folders(&self) -> Vec<PathBuf> {
        let folders = self.list("worker_dir");
        let folders = if folders.is_empty() { vec!["./workers".to_owned()] } else { folders };
        let plain = |folder: &String| self.folder.join(folder.strip_prefix("./").unwrap_or(folder));
        folders.iter().map(plain).collect()
    }

    /// The processes of a function, counted as GearmanManager does: `count` counts those that do all functions.
    fn counts(&self, name: &str, all_count: u64) -> Result<Counts, ImportError> {
        let none = Section { name: name.to_owned(), keys: Vec::new() };
        let section = self.functions.get(name).unwrap_or(&none);
        let dedicated = self.number(section, "dedicated_count")?.filter(|count| *count > 0);
        if self.number(section, "dedicated_only")?.is_some_and(|only| only > 0) {
            let Some(dedicated) = dedicated else {
                let reason = "it needs a dedicated_count, or GearmanManager does not start".to_owned();
                return Err(self.wrong(name, "dedicated_only", reason));
            };
            return Ok(Counts { dedicated, only: true });
        }
        let own = self.number(section, "count")?.unwrap_or(0);
        let min = all_count.max(1).max(own);
        let of_main = self.number(&self.main, "dedicated_count")?.filter(|count| *count > 0);
        let most = dedicated.or(of_main).map_or(min, |count| min.max(all_count + count));
        Ok(Counts { dedicated: most - all_count, only: false })
    }

    fn add(
        &mut self,
        draft: &mut Draft,
        name: &str,
        functions: &[String],
        count: u64,
        common: &Table,
    ) -> Result<(), ImportError> {
        let mut table = Table::default();
        let words = self.worker.iter().chain(functions).cloned().map(Value::String);
        table.set("command", words.collect::<Vec<_>>());
        let names: Vec<_> = functions.iter().cloned().map(Value::String).collect();
        table.set("functions", names);
        table.set("processes", i64::try_from(count).unwrap_or(i64::MAX));
        table.extend(common);
        let environment = self.environment(functions)?;
        table.set("environment", environment);
        let said = draft.add(name, table);
        let of = if functions.len() == 1 {
            "of this function alone"
        } else {
            "of all functions that are not dedicated"
        };
        let section = if functions.len() == 1 && name != SHARED { name } else { MAIN };
        let mut rows = Rows { section, all: &mut self.rows };
        rows.this("(processes)", format!("[program.{said}] processes = {count}, {of}"));
        Ok(())
    }

    /// What the worker has to know.
    fn environment(&self, functions: &[String]) -> Result<toml::Table, ImportError> {
        let mut variables = toml::Table::new();
        let mut set = |name: &str, value: String| {
            if !value.is_empty() {
                variables.insert(name.to_owned(), Value::String(value));
            }
        };
        set("GEARMAN_SERVERS", self.servers().join(","));
        let folders: Vec<_> =
            self.worker_folders().iter().map(|folder| folder.display().to_string()).collect();
        set("WORKER_DIR", folders.join(","));
        set("WORKER_PREFIX", self.main.value("prefix").unwrap_or_default().to_owned());
        let runs = self.number(&self.main, "max_runs_per_worker")?.filter(|runs| *runs > 0);
        set("WORKER_MAX_RUNS", runs.map(|runs| runs.to_string()).unwrap_or_default());
        let of_main = self.number(&self.main, "timeout")?;
        let mut timeouts = Vec::new();
        for name in functions {
            let own = match self.functions.get(name) {
                Some(section) => self.number(section, "timeout")?,
                None => None,
            };
            timeouts.extend(
                own.or(of_main).filter(|timeout| *timeout > 0).map(|timeout| format!("{name}={timeout}")),
            );
        }
        set("WORKER_TIMEOUTS", timeouts.join(","));
        Ok(variables)
    }

    fn servers(&self) -> Vec<String> {
        let servers = self.list("host");
        if servers.is_empty() { vec!["127.0.0.1".to_owned()] } else { servers }
    }

    /// What becomes of the keys of the main section.
    fn main_rows(&mut self, draft: &mut Draft, common: &mut Table, all: u64) -> Result<(), ImportError> {
        let servers: Vec<_> = self.servers().into_iter().map(Value::String).collect();
        let servers = draft.manager.set("servers", servers);
        let seconds = |key| self.number(&self.main, key).map(|given| given.filter(|seconds| *seconds > 0));
        let lifetime = seconds("max_worker_lifetime")?.unwrap_or(LIFETIME_DEFAULT).min(SECONDS_MAX);
        let splay = seconds("worker_restart_splay")?.unwrap_or(SPLAY_DEFAULT).min(SECONDS_MAX);
        let patience = seconds("graceful_shutdown_wait_time")?.unwrap_or(SHUTDOWN_DEFAULT).min(7 * 86_400);
        let longest = common.set("lifetime", format_time(Duration::from_secs(lifetime + splay)));
        let jitter = common.set("lifetime-jitter", share(splay, lifetime + splay));
        let lives = format!("{longest}, {jitter}: {lifetime}s to {}s, as before", lifetime + splay);
        let patience = common.set("stop-patience", format_time(Duration::from_secs(patience)));
        let folders = self.worker_folders();
        let worker = self.worker.join(" ");
        let main = std::mem::replace(&mut self.main, Section { name: MAIN.to_owned(), keys: Vec::new() });
        let mut rows = Rows { section: MAIN, all: &mut self.rows };
        let program = format!(
            "command = \"{worker} FUNCTION...\": this worker loads the files, which GearmanManager did itself, by what \
             its environment says (hint: packaging/worker.php does it; put it beside the file)"
        );
        rows.this("(workers)", program);
        for (key, value) in &main.keys {
            match key.as_str() {
                "worker_dir" => rows.this(key, "WORKER_DIR in environment"),
                "include" | "exclude" => rows.this(key, "the programs that there are"),
                "count" if all == 0 => rows.this(key, "no program for all functions"),
                "count" => rows.this(key, format!("[program.{SHARED}] processes = {all}")),
                "dedicated_count" => rows.this(key, "processes of the programs of one function"),
                "host" => rows.this(key, format!("{servers}, and GEARMAN_SERVERS in environment")),
                "max_worker_lifetime" => {
                    rows.this(key, format!("{lives}; a job is never killed at one and a half of it"));
                }
                "worker_restart_splay" => rows.this(key, jitter.clone()),
                "graceful_shutdown_wait_time" => {
                    rows.this(key, format!("{patience}; a job may go on for stop-patience-job, an hour"));
                }
                "auto_update" if value.is_empty() || value == "0" => rows.this(key, "no watch"),
                "auto_update" => {
                    let patterns = folders.iter().map(|folder| format!("{}/*.php", folder.display()));
                    let watch = common.set("watch", patterns.map(Value::String).collect::<Vec<_>>());
                    rows.this(key, watch);
                }
                "user" => {
                    let user = common.set("user", value.clone());
                    rows.this(key, user);
                }
                "log_file" if value == "syslog" => {
                    let stdout = common.set("stdout", "manager");
                    rows.this(key, format!("{stdout}: to what takes the manager's output, as the journal does"));
                }
                "log_file" => {
                    let stdout = common.set("stdout", value.clone());
                    rows.this(key, format!("{stdout}, which now has what the workers say"));
                }
                "prefix" => rows.this(key, "WORKER_PREFIX in environment"),
                "max_runs_per_worker" => rows.this(key, "WORKER_MAX_RUNS in environment: the worker leaves by itself"),
                "timeout" => rows.this(
                    key,
                    "WORKER_TIMEOUTS in environment; a policy of the server does it without the worker (hint: gearadmin \
                     policy set FUNCTION timeout=...)",
                ),
                "pid_file" | "daemon" => {
                    rows.nothing(key, "the manager stays in the foreground, under systemd or in a container");
                }
                "verbose" => rows.nothing(key, "how much the workers say is for them to know"),
                "worker_initial_spawn_splay" => {
                    rows.nothing(key, "processes are started without a pause between them");
                }
                _ => rows.nothing(key, "GearmanManager knows no such key"),
            }
        }
        if main.value("max_worker_lifetime").is_none() {
            rows.this("(max_worker_lifetime)", lives);
        }
        if main.value("graceful_shutdown_wait_time").is_none() {
            rows.this("(graceful_shutdown_wait_time)", patience);
        }
        self.main = main;
        Ok(())
    }

    /// What becomes of the keys of the functions' sections.
    fn function_rows(&mut self, names: &[String]) -> Result<(), ImportError> {
        let functions = std::mem::take(&mut self.functions);
        for (name, section) in &functions {
            let mut rows = Rows { section: name, all: &mut self.rows };
            for (key, _) in &section.keys {
                match key.as_str() {
                    _ if !names.contains(name) => {
                        rows.nothing(
                            key,
                            "there is no such function: no file of worker_dir, or it is excluded",
                        );
                    }
                    "count" | "dedicated_count" => rows.this(key, "processes, see below"),
                    "dedicated_only" => rows.this(key, "not among the functions of the program for all"),
                    "priority" => rows.this(key, "its place among the functions"),
                    "timeout" => rows.this(key, "WORKER_TIMEOUTS in environment"),
                    _ => rows.nothing(key, "GearmanManager knows no such key"),
                }
            }
        }
        self.functions = functions;
        Ok(())
    }

    /// The parts of a value with commas.
    fn list(&self, key: &str) -> Vec<String> {
        let value = self.main.value(key).unwrap_or_default();
        value.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    /// A number as PHP reads it where it is one; up to a thousand million.
    fn number(&self, section: &Section, key: &str) -> Result<Option<u64>, ImportError> {
        let Some(value) = section.value(key).filter(|value| !value.is_empty()) else { return Ok(None) };
        match value.parse::<u64>() {
            Ok(number) if number <= 1_000_000_000 => Ok(Some(number)),
            _ => Err(self.wrong(&section.name, key, format!("'{value}' is no number"))),
        }
    }

    fn wrong(&self, section: &str, key: &str, reason: String) -> ImportError {
        let (path, section, key) = (self.path.to_owned(), section.to_owned(), key.to_owned());
        ImportError::Wrong { path, section, key, reason }
    }
}

/// A part of a whole, with four digits.
#[expect(clippy::cast_precision_loss, reason = "seconds of some years")]
fn share(part: u64, whole: u64) -> f64 {
    (part as f64 / whole as f64 * 10_000.0).round() / 10_000.0
}
