//! Files made from the options: manual page, completions, reference, sample configuration.

use crate::file::schedule::Key;
use crate::{cli, file};
use clap::{Arg, Command, ValueEnum};
use clap_complete::Shell;
use geartrain_core::PolicyKey;
use std::fmt::Write;

/// What can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Generated {
    Man,
    CompletionBash,
    CompletionZsh,
    CompletionFish,
    Reference,
    SampleConfig,
}

/// What the manual page says beyond the help.
const MORE: &str = "\
Signals: SIGTERM and SIGINT end the server at once, after --shutdown-grace; SIGUSR1 closes the port and ends it \
once only stored jobs remain; SIGHUP opens the log file anew and takes the policies and schedules that stand in the \
configuration file now. What was acknowledged is on disk whichever comes.

Exit status: 0 after a signal that asks for the end, and for --help, --version and a good --check-args; 1 for wrong \
usage, an unusable path or port, or a queue that cannot be loaded or stored.

Every option can stand in the configuration file by its long name (port = 4730), and in the environment \
(GEARMAND_PORT). The command line counts before the file, the file before the environment. $STATE_DIRECTORY is the \
folder of the queue when no file is named. Tables [function.\"NAME\"] of the file hold policies: retries, time \
limits, caps and rates by function or pattern; the sample configuration lists all of them.";

/// One of the files.
pub(crate) fn generate(what: Generated) -> anyhow::Result<Vec<u8>> {
    let mut command = cli::command();
    let mut out = Vec::new();
    let mut complete = |shell| clap_complete::generate(shell, &mut command, "gearmand", &mut out);
    match what {
        Generated::CompletionBash => complete(Shell::Bash),
        Generated::CompletionZsh => complete(Shell::Zsh),
        Generated::CompletionFish => complete(Shell::Fish),
        Generated::Man => {
            let source = concat!("Geartrain ", env!("CARGO_PKG_VERSION"));
            clap_mangen::Man::new(command.after_long_help(MORE))
                .section("8")
                .source(source)
                .render(&mut out)?;
        }
        Generated::Reference => out = reference(&command)?.into_bytes(),
        Generated::SampleConfig => out = sample(&command)?.into_bytes(),
    }
    Ok(out)
}

/// The options that a person sees, under their headings in their order.
fn sections(command: &Command) -> Vec<(&str, Vec<&Arg>)> {
    let mut sections: Vec<(&str, Vec<&Arg>)> = Vec::new();
    for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
        let heading = arg.get_help_heading().unwrap_or("Other");
        match sections.iter_mut().find(|(name, _)| *name == heading) {
            Some((_, args)) => args.push(arg),
            None => sections.push((heading, vec![arg])),
        }
    }
    sections
}

fn reference(command: &Command) -> Result<String, std::fmt::Error> {
    let mut out = String::from(
        "# Options of gearmand\n\nMade from the program by `cargo xtask generate`.\n\n\
         An option stands on the command line as here, in the configuration file by its long name without the \
         dashes,\nand in the environment as the variable. The command line counts before the file, the file before \
         the\nenvironment. Wrong usage ends the program with exit status 1, before anything is opened.\n",
    );
    for (heading, args) in sections(command) {
        write!(out, "\n## {heading}\n\n| option | variable | default | meaning |\n|---|---|---|---|\n")?;
        for arg in args {
            let short = arg.get_short().map(|short| format!("`-{short}`, ")).unwrap_or_default();
            let variable = arg.get_env().map(|name| format!("`{}`", name.display())).unwrap_or_default();
            let default = default(arg).map(|value| format!("`{value}`")).unwrap_or_default();
            writeln!(out, "| {short}`--{}` | {variable} | {default} | {} |", usage(arg), help(arg))?;
        }
    }
    policies(&mut out)?;
    schedules(&mut out)?;
    let foreign: Vec<_> = command
        .get_arguments()
        .filter(|arg| arg.is_hide_set() && file::is_key(arg))
        .filter(|arg| !["ssl", "protocol"].contains(&arg.get_id().as_str()))
        .map(|arg| format!("`--{}`", long(arg)))
        .collect();
    write!(
        out,
        "\n## Of the reference, not in this build\n\n`--ssl`, `--protocol` (`-r`) and the queue types that need the \
         options below are refused with the reason; where\nnothing uses them the options are taken: {}.\n\n\
         `--check-args` looks at options and configuration file only, and exits 0 or 1.\n",
        foreign.join(", ")
    )?;
    Ok(out)
}

/// The section about policies, from the rows that the parser has.
fn policies(out: &mut String) -> std::fmt::Result {
    out.push_str(
        "\n## Policies of functions\n\n\
         How the jobs of a function are treated stands in tables of the configuration file (in TOML), and can be \
         set while\nthe server runs with `gearadmin policy set`; that is kept with the queue. A table is named \
         after a function, or has\na pattern with `*` (any bytes, also none) and `?` (one byte):\n\n\
         ```toml\n[function.\"image.*\"]\nattempts = 3\nretry-on = [\"disconnect\", \"timeout\", \"fail\"]\n\
         backoff-first = \"10s\"\n```\n\n\
         Each value is looked up by itself: in what was set at run time for the function's own name, then in \
         patterns set at\nrun time, then in the file for its own name, then in patterns there; of several patterns \
         the one with more bytes\nbesides `*` and `?` counts, then the later one. `gearadmin policy show FUNCTION` \
         says where each value comes from. Times\nare numbers with `ms`, `s`, `m`, `h` or `d` behind them. What \
         is not set anywhere is as in the reference; `attempts`\nis `--job-retries` then.\n\n\
         | key | takes | default | meaning |\n|---|---|---|---|\n",
    );
    for key in PolicyKey::ALL {
        let (name, allowed, default, help) = (key.name(), key.allowed(), key.default_value(), key.help());
        writeln!(out, "| `{name}` | {allowed} | `{default}` | {help} |")?;
    }
    Ok(())
}

/// The section about schedules, from the rows that the parser has.
fn schedules(out: &mut String) -> std::fmt::Result {
    out.push_str(
        "\n## Schedules\n\n\
         What recurs stands in tables of the configuration file (in TOML), or is added while the server runs with\n\
         `gearadmin schedule add`; that is kept with the queue. Either way the server remembers the last run, and whether the\n\
         schedule is paused, under its name:\n\n\
         ```toml\n[schedule.nightly-report]\nwhen = \"30 2 * * MON-FRI\"\nzone = \"Europe/Berlin\"\nfunction = \"report\"\n\
         overlap = \"skip\"\n```\n\n\
         At daylight saving a line of every hour (`*/5 * * * *`) goes on through each real hour; a time of the day that the\n\
         clock skips runs once, when the skipped hour would have begun, and one that comes twice runs the first time. A run up\n\
         to a minute late is on time; what is later was missed. A clock that is set back runs nothing twice; one that was more\n\
         than a day ahead is taken to have been wrong.\n\n\
         | key | takes | meaning |\n|---|---|---|\n",
    );
    for Key { name, help, takes, .. } in &file::schedule::KEYS {
        writeln!(out, "| `{name}` | {takes} | {help} |")?;
    }
    Ok(())
}

fn sample(command: &Command) -> Result<String, std::fmt::Error> {
    let mut out = String::from(
        "# Sample configuration of gearmand: gearmand --config-file gearmand.toml\n\
         # Made from the program by `cargo xtask generate`. Every line that is commented out shows the default,\n\
         # or an example where there is none.\n",
    );
    for (heading, args) in sections(command) {
        let args: Vec<_> = args.into_iter().filter(|arg| file::is_key(arg)).collect();
        if !args.is_empty() {
            write!(out, "\n# {heading}\n")?;
        }
        for arg in args {
            write!(out, "\n# {}\n# {} = {}\n", help(arg), long(arg), example(arg))?;
        }
    }
    out.push_str(
        "\n# Policies\n\n\
         # How the jobs of functions are treated whose name has this pattern (*: any bytes, ?: one byte). There may be\n\
         # many such tables; they stand behind all other keys. Every value here is an example.\n\
         # [function.\"image.*\"]\n",
    );
    for key in PolicyKey::ALL {
        let (name, example) = (key.name(), quoted(key.example().to_owned()));
        write!(out, "\n# {}; takes {}\n# {name} = {example}\n", key.help(), key.allowed())?;
    }
    out.push_str(
        "\n# Schedules\n\n# What recurs. There may be many such tables.\n# [schedule.nightly-report]\n",
    );
    for Key { name, help, takes, example } in &file::schedule::KEYS {
        write!(out, "\n# {help}; takes {}\n# {name} = \"{example}\"\n", file::schedule::plain(takes))?;
    }
    Ok(out)
}

/// A value as TOML has it.
fn quoted(value: String) -> String {
    let is_bare = value.parse::<f64>().is_ok() || value.parse::<bool>().is_ok();
    if is_bare { value } else { format!("\"{value}\"") }
}

fn example(arg: &Arg) -> String {
    if !arg.get_action().takes_values() {
        return "false".to_owned();
    }
    let value = default(arg).unwrap_or_else(|| {
        match arg.get_id().as_str() {
            "port" => "4730",
            "job_retries" => "0",
            "worker_wakeup" => "1",
            "threads" => "2",
            "file_descriptors" => "65536",
            "connections_max" => "20000",
            "http_listen" => "127.0.0.1:8730",
            "socket" => "/run/gearmand/socket",
            "libsqlite3_db" => "/var/lib/gearmand/queue.sqlite3",
            "job_handle_prefix" => "H:host",
            "time_zone" => "UTC",
            "function_order" => "last-registered",
            "queue_type" => "libsqlite3",
            "user" => "gearman",
            "pid_file" => "/run/gearmand/gearmand.pid",
            "log_file" => "/var/log/gearmand.log",
            _ => "127.0.0.1",
        }
        .to_owned()
    });
    // A version is no number.
    let is_version = arg.get_id() == "compat";
    if matches!(arg.get_action(), clap::ArgAction::Append) {
        format!("[\"{value}\", \"::1\"]")
    } else if is_version {
        format!("\"{value}\"")
    } else {
        quoted(value)
    }
}

fn long(arg: &Arg) -> &str {
    arg.get_long().unwrap_or_default()
}

fn usage(arg: &Arg) -> String {
    let names = arg.get_value_names().filter(|_| arg.get_action().takes_values());
    let value = names.and_then(|names| names.first()).map(|name| format!(" {name}")).unwrap_or_default();
    format!("{}{value}", long(arg))
}

fn default(arg: &Arg) -> Option<String> {
    let value = arg.get_default_values().first().filter(|_| arg.get_action().takes_values())?;
    Some(value.to_string_lossy().into_owned())
}

fn help(arg: &Arg) -> String {
    arg.get_help().map(|help| help.to_string().replace('\n', " ").replace('|', "\\|")).unwrap_or_default()
}
