//! One job while 500 workers sleep.

use std::time::Duration;

use super::{Key, Row, WORK_LIMIT};
use crate::figures::{Figures, Meter, number};
use crate::goal::{at_most, figure};
use crate::load::Load;
use crate::scripts::wake::Wake;
use crate::server::{Kind, Lab, Server};
use crate::trouble::Trouble;

const WORKERS: usize = 500;

const NOOPS: Key = Key::Extra("NOOPs/job");
const ALONE: Key = Key::Extra("p50 with 1 worker us");

pub(super) const ROW: Row = Row {
    name: "wake-500",
    work: "one job, 500 sleeping workers",
    goal: "at most 2 NOOPs a job, p50 as with 1 worker (within 1.25x)",
    servers: &[Kind::Ours, Kind::Gearmand],
    repetitions: 3,
    floor_ratio: Key::P50,
    gearmand_ratio: Key::P50,
    measure,
    checks: |outcome| {
        let alone = figure(outcome, Kind::Ours, ALONE);
        vec![at_most(outcome, NOOPS, Some(2.0)), at_most(outcome, Key::P50, alone.map(|p50| p50 * 1.25))]
    },
};

fn measure(lab: &Lab, kind: Kind) -> Result<Figures, Trouble> {
    let (alone, _) = run(lab, kind, 1)?;
    let (mut figures, noops) = run(lab, kind, WORKERS)?;
    figures.extra.push((NOOPS.name(), noops));
    figures.extra.extend(alone.latency.map(|latency| (ALONE.name(), latency.p50)));
    Ok(figures)
}

fn run(lab: &Lab, kind: Kind, workers: usize) -> Result<(Figures, f64), Trouble> {
    let server = Server::in_memory(lab, kind)?;
    let mut load = Load::open(server.port, workers + 1)?;
    load.run(&mut Wake::put_to_sleep(), "putting the workers to sleep", WORK_LIMIT)?;
    let time = if lab.quick { Duration::from_secs(1) } else { Duration::from_secs(4) };
    let mut wake = Wake::one_by_one(lab.count(2_000, 200), time);
    let meter = Meter::start(&server)?;
    load.run(&mut wake, "waking one of many", WORK_LIMIT)?;
    let mut figures = meter.stop(&server, wake.jobs())?;
    figures.latency = wake.samples.latency();
    drop(load);
    server.stop()?;
    Ok((figures, number(wake.noops) / number(wake.jobs())))
}
