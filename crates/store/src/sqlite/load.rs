//! All stored jobs, in the order of their places.
//!
//! Rows lie in the order of their numbers, and the place of a job that was given back is larger
//! than its number. So one pass over the rows is enough: a row that was given back waits, as two
//! numbers in a heap, until its place comes, and is then read again. No index, no sort.

use super::failure::Context;
use super::schema::{NUMBER_END, highest_number};
use crate::{LoadReport, StoreError};
use geartrain_core::{Record, UnixTime};
use geartrain_proto::Priority;
use geartrain_proto::limits::{FUNCTION_BYTES_MAX, REDUCER_BYTES_MAX, UNIQUE_BYTES_MAX};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, Statement, TransactionBehavior};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

const ALL: &str = "SELECT number, place, function, unique_key, priority, workload, reducer,
  not_before, attempts, submitted FROM jobs ORDER BY number";
const ONE: &str = "SELECT number, place, function, unique_key, priority, workload, reducer,
  not_before, attempts, submitted FROM jobs WHERE number = ?1";

/// Calls `each` with every job that can be read, and sets the others aside.
pub(super) fn load(
    connection: &mut Connection,
    context: Context<'_>,
    each: &mut dyn FnMut(Record<'_>),
) -> Result<LoadReport, StoreError> {
    let mut stream = Stream { each, waiting: BinaryHeap::new(), loaded: 0, unreadable: Vec::new() };
    let end = context.at("loading its jobs", stream.run(connection))?;
    if end == End::OutOfOrder {
        // Whatever is looked up in such a table may be missed: a job that ended would stay.
        return Err(context.damaged("loading its jobs", "its rows are out of order"));
    }
    let (loaded, unreadable) = (stream.loaded, stream.unreadable);
    if !unreadable.is_empty() {
        // Jobs that can be read are served even if the disk takes no change: then the next start
        // finds the same rows again.
        _ = set_aside(connection, &unreadable);
    }
    Ok(LoadReport { loaded, set_aside: unreadable.len() as u64 })
}

/// How a pass over the rows ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Complete,
    OutOfOrder,
}

struct Stream<'e> {
    each: &'e mut dyn FnMut(Record<'_>),
    waiting: BinaryHeap<Reverse<(u64, u64)>>,
    loaded: u64,
    unreadable: Vec<(i64, &'static str)>,
}

impl Stream<'_> {
    fn run(&mut self, connection: &mut Connection) -> rusqlite::Result<End> {
        let transaction = connection.transaction()?;
        let mut all = transaction.prepare(ALL)?;
        let mut one = transaction.prepare(ONE)?;
        // Found by a search, which new numbers depend on, while the pass follows the rows.
        let highest = highest_number(&transaction)?;
        let mut rows = all.query([])?;
        let mut last: Option<i64> = None;
        while let Some(row) = rows.next()? {
            let number = row.get(0)?;
            if last.is_some_and(|last| number <= last) || (highest < number && number < NUMBER_END) {
                return Ok(End::OutOfOrder);
            }
            last = Some(number);
            match decode(row) {
                Ok(record) => {
                    self.release(&mut one, record.number)?;
                    if record.place > record.number {
                        self.waiting.push(Reverse((record.place, record.number)));
                    } else {
                        self.give(record);
                    }
                }
                Err(reason) => self.unreadable.push((number, reason)),
            }
        }
        self.release(&mut one, u64::MAX)?;
        Ok(End::Complete)
    }

    fn release(&mut self, one: &mut Statement<'_>, before: u64) -> rusqlite::Result<()> {
        while let Some(&Reverse((place, number))) = self.waiting.peek() {
            if place >= before {
                break;
            }
            self.waiting.pop();
            one.query_row([number.cast_signed()], |row| {
                // It was decoded a moment ago, in the same transaction.
                decode(row).map(|record| self.give(record)).map_err(|_| rusqlite::Error::QueryReturnedNoRows)
            })?;
        }
        Ok(())
    }

    fn give(&mut self, record: Record<'_>) {
        (self.each)(record);
        self.loaded += 1;
    }
}

fn decode<'r>(row: &'r Row<'_>) -> Result<Record<'r>, &'static str> {
    let number = integer(row, 0, "its number is not a number")?;
    if !(1..NUMBER_END).contains(&number) {
        return Err("its number is out of range");
    }
    let place = value(row, 1)?.as_i64_or_null().map_err(|_| "its place is not a number")?.unwrap_or(number);
    if !(1..NUMBER_END).contains(&place) {
        return Err("its place is out of range");
    }
    let reducer = if value(row, 6)? == ValueRef::Null {
        None
    } else {
        Some(bytes(row, 6, REDUCER_BYTES_MAX, "its reducer is unusable")?)
    };
    Ok(Record {
        number: number.unsigned_abs(),
        // No job stands before its number: where a damaged place says so, the number counts.
        place: place.max(number).unsigned_abs(),
        function: bytes(row, 2, FUNCTION_BYTES_MAX, "its function is unusable")?,
        unique: bytes(row, 3, UNIQUE_BYTES_MAX, "its unique is unusable")?,
        priority: Priority::from_stored(integer(row, 4, "its priority is not a number")?)
            .ok_or("its priority is out of range")?,
        workload: bytes(row, 5, usize::MAX, "its workload is unusable")?,
        reducer,
        not_before: integer(row, 7, "its time to run is not a number")?,
        attempts: u32::try_from(integer(row, 8, "its attempts are not a number")?)
            .map_err(|_| "its attempts are out of range")?,
        submitted: UnixTime::from_millis(integer(row, 9, "its time of submission is not a number")?),
    })
}

fn value<'r>(row: &'r Row<'_>, column: usize) -> Result<ValueRef<'r>, &'static str> {
    row.get_ref(column).map_err(|_| "a column is missing")
}

fn integer(row: &Row<'_>, column: usize, otherwise: &'static str) -> Result<i64, &'static str> {
    value(row, column)?.as_i64().map_err(|_| otherwise)
}

fn bytes<'r>(
    row: &'r Row<'_>,
    column: usize,
    len_max: usize,
    otherwise: &'static str,
) -> Result<&'r [u8], &'static str> {
    let bytes = value(row, column)?.as_bytes().map_err(|_| otherwise)?;
    if bytes.len() > len_max { Err(otherwise) } else { Ok(bytes) }
}

fn set_aside(connection: &mut Connection, unreadable: &[(i64, &'static str)]) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for (number, reason) in unreadable {
        transaction
            .prepare_cached(
                "INSERT INTO set_aside (reason, noticed, origin, number, place, function, unique_key,
                   priority, workload, reducer, not_before, attempts, submitted)
                 SELECT ?2, CAST(unixepoch('subsec') * 1000 AS INTEGER), 'jobs', * FROM jobs WHERE number = ?1",
            )?
            .execute((number, reason))?;
        transaction.prepare_cached("DELETE FROM jobs WHERE number = ?1")?.execute([number])?;
    }
    transaction.commit()
}
