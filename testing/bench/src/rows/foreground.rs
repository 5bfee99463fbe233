//! A foreground job from submit to result.

use super::{Key, Row, WORK_LIMIT};
use crate::figures::{Figures, Meter};
use crate::goal::{at_most, figure};
use crate::load::Load;
use crate::sample::Latency;
use crate::scripts::foreground::Foreground;
use crate::scripts::submit::Submit;
use crate::server::{Kind, Lab, Server};
use crate::trouble::Trouble;

pub(super) const ROW: Row = Row {
    name: "foreground",
    work: "foreground round trip, 1 client, 1 sleeping worker",
    goal: "p50 within 1.25x the floor (two echo round trips)",
    servers: &[Kind::Ours, Kind::Gearmand, Kind::Floor],
    repetitions: 5,
    floor_ratio: Key::P50,
    gearmand_ratio: Key::P50,
    measure,
    checks: |outcome| {
        let floor = figure(outcome, Kind::Floor, Key::P50);
        vec![at_most(outcome, Key::P50, floor.map(|p50| p50 * 1.25))]
    },
};

fn measure(lab: &Lab, kind: Kind) -> Result<Figures, Trouble> {
    let count = lab.count(10_000, 1_000);
    let server = Server::in_memory(lab, kind)?;
    if kind == Kind::Floor {
        return two_echoes(server, count);
    }
    let mut load = Load::open(server.port, 2)?;
    let mut foreground = Foreground::new(count);
    let meter = Meter::start(&server)?;
    load.run(&mut foreground, "waiting for results", WORK_LIMIT)?;
    let mut figures = meter.stop(&server, count)?;
    figures.latency = foreground.samples.latency();
    drop(load);
    server.stop()?;
    Ok(figures)
}

/// One connection with one echo in flight; each percentile and the CPU are taken twice.
fn two_echoes(server: Server, count: u64) -> Result<Figures, Trouble> {
    let mut load = Load::open(server.port, 1)?;
    let mut echo = Submit::new(Kind::Floor.dialect(), 1, 0, count * 2);
    let meter = Meter::start(&server)?;
    load.run(&mut echo, "echoing", WORK_LIMIT)?;
    let mut figures = meter.stop(&server, count)?;
    figures.latency = echo.samples.latency().map(|one| Latency {
        p50: one.p50 * 2.0,
        p95: one.p95 * 2.0,
        p99: one.p99 * 2.0,
    });
    drop(load);
    server.stop()?;
    Ok(figures)
}
