//! Reading jobs while the store takes changes: a second connection, which only reads.
//!
//! From: whoever drives it, on a thread of its own. To: the rows of one moment.
//! Never: keeps a transaction open between two reads, which would keep the log from being written over.

use super::failure::Context;
use super::place::Place;
use super::{SqliteOptions, connection, rows};
use crate::{Reader, StoreError};
use geartrain_core::{Found, Shelf, Wanted};
use rusqlite::{CachedStatement, Connection, Row, Statement, Transaction};
use std::path::PathBuf;

/// Numbers so close to each other are read in one pass over the rows between them: passing over a row costs
/// less than searching the next one.
const GAP_MAX: u64 = 16;

/// See the module.
#[derive(Debug)]
pub(super) struct SqliteReader {
    path: PathBuf,
    options: SqliteOptions,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    connection: Connection,
    place: Place,
}

impl SqliteReader {
    pub(super) fn new(path: PathBuf, options: SqliteOptions) -> Result<Self, StoreError> {
        let mut reader = Self { path, options, open: None };
        reader.open = Some(reader.connect()?);
        Ok(reader)
    }

    fn connect(&self) -> Result<Open, StoreError> {
        let context = Context::new(&self.path);
        let connection = context.at("opening it to read", connection::to_read(&self.path, &self.options))?;
        Ok(Open { connection, place: Place::of(&self.path, &self.options) })
    }
}

impl Reader for SqliteReader {
    fn read(
        &mut self,
        wanted: Wanted,
        numbers: &[u64],
        each: &mut dyn FnMut(Found<'_>),
    ) -> Result<(), StoreError> {
        // The store may have been saved to a new file meanwhile; a file that is only missing is still open.
        let open = match self.open.take() {
            Some(open) if !open.place.is_replaced() => open,
            Some(_) | None => self.connect()?,
        };
        let mut sorted = numbers.to_vec();
        if !sorted.is_sorted() {
            sorted.sort_unstable();
        }
        sorted.dedup();
        let outcome = read(&open.connection, wanted, &sorted, each);
        let outcome = Context::new(&self.path).at("reading jobs", outcome);
        // After an error the next read opens it anew.
        if outcome.is_ok() {
            self.open = Some(open);
        }
        outcome
    }
}

fn read(
    connection: &Connection,
    wanted: Wanted,
    numbers: &[u64],
    each: &mut dyn FnMut(Found<'_>),
) -> rusqlite::Result<()> {
    // Ends when it goes, whatever happens.
    let moment = connection.unchecked_transaction()?;
    for close in numbers.chunk_by(|one, next| next - one <= GAP_MAX) {
        match wanted {
            Wanted::Workloads => rows_of(&moment, rows::WORKLOAD, close, &mut |row| {
                if let Ok((number, workload)) = rows::workload(row) {
                    each(Found::Workload { number, workload });
                }
                Ok(())
            })?,
            Wanted::Jobs => {
                let mut attempts = attempts_of(&moment)?;
                rows_of(&moment, rows::JOB, close, &mut |row| {
                    let Ok(record) = rows::job(row) else { return Ok(()) };
                    each(Found::Job(record));
                    read_attempts(&mut attempts, record.number, each)
                })?;
            }
            Wanted::Letters(shelf) => letters(&moment, close, shelf, each)?,
        }
    }
    Ok(())
}

/// The rows of waiting jobs with these numbers, which are in order and close together.
fn rows_of(
    moment: &Transaction<'_>,
    columns: &str,
    numbers: &[u64],
    each: &mut dyn FnMut(&Row<'_>) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let (Some(first), Some(last)) = (numbers.first(), numbers.last()) else { return Ok(()) };
    let sql = format!("SELECT {columns} FROM jobs WHERE number BETWEEN ?1 AND ?2 ORDER BY number");
    let mut close = moment.prepare_cached(&sql)?;
    let mut rows = close.query((first.cast_signed(), last.cast_signed()))?;
    let mut wanted = numbers.iter().copied().peekable();
    while let Some(row) = rows.next()? {
        let number = row.get::<_, i64>(0)?.unsigned_abs();
        while wanted.next_if(|wanted| *wanted < number).is_some() {}
        if wanted.next_if_eq(&number).is_some() {
            each(row)?;
        }
    }
    Ok(())
}

fn letters(
    moment: &Transaction<'_>,
    numbers: &[u64],
    shelf: Shelf,
    each: &mut dyn FnMut(Found<'_>),
) -> rusqlite::Result<()> {
    let sql = format!("SELECT {} FROM letters WHERE number = ?1 AND shelf = ?2", rows::LETTER);
    let mut one = moment.prepare_cached(&sql)?;
    let mut attempts = attempts_of(moment)?;
    for number in numbers {
        let mut rows = one.query((number.cast_signed(), shelf as u8))?;
        let Some(row) = rows.next()? else { continue };
        let Ok((record, shelving)) = rows::letter(row) else { continue };
        each(Found::Letter(record, shelving));
        read_attempts(&mut attempts, *number, each)?;
    }
    Ok(())
}

fn attempts_of<'m>(moment: &'m Transaction<'_>) -> rusqlite::Result<CachedStatement<'m>> {
    moment
        .prepare_cached(&format!("SELECT {} FROM attempts WHERE number = ?1 ORDER BY attempt", rows::ATTEMPT))
}

fn read_attempts(
    attempts: &mut Statement<'_>,
    number: u64,
    each: &mut dyn FnMut(Found<'_>),
) -> rusqlite::Result<()> {
    let mut rows = attempts.query([number.cast_signed()])?;
    while let Some(row) = rows.next()? {
        if let Ok(attempt) = rows::attempt(row) {
            each(Found::Attempt(attempt));
        }
    }
    Ok(())
}
