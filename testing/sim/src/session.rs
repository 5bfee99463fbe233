//! The peers: clients and workers that speak the protocol, some of them badly.
//!
//! From: bytes that the fake network delivers, and turns that the world gives. To: bytes for the network.
//! Never: judges; the oracle does.

use crate::plan::FUNCTIONS;
use crate::steering::Hints;
use fastrand::Rng;
use geartrain_proto::{
    ClientId, Function, GrabKind, Handle, Priority, Reducer, Request, Response, Step, Submit, SubmitMode,
    Unique, decode_response,
};

/// Jobs a worker takes before it ends one.
const JOBS_AT_ONCE: usize = 3;

/// One peer.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) role: Role,
    unread: Vec<u8>,
    /// What it wants to send.
    pub(crate) outgoing: Vec<u8>,
    /// Handles it has heard of.
    handles: Vec<Vec<u8>>,
}

#[derive(Debug)]
pub(crate) enum Role {
    Client,
    Worker(Worker),
}

/// What a worker is about.
#[derive(Debug)]
pub(crate) struct Worker {
    manners: Manners,
    phase: Phase,
    jobs: Vec<Vec<u8>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manners {
    /// Is able to do everything and completes what it gets.
    Good,
    /// Does what workers do, good or bad.
    Any {
        /// How many of ten functions it is able to do.
        abilities: u32,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    New,
    /// Free to ask for a job.
    Awake,
    /// Waits for the answer to a grab.
    Asked,
    /// Waits for a NOOP.
    Asleep,
}

impl Session {
    pub(crate) fn client() -> Self {
        Self { role: Role::Client, unread: Vec::new(), outgoing: Vec::new(), handles: Vec::new() }
    }

    pub(crate) fn worker(manners: Manners) -> Self {
        let worker = Worker { manners, phase: Phase::New, jobs: Vec::new() };
        Self { role: Role::Worker(worker), ..Self::client() }
    }

    fn send(&mut self, request: &Request<'_>) {
        request.encode(&mut self.outgoing);
    }

    /// Takes its turn: says something, or not.
    pub(crate) fn act(&mut self, rng: &mut Rng, unix_seconds: i64, serial: &mut u64, hints: &Hints) {
        match &self.role {
            Role::Client if rng.u32(0..100) < hints.steering => {
                let line = crate::steering::some_command(rng, &self.handles, hints).to_line();
                self.outgoing.extend_from_slice(line.as_bytes());
                self.outgoing.push(b'\n');
            }
            Role::Client => self.act_as_client(rng, unix_seconds, serial),
            Role::Worker(worker) => match (worker.manners, worker.phase) {
                (manners, Phase::New) => self.register(rng, manners),
                (Manners::Good, _) => self.act_as_good_worker(),
                (Manners::Any { .. }, _) => self.act_as_worker(rng),
            },
        }
    }

    fn act_as_client(&mut self, rng: &mut Rng, unix_seconds: i64, serial: &mut u64) {
        let handle = self.some_handle(rng);
        match rng.u32(0..24) {
            0 => self.send(&Request::GetStatus { handle: Handle::new(&handle) }),
            1 => {
                let unique = some_unique(rng);
                self.send(&Request::GetStatusUnique { unique: Unique::new(&unique) });
            }
            2 => self.send(&Request::Echo { data: b"\0 echo \n" }),
            3 => self.send(&Request::Option { name: b"exceptions" }),
            4 => self.outgoing.extend_from_slice(b"status\r\n"),
            5 => self.outgoing.extend_from_slice(b"prioritystatus\r\n"),
            6 => self.outgoing.extend_from_slice(b"show jobs\r\n"),
            7 if rng.u32(0..3) == 0 => {
                self.outgoing.extend_from_slice(b"cancel job ");
                self.outgoing.extend_from_slice(&handle);
                self.outgoing.extend_from_slice(b"\r\n");
            }
            8 if rng.u32(0..4) == 0 => {
                let force = if rng.bool() { " force" } else { "" };
                self.outgoing.extend_from_slice(format!("drop function mail{force}\r\n").as_bytes());
            }
            9 if rng.u32(0..4) == 0 => {
                let bound = rng.u32(0..12);
                self.outgoing.extend_from_slice(format!("maxqueue resize {bound}\r\n").as_bytes());
            }
            10 if rng.u32(0..20) == 0 => self.outgoing.extend_from_slice(b"\0REQ\x80\0\0\0\0\0\0\0"),
            _ => self.submit(rng, unix_seconds, serial),
        }
    }

    fn submit(&mut self, rng: &mut Rng, unix_seconds: i64, serial: &mut u64) {
        *serial += 1;
        let unique = some_unique(rng);
        let workload = match rng.u32(0..6) {
            0 => Vec::new(),
            1 => b"same\0workload".to_vec(),
            2 => vec![b'w'; rng.usize(0..3000)],
            _ => format!("workload {serial}").into_bytes(),
        };
        let mode = match rng.u32(0..10) {
            0..4 => SubmitMode::Foreground,
            4 => SubmitMode::Epoch(unix_seconds + rng.i64(-5..60)),
            _ => SubmitMode::Background,
        };
        let plain = !matches!(mode, SubmitMode::Epoch(_));
        let reducer = (plain && rng.u32(0..10) == 0)
            .then_some(Reducer { name: if rng.bool() { b"red" } else { b"" }, aggregate: b"agg" });
        let priority = match rng.u32(0..4) {
            0 if plain && reducer.is_none() => Priority::High,
            1 if plain && reducer.is_none() => Priority::Low,
            _ => Priority::Normal,
        };
        self.send(&Request::Submit(Submit {
            function: Function::from(some_function(rng)),
            unique: Unique::new(&unique),
            priority,
            mode,
            reducer,
            workload: &workload,
        }));
    }

    fn register(&mut self, rng: &mut Rng, manners: Manners) {
        for function in FUNCTIONS {
            let function = Function::from(function);
            let (is_able, has_limit) = match manners {
                Manners::Good => (true, false),
                Manners::Any { abilities } => (rng.u32(0..10) < abilities, rng.u32(0..4) == 0),
            };
            if is_able {
                if has_limit {
                    self.send(&Request::CanDoTimeout { function, timeout_ms: rng.u64(0..3000) });
                } else {
                    self.send(&Request::CanDo { function });
                }
            }
        }
        if rng.bool() {
            let id = *rng.choice(&["w 1", "w 2", "w 3"]).unwrap_or(&"w 1");
            self.send(&Request::SetClientId { id: ClientId::from(id) });
        }
        self.set_phase(Phase::Awake);
        // Some libraries never grab first: they sleep and count on the NOOP.
        if rng.u32(0..3) == 0 {
            self.sleep();
        }
    }

    fn act_as_good_worker(&mut self) {
        let Role::Worker(worker) = &mut self.role else { return };
        match worker.jobs.pop() {
            Some(handle) => {
                self.send(&Request::WorkComplete { handle: Handle::new(&handle), result: b"done" })
            }
            None if worker.phase == Phase::Awake => self.grab(GrabKind::All),
            None => {}
        }
    }

    fn act_as_worker(&mut self, rng: &mut Rng) {
        let Role::Worker(worker) = &self.role else { return };
        let (phase, jobs) = (worker.phase, worker.jobs.len());
        match rng.u32(0..20) {
            0 if phase != Phase::Asked => self.sleep(),
            1 if rng.bool() => self.send(&Request::CantDo { function: some_function(rng).into() }),
            2 if rng.u32(0..4) == 0 => self.send(&Request::ResetAbilities),
            3 => self.send(&Request::CanDo { function: some_function(rng).into() }),
            4 if rng.u32(0..4) == 0 => self.send(&Request::AllYours),
            5 => {
                let handle = self.some_handle(rng);
                self.report(rng, &handle);
            }
            6..9 if jobs > 0 => self.report_progress(rng),
            9..14 if jobs > 0 => {
                let Role::Worker(worker) = &mut self.role else { return };
                let handle = worker.jobs.swap_remove(rng.usize(0..jobs));
                self.report(rng, &handle);
            }
            _ if phase == Phase::Awake && jobs < JOBS_AT_ONCE => {
                // Some ask for several jobs before they got the first.
                let grabs = if rng.u32(0..6) == 0 { 3 } else { 1 };
                for _ in 0..grabs {
                    let kinds = [GrabKind::Plain, GrabKind::Unique, GrabKind::All];
                    self.grab(*rng.choice(&kinds).unwrap_or(&GrabKind::All));
                }
            }
            _ => {}
        }
    }

    fn report_progress(&mut self, rng: &mut Rng) {
        let Role::Worker(worker) = &self.role else { return };
        let Some(handle) = rng.choice(&worker.jobs).cloned() else { return };
        let handle = Handle::new(&handle);
        match rng.u32(0..3) {
            0 => self.send(&Request::WorkStatus { handle, numerator: b"1", denominator: b"3" }),
            1 => self.send(&Request::WorkData { handle, data: b"da\0ta" }),
            _ => self.send(&Request::WorkWarning { handle, warning: b"careful" }),
        }
    }

    /// Ends a job, or claims to.
    fn report(&mut self, rng: &mut Rng, handle: &[u8]) {
        let handle = Handle::new(handle);
        match rng.u32(0..8) {
            0 => self.send(&Request::WorkFail { handle }),
            1 => self.send(&Request::WorkException { handle, exception: b"boom" }),
            2 => {
                self.send(&Request::WorkException { handle, exception: b"boom" });
                self.send(&Request::WorkFail { handle });
            }
            3 => {
                self.send(&Request::WorkComplete { handle, result: b"" });
                self.send(&Request::WorkComplete { handle, result: b"twice" });
            }
            _ => self.send(&Request::WorkComplete { handle, result: b"re\0sult" }),
        }
    }

    fn grab(&mut self, kind: GrabKind) {
        self.send(&Request::Grab(kind));
        self.set_phase(Phase::Asked);
    }

    fn sleep(&mut self) {
        self.send(&Request::PreSleep);
        self.set_phase(Phase::Asleep);
    }

    fn set_phase(&mut self, phase: Phase) {
        if let Role::Worker(worker) = &mut self.role {
            worker.phase = phase;
        }
    }

    /// Bytes from the server.
    pub(crate) fn receive(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
        let unread = std::mem::take(&mut self.unread);
        let mut rest = unread.as_slice();
        while let Some(first) = rest.first() {
            if *first != 0 {
                // Text answers have no NUL, so they end where a packet begins.
                let end = rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len());
                rest = rest.get(end..).unwrap_or_default();
                continue;
            }
            let Step::Complete { consumed, message } = decode_response(rest, u32::MAX) else { break };
            rest = rest.get(consumed..).unwrap_or_default();
            self.take(&message.expect("the server sends packets that can be read"));
        }
        self.unread = rest.to_vec();
    }

    fn take(&mut self, response: &Response<'_>) {
        match *response {
            Response::JobCreated { handle } => self.handles.push(handle.as_bytes().to_vec()),
            Response::JobAssign { handle, .. }
            | Response::JobAssignUniq { handle, .. }
            | Response::JobAssignAll { handle, .. } => {
                self.handles.push(handle.as_bytes().to_vec());
                self.set_phase(Phase::Awake);
                if let Role::Worker(worker) = &mut self.role {
                    worker.jobs.push(handle.as_bytes().to_vec());
                }
            }
            Response::NoJob => self.sleep(),
            Response::Noop => {
                if let Role::Worker(worker) = &mut self.role
                    && worker.phase == Phase::Asleep
                {
                    worker.phase = Phase::Awake;
                }
            }
            _ => {}
        }
    }

    /// Whether it has nothing to do before something comes.
    pub(crate) fn is_quiet(&self) -> bool {
        match &self.role {
            Role::Client => true,
            Role::Worker(worker) => worker.phase == Phase::Asleep && worker.jobs.is_empty(),
        }
    }

    fn some_handle(&self, rng: &mut Rng) -> Vec<u8> {
        match rng.choice(&self.handles) {
            Some(handle) => handle.clone(),
            None => b"H:localhost:1".to_vec(),
        }
    }
}

fn some_function(rng: &mut Rng) -> &'static str {
    rng.choice(&FUNCTIONS).copied().unwrap_or_default()
}

/// Few uniques, so that they meet; the absent one and the one that stands for the workload among them.
fn some_unique(rng: &mut Rng) -> Vec<u8> {
    match rng.u32(0..10) {
        0..4 => Vec::new(),
        4 => b"-".to_vec(),
        5 => vec![b'u'; 64],
        other => format!("u{other}").into_bytes(),
    }
}
