//! Resident memory: of a waiting job, and of an idle connection.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::{Key, Row, WORK_LIMIT};
use crate::figures::{Figures, Meter, number};
use crate::goal::{at_least, at_most, figure};
use crate::load::{Load, connect};
use crate::process::resident;
use crate::scripts::submit::Submit;
use crate::server::{Kind, Lab, Server};
use crate::trouble::Trouble;

const HELD: Key = Key::Extra("held");
const ASKED: Key = Key::Extra("asked for");

/// Files that a server needs beside its connections, and the bench beside its own.
const FILES_BESIDE: u64 = 200;

pub(super) const PER_JOB: Row = Row {
    name: "job-memory",
    work: "resident memory per waiting job",
    goal: "under 220 bytes",
    servers: &[Kind::Ours, Kind::Gearmand, Kind::Beanstalkd, Kind::Redis],
    repetitions: 1,
    floor_ratio: Key::Memory,
    gearmand_ratio: Key::Memory,
    measure: per_job,
    checks: |outcome| vec![at_most(outcome, Key::Memory, Some(220.0))],
};

pub(super) const PER_CONNECTION: Row = Row {
    name: "idle-memory",
    work: "resident memory per idle connection, 20,000 held",
    goal: "under 4 KiB, 20,000 held (or what the limit of open files allows)",
    servers: &Kind::ALL,
    repetitions: 1,
    floor_ratio: Key::Memory,
    gearmand_ratio: Key::Memory,
    measure: per_connection,
    checks: |outcome| {
        vec![
            at_most(outcome, Key::Memory, Some(4096.0)),
            at_least(outcome, HELD, figure(outcome, Kind::Ours, ASKED)),
        ]
    },
};

/// The reference gets a fifth of the jobs: its hash table has chains, and filling takes the square of the count.
fn per_job(lab: &Lab, kind: Kind) -> Result<Figures, Trouble> {
    let count = lab.count(1_000_000, 50_000) / if kind == Kind::Gearmand { 5 } else { 1 };
    let server = Server::in_memory(lab, kind)?;
    let mut load = Load::open(server.port, 4)?;
    load.run(&mut Submit::new(kind.dialect(), 64, 0, 1_000), "warming up", WORK_LIMIT)?;
    let before = resident(server.pid())?;
    let meter = Meter::start(&server)?;
    load.run(&mut Submit::new(kind.dialect(), 64, 1_000, count), "filling the queue", WORK_LIMIT)?;
    let mut figures = meter.stop(&server, count)?;
    let grown = resident(server.pid())?.saturating_sub(before);
    figures.memory = Some(number(grown) / number(count));
    figures.extra.push(("jobs", number(count)));
    drop(server);
    Ok(figures)
}

/// As many as the limit of open files allows, at most 20,000.
///
/// Each connection asks once and is answered, so that it is one the server has really taken.
fn per_connection(lab: &Lab, kind: Kind) -> Result<Figures, Trouble> {
    let wanted = lab.count(20_000, 2_000).min(lab.files.saturating_sub(FILES_BESIDE));
    let server = Server::in_memory(lab, kind)?;
    let ping = kind.dialect().ping();
    let mut streams = Vec::new();
    for _ in 0..FILES_BESIDE / 2 {
        streams.push(greet(server.port, &ping)?);
    }
    let before = resident(server.pid())?;
    let meter = Meter::start(&server)?;
    let mut held = 0;
    for _ in 0..wanted {
        match greet(server.port, &ping) {
            Ok(stream) => streams.push(stream),
            Err(_) => break,
        }
        held += 1;
    }
    let mut figures = meter.stop(&server, held.max(1))?;
    let grown = resident(server.pid())?.saturating_sub(before);
    // How fast one connection after the other can be opened is the load's speed.
    figures.rate = None;
    figures.memory = Some(number(grown) / number(held.max(1)));
    figures.extra = vec![(HELD.name(), number(held)), (ASKED.name(), number(wanted))];
    let last = streams.len().saturating_sub(1);
    for stream in streams.iter_mut().enumerate().filter(|(index, _)| index % 1_000 == 0 || *index == last) {
        exchange(stream.1, &ping)?;
    }
    drop(server);
    Ok(figures)
}

fn greet(port: u16, ping: &[u8]) -> Result<TcpStream, Trouble> {
    let mut stream = connect(port)?;
    exchange(&mut stream, ping)?;
    Ok(stream)
}

fn exchange(stream: &mut TcpStream, ping: &[u8]) -> Result<(), Trouble> {
    let what = "asking on an idle connection";
    stream.set_read_timeout(Some(std::time::Duration::from_secs(5))).map_err(Trouble::io(what))?;
    stream.write_all(ping).map_err(Trouble::io(what))?;
    let mut answer = [0; 256];
    let mut length = 0;
    while answer.get(..length).is_none_or(|bytes| !bytes.ends_with(b"\n")) {
        match stream.read(answer.get_mut(length..).unwrap_or_default()).map_err(Trouble::io(what))? {
            0 => return Err(Trouble::Closed { what }),
            count => length += count,
        }
    }
    Ok(())
}
