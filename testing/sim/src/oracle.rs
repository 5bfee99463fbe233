//! What must be true, kept apart from `core`: a plain account of jobs, workers and clients, built from what
//! went in and what came out. Every input is judged by it.
//!
//! From: the simulated server, after each input. To: a panic that names the invariant.
//! Never: asks `core` what it thinks.

mod account;
mod judge;
mod lists;

pub(crate) use account::number_of;

use geartrain_core::{ConnId, Ended};
use geartrain_proto::Priority;
use std::collections::{BTreeMap, BTreeSet};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    pub(crate) jobs: BTreeMap<Vec<u8>, Job>,
    pub(crate) conns: BTreeMap<ConnId, Peer>,
    /// Each job that ever was, and how it ended.
    pub(crate) ever: BTreeMap<Vec<u8>, Life>,
    /// Functions that exist.
    pub(crate) functions: BTreeSet<Vec<u8>>,
    pub(crate) job_retries: u32,
    /// The latest second that the calendar showed.
    pub(crate) latest_second: i64,
    /// Counts up with each place in a line.
    pub(crate) last_place: u64,
    pub(crate) counts: Counts,
}

/// What happened, for the progress report and to see that a run tried what it should.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Jobs accepted.
    pub accepted: u64,
    /// Background jobs whose `JOB_CREATED` left the server.
    pub acknowledged: u64,
    /// Submits that joined a job.
    pub coalesced: u64,
    /// Jobs assigned.
    pub assigned: u64,
    /// Jobs given back.
    pub given_back: u64,
    /// Jobs that ended by a worker's report.
    pub done: u64,
    /// Jobs whose retries were spent.
    pub spent: u64,
    /// Jobs cancelled.
    pub cancelled: u64,
    /// Submits refused.
    pub refused: u64,
    /// Server crashes.
    pub crashes: u64,
    /// Commits that failed.
    pub commits_failed: u64,
    /// Commits that succeeded.
    pub commits: u64,
    /// Jobs found in the store at a start.
    pub loaded: u64,
    /// Acknowledgements compared with what the disk would keep.
    pub acknowledgements_checked: u64,
}

impl Counts {
    /// Adds those of another run.
    pub fn add(&mut self, other: &Counts) {
        self.accepted += other.accepted;
        self.acknowledged += other.acknowledged;
        self.coalesced += other.coalesced;
        self.assigned += other.assigned;
        self.given_back += other.given_back;
        self.done += other.done;
        self.spent += other.spent;
        self.cancelled += other.cancelled;
        self.refused += other.refused;
        self.crashes += other.crashes;
        self.commits_failed += other.commits_failed;
        self.commits += other.commits;
        self.loaded += other.loaded;
        self.acknowledgements_checked += other.acknowledgements_checked;
    }
}

/// A job that waits or runs.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) content: Content,
    pub(crate) state: State,
    /// Where it stands in its line.
    pub(crate) place: u64,
    /// Whether its place is said: not after its time came, nor after a restart when it was given back.
    pub(crate) ordered: bool,
    pub(crate) attempts: u32,
}

/// What was submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) function: Vec<u8>,
    pub(crate) unique: Vec<u8>,
    pub(crate) priority: Priority,
    pub(crate) workload: Vec<u8>,
    pub(crate) reducer: Option<Vec<u8>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Waiting,
    Delayed,
    Running(ConnId),
}

/// All that is known of a job, whether it lives or not.
#[derive(Debug, Clone)]
pub(crate) struct Life {
    pub(crate) content: Content,
    pub(crate) acknowledged: bool,
    pub(crate) ended: Option<Ended>,
    pub(crate) was_given_back: bool,
    pub(crate) not_before: i64,
}

/// A connection.
#[derive(Debug, Default)]
pub(crate) struct Peer {
    pub(crate) abilities: BTreeSet<Vec<u8>>,
    pub(crate) sleep: Sleep,
    pub(crate) exceptions: bool,
    /// How many results it waits for, by handle.
    pub(crate) awaits: BTreeMap<Vec<u8>, u32>,
    /// The job it just reported an exception for.
    pub(crate) exception_for: Option<Vec<u8>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Sleep {
    #[default]
    Awake,
    Sleeping,
    Woken,
}

/// What made `core` act.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cause<'a> {
    Request(ConnId, &'a geartrain_proto::Request<'a>),
    Admin(&'a geartrain_proto::AdminCommand<'a>),
    Malformed,
    Closed(ConnId),
    Timeout,
    StoreFailed,
    Committed,
}

impl Oracle {
    pub(crate) fn is_over(&self, handle: &[u8]) -> bool {
        self.ever.get(handle).is_some_and(|life| life.ended.is_some())
    }

    fn is_ready(job: &Job) -> bool {
        job.state == State::Waiting
    }

    /// Whether two jobs would be one: same function and unique, or workload where that stands for it.
    fn same_identity(a: &Content, b: &Content) -> bool {
        a.function == b.function
            && a.unique == b.unique
            && !a.unique.is_empty()
            && (a.unique != b"-" || (a.workload == b.workload && !a.workload.is_empty()))
    }

    /// The live job that a submit with this content must join (I5).
    fn twin(&self, content: &Content) -> Option<&Vec<u8>> {
        self.jobs.iter().find(|(_, job)| Self::same_identity(&job.content, content)).map(|(handle, _)| handle)
    }

    /// No acknowledged job may be missing once all is healed and every worker was able.
    pub(crate) fn check_drained(&self) {
        for (handle, life) in &self.ever {
            let name = handle.escape_ascii();
            assert!(
                !life.acknowledged || life.ended.is_some(),
                "I7: acknowledged background job {name} was neither run, cancelled nor given up"
            );
        }
        if let Some((handle, job)) = self.jobs.first_key_value() {
            panic!("job {} is left over: {:?}", handle.escape_ascii(), job.state);
        }
        for peer in self.conns.values() {
            assert!(
                peer.awaits.is_empty(),
                "a client of an open connection waits for {} results",
                peer.awaits.len()
            );
        }
    }
}

pub(crate) fn handle_text(handle: &[u8]) -> String {
    handle.escape_ascii().to_string()
}

pub(crate) fn is_end_by_worker(how: Ended) -> bool {
    matches!(how, Ended::Completed | Ended::Failed | Ended::Exception)
}
