//! A client's session and a server that says anything, in any pieces: what the session says is what a plain reading of
//! the whole bytes says.

use crate::client_model::{Asked, Model};
use geartrain_client::session::client::{ClientEvent, ClientSession, ClientSessionLimits, Sent, SubmitError};
use geartrain_proto::{Function, Handle, Priority, Response, Status, Submit, SubmitMode, Unique};

const LIMITS: ClientSessionLimits =
    ClientSessionLimits { body_bytes_max: 1 << 16, in_flight_max: 40, outgoing_bytes_max: 2048 };

/// Most memory of a buffer that has been read empty: the largest packet, doubled by the growth of a buffer.
const BUFFER_BYTES_MAX: usize = 4 << 16;

/// Most bytes that come at once.
const READ_BYTES_MAX: usize = 1 << 14;

const ECHO: [u8; 64] = [b'e'; 64];

/// Reads `data` as what a client asks and a server sends, two bytes each: what, and which.
///
/// # Panics
/// When a request is answered out of turn, twice or never, when a job hears something behind its end, when what was
/// lost is not told, or when more is kept than may be.
pub fn client_session(data: &[u8]) {
    let mut pair = Pair::new();
    let mut rest = data;
    while let [what, which, behind @ ..] = rest {
        rest = behind;
        pair.step(*what, *which, &mut rest);
        if pair.model.is_over {
            pair.end();
            pair = Pair::new();
        }
    }
    pair.deliver(usize::MAX);
    pair.end();
}

/// The session, and what it should say.
struct Pair {
    session: ClientSession<u32>,
    model: Model,
    next_token: u32,
    /// What the server has sent and the client has not read.
    wire: Vec<u8>,
}

impl Pair {
    fn new() -> Self {
        let session = ClientSession::new(LIMITS);
        Self { session, model: Model::default(), next_token: 0, wire: Vec::new() }
    }

    fn step(&mut self, what: u8, which: u8, rest: &mut &[u8]) {
        let name = format!("H:h:{}", which % 8);
        let handle = Handle::from(name.as_str());
        // Some are large, so that limits of bytes are met; most are not, so that there are many.
        let bytes = vec![which; usize::from(what / 16) << if what < 240 { 6 } else { 12 }];
        match what % 16 {
            0 | 1 => self.submit(SubmitMode::Foreground, which),
            2 => self.submit(SubmitMode::Background, which),
            3 => self.ask(Asked::Status(name.clone().into()), |session, token| session.status(handle, token)),
            4 => {
                let unique = Unique::from(name.as_str());
                let asked = Asked::StatusOfUnique(name.clone().into());
                self.ask(asked, |session, token| session.status_of_unique(unique, token));
            }
            5 => {
                let data = &ECHO[..usize::from(which) % ECHO.len()];
                self.ask(Asked::Echo, |session, token| session.echo(data, token));
            }
            6 => self.ask(Asked::Option, |session, token| session.option(b"exceptions", token)),
            7 => {
                let count = usize::from(which).min(self.session.pending().len());
                self.session.written(count);
                self.model.written += count;
            }
            8 => self.send(&Response::JobCreated { handle }),
            9 => self.answer(which),
            10 => self.send(&Response::WorkData { handle, data: &bytes }),
            11 => self.report(what, handle, &bytes),
            12 => self.send(&Response::WorkComplete { handle, result: &bytes }),
            13 => {
                // Whatever the input has.
                let count = usize::from(which).min(rest.len());
                let (raw, behind) = rest.split_at(count);
                self.wire.extend_from_slice(raw);
                *rest = behind;
            }
            14 => self.deliver(usize::from(which)),
            _ => self.deliver(usize::MAX),
        }
    }

    fn submit(&mut self, mode: SubmitMode, which: u8) {
        let submit = Submit {
            function: Function::from("f"),
            unique: Unique::from(""),
            priority: Priority::ALL[usize::from(which) % 3],
            mode,
            reducer: None,
            workload: &[b'w'; 256][..usize::from(which)],
        };
        let asked = if mode == SubmitMode::Foreground { Asked::Foreground } else { Asked::Background };
        self.ask(asked, |session, token| session.submit(&submit, token));
    }

    fn ask(
        &mut self,
        asked: Asked,
        ask: impl FnOnce(&mut ClientSession<u32>, u32) -> Result<(), SubmitError>,
    ) {
        let (waiting, in_flight) = (self.session.pending().len(), self.session.in_flight());
        match ask(&mut self.session, self.next_token) {
            Ok(()) => {
                assert!(in_flight < LIMITS.in_flight_max && waiting <= LIMITS.outgoing_bytes_max);
                let ends_at = self.model.written + self.session.pending().len();
                self.model.unanswered.push_back((self.next_token, asked, ends_at));
                self.next_token += 1;
            }
            Err(SubmitError::Full) => {
                assert!(in_flight == LIMITS.in_flight_max || waiting > 0, "one may always wait");
                assert_eq!(self.session.pending().len(), waiting, "a refused request leaves no trace");
            }
            Err(error) => panic!("it can be sent: {error}"),
        }
        let most = LIMITS.outgoing_bytes_max + 512;
        assert!(self.session.pending().len() <= most, "{} bytes wait", self.session.pending().len());
    }

    fn send(&mut self, response: &Response<'_>) {
        response.encode(&mut self.wire);
    }

    /// The answer to the first request that the server has not answered, as far as it has been read.
    fn answer(&mut self, which: u8) {
        let status =
            Status { known: which > 9, running: which > 99, numerator: 1, denominator: which.into() };
        let handle = format!("H:h:{}", which % 8);
        match self.model.unanswered.front().map(|(_, asked, _)| asked.clone()) {
            Some(Asked::Foreground | Asked::Background) => {
                self.send(&Response::JobCreated { handle: Handle::from(handle.as_str()) });
            }
            Some(Asked::Status(name)) => {
                self.send(&Response::StatusRes { handle: Handle::new(&name), status });
            }
            Some(Asked::StatusOfUnique(name)) => {
                let clients = which.into();
                self.send(&Response::StatusResUnique { unique: Unique::new(&name), status, clients });
            }
            Some(Asked::Echo) => self.send(&Response::Echo { data: &ECHO[..usize::from(which % 64)] }),
            Some(Asked::Option) => self.send(&Response::Option { name: b"exceptions" }),
            None => self.send(&Response::Error { code: b"NO", text: b"no" }),
        }
    }

    fn report(&mut self, what: u8, handle: Handle<'_>, bytes: &[u8]) {
        match what / 16 % 5 {
            0 => self.send(&Response::WorkStatus { handle, numerator: b"1", denominator: b"-2" }),
            1 => self.send(&Response::WorkWarning { handle, warning: bytes }),
            2 => self.send(&Response::WorkException { handle, exception: bytes }),
            3 => self.send(&Response::WorkFail { handle }),
            _ => self.send(&Response::Error { code: b"QUEUE_ERROR", text: b"full" }),
        }
    }

    /// Hands on what the server sent, in pieces of this many bytes, and compares what is said of it.
    fn deliver(&mut self, piece: usize) {
        let wire = std::mem::take(&mut self.wire);
        let expected = self.model.hear(&wire);
        let mut said = Vec::new();
        for (number, bytes) in wire.chunks(piece.clamp(1, READ_BYTES_MAX)).enumerate() {
            if number % 2 == 0 {
                self.session.feed(bytes);
            } else {
                self.session.read_buffer().extend_from_slice(bytes);
            }
            self.poll(&mut said);
        }
        assert_eq!(said, expected, "the session said the first, the model the second");
        let is_over = self.session.poll().is_err();
        assert_eq!(is_over, self.model.is_over, "both believe the server, or neither does");
        assert_eq!(self.session.in_flight(), self.model.in_flight());
        let held = self.session.read_buffer().capacity();
        assert!(is_over || held <= BUFFER_BYTES_MAX, "the buffer has {held} bytes");
    }

    fn poll(&mut self, said: &mut Vec<ClientEvent<u32>>) {
        while let Ok(Some(event)) = self.session.poll() {
            said.push(event);
        }
    }

    /// The connection ends: who has heard no end yet is told now, once.
    fn end(&mut self) {
        let mut lost = self.session.take_lost();
        lost.sort_by_key(|(token, _)| *token);
        let expected: Vec<(u32, Sent)> = self.model.lost();
        assert_eq!(lost, expected);
        assert_eq!(self.session.in_flight(), 0);
        assert!(self.session.take_lost().is_empty());
    }
}
