//! The servers under test: how each is found, started and stopped.
//!
//! From: Debian's packages, this workspace's release build, and this program itself for the floor.
//! To: a process that answers on a port of loopback.
//! Never: outlives the bench: it is ended by its process id, and the kernel ends it if the bench dies.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::dialect::Dialect;
use crate::library::{Library, Programs};
use crate::load::connect;
use crate::policies::Policies;
use crate::trouble::Trouble;

/// Longest wait for the first answer of a server that has nothing to load.
pub(crate) const START_LIMIT: Duration = Duration::from_secs(10);

/// Longest wait for a server to end after SIGTERM; then it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// The same for the peers; freeing what they hold takes some of them long.
const PEER_STOP_LIMIT: Duration = Duration::from_secs(3);

/// One of the servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// This project's `gearmand`.
    Ours,
    /// The reference.
    Gearmand,
    Beanstalkd,
    Redis,
    Floor,
    /// None of them: a library under test, with our server to talk to.
    Library(Library),
}

/// Where a server keeps its jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    Memory,
    /// On disk, synced before each answer.
    Durable,
    /// On disk, not synced: for filling a store quickly where the server can do that.
    Unsynced,
}

/// A long backlog of background jobs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Backlog {
    /// Jobs that wait.
    pub(crate) jobs: u64,
    /// Memory for their workloads in bytes, the server's `--queue-memory`; 0 is no limit.
    pub(crate) queue_memory: u64,
    /// Length of their uniques; 0 is none.
    pub(crate) unique_bytes: usize,
}

/// What every measurement is given: where to work, and which programs to use.
#[derive(Debug)]
pub(crate) struct Lab {
    /// A directory on a real disk for stores and logs.
    pub(crate) dir: PathBuf,
    /// This project's `gearmand`.
    pub(crate) ours: PathBuf,
    /// Small counts, for a look.
    pub(crate) quick: bool,
    /// Files that the bench may open, and each server.
    pub(crate) files: u64,
    /// Jobs waiting in the row about a deep queue.
    pub(crate) deep: u64,
    /// The row about a long backlog.
    pub(crate) backlog: Backlog,
    /// What uses the client libraries.
    pub(crate) programs: Programs,
    /// What our server is configured with beside its defaults.
    pub(crate) policies: Option<Policies>,
}

impl Lab {
    /// The count to use.
    pub(crate) fn count(&self, full: u64, quick: u64) -> u64 {
        if self.quick { quick } else { full }
    }

    /// An empty directory for one server's files.
    ///
    /// # Errors
    ///
    /// `Io` when it cannot be made.
    pub(crate) fn fresh_dir(&self, kind: Kind) -> Result<PathBuf, Trouble> {
        let dir = self.dir.join(kind.name());
        match fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Trouble::io("empty a directory")(error));
            }
            Ok(()) | Err(_) => {}
        }
        fs::create_dir_all(&dir).map_err(Trouble::io("make a directory"))?;
        Ok(dir)
    }
}

impl Kind {
    /// All servers, ours first.
    pub(crate) const ALL: [Self; 5] =
        [Self::Ours, Self::Gearmand, Self::Beanstalkd, Self::Redis, Self::Floor];

    /// The name in the table and in `--servers`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Gearmand => "gearmand",
            Self::Beanstalkd => "beanstalkd",
            Self::Redis => "redis",
            Self::Floor => "floor",
            Self::Library(library) => library.name(),
        }
    }

    /// All that `--servers` knows.
    pub(crate) fn everything() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().chain(Library::ALL.into_iter().map(Self::Library))
    }

    /// Whether it is this project's.
    pub(crate) fn is_ours(self) -> bool {
        match self {
            Self::Ours => true,
            Self::Library(library) => library.is_ours(),
            Self::Gearmand | Self::Beanstalkd | Self::Redis | Self::Floor => false,
        }
    }

    /// The Debian package it comes from.
    pub(crate) fn package(self) -> Option<&'static str> {
        match self {
            Self::Ours | Self::Floor | Self::Library(_) => None,
            Self::Gearmand => Some("gearman-job-server"),
            Self::Beanstalkd => Some("beanstalkd"),
            Self::Redis => Some("redis-server"),
        }
    }

    pub(crate) fn dialect(self) -> Dialect {
        match self {
            Self::Ours | Self::Gearmand | Self::Library(_) => Dialect::Gearman,
            Self::Beanstalkd => Dialect::Beanstalk,
            Self::Redis => Dialect::Redis,
            Self::Floor => Dialect::Echo,
        }
    }

    /// The program to run.
    ///
    /// # Errors
    ///
    /// `NotInstalled`, naming the package that brings it.
    pub(crate) fn program(self, lab: &Lab) -> Result<PathBuf, Trouble> {
        let (path, hint) = match self {
            Self::Ours => (Some(lab.ours.clone()), "cargo build --release -p gearmand"),
            Self::Gearmand => (find("gearmand"), "apt package gearman-job-server"),
            Self::Beanstalkd => (find("beanstalkd"), "apt package beanstalkd"),
            Self::Redis => (find("redis-server"), "apt package redis-server"),
            Self::Floor => (std::env::current_exe().ok(), "this program"),
            Self::Library(_) => (None, "a library is no server"),
        };
        path.filter(|path| path.is_file()).ok_or(Trouble::NotInstalled { hint })
    }

    fn arguments(self, port: u16, keep: Keep, dir: &Path) -> Vec<String> {
        let dir = dir.display();
        let line = match (self, keep) {
            (Self::Ours | Self::Gearmand, Keep::Memory) => {
                format!("-p {port} -L 127.0.0.1 -l none -P {dir}/pid --queue-type builtin")
            }
            (Self::Ours | Self::Gearmand, Keep::Durable | Keep::Unsynced) => format!(
                "-p {port} -L 127.0.0.1 -l none -P {dir}/pid --queue-type libsqlite3 --libsqlite3-db={dir}/queue.db"
            ),
            (Self::Beanstalkd, Keep::Memory) => format!("-l 127.0.0.1 -p {port}"),
            (Self::Beanstalkd, Keep::Durable) => format!("-l 127.0.0.1 -p {port} -b {dir} -f 0"),
            (Self::Beanstalkd, Keep::Unsynced) => format!("-l 127.0.0.1 -p {port} -b {dir} -F"),
            (Self::Redis, _) => {
                let append = match keep {
                    Keep::Memory => "no --appendfsync no",
                    Keep::Durable => "yes --appendfsync always",
                    Keep::Unsynced => "yes --appendfsync no",
                };
                format!(
                    "--port {port} --bind 127.0.0.1 --dir {dir} --maxclients 30000 --appendonly {append} --save"
                )
            }
            (Self::Floor, _) => format!("floor {port}"),
            // No program: nobody starts it.
            (Self::Library(_), _) => String::new(),
        };
        let mut arguments: Vec<String> = line.split(' ').map(str::to_owned).collect();
        if self == Self::Redis {
            arguments.push(String::new());
        }
        arguments
    }
}

/// A program on the search path, or in the directories of daemons that a user's path may lack.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/sbin")])
        .map(|dir| dir.join(program))
        .find(|path| path.is_file())
}

/// A port above 20000 that nobody listens on, another one at each call.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Below the range that outgoing connections are given, where 20,000 of them could take the port first.
    let start = 21_000 + u16::try_from(std::process::id() % 5_000).unwrap_or(0);
    loop {
        let port = start + NEXT.fetch_add(1, Ordering::Relaxed) % 5_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A running server.
pub(crate) struct Server {
    pub(crate) kind: Kind,
    pub(crate) port: u16,
    child: Child,
    log: PathBuf,
}

impl Server {
    /// Starts a server that keeps jobs in memory, and waits for its first answer.
    ///
    /// # Errors
    ///
    /// `NotInstalled`, `NotStarted`.
    pub(crate) fn in_memory(lab: &Lab, kind: Kind) -> Result<Self, Trouble> {
        let dir = lab.fresh_dir(kind)?;
        let mut server = Self::spawn(lab, kind, Keep::Memory, &dir)?;
        server.wait_for_answer(START_LIMIT)?;
        server.check_policies(lab)?;
        Ok(server)
    }

    /// Starts a process and does not wait for it.
    ///
    /// # Errors
    ///
    /// `NotInstalled`, `NotStarted`.
    pub(crate) fn spawn(lab: &Lab, kind: Kind, keep: Keep, dir: &Path) -> Result<Self, Trouble> {
        Self::spawn_with(lab, kind, keep, dir, &[])
    }

    /// As [`Server::spawn`], with arguments of the row's own.
    ///
    /// # Errors
    ///
    /// `NotInstalled`, `NotStarted`.
    pub(crate) fn spawn_with(
        lab: &Lab,
        kind: Kind,
        keep: Keep,
        dir: &Path,
        more: &[String],
    ) -> Result<Self, Trouble> {
        let program = kind.program(lab)?;
        let port = free_port();
        let log = lab.dir.join(format!("{}.log", kind.name()));
        let output = File::create(&log).map_err(Trouble::io("make a log file"))?;
        let errors = output.try_clone().map_err(Trouble::io("make a log file"))?;
        // setpriv replaces itself by the server, so the process id is the server's.
        let mut command = match find("setpriv") {
            Some(setpriv) => {
                let mut command = Command::new(setpriv);
                command.args(["--pdeathsig", "KILL", "--"]).arg(program);
                command
            }
            None => Command::new(program),
        };
        command.args(kind.arguments(port, keep, dir)).args(more);
        if let (Kind::Ours, Some(policies)) = (kind, &lab.policies) {
            command.arg("--config-file").arg(&policies.file);
        }
        let child = command
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .map_err(|error| Trouble::NotStarted { reason: error.to_string() })?;
        Ok(Self { kind, port, child, log })
    }

    /// Waits until the server answers, and says how long that took.
    ///
    /// # Errors
    ///
    /// `NotStarted` when it ends or does not answer within `limit`.
    pub(crate) fn wait_for_answer(&mut self, limit: Duration) -> Result<Duration, Trouble> {
        let start = Instant::now();
        loop {
            if let Ok(answer) = self.ask(&self.kind.dialect().ping(), b"\n")
                && !answer.starts_with(b"-LOADING")
            {
                return Ok(start.elapsed());
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(Trouble::NotStarted { reason: format!("{status}{}", self.last_words()) });
            }
            if start.elapsed() > limit {
                let reason = format!("no answer after {} s{}", limit.as_secs(), self.last_words());
                return Err(Trouble::NotStarted { reason });
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Makes sure that our server has the policies that it was given; needs one that has loaded its jobs.
    ///
    /// # Errors
    ///
    /// `Policies` when it has not.
    pub(crate) fn check_policies(&self, lab: &Lab) -> Result<(), Trouble> {
        match &lab.policies {
            Some(policies) if self.kind == Kind::Ours => policies.check(self),
            Some(_) | None => Ok(()),
        }
    }

    /// Asks once on a connection of its own and reads up to `end`.
    ///
    /// # Errors
    ///
    /// `Io` or `Closed` when there is no answer within five seconds.
    pub(crate) fn ask(&self, question: &[u8], end: &[u8]) -> Result<Vec<u8>, Trouble> {
        let what = "asking for an answer";
        let mut stream = connect(self.port)?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).map_err(Trouble::io(what))?;
        stream.write_all(question).map_err(Trouble::io(what))?;
        let mut answer = Vec::new();
        let mut buffer = [0; 4096];
        while !answer.ends_with(end) {
            let count = stream.read(&mut buffer).map_err(Trouble::io(what))?;
            if count == 0 {
                return Err(Trouble::Closed { what });
            }
            answer.extend_from_slice(buffer.get(..count).unwrap_or_default());
        }
        Ok(answer)
    }

    /// Sends lines of commands at once and reads all of their answers.
    ///
    /// # Errors
    ///
    /// `Io` or `Closed` when an answer does not come within five seconds.
    pub(crate) fn ask_all(&self, lines: &[String]) -> Result<String, Trouble> {
        let what = "giving commands";
        let stream = connect(self.port)?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).map_err(Trouble::io(what))?;
        (&stream).write_all(lines.concat().as_bytes()).map_err(Trouble::io(what))?;
        let mut reader = BufReader::new(stream);
        let mut answer = String::new();
        for _ in lines {
            loop {
                let start = answer.len();
                if reader.read_line(&mut answer).map_err(Trouble::io(what))? == 0 {
                    return Err(Trouble::Closed { what });
                }
                if answer.get(start..) == Some(".\n") {
                    break;
                }
            }
        }
        Ok(answer)
    }

    /// The server's process id.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap_or(i32::MAX))
    }

    /// Ends the server with SIGTERM and waits for it.
    ///
    /// # Errors
    ///
    /// `Limit` when ours had to be killed. A peer that has to be is only named: how it stops is not measured.
    pub(crate) fn stop(self) -> Result<(), Trouble> {
        let (kind, limit) = (self.kind, if self.kind == Kind::Ours { STOP_LIMIT } else { PEER_STOP_LIMIT });
        match self.stop_within(limit) {
            Err(Trouble::Limit { .. }) if kind != Kind::Ours => {
                eprintln!("{} is killed: it did not stop on SIGTERM", kind.name());
                Ok(())
            }
            outcome => outcome.map(drop),
        }
    }

    /// As [`Server::stop`], for any server and with a limit of the row's own; says how long it took.
    ///
    /// # Errors
    ///
    /// `Limit` when it had to be killed.
    pub(crate) fn stop_within(mut self, limit: Duration) -> Result<Duration, Trouble> {
        kill(self.pid(), Signal::SIGTERM).map_err(Trouble::io("kill"))?;
        let start = Instant::now();
        while start.elapsed() < limit {
            if let Ok(Some(_)) = self.child.try_wait() {
                return Ok(start.elapsed());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Err(Trouble::Limit { what: "stopping after SIGTERM", limit })
    }

    /// What the server has written to its standard output and standard error since it was started.
    pub(crate) fn log_text(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    fn last_words(&self) -> String {
        let text = self.log_text();
        text.trim_end().lines().next_back().map_or_else(String::new, |line| format!(", \"{}\"", line.trim()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already; there is nobody left to tell.
        if self.child.kill().is_ok() {
            drop(self.child.wait());
        }
    }
}
