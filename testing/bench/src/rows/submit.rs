//! Background submits, in memory and durable.

use std::time::Duration;

use super::{Key, Row, WORK_LIMIT};
use crate::figures::{Figures, Meter};
use crate::goal::{at_least, at_most, figure};
use crate::load::Load;
use crate::scripts::submit::Submit;
use crate::server::{Keep, Kind, Lab, START_LIMIT, Server};
use crate::trouble::Trouble;

const CONNECTIONS: usize = 4;

/// How long durable submits are sent; the reference syncs for each of them.
const DURABLE_TIME: Duration = Duration::from_millis(2_500);

/// Most jobs of a durable measurement.
const DURABLE_JOBS_MAX: u64 = 2_000_000;

pub(super) const DEEP_PIPELINE: Row = Row {
    name: "submit-64",
    work: "background submit, memory, 4 connections x 64 in flight",
    goal: "under 1.2 us CPU each, over 15x gearmand's rate",
    servers: &Kind::ALL,
    repetitions: 5,
    floor_ratio: Key::Cpu,
    gearmand_ratio: Key::Rate,
    measure: |lab, kind| in_memory(lab, kind, 64, lab.count(150_000, 20_000)),
    checks: |outcome| {
        let gearmand = figure(outcome, Kind::Gearmand, Key::Rate);
        vec![
            at_most(outcome, Key::Cpu, Some(1.2)),
            at_least(outcome, Key::Rate, gearmand.map(|rate| rate * 15.0)),
        ]
    },
};

pub(super) const ONE_IN_FLIGHT: Row = Row {
    name: "submit-1",
    work: "background submit, memory, 4 connections x 1 in flight",
    goal: "CPU within 1.3x the floor",
    servers: &Kind::ALL,
    repetitions: 5,
    floor_ratio: Key::Cpu,
    gearmand_ratio: Key::Cpu,
    measure: |lab, kind| in_memory(lab, kind, 1, lab.count(50_000, 5_000)),
    checks: |outcome| {
        let floor = figure(outcome, Kind::Floor, Key::Cpu);
        vec![at_most(outcome, Key::Cpu, floor.map(|cpu| cpu * 1.3))]
    },
};

pub(super) const DURABLE: Row = Row {
    name: "durable-64",
    work: "durable submit, 4 connections x 64 in flight",
    goal: "rate at least Redis's with appendfsync always",
    servers: &[Kind::Ours, Kind::Gearmand, Kind::Beanstalkd, Kind::Redis],
    repetitions: 3,
    floor_ratio: Key::Cpu,
    gearmand_ratio: Key::Rate,
    measure: |lab, kind| durable(lab, kind, 64),
    checks: |outcome| vec![at_least(outcome, Key::Rate, figure(outcome, Kind::Redis, Key::Rate))],
};

pub(super) const DURABLE_DEEP: Row = Row {
    name: "durable-256",
    work: "durable submit, 4 connections x 256 in flight",
    servers: &[Kind::Ours, Kind::Redis],
    measure: |lab, kind| durable(lab, kind, 256),
    ..DURABLE
};

fn in_memory(lab: &Lab, kind: Kind, in_flight: u64, count: u64) -> Result<Figures, Trouble> {
    // The floor keeps nothing, so it can be measured for as long as it takes to be exact.
    let count = if kind == Kind::Floor { count * 20 } else { count };
    let server = Server::in_memory(lab, kind)?;
    let mut load = Load::open(server.port, CONNECTIONS)?;
    let warm = count / 20;
    load.run(&mut Submit::new(kind.dialect(), in_flight, 0, warm), "warming up", WORK_LIMIT)?;
    let mut submit = Submit::new(kind.dialect(), in_flight, warm, count);
    let meter = Meter::start(&server)?;
    load.run(&mut submit, "submitting", WORK_LIMIT)?;
    let mut figures = meter.stop(&server, count)?;
    figures.latency = submit.samples.latency();
    drop(load);
    server.stop()?;
    Ok(figures)
}

fn durable(lab: &Lab, kind: Kind, in_flight: u64) -> Result<Figures, Trouble> {
    let dir = lab.fresh_dir(kind)?;
    let mut server = Server::spawn(lab, kind, Keep::Durable, &dir)?;
    server.wait_for_answer(START_LIMIT)?;
    server.check_policies(lab)?;
    let mut load = Load::open(server.port, CONNECTIONS)?;
    load.run(&mut Submit::new(kind.dialect(), in_flight, 0, in_flight * 4), "warming up", WORK_LIMIT)?;
    let time = if lab.quick { DURABLE_TIME / 5 } else { DURABLE_TIME };
    let mut submit =
        Submit::new(kind.dialect(), in_flight, in_flight * 4, DURABLE_JOBS_MAX).for_at_most(time);
    let meter = Meter::start(&server)?;
    load.run(&mut submit, "submitting durably", WORK_LIMIT)?;
    let mut figures = meter.stop(&server, submit.kept())?;
    figures.latency = submit.samples.latency();
    drop(load);
    server.stop()?;
    Ok(figures)
}
