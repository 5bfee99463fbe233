//! A driver keeps one connection to one server: connects, serves it until it ends, and connects again.
//!
//! From: a [`Lane`], which says where to and for which functions. To: [`Link`] and [`Run`].
//! Never: gives a server up, or hurries one that is down.

use super::bell::Bell;
use super::limits::{GATHER_LIMIT, LEAVE_LIMIT, WorkerLimits};
use super::link::{Link, LinkError, Turn};
use super::run::Run;
use super::shared::{Function, Shared};
use super::shutdown::{Stage, reached};
use super::slots::LaneId;
use crate::address::ServerAddress;
use crate::net::Socket;
use crate::session::worker::{AssignedJob, WorkerSession};
use std::collections::{BTreeMap, VecDeque};
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep, sleep_until};

/// One connection's place in a worker.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) server: ServerAddress,
    pub(super) functions: Arc<Functions>,
    pub(super) id: LaneId,
    pub(super) bell: Arc<Bell>,
    pub(super) polling: Polling,
}

/// The functions of one connection.
#[derive(Debug)]
pub(super) struct Functions {
    pub(super) by_name: BTreeMap<String, Function>,
    /// The names in the order in which servers are told.
    pub(super) order: Vec<String>,
}

/// Who polls a handler first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Polling {
    /// The driver: no other job could run meanwhile, and one that ends at once needs no task.
    Inline,
    /// A task of its own, so that jobs run side by side.
    Task,
}

/// Keeps the connection until the worker leaves.
pub(super) async fn drive(lane: Lane, worker: Arc<Shared>, mut stage: watch::Receiver<Stage>) {
    let mut pauses = worker.limits.pauses.iter();
    loop {
        let connected = tokio::select! {
            biased;
            () = reached(&mut stage, Stage::Stopping) => return,
            connected = Socket::connect(&lane.server, worker.limits.connect) => connected,
        };
        let error = match connected {
            Ok(socket) => {
                let link = open(&lane, &worker, socket);
                tracing::info!(server = %lane.server, functions = lane.functions.order.len(), "connected");
                let ended = serve(&lane, &link, &worker.limits, &mut stage).await;
                let vitals = link.0.vitals();
                link.0.close();
                let Err(error) = ended else { return };
                if vitals.has_grabbed {
                    // It has done what it is for: this is a new trouble, not the old one.
                    pauses = worker.limits.pauses.iter();
                }
                if vitals.in_hand > 0 {
                    tracing::warn!(server = %lane.server, jobs = vitals.in_hand, "jobs in hand are lost");
                }
                error.to_string()
            }
            Err(error) => error.to_string(),
        };
        if *stage.borrow() >= Stage::Stopping {
            tracing::warn!(server = %lane.server, error, "a connection ended while the worker leaves");
            return;
        }
        let pause = pauses.next().unwrap_or_default();
        let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        tracing::warn!(server = %lane.server, error, pause_ms, "no connection to the server");
        tokio::select! {
            biased;
            () = reached(&mut stage, Stage::Stopping) => return,
            () = sleep(pause) => {}
        }
    }
}

/// Closes a connection when its driver ends, however that comes about.
struct OpenLink(Arc<Link>);

impl Drop for OpenLink {
    fn drop(&mut self) {
        self.0.close();
    }
}

fn open(lane: &Lane, worker: &Arc<Shared>, socket: Socket) -> OpenLink {
    let mut session = WorkerSession::new(worker.limits.body_bytes_max);
    if let Some(id) = &worker.client_id {
        session.set_client_id(id);
    }
    for name in &lane.functions.order {
        let timeout = lane.functions.by_name.get(name).and_then(|function| function.timeout);
        session.register(name, timeout);
    }
    // A server that hangs takes connections all the same, and must not get a slot for each.
    session.probe();
    let (worker, bell) = (Arc::clone(worker), Arc::clone(&lane.bell));
    OpenLink(Arc::new(Link::new(lane.server.clone(), worker, lane.id, bell, socket, session)))
}

/// Serves a connection until it breaks, or the worker has stopped and all its jobs are over.
async fn serve(
    lane: &Lane,
    link: &OpenLink,
    limits: &WorkerLimits,
    stage: &mut watch::Receiver<Stage>,
) -> Result<(), LinkError> {
    let link = &link.0;
    let mut watch = Watch::default();
    let every = limits.answer.min(limits.grab).min(limits.write).min(limits.look_every).min(LEAVE_LIMIT) / 4;
    let mut ticks = interval(every.clamp(Duration::from_millis(10), Duration::from_secs(15)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut awaited = Stage::Stopping;
    let mut hold = None;
    let mut jobs = Arrived { jobs: VecDeque::new(), link };
    loop {
        tokio::select! {
            biased;
            served = poll_fn(|context| poll_serve(lane, &mut jobs, hold.is_some(), context)) => {
                match served? {
                    Served::Finished => return Ok(()),
                    Served::Hold(pause) => hold = Some(Instant::now() + pause),
                }
            }
            () = until(hold) => {
                hold = None;
                link.nudge();
            }
            () = reached(stage, awaited) => match awaited {
                Stage::Working | Stage::Stopping => {
                    link.stop();
                    awaited = Stage::Leaving;
                }
                Stage::Leaving => {
                    // Results that were not written yet need not be lost.
                    link.flush();
                    return Ok(());
                }
            },
            _ = ticks.tick() => watch.look(link, limits)?,
        }
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment.into()).await,
        None => pending().await,
    }
}

/// Jobs that came and were not begun yet. What the end of the connection leaves of them goes to other workers, and
/// their slots come back.
struct Arrived<'a> {
    jobs: VecDeque<AssignedJob>,
    link: &'a Arc<Link>,
}

impl Drop for Arrived<'_> {
    fn drop(&mut self) {
        self.link.leave_unbegun(self.jobs.len());
    }
}

enum Served {
    Finished,
    /// The server's wake-up is to be followed after this pause.
    Hold(Duration),
}

fn poll_serve(
    lane: &Lane,
    arrived: &mut Arrived<'_>,
    holding: bool,
    context: &mut Context<'_>,
) -> Poll<Result<Served, LinkError>> {
    loop {
        lane.bell.listen(context);
        match arrived.link.turn(context, &mut arrived.jobs)? {
            Turn::Finished => return Poll::Ready(Ok(Served::Finished)),
            Turn::Idle { hold: Some(pause) } if !holding => return Poll::Ready(Ok(Served::Hold(pause))),
            Turn::Idle { .. } => return Poll::Pending,
            Turn::Again => begin_all(lane, arrived),
        }
    }
}

fn begin_all(lane: &Lane, arrived: &mut Arrived<'_>) {
    let link = arrived.link;
    let mut gathered_since = Instant::now();
    while let Some(assigned) = arrived.jobs.pop_front() {
        let Some(function) = lane.functions.by_name.get(&*assigned.function) else {
            // The session takes jobs of registered functions only, and these are all.
            link.abandon_job();
            continue;
        };
        let mut run = Run::begin(link, function, assigned);
        if lane.polling == Polling::Inline {
            // Its task polls it anew, so nobody need be woken for this attempt.
            let mut context = Context::from_waker(Waker::noop());
            if Pin::new(&mut run).poll(&mut context).is_ready() {
                if gathered_since.elapsed() > GATHER_LIMIT {
                    link.flush();
                    gathered_since = Instant::now();
                }
                continue;
            }
        }
        run.spawn();
    }
}

/// Looks at a connection now and then.
#[derive(Debug, Default)]
struct Watch {
    read_total: u64,
    written_total: u64,
    unanswered_since: Option<Instant>,
    unwritten_since: Option<Instant>,
    asleep_since: Option<Instant>,
}

impl Watch {
    fn look(&mut self, link: &Link, limits: &WorkerLimits) -> Result<(), LinkError> {
        let vitals = link.vitals();
        let silent = vitals.read_total == self.read_total;
        let stuck = vitals.written_total == self.written_total;
        (self.read_total, self.written_total) = (vitals.read_total, vitals.written_total);
        let patience = match (vitals.in_hand, vitals.stopping) {
            // The grab or the last word is all there is to wait for, and closing loses no job.
            (0, true) => limits.grab.min(LEAVE_LIMIT),
            (0, false) => limits.grab,
            _ => limits.answer,
        };
        if lasts(&mut self.unanswered_since, vitals.owed && silent, patience) {
            return Err(LinkError::Unanswered(patience));
        }
        if lasts(&mut self.unwritten_since, vitals.unwritten && stuck, limits.write) {
            return Err(LinkError::Stuck(limits.write));
        }
        if lasts(&mut self.asleep_since, vitals.asleep && silent, limits.look_every) {
            self.asleep_since = None;
            link.probe();
        }
        Ok(())
    }
}

/// Whether something is so, and has been for this long.
fn lasts(since: &mut Option<Instant>, is_so: bool, limit: Duration) -> bool {
    if !is_so {
        *since = None;
        return false;
    }
    since.get_or_insert_with(Instant::now).elapsed() >= limit
}
