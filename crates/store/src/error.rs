//! What can go wrong with a store, in words for the person who runs the server.

use thiserror::Error;

/// Why a store could not do something.
///
/// Every message names the place and, where there is one, the way out.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// An earlier change failed; nothing is written until the store is opened anew.
    #[error("the store at {location} failed earlier and is not open yet")]
    Failed {
        /// Where it lies.
        location: String,
    },
    /// Another server uses the same file.
    #[error("the store at {location} is in use by another server{} (hint: stop it or choose another file)", holder(*pid))]
    InUse {
        /// Where it lies.
        location: String,
        /// The process that holds it, when it says so.
        pid: Option<u32>,
    },
    /// The folder that should hold the file does not exist.
    #[error("the folder {folder} for the store does not exist (hint: create it)")]
    FolderMissing {
        /// The folder.
        folder: String,
    },
    /// The path names something that cannot be a database, such as a folder.
    #[error("the store at {location} is not a file")]
    NotAFile {
        /// Where it should lie.
        location: String,
    },
    /// The file is something else than an SQLite database.
    #[error("the file {location} is not an SQLite database; it was left as it is")]
    NotADatabase {
        /// Where it lies.
        location: String,
    },
    /// The database belongs to another program.
    #[error(
        "the database {location} belongs to another program ({found}); it was left as it is (hint: choose another file)"
    )]
    Foreign {
        /// Where it lies.
        location: String,
        /// What shows it.
        found: String,
    },
    /// The database was written by a later release.
    #[error(
        "the database {location} has format {found}, this server knows formats up to {known}; it was left as it is (hint: use the release that wrote it)"
    )]
    NewerFormat {
        /// Where it lies.
        location: String,
        /// The format found.
        found: i64,
        /// The newest format known here.
        known: i64,
    },
    /// The name chosen for the view is taken by something that is not a queue.
    #[error(
        "the name {name} in the database {location} cannot be used for the queue: {reason} (hint: choose another table name)"
    )]
    ViewName {
        /// Where it lies.
        location: String,
        /// The name.
        name: String,
        /// What is in the way.
        reason: String,
    },
    /// The disk is full, or a quota is used up.
    #[error(
        "the disk of the store at {location} is full while {doing} (hint: free some space, the server recovers by itself)"
    )]
    Full {
        /// Where it lies.
        location: String,
        /// What the store was doing.
        doing: &'static str,
    },
    /// Somebody else holds the database's write lock for too long.
    #[error("the database {location} is locked by another program while {doing} (hint: end its transaction)")]
    Busy {
        /// Where it lies.
        location: String,
        /// What the store was doing.
        doing: &'static str,
    },
    /// The database contradicts itself.
    #[error(
        "the database {location} is damaged: {reason}, while {doing} (hint: keep a copy of it, then save its rows as docs/store-format.md says)"
    )]
    Damaged {
        /// Where it lies.
        location: String,
        /// What the store was doing.
        doing: &'static str,
        /// What was found.
        reason: String,
    },
    /// The operating system refused to read, write or sync.
    #[error(
        "the store at {location} failed while {doing}: {reason} (hint: check the disk and the rights on the file and its folder)"
    )]
    Io {
        /// Where it lies.
        location: String,
        /// What the store was doing.
        doing: &'static str,
        /// What the system said.
        reason: String,
    },
    /// Somebody removed or replaced a file of the database while the server runs.
    ///
    /// Until the server ends, everything is still in the file that has no name any more.
    #[error(
        "a file of the database {location} {what} while the server uses it (hint: put it back, or leave its place free and the server writes it anew)"
    )]
    Removed {
        /// Where it should lie.
        location: String,
        /// What happened to it.
        what: &'static str,
    },
    /// A number that cannot be stored.
    #[error("the number {number} is over {max}, the largest a store can keep")]
    NumberTooLarge {
        /// The number.
        number: u64,
        /// The largest one.
        max: u64,
    },
}

fn holder(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
}
