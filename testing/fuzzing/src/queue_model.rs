//! Operations on `core` and on a plain model: every connection gets the same packets in the same order.

use crate::model::{Conn, End, Model, Sent, Submitted, function_name};
use geartrain_core::{Answer, ConnId, Core, Event, Now, Op, Outbox, Settings, Ticket, Wakeup, Wanted};
use geartrain_proto::{
    AdminCommand, Function, GrabKind, Handle, Priority, Request, Response, Submit, SubmitMode, Unique,
};

/// Connections that are open at once.
const CONNS: usize = 5;
const UNIQUES: [&[u8]; 5] = [b"", b"-", b"a", b"b", b"c"];
const WORKLOADS: [&[u8]; 3] = [b"", b"x", b"y\0z"];

/// Reads `data` as operations, three bytes each: what, who, which.
///
/// # Panics
/// When a connection of `core` gets something else than one of the model.
pub fn queue_model(data: &[u8]) {
    let (first, operations) = data.split_first().unwrap_or((&0, &[]));
    let mut pair = Pair::new(u32::from(first % 4));
    for operation in operations.chunks_exact(3) {
        pair.step(operation[0], usize::from(operation[1]) % CONNS, operation[2]);
        pair.compare();
    }
    for conn in 0..CONNS {
        pair.close(conn);
        pair.compare();
    }
}

/// The two that do the same.
struct Pair {
    core: Core,
    ids: Vec<Option<ConnId>>,
    got: Got,
    model: Model,
}

/// What `core` sent.
#[derive(Default)]
struct Got {
    sent: Vec<(ConnId, Vec<u8>)>,
    text: Vec<u8>,
}

impl Pair {
    fn new(retries: u32) -> Self {
        let settings = Settings { wakeup: Wakeup::All, job_retries: retries, ..Settings::default() };
        Self {
            core: Core::new(settings).expect("the settings are good"),
            ids: vec![None; CONNS],
            got: Got::default(),
            model: Model::new(retries, CONNS),
        }
    }

    fn open(&mut self, conn: usize) -> ConnId {
        *self.ids[conn].get_or_insert_with(|| {
            self.model.conns[conn] = Some(Conn::default());
            self.core.handle_connected(1, "127.0.0.1")
        })
    }

    fn close(&mut self, conn: usize) {
        if let Some(id) = self.ids[conn].take() {
            self.core.handle_closed(Now::default(), id, &mut self.got);
            self.model.close(conn);
        }
    }

    fn request(&mut self, conn: usize, request: &Request<'_>) -> Option<u64> {
        let id = self.open(conn);
        self.core.handle_request(Now::default(), id, request, &mut self.got);
        self.model.hear(conn)
    }

    fn step(&mut self, what: u8, conn: usize, which: u8) {
        let function = which % 3;
        let name = function_name(function);
        let name = Function::new(&name);
        let number = u64::from(which % 32) + 1;
        let handle = format!("H:localhost:{number}");
        let handle = Handle::from(handle.as_str());
        match what % 17 {
            0..5 => self.submit(what, conn, which),
            5 => {
                self.request(conn, &Request::CanDo { function: name });
                self.model.can_do(conn, function);
            }
            6 => {
                self.request(conn, &Request::CantDo { function: name });
                self.model.cant_do(conn, function);
            }
            7 => {
                self.request(conn, &Request::ResetAbilities);
                self.model.reset_abilities(conn);
            }
            8 | 9 => {
                let kind = [GrabKind::Plain, GrabKind::Unique, GrabKind::All][usize::from(function)];
                self.request(conn, &Request::Grab(kind));
                self.model.grab(conn, kind);
            }
            10 => {
                self.request(conn, &Request::PreSleep);
                self.model.pre_sleep(conn);
            }
            11 => {
                let text = u32::from(which).to_string();
                let numerator = text.as_bytes();
                self.request(conn, &Request::WorkStatus { handle, numerator, denominator: b"9" });
                self.model.status(conn, number, u32::from(which));
            }
            12 => {
                self.request(conn, &Request::WorkData { handle, data: b"d" });
                self.model.data(conn, number, b"d");
            }
            13 => self.end(what, conn, number, handle),
            14 => {
                self.request(conn, &Request::GetStatus { handle });
                self.model.get_status(conn, number);
            }
            15 => self.rare(conn, which, number, handle),
            _ => self.close(conn),
        }
    }

    fn submit(&mut self, what: u8, conn: usize, which: u8) {
        let new = Submitted {
            function: which % 3,
            unique: UNIQUES[usize::from(what) % UNIQUES.len()],
            priority: Priority::ALL[usize::from(which / 3) % 3],
            workload: WORKLOADS[usize::from(which / 9) % WORKLOADS.len()],
            background: which >= 128,
        };
        let function = function_name(new.function);
        let mode = if new.background { SubmitMode::Background } else { SubmitMode::Foreground };
        let submit = Submit {
            function: Function::new(&function),
            unique: Unique::new(new.unique),
            priority: new.priority,
            mode,
            reducer: None,
            workload: new.workload,
        };
        self.request(conn, &Request::Submit(submit));
        self.model.submit(conn, &new);
    }

    fn end(&mut self, what: u8, conn: usize, number: u64, handle: Handle<'_>) {
        let (request, end) = match what / 17 % 3 {
            0 => (Request::WorkComplete { handle, result: b"r" }, End::Complete),
            1 => (Request::WorkFail { handle }, End::Fail),
            _ => (Request::WorkException { handle, exception: b"e" }, End::Exception),
        };
        let exception_for = self.request(conn, &request);
        self.model.end(conn, number, end, exception_for);
    }

    fn rare(&mut self, conn: usize, which: u8, number: u64, handle: Handle<'_>) {
        if which.is_multiple_of(2) {
            self.request(conn, &Request::Option { name: b"exceptions" });
            self.model.set_exceptions(conn);
        } else {
            let id = self.open(conn);
            self.core.handle_admin(Now::default(), id, &AdminCommand::CancelJob(handle), &mut self.got);
            let text = self.model.cancel(number);
            assert_eq!(std::mem::take(&mut self.got.text), text, "answer to cancel job");
        }
    }

    /// Order between connections is not said, order to one connection is.
    fn compare(&mut self) {
        self.core.check_all();
        let mut expected: Vec<Sent> = std::mem::take(&mut self.model.sent);
        let mut got: Vec<Sent> = std::mem::take(&mut self.got.sent)
            .into_iter()
            .map(|(id, bytes)| {
                let conn = self.ids.iter().position(|known| *known == Some(id));
                (conn.expect("core sends to open connections"), bytes)
            })
            .collect();
        expected.sort_by_key(|(conn, _)| *conn);
        got.sort_by_key(|(conn, _)| *conn);
        assert_eq!(got, expected, "core sent the first, the model the second");
        assert_eq!(self.core.jobs(), self.model.len(), "as many jobs");
    }
}

impl Outbox for Got {
    fn send(&mut self, conn: ConnId, response: Response<'_>) {
        let mut bytes = Vec::new();
        response.encode(&mut bytes);
        self.sent.push((conn, bytes));
    }

    fn hold(&mut self, _: ConnId, _: Ticket, _: Answer<'_>) {
        panic!("a queue without a store holds nothing back");
    }

    fn release(&mut self, _: ConnId, _: Ticket) {}

    fn replace(&mut self, _: ConnId, _: Ticket, _: Answer<'_>) {}

    fn text(&mut self, _: ConnId, text: &[u8]) {
        self.text = text.to_vec();
    }

    fn persist(&mut self, _: Ticket, op: Op<'_>) {
        // What is kept about jobs that were given up; those that wait are in memory alone.
        let waits = matches!(op, Op::Change(_) | Op::ReserveNumbers { .. });
        assert!(!waits, "a queue without a store stores no waiting job");
    }

    fn read(&mut self, _: Ticket, _: Wanted, _: &[u64]) {
        panic!("a queue without a store reads nothing");
    }

    fn close(&mut self, _: ConnId) {}

    fn note(&mut self, _: Event<'_>) {}
}
