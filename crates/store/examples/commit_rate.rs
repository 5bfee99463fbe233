//! How fast the SQLite store commits and loads: `cargo run --release -p geartrain-store --example commit_rate --
//! FOLDER`.
//!
//! Arguments: `FOLDER [rows_per_batch] [batches] [what]`, where `what` is `submit` (records only),
//! `drain` (delete what was submitted, too), `load` (submit, then load everything) or `read` (submit, then look up
//! everything with a reader, a batch at a time). A workload has 256 bytes.
#![allow(clippy::print_stdout, missing_docs, reason = "an example prints what it measured")]

use geartrain_core::{Found, Op, Record, Stored, Ticket, UnixTime, Wanted};
use geartrain_proto::Priority;
use geartrain_store::{Batch, SqliteOptions, SqliteStore, Store};
use std::error::Error;
use std::time::{Duration, Instant};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let word = |index: usize| arguments.get(index).map(String::as_str);
    let folder =
        word(0).ok_or("usage: commit_rate FOLDER [rows_per_batch] [batches] [submit|drain|load|read]")?;
    let rows: u64 = word(1).unwrap_or("256").parse()?;
    let batches: u64 = word(2).unwrap_or("1000").parse()?;
    let what = word(3).unwrap_or("submit");
    let path = std::path::Path::new(folder).join("commit_rate.db");
    let mut store = SqliteStore::open(&path, SqliteOptions::default())?;
    let first = store.opening().next_number;
    submit(&mut store, first, rows, batches)?;
    match what {
        "drain" => drain(&mut store, first, rows, batches)?,
        "load" => load(&path, store)?,
        "read" => read(&store, first, rows, batches)?,
        _ => {}
    }
    Ok(())
}

fn submit(store: &mut SqliteStore, first: u64, rows: u64, batches: u64) -> Result<(), Box<dyn Error>> {
    let mut batch = Batch::new();
    let mut took = Vec::new();
    let mut number = first;
    let start = Instant::now();
    for _ in 0..batches {
        for _ in 0..rows {
            let unique = format!("{number:036}");
            batch.push(Ticket::new(number), Op::Put(record(number, unique.as_bytes())));
            number += 1;
        }
        let began = Instant::now();
        store.commit(&batch)?;
        took.push(began.elapsed());
        batch.clear();
    }
    report("submit", rows * batches, start.elapsed(), took);
    Ok(())
}

fn drain(store: &mut SqliteStore, first: u64, rows: u64, batches: u64) -> Result<(), Box<dyn Error>> {
    let mut batch = Batch::new();
    let mut took = Vec::new();
    let mut number = first;
    let start = Instant::now();
    for _ in 0..batches {
        for _ in 0..rows {
            batch.push(Ticket::new(number), Op::Delete { number, attempts: 0 });
            number += 1;
        }
        let began = Instant::now();
        store.commit(&batch)?;
        took.push(began.elapsed());
        batch.clear();
    }
    report("drain", rows * batches, start.elapsed(), took);
    Ok(())
}

fn load(path: &std::path::Path, store: SqliteStore) -> Result<(), Box<dyn Error>> {
    drop(store);
    let start = Instant::now();
    let mut store = SqliteStore::open(path, SqliteOptions::default())?;
    let opened = start.elapsed();
    let mut bytes = 0;
    let report = store.load(&mut |stored| {
        if let Stored::Job(record) = stored {
            bytes += record.workload.len();
        }
    })?;
    let took = start.elapsed();
    println!(
        "load: {} jobs, {bytes} bytes of workload, opened after {opened:?}, done after {took:?}",
        report.loaded
    );
    Ok(())
}

fn read(store: &SqliteStore, first: u64, rows: u64, batches: u64) -> Result<(), Box<dyn Error>> {
    let mut reader = store.reader()?;
    for (what, step) in [("dense", 1), ("every 10th", 10), ("every 100th", 100)] {
        let wanted: Vec<u64> = (first..first + rows * batches).step_by(step).collect();
        let start = Instant::now();
        let (mut jobs, mut bytes) = (0_u64, 0);
        for numbers in wanted.chunks(1000) {
            reader.read(Wanted::Workloads, numbers, &mut |found| {
                if let Found::Workload { workload, .. } = found {
                    jobs += 1;
                    bytes += workload.len();
                }
            })?;
        }
        let took = start.elapsed();
        println!(
            "read {what}: {jobs} jobs, {bytes} bytes in {took:?}, {:.0}/s",
            jobs as f64 / took.as_secs_f64()
        );
    }
    Ok(())
}

fn record(number: u64, unique: &[u8]) -> Record<'_> {
    Record {
        number,
        place: number,
        function: b"reverse",
        unique,
        priority: Priority::Normal,
        workload: &[b'x'; 256],
        reducer: None,
        not_before: 0,
        attempts: 0,
        lost: 0,
        submitted: UnixTime::from_millis(1_700_000_000_000),
    }
}

fn report(what: &str, rows: u64, total: Duration, mut took: Vec<Duration>) {
    took.sort_unstable();
    let at = |percent: usize| took.get((took.len() * percent / 100).min(took.len().saturating_sub(1)));
    println!(
        "{what}: {rows} rows in {total:?}, {:.0} rows/s; commit p50 {:?}, p99 {:?}, max {:?}",
        rows as f64 / total.as_secs_f64(),
        at(50),
        at(99),
        took.last()
    );
}
