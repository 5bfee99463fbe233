//! A machine that is not there: processes that live in a table, and a clock that is set.
//!
//! All that the planner asks for is checked as it comes: no kill before patience, never too many processes.

use geartrain_manager::config::{
    Backoff, Command, Config, CrashLoop, LogTarget, Orphans, Processes, Program, ProgramName, Ready, Replace,
    Restart, Rotation, Stop,
};
use geartrain_manager::limits::{JOB_PATIENCE, WORD_PATIENCE};
use geartrain_manager::planner::{
    Action, End, Event, Job, Moment, Orphan, PlaceStatus, Planner, ProcessId, Spare,
};
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
    pub(crate) slot: u32,
    /// Which change of its program it was spawned after.
    pub(crate) version: u64,
    pub(crate) command: String,
    pub(crate) spawned: Moment,
    pub(crate) told: Option<Moment>,
    /// When it got its stop signal.
    pub(crate) signalled: Option<Moment>,
    pub(crate) patience: Option<Duration>,
    /// When its program was given another patience, where that was later than the order to leave.
    pub(crate) repatienced: Option<Moment>,
    pub(crate) job: Job,
    pub(crate) was_ready: bool,
    /// It is to do functions: the job server knows about its jobs.
    pub(crate) is_worker: bool,
    /// It dies of its stop signal.
    pub(crate) is_frail: bool,
    /// Since when its stop signal is held back.
    pub(crate) held: Option<Moment>,
    /// The planner had a word about its jobs.
    pub(crate) is_told_of: bool,
    /// Its leader ended, or it is an orphan without a place.
    pub(crate) is_rest: bool,
}

impl Process {
    /// A process that runs since then, as another manager left it.
    pub(crate) fn orphan(program: &str, of: &Program, spawned: Moment) -> Self {
        Self {
            program: program.to_owned(),
            slot: 0,
            version: 1,
            command: of.command.words[0].clone(),
            spawned,
            told: None,
            signalled: None,
            patience: of.stop.patience,
            repatienced: None,
            job: Job::None,
            was_ready: false,
            is_worker: !of.functions.is_empty(),
            is_frail: false,
            held: None,
            is_told_of: false,
            is_rest: false,
        }
    }

    /// From when on its patience counts, which began at this moment or with a change since.
    fn patience_since(&self, began: Moment) -> Moment {
        self.repatienced.map_or(began, |changed| changed.max(began))
    }

    pub(crate) fn has_job(&self) -> bool {
        self.job != Job::None
    }
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
    /// Whether the job servers answer, and tell about jobs.
    pub(crate) do_answer: bool,
    /// When the planner last heard of the jobs of a process.
    pub(crate) words: BTreeMap<ProcessId, Moment>,
    /// Processes that are spawned next die of their stop signal.
    pub(crate) are_frail: bool,
    /// Every action and its time, to compare two runs.
    pub(crate) trace: Vec<String>,
    /// Places held in a crash loop, until something that may release them.
    pub(crate) held: BTreeSet<(String, u32)>,
    /// Versions that became ready once, of each program.
    pub(crate) proven: BTreeSet<(String, u64)>,
    /// The newest version that was spawned of each program.
    versions: BTreeMap<String, u64>,
    /// The version of the process that ended last.
    last_ended: Option<u64>,
    /// How each program is ended, or was when the configuration had it last.
    pub(crate) stops: BTreeMap<String, Stop>,
}

impl World {
    pub(crate) fn new(seed: u64, config: Config) -> Self {
        Self::with_orphans(seed, config, |_| {})
    }

    /// The same, where another manager left something behind.
    pub(crate) fn with_orphans(seed: u64, config: Config, leave: impl FnOnce(&mut Self)) -> Self {
        let now = Moment::after_boot(secs(1000));
        let planner = Planner::new(seed, &config);
        let mut world = Self {
            planner,
            config,
            now,
            processes: BTreeMap::new(),
            killed: BTreeSet::new(),
            log: Vec::new(),
            has_ended: false,
            is_hurried: false,
            do_answer: true,
            words: BTreeMap::new(),
            are_frail: false,
            trace: Vec::new(),
            held: BTreeSet::new(),
            proven: BTreeSet::new(),
            versions: BTreeMap::new(),
            last_ended: None,
            stops: BTreeMap::new(),
        };
        world.note_stops();
        leave(&mut world);
        // Whoever is left takes its place before anything is started.
        world.planner.handle_servers(now, true);
        world.planner.handle_time(now);
        world.act();
        world
    }

    /// Does what the planner asks for, and checks it.
    pub(crate) fn act(&mut self) {
        while let Some(action) = self.planner.poll_action() {
            self.trace.push(format!("{:?} {action:?}", self.now));
            match action {
                Action::Spawn { process, name, slot, program, version } => {
                    assert!(!self.has_ended && !self.planner.is_ending(), "a spawn during a shutdown");
                    let facts = Process {
                        slot,
                        version,
                        patience: self.stops[name.as_str()].patience,
                        is_frail: self.are_frail,
                        ..Process::orphan(name.as_str(), &program, self.now)
                    };
                    self.check_alone(&facts);
                    let place = (name.to_string(), slot);
                    assert!(
                        !self.held.contains(&place),
                        "a held crash loop spawned: {place:?}: {:#?}",
                        self.lately(&place.0, 12)
                    );
                    self.check_canary(&facts);
                    let newest = self.versions.entry(facts.program.clone()).or_default();
                    *newest = version.max(*newest);
                    self.processes.insert(process, facts);
                }
                Action::Stop { process, spare, .. } => self.stop(process, spare),
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
        // What an old version did holds up no process of a new one.
        let is_of_newest = |program: &str| {
            let text = self.rollout(program).unwrap_or_default();
            let is_canary = text.starts_with("restart of ");
            let newest = self.versions.get(program);
            !is_canary && newest.is_none_or(|newest| self.last_ended.is_none_or(|ended| ended >= *newest))
        };
        if let Event::State { program, slot, to: "crash-looping", .. } = event
            && is_of_newest(program)
        {
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

    fn stop(&mut self, process: ProcessId, spare: Spare) {
        let Some(facts) = self.processes.get_mut(&process) else { return };
        let is_held = facts.held.is_some();
        assert!(facts.told.is_none() || is_held, "told to leave twice");
        let told = *facts.told.get_or_insert(self.now);
        let spared = if facts.patience.is_some() { Spare::MayDie } else { Spare::WouldDie };
        assert!(spare == Spare::Nobody || spare == spared, "{spare:?} of {facts:?}");
        if spare != Spare::Nobody && facts.is_frail {
            assert!(!is_held, "held twice");
            facts.held = Some(self.now);
            self.planner.handle_held(self.now, process);
            return;
        }
        if facts.is_frail && facts.is_worker {
            let waited = self.now.since(facts.patience_since(told));
            let is_over = waited >= facts.patience.unwrap_or(JOB_PATIENCE);
            let is_hard = facts.patience.is_some_and(|patience| waited >= patience.max(JOB_PATIENCE));
            // Nobody told of its job.
            let unknown = self.now.since(told) >= WORD_PATIENCE
                && self.words.get(&process).is_none_or(|word| *word < told);
            let is_late = match facts.job {
                Job::None => true,
                Job::Sure { since } if since <= told => is_hard,
                Job::Sure { .. } | Job::Maybe => is_over,
            };
            assert!(is_late || unknown, "its stop signal ended a job: {facts:?} after {waited:?}");
        }
        facts.held = None;
        facts.signalled = Some(self.now);
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
        // Where the signal was held back, it has its patience from then on.
        let signalled = facts.signalled.expect("a kill without a stop signal before");
        let since_signal = self.now.since(facts.patience_since(signalled));
        assert!(since_signal >= patience, "killed after {since_signal:?} of {patience:?}");
        let told = facts.patience_since(told);
        let waited = self.now.since(told);
        let is_silent = waited >= patience + WORD_PATIENCE;
        // Of an orphan that no server ever told of, nobody knows its job.
        let is_protected = facts.has_job() && (facts.is_told_of || !is_silent);
        assert!(!is_protected || waited >= JOB_PATIENCE, "killed in the middle of a job after {waited:?}");
        assert!(facts.held.is_none(), "killed without its stop signal");
        // Patience may have begun anew when its job ended; the word is of after that, or the servers are silent.
        let word = self.words.get(&process).copied();
        let is_known = word.is_some_and(|word| word >= told + patience);
        assert!(
            !facts.is_worker || is_known || is_silent || waited >= JOB_PATIENCE,
            "killed by an old word: {word:?}, told {told:?}"
        );
        assert!(self.killed.insert(process), "killed twice");
    }

    /// I22: while a version has never been ready, and another one of its program is at work, only one process has it.
    fn check_canary(&self, new: &Process) {
        let is_proven = self.proven.contains(&(new.program.clone(), new.version));
        let mut others = self.processes.values().filter(|it| it.program == new.program && it.told.is_none());
        let is_canary = others.clone().any(|it| it.was_ready && it.version < new.version);
        assert!(
            is_proven || !is_canary || others.all(|it| it.version != new.version),
            "a second process of version {} before one was ready: {:#?}",
            new.version,
            self.lately(&new.program, 40)
        );
    }

    /// Where the next one comes after the last one, nothing of that is left.
    fn check_alone(&self, new: &Process) {
        let program = &self.config.programs[new.program.as_str()];
        let mut there =
            self.processes.values().filter(|it| (&it.program, it.slot) == (&new.program, new.slot));
        assert!(
            program.replace() == Replace::StartFirst || there.next().is_none(),
            "a second process of {}:{}: {:#?}",
            new.program,
            new.slot,
            self.lately(&new.program, 40)
        );
    }

    /// The last actions that have to do with a program, the latest first.
    pub(crate) fn lately(&self, program: &str, count: usize) -> Vec<&String> {
        self.trace.iter().rev().filter(|line| line.contains(program)).take(count).collect()
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
        let known = |(process, facts): (&ProcessId, &Process)| match facts.is_rest {
            true => self.planner.remains().any(|it| it == *process),
            false => self.planner.place_of(*process).is_some(),
        };
        assert!(self.processes.iter().all(known), "a process is forgotten");
        for pool in self.planner.status() {
            let listed = pool.places.iter().flat_map(|place| &place.processes).count();
            let there =
                self.processes.values().filter(|it| it.program == pool.program && !it.is_rest).count();
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
        while let Some(at) = self.next_due().filter(|at| *at <= end) {
            self.now = at;
            self.planner.handle_time(self.now);
            self.act();
            self.tell_words();
        }
        self.now = end;
        self.planner.handle_time(self.now);
        self.act();
        self.tell_words();
    }

    /// When the planner is to be woken, or servers that answer are to be asked.
    pub(crate) fn next_due(&self) -> Option<Moment> {
        let words = self.planner.words_wanted().filter(|from| self.do_answer && *from > self.now).min();
        self.planner.poll_timeout().into_iter().chain(words).min()
    }

    /// What servers that answer say, where the planner hinges on it.
    fn tell_words(&mut self) {
        if self.do_answer && self.planner.words_wanted().any(|from| from <= self.now) {
            let all: Vec<ProcessId> = self.processes.keys().copied().collect();
            self.tell(&all);
        }
    }

    /// The job servers answer from now on, or fall silent.
    pub(crate) fn answer(&mut self, do_answer: bool) {
        self.do_answer = do_answer;
        self.planner.handle_servers(self.now, do_answer);
        self.act();
        if do_answer {
            let all: Vec<ProcessId> = self.processes.keys().copied().collect();
            self.tell(&all);
        }
    }

    /// Tells about the jobs of these processes.
    fn tell(&mut self, processes: &[ProcessId]) {
        let mut jobs = Vec::new();
        for process in processes {
            let Some(facts) = self.processes.get_mut(process) else { continue };
            facts.is_told_of = true;
            self.words.insert(*process, self.now);
            jobs.push((*process, facts.job));
        }
        self.planner.handle_jobs(self.now, Some(self.now), jobs);
        self.act();
    }

    pub(crate) fn exit(&mut self, process: ProcessId, end: &End) {
        let facts = self.processes.remove(&process);
        self.killed.remove(&process);
        self.last_ended = facts.as_ref().map(|facts| facts.version);
        match facts.is_some_and(|facts| facts.is_rest) {
            true => self.planner.handle_group_gone(self.now, process),
            false => self.planner.handle_exited(self.now, process, end, false),
        }
        self.act();
    }

    /// A process ends, and others of its group do not; the job is theirs.
    pub(crate) fn exit_with_rest(&mut self, process: ProcessId, end: &End) {
        if let Some(facts) = self.processes.get_mut(&process) {
            self.last_ended = Some(facts.version);
            facts.is_rest = true;
            (facts.told, facts.signalled, facts.held, facts.repatienced) = (None, None, None, None);
        }
        self.killed.remove(&process);
        self.planner.handle_exited(self.now, process, end, true);
        self.act();
    }

    /// What another manager left behind; `is_kept`: it may go on in its place.
    pub(crate) fn orphan(&mut self, program: &str, number: u32, is_kept: bool, facts: Process) -> ProcessId {
        let now = self.now;
        let (spawned, is_worker) = (facts.spawned, facts.is_worker);
        let orphan = Orphan { slot: number, spawned, is_worker, may_stay: is_kept };
        let place = self.planner.handle_orphan(now, program, &orphan);
        let is_rest = place.is_none();
        let process = place.unwrap_or_else(|| {
            self.planner.handle_stray(
                now,
                &name(program),
                number,
                facts.is_worker,
                &Stop { patience: facts.patience, ..Stop::default() },
            )
        });
        // One that has its place goes by what the file says of its program.
        let stop = self.stops.get(program).filter(|_| !is_rest);
        let patience = stop.map_or(facts.patience, |stop| stop.patience);
        self.processes.insert(process, Process { slot: number, patience, is_rest, ..facts });
        process
    }

    pub(crate) fn ready(&mut self, process: ProcessId) {
        self.planner.handle_ready(self.now, process);
        self.act();
    }

    fn note_ready(&mut self, process: ProcessId) {
        if let Some(facts) = self.processes.get_mut(&process) {
            facts.was_ready = true;
            self.proven.insert((facts.program.clone(), facts.version));
        }
    }

    pub(crate) fn ready_all(&mut self) {
        let all: Vec<ProcessId> =
            self.processes.iter().filter(|(_, it)| !it.was_ready).map(|(process, _)| *process).collect();
        all.into_iter().for_each(|process| self.ready(process));
    }

    /// A job begins or ends; servers that answer say so at once.
    pub(crate) fn job(&mut self, process: ProcessId, has_job: bool) {
        self.set_job(process, if has_job { Job::Sure { since: self.now } } else { Job::None });
    }

    pub(crate) fn set_job(&mut self, process: ProcessId, job: Job) {
        if let Some(facts) = self.processes.get_mut(&process) {
            facts.job = job;
        }
        if self.do_answer {
            self.tell(&[process]);
        }
    }

    pub(crate) fn reconfigure(&mut self, config: Config) {
        // A changed program may release what is held.
        self.held.retain(|(program, _)| {
            config.programs.get(program.as_str()) == self.config.programs.get(program.as_str())
        });
        self.config = config;
        self.note_stops();
        let config = self.config.clone();
        self.planner.handle_config(self.now, &config);
        self.act();
    }

    /// What the configuration says of patience counts for those that are there as well, from now on.
    fn note_stops(&mut self) {
        if self.planner.is_ending() {
            return;
        }
        for (name, program) in &self.config.programs {
            let before = self.stops.insert(name.to_string(), program.stop);
            if before.is_none_or(|before| before == program.stop) {
                continue;
            }
            for facts in self.processes.values_mut().filter(|it| it.program == name.as_str()) {
                facts.patience = program.stop.patience;
                facts.repatienced = facts.told.map(|_| self.now);
            }
        }
    }

    pub(crate) fn change(&mut self, program: &str) {
        self.held.retain(|(of, _)| of != program);
        self.planner.handle_changed(self.now, program, "a file changed");
        self.act();
    }

    /// The processes of a program that were not told to leave, in the order they were spawned.
    pub(crate) fn staying(&self, program: &str) -> Vec<ProcessId> {
        let of_it =
            self.processes.iter().filter(|(_, it)| it.program == program && it.told.is_none() && !it.is_rest);
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
