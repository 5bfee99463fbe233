//! Commands about recurring schedules.
//!
//! To: the table in `schedule.rs`; what changed is written, and the answer waits for that.
//! Never: changes anything when it refuses.

use super::{Reply, Rows};
use crate::core::Core;
use crate::ids::UnixTime;
use crate::outbox::Outbox;
use crate::schedule::{LastRun, SCHEDULE_NAME_BYTES_MAX, Schedule, ScheduleKey, Source};
use geartrain_proto::command::{
    Bytes, CommandError, Imported, Item, PAGE_ROWS_MAX, ScheduleAdd, ScheduleList, ScheduleName, ScheduleRow,
};

/// Bytes of one page of the list, beside those of its last row.
const LIST_BYTES_MAX: usize = 4 << 20;

impl Core {
    pub(crate) fn schedule_add(
        &mut self,
        add: &ScheduleAdd,
        out: &mut dyn Outbox,
    ) -> Result<Reply, CommandError> {
        let name = &add.name;
        let schedule = Schedule::new(add.clone(), &self.settings.time_zone, Source::Set, self.now.unix)?;
        let max = self.settings.limits.schedules_max;
        let key = match self.schedules.find(name) {
            Some(key) => {
                if self.schedules.get(key).source == Source::File {
                    return Err(CommandError::new(format!(
                        "schedule {name} stands in the configuration file (hint: change it there, or take another name)"
                    )));
                }
                if !add.replace {
                    return Err(CommandError::new(format!(
                        "schedule {name} is there already (hint: --replace puts this one in its place)"
                    )));
                }
                self.replace_schedule(key, schedule);
                key
            }
            None if self.schedules.added() >= max => {
                return Err(CommandError::new(format!(
                    "schedule {name} is one more than the limit of {max}"
                )));
            }
            None => self.begin_schedule(schedule),
        };
        Ok(self.schedule_changed(key, out))
    }

    /// A page of all schedules: it ends early where their workloads are large.
    pub(crate) fn schedule_list(&self, list: &ScheduleList) -> Reply {
        let mut rows = Rows::default();
        let mut last = list.after;
        for (count, (key, _)) in (0..).zip(self.schedules.after(ScheduleKey::new(list.after))) {
            if count >= PAGE_ROWS_MAX || rows.len() > LIST_BYTES_MAX {
                return rows.end(Some(last));
            }
            rows.push(&self.schedule_row(key));
            last = key.number();
        }
        rows.end(None)
    }

    pub(crate) fn schedule_show(&self, ScheduleName { name }: &ScheduleName) -> Result<Reply, CommandError> {
        Ok(Rows::one(&self.schedule_row(self.named_schedule(name)?)))
    }

    pub(crate) fn schedule_pause(
        &mut self,
        ScheduleName { name }: &ScheduleName,
        out: &mut dyn Outbox,
    ) -> Result<Reply, CommandError> {
        let key = self.named_schedule(name)?;
        self.clear_schedule_timer(key);
        self.schedules.held_up.remove(&key);
        self.schedules.get_mut(key).pause();
        Ok(self.schedule_changed(key, out))
    }

    pub(crate) fn schedule_resume(
        &mut self,
        ScheduleName { name }: &ScheduleName,
        out: &mut dyn Outbox,
    ) -> Result<Reply, CommandError> {
        let key = self.named_schedule(name)?;
        self.clear_schedule_timer(key);
        self.schedules.get_mut(key).resume(self.now.unix);
        self.set_schedule_timer(key);
        Ok(self.schedule_changed(key, out))
    }

    pub(crate) fn schedule_run(
        &mut self,
        ScheduleName { name }: &ScheduleName,
        out: &mut dyn Outbox,
    ) -> Result<Reply, CommandError> {
        let key = self.named_schedule(name)?;
        self.run_schedule(key, None, out);
        Ok(self.schedule_changed(key, out))
    }

    pub(crate) fn schedule_remove(
        &mut self,
        ScheduleName { name }: &ScheduleName,
        out: &mut dyn Outbox,
    ) -> Result<Reply, CommandError> {
        let key = self.named_schedule(name)?;
        if self.schedules.get(key).source == Source::File {
            return Err(CommandError::new(format!(
                "schedule {name} stands in the configuration file (hint: take it out there, or use schedule pause)"
            )));
        }
        self.clear_schedule_timer(key);
        self.schedules.remove(key);
        self.forget_schedule(name, out);
        Ok(Rows::default().end(None))
    }

    /// A page of the schedules that were added at run time.
    pub(super) fn export_schedules(&self, after: u64) -> Reply {
        let mut rows = Rows::default();
        let mut last = after;
        let added = self.schedules.after(ScheduleKey::new(after));
        let added = added.filter(|(_, schedule)| schedule.source == Source::Set);
        for (count, (key, schedule)) in (0..).zip(added) {
            if count >= PAGE_ROWS_MAX || rows.len() > LIST_BYTES_MAX {
                return rows.end(Some(last));
            }
            rows.push(&Item::Schedule {
                schedule: schedule.given.clone(),
                paused: schedule.memory.paused,
                last: Some(schedule.done().millis()),
            });
            last = key.number();
        }
        rows.end(None)
    }

    /// Takes a schedule of an export in, unless one of its name is there. Its due times go on behind `last`:
    /// what passed since was missed.
    pub(super) fn import_schedule(
        &mut self,
        given: &ScheduleAdd,
        paused: bool,
        last: Option<i64>,
        out: &mut dyn Outbox,
    ) -> Result<Reply, CommandError> {
        if self.schedules.find(&given.name).is_some() {
            return Ok(Rows::one(&Imported { outcome: "known".to_owned(), handle: None }));
        }
        self.schedule_add(given, out)?;
        if let Some(key) = self.schedules.find(&given.name) {
            self.clear_schedule_timer(key);
            self.schedules.get_mut(key).go_on_behind(last, paused);
            self.set_schedule_timer(key);
            self.write_schedule(key, out);
        }
        Ok(Rows::one(&Imported { outcome: "new".to_owned(), handle: None }))
    }

    fn named_schedule(&self, name: &str) -> Result<ScheduleKey, CommandError> {
        self.schedules.find(name).ok_or_else(|| {
            let shown: String = name.chars().take(SCHEDULE_NAME_BYTES_MAX).collect();
            CommandError::new(format!("there is no schedule {shown:?} (hint: schedule list)"))
        })
    }

    /// The answer is the schedule without its workload: it is held until the change is durable, and a peer may
    /// send very many of these meanwhile.
    fn schedule_changed(&mut self, key: ScheduleKey, out: &mut dyn Outbox) -> Reply {
        self.write_schedule(key, out);
        let given = ScheduleAdd { workload: Bytes::default(), ..self.schedules.get(key).given.clone() };
        Rows::one(&self.row_of(key, given))
    }

    pub(crate) fn schedule_row(&self, key: ScheduleKey) -> ScheduleRow {
        self.row_of(key, self.schedules.get(key).given.clone())
    }

    fn row_of(&self, key: ScheduleKey, given: ScheduleAdd) -> ScheduleRow {
        let schedule = self.schedules.get(key);
        let memory = &schedule.memory;
        let last = memory.last.as_ref();
        let handle = |number| Bytes::from(self.handles.text(number).as_handle().as_bytes());
        ScheduleRow {
            schedule: given,
            source: schedule.source.name().to_owned(),
            paused: memory.paused,
            next: schedule.next.map(UnixTime::millis),
            last: last.map(|last| last.due),
            last_started: last.map(|last| last.started),
            last_handle: last.and_then(|last| last.number).map(handle),
            last_outcome: last.map(|last| self.run_state(last)),
            last_took_ms: last.and_then(|last| last.took_ms),
            runs: memory.runs,
            skipped: memory.skipped,
            missed_runs: memory.missed,
            failed: memory.failed,
        }
    }

    /// How the last run ended, or where it is.
    fn run_state(&self, last: &LastRun) -> String {
        if let Some(outcome) = &last.outcome {
            return outcome.clone();
        }
        let job = last.number.and_then(|number| self.jobs.find(number)).map(|key| self.jobs.get(key));
        let is_running = job.is_some_and(|job| job.running().is_some());
        if is_running { "running" } else { "waiting" }.to_owned()
    }
}
