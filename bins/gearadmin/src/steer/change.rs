//! Changes of jobs, letters and schedules: counted first, agreed to, then carried out page by page.

use super::actions::{Consent, JobsChange, LettersDrop, Requeue};
use super::details;
use super::filters::{JobsFilters, LetterFilters};
use super::progress::Progress;
use super::session::{Consented, Session};
use super::shown::{self, counted, word};
use anyhow::bail;
use geartrain_client::{ClientError, Connection};
use geartrain_proto::command::{
    Bytes, Changed, Command, CommandError, DeadDrop, DeadFilter, Dropped, JobsCancel, JobsCount, JobsMove,
    JobsPick, JobsPriority, PriorityName, ScheduleName, ScheduleRow, ShelfName,
};
use std::collections::BTreeSet;

/// How a change is spoken of.
struct Words<'w> {
    /// As in "cancel 3 jobs?".
    ask: &'w str,
    /// What follows the count: " to the function resize".
    to: String,
    /// As in "cancelled 3 jobs".
    done: &'w str,
}

/// `jobs cancel`
///
/// # Errors
/// When it is not agreed to, or the server refuses it.
pub(crate) fn cancel(session: &Session<'_>, change: &JobsChange) -> anyhow::Result<()> {
    let words = Words { ask: "cancel", to: String::new(), done: "cancelled" };
    jobs(session, &change.which, &change.consent, &words, |pick| {
        Command::JobsCancel(Box::new(JobsCancel { pick }))
    })
}

/// `jobs purge`
///
/// # Errors
/// As [`cancel`], and for jobs that run.
pub(crate) fn purge(session: &Session<'_>, change: &JobsChange) -> anyhow::Result<()> {
    let Some(which) = change.which.only_waiting() else {
        bail!("jobs purge ends jobs that wait, not those that run (hint: jobs cancel --state running)");
    };
    if !which.handles.is_empty() {
        bail!("jobs purge takes a filter, no handles (hint: jobs cancel HANDLE)");
    }
    if change.which.is_all() && !change.consent.all {
        bail!("nothing says which jobs are meant (hint: --function, or --all for all of them)");
    }
    let consent = Consent { all: true, yes: change.consent.yes };
    let words = Words { ask: "purge", to: String::new(), done: "purged" };
    jobs(session, &which, &consent, &words, |pick| Command::JobsCancel(Box::new(JobsCancel { pick })))
}

/// `jobs move`
///
/// # Errors
/// As [`cancel`].
pub(crate) fn move_to(session: &Session<'_>, change: &JobsChange, to: &str) -> anyhow::Result<()> {
    let words = Words { ask: "move", to: format!(" to {}", word(to)), done: "moved" };
    jobs(session, &change.which, &change.consent, &words, |pick| {
        Command::JobsMove(Box::new(JobsMove { pick, to: Bytes::from(to) }))
    })
}

/// `jobs priority`
///
/// # Errors
/// As [`cancel`].
pub(crate) fn priority(session: &Session<'_>, change: &JobsChange, to: PriorityName) -> anyhow::Result<()> {
    let name = super::views::priority(to);
    let words = Words { ask: "give", to: format!(" {name} priority"), done: "gave" };
    jobs(session, &change.which, &change.consent, &words, |pick| {
        Command::JobsPriority(Box::new(JobsPriority { pick, to }))
    })
}

/// Counts what a filter matches and asks; handles are taken as they are.
fn jobs(
    session: &Session<'_>,
    which: &JobsFilters,
    consent: &Consent,
    words: &Words<'_>,
    command: impl Fn(JobsPick) -> Command,
) -> anyhow::Result<()> {
    if which.is_all() && !consent.all {
        bail!("nothing says which jobs are meant (hint: HANDLE, --function, or --all for all of them)");
    }
    let mut connection = session.connect_one()?;
    let mut total = None;
    if which.handles.is_empty() {
        let mut matched = 0;
        for pick in which.picks() {
            matched += count(session, &mut connection, pick)?;
        }
        total = Some(matched);
        if !agreed(session, consent, words, matched, "job")? {
            return Ok(());
        }
    }
    let progress = Progress::rows(total, session.is_json());
    let (mut matched, mut changed) = (0, 0);
    for pick in which.picks() {
        session.change(&mut connection, command(pick), |row: Changed| {
            matched += row.matched;
            changed += row.changed;
            progress.at(matched);
        })?;
    }
    progress.end();
    let others = matched.saturating_sub(changed);
    let rest = match others {
        0 => String::new(),
        _ => format!("; {} unchanged", counted(others, "job")),
    };
    if matched > 0 || which.handles.is_empty() {
        session.done(&format!("{} {}{}{rest}", words.done, counted(changed, "job"), words.to))?;
    }
    all_known(&connection, &which.handles, matched, "waits or runs (hint: explain says what became of it)")
}

/// Fails when not all handles were found.
fn all_known(connection: &Connection, handles: &[String], found: u64, what: &str) -> anyhow::Result<()> {
    let handles: BTreeSet<&String> = handles.iter().collect();
    let given = handles.len() as u64;
    let text = match (given.saturating_sub(found), handles.first()) {
        (0, _) | (_, None) => return Ok(()),
        (1, Some(handle)) if given == 1 => format!("no job with the handle {} {what}", word(handle)),
        (absent, Some(_)) => format!("for {} of {given} handles no job {what}", shown::count(absent)),
    };
    let server = connection.server().clone();
    Err(ClientError::Command { server, error: CommandError::new(text) }.into())
}

/// Whether it is to be done: with nothing to do it is not.
fn agreed(
    session: &Session<'_>,
    consent: &Consent,
    words: &Words<'_>,
    matched: u64,
    what: &str,
) -> anyhow::Result<bool> {
    if matched == 0 {
        session.done(&format!("no {what} matches"))?;
        return Ok(false);
    }
    let what = format!("{} {}{}", words.ask, counted(matched, what), words.to);
    let consented = if consent.yes { Consented::Yes } else { Consented::Ask };
    if session.confirm(&what, consented)? {
        return Ok(true);
    }
    session.done("nothing is changed")?;
    Ok(false)
}

/// How many jobs a filter matches, without a word about it.
fn count(session: &Session<'_>, connection: &mut Connection, pick: JobsPick) -> anyhow::Result<u64> {
    let rows = connection.ask_pages(Command::JobsCount(Box::new(JobsCount { pick })), session.limits())?;
    let mut matched = 0;
    for row in rows.typed::<Changed>() {
        matched += row?.matched;
    }
    Ok(matched)
}

/// `dead drop`, `finished drop`
///
/// # Errors
/// As [`cancel`].
pub(crate) fn drop_letters(
    session: &Session<'_>,
    shelf: ShelfName,
    drop: &LettersDrop,
) -> anyhow::Result<()> {
    let what = match shelf {
        ShelfName::Dead => "dead letter",
        ShelfName::Finished => "finished job",
    };
    if drop.which.is_all() && !drop.consent.all {
        bail!("nothing says which are meant (hint: HANDLE, --function, --group, or --all for all of them)");
    }
    let command =
        |filter: DeadFilter, dry| Command::DeadDrop(Box::new(DeadDrop { shelf, filter, after: 0, dry }));
    let mut connection = session.connect_one()?;
    let mut total = None;
    if drop.which.handles.is_empty() {
        let matched = count_letters(session, &mut connection, shelf, &drop.which)?;
        total = Some(matched);
        let words = Words { ask: "forget", to: String::new(), done: "" };
        if !agreed(session, &drop.consent, &words, matched, what)? {
            return Ok(());
        }
    }
    let progress = Progress::rows(total, session.is_json());
    let mut dropped = 0;
    for filter in drop.which.filters() {
        session.change(&mut connection, command(filter, false), |row: Dropped| {
            dropped += row.matched;
            progress.at(dropped);
        })?;
    }
    progress.end();
    let handles = &drop.which.handles;
    if dropped > 0 || handles.is_empty() {
        session.done(&format!("forgot {}", counted(dropped, what)))?;
    }
    match shelf {
        ShelfName::Dead => all_dead(&connection, handles, dropped),
        ShelfName::Finished => {
            all_known(&connection, handles, dropped, "is kept as finished (hint: finished list)")
        }
    }
}

/// Fails when not all handles were those of dead letters.
pub(super) fn all_dead(connection: &Connection, handles: &[String], found: u64) -> anyhow::Result<()> {
    all_known(connection, handles, found, "is a dead letter (hint: dead list)")
}

/// How many letters a filter matches, without a word about it.
fn count_letters(
    session: &Session<'_>,
    connection: &mut Connection,
    shelf: ShelfName,
    which: &LetterFilters,
) -> anyhow::Result<u64> {
    let count = DeadDrop { shelf, filter: which.filter(), after: 0, dry: true };
    let rows = connection.ask_pages(Command::DeadDrop(Box::new(count)), session.limits())?;
    let mut matched = 0;
    for row in rows.typed::<Dropped>() {
        matched += row?.matched;
    }
    Ok(matched)
}

/// Whether the letters that a filter matches are to be requeued: of one alone nobody is asked.
pub(super) fn agreed_to_requeue(
    session: &Session<'_>,
    connection: &mut Connection,
    requeue: &Requeue,
) -> anyhow::Result<bool> {
    if requeue.consent.yes {
        return Ok(true);
    }
    let matched = count_letters(session, connection, ShelfName::Dead, &requeue.which)?;
    let words = Words { ask: "requeue", to: String::new(), done: "" };
    Ok(matched == 1 || agreed(session, &requeue.consent, &words, matched, "dead letter")?)
}

/// Changes of a schedule that are answered with it.
///
/// # Errors
/// When the server refuses it.
pub(crate) fn schedule(session: &Session<'_>, command: Command) -> anyhow::Result<()> {
    let mut connection = session.connect_one()?;
    let mut rows: Vec<ScheduleRow> = Vec::new();
    session.change(&mut connection, command, |row| rows.push(row))?;
    if !session.is_json() {
        for row in &rows {
            details::schedule_changed(&mut std::io::stdout().lock(), row)?;
        }
    }
    Ok(())
}

/// `schedule remove`
///
/// # Errors
/// When the server refuses it.
pub(crate) fn remove_schedule(session: &Session<'_>, name: &str) -> anyhow::Result<()> {
    let mut connection = session.connect_one()?;
    let command = Command::ScheduleRemove(Box::new(ScheduleName { name: name.to_owned() }));
    session.change(&mut connection, command, |_: serde_json::Value| ())?;
    session.done(&format!("schedule {} is removed", word(name)))
}
