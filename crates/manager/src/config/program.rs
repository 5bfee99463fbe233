//! One program of the configuration: what its processes are, and how they live.
//!
//! Never: depends on another program, but for the names in [`Program::after`].

use super::WatchPattern;
use crate::limits::JOB_PATIENCE;
use nix::sys::signal::Signal;
use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The name of a program: 1 to 64 letters, digits, `.`, `-` and `_`, a letter or digit first; not `all`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProgramName(Arc<str>);

impl ProgramName {
    /// The name in this text; `None` when it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let of_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        let is_name = matches!(text.len(), 1..=64)
            && text.bytes().all(of_name)
            && text.starts_with(|first: char| first.is_ascii_alphanumeric())
            // It would stand for all programs in a command.
            && text != "all";
        is_name.then(|| Self(text.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for ProgramName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProgramName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// One program: a command of which one or many processes run.
///
/// All keys stand in the table `[program.NAME]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Program {
    /// What is started. Keys `command` and `shell`; `command` is the only key that has no default.
    pub command: Command,
    /// The functions its processes are workers of. Key `functions`, default none.
    ///
    /// Where there are any, a process is ready once the job server lists it as able to do all of them.
    pub functions: Vec<String>,
    /// How many processes run. Key `processes`, default 1.
    pub processes: Processes,
    /// Whether they are started with the manager, or by hand. Key `autostart`, default true.
    pub autostart: bool,
    /// Programs that are ready before this one is started, and end after it. Key `after`, default none; never this
    /// program, also not over others.
    pub after: Vec<ProgramName>,
    /// User they run as. Key `user`, default the manager's.
    pub user: Option<String>,
    /// Group they run as. Key `group`, default that of `user`.
    pub group: Option<String>,
    /// Working directory. Key `directory`, default the folder of the configuration file.
    pub directory: PathBuf,
    /// Permissions that files they make do not have, 0 to 0777. Key `umask`, default the manager's.
    pub umask: Option<u32>,
    /// Variables set beside those of the manager. Key `environment`, default none; these count before those of
    /// `environment_of_file`.
    pub environment: BTreeMap<String, String>,
    /// File of lines `NAME=VALUE`. Key `environment-file`, default none.
    pub environment_file: Option<PathBuf>,
    /// What stood in it when the configuration was read.
    pub environment_of_file: BTreeMap<String, String>,
    /// When a process counts as ready, and how long that may take.
    pub ready: Ready,
    /// How a process is ended.
    pub stop: Stop,
    /// How a process gives way to the next one. Key `replace`; `None`: beside it where `functions` are named, after it
    /// otherwise.
    pub replace: Option<Replace>,
    /// After how long a process is ended and replaced. Keys `lifetime`, default none, and `lifetime-jitter`.
    pub lifetime: Option<Duration>,
    /// Which part of its lifetime a process may end early, by chance: 0 to 1. Key `lifetime-jitter`, default 0.1.
    pub lifetime_jitter: f64,
    /// Which processes that ended by themselves are replaced. Key `restart`, default `always`.
    pub restart: Restart,
    /// Exit statuses that are no failure, 0 to 255. Key `exit-codes`, default `[0]`.
    ///
    /// A process that was ready for as long as `short_life` and ends so is replaced at once: that is how a worker ends
    /// after its last job.
    pub exit_codes: Vec<u8>,
    /// An end sooner than that after the process was ready is a failure whatever the exit status. Key `short-life`, 0s
    /// to 1h, default 1s.
    pub short_life: Duration,
    /// The pauses between restarts in a row.
    pub backoff: Backoff,
    /// When restarts are given up; `None`: never. Keys `crash-loop-exits` and `crash-loop-within`.
    pub crash_loop: Option<CrashLoop>,
    /// Resident memory of a process and all others of its process group, in bytes, over which it is ended and
    /// replaced, with `stop`'s patience. Key `memory-max`, default none.
    pub memory_bytes_max: Option<u64>,
    /// When such a file changes, the processes are restarted, one after the other. Key `watch`, default none.
    pub watch: Vec<WatchPattern>,
    /// How long nothing more must have changed there before that. Key `watch-settle`, 0s to 1h, default 1s.
    pub watch_settle: Duration,
    /// Where standard output goes. Key `stdout`, default `manager`.
    pub stdout: LogTarget,
    /// Where standard error goes. Key `stderr`, default: where standard output goes.
    pub stderr: LogTarget,
    /// When files of output are rotated.
    pub rotation: Rotation,
    /// How the number of processes follows the work. Table `[program.NAME.autoscale]`, default none.
    ///
    /// Only where `functions` are named and `processes` is a range.
    pub autoscale: Option<Autoscale>,
}

impl Program {
    /// A program without a command, all else at its default.
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self {
            command: Command { words: Vec::new(), shell: false },
            functions: Vec::new(),
            processes: Processes { min: 1, max: 1 },
            autostart: true,
            after: Vec::new(),
            user: None,
            group: None,
            directory,
            umask: None,
            environment: BTreeMap::new(),
            environment_file: None,
            environment_of_file: BTreeMap::new(),
            ready: Ready::default(),
            stop: Stop::default(),
            replace: None,
            lifetime: None,
            lifetime_jitter: 0.1,
            restart: Restart::Always,
            exit_codes: vec![0],
            short_life: Duration::from_secs(1),
            backoff: Backoff::default(),
            crash_loop: Some(CrashLoop::default()),
            memory_bytes_max: None,
            watch: Vec::new(),
            watch_settle: Duration::from_secs(1),
            stdout: LogTarget::Manager,
            stderr: LogTarget::Stdout,
            rotation: Rotation::default(),
            autoscale: None,
        }
    }
}

impl Program {
    /// How a process gives way to the next one.
    #[must_use]
    pub fn replace(&self) -> Replace {
        // A worker is one of many and can stand beside its successor; another program may hold a port or a file.
        let by_kind = if self.functions.is_empty() { Replace::StopFirst } else { Replace::StartFirst };
        self.replace.unwrap_or(by_kind)
    }
}

impl Default for Ready {
    fn default() -> Self {
        Self { after: Duration::from_secs(1), within: Some(Duration::from_secs(30)) }
    }
}

impl Stop {
    /// Without a job, and in the middle of one.
    pub(crate) fn patiences(&self) -> (Option<Duration>, Option<Duration>) {
        (self.patience, self.patience_job)
    }
}

impl Default for Stop {
    fn default() -> Self {
        Self {
            signal: Signal::SIGTERM,
            group: false,
            patience: Some(Duration::from_secs(60)),
            patience_job: Some(JOB_PATIENCE),
        }
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_secs(1), factor: 2.0, max: Duration::from_secs(60), jitter: 0.1 }
    }
}

impl Default for CrashLoop {
    fn default() -> Self {
        Self { exits: 5, within: Duration::from_secs(60) }
    }
}

impl Default for Rotation {
    fn default() -> Self {
        Self { bytes_max: Some(50 << 20), files: 10 }
    }
}

impl Default for Autoscale {
    fn default() -> Self {
        Self {
            target_wait: Duration::from_secs(5),
            up_per_minute: 10,
            down_per_minute: 2,
            idle: Duration::from_secs(60),
            load_max: Some(1.5),
            memory_max: Some(0.9),
        }
    }
}

/// What is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The program and its arguments, never empty. With `shell = true`: `/bin/sh`, `-c` and the command line.
    ///
    /// A program without a slash is looked for in `PATH`; a relative one is meant from the working directory.
    pub words: Vec<String>,
    /// Whether a shell reads it. Key `shell`, default false.
    pub shell: bool,
}

/// How many processes run: from `min` to `max`, both 0 to 1000.
///
/// `processes = 4` is exactly four; `processes = "2..8"` is two at the start and up to eight, by hand or by
/// [`Autoscale`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Processes {
    /// Fewest, and how many are started.
    pub min: u32,
    /// Most.
    pub max: u32,
}

/// When a process counts as ready, and how long that may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready {
    /// Where no functions are named: how long a process must have run. Key `ready-after`, 0s to 1h, default 1s.
    pub after: Duration,
    /// Where functions are named: how long it may take until the job server lists the process as able to do all of
    /// them; it is ended then, and counts as failed. Key `ready-within`, 1s to 1d or `none`, default 30s.
    pub within: Option<Duration>,
}

/// How a process is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop {
    /// The signal that asks for the end. Key `stop-signal`, a name with or without `SIG`, default `TERM`.
    pub signal: Signal,
    /// Whether the whole process group gets it, or the process alone. Key `stop-group`, default false.
    pub group: bool,
    /// How long it may go on with its job before the whole group is killed. Key `stop-patience`, 0s to 7d, or
    /// `none`: it is never killed. Default 60s. A change counts from its moment on for those that leave already.
    pub patience: Option<Duration>,
    /// How long it may go on when it is known to have a job, after the stop signal. Key `stop-patience-job`, 0s to
    /// 30d, or `none`: it is not killed as long as it has one. Default 1h; never less than `patience`, and changed as
    /// that.
    pub patience_job: Option<Duration>,
}

/// How a process gives way to the one that takes its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replace {
    /// The next one is ready before the old one is told to leave: one process more for that time. `"beside"`.
    StartFirst,
    /// The old one is gone, with all of its process group, before the next one is spawned. `"after"`.
    StopFirst,
}

/// Which processes that ended by themselves are replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Restart {
    /// All of them.
    #[default]
    Always,
    /// Those that failed: an exit status that is not among `exit-codes`, or a signal.
    OnFailure,
    /// None.
    Never,
}

/// The pauses between restarts in a row: none after the first failure, then `first`, then `factor` times more at
/// each, up to `max`.
///
/// A row ends when a process has been ready for as long as `max`, at least 10 s. An end before it was ready, or sooner
/// than [`Program::short_life`] after that, is a failure, whatever the exit status.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    /// Key `backoff-first`, 0s to 1h, default 1s.
    pub first: Duration,
    /// Key `backoff-factor`, 1 to 1000, default 2.
    pub factor: f64,
    /// Key `backoff-max`, 0s to 1d, default 60s; at least `first`.
    pub max: Duration,
    /// Which part of the pause is left to chance: 0 to 1. Key `backoff-jitter`, default 0.1.
    pub jitter: f64,
}

/// So many failures of a program within so long are a crash loop, and so are so many processes in a row that never were
/// ready: nothing is restarted until somebody starts it, or its configuration or a watched path changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrashLoop {
    /// Failures, of one process after the other in the same place. Key `crash-loop-exits`, 1 to 1000 or `none`,
    /// default 5.
    pub exits: u32,
    /// Key `crash-loop-within`, 1s to 1d, default 60s.
    pub within: Duration,
}

/// Where the output of a process goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogTarget {
    /// To the manager's own standard output or error, each line behind the name and number of the process:
    /// `"manager"`.
    Manager,
    /// Nowhere, but for the last lines, which are kept for `ctl tail`: `"none"`.
    Nowhere,
    /// To this file; `{number}` in it stands for the number of the process, from 0, otherwise all processes of the
    /// program share it.
    File(PathBuf),
    /// Only of standard error: where standard output goes, in order with it: `"stdout"`.
    Stdout,
}

/// When files of output are rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// Size in bytes over which a file is put aside, as `NAME.1`. Key `log-bytes`, 4KiB to 1TiB or `none`, default
    /// 50MiB.
    pub bytes_max: Option<u64>,
    /// How many of these are kept. Key `log-files`, 0 to 1000, default 10.
    pub files: u32,
}

/// How the number of processes follows the work.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Autoscale {
    /// How long a job should wait at most. Key `target-wait`, 100ms to 1d, default 5s.
    pub target_wait: Duration,
    /// Most processes added in a minute. Key `up-per-minute`, 1 to 1000, default 10.
    pub up_per_minute: u32,
    /// Most processes taken away in a minute. Key `down-per-minute`, 1 to 1000, default 2.
    pub down_per_minute: u32,
    /// How long there must have been too many before any is taken away. Key `idle`, 0s to 1d, default 60s.
    pub idle: Duration,
    /// Load of the machine (of one minute, divided by its cores) over which none is added. Key `load-max`, 0.1 to
    /// 100 or `none`, default 1.5.
    pub load_max: Option<f64>,
    /// Part of the machine's memory that may be in use (not available) when one is added. Key `memory-max`, 0.1 to
    /// 1 or `none`, default 0.9.
    pub memory_max: Option<f64>,
}
