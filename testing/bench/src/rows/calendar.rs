//! Time: a million epoch jobs over a minute, ten thousand schedules, and both while nothing is due.

use std::time::Duration;

use super::{Key, Row, WORK_LIMIT};
use crate::dialect::FUNCTION;
use crate::figures::{Figures, Meter, number};
use crate::goal::at_most;
use crate::load::Load;
use crate::process::cpu;
use crate::sample::micros;
use crate::scripts::ahead::Ahead;
use crate::scripts::due::{Due, Time, unix_time};
use crate::scripts::wake::Wake;
use crate::server::{Keep, Kind, Lab, START_LIMIT, Server};
use crate::trouble::Trouble;

/// Workers that sleep until something is due.
const WORKERS: usize = 8;

/// Workers of the row in which nothing is due; as many as in the row about an idle server.
const IDLE_WORKERS: usize = 500;

/// Time for what the jobs and workers may have left to do.
const SETTLE: Duration = Duration::from_secs(1);

/// Time in which the workers take the runs that were due before they came.
const WARM_UP: Duration = Duration::from_secs(3);

/// Lines of commands that are sent at once.
const COMMANDS: usize = 500;

const P99: Key = Key::Extra("p99 ms");
const FIRST: Key = Key::Extra("first ms");
const LATEST: Key = Key::Extra("latest ms");
const MISSING: Key = Key::Extra("never ran");
const EARLY: Key = Key::Extra("early");
const PER_SECOND: Key = Key::Extra("CPU us/s");

pub(super) const EPOCH: Row = Row {
    name: "epoch-minute",
    work: "1,000,000 epoch jobs over 60 s: how long after its second each starts",
    goal: "p99 within 50 ms of their second",
    servers: &[Kind::Ours],
    repetitions: 1,
    floor_ratio: P99,
    gearmand_ratio: P99,
    measure: |lab, kind| epoch(lab, kind, Keep::Memory),
    checks: |outcome| {
        vec![
            at_most(outcome, P99, Some(50.0)),
            at_most(outcome, MISSING, Some(0.0)),
            at_most(outcome, EARLY, Some(0.0)),
        ]
    },
};

pub(super) const EPOCH_DURABLE: Row = Row {
    name: "epoch-minute-durable",
    work: "1,000,000 durable epoch jobs over 60 s: how long after its second each starts",
    measure: |lab, kind| epoch(lab, kind, Keep::Durable),
    ..EPOCH
};

pub(super) const SCHEDULES: Row = Row {
    name: "schedules",
    work: "10,000 schedules, each once a minute: how long after its second a run starts",
    measure: schedules,
    ..EPOCH
};

pub(super) const IDLE: Row = Row {
    name: "idle-calendar",
    work: "1,000,000 epoch jobs in an hour, 10,000 schedules, 500 sleeping workers, nothing due: CPU used",
    goal: "none (under 100 us a second)",
    floor_ratio: PER_SECOND,
    gearmand_ratio: PER_SECOND,
    measure: idle,
    checks: |outcome| vec![at_most(outcome, PER_SECOND, Some(100.0))],
    ..EPOCH
};

fn start(lab: &Lab, kind: Kind, keep: Keep) -> Result<Server, Trouble> {
    let dir = lab.fresh_dir(kind)?;
    let mut server = Server::spawn(lab, kind, keep, &dir)?;
    server.wait_for_answer(START_LIMIT)?;
    server.check_policies(lab)?;
    Ok(server)
}

/// All jobs are there before the first is due. The workers have ten seconds more than they need.
fn epoch(lab: &Lab, kind: Kind, keep: Keep) -> Result<Figures, Trouble> {
    let (jobs, seconds) = (lab.count(1_000_000, 50_000), lab.count(60, 3));
    let server = start(lab, kind, keep)?;
    let submits_per_second = if keep == Keep::Memory { 50_000 } else { 20_000 };
    let lead = Duration::from_secs(3 + jobs / submits_per_second);
    let first = unix_time() + lead;
    Load::open(server.port, 1)?.run(&mut Ahead::new(first, seconds, jobs), "submitting ahead", lead)?;
    if unix_time().as_secs() + 1 >= first.as_secs() {
        return Err(Trouble::Limit { what: "submitting ahead", limit: lead });
    }
    let limit = first.saturating_sub(unix_time()) + Duration::from_secs(seconds + 10);
    wait_for(&server, &mut Due::new(Time::Unix, jobs), jobs, limit)
}

/// As many schedules for each second of a period, each of which runs once within the period.
fn schedules(lab: &Lab, kind: Kind) -> Result<Figures, Trouble> {
    let (count, period) = (lab.count(10_000, 1_000), lab.count(60, 10));
    let server = start(lab, kind, Keep::Memory)?;
    let when = |number: u64| {
        let second = number % period;
        let seconds: Vec<String> = (second..60).step_by(to_usize(period)).map(|at| at.to_string()).collect();
        (format!("{} * * * * *", seconds.join(",")), second)
    };
    add_schedules(&server, count, &when)?;
    // Runs that were due before the workers came are late for that reason. A second more than the period would
    // hide at most what one second's schedules left out.
    let mut due = Due::new(Time::Within(period), count).from(unix_time() + WARM_UP);
    wait_for(&server, &mut due, count, WARM_UP + Duration::from_secs(period + 1))
}

fn wait_for(server: &Server, due: &mut Due, jobs: u64, limit: Duration) -> Result<Figures, Trouble> {
    let mut workers = Load::open(server.port, WORKERS)?;
    let meter = Meter::start(server)?;
    match workers.run(due, "waiting for what is due", limit) {
        Ok(()) | Err(Trouble::Limit { .. }) => {}
        Err(trouble) => return Err(trouble),
    }
    let mut figures = meter.stop(server, jobs)?;
    figures.rate = None;
    figures.latency = due.late.latency();
    let millis = |time: Option<Duration>| time.map(|time| micros(time) / 1e3);
    figures.extra.extend(figures.latency.map(|latency| (P99.name(), latency.p99 / 1e3)));
    figures.extra.extend(due.first.latency().map(|first| (FIRST.name(), first.p50 / 1e3)));
    figures.extra.extend(millis(due.late.longest()).map(|latest| (LATEST.name(), latest)));
    figures.extra.push((MISSING.name(), number(jobs.saturating_sub(due.ran))));
    figures.extra.push((EARLY.name(), number(due.early)));
    Ok(figures)
}

fn idle(lab: &Lab, kind: Kind) -> Result<Figures, Trouble> {
    let (jobs, schedules) = (lab.count(1_000_000, 50_000), lab.count(10_000, 1_000));
    let server = start(lab, kind, Keep::Memory)?;
    // The 29th of February is a second away at most once in four years.
    add_schedules(&server, schedules, &|_| ("0 0 0 29 2 *".to_owned(), 0))?;
    let hour = unix_time() + Duration::from_secs(3600);
    Load::open(server.port, 1)?.run(&mut Ahead::new(hour, 60, jobs), "submitting ahead", WORK_LIMIT)?;
    let mut load = Load::open(server.port, IDLE_WORKERS)?;
    load.run(&mut Wake::put_to_sleep(), "putting the workers to sleep", WORK_LIMIT)?;
    std::thread::sleep(SETTLE);
    let before = cpu(server.pid())?;
    let seconds = lab.count(10, 3);
    std::thread::sleep(Duration::from_secs(seconds));
    let used = cpu(server.pid())?.saturating_sub(before);
    let extra = vec![(PER_SECOND.name(), micros(used) / number(seconds))];
    drop(load);
    Ok(Figures { extra, ..Figures::default() })
}

/// Adds schedules by commands; `when` gives the cron line and the second that is the workload.
fn add_schedules(server: &Server, count: u64, when: &dyn Fn(u64) -> (String, u64)) -> Result<(), Trouble> {
    let line = |number: u64| {
        let (when, second) = when(number);
        let function = String::from_utf8_lossy(FUNCTION);
        let add = serde_json::json!({
            "name": format!("bench-{number}"),
            "when": when,
            "zone": "UTC",
            "function": function,
            "workload": second.to_string(),
        });
        format!("schedule add {add}\n")
    };
    let lines: Vec<String> = (0..count).map(line).collect();
    for some in lines.chunks(COMMANDS) {
        let answer = server.ask_all(some)?;
        if let Some(error) = answer.lines().find(|line| line.contains("\"error\"")) {
            return Err(Trouble::Answer(error.to_owned()));
        }
    }
    Ok(())
}

fn to_usize(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
