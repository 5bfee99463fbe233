//! The folders that the kernel watches for us.
//!
//! From: what there is to watch. To: events, in a thread of `notify`. Never: takes a folder for watched that is not.

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

#[derive(Debug)]
pub(super) struct Active {
    pub(super) folders: BTreeMap<PathBuf, RecursiveMode>,
    /// Those of the folders that are not watched, and why.
    pub(super) missing: BTreeMap<PathBuf, notify::Error>,
    watcher: RecommendedWatcher,
}

impl Active {
    /// Watches these folders, and hands on what happens there.
    pub(super) fn new(
        folders: BTreeMap<PathBuf, RecursiveMode>,
        take: impl Fn(notify::Result<notify::Event>) + Send + 'static,
    ) -> notify::Result<Self> {
        let mut active = Self { folders, missing: BTreeMap::new(), watcher: watcher(take)? };
        for (folder, mode) in &active.folders {
            if let Err(error) = watch(&mut active.watcher, folder, *mode) {
                active.missing.insert(folder.clone(), error);
            }
        }
        Ok(active)
    }

    /// Tries again to watch what is missing.
    pub(super) fn retry(&mut self) {
        let (watcher, folders) = (&mut self.watcher, &self.folders);
        self.missing.retain(|folder, error| {
            let Some(mode) = folders.get(folder) else { return false };
            let watched = watch(watcher, folder, *mode);
            let is_missing = watched.is_err();
            if let Err(why) = watched {
                *error = why;
            }
            is_missing
        });
    }
}

fn watch(watcher: &mut RecommendedWatcher, folder: &Path, mode: RecursiveMode) -> notify::Result<()> {
    match watcher.watch(folder, mode) {
        Ok(()) => {}
        // It went just now; the folder above it tells.
        Err(error) if matches!(error.kind, notify::ErrorKind::PathNotFound) => return Ok(()),
        Err(error) => return Err(error),
    }
    if mode == RecursiveMode::NonRecursive {
        return Ok(());
    }
    // Where no descriptor is left, the folders below it were left out, and nobody said so.
    match File::open(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// A watcher that has the thread it needs.
fn watcher(
    take: impl Fn(notify::Result<notify::Event>) + Send + 'static,
) -> notify::Result<RecommendedWatcher> {
    // Where none can be made now, there is nothing to clean up.
    let thread = thread::Builder::new().spawn(|| {})?;
    drop(thread.join());
    let is_there = Arc::new(());
    let of_thread = Arc::downgrade(&is_there);
    let watcher = notify::recommended_watcher(move |event| {
        let _thread = &is_there;
        take(event);
    })?;
    if of_thread.strong_count() == 0 {
        // It did not get its thread after all and says nothing, but what was given to it is gone. To use it would
        // panic, and so would its end: it has none. A descriptor is lost, where somebody else took the last thread.
        std::mem::forget(watcher);
        return Err(io::Error::from(io::ErrorKind::WouldBlock).into());
    }
    Ok(watcher)
}
