//! What is said over the control socket: one JSON object a line, in both directions.
//!
//! From: `gearman-manager ctl`, or any program. To: the manager, and back. Never: more than a line at a time.

use crate::runner::Stream;
use serde::{Deserialize, Serialize};

/// What is asked; the manager answers each request before it reads the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// All programs and processes: [`Reply::Status`].
    Status,
    /// Start what does not run. `what`: `all`, `NAME` or `NAME:NUMBER`.
    Start {
        /// Which processes.
        what: String,
    },
    /// Stop, and leave stopped.
    Stop {
        /// Which processes.
        what: String,
        /// Without patience: what is there is killed, in the middle of its job or not.
        #[serde(default)]
        now: bool,
    },
    /// Send a signal to processes, and nothing more.
    Signal {
        /// Which processes; their groups are not meant.
        what: String,
        /// A name, with or without `SIG`.
        signal: String,
    },
    /// Replace processes by new ones, one by one.
    Restart {
        /// Which processes.
        what: String,
    },
    /// Change the number of processes.
    Scale {
        /// The program.
        program: String,
        /// `+2`, `-1`, `=8` or `auto`.
        to: String,
    },
    /// The last lines of output: [`Reply::Line`] each.
    Tail {
        /// Which processes.
        what: String,
        /// How many of each.
        lines: usize,
        /// Whether further lines follow until the connection ends.
        follow: bool,
    },
    /// What the configuration file would change: [`Reply::Done`] with a line each.
    Reread,
    /// Take the configuration file over.
    Update,
    /// Stop all, then end the manager; answered when it begins.
    Shutdown,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case")]
pub enum Reply {
    /// It is under way; what.
    Done {
        /// What is under way, in a sentence or a few lines.
        text: String,
    },
    /// It is not done, and nothing changed.
    Refused {
        /// Why.
        error: String,
    },
    /// A line of output.
    Line {
        /// The process, as `mail:0`.
        process: String,
        /// Where it wrote it.
        stream: Stream,
        /// Without its line feed; bytes that are not UTF-8 are replaced.
        line: String,
    },
    /// How it goes.
    Status(Box<Status>),
}

/// How it goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Status {
    /// The manager's pid.
    pub pid: u32,
    /// Its version.
    pub version: String,
    /// Whether it is shutting down.
    pub is_ending: bool,
    /// The job servers.
    pub servers: Vec<ServerStatus>,
    /// The programs, by name.
    pub programs: Vec<ProgramStatus>,
}

/// One job server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ServerStatus {
    /// Where it is.
    pub address: String,
    /// Whether it answered the last time.
    pub answers: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
}

/// One program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ProgramStatus {
    /// Its name.
    pub program: String,
    /// How many processes it is to have; 0 while it is stopped.
    pub wanted: u32,
    /// Whether that was said by hand.
    pub by_hand: bool,
    /// How far a restart of all processes is, or why it is held.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub restart: Option<String>,
    /// Its processes.
    pub processes: Vec<ProcessStatus>,
}

/// One place of a program, and its process.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct ProcessStatus {
    /// As `mail:0`.
    pub process: String,
    /// `starting`, `running`, `backoff`, `stopping`, `draining`, `exited` or `crash-looping`.
    pub state: String,
    /// For how many seconds it has been in this state.
    pub since_seconds: f64,
    /// When that began, in milliseconds of Unix time.
    pub since: u64,
    /// Why.
    pub why: String,
    /// In how many seconds the next process is spawned, in a backoff.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_in_seconds: Option<f64>,
    /// Its pid, where there is a process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// For how many seconds it has run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uptime_seconds: Option<f64>,
    /// Processes that took the place of another, since the manager's start.
    pub restarts: u64,
    /// How the last one ended, as `exit code 1` or `SIGKILL`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_exit: Option<String>,
    /// Part of a core its process group used lately, in per cent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_percent: Option<f64>,
    /// Resident memory of its process group, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Its functions that a job server lists.
    pub functions: Vec<String>,
    /// Jobs that it runs, where a job server says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jobs: Option<u64>,
    /// Another process in its place: `successor` or `predecessor`, and its pid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beside: Option<String>,
    /// The last lines of output, where it is held in a crash loop.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub last_lines: Vec<String>,
}
