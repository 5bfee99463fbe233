//! The default store: one SQLite database.
//!
//! From: the server's store thread, one batch at a time.
//! To: a file in write-ahead-log mode, one transaction and one sync for each batch.
//! Never: answers `Ok` for a batch of which it is not certain that it is on disk.

mod commit;
mod connection;
mod estimate;
mod failure;
mod files;
mod import;
mod load;
mod options;
mod place;
mod reader;
mod rows;
mod save;
mod schema;
mod text;
mod unreadable;
mod upgrade;
mod view;

pub use options::{Locking, Parents, SqliteOptions};

use crate::{Batch, LoadReport, Opening, Reader, Store, StoreError};
use connection::connect;
use failure::Context;
use files::Lock;
use geartrain_core::Stored;
use place::{Place, Whereabouts};
use reader::SqliteReader;
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often commits look whether the files are still where they were.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Remembers jobs in an SQLite database.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    options: SqliteOptions,
    // Before the lock: the last connection writes the log back while it closes.
    state: State,
    opening: Opening,
    /// The files of the connection.
    place: Place,
    looked: Instant,
    lock: Option<Lock>,
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
        let place = Place::of(&path, &options);
        let (state, looked) = (State::Open(connection), Instant::now());
        Ok(SqliteStore { path, options, state, opening, place, looked, lock })
    }

    fn heal(&mut self, state: State) -> (State, Result<(), StoreError>) {
        let connection = match state {
            State::Open(connection) | State::Failed(connection) => match self.place.look() {
                Whereabouts::InPlace => connection,
                Whereabouts::Missing => return self.save(connection),
                Whereabouts::Replaced => {
                    return (State::Failed(connection), Err(Context::new(&self.path).replaced()));
                }
            },
            // An empty database in its place would be believed.
            State::Closed if self.place.is_known() && !self.path.exists() => {
                return (State::Closed, Err(Context::new(&self.path).removed()));
            }
            State::Closed => match self.connect() {
                Ok(connection) => connection,
                Err(error) => return (State::Closed, Err(error)),
            },
        };
        match schema::prove_writable(&connection, Context::new(&self.path)) {
            Ok(()) => (State::Open(connection), Ok(())),
            Err(error @ (StoreError::Full { .. } | StoreError::Busy { .. })) => {
                (State::Failed(connection), Err(error))
            }
            Err(error) => {
                // Its files may be gone for good, so the next attempt opens them anew.
                connection::leave_log(&connection);
                (State::Closed, Err(error))
            }
        }
    }

    /// Writes what a removed file holds to a new one of its name, and goes on there.
    fn save(&mut self, connection: Connection) -> (State, Result<(), StoreError>) {
        if let Err(error) = self.lock_again().and_then(|()| save::save(&connection, &self.path, &self.place))
        {
            return (State::Failed(connection), Err(error));
        }
        connection::leave_log(&connection);
        drop(connection);
        match self.connect() {
            Ok(connection) => (State::Open(connection), Ok(())),
            Err(error) => (State::Closed, Err(error)),
        }
    }

    fn connect(&mut self) -> Result<Connection, StoreError> {
        let (connection, _) = connect(&self.path, &self.options)?;
        self.place = Place::of(&self.path, &self.options);
        Ok(connection)
    }

    /// The file of the lock may have gone with the others.
    fn lock_again(&mut self) -> Result<(), StoreError> {
        if let Some(lock) = &self.lock
            && !lock.is_in_place(&self.path)
        {
            self.lock = Some(Lock::take(&self.path)?);
        }
        Ok(())
    }

    /// Whether what is written now can be found again, looked at now and then.
    fn check_place(&mut self) -> Result<(), StoreError> {
        if self.looked.elapsed() < LOOK_EVERY {
            return Ok(());
        }
        self.looked = Instant::now();
        let context = Context::new(&self.path);
        match self.place.look() {
            Whereabouts::InPlace => Ok(()),
            Whereabouts::Missing => Err(context.removed()),
            Whereabouts::Replaced => Err(context.replaced()),
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

    fn load(&mut self, each: &mut dyn FnMut(Stored<'_>)) -> Result<LoadReport, StoreError> {
        let context = Context::new(&self.path);
        match &mut self.state {
            State::Open(connection) => load::load(connection, context, each),
            State::Failed(_) | State::Closed => Err(context.failed()),
        }
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Open(connection) => {
                let result = self
                    .check_place()
                    .and_then(|()| commit::commit(&connection, Context::new(&self.path), batch));
                self.state = if result.is_ok() { State::Open(connection) } else { State::Failed(connection) };
                result
            }
            state @ (State::Failed(_) | State::Closed) => {
                self.state = state;
                Err(Context::new(&self.path).failed())
            }
        }
    }

    fn reopen(&mut self) -> Result<(), StoreError> {
        let state = std::mem::replace(&mut self.state, State::Closed);
        let (state, result) = self.heal(state);
        self.state = state;
        result
    }

    fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        let reader = SqliteReader::new(self.path.clone(), self.options.clone())?;
        Ok(Box::new(reader))
    }
}

#[cfg(test)]
mod tests;
