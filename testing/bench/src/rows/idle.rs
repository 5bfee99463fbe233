//! A server with sleeping workers and nothing to do.

use std::time::Duration;

use super::{Key, Row, WORK_LIMIT};
use crate::figures::{Figures, number};
use crate::goal::at_most;
use crate::load::Load;
use crate::process::cpu;
use crate::sample::micros;
use crate::scripts::submit::Submit;
use crate::scripts::wake::Wake;
use crate::server::{Kind, Lab, Server};
use crate::trouble::Trouble;

const WORKERS: usize = 500;

/// Time for what the workers' arrival may have left to do.
const SETTLE: Duration = Duration::from_secs(1);

const PER_SECOND: Key = Key::Extra("CPU us/s");

pub(super) const ROW: Row = Row {
    name: "idle-cpu",
    work: "500 sleeping workers and no job: CPU used",
    goal: "none (under 100 us a second)",
    servers: &[Kind::Ours, Kind::Gearmand, Kind::Floor],
    repetitions: 1,
    floor_ratio: PER_SECOND,
    gearmand_ratio: PER_SECOND,
    measure,
    checks: |outcome| vec![at_most(outcome, PER_SECOND, Some(100.0))],
};

fn measure(lab: &Lab, kind: Kind) -> Result<Figures, Trouble> {
    let server = Server::in_memory(lab, kind)?;
    let mut load = Load::open(server.port, WORKERS)?;
    if kind == Kind::Floor {
        load.run(&mut Submit::new(kind.dialect(), 1, 0, number_of_workers()), "echoing once", WORK_LIMIT)?;
    } else {
        load.run(&mut Wake::put_to_sleep(), "putting the workers to sleep", WORK_LIMIT)?;
    }
    std::thread::sleep(SETTLE);
    let before = cpu(server.pid())?;
    let seconds = lab.count(5, 2);
    std::thread::sleep(Duration::from_secs(seconds));
    let used = cpu(server.pid())?.saturating_sub(before);
    let extra = vec![(PER_SECOND.name(), micros(used) / number(seconds))];
    drop(load);
    server.stop()?;
    Ok(Figures { extra, ..Figures::default() })
}

fn number_of_workers() -> u64 {
    u64::try_from(WORKERS).unwrap_or(u64::MAX)
}
