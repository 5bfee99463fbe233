//! Carrying out what the planner decides, on Linux.
//!
//! From: signals, processes, files, the control socket, job servers. To: the planner, and from it to the kernel.
//! Never: decides. One thread does all that touches processes; the others only watch and tell it.
//!
//! The way of a process: `spawn` makes it, `state_file` remembers it, `output` reads what it writes, `proc`
//! looks at it, and the loop here takes its exit status.

mod account;
mod cgroup;
mod clock;
mod control;
mod descriptors;
mod folder;
#[cfg(test)]
mod forks;
mod log;
mod logfile;
mod manners;
mod notify;
mod observe;
mod output;
mod poll;
mod proc;
mod ready;
mod spawn;
mod state_file;
mod tail;
mod watch;

mod answer;
mod life;
mod orphans;
mod rows;
mod servers;
mod sockets;

pub use spawn::PLACE_VARIABLE;
pub use tail::Stream;

use crate::config::Config;
use crate::limits::{HURRY_AFTER, SPAWNING_AT_ONCE, STANDSTILL};
use crate::planner::{Moment, Planner, ProcessId};
use account::Accounts;
use control::Control;
use geartrain_client::{DEFAULT_PORT, ServerAddress};
use life::Process;
use log::{Level, Log};
use manners::Manners;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use notify::Systemd;
use observe::Observers;
use output::{Outputs, Pipe};
use poll::{Poll, Token};
use ready::Matching;
use state_file::StateFile;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use watch::Watches;

/// Why the manager cannot run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    /// The state folder cannot be used.
    #[error("cannot use the state folder {}: {cause} (hint: key state-folder)", folder.display())]
    State {
        /// The folder.
        folder: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The control socket cannot be made.
    #[error("cannot listen on the control socket {}: {cause} (hint: key socket)", path.display())]
    Socket {
        /// The socket.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The kernel refused what no manager can do without.
    #[error("cannot {doing}: {cause}")]
    Kernel {
        /// The step.
        doing: &'static str,
        /// Why.
        cause: io::Error,
    },
}

/// Reads the configuration file again; an error is a sentence with line and key.
pub type Reread = Box<dyn FnMut() -> Result<Config, String>>;

/// Runs the programs of a configuration until a shutdown has ended all of them.
///
/// Takes the process over: it becomes a subreaper and blocks the signals it waits for, so that no other thread
/// may be running yet.
///
/// # Errors
/// Before anything is started, when folder, socket or kernel do not play along.
pub fn run(config: Config, reread: Reread) -> Result<(), RunError> {
    close_on_exec();
    descriptors::raise();
    let mut runner = Runner::new(config, reread)?;
    runner.begin();
    while !runner.has_ended {
        runner.turn()?;
    }
    for child in proc::children() {
        let text = format!("{child} goes on: it is a process of ours that left its group, as a daemon does");
        runner.log.say(Level::Warn, &text);
    }
    runner.log.say(Level::Info, "all processes have ended");
    Ok(())
}

/// Whatever the manager was started with stays its own: what we open ourselves is closed on exec anyway.
#[expect(unsafe_code, reason = "a descriptor that somebody else opened is known by its number alone")]
fn close_on_exec() {
    let entries = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let numbers: Vec<i32> =
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(|it| *it > 2).collect();
    for number in numbers {
        // SAFETY: the number is only used for this call, which reads and writes a flag of the descriptor and
        // nothing else. One that was closed meanwhile, as that of the listing itself, is refused with EBADF.
        let fd = unsafe { std::os::fd::BorrowedFd::borrow_raw(number) };
        let _closed = fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC));
    }
}

struct Runner {
    config: Config,
    reread: Reread,
    planner: Planner,
    poll: Poll,
    signals: SignalFd,
    wake: Arc<EventFd>,
    state: StateFile,
    left: state_file::Left,
    control: Control,
    accounts: Accounts,
    observers: Observers,
    matching: Matching,
    manners: Manners,
    hurry: servers::Hurry,
    watches: Watches,
    systemd: Systemd,
    outputs: Outputs,
    processes: BTreeMap<ProcessId, Process>,
    by_pid: HashMap<i32, ProcessId>,
    pipes: BTreeMap<(ProcessId, u8), (Pipe, output::Place)>,
    due: Due,
    /// How long the spawns of this turn took.
    spawning: Duration,
    /// When the first signal to end came.
    told_to_end: Option<Moment>,
    buffer: Vec<u8>,
    has_ended: bool,
    // Last, so that what the others say in their end is written.
    log: Log,
}

/// When what recurs is due.
struct Due {
    sample: Moment,
    groups: Moment,
    watchdog: Option<Moment>,
}

/// Signals that are waited for; the last ones mean nothing here, and are not to end the manager either.
const SIGNALS: [Signal; 11] = [
    Signal::SIGCHLD,
    Signal::SIGTERM,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGHUP,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGALRM,
    Signal::SIGVTALRM,
    Signal::SIGPROF,
    Signal::SIGIO,
];

impl Runner {
    fn new(config: Config, reread: Reread) -> Result<Self, RunError> {
        let kernel = |doing| move |cause: io::Error| RunError::Kernel { doing, cause };
        let poll = Poll::new().map_err(kernel("wait for events"))?;
        let signals: SigSet = SIGNALS.into_iter().collect();
        signals.thread_block().map_err(io::Error::from).map_err(kernel("block signals"))?;
        let signals = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK);
        let signals = signals.map_err(io::Error::from).map_err(kernel("wait for signals"))?;
        let wake = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK);
        let wake = wake.map_err(io::Error::from).map_err(kernel("wait for threads"))?;
        nix::sys::prctl::set_child_subreaper(true)
            .map_err(io::Error::from)
            .map_err(kernel("take over the children of processes"))?;
        let wake = Arc::new(wake);
        poll.add(&signals, Token::Signals).map_err(kernel("wait for signals"))?;
        poll.add(&*wake, Token::Wake).map_err(kernel("wait for threads"))?;
        let (state, left) = StateFile::open(&config.state_folder)
            .map_err(|cause| RunError::State { folder: config.state_folder.clone(), cause })?;
        let control = Control::open(&config, &poll)
            .map_err(|cause| RunError::Socket { path: config.socket.clone(), cause })?;
        let systemd = Systemd::from_environment();
        let now = clock::now();
        let due = Due { sample: now, groups: now, watchdog: systemd.watchdog.map(|_| now) };
        // The time since the start of the machine is another one for each start of the manager.
        let log = Log::new().map_err(kernel("begin a thread for the log"))?;
        let seed = u64::try_from(now.since(Moment::default()).as_nanos()).unwrap_or_default();
        Ok(Self {
            planner: Planner::new(seed, &config),
            config,
            reread,
            poll,
            signals,
            observers: Observers::new(Arc::clone(&wake)),
            matching: Matching::default(),
            manners: Manners::default(),
            hurry: servers::Hurry::default(),
            watches: Watches::default(),
            wake,
            state,
            left,
            control,
            accounts: Accounts::default(),
            systemd,
            outputs: Outputs::default(),
            processes: BTreeMap::new(),
            by_pid: HashMap::new(),
            pipes: BTreeMap::new(),
            due,
            spawning: Duration::ZERO,
            told_to_end: None,
            buffer: Vec::new(),
            has_ended: false,
            log,
        })
    }

    /// Takes the things of the configuration over that are neither the planner's nor have to do with job servers.
    fn configure(&mut self) {
        self.watches.set(&self.config.programs, &self.wake, &self.log);
        for wrong in self.accounts.look_up(self.config.programs.values()) {
            self.log.say(Level::Error, &wrong);
        }
    }

    /// Watches the job servers, where anything has to do with them.
    fn observe(&mut self, now: Moment) {
        let in_file = self.config.programs.values().any(|program| !program.functions.is_empty());
        // A program that is gone may have a worker in the middle of a job.
        let has_workers = in_file || self.processes.values().any(|facts| !facts.functions.is_empty());
        let servers = if has_workers { self.config.servers.as_slice() } else { &[] };
        self.observers.set_servers(now, servers);
        self.leave_gone_servers();
        self.observers.start(&self.log);
        self.matching.set_servers(now, self.observers.servers());
        self.manners.retain(&self.config.programs);
        self.record_servers();
    }

    fn begin(&mut self) {
        let now = clock::now();
        self.configure();
        let count = self.config.programs.len();
        self.log.say(Level::Info, &format!("pid {}, {count} programs", std::process::id()));
        let servers = std::mem::take(&mut self.left.servers);
        let parse = |text: &String| ServerAddress::parse(text, DEFAULT_PORT).ok();
        self.take_over_orphans(now);
        // Whoever was left may have a job of a server that the file does not name any more.
        self.observers.set_servers(now, &servers.iter().filter_map(parse).collect::<Vec<_>>());
        self.observe(now);
        self.planner.handle_time(now);
        self.carry_out(now);
        self.systemd.tell(&format!("READY=1\nMAINPID={}\nSTATUS={count} programs", std::process::id()));
    }

    /// Waits for something, and deals with it.
    fn turn(&mut self) -> Result<(), RunError> {
        let begun = clock::now();
        let limit = self.next_due(begun).map(|due| due.since(begun));
        self.spawning = Duration::ZERO;
        let mut tokens =
            self.poll.wait(limit).map_err(|cause| RunError::Kernel { doing: "wait for events", cause })?;
        // Ends of processes first: one that has left is not killed for a patience that ran out meanwhile.
        tokens.sort_by_key(|token| *token != Token::Signals);
        let now = clock::now();
        let mut begun = now;
        for token in tokens {
            match token {
                Token::Signals => self.handle_signals(now),
                Token::Wake => self.handle_wake(now),
                Token::Listener => self.control.accept(now, &self.poll),
                Token::Client(client) => self.handle_client(now, client),
                Token::Output(process, stream) => self.handle_output(process, stream),
                Token::Adopted(process) => self.handle_adopted_end(now, process),
            }
            self.carry_out(now);
            begun = self.check_standstill(begun, || format!("with {token:?}"));
        }
        self.handle_recurring(now);
        begun = self.check_standstill(begun, || "looking at processes and watched paths".to_owned());
        if self.planner.poll_timeout().is_some_and(|due| due <= now) {
            self.planner.handle_time(now);
        }
        self.carry_out(now);
        self.steer_observers(now);
        self.tell_followers();
        self.control.flush(&self.poll);
        self.check_standstill(begun, || "with what was due, and answers".to_owned());
        if !self.control.waiting().is_empty() {
            // Their next requests come in the next turn, so that others have theirs in between.
            let _full = self.wake.write(1);
        }
        Ok(())
    }

    fn next_due(&self, now: Moment) -> Option<Moment> {
        let is_looked_at =
            self.planner.remains().next().is_some() || self.has_unwatched() || self.state.is_behind();
        let groups = is_looked_at.then_some(self.due.groups);
        let planner = self.planner.poll_timeout();
        let (watches, control) = (self.watches.due(), self.control.due());
        let spawns = (self.spawning >= SPAWNING_AT_ONCE).then_some(now);
        [
            Some(self.due.sample),
            groups,
            spawns,
            self.due.watchdog,
            watches,
            control,
            planner,
            self.next_hurry(now),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn handle_signals(&mut self, now: Moment) {
        while let Ok(Some(info)) = self.signals.read_signal() {
            let signal = i32::try_from(info.ssi_signo).ok().and_then(|it| Signal::try_from(it).ok());
            match signal {
                Some(Signal::SIGCHLD) => self.reap(now),
                Some(Signal::SIGHUP) => match self.update(now) {
                    Ok(text) => self.log.say(Level::Info, &format!("SIGHUP: {text}")),
                    Err(error) => self.log.say(Level::Error, &format!("SIGHUP: nothing is changed: {error}")),
                },
                // The second one as supervisord has it.
                Some(signal @ (Signal::SIGUSR1 | Signal::SIGUSR2)) => {
                    self.outputs.reopen(&self.log);
                    self.log.say(Level::Info, &format!("{signal}: log files are opened anew"));
                }
                Some(signal @ (Signal::SIGTERM | Signal::SIGINT | Signal::SIGQUIT)) => {
                    self.handle_end_signal(now, signal);
                }
                Some(signal) => self.log.say(Level::Warn, &format!("{signal} means nothing here")),
                None => {}
            }
        }
    }

    /// The first one begins a shutdown, unless `ctl` did; another one, not in the same breath, says that nobody wants
    /// to wait.
    fn handle_end_signal(&mut self, now: Moment, signal: Signal) {
        let first = *self.told_to_end.get_or_insert(now);
        if !self.planner.is_ending() {
            self.systemd.tell("STOPPING=1");
            self.planner.handle_shutdown(now, signal.as_str());
        } else if now.since(first) >= HURRY_AFTER {
            self.planner.handle_hurry(now, &format!("{signal} once more"));
        }
    }

    /// Says so when a step took long: meanwhile no process was heard, no command answered, and the watchdog waited.
    pub(crate) fn check_standstill(&self, begun: Moment, step: impl FnOnce() -> String) -> Moment {
        let now = clock::now();
        let took = now.since(begun);
        if took >= STANDSTILL {
            let text = format!("the manager stood still for {:.1} s: {}", took.as_secs_f64(), step());
            self.log.say(Level::Warn, &text);
        }
        now
    }

    /// Threads have something to say.
    fn handle_wake(&mut self, now: Moment) {
        // Only emptied: what there is stands in the channels.
        let _count = self.wake.read();
        self.handle_reports(now);
        self.handle_watched(now);
        for client in self.control.waiting() {
            self.handle_client(now, client);
        }
    }

    fn handle_recurring(&mut self, now: Moment) {
        if now >= self.due.sample {
            self.due.sample = now + crate::limits::SAMPLE_EVERY;
            self.sample(now);
            self.observers.start(&self.log);
        }
        if now >= self.due.groups {
            self.due.groups = now + crate::limits::GROUPS_EVERY;
            self.check_groups(now, &life::groups_alive);
            self.check_unwatched(now);
            self.mend_state();
        }
        self.handle_settled(now);
        self.control.handle_time(now, &self.poll);
        if let (Some(due), Some(every)) = (self.due.watchdog, self.systemd.watchdog)
            && now >= due
        {
            self.due.watchdog = Some(now + every.max(Duration::from_millis(1)));
            self.systemd.tell("WATCHDOG=1");
        }
    }
}
