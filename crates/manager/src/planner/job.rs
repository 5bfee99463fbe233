//! What is known of the jobs of a process.
//!
//! From: the job servers, through the runner. To: [`super::leave`], which protects a job.
//! Never: takes silence for news: what was known last stands.

use super::moment::Moment;

/// Whether a process is in the middle of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Job {
    /// It has none, as far as is known.
    #[default]
    None,
    /// It may have one: it is one of several processes, of which one has.
    Maybe,
    /// It has one.
    Sure {
        /// When the oldest of its jobs may have begun.
        since: Moment,
    },
}

/// The last word about the jobs of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Word {
    /// Whether job servers are asked about it: it is to do functions.
    pub(crate) is_asked: bool,
    pub(crate) job: Job,
    /// When the servers that answer were asked for it; without, none has answered yet.
    pub(crate) as_of: Option<Moment>,
}

impl Word {
    /// Of a process of which nothing was said yet.
    pub(crate) fn new(is_asked: bool) -> Self {
        Self { is_asked, job: Job::None, as_of: None }
    }

    pub(crate) fn has_job(&self) -> bool {
        self.job != Job::None
    }

    /// Whether it was asked for at this moment or later, or nobody is asked.
    pub(crate) fn is_of(&self, moment: Moment) -> bool {
        !self.is_asked || self.as_of.is_some_and(|as_of| as_of >= moment)
    }
}
