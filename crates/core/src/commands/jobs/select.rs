//! Which jobs a command means: those of its handles, or of its filter page by page.
//!
//! From: the commands about jobs. To: one page of keys, or what must be read from the store first.
//! Never: looks at more than a page of slots, or at more than a few megabytes of workloads, at once.

use crate::commands::{Reading, Reply};
use crate::core::Core;
use crate::function::FunctionKey;
use crate::ids::{Now, UnixTime};
use crate::job::{Job, JobKey, State};
use crate::persist::Wanted;
use crate::rules::{is_pattern, matches};
use geartrain_proto::command::{Bytes, CommandError, JobsFilter, JobsPick, StateName};
use geartrain_proto::{Function, Handle, Priority};
use memchr::memmem::Finder;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Most slots that one page looks at: some hundred microseconds.
const SLOTS_MAX: u64 = 20_000;

/// Most handles of one command.
const HANDLES_MAX: usize = 1000;

/// Most bytes of workloads that one page searches or asks the store for, but for the last one.
const SEARCHED_BYTES_MAX: u64 = 8 << 20;

/// Most jobs whose workloads one page asks the store for.
const ASKED_MAX: usize = 2000;

/// What one page may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    /// Most jobs.
    pub(super) jobs: usize,
    /// Clients of the jobs taken, after which the page ends.
    pub(super) clients: usize,
}

/// The jobs of a page.
#[derive(Debug)]
pub(super) struct Selection {
    pub(super) keys: Vec<JobKey>,
    /// Where the next page begins.
    pub(super) next: Option<u64>,
}

/// A page, or what it needs first.
#[derive(Debug)]
pub(super) enum Selected {
    Page(Selection),
    Needs(Reply),
}

/// A filter that makes sense, with what can be known of it beforehand.
struct Filter<'f> {
    function: Of<'f>,
    state: Option<StateName>,
    priority: Option<Priority>,
    older_than: Option<Duration>,
    younger_than: Option<Duration>,
    unique: Option<&'f [u8]>,
    text: Option<Finder<'f>>,
}

enum Of<'f> {
    Any,
    Function(Option<FunctionKey>),
    Pattern(&'f [u8]),
}

/// What is known of the workload of a job.
enum Workload<'w> {
    Known(&'w [u8]),
    /// The store has it.
    Stored,
    /// The store was asked for it, and has none.
    Lost,
    /// It left the memory after the store was asked for others.
    Late,
}

impl Core {
    /// The page of jobs that is meant, as many as `budget` allows.
    pub(super) fn select_jobs(
        &self,
        pick: &JobsPick,
        reading: Option<&Reading>,
        budget: Budget,
    ) -> Result<Selected, CommandError> {
        if pick.handles.is_empty() {
            let filter = self.filter(&pick.filter)?;
            return Ok(self.scan(&filter, pick.after, reading, budget));
        }
        let keys = self.jobs_of_handles(&pick.handles)?;
        Ok(Selected::Page(Selection { keys, next: None }))
    }

    fn jobs_of_handles(&self, handles: &[Bytes]) -> Result<Vec<JobKey>, CommandError> {
        if handles.len() > HANDLES_MAX {
            return Err(CommandError::new(format!(
                "{} handles are over the limit of {HANDLES_MAX} at once",
                handles.len()
            )));
        }
        let mut numbers = BTreeSet::new();
        for handle in handles {
            numbers.insert(self.number_of(handle)?);
        }
        Ok(numbers.into_iter().filter_map(|number| self.jobs.find(number)).collect())
    }

    /// The number in a handle, which may be of no job.
    pub(in crate::commands) fn number_of(&self, handle: &Bytes) -> Result<u64, CommandError> {
        self.handles.number(Handle::new(handle.as_bytes())).ok_or_else(|| {
            let prefix = &self.settings.handle_prefix;
            CommandError::new(format!("{handle} is no handle of this server: these are {prefix}:NUMBER"))
        })
    }

    fn filter<'f>(&self, filter: &'f JobsFilter) -> Result<Filter<'f>, CommandError> {
        let older_than = filter.older_than.map(Duration::from_secs);
        let younger_than = filter.younger_than.map(Duration::from_secs);
        if let (Some(older), Some(younger)) = (filter.older_than, filter.younger_than)
            && older > younger
        {
            return Err(CommandError::new(format!(
                "older-than {older} s and younger-than {younger} s: no job is both, older-than must be the smaller one"
            )));
        }
        let function = match &filter.function {
            None => Of::Any,
            Some(name) if name.is_empty() => {
                return Err(CommandError::new(
                    "function is empty: leave it out to mean jobs of all functions",
                ));
            }
            Some(name) if is_pattern(name.as_bytes()) => Of::Pattern(name.as_bytes()),
            Some(name) => Of::Function(self.functions.find(Function::new(name.as_bytes()))),
        };
        if filter.text.as_ref().is_some_and(Bytes::is_empty) {
            return Err(CommandError::new("text is empty: leave it out to mean jobs with any workload"));
        }
        Ok(Filter {
            function,
            state: filter.state,
            priority: filter.priority.map(Priority::from),
            older_than,
            younger_than,
            unique: filter.unique.as_ref().map(Bytes::as_bytes),
            text: filter.text.as_ref().map(|text| Finder::new(text.as_bytes())),
        })
    }

    fn scan(&self, filter: &Filter<'_>, after: u64, reading: Option<&Reading>, budget: Budget) -> Selected {
        if matches!(filter.function, Of::Function(None)) {
            return Selected::Page(Selection { keys: Vec::new(), next: None });
        }
        let known = Known::new(reading);
        let (mut keys, mut asked) = (Vec::new(), Vec::new());
        let (mut clients, mut searched, mut next) = (0, 0, None);
        for (slot, job) in self.jobs.slots(after) {
            let is_full = keys.len() >= budget.jobs
                || clients >= budget.clients
                || searched >= SEARCHED_BYTES_MAX
                || asked.len() >= ASKED_MAX;
            if is_full || slot - after >= SLOTS_MAX {
                next = Some(slot);
                break;
            }
            let Some((key, job)) = job.filter(|(_, job)| self.is_meant(filter, job)) else { continue };
            if let Some(text) = &filter.text {
                let workload = known.workload(job);
                searched += job.content_len();
                match workload {
                    Workload::Known(workload) if asked.is_empty() && text.find(workload).is_none() => {
                        continue;
                    }
                    Workload::Known(_) => {}
                    Workload::Stored => asked.push(job.number()),
                    Workload::Lost => continue,
                    Workload::Late => {
                        next = Some(slot);
                        break;
                    }
                }
            }
            clients += job.waiters().len();
            keys.push(key);
        }
        if asked.is_empty() {
            Selected::Page(Selection { keys, next })
        } else {
            Selected::Needs(Reply::Read { wanted: Wanted::Workloads, numbers: asked, next })
        }
    }

    /// Whether a job fulfils a filter, but for the text of its workload.
    fn is_meant(&self, filter: &Filter<'_>, job: &Job) -> bool {
        let age = || self.now.unix.since(job.submitted());
        filter.priority.is_none_or(|priority| job.priority() == priority)
            && filter.state.is_none_or(|state| is_in(job.state(), state))
            && match filter.function {
                Of::Any => true,
                Of::Function(function) => Some(job.function()) == function,
                Of::Pattern(pattern) => matches(pattern, self.functions.name(job.function()).as_bytes()),
            }
            && filter.older_than.is_none_or(|least| age() >= least)
            && filter.younger_than.is_none_or(|most| age() <= most)
            && filter.unique.is_none_or(|pattern| matches(pattern, job.unique().as_bytes()))
    }
}

/// What was read for a page.
struct Known<'r> {
    workloads: Option<&'r BTreeMap<u64, Vec<u8>>>,
    asked: BTreeSet<u64>,
}

impl<'r> Known<'r> {
    fn new(reading: Option<&'r Reading>) -> Self {
        let workloads = reading.map(|reading| &reading.workloads);
        let asked = reading.map_or_else(BTreeSet::new, |reading| reading.asked.iter().copied().collect());
        Self { workloads, asked }
    }

    fn workload<'w>(&self, job: &'w Job) -> Workload<'w>
    where
        'r: 'w,
    {
        if let Some(workload) = super::workload_in_memory(job) {
            return Workload::Known(workload);
        }
        let Some(workloads) = self.workloads else { return Workload::Stored };
        match workloads.get(&job.number()) {
            Some(workload) => Workload::Known(workload),
            None if self.asked.contains(&job.number()) => Workload::Lost,
            None => Workload::Late,
        }
    }
}

/// Whether a job in this state is meant by that name.
fn is_in(state: &State, name: StateName) -> bool {
    match name {
        StateName::Waiting => !matches!(state, State::Running(_)),
        StateName::Queued => matches!(state, State::Queued { .. }),
        StateName::Delayed => matches!(state, State::Delayed { .. } | State::Paused { .. }),
        StateName::Running => matches!(state, State::Running(_)),
    }
}

/// The name of a state, and when the job becomes ready.
pub(super) fn state_of(job: &Job, now: Now) -> (StateName, Option<UnixTime>) {
    match job.state() {
        State::Delayed { until, .. } => (StateName::Delayed, Some(*until)),
        State::Paused { .. } => (StateName::Delayed, Some(now.unix.after(job.wait(now)))),
        State::Queued { .. } => (StateName::Queued, None),
        State::Running(_) => (StateName::Running, None),
    }
}
