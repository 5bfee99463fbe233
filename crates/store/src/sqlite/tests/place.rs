//! Files that are removed or replaced while a store has them open.

use super::super::place::with_suffix;
use super::*;
use geartrain_core::{Found, Wanted};

/// The next commit looks at its files.
fn look_now(store: &mut SqliteStore) {
    store.looked = Instant::now() - LOOK_EVERY;
}

/// The next commits do not look at their files, however slow the disk is.
fn look_later(store: &mut SqliteStore) {
    store.looked = Instant::now() + 3600 * LOOK_EVERY;
}

fn refused(store: &mut SqliteStore) -> StoreError {
    look_now(store);
    let mut batch = Batch::new();
    batch.push(Ticket::new(9), Op::Put(record(900)));
    let error = store.commit(&batch).unwrap_err();
    assert!(matches!(store.commit(&batch), Err(StoreError::Failed { .. })));
    error
}

fn files(folder: &TempDir) -> Vec<String> {
    let mut names: Vec<String> =
        content(folder).iter().map(|(path, _)| path.file_name().unwrap().to_string_lossy().into()).collect();
    names.sort();
    names
}

#[test]
fn a_removed_database_is_noticed_and_written_anew() {
    let (folder, path) = folder();
    let mut store = open(&path).unwrap();
    put(&mut store, &[record(1), record(2)]);
    let mut reader = store.reader().unwrap();
    fs::remove_file(&path).unwrap();
    let error = refused(&mut store);
    assert!(matches!(error, StoreError::Removed { what: "is gone", .. }), "{error}");
    assert!(error.to_string().contains("queue.db is gone"), "{error}");
    store.reopen().unwrap();
    put(&mut store, &[record(3)]);
    let mut read = Vec::new();
    let mut each = |found: Found<'_>| {
        if let Found::Job(record) = found {
            read.push(record.number);
        }
    };
    reader.read(Wanted::Jobs, &[1, 2, 3], &mut each).unwrap();
    assert_eq!(read, [1, 2, 3], "a reader follows");
    assert_eq!(files(&folder), ["queue.db", "queue.db-shm", "queue.db-wal", "queue.db.lock"]);
    look_now(&mut store);
    put(&mut store, &[record(4)]);
    drop((store, reader));
    assert_eq!(numbers(&mut open(&path).unwrap()), [1, 2, 3, 4]);
}

#[test]
fn what_was_committed_before_somebody_looked_is_saved_as_well() {
    let (_folder, path) = folder();
    let mut store = open(&path).unwrap();
    put(&mut store, &[record(1)]);
    look_later(&mut store);
    fs::remove_file(&path).unwrap();
    put(&mut store, &[record(2)]);
    refused(&mut store);
    store.reopen().unwrap();
    drop(store);
    assert_eq!(numbers(&mut open(&path).unwrap()), [1, 2]);
}

#[test]
fn all_files_removed_are_written_anew() {
    let (folder, path) = folder();
    let mut store = open(&path).unwrap();
    put(&mut store, &[record(1)]);
    for file in files(&folder) {
        fs::remove_file(folder.path().join(file)).unwrap();
    }
    refused(&mut store);
    store.reopen().unwrap();
    put(&mut store, &[record(2)]);
    assert!(matches!(open(&path), Err(StoreError::InUse { .. })), "it is locked as well");
    drop(store);
    assert_eq!(numbers(&mut open(&path).unwrap()), [1, 2]);
}

#[test]
fn a_removed_log_is_noticed_and_nothing_in_it_is_lost() {
    for suffix in ["-wal", "-shm"] {
        let (_folder, path) = folder();
        let mut store = open(&path).unwrap();
        put(&mut store, &[record(1)]);
        fs::remove_file(with_suffix(&path, suffix)).unwrap();
        let error = refused(&mut store);
        assert!(matches!(error, StoreError::Removed { .. }), "{suffix}: {error}");
        store.reopen().unwrap();
        put(&mut store, &[record(2)]);
        drop(store);
        assert_eq!(numbers(&mut open(&path).unwrap()), [1, 2], "{suffix}");
    }
}

#[test]
fn a_database_that_comes_back_is_used_as_before() {
    let (folder, path) = folder();
    let mut store = open(&path).unwrap();
    put(&mut store, &[record(1)]);
    let elsewhere = folder.path().join("elsewhere");
    fs::rename(&path, &elsewhere).unwrap();
    refused(&mut store);
    fs::rename(&elsewhere, &path).unwrap();
    store.reopen().unwrap();
    put(&mut store, &[record(2)]);
    drop(store);
    assert_eq!(numbers(&mut open(&path).unwrap()), [1, 2]);
}

#[test]
fn another_database_in_its_place_is_left_alone() {
    let ((folder, path), (other_folder, other)) = (self::folder(), self::folder());
    drop(open(&other).unwrap());
    let mut store = open(&path).unwrap();
    put(&mut store, &[record(1)]);
    fs::remove_file(&path).unwrap();
    fs::rename(&other, &path).unwrap();
    let before = fs::read(&path).unwrap();
    let error = refused(&mut store);
    assert!(error.to_string().contains("replaced by another one"), "{error}");
    let error = store.reopen().unwrap_err();
    assert!(matches!(error, StoreError::Removed { .. }), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
    // Once its place is free, it is written there.
    fs::rename(&path, &other).unwrap();
    store.reopen().unwrap();
    drop(store);
    assert_eq!(numbers(&mut open(&path).unwrap()), [1]);
    drop((folder, other_folder));
}

#[test]
fn a_removed_folder_is_waited_for() {
    let (folder, _) = folder();
    let inner = folder.path().join("inner");
    fs::create_dir(&inner).unwrap();
    let path = inner.join("queue.db");
    let mut store = open(&path).unwrap();
    put(&mut store, &[record(1)]);
    fs::remove_dir_all(&inner).unwrap();
    refused(&mut store);
    assert!(store.reopen().is_err());
    fs::create_dir(&inner).unwrap();
    store.reopen().unwrap();
    put(&mut store, &[record(2)]);
    drop(store);
    assert_eq!(numbers(&mut open(&path).unwrap()), [1, 2]);
}
