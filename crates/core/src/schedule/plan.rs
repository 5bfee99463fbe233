//! What happens at a due time: a run, or none, and which due time is next.
//!
//! From: `run.rs`, when a schedule's time has come. To: the schedule's memory, and a [`Plan`].
//! Never: takes longer the longer the server was away: due times are counted up to [`MISSED_MAX`].

use super::Schedule;
use crate::ids::UnixTime;
use geartrain_proto::command::Missed;

/// Most runs that are made up for in a row, and most missed ones that are counted.
pub(super) const MISSED_MAX: u32 = 1000;

/// How late a run may be before it counts as missed, in milliseconds: a minute, so that a restart loses none.
pub(super) const LATE_MS_MAX: i64 = 60_000;

/// How far back the clock may be set before it is taken to have been wrong, in milliseconds: a day.
pub(super) const CLOCK_BACK_MS_MAX: i64 = 86_400_000;

/// What happens at a due time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Plan {
    /// The due time that is run.
    pub(crate) run: Option<UnixTime>,
    /// Due times that passed, counted up to [`MISSED_MAX`].
    pub(crate) missed: u32,
    /// Whether more of them than that were left out.
    pub(crate) more: bool,
}

impl Schedule {
    /// Deals with the due time that has come, and perhaps with later ones that have passed as well.
    pub(crate) fn plan(&mut self, now: UnixTime) -> Plan {
        let Some(due) = self.next.filter(|due| *due <= now) else { return Plan::default() };
        let is_late = now.millis().saturating_sub(due.millis()) > LATE_MS_MAX;
        let next = self.recurrence.next_after(due);
        let is_superseded = next.is_some_and(|next| next <= now);
        let made_up = std::mem::replace(&mut self.made_up, 0);
        match self.given.missed {
            Missed::Skip if is_late => self.leave_out_late(due, now),
            Missed::Skip if is_superseded => self.leave_out(due),
            Missed::One if is_superseded => self.run_one_for_all(due, now),
            Missed::All if is_late && made_up >= MISSED_MAX => self.leave_out_late(due, now),
            Missed::Skip | Missed::One | Missed::All => {
                self.made_up = if is_late { made_up + 1 } else { 0 };
                self.finish(due);
                Plan { run: Some(due), ..Plan::default() }
            }
        }
    }

    /// Leaves out all due times that are too late now.
    fn leave_out_late(&mut self, due: UnixTime, now: UnixTime) -> Plan {
        let limit = UnixTime::from_millis(now.millis().saturating_sub(LATE_MS_MAX + 1)).max(due);
        let (count, _) = self.count(due, limit);
        self.finish(limit);
        self.missed(count + 1)
    }

    fn leave_out(&mut self, due: UnixTime) -> Plan {
        self.finish(due);
        self.missed(1)
    }

    /// The last due time up to now is run, and stands for the others.
    fn run_one_for_all(&mut self, due: UnixTime, now: UnixTime) -> Plan {
        let (count, last) = self.count(due, now);
        self.finish(if count < MISSED_MAX { last } else { now });
        Plan { run: Some(last), ..self.missed(count) }
    }

    /// How many due times there are between, up to the limit, and the last of them.
    fn count(&self, after: UnixTime, until: UnixTime) -> (u32, UnixTime) {
        let (count, last) = self.recurrence.count_between(after, until, MISSED_MAX as usize);
        (u32::try_from(count).unwrap_or(MISSED_MAX), last.unwrap_or(after))
    }

    fn missed(&mut self, count: u32) -> Plan {
        let missed = count.min(MISSED_MAX);
        self.memory.missed += u64::from(missed);
        Plan { run: None, missed, more: count >= MISSED_MAX }
    }

    /// Nothing up to here is looked at again.
    fn finish(&mut self, done: UnixTime) {
        self.memory.done = self.memory.done.max(done.millis());
        self.set_next();
    }

    /// Its runs pass from now on.
    pub(crate) fn pause(&mut self) {
        self.memory.paused = true;
        self.set_next();
    }

    /// Its runs are run again. Those that passed are left out.
    pub(crate) fn resume(&mut self, now: UnixTime) {
        if self.memory.paused {
            let (passed, _) = self.count(self.done(), now);
            self.memory.skipped += u64::from(passed);
            self.memory.paused = false;
            self.finish(now);
        }
    }

    /// The job of a run did not come to be: its due time comes again. It does not where the schedule has got other
    /// times since: that run has failed.
    pub(crate) fn undo(&mut self, due: i64) {
        if due <= self.memory.anchor {
            self.memory.failed += 1;
            return;
        }
        self.memory.runs = self.memory.runs.saturating_sub(1);
        self.memory.done = self.memory.done.min(due - 1);
        self.set_next();
    }

    /// The clock was set back, or is behind what was stored: if by so much that it was wrong before, due
    /// times are looked at from now on, or nothing would run until it is that late again.
    ///
    /// Returns whether that changed something.
    pub(crate) fn follow_clock(&mut self, now: UnixTime) -> bool {
        let is_wrong = self.memory.done.saturating_sub(now.millis()) > CLOCK_BACK_MS_MAX;
        if is_wrong {
            self.memory.done = now.millis();
            self.memory.anchor = self.memory.anchor.min(now.millis());
            self.set_next();
        }
        is_wrong
    }
}

#[cfg(test)]
mod tests {
    use super::super::Source;
    use super::*;
    use geartrain_proto::command::ScheduleAdd;

    fn at(seconds: i64) -> UnixTime {
        UnixTime::from_seconds(seconds)
    }

    fn schedule(when: &str, missed: Missed) -> Schedule {
        let json = format!(r#"{{"name":"n","function":"f","when":"{when}"}}"#);
        let given: ScheduleAdd = serde_json::from_str(&json).unwrap();
        Schedule::new(ScheduleAdd { missed, ..given }, "UTC", Source::Set, at(0)).unwrap()
    }

    /// What is run when the schedule is asked at these seconds, as often as something is due.
    fn runs(schedule: &mut Schedule, asked: impl IntoIterator<Item = i64>) -> Vec<i64> {
        let mut runs = Vec::new();
        for second in asked {
            while schedule.next.is_some_and(|next| next <= at(second)) {
                runs.extend(schedule.plan(at(second)).run.map(UnixTime::seconds));
            }
        }
        runs
    }

    #[test]
    fn on_time_every_due_time_is_run_once_whatever_the_rule() {
        for missed in [Missed::Skip, Missed::One, Missed::All] {
            let mut every = schedule("every 100s", missed);
            assert_eq!(runs(&mut every, 0..=500), [100, 200, 300, 400, 500]);
            assert_eq!((every.memory.missed, every.memory.done), (0, 500_000));
            // Up to a minute late is on time.
            assert_eq!(runs(&mut every, [660]), [600]);
        }
    }

    #[test]
    fn what_was_missed_is_left_out_run_once_or_run_each() {
        // Down from 150 to 795.
        let down = || (0..150).chain(795..1000);
        let mut skip = schedule("every 100s", Missed::Skip);
        assert_eq!(runs(&mut skip, down()), [100, 800, 900]);
        assert_eq!(skip.memory.missed, 6);
        let mut one = schedule("every 100s", Missed::One);
        assert_eq!(runs(&mut one, down()), [100, 700, 800, 900]);
        assert_eq!(one.memory.missed, 5);
        let mut all = schedule("every 100s", Missed::All);
        assert_eq!(runs(&mut all, down()), [100, 200, 300, 400, 500, 600, 700, 800, 900]);
        assert_eq!(all.memory.missed, 0);
        // A single late run is missed as well, unless the rule makes up for it.
        let mut daily = schedule("@daily", Missed::Skip);
        assert_eq!(runs(&mut daily, [86_400 + 7200]), [] as [i64; 0]);
        assert_eq!(daily.next, Some(at(2 * 86_400)));
        let mut daily = schedule("@daily", Missed::One);
        assert_eq!(runs(&mut daily, [86_400 + 7200]), [86_400]);
    }

    #[test]
    fn an_absence_of_years_costs_no_more_than_the_limit() {
        let year = 365 * 86_400;
        let limit = i64::from(MISSED_MAX);
        let mut skip = schedule("every 1s", Missed::Skip);
        let plan = skip.plan(at(year));
        assert_eq!(plan, Plan { run: None, missed: MISSED_MAX, more: true });
        // The last minute is on time, and only its last run is not superseded.
        assert_eq!(runs(&mut skip, [year]), [year]);
        let mut one = schedule("every 1s", Missed::One);
        assert_eq!(one.plan(at(year)), Plan { run: Some(at(limit + 1)), missed: MISSED_MAX, more: true });
        assert_eq!(one.next, Some(at(year + 1)));
        let mut all = schedule("every 1s", Missed::All);
        let made_up = runs(&mut all, [year]);
        assert_eq!(made_up.len(), usize::try_from(limit + 61).unwrap());
        assert_eq!(made_up[..3], [1, 2, 3]);
        assert_eq!(made_up.last(), Some(&year));
        assert_eq!(all.memory.missed, u64::from(MISSED_MAX));
    }

    #[test]
    fn a_clock_set_back_runs_nothing_twice_and_one_set_back_by_days_is_believed() {
        let mut every = schedule("every 100s", Missed::All);
        assert_eq!(runs(&mut every, [100, 200, 300, 120, 200, 299, 300, 400]), [100, 200, 300, 400]);
        // The clock was two days ahead.
        let ahead = 2 * 86_400;
        every.given.missed = Missed::One;
        assert_eq!(runs(&mut every, [ahead]).len(), 1);
        assert!(!every.follow_clock(at(ahead - 86_400)), "a day is not enough");
        assert_eq!(runs(&mut every, [500]), [] as [i64; 0]);
        assert!(every.follow_clock(at(500)));
        assert_eq!(runs(&mut every, 500..700), [600]);
    }

    #[test]
    fn what_passes_during_a_pause_is_skipped_not_missed() {
        let mut every = schedule("every 100s", Missed::All);
        every.pause();
        assert_eq!(every.next, None);
        assert_eq!(runs(&mut every, 0..350), [] as [i64; 0]);
        every.resume(at(350));
        assert_eq!(runs(&mut every, 350..500), [400]);
        assert_eq!((every.memory.skipped, every.memory.missed), (3, 0));
        every.resume(at(450));
        assert_eq!(every.memory.skipped, 3);
    }

    #[test]
    fn a_run_that_did_not_come_to_be_is_due_again() {
        let mut every = schedule("every 100s", Missed::Skip);
        assert_eq!(runs(&mut every, [110]), [100]);
        every.undo(100_000);
        assert_eq!(every.next, Some(at(100)));
        assert_eq!(runs(&mut every, [120]), [100]);
    }

    #[test]
    fn a_run_of_times_that_are_no_more_is_not_due_again() {
        let mut every = schedule("every 100s", Missed::Skip);
        assert_eq!(runs(&mut every, [110]), [100]);
        let mut other = Schedule::new(every.given.clone(), "UTC", Source::Set, at(130)).unwrap();
        every.given.when = "every 50s".to_owned();
        other.remember(&every.given, every.memory.clone());
        other.undo(100_000);
        assert_eq!((other.memory.runs, other.memory.failed, other.next), (0, 1, Some(at(230))));
    }

    #[test]
    fn another_time_begins_now_and_the_same_time_goes_on() {
        let before = schedule("every 100s", Missed::All);
        let mut memory = before.memory.clone();
        memory.done = 50_000;
        memory.anchor = 7_000;
        let mut same = schedule("every 100s", Missed::All);
        same.remember(&before.given, memory.clone());
        assert_eq!(same.next, Some(at(107)));
        let mut other = Schedule::new(before.given.clone(), "UTC", Source::Set, at(1000)).unwrap();
        other.given.when = "every 60s".to_owned();
        other.recurrence = crate::calendar::Recurrence::parse("every 60s", "UTC").unwrap();
        other.remember(&before.given, memory);
        assert_eq!(other.next, Some(at(1060)));
    }
}
