//! `core` alone: bytes in and out, no sockets, a clock that moves when the talk says so.

use crate::process::first_item;
use crate::run::{Item, Server};
use crate::talk::Runner;
use geartrain_core::{
    Answer, ConnId, Core, Durability, Event, FunctionOrder, Moment, Now, Op, Outbox, Outbuf, Settings,
    Ticket, UnixTime, Wakeup, Wanted,
};
use geartrain_proto::{Disposition, Message, Response, Step, decode_message};
use geartrain_store::{Batch, MemoryStore, Reader as _, Store as _};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

const BODY_BYTES_MAX: u32 = 64 * 1024 * 1024;

/// The queue with a store that always succeeds.
#[derive(Debug)]
pub struct CoreServer {
    core: Core,
    settings: Settings,
    now: Now,
    conns: BTreeMap<String, Conn>,
    world: World,
    store: MemoryStore,
}

#[derive(Debug)]
struct Conn {
    id: Option<ConnId>,
    unread: Vec<u8>,
    inbox: VecDeque<Item>,
}

/// What `core` asked for, until it is done.
#[derive(Debug, Default)]
struct World {
    outs: BTreeMap<ConnId, Outbuf>,
    closing: Vec<ConnId>,
    batch: Batch,
    reads: Vec<(Ticket, Wanted, Vec<u64>)>,
}

impl CoreServer {
    /// A fresh queue with the options of a talk.
    ///
    /// # Panics
    /// At an option that this runner does not know.
    #[must_use]
    pub fn start(options: &[String]) -> Self {
        let settings = settings(options);
        let mut server = Self {
            core: Core::new(settings.clone()).expect("the settings are good"),
            settings,
            now: Now { moment: Moment::default(), unix: UnixTime::from_seconds(1_800_000_000) },
            conns: BTreeMap::new(),
            world: World::default(),
            store: MemoryStore::new(),
        };
        server.core.handle_loaded(server.now, &mut server.world);
        server.follow_up();
        server
    }

    fn conn(&mut self, name: &str) -> &mut Conn {
        self.conns.get_mut(name).expect("a step connects before it uses a connection")
    }

    /// Takes all whole messages of a connection, and does what follows from each.
    fn read(&mut self, name: &str) {
        loop {
            let mut unread = std::mem::take(&mut self.conn(name).unread);
            let Some(id) = self.conn(name).id else { return };
            if self.world.closing.contains(&id) {
                return;
            }
            let Step::Complete { consumed, message } = decode_message(&unread, BODY_BYTES_MAX) else {
                self.conn(name).unread = unread;
                return;
            };
            match message {
                Ok(Message::Request(request)) => {
                    self.core.handle_request(self.now, id, &request, &mut self.world);
                }
                Ok(Message::Admin(command)) => {
                    self.core.handle_admin(self.now, id, &command, &mut self.world);
                }
                Err(error) => {
                    let closes = !matches!(error.disposition(), Disposition::Reply(_));
                    self.core.handle_malformed(id, &error, &mut self.world);
                    assert_eq!(closes, self.world.closing.contains(&id), "the disposition is followed");
                }
            }
            unread.drain(..consumed);
            self.conn(name).unread = unread;
            self.follow_up();
        }
    }

    /// Stores what is to be stored, reads what is asked for, delivers what is to be sent, closes what is to
    /// be closed.
    fn follow_up(&mut self) {
        loop {
            if !self.world.batch.is_empty() {
                let batch = std::mem::take(&mut self.world.batch);
                self.store.commit(&batch).expect("memory takes every batch");
                self.core.handle_committed(self.now, batch.last_ticket(), &mut self.world);
            } else if !self.world.reads.is_empty() {
                for (ticket, wanted, numbers) in std::mem::take(&mut self.world.reads) {
                    let read = self.store.read(wanted, &numbers, &mut |found| {
                        self.core.handle_read(ticket, found);
                    });
                    read.expect("memory can be read");
                    self.core.handle_read_end(self.now, ticket, Ok(()), &mut self.world);
                }
            } else if !self.world.closing.is_empty() {
                self.deliver();
                self.close_all();
            } else {
                break;
            }
        }
        self.deliver();
        self.core.check_all();
    }

    fn close_all(&mut self) {
        for id in std::mem::take(&mut self.world.closing) {
            let conn = self.conns.values_mut().find(|conn| conn.id == Some(id));
            let conn = conn.expect("core closes connections that are open");
            conn.id = None;
            conn.inbox.push_back(Item::Closed);
            self.world.outs.remove(&id);
            self.core.handle_closed(self.now, id, &mut self.world);
        }
    }

    fn deliver(&mut self) {
        for conn in self.conns.values_mut() {
            let Some(out) = conn.id.and_then(|id| self.world.outs.get_mut(&id)) else { continue };
            let bytes = out.take_ready(Vec::new());
            let mut rest = bytes.as_slice();
            while let Some((item, len)) = first_item(rest) {
                rest = &rest[len..];
                match (item, conn.inbox.back_mut()) {
                    (Item::Text(text), Some(Item::Text(before))) => before.extend(text),
                    (item, _) => conn.inbox.push_back(item),
                }
            }
            assert!(rest.is_empty(), "core sends whole packets");
        }
    }
}

fn settings(options: &[String]) -> Settings {
    let mut settings = Settings { durability: Durability::Stored, ..Settings::default() };
    let mut words = options.iter().map(String::as_str);
    while let Some(option) = words.next() {
        match option {
            "--round-robin" => settings.function_order = FunctionOrder::RoundRobin,
            "--exceptions" => settings.exceptions = true,
            "--job-retries" => settings.job_retries = value(words.next()),
            "--worker-wakeup" => {
                settings.wakeup = match value(words.next()) {
                    0 => Wakeup::All,
                    count => Wakeup::Count(count),
                };
            }
            "--function-order" => {
                assert_eq!(words.next(), Some("priority"), "the one order with a name here");
                settings.function_order = FunctionOrder::Priority;
            }
            other => panic!("the core runner does not know {other}"),
        }
    }
    settings
}

fn value(word: Option<&str>) -> u32 {
    word.and_then(|word| word.parse().ok()).expect("an option with a number")
}

impl Server for CoreServer {
    fn runner(&self) -> Runner {
        Runner::Core
    }

    fn connect(&mut self, conn: &str) {
        let descriptor = 10 + i32::try_from(self.conns.len()).unwrap_or(0);
        let id = self.core.handle_connected(descriptor, "127.0.0.1");
        self.conns.insert(conn.to_owned(), Conn { id: Some(id), unread: Vec::new(), inbox: VecDeque::new() });
    }

    fn send(&mut self, conn: &str, bytes: &[u8], split: bool) {
        let size = if split { 1 } else { bytes.len().max(1) };
        for piece in bytes.chunks(size) {
            self.conn(conn).unread.extend_from_slice(piece);
            self.read(conn);
        }
    }

    fn settle(&mut self, _conn: &str) {}

    fn receive(&mut self, conn: &str, _wait: bool) -> Option<Item> {
        self.conn(conn).inbox.pop_front()
    }

    fn close(&mut self, conn: &str) {
        let closed = self.conns.remove(conn).expect("a step connects before it uses a connection");
        if let Some(id) = closed.id {
            self.world.outs.remove(&id);
            self.core.handle_closed(self.now, id, &mut self.world);
            self.follow_up();
        }
    }

    fn half_close(&mut self, _conn: &str) {
        panic!("half-closing is the server's; the talk is not for the core runner");
    }

    fn advance(&mut self, span: Duration) {
        let end = self.now.moment.after(span);
        loop {
            let due = self.core.poll_timeout(self.now).filter(|due| *due <= end);
            let next = due.unwrap_or(end).max(self.now.moment);
            let step = next.since(self.now.moment);
            self.now.moment = next;
            let millis = i64::try_from(step.as_millis()).unwrap_or(i64::MAX);
            self.now.unix = UnixTime::from_millis(self.now.unix.millis() + millis);
            if due.is_none() {
                return;
            }
            self.core.handle_timeout(self.now, &mut self.world);
            self.follow_up();
            let again = self.core.poll_timeout(self.now);
            assert!(again.is_none_or(|again| again > next), "a timeout that was handled is still due");
        }
    }

    fn unix_seconds(&self) -> i64 {
        self.now.unix.seconds()
    }

    fn restart(&mut self) {
        self.conns.clear();
        self.world = World::default();
        self.settings.next_number = self.store.opening().next_number;
        self.core = Core::new(self.settings.clone()).expect("the settings were good before");
        let loaded = self.store.load(&mut |stored| self.core.load(self.now, stored, &mut self.world));
        loaded.expect("memory can be read");
        self.core.handle_loaded(self.now, &mut self.world);
        self.follow_up();
    }

    fn signal(&mut self, _name: &str) {
        panic!("signals are the daemon's; the talk is not for the core runner");
    }

    fn exit_code(&mut self) -> Option<i32> {
        panic!("exit codes are the daemon's; the talk is not for the core runner");
    }
}

impl Outbox for World {
    fn send(&mut self, conn: ConnId, response: Response<'_>) {
        self.outs.entry(conn).or_default().put(&response);
    }

    fn hold(&mut self, conn: ConnId, ticket: Ticket, answer: Answer<'_>) {
        self.outs.entry(conn).or_default().hold(ticket, &answer);
    }

    fn release(&mut self, conn: ConnId, ticket: Ticket) {
        self.outs.entry(conn).or_default().release(ticket);
    }

    fn replace(&mut self, conn: ConnId, ticket: Ticket, answer: Answer<'_>) {
        self.outs.entry(conn).or_default().replace(ticket, &answer);
    }

    fn text(&mut self, conn: ConnId, text: &[u8]) {
        self.outs.entry(conn).or_default().put_text(text);
    }

    fn persist(&mut self, ticket: Ticket, op: Op<'_>) {
        self.batch.push(ticket, op);
    }

    fn read(&mut self, ticket: Ticket, wanted: Wanted, numbers: &[u64]) {
        self.reads.push((ticket, wanted, numbers.to_vec()));
    }

    fn close(&mut self, conn: ConnId) {
        self.closing.push(conn);
    }

    fn note(&mut self, _event: Event<'_>) {}
}
