//! The keys of `[program.NAME]`, but for its table `autoscale`.

use super::{DAY, Effect, HOUR, Key, SECOND, decimal, list, mode, number, or_none, path, table, text, time};
use crate::config::given::NONE;
use crate::config::{CrashLoop, LogTarget, Processes, Program, ProgramName, Replace, Restart, WatchPattern};
use geartrain_proto::limits::FUNCTION_BYTES_MAX;
use geartrain_proto::units::{TIME_MAX, format_bytes, parse_number};
use nix::sys::signal::Signal;
use std::path::Path;
use std::time::Duration;
use toml::Value;

const SHELL: &str = "/bin/sh";
const PROCESSES_MAX: u32 = 1000;

/// Signals that may ask a process for its end.
const SIGNALS: [Signal; 9] = [
    Signal::SIGTERM,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGHUP,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGALRM,
    Signal::SIGWINCH,
    Signal::SIGKILL,
];

/// The keys of `[program.NAME]`, but for its table `autoscale`.
///
/// Values are set in this order: `shell` says how `command` is read, and `crash-loop-exits` whether there is what
/// `crash-loop-within` belongs to.
pub const PROGRAM: &[Key<Program>] = &[
    Key {
        name: "shell",
        help: "Whether a shell (/bin/sh -c) reads the command, which then is one line",
        takes: "true or false",
        default: "false",
        example: "true",
        effect: Effect::Restart,
        set: |program, given| {
            program.command.shell = given.switch()?;
            Some(())
        },
        show: |program| Some(Value::Boolean(program.command.shell)),
    },
    Key {
        name: "command",
        help: "What is started: a program, looked for in PATH where it has no slash, and its arguments",
        takes: "a list of words, or a line that is split at spaces as a shell would, with quotes and backslashes (a line \
                with | && > or the like needs shell = true)",
        default: "none: every program has one",
        example: "[\"php\", \"worker.php\"]",
        effect: Effect::Restart,
        set: |program, given| {
            program.command.words = words(given, program.command.shell)?;
            Some(())
        },
        show: |program| match program.command.words.as_slice() {
            [_, _, line] if program.command.shell => text(line),
            words => list(words),
        },
    },
    Key {
        name: "functions",
        help: "Functions that its processes work on: a process is ready once a job server lists it as able to do all of them",
        takes: "a list of names",
        default: "[]",
        example: "[\"resize\", \"crop\"]",
        effect: Effect::Restart,
        set: |program, given| {
            let functions = given.list()?;
            let is_name = |name: &String| (1..=FUNCTION_BYTES_MAX).contains(&name.len());
            program.functions = Some(functions).filter(|functions| functions.iter().all(is_name))?;
            Some(())
        },
        show: |program| list(&program.functions),
    },
    Key {
        name: "processes",
        help: "How many processes run; of a range, the lower end at the start, more by hand or by `autoscale`",
        takes: "a number from 0 to 1000, or a range as \"2..8\"",
        default: "1",
        example: "\"2..8\"",
        effect: Effect::Live,
        set: |program, given| {
            program.processes = processes(&given.text()?)?;
            Some(())
        },
        show: |program| match program.processes {
            Processes { min, max } if min == max => number(min),
            Processes { min, max } => text(format!("{min}..{max}")),
        },
    },
    Key {
        name: "autostart",
        help: "Whether it is started with the manager, or by hand",
        takes: "true or false",
        default: "true",
        example: "false",
        effect: Effect::Live,
        set: |program, given| {
            program.autostart = given.switch()?;
            Some(())
        },
        show: |program| Some(Value::Boolean(program.autostart)),
    },
    Key {
        name: "after",
        help: "Programs that are ready before this one is started, and are ended after it",
        takes: "a list of names of programs of this file",
        default: "[]",
        example: "[\"resize\"]",
        effect: Effect::Live,
        set: |program, given| {
            program.after =
                given.list()?.iter().map(|name| ProgramName::parse(name)).collect::<Option<_>>()?;
            Some(())
        },
        show: |program| list(program.after.iter().map(ProgramName::as_str)),
    },
    Key {
        name: "user",
        help: "User that its processes run as; only root can be another",
        takes: "a name, or a number",
        default: "the manager's",
        example: "\"www-data\"",
        effect: Effect::Restart,
        set: |program, given| {
            program.user = Some(given.filled()?);
            Some(())
        },
        show: |program| program.user.as_ref().and_then(text),
    },
    Key {
        name: "group",
        help: "Group that its processes run as",
        takes: "a name, or a number",
        default: "that of `user`",
        example: "\"www-data\"",
        effect: Effect::Restart,
        set: |program, given| {
            program.group = Some(given.filled()?);
            Some(())
        },
        show: |program| program.group.as_ref().and_then(text),
    },
    Key {
        name: "directory",
        help: "Working directory",
        takes: "a path",
        default: "the folder of the configuration file",
        example: "\"/srv/photos\"",
        effect: Effect::Restart,
        set: |program, given| {
            program.directory = given.filled()?.into();
            Some(())
        },
        show: |program| path(&program.directory),
    },
    Key {
        name: "umask",
        help: "Permissions that new files do not get",
        takes: "octal digits up to \"0777\"",
        default: "the manager's",
        example: "\"0027\"",
        effect: Effect::Restart,
        set: |program, given| {
            program.umask = Some(given.mode()?);
            Some(())
        },
        show: |program| program.umask.and_then(mode),
    },
    Key {
        name: "environment",
        help: "Variables beside those of the manager; they count before those of `environment-file`",
        takes: "a table of texts, its keys without =",
        default: "{}",
        example: "{ APP_ENV = \"live\" }",
        effect: Effect::Restart,
        set: |program, given| {
            let is_name = |name: &String| !name.is_empty() && !name.contains(['=', '\0']);
            program.environment = given.table().filter(|table| table.keys().all(is_name))?;
            Some(())
        },
        show: |program| table(&program.environment),
    },
    Key {
        name: "environment-file",
        help: "File with a variable in each line, as NAME=VALUE",
        takes: "a path",
        default: "no file",
        example: "\"/etc/photos.env\"",
        effect: Effect::Restart,
        set: |program, given| {
            program.environment_file = Some(given.filled()?.into());
            Some(())
        },
        show: |program| program.environment_file.as_deref().and_then(path),
    },
    Key {
        name: "ready-after",
        help: "How long a process must have run to count as ready, where no `functions` are named",
        takes: "a time from 0s to 1h",
        default: "\"1s\"",
        example: "\"5s\"",
        effect: Effect::Live,
        set: |program, given| {
            program.ready.after = given.time(Duration::ZERO..=HOUR)?;
            Some(())
        },
        show: |program| time(program.ready.after),
    },
    Key {
        name: "ready-within",
        help: "How long a process may take until a job server lists it as able to do its `functions`; it is ended then, and has failed, unless a new worker of them may be it",
        takes: "a time from 1s to 1d, or \"none\"",
        default: "\"30s\"",
        example: "\"2m\"",
        effect: Effect::Live,
        set: |program, given| {
            program.ready.within = given.or_none(|given| given.time(SECOND..=DAY))?;
            Some(())
        },
        show: |program| or_none(program.ready.within, time),
    },
    Key {
        name: "stop-signal",
        help: "Signal that asks a process for its end: that which counted when it was started; one that it would die of waits until its job is over",
        takes: "TERM, INT, QUIT, HUP, USR1, USR2, ALRM, WINCH or KILL",
        default: "\"TERM\"",
        example: "\"QUIT\"",
        effect: Effect::Live,
        set: |program, given| {
            program.stop.signal = signal(&given.text()?)?;
            Some(())
        },
        show: |program| text(program.stop.signal.as_str().trim_start_matches("SIG")),
    },
    Key {
        name: "stop-group",
        help: "Whether all of its process group get the stop signal, or the process alone (a kill is always for all); as it was when the process was started",
        takes: "true or false",
        default: "false",
        example: "true",
        effect: Effect::Live,
        set: |program, given| {
            program.stop.group = given.switch()?;
            Some(())
        },
        show: |program| Some(Value::Boolean(program.stop.group)),
    },
    Key {
        name: "stop-patience",
        help: "How long a process may go on, after its stop signal, before its process group is killed; while it may be in the middle of a job, `stop-patience-job` counts. Where the signal may be its death, it waits as long for a moment without a job; with \"none\" up to `stop-patience-job`. For those that leave already, a change counts from its moment on",
        takes: "a time from 0s to 7d, or \"none\": it is never killed",
        default: "\"1m\"",
        example: "\"10m\"",
        effect: Effect::Live,
        set: |program, given| {
            program.stop.patience = given.or_none(|given| given.time(Duration::ZERO..=7 * DAY))?;
            Some(())
        },
        show: |program| or_none(program.stop.patience, time),
    },
    Key {
        name: "stop-patience-job",
        help: "How long it may go on, after it was told to leave, while it may be in the middle of a job; never less than `stop-patience`, and changed as that",
        takes: "a time from 0s to 30d, or \"none\": as long as the job takes",
        default: "\"1h\"",
        example: "\"6h\"",
        effect: Effect::Live,
        set: |program, given| {
            program.stop.patience_job = given.or_none(|given| given.time(Duration::ZERO..=30 * DAY))?;
            Some(())
        },
        show: |program| or_none(program.stop.patience_job, time),
    },
    Key {
        name: "replace",
        help: "Whether the next process is ready beside the old one before that is told to leave, or is started after the old one is gone with all of its process group",
        takes: "\"beside\" or \"after\"",
        default: "\"beside\" where `functions` are named, \"after\" otherwise",
        example: "\"after\"",
        effect: Effect::Live,
        set: |program, given| {
            let text = given.text()?;
            program.replace = Some(REPLACES.into_iter().find(|(name, _)| *name == text)?.1);
            Some(())
        },
        show: |program| {
            let shown = |replace| REPLACES.into_iter().find(|(_, it)| *it == replace);
            program.replace.and_then(shown).and_then(|(name, _)| text(name))
        },
    },
    Key {
        name: "lifetime",
        help: "How long a process runs until it is ended, with all patience, and replaced",
        takes: "a time from 1s to 3650d, or \"none\"",
        default: "\"none\"",
        example: "\"1h\"",
        effect: Effect::Live,
        set: |program, given| {
            program.lifetime = given.or_none(|given| given.time(SECOND..=TIME_MAX))?;
            Some(())
        },
        show: |program| or_none(program.lifetime, time),
    },
    Key {
        name: "lifetime-jitter",
        help: "Which part of its lifetime a process may lack, by chance, so that not all end at once",
        takes: "a number from 0 to 1",
        default: "0.1",
        example: "0.2",
        effect: Effect::Live,
        set: |program, given| {
            program.lifetime_jitter = given.decimal(0.0..=1.0)?;
            Some(())
        },
        show: |program| decimal(program.lifetime_jitter),
    },
    Key {
        name: "restart",
        help: "Which processes that ended by themselves are replaced: all, those that failed, or none",
        takes: "\"always\", \"on-failure\" or \"never\"",
        default: "\"always\"",
        example: "\"on-failure\"",
        effect: Effect::Live,
        set: |program, given| {
            let text = given.text()?;
            program.restart = RESTARTS.into_iter().find(|(name, _)| *name == text)?.1;
            Some(())
        },
        show: |program| {
            RESTARTS
                .into_iter()
                .find(|(_, restart)| *restart == program.restart)
                .and_then(|(name, _)| text(name))
        },
    },
    Key {
        name: "exit-codes",
        help: "Exit statuses that are no failure: a process that was ready for as long as `short-life` and ends so is replaced at once",
        takes: "a list of numbers from 0 to 255",
        default: "[0]",
        example: "[0, 2]",
        effect: Effect::Live,
        set: |program, given| {
            program.exit_codes = given.list()?.iter().map(|code| code.parse().ok()).collect::<Option<_>>()?;
            Some(())
        },
        show: |program| {
            let codes = program.exit_codes.iter().map(|code| Value::Integer((*code).into()));
            Some(Value::Array(codes.collect()))
        },
    },
    Key {
        name: "short-life",
        help: "An end sooner than that after a process was ready is a failure whatever its exit status (0s for workers that end after each job, however short)",
        takes: "a time from 0s to 1h",
        default: "\"1s\"",
        example: "\"0s\"",
        effect: Effect::Live,
        set: |program, given| {
            program.short_life = given.time(Duration::ZERO..=HOUR)?;
            Some(())
        },
        show: |program| time(program.short_life),
    },
    Key {
        name: "backoff-first",
        help: "Pause before the second restart in a row; the first comes at once. A row ends when a process has been ready for as long as `backoff-max`, at least 10s",
        takes: "a time from 0s to 1h",
        default: "\"1s\"",
        example: "\"5s\"",
        effect: Effect::Live,
        set: |program, given| {
            program.backoff.first = given.time(Duration::ZERO..=HOUR)?;
            Some(())
        },
        show: |program| time(program.backoff.first),
    },
    Key {
        name: "backoff-factor",
        help: "How many times longer each further pause is",
        takes: "a number from 1 to 1000",
        default: "2",
        example: "1.5",
        effect: Effect::Live,
        set: |program, given| {
            program.backoff.factor = given.decimal(1.0..=1000.0)?;
            Some(())
        },
        show: |program| decimal(program.backoff.factor),
    },
    Key {
        name: "backoff-max",
        help: "Longest pause",
        takes: "a time from 0s to 1d, not under `backoff-first`",
        default: "\"1m\"",
        example: "\"10m\"",
        effect: Effect::Live,
        set: |program, given| {
            program.backoff.max = given.time(Duration::ZERO..=DAY)?;
            Some(())
        },
        show: |program| time(program.backoff.max),
    },
    Key {
        name: "backoff-jitter",
        help: "Which part of a pause is left to chance",
        takes: "a number from 0 to 1",
        default: "0.1",
        example: "0.5",
        effect: Effect::Live,
        set: |program, given| {
            program.backoff.jitter = given.decimal(0.0..=1.0)?;
            Some(())
        },
        show: |program| decimal(program.backoff.jitter),
    },
    Key {
        name: "crash-loop-exits",
        help: "Failures of one process and its replacements within `crash-loop-within` that are a crash loop, and so are as many of them in a row that never were ready: it is held and shown, until it is started by hand or its configuration or a watched path changes",
        takes: "a number from 1 to 1000, or \"none\"",
        default: "5",
        example: "10",
        effect: Effect::Live,
        set: |program, given| {
            let exits = given.or_none(|given| given.number(1..=1000))?;
            program.crash_loop = exits.map(|exits| CrashLoop { exits, ..CrashLoop::default() });
            Some(())
        },
        show: |program| or_none(program.crash_loop, |crash_loop| number(crash_loop.exits)),
    },
    Key {
        name: "crash-loop-within",
        help: "Time within which these failures count",
        takes: "a time from 1s to 1d",
        default: "\"1m\"",
        example: "\"10m\"",
        effect: Effect::Live,
        set: |program, given| {
            let within = given.time(SECOND..=DAY)?;
            program.crash_loop = program.crash_loop.map(|crash_loop| CrashLoop { within, ..crash_loop });
            Some(())
        },
        show: |program| program.crash_loop.and_then(|crash_loop| time(crash_loop.within)),
    },
    Key {
        name: "memory-max",
        help: "Resident memory of a process and all others of its process group over which it is ended, with all patience, and replaced",
        takes: "a number of bytes, also with KiB, MiB, GiB or TiB behind it, from 1MiB on, or \"none\"",
        default: "\"none\"",
        example: "\"512MiB\"",
        effect: Effect::Live,
        set: |program, given| {
            program.memory_bytes_max = given.or_none(|given| given.bytes(1 << 20..=u64::MAX))?;
            Some(())
        },
        show: |program| or_none(program.memory_bytes_max, |bytes| text(format_bytes(bytes))),
    },
    Key {
        name: "watch",
        help: "Files whose change restarts its processes, one after the other, the first one as a trial",
        takes: "a list of paths, with * and ? for parts of a name, [a-z] for a letter and ** for folders at any depth",
        default: "[]",
        example: "[\"/srv/photos/**/*.php\"]",
        effect: Effect::Live,
        set: |program, given| {
            program.watch =
                given.list()?.iter().map(|text| WatchPattern::parse(text)).collect::<Option<_>>()?;
            Some(())
        },
        show: |program| list(program.watch.iter().map(WatchPattern::as_str)),
    },
    Key {
        name: "watch-settle",
        help: "How long nothing more must have changed there before that",
        takes: "a time from 0s to 1h",
        default: "\"1s\"",
        example: "\"10s\"",
        effect: Effect::Live,
        set: |program, given| {
            program.watch_settle = given.time(Duration::ZERO..=HOUR)?;
            Some(())
        },
        show: |program| time(program.watch_settle),
    },
    Key {
        name: "stdout",
        help: "Where standard output goes: to the manager's own, each line behind the name and number of its process; nowhere, but for the last lines; or to a file, where {number} stands for the number of the process",
        takes: "\"manager\", \"none\", or a path that is not below /dev or /proc",
        default: "\"manager\"",
        example: "\"/var/log/photos.log\"",
        effect: Effect::Live,
        set: |program, given| {
            program.stdout = log_target(&given.filled()?).filter(|target| *target != LogTarget::Stdout)?;
            Some(())
        },
        show: |program| shown_target(&program.stdout),
    },
    Key {
        name: "stderr",
        help: "Where standard error goes",
        takes: "\"stdout\", \"manager\", \"none\", or a path that is not below /dev or /proc",
        default: "\"stdout\"",
        example: "\"/var/log/photos.errors\"",
        effect: Effect::Live,
        set: |program, given| {
            program.stderr = log_target(&given.filled()?)?;
            Some(())
        },
        show: |program| shown_target(&program.stderr),
    },
    Key {
        name: "log-bytes",
        help: "Size over which a file of output is put aside as FILE.1, the one before as FILE.2",
        takes: "a number of bytes, also with KiB, MiB, GiB or TiB behind it, from 4KiB to 1TiB, or \"none\"",
        default: "\"50MiB\"",
        example: "\"10MiB\"",
        effect: Effect::Live,
        set: |program, given| {
            program.rotation.bytes_max = given.or_none(|given| given.bytes(4096..=1 << 40))?;
            Some(())
        },
        show: |program| or_none(program.rotation.bytes_max, |bytes| text(format_bytes(bytes))),
    },
    Key {
        name: "log-files",
        help: "How many files are kept that were put aside",
        takes: "a number from 0 to 1000",
        default: "10",
        example: "3",
        effect: Effect::Live,
        set: |program, given| {
            program.rotation.files = given.number(0..=1000)?;
            Some(())
        },
        show: |program| number(program.rotation.files),
    },
];

const REPLACES: [(&str, Replace); 2] = [("beside", Replace::StartFirst), ("after", Replace::StopFirst)];

const RESTARTS: [(&str, Restart); 3] =
    [("always", Restart::Always), ("on-failure", Restart::OnFailure), ("never", Restart::Never)];

/// The words of a command; a line with a word that only a shell would understand is refused rather than
/// misunderstood.
fn words(given: crate::config::given::Given<'_>, shell: bool) -> Option<Vec<String>> {
    if given.is_array() {
        let words = given.list().filter(|_| !shell)?;
        return words.first().is_some_and(|program| !program.is_empty()).then_some(words);
    }
    let line = given.filled()?;
    if shell {
        return Some(vec![SHELL.to_owned(), "-c".to_owned(), line]);
    }
    let of_shell = |word: &String| {
        ["|", "||", "&", "&&", ";", "<", ">", ">>", "2>&1"].contains(&word.as_str())
            || word.starts_with([';', '|', '>', '<', '&'])
            || word.ends_with(';')
    };
    let words = shlex::split(&line)?;
    (!words.is_empty() && !words.iter().any(of_shell)).then_some(words)
}

fn processes(text: &str) -> Option<Processes> {
    let parse = |text| parse_number(text).and_then(|number| u32::try_from(number).ok());
    let (min, max) = text.split_once("..").unwrap_or((text, text));
    let (min, max) = (parse(min)?, parse(max)?);
    (min <= max && max <= PROCESSES_MAX).then_some(Processes { min, max })
}

fn signal(text: &str) -> Option<Signal> {
    let name = text.to_ascii_uppercase();
    let name = name.strip_prefix("SIG").unwrap_or(&name);
    SIGNALS.into_iter().find(|signal| signal.as_str().trim_start_matches("SIG") == name)
}

/// Where output goes; `None` for a device: `none` and `manager` say better what `/dev/null` and `/dev/stdout` mean.
fn log_target(text: &str) -> Option<LogTarget> {
    Some(match text {
        "manager" => LogTarget::Manager,
        "stdout" => LogTarget::Stdout,
        NONE => LogTarget::Nowhere,
        path if ["/dev", "/proc"].iter().any(|folder| Path::new(path).starts_with(folder)) => return None,
        path => LogTarget::File(Path::new(path).to_owned()),
    })
}

fn shown_target(target: &LogTarget) -> Option<Value> {
    match target {
        LogTarget::Manager => text("manager"),
        LogTarget::Stdout => text("stdout"),
        LogTarget::Nowhere => text(NONE),
        LogTarget::File(file) => path(file),
    }
}
