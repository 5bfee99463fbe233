//! The views: the queue as the reference server's table showed it, and what people read of the rest.

use super::failure::Context;
use super::schema::kind_of;
use crate::StoreError;
use geartrain_core::{Outcome, Shelf};
use rusqlite::Connection;

/// Refuses names that are ours or SQLite's.
pub(super) fn check_name(context: Context<'_>, name: &str, ours: &[&str]) -> Result<(), StoreError> {
    let reason = if name.is_empty() || name.contains('\0') {
        "it is empty or contains a NUL"
    } else if ours.iter().any(|table| table.eq_ignore_ascii_case(name)) {
        "it is the name of a table of the store"
    } else if name.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("sqlite_")) {
        "names that begin with sqlite_ belong to SQLite"
    } else {
        return Ok(());
    };
    Err(StoreError::ViewName {
        location: context.location(),
        name: name.escape_debug().to_string(),
        reason: reason.to_owned(),
    })
}

/// Whether there is no view of this name: nothing, or something to be taken over first.
pub(super) fn is_missing(connection: &Connection, name: &str) -> rusqlite::Result<bool> {
    kind_of(connection, name).map(|kind| kind.as_deref() != Some("view"))
}

/// Makes the view.
pub(super) fn create(connection: &Connection, name: &str) -> rusqlite::Result<()> {
    connection.execute_batch(&format!(
        "CREATE VIEW {} AS SELECT
           CAST(unique_key AS TEXT) AS unique_key,
           CAST(function AS TEXT) AS function_name,
           priority,
           workload AS data,
           not_before AS when_to_run
         FROM jobs",
        quoted(name)
    ))
}

/// The name as it stands in a statement.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Makes the views of shelves and attempts, in which people find words and times instead of numbers.
pub(super) fn create_readable(connection: &Connection) -> rusqlite::Result<()> {
    let how = case("how", Outcome::ALL.map(|how| (how as u8, how.name())));
    let priority = case("priority", [(0, "high"), (1, "normal"), (2, "low")]);
    for (view, shelf) in [("dead_letters", Shelf::Dead), ("finished_jobs", Shelf::Finished)] {
        connection.execute_batch(&format!(
            "CREATE VIEW {view} AS SELECT
               number,
               CAST(function AS TEXT) AS function,
               CAST(unique_key AS TEXT) AS unique_key,
               {priority} AS priority,
               {submitted} AS submitted,
               {ended} AS ended,
               {how} AS how,
               attempts,
               lost,
               CAST(error AS TEXT) AS error,
               workload AS data
             FROM letters WHERE shelf = {shelf}",
            submitted = time("submitted"),
            ended = time("ended"),
            shelf = shelf as u8,
        ))?;
    }
    connection.execute_batch(&format!(
        "CREATE VIEW attempt_log AS SELECT
           number,
           attempt,
           {started} AS started,
           {ended} AS ended,
           CAST(client_id AS TEXT) AS client_id,
           CAST(address AS TEXT) AS address,
           {how} AS how,
           CAST(text AS TEXT) AS text
         FROM attempts ORDER BY number, attempt",
        started = time("started"),
        ended = time("ended"),
    ))
}

/// A column of milliseconds as text in UTC.
fn time(column: &str) -> String {
    format!("strftime('%Y-%m-%d %H:%M:%f', {column} / 1000.0, 'unixepoch')")
}

/// A column of numbers as words; a number without one as it is.
fn case<const N: usize>(column: &str, words: [(u8, &str); N]) -> String {
    let words = words.map(|(number, word)| format!("WHEN {number} THEN '{word}'"));
    format!("CASE {column} {} ELSE {column} END", words.join(" "))
}
