//! What is to run, and how: the configuration of the manager.
//!
//! From: one TOML file. To: the planner, which starts and ends processes by it.
//! Never: holds a value that is out of its range; paths in it are absolute.

pub mod keys;

mod diff;
mod environment;
mod given;
mod problem;
mod program;
mod read;
mod watch;
pub(crate) mod write;

#[cfg(test)]
mod tests;

pub(crate) use diff::change;
pub use diff::{Change, Diff};
pub use problem::{ConfigError, Mistake, Problem};
pub use program::{
    Autoscale, Backoff, Command, CrashLoop, LogTarget, Processes, Program, ProgramName, Ready, Replace,
    Restart, Rotation, Stop,
};
pub use watch::WatchPattern;

use geartrain_client::ServerAddress;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// All that a configuration file says.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The job servers that tell which workers are ready and how much waits. Key `servers`, default
    /// `["localhost:4730"]`; never empty.
    pub servers: Vec<ServerAddress>,
    /// The Unix socket on which commands are taken. Key `socket`, default `/run/gearman-manager/socket`.
    pub socket: PathBuf,
    /// Its permissions, 0 to 0777. Key `socket-mode`, default `"0600"`.
    pub socket_mode: u32,
    /// The user it belongs to. Key `socket-user`, default the manager's.
    pub socket_user: Option<String>,
    /// The group it belongs to. Key `socket-group`, default the manager's.
    pub socket_group: Option<String>,
    /// Where the manager remembers its processes, so that the next one finds those a killed one left behind. Key
    /// `state-folder`, default `/var/lib/gearman-manager`.
    pub state_folder: PathBuf,
    /// What becomes of the processes that a killed manager left behind. Key `orphans`, default `stop`.
    pub orphans: Orphans,
    /// The programs, by name; may be none.
    pub programs: BTreeMap<ProgramName, Program>,
}

/// What becomes of the processes that a killed manager left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Orphans {
    /// They are ended as their program says: stop signal, patience, kill.
    #[default]
    Stop,
    /// They go on as processes of their program where it is still there unchanged; others are ended. What they write
    /// meanwhile waits in their pipes.
    Adopt,
}
