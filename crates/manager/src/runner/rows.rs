//! The workers that one job server lists, and which of them are processes of ours.
//!
//! From: the rows of a report; [`look`] finds out whose they are. To: [`super::ready`].
//! Never: takes a row whose owner is not certain for proof of a job.

mod look;

use super::observe::{Seen, WorkerSeen};
use super::sockets;
use crate::planner::{Job, Moment, ProcessId, Sight};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// How often a new row is looked for among our connections before it is another machine's.
const LOOKS: u8 = 3;

/// A process that may be behind rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claimant<'a> {
    pub(crate) process: ProcessId,
    pub(crate) group: i32,
    pub(crate) functions: &'a [String],
    pub(crate) spawned: Moment,
    /// It is not ready yet.
    pub(crate) is_unready: bool,
    /// Its leader ended.
    pub(crate) is_rest: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct RowKey {
    descriptor: i64,
    address: String,
    port: Option<u16>,
    client_id: String,
    /// Only without a port: other functions are another worker there.
    functions: Vec<String>,
}

#[derive(Debug)]
struct Row {
    functions: Vec<String>,
    first_seen: Moment,
    /// It came up between two answers.
    is_news: bool,
    owner: Option<Owner>,
    /// When its owner ended.
    freed: Option<Moment>,
    /// Handles of the jobs it runs, and since when at most; the reference server does not say.
    jobs: BTreeMap<String, Moment>,
    looks: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Owner {
    /// It comes from a port that is this process's.
    Exact(ProcessId),
    /// It is one of those that fit.
    Dealt(ProcessId),
    /// It fits but for its address.
    Counted(ProcessId),
}

impl Owner {
    fn process(self) -> ProcessId {
        match self {
            Self::Exact(process) | Self::Dealt(process) | Self::Counted(process) => process,
        }
    }
}

/// What one server lists.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    /// The port it is asked at; none for a Unix socket.
    port: Option<u16>,
    name: String,
    rows: BTreeMap<RowKey, Row>,
    /// The same by owner: a report asks for those of each process.
    owned: BTreeMap<ProcessId, Vec<RowKey>>,
    /// Functions with a job in a row that is not known to be that of one process.
    busy: BTreeSet<String>,
    /// When it was asked for them.
    asked: Option<Moment>,
    /// Whether it says which worker runs which job.
    tells_jobs: bool,
    /// Processes whose connections here are known by their ports.
    known: BTreeSet<ProcessId>,
    /// Addresses are what they seem: a row was found to be a process's by its address.
    has_matched: bool,
    has_changed: bool,
    looked: Option<Moment>,
    looked_for: Vec<ProcessId>,
    sights: BTreeMap<ProcessId, Sight>,
    /// Processes that are ready since new rows were counted for them.
    counted: BTreeSet<ProcessId>,
}

impl Rows {
    pub(crate) fn new(name: String, port: Option<u16>) -> Self {
        Self { name, port, ..Self::default() }
    }

    /// Takes in what the server lists. `is_first`: it was silent before, so that nothing is news.
    pub(crate) fn take(&mut self, asked: Moment, answered: Moment, seen: &Seen, is_first: bool) {
        self.tells_jobs = seen.tells_jobs;
        // A job that was not there before began after that was asked for, or right then.
        let begun = self.asked.replace(asked).filter(|_| !is_first).unwrap_or_default();
        let mut before = std::mem::take(&mut self.rows);
        let count_before = before.len();
        let mut are_new = false;
        for worker in &seen.workers {
            let key = key(worker);
            let row = before.remove(&key).unwrap_or_else(|| {
                are_new = true;
                Row {
                    functions: Vec::new(),
                    first_seen: answered,
                    is_news: !is_first,
                    owner: None,
                    freed: None,
                    jobs: BTreeMap::new(),
                    // Workers of other machines come and go without a look at ours.
                    looks: if is_from_here(worker) { 0 } else { LOOKS },
                }
            });
            self.has_changed |= row.functions != worker.functions;
            let since = |handle: &String| row.jobs.get(handle).copied().unwrap_or(begun);
            let jobs = worker.running.iter().flatten().map(|it| (it.clone(), since(it))).collect();
            self.rows.insert(key, Row { functions: worker.functions.clone(), jobs, ..row });
        }
        self.has_changed |= are_new || self.rows.len() != count_before;
        self.sort_rows();
    }

    /// Notes whose the rows are by owner, and what nobody knows whose it is.
    fn sort_rows(&mut self) {
        self.owned.clear();
        self.busy.clear();
        for (key, row) in &self.rows {
            if let Some(owner) = row.owner {
                self.owned.entry(owner.process()).or_default().push(key.clone());
            }
            if !row.jobs.is_empty() && !matches!(row.owner, Some(Owner::Exact(_))) {
                self.busy.extend(row.functions.iter().cloned());
            }
        }
    }

    fn of(&self, process: ProcessId) -> impl Iterator<Item = (&RowKey, &Row)> {
        let keys = self.owned.get(&process).into_iter().flatten();
        keys.filter_map(|key| Some((key, self.rows.get(key)?)))
    }

    /// Whether a process of ours is listed.
    pub(crate) fn has_owners(&self) -> bool {
        !self.owned.is_empty()
    }

    /// What a process is listed with, as far as its rows are known.
    pub(crate) fn functions(&self, process: ProcessId) -> BTreeSet<&str> {
        let counted = Some(Owner::Counted(process));
        let rows = self.of(process).filter(|(_, row)| row.owner != counted);
        rows.flat_map(|(_, row)| row.functions.iter().map(String::as_str)).collect()
    }

    /// Whether a process is listed with all of its functions.
    fn is_listed(&self, claimant: &Claimant<'_>) -> bool {
        let able = self.functions(claimant.process);
        claimant.functions.iter().all(|it| able.contains(it.as_str()))
    }

    /// The processes that are listed, or that may well be where no address is what it seems.
    pub(crate) fn listed(&self, claimants: &[Claimant<'_>]) -> BTreeSet<ProcessId> {
        let is_there = |it: &&Claimant<'_>| self.is_listed(it) || self.counted.contains(&it.process);
        claimants.iter().filter(is_there).map(|it| it.process).collect()
    }

    pub(crate) fn sight(&self, process: ProcessId) -> Option<&Sight> {
        self.sights.get(&process)
    }

    /// Jobs of a process that is known by its ports.
    pub(crate) fn jobs(&self, process: ProcessId) -> Option<u64> {
        let is_known = self.tells_jobs && self.known.contains(&process);
        is_known.then(|| self.exact_jobs(process).count()).and_then(|it| u64::try_from(it).ok())
    }

    fn exact_jobs(&self, process: ProcessId) -> impl Iterator<Item = Moment> {
        let exact = Some(Owner::Exact(process));
        let rows = self.of(process).map(|(_, row)| row).filter(move |row| row.owner == exact);
        rows.flat_map(|row| row.jobs.values().copied())
    }

    /// Whether a process is in the middle of a job; `None` where only the counts of functions can tell.
    pub(crate) fn job(&self, process: ProcessId, functions: &[String]) -> Option<Job> {
        if !self.tells_jobs {
            return None;
        }
        if let Some(since) = self.exact_jobs(process).min() {
            return Some(Job::Sure { since });
        }
        if self.known.contains(&process) {
            return Some(Job::None);
        }
        // It is one of those that nobody can tell apart.
        let is_busy = functions.iter().any(|it| self.busy.contains(it));
        Some(if is_busy { Job::Maybe } else { Job::None })
    }

    /// Nothing is left of a process: its rows are free.
    pub(crate) fn handle_gone(&mut self, now: Moment, process: ProcessId) {
        self.known.remove(&process);
        self.sights.remove(&process);
        self.counted.remove(&process);
        for key in self.owned.remove(&process).into_iter().flatten() {
            let Some(row) = self.rows.get_mut(&key) else { continue };
            row.owner = None;
            row.freed = Some(now);
            self.has_changed = true;
            if !row.jobs.is_empty() {
                self.busy.extend(row.functions.iter().cloned());
            }
        }
    }
}

fn is_from_here(worker: &WorkerSeen) -> bool {
    worker.port.is_some()
        && worker.address.parse().is_ok_and(|ip: IpAddr| sockets::is_local(ip.to_canonical()))
}

fn key(worker: &WorkerSeen) -> RowKey {
    RowKey {
        descriptor: worker.descriptor,
        address: worker.address.clone(),
        port: worker.port,
        client_id: worker.client_id.clone(),
        functions: if worker.port.is_some() { Vec::new() } else { worker.functions.clone() },
    }
}

#[cfg(test)]
mod tests;
