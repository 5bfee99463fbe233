//! One batch, one transaction, one sync.

use super::failure::Context;
use super::schema::NUMBER_END;
use super::text::Text;
use crate::{Batch, StoreError};
use geartrain_core::{ATTEMPTS_KEPT, Attempt, Change, Document, Op, Record, Shelf, Shelving};
use rusqlite::{CachedStatement, Connection};

const PUT: &str = "INSERT OR REPLACE INTO jobs
  (number, place, function, unique_key, priority, workload, reducer, not_before, attempts, submitted, lost)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
const CHANGE: &str =
    "UPDATE jobs SET place = ?2, function = ?3, priority = ?4, not_before = ?5, attempts = ?6,
  lost = ?7 WHERE number = ?1";
const DELETE: &str = "DELETE FROM jobs WHERE number = ?1";
const ATTEMPT: &str = "INSERT OR REPLACE INTO attempts
  (number, slot, attempt, started, ended, client_id, address, how, text)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
/// A job that went to a shelf keeps its attempts, should somebody delete it once more.
const FORGET_ATTEMPTS: &str = "DELETE FROM attempts WHERE number = ?1
  AND NOT EXISTS (SELECT 1 FROM letters WHERE number = ?1)";
const SHELVE: &str = "INSERT OR REPLACE INTO letters
  (number, shelf, ended, how, error, function, unique_key, priority, reducer, not_before, attempts, lost,
    submitted, workload)
  SELECT number, ?2, ?3, ?4, ?5, function, unique_key, priority, reducer, not_before, ?6, lost,
    submitted, workload FROM jobs WHERE number = ?1";
const UNSHELVE: &str = "DELETE FROM letters WHERE number = ?1 AND shelf = ?2";
const WRITE_DOCUMENT: &str = "INSERT OR REPLACE INTO documents (kind, name, body) VALUES (?1, ?2, ?3)";
const FORGET_DOCUMENT: &str = "DELETE FROM documents WHERE kind = ?1 AND name = ?2";
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
        Op::Change(change) => change.number.max(change.place),
        Op::Attempt(attempt) => attempt.number,
        Op::Shelve(shelving) => shelving.number,
        Op::Unshelve { .. } | Op::Delete { .. } | Op::Document(_) => 0,
        Op::ReserveNumbers { until } => until.saturating_sub(1),
    };
    let max = NUMBER_END.unsigned_abs() - 1;
    if number > max { Err(StoreError::NumberTooLarge { number, max }) } else { Ok(()) }
}

struct Writer<'c> {
    connection: &'c Connection,
    put: CachedStatement<'c>,
    delete: CachedStatement<'c>,
    change: CachedStatement<'c>,
    numbers_until: u64,
}

impl<'c> Writer<'c> {
    fn new(connection: &'c Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            connection,
            put: connection.prepare_cached(PUT)?,
            delete: connection.prepare_cached(DELETE)?,
            change: connection.prepare_cached(CHANGE)?,
            numbers_until: 0,
        })
    }

    fn write(&mut self, op: &Op<'_>) -> rusqlite::Result<()> {
        match *op {
            Op::Put(ref record) => self.put(record),
            Op::Change(ref change) => self.change(change),
            Op::Delete { number, attempts } => self.delete(number, attempts),
            Op::Attempt(ref attempt) => self.attempt(attempt),
            Op::Shelve(ref shelving) => self.shelve(shelving),
            Op::Unshelve { number, shelf } => self.unshelve(number, shelf),
            Op::Document(ref document) => self.document(document),
            Op::ReserveNumbers { until } => {
                self.numbers_until = self.numbers_until.max(until);
                Ok(())
            }
        }
    }

    fn delete(&mut self, number: u64, attempts: u32) -> rusqlite::Result<()> {
        self.delete.raw_bind_parameter(1, number.cast_signed())?;
        self.delete.raw_execute()?;
        if attempts > 0 { self.forget_attempts(number) } else { Ok(()) }
    }

    fn put(&mut self, record: &Record<'_>) -> rusqlite::Result<()> {
        let place = self.place(record.number, record.place);
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
        put.raw_bind_parameter(11, record.lost)?;
        put.raw_execute().map(|_| ())
    }

    fn change(&mut self, changed: &Change<'_>) -> rusqlite::Result<()> {
        let place = self.place(changed.number, changed.place);
        let change = &mut self.change;
        change.raw_bind_parameter(1, changed.number.cast_signed())?;
        change.raw_bind_parameter(2, place)?;
        change.raw_bind_parameter(3, changed.function)?;
        change.raw_bind_parameter(4, changed.priority as u8)?;
        change.raw_bind_parameter(5, changed.not_before)?;
        change.raw_bind_parameter(6, changed.attempts)?;
        change.raw_bind_parameter(7, changed.lost)?;
        change.raw_execute().map(|_| ())
    }

    /// The place as it is written: none where it is the number. Another one is a number of the same row
    /// of numbers, and is not given again either.
    fn place(&mut self, number: u64, place: u64) -> Option<i64> {
        if place == number {
            return None;
        }
        self.numbers_until = self.numbers_until.max(place + 1);
        Some(place.cast_signed())
    }

    // What follows is rare, so it is not kept with the others.

    fn attempt(&self, attempt: &Attempt<'_>) -> rusqlite::Result<()> {
        let mut write = self.connection.prepare_cached(ATTEMPT)?;
        write.raw_bind_parameter(1, attempt.number.cast_signed())?;
        write.raw_bind_parameter(2, attempt.attempt % ATTEMPTS_KEPT)?;
        write.raw_bind_parameter(3, attempt.attempt)?;
        write.raw_bind_parameter(4, attempt.started.millis())?;
        write.raw_bind_parameter(5, attempt.ended.millis())?;
        write.raw_bind_parameter(6, attempt.client_id)?;
        write.raw_bind_parameter(7, attempt.address)?;
        write.raw_bind_parameter(8, attempt.how as u8)?;
        write.raw_bind_parameter(9, attempt.text)?;
        write.raw_execute().map(|_| ())
    }

    fn shelve(&mut self, shelving: &Shelving<'_>) -> rusqlite::Result<()> {
        let mut write = self.connection.prepare_cached(SHELVE)?;
        write.raw_bind_parameter(1, shelving.number.cast_signed())?;
        write.raw_bind_parameter(2, shelving.shelf as u8)?;
        write.raw_bind_parameter(3, shelving.ended.millis())?;
        write.raw_bind_parameter(4, shelving.how as u8)?;
        write.raw_bind_parameter(5, shelving.error)?;
        write.raw_bind_parameter(6, shelving.attempts)?;
        write.raw_execute()?;
        self.delete(shelving.number, 0)
    }

    fn unshelve(&self, number: u64, shelf: Shelf) -> rusqlite::Result<()> {
        let number = number.cast_signed();
        let was_there = self.connection.prepare_cached(UNSHELVE)?.execute((number, shelf as u8))? > 0;
        if was_there { self.forget_attempts(number.unsigned_abs()) } else { Ok(()) }
    }

    fn forget_attempts(&self, number: u64) -> rusqlite::Result<()> {
        self.connection.prepare_cached(FORGET_ATTEMPTS)?.execute([number.cast_signed()]).map(|_| ())
    }

    fn document(&self, document: &Document<'_>) -> rusqlite::Result<()> {
        let (kind, name) = (document.kind as u8, Text(document.name));
        match document.body {
            Some(body) => {
                self.connection.prepare_cached(WRITE_DOCUMENT)?.execute((kind, name, Text(body)))?;
            }
            None => {
                self.connection.prepare_cached(FORGET_DOCUMENT)?.execute((kind, name))?;
            }
        }
        Ok(())
    }

    fn finish(self) -> rusqlite::Result<()> {
        if self.numbers_until > 0 {
            self.connection.prepare_cached(RESERVE)?.execute([self.numbers_until.cast_signed()])?;
        }
        Ok(())
    }
}
