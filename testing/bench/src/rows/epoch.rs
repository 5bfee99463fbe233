//! Jobs for a given second, with nothing else going on.

use std::time::Duration;

use super::{Key, Row};
use crate::figures::{Figures, Meter, number};
use crate::goal::at_most;
use crate::load::Load;
use crate::sample::micros;
use crate::scripts::epoch::Epoch;
use crate::server::{Kind, Lab, Server};
use crate::trouble::Trouble;

const LATEST: Key = Key::Extra("latest ms");
const MISSING: Key = Key::Extra("never ran");
const EARLY: Key = Key::Extra("early");

pub(super) const ROW: Row = Row {
    name: "epoch",
    work: "SUBMIT_JOB_EPOCH: how long after its second a job starts",
    goal: "within 50 ms of its second",
    servers: &[Kind::Ours, Kind::Gearmand],
    repetitions: 1,
    floor_ratio: Key::P50,
    gearmand_ratio: Key::P50,
    measure,
    checks: |outcome| {
        vec![
            at_most(outcome, LATEST, Some(50.0)),
            at_most(outcome, MISSING, Some(0.0)),
            at_most(outcome, EARLY, Some(0.0)),
        ]
    },
};

/// The jobs have three seconds more than they need; what did not run by then is counted.
fn measure(lab: &Lab, kind: Kind) -> Result<Figures, Trouble> {
    let server = Server::in_memory(lab, kind)?;
    let mut load = Load::open(server.port, 2)?;
    let seconds = lab.count(4, 1);
    let mut epoch = Epoch::new(seconds);
    let meter = Meter::start(&server)?;
    match load.run(&mut epoch, "waiting for epoch jobs", Duration::from_secs(seconds + 2 + 3)) {
        Ok(()) | Err(Trouble::Limit { .. }) => {}
        Err(trouble) => return Err(trouble),
    }
    let cpu_us = meter.stop(&server, epoch.wanted)?.cpu_us;
    let mut figures = Figures { cpu_us, latency: epoch.late.latency(), ..Figures::default() };
    figures.extra.extend(epoch.late.longest().map(|late| (LATEST.name(), micros(late) / 1e3)));
    figures.extra.push((MISSING.name(), number(epoch.wanted - epoch.ran)));
    figures.extra.push((EARLY.name(), number(epoch.early)));
    drop(load);
    server.stop()?;
    Ok(figures)
}
