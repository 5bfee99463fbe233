//! Keeping the account: what each effect changes, and whether it was allowed.

use super::shelves::Changes;
use super::{
    Cause, Content, Job, Letter, Life, NOT_YET, Oracle, Peer, Sleep, State, handle_of, handle_text,
    is_end_by_worker,
};
use crate::output::{Change, Effect, Note};
use geartrain_core::{ConnId, Ended, LetterHead, Outcome, Record};
use geartrain_proto::command::Command;
use geartrain_proto::{AdminCommand, Request, Response, Step, SubmitMode, decode_response};
use std::collections::BTreeSet;

impl Oracle {
    pub(crate) fn connected(&mut self, conn: ConnId, exceptions: bool) {
        let identity = b"127.0.0.1".to_vec();
        let twin = self.conns.insert(conn, Peer { exceptions, identity, ..Peer::default() });
        assert!(twin.is_none(), "two open connections have one id");
    }

    /// The server is gone; what it held in memory is too.
    pub(crate) fn crashed(&mut self) {
        self.conns.clear();
        self.jobs.clear();
        self.functions.clear();
        self.letters.clear();
        self.away = super::away::Away::default();
        self.counts.crashes += 1;
        self.steering_crashed();
    }

    /// A letter came back at a start.
    pub(crate) fn loaded_letter(&mut self, head: &LetterHead<'_>) {
        self.counts.letters_loaded += 1;
        self.found_letter(head);
        let handle = handle_of(head.shelving.number);
        let name = handle_text(&handle);
        let life = self
            .ever
            .get_mut(&handle)
            .unwrap_or_else(|| panic!("I7: letter {name} was stored but never accepted"));
        // It may have been on its way back to another function.
        assert!(head.function == life.content.function || life.was_given_back, "function of letter {name}");
        life.content.function = head.function.to_vec();
        life.ended = Some(match head.shelving.how {
            Outcome::Completed => Ended::Completed,
            how => Ended::Dead(how),
        });
        life.removed = false;
        let ended = head.shelving.ended.millis();
        let letter = Letter { shelf: head.shelving.shelf, function: head.function.to_vec(), ended };
        assert!(self.letters.insert(handle, letter).is_none(), "I7: letter {name} came back twice");
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
        self.found_job(record);
        let life = self
            .ever
            .get_mut(handle)
            .unwrap_or_else(|| panic!("I7: job {name} was stored but never accepted"));
        // What the store may say of its function, priority and time is judged by `kept.rs`.
        let was_moved = life.was_given_back;
        let expected = if was_moved {
            Content { function: content.function.clone(), priority: content.priority, ..life.content.clone() }
        } else {
            life.content.clone()
        };
        assert_eq!(expected, content, "I7: job {name} came back changed");
        life.content = content.clone();
        let ordered = !was_moved && record.not_before == 0;
        // Its end was not durable when the server died: it is run once more.
        life.ended = None;
        life.removed = false;
        self.functions.insert(content.function.clone());
        assert!(!self.letters.contains_key(handle), "I7: job {name} waits and is a letter");
        assert_eq!(self.twin(&content), None, "I5: job {name} came back beside its twin");
        self.last_place += 1;
        let until = record.not_before.abs() * 1000;
        let (state, since) = if record.attempts == 0 {
            let state =
                if is_due { State::Waiting } else { State::Delayed { earliest: until, latest: until } };
            let since = record.submitted.millis().max(until);
            (state, (since, since))
        } else {
            self.left_of_pause(&content.function, record.attempts, until)
        };
        let job = Job {
            content,
            state,
            place: self.last_place,
            ordered,
            attempts: record.attempts,
            lost: record.lost,
            since,
            must_end: None,
            may_be_abandoned: false,
            deadline: None,
        };
        assert!(self.jobs.insert(handle.to_vec(), job).is_none(), "I7: job {name} came back twice");
    }

    /// How a job waits that a store had after so many attempts, and since when. Only a pause can be left of its wait,
    /// and it is no longer than it was at first. When its last attempt ended is not stored: its wait counts anew.
    pub(super) fn left_of_pause(
        &mut self,
        function: &[u8],
        attempts: u32,
        until: i64,
    ) -> (State, (i64, i64)) {
        let (now, moment) = (self.now.unix.millis(), self.moment_ms());
        let longest = self.policy(function).pause(attempts).map_or(0, |(_, it)| it);
        let left = (until - now).clamp(0, longest);
        if left == 0 {
            return (State::Waiting, (now, now));
        }
        (State::Paused { earliest: moment + left, latest: moment + left + 2 }, NOT_YET)
    }

    /// All jobs are back: those that were acknowledged and had not ended are among them, the ordered ones
    /// in the order in which they were submitted.
    pub(crate) fn all_loaded(&mut self) {
        let found: BTreeSet<u64> =
            self.jobs.keys().chain(self.letters.keys()).map(|it| number_of(it)).collect();
        self.check_not_found(&found);
        for (handle, life) in &self.ever {
            if life.acknowledged && !life.is_over() {
                let name = handle_text(handle);
                assert!(
                    self.jobs.contains_key(handle) || self.letters.contains_key(handle),
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
    pub(super) fn enter(&mut self, cause: Cause<'_>, changes: &Changes, effect: &Effect) {
        match effect {
            Effect::Note(Note::Accepted { handle, not_before }) => {
                self.accepted(cause, changes, handle, *not_before);
            }
            Effect::Note(Note::Coalesced { handle }) => self.coalesced(cause, handle),
            Effect::Note(Note::Awaited { handle }) => {
                self.counts.held += 1;
                let conn = self.started(cause, handle);
                self.set_state(handle, State::Held(conn));
            }
            Effect::Note(Note::Assigned { handle }) => self.assigned(cause, handle),
            Effect::Note(Note::GivenBack { handle, reason, attempts }) => {
                self.given_back(cause, handle, *reason, *attempts);
            }
            Effect::Note(Note::Ended { handle, how }) => self.ended(cause, changes, handle, *how),
            Effect::Send { conn, packet } => self.sent(*conn, packet),
            Effect::Note(Note::LetterRemoved { .. }) => {}
            Effect::Note(Note::PolicyChanged { function }) => self.policy_changed(function),
            Effect::Note(Note::Suspended { worker }) => {
                self.counts.suspended += 1;
                assert!(self.suspended.insert(worker.clone()), "a worker is suspended twice");
            }
            Effect::Note(Note::Unsuspended { worker }) => {
                assert!(self.suspended.remove(worker), "a worker that is not suspended is let go");
            }
            Effect::Persist { ticket, change } => {
                self.kept.enter(*ticket, change);
                match change {
                    Change::Shelve(it) => self.shelved(cause, changes, it),
                    Change::Unshelve { number, shelf } => self.unshelved(cause, changes, *number, *shelf),
                    Change::Document { kind, name, body } => {
                        self.document(*ticket, *kind, name, body.as_deref())
                    }
                    _ => {}
                }
            }
            Effect::Placed { ticket, text, .. } => self.answered(cause, *ticket, text),
            Effect::Replaced { ticket, packet } => self.replaced(cause, changes, *ticket, packet),
            Effect::Read { ticket, numbers } => self.wanted(*ticket, numbers),
            Effect::Hold { .. } | Effect::Place { .. } | Effect::Text { .. } | Effect::Close { .. } => {}
        }
    }

    fn coalesced(&mut self, cause: Cause<'_>, handle: &[u8]) {
        self.counts.coalesced += 1;
        let name = handle_text(handle);
        if let Some(life) = self.ever.get_mut(handle) {
            life.is_plain = false;
        }
        let Cause::Request(_, Request::Submit(submit)) = cause else {
            return assert!(is_schedule(cause), "only a submit coalesces, not {cause:?}");
        };
        let twin = self.twin(&content_of(submit)).cloned();
        assert_eq!(twin.as_deref(), Some(handle), "I5: a submit joins the job with its unique");
        let job = self.jobs.get(handle).unwrap_or_else(|| panic!("I5: {name} is joined and not there"));
        let (function, before) = (job.content.function.clone(), job.content.priority);
        self.came_to(&function);
        let changes = match self.policy(&function).on_duplicate.as_str() {
            "last" => submit.priority != before,
            "highest" => submit.priority < before,
            _ => false,
        };
        let job = self.jobs.get_mut(handle).expect("it was just there");
        if changes && !job.state.is_on_worker() {
            self.last_place += 1;
            job.place = self.last_place;
            job.ordered = job.state == State::Waiting;
            job.content.priority = submit.priority;
            if let Some(life) = self.ever.get_mut(handle) {
                life.content.priority = submit.priority;
                life.was_given_back = true;
            }
        }
    }

    fn accepted(&mut self, cause: Cause<'_>, changes: &Changes, handle: &[u8], not_before: i64) {
        self.counts.accepted += 1;
        let name = handle_text(handle);
        let (content, background) = match cause {
            Cause::Request(_, Request::Submit(submit)) => {
                (content_of(submit), submit.mode != SubmitMode::Foreground)
            }
            cause if is_schedule(cause) => {
                self.counts.scheduled += 1;
                let record = changes.put(number_of(handle)).expect("the job of a schedule is stored");
                assert_eq!(record.function, b"mail", "schedules submit to the function they were added with");
                let content = Content {
                    function: record.function.clone(),
                    unique: record.unique.clone(),
                    priority: record.priority,
                    workload: record.workload.clone(),
                    reducer: None,
                };
                (content, true)
            }
            cause => panic!("only a submit makes a job, not {cause:?}"),
        };
        assert_eq!(self.twin(&content), None, "I5: job {name} is made beside its twin");
        assert!(!self.ever.contains_key(handle), "handle {name} is given a second time");
        let policy = self.policy(&content.function);
        assert!(!policy.draining, "job {name} is accepted though its function is being drained");
        let waits = |job: &&Job| {
            job.content.function == content.function
                && job.content.priority == content.priority
                && !job.state.is_on_worker()
        };
        let waiting = self.jobs.values().filter(waits).count();
        let max = policy.max_waiting(content.priority);
        assert!(
            max.is_none_or(|max| waiting < max),
            "job {name} is accepted though {waiting} wait, of {max:?}"
        );
        self.functions.insert(content.function.clone());
        self.ever.insert(handle.to_vec(), Life { is_plain: background, ..Life::new(content.clone()) });
        self.last_place += 1;
        let (now, until) = (self.now.unix.millis(), not_before * 1000);
        let state =
            if not_before > 0 { State::Delayed { earliest: until, latest: until } } else { State::Waiting };
        let job = Job {
            content,
            state,
            place: self.last_place,
            ordered: not_before == 0,
            attempts: 0,
            lost: 0,
            since: (now.max(until), now.max(until)),
            must_end: None,
            may_be_abandoned: false,
            deadline: None,
        };
        self.jobs.insert(handle.to_vec(), job);
    }

    /// A worker got a job: the one it asked for just now, or one that it waited for.
    fn assigned(&mut self, cause: Cause<'_>, handle: &[u8]) {
        self.counts.assigned += 1;
        let awaited = self.jobs.get(handle).map(|job| job.state);
        let conn = match (cause, awaited) {
            (Cause::Read { .. }, Some(State::Held(conn))) => conn,
            _ => self.started(cause, handle),
        };
        self.set_state(handle, State::Running(conn));
        self.limit_time(conn, handle);
    }

    fn set_state(&mut self, handle: &[u8], state: State) {
        if let Some(job) = self.jobs.get_mut(handle) {
            job.state = state;
        }
    }

    /// A worker asked for a job, and this is the one it gets, now or when it was read.
    fn started(&mut self, cause: Cause<'_>, handle: &[u8]) -> ConnId {
        let Cause::Request(conn, Request::Grab(_)) = cause else {
            panic!("only a grab assigns, not {cause:?}");
        };
        let name = handle_text(handle);
        let job = self.jobs.get(handle).unwrap_or_else(|| panic!("I4: job {name} is assigned but not there"));
        assert!(!job.state.is_on_worker(), "I4: job {name} runs twice");
        if let State::Delayed { earliest, .. } = job.state {
            let fired = self.fired.unix.millis();
            assert!(earliest <= fired, "job {name} is started before its time, {earliest} at {fired}");
        }
        if let State::Paused { earliest, .. } = job.state {
            assert_eq!(earliest, i64::MIN, "job {name} is started before its pause is over");
        }
        let peer = self.conns.get(&conn).expect("requests come from open connections");
        let able = peer.abilities.contains(&job.content.function);
        assert!(able, "job {name} is assigned to a worker that is not able to do it");
        assert!(!self.suspended.contains(&peer.identity), "job {name} is assigned to a bad worker");
        for (other, waiting) in &self.jobs {
            let (a, b) = (&waiting.content, &job.content);
            if a.function != b.function || waiting.state != State::Waiting || other == handle {
                continue;
            }
            let first = (a.priority, waiting.place) < (b.priority, job.place);
            // Where the place of one is not said, priorities still are.
            let said = (waiting.ordered && job.ordered) || a.priority != b.priority;
            assert!(!(first && said), "I9: job {name} is assigned before {}", handle_text(other));
        }
        let function = job.content.function.clone();
        self.check_start(&function, &name);
        self.check_reads_open(&function, &name);
        conn
    }

    fn given_back(&mut self, cause: Cause<'_>, handle: &[u8], reason: Outcome, attempts: u32) {
        self.counts.given_back += 1;
        let name = handle_text(handle);
        self.last_place += 1;
        let place = self.last_place;
        let waiters = self.waiting_clients(cause, handle);
        let job =
            self.jobs.get(handle).unwrap_or_else(|| panic!("I8: job {name} is given back but not there"));
        let State::Running(worker) = job.state else {
            panic!("I8: job {name} is given back but does not run")
        };
        let (function, deadline) = (job.content.function.clone(), job.deadline);
        let policy = self.policy(&function);
        let by = match (cause, reason) {
            (Cause::Closed(conn), Outcome::Disconnected)
            | (Cause::Request(conn, Request::CantDo { .. } | Request::ResetAbilities), Outcome::Unable)
            | (Cause::Request(conn, Request::WorkFail { .. }), Outcome::Failed)
            | (Cause::Request(conn, Request::WorkException { .. }), Outcome::Exception) => Some(conn),
            (Cause::Timeout { .. }, Outcome::TimedOut) => None,
            other => panic!("I8: job {name} is given back for {other:?}"),
        };
        assert!(by.is_none_or(|conn| conn == worker), "I8: job {name} is given back by another worker");
        if reason == Outcome::TimedOut {
            self.counts.timed_out += 1;
            let is_over = deadline.is_some_and(|deadline| deadline <= self.now.moment);
            assert!(is_over, "job {name} is taken from its worker before its time is over, {deadline:?}");
        }
        let (now, moment) = (self.now.unix.millis(), self.moment_ms());
        let life = self.ever.get_mut(handle).expect("a live job was accepted");
        life.was_given_back = true;
        let acknowledged = life.acknowledged;
        let job = self.jobs.get_mut(handle).expect("it was just there");
        job.attempts += 1;
        job.lost += u32::from(reason == Outcome::Disconnected);
        assert_eq!(job.attempts, attempts, "attempts of job {name}");
        let is_lost =
            reason == Outcome::Disconnected && policy.lost_workers > 0 && job.lost >= policy.lost_workers;
        let is_spent = policy.attempts > 0 && job.attempts >= policy.attempts;
        job.must_end = if is_lost {
            Some(Ended::Dead(Outcome::LostWorkers))
        } else if is_spent || !policy.retries(reason) {
            Some(Ended::Dead(reason))
        } else {
            None
        };
        assert!(
            matches!(reason, Outcome::Disconnected | Outcome::Unable | Outcome::TimedOut)
                || policy.retries(reason),
            "job {name} is tried again after {reason:?}"
        );
        job.state = State::Waiting;
        job.deadline = None;
        job.place = place;
        job.ordered = true;
        job.since = (now, now);
        if let Some((earliest, latest)) = policy.pause(attempts) {
            self.counts.paused += 1;
            job.ordered = false;
            job.state = State::Paused { earliest: moment + earliest, latest: moment + latest + 2 };
            job.since = NOT_YET;
        }
        // Without clients, and without a record, it is dropped.
        job.may_be_abandoned = waiters == 0 && !acknowledged;
    }

    fn ended(&mut self, cause: Cause<'_>, changes: &Changes, handle: &[u8], how: Ended) {
        let name = handle_text(handle);
        let job = self.jobs.remove(handle).unwrap_or_else(|| panic!("I4: job {name} ends but is not there"));
        self.need_not_list(&name);
        let acknowledged = self.ever.get(handle).is_some_and(|life| life.acknowledged);
        let policy = self.policy(&job.content.function);
        let by_its_worker = |wanted: Ended, reported: &[u8]| {
            matches!(cause, Cause::Request(conn, _) if job.state == State::Running(conn))
                && how == wanted
                && reported == handle
        };
        let allowed = match (how, cause) {
            (Ended::Dead(Outcome::Expired), _) => {
                let since = job.since.0;
                let is_over =
                    policy.expires_ms.is_some_and(|expires| since + expires <= self.now.unix.millis());
                let looks = matches!(cause, Cause::Timeout { .. } | Cause::Request(_, Request::Grab(_)));
                looks && is_over && !job.state.is_on_worker()
            }
            (Ended::Dead(Outcome::Unreadable), cause) => {
                self.counts.unreadable += 1;
                let number = number_of(handle);
                matches!(cause, Cause::Read { failed: false, unreadable, .. } if unreadable == Some(number))
            }
            (Ended::Dead(_), _) => job.must_end == Some(how),
            (_, Cause::Request(_, Request::WorkComplete { handle, .. })) => {
                by_its_worker(Ended::Completed, handle.as_bytes())
            }
            (Ended::Failed, Cause::Request(_, Request::WorkFail { handle })) => {
                by_its_worker(Ended::Failed, handle.as_bytes()) && !policy.retries(Outcome::Failed)
            }
            (Ended::Exception, Cause::Request(_, Request::WorkException { handle, .. })) => {
                by_its_worker(Ended::Exception, handle.as_bytes()) && !policy.retries(Outcome::Exception)
            }
            (Ended::Cancelled, Cause::Admin(AdminCommand::CancelJob(asked))) => asked.as_bytes() == handle,
            (Ended::Cancelled, Cause::Admin(AdminCommand::DropFunction { function, .. })) => {
                function.as_bytes() == job.content.function
            }
            (Ended::Cancelled, Cause::Timeout { .. }) => {
                self.drops.values().any(|(of, jobs)| *of == job.content.function && jobs.contains(handle))
            }
            (Ended::Cancelled, _) => self.commands_under_way(cause).any(|command| match command {
                Command::JobsCancel(it) if it.pick.handles.is_empty() => {
                    it.pick.filter.function.as_ref().is_some_and(|it| it.0 == job.content.function)
                }
                Command::JobsCancel(it) => it.pick.handles.iter().any(|it| it.0 == handle),
                _ => false,
            }),
            (Ended::Abandoned, _) => !acknowledged && self.waiting_clients(cause, handle) == 0,
            (Ended::NotStored, Cause::StoreFailed(_)) => {
                !acknowledged && self.waiting_clients(cause, handle) == 0
            }
            _ => false,
        };
        assert!(allowed, "I7: job {name} ({job:?}, acknowledged: {acknowledged}) ends as {how:?}");
        if is_end_by_worker(how) {
            self.counts.done += 1;
        }
        self.counts.spent += u64::from(matches!(how, Ended::Dead(_)));
        self.counts.expired += u64::from(how == Ended::Dead(Outcome::Expired));
        self.counts.cancelled += u64::from(how == Ended::Cancelled);
        self.check_shelved(changes, handle, how, &job.content.function);
        self.tell_campaign(handle, how);
        self.scheduled_job_ended(handle, how);
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

/// Whether this may be the run of a schedule.
fn is_schedule(cause: Cause<'_>) -> bool {
    let is_asked = matches!(cause, Cause::Typed(_, Command::ScheduleRun(_)));
    is_asked || matches!(cause, Cause::Timeout { .. })
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
