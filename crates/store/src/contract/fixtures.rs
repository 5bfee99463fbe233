//! The stores that the contract is run for.

use crate::{Locking, MemoryStore, SqliteOptions, SqliteStore, Store, StoreError};
use geartrain_disk::Disk;
use std::path::PathBuf;
use tempfile::TempDir;

/// Opens the same store each time.
pub(crate) trait Fixture {
    /// The store, with all that was committed to it before.
    fn open(&self) -> Box<dyn Store>;
}

/// Memory.
pub(crate) struct Memory {
    store: MemoryStore,
}

impl Memory {
    pub(crate) fn new() -> Self {
        Self { store: MemoryStore::new() }
    }
}

impl Fixture for Memory {
    fn open(&self) -> Box<dyn Store> {
        Box::new(self.store.clone())
    }
}

/// SQLite on the machine's own file system.
pub(crate) struct SqliteFile {
    _folder: TempDir,
    path: PathBuf,
}

impl SqliteFile {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { path: folder.path().join("queue.db"), _folder: folder }
    }
}

impl Fixture for SqliteFile {
    fn open(&self) -> Box<dyn Store> {
        Box::new(SqliteStore::open(&self.path, SqliteOptions::default()).unwrap())
    }
}

/// SQLite on a disk in memory.
pub(crate) struct SqliteOnDisk {
    pub(crate) disk: Disk,
    checkpoint_pages: u32,
}

impl SqliteOnDisk {
    /// With a log so short that most batches are followed by a checkpoint.
    pub(crate) fn new(seed: u64) -> Self {
        Self::with_checkpoint_pages(seed, 12)
    }

    pub(crate) fn with_checkpoint_pages(seed: u64, checkpoint_pages: u32) -> Self {
        Self { disk: Disk::new(seed), checkpoint_pages }
    }

    pub(crate) fn try_open(&self) -> Result<SqliteStore, StoreError> {
        let options = SqliteOptions {
            lock: Locking::None,
            vfs: Some(self.disk.vfs_name().to_owned()),
            checkpoint_pages: self.checkpoint_pages,
            ..SqliteOptions::default()
        };
        SqliteStore::open("/queue.db", options)
    }
}

impl Fixture for SqliteOnDisk {
    fn open(&self) -> Box<dyn Store> {
        Box::new(self.try_open().unwrap())
    }
}
