//! A connection of a worker: its socket and session, used by the driver that reads and the jobs that report.
//!
//! From: the driver ([`Link::turn`]) and jobs ([`Link::report`], [`Link::end_job`]). To: the server, written at
//! once by whoever has something to say, so that no job needs a channel or wakes another task.
//! Never: waits while it is locked, or connects again: a lost link stays lost.

use super::bell::Bell;
use super::error::ReportError;
use super::handler::JobEnd;
use super::job::{Job, Report};
use super::run::End;
use super::shared::Shared;
use super::slots::{LaneId, Rings};
use crate::address::ServerAddress;
use crate::net::Socket;
use crate::session::worker::{
    AssignedJob, JOB_NOT_FOUND, JobKey, WorkerEvent, WorkerSession, WorkerSessionError,
};
use std::collections::VecDeque;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use thiserror::Error;
use tokio::sync::Notify;

/// See the module.
#[derive(Debug)]
pub(super) struct Link {
    server: ServerAddress,
    worker: Arc<Shared>,
    lane: LaneId,
    /// Wakes the driver.
    bell: Arc<Bell>,
    state: Mutex<State>,
    /// Told when there is room for more reports, or never will be.
    room: Notify,
    lost: Notify,
}

#[derive(Debug)]
struct State {
    /// `None` once the connection is lost or closed.
    socket: Option<Socket>,
    session: WorkerSession,
    /// What the server refused before it answered anything: mostly the connection.
    refusal: Option<(String, String)>,
    read_total: u64,
    written_total: u64,
}

/// Why a connection ended.
#[derive(Debug, Error)]
pub(super) enum LinkError {
    #[error("the server closed the connection")]
    Closed,
    #[error("the server refuses the connection: {code}: {text}")]
    Refused { code: String, text: String },
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
    #[error("the server does not keep to the protocol: {0}")]
    Protocol(#[from] WorkerSessionError),
    #[error("the server answered nothing for {} ms", .0.as_millis())]
    Unanswered(Duration),
    #[error("the server took nothing of what was written for {} ms", .0.as_millis())]
    Stuck(Duration),
}

/// What is to be done after a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing: the socket or the bell wakes the driver. A wake-up of the server may have to be held back.
    Idle { hold: Option<Duration> },
    /// Another turn.
    Again,
    /// The connection can be closed: all is done that it was for.
    Finished,
}

/// Whether what a job has to say leaves at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flush {
    Now,
    /// The caller is the driver, which writes in its next turn.
    Later,
}

/// What the driver watches at intervals.
#[derive(Debug, Clone, Copy)]
pub(super) struct Vitals {
    pub(super) read_total: u64,
    pub(super) written_total: u64,
    /// Whether the server owes an answer.
    pub(super) owed: bool,
    pub(super) has_grabbed: bool,
    pub(super) in_hand: usize,
    pub(super) unwritten: bool,
    pub(super) asleep: bool,
    pub(super) stopping: bool,
}

impl Link {
    pub(super) fn new(
        server: ServerAddress,
        worker: Arc<Shared>,
        lane: LaneId,
        bell: Arc<Bell>,
        socket: Socket,
        session: WorkerSession,
    ) -> Self {
        let state = State { socket: Some(socket), session, refusal: None, read_total: 0, written_total: 0 };
        let state = Mutex::new(state);
        Self { server, worker, lane, bell, state, room: Notify::new(), lost: Notify::new() }
    }

    pub(super) fn server(&self) -> &ServerAddress {
        &self.server
    }

    pub(super) fn worker(&self) -> &Arc<Shared> {
        &self.worker
    }

    // --- For the driver

    /// Reads once, takes what the server said, grabs for the slots that are free, and writes what there is.
    pub(super) fn turn(
        &self,
        context: &mut Context<'_>,
        jobs: &mut VecDeque<AssignedJob>,
    ) -> Result<Turn, LinkError> {
        let mut rings = Vec::new();
        let mut state = self.lock();
        let was_answered = state.session.is_answered();
        let turn = self.turn_of(&mut state, context, jobs, &mut rings);
        let is_answered = state.session.is_answered();
        let has_room = !state.is_full(self.worker.limits.unwritten_bytes_max);
        drop(state);
        drop(rings);
        if has_room {
            self.room.notify_waiters();
        }
        if is_answered && !was_answered {
            self.worker.hook_connect(&self.server);
        }
        turn
    }

    fn turn_of(
        &self,
        state: &mut State,
        context: &mut Context<'_>,
        jobs: &mut VecDeque<AssignedJob>,
        rings: &mut Vec<Rings>,
    ) -> Result<Turn, LinkError> {
        let read = state.read(context)?;
        let mut no_jobs = 0;
        let taken = state.take_events(&self.server, jobs, &mut no_jobs);
        if no_jobs > 0 {
            rings.push(self.worker.slots.give_back_unused(self.lane, no_jobs));
        }
        taken?;
        let wanted = state.grabs_wanted(self.worker.limits.unwritten_bytes_max);
        // Only then can it have one that it does not want any more.
        if wanted == 0 && (no_jobs > 0 || state.is_full(self.worker.limits.unwritten_bytes_max)) {
            rings.push(self.worker.slots.decline(self.lane));
        }
        if wanted > 0 {
            let granted = self.worker.slots.take(self.lane, wanted);
            state.session.grab(granted);
        }
        let blocked = !state.flush()?;
        if state.session.is_finished() {
            return Ok(Turn::Finished);
        }
        let writable = blocked && state.poll_writable(context)?;
        let again = read || writable || !jobs.is_empty();
        Ok(if again { Turn::Again } else { Turn::Idle { hold: state.session.hold() } })
    }

    /// Writes what jobs said with [`Flush::Later`].
    pub(super) fn flush(&self) {
        // An error shows at the next turn as well.
        self.lock().flush().ok();
    }

    /// Looks for work by itself.
    pub(super) fn nudge(&self) {
        self.lock().session.nudge();
    }

    /// Looks for work by itself, if the server shows that it is there.
    pub(super) fn probe(&self) {
        self.lock().session.probe();
    }

    /// Grabs no more; the link is finished once its jobs are.
    pub(super) fn stop(&self) {
        self.lock().session.stop();
        drop(self.worker.slots.decline(self.lane));
    }

    pub(super) fn vitals(&self) -> Vitals {
        let state = self.lock();
        Vitals {
            read_total: state.read_total,
            written_total: state.written_total,
            owed: state.session.is_owed(),
            has_grabbed: state.session.has_grabbed(),
            in_hand: state.session.jobs_in_hand(),
            stopping: state.session.is_stopping(),
            unwritten: !state.session.pending().is_empty(),
            asleep: state.session.is_asleep(),
        }
    }

    /// Closes the connection. Jobs in hand run on, but can report no more.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        if state.socket.take().is_none() {
            return;
        }
        let unanswered = state.session.grabs_unanswered();
        drop(state);
        drop(self.worker.slots.give_back_unused(self.lane, unanswered));
        drop(self.worker.slots.decline(self.lane));
        self.room.notify_waiters();
        self.lost.notify_waiters();
    }

    /// Gives back the slots of jobs that came and were not begun; the server gives the jobs to other workers.
    pub(super) fn leave_unbegun(&self, jobs: usize) {
        if jobs > 0 {
            tracing::warn!(server = %self.server, jobs, "jobs came with the end of their connection");
            drop(self.worker.slots.give_back_unused(self.lane, jobs));
        }
    }

    // --- For jobs

    pub(super) fn is_lost(&self) -> bool {
        self.lock().socket.is_none()
    }

    pub(super) async fn lost(&self) {
        let mut told = pin!(self.lost.notified());
        told.as_mut().enable();
        if !self.is_lost() {
            told.await;
        }
    }

    /// Sends a report that is no end, once there is room for it.
    pub(super) async fn report(&self, job: &JobKey, report: Report<'_>) -> Result<(), ReportError> {
        loop {
            let mut room = pin!(self.room.notified());
            room.as_mut().enable();
            if self.try_report(job, report)? {
                return Ok(());
            }
            room.await;
        }
    }

    /// Sends a report if there is room for it, and says whether there was.
    fn try_report(&self, job: &JobKey, report: Report<'_>) -> Result<bool, ReportError> {
        let mut state = self.lock();
        if state.socket.is_none() {
            return Err(ReportError::Lost { handle: job.handle().to_string(), server: self.server.clone() });
        }
        if state.is_full(self.worker.limits.unwritten_bytes_max) {
            return Ok(false);
        }
        let sent = match report {
            Report::Status { numerator, denominator } => state.session.status(job, numerator, denominator),
            Report::Data(data) => state.session.data(job, data),
            Report::Warning(warning) => state.session.warning(job, warning),
        };
        if !sent {
            return Err(ReportError::Over { handle: job.handle().to_string() });
        }
        self.flush_for(state);
        Ok(true)
    }

    /// Ends a job and uses its slot for the next one, in one write; says whether the server could be told.
    pub(super) fn end_job(&self, job: &Job, end: &End, flush: Flush) -> bool {
        // Dropped, and so rung, behind the lock.
        let (_rings, _declined): (Rings, Rings);
        let mut state = self.lock();
        let connected = state.socket.is_some();
        let told = connected && state.session.end_with(job.key(), end);
        let wanted = state.grabs_wanted(self.worker.limits.unwritten_bytes_max);
        // The slot of this job is then for those who want one.
        if wanted == 0 {
            _declined = self.worker.slots.decline(self.lane);
        }
        let granted;
        (granted, _rings) = self.worker.slots.exchange(self.lane, wanted);
        if !connected {
            return false;
        }
        state.session.grab(granted);
        state.session.rest();
        match flush {
            Flush::Now => self.flush_for(state) && told,
            Flush::Later => told,
        }
    }

    /// Gives back the slot of a job whose handler was dropped.
    pub(super) fn abandon_job(&self) {
        drop(self.worker.slots.give_back(self.lane, 1));
    }

    /// Writes on behalf of a job; what the socket does not take, or refuses, is left to the driver. Says whether the
    /// connection is good.
    fn flush_for(&self, mut state: MutexGuard<'_, State>) -> bool {
        let flushed = state.flush();
        let done = matches!(flushed, Ok(true)) && !state.session.is_finished();
        drop(state);
        if !done {
            self.bell.ring();
        }
        flushed.is_ok()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Reads once, and says whether something came.
    fn read(&mut self, context: &mut Context<'_>) -> Result<bool, LinkError> {
        let Some(socket) = &mut self.socket else { return Err(LinkError::Closed) };
        match socket.poll_read(self.session.read_buffer(), context) {
            Poll::Pending => Ok(false),
            Poll::Ready(Ok(0)) => Err(match self.refusal.take() {
                Some((code, text)) => LinkError::Refused { code, text },
                None => LinkError::Closed,
            }),
            Poll::Ready(Ok(bytes)) => {
                self.read_total += u64::try_from(bytes).unwrap_or(0);
                Ok(true)
            }
            Poll::Ready(Err(error)) => Err(error.into()),
        }
    }

    /// Takes what the server said: jobs, and how many grabs brought none.
    fn take_events(
        &mut self,
        server: &ServerAddress,
        jobs: &mut VecDeque<AssignedJob>,
        no_jobs: &mut usize,
    ) -> Result<(), LinkError> {
        while let Some(event) = self.session.poll() {
            match event? {
                WorkerEvent::Assigned(job) => jobs.push_back(job),
                WorkerEvent::NoJob => *no_jobs += 1,
                WorkerEvent::GrabRefused { code, text } => {
                    *no_jobs += 1;
                    tracing::warn!(%server, code, text, "the server refused to give a job");
                }
                WorkerEvent::Refused { code, text } if !self.session.is_answered() => {
                    self.refusal = Some((code, text));
                }
                WorkerEvent::Refused { code, text } => {
                    let in_hand = self.session.jobs_in_hand();
                    if code == JOB_NOT_FOUND {
                        tracing::warn!(%server, in_hand, text, "a report was refused: the job is not this worker's any more");
                    } else {
                        tracing::warn!(%server, in_hand, code, text, "the server refused something");
                    }
                }
            }
        }
        Ok(())
    }

    /// How many jobs may be asked for: none while the server takes nothing, as the result of each would wait as well.
    fn grabs_wanted(&self, unwritten_bytes_max: usize) -> usize {
        if self.socket.is_none() || self.is_full(unwritten_bytes_max) {
            return 0;
        }
        self.session.grabs_wanted()
    }

    /// Whether as much waits to be written as may.
    fn is_full(&self, unwritten_bytes_max: usize) -> bool {
        self.session.pending().len() > unwritten_bytes_max
    }

    /// Writes what the socket takes, and says whether that was all.
    fn flush(&mut self) -> Result<bool, LinkError> {
        let Some(socket) = &self.socket else { return Err(LinkError::Closed) };
        while !self.session.pending().is_empty() {
            match socket.try_write(self.session.pending()) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                Ok(bytes) => {
                    self.session.written(bytes);
                    self.written_total += u64::try_from(bytes).unwrap_or(0);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    fn poll_writable(&self, context: &mut Context<'_>) -> Result<bool, LinkError> {
        let Some(socket) = &self.socket else { return Err(LinkError::Closed) };
        match socket.poll_write_ready(context) {
            Poll::Pending => Ok(false),
            Poll::Ready(Ok(())) => Ok(true),
            Poll::Ready(Err(error)) => Err(error.into()),
        }
    }
}

impl WorkerSession {
    fn end_with(&mut self, job: &JobKey, end: &End) -> bool {
        match end {
            End::Handler(JobEnd::Complete(result)) => self.complete(job, result),
            End::Handler(JobEnd::Fail) => self.fail(job),
            End::Handler(JobEnd::Exception(text)) | End::Panicked(text) => {
                self.exception(job, text.as_bytes())
            }
            End::TimedOut => self.exception(job, b"the job ran longer than its time limit"),
        }
    }
}
