//! How many processes the work needs.
//!
//! From: what the job servers count, and the load of the machine. To: a number and the figures behind it.
//! Never: grows on a busy machine or faster than allowed; shrinks before there were too many for long enough; takes the
//! work of all machines, or of all programs with a function, for that of one.

use super::moment::Moment;
use crate::config::Autoscale;
use std::collections::VecDeque;
use std::time::Duration;

/// What the job servers count for the functions of one program, all of them together.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Work {
    /// Jobs that wait.
    pub waiting: u64,
    /// Jobs that run.
    pub running: u64,
    /// Workers that are able to do them.
    pub workers: u64,
    /// Jobs that ended in a second, on average over the last minute, where a server says so.
    pub served_per_second: Option<f64>,
}

/// How busy the machine is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct MachineLoad {
    /// Load of the last minute, divided by the number of cores.
    pub load: f64,
    /// Part of the memory that is in use, 0 to 1.
    pub memory: f64,
}

/// What was seen and done before.
#[derive(Debug, Default)]
pub(crate) struct Scaling {
    /// Since when jobs wait while all workers are busy.
    waiting_since: Option<Moment>,
    /// Since when there is something to do.
    busy_since: Option<Moment>,
    /// Since when there are more processes than needed, and the most that were needed since.
    idle: Option<(Moment, u32)>,
    /// Growth and shrinkage within the last minute.
    grown: VecDeque<(Moment, u32)>,
    shrunk: VecDeque<(Moment, u32)>,
    /// When growth was refused last, so that the log has it once a minute.
    refused: Option<Moment>,
}

/// What is to be done about the number.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Decision {
    Stay,
    /// To this many, and the figures.
    To(u32, String),
    /// More would be needed; why there are none.
    Refused(String),
}

/// The number now, and its range.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range {
    pub(crate) count: u32,
    pub(crate) min: u32,
    pub(crate) max: u32,
    /// Processes are coming up that nobody has counted yet.
    pub(crate) is_coming_up: bool,
}

/// How long there must have been something to do for a rate to say anything: 5 seconds.
const RATE_AFTER: Duration = Duration::from_secs(5);

const MINUTE: Duration = Duration::from_secs(60);

impl Scaling {
    pub(crate) fn decide(
        &mut self,
        now: Moment,
        rule: &Autoscale,
        work: &Work,
        load: &MachineLoad,
        range: Range,
    ) -> Decision {
        let needed = self.needed(now, rule, work, range);
        if needed > range.count {
            self.idle = None;
            if range.is_coming_up {
                return Decision::Stay;
            }
            return self.grow(now, rule, work, load, range, needed);
        }
        if needed == range.count {
            self.idle = None;
            return Decision::Stay;
        }
        let (since, peak) = self.idle.map_or((now, needed), |(since, peak)| (since, peak.max(needed)));
        self.idle = Some((since, peak));
        if now.since(since) < rule.idle {
            return Decision::Stay;
        }
        if peak >= range.count {
            // It was taken down to the most that was needed then; what is needed since may be less.
            self.idle = Some((now, needed));
            return Decision::Stay;
        }
        let step = allowed(&mut self.shrunk, now, rule.down_per_minute).min(range.count - peak);
        let to = range.count.saturating_sub(step).max(range.min);
        if to >= range.count {
            return Decision::Stay;
        }
        self.shrunk.push_back((now, range.count - to));
        let idle = now.since(since).as_secs();
        Decision::To(to, format!("{}, at most {peak} were needed for {idle} s", figures(work, rule, load)))
    }

    /// How many processes would bring each job to its worker within the target wait.
    fn needed(&mut self, now: Moment, rule: &Autoscale, work: &Work, range: Range) -> u32 {
        if work.waiting == 0 && work.running == 0 {
            self.busy_since = None;
        }
        // The others have theirs, who do the same: on other machines, or in another program.
        let share = share(work, range);
        let busy = up(to_f64(work.running) * share);
        if work.waiting == 0 {
            self.waiting_since = None;
            if work.running > 0 {
                self.busy_since.get_or_insert(now);
            }
            return busy.clamp(range.min, range.max);
        }
        let since = *self.waiting_since.get_or_insert(now);
        let target = rule.target_wait.as_secs_f64().max(0.001);
        let more = match self.rate(now, work) {
            // At this rate the last of them waits too long: so many more finish the rest in time.
            Some(rate) if rate > 0.0 && work.running > 0 => {
                let wait = to_f64(work.waiting) / rate;
                if wait <= target {
                    return range.count.max(busy).clamp(range.min, range.max);
                }
                let of_one = rate / to_f64(work.running);
                to_f64(work.waiting) / target / of_one * share
            }
            // Nobody says how fast jobs are served. Jobs have been waiting all the time for as long as one may.
            _ if work.workers == 0 || now.since(since) >= rule.target_wait => {
                (f64::from(range.count) / 2.0).max(1.0).min(to_f64(work.waiting) * share)
            }
            _ => 0.0,
        };
        range.count.max(busy).saturating_add(up(more)).clamp(range.min, range.max)
    }

    /// Jobs that end in a second. What a server says is the average of a minute: where there was nothing to do for a
    /// part of it, they ended in the rest.
    fn rate(&mut self, now: Moment, work: &Work) -> Option<f64> {
        let busy = now.since(*self.busy_since.get_or_insert(now));
        let rate = work.served_per_second.filter(|_| busy >= RATE_AFTER)?;
        Some(rate * MINUTE.as_secs_f64() / busy.min(MINUTE).as_secs_f64())
    }

    fn grow(
        &mut self,
        now: Moment,
        rule: &Autoscale,
        work: &Work,
        load: &MachineLoad,
        range: Range,
        needed: u32,
    ) -> Decision {
        let step = allowed(&mut self.grown, now, rule.up_per_minute).min(needed - range.count);
        let why = if let Some(max) = rule.load_max.filter(|max| load.load > *max) {
            format!("the machine's load of {:.2} per core is over {max:.2}", load.load)
        } else if let Some(max) = rule.memory_max.filter(|max| load.memory > *max) {
            let percent = |part: f64| format!("{:.0} %", part * 100.0);
            format!("{} of the machine's memory are in use, over {}", percent(load.memory), percent(max))
        } else if step == 0 {
            format!("{} were added within a minute, which is the limit", rule.up_per_minute)
        } else {
            self.grown.push_back((now, step));
            self.waiting_since = Some(now);
            let figures = figures(work, rule, load);
            return Decision::To(range.count + step, format!("{figures}, {needed} would do"));
        };
        if self.refused.is_some_and(|refused| now.since(refused) < MINUTE) {
            return Decision::Stay;
        }
        self.refused = Some(now);
        Decision::Refused(format!("{}, {needed} processes would do, but {why}", figures(work, rule, load)))
    }

    /// What was seen so far counts no more.
    pub(crate) fn forget(&mut self) {
        self.waiting_since = None;
        self.idle = None;
    }
}

/// How many more the limit of a minute lets through.
fn allowed(done: &mut VecDeque<(Moment, u32)>, now: Moment, per_minute: u32) -> u32 {
    while done.front().is_some_and(|(at, _)| now.since(*at) >= MINUTE) {
        done.pop_front();
    }
    let sum: u32 = done.iter().map(|(_, count)| count).sum();
    per_minute.saturating_sub(sum)
}

fn figures(work: &Work, rule: &Autoscale, load: &MachineLoad) -> String {
    let target = super::event::for_people(rule.target_wait);
    let rate = match work.served_per_second {
        Some(rate) => format!("{rate:.1} served a second"),
        None => "service rate unknown".to_owned(),
    };
    format!(
        "{} waiting, {} running, {} workers, {rate}, target wait {target}, load {:.2} per core, {:.0} % of memory in use",
        work.waiting,
        work.running,
        work.workers,
        load.load,
        load.memory * 100.0
    )
}

/// The part of the work that falls to these processes, among all workers that do the same; 0 to 1.
fn share(work: &Work, range: Range) -> f64 {
    let own = u64::from(range.count.max(1));
    to_f64(own) / to_f64(work.workers.max(own))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the range of u32")]
fn up(number: f64) -> u32 {
    number.ceil().clamp(0.0, f64::from(u32::MAX)) as u32
}

#[expect(clippy::cast_precision_loss, reason = "a number of jobs, of which the first digits count")]
fn to_f64(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANGE: Range = Range { count: 2, min: 2, max: 10, is_coming_up: false };

    fn rule() -> Autoscale {
        Autoscale {
            target_wait: Duration::from_secs(5),
            up_per_minute: 4,
            down_per_minute: 1,
            idle: Duration::from_secs(60),
            load_max: Some(1.5),
            memory_max: Some(0.9),
        }
    }

    fn at(seconds: u64) -> Moment {
        Moment::after_boot(Duration::from_secs(seconds))
    }

    fn work(waiting: u64, running: u64, rate: Option<f64>) -> Work {
        Work { waiting, running, workers: 2, served_per_second: rate }
    }

    /// One that has seen a busy minute before the time 0 of a test, which therefore begins at 60.
    fn busy() -> Scaling {
        Scaling { busy_since: Some(at(0)), ..Scaling::default() }
    }

    fn to(decision: &Decision) -> Option<u32> {
        match decision {
            Decision::To(count, _) => Some(*count),
            Decision::Stay | Decision::Refused(_) => None,
        }
    }

    #[test]
    fn a_backlog_that_the_rate_clears_in_time_changes_nothing() {
        let decision =
            busy().decide(at(60), &rule(), &work(40, 2, Some(10.0)), &MachineLoad::default(), RANGE);
        assert_eq!(decision, Decision::Stay);
    }

    #[test]
    fn growth_follows_the_rate_and_keeps_to_its_speed() {
        let mut scaling = busy();
        let load = MachineLoad { load: 0.5, memory: 0.25 };
        // 2 workers serve 1 job a second; 15 more jobs within 5 s take 6 more workers; 4 a minute are allowed.
        let decision = scaling.decide(at(60), &rule(), &work(15, 2, Some(1.0)), &load, RANGE);
        let Decision::To(6, why) = decision else { panic!("{decision:?}") };
        assert_eq!(
            why,
            "15 waiting, 2 running, 2 workers, 1.0 served a second, target wait 5 s, load 0.50 per core, 25 % of memory in \
             use, 8 would do"
        );
        let range = Range { count: 6, ..RANGE };
        let decision = scaling.decide(at(119), &rule(), &work(40, 6, Some(3.0)), &load, range);
        let Decision::Refused(why) = decision else { panic!("{decision:?}") };
        assert!(
            why.ends_with("10 processes would do, but 4 were added within a minute, which is the limit"),
            "{why}"
        );
        let decision = scaling.decide(at(120), &rule(), &work(40, 6, Some(3.0)), &load, range);
        assert_eq!(to(&decision), Some(10), "{decision:?}");
    }

    /// Jobs of a second, and a worker does one a second: what a server says of the minute before is no measure.
    #[test]
    fn a_burst_after_quiet_is_not_taken_for_slow_workers() {
        let mut scaling = Scaling::default();
        let load = MachineLoad::default();
        assert_eq!(scaling.decide(at(0), &rule(), &work(0, 0, Some(0.0)), &load, RANGE), Decision::Stay);
        assert_eq!(scaling.decide(at(60), &rule(), &work(8, 2, Some(0.0)), &load, RANGE), Decision::Stay);
        // 10 jobs in 5 s are 2 a second, and 10 / 60 of one over the minute; 9 wait 4.5 s.
        let decision = scaling.decide(at(65), &rule(), &work(9, 2, Some(10.0 / 60.0)), &load, RANGE);
        assert_eq!(decision, Decision::Stay);
        let decision = scaling.decide(at(66), &rule(), &work(15, 2, Some(12.0 / 60.0)), &load, RANGE);
        assert_eq!(to(&decision), Some(5), "{decision:?}");
    }

    #[test]
    fn each_of_several_hosts_adds_and_keeps_its_own_share() {
        let load = MachineLoad::default();
        // 4 workers on two hosts serve 2 jobs a second; 30 more within 5 s take 12 more, half of them here.
        let of_both = Work { waiting: 30, running: 4, workers: 4, served_per_second: Some(2.0) };
        let fast = Autoscale { up_per_minute: 100, ..rule() };
        let decision = busy().decide(at(60), &fast, &of_both, &load, RANGE);
        assert_eq!(to(&decision), Some(8), "{decision:?}");
        // 16 workers, of which 8 are ours; 4 have a job: half of them are ours, and 6 of ours are too many.
        let mut scaling = busy();
        let idle = Work { waiting: 0, running: 4, workers: 16, served_per_second: Some(2.0) };
        let range = Range { count: 8, ..RANGE };
        assert_eq!(scaling.decide(at(60), &rule(), &idle, &load, range), Decision::Stay);
        let decision = scaling.decide(at(120), &rule(), &idle, &load, range);
        let Decision::To(7, why) = decision else { panic!("{decision:?}") };
        assert!(why.ends_with("at most 2 were needed for 60 s"), "{why}");
    }

    #[test]
    fn nothing_is_added_while_what_was_added_comes_up() {
        let (load, range) = (MachineLoad::default(), Range { is_coming_up: true, ..RANGE });
        let mut scaling = busy();
        assert_eq!(scaling.decide(at(60), &rule(), &work(15, 2, Some(1.0)), &load, range), Decision::Stay);
        let decision = scaling.decide(at(61), &rule(), &work(15, 2, Some(1.0)), &load, RANGE);
        assert_eq!(to(&decision), Some(6), "{decision:?}");
    }

    #[test]
    fn without_a_rate_it_grows_once_jobs_waited_all_the_time() {
        let mut scaling = Scaling::default();
        let load = MachineLoad::default();
        assert_eq!(scaling.decide(at(0), &rule(), &work(9, 2, None), &load, RANGE), Decision::Stay);
        assert_eq!(scaling.decide(at(4), &rule(), &work(0, 2, None), &load, RANGE), Decision::Stay);
        assert_eq!(scaling.decide(at(5), &rule(), &work(9, 2, None), &load, RANGE), Decision::Stay);
        let decision = scaling.decide(at(10), &rule(), &work(9, 2, None), &load, RANGE);
        assert_eq!(to(&decision), Some(3), "{decision:?}");
    }

    #[test]
    fn a_busy_machine_gets_no_more_processes_and_says_so_once_a_minute() {
        let mut scaling = busy();
        let load = MachineLoad { load: 1.6, memory: 0.5 };
        let decision = scaling.decide(at(60), &rule(), &work(15, 2, Some(1.0)), &load, RANGE);
        let Decision::Refused(why) = decision else { panic!("{decision:?}") };
        assert!(
            why.ends_with("8 processes would do, but the machine's load of 1.60 per core is over 1.50"),
            "{why}"
        );
        let load = MachineLoad { load: 0.1, memory: 0.95 };
        assert_eq!(scaling.decide(at(61), &rule(), &work(15, 2, Some(1.0)), &load, RANGE), Decision::Stay);
        let decision = scaling.decide(at(121), &rule(), &work(15, 2, Some(1.0)), &load, RANGE);
        assert!(matches!(decision, Decision::Refused(_)), "{decision:?}");
    }

    #[test]
    fn what_was_needed_once_is_not_kept_for_ever() {
        let mut scaling = Scaling::default();
        let load = MachineLoad::default();
        let range = Range { count: 8, ..RANGE };
        assert_eq!(scaling.decide(at(0), &rule(), &work(0, 7, None), &load, range), Decision::Stay);
        assert_eq!(to(&scaling.decide(at(60), &rule(), &work(0, 1, None), &load, range)), Some(7));
        let range = Range { count: 7, ..RANGE };
        assert_eq!(scaling.decide(at(120), &rule(), &work(0, 3, None), &load, range), Decision::Stay);
        assert_eq!(scaling.decide(at(179), &rule(), &work(0, 1, None), &load, range), Decision::Stay);
        let decision = scaling.decide(at(180), &rule(), &work(0, 1, None), &load, range);
        let Decision::To(6, why) = decision else { panic!("{decision:?}") };
        assert!(why.ends_with("at most 3 were needed for 60 s"), "{why}");
    }

    #[test]
    fn it_shrinks_to_what_was_needed_and_slowly() {
        let mut scaling = Scaling::default();
        let load = MachineLoad::default();
        let range = Range { count: 8, ..RANGE };
        assert_eq!(scaling.decide(at(0), &rule(), &work(0, 1, None), &load, range), Decision::Stay);
        assert_eq!(scaling.decide(at(59), &rule(), &work(0, 6, None), &load, range), Decision::Stay);
        let decision = scaling.decide(at(60), &rule(), &work(0, 1, None), &load, range);
        let Decision::To(7, why) = decision else { panic!("{decision:?}") };
        assert!(why.ends_with("at most 6 were needed for 60 s"), "{why}");
        let range = Range { count: 7, ..RANGE };
        assert_eq!(scaling.decide(at(61), &rule(), &work(0, 1, None), &load, range), Decision::Stay);
    }
}
