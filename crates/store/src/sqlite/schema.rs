//! The tables of a store, their version, and what is found in them when they are opened.

use super::failure::Context;
use super::{SqliteOptions, estimate, import, upgrade, view};
use crate::{Opening, StoreError};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

/// Marks a database as ours: `GTRN`.
pub(super) const APPLICATION_ID: i64 = 0x4754_524e;

/// The format this code writes, and the newest it reads.
pub(super) const FORMAT: i64 = 2;

/// Numbers from here on cannot have been given out: a record that claims one is damaged.
pub(super) const NUMBER_END: i64 = 1 << 53;

/// The names in a database that are ours, those of format 1 first.
const OUR_NAMES: [&str; 10] = [
    "jobs",
    "meta",
    "set_aside",
    "buried",
    "letters",
    "attempts",
    "documents",
    "dead_letters",
    "finished_jobs",
    "attempt_log",
];

/// How many of [`OUR_NAMES`] were ours in format 1 already.
const NAMES_OF_FORMAT_1: usize = 4;

/// What format 1 has as well.
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
  submitted INTEGER NOT NULL,
  lost INTEGER NOT NULL DEFAULT 0
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
  number, place, function, unique_key, priority, workload, reducer, not_before, attempts, submitted,
  lost, shelf, ended, how, error
);
";

/// What format 2 brought.
pub(super) const TABLES_OF_FORMAT_2: &str = "
CREATE TABLE letters (
  number INTEGER PRIMARY KEY,
  shelf INTEGER NOT NULL,
  ended INTEGER NOT NULL,
  how INTEGER NOT NULL,
  error BLOB NOT NULL,
  function BLOB NOT NULL,
  unique_key BLOB NOT NULL,
  priority INTEGER NOT NULL,
  reducer BLOB,
  not_before INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  lost INTEGER NOT NULL,
  submitted INTEGER NOT NULL,
  workload BLOB NOT NULL
);
CREATE TABLE attempts (
  number INTEGER NOT NULL,
  slot INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  started INTEGER NOT NULL,
  ended INTEGER NOT NULL,
  client_id BLOB NOT NULL,
  address BLOB NOT NULL,
  how INTEGER NOT NULL,
  text BLOB NOT NULL,
  PRIMARY KEY (number, slot)
) WITHOUT ROWID;
CREATE TABLE documents (
  kind INTEGER NOT NULL,
  name NOT NULL,
  body NOT NULL,
  PRIMARY KEY (kind, name)
) WITHOUT ROWID;
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
        refuse_names(connection, context, &OUR_NAMES)?;
    } else if version == 1 {
        refuse_names(connection, context, OUR_NAMES.get(NAMES_OF_FORMAT_1..).unwrap_or_default())?;
    }
    if context.at("opening it", connection.is_readonly("main"))? {
        let reason = "the file can only be read".to_owned();
        return Err(StoreError::Io { location: context.location(), doing: "opening it", reason });
    }
    Ok(())
}

fn refuse_names(connection: &Connection, context: Context<'_>, names: &[&str]) -> Result<(), StoreError> {
    for name in names {
        if let Some(kind) = context.at("opening it", kind_of(connection, name))? {
            return Err(StoreError::Foreign {
                location: context.location(),
                found: format!("it has a {kind} {name} that this server did not make"),
            });
        }
    }
    Ok(())
}

/// Creates what is missing, converts an older format, takes over a table of the reference server, and says what is
/// there.
pub(super) fn prepare(
    connection: &mut Connection,
    context: Context<'_>,
    options: &SqliteOptions,
) -> Result<Opening, StoreError> {
    view::check_name(context, &options.view, &OUR_NAMES)?;
    let (application, version) = context.at("opening it", marks(connection))?;
    let (mut imported, mut set_aside) = (0, 0);
    let is_missing = context.at("opening it", view::is_missing(connection, &options.view))?;
    if application == 0 || version < FORMAT || is_missing {
        let behavior = TransactionBehavior::Immediate;
        let transaction = context.at("preparing it", connection.transaction_with_behavior(behavior))?;
        if application == 0 {
            context.at("creating its tables", create(&transaction))?;
        } else if version < FORMAT {
            context.at("converting it to the present format", upgrade::upgrade(&transaction))?;
        }
        if is_missing {
            let taken = import::import(&transaction, context, &options.view)?;
            (imported, set_aside) = (taken.imported, taken.set_aside);
            context.at("creating its view", view::create(&transaction, &options.view))?;
        }
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

/// The highest number in a table of ours; 0 when it has none.
pub(super) fn highest_in(connection: &Connection, table: &str) -> rusqlite::Result<i64> {
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
    connection.execute_batch(TABLES_OF_FORMAT_2)?;
    view::create_readable(connection)?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", FORMAT)
}

/// The first number that was never given out.
pub(super) fn next_number(connection: &Connection) -> rusqlite::Result<i64> {
    let reserved = "SELECT value FROM meta WHERE name = 'numbers_until' AND value BETWEEN 1 AND ?1";
    let reserved: Option<i64> = connection.query_row(reserved, [NUMBER_END], |row| row.get(0)).optional()?;
    let highest = highest_number(connection)?.max(highest_in(connection, "letters")?);
    Ok((highest + 1).max(reserved.unwrap_or(1)))
}

fn survey(connection: &Connection) -> rusqlite::Result<Opening> {
    let next = next_number(connection)?;
    let jobs_estimate = estimate::jobs(connection)?;
    Ok(Opening { next_number: next.unsigned_abs(), jobs_estimate, ..Opening::default() })
}
