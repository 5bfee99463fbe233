//! The workers that are able to do a function: what each of them does, and what it would do next.

use super::finding;
use super::words::{count, quote, span, verb};
use crate::conn::{Conn, Sleep};
use crate::core::Core;
use crate::function::FunctionKey;
use crate::ids::{ConnId, Moment};
use crate::job::JobKey;
use crate::suspect::{identity, worker_name};
use geartrain_proto::command::Finding;
use std::collections::BTreeMap;

/// Most slots of connections that are looked at.
const SLOTS_MAX: usize = 200_000;

/// How many workers are asked what they would get.
const ASKED_MAX: u32 = 100;

/// Most functions that are looked at for that, all these workers together.
const RANKED_MAX: usize = 200_000;

/// Most running jobs that are looked at.
const RUNNING_MAX: usize = 200_000;

/// Workers able to do a function, by what they do.
#[derive(Debug, Default)]
pub(super) struct Survey {
    function: Option<FunctionKey>,
    able: u32,
    suspended: u32,
    /// When the first of these suspensions is over, and whose it is.
    first_pardon: Option<(Moment, ConnId)>,
    busy: u32,
    /// When the last of them became busy.
    all_busy_since: Moment,
    longest: Option<(Moment, JobKey)>,
    woken: u32,
    woken_since: Option<Moment>,
    sleeping: u32,
    /// Those that run nothing and do not sleep.
    silent: u32,
    /// Those that were asked, and by function those that would get a job of another one first.
    asked: u32,
    first: BTreeMap<FunctionKey, u32>,
}

impl Survey {
    pub(super) fn new(core: &Core, function: FunctionKey) -> Self {
        let mut survey = Self { function: Some(function), ..Self::default() };
        let workers = core.functions.get(function).workers;
        let (mut ranked, mut running) = (0, 0);
        for (_, conn) in core.conns.slots(0).take(SLOTS_MAX) {
            let Some((id, peer)) = conn else { continue };
            if peer.ability(function, &core.hash).is_none() {
                continue;
            }
            survey.able += 1;
            if let Some(until) = core.suspects.suspended_until(identity(peer)) {
                survey.suspended += 1;
                let is_first = survey.first_pardon.is_none_or(|(first, _)| until < first);
                survey.first_pardon = if is_first { Some((until, id)) } else { survey.first_pardon };
            } else {
                survey.add(core, peer, &mut running);
                if survey.asked < ASKED_MAX && ranked < RANKED_MAX {
                    ranked += peer.abilities().len().min(core.jobs.ready_functions().len());
                    survey.ask(core, id, function);
                }
            }
            if survey.able == workers || running > RUNNING_MAX {
                break;
            }
        }
        survey
    }

    fn add(&mut self, core: &Core, peer: &Conn, looked_at: &mut usize) {
        match peer.sleep {
            Sleep::Sleeping => self.sleeping += 1,
            Sleep::Woken { .. } => {
                self.woken += 1;
                self.woken_since = Some(self.woken_since.map_or(peer.woken, |since| since.min(peer.woken)));
            }
            Sleep::Awake if peer.running.is_empty() => self.silent += 1,
            Sleep::Awake => {
                self.busy += 1;
                *looked_at += peer.running.len();
                let started = |key: &JobKey| Some((core.jobs.get(*key).running()?.started.moment, *key));
                let Some(oldest) = peer.running.iter().filter_map(started).min_by_key(|(at, _)| *at) else {
                    return;
                };
                self.all_busy_since = self.all_busy_since.max(oldest.0);
                let is_longest = self.longest.is_none_or(|(at, _)| oldest.0 < at);
                self.longest = if is_longest { Some(oldest) } else { self.longest };
            }
        }
    }

    fn ask(&mut self, core: &Core, id: ConnId, function: FunctionKey) {
        self.asked += 1;
        if let Some(first) = core.select(id).filter(|first| *first != function) {
            *self.first.entry(first).or_default() += 1;
        }
    }

    /// Whether no able worker gets any job.
    pub(super) fn are_all_suspended(&self) -> bool {
        self.able > 0 && self.suspended == self.able
    }

    /// Adds what keeps these workers from the jobs of the function.
    pub(super) fn tell(&self, core: &Core, findings: &mut Vec<Finding>) {
        let free = self.able - self.suspended;
        if free == 0 {
            return findings.push(self.tell_suspended(core));
        }
        let is_ready = self.function.is_some_and(|function| core.jobs.line(function).is_ready());
        if is_ready && self.first.values().sum::<u32>() == self.asked {
            findings.push(self.tell_first(core));
        }
        if self.busy == free {
            findings.push(self.tell_busy(core));
        }
        // While the gate is shut nobody was woken for these jobs, and nobody has to come.
        if is_ready {
            self.tell_idle(core, findings);
        }
        if self.suspended > 0 {
            findings.push(self.tell_suspended(core));
        }
    }

    /// Workers that are not at work although a job is ready.
    fn tell_idle(&self, core: &Core, findings: &mut Vec<Finding>) {
        if let Some(since) = self.woken_since {
            let text = format!(
                "{} of {} {} woken and did not come yet, the first for {}",
                self.woken,
                count(self.able, "able worker"),
                verb(self.woken, "was", "were"),
                span(core.now.moment.since(since))
            );
            findings.push(finding("woken", text));
        } else if self.silent > 0 {
            let text = format!(
                "{} of {} {} neither asleep nor at work, and {} not asked for a job",
                self.silent,
                count(self.able, "able worker"),
                verb(self.silent, "is", "are"),
                verb(self.silent, "has", "have")
            );
            findings.push(finding("silent", text));
        }
    }

    fn tell_suspended(&self, core: &Core) -> Finding {
        let mut text = format!(
            "{} of {} {} no jobs for a while, since too many failed with {}",
            self.suspended,
            count(self.able, "able worker"),
            verb(self.suspended, "gets", "get"),
            verb(self.suspended, "it", "them")
        );
        if let Some((until, conn)) = self.first_pardon
            && let Some(peer) = core.conns.get(conn)
        {
            let (who, left) = (quote(&worker_name(peer)), span(until.since(core.now.moment)));
            text.push_str(&format!("; {who} gets some again in {left}"));
        }
        finding("suspended", text)
    }

    fn tell_first(&self, core: &Core) -> Finding {
        let most = self.first.iter().max_by_key(|(_, workers)| **workers).map(|(function, _)| *function);
        let example = most.map_or_else(String::new, |function| {
            let ready = core.jobs.line(function).queued();
            let name = quote(core.functions.name(function).as_bytes());
            format!(": most of all of {name}, of which {} {}", ready, verb(ready, "waits", "wait"))
        });
        let who = match self.asked {
            1 => "its one able worker".to_owned(),
            asked => format!("each of {asked} able workers"),
        };
        let text = format!("{who} takes jobs of other functions first{example}");
        finding("other-functions", text)
    }

    fn tell_busy(&self, core: &Core) -> Finding {
        let busy_for = span(core.now.moment.since(self.all_busy_since));
        let mut text = match self.busy {
            1 => format!("its one able worker is busy for {busy_for}"),
            busy => format!("all {busy} able workers are busy for {busy_for}"),
        };
        if let Some((started, key)) = self.longest {
            let job = core.jobs.get(key);
            text.push_str(&format!(
                "; the longest for {}, with {} of {}",
                span(core.now.moment.since(started)),
                core.handle_of(job.number()),
                quote(core.functions.name(job.function()).as_bytes())
            ));
        }
        finding("all-busy", text)
    }
}
