//! The client's side of one connection, without IO: requests become bytes, bytes become events.
//!
//! ```
//! use geartrain_client::session::client::{ClientEvent, ClientSession, Report};
//! use geartrain_proto::{Function, Handle, Priority, Response, Submit, SubmitMode, Unique};
//!
//! let mut session = ClientSession::default();
//! let job = Submit {
//!     function: Function::from("reverse"),
//!     unique: Unique::from(""),
//!     priority: Priority::Normal,
//!     mode: SubmitMode::Foreground,
//!     reducer: None,
//!     workload: b"abc",
//! };
//! session.submit(&job, "my token")?;
//! let written = session.pending().len(); // write session.pending() to the server
//! session.written(written);
//!
//! let mut answer = Vec::new(); // read from the server
//! Response::JobCreated { handle: Handle::from("H:host:1") }.encode(&mut answer);
//! Response::WorkComplete { handle: Handle::from("H:host:1"), result: b"cba" }.encode(&mut answer);
//! session.feed(&answer);
//!
//! assert!(matches!(session.poll()?, Some(ClientEvent::Created { token: "my token", .. })));
//! let Some(ClientEvent::Work { token, report: Report::Complete(result) }) = session.poll()? else {
//!     panic!("the result follows");
//! };
//! assert_eq!((token, &result[..]), ("my token", &b"cba"[..]));
//! assert!(session.poll()?.is_none());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! From: requests, each with a token of its caller's choice, and bytes from the server. To: bytes for the server,
//! and events that name the token. A server answers requests in their order, and sends what happens to a job with
//! the job's handle: the session keeps both in mind, so its caller need know neither.
//! Never: reads, writes, waits, or takes memory without a limit. What a server sends that makes no sense is a
//! [`ClientSessionError`], after which the connection is good for nothing.

mod error;
mod event;
mod handle;
mod jobs;
mod validate;

pub use error::{ClientSessionError, InvalidSubmit, SubmitError};
pub use event::{ClientEvent, Refusal, Report, Sent};
pub use handle::OwnedHandle;
pub(crate) use validate::check;

use super::buffers::{Incoming, Outgoing};
use crate::limits::{
    BODY_BYTES_MAX_DEFAULT, EARLY_BYTES_MAX, EARLY_REPORTS_MAX, JOBS_IN_FLIGHT_MAX_DEFAULT,
    OUTGOING_BYTES_MAX_DEFAULT,
};
use bytes::BytesMut;
use event::Kind;
use geartrain_proto::{Handle, Request, Response, Submit, SubmitMode, Unique};
use jobs::Jobs;
use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hasher};
use std::mem::discriminant;

/// The limits of one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientSessionLimits {
    /// Largest packet body taken from the server, in bytes; default 256 MiB.
    pub body_bytes_max: u32,
    /// Most requests and foreground jobs that have not ended; default 65,536.
    pub in_flight_max: usize,
    /// Most bytes that wait to be written, in bytes; default 64 MiB. One request may always wait, whatever its size.
    pub outgoing_bytes_max: usize,
}

impl Default for ClientSessionLimits {
    fn default() -> Self {
        Self {
            body_bytes_max: BODY_BYTES_MAX_DEFAULT,
            in_flight_max: JOBS_IN_FLIGHT_MAX_DEFAULT,
            outgoing_bytes_max: OUTGOING_BYTES_MAX_DEFAULT,
        }
    }
}

/// The client's side of one connection; `T` is what its caller knows a request by.
#[derive(Debug)]
pub struct ClientSession<T> {
    limits: ClientSessionLimits,
    incoming: Incoming,
    outgoing: Outgoing,
    ledger: Ledger<T>,
    fault: Option<ClientSessionError>,
}

/// What the server owes.
#[derive(Debug)]
struct Ledger<T> {
    /// Requests without an answer, in their order, which is that of the answers.
    unanswered: VecDeque<Unanswered<T>>,
    /// How many of these are foreground submits.
    submits: usize,
    /// How many foreground submits were answered so far.
    answered: u64,
    jobs: Jobs<T>,
    /// Reports that came before the `JOB_CREATED` they belong to.
    early: VecDeque<Early>,
    early_bytes: usize,
    /// Early reports whose job is known by now.
    ready: VecDeque<ClientEvent<T>>,
}

/// A report of a job that is not known yet.
#[derive(Debug)]
struct Early {
    handle: OwnedHandle,
    report: Report,
    /// Number of the last foreground submit that it may be of: those behind it were not there when it came.
    last_submit: u64,
}

#[derive(Debug)]
struct Unanswered<T> {
    token: T,
    question: Question,
    /// Where the request ends in the stream of bytes to the server.
    ends_at: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    Foreground,
    Background,
    Status(NameHash),
    StatusOfUnique(NameHash),
    Echo,
    Option,
}

/// What is kept of a handle or unique that was asked for, to know it again in the answer.
type NameHash = u64;

fn hash(name: &[u8]) -> NameHash {
    let mut hasher = DefaultHasher::new();
    hasher.write(name);
    hasher.finish()
}

/// What a packet comes to. What it carries stays in the buffer until this is known, and is its end.
enum Meaning<T> {
    Nothing,
    Event(ClientEvent<T>),
    /// `data_len` bytes at the end of the packet are the answer to an echo.
    Echo(T, usize),
    /// A report with `data_len` bytes at the end of the packet.
    Data(T, Kind, usize),
    /// The same, for a job that is not known yet.
    Early(OwnedHandle, Kind, usize),
}

impl<T: Copy> Default for ClientSession<T> {
    fn default() -> Self {
        Self::new(ClientSessionLimits::default())
    }
}

impl<T: Copy> ClientSession<T> {
    /// A session over a fresh connection.
    #[must_use]
    pub fn new(limits: ClientSessionLimits) -> Self {
        let ledger = Ledger {
            unanswered: VecDeque::new(),
            submits: 0,
            answered: 0,
            jobs: Jobs::new(),
            early: VecDeque::new(),
            early_bytes: 0,
            ready: VecDeque::new(),
        };
        let (incoming, outgoing) = (Incoming::new(limits.body_bytes_max), Outgoing::default());
        Self { limits, incoming, outgoing, ledger, fault: None }
    }

    /// Submits a job: `SUBMIT_JOB*`, `SUBMIT_JOB_EPOCH` or `SUBMIT_REDUCE_JOB*`.
    ///
    /// [`ClientEvent::Created`] or [`ClientEvent::Refused`] follows, and for a foreground job its reports.
    ///
    /// # Errors
    /// [`SubmitError::Full`] at a limit of the session; [`SubmitError::Invalid`] when the job cannot be sent as it
    /// is. Neither leaves a trace.
    pub fn submit(&mut self, submit: &Submit<'_>, token: T) -> Result<(), SubmitError> {
        validate::check(submit)?;
        let question = match submit.mode {
            SubmitMode::Foreground => Question::Foreground,
            SubmitMode::Background | SubmitMode::Epoch(_) => Question::Background,
        };
        self.ask(&Request::Submit(*submit), question, token)
    }

    /// Asks how a job is: `GET_STATUS`. [`ClientEvent::Status`] follows.
    ///
    /// # Errors
    /// As [`ClientSession::submit`].
    pub fn status(&mut self, handle: Handle<'_>, token: T) -> Result<(), SubmitError> {
        validate::check_handle(handle)?;
        self.ask(&Request::GetStatus { handle }, Question::Status(hash(handle.as_bytes())), token)
    }

    /// Asks how the job with this unique is: `GET_STATUS_UNIQUE`. [`ClientEvent::Status`] follows.
    ///
    /// # Errors
    /// As [`ClientSession::submit`].
    pub fn status_of_unique(&mut self, unique: Unique<'_>, token: T) -> Result<(), SubmitError> {
        validate::check_unique(unique)?;
        self.ask(
            &Request::GetStatusUnique { unique },
            Question::StatusOfUnique(hash(unique.as_bytes())),
            token,
        )
    }

    /// Has bytes sent back: `ECHO_REQ`. [`ClientEvent::Echo`] follows.
    ///
    /// # Errors
    /// As [`ClientSession::submit`].
    pub fn echo(&mut self, data: &[u8], token: T) -> Result<(), SubmitError> {
        validate::check_len(data.len())?;
        self.ask(&Request::Echo { data }, Question::Echo, token)
    }

    /// Switches an option of the connection on: `OPTION_REQ`. [`ClientEvent::Option`] or
    /// [`ClientEvent::Refused`] follows.
    ///
    /// The one option there is, `exceptions`, makes the server send [`Report::Exception`] where it would send
    /// [`Report::Fail`].
    ///
    /// # Errors
    /// As [`ClientSession::submit`].
    pub fn option(&mut self, name: &[u8], token: T) -> Result<(), SubmitError> {
        validate::check_len(name.len())?;
        self.ask(&Request::Option { name }, Question::Option, token)
    }

    fn ask(&mut self, request: &Request<'_>, question: Question, token: T) -> Result<(), SubmitError> {
        let waiting = self.pending().len();
        if self.in_flight() >= self.limits.in_flight_max || waiting > self.limits.outgoing_bytes_max {
            return Err(SubmitError::Full);
        }
        // Names and header are small, and a large workload that does not fit is not copied to find that out.
        if waiting > 0 && waiting + data_len(request) > self.limits.outgoing_bytes_max {
            return Err(SubmitError::Full);
        }
        self.outgoing.put(request);
        let ends_at = self.outgoing.ends_at();
        self.ledger.submits += usize::from(question == Question::Foreground);
        self.ledger.unanswered.push_back(Unanswered { token, question, ends_at });
        Ok(())
    }

    /// The bytes to write to the server next.
    #[must_use]
    pub fn pending(&self) -> &[u8] {
        self.outgoing.pending()
    }

    /// Takes the first `count` pending bytes as written.
    pub fn written(&mut self, count: usize) {
        self.outgoing.written(count);
    }

    /// Whether a small request would be taken.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.in_flight() < self.limits.in_flight_max && self.pending().len() < self.limits.outgoing_bytes_max
    }

    /// Requests and foreground jobs that have not ended.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.ledger.unanswered.len() + self.ledger.jobs.len()
    }

    /// Where bytes of the server can be read to without a copy: behind those that are there, into its spare capacity,
    /// which is as much as should be read at once.
    pub fn read_buffer(&mut self) -> &mut BytesMut {
        self.incoming.space()
    }

    /// Takes bytes from the server, for a caller who has them already.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.incoming.feed(bytes);
    }

    /// The next event; `None` until more bytes come.
    ///
    /// # Errors
    /// When the server sent what makes no sense, now and from then on.
    pub fn poll(&mut self) -> Result<Option<ClientEvent<T>>, ClientSessionError> {
        loop {
            if let Some(event) = self.ledger.ready.pop_front() {
                return Ok(Some(event));
            }
            if let Some(fault) = &self.fault {
                return Err(fault.clone());
            }
            let Some((consumed, response)) = self.incoming.peek() else { return Ok(None) };
            let meaning =
                response.map_err(ClientSessionError::from).and_then(|response| self.ledger.read(&response));
            match meaning {
                Ok(Meaning::Nothing) => {
                    self.incoming.skip(consumed);
                }
                Ok(Meaning::Event(event)) => {
                    self.incoming.skip(consumed);
                    return Ok(Some(event));
                }
                Ok(Meaning::Echo(token, len)) => {
                    let data = self.incoming.take(consumed, len);
                    return Ok(Some(ClientEvent::Echo { token, data }));
                }
                Ok(Meaning::Data(token, kind, len)) => {
                    let report = kind.with(self.incoming.take(consumed, len));
                    return Ok(Some(ClientEvent::Work { token, report }));
                }
                Ok(Meaning::Early(handle, kind, len)) => {
                    let report = kind.with(self.incoming.take(consumed, len));
                    self.fault = self.ledger.keep_early(handle, report).err();
                }
                Err(fault) => self.fault = Some(fault),
            }
        }
    }

    /// What the connection took with it: every request and foreground job that has not ended, and how far it
    /// came. The session is empty afterwards.
    pub fn take_lost(&mut self) -> Vec<(T, Sent)> {
        let written = self.outgoing.written_to();
        self.ledger.submits = 0;
        let unanswered = self.ledger.unanswered.drain(..).map(|unanswered| {
            (unanswered.token, if unanswered.ends_at > written { Sent::Not } else { Sent::Unanswered })
        });
        let jobs = self.ledger.jobs.drain().map(|(token, _)| (token, Sent::Accepted));
        unanswered.chain(jobs).collect()
    }
}

impl<T: Copy> Ledger<T> {
    fn read(&mut self, response: &Response<'_>) -> Result<Meaning<T>, ClientSessionError> {
        Ok(match *response {
            Response::JobCreated { handle } => {
                let handle = OwnedHandle::try_from(handle)?;
                let unanswered = self.answer(response, |question| {
                    matches!(question, Question::Foreground | Question::Background)
                })?;
                let token = unanswered.token;
                if unanswered.question == Question::Foreground {
                    self.jobs.insert(handle, token);
                    self.count_answer();
                    self.meet_early(&handle);
                }
                Meaning::Event(ClientEvent::Created { token, handle })
            }
            Response::WorkComplete { handle, result } => self.report(handle, Kind::Complete, result.len())?,
            Response::WorkException { handle, exception } => {
                self.report(handle, Kind::Exception, exception.len())?
            }
            Response::WorkData { handle, data } => self.report(handle, Kind::Data, data.len())?,
            Response::WorkWarning { handle, warning } => self.report(handle, Kind::Warning, warning.len())?,
            Response::WorkFail { handle } => self.report(handle, Kind::Fail, 0)?,
            Response::WorkStatus { handle, numerator, denominator } => {
                self.report(handle, Kind::status(numerator, denominator), 0)?
            }
            Response::StatusRes { handle, status } => {
                let token = self.answer_about(response, Question::Status(hash(handle.as_bytes())))?;
                Meaning::Event(ClientEvent::Status { token, status, clients: None })
            }
            Response::StatusResUnique { unique, status, clients } => {
                let asked = Question::StatusOfUnique(hash(unique.as_bytes()));
                let token = self.answer_about(response, asked)?;
                Meaning::Event(ClientEvent::Status { token, status, clients: Some(clients) })
            }
            Response::Echo { data } => {
                let token = self.answer(response, |question| question == Question::Echo)?.token;
                Meaning::Echo(token, data.len())
            }
            Response::Option { .. } => {
                let token = self.answer(response, |question| question == Question::Option)?.token;
                Meaning::Event(ClientEvent::Option { token })
            }
            Response::Error { code, text } => {
                let refusal = Refusal::new(code, text);
                let Some(unanswered) = self.unanswered.pop_front() else {
                    return Err(ClientSessionError::Refused(refusal));
                };
                if unanswered.question == Question::Foreground {
                    self.count_answer();
                    self.forget_early();
                }
                Meaning::Event(ClientEvent::Refused { token: unanswered.token, refusal })
            }
            Response::Noop
            | Response::NoJob
            | Response::JobAssign { .. }
            | Response::JobAssignUniq { .. }
            | Response::JobAssignAll { .. } => {
                return Err(ClientSessionError::Unasked { kind: response.kind() });
            }
        })
    }

    /// The request that this packet answers: the first without an answer, if it is of the right kind.
    fn answer(
        &mut self,
        response: &Response<'_>,
        fits: impl Fn(Question) -> bool,
    ) -> Result<Unanswered<T>, ClientSessionError> {
        self.unanswered
            .pop_front_if(|unanswered| fits(unanswered.question))
            .ok_or(ClientSessionError::Unasked { kind: response.kind() })
    }

    /// Who asked, if this is what was asked first: a server that left a question out would answer all others wrongly.
    fn answer_about(&mut self, response: &Response<'_>, asked: Question) -> Result<T, ClientSessionError> {
        let first = self.unanswered.front().map(|unanswered| unanswered.question);
        let is_alike = |first| discriminant(&first) == discriminant(&asked);
        if first.is_some_and(|first| is_alike(first) && first != asked) {
            return Err(ClientSessionError::OtherJob { kind: response.kind() });
        }
        Ok(self.answer(response, |question| question == asked)?.token)
    }

    fn report(
        &mut self,
        handle: Handle<'_>,
        kind: Kind,
        len: usize,
    ) -> Result<Meaning<T>, ClientSessionError> {
        Ok(match self.jobs.take(handle.as_bytes(), kind.effect()) {
            Some(token) => Meaning::Data(token, kind, len),
            None if self.submits > 0 => Meaning::Early(OwnedHandle::try_from(handle)?, kind, len),
            // A job that was cancelled while it ran: some servers send its result after its failure.
            None => Meaning::Nothing,
        })
    }

    /// No server that is known sends a report so early; with many, one of them may be the end of a job, and none can
    /// be dropped.
    fn keep_early(&mut self, handle: OwnedHandle, report: Report) -> Result<(), ClientSessionError> {
        self.early_bytes += report.len();
        let unanswered = u64::try_from(self.submits).unwrap_or(u64::MAX);
        self.early.push_back(Early { handle, report, last_submit: self.answered.saturating_add(unanswered) });
        if self.early.len() > EARLY_REPORTS_MAX || self.early_bytes > EARLY_BYTES_MAX {
            return Err(ClientSessionError::TooEarly);
        }
        Ok(())
    }

    fn count_answer(&mut self) {
        self.submits -= 1;
        self.answered += 1;
    }

    /// With no job to come that they could be of, early reports are nobody's.
    fn forget_early(&mut self) {
        while let Some(early) = self.early.pop_front_if(|early| early.last_submit <= self.answered) {
            self.early_bytes -= early.report.len();
        }
    }

    /// Hands out the early reports of a job that is known now.
    fn meet_early(&mut self, created: &OwnedHandle) {
        if self.early.is_empty() {
            return;
        }
        for early in std::mem::take(&mut self.early) {
            let is_met = early.handle == *created;
            let taken = is_met.then(|| self.jobs.take(created.as_bytes(), early.report.effect()));
            match taken.flatten() {
                Some(token) => {
                    self.early_bytes -= early.report.len();
                    self.ready.push_back(ClientEvent::Work { token, report: early.report });
                }
                None => self.early.push_back(early),
            }
        }
        self.forget_early();
    }
}

/// Bytes that a request carries beside its names.
#[expect(clippy::wildcard_enum_match_arm, reason = "what a client does not send carries nothing")]
fn data_len(request: &Request<'_>) -> usize {
    match request {
        Request::Submit(submit) => submit.workload.len(),
        Request::Echo { data } => data.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
