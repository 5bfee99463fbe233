//! One batch, one transaction, one sync.

use super::failure::Context;
use super::schema::NUMBER_END;
use crate::{Batch, StoreError};
use geartrain_core::{Op, Record};
use rusqlite::{CachedStatement, Connection};

const PUT: &str = "INSERT OR REPLACE INTO jobs
  (number, place, function, unique_key, priority, workload, reducer, not_before, attempts, submitted)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
const GIVE_BACK: &str = "UPDATE jobs SET place = ?2, attempts = ?3 WHERE number = ?1";
const BURY: &str = "INSERT OR REPLACE INTO buried
  (number, function, unique_key, priority, workload, reducer, not_before, attempts, submitted, buried)
  SELECT number, function, unique_key, priority, workload, reducer, not_before, ?2, submitted,
    CAST(unixepoch('subsec') * 1000 AS INTEGER) FROM jobs WHERE number = ?1";
const DELETE: &str = "DELETE FROM jobs WHERE number = ?1";
const RESERVE: &str = "INSERT INTO meta(name, value) VALUES ('numbers_until', ?1)
  ON CONFLICT(name) DO UPDATE SET value = max(value, excluded.value)";

/// Writes the net effect of `batch` and waits until it is on disk.
pub(super) fn commit(connection: &Connection, context: Context<'_>, batch: &Batch) -> Result<(), StoreError> {
    context.at("beginning a batch", run(connection, "BEGIN IMMEDIATE"))?;
    let result = write_and_sync(connection, context, batch);
    if result.is_err() && !connection.is_autocommit() {
        // Nobody else should wait for the lock of a batch that failed; `reopen` tries again.
        _ = run(connection, "ROLLBACK");
    }
    result
}

fn write_and_sync(connection: &Connection, context: Context<'_>, batch: &Batch) -> Result<(), StoreError> {
    let writing = "writing a batch";
    let mut writer = context.at(writing, Writer::new(connection))?;
    for op in batch.iter_net() {
        check_numbers(&op)?;
        context.at(writing, writer.write(&op))?;
    }
    context.at(writing, writer.finish())?;
    context.at("syncing a batch", run(connection, "COMMIT"))
}

fn run(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.raw_execute().map(|_| ())
}

fn check_numbers(op: &Op<'_>) -> Result<(), StoreError> {
    let number = match *op {
        Op::Put(record) => record.number.max(record.place),
        Op::GiveBack { number, place, .. } => number.max(place),
        Op::Bury { .. } | Op::Delete { .. } => 0,
        Op::ReserveNumbers { until } => until.saturating_sub(1),
    };
    let max = NUMBER_END.unsigned_abs() - 1;
    if number > max { Err(StoreError::NumberTooLarge { number, max }) } else { Ok(()) }
}

struct Writer<'c> {
    connection: &'c Connection,
    put: CachedStatement<'c>,
    give_back: CachedStatement<'c>,
    delete: CachedStatement<'c>,
    reserve: CachedStatement<'c>,
    numbers_until: u64,
}

impl<'c> Writer<'c> {
    fn new(connection: &'c Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            connection,
            put: connection.prepare_cached(PUT)?,
            give_back: connection.prepare_cached(GIVE_BACK)?,
            delete: connection.prepare_cached(DELETE)?,
            reserve: connection.prepare_cached(RESERVE)?,
            numbers_until: 0,
        })
    }

    fn write(&mut self, op: &Op<'_>) -> rusqlite::Result<()> {
        match *op {
            Op::Put(ref record) => self.put(record)?,
            Op::GiveBack { number, place, attempts } => {
                // A place is a number of the same row of numbers: it is not given again either.
                self.numbers_until = self.numbers_until.max(place + 1);
                self.give_back.raw_bind_parameter(1, number.cast_signed())?;
                self.give_back.raw_bind_parameter(2, place.cast_signed())?;
                self.give_back.raw_bind_parameter(3, attempts)?;
                self.give_back.raw_execute()?;
            }
            Op::Bury { number, attempts } => {
                // Rare, so it is not kept with the others.
                self.connection.prepare_cached(BURY)?.execute((number.cast_signed(), attempts))?;
                self.delete(number)?;
            }
            Op::Delete { number } => self.delete(number)?,
            Op::ReserveNumbers { until } => self.numbers_until = self.numbers_until.max(until),
        }
        Ok(())
    }

    fn delete(&mut self, number: u64) -> rusqlite::Result<()> {
        self.delete.raw_bind_parameter(1, number.cast_signed())?;
        self.delete.raw_execute().map(|_| ())
    }

    fn put(&mut self, record: &Record<'_>) -> rusqlite::Result<()> {
        let place = (record.place != record.number).then_some(record.place.cast_signed());
        self.numbers_until = self.numbers_until.max(place.map_or(0, |_| record.place + 1));
        let put = &mut self.put;
        put.raw_bind_parameter(1, record.number.cast_signed())?;
        put.raw_bind_parameter(2, place)?;
        put.raw_bind_parameter(3, record.function)?;
        put.raw_bind_parameter(4, record.unique)?;
        put.raw_bind_parameter(5, record.priority as u8)?;
        put.raw_bind_parameter(6, record.workload)?;
        put.raw_bind_parameter(7, record.reducer)?;
        put.raw_bind_parameter(8, record.not_before)?;
        put.raw_bind_parameter(9, record.attempts)?;
        put.raw_bind_parameter(10, record.submitted.millis())?;
        put.raw_execute().map(|_| ())
    }

    fn finish(mut self) -> rusqlite::Result<()> {
        if self.numbers_until > 0 {
            self.reserve.raw_bind_parameter(1, self.numbers_until.cast_signed())?;
            self.reserve.raw_execute()?;
        }
        Ok(())
    }
}
