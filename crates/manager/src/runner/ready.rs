//! Which connection to a job server belongs to which process.
//!
//! From: the rows of `workers`, and the sockets of processes in `/proc`. To: who is ready, and who has jobs.
//! Never: gives one row to two processes.
//!
//! A row of a server does not say which process is behind it. It is taken for that of a process when it can do all
//! of the program's functions, came up after the process was spawned (or belonged to a process that is gone), comes
//! from the address of a connection that the process's group has to that server, and no other process has it. Rows
//! are dealt out in the order in which processes were spawned; with several that start at once, two may have each
//! other's row until one of them goes.

use super::life::Process;
use super::observe::{Counts, Report, Seen, WorkerSeen};
use super::proc::{self, TcpSocket};
use crate::planner::{Moment, ProcessId};
use geartrain_client::ServerAddress;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

/// How long a server may list a connection of a process that is gone: half a second.
const STALE: Duration = Duration::from_millis(500);

#[derive(Debug, Default)]
pub(crate) struct Matching {
    servers: BTreeMap<String, Server>,
}

#[derive(Debug, Default)]
struct Server {
    answers: bool,
    error: Option<String>,
    functions: BTreeMap<String, Counts>,
    rows: BTreeMap<RowKey, Row>,
    /// When rows were last looked through for a process, and none was its.
    tried: BTreeMap<ProcessId, Moment>,
}

type RowKey = (i64, String, String, Vec<String>);

#[derive(Debug)]
struct Row {
    first_seen: Moment,
    owner: Option<ProcessId>,
    /// When its owner ended.
    freed: Option<Moment>,
    running: Option<u64>,
}

/// A server, for the status.
pub(crate) type ServerState<'a> = (&'a str, bool, Option<&'a str>);

impl Matching {
    /// Takes a report in; the processes that this server lists as able to do all of their functions.
    pub(crate) fn handle_report(
        &mut self,
        report: Report,
        processes: &BTreeMap<ProcessId, Process>,
    ) -> BTreeSet<ProcessId> {
        let server = self.servers.entry(report.server.to_string()).or_default();
        let seen = match report.seen {
            Ok(seen) => seen,
            Err(error) => {
                // Its last word stands: that it is silent says nothing about the workers.
                server.answers = false;
                server.error = Some(error);
                return BTreeSet::new();
            }
        };
        server.answers = true;
        server.error = None;
        server.functions.clone_from(&seen.functions);
        server.take_rows(report.asked, &seen.workers);
        server.deal_out(&report.server, report.asked, &seen, processes)
    }

    pub(crate) fn retain_servers(&mut self, servers: &[ServerAddress]) {
        let names: BTreeSet<String> = servers.iter().map(ToString::to_string).collect();
        self.servers.retain(|name, _| names.contains(name));
    }

    /// A process ended: its rows are free.
    pub(crate) fn handle_end(&mut self, now: Moment, process: ProcessId) {
        for server in self.servers.values_mut() {
            server.tried.remove(&process);
            for row in server.rows.values_mut().filter(|row| row.owner == Some(process)) {
                row.owner = None;
                row.freed = Some(now);
            }
        }
    }

    pub(crate) fn do_answer(&self) -> bool {
        self.servers.values().any(|server| server.answers)
    }

    pub(crate) fn states(&self) -> impl Iterator<Item = ServerState<'_>> {
        self.servers.iter().map(|(name, server)| (name.as_str(), server.answers, server.error.as_deref()))
    }

    /// The functions that servers list a process with, and its jobs where one says so.
    pub(crate) fn of(&self, process: ProcessId) -> (BTreeSet<&str>, Option<u64>) {
        let mut functions = BTreeSet::new();
        let mut jobs = None;
        let rows = self.servers.values().flat_map(|server| &server.rows);
        for ((_, _, _, able), row) in rows.filter(|(_, row)| row.owner == Some(process)) {
            functions.extend(able.iter().map(String::as_str));
            if let Some(running) = row.running {
                jobs = Some(jobs.unwrap_or(0) + running);
            }
        }
        (functions, jobs)
    }

    /// Whether a process is in the middle of a job, as far as servers tell.
    ///
    /// Where none says what each worker does, it may be the one that runs a job of its functions: better to wait
    /// for nothing than to kill a job.
    pub(crate) fn has_job(&self, process: ProcessId, functions: &[String]) -> bool {
        if functions.is_empty() {
            return false;
        }
        if let (_, Some(jobs)) = self.of(process) {
            return jobs > 0;
        }
        self.count(functions).is_some_and(|counts| counts.running > 0)
    }

    /// The counts of all servers for functions together; `None` while no server has answered.
    pub(crate) fn count(&self, functions: &[String]) -> Option<Counts> {
        let mut sum = None;
        for server in self.servers.values().filter(|server| server.answers) {
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

impl Server {
    fn take_rows(&mut self, asked: Moment, workers: &[WorkerSeen]) {
        let mut before = std::mem::take(&mut self.rows);
        for worker in workers {
            let key = key(worker);
            let row = before.remove(&key);
            let fresh = Row { first_seen: asked, owner: None, freed: None, running: None };
            let row = Row { running: worker.running, ..row.unwrap_or(fresh) };
            self.rows.insert(key, row);
        }
    }

    /// Gives rows that are nobody's to processes that have none here.
    fn deal_out(
        &mut self,
        server: &ServerAddress,
        asked: Moment,
        seen: &Seen,
        processes: &BTreeMap<ProcessId, Process>,
    ) -> BTreeSet<ProcessId> {
        let mut owners: BTreeSet<ProcessId> = self.rows.values().filter_map(|row| row.owner).collect();
        let waiting = processes.iter().filter(|(process, facts)| {
            !facts.has_ended && !facts.functions().is_empty() && !owners.contains(*process)
        });
        let waiting: Vec<(ProcessId, &Process)> = waiting
            .filter(|(process, facts)| self.has_candidate(**process, facts, asked))
            .map(|(process, facts)| (*process, facts))
            .collect();
        if waiting.is_empty() {
            return owners;
        }
        let sockets = Sockets::look(server, seen, &waiting);
        for (process, facts) in waiting {
            let is_its = |key: &RowKey, row: &Row| {
                is_candidate(key, row, facts, asked) && sockets.has(facts.pid, &key.1)
            };
            let found = self.rows.iter_mut().find(|(key, row)| is_its(key, row));
            if let Some((_, row)) = found {
                row.owner = Some(process);
                row.freed = None;
                owners.insert(process);
                self.tried.remove(&process);
            } else {
                self.tried.insert(process, asked);
            }
        }
        owners
    }

    /// Whether there is a row that could be its, and that was not looked at in vain before.
    fn has_candidate(&self, process: ProcessId, facts: &Process, asked: Moment) -> bool {
        let tried = self.tried.get(&process);
        self.rows.iter().any(|(key, row)| {
            let is_new = tried.is_none_or(|tried| row.first_seen > *tried || row.freed.is_some());
            is_new && is_candidate(key, row, facts, asked)
        })
    }
}

fn key(worker: &WorkerSeen) -> RowKey {
    (worker.descriptor, worker.address.clone(), worker.client_id.clone(), worker.functions.clone())
}

fn is_candidate(key: &RowKey, row: &Row, facts: &Process, asked: Moment) -> bool {
    let is_new = row.first_seen >= facts.spawned;
    // The number of its socket was given again, and the server was never asked in between.
    let is_reused = row.freed.is_some_and(|freed| asked.since(freed) > STALE);
    let is_able = facts.functions().iter().all(|function| key.3.contains(function));
    row.owner.is_none() && (is_new || is_reused) && is_able
}

/// The connections that process groups have to one server.
struct Sockets {
    /// By group: the addresses they come from; `None` where it is not a TCP server.
    of_groups: Option<BTreeMap<i32, BTreeSet<IpAddr>>>,
}

impl Sockets {
    fn look(server: &ServerAddress, seen: &Seen, waiting: &[(ProcessId, &Process)]) -> Self {
        let ServerAddress::Tcp { port, .. } = server else { return Self { of_groups: None } };
        let is_there =
            |socket: &TcpSocket| seen.addresses.is_empty() || seen.addresses.contains(&socket.remote.ip());
        let connections = proc::connections(&BTreeSet::from([*port]));
        let groups = proc::groups(&waiting.iter().map(|(_, facts)| facts.pid).collect());
        let mut of_groups: BTreeMap<i32, BTreeSet<IpAddr>> = BTreeMap::new();
        for (group, facts) in groups {
            let inodes = facts.pids.iter().flat_map(|pid| proc::sockets(*pid));
            let sockets = inodes.filter_map(|inode| connections.get(&inode)).filter(|it| is_there(it));
            of_groups.insert(group, sockets.map(|socket| socket.local.ip()).collect());
        }
        Self { of_groups: Some(of_groups) }
    }

    /// Whether a group has a connection that the server sees from this address.
    fn has(&self, group: i32, address: &str) -> bool {
        let Some(of_groups) = &self.of_groups else { return true };
        let Some(locals) = of_groups.get(&group) else { return false };
        match address.parse::<IpAddr>() {
            Ok(address) => locals.contains(&address.to_canonical()),
            // The reference's server prints some addresses wrong.
            Err(_) => !locals.is_empty(),
        }
    }
}
