//! A database whose file was removed is written anew, from the file that has no name any more.
//!
//! From: a connection to it. To: a file of its old name, synced.
//! Never: writes over a file that it did not make, but for the database whose log was removed: that one is
//! incomplete without the log, and the new one has both.

use super::failure::Context;
use super::place::{Place, Whereabouts, with_suffix};
use crate::StoreError;
use rusqlite::Connection;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;

/// Writes all that `connection` sees to a new database at `path`; `place` is where its files were.
pub(super) fn save(connection: &Connection, path: &Path, place: &Place) -> Result<(), StoreError> {
    let doing = "writing a removed file anew";
    let context = Context::new(path);
    let saved = with_suffix(path, ".saved");
    let failed = |error: io::Error| context.io(doing, &error);
    remove(&saved).map_err(failed)?;
    if !connection.is_autocommit() {
        context.at(doing, connection.execute_batch("ROLLBACK"))?;
    }
    context.at(doing, connection.execute("VACUUM INTO ?1", [saved.to_string_lossy()]))?;
    // That may have taken a while.
    if place.look() == Whereabouts::Replaced {
        return Err(context.replaced());
    }
    put_in_place(&saved, path).map_err(failed)
}

fn put_in_place(saved: &Path, path: &Path) -> io::Result<()> {
    File::open(saved)?.sync_all()?;
    // A log that was left behind belongs to the old file: to the new one it would be damage.
    remove(&with_suffix(path, "-wal"))?;
    remove(&with_suffix(path, "-shm"))?;
    fs::rename(saved, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
