//! What the job servers said, for the planner.
//!
//! From: [`super::observe`]'s reports, matched to processes by [`super::ready`]. To: the planner.
//! Never: takes the silence of a server for news about a worker.

use super::{Runner, cgroup, proc};
use crate::planner::{Moment, ProcessId, Work};
use crate::protocol::ServerStatus;

impl Runner {
    pub(crate) fn handle_reports(&mut self, now: Moment) {
        let reports = self.observers.reports();
        if reports.is_empty() {
            return;
        }
        for report in reports {
            let listed = self.matching.handle_report(report, &self.processes);
            let unready = self.planner.unready();
            for process in unready.into_iter().filter(|process| listed.contains(process)) {
                self.planner.handle_ready(now, process);
            }
        }
        self.planner.handle_servers(now, self.matching.do_answer());
        let jobs: Vec<(ProcessId, bool)> = self
            .processes
            .iter()
            .map(|(process, facts)| (*process, self.matching.has_job(*process, facts.functions())))
            .collect();
        for (process, has_job) in jobs {
            self.planner.handle_job(now, process, has_job);
        }
        self.handle_work(now);
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
    pub(crate) fn steer_observers(&self) {
        let is_eager = !self.planner.unready().is_empty() || self.planner.has_leaving();
        let scaled = self.config.programs.values().filter(|program| program.autoscale.is_some());
        let rates: Vec<String> = scaled.flat_map(|program| program.functions.iter().cloned()).collect();
        self.observers.steer(is_eager, &rates);
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
