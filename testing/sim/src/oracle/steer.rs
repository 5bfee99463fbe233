//! Typed commands: what they may change, and whether their answers say what is so.

use super::shelves::Changes;
use super::{Cause, Content, Job, Letter, Life, Oracle, State, handle_text};
use crate::output::{Change, Effect};
use crate::policy::Values;
use geartrain_core::{ConnId, Document, DocumentKind, Ended, Moment, OwnedRecord, Ticket};
use geartrain_proto::command::{
    Campaign, CampaignState, Changed, Command, CommandError, Imported, Item, JobRow, LetterRow, Page,
};
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A command that waits for its answer.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    conn: ConnId,
    command: Command,
    /// What it must answer, where that is known.
    changed: Option<Changed>,
    /// Whether it may be refused.
    may_fail: bool,
    /// The last change of the rules, its own where it makes one.
    rule_change: u64,
}

/// A job that was taken in.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    ticket: Ticket,
    durable: bool,
}

/// Rules by pattern, as their documents were written: what the store may hold, the durable one first.
pub(crate) type Documents = BTreeMap<Vec<u8>, Vec<(Ticket, Option<Vec<u8>>, Option<Values>)>>;

/// Campaigns of this process.
#[derive(Debug, Default)]
pub(crate) struct Campaigns {
    /// The one that is judged.
    current: Option<Running>,
    /// Two were under way at once: nobody can say which job is whose.
    muddled: bool,
}

#[derive(Debug)]
struct Running {
    number: Option<u64>,
    function: Option<Vec<u8>>,
    canary: u64,
    released: u64,
    completed: u64,
    died: u64,
    cancelled: u64,
    watched: BTreeSet<Vec<u8>>,
    is_over: bool,
    /// Time between two releases.
    interval: Option<Duration>,
    /// When the last one was released that was no canary.
    last_rated: Option<Moment>,
}

impl Campaigns {
    /// Whether another one may begin and still be judged.
    pub(crate) fn is_idle(&self) -> bool {
        self.current.as_ref().is_none_or(|it| it.is_over)
    }
}

/// The handle with this number.
pub(crate) fn handle_of(number: u64) -> Vec<u8> {
    format!("H:localhost:{number}").into_bytes()
}

impl Oracle {
    /// Commands that this input may carry out.
    pub(super) fn commands_under_way<'a>(&'a self, cause: Cause<'a>) -> impl Iterator<Item = &'a Command> {
        let now = match cause {
            Cause::Typed(_, command) => Some(command),
            _ => None,
        };
        let is_read = matches!(cause, Cause::Read { .. });
        let later = self.commands.values().map(|asked| &asked.command).filter(move |_| is_read);
        now.into_iter().chain(later)
    }

    /// What a command changes before anything follows from it.
    pub(super) fn before_command(&mut self, command: &Command) {
        match command {
            Command::PolicySet(set) => self.change_rules(|rules| rules.set(set)),
            Command::PolicyUnset(unset) => self.change_rules(|rules| rules.unset(unset)),
            _ => {}
        }
    }

    /// Remembers a command until it is answered.
    pub(super) fn asked(&mut self, conn: ConnId, command: &Command, knew_rule: bool, effects: &[Effect]) {
        let mut places = effects.iter().filter_map(|effect| match effect {
            Effect::Place { conn: to, ticket } if *to == conn => Some(*ticket),
            _ => None,
        });
        let (Some(place), None) = (places.next(), places.next()) else {
            panic!("I11: {command:?} has one place for its answer");
        };
        let may_fail = match command {
            Command::PolicyUnset(_) => !knew_rule,
            Command::PolicySet(_)
            | Command::JobsCancel(_)
            | Command::JobsPriority(_)
            | Command::JobsCount(_) => false,
            Command::DeadList(_) | Command::DeadDrop(_) | Command::DeadGroups(_) | Command::Export(_) => {
                false
            }
            _ => true,
        };
        let changed = self.expected_change(command, effects);
        let asked =
            Asked { conn, command: command.clone(), changed, may_fail, rule_change: self.rule_changes };
        self.commands.insert(place, asked);
        if let Command::DeadRequeue(order) = command {
            self.campaigns.muddled |= !self.campaigns.is_idle();
            self.campaigns.current = Some(Running {
                number: None,
                function: order.function.as_ref().map(|it| it.0.clone()),
                canary: u64::from(order.canary),
                released: 0,
                completed: 0,
                died: 0,
                cancelled: 0,
                watched: BTreeSet::new(),
                is_over: false,
                interval: order.rate.as_ref().map(|rate| {
                    let per_second = rate.strip_suffix("/s").and_then(|it| it.parse::<u32>().ok());
                    Duration::from_secs(1) / per_second.expect("a rate that was chosen")
                }),
                last_rated: None,
            });
        }
    }

    /// Follows a move of one job, and says what the command must answer.
    fn expected_change(&mut self, command: &Command, effects: &[Effect]) -> Option<Changed> {
        let (pick, function, priority) = match command {
            Command::JobsMove(it) => (&it.pick, Some(it.to.0.clone()), None),
            Command::JobsPriority(it) => (&it.pick, None, Some(it.to.into())),
            Command::JobsCancel(it) if !it.pick.handles.is_empty() => {
                let over = |handle: &&geartrain_proto::command::Bytes| {
                    effects.iter().any(|effect| matches!(effect, Effect::Note(crate::output::Note::Ended { handle: ended, how: Ended::Cancelled }) if *ended == handle.0))
                };
                let count = it.pick.handles.iter().filter(over).count() as u64;
                return Some(Changed { matched: count, changed: count });
            }
            _ => return None,
        };
        let handle = pick.handles.first()?.0.clone();
        let number = super::number_of(&handle);
        let is_written = |effect: &Effect| matches!(effect, Effect::Persist { change: Change::Moved { number: of, .. }, .. } if *of == number);
        let is_told = |effect: &Effect| {
            let Effect::Placed { text, .. } = effect else { return false };
            row::<Changed>(text).is_some_and(|it| it.changed == 1)
        };
        let moved = effects.iter().any(|effect| is_written(effect) || is_told(effect));
        if moved {
            self.moved(&handle, function, priority);
        }
        let matched = u64::from(self.jobs.contains_key(&handle));
        Some(Changed { matched, changed: u64::from(moved) })
    }

    fn moved(
        &mut self,
        handle: &[u8],
        function: Option<Vec<u8>>,
        priority: Option<geartrain_proto::Priority>,
    ) {
        let name = handle_text(handle);
        let job = self.jobs.get(handle).unwrap_or_else(|| panic!("{name} is moved but not there"));
        assert!(!job.state.is_on_worker(), "{name} is moved while it runs");
        let mut content = job.content.clone();
        content.function = function.unwrap_or(content.function);
        content.priority = priority.unwrap_or(content.priority);
        assert_ne!(content, job.content, "{name} is moved to where it is");
        let twin = self.twin(&content);
        assert!(twin.is_none_or(|twin| twin == handle), "I5: {name} is moved beside its twin");
        let draining = self.policy(&content.function).draining;
        assert!(priority.is_some() || !draining, "{name} is moved to a function that is being drained");
        self.functions.insert(content.function.clone());
        self.came_to(&content.function);
        self.counts.moved += 1;
        self.last_place += 1;
        let place = self.last_place;
        let job = self.jobs.get_mut(handle).expect("it was just there");
        job.content = content.clone();
        job.place = place;
        job.ordered = job.state == State::Waiting;
        let life = self.ever.get_mut(handle).expect("a live job was accepted");
        life.content = content;
        life.was_given_back = true;
    }

    /// A job that is not new was moved to this function, requeued or joined: where the function is being dropped,
    /// none of its jobs may be cancelled from here on.
    pub(super) fn came_to(&mut self, function: &[u8]) {
        for (_, jobs) in self.drops.values_mut().filter(|(of, _)| of == function) {
            jobs.clear();
        }
    }

    pub(super) fn document(&mut self, ticket: Ticket, kind: DocumentKind, name: &[u8], body: Option<&[u8]>) {
        if kind == DocumentKind::Policy {
            let values = self.rules.by_pattern.get(name).cloned();
            assert_eq!(values.is_some(), body.is_some(), "a rule is written as it is");
            let states =
                self.documents.entry(name.to_vec()).or_insert_with(|| vec![(Ticket::ZERO, None, None)]);
            states.push((ticket, body.map(<[u8]>::to_vec), values));
        }
    }

    pub(super) fn steering_committed(&mut self, upto: Ticket) {
        self.schedules_committed(upto);
        for states in self.documents.values_mut() {
            let durable = states.iter().rposition(|(ticket, ..)| *ticket <= upto).unwrap_or(0);
            states.drain(..durable);
        }
        for taken in self.imports.values_mut() {
            taken.durable |= taken.ticket <= upto;
        }
    }

    /// The server is gone: its campaigns are too, and what was not durable may be.
    pub(super) fn steering_crashed(&mut self) {
        self.commands.clear();
        self.store_failed = false;
        self.campaigns = Campaigns::default();
        self.suspended.clear();
        self.starts.clear();
        self.in_force.clear();
        self.behind.clear();
        self.drops.clear();
        self.lists.clear();
        self.imports.retain(|_, taken| taken.durable);
    }

    /// A start found these documents.
    pub(crate) fn loaded_documents(&mut self, documents: &[(DocumentKind, Vec<u8>, Vec<u8>)]) {
        self.loaded_schedules(documents);
        self.rules.by_pattern.clear();
        for (name, states) in &mut self.documents {
            let found = documents.iter().find(|(kind, of, _)| *kind == DocumentKind::Policy && of == name);
            let body = found.map(|(_, _, body)| body);
            let state = states.iter().find(|(_, state, _)| state.as_ref() == body);
            let (_, body, values) = state
                .unwrap_or_else(|| {
                    panic!("the rule {} was found as {body:?}, and may be {states:?}", name.escape_ascii())
                })
                .clone();
            if let Some(values) = &values {
                self.rules.by_pattern.insert(name.clone(), values.clone());
            }
            *states = vec![(Ticket::ZERO, body, values)];
        }
    }

    /// A letter went back into the queue.
    pub(super) fn requeued(&mut self, handle: &[u8], letter: &Letter, record: &OwnedRecord) {
        self.counts.requeued += 1;
        let name = handle_text(handle);
        assert_eq!((record.attempts, record.lost), (0, 0), "{name} goes back with all its attempts");
        let mut expected = letter.function.clone();
        if !self.campaigns.muddled {
            let campaign = self.campaigns.current.as_mut();
            let campaign = campaign.unwrap_or_else(|| panic!("{name} goes back and nobody asked for it"));
            assert_eq!(campaign.died, 0, "{name} goes back after one of its campaign died");
            let is_canary = campaign.completed < campaign.canary;
            if let Some(interval) = campaign.interval.filter(|_| !is_canary) {
                let last = campaign.last_rated.replace(self.now.moment);
                let since = last.map(|last| self.now.moment.since(last));
                assert!(
                    since.is_none_or(|it| it >= interval),
                    "{name} goes back over the rate, after {since:?}"
                );
                self.counts.rated_releases += 1;
            }
            campaign.released += 1;
            campaign.watched.insert(handle.to_vec());
            assert!(
                campaign.canary == 0
                    || campaign.completed >= campaign.canary
                    || campaign.released <= campaign.canary + campaign.cancelled,
                "{name} goes back before the canaries came through"
            );
            expected = campaign.function.clone().unwrap_or(expected);
            assert_eq!(record.function, expected, "function of {name} as it goes back");
        }
        self.came_to(&record.function);
        self.revived(handle, record);
    }

    /// A job comes into the queue that has a life already.
    fn revived(&mut self, handle: &[u8], record: &OwnedRecord) {
        let content = Content {
            function: record.function.clone(),
            unique: record.unique.clone(),
            priority: record.priority,
            workload: record.workload.clone(),
            reducer: record.reducer.clone(),
        };
        let name = handle_text(handle);
        assert_eq!(self.twin(&content), None, "I5: {name} comes back beside its twin");
        let life = self.ever.get_mut(handle).expect("it was a job before");
        life.content = content.clone();
        life.ended = None;
        life.removed = false;
        life.was_given_back = true;
        self.functions.insert(content.function.clone());
        let now = self.now.unix.millis();
        self.last_place += 1;
        let until = record.not_before * 1000;
        let (state, since) = if record.attempts == 0 {
            let state =
                if until > now { State::Delayed { earliest: until, latest: until } } else { State::Waiting };
            (state, (now.max(until), now.max(until)))
        } else {
            self.left_of_pause(&content.function, record.attempts, until)
        };
        let job = Job {
            content,
            state,
            place: self.last_place,
            ordered: state == State::Waiting,
            attempts: record.attempts,
            lost: record.lost,
            since,
            must_end: None,
            may_be_abandoned: false,
            deadline: None,
        };
        assert!(self.jobs.insert(handle.to_vec(), job).is_none(), "I7: {name} comes back while it is there");
    }

    fn new_life(&mut self, handle: &[u8], record: &OwnedRecord) {
        let content = Content {
            function: record.function.clone(),
            unique: record.unique.clone(),
            priority: record.priority,
            workload: record.workload.clone(),
            reducer: record.reducer.clone(),
        };
        assert!(!self.ever.contains_key(handle), "handle {} is given a second time", handle_text(handle));
        self.counts.imported += 1;
        self.ever.insert(handle.to_vec(), Life::new(content));
    }

    /// A job was taken in from elsewhere.
    pub(super) fn imported_job(&mut self, cause: Cause<'_>, handle: &[u8], record: &OwnedRecord) {
        let is_import = matches!(cause, Cause::Typed(_, Command::Import(_)));
        assert!(is_import, "{} comes into the queue for {cause:?}", handle_text(handle));
        self.new_life(handle, record);
        self.revived(handle, record);
    }

    pub(super) fn imported_letter(&mut self, handle: &[u8], record: &OwnedRecord) {
        self.new_life(handle, record);
        self.ever.get_mut(handle).expect("it was just made").ended =
            Some(Ended::Dead(geartrain_core::Outcome::Failed));
    }

    pub(super) fn remember_imports(&mut self, command: &Command, changes: &Changes, last: Option<Ticket>) {
        let Command::Import(import) = command else { return };
        let Item::Job { number, .. } = &import.item else { return };
        let is_new = changes.has_puts();
        assert!(!(is_new && self.imports.contains_key(number)), "an import is doubled: {number}");
        if let (true, Some(ticket)) = (is_new, last) {
            self.imports.insert(*number, Taken { ticket, durable: false });
        }
    }

    /// A job is gone: its campaign learns how.
    pub(super) fn tell_campaign(&mut self, handle: &[u8], how: Ended) {
        let Some(campaign) = &mut self.campaigns.current else { return };
        if campaign.watched.remove(handle) {
            match how {
                Ended::Dead(_) | Ended::Failed | Ended::Exception => campaign.died += 1,
                Ended::Completed => campaign.completed += 1,
                // It says nothing of the others: another canary takes its place.
                _ => campaign.cancelled += 1,
            }
        }
    }

    /// An answer is there.
    pub(super) fn answered(&mut self, cause: Cause<'_>, place: Ticket, text: &[u8]) {
        let Some(asked) = self.commands.remove(&place) else { return self.portions_answered(place, text) };
        if !self.conns.contains_key(&asked.conn) {
            return;
        }
        self.counts.answered += 1;
        let shown = String::from_utf8_lossy(text).into_owned();
        let command = &asked.command;
        let body =
            text.strip_suffix(b".\n").unwrap_or_else(|| panic!("I11: {command:?} was answered {shown}"));
        let rows: Vec<&[u8]> = body.split(|byte| *byte == b'\n').filter(|row| !row.is_empty()).collect();
        let last = rows.last().unwrap_or_else(|| panic!("I11: {command:?} was answered {shown}"));
        if serde_json::from_slice::<CommandError>(last).is_ok() {
            let store_failed = self.store_failed || matches!(cause, Cause::Read { .. });
            assert!(asked.may_fail || store_failed, "I11: {command:?} was refused: {shown}");
            return;
        }
        match command {
            Command::PolicySet(it) => self.check_in_force(&it.function.0, asked.rule_change),
            Command::PolicyUnset(it) => self.check_in_force(&it.function.0, asked.rule_change),
            _ => {}
        }
        let page: Page = serde_json::from_slice(last).expect("the last row is a page");
        assert!(page.next.is_none(), "I11: {command:?} fits a page: {shown}");
        if let (Some(expected), Some(got)) = (asked.changed, row::<Changed>(text))
            && !matches!(command, Command::JobsMove(_) | Command::JobsPriority(_))
        {
            assert_eq!(got, expected, "answer to {command:?}");
        } else if let (Some(expected), Some(got)) = (asked.changed, row::<Changed>(text)) {
            assert_eq!(got.changed, expected.changed, "answer to {command:?}");
        }
        self.check_rows(command, &rows, text);
    }

    fn check_rows(&mut self, command: &Command, rows: &[&[u8]], text: &[u8]) {
        match command {
            Command::DeadRequeue(_) | Command::DeadProgress(_) => self.check_campaign(command, text),
            Command::Export(_) => self.check_export(rows),
            Command::DeadShow(_) => {
                let letter: LetterRow = row(text).expect("a letter is shown");
                let life = self.ever.get(&letter.handle.0).expect("a letter was a job");
                // It may have gone back to another function since it was read.
                let is_there = self.letters.contains_key(&letter.handle.0);
                let same = letter.function.0 == life.content.function;
                assert!(same || !is_there, "function of letter {}", letter.handle);
                assert_eq!(
                    letter.workload.map(|it| it.0).as_ref(),
                    Some(&life.content.workload),
                    "its workload"
                );
                if life.is_plain {
                    assert_eq!(letter.log.len(), letter.attempts as usize, "attempts of {}", letter.handle);
                }
            }
            Command::JobsShow(_) => {
                let job: JobRow = row(text).expect("a job is shown");
                let life = self.ever.get(&job.handle.0).expect("a job was accepted");
                assert_eq!(
                    job.workload.map(|it| it.0).as_ref(),
                    Some(&life.content.workload),
                    "workload shown"
                );
            }
            Command::Import(import) => {
                let imported: Imported = row(text).expect("an import is answered");
                let Item::Job { number, .. } = &import.item else { return };
                // A job that was taken in is acknowledged by this answer.
                if imported.outcome == "new" {
                    assert!(self.imports.contains_key(number), "an import is remembered");
                    let handle = imported.handle.expect("a new job has a handle").0;
                    if let Some(life) = self.ever.get_mut(&handle) {
                        life.acknowledged = true;
                    }
                }
            }
            _ => {}
        }
    }

    fn check_campaign(&mut self, command: &Command, text: &[u8]) {
        let row: Campaign = row(text).expect("a campaign is shown");
        let Some(campaign) = self.campaigns.current.as_mut().filter(|_| !self.campaigns.muddled) else {
            return;
        };
        if matches!(command, Command::DeadRequeue(_)) {
            campaign.number = Some(row.campaign);
        }
        if campaign.number != Some(row.campaign) {
            return;
        }
        let counted = (campaign.released, campaign.completed, campaign.died);
        assert_eq!((row.released, row.completed, row.died), counted, "released, completed, died of {row:?}");
        campaign.is_over = matches!(row.state, CampaignState::Done | CampaignState::Stopped);
        let is_right = match row.state {
            CampaignState::Done => {
                campaign.died == 0 && campaign.watched.is_empty() && row.released == row.matched
            }
            CampaignState::Stopped => campaign.died > 0,
            _ => campaign.died == 0,
        };
        assert!(is_right, "state of {row:?}");
    }

    fn check_export(&mut self, rows: &[&[u8]]) {
        for row in rows {
            let Ok(Item::Job { number, workload, unique, .. }) = serde_json::from_slice(row) else {
                continue;
            };
            let handle = handle_of(number);
            let life =
                self.ever.get(&handle).unwrap_or_else(|| panic!("{number} was exported and never accepted"));
            assert_eq!(
                (&workload.0, &unique.0),
                (&life.content.workload, &life.content.unique),
                "export of {number}"
            );
            self.counts.exported += 1;
        }
    }
}

/// The first row of an answer.
fn row<T: DeserializeOwned>(text: &[u8]) -> Option<T> {
    serde_json::from_slice(text.split(|byte| *byte == b'\n').next()?).ok()
}

/// A document as it was loaded.
pub(crate) fn owned_document(document: &Document<'_>) -> (DocumentKind, Vec<u8>, Vec<u8>) {
    (document.kind, document.name.to_vec(), document.body.unwrap_or_default().to_vec())
}
