//! The world of one seed: peers, a network, a server, a store, clocks, and what goes wrong with them.
//!
//! From: a seed. To: the same steps every time, judged one by one.
//! Never: looks at a real clock, a real file, a hash order.

use crate::oracle::{Counts, Oracle};
use crate::output::{encoded, some_of};
use crate::plan::Plan;
use crate::server::{Commit, Media, Server, open_on};
use crate::session::{Manners, Role, Session};
use crate::steering::{Hints, lines_that_let_go};
use crate::trace::{Prints, Trace};
use fastrand::Rng;
use geartrain_core::{Moment, Now, Stored, UnixTime};
use geartrain_disk::{Disk, Fault, Unsynced};
use geartrain_proto::Response;
use geartrain_store::Store;
use std::collections::BTreeMap;
use std::time::Duration;

/// Steps within which a healed world must come to rest.
const DRAIN_STEPS: u32 = 60_000;

/// One seed's world.
pub struct World {
    rng: Rng,
    plan: Plan,
    now: Now,
    trace: Trace,
    media: Media,
    /// What a crash would leave is opened here.
    copy: Option<Disk>,
    server: Option<Server>,
    links: BTreeMap<u32, Link>,
    next_link: u32,
    oracle: Oracle,
    submits: u64,
    step: u32,
}

/// A connection as the network sees it.
#[derive(Debug)]
struct Link {
    /// `None` once the peer is gone and the server has not noticed.
    peer: Option<Session>,
    to_server: Vec<u8>,
    to_peer: Vec<u8>,
    /// The peer has ended its side, in order.
    half_closed: bool,
    /// The peer does not read before this step.
    slow_until: u32,
}

/// How a world ended that kept all its promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Hash of everything that happened.
    pub hash: u64,
    /// Steps it took.
    pub steps: u32,
    /// What happened.
    pub counts: Counts,
}

impl World {
    /// The world of this seed, before its first step.
    #[must_use]
    pub fn new(seed: u64, prints: Prints) -> Self {
        let mut rng = Rng::with_seed(seed);
        let plan = Plan::new(&mut rng);
        let mut trace = Trace::new(prints);
        trace.line(format_args!("seed {seed}: {plan:?}"));
        Self {
            media: Media::new(&plan, seed),
            copy: None,
            rng,
            oracle: Oracle::new(plan.job_retries, prints == Prints::Everything),
            plan,
            now: Now { moment: Moment::default(), unix: UnixTime::from_seconds(1_800_000_000) },
            trace,
            server: None,
            links: BTreeMap::new(),
            next_link: 0,
            submits: 0,
            step: 0,
        }
    }

    /// How many steps were taken so far.
    #[must_use]
    pub fn step(&self) -> u32 {
        self.step
    }

    /// Lets it all happen: steps with faults, then none, until everything is done.
    ///
    /// # Panics
    /// When an invariant does not hold, with its number.
    pub fn run(&mut self) -> Outcome {
        for _ in 0..self.plan.steps {
            self.step += 1;
            self.fault();
            self.advance_a_little();
            self.turn();
        }
        self.drain();
        Outcome { hash: self.trace.hash(), steps: self.step, counts: self.oracle.counts }
    }

    fn chance(&mut self, per_ten_thousand: u32) -> bool {
        per_ten_thousand > 0 && self.rng.u32(0..10_000) < per_ten_thousand
    }

    fn fault(&mut self) {
        let faults = self.plan.faults;
        if self.chance(faults.server_crash) {
            self.crash();
        }
        if self.chance(faults.worker_death) {
            self.kill_one(|session| matches!(session.role, Role::Worker(_)));
        }
        if self.chance(faults.client_death) {
            self.kill_one(|session| matches!(session.role, Role::Client));
        }
        if self.chance(faults.half_close)
            && let Some(link) = self.some_link(|link| link.peer.is_some() && !link.half_closed)
        {
            self.trace.line(format_args!("{} link {link} half-closes", self.step));
            self.link(link).half_closed = true;
        }
        if self.chance(faults.slow_peer)
            && let Some(link) = self.some_link(|link| link.peer.is_some())
        {
            let until = self.step + self.rng.u32(20..200);
            self.trace.line(format_args!("{} link {link} does not read until step {until}", self.step));
            self.link(link).slow_until = until;
        }
        if self.chance(faults.clock_jump) {
            let jump = self.rng.i64(-100_000..100_000);
            self.trace.line(format_args!("{} the calendar jumps by {jump} ms", self.step));
            self.now.unix = UnixTime::from_millis(self.now.unix.millis() + jump);
            self.timeout();
        }
        let Media::Disk(disk) = &self.media else { return };
        let disk = disk.clone();
        if self.chance(faults.disk_error) {
            let fault = match self.rng.u32(0..5) {
                0 | 1 => Fault::Io,
                2 => Fault::SyncIo,
                3 => Fault::PowerBefore,
                _ => Fault::PowerAfter,
            };
            let ops = self.rng.u64(0..30);
            self.trace.line(format_args!("{} {fault:?} after {ops} disk operations", self.step));
            disk.fail_after_ops(ops, fault);
        }
        if self.chance(faults.disk_full) {
            let full = self.rng.bool();
            self.trace.line(format_args!("{} disk full: {full}", self.step));
            disk.set_full(full);
        }
        if disk.is_off() {
            self.crash();
        }
    }

    /// The server dies: its memory is gone, its disk keeps what a crash leaves.
    fn crash(&mut self) {
        let unsynced = match self.rng.u32(0..3) {
            0 => Unsynced::Lost,
            1 => Unsynced::Kept,
            _ => Unsynced::Torn,
        };
        self.trace.line(format_args!("{} the server crashes, unsynced data: {unsynced:?}", self.step));
        if let Media::Disk(disk) = &self.media {
            disk.crash(unsynced);
        }
        self.server = None;
        self.links.clear();
        self.oracle.crashed();
    }

    fn kill_one(&mut self, is_it: impl Fn(&Session) -> bool) {
        if let Some(link) = self.some_link(|link| link.peer.as_ref().is_some_and(&is_it)) {
            // What it had sent may or may not arrive before the server notices.
            let lost = self.rng.bool();
            self.trace.line(format_args!("{} link {link} loses its peer, bytes lost: {lost}", self.step));
            let link = self.link(link);
            link.peer = None;
            if lost {
                link.to_server.clear();
            }
        }
    }

    fn some_link(&mut self, is_it: impl Fn(&Link) -> bool) -> Option<u32> {
        let found: Vec<u32> =
            self.links.iter().filter(|(_, link)| is_it(link)).map(|(name, _)| *name).collect();
        self.rng.choice(found)
    }

    fn link(&mut self, link: u32) -> &mut Link {
        self.links.get_mut(&link).expect("a link that was just found")
    }

    fn advance_a_little(&mut self) {
        let millis =
            if self.rng.u32(0..self.plan.calm) == 0 { self.rng.u64(0..1500) } else { self.rng.u64(0..4) };
        self.advance(millis);
    }

    fn advance(&mut self, millis: u64) {
        self.now.moment = self.now.moment.after(Duration::from_millis(millis));
        let signed = i64::try_from(millis).unwrap_or(0);
        self.now.unix = UnixTime::from_millis(self.now.unix.millis() + signed);
        let due =
            |server: &Server| server.core.poll_timeout(self.now).is_some_and(|at| at <= self.now.moment);
        // The driver may be late, and is where much is to happen between two portions.
        if self.server.as_ref().is_some_and(due) && (self.rng.u32(0..4) > 0) != self.plan.is_portioned() {
            self.timeout();
        }
    }

    fn timeout(&mut self) {
        self.oracle.latest_second = self.oracle.latest_second.max(self.now.unix.seconds());
        if let Some(server) = &mut self.server {
            server.timeout(self.now, &mut self.oracle);
            self.trace.line(format_args!("{} timeout at {:?}", self.step, self.now));
        }
    }

    /// One thing happens.
    fn turn(&mut self) {
        if self.server.is_none() {
            return self.start();
        }
        match self.rng.u32(0..20) {
            0 => self.populate(),
            1..6 => self.let_one_act(),
            6..11 => self.deliver_to_server(),
            11..14 => self.write_out(),
            14..17 => self.deliver_to_peer(),
            17 | 18 => self.store_step(),
            19 if self.plan.is_tight() || self.rng.bool() => self.read_step(),
            _ => self.notice(),
        }
    }

    fn start(&mut self) {
        if let Media::Disk(disk) = &self.media
            && disk.is_off()
        {
            disk.crash(Unsynced::Lost);
        }
        self.server = Server::start(&self.plan, &self.media, self.now, &mut self.oracle);
        let up = self.server.is_some();
        self.trace.line(format_args!("{} the server starts: {up}", self.step));
        if !up && let Media::Disk(disk) = &self.media {
            // The process that did not start is gone; what it wrote may or may not be there.
            disk.crash(Unsynced::Torn);
        }
    }

    /// Brings clients and workers up to their number.
    fn populate(&mut self) {
        let count = |world: &Self, is_worker: bool| {
            let peers = world.links.values().filter_map(|link| link.peer.as_ref());
            peers.filter(|peer| matches!(peer.role, Role::Worker(_)) == is_worker).count()
        };
        for _ in count(self, false)..self.plan.clients {
            self.connect(Session::client());
        }
        for _ in count(self, true)..self.plan.workers {
            let manners = Manners::Any { abilities: self.plan.abilities };
            self.connect(Session::worker(manners));
        }
    }

    fn connect(&mut self, session: Session) -> u32 {
        let link = self.next_link;
        self.next_link += 1;
        let is_worker = matches!(session.role, Role::Worker(_));
        self.trace.line(format_args!("{} link {link} connects, worker: {is_worker}", self.step));
        let server = self.server.as_mut().expect("connections are made to a running server");
        server.connect(link, self.plan.exceptions, &mut self.oracle);
        let new = Link {
            peer: Some(session),
            to_server: Vec::new(),
            to_peer: Vec::new(),
            half_closed: false,
            slow_until: 0,
        };
        self.links.insert(link, new);
        link
    }

    fn let_one_act(&mut self) {
        if let Some(link) = self.some_link(|link| link.peer.is_some() && !link.half_closed) {
            self.act(link);
        }
    }

    fn act(&mut self, name: u32) {
        let link = self.links.get_mut(&name).expect("a link that was just found");
        let Some(peer) = &mut link.peer else { return };
        if matches!(peer.role, Role::Client) && self.rng.u32(0..self.plan.silence) > 0 {
            return;
        }
        // Who was silent has more to say, so that jobs of several functions meet sleeping workers.
        let is_burst = matches!(peer.role, Role::Client) && self.plan.silence > 1;
        let turns = if is_burst { self.rng.u32(1..6) } else { 1 };
        let hints = Hints {
            steering: self.plan.steering,
            unix_seconds: self.now.unix.seconds(),
            is_idle: self.oracle.campaigns.is_idle(),
            letters: self.oracle.letters.keys().take(50).cloned().collect(),
        };
        for _ in 0..turns {
            peer.act(&mut self.rng, self.now.unix.seconds(), &mut self.submits, &hints);
        }
        if !peer.outgoing.is_empty() && !link.half_closed {
            self.trace.line(format_args!("{} link {name} sends {} bytes", self.step, peer.outgoing.len()));
            self.trace.bytes(&peer.outgoing);
            link.to_server.append(&mut peer.outgoing);
        }
    }

    fn deliver_to_server(&mut self) {
        let Some(name) = self.some_link(|link| !link.to_server.is_empty()) else { return };
        let len = self.link(name).to_server.len();
        let len = some_of(&mut self.rng, len);
        self.deliver_bytes(name, len);
    }

    fn deliver_bytes(&mut self, name: u32, len: usize) {
        let bytes: Vec<u8> = self.link(name).to_server.drain(..len).collect();
        self.trace.line(format_args!("{} server reads {len} bytes of link {name}", self.step));
        let server = self.server.as_mut().expect("links are open while the server runs");
        server.receive(self.now, name, &bytes, &mut self.oracle);
        self.drop_closed_links();
    }

    /// Links that the server closed, whatever for: what is on its way to the peer still arrives, then its
    /// session ends. The simulation lets it end at once.
    fn drop_closed_links(&mut self) {
        let Some(server) = &self.server else { return };
        self.links.retain(|name, _| server.conns.contains_key(name));
    }

    /// The server writes what it may to one socket.
    fn write_out(&mut self) {
        let space = self.plan.socket_bytes;
        let Some(name) = self.some_link(|link| link.to_peer.len() < space) else { return };
        self.write_to(name);
    }

    fn write_to(&mut self, name: u32) {
        let server = self.server.as_mut().expect("links are open while the server runs");
        let Some(conn) = server.conns.get(&name) else { return };
        let (id, ends) = (conn.id, conn.ends);
        let (bytes, acknowledged) = server.out.take_ready(id);
        if !bytes.is_empty() {
            self.trace.line(format_args!("{} server writes {} bytes to link {name}", self.step, bytes.len()));
            self.trace.bytes(&bytes);
        }
        let finished = ends && server.out.is_empty(id);
        self.link(name).to_peer.extend_from_slice(&bytes);
        for handle in &acknowledged {
            self.acknowledge(handle);
        }
        if !acknowledged.is_empty() && self.rng.u32(0..3) == 0 {
            self.check_durable(&acknowledged);
        }
        // A worker that dies between its NOOP and its grab is the hardest to notice.
        let noop = encoded(&Response::Noop);
        if bytes.ends_with(&noop) && self.chance(self.plan.faults.worker_death * 20) {
            self.trace.line(format_args!("{} link {name} loses its peer, which was just woken", self.step));
            self.link(name).peer = None;
        }
        if finished && let Some(server) = &mut self.server {
            server.close(self.now, name, &mut self.oracle);
            self.drop_closed_links();
        }
    }

    fn acknowledge(&mut self, handle: &[u8]) {
        let life = self.oracle.ever.get_mut(handle).expect("an acknowledged job was accepted");
        life.acknowledged = true;
        self.oracle.counts.acknowledged += 1;
    }

    /// I6: what was acknowledged is what the disk keeps if the power goes now, or has ended.
    fn check_durable(&mut self, acknowledged: &[Vec<u8>]) {
        let kept = match &self.media {
            Media::Memory(memory) => numbers_in(&mut memory.clone()),
            Media::Disk(disk) => {
                // One copy serves the whole world, since SQLite keeps a little of each disk for ever.
                let copy = self.copy.get_or_insert_with(|| Disk::new(1));
                for file in copy.files() {
                    copy.remove_file(&file);
                }
                for (file, bytes) in disk.left_by_a_crash() {
                    copy.write_file(&file, &bytes);
                }
                let mut store = open_on(copy).expect("I6: what a crash leaves can be opened");
                numbers_in(&mut store)
            }
        };
        for handle in acknowledged {
            self.oracle.counts.acknowledgements_checked += 1;
            let number = crate::oracle::number_of(handle);
            assert!(
                kept.contains(&number) || self.oracle.is_over(handle),
                "I6: JOB_CREATED of {} left before its record was durable",
                handle.escape_ascii()
            );
        }
    }

    fn deliver_to_peer(&mut self) {
        let step = self.step;
        let Some(name) = self.some_link(|link| !link.to_peer.is_empty() && link.slow_until <= step) else {
            return;
        };
        let len = self.link(name).to_peer.len();
        let len = some_of(&mut self.rng, len);
        self.deliver_to(name, len);
    }

    fn deliver_to(&mut self, name: u32, len: usize) {
        let link = self.links.get_mut(&name).expect("a link that was just found");
        let bytes: Vec<u8> = link.to_peer.drain(..len).collect();
        if let Some(peer) = &mut link.peer {
            peer.receive(&bytes);
            if !link.half_closed {
                link.to_server.append(&mut peer.outgoing);
            }
        }
    }

    fn store_step(&mut self) {
        let Some(server) = &mut self.server else { return };
        if server.store_step(self.now, &mut self.oracle) {
            let state = match &server.commit {
                Commit::Idle => "idle",
                Commit::Taken(_) => "taken",
                Commit::Written(_, Ok(())) => "written",
                Commit::Written(_, Err(_)) => "not written",
                Commit::Failed(_) => "failed",
            };
            self.trace.line(format_args!("{} store: {state}", self.step));
        }
        self.drop_closed_links();
    }

    fn read_step(&mut self) {
        let Some(server) = &mut self.server else { return };
        if server.read_step(self.now, self.plan.faults, &mut self.rng, &mut self.oracle) {
            self.trace.line(format_args!("{} the store is read", self.step));
        }
        self.drop_closed_links();
    }

    /// The server notices that a peer is gone or sends no more.
    fn notice(&mut self) {
        let gone = |link: &Link| link.peer.is_none() || link.half_closed;
        let Some(name) = self.some_link(|link| gone(link) && link.to_server.is_empty()) else { return };
        self.notice_end(name);
    }

    fn notice_end(&mut self, name: u32) {
        let is_dead = self.link(name).peer.is_none();
        let server = self.server.as_mut().expect("links are open while the server runs");
        self.trace.line(format_args!("{} server notices the end of link {name}", self.step));
        if is_dead {
            server.close(self.now, name, &mut self.oracle);
            self.drop_closed_links();
        } else {
            if let Some(conn) = server.conns.get_mut(&name) {
                conn.ends = true;
            }
            self.write_to(name);
        }
    }

    /// Heals everything and lets good workers do what is left; then nothing may be missing.
    fn drain(&mut self) {
        self.heal();
        let mut quiet = false;
        for _ in 0..DRAIN_STEPS {
            self.step += 1;
            if self.server.is_none() {
                self.start();
                continue;
            }
            if !self.round() {
                quiet = true;
                break;
            }
        }
        assert!(quiet, "the healed world does not come to rest within {DRAIN_STEPS} steps");
        self.oracle.check_drained();
        self.check_nothing_returns();
    }

    fn heal(&mut self) {
        self.trace.line(format_args!("{} everything is healed", self.step));
        if let Media::Disk(disk) = &self.media {
            disk.clear_fault();
            disk.set_full(false);
            if disk.is_off() {
                self.crash();
            }
        }
        (self.plan.faults.read_error, self.plan.faults.unreadable) = (0, 0);
        // A job that is larger than the bound would close one worker after the other.
        self.plan.output_bytes_max = usize::MAX;
        if let Some(server) = &mut self.server {
            server.output_bytes_max = usize::MAX;
        }
        for link in self.links.values_mut() {
            link.slow_until = 0;
            if link.peer.as_ref().is_some_and(|peer| matches!(peer.role, Role::Worker(_))) {
                link.peer = None;
            }
        }
    }

    /// All that can happen happens once, in order; `false` when nothing did.
    fn round(&mut self) -> bool {
        let mut busy = false;
        let good = |link: &Link| link.peer.as_ref().is_some_and(|peer| matches!(peer.role, Role::Worker(_)));
        // What others sent before comes first: it may be a rule that must not stay.
        let is_read = self.links.values().all(|link| link.to_server.is_empty());
        if is_read && !self.links.values().any(good) {
            self.connect(Session::worker(Manners::Good));
            let link = self.connect(Session::client());
            self.link(link).to_server = lines_that_let_go(&self.oracle.rules);
            busy = true;
        }
        let names: Vec<u32> = self.links.keys().copied().collect();
        for name in names {
            if !self.links.contains_key(&name) {
                continue;
            }
            if self.links.get(&name).and_then(|link| link.peer.as_ref()).is_some_and(|peer| !peer.is_quiet())
            {
                self.act(name);
            }
            let waiting = self.link(name).to_server.len();
            if waiting > 0 {
                busy = true;
                self.deliver_bytes(name, waiting);
            }
            if !self.links.contains_key(&name) {
                continue;
            }
            if self.link(name).peer.is_none() || self.link(name).half_closed {
                let held = self
                    .server
                    .as_ref()
                    .and_then(|server| server.conns.get(&name))
                    .is_some_and(|conn| conn.ends);
                busy |= !held;
                self.notice_end(name);
            } else {
                self.write_to(name);
            }
            if let Some(link) = self.links.get(&name) {
                let len = link.to_peer.len();
                busy |= len > 0 || link.peer.as_ref().is_some_and(|peer| !peer.is_quiet());
                self.deliver_to(name, len);
                busy |= !self.link(name).to_server.is_empty();
            }
        }
        busy |= self.server.as_mut().is_some_and(|server| server.store_step(self.now, &mut self.oracle));
        busy |= self.server.as_mut().is_some_and(|server| {
            server.read_step(self.now, self.plan.faults, &mut self.rng, &mut self.oracle)
        });
        self.drop_closed_links();
        busy | self.wait_for_time(busy)
    }

    /// With nothing else to do, goes on to the next thing that waits for time.
    fn wait_for_time(&mut self, busy: bool) -> bool {
        let due = self.server.as_ref().and_then(|server| server.core.poll_timeout(self.now));
        let Some(due) = due.filter(|_| !busy) else { return false };
        let span = due.since(self.now.moment).as_millis();
        self.now.moment = self.now.moment.after(Duration::from_millis(u64::try_from(span).unwrap_or(0) + 1));
        let span = i64::try_from(span).unwrap_or(0) + 1;
        self.now.unix = UnixTime::from_millis(self.now.unix.millis() + span);
        self.timeout();
        true
    }

    /// What ended is forgotten for good: a server that starts once more finds nothing.
    fn check_nothing_returns(&mut self) {
        self.server = None;
        self.links.clear();
        let mut store = self.media.open().expect("a healed store opens");
        let left = numbers_in(store.as_mut());
        assert!(left.is_empty(), "I7: jobs {left:?} are done and still stored");
        let mut letters = std::collections::BTreeSet::new();
        let loaded = store.load(&mut |stored| {
            if let Stored::Letter(head) = stored {
                letters.insert(crate::oracle::handle_of(head.shelving.number));
            }
        });
        loaded.expect("a store that opened can be read");
        let kept: std::collections::BTreeSet<Vec<u8>> = self.oracle.letters.keys().cloned().collect();
        assert_eq!(letters, kept, "I7: what is on the shelves");
    }
}

/// The numbers of all jobs in a store.
fn numbers_in(store: &mut dyn Store) -> Vec<u64> {
    let mut numbers = Vec::new();
    let loaded = store.load(&mut |stored| {
        if let Stored::Job(record) = stored {
            numbers.push(record.number);
        }
    });
    loaded.expect("a store that opened can be read");
    numbers
}
