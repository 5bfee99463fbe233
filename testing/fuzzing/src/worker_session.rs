//! A worker's session and a server that says anything, in any pieces: what it sends keeps to the protocol, no job is
//! reported on behind its end or forgotten, and a stop comes to an end.

use geartrain_client::session::worker::{JobKey, WorkerEvent, WorkerSession};
use geartrain_proto::{Function, GrabKind, Handle, Message, Request, Response, Step, Unique, decode_message};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const BODY_BYTES_MAX: u32 = 1 << 16;

/// Most memory of a buffer that has been read empty: the largest packet, doubled by the growth of a buffer.
const BUFFER_BYTES_MAX: usize = 4 << 16;

/// Most bytes that come at once.
const READ_BYTES_MAX: usize = 1 << 14;

/// Most grabs without an answer.
const GRABS_MAX: usize = 64;

const FUNCTIONS: [&str; 4] = ["a", "b", "c", "d"];

/// Reads `data` as what a worker does and a server sends, two bytes each: what, and which.
///
/// # Panics
/// When a packet is sent that a worker must not send then, or the pieces in which bytes come change anything.
pub fn worker_session(data: &[u8]) {
    let mut pair = Pair::new();
    let mut rest = data;
    while let [what, which, behind @ ..] = rest {
        rest = behind;
        pair.step(*what, *which, &mut rest);
        pair.watch();
        if pair.is_over {
            return;
        }
    }
    pair.deliver(usize::MAX);
    if !pair.is_over {
        pair.leave();
    }
}

/// A session that gets its bytes at once, and one that gets them in pieces; the server's view of the first.
struct Pair {
    session: WorkerSession,
    in_pieces: WorkerSession,
    wire: Vec<u8>,
    /// All jobs that were ever assigned, in hand or not.
    keys: Vec<JobKey>,
    view: View,
    is_over: bool,
}

/// What a server knows of the worker.
#[derive(Default)]
struct View {
    abilities: BTreeSet<String>,
    /// Which of the keys is in hand, and its function, by handle.
    in_hand: BTreeMap<Vec<u8>, (usize, String)>,
    grabs: usize,
    grab_kind: Option<GrabKind>,
    is_stopping: bool,
}

impl Pair {
    fn new() -> Self {
        Self {
            session: WorkerSession::new(BODY_BYTES_MAX),
            in_pieces: WorkerSession::new(BODY_BYTES_MAX),
            wire: Vec::new(),
            keys: Vec::new(),
            view: View::default(),
            is_over: false,
        }
    }

    fn both(&mut self, call: impl Fn(&mut WorkerSession)) {
        call(&mut self.session);
        call(&mut self.in_pieces);
    }

    fn step(&mut self, what: u8, which: u8, rest: &mut &[u8]) {
        let function = FUNCTIONS[usize::from(which % 4)];
        match what % 16 {
            0 => {
                let timeout = (which >= 128).then(|| Duration::from_millis(which.into()));
                self.both(|session| session.register(function, timeout));
            }
            1 => self.both(|session| session.unregister(function)),
            2 => self.grab(usize::from(which)),
            3 => self.report(what, which),
            4 => self.end(what, which),
            5 => self.both(WorkerSession::nudge),
            6 => self.both(WorkerSession::probe),
            7 => self.both(WorkerSession::rest),
            8 => {
                self.view.is_stopping = true;
                self.both(WorkerSession::stop);
            }
            9 => self.send(&Response::NoJob),
            10 => self.send(&Response::Noop),
            11 => self.assign(what, which),
            12 => self.send(&Response::Echo { data: b"geartrain" }),
            13 if which < 200 => {
                let code: &[u8] = if which.is_multiple_of(2) { b"JOB_NOT_FOUND" } else { b"NO" };
                self.send(&Response::Error { code, text: b"no" });
            }
            13 => {
                let (raw, behind) = rest.split_at(usize::from(which - 200).min(rest.len()));
                self.wire.extend_from_slice(raw);
                *rest = behind;
            }
            14 => self.deliver(usize::from(which)),
            _ => self.deliver(usize::MAX),
        }
    }

    fn send(&mut self, response: &Response<'_>) {
        response.encode(&mut self.wire);
    }

    fn grab(&mut self, count: usize) {
        let (wanted, before) = (self.session.grabs_wanted(), self.session.grabs_unanswered());
        assert!(wanted == 0 || !self.session.is_asleep(), "who sleeps wants nothing");
        self.both(|session| session.grab(count));
        assert_eq!(self.session.grabs_unanswered(), before + wanted.min(count));
    }

    fn assign(&mut self, what: u8, which: u8) {
        let name = format!("H:h:{}", which / 4 % 8);
        let (handle, function) =
            (Handle::from(name.as_str()), Function::from(FUNCTIONS[usize::from(which % 4)]));
        let workload = &vec![b'w'; usize::from(which) << 6];
        let unique = Unique::from("u");
        let response = match what / 16 % 3 {
            0 => Response::JobAssign { handle, function, workload },
            1 => Response::JobAssignUniq { handle, function, unique, workload },
            _ => Response::JobAssignAll { handle, function, unique, reducer: b"r", workload },
        };
        self.send(&response);
    }

    /// Whether a job that was assigned once is in hand.
    fn is_in_hand(&self, at: usize) -> bool {
        self.view.in_hand.get(self.keys[at].handle().as_bytes()).is_some_and(|(held, _)| *held == at)
    }

    fn report(&mut self, what: u8, which: u8) {
        let Some(at) = usize::from(which).checked_rem(self.keys.len()) else { return };
        let (key, in_hand) = (self.keys[at].clone(), self.is_in_hand(at));
        assert_eq!(self.session.has_in_hand(&key), in_hand);
        self.both(|session| {
            let sent = match what / 16 % 3 {
                0 => session.status(&key, 1, 2),
                1 => session.data(&key, b"d"),
                _ => session.warning(&key, b"w"),
            };
            assert_eq!(sent, in_hand, "what is in hand is reported on, and nothing else");
        });
    }

    fn end(&mut self, what: u8, which: u8) {
        let Some(at) = usize::from(which).checked_rem(self.keys.len()) else { return };
        let (key, in_hand) = (self.keys[at].clone(), self.is_in_hand(at));
        self.both(|session| {
            let sent = match what / 16 % 3 {
                0 => session.complete(&key, b"r"),
                1 => session.fail(&key),
                _ => session.exception(&key, b"e"),
            };
            assert_eq!(sent, in_hand, "each job ends once");
        });
    }

    /// Hands on what the server sent, at once and in pieces of this many bytes.
    fn deliver(&mut self, piece: usize) {
        let wire = std::mem::take(&mut self.wire);
        self.session.feed(&wire);
        let said = hear(&mut self.session);
        let mut said_in_pieces = Vec::new();
        for (number, bytes) in wire.chunks(piece.clamp(1, READ_BYTES_MAX)).enumerate() {
            if number % 2 == 0 {
                self.in_pieces.feed(bytes);
            } else {
                self.in_pieces.read_buffer().extend_from_slice(bytes);
            }
            said_in_pieces.extend(hear(&mut self.in_pieces));
            if matches!(said_in_pieces.last(), Some(Err(_))) {
                break;
            }
        }
        assert_eq!(
            format!("{said:?}"),
            format!("{said_in_pieces:?}"),
            "whole bytes say the first, pieces the second"
        );
        for event in said {
            match event {
                Ok(event) => self.note(event),
                Err(_) => self.is_over = true,
            }
        }
        let held = self.in_pieces.read_buffer().capacity();
        assert!(self.is_over || held <= BUFFER_BYTES_MAX, "the buffer has {held} bytes");
    }

    fn note(&mut self, event: WorkerEvent) {
        match event {
            WorkerEvent::Assigned(job) => {
                self.view.grabs -= 1;
                assert!(self.view.abilities.contains(&*job.function), "a job of {}", job.function);
                let held = (self.keys.len(), job.function.to_string());
                self.view.in_hand.insert(job.key.handle().as_bytes().to_vec(), held);
                self.keys.push(job.key);
            }
            WorkerEvent::NoJob | WorkerEvent::GrabRefused { .. } => self.view.grabs -= 1,
            _ => {}
        }
    }

    /// Reads what the session sent, as a server does.
    fn watch(&mut self) {
        assert_eq!(self.session.pending(), self.in_pieces.pending(), "pieces change nothing of what is sent");
        let sent = self.session.pending().to_vec();
        self.both(|session| session.written(sent.len()));
        let mut rest = &sent[..];
        while !rest.is_empty() {
            let Step::Complete { consumed, message: Ok(Message::Request(request)) } =
                decode_message(rest, BODY_BYTES_MAX)
            else {
                panic!("whole packets are sent: {}", rest.escape_ascii());
            };
            self.view.hear(&request);
            rest = &rest[consumed..];
        }
        if self.is_over {
            return;
        }
        let view = &self.view;
        assert_eq!(self.session.grabs_unanswered(), view.grabs);
        assert_eq!(self.session.jobs_in_hand(), view.in_hand.len());
        assert!(view.grabs <= GRABS_MAX);
        assert!(
            !self.session.is_finished() || (view.is_stopping && view.grabs == 0 && view.in_hand.is_empty())
        );
    }

    /// A stop comes to its end when all is answered.
    fn leave(&mut self) {
        self.watch();
        self.view.is_stopping = true;
        self.both(WorkerSession::stop);
        self.watch();
        // What the server began to send may be a job that comes as late as this.
        while !self.is_over {
            for at in 0..self.keys.len() {
                let (key, in_hand) = (self.keys[at].clone(), self.is_in_hand(at));
                self.both(|session| assert_eq!(session.complete(&key, b""), in_hand));
                self.watch();
            }
            assert!(self.view.in_hand.is_empty(), "each job was told of to its end");
            if self.view.grabs > 0 {
                self.send(&Response::NoJob);
            } else if self.session.is_owed() {
                self.send(&Response::Echo { data: b"geartrain" });
            } else {
                break;
            }
            self.deliver(usize::MAX);
            self.watch();
        }
        assert!(self.is_over || self.session.is_finished(), "nothing is left to wait for");
    }
}

fn hear(session: &mut WorkerSession) -> Vec<Result<WorkerEvent, String>> {
    let mut said = Vec::new();
    while let Some(event) = session.poll() {
        let is_over = event.is_err();
        said.push(event.map_err(|error| error.to_string()));
        if is_over {
            break;
        }
    }
    said
}

impl View {
    fn hear(&mut self, request: &Request<'_>) {
        match request {
            Request::CanDo { function } | Request::CanDoTimeout { function, .. } => {
                assert!(self.abilities.insert(function.to_string()), "{function} is known");
            }
            Request::CantDo { function } => {
                let function = function.to_string();
                assert!(self.abilities.remove(&function), "{function} is not known");
                let runs = self.in_hand.values().any(|(_, held)| *held == function);
                assert!(!runs && self.grabs == 0, "a job of {function} may be lost");
            }
            Request::Grab(kind) => {
                // One that the server does not know is put in another way.
                let is_again = self.grab_kind.replace(*kind).is_some_and(|former| former != *kind);
                assert!(is_again || (!self.is_stopping && !self.abilities.is_empty()), "no job is wanted");
                self.grabs += usize::from(!is_again);
            }
            Request::PreSleep => assert_eq!(self.grabs, 0, "who waits for an answer does not sleep"),
            Request::Echo { .. } => {}
            Request::WorkStatus { handle, .. }
            | Request::WorkData { handle, .. }
            | Request::WorkWarning { handle, .. } => {
                assert!(self.in_hand.contains_key(handle.as_bytes()), "{handle} is not in hand");
            }
            Request::WorkComplete { handle, .. }
            | Request::WorkFail { handle }
            | Request::WorkException { handle, .. } => {
                assert!(self.in_hand.remove(handle.as_bytes()).is_some(), "{handle} is not in hand");
            }
            other => panic!("a worker does not send {other:?}"),
        }
    }
}
