//! Typed commands: what steers the queue, as one line of words and JSON, answered in lines of JSON.
//!
//! From: a text line that begins with the words of a command. To: a [`Command`], which `core` answers with
//! the rows named beside it, one JSON object a line, and a line `.` at the end.
//! Never: does much at once. What may be long is done in pages: the last row of a page is a [`Page`], and
//! the same command with its `next` as `after` goes on there.

mod bytes;
mod dead;
mod explain;
mod jobs;
mod line;
mod mistake;
mod moving;
mod policy;
mod schedule;

pub use bytes::Bytes;
pub use dead::{
    AttemptRow, Campaign, CampaignState, Counts, DeadCounts, DeadDrop, DeadFilter, DeadGroups, DeadList,
    DeadProgress, DeadRequeue, DeadShow, Dropped, GroupRow, LetterRow, ShelfName,
};
pub use explain::{Explain, Explanation, Finding};
pub use jobs::{
    Changed, JobRow, JobsCancel, JobsCount, JobsFilter, JobsList, JobsMove, JobsPick, JobsPriority, JobsShow,
    PriorityName, StateName, WorkerRow, WorkersList,
};
pub use moving::{Export, Import, Imported, Item, Section};
pub use policy::{FunctionName, PolicyRow, PolicySet, PolicyShow, PolicyUnset, PolicyValue};
pub use schedule::{Missed, Overlap, ScheduleAdd, ScheduleList, ScheduleName, ScheduleRow};

pub(crate) use line::{LineEnd, line_end};

use line::Head;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Most rows of one page.
pub const PAGE_ROWS_MAX: u32 = 1000;

/// The last row of every page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Page {
    /// Where the next page begins: `after` of the next command. Absent when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// Why a command was not carried out, in the place of its rows.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
#[error("{error}")]
pub struct CommandError {
    /// What is wrong, where, and what would be right: one sentence.
    pub error: String,
}

impl CommandError {
    /// An error with this text.
    pub fn new(error: impl Into<String>) -> Self {
        Self { error: error.into() }
    }
}

macro_rules! commands {
    ($($(#[$doc:meta])* $variant:ident($arguments:ty) = $words:literal,)*) => {
        /// A typed command.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Command {
            $($(#[$doc])* $variant(Box<$arguments>),)*
        }

        impl Command {
            /// The words of every command.
            pub const ALL_WORDS: &'static [&'static str] = &[$($words),*];

            /// The words that the line begins with.
            #[must_use]
            pub const fn words(&self) -> &'static str {
                match self {
                    $(Command::$variant(_) => $words,)*
                }
            }

            fn from_words(words: &str, json: &[u8]) -> Option<Result<Self, CommandError>> {
                match words {
                    $($words => Some(mistake::read(words, json).map(|it| Command::$variant(Box::new(it)))),)*
                    _ => None,
                }
            }

            /// The line as it is sent, without its line feed.
            ///
            /// A line over [`crate::limits::LINE_BYTES_MAX`] says the length of its JSON before it.
            #[must_use]
            pub fn to_line(&self) -> String {
                let json = match self {
                    $(Command::$variant(arguments) => serde_json::to_string(arguments),)*
                };
                line::write(self.words(), &json.expect("arguments have no keys that are no strings"))
            }
        }
    };
}

commands! {
    /// Policies by rule, or of one function with where each value comes from: [`PolicyRow`].
    PolicyShow(PolicyShow) = "policy show",
    /// Sets values of a rule, which is made when it is new: the rule's [`PolicyRow`].
    PolicySet(PolicySet) = "policy set",
    /// Takes values of a rule back: the rule's [`PolicyRow`].
    PolicyUnset(PolicyUnset) = "policy unset",
    /// How many jobs a filter matches: [`Changed`].
    JobsCount(JobsCount) = "jobs count",
    /// Jobs that wait or run: [`JobRow`].
    JobsList(JobsList) = "jobs list",
    /// One job, its workload and its attempts: [`JobRow`], [`AttemptRow`].
    JobsShow(JobsShow) = "jobs show",
    /// Ends jobs; clients that wait get `WORK_FAIL`: [`Changed`].
    JobsCancel(JobsCancel) = "jobs cancel",
    /// Moves waiting jobs to another function: [`Changed`].
    JobsMove(JobsMove) = "jobs move",
    /// Gives waiting jobs another priority: [`Changed`].
    JobsPriority(JobsPriority) = "jobs priority",
    /// Connections of workers: [`WorkerRow`].
    WorkersList(WorkersList) = "workers list",
    /// Dead letters by error: [`GroupRow`].
    DeadGroups(DeadGroups) = "dead groups",
    /// How many letters there are, and how many were removed by the rules of their keeping: [`Counts`].
    DeadCounts(DeadCounts) = "dead counts",
    /// Dead letters, or finished jobs: [`LetterRow`].
    DeadList(DeadList) = "dead list",
    /// One of them, its workload and its attempts: [`LetterRow`], [`AttemptRow`].
    DeadShow(DeadShow) = "dead show",
    /// Puts dead letters back into the queue, at once or by and by: [`Campaign`].
    DeadRequeue(DeadRequeue) = "dead requeue",
    /// How far that is: [`Campaign`].
    DeadProgress(DeadProgress) = "dead progress",
    /// Forgets dead letters: [`Dropped`].
    DeadDrop(DeadDrop) = "dead drop",
    /// Adds a recurring schedule: its [`ScheduleRow`].
    ScheduleAdd(ScheduleAdd) = "schedule add",
    /// All schedules: [`ScheduleRow`].
    ScheduleList(ScheduleList) = "schedule list",
    /// One schedule: [`ScheduleRow`].
    ScheduleShow(ScheduleName) = "schedule show",
    /// Lets the runs of a schedule pass: its [`ScheduleRow`].
    SchedulePause(ScheduleName) = "schedule pause",
    /// Ends that: its [`ScheduleRow`].
    ScheduleResume(ScheduleName) = "schedule resume",
    /// Submits the job of a schedule now: its [`ScheduleRow`].
    ScheduleRun(ScheduleName) = "schedule run",
    /// Forgets a schedule: nothing but the [`Page`].
    ScheduleRemove(ScheduleName) = "schedule remove",
    /// Why a job or function does not move, and when it will: [`Explanation`].
    Explain(Explain) = "explain",
    /// One page of all that is kept: [`Item`].
    Export(Export) = "export",
    /// Takes one [`Item`] of an export in: [`Imported`].
    Import(Import) = "import",
}

impl Command {
    /// Reads a line without its end; `None` when it does not begin with the words of a command.
    ///
    /// `workers list` is ours only where nothing but JSON follows: the reference takes `workers` with any words.
    ///
    /// # Errors
    /// When the second word is none, or the JSON behind the words is malformed, lacks a key, or has a key or
    /// value that it should not have.
    #[must_use]
    pub fn parse(line: &[u8]) -> Option<Result<Self, CommandError>> {
        match line::head(line) {
            Head::Other => None,
            Head::Unknown(error) => Some(Err(error)),
            Head::Words(words, end) => match line::json(words, line, end) {
                Ok(json) => Self::from_words(words, json),
                Err(error) => Some(Err(error)),
            },
        }
    }

    /// The beginning of the page that is asked for, of commands that are answered in pages.
    pub fn after_mut(&mut self) -> Option<&mut u64> {
        match self {
            Command::JobsCount(it) => Some(&mut it.pick.after),
            Command::JobsList(it) => Some(&mut it.pick.after),
            Command::JobsCancel(it) => Some(&mut it.pick.after),
            Command::JobsMove(it) => Some(&mut it.pick.after),
            Command::JobsPriority(it) => Some(&mut it.pick.after),
            Command::WorkersList(it) => Some(&mut it.after),
            Command::DeadGroups(it) => Some(&mut it.after),
            Command::DeadList(it) => Some(&mut it.after),
            Command::DeadDrop(it) => Some(&mut it.after),
            Command::ScheduleList(it) => Some(&mut it.after),
            Command::Export(it) => Some(&mut it.after),
            Command::PolicyShow(_)
            | Command::PolicySet(_)
            | Command::PolicyUnset(_)
            | Command::JobsShow(_)
            | Command::DeadCounts(_)
            | Command::DeadShow(_)
            | Command::DeadRequeue(_)
            | Command::DeadProgress(_)
            | Command::ScheduleAdd(_)
            | Command::ScheduleShow(_)
            | Command::SchedulePause(_)
            | Command::ScheduleResume(_)
            | Command::ScheduleRun(_)
            | Command::ScheduleRemove(_)
            | Command::Explain(_)
            | Command::Import(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
