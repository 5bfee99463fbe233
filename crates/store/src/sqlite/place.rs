//! Whether the files of a database are still where they were when it was opened.
//!
//! A file that somebody removes or replaces stays open here, without a name: what is written into it is gone
//! with the process. SQLite does not notice.
//!
//! Never: opens a file. To close one would free the locks that SQLite holds on it.

use super::SqliteOptions;
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The database, its write-ahead log and the log's index, as they were when they were opened.
#[derive(Debug)]
pub(super) struct Place {
    /// Nothing on a file system that only SQLite knows.
    files: Vec<(PathBuf, Identity)>,
}

/// Which file it is, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

/// Where the files are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whereabouts {
    /// All where they were.
    InPlace,
    /// At least one is gone; no other one lies where the database was.
    Missing,
    /// Another file lies where the database was.
    Replaced,
}

impl Identity {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

impl Place {
    /// To be called while a connection has them open.
    pub(super) fn of(path: &Path, options: &SqliteOptions) -> Self {
        if options.vfs.is_some() {
            return Self { files: Vec::new() };
        }
        let found = names(path).into_iter().filter_map(|name| {
            let identity = Identity::of(&fs::metadata(&name).ok()?);
            Some((name, identity))
        });
        Self { files: found.collect() }
    }

    /// Whether there is anything to look at.
    pub(super) const fn is_known(&self) -> bool {
        !self.files.is_empty()
    }

    /// Looks at all of them: three calls of the system.
    pub(super) fn look(&self) -> Whereabouts {
        let mut whereabouts = Whereabouts::InPlace;
        for (index, (name, identity)) in self.files.iter().enumerate() {
            match fs::metadata(name) {
                Ok(found) if Identity::of(&found) == *identity => {}
                Ok(_) if index == 0 => return Whereabouts::Replaced,
                Ok(_) => whereabouts = Whereabouts::Missing,
                Err(error) if error.kind() == ErrorKind::NotFound => whereabouts = Whereabouts::Missing,
                // A disk that does not answer says nothing about its files; the commit finds out.
                Err(_) => {}
            }
        }
        whereabouts
    }

    /// Whether other files lie there by now.
    pub(super) fn is_replaced(&self) -> bool {
        let differs = |(name, identity): &(PathBuf, Identity)| {
            fs::metadata(name).is_ok_and(|found| Identity::of(&found) != *identity)
        };
        self.files.iter().any(differs)
    }
}

/// The files of a database: itself first.
fn names(path: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|suffix| with_suffix(path, suffix))
}

/// The path with this behind its last name.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
