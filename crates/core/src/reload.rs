//! The configuration file while the queue runs: its rules and schedules are replaced, as a whole.
//!
//! From: whoever read the file anew, by way of a [`NewFile`], which is made without the queue: what costs time is
//! done there. To: policies in force, schedules begun, changed or ended, with what is remembered of their runs.
//! Never: takes a part of a file; touches what was set at run time; takes in more than a portion of schedules at once.

use crate::core::Core;
use crate::event::Event;
use crate::ids::{Now, UnixTime};
use crate::outbox::Outbox;
use crate::rules::{FileRule, Rules, shown};
use crate::schedule::{Schedule, ScheduleKey, Source};
use crate::settings::{Settings, SettingsError};
use geartrain_proto::command::ScheduleAdd;
use std::collections::BTreeSet;
use std::vec;
use thiserror::Error;

/// Bytes of schedules at which a step writes no more of them.
const PORTION_BYTES: usize = 1 << 20;

/// What a reload changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reloaded {
    /// Functions whose policy is another one now.
    pub functions: u64,
    /// Schedules that were added, changed or ended.
    pub schedules: u64,
}

/// Why a configuration file is not taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReloadError {
    /// A policy cannot be used.
    #[error(transparent)]
    Policy(#[from] SettingsError),
    /// A schedule cannot be used.
    #[error("{0}")]
    Schedule(String),
}

/// The rules and schedules of a configuration file, looked at and ready to be taken in by [`Core::reload`].
#[derive(Debug)]
pub struct NewFile {
    /// Until they are taken in; those of before then, so that they end where nobody waits.
    rules: Rules,
    names: BTreeSet<String>,
    schedules: vec::IntoIter<Schedule>,
    step: Step,
    reloaded: Reloaded,
}

/// What is taken in next.
#[derive(Debug, Clone, Copy)]
enum Step {
    Rules,
    /// Functions follow the rules, a portion with each step, until this pass over them is done.
    Functions {
        pass: u64,
        changed_before: u64,
    },
    /// Schedules behind this one end where the file has them no more.
    Ends(ScheduleKey),
    Schedules,
}

impl NewFile {
    /// Looks at what stands in a file; `settings` are those that the queue was made with.
    ///
    /// # Errors
    /// When a rule or a schedule is wrong, or there are too many schedules.
    pub fn new(
        settings: &Settings,
        rules: &[FileRule],
        schedules: &[ScheduleAdd],
        now: UnixTime,
    ) -> Result<Self, ReloadError> {
        let (count, max) = (schedules.len(), settings.limits.schedules_max);
        if count > max {
            return Err(ReloadError::Schedule(format!("{count} schedules are over the limit of {max}")));
        }
        let begin = |given: &ScheduleAdd| {
            Schedule::new(given.clone(), &settings.time_zone, Source::File, now)
                .map_err(|error| ReloadError::Schedule(error.error))
        };
        let begun: Vec<Schedule> = schedules.iter().map(begin).collect::<Result<_, _>>()?;
        Ok(Self {
            rules: settings.rules(rules)?,
            names: schedules.iter().map(|given| given.name.clone()).collect(),
            schedules: begun.into_iter(),
            step: Step::Rules,
            reloaded: Reloaded::default(),
        })
    }
}

impl Core {
    /// Puts these rules and schedules in the place of those of the configuration file; to be called again, with
    /// other inputs between, until it says what changed.
    ///
    /// What was set at run time stays, and counts as before; so does a schedule that was added, beside one of its
    /// name in the file. A schedule whose times are other ones now goes on from now, and keeps its counts.
    ///
    /// # Errors
    /// At the first call, when the rules have no room beside those set at run time: nothing is changed then.
    pub fn reload(
        &mut self,
        now: Now,
        file: &mut NewFile,
        out: &mut dyn Outbox,
    ) -> Result<Option<Reloaded>, ReloadError> {
        self.now = now;
        match file.step {
            Step::Rules => {
                self.rules.replace_file(&mut file.rules).map_err(|(pattern, error)| {
                    ReloadError::Policy(SettingsError::Policy { pattern: shown(&pattern), error })
                })?;
                let changed_before = self.chores.policies_changed;
                self.apply_rule(b"*", out);
                file.reloaded.functions = self.chores.policies_changed - changed_before;
                file.step = Step::Functions { pass: self.chores.policies.wanted(), changed_before };
                if self.schedules.begun {
                    return Ok(None);
                }
                // None runs before all is loaded, and those of the settings begin then.
                self.settings.schedules = file.schedules.by_ref().map(|schedule| schedule.given).collect();
                Ok(Some(file.reloaded))
            }
            Step::Functions { pass, changed_before } => {
                if self.chores.policies.passed() < pass {
                    self.apply_policies(out);
                    self.answer_passed(out);
                } else {
                    file.reloaded.functions = self.chores.policies_changed - changed_before;
                    file.step = Step::Ends(ScheduleKey::new(0));
                }
                Ok(None)
            }
            Step::Ends(behind) => {
                let last = self.end_schedules(behind, file, out);
                file.step = last.map_or(Step::Schedules, Step::Ends);
                Ok(None)
            }
            Step::Schedules => {
                let is_done = self.take_schedules(file, out);
                Ok(is_done.then_some(file.reloaded))
            }
        }
    }

    /// Ends schedules of the file before, of a portion behind this key: the last of them, if there are more.
    fn end_schedules(
        &mut self,
        behind: ScheduleKey,
        file: &mut NewFile,
        out: &mut dyn Outbox,
    ) -> Option<ScheduleKey> {
        let keys: Vec<ScheduleKey> =
            self.schedules.after(behind).map(|(key, _)| key).take(self.settings.portion).collect();
        for key in &keys {
            let schedule = self.schedules.get(*key);
            if schedule.source == Source::File && !file.names.contains(&schedule.given.name) {
                self.clear_schedule_timer(*key);
                let schedule = self.schedules.remove(*key);
                self.forget_schedule(&schedule.given.name, out);
                file.reloaded.schedules += 1;
            }
        }
        keys.last().copied().filter(|_| keys.len() == self.settings.portion)
    }

    /// Takes a portion of the schedules in; whether these were the last.
    fn take_schedules(&mut self, file: &mut NewFile, out: &mut dyn Outbox) -> bool {
        let mut bytes = 0;
        for _ in 0..self.settings.portion {
            let Some(schedule) = file.schedules.next() else { return true };
            let len = schedule.given.workload.as_bytes().len();
            if self.take_schedule(schedule, out) {
                file.reloaded.schedules += 1;
                bytes += len;
            }
            if bytes >= PORTION_BYTES {
                return false;
            }
        }
        false
    }

    /// Whether this schedule of the file changed something.
    fn take_schedule(&mut self, schedule: Schedule, out: &mut dyn Outbox) -> bool {
        let key = match self.schedules.find(&schedule.given.name) {
            None => self.begin_schedule(schedule),
            Some(key) => {
                let before = self.schedules.get(key);
                if before.source == Source::Set {
                    out.note(Event::ScheduleHidden { name: schedule.given.name.as_bytes() });
                    return false;
                }
                if before.given == schedule.given {
                    return false;
                }
                self.replace_schedule(key, schedule);
                key
            }
        };
        self.write_schedule(key, out);
        true
    }
}
