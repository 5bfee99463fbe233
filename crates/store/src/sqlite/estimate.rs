//! How many jobs there are, without reading them all.
//!
//! From: opening a store, before the port is bound.
//! Never: reads more than some hundred pages.

use super::schema::highest_in;
use crate::JOBS_COUNTED_MAX;
use rusqlite::{Connection, OptionalExtension};

/// At how many places the density of numbers is looked at.
const PLACES: u64 = 32;

/// How many rows are looked at in each place.
const ROWS: u64 = 16;

/// The number of waiting jobs: counted up to [`JOBS_COUNTED_MAX`], else estimated.
pub(super) fn jobs(connection: &Connection) -> rusqlite::Result<u64> {
    let count = "SELECT count(*) FROM (SELECT 1 FROM jobs LIMIT ?1)";
    let some: i64 = connection.query_row(count, [JOBS_COUNTED_MAX.cast_signed()], |row| row.get(0))?;
    if some.unsigned_abs() < JOBS_COUNTED_MAX {
        return Ok(some.unsigned_abs());
    }
    let lowest = "SELECT number FROM jobs WHERE number > 0 ORDER BY number LIMIT 1";
    let lowest: Option<i64> = connection.query_row(lowest, [], |row| row.get(0)).optional()?;
    let (lowest, highest) =
        (lowest.unwrap_or(1).unsigned_abs(), highest_in(connection, "jobs")?.unsigned_abs());
    let step = (highest.saturating_sub(lowest) + 1).div_ceil(PLACES);
    let mut estimate = 0;
    for place in 0..PLACES {
        let from = lowest + place * step;
        estimate += between(connection, from, (from + step).min(highest + 1))?;
    }
    Ok(estimate.max(JOBS_COUNTED_MAX))
}

/// About how many numbers from `from` to below `until` are taken, by how close the first ones are.
fn between(connection: &Connection, from: u64, until: u64) -> rusqlite::Result<u64> {
    let mut first = connection.prepare_cached(
        "SELECT number FROM jobs WHERE number >= ?1 AND number < ?2 ORDER BY number LIMIT ?3",
    )?;
    let arguments = (from.cast_signed(), until.cast_signed(), ROWS.cast_signed());
    let mut rows = first.query(arguments)?;
    let (mut found, mut last) = (0, from);
    while let Some(row) = rows.next()? {
        found += 1;
        last = row.get::<_, i64>(0)?.unsigned_abs();
    }
    if found < ROWS {
        return Ok(found);
    }
    // In parts of a number, since the product may be large: neither is over 2^53.
    let product = u128::from(found) * u128::from(until - from) / u128::from(last - from + 1);
    Ok(u64::try_from(product).unwrap_or(u64::MAX))
}
