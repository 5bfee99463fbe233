//! What must be true, kept apart from `core`: a plain account of jobs, workers and clients, built from what
//! went in and what came out. Every input is judged by it.
//!
//! From: the simulated server, after each input. To: a panic that names the invariant.
//! Never: asks `core` what it thinks.

mod account;
mod away;
mod gates;
mod judge;
mod kept;
mod lists;
mod schedules;
mod shelves;
mod steer;

pub(crate) use account::number_of;
pub(crate) use steer::{handle_of, owned_document};

use crate::output::Effect;
use crate::policy::{Policy, Rules};
use geartrain_core::{ConnId, Ended, Moment, Now, Shelf, Ticket};
use geartrain_proto::Priority;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

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
    prints: bool,
    /// The latest second that the calendar showed.
    pub(crate) latest_second: i64,
    /// The time of the input that is judged.
    pub(crate) now: Now,
    /// When the server last looked at its timers.
    pub(crate) fired: Now,
    /// The rules of policies in force.
    pub(crate) rules: Rules,
    /// The policy of each function that there is, as far as one was asked for.
    in_force: BTreeMap<Vec<u8>, Policy>,
    /// Functions whose policy is another one than the rules say, and since which change of them.
    behind: BTreeMap<Vec<u8>, u64>,
    /// Changes of the rules.
    rule_changes: u64,
    /// Functions that are being dropped, by the place of the answer, and the jobs they had.
    drops: BTreeMap<Ticket, (Vec<u8>, BTreeSet<Vec<u8>>)>,
    /// Lists that are put together in portions, by the place of the answer, with the first columns of what was there
    /// since.
    lists: BTreeMap<Ticket, BTreeSet<String>>,
    starts: BTreeMap<Vec<u8>, gates::Starts>,
    /// Jobs that left the queue and are kept.
    pub(crate) letters: BTreeMap<Vec<u8>, Letter>,
    kept: kept::KeptJobs,
    /// What rules the store may hold, by the body of their documents.
    documents: steer::Documents,
    /// Typed commands that are not answered yet, by the place of their answer.
    pub(crate) commands: BTreeMap<Ticket, steer::Asked>,
    /// Jobs that were taken in, by their number elsewhere.
    imports: BTreeMap<u64, steer::Taken>,
    pub(crate) campaigns: steer::Campaigns,
    /// Whether the store takes no changes now: commands say so.
    store_failed: bool,
    /// Workers that get no jobs.
    suspended: BTreeSet<Vec<u8>>,
    /// Counts up with each place in a line.
    pub(crate) last_place: u64,
    away: away::Away,
    schedules: schedules::Schedules,
    /// The last run of each schedule that lived when the input came.
    schedules_before: BTreeMap<String, Option<u64>>,
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
    /// Grabs whose answer was held until a workload was read.
    pub held: u64,
    /// Of those, how many were answered by `NO_JOB` after all.
    pub withdrawn: u64,
    /// Jobs whose record could not be read.
    pub unreadable: u64,
    /// Attempts that took longer than they may.
    pub timed_out: u64,
    /// Jobs that had their whole time again.
    pub extended: u64,
    /// Jobs given back.
    pub given_back: u64,
    /// Jobs that ended by a worker's report.
    pub done: u64,
    /// Jobs that died.
    pub spent: u64,
    /// Jobs that expired.
    pub expired: u64,
    /// Jobs that wait a pause before their next attempt.
    pub paused: u64,
    /// Jobs started under a cap or a rate.
    pub limited_starts: u64,
    /// Rules of policies set or taken back.
    pub policies: u64,
    /// Of those, how many while one before was not in force everywhere.
    pub policies_between: u64,
    /// Functions that were dropped in several portions.
    pub drops: u64,
    /// Lists that were put together in several portions.
    pub lists: u64,
    /// Letters removed by a rule.
    pub letters_removed: u64,
    /// Letters that a person dropped.
    pub letters_dropped: u64,
    /// Letters that went back into the queue.
    pub requeued: u64,
    /// Letters found in the store at a start.
    pub letters_loaded: u64,
    /// Jobs that got another function or priority.
    pub moved: u64,
    /// Jobs taken in.
    pub imported: u64,
    /// Items of exports compared.
    pub exported: u64,
    /// Typed commands answered.
    pub answered: u64,
    /// Jobs that schedules submitted.
    pub scheduled: u64,
    /// Due times that schedules ran.
    pub due_runs: u64,
    /// Due times that came again, since their job was not stored.
    pub undone_runs: u64,
    /// Letters that went back at a rate.
    pub rated_releases: u64,
    /// Workers that were suspended.
    pub suspended: u64,
    /// Reads that were answered, and that failed.
    pub reads: [u64; 2],
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
        self.held += other.held;
        self.withdrawn += other.withdrawn;
        self.unreadable += other.unreadable;
        self.timed_out += other.timed_out;
        self.extended += other.extended;
        self.given_back += other.given_back;
        self.done += other.done;
        self.spent += other.spent;
        self.expired += other.expired;
        self.paused += other.paused;
        self.limited_starts += other.limited_starts;
        self.policies += other.policies;
        self.policies_between += other.policies_between;
        self.drops += other.drops;
        self.lists += other.lists;
        self.letters_removed += other.letters_removed;
        self.letters_dropped += other.letters_dropped;
        self.requeued += other.requeued;
        self.letters_loaded += other.letters_loaded;
        self.moved += other.moved;
        self.imported += other.imported;
        self.exported += other.exported;
        self.answered += other.answered;
        self.scheduled += other.scheduled;
        self.due_runs += other.due_runs;
        self.undone_runs += other.undone_runs;
        self.rated_releases += other.rated_releases;
        self.suspended += other.suspended;
        self.reads = [self.reads[0] + other.reads[0], self.reads[1] + other.reads[1]];
        self.cancelled += other.cancelled;
        self.refused += other.refused;
        self.crashes += other.crashes;
        self.commits_failed += other.commits_failed;
        self.commits += other.commits;
        self.loaded += other.loaded;
        self.acknowledgements_checked += other.acknowledgements_checked;
    }
}

/// The [`Job::since`] of one that does not stand in its line yet.
pub(crate) const NOT_YET: (i64, i64) = (i64::MAX, i64::MIN);

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
    /// How many workers it lost.
    pub(crate) lost: u32,
    /// Since when it stands in its line, in milliseconds: the earliest and the latest.
    pub(crate) since: (i64, i64),
    /// What has to follow, since an attempt was its last.
    pub(crate) must_end: Option<Ended>,
    /// Whether it may be dropped at once, since nobody waits for it.
    pub(crate) may_be_abandoned: bool,
    /// Until when its worker may take.
    pub(crate) deadline: Option<Moment>,
}

/// A job that left the queue and is kept.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    pub(crate) shelf: Shelf,
    pub(crate) function: Vec<u8>,
    pub(crate) ended: i64,
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
    /// Until a time of the calendar, in milliseconds, which lies between these.
    Delayed {
        earliest: i64,
        latest: i64,
    },
    /// Until a moment, in milliseconds, which lies between these.
    Paused {
        earliest: i64,
        latest: i64,
    },
    /// On a worker that waits for its workload.
    Held(ConnId),
    Running(ConnId),
}

impl State {
    /// Whether it counts as running.
    pub(crate) fn is_on_worker(self) -> bool {
        matches!(self, State::Held(_) | State::Running(_))
    }
}

/// All that is known of a job, whether it lives or not.
#[derive(Debug, Clone)]
pub(crate) struct Life {
    pub(crate) content: Content,
    pub(crate) acknowledged: bool,
    pub(crate) ended: Option<Ended>,
    /// Whether its place is not said any more.
    pub(crate) was_given_back: bool,
    /// Whether a letter of it was removed, by a rule or a person.
    pub(crate) removed: bool,
    /// Whether it was a background job alone, all of whose attempts are in the store.
    pub(crate) is_plain: bool,
}

impl Life {
    pub(crate) fn new(content: Content) -> Self {
        Self {
            content,
            acknowledged: false,
            ended: None,
            was_given_back: false,
            removed: false,
            is_plain: false,
        }
    }

    /// Whether nothing is owed about the job any more.
    fn is_over(&self) -> bool {
        match self.ended {
            None => false,
            Some(Ended::Dead(_)) => self.removed,
            Some(_) => true,
        }
    }
}

/// A connection.
#[derive(Debug, Default)]
pub(crate) struct Peer {
    pub(crate) abilities: BTreeSet<Vec<u8>>,
    /// How long it may take for a job, by function.
    pub(crate) limits: BTreeMap<Vec<u8>, Duration>,
    pub(crate) sleep: Sleep,
    pub(crate) exceptions: bool,
    /// How many results it waits for, by handle.
    pub(crate) awaits: BTreeMap<Vec<u8>, u32>,
    /// The job it just reported an exception for.
    pub(crate) exception_for: Option<Vec<u8>>,
    /// By what it is known again.
    pub(crate) identity: Vec<u8>,
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
    /// A typed command that could be read.
    Typed(ConnId, &'a geartrain_proto::command::Command),
    Malformed,
    /// What was loaded is in force.
    Started,
    Closed(ConnId),
    /// The server looked at its timers; whether nothing more is due.
    Timeout {
        is_done: bool,
    },
    StoreFailed(Ticket),
    Committed(Ticket),
    /// All that was read from the store was given to the server, but for a job that is unreadable.
    Read {
        ticket: Ticket,
        failed: bool,
        unreadable: Option<u64>,
    },
}

impl Cause<'_> {
    fn name(self) -> String {
        match self {
            Cause::Request(_, request) => format!("{:?}", request.kind()),
            Cause::Typed(_, command) => command.to_line(),
            Cause::Admin(command) => format!("{command:?}"),
            other => format!("{other:?}"),
        }
    }
}

impl Oracle {
    pub(crate) fn new(job_retries: u32, prints: bool) -> Self {
        Self { job_retries, prints, ..Self::default() }
    }

    /// Prints what an input caused, where the trace is asked for.
    #[expect(clippy::print_stdout, reason = "the trace is what was asked for")]
    fn print(&self, cause: Cause<'_>, effects: &[Effect]) {
        if self.prints {
            let shown =
                effects.iter().filter(|effect| !matches!(effect, Effect::Send { .. } | Effect::Text { .. }));
            for effect in shown {
                println!("    {}: {effect:?}", cause.name());
            }
        }
    }

    pub(crate) fn is_over(&self, handle: &[u8]) -> bool {
        self.ever.get(handle).is_some_and(|life| life.ended.is_some())
    }

    /// Whether a job certainly stands in its line, and its function may start jobs.
    fn is_ready(&mut self, handle: &[u8]) -> bool {
        let Some(job) = self.jobs.get(handle).filter(|job| job.state == State::Waiting) else { return false };
        let function = job.content.function.clone();
        self.is_open(&function)
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
                !life.acknowledged || life.is_over() || self.letters.contains_key(handle),
                "I7: acknowledged background job {name} was neither run, cancelled nor is it a dead letter"
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
