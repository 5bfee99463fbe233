//! Processes from their beginning to their end.
//!
//! From: the planner's actions; the kernel's word that a process ended. To: the kernel; the planner.
//! Never: signals a pid that may be another process by now.

use super::clock;
use super::log::Level;
use super::output::Pipe;
use super::poll::Token;
use super::proc;
use super::spawn::{self, PLACE_VARIABLE, STATE_VARIABLE};
use super::state_file::Record;
use super::{Runner, Stream};
use crate::config::{Orphans, Program, ProgramName};
use crate::planner::{Action, End, Event, Moment, ProcessId};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

/// A process, or what is left of its group.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) name: ProgramName,
    /// What it was spawned from; without, it is an orphan of a program that is no more.
    pub(crate) program: Option<Arc<Program>>,
    pub(crate) spawned: Moment,
    /// How it is heard of its end, where it is not our child.
    pub(crate) adopted: Option<OwnedFd>,
    /// It ended; others of its group are there.
    pub(crate) has_ended: bool,
    pub(crate) sample: Option<Sample>,
}

impl Process {
    /// The functions it is a worker of.
    pub(crate) fn functions(&self) -> &[String] {
        self.program.as_ref().map_or(&[], |program| &program.functions)
    }
}

/// What a process group used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) at: Moment,
    pub(crate) cpu: Duration,
    /// Part of a core since the sample before.
    pub(crate) cpu_part: f64,
    pub(crate) memory: u64,
}

impl Runner {
    /// Does what the planner wants, until it wants nothing more.
    pub(crate) fn carry_out(&mut self, now: Moment) {
        while let Some(action) = self.planner.poll_action() {
            match action {
                Action::Spawn { process, name, slot, program } => {
                    self.spawn(now, process, name, slot, program);
                }
                Action::Stop { process, group } => self.stop(process, group),
                Action::Kill { process } => self.kill(process),
                Action::Note(event) => self.note(&event),
                Action::End => self.has_ended = true,
            }
        }
    }

    fn note(&mut self, event: &Event) {
        let level = if event.is_warning() { Level::Warn } else { Level::Info };
        let pid = event.process().and_then(|process| self.processes.get(&process)).map(|facts| facts.pid);
        let pid = pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
        self.log.say(level, &format!("{event}{pid}"));
        if let Event::State { program, slot, to: "crash-looping", .. } = event {
            for (stream, line) in self.outputs.last(&(program.clone(), *slot), 10) {
                let stream = if stream == Stream::Stderr { "stderr" } else { "stdout" };
                self.log.say(level, &format!("{program}:{slot} last {stream}: {line}"));
            }
        }
    }

    fn spawn(
        &mut self,
        now: Moment,
        process: ProcessId,
        name: ProgramName,
        number: u32,
        program: Arc<Program>,
    ) {
        let place = format!("{name}:{number}");
        let begun = clock::now();
        let account = self.accounts.of(&program);
        let spawned = match account
            .and_then(|account| spawn::spawn(&program, account, &place, &self.config.state_folder))
        {
            Ok(spawned) => spawned,
            Err(error) => {
                self.planner.handle_exited(now, process, &End::NotSpawned(error.to_string()), false);
                return;
            }
        };
        self.check_standstill(begun, || format!("with the spawn of {place}"));
        let record = Record {
            pid: spawned.pid,
            started: spawned.started,
            program: name.to_string(),
            number,
            launch: launch_number(&program),
        };
        if let Err(error) = self.state.spawned(record) {
            self.log.say(Level::Error, &format!("the state file does not take {place}: {error}"));
        }
        self.add_pipe(process, &name, number, spawned.stdout, Stream::Stdout);
        if let Some(stderr) = spawned.stderr {
            self.add_pipe(process, &name, number, stderr, Stream::Stderr);
        }
        self.by_pid.insert(spawned.pid, process);
        let facts = Process {
            pid: spawned.pid,
            name,
            program: Some(program),
            spawned: now,
            adopted: None,
            has_ended: false,
            sample: None,
        };
        self.processes.insert(process, facts);
    }

    fn add_pipe(&mut self, process: ProcessId, name: &ProgramName, number: u32, fd: OwnedFd, stream: Stream) {
        let pipe = Pipe::new(fd);
        if let Err(error) = self.poll.add(&pipe, Token::Output(process, stream)) {
            self.log.say(Level::Error, &format!("the output of {name}:{number} cannot be read: {error}"));
            return;
        }
        self.pipes.insert((process, pipe_key(stream)), (pipe, (name.to_string(), number)));
    }

    /// The program as the configuration has it now; for one that is gone from it, as it was.
    pub(crate) fn program_now(&self, process: &Process) -> Option<Arc<Program>> {
        match (self.config.programs.get(&process.name), &process.program) {
            (Some(now), Some(then)) if *now == **then => Some(Arc::clone(then)),
            (Some(now), _) => Some(Arc::new(now.clone())),
            (None, then) => then.clone(),
        }
    }

    fn stop(&mut self, process: ProcessId, group: bool) {
        let Some(facts) = self.processes.get(&process) else { return };
        let signal = self.program_now(facts).map_or(Signal::SIGTERM, |program| program.stop.signal);
        let pid = Pid::from_raw(facts.pid);
        let sent = if group || facts.has_ended { killpg(pid, signal) } else { kill(pid, signal) };
        self.check_sent(process, signal, sent);
    }

    fn kill(&mut self, process: ProcessId) {
        let Some(facts) = self.processes.get(&process) else { return };
        let sent = killpg(Pid::from_raw(facts.pid), Signal::SIGKILL);
        self.check_sent(process, Signal::SIGKILL, sent);
    }

    fn check_sent(&self, process: ProcessId, signal: Signal, sent: nix::Result<()>) {
        match sent {
            // It ended just now, which is what was wanted.
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => {
                let pid = self.processes.get(&process).map_or(0, |facts| facts.pid);
                self.log.say(Level::Error, &format!("cannot send {signal} to pid {pid}: {}", error.desc()));
            }
        }
    }

    /// Takes the exit statuses of all children that ended, orphans of others among them.
    pub(crate) fn reap(&mut self, now: Moment) {
        let mut ended = Vec::new();
        loop {
            let (pid, end) = match waitpid(Pid::from_raw(-1), Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) => (pid, End::Code(code)),
                Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, End::Signal(signal.as_str())),
                Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => break,
                Err(Errno::EINTR) | Ok(_) => continue,
                Err(error) => {
                    self.log.say(Level::Error, &format!("cannot wait for children: {}", error.desc()));
                    break;
                }
            };
            ended.push((pid.as_raw(), end));
        }
        // Only now, so that dead members of a group are not taken for its rest.
        for (pid, end) in ended {
            if let Some(process) = self.by_pid.remove(&pid) {
                self.handle_end(now, process, &end);
            }
        }
        self.check_groups(now);
    }

    fn handle_end(&mut self, now: Moment, process: ProcessId, end: &End) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            // What it wrote last is read before anything is said about its end.
            self.handle_output(process, stream);
        }
        let Some(facts) = self.processes.get_mut(&process) else { return };
        let pid = facts.pid;
        let has_remains = is_group_alive(pid);
        facts.has_ended = true;
        self.matching.handle_end(now, process);
        if let Some(adopted) = facts.adopted.take() {
            self.poll.remove(&adopted);
        }
        if !has_remains {
            self.forget(process);
        }
        self.planner.handle_exited(now, process, end, has_remains);
    }

    fn forget(&mut self, process: ProcessId) {
        let Some(facts) = self.processes.remove(&process) else { return };
        if let Err(error) = self.state.gone(facts.pid) {
            self.log.say(Level::Error, &format!("the state file does not take an end: {error}"));
        }
    }

    /// Looks whether anything is left of the groups whose leaders ended.
    pub(crate) fn check_groups(&mut self, now: Moment) {
        let remains: Vec<ProcessId> = self.planner.remains().collect();
        for process in remains {
            let is_alive = self.processes.get(&process).is_some_and(|facts| is_group_alive(facts.pid));
            if !is_alive {
                self.forget(process);
                self.planner.handle_group_gone(now, process);
            }
        }
    }

    /// Reads what a process wrote.
    pub(crate) fn handle_output(&mut self, process: ProcessId, stream: Stream) {
        // A process that writes without end does not keep the others waiting.
        for _ in 0..16 {
            let key = (process, pipe_key(stream));
            let Some((pipe, place)) = self.pipes.get_mut(&key) else { return };
            let (lines, has_ended) = pipe.read(&mut self.buffer);
            let place = place.clone();
            let program = match self.processes.get(&process) {
                Some(facts) => self.program_now(facts),
                None => self.config.programs.get(place.0.as_str()).map(|it| Arc::new(it.clone())),
            };
            if let Some(program) = program {
                self.outputs.take(&self.log, &place, &program, stream, &lines);
            }
            if has_ended && let Some((pipe, _)) = self.pipes.remove(&key) {
                self.poll.remove(&pipe);
            }
            if has_ended || lines.is_empty() {
                return;
            }
        }
    }

    /// Looks at the memory and the processor time of all groups.
    pub(crate) fn sample(&mut self, now: Moment) {
        let pids: BTreeSet<i32> = self.processes.values().map(|facts| facts.pid).collect();
        if pids.is_empty() {
            return;
        }
        let groups = proc::groups(&pids);
        let mut memories = Vec::new();
        for (process, facts) in &mut self.processes {
            let Some(group) = groups.get(&facts.pid) else { continue };
            let (before, cpu_before) = match &facts.sample {
                Some(sample) => (sample.at, sample.cpu),
                None => (facts.spawned, Duration::ZERO),
            };
            let span = now.since(before).as_secs_f64();
            let used = group.cpu.saturating_sub(cpu_before).as_secs_f64();
            let cpu_part = if span > 0.0 { used / span } else { 0.0 };
            facts.sample = Some(Sample { at: now, cpu: group.cpu, cpu_part, memory: group.memory });
            memories.push((*process, group.memory));
        }
        for (process, memory) in memories {
            self.planner.handle_memory(now, process, memory);
        }
    }

    /// What the last manager left behind takes its places, or is told to leave.
    pub(crate) fn take_over_orphans(&mut self, now: Moment) {
        let mut left = std::mem::take(&mut self.left);
        for record in self.unrecorded(&left) {
            // Its line was not written any more, or was cut.
            left.push(record);
        }
        for record in left {
            let leader = proc::stat(record.pid).filter(|it| it.started == record.started && !it.is_zombie());
            let is_ours = leader.is_some() || self.is_group_of_ours(record.pid);
            if !is_ours {
                if let Err(error) = self.state.gone(record.pid) {
                    self.log.say(Level::Error, &format!("the state file does not take an end: {error}"));
                }
                continue;
            }
            self.take_over(now, &record, leader.is_some());
        }
    }

    fn take_over(&mut self, now: Moment, record: &Record, has_leader: bool) {
        let Some(name) = ProgramName::parse(&record.program) else { return };
        let program = self.config.programs.get(&name).cloned();
        let pidfd = has_leader.then(|| watch_pid(record.pid)).flatten();
        let is_same = program.as_ref().is_some_and(|program| launch_number(program) == record.launch);
        let is_kept = is_same && self.config.orphans == Orphans::Adopt;
        let spawned = Moment::after_boot(clock::ticks(record.started));
        let place = has_leader
            .then(|| self.planner.handle_orphan(now, &record.program, record.number, spawned, is_kept));
        let process = match place.flatten() {
            Some(process) => process,
            None => {
                let patience = program.as_ref().map_or(crate::limits::STRAY_PATIENCE, |it| it.stop.patience);
                self.planner.handle_stray(now, &name, patience)
            }
        };
        let what = if is_kept { "goes on" } else { "is told to leave" };
        let text = format!("{}:{} pid {}, left by the last manager, {what}", name, record.number, record.pid);
        self.log.say(Level::Warn, &text);
        if let Some(pidfd) = &pidfd
            && let Err(error) = self.poll.add(pidfd, Token::Adopted(process))
        {
            self.log.say(Level::Error, &format!("pid {} cannot be watched: {error}", record.pid));
        }
        for (descriptor, stream) in [(1, Stream::Stdout), (2, Stream::Stderr)] {
            if let Some(pipe) = reopen_output(record.pid, descriptor) {
                self.add_pipe(process, &name, record.number, pipe, stream);
            }
        }
        self.by_pid.insert(record.pid, process);
        let facts = Process {
            pid: record.pid,
            name,
            program: program.map(Arc::new),
            spawned,
            has_ended: pidfd.is_none(),
            adopted: pidfd,
            sample: None,
        };
        self.processes.insert(process, facts);
    }

    /// Processes that have our mark and are not in the state file.
    fn unrecorded(&self, known: &[Record]) -> Vec<Record> {
        let folder = self.config.state_folder.to_string_lossy().into_owned();
        let ours = i32::try_from(std::process::id()).unwrap_or_default();
        let leaders =
            proc::all().filter(|stat| stat.group == stat.pid && stat.pid != ours && !stat.is_zombie());
        let unknown = leaders.filter(|stat| known.iter().all(|record| record.pid != stat.pid));
        unknown
            .filter_map(|stat| {
                let variables = proc::environment(stat.pid)?;
                if variables.get(STATE_VARIABLE) != Some(&folder) {
                    return None;
                }
                let (program, number) = variables.get(PLACE_VARIABLE)?.rsplit_once(':')?;
                let number = number.parse().ok()?;
                Some(Record {
                    pid: stat.pid,
                    started: stat.started,
                    program: program.to_owned(),
                    number,
                    launch: 0,
                })
            })
            .collect()
    }

    /// Whether the members of a group without its leader have our mark.
    fn is_group_of_ours(&self, group: i32) -> bool {
        let folder = self.config.state_folder.to_string_lossy();
        let mut members = proc::all().filter(|stat| stat.group == group && !stat.is_zombie());
        members.any(|stat| {
            let variables = proc::environment(stat.pid).unwrap_or_default();
            variables.get(STATE_VARIABLE).is_some_and(|it| *it == folder)
        })
    }

    pub(crate) fn handle_adopted_end(&mut self, now: Moment, process: ProcessId) {
        let Some(facts) = self.processes.get(&process) else { return };
        self.by_pid.remove(&facts.pid);
        self.handle_end(now, process, &End::Unknown);
    }
}

fn pipe_key(stream: Stream) -> u8 {
    match stream {
        Stream::Stdout => 1,
        Stream::Stderr => 2,
    }
}

/// Whether a process group has a member that lives.
fn is_group_alive(group: i32) -> bool {
    // The kernel's quick no is common; its yes also counts the dead whom nobody has taken the exit status of.
    if killpg(Pid::from_raw(group), None) == Err(Errno::ESRCH) {
        return false;
    }
    // Where nobody can look, as when no descriptor is left, the kernel's word stands.
    proc::is_unreadable() || proc::all().any(|stat| stat.group == group && !stat.is_zombie())
}

/// A descriptor that becomes readable when a process that is not our child ends.
fn watch_pid(pid: i32) -> Option<OwnedFd> {
    let pid = rustix::process::Pid::from_raw(pid)?;
    rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok()
}

/// The pipe that an orphan writes to, to go on reading it.
fn reopen_output(pid: i32, descriptor: i32) -> Option<OwnedFd> {
    use std::os::unix::fs::OpenOptionsExt;
    let inode = proc::pipe_inode(pid, descriptor)?;
    // Where both streams are one pipe, one reader is enough.
    if descriptor == 2 && proc::pipe_inode(pid, 1) == Some(inode) {
        return None;
    }
    let path = format!("/proc/{pid}/fd/{descriptor}");
    let flags = nix::fcntl::OFlag::O_NONBLOCK.bits();
    let file = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
    Some(file.into())
}

/// A number that is another one where processes of the program would be others.
fn launch_number(program: &Program) -> u64 {
    let mut hasher = DefaultHasher::new();
    program.command.words.hash(&mut hasher);
    (program.command.shell, &program.functions, &program.user, &program.group).hash(&mut hasher);
    (&program.directory, program.umask).hash(&mut hasher);
    (&program.environment, &program.environment_of_file).hash(&mut hasher);
    hasher.finish()
}
