//! The servers of a client, their connections, and which of them a job goes to.
//!
//! From: jobs that need a connection. To: a [`Link`] of the server that is theirs, of those that can be reached.
//! A server that cannot be reached is left out for a pause that grows from try to try; the tries are made beside
//! the jobs, which go elsewhere meanwhile, and wait only when there is no elsewhere. The first try is waited for by
//! the jobs that must meet there, for a second; others go to any server that is there.
//! Never: holds more than one lock, or waits while it holds one.

use super::choice::{self, ServerChoice};
use super::error::JobError;
use super::limits::{ClientLimits, deadline};
use super::link::{Health, Link};
use crate::address::ServerAddress;
use crate::error::ClientError;
use crate::limits::OPENING_AWAITED;
use crate::net::Pauses;
use backon::ExponentialBackoff;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

#[derive(Debug)]
pub(crate) struct Pool {
    servers: Vec<Server>,
    choice: ServerChoice,
    pub(crate) limits: ClientLimits,
    /// Told when a connection came about, or did not.
    changed: Notify,
}

#[derive(Debug)]
struct Server {
    address: Arc<ServerAddress>,
    seed: u64,
    lanes: Vec<Mutex<Lane>>,
    turn: AtomicUsize,
}

/// A connection to be, or one that is.
#[derive(Debug)]
struct Lane {
    state: LaneState,
    pauses: ExponentialBackoff,
}

#[derive(Debug)]
enum LaneState {
    Closed,
    Opening {
        since: Instant,
    },
    Open(Arc<Link>),
    /// The server cannot be reached, or hung up at once.
    Down {
        cause: Arc<ClientError>,
        next: NextTry,
    },
}

#[derive(Debug, Clone, Copy)]
enum NextTry {
    At(Instant),
    Running,
}

/// What a job that needs a connection is told.
pub(super) enum Found {
    Link(Arc<Link>),
    /// Its server is being connected to; from this moment on the job may go elsewhere.
    Opening {
        until: Option<Instant>,
    },
    /// No server can be reached; the next is tried then, or is being tried.
    Down {
        cause: Arc<ClientError>,
        next: Option<Instant>,
    },
}

impl Pool {
    pub(super) fn new(
        servers: Vec<ServerAddress>,
        connections: usize,
        choice: ServerChoice,
        limits: ClientLimits,
    ) -> Self {
        let servers = servers.into_iter().map(|address| {
            let seed = choice::seed(&address.to_string());
            let lane = || Mutex::new(Lane { state: LaneState::Closed, pauses: limits.pauses.iter() });
            let lanes = std::iter::repeat_with(lane).take(connections.max(1)).collect();
            Server { address: Arc::new(address), seed, lanes, turn: AtomicUsize::new(0) }
        });
        Self { servers: servers.collect(), choice, limits, changed: Notify::new() }
    }

    pub(super) fn addresses(&self) -> impl Iterator<Item = &ServerAddress> {
        self.servers.iter().map(|server| &*server.address)
    }

    /// Whether all jobs go over one connection.
    pub(super) fn has_one_way(&self) -> bool {
        matches!(&*self.servers, [server] if server.lanes.len() == 1)
    }

    /// Finds the connection for a job; `key` says what must meet on one server.
    pub(super) fn find(self: &Arc<Self>, key: impl FnOnce() -> Option<u64>) -> Found {
        if self.servers.len() == 1 {
            return self.look(0);
        }
        let key = match self.choice {
            ServerChoice::ByUnique => key(),
            ServerChoice::Random => None,
        };
        let is_bound = key.is_some();
        let key = key.unwrap_or_else(|| fastrand::u64(..));
        let mut none: Option<Found> = None;
        let mut below: Option<u64> = None;
        loop {
            // The one with the highest number of those that are left.
            let scores = self.servers.iter().map(|server| choice::score(key, server.seed)).zip(0..);
            let left = scores.filter(|(score, _)| below.is_none_or(|below| *score < below));
            let Some((score, index)) = left.max() else {
                return none.unwrap_or(Found::Opening { until: None });
            };
            match self.look(index) {
                found @ Found::Link(_) => return found,
                found @ Found::Opening { until: Some(until) } if is_bound && Instant::now() < until => {
                    return found;
                }
                found @ (Found::Opening { .. } | Found::Down { .. }) => none = Some(sooner(none, found)),
            }
            below = Some(score);
        }
    }

    /// Finds a connection to one server.
    pub(super) fn find_server(self: &Arc<Self>, address: &ServerAddress) -> Result<Found, JobError> {
        let index = self.servers.iter().position(|server| *server.address == *address);
        let index = index.ok_or_else(|| JobError::UnknownServer { server: address.clone() })?;
        Ok(self.look(index))
    }

    /// A connection from a `find`, once there is one; fails when the patience with servers that cannot be
    /// reached, or the time limit, ends before.
    pub(super) async fn wait(
        &self,
        ends_by: Instant,
        limit: Duration,
        mut find: impl FnMut() -> Result<Found, JobError>,
    ) -> Result<Arc<Link>, JobError> {
        let patient_until = deadline(Instant::now(), self.limits.patience);
        let mut last_cause = None;
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let until = match find()? {
                Found::Link(link) => return Ok(link),
                // Behind that moment there was no elsewhere.
                Found::Opening { until } => {
                    until.filter(|until| *until > Instant::now()).map_or(ends_by, |until| ends_by.min(until))
                }
                Found::Down { cause, .. } if Instant::now() >= patient_until => {
                    let others = self.causes().filter(|other| !Arc::ptr_eq(other, &cause)).collect();
                    return Err(JobError::NoServer { cause, others });
                }
                Found::Down { next, cause } => {
                    last_cause = Some(cause);
                    ends_by.min(patient_until).min(next.unwrap_or(patient_until))
                }
            };
            // Either way it is looked again; what is said then decides.
            if timeout_at(until, changed).await.is_err() && Instant::now() >= ends_by {
                let (doing, cause) = ("connecting", last_cause);
                return Err(JobError::TimedOut { doing, server: None, limit, handle: None, cause });
            }
        }
    }

    /// Why servers cannot be reached, one word of each.
    fn causes(&self) -> impl Iterator<Item = Arc<ClientError>> {
        self.servers.iter().filter_map(|server| {
            server.lanes.iter().find_map(|lane| match &lock(lane).state {
                LaneState::Down { cause, .. } => Some(Arc::clone(cause)),
                LaneState::Closed | LaneState::Opening { .. } | LaneState::Open(_) => None,
            })
        })
    }

    /// What a server has to offer; sees to it that a lane that should be open becomes so.
    fn look(self: &Arc<Self>, index: usize) -> Found {
        let Some(server) = self.servers.get(index) else { return Found::Opening { until: None } };
        let first = match server.lanes.len() {
            1 => 0,
            count => server.turn.fetch_add(1, Ordering::Relaxed) % count,
        };
        let mut rest: Option<Found> = None;
        let (before, from) = server.lanes.split_at(first);
        for (lane_index, lane) in (first..).zip(from).chain((0..).zip(before)) {
            let mut lane = lock(lane);
            lane.settle(self.limits.pauses);
            let (found, open) = lane.offer();
            drop(lane);
            if open {
                self.open(index, lane_index);
            }
            match found {
                Found::Link(link) => return Found::Link(link),
                found @ (Found::Opening { .. } | Found::Down { .. }) => rest = Some(sooner(rest, found)),
            }
        }
        rest.unwrap_or(Found::Opening { until: None })
    }

    /// Connects beside whoever waits for it: nobody who stops waiting stops it.
    fn open(self: &Arc<Self>, server: usize, lane: usize) {
        let opening = Opening { pool: Arc::downgrade(self), server, lane, outcome: None };
        let Some(address) = self.servers.get(server).map(|server| Arc::clone(&server.address)) else {
            return;
        };
        let limits = self.limits;
        tokio::spawn(async move {
            let mut opening = opening;
            opening.outcome = Some(Link::open(address, limits).await);
        });
    }
}

/// Nobody can have a job over these connections any more.
impl Drop for Pool {
    fn drop(&mut self) {
        for lane in self.servers.iter().flat_map(|server| &server.lanes) {
            if let LaneState::Open(link) = &lock(lane).state {
                link.close("closing the client");
            }
        }
    }
}

/// One try to connect; however it ends, its lane is told.
struct Opening {
    pool: std::sync::Weak<Pool>,
    server: usize,
    lane: usize,
    outcome: Option<Result<Arc<Link>, Arc<ClientError>>>,
}

impl Drop for Opening {
    fn drop(&mut self) {
        let outcome = self.outcome.take();
        let Some(pool) = self.pool.upgrade() else {
            if let Some(Ok(link)) = outcome {
                link.close("closing the client");
            }
            return;
        };
        if let Some(server) = pool.servers.get(self.server)
            && let Some(lane) = server.lanes.get(self.lane)
        {
            let mut lane = lock(lane);
            match outcome {
                Some(Ok(link)) => lane.state = LaneState::Open(link),
                Some(Err(cause)) => lane.fail(&server.address, cause),
                // The runtime was shut down in the middle.
                None => lane.state = LaneState::Closed,
            }
        }
        pool.changed.notify_waiters();
    }
}

impl Lane {
    /// Takes notice of a connection that has ended since.
    fn settle(&mut self, pauses: Pauses) {
        let LaneState::Open(link) = &self.state else { return };
        match link.health() {
            Health::Good => {}
            // It worked for a while, so it is tried again at once, and the next failure is the first again.
            Health::Over => *self = Lane { state: LaneState::Closed, pauses: pauses.iter() },
            Health::NeverGood(cause) => {
                let server = Arc::clone(link.server());
                self.fail(&server, cause);
            }
        }
    }

    fn fail(&mut self, server: &ServerAddress, cause: Arc<ClientError>) {
        let pause = self.pauses.next().unwrap_or_default();
        tracing::warn!(%server, %cause, pause_ms = pause.as_millis(), "a server is left out for a while");
        self.state = LaneState::Down { cause, next: NextTry::At(deadline(Instant::now(), pause)) };
    }

    /// What it has to offer, and whether it should be opened.
    fn offer(&mut self) -> (Found, bool) {
        match &mut self.state {
            LaneState::Open(link) => (Found::Link(Arc::clone(link)), false),
            LaneState::Opening { since } => (Found::Opening { until: Some(*since + OPENING_AWAITED) }, false),
            LaneState::Closed => {
                let since = Instant::now();
                self.state = LaneState::Opening { since };
                (Found::Opening { until: Some(since + OPENING_AWAITED) }, true)
            }
            LaneState::Down { cause, next } => {
                let cause = Arc::clone(cause);
                match *next {
                    NextTry::At(at) if at > Instant::now() => (Found::Down { cause, next: Some(at) }, false),
                    NextTry::At(_) => {
                        *next = NextTry::Running;
                        (Found::Down { cause, next: None }, true)
                    }
                    NextTry::Running => (Found::Down { cause, next: None }, false),
                }
            }
        }
    }
}

/// Of two servers without a connection, the one to wait for: one that is being connected to, or is tried first.
fn sooner(one: Option<Found>, other: Found) -> Found {
    match (one, other) {
        (Some(Found::Opening { until: Some(first) }), Found::Opening { until: Some(second) }) => {
            Found::Opening { until: Some(first.min(second)) }
        }
        (Some(opening @ Found::Opening { .. }), _) => opening,
        (
            Some(Found::Down { next: Some(first), cause }),
            Found::Down { next: Some(second), cause: other },
        ) => {
            if first <= second {
                Found::Down { next: Some(first), cause }
            } else {
                Found::Down { next: Some(second), cause: other }
            }
        }
        // A try that runs ends with a word; until then the other's time may come.
        (Some(found @ Found::Down { next: Some(_), .. }), Found::Down { next: None, .. }) => found,
        (_, other) => other,
    }
}

fn lock(lane: &Mutex<Lane>) -> MutexGuard<'_, Lane> {
    lane.lock().unwrap_or_else(PoisonError::into_inner)
}
