//! Steering: the subcommands, and what each asks of the server.
//!
//! From: a parsed [`Action`]. To: typed commands, and their rows as tables or as they come.
//! Never: changes more than what was counted and agreed to, or several servers at once.

mod actions;
mod archive;
mod change;
mod details;
mod export;
mod filters;
mod import;
mod policy;
mod progress;
mod requeue;
mod session;
mod shown;
mod table;
mod views;

pub(crate) use actions::Action;

use crate::arguments::Arguments;
use crate::{EXIT_FAILED, EXIT_REFUSED, say};
use actions::{DeadAction, FinishedAction, JobsAction, Limit, PolicyAction, ScheduleAction};
use anyhow::Context;
use filters::{JobsFilters, LetterFilters};
use geartrain_client::{ClientError, ServerAddress};
use geartrain_proto::command::{
    Bytes, Command, DeadCounts, DeadGroups, DeadList, DeadShow, Explain, JobsCount, JobsList, JobsShow,
    PAGE_ROWS_MAX, PolicyShow, ScheduleAdd, ScheduleList, ScheduleName, ShelfName, WorkersList,
};
use session::{RowLimit, Said, Session};
use std::io::{Read, Write};
use std::path::Path;
use views::View;

/// Rows that a listing for people has at most when nothing is said.
const ROWS_DEFAULT: u64 = 1000;

/// Does what a subcommand says, and hands out the exit status.
///
/// # Errors
/// When it was not done, or not on all servers.
pub(crate) fn run(arguments: &Arguments, servers: Vec<ServerAddress>, action: &Action) -> anyhow::Result<u8> {
    let session = Session::new(arguments, servers);
    match act(&session, action) {
        Ok(code) => Ok(code),
        Err(error) if error.is::<Said>() => {
            let is_refusal = error.downcast_ref::<Said>().is_some_and(|said| said.is_refusal);
            Ok(if is_refusal { EXIT_REFUSED } else { EXIT_FAILED })
        }
        Err(error) if is_refusal(&error) => {
            say_error(&error);
            Ok(EXIT_REFUSED)
        }
        Err(error) if is_broken_pipe(&error) => Ok(EXIT_FAILED),
        Err(error) => Err(error),
    }
}

/// Says why something was not done.
pub(crate) fn say_error(error: &anyhow::Error) {
    say(&geartrain_client::chain(error.as_ref()));
}

/// Says what is no error.
fn say_note(text: &str) {
    // A closed standard error is no reason to fail.
    let _unheard = writeln!(std::io::stderr(), "{text}");
}

fn is_refusal(error: &anyhow::Error) -> bool {
    let refusal = |error: &(dyn std::error::Error + 'static)| {
        matches!(
            error.downcast_ref(),
            Some(
                ClientError::Command { .. }
                    | ClientError::Refused { .. }
                    | ClientError::NoTypedCommands { .. }
            )
        )
    };
    error.chain().any(refusal)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let broken = |error: &std::io::Error| error.kind() == std::io::ErrorKind::BrokenPipe;
    error.downcast_ref().is_some_and(broken)
}

fn act(session: &Session<'_>, action: &Action) -> anyhow::Result<u8> {
    match action {
        Action::Policy(action) => act_on_policies(session, action)?,
        Action::Pause(it) => policy::pause(session, &it.function)?,
        Action::Resume(it) => policy::resume(session, &it.function)?,
        Action::Drain(it) => policy::drain(session, &it.function)?,
        Action::Jobs(action) => act_on_jobs(session, action)?,
        Action::Workers => {
            list(session, Command::WorkersList(Box::new(WorkersList { after: 0 })), View::Workers)?;
        }
        Action::Dead(action) => return act_on_dead(session, action),
        Action::Finished(action) => act_on_finished(session, action)?,
        Action::Schedule(action) => act_on_schedules(session, action)?,
        Action::Explain(it) => {
            list(session, explain(it), View::Explanation)?;
            if session.is_unknown() {
                return Ok(EXIT_REFUSED);
            }
        }
        Action::Export(it) => export::everything(session, it)?,
        Action::Import(it) => import::run(session, it, import::Expected::Anything)?,
    }
    Ok(0)
}

fn list(session: &Session<'_>, command: Command, view: View) -> anyhow::Result<()> {
    session.list(&[command], view, RowLimit(None))
}

fn act_on_policies(session: &Session<'_>, action: &PolicyAction) -> anyhow::Result<()> {
    match action {
        PolicyAction::Set { function, values } => policy::set(session, function, values),
        PolicyAction::Unset { function, keys } => policy::unset(session, function, keys),
        PolicyAction::Show { function } => {
            let function = function.as_deref().map(Bytes::from);
            list(session, Command::PolicyShow(Box::new(PolicyShow { function })), View::Policies)
        }
    }
}

fn act_on_jobs(session: &Session<'_>, action: &JobsAction) -> anyhow::Result<()> {
    match action {
        JobsAction::Count(which) => count_jobs(session, which),
        JobsAction::List { which, limit } => {
            let (row_limit, page) = row_limit(session, limit);
            let commands = which.picks().into_iter();
            let commands: Vec<_> =
                commands.map(|pick| Command::JobsList(Box::new(JobsList { pick, limit: page }))).collect();
            session.list(&commands, View::Jobs, row_limit)
        }
        JobsAction::Show(it) => {
            let show = |handle| Command::JobsShow(Box::new(JobsShow { handle }));
            let commands: Vec<_> =
                it.handles.iter().map(|handle| show(Bytes::from(handle.as_str()))).collect();
            let view = if it.workload { View::Workload } else { View::Job };
            session.list(&commands, view, RowLimit(None))
        }
        JobsAction::Cancel(it) => change::cancel(session, it),
        JobsAction::Purge(it) => change::purge(session, it),
        JobsAction::Move { change, to } => change::move_to(session, change, to),
        JobsAction::Priority { change, to } => change::priority(session, change, (*to).into()),
    }
}

/// One number for each server, although it is counted page by page.
fn count_jobs(session: &Session<'_>, which: &JobsFilters) -> anyhow::Result<()> {
    let commands = which.picks().into_iter();
    let commands: Vec<_> = commands.map(|pick| Command::JobsCount(Box::new(JobsCount { pick }))).collect();
    session.list_sums(&commands)
}

fn act_on_dead(session: &Session<'_>, action: &DeadAction) -> anyhow::Result<u8> {
    match action {
        DeadAction::Groups => list(session, Command::DeadGroups(Box::<DeadGroups>::default()), View::Groups)?,
        DeadAction::Counts => list(session, Command::DeadCounts(Box::<DeadCounts>::default()), View::Counts)?,
        DeadAction::List { which, limit } => list_letters(session, ShelfName::Dead, which, limit)?,
        DeadAction::Show(it) => show_letters(session, ShelfName::Dead, it)?,
        DeadAction::Requeue(it) => return requeue::start(session, it),
        DeadAction::Progress { requeue } => return requeue::follow_again(session, *requeue),
        DeadAction::Drop(it) => change::drop_letters(session, ShelfName::Dead, it)?,
        DeadAction::Export { file, which } => export::dead(session, file, which)?,
        DeadAction::Import(it) => import::run(session, it, import::Expected::DeadOnly)?,
    }
    Ok(0)
}

fn act_on_finished(session: &Session<'_>, action: &FinishedAction) -> anyhow::Result<()> {
    match action {
        FinishedAction::List { which, limit } => list_letters(session, ShelfName::Finished, which, limit),
        FinishedAction::Show(it) => show_letters(session, ShelfName::Finished, it),
        FinishedAction::Drop(it) => change::drop_letters(session, ShelfName::Finished, it),
    }
}

fn list_letters(
    session: &Session<'_>,
    shelf: ShelfName,
    which: &LetterFilters,
    limit: &Limit,
) -> anyhow::Result<()> {
    let (row_limit, page) = row_limit(session, limit);
    let list = |filter| Command::DeadList(Box::new(DeadList { shelf, filter, after: 0, limit: page }));
    let commands: Vec<_> = which.filters().into_iter().map(list).collect();
    let view = match shelf {
        ShelfName::Dead => View::Letters,
        ShelfName::Finished => View::Finished,
    };
    session.list(&commands, view, row_limit)
}

fn show_letters(session: &Session<'_>, shelf: ShelfName, which: &actions::Handles) -> anyhow::Result<()> {
    let show = |handle: &String| {
        Command::DeadShow(Box::new(DeadShow { shelf, handle: Bytes::from(handle.as_str()) }))
    };
    let commands: Vec<_> = which.handles.iter().map(show).collect();
    let view = if which.workload { View::Workload } else { View::Letter };
    session.list(&commands, view, RowLimit(None))
}

/// How many rows are shown, and how many a page has for that.
fn row_limit(session: &Session<'_>, limit: &Limit) -> (RowLimit, u32) {
    let rows = match limit.limit {
        Some(0) => None,
        Some(rows) => Some(rows),
        None if session.is_json() => None,
        None => Some(ROWS_DEFAULT),
    };
    // One row more than is shown tells that there are more.
    let page = rows.map_or(0, |rows| u32::try_from(rows.saturating_add(1)).unwrap_or(0).min(PAGE_ROWS_MAX));
    (RowLimit(rows), page)
}

fn act_on_schedules(session: &Session<'_>, action: &ScheduleAction) -> anyhow::Result<()> {
    let named = |name: &actions::ScheduleNamed| Box::new(ScheduleName { name: name.name.clone() });
    match action {
        ScheduleAction::Add(it) => change::schedule(session, Command::ScheduleAdd(Box::new(schedule(it)?))),
        ScheduleAction::List => {
            list(session, Command::ScheduleList(Box::<ScheduleList>::default()), View::Schedules)
        }
        ScheduleAction::Show(it) => list(session, Command::ScheduleShow(named(it)), View::Schedule),
        ScheduleAction::Pause(it) => change::schedule(session, Command::SchedulePause(named(it))),
        ScheduleAction::Resume(it) => change::schedule(session, Command::ScheduleResume(named(it))),
        ScheduleAction::Run(it) => change::schedule(session, Command::ScheduleRun(named(it))),
        ScheduleAction::Remove(it) => change::remove_schedule(session, &it.name),
    }
}

fn schedule(it: &actions::ScheduleAdd) -> anyhow::Result<ScheduleAdd> {
    Ok(ScheduleAdd {
        name: it.name.clone(),
        when: it.when.clone(),
        zone: it.zone.clone(),
        function: Bytes::from(it.function.as_str()),
        workload: workload(it.workload.as_deref(), it.workload_file.as_deref())?.unwrap_or_default(),
        priority: it.priority.map(Into::into),
        unique: it.unique.as_deref().map(Bytes::from),
        missed: it.missed.into(),
        overlap: it.overlap.into(),
        replace: it.replace,
    })
}

/// The workload that is given as text or as a file.
fn workload(text: Option<&str>, file: Option<&Path>) -> anyhow::Result<Option<Bytes>> {
    let Some(path) = file else { return Ok(text.map(Bytes::from)) };
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut bytes).context("cannot read standard input")?;
    } else {
        bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    }
    Ok(Some(Bytes(bytes)))
}

/// What ends in a colon and a number, with another colon before it, is a handle: `H:host:17`.
fn explain(it: &actions::Explain) -> Command {
    let bytes = |text: &Option<String>| text.as_deref().map(Bytes::from);
    let mut explain = Explain { handle: bytes(&it.handle), function: bytes(&it.function) };
    if let Some(what) = &it.what {
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let is_handle =
            what.rsplit_once(':').is_some_and(|(front, number)| front.contains(':') && is_number(number));
        let place = if is_handle { &mut explain.handle } else { &mut explain.function };
        *place = Some(Bytes::from(what.as_str()));
    }
    Command::Explain(Box::new(explain))
}
