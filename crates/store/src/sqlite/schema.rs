//! The tables of a store, their version, and what is found in them when they are opened.

use super::failure::Context;
use super::{SqliteOptions, import, view};
use crate::{Opening, StoreError};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

/// Marks a database as ours: `GTRN`.
pub(super) const APPLICATION_ID: i64 = 0x4754_524e;

/// The format this code writes, and the newest it reads.
pub(super) const FORMAT: i64 = 1;

/// Numbers from here on cannot have been given out: a record that claims one is damaged.
pub(super) const NUMBER_END: i64 = 1 << 53;

/// The names in a database that are ours.
const OUR_TABLES: [&str; 4] = ["jobs", "buried", "meta", "set_aside"];

const TABLES: &str = "
CREATE TABLE jobs (
  number INTEGER PRIMARY KEY,
  place INTEGER,
  function BLOB NOT NULL,
  unique_key BLOB NOT NULL,
  priority INTEGER NOT NULL,
  workload BLOB NOT NULL,
  reducer BLOB,
  not_before INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  submitted INTEGER NOT NULL
);
CREATE TABLE buried (
  number INTEGER PRIMARY KEY,
  function BLOB NOT NULL,
  unique_key BLOB NOT NULL,
  priority INTEGER NOT NULL,
  workload BLOB NOT NULL,
  reducer BLOB,
  not_before INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  submitted INTEGER NOT NULL,
  buried INTEGER NOT NULL
);
CREATE TABLE meta (
  name TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE set_aside (
  id INTEGER PRIMARY KEY,
  reason TEXT NOT NULL,
  noticed INTEGER NOT NULL,
  origin TEXT NOT NULL,
  number, place, function, unique_key, priority, workload, reducer, not_before, attempts, submitted
);
";

/// Whether the marks of a database allow to open it.
///
/// # Errors
/// When it is another program's, or a later release's.
pub(super) fn check_marks(context: Context<'_>, application: i64, version: i64) -> Result<(), StoreError> {
    match (application, version) {
        (0, 0) => Ok(()),
        (APPLICATION_ID, 1..=FORMAT) => Ok(()),
        (APPLICATION_ID, found) if found > FORMAT => {
            Err(StoreError::NewerFormat { location: context.location(), found, known: FORMAT })
        }
        (APPLICATION_ID, found) => {
            Err(context.damaged("opening it", &format!("its format is {found}, formats begin at 1")))
        }
        (application, version) => Err(StoreError::Foreign {
            location: context.location(),
            found: format!("application id {application}, version {version}"),
        }),
    }
}

/// Refuses databases that are not ours before anything is written.
pub(super) fn identify(connection: &Connection, context: Context<'_>) -> Result<(), StoreError> {
    let (application, version) = context.at("opening it", marks(connection))?;
    check_marks(context, application, version)?;
    if application == 0 {
        for table in OUR_TABLES {
            if context.at("opening it", kind_of(connection, table))?.is_some() {
                return Err(StoreError::Foreign {
                    location: context.location(),
                    found: format!("it has a table {table} that this server did not make"),
                });
            }
        }
    }
    if context.at("opening it", connection.is_readonly("main"))? {
        let reason = "the file can only be read".to_owned();
        return Err(StoreError::Io { location: context.location(), doing: "opening it", reason });
    }
    Ok(())
}

/// Creates what is missing, takes over a table of the reference server, and says what is there.
pub(super) fn prepare(
    connection: &mut Connection,
    context: Context<'_>,
    options: &SqliteOptions,
) -> Result<Opening, StoreError> {
    view::check_name(context, &options.view, &OUR_TABLES)?;
    let (application, _) = context.at("opening it", marks(connection))?;
    let (mut imported, mut set_aside) = (0, 0);
    if application == 0 || context.at("opening it", view::is_missing(connection, &options.view))? {
        let behavior = TransactionBehavior::Immediate;
        let transaction = context.at("preparing it", connection.transaction_with_behavior(behavior))?;
        if application == 0 {
            context.at("creating its tables", create(&transaction))?;
        }
        import::import(&transaction, context, &options.view).map(|taken| {
            imported = taken.imported;
            set_aside = taken.set_aside;
        })?;
        context.at("creating its view", view::create(&transaction, &options.view))?;
        context.at("preparing it", transaction.commit())?;
    }
    let mut opening = context.at("reading its numbers", survey(connection))?;
    opening.imported = imported;
    opening.set_aside = set_aside;
    Ok(opening)
}

/// Writes and syncs something harmless, so that a store that says it is open again is.
pub(super) fn prove_writable(connection: &Connection, context: Context<'_>) -> Result<(), StoreError> {
    let doing = "writing to it again";
    if !connection.is_autocommit() {
        context.at(doing, connection.execute_batch("ROLLBACK"))?;
    }
    let written = connection.execute(
        "INSERT INTO meta(name, value) VALUES ('reopened', 1)
         ON CONFLICT(name) DO UPDATE SET value = value + 1",
        [],
    );
    context.at(doing, written).map(|_| ())
}

/// What the name stands for in the database: `table`, `view`, `index` or `trigger`.
pub(super) fn kind_of(connection: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    connection
        .query_row("SELECT type FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE", [name], |row| row.get(0))
        .optional()
}

/// The highest number a waiting job has; 0 when there is none.
pub(super) fn highest_number(connection: &Connection) -> rusqlite::Result<i64> {
    highest_in(connection, "jobs")
}

fn highest_in(connection: &Connection, table: &str) -> rusqlite::Result<i64> {
    let highest = format!("SELECT max(number) FROM {table} WHERE number BETWEEN 0 AND ?1");
    let number: Option<i64> = connection.query_row(&highest, [NUMBER_END - 1], |row| row.get(0))?;
    Ok(number.unwrap_or(0))
}

fn marks(connection: &Connection) -> rusqlite::Result<(i64, i64)> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get(0));
    Ok((number("application_id")?, number("user_version")?))
}

fn create(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(TABLES)?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", FORMAT)
}

/// The first number that was never given out.
pub(super) fn next_number(connection: &Connection) -> rusqlite::Result<i64> {
    let reserved = "SELECT value FROM meta WHERE name = 'numbers_until' AND value BETWEEN 1 AND ?1";
    let reserved: Option<i64> = connection.query_row(reserved, [NUMBER_END], |row| row.get(0)).optional()?;
    let highest = highest_number(connection)?.max(highest_in(connection, "buried")?);
    Ok((highest + 1).max(reserved.unwrap_or(1)))
}

fn survey(connection: &Connection) -> rusqlite::Result<Opening> {
    let next = next_number(connection)?;
    let count = |sql| connection.query_row(sql, [], |row| row.get(0)).map(i64::unsigned_abs);
    let jobs = count("SELECT count(*) FROM jobs")?;
    let buried = count("SELECT count(*) FROM buried")?;
    Ok(Opening { next_number: next.unsigned_abs(), jobs, buried, ..Opening::default() })
}
