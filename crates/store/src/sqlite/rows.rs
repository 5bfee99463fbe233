//! From rows to what is remembered: whatever somebody wrote into them, it is checked here.
//!
//! From: the load at start, and readers. To: borrowed values, or why there is none.
//! Never: believes a number because it is one.

use super::schema::NUMBER_END;
use geartrain_core::{
    Attempt, Document, DocumentKind, ERROR_BYTES_MAX, LetterHead, Outcome, Record, Shelf, Shelving, UnixTime,
};
use geartrain_proto::Priority;
use geartrain_proto::limits::{FUNCTION_BYTES_MAX, REDUCER_BYTES_MAX, UNIQUE_BYTES_MAX};
use rusqlite::Row;
use rusqlite::types::ValueRef;

/// Why a row cannot be read.
pub(super) type Reason = &'static str;

/// The columns of a job, in the order of [`job`].
pub(super) const JOB: &str = "number, place, function, unique_key, priority, workload, reducer, not_before,
  attempts, submitted, lost";

/// The columns of a workload, in the order of [`workload`].
pub(super) const WORKLOAD: &str = "number, workload";

/// The columns of a letter, in the order of [`letter`].
pub(super) const LETTER: &str =
    "number, shelf, function, unique_key, priority, workload, reducer, not_before,
  attempts, submitted, lost, ended, how, error";

/// The columns of a letter's head, in the order of [`head`].
///
/// The length of a workload is told by its row, without reading it.
pub(super) const HEAD: &str = "number, shelf, function, ended, how, attempts, error,
  length(function) + length(unique_key) + ifnull(length(reducer), 0) + length(workload)";

/// The columns of an attempt, in the order of [`attempt`].
pub(super) const ATTEMPT: &str = "number, attempt, started, ended, client_id, address, how, text";

/// The columns of a document, in the order of [`document`].
pub(super) const DOCUMENT: &str = "kind, name, body";

/// A row of [`JOB`].
pub(super) fn job<'r>(row: &'r Row<'_>) -> Result<Record<'r>, Reason> {
    let number = number(row)?;
    let place = value(row, 1)?.as_i64_or_null().map_err(|_| "its place is not a number")?;
    let place = place.unwrap_or(number.cast_signed());
    if !(1..NUMBER_END).contains(&place) {
        return Err("its place is out of range");
    }
    // No job stands before its number: where a damaged place says so, the number counts.
    let place = place.unsigned_abs().max(number);
    Ok(Record { place, ..record(row, number)? })
}

/// A row of [`WORKLOAD`]: the number of a job and what its worker gets.
pub(super) fn workload<'r>(row: &'r Row<'_>) -> Result<(u64, &'r [u8]), Reason> {
    Ok((number(row)?, bytes(row, 1, usize::MAX, "its workload is unusable")?))
}

/// A row of [`LETTER`].
pub(super) fn letter<'r>(row: &'r Row<'_>) -> Result<(Record<'r>, Shelving<'r>), Reason> {
    let number = number(row)?;
    let record = record(row, number)?;
    let shelving = Shelving {
        number,
        shelf: shelf(row, 1)?,
        attempts: record.attempts,
        ended: time(row, 11, "its end is not a time")?,
        how: outcome(row, 12)?,
        error: bytes(row, 13, ERROR_BYTES_MAX, "its error is unusable")?,
    };
    Ok((record, shelving))
}

/// A row of [`HEAD`].
pub(super) fn head<'r>(row: &'r Row<'_>) -> Result<LetterHead<'r>, Reason> {
    let shelving = Shelving {
        number: number(row)?,
        shelf: shelf(row, 1)?,
        ended: time(row, 3, "its end is not a time")?,
        how: outcome(row, 4)?,
        attempts: count(row, 5, "its attempts are not a number")?,
        error: bytes(row, 6, ERROR_BYTES_MAX, "its error is unusable")?,
    };
    let function = bytes(row, 2, FUNCTION_BYTES_MAX, "its function is unusable")?;
    let bytes = integer(row, 7, "its length is not a number")?;
    Ok(LetterHead { shelving, function, bytes: bytes.unsigned_abs() })
}

/// A row of [`ATTEMPT`].
pub(super) fn attempt<'r>(row: &'r Row<'_>) -> Result<Attempt<'r>, Reason> {
    Ok(Attempt {
        number: number(row)?,
        attempt: count(row, 1, "it is not a number")?,
        started: time(row, 2, "its begin is not a time")?,
        ended: time(row, 3, "its end is not a time")?,
        client_id: bytes(row, 4, usize::MAX, "its client id is unusable")?,
        address: bytes(row, 5, usize::MAX, "its address is unusable")?,
        how: outcome(row, 6)?,
        text: bytes(row, 7, usize::MAX, "its text is unusable")?,
    })
}

/// A row of [`DOCUMENT`].
pub(super) fn document<'r>(row: &'r Row<'_>) -> Result<Document<'r>, Reason> {
    let kind = integer(row, 0, "its kind is not a number")?;
    Ok(Document {
        kind: DocumentKind::from_stored(kind).ok_or("its kind is unknown")?,
        name: bytes(row, 1, usize::MAX, "its name is unusable")?,
        body: Some(bytes(row, 2, usize::MAX, "its body is unusable")?),
    })
}

/// Number and function of a row of [`JOB`] that cannot be read as a whole.
pub(super) fn identity<'r>(row: &'r Row<'_>) -> Result<(u64, &'r [u8]), Reason> {
    Ok((number(row)?, bytes(row, 2, FUNCTION_BYTES_MAX, "its function is unusable")?))
}

/// What jobs and letters have alike; the place is the number.
fn record<'r>(row: &'r Row<'_>, number: u64) -> Result<Record<'r>, Reason> {
    let reducer = if value(row, 6)? == ValueRef::Null {
        None
    } else {
        Some(bytes(row, 6, REDUCER_BYTES_MAX, "its reducer is unusable")?)
    };
    Ok(Record {
        number,
        place: number,
        function: bytes(row, 2, FUNCTION_BYTES_MAX, "its function is unusable")?,
        unique: bytes(row, 3, UNIQUE_BYTES_MAX, "its unique is unusable")?,
        priority: Priority::from_stored(integer(row, 4, "its priority is not a number")?)
            .ok_or("its priority is out of range")?,
        workload: bytes(row, 5, usize::MAX, "its workload is unusable")?,
        reducer,
        not_before: integer(row, 7, "its time to run is not a number")?,
        attempts: count(row, 8, "its attempts are not a number")?,
        lost: count(row, 10, "its lost workers are not a number")?,
        submitted: time(row, 9, "its time of submission is not a number")?,
    })
}

fn number(row: &Row<'_>) -> Result<u64, Reason> {
    let number = integer(row, 0, "its number is not a number")?;
    if (1..NUMBER_END).contains(&number) {
        Ok(number.unsigned_abs())
    } else {
        Err("its number is out of range")
    }
}

fn shelf(row: &Row<'_>, column: usize) -> Result<Shelf, Reason> {
    Shelf::from_stored(integer(row, column, "its shelf is not a number")?).ok_or("its shelf is unknown")
}

fn outcome(row: &Row<'_>, column: usize) -> Result<Outcome, Reason> {
    Outcome::from_stored(integer(row, column, "its outcome is not a number")?).ok_or("its outcome is unknown")
}

fn time(row: &Row<'_>, column: usize, otherwise: Reason) -> Result<UnixTime, Reason> {
    integer(row, column, otherwise).map(UnixTime::from_millis)
}

fn count(row: &Row<'_>, column: usize, otherwise: Reason) -> Result<u32, Reason> {
    u32::try_from(integer(row, column, otherwise)?).map_err(|_| otherwise)
}

fn integer(row: &Row<'_>, column: usize, otherwise: Reason) -> Result<i64, Reason> {
    value(row, column)?.as_i64().map_err(|_| otherwise)
}

fn bytes<'r>(row: &'r Row<'_>, column: usize, len_max: usize, otherwise: Reason) -> Result<&'r [u8], Reason> {
    let bytes = value(row, column)?.as_bytes().map_err(|_| otherwise)?;
    if bytes.len() > len_max { Err(otherwise) } else { Ok(bytes) }
}

fn value<'r>(row: &'r Row<'_>, column: usize) -> Result<ValueRef<'r>, Reason> {
    row.get_ref(column).map_err(|_| "a column is missing")
}
