//! What the last manager left behind.
//!
//! From: the state file; for a process whose line was not written any more, its mark. To: the planner.
//! Never: takes a process for ours that was not spawned by a manager on this folder.

use super::clock;
use super::life::{Life, Process};
use super::log::Level;
use super::poll::Token;
use super::proc;
use super::spawn::{PLACE_VARIABLE, STATE_VARIABLE};
use super::state_file::{Intent, Record, Stage};
use super::{Runner, Stream};
use crate::config::{Orphans, Program, ProgramName};
use crate::planner::{Moment, Orphan, ProcessId};
use nix::fcntl::OFlag;
use std::fs::{File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::sync::Arc;

impl Runner {
    /// What the last manager left behind takes its places, or is told to leave.
    pub(crate) fn take_over_orphans(&mut self, now: Moment) {
        let left = std::mem::take(&mut self.left);
        for line in &left.not_understood {
            self.log.say(Level::Error, &format!("the state file has a line that means nothing here: {line}"));
        }
        for (program, wish) in &left.wishes {
            self.planner.restore(now, program, wish);
        }
        let mut records = left.records;
        if let Some(found) = left.intent.and_then(|intent| self.find_intended(&intent, &records)) {
            // Its line was not written any more, or was cut.
            self.write_state(|state| state.spawned(found.clone()));
            records.push(found);
        }
        self.write_state(super::state_file::StateFile::not_spawned);
        // Of two in one place, the one that was told to leave is the predecessor; else one of another command is, and
        // else the older one is at work. Of all places, those that stay come first.
        records.sort_by_cached_key(|it| {
            (it.program.clone(), it.stage, !self.is_as_in_file(it), it.number, it.started)
        });
        for record in records {
            // First what tells of its end, then the look at who it is: so the number cannot be given again between.
            let pidfd = open_pid(record.pid);
            let leader = proc::stat(record.pid).filter(|it| it.started == record.started && !it.is_zombie());
            if leader.is_some() {
                let life = pidfd.map_or(Life::Adopted, Life::Watched);
                self.take_over(now, &record, life);
            } else if self.is_group_of_ours(&record) {
                self.take_over(now, &record, Life::Ended);
            } else {
                self.write_state(|state| state.gone(record.pid));
            }
        }
    }

    fn take_over(&mut self, now: Moment, record: &Record, life: Life) {
        let Some(name) = ProgramName::parse(&record.program) else { return };
        let program = self.config.programs.get(&name).cloned();
        let is_at_work = record.stage == Stage::AtWork && self.is_as_in_file(record);
        let may_go_on = is_at_work && self.config.orphans == Orphans::Adopt;
        let spawned = Moment::after_boot(clock::ticks(record.started));
        let has_leader = !matches!(life, Life::Ended);
        let is_worker = !record.functions.is_empty();
        let orphan = Orphan { slot: record.number, spawned, is_worker, may_stay: may_go_on };
        let place = has_leader.then(|| self.planner.handle_orphan(now, &record.program, &orphan));
        let process = place.flatten().unwrap_or_else(|| {
            self.planner.handle_stray(now, &name, record.number, is_worker, &record.stop())
        });
        let goes_on = self.planner.is_staying(process);
        let what = if goes_on { "goes on" } else { "is told to leave" };
        let text = format!("{name}:{} pid {}, left by the last manager, {what}", record.number, record.pid);
        self.log.say(Level::Warn, &text);
        let life = match life {
            Life::Watched(pidfd) => match self.poll.add(&pidfd, Token::Adopted(process)) {
                Ok(()) => Life::Watched(pidfd),
                Err(error) => {
                    let text = format!("pid {} cannot be watched, and is looked at: {error}", record.pid);
                    self.log.say(Level::Error, &text);
                    Life::Adopted
                }
            },
            unwatched @ (Life::Child | Life::Adopted | Life::Ended) => unwatched,
        };
        for (descriptor, stream) in [(1, Stream::Stdout), (2, Stream::Stderr)] {
            if let Some(pipe) = reopen_output(record.pid, descriptor) {
                self.add_pipe(process, &name, record.number, pipe, stream);
            }
        }
        if has_leader {
            self.by_pid.insert(record.pid, process);
        }
        let facts = Process {
            pid: record.pid,
            started: record.started,
            name,
            program: program.map(Arc::new),
            functions: record.functions.clone(),
            stop: record.stop(),
            version: None,
            is_told: record.stage == Stage::Told,
            told_in_job: None,
            spawned,
            life,
            sample: None,
        };
        self.processes.insert(process, facts);
    }

    /// Whether the program would be spawned in the same way now.
    fn is_as_in_file(&self, record: &Record) -> bool {
        let program = self.config.programs.get(record.program.as_str());
        program.is_some_and(|program| launch_number(program) == record.launch)
    }

    /// The process that the last manager was killed over, if it is there.
    fn find_intended(&self, intent: &Intent, known: &[Record]) -> Option<Record> {
        let record = &intent.record;
        let place = format!("{}:{}", record.program, record.number);
        let ours = i32::try_from(std::process::id()).unwrap_or_default();
        let is_it = |stat: &proc::Stat| {
            let is_leader = stat.group == stat.pid && stat.pid != ours && !stat.is_zombie();
            let is_known = known.iter().any(|record| record.pid == stat.pid);
            is_leader && !is_known && stat.started >= record.started && self.has_mark(stat.pid, Some(&place))
        };
        let stat = proc::all().find(|stat| is_it(stat) && proc::user(stat.pid) == Some(intent.user))?;
        Some(Record { pid: stat.pid, started: stat.started, ..record.clone() })
    }

    /// Whether a process was spawned by a manager on this folder, in this place where one is given.
    fn has_mark(&self, pid: i32, place: Option<&str>) -> bool {
        let Some(variables) = proc::environment(pid) else { return false };
        let of = |name: &str| variables.get(name).map(String::as_str);
        of(STATE_VARIABLE) == Some(self.state.mark())
            && place.is_none_or(|place| of(PLACE_VARIABLE) == Some(place))
            && proc::pid_namespace(&pid.to_string()) == proc::pid_namespace("self")
    }

    /// Whether a group without its leader is that of a process of ours.
    fn is_group_of_ours(&self, record: &Record) -> bool {
        let mut members = proc::all().filter(|stat| stat.group == record.pid && !stat.is_zombie());
        // A leader that is another process by now has a group of its own.
        members.any(|stat| {
            stat.pid != record.pid && stat.started >= record.started && self.has_mark(stat.pid, None)
        })
    }

    /// Looks after those of whose end nobody tells us.
    pub(crate) fn check_unwatched(&mut self, now: Moment) {
        let unwatched = self.processes.iter().filter(|(_, facts)| facts.is_unwatched());
        let gone: Vec<ProcessId> =
            unwatched.filter(|(_, facts)| !facts.is_leader_alive()).map(|(process, _)| *process).collect();
        for process in gone {
            self.handle_adopted_end(now, process);
        }
    }

    /// Whether there are processes of whose end nobody tells us.
    pub(crate) fn has_unwatched(&self) -> bool {
        self.processes.values().any(Process::is_unwatched)
    }
}

/// What the next manager has to know of a process; pid and start are not known before it is there.
pub(crate) fn record_of(program: &Program, name: &ProgramName, number: u32) -> Record {
    let record = Record {
        pid: 0,
        started: 0,
        program: name.to_string(),
        number,
        launch: launch_number(program),
        functions: program.functions.clone(),
        signal: program.stop.signal.as_str().to_owned(),
        group: program.stop.group,
        patience_ms: None,
        patience_job_ms: None,
        stage: Stage::AtWork,
    };
    record.with_patience(&program.stop)
}

/// A descriptor that becomes readable when a process that is not our child ends.
pub(crate) fn open_pid(pid: i32) -> Option<OwnedFd> {
    let pid = rustix::process::Pid::from_raw(pid)?;
    rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok()
}

/// The pipe that an orphan writes to, to go on reading it.
fn reopen_output(pid: i32, descriptor: i32) -> Option<OwnedFd> {
    // First a descriptor that only names what is there, so that nothing but a pipe is ever opened.
    let named = |descriptor: i32| {
        let path = format!("/proc/{pid}/fd/{descriptor}");
        let file = OpenOptions::new().read(true).custom_flags(OFlag::O_PATH.bits()).open(path).ok()?;
        let facts = file.metadata().ok()?;
        facts.file_type().is_fifo().then_some((file, facts.ino()))
    };
    let (file, inode): (File, u64) = named(descriptor)?;
    // Where both streams are one pipe, one reader is enough.
    if descriptor == 2 && named(1).is_some_and(|(_, of_stdout)| of_stdout == inode) {
        return None;
    }
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let pipe = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path).ok()?;
    Some(pipe.into())
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
