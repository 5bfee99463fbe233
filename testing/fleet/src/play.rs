//! The play: a server, a manager with its fleet, the load, and everything that happens meanwhile.
//!
//! From: `main`, which says on which server. To: the events, each on a thread of its own; then the accounts.
//! Never: takes a step for done because time has passed.

use crate::accounts::{self, Done};
use crate::config::{self, PROCESSES, STEADY};
use crate::events;
use crate::job_log::{Entry, JobLog, What};
use crate::load::Load;
use crate::manager::{Manager, is_alive, pids, ready};
use crate::{Result, server_of};
use geartrain_interop::deadline::Deadline;
use geartrain_interop::server::{Server, Side};
use geartrain_interop::{install, scratch, workspace_root};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

/// How long a server may take to answer after its start.
const SERVER_LIMIT: Duration = Duration::from_secs(15);

/// Clients of each steady function that submit short jobs, and those whose jobs are longer than patience.
const SHORT_LANES: usize = 5;
const LONG_LANES: usize = 1;

/// Everything that the events of a side share.
pub(crate) struct Stage {
    pub(crate) side: Side,
    pub(crate) folder: PathBuf,
    pub(crate) manager: Manager,
    pub(crate) load: Load,
    pub(crate) job_log: JobLog,
}

/// Plays on these servers, side by side; an error names all that is wrong.
pub(crate) fn run(sides: &[Side]) -> Result {
    let missing = install::missing(&workspace_root());
    if !missing.is_nothing() {
        return Err(format!("missing: {}; hint: cargo xtask install", missing.describe()).into());
    }
    let results: Vec<(Side, Result)> = thread::scope(|scope| {
        let plays: Vec<_> = sides.iter().map(|side| (*side, scope.spawn(|| play(*side)))).collect();
        plays.into_iter().map(|(side, play)| (side, joined(play.join()))).collect()
    });
    let wrong: Vec<String> = results
        .into_iter()
        .filter_map(|(side, result)| Some(format!("{}: {}", side.name(), result.err()?)))
        .collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}

/// The result of a thread; one that panicked has said why.
fn joined(result: thread::Result<Result>) -> Result {
    result.unwrap_or_else(|_| Err("a thread panicked".into()))
}

fn play(side: Side) -> Result {
    let begun = Instant::now();
    let folder = prepare(side)?;
    let server = Server::start(&server_of(side)?, &folder, Deadline::after(SERVER_LIMIT))?;
    let port = server.port;
    fs::write(folder.join("manager.toml"), config::file(port)?)?;
    let job_log = JobLog::create(&folder.join("jobs.log"))?;
    let manager = Manager::start(&folder, &config::variables(port, &folder))?;
    let load = Load::new(format!("127.0.0.1:{port}"));
    let stage = Stage { side, folder, manager, load, job_log };
    let result = wait_for_fleet(&stage).and_then(|()| {
        let played = under_load(&stage);
        // What went wrong in an event may have cost jobs as well: both are told.
        match (played, finish(stage)) {
            (Ok(()), accounts) => accounts,
            (Err(error), Ok(_)) => Err(error),
            (Err(error), Err(more)) => Err(format!("{error}; {more}").into()),
        }
    });
    match result {
        Ok(done) => tell(side, &done, begun),
        Err(error) => Err(format!("{error} (see {})", folder_of(side).display()).into()),
    }
}

/// An empty folder for the side: its files are there to look at until the next run.
fn prepare(side: Side) -> Result<PathBuf> {
    let folder = folder_of(side);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    for release in ["release", "plain-php-release", "plain-python-release", "last-release"] {
        fs::write(folder.join(release), "r1\n")?;
    }
    Ok(folder)
}

fn folder_of(side: Side) -> PathBuf {
    scratch(&workspace_root()).with_file_name("fleet").join(side.name())
}

/// Waits until every program but the one that crashes has all of its processes.
fn wait_for_fleet(stage: &Stage) -> Result {
    let mut count = 0;
    for program in stage.manager.status()?.programs {
        if program.program != "crash" {
            let name = program.program;
            stage.manager.wait_until(&name, "to be ready", |it| ready(it) == program.wanted)?;
            count += program.wanted;
        }
    }
    if count != PROCESSES {
        return Err(format!("{count} processes run, and not {PROCESSES}").into());
    }
    Ok(())
}

/// Plays all events while the load is on; the first errors of all of them together.
fn under_load(stage: &Stage) -> Result {
    let wrong = Mutex::new(Vec::new());
    let note = |name: &str, result: Result| {
        if let (Err(error), Ok(mut wrong)) = (result, wrong.lock()) {
            wrong.push(format!("{name}: {error}"));
        }
    };
    thread::scope(|scope| {
        for function in STEADY {
            for _ in 0..SHORT_LANES {
                scope.spawn(move || note("load", stage.load.lane(function, 20, 80)));
            }
            for _ in 0..LONG_LANES {
                scope.spawn(move || note("load", stage.load.lane(function, 1200, 2000)));
            }
        }
        let events: Vec<_> =
            events::ALL.iter().map(|(name, play)| scope.spawn(move || note(name, play(stage)))).collect();
        for event in events {
            if event.join().is_err() {
                note("events", Err("a thread panicked".into()));
            }
        }
        stage.load.end();
    });
    let wrong = wrong.into_inner().unwrap_or_default();
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ").into()) }
}

/// Ends the manager and does the accounts.
fn finish(stage: Stage) -> Result<BTreeMap<String, Done>> {
    let jobs = stage.load.jobs();
    let are_done = |entries: &[Entry]| {
        let ends = entries.iter().filter(|entry| entry.what == What::End).count();
        (ends >= jobs.len()).then_some(())
    };
    let mut wrong = Vec::new();
    let mut note = |result: Result| wrong.extend(result.err().map(|error| error.to_string()));
    note(stage.job_log.wait_for("the end of all jobs", are_done));
    note(events::check_at_the_end(&stage));
    let failed = stage.load.failed();
    if !failed.is_empty() {
        note(Err(format!("jobs failed: {}", accounts::few(&failed)).into()));
    }
    note(end(stage.manager));
    let accounts = stage.job_log.with(|entries| accounts::check(&jobs, entries, config::language_of))?;
    match accounts {
        Ok(done) if wrong.is_empty() => Ok(done),
        accounts => {
            wrong.extend(accounts.err());
            Err(wrong.join("; ").into())
        }
    }
}

/// Tells the manager to end: nothing of it is left then.
fn end(manager: Manager) -> Result {
    let pids: Vec<i32> = manager.status()?.programs.iter().flat_map(pids).collect();
    let ended = manager.shut_down()?;
    if !ended.success() {
        return Err(format!("the manager ended with {ended}").into());
    }
    match pids.into_iter().find(|pid| is_alive(*pid)) {
        Some(pid) => Err(format!("the manager has left process {pid} behind").into()),
        None => Ok(()),
    }
}

fn tell(side: Side, done: &BTreeMap<String, Done>, begun: Instant) -> Result {
    let mut out = std::io::stdout().lock();
    let by_language: Vec<String> = done
        .iter()
        .map(|(language, done)| format!("{language} {} jobs by {} processes", done.jobs, done.processes))
        .collect();
    let seconds = begun.elapsed().as_secs();
    writeln!(out, "{}: each job once: {} ({seconds} s)", side.name(), by_language.join(", "))?;
    Ok(())
}

/// Writes a file so that whoever reads it sees the old or the new one.
pub(crate) fn replace(path: &Path, text: &str) -> Result {
    let new = path.with_extension("new");
    fs::write(&new, text)?;
    fs::rename(&new, path)?;
    Ok(())
}
