//! What is said to people, and how a run ends.

use std::fmt::Display;
use std::io::{self, Write};

/// How a run ended, worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// All is done: exit status 0.
    Done,
    /// A server refused a job: exit status 2.
    Refused,
    /// A job failed, or its result will never come: exit status 1.
    Failed,
}

impl Outcome {
    /// The exit status.
    pub(crate) const fn exit_status(self) -> u8 {
        match self {
            Outcome::Done => 0,
            Outcome::Failed => 1,
            Outcome::Refused => 2,
        }
    }
}

/// Says one sentence on standard error; where that is closed, nobody listens and nothing else changes.
pub(crate) fn say(text: &dyn Display) {
    let _unheard = writeln!(io::stderr(), "gearman: {text}");
}
