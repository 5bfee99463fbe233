//! Keeping the account: what each effect changes, and whether it was allowed.

use super::{Cause, Content, Job, Life, Oracle, Peer, Sleep, State, handle_text, is_end_by_worker};
use crate::output::{Effect, Note};
use geartrain_core::{ConnId, Ended, Outcome, Record};
use geartrain_proto::{AdminCommand, Request, Response, Step, decode_response};

impl Oracle {
    pub(crate) fn connected(&mut self, conn: ConnId, exceptions: bool) {
        let twin = self.conns.insert(conn, Peer { exceptions, ..Peer::default() });
        assert!(twin.is_none(), "two open connections have one id");
    }

    /// The server is gone; what it held in memory is too.
    pub(crate) fn crashed(&mut self) {
        self.conns.clear();
        self.jobs.clear();
        self.functions.clear();
        self.counts.crashes += 1;
    }

    /// A job came back at a start, in the order of the places.
    pub(crate) fn loaded(&mut self, handle: &[u8], record: &Record<'_>, is_due: bool) {
        self.counts.loaded += 1;
        let name = handle_text(handle);
        let content = Content {
            function: record.function.to_vec(),
            unique: record.unique.to_vec(),
            priority: record.priority,
            workload: record.workload.to_vec(),
            reducer: record.reducer.map(<[u8]>::to_vec),
        };
        let life =
            self.ever.get(handle).unwrap_or_else(|| panic!("I7: job {name} was stored but never accepted"));
        assert_eq!(life.content, content, "I7: job {name} came back changed");
        // A job that became a background job when its time had come is stored without it.
        let was_due = record.not_before == 0 && life.not_before <= self.latest_second;
        assert!(
            life.not_before == record.not_before || was_due,
            "I7: job {name} came back with another time"
        );
        let ordered = !life.was_given_back && record.not_before == 0;
        self.functions.insert(content.function.clone());
        // Its end was not durable when the server died: it is run once more.
        if let Some(life) = self.ever.get_mut(handle) {
            life.ended = None;
        }
        assert_eq!(self.twin(&content), None, "I5: job {name} came back beside its twin");
        self.last_place += 1;
        let state = if is_due { State::Waiting } else { State::Delayed };
        let job = Job { content, state, place: self.last_place, ordered, attempts: record.attempts };
        assert!(self.jobs.insert(handle.to_vec(), job).is_none(), "I7: job {name} came back twice");
    }

    /// All jobs are back: those that were acknowledged and had not ended are among them, the ordered ones
    /// in the order in which they were submitted.
    pub(crate) fn all_loaded(&self) {
        for (handle, life) in &self.ever {
            if life.acknowledged && life.ended.is_none() {
                let name = handle_text(handle);
                assert!(
                    self.jobs.contains_key(handle),
                    "I6, I7: acknowledged job {name} is not in the store"
                );
            }
        }
        let mut by_place: Vec<(&Vec<u8>, &Job)> = self.jobs.iter().filter(|(_, job)| job.ordered).collect();
        by_place.sort_by_key(|(_, job)| job.place);
        assert!(
            by_place.is_sorted_by_key(|(handle, _)| number_of(handle)),
            "I9: jobs came back in another order"
        );
    }

    /// Enters what one effect changes.
    pub(super) fn enter(&mut self, cause: Cause<'_>, effect: &Effect) {
        match effect {
            Effect::Note(Note::Accepted { handle, not_before }) => self.accepted(cause, handle, *not_before),
            Effect::Note(Note::Coalesced { handle }) => {
                self.counts.coalesced += 1;
                let Cause::Request(_, Request::Submit(submit)) = cause else {
                    panic!("only a submit coalesces, not {cause:?}");
                };
                let twin = self.twin(&content_of(submit));
                assert_eq!(twin, Some(handle), "I5: a submit joins the job with its unique");
            }
            Effect::Note(Note::Assigned { handle }) => self.assigned(cause, handle),
            Effect::Note(Note::GivenBack { handle, reason, attempts }) => {
                self.given_back(cause, handle, *reason, *attempts);
            }
            Effect::Note(Note::Ended { handle, how }) => self.ended(cause, handle, *how),
            Effect::Send { conn, packet } => self.sent(*conn, packet),
            Effect::Note(Note::LetterRemoved { .. } | Note::Suspended { .. } | Note::Unsuspended { .. }) => {}
            Effect::Hold { .. }
            | Effect::Place { .. }
            | Effect::Placed { .. }
            | Effect::Text { .. }
            | Effect::Close { .. } => {}
        }
    }

    fn accepted(&mut self, cause: Cause<'_>, handle: &[u8], not_before: i64) {
        self.counts.accepted += 1;
        let Cause::Request(_, Request::Submit(submit)) = cause else {
            panic!("only a submit makes a job, not {cause:?}");
        };
        let name = handle_text(handle);
        let content = content_of(submit);
        assert_eq!(self.twin(&content), None, "I5: job {name} is made beside its twin");
        assert!(!self.ever.contains_key(handle), "handle {name} is given a second time");
        self.functions.insert(content.function.clone());
        let life = Life {
            content: content.clone(),
            acknowledged: false,
            ended: None,
            was_given_back: false,
            not_before,
        };
        self.ever.insert(handle.to_vec(), life);
        self.last_place += 1;
        let state = if not_before > 0 { State::Delayed } else { State::Waiting };
        let job = Job { content, state, place: self.last_place, ordered: not_before == 0, attempts: 0 };
        self.jobs.insert(handle.to_vec(), job);
    }

    fn assigned(&mut self, cause: Cause<'_>, handle: &[u8]) {
        self.counts.assigned += 1;
        let Cause::Request(conn, Request::Grab(_)) = cause else {
            panic!("only a grab assigns, not {cause:?}");
        };
        let name = handle_text(handle);
        let job = self.jobs.get(handle).unwrap_or_else(|| panic!("I4: job {name} is assigned but not there"));
        assert!(!matches!(job.state, State::Running(_)), "I4: job {name} runs twice");
        let able = self.conns.get(&conn).is_some_and(|peer| peer.abilities.contains(&job.content.function));
        assert!(able, "job {name} is assigned to a worker that is not able to do it");
        for (other, waiting) in &self.jobs {
            let (a, b) = (&waiting.content, &job.content);
            if a.function != b.function || !Self::is_ready(waiting) || other == handle {
                continue;
            }
            let first = (a.priority, waiting.place) < (b.priority, job.place);
            // Where the place of one is not said, priorities still are.
            let said = (waiting.ordered && job.ordered) || a.priority != b.priority;
            assert!(!(first && said), "I9: job {name} is assigned before {}", handle_text(other));
        }
        if let Some(job) = self.jobs.get_mut(handle) {
            job.state = State::Running(conn);
        }
    }

    fn given_back(&mut self, cause: Cause<'_>, handle: &[u8], reason: Outcome, attempts: u32) {
        self.counts.given_back += 1;
        let name = handle_text(handle);
        self.last_place += 1;
        let place = self.last_place;
        let job =
            self.jobs.get_mut(handle).unwrap_or_else(|| panic!("I8: job {name} is given back but not there"));
        let State::Running(worker) = job.state else {
            panic!("I8: job {name} is given back but does not run")
        };
        match (cause, reason) {
            (Cause::Closed(conn), Outcome::Disconnected) => assert_eq!(conn, worker, "I8: of job {name}"),
            (Cause::Request(conn, Request::CantDo { .. } | Request::ResetAbilities), Outcome::Unable) => {
                assert_eq!(conn, worker, "I8: of job {name}")
            }
            (Cause::Timeout, Outcome::TimedOut) => {}
            other => panic!("I8: job {name} is given back for {other:?}"),
        }
        job.attempts += 1;
        assert_eq!(job.attempts, attempts, "attempts of job {name}");
        job.state = State::Waiting;
        job.place = place;
        if let Some(life) = self.ever.get_mut(handle) {
            life.was_given_back = true;
        }
    }

    fn ended(&mut self, cause: Cause<'_>, handle: &[u8], how: Ended) {
        let name = handle_text(handle);
        let job = self.jobs.remove(handle).unwrap_or_else(|| panic!("I4: job {name} ends but is not there"));
        let acknowledged = self.ever.get(handle).is_some_and(|life| life.acknowledged);
        let by_its_worker = |wanted: Ended, reported: &[u8]| {
            matches!(cause, Cause::Request(conn, _) if job.state == State::Running(conn))
                && how == wanted
                && reported == handle
        };
        let allowed = match (how, cause) {
            (_, Cause::Request(_, Request::WorkComplete { handle, .. })) => {
                by_its_worker(Ended::Completed, handle.as_bytes())
            }
            (_, Cause::Request(_, Request::WorkFail { handle })) => {
                by_its_worker(Ended::Failed, handle.as_bytes())
            }
            (_, Cause::Request(_, Request::WorkException { handle, .. })) => {
                by_its_worker(Ended::Exception, handle.as_bytes())
            }
            (Ended::Cancelled, Cause::Admin(AdminCommand::CancelJob(asked))) => asked.as_bytes() == handle,
            (Ended::Cancelled, Cause::Admin(AdminCommand::DropFunction { function, .. })) => {
                function.as_bytes() == job.content.function
            }
            (Ended::Dead(_), _) => self.job_retries > 0 && job.attempts >= self.job_retries,
            (Ended::Abandoned, _) => !acknowledged && self.waiting_clients(cause, handle) == 0,
            (Ended::NotStored, Cause::StoreFailed) => {
                !acknowledged && self.waiting_clients(cause, handle) == 0
            }
            _ => false,
        };
        assert!(allowed, "I7: job {name} ({:?}, acknowledged: {acknowledged}) ends as {how:?}", job.state);
        if is_end_by_worker(how) {
            self.counts.done += 1;
        }
        self.counts.spent += u64::from(matches!(how, Ended::Dead(_)));
        self.counts.cancelled += u64::from(how == Ended::Cancelled);
        self.ever.get_mut(handle).expect("a live job was accepted").ended = Some(how);
    }

    /// How many results of a job are waited for, by others than the connection that just closed.
    fn waiting_clients(&self, cause: Cause<'_>, handle: &[u8]) -> u32 {
        let closed = match cause {
            Cause::Closed(conn) => Some(conn),
            _ => None,
        };
        let open = self.conns.iter().filter(|(conn, _)| Some(**conn) != closed);
        open.filter_map(|(_, peer)| peer.awaits.get(handle)).sum()
    }

    /// A packet to a connection: results are counted against the submits that wait for them.
    fn sent(&mut self, conn: ConnId, packet: &[u8]) {
        let Step::Complete { consumed, message: Ok(response) } = decode_response(packet, u32::MAX) else {
            panic!("I11: core sent what is no packet");
        };
        assert_eq!(consumed, packet.len(), "I11: core sends whole packets");
        let peer = self.conns.get_mut(&conn).expect("core sends to open connections");
        match response {
            Response::Noop => peer.sleep = Sleep::Woken,
            Response::WorkComplete { handle, .. } | Response::WorkFail { handle } => {
                peer.take_result(handle.as_bytes());
            }
            Response::WorkException { handle, .. } => {
                assert!(peer.exceptions, "WORK_EXCEPTION is for those who asked for it");
                peer.take_result(handle.as_bytes());
            }
            Response::WorkStatus { handle, .. }
            | Response::WorkData { handle, .. }
            | Response::WorkWarning { handle, .. } => {
                let waits = peer.awaits.contains_key(handle.as_bytes());
                assert!(waits, "{} is told of a job it does not wait for", handle_text(handle.as_bytes()));
            }
            _ => {}
        }
    }
}

impl Peer {
    fn take_result(&mut self, handle: &[u8]) {
        let name = handle_text(handle);
        let left = self.awaits.get_mut(handle).unwrap_or_else(|| panic!("a result too many for job {name}"));
        *left -= 1;
        if *left == 0 {
            self.awaits.remove(handle);
        }
    }
}

pub(super) fn content_of(submit: &geartrain_proto::Submit<'_>) -> Content {
    Content {
        function: submit.function.as_bytes().to_vec(),
        unique: submit.unique.as_bytes().to_vec(),
        priority: submit.priority,
        workload: submit.workload.to_vec(),
        reducer: submit.reducer.map(|reducer| reducer.name.to_vec()),
    }
}

/// The number behind the last colon of a handle.
pub(crate) fn number_of(handle: &[u8]) -> u64 {
    let digits = handle.rsplit(|byte| *byte == b':').next().unwrap_or_default();
    std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok()).expect("a handle ends in a number")
}
