//! Taking over the table of a reference server.

use super::failure::Context;
use super::schema::{kind_of, next_number};
use super::view::quoted;
use crate::StoreError;
use geartrain_proto::Priority;
use geartrain_proto::limits::{FUNCTION_BYTES_MAX, UNIQUE_BYTES_MAX};
use rusqlite::{Connection, Row};

/// How an import went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Imported {
    pub(super) imported: u64,
    pub(super) set_aside: u64,
}

/// Takes over the rows of the table `name`, if there is one, and renames it; within the transaction
/// of the caller.
///
/// # Errors
/// When the name stands for something that is not a queue, or the database cannot be changed.
pub(super) fn import(
    connection: &Connection,
    context: Context<'_>,
    name: &str,
) -> Result<Imported, StoreError> {
    let doing = "taking over the table of another server";
    let Some(kind) = context.at(doing, kind_of(connection, name))? else {
        return Ok(Imported::default());
    };
    let columns = context.at(doing, columns(connection, name))?;
    let has = |column: &str| columns.iter().any(|found| found.eq_ignore_ascii_case(column));
    if kind != "table" || !["unique_key", "function_name", "priority", "data"].into_iter().all(has) {
        return Err(StoreError::ViewName {
            location: context.location(),
            name: name.escape_debug().to_string(),
            reason: format!("there is a {kind} of that name that is not a queue"),
        });
    }
    context.at(doing, take_over(connection, name, has("when_to_run")))
}

fn take_over(connection: &Connection, name: &str, has_time: bool) -> rusqlite::Result<Imported> {
    let kept = free_name(connection, name)?;
    connection.execute_batch(&format!("ALTER TABLE {} RENAME TO {}", quoted(name), quoted(&kept)))?;
    copy(connection, &kept, has_time)
}

fn copy(connection: &Connection, name: &str, has_time: bool) -> rusqlite::Result<Imported> {
    let table = quoted(name);
    let time = if has_time { "when_to_run" } else { "NULL" };
    let select = format!(
        "SELECT rowid, unique_key, function_name, priority, data, {time} FROM {table} ORDER BY rowid"
    );
    let keep = format!(
        "INSERT INTO set_aside (reason, noticed, origin, unique_key, function, priority, workload, not_before)
         SELECT ?2, CAST(unixepoch('subsec') * 1000 AS INTEGER), ?3, unique_key, function_name, priority, data, {time}
         FROM {table} WHERE rowid = ?1"
    );
    let mut rows = connection.prepare(&select)?;
    let mut rows = rows.query([])?;
    let mut keep = connection.prepare(&keep)?;
    let mut put = connection.prepare(
        "INSERT INTO jobs (number, function, unique_key, priority, workload, not_before, attempts, submitted)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, CAST(unixepoch('subsec') * 1000 AS INTEGER))",
    )?;
    let mut number = next_number(connection)?;
    let mut report = Imported::default();
    while let Some(row) = rows.next()? {
        match decode(row) {
            Ok(job) => {
                let priority = job.priority as u8;
                put.execute((number, job.function, job.unique, priority, job.workload, job.not_before))?;
                number += 1;
                report.imported += 1;
            }
            Err(reason) => {
                keep.execute((row.get::<_, i64>(0)?, reason, name))?;
                report.set_aside += 1;
            }
        }
    }
    Ok(report)
}

/// A row of the reference server.
struct Job<'r> {
    unique: &'r [u8],
    function: &'r [u8],
    priority: Priority,
    workload: &'r [u8],
    not_before: i64,
}

fn decode<'r>(row: &'r Row<'_>) -> Result<Job<'r>, &'static str> {
    let column = |index| row.get_ref(index).map_err(|_| "a column is missing");
    let unique = column(1)?.as_bytes_or_null().map_err(|_| "its unique is not text")?.unwrap_or_default();
    // The reference keeps 63 bytes of a unique of 64, and a NUL.
    let unique = match unique {
        [kept @ .., 0] if unique.len() == UNIQUE_BYTES_MAX => kept,
        _ => unique,
    };
    let function = column(2)?.as_bytes().map_err(|_| "its function is not text")?;
    if unique.len() > UNIQUE_BYTES_MAX {
        return Err("its unique is too long");
    }
    if function.len() > FUNCTION_BYTES_MAX {
        return Err("its function is too long");
    }
    let priority = column(3)?.as_i64().map_err(|_| "its priority is not a number")?;
    // The reference keeps an empty workload as NULL.
    let workload = column(4)?.as_bytes_or_null().map_err(|_| "its workload is neither text nor bytes")?;
    let not_before = column(5)?.as_i64_or_null().map_err(|_| "its time to run is not a number")?;
    let priority = Priority::from_stored(priority).ok_or("its priority is out of range")?;
    Ok(Job {
        unique,
        function,
        priority,
        workload: workload.unwrap_or_default(),
        not_before: not_before.unwrap_or(0),
    })
}

fn columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare("SELECT name FROM pragma_table_info(?1)")?;
    statement.query_map([table], |row| row.get(0))?.collect()
}

fn free_name(connection: &Connection, name: &str) -> rusqlite::Result<String> {
    let mut attempt = 1_u32;
    loop {
        let candidate = format!("{name}_imported_{attempt}");
        if kind_of(connection, &candidate)?.is_none() {
            return Ok(candidate);
        }
        attempt += 1;
    }
}
