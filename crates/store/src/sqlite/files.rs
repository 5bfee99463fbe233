//! The file of a database before SQLite sees it: whether it may be touched, and by whom.

use super::failure::Context;
use super::place::Identity;
use super::{Parents, schema};
use crate::StoreError;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

/// Length of the header of an SQLite database, in bytes.
const HEADER_BYTES: usize = 100;

/// Refuses what is certainly not a store, before anything is created beside it.
pub(super) fn check(path: &Path, parents: Parents) -> Result<(), StoreError> {
    let context = Context::new(path);
    if path.is_dir() {
        return Err(StoreError::NotAFile { location: context.location() });
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        match parents {
            Parents::Required => {
                return Err(StoreError::FolderMissing { folder: folder.display().to_string() });
            }
            Parents::Created => {
                fs::create_dir_all(folder).map_err(|error| context.io("creating its folder", &error))?;
            }
        }
    }
    check_header(path)
}

fn check_header(path: &Path) -> Result<(), StoreError> {
    let context = Context::new(path);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(context.io("opening it", &error)),
    };
    let kind = file.metadata().map_err(|error| context.io("opening it", &error))?.file_type();
    if !kind.is_file() {
        return Err(StoreError::NotAFile { location: context.location() });
    }
    let mut header = Vec::with_capacity(HEADER_BYTES);
    file.take(HEADER_BYTES as u64)
        .read_to_end(&mut header)
        .map_err(|error| context.io("reading it", &error))?;
    if header.is_empty() {
        return Ok(());
    }
    if !header.starts_with(b"SQLite format 3\0") {
        return Err(StoreError::NotADatabase { location: context.location() });
    }
    match (number_at(&header, 60), number_at(&header, 68)) {
        (Some(version), Some(application)) => {
            schema::check_marks(context, application.into(), version.into())
        }
        _ => Err(StoreError::NotADatabase { location: context.location() }),
    }
}

fn number_at(header: &[u8], offset: usize) -> Option<i32> {
    header.get(offset..)?.first_chunk().map(|bytes| i32::from_be_bytes(*bytes))
}

/// Keeps other servers away from a database while it lives.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

impl Lock {
    /// Locks the name of the database with `.lock` behind it, and writes who holds it there.
    ///
    /// The file stays when the lock is gone: to remove it would let two servers each lock their own.
    pub(super) fn take(path: &Path) -> Result<Lock, StoreError> {
        let context = Context::new(path);
        let lock_path = lock_path(path);
        let failed = |error: std::io::Error| context.io("locking it", &error);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&lock_path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::InUse { location: context.location(), pid: holder(&mut file) });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        // The number is a courtesy to people: a full disk must not keep the server from starting.
        _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Lock { file })
    }

    /// Whether others would find it locked.
    pub(super) fn is_in_place(&self, path: &Path) -> bool {
        match (self.file.metadata(), fs::metadata(lock_path(path))) {
            (Ok(held), Ok(found)) => Identity::of(&held) == Identity::of(&found),
            (Ok(_) | Err(_), Err(_)) | (Err(_), Ok(_)) => false,
        }
    }
}

fn lock_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
