//! What the job servers said, for the planner.
//!
//! From: [`super::observe`]'s reports, matched to processes by [`super::ready`]. To: the planner.
//! Never: takes the silence of a server for news about a worker.

use super::rows::Claimant;
use super::{Runner, cgroup, proc};
use crate::limits::{OBSERVE_EAGERLY_EVERY, OBSERVE_EAGERLY_FOR, OBSERVE_EVERY, OBSERVE_SOON_EVERY};
use crate::planner::{Job, Moment, ProcessId, Sight, Work};
use crate::protocol::ServerStatus;
use std::collections::BTreeSet;
use std::time::Duration;

/// Processes that hinge on the next answers of the job servers, and how long these are asked for eagerly.
#[derive(Debug, Default)]
pub(crate) struct Hurry {
    of: BTreeSet<ProcessId>,
    until: Moment,
}

impl Runner {
    pub(crate) fn handle_reports(&mut self, now: Moment) {
        let reports = self.observers.reports();
        if reports.is_empty() {
            return;
        }
        let unready: BTreeSet<ProcessId> = self.planner.unready().into_iter().collect();
        let workers = self.processes.iter().filter(|(_, facts)| !facts.functions.is_empty());
        let claimants: Vec<Claimant<'_>> = workers
            .map(|(process, facts)| Claimant {
                process: *process,
                group: facts.pid,
                functions: &facts.functions,
                spawned: facts.spawned,
                is_unready: unready.contains(process),
                is_rest: facts.has_ended(),
            })
            .collect();
        let mut listed = BTreeSet::new();
        for report in reports {
            listed.extend(self.matching.handle_report(report, &claimants));
        }
        let jobs: Vec<(ProcessId, Job)> =
            claimants.iter().map(|it| (it.process, self.matching.job(it.process, it.functions))).collect();
        let sights: Vec<(ProcessId, Sight)> = unready
            .iter()
            .filter_map(|process| Some((*process, self.matching.sight(*process)?.clone())))
            .collect();
        for process in unready.intersection(&listed) {
            self.planner.handle_ready(now, *process);
        }
        for (process, sight) in sights {
            self.planner.handle_sight(process, sight);
        }
        self.planner.handle_jobs(now, self.matching.as_of(now), jobs);
        self.planner.handle_servers(now, self.matching.do_answer());
        self.handle_work(now);
        if self.leave_gone_servers() {
            self.matching.set_servers(now, self.observers.servers());
            self.record_servers();
        }
    }

    /// Tells the next manager which servers processes may have jobs of.
    pub(crate) fn record_servers(&mut self) {
        let servers = self.observers.servers().map(|(server, _)| server.to_string()).collect();
        self.write_state(|state| state.servers(servers));
    }

    /// Leaves servers that are gone from the configuration and that nobody is left of who may have a job there: who was
    /// spawned before, or is listed there all the same.
    pub(crate) fn leave_gone_servers(&mut self) -> bool {
        let workers = self.processes.values().filter(|facts| !facts.functions.is_empty());
        let oldest = workers.map(|facts| facts.spawned).min();
        let matching = &self.matching;
        self.observers.leave_gone(|server, gone| {
            oldest.is_some_and(|oldest| oldest < gone) || matching.lists_ours(server)
        })
    }

    /// Lets the numbers of processes follow the work.
    fn handle_work(&mut self, now: Moment) {
        let scaled = self.config.programs.iter().filter(|(_, program)| program.autoscale.is_some());
        let counts: Vec<(String, Work)> = scaled
            .filter_map(|(name, program)| {
                let counts = self.matching.count(&program.functions)?;
                let work = Work {
                    waiting: counts.waiting,
                    running: counts.running,
                    workers: counts.workers,
                    served_per_second: counts.served_per_second,
                };
                Some((name.to_string(), work))
            })
            .collect();
        if counts.is_empty() {
            return;
        }
        self.planner.handle_load(cgroup::within(proc::machine_load()));
        for (name, work) in counts {
            self.planner.handle_work(now, &name, &work);
        }
    }

    /// Servers are asked often while something depends on it, and rarely otherwise.
    pub(crate) fn steer_observers(&mut self, now: Moment) {
        let of: BTreeSet<ProcessId> =
            self.planner.unready().into_iter().chain(self.planner.leaving()).collect();
        if !of.is_subset(&self.hurry.of) {
            self.hurry.until = now + OBSERVE_EAGERLY_FOR;
        }
        self.hurry.of = of;
        let scaled = self.config.programs.values().filter(|program| program.autoscale.is_some());
        let rates: Vec<String> = scaled.flat_map(|program| program.functions.iter().cloned()).collect();
        self.observers.steer(self.pace(now), &rates);
    }

    fn pace(&self, now: Moment) -> Duration {
        let is_word_wanted = self.planner.words_wanted().any(|from| from <= now);
        if is_word_wanted || (!self.hurry.of.is_empty() && now < self.hurry.until) {
            OBSERVE_EAGERLY_EVERY
        } else if self.hurry.of.is_empty() {
            OBSERVE_EVERY
        } else {
            OBSERVE_SOON_EVERY
        }
    }

    /// When the servers are to be asked in more of a hurry.
    pub(crate) fn next_hurry(&self, now: Moment) -> Option<Moment> {
        self.planner.words_wanted().filter(|from| *from > now).min()
    }

    pub(crate) fn server_states(&self) -> Vec<ServerStatus> {
        let states = self.matching.states();
        states
            .map(|(address, answers, error)| ServerStatus {
                address: address.to_owned(),
                answers,
                error: error.map(str::to_owned),
            })
            .collect()
    }
}
