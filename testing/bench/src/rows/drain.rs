//! Draining a queue that was filled before.

use super::{Key, Row, WORK_LIMIT};
use crate::figures::{Figures, Meter};
use crate::goal::{at_most, figure};
use crate::load::Load;
use crate::scripts::drain::Drain;
use crate::scripts::submit::Submit;
use crate::server::{Kind, Lab, Server};
use crate::trouble::Trouble;

const WORKERS: usize = 4;

pub(super) const ROW: Row = Row {
    name: "drain",
    work: "drain: 4 workers, grab and complete in one write",
    goal: "CPU within 1.4x the floor",
    servers: &Kind::ALL,
    repetitions: 3,
    floor_ratio: Key::Cpu,
    gearmand_ratio: Key::Cpu,
    measure,
    checks: |outcome| {
        let floor = figure(outcome, Kind::Floor, Key::Cpu);
        vec![at_most(outcome, Key::Cpu, floor.map(|cpu| cpu * 1.4))]
    },
};

/// The floor's part is one echo for each job: the round trip that a worker needs at least.
fn measure(lab: &Lab, kind: Kind) -> Result<Figures, Trouble> {
    let count = lab.count(100_000, 5_000);
    let server = Server::in_memory(lab, kind)?;
    let mut load = Load::open(server.port, WORKERS)?;
    load.run(&mut Submit::new(kind.dialect(), 256, 0, count), "filling the queue", WORK_LIMIT)?;
    let meter = Meter::start(&server)?;
    let (mut figures, latency) = if kind == Kind::Floor {
        let mut echo = Submit::new(kind.dialect(), 1, 0, count);
        load.run(&mut echo, "echoing", WORK_LIMIT)?;
        (meter.stop(&server, count)?, echo.samples.latency())
    } else {
        let mut workers = Load::open(server.port, WORKERS)?;
        let mut drain = Drain::new(kind.dialect(), 1, count);
        workers.run(&mut drain, "draining", WORK_LIMIT)?;
        (meter.stop(&server, count)?, drain.samples.latency())
    };
    figures.latency = latency;
    drop(load);
    server.stop()?;
    Ok(figures)
}
