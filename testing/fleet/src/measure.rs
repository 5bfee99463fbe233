//! Measures the manager: how soon it replaces a process that died, and what it costs while nothing happens.
//!
//! From: `main`. To: a table on stdout. Never: a verdict; a missed goal is a line of the table.
//!
//! A process that is killed here is the first failure of its place, which is replaced without a pause. The time runs
//! from before the kill until the replacement has told, as its first act, that it is there: the start of a process is
//! part of it.

use crate::manager::Manager;
use crate::{Result, built, server_of};
use geartrain_interop::deadline::Deadline;
use geartrain_interop::server::{Server, Side};
use geartrain_interop::{scratch, workspace_root};
use geartrain_manager::runner::PLACE_VARIABLE;
use nix::sys::signal::{Signal, kill};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{Pid, pause};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// How many programs, of one process each.
const PROGRAMS: usize = 500;

/// How many of their processes are killed, one after the other.
const DEATHS: usize = 200;

/// How long the manager is left alone before its processor time is taken, and for how long it is taken.
const SETTLE: Duration = Duration::from_secs(5);
const WINDOW: Duration = Duration::from_secs(20);

/// Longest that all processes may take to come up, and one to be replaced.
const START_LIMIT: Duration = Duration::from_secs(60);
const REPLACE_LIMIT: Duration = Duration::from_secs(10);

pub(crate) fn run() -> Result {
    let mut out = std::io::stdout().lock();
    if cfg!(debug_assertions) {
        writeln!(out, "built without --release: these figures say nothing")?;
    }
    let (alone, reactions) = programs_alone()?;
    writeln!(out, "{PROGRAMS} programs, idle: {alone}, goal under 1 % of a core")?;
    writeln!(out, "a process that died, of {PROGRAMS} programs: {reactions}, goal under 50 ms")?;
    let workers = programs_with_functions()?;
    writeln!(
        out,
        "{PROGRAMS} programs with a function each at our server, idle: {workers}, goal under 1 % of a core"
    )?;
    Ok(())
}

/// Tells that it is there, and does nothing.
pub(crate) fn child(socket: &Path) -> Result {
    let place = std::env::var(PLACE_VARIABLE)?;
    UnixDatagram::unbound()?.send_to(format!("{place} {}", std::process::id()).as_bytes(), socket)?;
    loop {
        pause();
    }
}

/// Programs that have nothing to do with a job server: their idle cost, and how soon they are replaced.
fn programs_alone() -> Result<(String, String)> {
    let folder = prepare("programs")?;
    let path = folder.join("told");
    let told = UnixDatagram::bind(&path)?;
    let command = format!("'{}' measured-child '{}'", std::env::current_exe()?.display(), path.display());
    let mut file = head(&[]);
    for number in 0..PROGRAMS {
        write!(file, "[program.p{number}]\ncommand = \"{command}\"\n")?;
    }
    fs::write(folder.join("manager.toml"), file)?;
    let manager = Manager::start(&folder, &[])?;
    told.set_read_timeout(Some(START_LIMIT))?;
    let mut pids = BTreeMap::new();
    while pids.len() < PROGRAMS {
        let (place, pid) = hear(&told)?;
        pids.insert(place, pid);
    }
    wait_until_ready(&manager)?;
    let idle = idle(&manager)?;
    let reactions = reactions(&told, &pids)?;
    manager.shut_down()?;
    Ok((idle, reactions))
}

/// The same number of workers, each with a function of its own.
fn programs_with_functions() -> Result<String> {
    let folder = prepare("workers")?;
    let server = Server::start(&server_of(Side::Ours)?, &folder, Deadline::after(START_LIMIT))?;
    let worker = built("fleet-worker")?;
    let mut file = head(&[server.port]);
    for number in 0..PROGRAMS {
        let command = format!("'{}' f{number}", worker.display());
        write!(file, "[program.p{number}]\ncommand = \"{command}\"\nfunctions = [\"f{number}\"]\n")?;
    }
    fs::write(folder.join("manager.toml"), file)?;
    fs::write(folder.join("release"), "r1\n")?;
    let variables = [
        ("GEARMAN_SERVERS", format!("127.0.0.1:{}", server.port)),
        ("RELEASE_FILE", folder.join("release").display().to_string()),
    ];
    let manager = Manager::start(&folder, &variables)?;
    wait_until_ready(&manager)?;
    let idle = idle(&manager)?;
    manager.shut_down()?;
    Ok(idle)
}

fn prepare(name: &str) -> Result<PathBuf> {
    let folder = scratch(&workspace_root()).with_file_name("fleet").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn head(ports: &[u16]) -> String {
    let servers: String = ports.iter().map(|port| format!("servers = [\"127.0.0.1:{port}\"]\n")).collect();
    format!("{servers}socket = \"socket\"\nstate-folder = \"state\"\n")
}

fn wait_until_ready(manager: &Manager) -> Result {
    let begun = Instant::now();
    loop {
        let status = manager.status()?;
        let places = status.programs.iter().flat_map(|program| &program.processes);
        if places.filter(|place| place.state == "running").count() == PROGRAMS {
            return Ok(());
        }
        if begun.elapsed() > START_LIMIT {
            return Err(format!("not all of {PROGRAMS} processes came up").into());
        }
        // Asking costs the manager something as well.
        thread::sleep(Duration::from_millis(500));
    }
}

/// The manager's processor time while nothing happens.
fn idle(manager: &Manager) -> Result<String> {
    let clock = ClockId::pid_cpu_clock_id(manager.pid()?)?;
    let used = || clock_gettime(clock).map(Duration::from);
    thread::sleep(SETTLE);
    let (begun, before) = (Instant::now(), used()?);
    thread::sleep(WINDOW);
    let (window, used) = (begun.elapsed(), used()? - before);
    let percent = used.as_secs_f64() / window.as_secs_f64() * 100.0;
    Ok(format!("{percent:.2} % of a core over {} s", window.as_secs()))
}

/// Kills one process after the other, each of another program.
fn reactions(told: &UnixDatagram, pids: &BTreeMap<String, i32>) -> Result<String> {
    told.set_read_timeout(Some(REPLACE_LIMIT))?;
    let mut times = Vec::new();
    for (place, pid) in pids.iter().take(DEATHS) {
        let begun = Instant::now();
        kill(Pid::from_raw(*pid), Signal::SIGKILL)?;
        let (replaced, successor) = hear(told)?;
        times.push(begun.elapsed());
        if replaced != *place || successor == *pid {
            return Err(format!("{place} was killed, and {replaced} has told that it is there").into());
        }
    }
    times.sort_unstable();
    let millis = |part: usize| {
        let time = times.get(times.len() * part / 100).or(times.last());
        time.map_or(0.0, |time| time.as_secs_f64() * 1000.0)
    };
    Ok(format!(
        "replaced after {:.1} ms (median), {:.1} ms (99 %), {:.1} ms (longest of {})",
        millis(50),
        millis(99),
        millis(100),
        times.len()
    ))
}

/// What the next process tells: its place and its pid.
fn hear(told: &UnixDatagram) -> Result<(String, i32)> {
    let mut bytes = [0; 256];
    let length = told.recv(&mut bytes)?;
    let text = String::from_utf8_lossy(bytes.get(..length).unwrap_or_default()).into_owned();
    let (place, pid) = text.split_once(' ').ok_or("what was told is no place and pid")?;
    Ok((place.to_owned(), pid.parse()?))
}
