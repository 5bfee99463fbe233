//! A plain client: requests in a queue, jobs in a list, and each packet as the protocol says.

use geartrain_client::limits::{EARLY_BYTES_MAX, EARLY_REPORTS_MAX};
use geartrain_client::session::client::{ClientEvent, OwnedHandle, Refusal, Report, Sent};
use geartrain_proto::{Handle, Response, Step, decode_response, lenient_number};
use std::collections::VecDeque;

const BODY_BYTES_MAX: u32 = 1 << 16;

/// What was asked; a status with the name that it was asked by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    Foreground,
    Background,
    Status(Vec<u8>),
    StatusOfUnique(Vec<u8>),
    Echo,
    Option,
}

#[derive(Default)]
pub(crate) struct Model {
    /// Token, request, and where it ends in the stream.
    pub(crate) unanswered: VecDeque<(u32, Asked, usize)>,
    /// Bytes of the stream that were written.
    pub(crate) written: usize,
    /// Nothing is believed any more.
    pub(crate) is_over: bool,
    jobs: Vec<Job>,
    /// Handle, report, and the token of the last request that it may be of.
    early: Vec<(Vec<u8>, Report, u32)>,
    unread: Vec<u8>,
}

/// A job and those who wait for it, who get each report in turn.
struct Job {
    handle: Vec<u8>,
    tokens: Vec<u32>,
    next: usize,
}

/// The server broke the protocol.
struct Nonsense;

type Said = Vec<ClientEvent<u32>>;

impl Model {
    pub(crate) fn in_flight(&self) -> usize {
        self.unanswered.len() + self.jobs.iter().map(|job| job.tokens.len()).sum::<usize>()
    }

    /// Who has heard no end, in the order in which they asked.
    pub(crate) fn lost(&self) -> Vec<(u32, Sent)> {
        let unanswered = self.unanswered.iter().map(|(token, _, ends_at)| {
            (*token, if *ends_at > self.written { Sent::Not } else { Sent::Unanswered })
        });
        let running = self.jobs.iter().flat_map(|job| &job.tokens).map(|token| (*token, Sent::Accepted));
        let mut lost: Vec<_> = unanswered.chain(running).collect();
        lost.sort_by_key(|(token, _)| *token);
        lost
    }

    /// What is to be said of these bytes, and of those before that were no whole packet.
    pub(crate) fn hear(&mut self, bytes: &[u8]) -> Said {
        let mut said = Vec::new();
        self.unread.extend_from_slice(bytes);
        let unread = std::mem::take(&mut self.unread);
        let mut rest = &unread[..];
        while !self.is_over {
            let Step::Complete { consumed, message } = decode_response(rest, BODY_BYTES_MAX) else { break };
            let read = message.map_err(|_| Nonsense).and_then(|response| self.read(&response, &mut said));
            self.is_over = read.is_err();
            rest = &rest[consumed..];
        }
        self.unread = rest.to_vec();
        said
    }

    fn read(&mut self, response: &Response<'_>, said: &mut Said) -> Result<(), Nonsense> {
        match *response {
            Response::JobCreated { handle } => self.created(handle, said)?,
            Response::StatusRes { handle, status } => {
                let token = self.answered(&Asked::Status(handle.as_bytes().to_vec()))?;
                said.push(ClientEvent::Status { token, status, clients: None });
            }
            Response::StatusResUnique { unique, status, clients } => {
                let token = self.answered(&Asked::StatusOfUnique(unique.as_bytes().to_vec()))?;
                said.push(ClientEvent::Status { token, status, clients: Some(clients) });
            }
            Response::Echo { data } => {
                let token = self.answered(&Asked::Echo)?;
                said.push(ClientEvent::Echo { token, data: data.to_vec().into() });
            }
            Response::Option { .. } => {
                let token = self.answered(&Asked::Option)?;
                said.push(ClientEvent::Option { token });
            }
            Response::Error { code, text } => {
                let (token, _, _) = self.unanswered.pop_front().ok_or(Nonsense)?;
                let shown = |bytes| String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned();
                let refusal = Refusal { code: shown(code), text: shown(text) };
                said.push(ClientEvent::Refused { token, refusal });
                self.forget();
            }
            Response::WorkData { handle, data } => {
                self.report(handle, Report::Data(data.to_vec().into()), said)?;
            }
            Response::WorkWarning { handle, warning } => {
                self.report(handle, Report::Warning(warning.to_vec().into()), said)?;
            }
            Response::WorkComplete { handle, result } => {
                self.report(handle, Report::Complete(result.to_vec().into()), said)?;
            }
            Response::WorkException { handle, exception } => {
                self.report(handle, Report::Exception(exception.to_vec().into()), said)?;
            }
            Response::WorkFail { handle } => self.report(handle, Report::Fail, said)?,
            Response::WorkStatus { handle, numerator, denominator } => {
                let (numerator, denominator) = (number(numerator), number(denominator));
                self.report(handle, Report::Status { numerator, denominator }, said)?;
            }
            _ => return Err(Nonsense),
        }
        Ok(())
    }

    /// The first request, if that is what was asked.
    fn answered(&mut self, asked: &Asked) -> Result<u32, Nonsense> {
        let first = self.unanswered.pop_front_if(|(_, first, _)| first == asked);
        first.map(|(token, _, _)| token).ok_or(Nonsense)
    }

    fn created(&mut self, handle: Handle<'_>, said: &mut Said) -> Result<(), Nonsense> {
        let known = OwnedHandle::try_from(handle).map_err(|_| Nonsense)?;
        if let Ok(token) = self.answered(&Asked::Background) {
            said.push(ClientEvent::Created { token, handle: known });
            return Ok(());
        }
        let token = self.answered(&Asked::Foreground)?;
        said.push(ClientEvent::Created { token, handle: known });
        let handle = handle.as_bytes().to_vec();
        match self.jobs.iter_mut().find(|job| job.handle == handle) {
            Some(job) => job.tokens.push(token),
            None => self.jobs.push(Job { handle: handle.clone(), tokens: vec![token], next: 0 }),
        }
        for (whose, report, last) in std::mem::take(&mut self.early) {
            if whose != handle || !self.tell(&handle, &report, said) {
                self.early.push((whose, report, last));
            }
        }
        self.forget();
        Ok(())
    }

    fn report(&mut self, handle: Handle<'_>, report: Report, said: &mut Said) -> Result<(), Nonsense> {
        if self.tell(handle.as_bytes(), &report, said) {
            return Ok(());
        }
        if let Some(last) = self.last_submit() {
            OwnedHandle::try_from(handle).map_err(|_| Nonsense)?;
            self.early.push((handle.as_bytes().to_vec(), report, last));
            let bytes: usize = self.early.iter().map(|(_, report, _)| len(report)).sum();
            if self.early.len() > EARLY_REPORTS_MAX || bytes > EARLY_BYTES_MAX {
                return Err(Nonsense);
            }
        }
        Ok(())
    }

    /// Tells whose turn it is, if anybody waits for this job.
    fn tell(&mut self, handle: &[u8], report: &Report, said: &mut Said) -> bool {
        let Some(at) = self.jobs.iter().position(|job| job.handle == handle) else { return false };
        let job = &mut self.jobs[at];
        let token = job.tokens[job.next];
        said.push(ClientEvent::Work { token, report: report.clone() });
        if report.is_last() {
            job.tokens.remove(job.next);
        } else {
            job.next += 1;
        }
        if job.next >= job.tokens.len() {
            job.next = 0;
        }
        if job.tokens.is_empty() {
            self.jobs.remove(at);
        }
        true
    }

    /// The last job in foreground that was not accepted yet.
    fn last_submit(&self) -> Option<u32> {
        let submits = self.unanswered.iter().filter(|(_, asked, _)| *asked == Asked::Foreground);
        submits.map(|(token, _, _)| *token).max()
    }

    /// Early reports of jobs that were all accepted or refused are nobody's.
    fn forget(&mut self) {
        let submits = self.unanswered.iter().filter(|(_, asked, _)| *asked == Asked::Foreground);
        let first = submits.map(|(token, _, _)| *token).min().unwrap_or(u32::MAX);
        self.early.retain(|(_, _, last)| *last >= first);
    }
}

fn len(report: &Report) -> usize {
    match report {
        Report::Data(data) | Report::Warning(data) | Report::Complete(data) | Report::Exception(data) => {
            data.len()
        }
        _ => 0,
    }
}

fn number(text: &[u8]) -> u32 {
    let number = lenient_number(text).unwrap_or(i64::MAX);
    u32::try_from(number.max(0)).unwrap_or(u32::MAX)
}
