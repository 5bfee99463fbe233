//! A process that uses one library: started, told to go, measured from outside, ended for sure.
//!
//! From: `rows::client`. To: the CPU time between `go` and `done`, without that of its start and its warm-up.
//! Never: waits longer than its limit, or leaves the process behind.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::unistd::Pid;

use crate::library::Library;
use crate::process::cpu;
use crate::server::Lab;
use crate::trouble::Trouble;

/// Longest wait for a peer to connect and to run its warm-up.
const READY_LIMIT: Duration = Duration::from_secs(20);

/// Longest time for what is measured.
pub(crate) const DONE_LIMIT: Duration = Duration::from_secs(20);

/// What a peer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Runs jobs and checks their results.
    Foreground,
    /// Submits jobs in background and checks that each has a handle.
    Background,
    /// Does jobs; the result is the workload.
    Worker,
}

/// How much a peer does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Task {
    pub(crate) role: Role,
    pub(crate) jobs: u64,
    /// Jobs before those that are measured. A worker is ready within the one behind them.
    pub(crate) warm_up: u64,
    pub(crate) in_flight: u64,
}

/// A running peer.
pub(crate) struct Peer {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    log: PathBuf,
}

/// A measurement that has begun.
pub(crate) struct Going {
    start: Instant,
    cpu: Duration,
}

/// What a measurement found.
pub(crate) struct Done {
    /// Jobs that came to a good end, as the peer says.
    pub(crate) jobs: u64,
    pub(crate) elapsed: Duration,
    pub(crate) cpu: Duration,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Foreground => "foreground",
            Self::Background => "background",
            Self::Worker => "worker",
        }
    }
}

impl Peer {
    /// Starts a peer, which connects and begins its warm-up.
    ///
    /// # Errors
    ///
    /// `Peer` when there is no program for the library, or it cannot be started.
    pub(crate) fn start(lab: &Lab, library: Library, port: u16, task: Task) -> Result<Self, Trouble> {
        let log = lab.dir.join(format!("{}.log", library.name()));
        let errors = File::create(&log).map_err(Trouble::io("make a log file"))?;
        let numbers = [u64::from(port), task.jobs, task.warm_up, task.in_flight];
        let mut command = lab.programs.command(library)?;
        command.arg(task.role.name()).args(numbers.map(|number| number.to_string()));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors);
        let mut child = command.spawn().map_err(|error| Trouble::Peer(format!("did not start: {error}")))?;
        let (sender, lines) = channel();
        if let Some(stdout) = child.stdout.take() {
            thread::spawn(move || {
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        return;
                    }
                }
            });
        }
        let stdin = child.stdin.take();
        Ok(Self { child, stdin, lines, log })
    }

    /// Waits for the end of the warm-up.
    ///
    /// # Errors
    ///
    /// `Peer` when the process says something else, ends, or takes too long.
    pub(crate) fn await_ready(&mut self) -> Result<(), Trouble> {
        match self.next_line(READY_LIMIT)? {
            line if line == "ready" => Ok(()),
            line => Err(Trouble::Peer(format!("said {line:?} instead of ready"))),
        }
    }

    /// Begins the measurement.
    ///
    /// # Errors
    ///
    /// `Peer` when the process has said more than that it is ready: it did not wait. `Io` when it is gone.
    pub(crate) fn go(&mut self) -> Result<Going, Trouble> {
        if let Ok(line) = self.lines.try_recv() {
            return Err(Trouble::Peer(format!("said {line:?} before it was told to go")));
        }
        let going = Going { cpu: cpu(self.pid())?, start: Instant::now() };
        if let Some(stdin) = &mut self.stdin {
            stdin.write_all(b"go\n").map_err(Trouble::io("tell a peer to go"))?;
        }
        Ok(going)
    }

    /// Waits for the end of the measurement.
    ///
    /// # Errors
    ///
    /// `Peer` when the process says something else, ends, or takes too long.
    pub(crate) fn await_done(&mut self, going: &Going) -> Result<Done, Trouble> {
        let line = self.next_line(DONE_LIMIT)?;
        let (elapsed, cpu) = (going.start.elapsed(), cpu(self.pid())?.saturating_sub(going.cpu));
        let jobs = line.strip_prefix("done ").and_then(|count| count.parse().ok());
        let jobs = jobs.ok_or_else(|| Trouble::Peer(format!("said {line:?} instead of done")))?;
        Ok(Done { jobs, elapsed, cpu })
    }

    /// Whether it has not ended.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// The same trouble, or what the peer said before it ended, where that is the cause of it.
    pub(crate) fn explain(&mut self, trouble: Trouble) -> Trouble {
        match self.child.try_wait() {
            Ok(Some(status)) => Trouble::Peer(format!("ended with {status}{}", self.last_words())),
            Ok(None) | Err(_) => trouble,
        }
    }

    fn next_line(&mut self, limit: Duration) -> Result<String, Trouble> {
        self.lines.recv_timeout(limit).map_err(|_| {
            let words = self.last_words();
            Trouble::Peer(format!("ended, or said nothing for {} s{words}", limit.as_secs()))
        })
    }

    /// setpriv replaces itself by the program, so the process id is the peer's.
    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap_or(i32::MAX))
    }

    fn last_words(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        text.trim_end().lines().next_back().map_or_else(String::new, |line| format!(": {}", line.trim()))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended already; there is nobody left to tell.
        if self.child.kill().is_ok() {
            drop(self.child.wait());
        }
    }
}
