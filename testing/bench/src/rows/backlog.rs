//! A backlog that is longer than the memory for its workloads.
//!
//! From: jobs of 256 bytes, stored durably by four connections. To: rates of submit and drain with 10,000 jobs
//! waiting and with all of them, memory, disk, a restart, and a drain of what only the disk has.
//! Never: keeps anything in the bench for a job.

mod field;
mod restart;

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::{Key, Row};
use crate::dialect::Shape;
use crate::disk::{free_bytes, used_bytes};
use crate::figures::{Figures, number};
use crate::goal::{at_least, at_most, figure};
use crate::process::{peak_resident, resident};
use crate::server::{Keep, Kind, Lab, START_LIMIT, Server, free_port};
use crate::trouble::Trouble;
use field::{Field, Tally};
use restart::Restart;

/// What the rates are compared with; also what is left in the queue at the end.
const SHALLOW: u64 = 10_000;

/// Jobs submitted, then drained, again and again, so that the queue stays about as long as it is.
const PORTION: u64 = 10_000;

/// Most jobs that are drained from the disk.
const FROM_DISK_MAX: u64 = 2_000_000;

/// Room on the disk for a stored job with its part of the log, in bytes.
const DISK_BYTES_EACH: u64 = 600;

/// Room for what does not grow with the jobs.
const DISK_BYTES_BESIDE: u64 = 1 << 30;

/// What a waiting job takes of the server's `--queue-memory` beside its unique and its workload, in bytes.
const JOB_BYTES: u64 = 96;

/// Longest time for the server to end after SIGTERM.
const STOP_LIMIT: Duration = Duration::from_secs(120);

const GIB: f64 = 1_073_741_824.0;

const SUBMIT: Key = Key::Extra("submit deep/10k");
const DRAIN: Key = Key::Extra("drain deep/10k");
const FROM_DISK: Key = Key::Extra("drain from disk/10k");
const PEAK: Key = Key::Extra("peak GiB");
const PEAK_RESTARTED: Key = Key::Extra("peak restarted GiB");
const LOADED: Key = Key::Extra("loaded s");
const FIRST_ANSWER: Key = Key::Extra("first answer s");
const LONGEST_ANSWER: Key = Key::Extra("longest answer s");
const PROGRESS: Key = Key::Extra("progress lines");

pub(super) const ROW: Row = Row {
    name: "backlog",
    work: "a long durable backlog of jobs of 256 bytes (--backlog-jobs): rates, memory, restart",
    goal: "over 70 % of the rates with 10,000 waiting, under 4 GiB; loaded in 60 s, answering within 0.5 s, progress shown",
    servers: &[Kind::Ours],
    repetitions: 1,
    floor_ratio: Key::Cpu,
    gearmand_ratio: Key::Cpu,
    measure,
    checks: |outcome| {
        // The server shows progress once a second; a load may end, or begin, between two lines.
        let lines = figure(outcome, Kind::Ours, LOADED).map(|seconds| (seconds / 2.0).floor());
        vec![
            at_least(outcome, SUBMIT, Some(0.7)),
            at_least(outcome, DRAIN, Some(0.7)),
            at_least(outcome, FROM_DISK, Some(0.7)),
            at_most(outcome, PEAK, Some(4.0)),
            at_most(outcome, PEAK_RESTARTED, Some(4.0)),
            at_most(outcome, LOADED, Some(60.0)),
            at_most(outcome, FIRST_ANSWER, Some(0.5)),
            at_most(outcome, LONGEST_ANSWER, Some(0.5)),
            at_least(outcome, PROGRESS, lines),
        ]
    },
};

fn measure(lab: &Lab, kind: Kind) -> Result<Figures, Trouble> {
    let dir = lab.fresh_dir(kind)?;
    let outcome = measure_in(lab, kind, &dir);
    // Gigabytes that nobody asked to keep; the log is elsewhere.
    fs::remove_dir_all(&dir).map_err(Trouble::io("remove the backlog"))?;
    outcome
}

fn measure_in(lab: &Lab, kind: Kind, dir: &Path) -> Result<Figures, Trouble> {
    let jobs = lab.backlog.jobs;
    let (wanted, free) = (jobs.saturating_mul(DISK_BYTES_EACH) + DISK_BYTES_BESIDE, free_bytes(dir)?);
    if wanted > free {
        return Err(Trouble::NoRoom { wanted, free });
    }
    let portions = lab.count(50, 5);
    let mut extra: Vec<(&'static str, f64)> = Vec::new();
    let mut field = Field::new(lab, start(lab, kind, dir)?)?;

    field.fill(SHALLOW)?;
    field.alternate(portions / 5, "warming up")?;
    let shallow = field.alternate(portions, "submitting and draining with 10,000 waiting")?;
    let (filled, last) = field.fill(jobs - SHALLOW)?;
    let deep = field.alternate(portions, "submitting and draining with all waiting")?;
    extra.extend([("jobs", number(jobs)), ("fill/s", filled.rate()), ("fill last/s", last.rate())]);
    extra.extend([
        ("submit 10k/s", shallow.submit.rate()),
        ("submit deep/s", deep.submit.rate()),
        (SUBMIT.name(), deep.submit.rate() / shallow.submit.rate()),
        ("submit 10k CPU us", shallow.submit.cpu_us()),
        ("submit deep CPU us", deep.submit.cpu_us()),
        ("drain 10k/s", shallow.drain.rate()),
        ("drain deep/s", deep.drain.rate()),
        (DRAIN.name(), deep.drain.rate() / shallow.drain.rate()),
        ("drain 10k CPU us", shallow.drain.cpu_us()),
        ("drain deep CPU us", deep.drain.cpu_us()),
    ]);
    let held = resident(field.server.pid())?;
    extra.push(("resident GiB", number(held) / GIB));
    extra.push((PEAK.name(), number(peak_resident(field.server.pid())?) / GIB));
    extra.push(("disk GB", number(used_bytes(dir)?) / 1e9));
    say(&extra);

    let stopped = field.end().stop_within(STOP_LIMIT)?;
    extra.push(("stop s", stopped.as_secs_f64()));
    extra.push(("disk stopped GB", number(used_bytes(dir)?) / 1e9));
    let restarted = restarted(lab, kind, dir, &shallow.drain, &mut extra)?;
    say(&extra);
    restarted.stop_within(STOP_LIMIT)?;
    Ok(Figures {
        rate: Some(deep.submit.rate()),
        cpu_us: Some(deep.submit.cpu_us() + deep.drain.cpu_us()),
        load_us: Some(deep.submit.load_us() + deep.drain.load_us()),
        memory: Some(number(held) / number(jobs)),
        extra,
        ..Figures::default()
    })
}

/// Starts with all jobs stored, then drains.
fn restarted(
    lab: &Lab,
    kind: Kind,
    dir: &Path,
    shallow: &Tally,
    extra: &mut Vec<(&'static str, f64)>,
) -> Result<Server, Trouble> {
    let restart = Restart::watch(lab, kind, dir, &arguments(lab))?;
    extra.extend([
        (LOADED.name(), restart.loaded.as_secs_f64()),
        (FIRST_ANSWER.name(), restart.first_answer.as_secs_f64()),
        (LONGEST_ANSWER.name(), restart.longest_answer.as_secs_f64()),
        (PROGRESS.name(), number(restart.progress_lines)),
        ("status steps", number(restart.status_steps)),
        ("resident restarted GiB", number(resident(restart.server.pid())?) / GIB),
    ]);
    let mut field = Field::new(lab, restart.server)?;
    let (in_memory, from_disk) = split(lab);
    if in_memory > 0 {
        let head = field.drain_long(in_memory, "draining what is in memory")?.0;
        extra.push(("drain in memory/s", head.rate()));
        extra.push(("drain in memory CPU us", head.cpu_us()));
    }
    if from_disk > 0 {
        let (disk, slowest) = field.drain_long(from_disk, "draining what is on disk alone")?;
        extra.extend([
            ("from disk", number(from_disk)),
            ("drain from disk/s", disk.rate()),
            ("slowest part/s", slowest),
            (FROM_DISK.name(), disk.rate() / shallow.rate()),
            ("drain from disk CPU us", disk.cpu_us()),
        ]);
    }
    extra.push((PEAK_RESTARTED.name(), number(peak_resident(field.server.pid())?) / GIB));
    restart::expect_waiting(&field.server, lab.backlog.jobs - in_memory - from_disk)?;
    Ok(field.end())
}

/// How many of the stored jobs are drained before the others, whose workloads are in memory after a start, and
/// how many of those that are on disk alone.
fn split(lab: &Lab) -> (u64, u64) {
    let (jobs, memory) = (lab.backlog.jobs, lab.backlog.queue_memory);
    let ends = jobs - SHALLOW;
    let beside = jobs * (JOB_BYTES + lab.backlog.unique_bytes as u64);
    let fit = if memory == 0 { jobs } else { memory.saturating_sub(beside) / Shape::WORKLOAD_BYTES };
    // A little more than fits, since the count of what is in memory is the server's affair.
    let in_memory = fit.saturating_add(SHALLOW).min(ends);
    (in_memory, (ends - in_memory).min(FROM_DISK_MAX))
}

fn arguments(lab: &Lab) -> Vec<String> {
    vec![format!("--queue-memory={}", lab.backlog.queue_memory)]
}

fn start(lab: &Lab, kind: Kind, dir: &Path) -> Result<Server, Trouble> {
    let mut more = arguments(lab);
    more.push("--http-listen=none".to_owned());
    let mut server = Server::spawn_with(lab, kind, Keep::Durable, dir, &more)?;
    server.wait_for_answer(START_LIMIT)?;
    server.check_policies(lab)?;
    Ok(server)
}

/// Shows what is known so far: the row takes minutes, and may fail later.
fn say(extra: &[(&'static str, f64)]) {
    let shown: Vec<String> =
        extra.iter().map(|(name, value)| format!("{name} {}", crate::goal::short(*value))).collect();
    eprintln!("  so far: {}", shown.join(", "));
}
