//! Processes from their beginning to their end.
//!
//! From: the planner's actions; the kernel's word that a process ended. To: the kernel; the planner.
//! Never: signals a pid that may be another process by now.

use super::clock;
use super::log::Level;
use super::orphans::record_of;
use super::output::Pipe;
use super::poll::Token;
use super::proc;
use super::spawn::{self, Spawned};
use super::state_file::{Intent, Record, StateFile};
use super::{Runner, Stream};
use crate::config::{Config, Program, ProgramName, Stop};
use crate::limits::SPAWNING_AT_ONCE;
use crate::planner::{Action, End, Event, Job, Moment, ProcessId, Spare, Wish};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, Uid};
use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

/// A process, or what is left of its group.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    /// With the pid, its identity: when it was started, in ticks after the machine's start.
    pub(crate) started: u64,
    pub(crate) name: ProgramName,
    /// What it was spawned from; without, it is an orphan of a program that is no more.
    pub(crate) program: Option<Arc<Program>>,
    /// The functions it was spawned to do.
    pub(crate) functions: Vec<String>,
    /// How it is asked to leave: as it was spawned, whatever its program says by now. Its patience is the planner's.
    pub(crate) stop: Stop,
    /// Which change of its program it was spawned after; without, another manager spawned it.
    pub(crate) version: Option<u64>,
    /// It has its stop signal.
    pub(crate) is_told: bool,
    /// When it got that, where it may have been in the middle of a job then.
    pub(crate) told_in_job: Option<Moment>,
    pub(crate) spawned: Moment,
    pub(crate) life: Life,
    pub(crate) sample: Option<Sample>,
}

/// How its end is heard of.
#[derive(Debug)]
pub(crate) enum Life {
    /// It is our child: its number stays its own until we take its exit status.
    Child,
    /// It was adopted, and this descriptor is it and no other.
    Watched(OwnedFd),
    /// It was adopted from a kernel without such descriptors: only looking tells.
    Adopted,
    /// It ended; others of its group are there.
    Ended,
}

impl Process {
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.life, Life::Ended)
    }

    pub(crate) fn is_unwatched(&self) -> bool {
        matches!(self.life, Life::Adopted)
    }

    /// Whether the process itself, and no other of its number, is there and not dead.
    pub(crate) fn is_leader_alive(&self) -> bool {
        proc::stat(self.pid).is_some_and(|stat| stat.started == self.started && !stat.is_zombie())
    }

    /// Sends a signal to it, or to its whole group.
    pub(crate) fn send(&self, signal: Signal, whole: bool) -> nix::Result<()> {
        let pid = Pid::from_raw(self.pid);
        if whole || self.has_ended() {
            // The kernel gives no process the number of a group that is there: another one means it is gone. That of a
            // child is its own in any case.
            let is_another = !matches!(self.life, Life::Child)
                && proc::stat(self.pid).is_some_and(|stat| stat.started != self.started);
            return if is_another { Err(Errno::ESRCH) } else { killpg(pid, signal) };
        }
        match &self.life {
            Life::Watched(pidfd) => send_to(pidfd, signal),
            Life::Adopted if !self.is_leader_alive() => Err(Errno::ESRCH),
            Life::Child | Life::Adopted | Life::Ended => kill(pid, signal),
        }
    }

    /// Whether its stop signal would be the death of a process that gets it.
    fn would_die(&self, whole: bool) -> bool {
        let signal = self.stop.signal as i32;
        if !whole && !self.has_ended() {
            return proc::would_die_of(self.pid, signal);
        }
        let members = proc::groups(&BTreeSet::from([self.pid])).into_values().flat_map(|group| group.pids);
        members.into_iter().any(|pid| proc::would_die_of(pid, signal))
    }
}

fn send_to(pidfd: &OwnedFd, signal: Signal) -> nix::Result<()> {
    let signal = rustix::process::Signal::from_named_raw(signal as i32).ok_or(Errno::EINVAL)?;
    let sent = rustix::process::pidfd_send_signal(pidfd, signal);
    sent.map_err(|error| Errno::from_raw(error.raw_os_error()))
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
    /// Does what the planner wants, until it wants nothing more, or spawns took the time that a turn has for them: the
    /// rest is for the next turn then, in its order.
    pub(crate) fn carry_out(&mut self, now: Moment) {
        let mut has_acted = false;
        while self.spawning < SPAWNING_AT_ONCE
            && let Some(action) = self.planner.poll_action()
        {
            match action {
                Action::Spawn { process, name, slot, program, version } => {
                    let begun = clock::now();
                    self.spawn(begun, process, (name, slot), program, version);
                    self.spawning += clock::now().since(begun);
                }
                Action::Stop { process, group, spare } => self.stop(now, process, group, spare),
                Action::Kill { process } => self.kill(process),
                Action::Note(event) => self.note(&event),
                Action::End => self.end(),
            }
            has_acted = true;
        }
        if has_acted && !self.has_ended {
            self.record_wishes();
        }
    }

    fn end(&mut self) {
        self.has_ended = true;
        self.write_state(StateFile::ended);
    }

    pub(crate) fn record_wishes(&mut self) {
        let wishes: Vec<(String, Wish)> =
            self.planner.wishes().map(|(program, wish)| (program.to_owned(), wish)).collect();
        // Each is known to the file's next writing, also where one before it is not written.
        self.write_state(|state| {
            wishes.into_iter().map(|(program, wish)| state.wish(&program, wish)).fold(Ok(()), Result::and)
        });
    }

    /// Processes of programs that have another patience than before go by that one, also under the next manager.
    pub(crate) fn record_patience(&mut self, before: &Config) {
        let stop_in =
            |config: &Config, name: &ProgramName| config.programs.get(name).map(|program| program.stop);
        let of = |facts: &Process| {
            let now = stop_in(&self.config, &facts.name)?;
            let is_news = stop_in(before, &facts.name)?.patiences() != now.patiences();
            is_news.then_some((facts.pid, now))
        };
        let changed: Vec<(i32, Stop)> = self.processes.values().filter_map(of).collect();
        self.write_state(|state| {
            changed.iter().map(|(pid, stop)| state.patience(*pid, stop)).fold(Ok(()), Result::and)
        });
    }

    /// Writes something into the state file; where that fails, the next manager knows less, until it is written anew.
    pub(crate) fn write_state(&mut self, write: impl FnOnce(&mut StateFile) -> io::Result<()>) {
        let was_behind = self.state.is_behind();
        match write(&mut self.state) {
            Err(error) if !was_behind => {
                self.log.say(Level::Error, &format!("the state file cannot be written: {error}"));
            }
            Ok(()) if was_behind && !self.state.is_behind() => {
                self.log.say(Level::Info, "the state file is written again");
            }
            Ok(()) | Err(_) => {}
        }
    }

    /// Tries again what could not be written.
    pub(crate) fn mend_state(&mut self) {
        if self.state.is_behind() {
            self.write_state(StateFile::rewrite);
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
        (name, number): (ProgramName, u32),
        program: Arc<Program>,
        version: u64,
    ) {
        let record = record_of(&program, &name, number);
        let spawned = match self.spawn_recorded(now, &program, &record) {
            Ok(spawned) => spawned,
            Err(error) => {
                self.write_state(StateFile::not_spawned);
                self.planner.handle_exited(now, process, &End::NotSpawned(error.to_string()), false);
                return;
            }
        };
        let record = Record { pid: spawned.pid, started: spawned.started, ..record };
        self.write_state(|state| state.spawned(record));
        self.add_pipe(process, &name, number, spawned.stdout, Stream::Stdout);
        if let Some(stderr) = spawned.stderr {
            self.add_pipe(process, &name, number, stderr, Stream::Stderr);
        }
        self.by_pid.insert(spawned.pid, process);
        let facts = Process {
            pid: spawned.pid,
            started: spawned.started,
            name,
            functions: program.functions.clone(),
            stop: program.stop,
            version: Some(version),
            is_told: false,
            told_in_job: None,
            program: Some(program),
            spawned: now,
            life: Life::Child,
            sample: None,
        };
        self.processes.insert(process, facts);
    }

    /// Spawns a process that the next manager finds, whenever this one is killed.
    fn spawn_recorded(&mut self, now: Moment, program: &Program, record: &Record) -> io::Result<Spawned> {
        let record = Record { started: clock::in_ticks(now), ..record.clone() };
        let begun = clock::now();
        let account = self.accounts.of(program)?;
        let user = account.as_ref().map_or_else(Uid::effective, |account| account.user);
        let intent = Intent { user: user.as_raw(), record };
        let place = format!("{}:{}", intent.record.program, intent.record.number);
        self.write_state(|state| state.intends(intent));
        let spawned = spawn::spawn(program, account, &place, self.state.mark());
        self.check_standstill(begun, || format!("with the spawn of {place}"));
        spawned
    }

    pub(crate) fn add_pipe(
        &mut self,
        process: ProcessId,
        name: &ProgramName,
        number: u32,
        fd: OwnedFd,
        stream: Stream,
    ) {
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

    /// Sends the stop signal; `spare`: not where it would end a job.
    fn stop(&mut self, now: Moment, process: ProcessId, group: bool, spare: Spare) {
        let Some(facts) = self.processes.get_mut(&process) else { return };
        let whole = group || facts.stop.group;
        if facts.is_told && !facts.has_ended() {
            // By the last manager. Many take a second signal for the order to drop everything.
            return;
        }
        let may_die = || !facts.has_ended() && self.manners.may_die(&facts.name, facts.version);
        let is_spared = match spare {
            Spare::Nobody => false,
            Spare::WouldDie => facts.would_die(whole),
            Spare::MayDie => may_die() || facts.would_die(whole),
        };
        if is_spared {
            let pid = facts.pid;
            self.write_state(|state| state.leaving(pid));
            self.planner.handle_held(now, process);
            return;
        }
        facts.is_told = true;
        let has_job = self.matching.job(process, &facts.functions) != Job::None;
        facts.told_in_job = has_job.then_some(now);
        let (pid, signal) = (facts.pid, facts.stop.signal);
        let sent = facts.send(signal, whole);
        self.write_state(|state| state.told(pid));
        self.check_sent(process, signal, sent);
    }

    fn kill(&mut self, process: ProcessId) {
        let Some(facts) = self.processes.get(&process) else { return };
        let sent = facts.send(Signal::SIGKILL, true);
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
        self.check_groups(now, &|pids| pids.iter().copied().filter(|pid| may_have_members(*pid)).collect());
    }

    fn handle_end(&mut self, now: Moment, process: ProcessId, end: &End) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            // What it wrote last is read before anything is said about its end.
            self.handle_output(process, stream);
        }
        let Some(facts) = self.processes.get_mut(&process) else { return };
        // A program that comes back counts its versions anew.
        let is_in_file = self.config.programs.contains_key(&facts.name);
        if let Some(version) = facts.version.filter(|_| facts.is_told && is_in_file) {
            let in_job_for = facts.told_in_job.map(|told| now.since(told));
            self.manners.handle_end(&facts.name, version, facts.stop.signal, in_job_for, end);
        }
        let pid = facts.pid;
        // The dead among them have had their exit status taken, or will have it a moment later.
        let has_remains = may_have_members(pid);
        if let Life::Watched(pidfd) = std::mem::replace(&mut facts.life, Life::Ended) {
            self.poll.remove(&pidfd);
        }
        if !has_remains {
            self.forget(now, process);
        }
        self.planner.handle_exited(now, process, end, has_remains);
    }

    fn forget(&mut self, now: Moment, process: ProcessId) {
        let Some(facts) = self.processes.remove(&process) else { return };
        self.matching.handle_gone(now, process);
        self.write_state(|state| state.gone(facts.pid));
    }

    /// Looks whether anything is left of the groups whose leaders ended; `alive`: which of these there are.
    pub(crate) fn check_groups(&mut self, now: Moment, alive: &dyn Fn(&BTreeSet<i32>) -> BTreeSet<i32>) {
        let pid_of = |process: ProcessId| self.processes.get(&process).map(|facts| facts.pid);
        let remains: Vec<(ProcessId, Option<i32>)> =
            self.planner.remains().map(|process| (process, pid_of(process))).collect();
        let alive = alive(&remains.iter().filter_map(|(_, pid)| *pid).collect());
        for (process, pid) in remains {
            if pid.is_none_or(|pid| !alive.contains(&pid)) {
                self.forget(now, process);
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

/// Whether a process group has members, by the kernel's word: its yes also counts the dead whom nobody has taken the
/// exit status of.
fn may_have_members(group: i32) -> bool {
    killpg(Pid::from_raw(group), None) != Err(Errno::ESRCH)
}

/// Those of these process groups that have a member which lives: one look at all processes for all of them.
pub(crate) fn groups_alive(groups: &BTreeSet<i32>) -> BTreeSet<i32> {
    let wanted: BTreeSet<i32> = groups.iter().copied().filter(|group| may_have_members(*group)).collect();
    // Where nobody can look, as when no descriptor is left, the kernel's word stands.
    if wanted.is_empty() || proc::is_unreadable() {
        wanted
    } else {
        proc::groups(&wanted).into_keys().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::forks;
    use super::super::orphans::open_pid;
    use super::*;
    use std::os::unix::process::CommandExt;

    fn process(child: &std::process::Child, life: Life) -> Process {
        let pid = i32::try_from(child.id()).unwrap();
        Process {
            pid,
            started: proc::stat(pid).unwrap().started,
            name: ProgramName::parse("a").unwrap(),
            program: None,
            functions: Vec::new(),
            stop: Stop::default(),
            version: None,
            is_told: false,
            told_in_job: None,
            spawned: Moment::default(),
            life,
            sample: None,
        }
    }

    #[test]
    fn a_process_that_is_gone_is_not_signalled_by_its_number() {
        let fork = forks::one();
        let mut child = std::process::Command::new("sleep").arg("1000").process_group(0).spawn().unwrap();
        drop(fork);
        let watched = process(&child, Life::Watched(open_pid(i32::try_from(child.id()).unwrap()).unwrap()));
        let adopted = process(&child, Life::Adopted);
        // Its number, but not its start: another process by now.
        let another = Process { started: watched.started + 1, ..process(&child, Life::Ended) };
        let another_leader = Process { started: watched.started + 1, ..process(&child, Life::Adopted) };
        assert!(watched.would_die(false) && watched.would_die(true));
        assert_eq!(another.send(Signal::SIGKILL, true), Err(Errno::ESRCH));
        assert_eq!(another_leader.send(Signal::SIGKILL, false), Err(Errno::ESRCH));
        assert!(child.try_wait().unwrap().is_none());
        assert_eq!(watched.send(Signal::SIGTERM, false), Ok(()));
        child.wait().unwrap();
        assert_eq!(watched.send(Signal::SIGTERM, false), Err(Errno::ESRCH));
        assert_eq!(adopted.send(Signal::SIGTERM, false), Err(Errno::ESRCH));
    }
}
