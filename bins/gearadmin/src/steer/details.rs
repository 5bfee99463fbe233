//! All about one job, letter, schedule or finding, as lines that begin with a name.

use super::shown::{count, counted, lines, size, span, text, time, word};
use super::table::{terminal_width, wrap};
use super::views::{priority, state};
use geartrain_proto::command::{
    AttemptRow, Bytes, Explanation, JobRow, LetterRow, Missed, Overlap, ScheduleRow,
};
use serde::Deserialize;
use std::io::{self, Write};
use std::time::Duration;

/// Bytes of a workload or of an error that are shown; `--workload` and `--json` have all of it.
const SHOWN_BYTES_MAX: usize = 4096;

/// Width of the names.
const NAME_WIDTH: usize = 12;

/// Width of the reasons of an explanation: the longest is `other-functions`.
const REASON_WIDTH: usize = 17;

/// Of a row, only what it carries.
#[derive(Debug, Deserialize)]
pub(crate) struct Carried {
    #[serde(default)]
    workload: Bytes,
}

fn line(out: &mut impl Write, name: &str, value: &str) -> io::Result<()> {
    writeln!(out, "{name:<NAME_WIDTH$}{value}")
}

fn line_if(out: &mut impl Write, name: &str, value: Option<String>) -> io::Result<()> {
    value.map_or(Ok(()), |value| line(out, name, &value))
}

/// `Some` text unless it is empty.
fn unless_empty(bytes: &Bytes) -> Option<String> {
    (!bytes.is_empty()).then(|| text(bytes))
}

/// `jobs show`
pub(crate) fn job(out: &mut impl Write, row: &JobRow) -> io::Result<()> {
    line(out, "handle", &text(&row.handle))?;
    line(out, "function", &text(&row.function))?;
    line_if(out, "unique", unless_empty(&row.unique))?;
    let kind = if row.background { "background" } else { "foreground" };
    line(out, "priority", &format!("{}, {kind}", priority(row.priority)))?;
    line(out, "state", &state(row))?;
    line_if(out, "worker", row.worker.as_ref().map(text))?;
    line(out, "submitted", &time(row.submitted))?;
    line_if(out, "expires", row.expires.map(time))?;
    line_if(out, "clients", (row.clients > 0).then(|| count(row.clients)))?;
    attempts(out, row.attempts, &row.log)?;
    content(out, "workload", row.workload.as_ref())
}

/// `dead show`, `finished show`
pub(crate) fn letter(out: &mut impl Write, row: &LetterRow) -> io::Result<()> {
    line(out, "handle", &text(&row.handle))?;
    line(out, "function", &text(&row.function))?;
    line_if(out, "unique", unless_empty(&row.unique))?;
    line(out, "priority", priority(row.priority))?;
    line(out, "ended", &format!("{}, {}", word(&row.how), time(row.ended)))?;
    line(out, "submitted", &time(row.submitted))?;
    line_if(out, "group", row.group.as_deref().map(word))?;
    if row.log.is_empty() {
        line_if(out, "error", unless_empty(&row.error))?;
    }
    attempts(out, row.attempts, &row.log)?;
    content(out, "workload", row.workload.as_ref())
}

/// The workload alone, byte by byte.
pub(crate) fn workload(out: &mut impl Write, row: &Carried) -> io::Result<()> {
    out.write_all(row.workload.as_bytes())
}

fn attempts(out: &mut impl Write, number: u32, log: &[AttemptRow]) -> io::Result<()> {
    line(out, "attempts", &count(number.into()))?;
    for attempt in log {
        let took = u64::try_from(attempt.ended.saturating_sub(attempt.started)).unwrap_or(0);
        let id = unless_empty(&attempt.client_id).map(|id| format!(" ({id})")).unwrap_or_default();
        writeln!(
            out,
            "  {}. {} after {}, {}, by {}{id}",
            attempt.attempt,
            word(&attempt.how),
            span(Duration::from_millis(took)),
            time(attempt.ended),
            word(&attempt.address)
        )?;
        block(out, attempt.text.as_bytes())?;
    }
    Ok(())
}

fn content(out: &mut impl Write, name: &str, bytes: Option<&Bytes>) -> io::Result<()> {
    let Some(bytes) = bytes else { return Ok(()) };
    line(out, name, &size(bytes.as_bytes().len()))?;
    block(out, bytes.as_bytes())
}

/// Bytes as indented lines, as far as they are shown.
fn block(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    let shown = bytes.get(..SHOWN_BYTES_MAX).unwrap_or(bytes);
    for text in lines(shown).lines() {
        writeln!(out, "     {text}")?;
    }
    if shown.len() < bytes.len() {
        writeln!(out, "     (and {} more: --json shows all)", size(bytes.len() - shown.len()))?;
    }
    Ok(())
}

/// `schedule show`.
pub(crate) fn schedule(out: &mut impl Write, row: &ScheduleRow) -> io::Result<()> {
    schedule_changed(out, row)?;
    content(out, "workload", Some(&row.schedule.workload))
}

/// The answer to every change of a schedule: it does not repeat the workload.
pub(crate) fn schedule_changed(out: &mut impl Write, row: &ScheduleRow) -> io::Result<()> {
    let schedule = &row.schedule;
    line(out, "name", &word(&schedule.name))?;
    let zone = schedule.zone.as_deref().map(|zone| format!(" in {}", word(zone))).unwrap_or_default();
    line(out, "when", &(word(&schedule.when) + &zone))?;
    line(out, "function", &text(&schedule.function))?;
    line_if(out, "unique", schedule.unique.as_ref().map(text))?;
    line_if(out, "priority", schedule.priority.map(|name| priority(name).to_owned()))?;
    let missed = match schedule.missed {
        Missed::Skip => "left out",
        Missed::One => "made up for by one run",
        Missed::All => "all made up for",
    };
    line(out, "missed", missed)?;
    let overlap = match schedule.overlap {
        Overlap::Skip => "left out",
        Overlap::Queue => "submitted all the same",
        Overlap::Coalesce => "joined to the run before",
    };
    line(out, "overlapping", overlap)?;
    line(out, "from", &word(&row.source))?;
    let next = if row.paused { Some("paused".to_owned()) } else { row.next.map(time) };
    line(out, "next", &next.unwrap_or_else(|| "never".to_owned()))?;
    line_if(out, "last", row.last.map(time))?;
    let handle = row.last_handle.as_ref().map(|handle| format!(" ({})", text(handle))).unwrap_or_default();
    let took = row.last_took_ms.and_then(|ms| u64::try_from(ms).ok());
    let took = took.map(|ms| format!(" after {}", span(Duration::from_millis(ms)))).unwrap_or_default();
    line_if(out, "outcome", row.last_outcome.as_deref().map(|outcome| word(outcome) + &took + &handle))?;
    let [runs, failed, skipped, missed] = [row.runs, row.failed, row.skipped, row.missed_runs].map(count);
    line(out, "runs", &format!("{runs}, {failed} failed; {skipped} left out, {missed} missed"))
}

/// `explain`
pub(crate) fn explanation(out: &mut impl Write, row: &Explanation) -> io::Result<()> {
    let names = [row.handle.as_ref().map(text), unless_empty(&row.function)];
    writeln!(out, "{}", names.into_iter().flatten().collect::<Vec<_>>().join(" of "))?;
    let room = terminal_width().map(|columns| columns.saturating_sub(2 + REASON_WIDTH));
    for finding in &row.findings {
        let mut reason = word(&finding.reason);
        for line in wrap(&word(&finding.text), room) {
            writeln!(out, "  {reason:<REASON_WIDTH$}{line}")?;
            reason.clear();
        }
    }
    let mut outlook = Vec::new();
    // That none is before it, a finding says.
    let ahead = row.ahead.filter(|ahead| *ahead > 0);
    outlook.extend(ahead.map(|ahead| format!("{} before it", counted(ahead, "job"))));
    outlook.extend(row.starts_in_ms.map(|ms| format!("starts in about {}", span(Duration::from_millis(ms)))));
    // A handle that nothing is known of has no function either.
    if !row.function.is_empty() {
        outlook.push(format!("{} ended in the last minute", counted(row.served_per_minute, "job")));
    }
    if outlook.is_empty() {
        return Ok(());
    }
    writeln!(out, "  {}", outlook.join("; "))
}
