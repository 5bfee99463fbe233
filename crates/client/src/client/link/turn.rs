//! Reading and writing: what the driver does in a turn, and a reader in its place, and what the bytes of the server
//! say.
//!
//! From: the socket. To: the slots, and the wakers of their readers, who are woken when the lock is free.
//! Never: waits, or connects again.

use super::{Link, OPTION, Standing, State, deadline};
use crate::client::news::News;
use crate::client::slots::{Key, Sweep};
use crate::error::ClientError;
use crate::limits::{READ_BYTES_MAX, TIME_LIMIT_STEP};
use crate::session::client::{ClientEvent, ClientSessionError, Refusal};
use geartrain_proto::DecodeError;
use std::io;
use std::task::{Context, Poll, Waker};
use tokio::time::Instant;

/// What servers say that do not know the option.
const NO_SUCH_OPTION: [&str; 2] = ["UNKNOWN_OPTION", "INVALID_COMMAND"];

/// Read at once by whoever catches up, in bytes: 1 KiB. Mostly there is nothing.
const CATCH_UP_BYTES: usize = 1024;

/// What a turn leaves to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::client) enum Turn {
    /// The socket wakes the driver, and the time limits are to be looked at then.
    Wait { check_at: Option<Instant> },
    /// The connection has ended.
    Over,
}

impl Link {
    /// Writes and reads all that can be, and says when the time limits are to be looked at; `Ready` when the
    /// connection has ended.
    pub(in crate::client) fn turn(&self, context: &mut Context<'_>, wakers: &mut Vec<Waker>) -> Turn {
        let mut state = self.lock();
        match &mut state.driver {
            Some(waker) => waker.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
        let was_fresh = state.standing == Standing::Fresh;
        let in_flight = state.session.in_flight();
        let exchanged = match state.reader {
            Some(_) => Ok(()),
            None => {
                state.is_watched = true;
                self.exchange(&mut state, context, wakers)
            }
        };
        let done = match exchanged {
            Ok(()) if state.end.is_some() => Turn::Over,
            Ok(()) if state.standing == Standing::Retired && state.slots.waiting() == 0 => {
                self.end(&mut state, self.closed("running jobs that nobody waits for"), wakers);
                Turn::Over
            }
            Ok(()) => Turn::Wait { check_at: state.check_at },
            Err(cause) => {
                self.end(&mut state, cause, wakers);
                Turn::Over
            }
        };
        let has_room = state.session.in_flight() < in_flight || state.session.has_room();
        let is_greeted = was_fresh && state.standing != Standing::Fresh;
        let is_waited_for = state.waiting_for_room > 0;
        drop(state);
        if done == Turn::Over || is_greeted {
            self.room.notify_waiters();
        } else if is_waited_for && has_room {
            self.room.notify_one();
        }
        done
    }

    /// Writes and reads until the socket takes and has no more: behind the last answer there may be the end.
    pub(super) fn exchange(
        &self,
        state: &mut State,
        context: &mut Context<'_>,
        wakers: &mut Vec<Waker>,
    ) -> Result<(), ClientError> {
        loop {
            let flushed = state.flush().map_err(|cause| self.broken("sending", cause))?;
            let Some(socket) = &state.socket else { return Ok(()) };
            let can_write = match flushed {
                Flushed::All => Poll::Pending,
                Flushed::Blocked => socket.poll_write_ready(context),
            };
            if self.read(state, context, wakers)?.is_ready() {
            } else if can_write.is_pending() {
                if flushed == Flushed::Blocked {
                    let since = *state.stalled_since.get_or_insert_with(Instant::now);
                    state.check_by(deadline(since, self.limits.write));
                }
                return Ok(());
            }
        }
    }

    /// Reads once, and does what the bytes say.
    fn read(
        &self,
        state: &mut State,
        context: &mut Context<'_>,
        wakers: &mut Vec<Waker>,
    ) -> Result<Poll<()>, ClientError> {
        let Some(socket) = &mut state.socket else { return Ok(Poll::Pending) };
        match socket.poll_read(state.session.read_buffer(), context) {
            Poll::Pending => return Ok(Poll::Pending),
            Poll::Ready(Ok(0)) => return Err(self.hung_up(state)),
            Poll::Ready(Ok(_)) => {}
            Poll::Ready(Err(cause)) => return Err(self.broken("reading", cause)),
        }
        self.hear(state, wakers)?;
        Ok(Poll::Ready(()))
    }

    /// Reads what the kernel has by now, whoever is to read; says whether there was anything.
    ///
    /// A reader may not have looked for long, nor the driver on a runtime that is busy elsewhere, or runs only now and
    /// then: and behind what they have not read, the connection may have ended.
    pub(super) fn catch_up(&self, state: &mut State, wakers: &mut Vec<Waker>) -> Result<bool, ClientError> {
        state.seen_at = Instant::now();
        let mut chunk = [0; CATCH_UP_BYTES];
        for count in 0..READ_BYTES_MAX / CATCH_UP_BYTES {
            let Some(socket) = &state.socket else { break };
            match socket.read_now(&mut chunk) {
                Ok(0) => return Err(self.hung_up(state)),
                Ok(bytes) => state.session.feed(chunk.get(..bytes).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(count > 0),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) => return Err(self.broken("reading", cause)),
            }
            self.hear(state, wakers)?;
        }
        Ok(true)
    }

    /// Does what the bytes say that came.
    fn hear(&self, state: &mut State, wakers: &mut Vec<Waker>) -> Result<(), ClientError> {
        state.heard_at = Instant::now();
        state.seen_at = state.heard_at;
        while let Some(event) = state.session.poll().map_err(|cause| self.nonsense(cause))? {
            state.apply(event, wakers).map_err(|refusal| self.refused(refusal))?;
        }
        // The rest of a packet, or of a job whose acceptance was seen, may be short.
        if state.session.in_flight() > 0 {
            state.hear_of_all();
        }
        Ok(())
    }

    /// Takes the reading from a reader, and says whether something may be unread: a reader may not have looked for
    /// long, and the runtime hears only now of what was below the mark.
    pub(in crate::client) fn take_over(&self, now: Instant) -> bool {
        let mut state = self.lock();
        let was_read = state.reader.take().is_some();
        if state.session.in_flight() > 0 && state.hear_of_all() {
            state.check_at = Some(now + TIME_LIMIT_STEP);
            return true;
        }
        was_read
    }

    /// Looks at the time limits.
    pub(in crate::client) fn check(&self, now: Instant, wakers: &mut Vec<Waker>) {
        let mut state = self.lock();
        let stalled = state.stalled_since.map(|since| deadline(since, self.limits.write));
        let silent_by = deadline(state.heard_at, self.limits.answer);
        let (doing, limit) = if stalled.is_some_and(|at| at <= now) {
            ("taking what was sent", self.limits.write)
        } else {
            match state.slots.sweep(now, silent_by, wakers) {
                // The limits of many jobs that end one after the other are not looked at for each.
                Sweep::Next(next) => {
                    let next = [next, stalled].into_iter().flatten().min();
                    state.check_at = next.map(|at| at.max(now + TIME_LIMIT_STEP));
                    return;
                }
                Sweep::Unanswered => ("an answer was due", self.limits.answer),
            }
        };
        let cause = ClientError::TimedOut { server: (*self.server).clone(), doing, limit };
        self.end(&mut state, cause, wakers);
        drop(state);
        self.room.notify_waiters();
    }

    fn hung_up(&self, state: &State) -> ClientError {
        self.closed(if state.session.in_flight() == 0 { "it was idle" } else { "waiting for an answer" })
    }

    fn broken(&self, doing: &'static str, cause: io::Error) -> ClientError {
        ClientError::Broken { server: (*self.server).clone(), doing, cause }
    }

    fn nonsense(&self, cause: ClientSessionError) -> ClientError {
        let server = (*self.server).clone();
        match cause {
            ClientSessionError::Decode(DecodeError::BodyTooLarge { len, max }) => {
                ClientError::BodyTooLarge { server, bytes: len, max }
            }
            ClientSessionError::Decode(cause) => ClientError::Protocol { server, cause },
            ClientSessionError::Refused(refusal) => self.refused(refusal),
            cause @ (ClientSessionError::Unasked { .. }
            | ClientSessionError::OtherJob { .. }
            | ClientSessionError::TooEarly
            | ClientSessionError::HandleTooLong { .. }) => ClientError::Session { server, cause },
        }
    }

    fn refused(&self, refusal: Refusal) -> ClientError {
        ClientError::RefusedConnection { server: (*self.server).clone(), refusal }
    }
}

/// What became of an attempt to write.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Flushed {
    All,
    Blocked,
}

impl State {
    pub(super) fn flush(&mut self) -> io::Result<Flushed> {
        let Some(socket) = &self.socket else { return Ok(Flushed::All) };
        while !self.session.pending().is_empty() {
            match socket.try_write(self.session.pending()) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    self.session.written(count);
                    self.stalled_since = None;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Flushed::Blocked),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Flushed::All)
    }

    fn apply(&mut self, event: ClientEvent<Key>, wakers: &mut Vec<Waker>) -> Result<(), Refusal> {
        match event {
            ClientEvent::Option { .. } => {
                self.greet();
                return Ok(());
            }
            ClientEvent::Refused { token: OPTION, refusal } => {
                // Any other word is not about the option: a server that is full says so to the first request.
                if !NO_SUCH_OPTION.contains(&&*refusal.code) {
                    return Err(refusal);
                }
                self.greet();
                return Ok(());
            }
            ClientEvent::Refused { token, refusal } => {
                self.mark.refused();
                self.slots.end(token, News::Refused(refusal), wakers);
                return Ok(());
            }
            ClientEvent::Created { token, handle } => {
                self.mark.created(&handle);
                self.slots.created(token, handle, wakers);
            }
            ClientEvent::Work { token, report } => self.slots.report(token, report, wakers),
            ClientEvent::Echo { token, data } => self.slots.end(token, News::Echo(data), wakers),
            ClientEvent::Status { token, status, clients } => {
                self.slots.end(token, News::Status(status, clients), wakers);
            }
        }
        if self.standing == Standing::Greeted {
            self.standing = Standing::Proven;
        }
        Ok(())
    }

    fn greet(&mut self) {
        if self.standing == Standing::Fresh {
            self.standing = Standing::Greeted;
        }
    }
}
