//! A machine that is not there: processes that live in a table, and a clock that is set.
//!
//! All that the planner asks for is checked as it comes: no kill before patience, never too many processes.

use geartrain_manager::config::{
    Backoff, Command, Config, CrashLoop, LogTarget, Orphans, Processes, Program, ProgramName, Ready, Restart,
    Rotation, Stop,
};
use geartrain_manager::limits::JOB_PATIENCE;
use geartrain_manager::planner::{Action, End, Event, Moment, PlaceStatus, Planner, ProcessId};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn name(text: &str) -> ProgramName {
    ProgramName::parse(text).unwrap()
}

/// A program with the defaults of the configuration and this many processes.
pub(crate) fn program(command: &str, min: u32, max: u32) -> Program {
    Program {
        command: Command { words: vec![command.to_owned()], shell: false },
        functions: Vec::new(),
        processes: Processes { min, max },
        autostart: true,
        after: Vec::new(),
        user: None,
        group: None,
        directory: "/".into(),
        umask: None,
        environment: BTreeMap::new(),
        environment_file: None,
        environment_of_file: BTreeMap::new(),
        ready: Ready { after: secs(1), within: Some(secs(30)) },
        stop: Stop::default(),
        replace: None,
        lifetime: None,
        lifetime_jitter: 0.1,
        restart: Restart::Always,
        exit_codes: vec![0],
        short_life: secs(1),
        backoff: Backoff { first: secs(1), factor: 2.0, max: secs(60), jitter: 0.1 },
        crash_loop: Some(CrashLoop { exits: 5, within: secs(60) }),
        memory_bytes_max: None,
        watch: Vec::new(),
        watch_settle: secs(1),
        stdout: LogTarget::Manager,
        stderr: LogTarget::Stdout,
        rotation: Rotation { bytes_max: None, files: 1 },
        autoscale: None,
    }
}

/// The same, of workers that do a function.
pub(crate) fn worker(command: &str, min: u32, max: u32) -> Program {
    Program { functions: vec!["f".to_owned()], ..program(command, min, max) }
}

pub(crate) fn config(programs: impl IntoIterator<Item = (&'static str, Program)>) -> Config {
    Config {
        servers: Vec::new(),
        socket: "/run/s".into(),
        socket_mode: 0o600,
        socket_user: None,
        socket_group: None,
        state_folder: "/var/lib/s".into(),
        orphans: Orphans::Stop,
        programs: programs.into_iter().map(|(key, program)| (name(key), program)).collect(),
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Process {
    pub(crate) program: String,
    pub(crate) command: String,
    pub(crate) spawned: Moment,
    pub(crate) told: Option<Moment>,
    pub(crate) patience: Option<Duration>,
    pub(crate) has_job: bool,
    pub(crate) was_ready: bool,
}

pub(crate) struct World {
    pub(crate) planner: Planner,
    pub(crate) config: Config,
    pub(crate) now: Moment,
    pub(crate) processes: BTreeMap<ProcessId, Process>,
    /// Processes that the planner killed and that are still in the table.
    pub(crate) killed: BTreeSet<ProcessId>,
    pub(crate) log: Vec<String>,
    pub(crate) has_ended: bool,
    /// Somebody did not want to wait: kills come before patience is over.
    pub(crate) is_hurried: bool,
    /// Every action and its time, to compare two runs.
    pub(crate) trace: Vec<String>,
    /// Places held in a crash loop, until something that may release them.
    pub(crate) held: BTreeSet<(String, u32)>,
    /// Commands that became ready once, of each program.
    pub(crate) proven: BTreeSet<(String, String)>,
}

impl World {
    pub(crate) fn new(seed: u64, config: Config) -> Self {
        let now = Moment::after_boot(secs(1000));
        let mut planner = Planner::new(seed, &config);
        planner.handle_servers(now, true);
        let mut world = Self {
            planner,
            config,
            now,
            processes: BTreeMap::new(),
            killed: BTreeSet::new(),
            log: Vec::new(),
            has_ended: false,
            is_hurried: false,
            trace: Vec::new(),
            held: BTreeSet::new(),
            proven: BTreeSet::new(),
        };
        world.planner.handle_time(now);
        world.act();
        world
    }

    /// Does what the planner asks for, and checks it.
    pub(crate) fn act(&mut self) {
        while let Some(action) = self.planner.poll_action() {
            self.trace.push(format!("{:?} {action:?}", self.now));
            match action {
                Action::Spawn { process, name, slot, program } => {
                    assert!(!self.has_ended && !self.planner.is_ending(), "a spawn during a shutdown");
                    let place = (name.to_string(), slot);
                    assert!(
                        !self.held.contains(&place),
                        "a held crash loop spawned: {place:?}: {:#?}",
                        self.trace
                            .iter()
                            .filter(|line| line.contains(&place.0))
                            .rev()
                            .take(12)
                            .collect::<Vec<_>>()
                    );
                    let process_now = Process {
                        program: name.to_string(),
                        command: program.command.words[0].clone(),
                        spawned: self.now,
                        told: None,
                        patience: program.stop.patience,
                        has_job: false,
                        was_ready: false,
                    };
                    self.check_canary(&process_now);
                    self.processes.insert(process, process_now);
                }
                Action::Stop { process, .. } => {
                    if let Some(process) = self.processes.get_mut(&process) {
                        assert_eq!(process.told, None, "told to leave twice");
                        process.told = Some(self.now);
                    }
                }
                Action::Kill { process } => self.check_kill(process),
                Action::Note(event) => self.note(&event),
                Action::End => {
                    assert!(self.processes.is_empty(), "the end while processes are left");
                    self.has_ended = true;
                }
            }
        }
        self.check();
    }

    fn note(&mut self, event: &Event) {
        if let Event::State { program, slot, to: "crash-looping", .. } = event {
            self.held.insert((program.clone(), *slot));
        }
        // A new version was ready in one place: it is tried where the old one could not run.
        if let Event::Rollout { program, step } = event
            && step.ends_with("the others follow")
        {
            self.held.retain(|(of, _)| of != program);
        }
        // The place went away, or was stopped: whoever wants it back says so.
        if let Event::State { program, slot, to: "exited", .. } = event {
            self.held.remove(&(program.clone(), *slot));
        }
        if let Event::State { process: Some(process), to: "running", .. } = event {
            self.note_ready(*process);
        }
        self.log.push(event.to_string());
    }

    /// I20: never SIGKILL before patience is over, nor in the middle of a job before the hard limit is.
    fn check_kill(&mut self, process: ProcessId) {
        let Some(facts) = self.processes.get(&process) else { return };
        let told = facts.told.expect("a kill without a stop signal before");
        if self.is_hurried {
            assert!(self.killed.insert(process), "killed twice");
            return;
        }
        let patience = facts.patience.expect("a kill of a process that is never killed");
        let waited = self.now.since(told);
        assert!(waited >= patience, "killed after {waited:?} of {patience:?}");
        assert!(!facts.has_job || waited >= JOB_PATIENCE, "killed in the middle of a job after {waited:?}");
        assert!(self.killed.insert(process), "killed twice");
    }

    /// I22: while a command has never been ready, and another one of its program is at work, only one process has it.
    fn check_canary(&self, new: &Process) {
        let is_proven = self.proven.contains(&(new.program.clone(), new.command.clone()));
        let mut others = self.processes.values().filter(|it| it.program == new.program && it.told.is_none());
        let is_canary = others.clone().any(|it| it.was_ready && it.command != new.command);
        if !is_proven && is_canary {
            assert!(
                others.all(|it| it.command != new.command),
                "a second process of {} before one was ready: {:#?}",
                new.command,
                self.trace
                    .iter()
                    .filter(|line| line.contains(&new.program))
                    .rev()
                    .take(40)
                    .collect::<Vec<_>>()
            );
        }
    }

    /// What holds after each step; I21: never too many processes.
    pub(crate) fn check(&self) {
        for (name, program) in &self.config.programs {
            let of_it = self.processes.values().filter(|it| it.program == name.as_str());
            let staying = of_it.filter(|it| it.told.is_none()).count();
            let is_fixed = program.processes.min == program.processes.max;
            let by_hand =
                self.planner.status().into_iter().find(|it| it.program == name.as_str() && is_fixed);
            let max = by_hand.map_or(program.processes.max, |it| it.wanted.max(program.processes.max));
            let max = usize::try_from(max).unwrap() + 1;
            assert!(staying <= max, "{staying} processes of {name}, {max} allowed");
        }
        let known = |process: &ProcessId| self.planner.place_of(*process).is_some();
        assert!(self.processes.keys().all(known), "a process is forgotten");
        for pool in self.planner.status() {
            let listed = pool.places.iter().flat_map(|place| &place.processes).count();
            let there = self.processes.values().filter(|it| it.program == pool.program).count();
            assert_eq!(listed, there, "processes of {} that are in no place", pool.program);
            for place in &pool.places {
                let is_overdue = place.until.is_some_and(|until| until <= self.now);
                assert!(
                    !is_overdue || place.why.starts_with("waits for"),
                    "{}:{} has no process although its pause is over: {place:?}",
                    pool.program,
                    place.number
                );
            }
        }
        if let Some(timeout) = self.planner.poll_timeout() {
            assert!(
                timeout > self.now,
                "the planner wants to be woken at once, for ever: {:?}",
                self.planner
            );
        }
    }

    /// Lets the clock run, with all that is due on the way.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.planner.poll_timeout().filter(|at| *at <= end) {
            self.now = at;
            self.planner.handle_time(self.now);
            self.act();
        }
        self.now = end;
        self.planner.handle_time(self.now);
        self.act();
    }

    pub(crate) fn exit(&mut self, process: ProcessId, end: &End) {
        self.processes.remove(&process);
        self.killed.remove(&process);
        self.planner.handle_exited(self.now, process, end, false);
        self.act();
    }

    pub(crate) fn ready(&mut self, process: ProcessId) {
        self.planner.handle_ready(self.now, process);
        self.act();
    }

    fn note_ready(&mut self, process: ProcessId) {
        if let Some(facts) = self.processes.get_mut(&process) {
            facts.was_ready = true;
            self.proven.insert((facts.program.clone(), facts.command.clone()));
        }
    }

    pub(crate) fn ready_all(&mut self) {
        let all: Vec<ProcessId> =
            self.processes.iter().filter(|(_, it)| !it.was_ready).map(|(process, _)| *process).collect();
        all.into_iter().for_each(|process| self.ready(process));
    }

    pub(crate) fn job(&mut self, process: ProcessId, has_job: bool) {
        if let Some(facts) = self.processes.get_mut(&process) {
            facts.has_job = has_job;
        }
        self.planner.handle_job(self.now, process, has_job);
        self.act();
    }

    pub(crate) fn reconfigure(&mut self, config: Config) {
        // A changed program may release what is held.
        self.held.retain(|(program, _)| {
            config.programs.get(program.as_str()) == self.config.programs.get(program.as_str())
        });
        self.config = config;
        let config = self.config.clone();
        self.planner.handle_config(self.now, &config);
        self.act();
    }

    pub(crate) fn change(&mut self, program: &str) {
        self.held.retain(|(of, _)| of != program);
        self.planner.handle_changed(self.now, program, "a file changed");
        self.act();
    }

    /// The processes of a program that were not told to leave, in the order they were spawned.
    pub(crate) fn staying(&self, program: &str) -> Vec<ProcessId> {
        let of_it = self.processes.iter().filter(|(_, it)| it.program == program && it.told.is_none());
        of_it.map(|(process, _)| *process).collect()
    }

    /// The processes of a program that were told to leave.
    pub(crate) fn leaving(&self, program: &str) -> Vec<ProcessId> {
        let of_it = self.processes.iter().filter(|(_, it)| it.program == program && it.told.is_some());
        of_it.map(|(process, _)| *process).collect()
    }

    pub(crate) fn place(&self, program: &str, number: u32) -> PlaceStatus {
        let pools = self.planner.status();
        let pool = pools.iter().find(|it| it.program == program).expect("the program is there");
        pool.places.iter().find(|it| it.number == number).expect("the place is there").clone()
    }

    pub(crate) fn rollout(&self, program: &str) -> Option<String> {
        self.planner.status().into_iter().find(|it| it.program == program)?.rollout
    }
}
