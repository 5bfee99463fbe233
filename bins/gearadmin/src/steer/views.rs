//! Rows as people read them: a table for each kind of listing, or all about one thing.
//!
//! From: rows of replies. To: standard output.
//! Never: holds more than a portion of a listing.

use super::details;
use super::session::parse_row;
use super::shown::{count, span, text, time, word};
use super::table::Table;
use geartrain_proto::command::{
    Bytes, Counts, Explanation, GroupRow, JobRow, LetterRow, PolicyRow, PriorityName, ScheduleRow, StateName,
    WorkerRow,
};
use std::io::Write;
use std::time::Duration;

/// What the rows of a command are shown as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    Policies,
    Jobs,
    Job,
    Workers,
    Groups,
    Counts,
    Letters,
    Finished,
    Letter,
    /// The workload of a job or letter, as it is.
    Workload,
    Schedules,
    Schedule,
    Explanation,
}

/// Writes rows as a view shows them.
#[derive(Debug)]
pub(crate) struct Printer {
    view: View,
    table: Option<Table>,
    rows: u64,
}

impl View {
    fn heads(self) -> Option<&'static [&'static str]> {
        match self {
            View::Policies => Some(&["FUNCTION", "KEY", "VALUE", "FROM"]),
            View::Jobs => Some(&[
                "HANDLE",
                "FUNCTION",
                "STATE",
                "PRIORITY",
                ">ATTEMPTS",
                "SUBMITTED",
                "UNIQUE",
                "WORKER",
            ]),
            View::Workers => {
                Some(&[">CONNECTION", "ADDRESS", "CLIENT ID", "STATE", ">FAILURES", "RUNS", "FUNCTIONS"])
            }
            View::Groups => Some(&["GROUP", ">COUNT", "HOW", "FIRST", "LAST", "FUNCTIONS", "ERROR"]),
            View::Counts => Some(&[">DEAD", ">GROUPS", ">FINISHED", ">REMOVED"]),
            View::Letters | View::Finished => {
                Some(&["HANDLE", "FUNCTION", "HOW", ">ATTEMPTS", "ENDED", "UNIQUE", "GROUP", "ERROR"])
            }
            View::Schedules => Some(&[
                "NAME",
                "WHEN",
                "ZONE",
                "FUNCTION",
                "STATE",
                "NEXT",
                "LAST",
                "OUTCOME",
                ">RUNS",
                ">FAILED",
                ">LEFT OUT",
            ]),
            View::Job | View::Letter | View::Workload | View::Schedule | View::Explanation => None,
        }
    }

    /// What is said of a listing without rows.
    pub(crate) const fn nothing(self) -> Option<&'static str> {
        match self {
            View::Policies => Some("no policies"),
            View::Jobs => Some("no jobs"),
            View::Workers => Some("no workers"),
            View::Groups | View::Letters => Some("no dead letters"),
            View::Finished => Some("no finished jobs"),
            View::Schedules => Some("no schedules"),
            View::Counts | View::Job | View::Letter | View::Workload | View::Schedule | View::Explanation => {
                None
            }
        }
    }

    /// Whether a row explains that nothing is known of what was asked for.
    pub(crate) fn is_unknown(self, row: &[u8]) -> bool {
        let says_so = |row: Explanation| row.findings.iter().any(|finding| finding.reason == "unknown");
        self == View::Explanation && parse_row(row).is_ok_and(says_so)
    }

    /// A printer for one reply.
    pub(crate) fn printer(self) -> Printer {
        Printer { view: self, table: self.heads().map(Table::new), rows: 0 }
    }
}

impl Printer {
    /// Prints a row.
    ///
    /// # Errors
    /// When the row is of another kind, or `out` does not take it.
    pub(crate) fn row(&mut self, out: &mut impl Write, row: &[u8]) -> anyhow::Result<()> {
        if self.rows > 0 && self.table.is_none() && self.view != View::Workload {
            writeln!(out)?;
        }
        self.rows += 1;
        let cells = match self.view {
            View::Policies => {
                let row: PolicyRow = parse_row(row)?;
                let Some(table) = &mut self.table else { return Ok(()) };
                for (key, (value, from)) in &row.values {
                    let cells = vec![text(&row.function), word(key), word(value), word(from)];
                    table.row(out, cells)?;
                }
                return Ok(());
            }
            View::Jobs => job(&parse_row(row)?),
            View::Workers => worker(&parse_row(row)?),
            View::Groups => group(&parse_row(row)?),
            View::Counts => counts(&parse_row(row)?),
            View::Letters | View::Finished => letter(&parse_row(row)?),
            View::Schedules => schedule(&parse_row(row)?),
            View::Job => return Ok(details::job(out, &parse_row(row)?)?),
            View::Letter => return Ok(details::letter(out, &parse_row(row)?)?),
            View::Workload => return Ok(details::workload(out, &parse_row(row)?)?),
            View::Schedule => return Ok(details::schedule(out, &parse_row(row)?)?),
            View::Explanation => return Ok(details::explanation(out, &parse_row(row)?)?),
        };
        match &mut self.table {
            Some(table) => Ok(table.row(out, cells)?),
            None => Ok(()),
        }
    }

    /// Prints what is left.
    ///
    /// # Errors
    /// When `out` does not take it.
    pub(crate) fn end(self, out: &mut impl Write) -> anyhow::Result<()> {
        match self.table {
            Some(table) => Ok(table.end(out)?),
            None => Ok(()),
        }
    }
}

/// The word for a priority.
pub(crate) const fn priority(name: PriorityName) -> &'static str {
    match name {
        PriorityName::High => "high",
        PriorityName::Normal => "normal",
        PriorityName::Low => "low",
    }
}

/// The word for a state, and what it waits for.
pub(crate) fn state(row: &JobRow) -> String {
    match (row.state, row.not_before, row.running_ms) {
        (StateName::Delayed, Some(not_before), _) => format!("delayed to {}", time(not_before)),
        (StateName::Delayed, None, _) => "delayed".to_owned(),
        (StateName::Running, _, Some(ms)) => format!("running for {}", span(Duration::from_millis(ms))),
        (StateName::Running, _, None) => "running".to_owned(),
        (StateName::Queued, ..) => "queued".to_owned(),
        (StateName::Waiting, ..) => "waiting".to_owned(),
    }
}

/// Names with commas.
pub(crate) fn names(list: &[Bytes]) -> String {
    list.iter().map(text).collect::<Vec<_>>().join(", ")
}

fn job(row: &JobRow) -> Vec<String> {
    vec![
        text(&row.handle),
        text(&row.function),
        state(row),
        priority(row.priority).to_owned(),
        count(row.attempts.into()),
        time(row.submitted),
        text(&row.unique),
        row.worker.as_ref().map(text).unwrap_or_default(),
    ]
}

fn worker(row: &WorkerRow) -> Vec<String> {
    let state = match row.suspended_ms {
        Some(ms) => format!("gets no jobs for {}", span(Duration::from_millis(ms))),
        None => word(&row.sleep),
    };
    vec![
        row.descriptor.to_string(),
        word(&row.address),
        text(&row.client_id),
        state,
        count(row.failures.into()),
        names(&row.running),
        names(&row.functions),
    ]
}

fn counts(row: &Counts) -> Vec<String> {
    [row.dead, row.groups, row.finished, row.removed].map(count).to_vec()
}

fn group(row: &GroupRow) -> Vec<String> {
    vec![
        word(&row.group),
        count(row.count),
        word(&row.how),
        time(row.first),
        time(row.last),
        names(&row.functions),
        text(&row.error),
    ]
}

fn letter(row: &LetterRow) -> Vec<String> {
    vec![
        text(&row.handle),
        text(&row.function),
        word(&row.how),
        count(row.attempts.into()),
        time(row.ended),
        text(&row.unique),
        row.group.as_deref().map(word).unwrap_or_default(),
        text(&row.error),
    ]
}

fn schedule(row: &ScheduleRow) -> Vec<String> {
    vec![
        word(&row.schedule.name),
        word(&row.schedule.when),
        row.schedule.zone.as_deref().map(word).unwrap_or_default(),
        text(&row.schedule.function),
        if row.paused { "paused" } else { "on" }.to_owned(),
        row.next.map(time).unwrap_or_default(),
        row.last.map(time).unwrap_or_default(),
        row.last_outcome.as_deref().map(word).unwrap_or_default(),
        count(row.runs),
        count(row.failed),
        count(row.skipped.saturating_add(row.missed_runs)),
    ]
}
