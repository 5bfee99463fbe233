//! A queue with everything it was told to do, decoded.

use geartrain_core::{
    Answer, ConnId, Core, DocumentKind, Event, Found, Moment, Now, Op, Outbox, OwnedRecord, Settings,
    Shelving, Ticket, UnixTime, Wanted,
};
use geartrain_proto::{
    AdminCommand, Function, GrabKind, Handle, Priority, Request, Response, Submit, SubmitMode, Unique,
};
use std::collections::BTreeMap;
use std::time::Duration;

/// What was done for one connection or the store, in order.
#[derive(Debug, Default)]
pub(crate) struct Outputs {
    pub(crate) sent: Vec<(ConnId, String)>,
    pub(crate) persisted: Vec<(Ticket, String)>,
    pub(crate) reads: Vec<(Ticket, Wanted, Vec<u64>)>,
    /// The documents as they are now, by kind and name.
    pub(crate) documents: BTreeMap<(DocumentKind, Vec<u8>), Vec<u8>>,
    /// What workers got, by the handle.
    pub(crate) assigned: Vec<(ConnId, String, Vec<u8>)>,
    /// Bytes that left memory in each sweep, and whether it was the first.
    pub(crate) spilled: Vec<(u64, bool)>,
    /// What people changed, and how many.
    pub(crate) steered: Vec<String>,
    /// Schedules of the configuration file that have no effect.
    pub(crate) hidden: Vec<String>,
    /// What a store would have now.
    pub(crate) stored: BTreeMap<u64, OwnedRecord>,
}

impl Outbox for Outputs {
    fn send(&mut self, conn: ConnId, response: Response<'_>) {
        self.note_assignment(conn, &response);
        self.sent.push((conn, describe(&response)));
    }
    fn hold(&mut self, conn: ConnId, ticket: Ticket, answer: Answer<'_>) {
        assert!(!matches!(answer, Answer::Text(b"")), "a place that is held is not empty");
        // The place of an answer in text says nothing.
        if let Answer::Packet(response) = answer {
            self.sent.push((conn, format!("hold {} {}", ticket.number(), describe(&response))));
        }
    }
    fn release(&mut self, conn: ConnId, ticket: Ticket) {
        self.sent.push((conn, format!("release {}", ticket.number())));
    }
    fn replace(&mut self, conn: ConnId, ticket: Ticket, answer: Answer<'_>) {
        if let Answer::Packet(response) = answer {
            self.note_assignment(conn, &response);
        }
        self.sent.push(match answer {
            Answer::Packet(response) => (conn, format!("refuse {} {}", ticket.number(), response.kind())),
            Answer::Text(text) => (conn, String::from_utf8_lossy(text).into_owned()),
        });
    }
    fn text(&mut self, conn: ConnId, text: &[u8]) {
        self.sent.push((conn, String::from_utf8_lossy(text).into_owned()));
    }
    fn persist(&mut self, ticket: Ticket, op: Op<'_>) {
        self.store(&op);
        let op = match op {
            Op::Put(record) if record.place != record.number => {
                format!("put {} at {}", record.number, record.place)
            }
            Op::Put(record) => format!("put {}", record.number),
            Op::Change(change) => {
                format!("change {} to {} after {}", change.number, change.place, change.attempts)
            }
            Op::Attempt(attempt) => {
                format!("attempt {} of {}: {}", attempt.attempt, attempt.number, attempt.how.name())
            }
            Op::Shelve(shelving) => {
                format!("shelve {} after {}: {}", shelving.number, shelving.attempts, shelving.how.name())
            }
            Op::Unshelve { number, .. } => format!("unshelve {number}"),
            Op::Delete { number, .. } => format!("delete {number}"),
            Op::Document(document) => {
                let key = (document.kind, document.name.to_vec());
                match document.body {
                    Some(body) => self.documents.insert(key, body.to_vec()),
                    None => self.documents.remove(&key),
                };
                let forget = if document.body.is_none() { "forget " } else { "" };
                format!("{forget}document {}", String::from_utf8_lossy(document.name))
            }
            Op::ReserveNumbers { .. } => "reserve".to_owned(),
        };
        self.persisted.push((ticket, op));
    }
    fn read(&mut self, ticket: Ticket, wanted: Wanted, numbers: &[u64]) {
        self.reads.push((ticket, wanted, numbers.to_vec()));
    }
    fn close(&mut self, conn: ConnId) {
        self.sent.push((conn, "close".to_owned()));
    }
    fn note(&mut self, event: Event<'_>) {
        if let Event::Spilled { bytes, is_first } = event {
            self.spilled.push((bytes, is_first));
        }
        if let Event::Steered { command, changed, .. } = event {
            self.steered.push(format!("{command}: {changed}"));
        }
        if let Event::ScheduleHidden { name } = event {
            self.hidden.push(String::from_utf8_lossy(name).into_owned());
        }
    }
}

impl Outputs {
    fn note_assignment(&mut self, conn: ConnId, response: &Response<'_>) {
        if let Response::JobAssign { handle, workload, .. } = response {
            self.assigned.push((conn, handle.to_string(), workload.to_vec()));
        }
    }

    fn store(&mut self, op: &Op<'_>) {
        match op {
            Op::Put(record) => {
                self.stored.insert(record.number, OwnedRecord::from(*record));
            }
            Op::Change(change) => {
                // A job that a test loaded was never put.
                let Some(record) = self.stored.get_mut(&change.number) else { return };
                record.place = change.place;
                record.priority = change.priority;
                record.not_before = change.not_before;
            }
            Op::Shelve(Shelving { number, .. }) | Op::Delete { number, .. } => {
                self.stored.remove(number);
            }
            Op::Attempt(_) | Op::Unshelve { .. } | Op::Document(_) | Op::ReserveNumbers { .. } => {}
        }
    }
}

fn describe(response: &Response<'_>) -> String {
    let kind = response.kind();
    match response {
        Response::JobCreated { handle } | Response::WorkFail { handle } => format!("{kind} {handle}"),
        Response::JobAssign { handle, function, .. } => format!("{kind} {handle} {function}"),
        Response::Error { text, .. } => format!("{kind} {}", String::from_utf8_lossy(text)),
        Response::WorkComplete { handle, result } => {
            format!("{kind} {handle} {}", String::from_utf8_lossy(result))
        }
        Response::Noop
        | Response::NoJob
        | Response::JobAssignUniq { .. }
        | Response::JobAssignAll { .. }
        | Response::WorkStatus { .. }
        | Response::WorkException { .. }
        | Response::WorkData { .. }
        | Response::WorkWarning { .. }
        | Response::StatusRes { .. }
        | Response::StatusResUnique { .. }
        | Response::Echo { .. }
        | Response::Option { .. } => kind.to_string(),
    }
}

/// A queue at a time of its own; every step ends with all invariants checked.
pub(crate) struct World {
    pub(crate) core: Core,
    pub(crate) out: Outputs,
    pub(crate) now: Now,
}

impl World {
    pub(crate) fn new(settings: Settings) -> Self {
        let now = Now { moment: Moment::default(), unix: UnixTime::from_seconds(1_700_000_000) };
        Self { core: Core::new(settings).unwrap(), out: Outputs::default(), now }
    }

    pub(crate) fn loaded(&mut self) {
        self.core.handle_loaded(self.now, &mut self.out);
    }

    pub(crate) fn now(&self) -> Now {
        self.now
    }

    /// Sets both clocks without calling the queue.
    pub(crate) fn set_now(&mut self, now: Now) {
        self.now = now;
    }

    /// The clock of the calendar is set by this many seconds, and the queue is called.
    pub(crate) fn set_clock(&mut self, seconds: i64) -> Vec<String> {
        self.now.unix = UnixTime::from_millis(self.now.unix.millis() + seconds * 1000);
        self.advance(Duration::ZERO)
    }

    pub(crate) fn connect(&mut self) -> ConnId {
        self.core.handle_connected(7, "127.0.0.1")
    }

    /// Handles a request and returns what was sent because of it, without the names of connections.
    pub(crate) fn request(&mut self, conn: ConnId, request: &Request<'_>) -> Vec<String> {
        self.core.handle_request(self.now, conn, request, &mut self.out);
        self.take_sent()
    }

    pub(crate) fn submit(
        &mut self,
        conn: ConnId,
        function: &str,
        unique: &str,
        mode: SubmitMode,
    ) -> Vec<String> {
        let submit = Submit {
            function: Function::from(function),
            unique: Unique::from(unique),
            priority: Priority::Normal,
            mode,
            reducer: None,
            workload: b"workload",
        };
        self.request(conn, &Request::Submit(submit))
    }

    pub(crate) fn can_do(&mut self, conn: ConnId, function: &str) -> Vec<String> {
        self.request(conn, &Request::CanDo { function: Function::from(function) })
    }

    pub(crate) fn grab(&mut self, conn: ConnId) -> Vec<String> {
        self.request(conn, &Request::Grab(GrabKind::Plain))
    }

    pub(crate) fn complete(&mut self, conn: ConnId, handle: &str) -> Vec<String> {
        self.request(conn, &Request::WorkComplete { handle: Handle::from(handle), result: b"result" })
    }

    pub(crate) fn close(&mut self, conn: ConnId) -> Vec<String> {
        self.core.handle_closed(self.now, conn, &mut self.out);
        self.take_sent()
    }

    pub(crate) fn admin(&mut self, conn: ConnId, line: &str) -> String {
        let command = AdminCommand::parse(line.as_bytes()).unwrap();
        self.core.handle_admin(self.now, conn, &command, &mut self.out);
        self.take_sent().concat()
    }

    /// Handles a typed command: its rows, and what was sent beside them.
    pub(crate) fn command(&mut self, conn: ConnId, line: &str) -> (Vec<serde_json::Value>, Vec<String>) {
        let command = AdminCommand::parse(line.as_bytes()).unwrap();
        self.core.handle_admin(self.now, conn, &command, &mut self.out);
        self.take_rows()
    }

    /// Tells apart the rows of an answer that came, and other packets.
    pub(crate) fn take_rows(&mut self) -> (Vec<serde_json::Value>, Vec<String>) {
        let sent = self.take_sent();
        let (rows, others): (Vec<_>, Vec<_>) = sent.into_iter().partition(|it| it.ends_with(".\n"));
        let lines = rows.iter().flat_map(|it| it.lines()).filter(|line| *line != ".");
        (lines.map(|line| serde_json::from_str(line).unwrap()).collect(), others)
    }

    pub(crate) fn committed(&mut self, upto: u64) -> Vec<String> {
        self.core.handle_committed(self.now, Ticket::new(upto), &mut self.out);
        self.take_sent()
    }

    pub(crate) fn store_failed(&mut self, upto: u64) -> Vec<String> {
        self.core.handle_store_failed(self.now, Ticket::new(upto), &mut self.out);
        self.take_sent()
    }

    pub(crate) fn advance(&mut self, time: Duration) -> Vec<String> {
        self.now.moment = self.now.moment.after(time);
        self.now.unix = self.now.unix.after(time);
        self.core.handle_timeout(self.now, &mut self.out);
        self.take_sent()
    }

    pub(crate) fn next_timeout(&self) -> Option<Duration> {
        self.core.poll_timeout(self.now).map(|at| at.since(self.now.moment))
    }

    /// Answers the oldest read with what is stored.
    pub(crate) fn answer_read(&mut self) -> Vec<String> {
        let (ticket, wanted, numbers) = self.out.reads.remove(0);
        self.give(ticket, wanted, &numbers);
        self.end_read(ticket, Ok(()))
    }

    /// Gives what is stored of these jobs.
    pub(crate) fn give(&mut self, ticket: Ticket, wanted: Wanted, numbers: &[u64]) {
        for number in numbers {
            if let Some(record) = self.out.stored.get(number) {
                let record = record.as_record();
                let found = match wanted {
                    Wanted::Workloads => Found::Workload { number: record.number, workload: record.workload },
                    Wanted::Jobs | Wanted::Letters(_) => Found::Job(record),
                };
                self.core.handle_read(ticket, found);
                self.core.check_all();
            }
        }
    }

    pub(crate) fn end_read(&mut self, ticket: Ticket, outcome: Result<(), &str>) -> Vec<String> {
        self.core.handle_read_end(self.now, ticket, outcome, &mut self.out);
        self.take_sent()
    }

    pub(crate) fn take_persisted(&mut self) -> Vec<(u64, String)> {
        std::mem::take(&mut self.out.persisted)
            .into_iter()
            .map(|(ticket, op)| (ticket.number(), op))
            .collect()
    }

    fn take_sent(&mut self) -> Vec<String> {
        self.core.check_all();
        std::mem::take(&mut self.out.sent).into_iter().map(|(_, what)| what).collect()
    }
}
