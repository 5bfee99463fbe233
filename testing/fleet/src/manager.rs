//! A manager under test: started on a folder, asked, listened to, ended.
//!
//! From: whoever plays events. To: the program `gearman-manager`, its log and its control socket.
//! Never: outlives the suite: it is told to shut down when its thread ends, and ends its processes.

use crate::{Result, built};
use geartrain_manager::protocol::{ProgramStatus, Reply, Request, Status};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Longest anything that is waited for may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(40);

/// The pause between two questions about what only asking shows.
const POLL: Duration = Duration::from_millis(20);

/// How long a control socket may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// How long the manager has to end its processes before they are killed.
const END_LIMIT: Duration = Duration::from_secs(15);

/// A line of the manager's log.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) at: Instant,
    /// `INFO`, `WARN` or `ERROR`.
    pub(crate) level: String,
    /// Behind time and level.
    pub(crate) text: String,
}

/// What the manager said so far.
#[derive(Debug, Default)]
struct Said {
    lines: Mutex<Vec<Line>>,
    more: Condvar,
}

#[derive(Debug)]
pub(crate) struct Manager {
    folder: PathBuf,
    program: PathBuf,
    process: Child,
    said: Arc<Said>,
}

impl Manager {
    /// Starts a manager with the file `manager.toml` of this folder.
    ///
    /// What it logs goes to `manager.log` as well, what its processes write to `output.log`.
    pub(crate) fn start(folder: &Path, variables: &[(&str, String)]) -> Result<Self> {
        let program = built("gearman-manager")?;
        let mut process = Command::new("setpriv")
            .args(["--pdeathsig", "TERM", "--"])
            .arg(&program)
            .args(["run", "--config"])
            .arg(folder.join("manager.toml"))
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(File::create(folder.join("output.log"))?)
            .stderr(Stdio::piped())
            .spawn()?;
        let said = Arc::new(Said::default());
        let stderr = process.stderr.take().ok_or("the manager has no standard error")?;
        listen(&said, stderr, File::create(folder.join("manager.log"))?);
        let manager = Self { folder: folder.to_owned(), program, process, said };
        manager.wait_for(0, "to start", |text| text.contains("programs"))?;
        Ok(manager)
    }

    pub(crate) fn pid(&self) -> Result<Pid> {
        Ok(Pid::from_raw(i32::try_from(self.process.id())?))
    }

    /// How many lines it has logged: a place to wait from.
    pub(crate) fn mark(&self) -> usize {
        self.said.lines.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The lines from a place on.
    pub(crate) fn lines(&self, from: usize) -> Vec<Line> {
        let lines = self.said.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().skip(from).cloned().collect()
    }

    /// Waits for a line; it, and the place behind it.
    pub(crate) fn wait_for(
        &self,
        from: usize,
        what: &str,
        is_it: impl Fn(&str) -> bool,
    ) -> Result<(Line, usize)> {
        let find = |lines: &[Line]| lines.iter().skip(from).position(|line| is_it(&line.text));
        let lines = self.said.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.said.more.wait_timeout_while(lines, LIMIT, |lines| find(lines).is_none());
        let (lines, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let at = find(&lines).map(|at| from + at);
        match at.and_then(|at| Some((lines.get(at)?.clone(), at + 1))) {
            Some(found) => Ok(found),
            None => Err(format!("the manager was waited for in vain: {what}").into()),
        }
    }

    /// What `gearman-manager ctl` answers to a command that must succeed.
    pub(crate) fn ctl(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(&self.program);
        command.arg("ctl").arg("--socket").arg(self.folder.join("socket")).args(arguments);
        let output = command.stdin(Stdio::null()).output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            let error = String::from_utf8_lossy(&output.stderr);
            return Err(format!("ctl {arguments:?} ended with {}: {text}{error}", output.status).into());
        }
        Ok(text)
    }

    /// How it goes, as `ctl status --json` has it.
    pub(crate) fn status(&self) -> Result<Status> {
        let mut stream = UnixStream::connect(self.folder.join("socket"))?;
        stream.set_read_timeout(Some(ANSWER_LIMIT))?;
        writeln!(stream, "{}", serde_json::to_string(&Request::Status)?)?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line)?;
        match serde_json::from_str(&line)? {
            Reply::Status(status) => Ok(*status),
            other @ (Reply::Done { .. } | Reply::Refused { .. } | Reply::Line { .. }) => {
                Err(format!("a status is answered with {other:?}").into())
            }
        }
    }

    pub(crate) fn program(&self, name: &str) -> Result<ProgramStatus> {
        let programs = self.status()?.programs;
        let found = programs.into_iter().find(|program| program.program == name);
        found.ok_or_else(|| format!("the manager knows no program {name}").into())
    }

    /// Waits until a program is as wanted; as it is then.
    pub(crate) fn wait_until(
        &self,
        name: &str,
        what: &str,
        is_so: impl Fn(&ProgramStatus) -> bool,
    ) -> Result<ProgramStatus> {
        let begun = Instant::now();
        loop {
            let program = self.program(name)?;
            if is_so(&program) {
                return Ok(program);
            }
            if begun.elapsed() > LIMIT {
                return Err(format!("{name} was waited for in vain: {what}; it is {program:?}").into());
            }
            thread::sleep(POLL);
        }
    }

    /// Tells it to end, as an init system does; how it ended.
    pub(crate) fn shut_down(mut self) -> Result<ExitStatus> {
        self.signal(Signal::SIGTERM);
        self.wait(LIMIT)?.ok_or_else(|| "the manager does not end".into())
    }

    /// Sends a signal; to nobody where its end was seen, since its number may be another's then.
    fn signal(&mut self, signal: Signal) {
        if let (Ok(None), Ok(pid)) = (self.process.try_wait(), self.pid()) {
            kill(pid, signal).ok();
        }
    }

    fn wait(&mut self, limit: Duration) -> Result<Option<ExitStatus>> {
        let begun = Instant::now();
        while begun.elapsed() < limit {
            if let Some(status) = self.process.try_wait()? {
                return Ok(Some(status));
            }
            thread::sleep(POLL);
        }
        Ok(None)
    }
}

impl Drop for Manager {
    /// Ends what is left, so that a run that failed leaves nothing behind either.
    fn drop(&mut self) {
        self.signal(Signal::SIGTERM);
        if matches!(self.wait(END_LIMIT), Ok(Some(_))) {
            return;
        }
        self.process.kill().ok();
        self.process.wait().ok();
        let state = fs::read_to_string(self.folder.join("state/processes")).unwrap_or_default();
        for line in state.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
            let field = |name: &str| line.get("spawned").and_then(|record| record.get(name)?.as_u64());
            let Some(pid) = field("pid").and_then(|pid| i32::try_from(pid).ok()) else { continue };
            if field("started").is_some_and(|started| start_of(pid) == Some(started)) {
                killpg(Pid::from_raw(pid), Signal::SIGKILL).ok();
            }
        }
    }
}

/// The pids of a program's places.
pub(crate) fn pids(program: &ProgramStatus) -> BTreeSet<i32> {
    program.processes.iter().filter_map(|process| process.pid).collect()
}

/// How many places of a program have a process that is ready.
pub(crate) fn ready(program: &ProgramStatus) -> u32 {
    let ready = program.processes.iter().filter(|process| process.state == "running").count();
    u32::try_from(ready).unwrap_or(u32::MAX)
}

/// Whether a process is there and not dead.
pub(crate) fn is_alive(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// When a process was started, in ticks after the machine's start.
fn start_of(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(19)?.parse().ok()
}

fn listen(said: &Arc<Said>, stream: impl Read + Send + 'static, mut copy: File) {
    let said = Arc::clone(said);
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(std::result::Result::ok) {
            // For people; what is checked is what was heard.
            writeln!(copy, "{line}").ok();
            let mut words = line.splitn(3, ' ');
            let level = words.nth(1).unwrap_or_default().to_owned();
            let text = words.next().unwrap_or_default().trim_start().to_owned();
            let line = Line { at: Instant::now(), level, text };
            said.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            said.more.notify_all();
        }
    });
}
