//! Connections to the database, and how they are set up.

use super::failure::Context;
use super::{SqliteOptions, schema};
use crate::{Opening, StoreError};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::time::Duration;

/// Size the write-ahead log keeps on disk between checkpoints, in bytes: a log that was written
/// over before is synced faster than one that grows.
const LOG_BYTES_KEPT: u32 = 16 * 1024 * 1024;

/// How long a commit waits for a person's transaction in the same database.
const BUSY_WAIT: Duration = Duration::from_secs(5);

/// Statements that are kept prepared.
const STATEMENTS_KEPT: usize = 32;

/// The connection of the store; prepares the database, and says what is there.
pub(super) fn connect(path: &Path, options: &SqliteOptions) -> Result<(Connection, Opening), StoreError> {
    let context = Context::new(path);
    let mode = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let mut connection = context.at("opening it", open(path, options, mode))?;
    context.at("opening it", tune(&connection, options))?;
    schema::identify(&connection, context)?;
    context.at("opening it", use_log(&connection, options))?;
    // A log that was not copied is left by a crash, and by a failed sync after which the system
    // claims that what it forgot is written. Copying makes it honest: the pages are written again,
    // and synced. Where that is not possible, as on a full disk, the log still holds everything.
    let copied =
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| Ok(row.get::<_, i64>(0)? == 0));
    if copied.unwrap_or(false) {
        check_length(&connection, context, path, options)?;
    }
    let mut opening = schema::prepare(&mut connection, context, options)?;
    opening.location = context.location();
    Ok((connection, opening))
}

fn tune(connection: &Connection, options: &SqliteOptions) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_WAIT)?;
    connection.pragma_update(None, "cache_size", -i64::from(options.cache_kib))?;
    connection.pragma_update(None, "temp_store", "memory")?;
    // A damaged page is found when it is read, not when its content has been believed.
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    Ok(())
}

fn use_log(connection: &Connection, options: &SqliteOptions) -> rusqlite::Result<()> {
    // The switch is committed after its answer was given, when the statement ends. To stop at the answer
    // would miss an error there, and leave a database in which the deletion of a journal is the commit,
    // which `synchronous=full` does not make durable.
    let mut statement = connection.prepare("PRAGMA journal_mode=wal")?;
    let mut answers = statement.query([])?;
    let mut mode = String::new();
    while let Some(answer) = answers.next()? {
        mode = answer.get(0)?;
    }
    if mode != "wal" {
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR);
        let text = format!("the journal mode stays {mode}");
        return Err(rusqlite::Error::SqliteFailure(code, Some(text)));
    }
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "wal_autocheckpoint", options.checkpoint_pages)?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES_KEPT)?;
    Ok(())
}

/// Refuses a database whose last page was cut in part: SQLite would take zeros for what is missing. Only to be
/// asked when the log is empty, since until then the missing part may be there.
fn check_length(
    connection: &Connection,
    context: Context<'_>,
    path: &Path,
    options: &SqliteOptions,
) -> Result<(), StoreError> {
    let doing = "opening it";
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let pages = context.at(doing, number("page_count"))?;
    let expected = pages.saturating_mul(context.at(doing, number("page_size"))?).unsigned_abs();
    // Only the system's files have a length to be asked for.
    if options.vfs.is_none() && std::fs::metadata(path).is_ok_and(|found| found.len() < expected) {
        return Err(context.damaged(doing, "the file ends in the middle of its last page"));
    }
    Ok(())
}

/// A connection that only reads.
pub(super) fn to_read(path: &Path, options: &SqliteOptions) -> rusqlite::Result<Connection> {
    let connection = open(path, options, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    tune(&connection, options)?;
    leave_log(&connection);
    Ok(connection)
}

/// Closing the connection must not copy the log into the database, nor remove it: its name may belong to
/// another file, or what it holds may not be on disk. Should SQLite not listen, it does what opening does.
pub(super) fn leave_log(connection: &Connection) {
    _ = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
}

fn open(path: &Path, options: &SqliteOptions, mode: OpenFlags) -> rusqlite::Result<Connection> {
    let flags = mode | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_EXRESCODE;
    match &options.vfs {
        Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs.as_str()),
        None => Connection::open_with_flags(path, flags),
    }
}
