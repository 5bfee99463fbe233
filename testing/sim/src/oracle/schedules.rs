//! Schedules: each due time is run once, whatever restarts, clocks and the store do; a model of fixed periods.
//!
//! From: the commands that were carried out, and the documents that say what a schedule did. To: a judgement of
//! each look at the timers: what passed since the last one is run, or left out by the schedule's own rule.
//! Never: uses the calendar of `core`.

use super::shelves::Changes;
use super::{Cause, Oracle, handle_of};
use crate::output::{Change, Effect};
use geartrain_core::{DocumentKind, Ended, Ticket};
use geartrain_proto::command::{Command, Missed, Overlap, ScheduleAdd};
use serde_json::Value;
use std::collections::BTreeMap;

/// A run that is later counts as missed, in milliseconds.
const LATE_MS_MAX: i64 = 60_000;

/// Function of the jobs of all schedules.
const FUNCTION: &[u8] = b"mail";

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Schedules {
    by_name: BTreeMap<String, Schedule>,
    /// What the store may hold, by name: the body and what is so then, the durable one first.
    stored: BTreeMap<String, Vec<Stored>>,
}

/// What the store holds of a schedule behind a change.
type Stored = (Ticket, Option<Vec<u8>>, Option<Schedule>);

/// What is known of a schedule.
#[derive(Debug, Clone)]
struct Schedule {
    when: String,
    missed: Missed,
    overlap: Overlap,
    paused: bool,
    /// From where periods are counted, in milliseconds.
    anchor: i64,
    /// All due times up to here are dealt with.
    done: i64,
    last: Option<Run>,
    /// Due times whose jobs live, with their handles.
    live: Vec<(Vec<u8>, i64)>,
}

/// The last run, as its document says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    due: i64,
    started: i64,
    number: Option<u64>,
}

impl Run {
    fn of(body: &Value) -> Option<Self> {
        let last = body.get("memory")?.get("last")?;
        let time = |key: &str| last.get(key).and_then(Value::as_i64);
        let number = last.get("number").and_then(Value::as_u64);
        Some(Self { due: time("due")?, started: time("started")?, number })
    }
}

impl Schedule {
    fn period(&self) -> i64 {
        match self.when.strip_prefix("every ").and_then(|it| it.strip_suffix('s')) {
            Some(seconds) => seconds.parse::<i64>().expect("a period that was chosen") * 1000,
            None => 60_000,
        }
    }

    /// Due times that passed up to now.
    fn passed(&self, now: i64) -> Vec<i64> {
        let period = self.period();
        // Lines of a calendar name minutes of the clock.
        let anchor = if self.when.starts_with("every") { self.anchor } else { 0 };
        let first = anchor + ((self.done - anchor).div_euclid(period) + 1) * period;
        (first..=now).step_by(usize::try_from(period).unwrap_or(1)).collect()
    }

    /// Those that are run now, if no run before holds them up.
    fn wanted(&self, now: i64) -> Vec<i64> {
        let passed = self.passed(now);
        let last = passed.last().copied();
        match self.missed {
            Missed::All => passed,
            Missed::One => last.into_iter().collect(),
            Missed::Skip => last.filter(|last| now - last <= LATE_MS_MAX).into_iter().collect(),
        }
    }
}

impl Oracle {
    /// What an input did to schedules: `before` are those that lived when it came.
    pub(super) fn judge_schedules(&mut self, cause: Cause<'_>, changes: &Changes, effects: &[Effect]) {
        let now = self.now.unix.millis();
        let mut runs: BTreeMap<String, Vec<Run>> = BTreeMap::new();
        for effect in effects {
            let Effect::Persist {
                ticket,
                change: Change::Document { kind: DocumentKind::Schedule, name, body },
            } = effect
            else {
                continue;
            };
            let name = String::from_utf8_lossy(name).into_owned();
            let parsed: Option<Value> =
                body.as_ref().map(|body| serde_json::from_slice(body).expect("a schedule is JSON"));
            self.follow_command(cause, &name, parsed.is_some(), now);
            if let (Some(schedule), Some(parsed)) = (self.schedules.by_name.get_mut(&name), &parsed) {
                let run = Run::of(parsed).filter(|run| schedule.last != Some(*run));
                if let Some(run) = run {
                    schedule.last = Some(run);
                    runs.entry(name.clone()).or_default().push(run);
                }
            }
            let snapshot = self.schedules.by_name.get(&name).cloned();
            let states =
                self.schedules.stored.entry(name).or_insert_with(|| vec![(Ticket::ZERO, None, None)]);
            states.push((*ticket, body.clone(), snapshot));
        }
        for run in runs.values().flatten() {
            self.check_run(*run, changes);
        }
        let names: Vec<String> = self.schedules.by_name.keys().cloned().collect();
        for name in names {
            let runs = runs.remove(&name).unwrap_or_default();
            match cause {
                Cause::Timeout { .. } => self.check_dues(&name, &runs, changes),
                Cause::Typed(_, Command::ScheduleRun(it)) if it.name == name => {
                    // Two that are refused within a millisecond are remembered as one.
                    let last = self.schedules.by_name.get(&name).and_then(|it| it.last);
                    let is_again = last.is_some_and(|it| it.due == now && it.number.is_none());
                    let is_one = matches!(runs.as_slice(), [run] if run.due == now);
                    assert!(is_one || (runs.is_empty() && is_again), "schedule {name} runs when asked");
                }
                _ => assert!(runs.is_empty(), "schedule {name} runs for {cause:?}"),
            }
        }
        // What was written in this step holds what this step did.
        for (name, states) in &mut self.schedules.stored {
            let now = self.schedules.by_name.get(name);
            let is_written = effects.iter().any(|effect| {
                matches!(effect, Effect::Persist { change: Change::Document { kind: DocumentKind::Schedule, name: of, .. }, .. }
                    if of == name.as_bytes())
            });
            if let Some((_, Some(_), state)) = states.last_mut().filter(|_| is_written) {
                *state = now.cloned();
            }
        }
    }

    /// A command about a schedule was carried out.
    fn follow_command(&mut self, cause: Cause<'_>, name: &str, is_there: bool, now: i64) {
        let Cause::Typed(_, command) = cause else { return };
        let schedules = &mut self.schedules.by_name;
        match command {
            Command::ScheduleAdd(add) if add.name == name => Self::added(schedules, add, now),
            Command::ScheduleRemove(it) if it.name == name => {
                assert!(!is_there, "schedule {name} is removed");
                schedules.remove(name);
            }
            Command::SchedulePause(it) if it.name == name => {
                if let Some(schedule) = schedules.get_mut(name) {
                    schedule.paused = true;
                }
            }
            Command::ScheduleResume(it) if it.name == name => {
                if let Some(schedule) = schedules.get_mut(name).filter(|it| it.paused) {
                    schedule.paused = false;
                    schedule.done = schedule.done.max(now);
                }
            }
            _ => {}
        }
    }

    fn added(schedules: &mut BTreeMap<String, Schedule>, add: &ScheduleAdd, now: i64) {
        let before = schedules.remove(&add.name);
        assert!(add.replace || before.is_none(), "schedule {} is there twice", add.name);
        let mut new = Schedule {
            when: add.when.clone(),
            missed: add.missed,
            overlap: add.overlap,
            paused: false,
            anchor: now,
            done: now,
            last: None,
            live: Vec::new(),
        };
        if let Some(before) = before {
            let is_same = before.when == new.when;
            (new.paused, new.last, new.live) = (before.paused, before.last, before.live);
            new.done = if is_same { before.done } else { before.done.max(now) };
            new.anchor = if is_same { before.anchor } else { now };
        }
        schedules.insert(add.name.clone(), new);
    }

    /// A run has its job, or was refused for a reason.
    fn check_run(&mut self, run: Run, changes: &Changes) {
        match run.number {
            Some(number) => {
                let is_made = changes.is_made(&handle_of(number));
                assert!(is_made, "the run {run:?} has a job that was neither made nor joined");
            }
            None => {
                let policy = self.policy(FUNCTION);
                let is_bounded =
                    geartrain_proto::Priority::ALL.iter().any(|it| policy.max_waiting(*it).is_some());
                let may_be_refused = policy.draining || is_bounded || self.store_failed;
                assert!(may_be_refused, "the run {run:?} was refused for nothing");
            }
        }
    }

    /// The server looked at its timers: each due time that passed was run once, or left out by the rule.
    fn check_dues(&mut self, name: &str, runs: &[Run], changes: &Changes) {
        let now = self.now.unix.millis();
        let store_failed = self.store_failed;
        let lives = |number: u64| self.jobs.contains_key(&handle_of(number));
        let ended = |number: u64| changes.is_ended(&handle_of(number));
        let Some(schedule) = self.schedules.by_name.get(name) else { return };
        let mut wanted = schedule.wanted(now);
        if schedule.paused || store_failed {
            assert!(runs.is_empty(), "schedule {name} runs though it is paused or the store is: {runs:?}");
            return;
        }
        let dues: Vec<i64> = runs.iter().map(|run| run.due).collect();
        if schedule.overlap == Overlap::Skip && !wanted.is_empty() {
            let before = self.schedules_before.get(name).copied().flatten();
            let lived = before.is_some_and(|number| lives(number) || ended(number));
            let lives = before.is_some_and(lives);
            if lives {
                wanted.clear();
            } else if lived {
                // It ended in this step, before or after.
                wanted.retain(|due| dues.contains(due));
            } else if runs.first().is_some_and(|run| run.number.is_some_and(|it| !ended(it))) {
                wanted.truncate(1);
            }
        }
        assert_eq!(dues, wanted, "due times that schedule {name} runs at {now}, {schedule:?}");
        self.counts.due_runs += dues.len() as u64;
        let schedule = self.schedules.by_name.get_mut(name).expect("it was just there");
        if let Some(last) = schedule.passed(now).last() {
            schedule.done = *last;
        }
        let made = runs.iter().filter_map(|run| Some((handle_of(run.number?), run.due)));
        schedule.live.extend(made.collect::<Vec<_>>());
    }

    /// Remembers which jobs are the last runs, before an input.
    pub(super) fn before_schedules(&mut self) {
        let last = |it: &Schedule| {
            it.last.and_then(|run| run.number).filter(|number| self.jobs.contains_key(&handle_of(*number)))
        };
        self.schedules_before =
            self.schedules.by_name.iter().map(|(name, it)| (name.clone(), last(it))).collect();
    }

    /// A job is gone: where it never was, its due times come again.
    pub(super) fn scheduled_job_ended(&mut self, handle: &[u8], how: Ended) {
        for schedule in self.schedules.by_name.values_mut() {
            let never_was = matches!(how, Ended::NotStored | Ended::Abandoned);
            for (_, due) in schedule.live.iter().filter(|(of, _)| never_was && of == handle) {
                // A due time of times that it has no more does not.
                if *due > schedule.anchor {
                    schedule.done = schedule.done.min(due - 1);
                    self.counts.undone_runs += 1;
                }
            }
            schedule.live.retain(|(of, _)| of != handle);
        }
    }

    /// Documents up to this change are durable, and the jobs of their runs with them.
    pub(super) fn schedules_committed(&mut self, upto: Ticket) {
        let mut promised = Vec::new();
        for states in self.schedules.stored.values_mut() {
            let durable = states.iter().rposition(|(ticket, ..)| *ticket <= upto).unwrap_or(0);
            let states_now = states.iter().take(durable + 1);
            promised.extend(states_now.filter_map(|(_, _, it)| it.as_ref()?.last?.number));
            states.drain(..durable);
        }
        self.promise(&promised);
    }

    /// Where a record failed while its job was on a worker, only that worker can still do it.
    fn promise(&mut self, numbers: &[u64]) {
        let told: Vec<u64> = numbers.iter().copied().filter(|number| self.is_told(*number)).collect();
        for number in told {
            if let Some(life) = self.ever.get_mut(&handle_of(number)).filter(|life| life.ended.is_none()) {
                life.acknowledged = true;
            }
        }
    }

    /// A start found these schedules: with each run that a document knows of, the store has its job.
    pub(super) fn loaded_schedules(&mut self, documents: &[(DocumentKind, Vec<u8>, Vec<u8>)]) {
        self.schedules.by_name.clear();
        let mut promised = Vec::new();
        for (name, states) in &mut self.schedules.stored {
            let is_it = |(kind, of, _): &&(DocumentKind, Vec<u8>, Vec<u8>)| {
                *kind == DocumentKind::Schedule && of == name.as_bytes()
            };
            let body = documents.iter().find(is_it).map(|(_, _, body)| body);
            let state = states.iter().find(|(_, state, _)| state.as_ref() == body);
            let (_, body, schedule) = state
                .unwrap_or_else(|| panic!("schedule {name} was found as it never was, {body:?}"))
                .clone();
            if let Some(schedule) = &schedule {
                let schedule = Schedule { live: Vec::new(), ..schedule.clone() };
                promised.extend(schedule.last.and_then(|run| run.number));
                self.schedules.by_name.insert(name.clone(), schedule);
            }
            *states = vec![(Ticket::ZERO, body, schedule)];
        }
        self.promise(&promised);
    }
}
