//! What a job costs the process that submits it or does it, by client library, on our server.
//!
//! Each library runs in a process of its own (`peer`), which is measured from outside. A client's jobs are done by
//! the bench's own worker, a worker's jobs are submitted by the bench.

use std::time::{Duration, Instant};

use super::{Key, Outcome, Row};
use crate::figures::{Figures, number};
use crate::goal::{Check, at_most_of, figure};
use crate::library::Library;
use crate::load::Load;
use crate::peer::{DONE_LIMIT, Done, Peer, Role, Task};
use crate::process::cpu;
use crate::sample::micros;
use crate::scripts::serve::Serve;
use crate::scripts::single::Single;
use crate::scripts::submit::Submit;
use crate::server::{Kind, Lab, Server};
use crate::trouble::Trouble;

/// Whether a client without new jobs is still there is looked at so often.
const LOOK_LIMIT: Duration = Duration::from_secs(2);

const LIBRARIES: [Kind; 6] = [
    Kind::Library(Library::Ours),
    Kind::Library(Library::OursBlocking),
    Kind::Library(Library::Libgearman),
    Kind::Library(Library::GearmanRs),
    Kind::Library(Library::Rustygear),
    Kind::Library(Library::Gear),
];

pub(super) const FOREGROUND: Row = Row {
    name: "client-foreground",
    work: "CPU of the client library: foreground jobs, one after the other",
    goal: "the least CPU of all",
    servers: &LIBRARIES,
    repetitions: 3,
    floor_ratio: Key::Cpu,
    gearmand_ratio: Key::Cpu,
    measure: |lab, kind| client(lab, kind, Role::Foreground, 1, lab.count(20_000, 200)),
    checks,
};

pub(super) const FOREGROUND_64: Row = Row {
    name: "client-foreground-64",
    work: "CPU of the client library: 64 foreground jobs in flight",
    measure: |lab, kind| client(lab, kind, Role::Foreground, 64, lab.count(100_000, 1_000)),
    ..FOREGROUND
};

pub(super) const BACKGROUND_64: Row = Row {
    name: "client-background-64",
    work: "CPU of the client library: background submits, 64 in flight",
    measure: |lab, kind| client(lab, kind, Role::Background, 64, lab.count(200_000, 1_000)),
    ..FOREGROUND
};

pub(super) const WORKER_1: Row = Row {
    name: "worker-1",
    work: "CPU of the worker library: waiting jobs, one at a time",
    measure: |lab, kind| drain(lab, kind, 1, lab.count(50_000, 400)),
    ..FOREGROUND
};

pub(super) const WORKER_64: Row = Row {
    name: "worker-64",
    work: "CPU of the worker library: waiting jobs, 64 at once",
    measure: |lab, kind| drain(lab, kind, 64, lab.count(150_000, 1_000)),
    ..FOREGROUND
};

pub(super) const WORKER_ASLEEP: Row = Row {
    name: "worker-asleep",
    work: "CPU of the worker library: woken for each job",
    measure: |lab, kind| wake(lab, kind, lab.count(15_000, 200)),
    ..FOREGROUND
};

/// Each of our variants against the least of the others.
fn checks(outcome: &Outcome) -> Vec<Check> {
    let others = outcome.iter().map(|(kind, _)| *kind).filter(|kind| !kind.is_ours());
    let least = others.filter_map(|kind| figure(outcome, kind, Key::Cpu)).min_by(f64::total_cmp);
    let ours = outcome.iter().map(|(kind, _)| *kind).filter(|kind| kind.is_ours());
    ours.map(|kind| at_most_of(outcome, kind, Key::Cpu, least)).collect()
}

fn client(lab: &Lab, kind: Kind, role: Role, in_flight: u64, jobs: u64) -> Result<Figures, Trouble> {
    let library = library(kind)?;
    let task = task(library, role, in_flight, jobs);
    let server = Server::in_memory(lab, Kind::Ours)?;
    let mut worker = Load::open(server.port, 1)?;
    let mut serve = Serve::new(task.in_flight);
    let mut peer = Peer::start(lab, library, server.port, task)?;
    let mut run = |peer: &mut Peer, jobs| match role {
        Role::Foreground => serve_on(&mut worker, serve.want(jobs), peer),
        Role::Background | Role::Worker => Ok(()),
    };
    run(&mut peer, task.warm_up)?;
    peer.await_ready()?;
    let before = cpu(server.pid())?;
    let going = peer.go()?;
    run(&mut peer, task.jobs)?;
    let done = peer.await_done(&going)?;
    let server_us = micros(cpu(server.pid())?.saturating_sub(before)) / number(task.jobs);
    drop(peer);
    drop(worker);
    server.stop()?;
    figures(library, task, &done, server_us)
}

/// Serves a client that may end before it has all its results.
fn serve_on(worker: &mut Load, serve: &mut Serve, peer: &mut Peer) -> Result<(), Trouble> {
    let start = Instant::now();
    loop {
        match worker.run(&mut &mut *serve, "waiting for jobs", LOOK_LIMIT) {
            Err(Trouble::Limit { .. }) if start.elapsed() < DONE_LIMIT && peer.is_running() => {}
            Err(trouble) => return Err(peer.explain(trouble)),
            Ok(()) => return Ok(()),
        }
    }
}

fn drain(lab: &Lab, kind: Kind, at_once: u64, jobs: u64) -> Result<Figures, Trouble> {
    let library = library(kind)?;
    let task = task(library, Role::Worker, at_once, jobs);
    // Behind the last that is measured there are as many as may be in hand then.
    worker(lab, library, task, |server, load, peer, first| {
        let mut fill = Submit::new(Kind::Ours.dialect(), 256, first, task.jobs + task.in_flight);
        load.run(&mut fill, "filling the queue", DONE_LIMIT)?;
        check_wait(server, task.jobs + task.in_flight)?;
        peer.go()
    })
}

/// Sees to it that no job is done before it counts: at least this many are in the queue or in hand.
fn check_wait(server: &Server, jobs: u64) -> Result<(), Trouble> {
    let status = server.ask(b"status\n", b".\n")?;
    let status = String::from_utf8_lossy(&status);
    // One row for the one function: its name, all its jobs, those in hand, its workers.
    let left = status.split('\t').nth(1).and_then(|count| count.parse::<u64>().ok());
    match left {
        Some(left) if left >= jobs => Ok(()),
        Some(left) => Err(Trouble::Peer(format!("did {} jobs before it was told to go", jobs - left))),
        None => Err(Trouble::Answer(format!("{status:?} to status"))),
    }
}

fn wake(lab: &Lab, kind: Kind, jobs: u64) -> Result<Figures, Trouble> {
    let library = library(kind)?;
    let task = task(library, Role::Worker, 1, jobs);
    worker(lab, library, task, |_, load, peer, first| {
        let going = peer.go()?;
        let mut single = Single::new(first, task.jobs);
        let ran = load.run(&mut single, "waiting for results", DONE_LIMIT);
        ran.map_err(|trouble| peer.explain(trouble))?;
        Ok(going)
    })
}

/// A worker that is ready, and then has the jobs of `work`, whose first number that gets.
fn worker(
    lab: &Lab,
    library: Library,
    task: Task,
    work: impl FnOnce(&Server, &mut Load, &mut Peer, u64) -> Result<crate::peer::Going, Trouble>,
) -> Result<Figures, Trouble> {
    let server = Server::in_memory(lab, Kind::Ours)?;
    let mut load = Load::open(server.port, 1)?;
    let first = task.warm_up + 1;
    load.run(&mut Submit::new(Kind::Ours.dialect(), 64, 0, first), "submitting the warm-up", DONE_LIMIT)?;
    let mut peer = Peer::start(lab, library, server.port, task)?;
    peer.await_ready()?;
    let going = work(&server, &mut load, &mut peer, first)?;
    let done = peer.await_done(&going)?;
    drop(peer);
    drop(load);
    server.stop()?;
    figures(library, task, &done, f64::NAN)
}

fn library(kind: Kind) -> Result<Library, Trouble> {
    match kind {
        Kind::Library(library) => Ok(library),
        Kind::Ours | Kind::Gearmand | Kind::Beanstalkd | Kind::Redis | Kind::Floor => {
            Err(Trouble::NotInstalled { hint: "a server is no library" })
        }
    }
}

fn task(library: Library, role: Role, in_flight: u64, jobs: u64) -> Task {
    let jobs = library.jobs(jobs);
    Task { role, jobs, warm_up: (jobs / 20).max(100), in_flight: library.in_flight(role, in_flight) }
}

fn figures(library: Library, task: Task, done: &Done, server_us: f64) -> Result<Figures, Trouble> {
    if done.jobs != task.jobs {
        return Err(Trouble::Lost { missing: task.jobs.saturating_sub(done.jobs), of: task.jobs });
    }
    let in_flight_is = if task.in_flight == 1 { "in flight" } else { library.in_flight_is(task.role) };
    let mut extra = vec![(in_flight_is, number(task.in_flight))];
    if !server_us.is_nan() {
        extra.push(("server us", server_us));
    }
    Ok(Figures {
        rate: Some(number(task.jobs) / done.elapsed.as_secs_f64()),
        cpu_us: Some(micros(done.cpu) / number(task.jobs)),
        extra,
        ..Figures::default()
    })
}
