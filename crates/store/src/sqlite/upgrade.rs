//! From older formats to the present one, within the transaction of the caller.

use super::{schema, view};
use geartrain_core::Outcome;
use rusqlite::Connection;

/// What is written about a job that used up its attempts before the reason was kept.
const NO_REASON: &str = "used up its attempts under an earlier release";

/// Format 1 had a table `buried` of jobs that used up their attempts, no attempts and no documents.
pub(super) fn upgrade(connection: &Connection) -> rusqlite::Result<()> {
    // The new column has a default, so that no row is written anew: 30,000,000 of them take no time.
    connection.execute_batch("ALTER TABLE jobs ADD COLUMN lost INTEGER NOT NULL DEFAULT 0")?;
    for column in ["lost", "shelf", "ended", "how", "error"] {
        connection.execute_batch(&format!("ALTER TABLE set_aside ADD COLUMN {column}"))?;
    }
    connection.execute_batch(schema::TABLES_OF_FORMAT_2)?;
    view::create_readable(connection)?;
    connection.execute(
        "INSERT INTO letters (number, shelf, ended, how, error, function, unique_key, priority, reducer,
           not_before, attempts, lost, submitted, workload)
         SELECT number, 0, buried, ?1, CAST(?2 AS BLOB), function, unique_key, priority, reducer,
           not_before, attempts, 0, submitted, workload FROM buried ORDER BY number",
        (Outcome::Disconnected as u8, NO_REASON),
    )?;
    connection.execute_batch("DROP TABLE buried")?;
    connection.pragma_update(None, "user_version", schema::FORMAT)
}
