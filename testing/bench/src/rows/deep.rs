//! A queue of a million jobs against one of ten thousand.

use super::{Key, Row, WORK_LIMIT};
use crate::figures::{Figures, Meter, number};
use crate::goal::at_most;
use crate::load::Load;
use crate::scripts::drain::Drain;
use crate::scripts::submit::Submit;
use crate::server::{Kind, Lab, Server};
use crate::trouble::Trouble;

const SHALLOW: u64 = 10_000;

const SUBMIT: Key = Key::Extra("submit deep/10k");
const GRAB: Key = Key::Extra("grab deep/10k");

pub(super) const ROW: Row = Row {
    name: "deep-queue",
    work: "CPU of submit and grab, many waiting jobs against 10,000",
    goal: "as with 10,000 (within 1.25x)",
    servers: &[Kind::Ours, Kind::Gearmand, Kind::Beanstalkd],
    repetitions: 3,
    floor_ratio: Key::Cpu,
    gearmand_ratio: SUBMIT,
    measure,
    checks: |outcome| vec![at_most(outcome, SUBMIT, Some(1.25)), at_most(outcome, GRAB, Some(1.25))],
};

/// The reference gets a tenth of the jobs: filling it takes the square of their count.
fn measure(lab: &Lab, kind: Kind) -> Result<Figures, Trouble> {
    let deep = if kind == Kind::Gearmand { lab.deep.min(100_000) } else { lab.deep };
    let batch = lab.count(50_000, 5_000);
    let server = Server::in_memory(lab, kind)?;
    let mut field = Field { lab, server, next: 0 };
    field.fill(SHALLOW)?;
    field.submit_and_grab(batch)?;
    let (submit_shallow, grab_shallow) = field.submit_and_grab(batch)?;
    field.fill(deep - SHALLOW)?;
    let (submit, grab) = field.submit_and_grab(batch)?;
    let both = [submit.cpu_us, grab.cpu_us].into_iter().flatten().sum();
    let mut figures = Figures { cpu_us: Some(both), ..Figures::default() };
    let ratio = |deep: &Figures, shallow: &Figures| Some(deep.cpu_us? / shallow.cpu_us?);
    figures.extra.extend(ratio(&submit, &submit_shallow).map(|ratio| (SUBMIT.name(), ratio)));
    figures.extra.extend(ratio(&grab, &grab_shallow).map(|ratio| (GRAB.name(), ratio)));
    figures.extra.push(("jobs", number(deep)));
    Ok(figures)
}

struct Field<'a> {
    lab: &'a Lab,
    server: Server,
    next: u64,
}

impl Field<'_> {
    fn submit(&mut self, count: u64) -> Result<(), Trouble> {
        let mut submit = Submit::new(self.server.kind.dialect(), 64, self.next, count);
        self.next += count;
        // Ten million jobs are asked for with `--deep`; they have the time that they need.
        let limit = WORK_LIMIT.max(std::time::Duration::from_micros(self.lab.deep * 30));
        Load::open(self.server.port, 4)?.run(&mut submit, "submitting", limit)
    }

    fn fill(&mut self, count: u64) -> Result<(), Trouble> {
        self.submit(count)
    }

    /// Adds `count` jobs and takes as many away, four connections with 64 in flight for both.
    fn submit_and_grab(&mut self, count: u64) -> Result<(Figures, Figures), Trouble> {
        let meter = Meter::start(&self.server)?;
        self.submit(count)?;
        let submit = meter.stop(&self.server, count)?;
        let mut workers = Load::open(self.server.port, 4)?;
        let meter = Meter::start(&self.server)?;
        workers.run(&mut Drain::new(self.server.kind.dialect(), 64, count), "draining", WORK_LIMIT)?;
        Ok((submit, meter.stop(&self.server, count)?))
    }
}
