//! Running schedules: from what is stored to a timer each, from a due time to a job, from its end to an
//! outcome.
//!
//! From: the documents at start, the timers, the end of a job, the store when it fails and comes back.
//! To: jobs, and for each a document in the same step: the store has both or none.
//! Never: submits while the store cannot write; the run waits for it, and is then late like any other.

use super::body::Body;
use super::{LastRun, Schedule, ScheduleKey, Source};
use crate::core::Core;
use crate::event::{Ended, Event};
use crate::ids::UnixTime;
use crate::outbox::Outbox;
use crate::persist::{Document, DocumentKind, Op};
use crate::settings::Durability;
use crate::timers::Due;
use geartrain_proto::command::{CommandError, Overlap, ScheduleAdd};
use geartrain_proto::{Function, Priority, Submit, SubmitMode, Unique};

/// How far the clock must be set back for schedules to look at it, in milliseconds.
const CLOCK_STEP_MS: i64 = 1000;

impl Core {
    /// All is loaded: the schedules of the configuration file and those that are stored begin.
    pub(crate) fn begin_schedules(&mut self, out: &mut dyn Outbox) {
        self.schedules.begun = true;
        let mut loaded = std::mem::take(&mut self.schedules.loaded);
        for given in std::mem::take(&mut self.settings.schedules) {
            if loaded.get(&given.name).is_some_and(|body| body.source == Source::Set) {
                out.note(Event::ScheduleHidden { name: given.name.as_bytes() });
                continue;
            }
            let body = loaded.remove(&given.name);
            self.begin_loaded(given, Source::File, body, out);
        }
        for (name, body) in loaded {
            match body.source {
                // It stands in the configuration file no more.
                Source::File => self.forget_schedule(&name, out),
                Source::Set => self.begin_loaded(body.schedule.clone(), Source::Set, Some(body), out),
            }
        }
    }

    fn begin_loaded(
        &mut self,
        given: ScheduleAdd,
        source: Source,
        body: Option<Body<ScheduleAdd>>,
        out: &mut dyn Outbox,
    ) {
        let name = given.name.clone();
        match Schedule::new(given, &self.settings.time_zone, source, self.now.unix) {
            Ok(mut schedule) => {
                if let Some(body) = &body {
                    schedule.remember(&body.schedule, body.memory.clone());
                }
                let key = self.begin_schedule(schedule);
                if body.is_none_or(|body| !body.is_of(self.schedules.get(key))) {
                    self.write_schedule(key, out);
                }
            }
            Err(CommandError { error, .. }) => {
                out.note(Event::ScheduleLeft { name: name.as_bytes(), reason: &error });
            }
        }
    }

    /// Takes a schedule in whose name is new.
    pub(crate) fn begin_schedule(&mut self, mut schedule: Schedule) -> ScheduleKey {
        schedule.follow_clock(self.now.unix);
        let mut live = None;
        if let Some(last) = schedule.memory.last.as_mut().filter(|last| last.outcome.is_none()) {
            live = last.number.filter(|number| self.jobs.find(*number).is_some());
            if live.is_none() {
                last.outcome = Some("unknown".to_owned());
            }
        }
        let key = self.schedules.insert(schedule);
        if let Some(number) = live {
            self.schedules.add_live(number, key, None);
        }
        self.set_schedule_timer(key);
        key
    }

    /// Lets a schedule take over what one of its name was and remembers: its key, its memory, and its runs that live
    /// with their due times.
    pub(crate) fn replace_schedule(&mut self, key: ScheduleKey, mut schedule: Schedule) {
        self.clear_schedule_timer(key);
        let before = self.schedules.get(key);
        schedule.remember(&before.given, before.memory.clone());
        schedule.follow_clock(self.now.unix);
        *self.schedules.get_mut(key) = schedule;
        self.set_schedule_timer(key);
    }

    /// A schedule's time has come; its timer is gone.
    pub(crate) fn schedule_is_due(&mut self, key: ScheduleKey, out: &mut dyn Outbox) {
        if !self.may_keep() {
            self.schedules.held_up.insert(key);
            return;
        }
        let plan = self.schedules.get_mut(key).plan(self.now.unix);
        if plan.missed > 0 {
            let name = self.schedules.get(key).given.name.as_bytes();
            out.note(Event::RunsMissed { name, count: plan.missed, more: plan.more });
        }
        if let Some(due) = plan.run {
            self.run_if_allowed(key, due, out);
        }
        self.set_schedule_timer(key);
        self.write_schedule(key, out);
    }

    fn run_if_allowed(&mut self, key: ScheduleKey, due: UnixTime, out: &mut dyn Outbox) {
        let schedule = self.schedules.get_mut(key);
        let before = schedule.memory.last.as_ref().and_then(|last| last.number);
        if schedule.given.overlap == Overlap::Skip
            && before.is_some_and(|number| self.jobs.find(number).is_some())
        {
            schedule.memory.skipped += 1;
            return;
        }
        if self.is_draining(key) {
            return self.leave_run_out(key, due);
        }
        self.run_schedule(key, Some(due), out);
    }

    /// Whether the function of a schedule takes no jobs, or the server waits for the last that it holds.
    fn is_draining(&mut self, key: ScheduleKey) -> bool {
        let function = self.schedules.get(key).given.function.as_bytes();
        let ends = self.schedules.draining && self.settings.durability == Durability::Memory;
        ends || self.rules.resolve(function).draining
    }

    /// A run is due while its function is being drained: it is left out, also where it would join a job.
    fn leave_run_out(&mut self, key: ScheduleKey, due: UnixTime) {
        let memory = &mut self.schedules.get_mut(key).memory;
        memory.skipped += 1;
        memory.last = Some(LastRun {
            due: due.millis(),
            started: self.now.unix.millis(),
            number: None,
            outcome: Some("draining".to_owned()),
            took_ms: None,
        });
    }

    /// Submits the job of a schedule, for a due time or since a person asked for it.
    pub(crate) fn run_schedule(&mut self, key: ScheduleKey, due: Option<UnixTime>, out: &mut dyn Outbox) {
        let schedule = self.schedules.get(key);
        let (given, unique) = (schedule.given.clone(), schedule.unique());
        let outcome = self.submit_unattended(
            &Submit {
                function: Function::new(given.function.as_bytes()),
                unique: Unique::new(&unique),
                priority: given.priority.map_or(Priority::Normal, Priority::from),
                mode: SubmitMode::Background,
                reducer: None,
                workload: given.workload.as_bytes(),
            },
            out,
        );
        let now = self.now.unix.millis();
        let mut last = LastRun {
            due: due.map_or(now, UnixTime::millis),
            started: now,
            number: None,
            outcome: None,
            took_ms: None,
        };
        match outcome {
            Ok(number) => {
                last.number = Some(number);
                self.schedules.add_live(number, key, due);
            }
            Err(reason) => {
                last.outcome = Some(format!("refused: {reason}"));
                out.note(Event::RunRefused { name: given.name.as_bytes(), reason });
            }
        }
        let memory = &mut self.schedules.get_mut(key).memory;
        memory.runs += u64::from(last.number.is_some());
        memory.failed += u64::from(last.number.is_none());
        memory.last = Some(last);
    }

    /// A job ended: the schedules that it was a run of remember how.
    pub(crate) fn scheduled_job_ended(&mut self, number: u64, how: Ended, out: &mut dyn Outbox) {
        if !self.schedules.has_live() {
            return;
        }
        for (key, due) in self.schedules.take_live(number) {
            self.clear_schedule_timer(key);
            let now = self.now.unix.millis();
            let schedule = self.schedules.get_mut(key);
            let never_was = matches!(how, Ended::NotStored | Ended::Abandoned);
            if let Some(due) = due.filter(|_| never_was) {
                schedule.undo(due);
            } else if how != Ended::Completed {
                schedule.memory.failed += 1;
            }
            if let Some(last) = schedule.memory.last.as_mut().filter(|last| last.number == Some(number)) {
                last.outcome = Some(outcome_name(how).to_owned());
                last.took_ms = Some(now.saturating_sub(last.started));
            }
            self.set_schedule_timer(key);
            self.write_schedule(key, out);
        }
    }

    /// The store takes changes again: what waited for it is due.
    pub(crate) fn resume_held_up_schedules(&mut self) {
        for key in std::mem::take(&mut self.schedules.held_up) {
            self.set_schedule_timer(key);
        }
    }

    /// Looks whether the clock was set back by so much that schedules must not wait for it to catch up.
    pub(crate) fn schedules_follow_clock(&mut self, out: &mut dyn Outbox) {
        let moment = i64::try_from(self.now.moment.since_origin().as_millis()).unwrap_or(i64::MAX);
        let ahead = self.now.unix.millis().saturating_sub(moment);
        let before = self.schedules.clock_ahead.replace(ahead);
        if before.is_none_or(|before| ahead > before.saturating_sub(CLOCK_STEP_MS)) {
            return;
        }
        let keys: Vec<ScheduleKey> = self.schedules.iter().map(|(key, _)| key).collect();
        for key in keys {
            self.clear_schedule_timer(key);
            let changed = self.schedules.get_mut(key).follow_clock(self.now.unix);
            self.set_schedule_timer(key);
            if changed {
                self.write_schedule(key, out);
            }
        }
    }

    /// Sets the timer of a schedule that has none.
    pub(crate) fn set_schedule_timer(&mut self, key: ScheduleKey) {
        if let Some(next) = self.schedules.get(key).next
            && !self.schedules.held_up.contains(&key)
        {
            self.timers.add(next, Due::Schedule(key));
        }
    }

    /// Takes the timer of a schedule away, where it has one.
    pub(crate) fn clear_schedule_timer(&mut self, key: ScheduleKey) {
        if let Some(next) = self.schedules.get(key).next {
            self.timers.remove(next, Due::Schedule(key));
        }
    }

    /// Writes a schedule as it is now.
    pub(crate) fn write_schedule(&mut self, key: ScheduleKey, out: &mut dyn Outbox) {
        let ticket = self.writing.next_ticket();
        let schedule = self.schedules.get(key);
        let (name, body) = (schedule.given.name.as_bytes(), schedule.body());
        out.persist(ticket, Op::Document(Document { kind: DocumentKind::Schedule, name, body: Some(&body) }));
    }

    pub(crate) fn forget_schedule(&mut self, name: &str, out: &mut dyn Outbox) {
        let ticket = self.writing.next_ticket();
        let name = name.as_bytes();
        out.persist(ticket, Op::Document(Document { kind: DocumentKind::Schedule, name, body: None }));
    }
}

fn outcome_name(how: Ended) -> &'static str {
    match how {
        Ended::Completed => "completed",
        Ended::Failed => "fail",
        Ended::Exception => "exception",
        Ended::Cancelled => "cancelled",
        Ended::Dead(outcome) => outcome.name(),
        Ended::Abandoned | Ended::NotStored => "not stored",
    }
}
