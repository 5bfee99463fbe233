//! The view that shows the queue as the reference server's table did.

use super::failure::Context;
use super::schema::kind_of;
use crate::StoreError;
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
