//! One connection to a server, shared by all who have a job on it.
//!
//! From: requests of any task, which are written at once where nothing else is in flight, and together with others
//! where something is. To: slots, which their readers poll. One task, the driver, reads and keeps the time limits; a
//! reader whose requests are all that is in flight reads itself, so that no task has to be woken to wake it. Such a
//! reader may not be polled for long: whoever asks meanwhile wakes the driver, and looks first what nobody has read.
//! Never: connects again, or decides what is sent again.

mod asking;
mod mark;
mod turn;

pub(crate) use asking::{Asking, NotTaken, Question, Terms};
pub(super) use turn::Turn;

use super::driver::Driver;
use super::limits::{ClientLimits, deadline};
use super::news::{Last, News};
use super::slots::{Key, Looks, Seat, SetKey, Slots, Told};
use crate::address::ServerAddress;
use crate::error::ClientError;
use crate::limits::ABANDONED_JOBS_MAX;
use crate::net::Socket;
use crate::session::client::ClientSession;
use mark::Mark;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// The token of the option request that every connection begins with; no slot has it.
const OPTION: Key = Key::MAX;

/// Makes the server tell exceptions as such.
const EXCEPTIONS: &[u8] = b"exceptions";

#[derive(Debug)]
pub(crate) struct Link {
    server: Arc<ServerAddress>,
    limits: ClientLimits,
    state: Mutex<State>,
    /// Whether it takes new requests, to be seen without the lock.
    is_good: AtomicBool,
    /// Told when there may be room for another request.
    room: Notify,
}

#[derive(Debug)]
struct State {
    /// Gone when the connection has ended.
    ///
    /// It has the waker of whoever read last, which ends under the lock when another reads, or with the socket. With
    /// that no task ends, which might have a job over this connection: one that waits has a waker in its slot as well.
    socket: Option<Socket>,
    session: ClientSession<Key>,
    slots: Slots,
    driver: Option<Waker>,
    /// Who reads instead of the driver. Nobody else waits for anything meanwhile, so nobody is kept waiting when this
    /// one is not polled.
    reader: Option<Looks>,
    /// Whether the socket wakes the driver: nobody read in its place since it did. A reader that leaves nothing in
    /// flight does not wake it, so it may be asleep although there is no reader.
    is_watched: bool,
    mark: Mark,
    /// When the driver looks at the time limits next.
    check_at: Option<Instant>,
    /// Since when the server takes nothing of what is written.
    stalled_since: Option<Instant>,
    end: Option<Arc<ClientError>>,
    /// When the server sent something, or the connection came about.
    heard_at: Instant,
    /// When the connection was last seen to be there, by whoever read it.
    seen_at: Instant,
    standing: Standing,
    waiting_for_room: usize,
}

/// What the connection is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// The server has not answered the option request yet. Nobody has the connection before it has: a server that
    /// is full answers with a refusal, and one that hangs not at all.
    Fresh,
    /// The server takes the connection.
    Greeted,
    /// It has answered something that somebody asked for.
    Proven,
    /// It takes no new requests, and ends with the last that somebody waits for.
    Retired,
}

impl Link {
    /// Connects, starts the driver, and waits until the server has shown that it takes the connection.
    pub(super) async fn open(
        server: Arc<ServerAddress>,
        limits: ClientLimits,
    ) -> Result<Arc<Self>, Arc<ClientError>> {
        let by = deadline(Instant::now(), limits.connect);
        let link = Self::new(Socket::connect(&server, limits.connect).await?, server, limits);
        tokio::spawn(Driver::new(Arc::clone(&link)));
        if timeout_at(by, link.greeted()).await.is_err() {
            let (server, limit) = ((*link.server).clone(), limits.connect);
            let doing = "a first answer was due";
            link.end_with(ClientError::TimedOut { server, doing, limit });
        }
        match link.health() {
            Health::NeverGood(cause) => Err(cause),
            Health::Good | Health::Over => Ok(link),
        }
    }

    /// A connection that is to be greeted, and nobody drives yet.
    fn new(socket: Socket, server: Arc<ServerAddress>, limits: ClientLimits) -> Arc<Self> {
        let mut session = ClientSession::new(limits.session);
        // Both servers know the option. One that does not refuses it, and tells exceptions as failures.
        session.option(EXCEPTIONS, OPTION).expect("a fresh session takes a request");
        let now = Instant::now();
        let state = State {
            socket: Some(socket),
            session,
            slots: Slots::new(limits.held_bytes_max, limits.held_bytes_in_all_max),
            driver: None,
            reader: None,
            is_watched: false,
            mark: Mark::default(),
            check_at: None,
            stalled_since: None,
            end: None,
            heard_at: now,
            seen_at: now,
            standing: Standing::Fresh,
            waiting_for_room: 0,
        };
        let (state, is_good) = (Mutex::new(state), AtomicBool::new(true));
        Arc::new(Self { server, limits, state, is_good, room: Notify::new() })
    }

    /// Waits until the server has taken the connection, or it has ended.
    async fn greeted(&self) {
        loop {
            let mut told = std::pin::pin!(self.room.notified());
            told.as_mut().enable();
            if self.is_settled() {
                return;
            }
            told.await;
        }
    }

    fn is_settled(&self) -> bool {
        let state = self.lock();
        state.standing != Standing::Fresh || state.end.is_some()
    }

    pub(crate) fn server(&self) -> &Arc<ServerAddress> {
        &self.server
    }

    pub(crate) fn limits(&self) -> &ClientLimits {
        &self.limits
    }

    /// No panic happens while the lock is held but by a bug of ours, behind which the state is still whole enough.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What came for one request; with its last, the key is not the reader's any more.
    pub(crate) fn poll(&self, key: Key, context: &mut Context<'_>) -> Poll<(News, Last)> {
        self.look(Looks::One(key), context, |slots, context, former| slots.poll(key, context, former))
    }

    /// All that came for a set, into `told`, which is empty.
    pub(crate) fn collect(&self, set: SetKey, context: &mut Context<'_>, told: &mut Vec<Told>) -> Poll<()> {
        self.look(Looks::Set(set), context, |slots, context, former| {
            slots.collect(set, context, told, former)
        })
    }

    /// Looks for news: reads them from the socket if nobody else waits for any, and leaves that to the driver if not.
    fn look<T>(
        &self,
        looks: Looks,
        context: &mut Context<'_>,
        mut poll: impl FnMut(&mut Slots, &Context<'_>, &mut Option<Waker>) -> Poll<T>,
    ) -> Poll<T> {
        // The end of a waker may be that of a task, which may have a job over this connection.
        let (mut former, mut disarmed) = (None, None);
        let mut state = self.lock();
        let check_at = state.check_at;
        if state.may_read(looks) {
            // Whoever reads need not be woken to be told.
            disarmed = state.slots.disarm(looks);
            state.reader = Some(looks);
            state.is_watched = false;
            let mut wakers = Vec::new();
            if let Err(cause) = self.exchange(&mut state, context, &mut wakers) {
                self.end(&mut state, cause, &mut wakers);
            }
            debug_assert!(wakers.is_empty(), "nobody else waits");
        }
        let polled = poll(&mut state.slots, context, &mut former);
        // Who has news may not look again for long.
        let mut driver = if polled.is_ready() { state.hand_back(looks) } else { None };
        if state.check_at != check_at || state.reader.is_none() && state.lacks_watch() {
            driver = driver.or_else(|| state.driver.take());
        }
        drop(state);
        drop((former, disarmed));
        driver.into_iter().for_each(Waker::wake);
        polled
    }

    /// A set of requests to come, over this connection.
    pub(crate) fn add_set(&self) -> SetKey {
        self.lock().slots.add_set()
    }

    /// Whether it has ended.
    pub(crate) fn is_over(&self) -> bool {
        !self.is_good.load(Ordering::Acquire) && self.lock().end.is_some()
    }

    /// Forgets a set; nobody is interested in its requests any more.
    pub(crate) fn remove_set(&self, set: SetKey) {
        self.give_up(Looks::Set(set), |slots| slots.remove_set(set));
    }

    /// Gives a request to a set.
    pub(crate) fn join(&self, key: Key, set: SetKey, seat: Seat) {
        self.lock().slots.join(key, set, seat);
    }

    /// Why the connection ended.
    pub(crate) fn end_cause(&self) -> Arc<ClientError> {
        let closed = || self.closed("waiting for an answer");
        self.lock().end.clone().unwrap_or_else(|| Arc::new(closed()))
    }

    /// Lets go of a slot whose last news was not read.
    pub(crate) fn abandon(&self, key: Key) {
        self.give_up(Looks::One(key), |slots| slots.abandon(key));
    }

    fn give_up(&self, looks: Looks, abandon: impl FnOnce(&mut Slots) -> Option<Waker>) {
        let mut state = self.lock();
        let waker = abandon(&mut state.slots);
        let mut driver = state.hand_back(looks);
        if state.slots.abandoned() > ABANDONED_JOBS_MAX && state.standing != Standing::Retired {
            tracing::debug!(server = %self.server, "the connection is given up: too many of its jobs have nobody waiting");
            state.standing = Standing::Retired;
            self.is_good.store(false, Ordering::Release);
        }
        if state.standing == Standing::Retired && state.slots.waiting() == 0 {
            driver = driver.or_else(|| state.driver.take());
        }
        drop(state);
        drop(waker);
        driver.into_iter().for_each(Waker::wake);
    }

    /// What the connection is good for: new requests, nothing more, or, with `Err`, nothing from the beginning.
    pub(super) fn health(&self) -> Health {
        if self.is_good.load(Ordering::Acquire) {
            return Health::Good;
        }
        let state = self.lock();
        match (state.standing, &state.end) {
            (Standing::Fresh | Standing::Greeted, Some(cause)) => Health::NeverGood(Arc::clone(cause)),
            (Standing::Proven, Some(_)) | (Standing::Retired, _) => Health::Over,
            (Standing::Fresh | Standing::Greeted | Standing::Proven, None) => Health::Good,
        }
    }

    /// Ends the connection, whoever waits.
    pub(super) fn close(&self, doing: &'static str) {
        self.end_with(self.closed(doing));
    }

    fn end_with(&self, cause: ClientError) {
        self.end_now(self.lock(), cause, Vec::new());
    }

    /// Ends the connection and lets go of its lock; `wakers` are of those who have news already.
    fn end_now(&self, mut state: MutexGuard<'_, State>, cause: ClientError, mut wakers: Vec<Waker>) {
        self.end(&mut state, cause, &mut wakers);
        wakers.extend(state.driver.take());
        drop(state);
        self.room.notify_waiters();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// The connection has ended: everybody who waits is told.
    fn end(&self, state: &mut State, cause: ClientError, wakers: &mut Vec<Waker>) {
        if state.end.is_some() {
            return;
        }
        tracing::debug!(%cause, "a connection to a server has ended");
        state.end = Some(Arc::new(cause));
        self.is_good.store(false, Ordering::Release);
        state.socket = None;
        for (key, sent) in state.session.take_lost() {
            state.slots.end(key, News::Lost(sent), wakers);
        }
        state.session = ClientSession::default();
    }

    fn closed(&self, doing: &'static str) -> ClientError {
        ClientError::Closed { server: (*self.server).clone(), doing }
    }
}

/// What a connection is good for.
#[derive(Debug)]
pub(super) enum Health {
    Good,
    /// No new requests; it worked, so the server may be tried again at once.
    Over,
    /// It ended before the server answered anybody.
    NeverGood(Arc<ClientError>),
}

impl State {
    /// Whether this reader has nobody beside it who waits for anything, also not for a job that was given up.
    fn may_read(&self, looks: Looks) -> bool {
        match self.reader {
            Some(reader) => reader == looks,
            None => {
                self.waiting_for_room == 0
                    && self.session.in_flight() == self.slots.waiting()
                    && self.slots.waits_alone(looks)
            }
        }
    }

    /// Lets the driver read again if this reader did; the waker is to be used.
    ///
    /// With nothing in flight there is nothing to read: whoever asks next looks whether the connection has ended, and
    /// the driver sees it when it looks at the time limits.
    fn hand_back(&mut self, looks: Looks) -> Option<Waker> {
        self.reader.take_if(|reader| *reader == looks)?;
        if self.session.in_flight() == 0 && self.end.is_none() && self.standing != Standing::Retired {
            return None;
        }
        self.hear_of_all();
        self.driver.take()
    }

    /// Whether what comes is heard by nobody, if there is no reader.
    fn lacks_watch(&self) -> bool {
        !self.is_watched && self.session.in_flight() > 0
    }

    /// Has the time limits looked at by then; says whether the driver's timer stands well already.
    fn check_by(&mut self, by: Instant) -> bool {
        let stands = self.check_at.is_some_and(|at| at <= by);
        if !stands {
            self.check_at = Some(by);
        }
        stands
    }
}

#[cfg(test)]
mod tests;
