//! Asking over a connection: requests become bytes, together where there are several, and are written at once where
//! nothing else is in flight.
//!
//! From: jobs, sets of jobs, and questions. To: slots, and the socket or the driver.
//! Never: runs what is not the connection's own while it holds the lock: no iterator of jobs, no end of a client.

use super::turn::Flushed;
use super::{Link, Standing, State, deadline};
use crate::client::news::Want;
use crate::client::slots::{For, Key, Limits};
use crate::limits::TRUSTED_SILENCE;
use crate::session::client::{InvalidSubmit, SubmitError};
use geartrain_proto::{Handle, Submit, Unique};
use std::sync::MutexGuard;
use std::task::Waker;
use std::time::Duration;
use tokio::time::Instant;

/// What a connection is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Question<'a> {
    Submit(&'a Submit<'a>),
    Status(Handle<'a>),
    StatusOfUnique(Unique<'a>),
    Echo(&'a [u8]),
}

/// What is waited for, and how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) want: Want,
    pub(crate) ends_by: Instant,
    /// The limit that ends there, as it was said.
    pub(crate) limit: Duration,
}

/// Why a connection did not take a request; the request left no trace.
#[derive(Debug)]
pub(crate) enum NotTaken {
    /// As much as may be is in flight.
    Full,
    /// It has ended, or takes no new requests.
    Ended,
    Invalid(InvalidSubmit),
}

/// A connection that takes requests; they are on their way when this is dropped.
pub(crate) struct Asking<'a> {
    /// `None` when it is dropped.
    state: Option<MutexGuard<'a, State>>,
    now: Instant,
    answer_by: Instant,
    was_idle: bool,
    /// What was asked last.
    last: Option<(Want, For)>,
    /// Whether there is something for the driver to see to.
    is_for_driver: bool,
    /// Who has news, and is woken when the lock is free.
    wakers: Vec<Waker>,
}

impl Link {
    /// Begins to ask; `now` is the time.
    ///
    /// # Errors
    /// [`NotTaken::Ended`].
    pub(crate) fn asking(&self, now: Instant) -> Result<Asking<'_>, NotTaken> {
        let mut state = self.lock();
        if state.end.is_some() || state.standing == Standing::Retired {
            return Err(NotTaken::Ended);
        }
        let (mut wakers, mut is_for_driver) = (Vec::new(), false);
        if now.duration_since(state.seen_at) > TRUSTED_SILENCE {
            match self.catch_up(&mut state, &mut wakers) {
                // There may be room for those who wait for it.
                Ok(was_behind) => is_for_driver = was_behind,
                Err(cause) => {
                    self.end_now(state, cause, wakers);
                    return Err(NotTaken::Ended);
                }
            }
        }
        let was_idle = state.session.in_flight() == 0;
        let answer_by = deadline(now, self.limits.answer);
        Ok(Asking { state: Some(state), now, answer_by, was_idle, last: None, is_for_driver, wakers })
    }

    /// Asks one thing, and waits for room.
    pub(crate) async fn ask_with_room(&self, question: Question<'_>, terms: Terms) -> Result<Key, NotTaken> {
        let _waiting = WaitingForRoom::new(self);
        loop {
            let mut told = std::pin::pin!(self.room.notified());
            told.as_mut().enable();
            match self.asking(Instant::now()).and_then(|mut asking| asking.ask(question, terms, For::Itself))
            {
                Err(NotTaken::Full) => told.await,
                taken => {
                    // There may be room for the next one as well.
                    self.room.notify_one();
                    return taken;
                }
            }
        }
    }
}

impl Asking<'_> {
    /// Asks one thing more.
    ///
    /// # Errors
    /// When it was not taken.
    pub(crate) fn ask(&mut self, question: Question<'_>, terms: Terms, reader: For) -> Result<Key, NotTaken> {
        let Some(state) = &mut self.state else { return Err(NotTaken::Ended) };
        let Terms { want, ends_by, limit } = terms;
        let answer_by = self.answer_by;
        let key = state.slots.insert(want, Limits { answer_by, ends_by, limit }, reader);
        let asked = match question {
            Question::Submit(submit) => state.session.submit(submit, key),
            Question::Status(handle) => state.session.status(handle, key),
            Question::StatusOfUnique(unique) => state.session.status_of_unique(unique, key),
            Question::Echo(data) => state.session.echo(data, key),
        };
        if let Err(error) = asked {
            state.slots.take_back(key);
            return Err(match error {
                SubmitError::Full => NotTaken::Full,
                SubmitError::Invalid(invalid) => NotTaken::Invalid(invalid),
            });
        }
        self.last = Some((want, reader));
        self.is_for_driver |= !state.check_by(answer_by.min(ends_by));
        Ok(key)
    }

    /// When it began.
    pub(crate) fn now(&self) -> Instant {
        self.now
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let Some(mut state) = self.state.take() else { return };
        // A reader tells nobody of room.
        let was_read = state.reader.take().is_some();
        let is_alone = self.was_idle && state.session.in_flight() == 1;
        if is_alone && self.last == Some((Want::Result, For::Itself)) {
            self.is_for_driver |= !state.hear_of_result(self.now);
        } else {
            state.hear_of_all();
        }
        // What cannot be written, or fails, is the driver's to see to.
        let is_written =
            state.session.pending().is_empty() || self.was_idle && matches!(state.flush(), Ok(Flushed::All));
        // Who asked for nothing does not read either.
        let is_unheard = self.last.is_none() && state.lacks_watch();
        let is_for_driver = self.is_for_driver || !is_written || was_read || is_unheard;
        let driver = if is_for_driver { state.driver.take() } else { None };
        drop(state);
        driver.into_iter().chain(self.wakers.drain(..)).for_each(Waker::wake);
    }
}

/// Somebody waits for room as long as this is there.
pub(super) struct WaitingForRoom<'a>(&'a Link);

impl<'a> WaitingForRoom<'a> {
    pub(super) fn new(link: &'a Link) -> Self {
        link.lock().waiting_for_room += 1;
        Self(link)
    }
}

impl Drop for WaitingForRoom<'_> {
    fn drop(&mut self) {
        self.0.lock().waiting_for_room -= 1;
    }
}
