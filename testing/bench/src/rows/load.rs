//! Starting with many stored jobs.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{Key, Row, WORK_LIMIT};
use crate::dialect::{Dialect, FUNCTION};
use crate::figures::{Figures, number};
use crate::goal::at_most;
use crate::load::Load;
use crate::process::resident;
use crate::scripts::submit::Submit;
use crate::server::{Keep, Kind, Lab, START_LIMIT, Server};
use crate::trouble::Trouble;

/// Longest time for a server to have its jobs back.
const LOAD_LIMIT: Duration = Duration::from_secs(60);

const LOADED: Key = Key::Extra("loaded s");
const FIRST_ANSWER: Key = Key::Extra("first answer s");
const LONGEST_ANSWER: Key = Key::Extra("longest answer s");

pub(super) const ROW: Row = Row {
    name: "load",
    work: "start with 1,000,000 stored jobs",
    goal: "under 3 s, the port answers meanwhile (first and every answer within 0.5 s)",
    servers: &[Kind::Ours, Kind::Gearmand, Kind::Beanstalkd, Kind::Redis],
    repetitions: 1,
    floor_ratio: LOADED,
    gearmand_ratio: LOADED,
    measure,
    checks: |outcome| {
        vec![
            at_most(outcome, LOADED, Some(3.0)),
            at_most(outcome, FIRST_ANSWER, Some(0.5)),
            at_most(outcome, LONGEST_ANSWER, Some(0.5)),
        ]
    },
};

/// The reference gets a fifth of the jobs, written into its table: it would need hours to store a million.
fn measure(lab: &Lab, kind: Kind) -> Result<Figures, Trouble> {
    let count = lab.count(1_000_000, 20_000) / if kind == Kind::Gearmand { 5 } else { 1 };
    let dir = lab.fresh_dir(kind)?;
    if kind == Kind::Gearmand {
        kind.program(lab)?;
        write_reference_table(&dir, count)?;
    } else {
        fill(lab, kind, &dir, count)?;
    }
    let start = Instant::now();
    let mut server = Server::spawn(lab, kind, Keep::Durable, &dir)?;
    server.wait_for_answer(LOAD_LIMIT)?;
    let first_answer = start.elapsed();
    let mut longest = Duration::ZERO;
    loop {
        let asked = Instant::now();
        let waiting = waiting_jobs(&server)?;
        longest = longest.max(asked.elapsed());
        if waiting >= count {
            break;
        }
        if start.elapsed() > LOAD_LIMIT {
            return Err(Trouble::Lost { missing: count - waiting, of: count });
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let loaded = start.elapsed().as_secs_f64();
    server.check_policies(lab)?;
    let memory = number(resident(server.pid())?) / number(count);
    server.stop()?;
    Ok(Figures {
        rate: Some(number(count) / loaded),
        memory: Some(memory),
        extra: vec![
            (LOADED.name(), loaded),
            (FIRST_ANSWER.name(), first_answer.as_secs_f64()),
            (LONGEST_ANSWER.name(), longest.as_secs_f64()),
            ("jobs", number(count)),
        ],
        ..Figures::default()
    })
}

fn fill(lab: &Lab, kind: Kind, dir: &Path, count: u64) -> Result<(), Trouble> {
    let mut server = Server::spawn(lab, kind, Keep::Unsynced, dir)?;
    server.wait_for_answer(START_LIMIT)?;
    let mut submit = Submit::new(kind.dialect(), 1_024, 0, count);
    Load::open(server.port, 4)?.run(&mut submit, "filling the store", WORK_LIMIT)?;
    server.stop()
}

/// Makes the reference's table with `count` rows by the `sqlite3` program.
fn write_reference_table(dir: &Path, count: u64) -> Result<(), Trouble> {
    let missing = |_| Trouble::NotInstalled { hint: "apt package sqlite3, which fills its table" };
    let sql = format!(
        "CREATE TABLE gearman_queue (unique_key TEXT, function_name TEXT, priority INTEGER, data BLOB, \
         when_to_run INTEGER, PRIMARY KEY (unique_key, function_name));\n\
         WITH RECURSIVE job(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM job WHERE n < {count})\n\
         INSERT INTO gearman_queue SELECT lower(hex(randomblob(18))), '{}', 1, randomblob(64), 0 FROM job;\n",
        String::from_utf8_lossy(FUNCTION)
    );
    let mut child = Command::new("sqlite3")
        .arg(dir.join("queue.db"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .map_err(missing)?;
    let written = child.stdin.take().map(|mut input| input.write_all(sql.as_bytes()));
    let status = child.wait().map_err(Trouble::io("wait for sqlite3"))?;
    match written {
        Some(Ok(())) if status.success() => Ok(()),
        _ => Err(Trouble::Answer(format!("sqlite3 ended with {status}"))),
    }
}

/// Asks the server how many jobs it has.
pub(super) fn waiting_jobs(server: &Server) -> Result<u64, Trouble> {
    let (question, end): (&[u8], &[u8]) = match server.kind.dialect() {
        Dialect::Gearman | Dialect::Echo => (b"status\r\n", b".\n"),
        Dialect::Beanstalk => (b"stats-tube default\r\n", b"\r\n"),
        Dialect::Redis => (b"LLEN resize\r\n", b"\r\n"),
    };
    let answer = server.ask(question, end)?;
    Ok(parse_waiting(server.kind.dialect(), &String::from_utf8_lossy(&answer)).unwrap_or(0))
}

fn parse_waiting(dialect: Dialect, answer: &str) -> Option<u64> {
    let digits = match dialect {
        Dialect::Gearman | Dialect::Echo => {
            answer.lines().find_map(|line| line.strip_prefix("resize\t"))?.split('\t').next()?
        }
        Dialect::Beanstalk => answer.lines().find_map(|line| line.strip_prefix("current-jobs-ready: "))?,
        Dialect::Redis => answer.strip_prefix(':')?,
    };
    digits.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_jobs_is_read_from_each_servers_answer() {
        let status = "mail\t7\t0\t0\nresize\t1000000\t0\t0\n.\n";
        assert_eq!(parse_waiting(Dialect::Gearman, status), Some(1_000_000));
        assert_eq!(parse_waiting(Dialect::Gearman, ".\n"), None);
        let stats = "OK 5\r\n---\nname: default\ncurrent-jobs-ready: 42\ntotal-jobs: 43\n\r\n";
        assert_eq!(parse_waiting(Dialect::Beanstalk, stats), Some(42));
        assert_eq!(parse_waiting(Dialect::Redis, ":9\r\n"), Some(9));
        assert_eq!(parse_waiting(Dialect::Redis, "-LOADING\r\n"), None);
    }
}
