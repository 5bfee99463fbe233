//! Where the queue lies, and opening it.

use crate::resolve::Queue;
use anyhow::{Context, Result, anyhow};
use geartrain_store::{Parents, SqliteOptions, SqliteStore, Store, StoreError};
use nix::unistd::{Uid, User};
use std::env;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// How long a queue that another server holds is tried again: that server may be about to end.
const IN_USE_PATIENCE: Duration = Duration::from_secs(2);
const IN_USE_PAUSE: Duration = Duration::from_millis(100);

/// Opens the queue of the server on this port; `None` when it is in memory.
pub(crate) fn open(queue: &Queue, port: u16) -> Result<Option<Box<dyn Store>>> {
    let (path, view, parents) = match queue {
        Queue::Memory => return Ok(None),
        Queue::File { path, view } => (path.clone(), view, Parents::Required),
        Queue::State { view } => {
            (state_folder()?.join(port.to_string()).join("queue.sqlite3"), view, Parents::Created)
        }
    };
    let options = SqliteOptions { view: view.clone(), parents, ..SqliteOptions::default() };
    Ok(Some(Box::new(open_patiently(&path, &options)?)))
}

fn open_patiently(path: &Path, options: &SqliteOptions) -> Result<SqliteStore, StoreError> {
    let give_up = Instant::now() + IN_USE_PATIENCE;
    loop {
        match SqliteStore::open(path, options.clone()) {
            Err(StoreError::InUse { .. }) if Instant::now() < give_up => thread::sleep(IN_USE_PAUSE),
            outcome => return outcome,
        }
    }
}

/// The folder for state: the service manager's, else the machine's for root, else the user's.
fn state_folder() -> Result<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty());
    if let Some(folders) = set("STATE_DIRECTORY") {
        // The service manager may give several, with colons between them.
        let first = env::split_paths(&folders).next();
        return first.ok_or_else(|| anyhow!("STATE_DIRECTORY names no folder"));
    }
    if let Some(state) = set("XDG_STATE_HOME") {
        return Ok(Path::new(&state).join("geartrain"));
    }
    if Uid::effective().is_root() {
        return Ok("/var/lib/geartrain".into());
    }
    let home = match User::from_uid(Uid::effective()) {
        Ok(Some(user)) => user.dir,
        Ok(None) | Err(_) => set("HOME").map(PathBuf::from).context(
            "no folder for the queue is known (hint: set STATE_DIRECTORY, or use --libsqlite3-db or --queue-type builtin)",
        )?,
    };
    Ok(home.join(".local/state/geartrain"))
}
