//! Many workers with many functions arrive while a client submits.
//!
//! A worker registers all functions in one go; the next arrives ten milliseconds later, or at once. One client
//! submits a job every two milliseconds, before and meanwhile, from a thread of its own. A submit that is due while the
//! one before is still unanswered counts from the time it was due: otherwise a server that starves the client for a
//! second would have one bad answer among thousands of good ones.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{Key, NO_GOAL, Row};
use crate::dialect::Dialect;
use crate::figures::{Figures, Meter, number};
use crate::goal::at_most;
use crate::load::connect;
use crate::packet::{CAN_DO, ECHO_REQ, request};
use crate::sample::{Samples, micros};
use crate::server::{Kind, Lab, Server};
use crate::trouble::Trouble;

/// Time from one worker's arrival to the next one's: a million registrations a second.
const PACE: Duration = Duration::from_millis(10);

/// Longest time for all workers to be registered; then the rest is given up.
const LIMIT: Duration = Duration::from_secs(20);

/// Time from one submit to the next.
const PERIOD: Duration = Duration::from_millis(2);

/// Longest wait for one submit's answer.
const SUBMIT_LIMIT: Duration = Duration::from_secs(30);

const P50: Key = Key::Extra("p50 before us");
const P99: Key = Key::Extra("p99 before us");
const P99_MEANWHILE: Key = Key::Extra("p99 meanwhile us");

const BEFORE: u8 = 0;
const MEANWHILE: u8 = 1;
const OVER: u8 = 2;

pub(super) const ROW: Row = Row {
    name: "register",
    work: "submit latency while 1,000 workers register 10,000 functions each, one worker every 10 ms",
    goal: "unchanged (p50 within 1.25x, p99 within 2x)",
    servers: &[Kind::Ours, Kind::Gearmand],
    repetitions: 1,
    floor_ratio: Key::P50,
    gearmand_ratio: Key::P50,
    measure: |lab, kind| measure(lab, kind, PACE),
    checks: |outcome| {
        let before = |key| crate::goal::figure(outcome, Kind::Ours, key);
        vec![
            at_most(outcome, Key::P50, before(P50).map(|p50| p50 * 1.25)),
            at_most(outcome, P99_MEANWHILE, before(P99).map(|p99| p99 * 2.0)),
        ]
    },
};

/// The storm after a restart: all workers at once, as fast as the server takes their bytes.
pub(super) const STORM: Row = Row {
    name: "register-storm",
    work: "the same with all workers at once",
    goal: NO_GOAL,
    measure: |lab, kind| measure(lab, kind, Duration::ZERO),
    checks: |_| Vec::new(),
    ..ROW
};

fn measure(lab: &Lab, kind: Kind, pace: Duration) -> Result<Figures, Trouble> {
    let workers = lab.count(1_000, 100);
    let functions = lab.count(10_000, 1_000);
    let server = Server::in_memory(lab, kind)?;
    let registration = registration(functions);
    let phase = AtomicU8::new(BEFORE);
    let ((arrival, figures), samples) = thread::scope(|scope| {
        let submitter = scope.spawn(|| submit_until_over(server.port, &phase));
        thread::sleep(Duration::from_secs(lab.count(2, 1)));
        phase.store(MEANWHILE, Ordering::SeqCst);
        let arrival = Meter::start(&server).map(|meter| {
            let arrival = register_all(server.port, workers, pace, &registration);
            (arrival, meter.stop(&server, (workers * functions).max(1)))
        });
        phase.store(OVER, Ordering::SeqCst);
        let samples = submitter.join().unwrap_or(Err(Trouble::Closed { what: "submitting" }));
        arrival.map(|arrival| (arrival, samples))
    })?;
    let (mut before, mut meanwhile) = samples?;
    let registered = arrival?;
    let mut figures = Figures { cpu_us: figures?.cpu_us, latency: meanwhile.latency(), ..Figures::default() };
    let calm = before.latency();
    figures.extra.extend(calm.map(|calm| (P50.name(), calm.p50)));
    figures.extra.extend(calm.map(|calm| (P99.name(), calm.p99)));
    figures.extra.extend(figures.latency.map(|busy| (P99_MEANWHILE.name(), busy.p99)));
    figures.extra.extend(meanwhile.longest().map(|longest| ("longest us", micros(longest))));
    figures.extra.push(("workers registered", number(registered)));
    drop(server);
    if registered < workers && kind == Kind::Ours {
        return Err(Trouble::Limit { what: "registering workers", limit: LIMIT });
    }
    Ok(figures)
}

/// All `CAN_DO` of one worker, and an echo whose answer says that they are handled.
fn registration(functions: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in 0..functions {
        request(CAN_DO, &[format!("function-{number:05}").as_bytes()], &mut bytes);
    }
    request(ECHO_REQ, &[b"registered"], &mut bytes);
    bytes
}

/// Says how many workers the server has finished registering.
fn register_all(port: u16, workers: u64, pace: Duration, registration: &[u8]) -> Result<u64, Trouble> {
    let what = "registering workers";
    let start = Instant::now();
    let mut streams: Vec<TcpStream> = Vec::new();
    let mut next = start;
    for _ in 0..workers {
        thread::sleep(next.saturating_duration_since(Instant::now()));
        next += pace;
        let left = LIMIT.saturating_sub(start.elapsed());
        if left.is_zero() {
            break;
        }
        let mut stream = connect(port)?;
        stream.set_write_timeout(Some(left)).map_err(Trouble::io(what))?;
        match stream.write_all(registration) {
            Ok(()) => streams.push(stream),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(Trouble::io(what)(error)),
        }
    }
    let mut registered = 0;
    for mut stream in &streams {
        let left = LIMIT.saturating_sub(start.elapsed()).max(Duration::from_millis(1));
        stream.set_read_timeout(Some(left)).map_err(Trouble::io(what))?;
        let mut answer = [0; 22];
        if stream.read_exact(&mut answer).is_ok() {
            registered += 1;
        }
    }
    Ok(registered)
}

/// Submits one job each period and returns the latencies of both phases.
fn submit_until_over(port: u16, phase: &AtomicU8) -> Result<(Samples, Samples), Trouble> {
    let what = "submitting";
    let mut stream = connect(port)?;
    stream.set_read_timeout(Some(SUBMIT_LIMIT)).map_err(Trouble::io(what))?;
    let (mut before, mut meanwhile) = (Samples::default(), Samples::default());
    let mut submit = Vec::new();
    let mut answer = Vec::new();
    let mut buffer = [0; 512];
    let mut due = Instant::now();
    for number in 0.. {
        let early = due.saturating_duration_since(Instant::now());
        thread::sleep(early);
        let now = phase.load(Ordering::SeqCst);
        if now == OVER {
            break;
        }
        submit.clear();
        answer.clear();
        Dialect::Gearman.submit(number, &mut submit);
        let start = if early.is_zero() { due } else { Instant::now() };
        stream.write_all(&submit).map_err(Trouble::io(what))?;
        while Dialect::Gearman.count_kept(&answer)?.0 == 0 {
            match stream.read(&mut buffer) {
                Ok(0) => return Err(Trouble::Closed { what }),
                Ok(count) => answer.extend_from_slice(buffer.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    return Err(Trouble::Limit { what: "one submit", limit: SUBMIT_LIMIT });
                }
                Err(error) => return Err(Trouble::io(what)(error)),
            }
        }
        let samples = if now == BEFORE { &mut before } else { &mut meanwhile };
        samples.add(start.elapsed(), 1);
        due += PERIOD;
    }
    Ok((before, meanwhile))
}
