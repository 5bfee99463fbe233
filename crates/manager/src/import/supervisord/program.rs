//! `[program:x]`: a program here, or one for each of its processes where these differ in more than their log files.

use super::values::{boolean, bytes, count, integer, mode, pairs, signal};
use super::{Importer, Order, Section};
use crate::import::ImportError;
use crate::import::draft::{Draft, Table};
use crate::import::expand::is_numbered;
use crate::import::report::{Row, Rows};
use geartrain_proto::units::{format_bytes, format_time};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use toml::Value;

/// What a value is read by: one process of one program.
struct Context<'a> {
    section: &'a str,
    program: &'a str,
    group: &'a str,
    number: i64,
    count: u32,
    /// Variables of the program, by which `%(ENV_X)s` goes first.
    environment: &'a BTreeMap<String, String>,
}

/// Where the output goes.
struct Logs {
    stdout: String,
    stderr: String,
    /// Whose rotation counts: `stdout` or `stderr`.
    rotated: &'static str,
}

impl Importer<'_> {
    pub(super) fn program(
        &mut self,
        draft: &mut Draft,
        section: &Section,
        name: &str,
        order: &mut Order,
        main: Option<&Section>,
    ) -> Result<(), ImportError> {
        let group = order.group(name).to_owned();
        let none = BTreeMap::new();
        let plain = Context {
            section: &section.name,
            program: name,
            group: &group,
            number: 0,
            count: 1,
            environment: &none,
        };
        let numbers = |key, default| -> Result<i64, ImportError> {
            let value = self.value(section, key, &plain)?;
            value.map_or(Ok(default), |text| self.right(&plain, key, integer(&text)))
        };
        let (processes, first) = (numbers("numprocs", 1)?, numbers("numprocs_start", 0)?);
        let Some(processes) = u32::try_from(processes).ok().filter(|count| (1..=1000).contains(count)) else {
            let reason = format!("'{processes}' is not from 1 to 1000");
            return Err(self.wrong(&section.name, "numprocs", reason));
        };
        let differ = ["command", "environment", "directory"];
        let differs = differ.iter().any(|key| section.value(key).is_some_and(is_numbered));
        let is_split = differs && processes > 1;
        let instances = if is_split { processes } else { 1 };
        for index in 0..instances {
            let context = Context { number: first + i64::from(index), count: processes, ..plain };
            let environment = self.program_environment(section, &context)?;
            let context = Context { environment: &environment, ..context };
            let mut rows = Vec::new();
            let table = self.table(section, &context, is_split, main, &mut rows)?;
            let wanted = if is_split { self.process_name(section, &context)? } else { name.to_owned() };
            let ours = draft.add(&wanted, table);
            if index == 0 {
                self.rows.append(&mut rows);
            }
            let mut rows = Rows { section: &section.name, all: &mut self.rows };
            if is_split {
                rows.this(
                    "(process)",
                    format!("[program.{ours}], of its own since %(process_num) is in its values"),
                );
            } else if ours != name {
                rows.this("(name)", format!("[program.{ours}]"));
            }
            order.became(name, ours);
        }
        Ok(())
    }

    /// Its variables, over those of `[supervisord]`.
    fn program_environment(
        &self,
        section: &Section,
        context: &Context<'_>,
    ) -> Result<BTreeMap<String, String>, ImportError> {
        let mut environment = self.environment.clone();
        if let Some(text) = self.value(section, "environment", context)? {
            environment.extend(self.right(context, "environment", pairs(&text))?);
        }
        Ok(environment)
    }

    fn process_name(&self, section: &Section, context: &Context<'_>) -> Result<String, ImportError> {
        let own = self.value(section, "process_name", context)?.filter(|own| own != context.program);
        Ok(own.unwrap_or_else(|| format!("{}-{}", context.program, context.number)))
    }

    /// The keys of one process, with a row for each key of the section.
    #[expect(clippy::too_many_lines, reason = "one arm per key")]
    fn table(
        &self,
        section: &Section,
        context: &Context<'_>,
        is_split: bool,
        main: Option<&Section>,
        all: &mut Vec<Row>,
    ) -> Result<Table, ImportError> {
        let mut table = Table::default();
        let mut rows = Rows { section: &section.name, all };
        let logs = self.logs(section, context, is_split)?;
        let Some(command) = self.value(section, "command", context)? else {
            return Err(self.wrong(&section.name, "command", "it is not there".to_owned()));
        };
        let words = shlex::split(&command).filter(|words| !words.is_empty());
        let words = self.right(
            context,
            "command",
            words.ok_or_else(|| "a quote is not closed, or it is empty".to_owned()),
        )?;
        let command = table.set("command", words.into_iter().map(Value::String).collect::<Vec<_>>());
        for (key, raw) in &section.keys {
            let right = |value: Result<Value, String>| self.right(context, key, value);
            let value = if key.ends_with("_logfile") {
                raw.clone()
            } else {
                self.value(section, key, context)?.unwrap_or_default()
            };
            let switch = |text: &str| boolean(text).map(Value::Boolean);
            match key.as_str() {
                "command" => rows.this(key, command.clone()),
                "numprocs" if is_split => rows.this(key, "a program for each process"),
                "numprocs" => rows.this(key, table.set("processes", i64::from(context.count))),
                "process_name" | "numprocs_start" if is_split => rows.this(key, "the names of the programs"),
                "process_name" | "numprocs_start" => {
                    rows.nothing(key, "processes have the program's name, and numbers from 0")
                }
                "priority" => rows.this(key, "after, where others have a lower one"),
                "autostart" => rows.this(key, table.set("autostart", right(switch(&value))?)),
                "startsecs" => {
                    let time = self.right(context, key, count(&value))?.min(3600);
                    rows.this(key, table.set("ready-after", format_time(Duration::from_secs(time.into()))));
                }
                "startretries" => {
                    let retries = self.right(context, key, count(&value))?;
                    rows.this(key, crash_loop(&mut table, retries));
                }
                "autorestart" => rows.this(key, table.set("restart", right(restart(&value))?)),
                "exitcodes" => rows.this(key, table.set("exit-codes", right(exit_codes(&value))?)),
                "stopsignal" => {
                    rows.this(key, table.set("stop-signal", right(signal(&value).map(Value::String))?))
                }
                "stopwaitsecs" => {
                    let time = self.right(context, key, count(&value))?.min(7 * 86_400);
                    rows.this(key, table.set("stop-patience", format_time(Duration::from_secs(time.into()))));
                }
                "stopasgroup" => rows.this(key, table.set("stop-group", right(switch(&value))?)),
                "killasgroup" => rows.nothing(key, "a kill always is for the whole process group"),
                "user" => rows.this(key, table.set("user", value)),
                "directory" => rows.this(key, table.set("directory", value)),
                "umask" => rows.this(key, table.set("umask", right(mode(&value).map(Value::String))?)),
                "environment" => rows.this(key, set_environment(&mut table, context.environment)),
                "redirect_stderr" if self.right(context, key, boolean(&value))? => {
                    rows.this(key, "stderr = \"stdout\", which is the default")
                }
                "redirect_stderr" => rows.this(key, format!("stderr = \"{}\"", logs.stderr)),
                "stdout_logfile" | "stdout_syslog" => {
                    rows.this(key, with_number(table.set("stdout", logs.stdout.clone())));
                }
                "stderr_logfile" | "stderr_syslog" => {
                    rows.this(key, with_number(table.set("stderr", logs.stderr.clone())));
                }
                _ if key.ends_with("_logfile_maxbytes") && key.starts_with(logs.rotated) => {
                    let size = match self.right(context, key, bytes(&value))? {
                        0 => "none".to_owned(),
                        size => format_bytes(size.clamp(4096, 1 << 40)),
                    };
                    rows.this(key, table.set("log-bytes", size));
                }
                _ if key.ends_with("_logfile_backups") && key.starts_with(logs.rotated) => {
                    let files = self.right(context, key, count(&value))?.min(1000);
                    rows.this(key, table.set("log-files", i64::from(files)));
                }
                _ => rows.nothing(key, nothing(key)),
            }
        }
        self.defaults(section, context, main, &logs, &mut table, &mut rows)?;
        Ok(table)
    }

    /// What supervisord does where a key is not there, and we would do otherwise.
    fn defaults(
        &self,
        section: &Section,
        context: &Context<'_>,
        main: Option<&Section>,
        logs: &Logs,
        table: &mut Table,
        rows: &mut Rows<'_>,
    ) -> Result<(), ImportError> {
        let lacks = |key: &str| section.value(key).is_none();
        if lacks("autorestart") {
            rows.this("(autorestart)", table.set("restart", "on-failure"));
        }
        if lacks("stopwaitsecs") {
            let said = table.set("stop-patience", "10s");
            rows.this("(stopwaitsecs)", format!("{said} (hint: give a job the time that it needs)"));
        }
        if lacks("environment") && !context.environment.is_empty() {
            rows.this("(environment)", set_environment(table, context.environment));
        }
        if lacks("stderr_logfile")
            && lacks("stderr_syslog")
            && logs.stderr != "stdout"
            && logs.stderr != logs.stdout
        {
            rows.this("(stderr_logfile)", table.set("stderr", logs.stderr.clone()));
        }
        for (key, ours) in [("user", "user"), ("directory", "directory"), ("umask", "umask")] {
            let Some(raw) = main.and_then(|main| main.value(key)).filter(|_| lacks(key)) else { continue };
            let value = self.expanded(super::MAIN, key, raw, &|_| None)?;
            let value = if key == "umask" { self.right(context, key, mode(&value))? } else { value };
            let said = table.set(ours, value);
            rows.this(&format!("({key})"), format!("{said}, from [supervisord]"));
        }
        rows.nothing("(functions)", "name them, and a process counts as ready once a job server lists it");
        Ok(())
    }

    fn logs(&self, section: &Section, context: &Context<'_>, is_split: bool) -> Result<Logs, ImportError> {
        let target = |stream: &str| -> Result<String, ImportError> {
            let is_on = |key: &str| -> Result<bool, ImportError> {
                let value = self.value(section, key, context)?;
                value.map_or(Ok(false), |text| self.right(context, key, boolean(&text)))
            };
            if is_on(&format!("{stream}_syslog"))? {
                return Ok("manager".to_owned());
            }
            let key = format!("{stream}_logfile");
            let Some(raw) = section.value(&key) else { return Ok("manager".to_owned()) };
            let shared = context.count > 1 && !is_split;
            let raw = if shared { number_in_path(raw) } else { raw.to_owned() };
            let value = self.expanded(context.section, &key, &raw, &|name| self.name(context, name))?;
            Ok(match value.to_ascii_lowercase().as_str() {
                "none" | "off" => "none".to_owned(),
                "auto" | "syslog" => "manager".to_owned(),
                "/dev/null" => "none".to_owned(),
                _ if ["/dev", "/proc"].iter().any(|folder| Path::new(&value).starts_with(folder)) => {
                    "manager".to_owned()
                }
                _ => value,
            })
        };
        let redirect = self.value(section, "redirect_stderr", context)?;
        let redirect =
            redirect.map_or(Ok(false), |text| self.right(context, "redirect_stderr", boolean(&text)))?;
        let stdout = target("stdout")?;
        let stderr = if redirect { "stdout".to_owned() } else { target("stderr")? };
        let is_file = |target: &str| !["manager", "none", "stdout"].contains(&target);
        let rotated = if !is_file(&stdout) && is_file(&stderr) { "stderr" } else { "stdout" };
        Ok(Logs { stdout, stderr, rotated })
    }

    /// A value of the section with its expressions replaced.
    fn value(
        &self,
        section: &Section,
        key: &str,
        context: &Context<'_>,
    ) -> Result<Option<String>, ImportError> {
        let Some(raw) = section.value(key) else { return Ok(None) };
        self.expanded(context.section, key, raw, &|name| self.name(context, name)).map(Some)
    }

    #[expect(clippy::unused_self, reason = "it is one of the places where names are known")]
    fn name(&self, context: &Context<'_>, name: &str) -> Option<String> {
        Some(match name {
            "program_name" => context.program.to_owned(),
            "group_name" => context.group.to_owned(),
            "process_num" => context.number.to_string(),
            "numprocs" => context.count.to_string(),
            _ => context.environment.get(name.strip_prefix("ENV_")?)?.clone(),
        })
    }

    fn right<T>(&self, context: &Context<'_>, key: &str, value: Result<T, String>) -> Result<T, ImportError> {
        value.map_err(|reason| self.wrong(context.section, key, reason))
    }
}

/// The path with our expression for the number of a process.
fn number_in_path(raw: &str) -> String {
    let Some((before, behind)) = raw.split_once("%(process_num)") else { return raw.to_owned() };
    let behind = behind.trim_start_matches(|c: char| c.is_ascii_digit());
    format!("{before}{{number}}{}", number_in_path(behind.get(1..).unwrap_or_default()))
}

fn with_number(said: String) -> String {
    if said.contains("{number}") { format!("{said}, from 0 and without zeros before it") } else { said }
}

/// After so many starts in a row that failed, it gives up.
fn crash_loop(table: &mut Table, retries: u32) -> String {
    let exits = (retries + 1).min(1000);
    // The pauses in between must fit: none, 1s, 2s, 4s and so on up to a minute, and what each start takes.
    let pauses: u64 = (1..exits).map(|pause| if pause > 6 { 60 } else { 1 << (pause - 1) }).sum();
    let within = (2 * pauses).clamp(60, 86_400);
    let said = table.set("crash-loop-exits", i64::from(exits));
    if within > 60 {
        let within = table.set("crash-loop-within", format_time(Duration::from_secs(within)));
        return format!("{said}, {within}");
    }
    said
}

fn restart(text: &str) -> Result<Value, String> {
    let restart = match (text.to_ascii_lowercase().as_str(), boolean(text)) {
        ("unexpected", _) => "on-failure",
        (_, Ok(true)) => "always",
        (_, Ok(false)) => "never",
        _ => return Err(format!("'{text}' is not true, false or unexpected")),
    };
    Ok(Value::String(restart.to_owned()))
}

fn exit_codes(text: &str) -> Result<Value, String> {
    let codes = text.split(',').map(str::trim).filter(|code| !code.is_empty());
    let code = |code: &str| code.parse::<u8>().map(|code| Value::Integer(code.into()));
    let codes: Result<Vec<_>, _> = codes.map(code).collect();
    codes.map(Value::Array).map_err(|_| format!("'{text}' is no list of numbers from 0 to 255"))
}

fn set_environment(table: &mut Table, environment: &BTreeMap<String, String>) -> String {
    let pairs = environment.iter().map(|(key, value)| (key.clone(), Value::String(value.clone())));
    table.set("environment", pairs.collect::<toml::Table>())
}

/// Why there is nothing for a key.
fn nothing(key: &str) -> &'static str {
    match key {
        "stdout_logfile_maxbytes"
        | "stdout_logfile_backups"
        | "stderr_logfile_maxbytes"
        | "stderr_logfile_backups" => "there is one rotation for both files, that of the other",
        "stdout_capture_maxbytes"
        | "stderr_capture_maxbytes"
        | "stdout_events_enabled"
        | "stderr_events_enabled" => "there are no events in the output",
        "serverurl" => "processes do not speak to the manager",
        _ => "supervisord knows no such key",
    }
}
