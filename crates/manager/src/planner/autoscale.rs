//! How many processes the work needs.
//!
//! From: what the job servers count, and the load of the machine. To: a number and the figures behind it.
//! Never: grows on a busy machine or faster than allowed; shrinks before there were too many for long enough.

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
    /// Jobs that ended in a second, where a server says so.
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
}

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
        Decision::To(to, format!("{}, at most {peak} were needed for {idle} s", figures(work, rule)))
    }

    /// How many processes would bring each job to its worker within the target wait.
    fn needed(&mut self, now: Moment, rule: &Autoscale, work: &Work, range: Range) -> u32 {
        let busy = to_u32(work.running);
        if work.waiting == 0 {
            self.waiting_since = None;
            return busy.clamp(range.min, range.max);
        }
        let since = *self.waiting_since.get_or_insert(now);
        let target = rule.target_wait.as_secs_f64().max(0.001);
        let more = match work.served_per_second {
            // At this rate the last of them waits too long: so many more finish the rest in time.
            Some(rate) if rate > 0.0 && work.running > 0 => {
                let wait = to_f64(work.waiting) / rate;
                if wait <= target {
                    return range.count.max(busy).clamp(range.min, range.max);
                }
                let of_one = rate / to_f64(work.running);
                to_f64(work.waiting) / target / of_one
            }
            // Nobody says how fast jobs are served. Jobs have been waiting all the time for as long as one may.
            _ if work.workers == 0 || now.since(since) >= rule.target_wait => {
                (f64::from(range.count) / 2.0).max(1.0).min(to_f64(work.waiting))
            }
            _ => 0.0,
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to the range of u32"
        )]
        let more = more.ceil().clamp(0.0, f64::from(u32::MAX)) as u32;
        range.count.max(busy).saturating_add(more).clamp(range.min, range.max)
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
        let why = if let Some(max) = rule.load_max.filter(|max| load.load > *max) {
            format!("the machine's load of {:.2} per core is over {max:.2}", load.load)
        } else if let Some(max) = rule.memory_max.filter(|max| load.memory > *max) {
            format!(
                "{:.0} % of the machine's memory are in use, over {:.0} %",
                load.memory * 100.0,
                max * 100.0
            )
        } else {
            let step = allowed(&mut self.grown, now, rule.up_per_minute).min(needed - range.count);
            if step == 0 {
                return Decision::Stay;
            }
            self.grown.push_back((now, step));
            self.waiting_since = Some(now);
            let figures = figures(work, rule);
            return Decision::To(range.count + step, format!("{figures}, {needed} would do"));
        };
        if self.refused.is_some_and(|refused| now.since(refused) < MINUTE) {
            return Decision::Stay;
        }
        self.refused = Some(now);
        Decision::Refused(format!("{}, {needed} processes would do, but {why}", figures(work, rule)))
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

fn figures(work: &Work, rule: &Autoscale) -> String {
    let target = super::event::for_people(rule.target_wait);
    let rate = match work.served_per_second {
        Some(rate) => format!("{rate:.1} served a second"),
        None => "service rate unknown".to_owned(),
    };
    format!(
        "{} waiting, {} running, {} workers, {rate}, target wait {target}",
        work.waiting, work.running, work.workers
    )
}

fn to_u32(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "a number of jobs, of which the first digits count")]
fn to_f64(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANGE: Range = Range { count: 2, min: 2, max: 10 };

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

    fn to(decision: &Decision) -> Option<u32> {
        match decision {
            Decision::To(count, _) => Some(*count),
            Decision::Stay | Decision::Refused(_) => None,
        }
    }

    #[test]
    fn a_backlog_that_the_rate_clears_in_time_changes_nothing() {
        let mut scaling = Scaling::default();
        let decision =
            scaling.decide(at(0), &rule(), &work(40, 2, Some(10.0)), &MachineLoad::default(), RANGE);
        assert_eq!(decision, Decision::Stay);
    }

    #[test]
    fn growth_follows_the_rate_and_keeps_to_its_speed() {
        let mut scaling = Scaling::default();
        // 2 workers serve 1 job a second; 15 more jobs within 5 s take 6 more workers; 4 a minute are allowed.
        let decision =
            scaling.decide(at(0), &rule(), &work(15, 2, Some(1.0)), &MachineLoad::default(), RANGE);
        let Decision::To(6, why) = decision else { panic!("{decision:?}") };
        assert_eq!(why, "15 waiting, 2 running, 2 workers, 1.0 served a second, target wait 5 s, 8 would do");
        let range = Range { count: 6, ..RANGE };
        let busy = work(40, 6, Some(3.0));
        assert_eq!(scaling.decide(at(59), &rule(), &busy, &MachineLoad::default(), range), Decision::Stay);
        let decision = scaling.decide(at(60), &rule(), &busy, &MachineLoad::default(), range);
        assert_eq!(to(&decision), Some(10), "{decision:?}");
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
        let mut scaling = Scaling::default();
        let load = MachineLoad { load: 1.6, memory: 0.5 };
        let decision = scaling.decide(at(0), &rule(), &work(15, 2, Some(1.0)), &load, RANGE);
        let Decision::Refused(why) = decision else { panic!("{decision:?}") };
        assert!(
            why.ends_with("8 processes would do, but the machine's load of 1.60 per core is over 1.50"),
            "{why}"
        );
        let load = MachineLoad { load: 0.1, memory: 0.95 };
        assert_eq!(scaling.decide(at(1), &rule(), &work(15, 2, Some(1.0)), &load, RANGE), Decision::Stay);
        let decision = scaling.decide(at(61), &rule(), &work(15, 2, Some(1.0)), &load, RANGE);
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
