//! Who is ready, and who has a job, as the job servers tell.
//!
//! From: reports of all servers, matched to processes by [`super::rows`]. To: the planner.
//! Never: takes the silence of a server for news: its last word stands.

use super::observe::{Counts, Report};
use super::rows::{Claimant, Rows};
use super::sockets::Sockets;
use crate::limits::WORD_PATIENCE;
use crate::planner::{Job, Moment, ProcessId, Sight};
use geartrain_client::ServerAddress;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Default)]
pub(crate) struct Matching {
    servers: BTreeMap<String, Server>,
}

#[derive(Debug)]
struct Server {
    /// Since when it is asked.
    since: Moment,
    /// The configuration names it. One that is gone from it is asked about the jobs of those who began there alone.
    is_in_file: bool,
    answers: bool,
    error: Option<String>,
    /// When it was asked for what it said last; without, it never said anything.
    asked: Option<Moment>,
    functions: BTreeMap<String, Counts>,
    rows: Rows,
}

/// A server, for the status.
pub(crate) type ServerState<'a> = (&'a str, bool, Option<&'a str>);

impl Matching {
    /// Takes a report in; the processes that this server lists as able to do all of their functions, where it says who
    /// is ready.
    pub(crate) fn handle_report(
        &mut self,
        report: Report,
        claimants: &[Claimant<'_>],
    ) -> BTreeSet<ProcessId> {
        let Some(server) = self.servers.get_mut(&report.server.to_string()) else { return BTreeSet::new() };
        let seen = match report.seen {
            Ok(seen) => seen,
            Err(error) => {
                server.answers = false;
                server.error = Some(error);
                return BTreeSet::new();
            }
        };
        let is_first = !std::mem::replace(&mut server.answers, true);
        server.error = None;
        server.asked = Some(report.asked);
        server.rows.take(report.asked, report.answered, &seen, is_first);
        server.functions = seen.functions;
        if server.rows.is_look_due(report.answered, claimants) {
            let mut sockets = Sockets::look(&server.rows.unsettled(claimants));
            if server.rows.has_strangers(&sockets) {
                // One of those that are known may have connected anew.
                sockets = Sockets::look(&claimants.iter().map(|it| it.group).collect());
            }
            server.rows.look(report.answered, claimants, &sockets);
        }
        if server.is_in_file { server.rows.listed(claimants) } else { BTreeSet::new() }
    }

    /// The servers that are asked, and whether the configuration names each.
    pub(crate) fn set_servers<'a>(
        &mut self,
        now: Moment,
        servers: impl Iterator<Item = (&'a ServerAddress, bool)>,
    ) {
        let mut known = std::mem::take(&mut self.servers);
        for (address, is_in_file) in servers {
            let name = address.to_string();
            let port = match address {
                ServerAddress::Tcp { port, .. } => Some(*port),
                ServerAddress::Unix(_) => None,
            };
            let new = || Server {
                since: now,
                is_in_file,
                answers: false,
                error: None,
                asked: None,
                functions: BTreeMap::new(),
                rows: Rows::new(name.clone(), port),
            };
            let server = known.remove(&name).unwrap_or_else(new);
            self.servers.insert(name, Server { is_in_file, ..server });
        }
    }

    /// Whether a server lists a process of ours, or did when it was heard last.
    pub(crate) fn lists_ours(&self, server: &ServerAddress) -> bool {
        self.servers.get(&server.to_string()).is_some_and(|server| server.rows.has_owners())
    }

    fn in_file(&self) -> impl Iterator<Item = (&String, &Server)> + Clone {
        self.servers.iter().filter(|(_, server)| server.is_in_file)
    }

    /// Nothing is left of a process and of its group.
    pub(crate) fn handle_gone(&mut self, now: Moment, process: ProcessId) {
        self.servers.values_mut().for_each(|server| server.rows.handle_gone(now, process));
    }

    pub(crate) fn do_answer(&self) -> bool {
        self.in_file().any(|(_, server)| server.answers)
    }

    /// Those that were asked so far, for the status.
    pub(crate) fn states(&self) -> impl Iterator<Item = ServerState<'_>> {
        let asked = self.in_file().filter(|(_, server)| server.answers || server.error.is_some());
        asked.map(|(name, server)| (name.as_str(), server.answers, server.error.as_deref()))
    }

    /// When all servers were asked for what they said last; without those that have been silent for long. `None` where
    /// one that may speak soon never did, or none is left.
    pub(crate) fn as_of(&self, now: Moment) -> Option<Moment> {
        // One that is restarted may have given a job to somebody since, and says so in a moment; so does one that was
        // never heard: a worker of the manager before may run a job of it.
        let is_waited_for = |server: &&Server| {
            let last = server.asked.unwrap_or(server.since);
            server.answers || now.since(last) <= WORD_PATIENCE
        };
        let asked: Option<Vec<Moment>> =
            self.servers.values().filter(is_waited_for).map(|server| server.asked).collect();
        asked?.into_iter().min()
    }

    /// The functions that servers list a process with, and its jobs where one says so.
    pub(crate) fn of(&self, process: ProcessId) -> (BTreeSet<&str>, Option<u64>) {
        let functions = self.servers.values().flat_map(|server| server.rows.functions(process)).collect();
        let jobs = self.servers.values().filter_map(|server| server.rows.jobs(process));
        (functions, jobs.fold(None, |sum, jobs| Some(sum.unwrap_or(0) + jobs)))
    }

    /// What is seen of a process that no server lists.
    pub(crate) fn sight(&self, process: ProcessId) -> Option<&Sight> {
        let mut sights = self.in_file().filter_map(|(_, server)| server.rows.sight(process));
        let likely = sights.clone().find(|sight| matches!(sight, Sight::Likely(_)));
        likely.or_else(|| sights.next())
    }

    /// Whether a process is in the middle of a job, as far as servers tell or told last.
    ///
    /// Where one does not say what each worker does, it may be the one that runs a job of its functions: better to
    /// wait for nothing than to kill a job.
    pub(crate) fn job(&self, process: ProcessId, functions: &[String]) -> Job {
        let of_server = |server: &Server| {
            server.rows.job(process, functions).unwrap_or_else(|| {
                let counts = functions.iter().filter_map(|function| server.functions.get(function));
                if counts.map(|counts| counts.running).sum::<u64>() > 0 { Job::Maybe } else { Job::None }
            })
        };
        self.servers.values().map(of_server).fold(Job::None, worse)
    }

    /// The counts of all servers for functions together; `None` while no server has answered.
    pub(crate) fn count(&self, functions: &[String]) -> Option<Counts> {
        let mut sum = None;
        for (_, server) in self.in_file().filter(|(_, server)| server.answers) {
            let sum: &mut Counts = sum.get_or_insert_default();
            let mut workers = 0;
            for counts in functions.iter().filter_map(|function| server.functions.get(function)) {
                sum.waiting += counts.waiting;
                sum.running += counts.running;
                // One worker does all of them.
                workers = workers.max(counts.workers);
                if let Some(rate) = counts.served_per_second {
                    sum.served_per_second = Some(sum.served_per_second.unwrap_or(0.0) + rate);
                }
            }
            sum.workers = sum.workers.max(workers);
        }
        sum
    }
}

/// Of what two servers say of one process, what protects it more.
fn worse(a: Job, b: Job) -> Job {
    match (a, b) {
        (Job::Sure { since: a }, Job::Sure { since: b }) => Job::Sure { since: a.min(b) },
        (sure @ Job::Sure { .. }, _) | (_, sure @ Job::Sure { .. }) => sure,
        (Job::Maybe, _) | (_, Job::Maybe) => Job::Maybe,
        (Job::None, Job::None) => Job::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::observe::Seen;
    use std::time::Duration;

    fn at(seconds: u64) -> Moment {
        Moment::after_boot(Duration::from_secs(seconds))
    }

    fn say(
        matching: &mut Matching,
        server: &ServerAddress,
        seconds: u64,
        seen: Result<Seen, String>,
    ) -> Option<Moment> {
        let report = Report { server: server.clone(), asked: at(seconds), answered: at(seconds), seen };
        matching.handle_report(report, &[]);
        matching.as_of(at(seconds))
    }

    #[test]
    fn one_of_several_servers_that_falls_silent_is_waited_for() {
        let servers = ["a:1", "b:1"].map(|it| ServerAddress::parse(it, 1).unwrap());
        let [a, b] = &servers;
        let mut matching = Matching::default();
        matching.set_servers(at(0), servers.iter().map(|it| (it, true)));
        assert_eq!(say(&mut matching, a, 1, Ok(Seen::default())), None, "what B gave is not known at all");
        assert_eq!(say(&mut matching, b, 1, Ok(Seen::default())), Some(at(1)));
        assert_eq!(say(&mut matching, a, 2, Err("too many connections".to_owned())), Some(at(1)));
        assert_eq!(
            say(&mut matching, b, 3, Ok(Seen::default())),
            Some(at(1)),
            "what A gave since is not known"
        );
        assert_eq!(say(&mut matching, a, 4, Ok(Seen::default())), Some(at(3)));
        assert_eq!(say(&mut matching, a, 5, Err("refused".to_owned())), Some(at(3)));
        assert_eq!(say(&mut matching, b, 14, Ok(Seen::default())), Some(at(4)));
        assert_eq!(say(&mut matching, b, 15, Ok(Seen::default())), Some(at(15)), "and not for ever");

        let mut matching = Matching::default();
        matching.set_servers(at(0), servers.iter().map(|it| (it, true)));
        assert_eq!(say(&mut matching, a, 10, Ok(Seen::default())), None);
        assert_eq!(
            say(&mut matching, a, 11, Ok(Seen::default())),
            Some(at(11)),
            "one that never spoke is not waited for any more"
        );
    }
}
