//! The default store: one SQLite database.
//!
//! From: the server's store thread, one batch at a time.
//! To: a file in write-ahead-log mode, one transaction and one sync for each batch.
//! Never: answers `Ok` for a batch of which it is not certain that it is on disk.

mod commit;
mod failure;
mod files;
mod import;
mod load;
mod options;
mod schema;
mod view;

pub use options::{Locking, Parents, SqliteOptions};

use crate::{Batch, LoadReport, Opening, Store, StoreError};
use failure::Context;
use files::Lock;
use geartrain_core::Record;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Size the write-ahead log keeps on disk between checkpoints, in bytes: a log that was written
/// over before is synced faster than one that grows.
const LOG_BYTES_KEPT: u32 = 16 * 1024 * 1024;

/// How long a commit waits for a person's transaction in the same database.
const BUSY_WAIT: Duration = Duration::from_secs(5);

/// Remembers jobs in an SQLite database.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    options: SqliteOptions,
    // Before the lock: the last connection writes the log back while it closes.
    state: State,
    opening: Opening,
    _lock: Option<Lock>,
}

/// Whether batches are taken.
#[derive(Debug)]
enum State {
    Open(Connection),
    /// A commit failed. The connection is kept: it alone knows which part of the log was never
    /// acknowledged, and its next commit writes over that part. To another connection, what a failed
    /// sync left behind looks like a batch that was committed, although the disk may not have it.
    Failed(Connection),
    Closed,
}

impl SqliteStore {
    /// Opens the database at `path`, and creates it when it does not exist.
    ///
    /// A database that the reference server wrote is taken over; see `docs/store-format.md`.
    ///
    /// # Errors
    /// When another server uses the file, when it cannot be opened, or is not a database of this
    /// format. Then nothing was changed.
    pub fn open(path: impl AsRef<Path>, options: SqliteOptions) -> Result<SqliteStore, StoreError> {
        let path = path.as_ref().to_path_buf();
        if options.vfs.is_none() {
            files::check(&path, options.parents)?;
        }
        let lock = match options.lock {
            Locking::File => Some(Lock::take(&path)?),
            Locking::None => None,
        };
        let (connection, opening) = connect(&path, &options)?;
        Ok(SqliteStore { path, options, state: State::Open(connection), opening, _lock: lock })
    }

    fn heal(&self, state: State) -> (State, Result<(), StoreError>) {
        let context = Context::new(&self.path);
        let connection = match state {
            State::Open(connection) | State::Failed(connection) => connection,
            State::Closed => match connect(&self.path, &self.options) {
                Ok((connection, _)) => connection,
                Err(error) => return (State::Closed, Err(error)),
            },
        };
        match schema::prove_writable(&connection, context) {
            Ok(()) => (State::Open(connection), Ok(())),
            Err(error @ (StoreError::Full { .. } | StoreError::Busy { .. })) => {
                (State::Failed(connection), Err(error))
            }
            Err(error) => {
                // Its files may be gone for good, so the next attempt opens them anew. Closing must
                // not copy a log into the database that may not be on disk; should it not listen,
                // it does what opening does.
                _ = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
                (State::Closed, Err(error))
            }
        }
    }
}

#[cfg(test)]
impl SqliteStore {
    pub(crate) fn connection(&self) -> Option<&Connection> {
        match &self.state {
            State::Open(connection) | State::Failed(connection) => Some(connection),
            State::Closed => None,
        }
    }

    pub(crate) fn set_synchronous_off(&self) {
        self.connection().unwrap().pragma_update(None, "synchronous", "off").unwrap();
    }
}

impl Store for SqliteStore {
    fn opening(&self) -> Opening {
        self.opening.clone()
    }

    fn load(&mut self, each: &mut dyn FnMut(Record<'_>)) -> Result<LoadReport, StoreError> {
        let context = Context::new(&self.path);
        match &mut self.state {
            State::Open(connection) => load::load(connection, context, each),
            State::Failed(_) | State::Closed => Err(context.failed()),
        }
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let context = Context::new(&self.path);
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Open(connection) => {
                let result = commit::commit(&connection, context, batch);
                self.state = if result.is_ok() { State::Open(connection) } else { State::Failed(connection) };
                result
            }
            state @ (State::Failed(_) | State::Closed) => {
                self.state = state;
                Err(context.failed())
            }
        }
    }

    fn reopen(&mut self) -> Result<(), StoreError> {
        let state = std::mem::replace(&mut self.state, State::Closed);
        let (state, result) = self.heal(state);
        self.state = state;
        result
    }
}

fn connect(path: &Path, options: &SqliteOptions) -> Result<(Connection, Opening), StoreError> {
    let context = Context::new(path);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let connection = match &options.vfs {
        Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs.as_str()),
        None => Connection::open_with_flags(path, flags),
    };
    let mut connection = context.at("opening it", connection)?;
    context.at("opening it", tune(&connection, options))?;
    schema::identify(&connection, context)?;
    context.at("opening it", use_log(&connection, options))?;
    // A log that was not copied is left by a crash, and by a failed sync after which the system
    // claims that what it forgot is written. Copying makes it honest: the pages are written again,
    // and synced. Where that is not possible, as on a full disk, the log still holds everything.
    _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
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
    connection.set_prepared_statement_cache_capacity(16);
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

#[cfg(test)]
mod tests;
