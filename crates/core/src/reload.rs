//! The configuration file while the queue runs: its rules and schedules are replaced as one input.
//!
//! From: whoever read the file anew. To: policies in force at once, schedules begun, changed or ended, with
//! what is remembered of their runs. Never: takes a part of a file; touches what was set at run time.

use crate::core::Core;
use crate::ids::Now;
use crate::outbox::Outbox;
use crate::rules::{FileRule, shown};
use crate::schedule::{Schedule, ScheduleKey, Source};
use crate::settings::SettingsError;
use geartrain_proto::command::{CommandError, ScheduleAdd};
use std::collections::BTreeSet;
use thiserror::Error;

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

impl Core {
    /// Puts these rules and schedules in the place of those of the configuration file.
    ///
    /// What was set at run time stays, and counts as before. A schedule whose times are other ones now goes on
    /// from now, and keeps its counts.
    ///
    /// # Errors
    /// When one of them is wrong: nothing is changed then.
    pub fn reload(
        &mut self,
        now: Now,
        rules: &[FileRule],
        schedules: &[ScheduleAdd],
        out: &mut dyn Outbox,
    ) -> Result<Reloaded, ReloadError> {
        self.now = now;
        let begin = |given: &ScheduleAdd| {
            Schedule::new(given.clone(), &self.settings.time_zone, Source::File, now.unix)
        };
        let begun: Result<Vec<Schedule>, CommandError> = schedules.iter().map(begin).collect();
        let begun = begun.map_err(|error| ReloadError::Schedule(error.error))?;
        self.rules.replace_file(rules).map_err(|(pattern, error)| {
            ReloadError::Policy(SettingsError::Policy { pattern: shown(&pattern), error })
        })?;
        self.settings.schedules = schedules.to_vec();
        let functions = self.apply_rule(b"*", out);
        // Before all is loaded none runs, and those of the settings begin then.
        let schedules = if self.schedules.begun { self.replace_schedules(begun, out) } else { 0 };
        Ok(Reloaded { functions, schedules })
    }

    /// Lets these be the schedules of the file: how many changed.
    fn replace_schedules(&mut self, begun: Vec<Schedule>, out: &mut dyn Outbox) -> u64 {
        let names: BTreeSet<String> = begun.iter().map(|it| it.given.name.clone()).collect();
        let gone = self.schedules.iter().filter(|(_, it)| it.source == Source::File);
        let gone: Vec<ScheduleKey> =
            gone.filter(|(_, it)| !names.contains(&it.given.name)).map(|(key, _)| key).collect();
        let mut changed = gone.len() as u64;
        for key in gone {
            self.clear_schedule_timer(key);
            let schedule = self.schedules.remove(key);
            self.forget_schedule(&schedule.given.name, out);
        }
        for mut schedule in begun {
            if let Some(key) = self.schedules.find(&schedule.given.name) {
                let before = self.schedules.get(key);
                if before.source == Source::File && before.given == schedule.given {
                    continue;
                }
                schedule.remember(&before.given, before.memory.clone());
                self.clear_schedule_timer(key);
                self.schedules.remove(key);
            }
            let key = self.begin_schedule(schedule);
            self.write_schedule(key, out);
            changed += 1;
        }
        changed
    }
}
