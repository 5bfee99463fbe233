//! The server of the simulation: real `core`, real store, and what the real server has around them, done in
//! small steps that anything may happen between.
//!
//! From: bytes that the fake network delivers. To: bytes for it.
//! Never: decides when something happens; the world does.

use crate::oracle::{Cause, Oracle, owned_document};
use crate::output::{Effect, Output};
use crate::plan::{FUNCTIONS, Faults, Plan, StoreKind};
use fastrand::Rng;
use geartrain_core::{
    ConnId, Core, Durability, LetterHead, Now, OwnedFound, OwnedRecord, OwnedShelving, Settings, Stored,
    Ticket, Wanted,
};
use geartrain_disk::Disk;
use geartrain_proto::{AdminCommand, Message, Request, Step, decode_message};
use geartrain_store::{Batch, Locking, MemoryStore, Reader, SqliteOptions, SqliteStore, Store, StoreError};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Where the database lies on the fake disk.
pub(crate) const DATABASE: &str = "/queue.db";

/// Largest body the server takes.
const BODY_BYTES_MAX: u32 = 1 << 20;

/// What outlives the server.
#[derive(Debug)]
pub(crate) enum Media {
    Disk(Disk),
    Memory(MemoryStore),
}

/// A running server.
pub(crate) struct Server {
    pub(crate) core: Core,
    pub(crate) out: Output,
    pub(crate) conns: BTreeMap<u32, Conn>,
    store: Box<dyn Store>,
    reader: Box<dyn Reader>,
    read: Option<Reading>,
    pub(crate) commit: Commit,
    pub(crate) output_bytes_max: usize,
    is_portioned: bool,
}

/// The server's side of a connection, by the number of its link.
#[derive(Debug)]
pub(crate) struct Conn {
    pub(crate) id: ConnId,
    unread: Vec<u8>,
    /// The peer sends no more: closed when all its answers are out.
    pub(crate) ends: bool,
}

/// In so many portions all that is done in portions is done, with as few entries as a world has.
const PORTIONS_MAX: usize = 16;

/// What was read, and the server does not know yet.
struct Reading {
    ticket: Ticket,
    found: VecDeque<OwnedFound>,
    outcome: Result<(), String>,
    /// The job whose record could not be read.
    unreadable: Option<u64>,
}

/// What the thread of the store does.
pub(crate) enum Commit {
    /// Waits for changes.
    Idle,
    /// Has taken changes, not yet written them.
    Taken(Batch),
    /// Has written them, or not; `core` does not know yet.
    Written(Batch, Result<(), StoreError>),
    /// The store failed: this is to be written once it is open again.
    Failed(Batch),
}

impl Media {
    pub(crate) fn new(plan: &Plan, seed: u64) -> Self {
        match plan.store {
            StoreKind::Sqlite => Media::Disk(Disk::new(seed)),
            StoreKind::Memory => Media::Memory(MemoryStore::new()),
        }
    }

    pub(crate) fn open(&self) -> Result<Box<dyn Store>, StoreError> {
        Ok(match self {
            Media::Disk(disk) => Box::new(open_on(disk)?),
            Media::Memory(memory) => Box::new(memory.clone()),
        })
    }
}

pub(crate) fn open_on(disk: &Disk) -> Result<SqliteStore, StoreError> {
    let options = SqliteOptions {
        vfs: Some(disk.vfs_name().to_owned()),
        lock: Locking::None,
        ..SqliteOptions::default()
    };
    SqliteStore::open(DATABASE, options)
}

impl Server {
    /// Starts on what is stored; `None` when the store cannot be opened, read or written now.
    pub(crate) fn start(plan: &Plan, media: &Media, now: Now, oracle: &mut Oracle) -> Option<Self> {
        let mut store = media.open().ok()?;
        let settings = Settings {
            job_retries: plan.job_retries,
            wakeup: plan.wakeup,
            function_order: plan.function_order,
            exceptions: plan.exceptions,
            durability: Durability::Stored,
            next_number: store.opening().next_number,
            hash_seed: 7,
            queue_id: 0xabc,
            bad_worker_after: plan.bad_worker_after,
            bad_worker_pause: Duration::from_secs(2),
            queue_memory_bytes: plan.queue_memory_bytes,
            portion: plan.portion,
            ..Settings::default()
        };
        let prefix = settings.handle_prefix.clone();
        let mut core = Core::new(settings).expect("the settings are good");
        let mut out = Output::default();
        let (mut records, mut letters, mut documents) = (Vec::new(), Vec::new(), Vec::new());
        let loaded = store.load(&mut |stored| {
            core.load(now, stored, &mut out);
            match stored {
                Stored::Job(record) => {
                    let handle = format!("{prefix}:{}", record.number).into_bytes();
                    records.push((handle, OwnedRecord::from(record)));
                }
                Stored::Letter(head) => {
                    letters.push((OwnedShelving::from(head.shelving), head.function.to_vec(), head.bytes));
                }
                Stored::Document(document) => documents.push(owned_document(&document)),
            }
        });
        let report = loaded.ok()?;
        core.handle_loaded(now, &mut out);
        let reader = store.reader().ok()?;
        store.commit(&out.batch).ok()?;
        let upto = out.batch.last_ticket();
        // Only now is it sure that this start happens; the oracle must not believe one that does not.
        assert_eq!(report.set_aside, 0, "records that were written are read");
        assert_eq!(report.loaded, records.len() as u64, "all records are given out");
        oracle.now = now;
        oracle.fired = now;
        oracle.loaded_documents(&documents);
        for (shelving, function, bytes) in &letters {
            let shelving = shelving.as_shelving();
            oracle.loaded_letter(&LetterHead { shelving, function, bytes: *bytes });
        }
        for (handle, record) in &records {
            let record = record.as_record();
            oracle.loaded(handle, &record, now.unix.seconds() >= record.not_before);
        }
        oracle.all_loaded();
        // What a start decided already, such as which letters are too old, is durable.
        let effects = std::mem::take(&mut out.effects);
        oracle.judge(now, Cause::Started, &effects);
        out.batch.clear();
        core.handle_committed(now, upto, &mut out);
        oracle.judge(now, Cause::Committed(upto), &std::mem::take(&mut out.effects));
        core.check_all();
        let mut server = Self {
            core,
            out,
            conns: BTreeMap::new(),
            store,
            reader,
            read: None,
            commit: Commit::Idle,
            output_bytes_max: plan.output_bytes_max,
            is_portioned: plan.is_portioned(),
        };
        server.keep_functions(now, oracle);
        Some(server)
    }

    /// Where a policy reaches the functions one by one, the oracle must know which there are: all, always. A
    /// worker that is able to do those that are missing comes and goes.
    fn keep_functions(&mut self, now: Now, oracle: &mut Oracle) {
        let missing = FUNCTIONS.into_iter().filter(|name| !oracle.functions.contains(name.as_bytes()));
        let missing: Vec<&str> = missing.filter(|_| self.is_portioned).collect();
        if missing.is_empty() {
            return;
        }
        let conn = self.core.handle_connected(0, "127.0.0.1");
        oracle.connected(conn, false);
        for function in missing {
            let request = Request::CanDo { function: function.into() };
            self.core.handle_request(now, conn, &request, &mut self.out);
            self.judge(now, Cause::Request(conn, &request), oracle);
        }
        self.out.lanes.remove(&conn);
        self.core.handle_closed(now, conn, &mut self.out);
        self.judge(now, Cause::Closed(conn), oracle);
    }

    pub(crate) fn connect(&mut self, link: u32, exceptions: bool, oracle: &mut Oracle) {
        let descriptor = i32::try_from(link).unwrap_or(i32::MAX);
        let id = self.core.handle_connected(descriptor, "127.0.0.1");
        oracle.connected(id, exceptions);
        self.conns.insert(link, Conn { id, unread: Vec::new(), ends: false });
    }

    /// Bytes of a peer: every whole message among them is handled.
    pub(crate) fn receive(&mut self, now: Now, link: u32, bytes: &[u8], oracle: &mut Oracle) {
        let Some(conn) = self.conns.get_mut(&link) else { return };
        conn.unread.extend_from_slice(bytes);
        let id = conn.id;
        let mut unread = std::mem::take(&mut conn.unread);
        let mut start = 0;
        loop {
            let rest = unread.get(start..).unwrap_or_default();
            let Step::Complete { consumed, message } = decode_message(rest, BODY_BYTES_MAX) else { break };
            start += consumed;
            match message {
                Ok(Message::Request(request)) => {
                    self.core.handle_request(now, id, &request, &mut self.out);
                    let acknowledged = self.judge(now, Cause::Request(id, &request), oracle);
                    if let Some(handle) = acknowledged {
                        self.out.mark_acknowledgement(id, &handle);
                    }
                }
                Ok(Message::Admin(command)) => {
                    self.core.handle_admin(now, id, &command, &mut self.out);
                    let cause = match &command {
                        AdminCommand::Typed(Ok(typed)) => Cause::Typed(id, typed),
                        command => Cause::Admin(command),
                    };
                    self.judge(now, cause, oracle);
                }
                Err(error) => {
                    self.core.handle_malformed(id, &error, &mut self.out);
                    self.judge(now, Cause::Malformed, oracle);
                }
            }
            if !self.conns.contains_key(&link) {
                return;
            }
        }
        unread.drain(..start);
        if let Some(conn) = self.conns.get_mut(&link) {
            conn.unread = unread;
        }
    }

    /// Lets the oracle judge what the last input caused, and follows the requests to close.
    fn judge(&mut self, now: Now, cause: Cause<'_>, oracle: &mut Oracle) -> Option<Vec<u8>> {
        let effects = std::mem::take(&mut self.out.effects);
        let acknowledged = oracle.judge(now, cause, &effects);
        self.core.check_all();
        for effect in &effects {
            if let Effect::Close { conn } = effect
                && let Some(ending) = self.conns.values_mut().find(|ending| ending.id == *conn)
            {
                ending.ends = true;
            }
        }
        self.bound_outputs(now, oracle);
        self.keep_functions(now, oracle);
        acknowledged
    }

    /// Closes connections whose peers do not read: what waits for them is over the limit.
    fn bound_outputs(&mut self, now: Now, oracle: &mut Oracle) {
        let over = |conn: &Conn| {
            let lane = self.out.lanes.get(&conn.id);
            lane.is_some_and(|lane| lane.buffer.len() > self.output_bytes_max)
        };
        let stuck: Vec<u32> =
            self.conns.iter().filter(|(_, conn)| over(conn)).map(|(link, _)| *link).collect();
        for link in stuck {
            self.close(now, link, oracle);
        }
    }

    /// The connection is gone.
    pub(crate) fn close(&mut self, now: Now, link: u32, oracle: &mut Oracle) {
        let Some(conn) = self.conns.remove(&link) else { return };
        self.out.lanes.remove(&conn.id);
        self.out.ended.insert(conn.id);
        self.core.handle_closed(now, conn.id, &mut self.out);
        self.judge(now, Cause::Closed(conn.id), oracle);
    }

    /// Calls the queue until nothing is due, which portions of long work are again and again; or for one of them.
    pub(crate) fn timeout(&mut self, now: Now, oracle: &mut Oracle) {
        for _ in 0..PORTIONS_MAX {
            self.core.handle_timeout(now, &mut self.out);
            let is_done = self.core.poll_timeout(now).is_none_or(|again| again > now.moment);
            self.judge(now, Cause::Timeout { is_done }, oracle);
            if is_done || self.is_portioned {
                return;
            }
        }
        panic!("a timeout that was handled is still due");
    }

    /// One step of the thread of the store; `false` when it has nothing to do.
    pub(crate) fn store_step(&mut self, now: Now, oracle: &mut Oracle) -> bool {
        match std::mem::replace(&mut self.commit, Commit::Idle) {
            Commit::Idle if self.out.batch.is_empty() => return false,
            Commit::Idle => self.commit = Commit::Taken(std::mem::take(&mut self.out.batch)),
            Commit::Taken(batch) => {
                let result = self.store.commit(&batch);
                self.commit = Commit::Written(batch, result);
            }
            Commit::Written(batch, Ok(())) => {
                oracle.counts.commits += 1;
                self.core.handle_committed(now, batch.last_ticket(), &mut self.out);
                self.judge(now, Cause::Committed(batch.last_ticket()), oracle);
            }
            Commit::Written(mut batch, Err(_)) => {
                oracle.counts.commits_failed += 1;
                batch.append(&std::mem::take(&mut self.out.batch));
                self.core.handle_store_failed(now, batch.last_ticket(), &mut self.out);
                self.judge(now, Cause::StoreFailed(batch.last_ticket()), oracle);
                self.commit = Commit::Failed(batch.failed_followup());
            }
            Commit::Failed(mut owed) => {
                owed.append(&std::mem::take(&mut self.out.batch));
                if self.store.reopen().and_then(|()| self.store.commit(&owed)).is_ok() {
                    self.core.handle_committed(now, owed.last_ticket(), &mut self.out);
                    self.core.handle_store_ready();
                    self.judge(now, Cause::Committed(owed.last_ticket()), oracle);
                } else {
                    self.commit = Commit::Failed(owed);
                }
            }
        }
        true
    }

    /// One step of the thread that reads; `false` when it has nothing to do. What it reads is what is stored
    /// then; the queue learns of it in portions, later.
    pub(crate) fn read_step(&mut self, now: Now, faults: Faults, rng: &mut Rng, oracle: &mut Oracle) -> bool {
        let Some(reading) = &mut self.read else { return self.read_some(faults, rng) };
        if !reading.found.is_empty() {
            let portion = rng.usize(1..=reading.found.len());
            for found in reading.found.drain(..portion) {
                if let OwnedFound::Workload { number, .. } = &found {
                    oracle.found_workload(reading.ticket, *number);
                }
                self.core.handle_read(reading.ticket, found.as_found());
            }
            self.core.check_all();
            return true;
        }
        let Some(Reading { ticket, outcome, unreadable, .. }) = self.read.take() else { return false };
        let [good, bad] = &mut oracle.counts.reads;
        *(if outcome.is_ok() { good } else { bad }) += 1;
        let outcome = outcome.as_ref().map_err(String::as_str).copied();
        self.core.handle_read_end(now, ticket, outcome, &mut self.out);
        self.judge(now, Cause::Read { ticket, failed: outcome.is_err(), unreadable }, oracle);
        true
    }

    fn read_some(&mut self, faults: Faults, rng: &mut Rng) -> bool {
        let Some((ticket, wanted, numbers)) = self.out.reads.pop_front() else { return false };
        let mut found = VecDeque::new();
        let result = self.reader.read(wanted, &numbers, &mut |it| found.push_back(OwnedFound::from(it)));
        let mut outcome = result.map_err(|error| error.to_string());
        if rng.u32(0..100) < faults.read_error {
            found.truncate(rng.usize(0..=found.len()));
            outcome = Err("the disk is slow today".to_owned());
        }
        let mut unreadable = None;
        if wanted == Wanted::Workloads && !found.is_empty() && rng.u32(0..100) < faults.unreadable {
            unreadable = match found.remove(rng.usize(0..found.len())) {
                Some(OwnedFound::Workload { number, .. }) => Some(number),
                _ => None,
            };
        }
        self.read = Some(Reading { ticket, found, outcome, unreadable });
        true
    }
}
