//! How an SQLite store is to be opened.

/// How to open an [`crate::SqliteStore`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteOptions {
    /// Name of the view with the reference server's columns, and of the table of that server that
    /// is taken over. Default `gearman_queue`; flag `--libsqlite3-table`.
    pub view: String,
    /// What happens when the folder of the file is missing. Default [`Parents::Required`].
    pub parents: Parents,
    /// What keeps a second server away. Default [`Locking::File`].
    pub lock: Locking,
    /// Memory for pages of the database, in KiB. Range 64 and up, default 4096.
    pub cache_kib: u32,
    /// Pages of 4 KiB in the write-ahead log from which on a commit also copies them into the
    /// database. Range 1 and up, default 2048: 8 MiB.
    ///
    /// A smaller log is copied more often; a larger one takes the one commit that copies it longer.
    pub checkpoint_pages: u32,
    /// Name of the SQLite file system to use instead of the operating system's, for tests.
    pub vfs: Option<String>,
}

/// What happens when the folder of a store's file does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Parents {
    /// It is an error: a person chose that path, and may have misspelt it.
    #[default]
    Required,
    /// It is created, with those above it: the path is the server's own default.
    Created,
}

/// What keeps a second server away from a store's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Locking {
    /// A lock on the file's name with `.lock` behind it; the system frees it with the process.
    #[default]
    File,
    /// Nothing: for tests on a file system that has no other users.
    None,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            view: "gearman_queue".to_owned(),
            parents: Parents::default(),
            lock: Locking::default(),
            cache_kib: 4096,
            checkpoint_pages: 2048,
            vfs: None,
        }
    }
}
