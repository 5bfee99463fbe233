//! Judging one input: what its sender got for it, and what holds afterwards.

use super::account::content_of;
use super::shelves::Changes;
use super::{Cause, Oracle, Sleep, State, handle_text};
use crate::output::{Effect, Note};
use geartrain_core::{ConnId, Now, Ticket};
use geartrain_proto::command::Command;
use geartrain_proto::{AdminCommand, GrabKind, Handle, Request, Response, Step, SubmitMode, decode_response};
use std::time::Duration;

/// Shortest time limit that a worker may set itself.
const TIME_LIMIT_MIN: Duration = Duration::from_secs(1);

impl Oracle {
    /// Judges what one input caused; returns the handle of a background job that the last packet to the
    /// sender acknowledges.
    pub(crate) fn judge(&mut self, now: Now, cause: Cause<'_>, effects: &[Effect]) -> Option<Vec<u8>> {
        self.now = now;
        self.print(cause, effects);
        let knew_rule = self.knows_rule(cause);
        self.before(cause);
        self.before_away(cause);
        self.before_schedules();
        let owned = self.owned_report(cause);
        let changes = Changes::new(effects);
        if let Cause::Typed(conn, command) = cause {
            self.asked(conn, command, knew_rule, effects);
            let last = effects.iter().filter_map(|effect| match effect {
                Effect::Persist { ticket, .. } => Some(*ticket),
                _ => None,
            });
            self.remember_imports(command, &changes, last.max());
        }
        for effect in effects {
            self.enter(cause, &changes, effect);
        }
        let acknowledged = match cause {
            Cause::Request(conn, request) => self.judge_request(conn, request, owned, effects),
            Cause::Admin(command) => {
                self.judge_admin(command, effects);
                None
            }
            Cause::Closed(conn) => {
                self.judge_closed(conn);
                None
            }
            Cause::Typed(..)
            | Cause::Malformed
            | Cause::Started
            | Cause::Timeout { .. }
            | Cause::StoreFailed(_)
            | Cause::Committed(_)
            | Cause::Read { .. } => None,
        };
        self.judge_schedules(cause, &changes, effects);
        self.check_results(effects);
        self.check_retries(cause, effects);
        self.check_letters(cause, effects);
        self.check_held();
        self.check_wakes();
        acknowledged
    }

    /// What the input itself changes, before its effects.
    fn before(&mut self, cause: Cause<'_>) {
        match cause {
            Cause::Timeout { .. } => self.time_passed(),
            Cause::Committed(upto) => {
                // After a failure it is the first commit that succeeds.
                self.store_failed = false;
                self.kept.committed(upto);
                self.steering_committed(upto);
            }
            Cause::StoreFailed(upto) => {
                self.store_failed = true;
                self.kept.failed(upto);
            }
            Cause::Typed(_, command) => self.before_command(command),
            _ => {}
        }
        let Cause::Request(conn, request) = cause else { return };
        let Some(peer) = self.conns.get_mut(&conn) else { return };
        match request {
            Request::CanDo { function } | Request::CanDoTimeout { function, .. } => {
                peer.limits.remove(function.as_bytes());
                if let Request::CanDoTimeout { timeout_ms, .. } = request
                    && *timeout_ms > 0
                {
                    let limit = Duration::from_millis(*timeout_ms).max(TIME_LIMIT_MIN);
                    peer.limits.insert(function.as_bytes().to_vec(), limit);
                }
                peer.abilities.insert(function.as_bytes().to_vec());
                self.functions.insert(function.as_bytes().to_vec());
            }
            Request::CantDo { function } => {
                peer.abilities.remove(function.as_bytes());
                peer.limits.remove(function.as_bytes());
            }
            Request::ResetAbilities => {
                peer.abilities.clear();
                peer.limits.clear();
            }
            Request::PreSleep => peer.sleep = Sleep::Sleeping,
            Request::Grab(_) => peer.sleep = Sleep::Awake,
            Request::SetClientId { id } => peer.identity = id.as_bytes().to_vec(),
            Request::Option { name } if name.eq_ignore_ascii_case(b"exceptions") => peer.exceptions = true,
            Request::Submit(submit) => {
                self.functions.insert(submit.function.as_bytes().to_vec());
            }
            Request::WorkStatus { handle, .. } | Request::WorkData { handle, .. } => {
                self.extend_time(conn, handle.as_bytes());
            }
            _ => {}
        }
    }

    /// How long a worker may take for a job of this function, if there is a limit: its own comes first.
    fn time_limit(&mut self, conn: ConnId, function: &[u8]) -> Option<Duration> {
        let own = self.conns.get(&conn).and_then(|peer| peer.limits.get(function)).copied();
        own.or(self.policy(function).timeout)
    }

    /// The time of a worker for a job begins.
    pub(super) fn limit_time(&mut self, conn: ConnId, handle: &[u8]) {
        let Some(function) = self.jobs.get(handle).map(|job| job.content.function.clone()) else { return };
        let limit = self.time_limit(conn, &function);
        let now = self.now.moment;
        if let Some(job) = self.jobs.get_mut(handle) {
            job.deadline = limit.map(|limit| now.after(limit));
        }
    }

    /// A worker tells of its progress: where the policy says so, it has its whole time again.
    fn extend_time(&mut self, conn: ConnId, handle: &[u8]) {
        let Some(job) = self.jobs.get(handle).filter(|job| job.state == State::Running(conn)) else { return };
        let (function, had_limit) = (job.content.function.clone(), job.deadline.is_some());
        if had_limit && self.policy(&function).timeout_extends && self.time_limit(conn, &function).is_some() {
            self.counts.extended += 1;
            self.limit_time(conn, handle);
        }
    }

    fn knows_rule(&self, cause: Cause<'_>) -> bool {
        matches!(cause, Cause::Typed(_, Command::PolicyUnset(unset))
            if self.rules.by_pattern.contains_key(&unset.function.0))
    }

    /// The monotonic clock, in milliseconds.
    pub(super) fn moment_ms(&self) -> i64 {
        i64::try_from(self.now.moment.since_origin().as_millis()).unwrap_or(i64::MAX)
    }

    /// The server looks at its timers: what waited for its time is ready.
    fn time_passed(&mut self) {
        self.fired = self.now;
        let (unix, moment) = (self.now.unix.millis(), self.moment_ms());
        for job in self.jobs.values_mut() {
            let (earliest, latest, now) = match &mut job.state {
                State::Delayed { earliest, latest } => (earliest, latest, unix),
                State::Paused { earliest, latest } => {
                    if *earliest <= moment {
                        // Its wait in the line begins now, or began at a call before.
                        job.since = (job.since.0.min(unix), job.since.1.max(unix));
                    }
                    (earliest, latest, moment)
                }
                State::Waiting | State::Held(_) | State::Running(_) => continue,
            };
            if *latest <= now {
                job.state = State::Waiting;
            } else if *earliest <= now {
                // From now on it may be ready, also when the calendar jumps back.
                *earliest = i64::MIN;
            }
        }
    }

    /// After each step: no job lives that had to end, none waits longer than it may, none is in two places.
    fn check_retries(&mut self, cause: Cause<'_>, effects: &[Effect]) {
        let unix = self.now.unix.millis();
        let is_timeout = matches!(cause, Cause::Timeout { .. });
        // A job may not yet have the expiry that a policy gave it.
        let is_done = matches!(cause, Cause::Timeout { is_done: true });
        let jobs: Vec<(Vec<u8>, super::Job)> = if is_timeout || !effects.is_empty() {
            self.jobs.iter().map(|(handle, job)| (handle.clone(), job.clone())).collect()
        } else {
            Vec::new()
        };
        for (handle, job) in jobs {
            let name = handle_text(&handle);
            assert_eq!(job.must_end, None, "job {name} had its last attempt and lives");
            let is_late = is_timeout && job.deadline.is_some_and(|deadline| deadline <= self.now.moment);
            assert!(!is_late, "job {name} is on its worker for longer than it may, since {:?}", job.deadline);
            if is_done && job.state == State::Waiting {
                let expires = self.policy(&job.content.function).expires_ms;
                let limit = expires.map(|expires| job.since.1 + expires);
                assert!(
                    limit.is_none_or(|limit| unix < limit),
                    "job {name} expired at {limit:?}, now {unix}"
                );
            }
        }
        let is_change = |effect: &Effect| matches!(effect, Effect::Persist { .. } | Effect::Note(_));
        if effects.iter().any(is_change) {
            self.check_told();
            for handle in self.letters.keys() {
                assert!(!self.jobs.contains_key(handle), "I7: {} waits and is a letter", handle_text(handle));
            }
        }
    }

    /// Whether a worker's report is about a job that it runs.
    fn owned_report(&self, cause: Cause<'_>) -> bool {
        let Cause::Request(conn, request) = cause else { return false };
        let handle = match request {
            Request::WorkStatus { handle, .. }
            | Request::WorkComplete { handle, .. }
            | Request::WorkFail { handle }
            | Request::WorkException { handle, .. }
            | Request::WorkData { handle, .. }
            | Request::WorkWarning { handle, .. } => handle,
            _ => return false,
        };
        self.jobs.get(handle.as_bytes()).is_some_and(|job| job.state == State::Running(conn))
    }

    fn judge_request(
        &mut self,
        conn: ConnId,
        request: &Request<'_>,
        owned: bool,
        effects: &[Effect],
    ) -> Option<Vec<u8>> {
        let replies: Vec<Response<'_>> = replies(conn, effects).collect();
        let silent_fail = match request {
            Request::WorkFail { handle } => {
                let peer = self.conns.get(&conn);
                peer.is_some_and(|peer| peer.exception_for.as_deref() == Some(handle.as_bytes()))
            }
            _ => false,
        };
        self.remember_exception(conn, request, owned);
        match (request, replies.as_slice()) {
            (Request::Submit(submit), [Response::JobCreated { handle }]) => {
                return self.judge_created(conn, submit, *handle, effects);
            }
            (Request::Submit(_), [Response::Error { code: b"QUEUE_ERROR", .. }]) => self.counts.refused += 1,
            (Request::Grab(kind), [Response::NoJob]) => self.judge_held(conn, *kind, effects),
            (Request::Grab(kind), [assigned]) => self.judge_assignment(conn, *kind, assigned),
            (
                Request::CanDo { .. }
                | Request::CanDoTimeout { .. }
                | Request::CantDo { .. }
                | Request::ResetAbilities
                | Request::PreSleep
                | Request::SetClientId { .. },
                [],
            ) => {}
            (Request::Echo { data }, [Response::Echo { data: back }]) => assert_eq!(data, back, "I11: echo"),
            (Request::Option { name }, [Response::Option { name: back }]) => assert_eq!(name, back, "I11"),
            (Request::GetStatus { handle }, [Response::StatusRes { handle: back, status }]) => {
                assert_eq!(handle, back, "I11: status of another job");
                let job = self.jobs.get(handle.as_bytes());
                let running = job.is_some_and(|job| job.state.is_on_worker());
                assert_eq!((status.known, status.running), (job.is_some(), running), "status of {handle}");
            }
            (
                Request::GetStatusUnique { unique },
                [Response::StatusResUnique { unique: back, status, .. }],
            ) => {
                assert_eq!(unique, back, "I11: status of another unique");
                let named = !unique.is_absent() && !unique.is_workload();
                let known = named && self.jobs.values().any(|job| job.content.unique == unique.as_bytes());
                assert_eq!(status.known, known, "status of unique {unique}");
            }
            (Request::WorkFail { .. }, []) if owned || silent_fail => {}
            (
                Request::WorkStatus { .. }
                | Request::WorkComplete { .. }
                | Request::WorkException { .. }
                | Request::WorkData { .. }
                | Request::WorkWarning { .. },
                [],
            ) if owned => {}
            (
                Request::WorkStatus { .. }
                | Request::WorkComplete { .. }
                | Request::WorkFail { .. }
                | Request::WorkException { .. }
                | Request::WorkData { .. }
                | Request::WorkWarning { .. },
                [Response::Error { code: b"JOB_NOT_FOUND", .. }],
            ) if !owned && !silent_fail => {}
            (Request::AllYours, [Response::Error { code: b"INVALID_COMMAND", .. }]) => {}
            (request, replies) => panic!("I11: {request:?} was answered by {replies:?}"),
        }
        None
    }

    fn remember_exception(&mut self, conn: ConnId, request: &Request<'_>, owned: bool) {
        let Some(peer) = self.conns.get_mut(&conn) else { return };
        peer.exception_for = match request {
            Request::WorkException { handle, .. } if owned => Some(handle.as_bytes().to_vec()),
            _ => None,
        };
    }

    fn judge_created(
        &mut self,
        conn: ConnId,
        submit: &geartrain_proto::Submit<'_>,
        handle: Handle<'_>,
        effects: &[Effect],
    ) -> Option<Vec<u8>> {
        let handle = handle.as_bytes();
        let twin_or_new = effects.iter().any(|effect| {
            matches!(effect,
                Effect::Note(Note::Accepted { handle: noted, .. } | Note::Coalesced { handle: noted })
                    if noted == handle)
        });
        assert!(twin_or_new, "JOB_CREATED names {}, which was neither made nor joined", handle_text(handle));
        let content = content_of(submit);
        let life = self.ever.get(handle).expect("a job that was made or joined");
        assert_eq!(life.content.function, content.function, "JOB_CREATED names a job of another function");
        if submit.mode != SubmitMode::Foreground {
            return Some(handle.to_vec());
        }
        let peer = self.conns.get_mut(&conn).expect("requests come from open connections");
        *peer.awaits.entry(handle.to_vec()).or_default() += 1;
        None
    }

    pub(super) fn judge_no_job(&mut self, conn: ConnId) {
        let Some(peer) = self.conns.get(&conn) else { return };
        if self.suspended.contains(&peer.identity) {
            return;
        }
        let abilities = peer.abilities.clone();
        for handle in self.waiting_of(|function| abilities.contains(function)) {
            let gettable = self.is_ready(&handle);
            assert!(!gettable, "a worker got NO_JOB though {} waits for it", handle_text(&handle));
        }
    }

    /// The first waiting job of each of these functions.
    fn waiting_of(&self, is_meant: impl Fn(&Vec<u8>) -> bool) -> Vec<Vec<u8>> {
        let mut first = std::collections::BTreeMap::new();
        for (handle, job) in &self.jobs {
            if job.state == State::Waiting && is_meant(&job.content.function) {
                first.entry(&job.content.function).or_insert(handle);
            }
        }
        first.into_values().cloned().collect()
    }

    pub(super) fn judge_assignment(&self, conn: ConnId, kind: GrabKind, assigned: &Response<'_>) {
        let (handle, function, unique, reducer, workload) = match *assigned {
            Response::JobAssign { handle, function, workload } if kind == GrabKind::Plain => {
                (handle, function, None, None, workload)
            }
            Response::JobAssignUniq { handle, function, unique, workload } if kind != GrabKind::Plain => {
                (handle, function, Some(unique), None, workload)
            }
            Response::JobAssignAll { handle, function, unique, reducer, workload }
                if kind == GrabKind::All =>
            {
                (handle, function, Some(unique), Some(reducer), workload)
            }
            ref other => panic!("I11: {kind:?} was answered by {other:?}"),
        };
        let name = handle_text(handle.as_bytes());
        let job =
            self.jobs.get(handle.as_bytes()).unwrap_or_else(|| panic!("{name} is assigned but not there"));
        assert_eq!(job.state, State::Running(conn), "I4: {name} runs on the worker that got it");
        let content = &job.content;
        assert_eq!(function.as_bytes(), content.function, "function of {name}");
        assert_eq!(workload, content.workload, "workload of {name}");
        assert!(unique.is_none_or(|unique| unique.as_bytes() == content.unique), "unique of {name}");
        if kind == GrabKind::All {
            let expected = content.reducer.as_deref().filter(|reducer| !reducer.is_empty());
            assert_eq!(reducer, expected, "reducer of {name}");
        }
    }

    fn judge_closed(&mut self, conn: ConnId) {
        self.conns.remove(&conn);
        for (handle, job) in &self.jobs {
            let is_on_it = matches!(job.state, State::Running(on) | State::Held(on) if on == conn);
            assert!(!is_on_it, "I8: {} ran on it", handle_text(handle));
        }
    }

    fn judge_admin(&mut self, command: &AdminCommand<'_>, effects: &[Effect]) {
        if let Some(place) = effects.iter().find_map(place_of) {
            return self.judge_in_portions(command, place);
        }
        let mut texts = effects.iter().filter_map(|effect| match effect {
            Effect::Text { text, .. } => Some(text.as_slice()),
            _ => None,
        });
        let (Some(text), None) = (texts.next(), texts.next()) else {
            panic!("I11: a text command has one answer");
        };
        match command {
            AdminCommand::Status => self.check_status(text),
            AdminCommand::PriorityStatus => self.check_priority_status(text),
            AdminCommand::ShowJobs => self.check_show_jobs(text),
            AdminCommand::CancelJob(handle) => {
                let known = self.is_over(handle.as_bytes()) && text == b"OK\r\n";
                assert!(known || text == b"ERR UNKNOWN_JOB\r\n", "I11: cancel job");
                assert!(!self.jobs.contains_key(handle.as_bytes()), "a cancelled job is still there");
            }
            AdminCommand::CreateFunction(name) => {
                self.functions.insert(name.as_bytes().to_vec());
            }
            AdminCommand::DropFunction { function, .. } if text == b"OK\r\n" => {
                self.function_dropped(function.as_bytes());
            }
            _ => {}
        }
    }

    /// A command that is answered when all of its portions are done.
    fn judge_in_portions(&mut self, command: &AdminCommand<'_>, place: Ticket) {
        if let AdminCommand::DropFunction { function, .. } = command {
            let of_function = self.jobs.iter().filter(|(_, job)| job.content.function == function.as_bytes());
            let jobs = of_function.map(|(handle, _)| handle.clone()).collect();
            self.drops.insert(place, (function.as_bytes().to_vec(), jobs));
        } else {
            self.list_begun(command, place);
        }
    }

    /// What was done in portions is done. A function that was dropped is gone, or stays.
    pub(super) fn portions_answered(&mut self, place: Ticket, text: &[u8]) {
        self.list_answered(place, text);
        let Some((function, _)) = self.drops.remove(&place) else { return };
        self.counts.drops += 1;
        if text == b"OK\r\n" {
            self.function_dropped(&function);
        } else {
            let runs = |job: &super::Job| job.content.function == function;
            let is_used = self.jobs.values().any(runs)
                || self.conns.values().any(|peer| peer.abilities.contains(&function));
            assert!(is_used && text.starts_with(b"ERR there are still"), "I11: drop function");
        }
    }

    /// Each submit that waits gets exactly one result when its job ends, and none before.
    fn check_results(&self, effects: &[Effect]) {
        for effect in effects {
            let Effect::Note(Note::Ended { handle, .. }) = effect else { continue };
            let name = handle_text(handle);
            for peer in self.conns.values() {
                assert!(!peer.awaits.contains_key(handle), "{name} ended and a client was not told");
            }
        }
    }

    /// I10, from outside: a ready job and an able sleeper imply a NOOP that was not answered yet.
    fn check_wakes(&mut self) {
        for handle in self.waiting_of(|_| true) {
            if !self.is_ready(&handle) {
                continue;
            }
            let Some(job) = self.jobs.get(&handle) else { continue };
            let is_able = |peer: &&super::Peer| {
                peer.abilities.contains(&job.content.function) && !self.suspended.contains(&peer.identity)
            };
            let able = || self.conns.values().filter(is_able);
            let sleeps = able().any(|peer| peer.sleep == Sleep::Sleeping);
            let woken = able().any(|peer| peer.sleep == Sleep::Woken);
            assert!(!sleeps || woken, "I10: {} waits and all its workers sleep", handle_text(&handle));
        }
    }
}

fn place_of(effect: &Effect) -> Option<Ticket> {
    match effect {
        Effect::Place { ticket, .. } => Some(*ticket),
        _ => None,
    }
}

/// The answers to a connection: all that it was sent, but for what comes unasked.
fn replies(conn: ConnId, effects: &[Effect]) -> impl Iterator<Item = Response<'_>> {
    effects.iter().filter_map(move |effect| {
        let (Effect::Send { conn: to, packet } | Effect::Hold { conn: to, packet, .. }) = effect else {
            return None;
        };
        if *to != conn {
            return None;
        }
        let Step::Complete { message: Ok(response), .. } = decode_response(packet, u32::MAX) else {
            panic!("I11: core sent what is no packet");
        };
        let unasked = matches!(
            response,
            Response::Noop
                | Response::WorkStatus { .. }
                | Response::WorkComplete { .. }
                | Response::WorkFail { .. }
                | Response::WorkException { .. }
                | Response::WorkData { .. }
                | Response::WorkWarning { .. }
        );
        (!unasked).then_some(response)
    })
}
