//! Which jobs or letters are meant, by options.

use super::actions::Priority;
use super::shown::parse_duration;
use clap::{Args, ValueEnum};
use geartrain_proto::command::{Bytes, DeadFilter, JobsFilter, JobsPick, StateName};
use std::time::Duration;

/// Most handles of one command; more become several commands.
pub(crate) const HANDLES_MAX: usize = 100;

/// Which jobs: those that fulfil all that is given.
#[derive(Debug, Clone, Args)]
pub(crate) struct JobsFilters {
    /// Handles of single jobs
    #[arg(value_name = "HANDLE", conflicts_with_all = ["function", "state", "older_than", "younger_than", "unique", "priority", "text"])]
    pub(crate) handles: Vec<String>,
    /// Of this function, or of those that a pattern with * and ? matches
    #[arg(long, value_name = "PATTERN")]
    function: Option<String>,
    /// In this state; waiting is queued and delayed together
    #[arg(long)]
    state: Option<State>,
    /// Submitted at least this long ago, as 5m or 1h30m
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    older_than: Option<Duration>,
    /// Submitted at most this long ago
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    younger_than: Option<Duration>,
    /// With a unique that this pattern with * and ? matches
    #[arg(long, value_name = "PATTERN")]
    unique: Option<String>,
    /// Of this priority
    #[arg(long)]
    priority: Option<Priority>,
    /// With this text in the workload
    #[arg(long)]
    text: Option<String>,
}

/// A state of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum State {
    Waiting,
    Queued,
    Delayed,
    Running,
}

impl JobsFilters {
    /// Whether nothing says which jobs are meant.
    pub(crate) fn is_all(&self) -> bool {
        self.handles.is_empty() && self.filter() == JobsFilter::default()
    }

    fn filter(&self) -> JobsFilter {
        JobsFilter {
            function: self.function.as_deref().map(Bytes::from),
            state: self.state.map(|state| match state {
                State::Waiting => StateName::Waiting,
                State::Queued => StateName::Queued,
                State::Delayed => StateName::Delayed,
                State::Running => StateName::Running,
            }),
            priority: self.priority.map(Into::into),
            older_than: self.older_than.map(at_least),
            younger_than: self.younger_than.map(|time| time.as_secs()),
            unique: self.unique.as_deref().map(Bytes::from),
            text: self.text.as_deref().map(Bytes::from),
        }
    }

    /// What is asked for, in as many commands as the handles need.
    pub(crate) fn picks(&self) -> Vec<JobsPick> {
        if self.handles.is_empty() {
            return vec![JobsPick { filter: self.filter(), ..JobsPick::default() }];
        }
        let some = |handles: &[String]| JobsPick { handles: to_bytes(handles), ..JobsPick::default() };
        self.handles.chunks(HANDLES_MAX).map(some).collect()
    }

    /// Leaves out the jobs that run; `None` where that contradicts the filter.
    pub(crate) fn only_waiting(&self) -> Option<Self> {
        let state = match self.state {
            None => State::Waiting,
            Some(State::Running) => return None,
            Some(state) => state,
        };
        Some(Self { state: Some(state), ..self.clone() })
    }
}

/// Which letters: those that fulfil all that is given.
#[derive(Debug, Clone, Args)]
pub(crate) struct LetterFilters {
    /// Handles of single letters
    #[arg(value_name = "HANDLE")]
    pub(crate) handles: Vec<String>,
    /// Of this function, or of those that a pattern with * and ? matches
    #[arg(long, value_name = "PATTERN")]
    function: Option<String>,
    /// Of this group, as dead groups names it
    #[arg(long)]
    group: Option<String>,
    /// Left the queue at least this long ago, as 5m or 1h30m
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    older_than: Option<Duration>,
    /// Left the queue at most this long ago
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    younger_than: Option<Duration>,
    /// With a unique that this pattern with * and ? matches
    #[arg(long, value_name = "PATTERN")]
    unique: Option<String>,
    /// With this text in the workload or the error
    #[arg(long)]
    text: Option<String>,
}

impl LetterFilters {
    /// Whether nothing says which letters are meant.
    pub(crate) fn is_all(&self) -> bool {
        self.filter() == DeadFilter::default()
    }

    /// The filter, all handles in it.
    pub(crate) fn filter(&self) -> DeadFilter {
        DeadFilter {
            handles: to_bytes(&self.handles),
            function: self.function.as_deref().map(Bytes::from),
            group: self.group.clone(),
            older_than: self.older_than.map(at_least),
            younger_than: self.younger_than.map(|time| time.as_secs()),
            unique: self.unique.as_deref().map(Bytes::from),
            text: self.text.as_deref().map(Bytes::from),
        }
    }

    /// What is asked for, in as many commands as the handles need.
    pub(crate) fn filters(&self) -> Vec<DeadFilter> {
        if self.handles.is_empty() {
            return vec![self.filter()];
        }
        let some = |handles: &[String]| DeadFilter { handles: to_bytes(handles), ..self.filter() };
        self.handles.chunks(HANDLES_MAX).map(some).collect()
    }
}

fn to_bytes(handles: &[String]) -> Vec<Bytes> {
    handles.iter().map(|handle| Bytes::from(handle.as_str())).collect()
}

/// The protocol counts whole seconds: what is at least 1.5 s old is at least 2 whole ones old or nearly so.
fn at_least(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}
