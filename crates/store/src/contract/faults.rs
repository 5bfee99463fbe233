//! Writes and syncs fail, the disk fills up, and the store is driven as a server drives it.

use super::crash::script;
use super::fixtures::SqliteOnDisk;
use super::{Job, Line, batch, content, delete, loaded};
use crate::{Batch, MemoryStore, SqliteStore, Store, StoreError};
use geartrain_disk::{Fault, Unsynced};

/// Commits the script as a server does: a batch that fails is refused, and its follow-up goes first
/// once the store is open again. Says what must be remembered then, and how many batches failed.
fn drive(fixture: &SqliteOnDisk, store: &mut SqliteStore, told: &str) -> (Vec<Line>, usize) {
    let mut model = MemoryStore::new();
    let mut followup = Batch::new();
    let mut refused = 0;
    for batch in script() {
        let mut pending = std::mem::take(&mut followup);
        pending.append(&batch);
        if store.commit(&pending).is_ok() {
            model.commit(&pending).unwrap();
            continue;
        }
        refused += 1;
        assert!(matches!(store.commit(&batch), Err(StoreError::Failed { .. })), "{told}");
        followup = pending.failed_followup();
        fixture.disk.set_full(false);
        recover(store, told);
    }
    store.commit(&followup).unwrap_or_else(|error| panic!("{told}: {error}"));
    model.commit(&followup).unwrap();
    (content(&mut model), refused)
}

fn recover(store: &mut SqliteStore, told: &str) {
    let opened = (0..3).any(|_| store.reopen().is_ok());
    assert!(opened, "{told}: the store does not open again");
}

fn ops(checkpoint_pages: u32) -> (u64, u64) {
    let fixture = SqliteOnDisk::with_checkpoint_pages(0, checkpoint_pages);
    let mut store = fixture.try_open().unwrap();
    let opening = fixture.disk.ops();
    assert_eq!(drive(&fixture, &mut store, "without a fault").1, 0);
    (opening, fixture.disk.ops())
}

/// One fault, recovery, and a crash; says how many batches were refused.
fn recovers(checkpoint_pages: u32, fault: Fault, at: u64, end: Unsynced) -> usize {
    let told =
        format!("{fault:?} at operation {at}, then {end:?}, checkpoints from {checkpoint_pages} pages on");
    let fixture = SqliteOnDisk::with_checkpoint_pages(at, checkpoint_pages);
    let mut store = fixture.try_open().unwrap();
    fixture.disk.fail_after_ops(at, fault);
    let (expected, refused) = drive(&fixture, &mut store, &told);
    assert_eq!(content(&mut store), expected, "{told}: before the crash");
    fixture.disk.crash(end);
    drop(store);
    assert_eq!(content(&mut fixture.try_open().unwrap()), expected, "{told}: after the crash");
    refused
}

#[test]
fn a_store_recovers_from_every_failed_write_and_sync() {
    let mut refused = 0;
    // A short log is copied at once, which hides holes in it; in a long one they would show.
    for (checkpoint_pages, ends) in [(12, &[Unsynced::Kept, Unsynced::Torn][..]), (2048, &[Unsynced::Lost])] {
        let (opening, all) = ops(checkpoint_pages);
        for fault in [Fault::Io, Fault::SyncIo, Fault::Full] {
            for at in 0..all - opening {
                for end in ends {
                    refused += recovers(checkpoint_pages, fault, at, *end);
                }
            }
        }
    }
    assert!(refused > 100, "only {refused} batches failed");
}

/// Opens a new store although something fails meanwhile; a server that does not start is started again.
fn open_in_spite_of(fixture: &SqliteOnDisk, fault: Fault, at: u64) -> SqliteStore {
    fixture.disk.fail_after_ops(at, fault);
    let store = fixture.try_open();
    fixture.disk.set_full(false);
    store
        .or_else(|_| fixture.try_open())
        .unwrap_or_else(|error| panic!("{fault:?} at operation {at}: {error}"))
}

#[test]
fn a_fault_while_a_store_is_created_costs_nothing_later() {
    let (opening, _) = ops(2048);
    assert!(opening > 5, "{opening} operations");
    for fault in [Fault::Io, Fault::SyncIo, Fault::Full] {
        for at in 0..opening {
            let fixture = SqliteOnDisk::with_checkpoint_pages(at, 2048);
            let mut store = open_in_spite_of(&fixture, fault, at);
            let told = format!("{fault:?} at operation {at}");
            let (expected, _) = drive(&fixture, &mut store, &told);
            fixture.disk.crash(Unsynced::Lost);
            drop(store);
            assert_eq!(content(&mut fixture.try_open().unwrap()), expected, "{told}");
        }
    }
}

#[test]
fn a_full_disk_is_named_and_recovers_when_there_is_space() {
    let fixture = SqliteOnDisk::new(1);
    let mut store = fixture.try_open().unwrap();
    let large = Job::with(1, |job| job.workload = vec![b'l'; 1_000_000]);
    fixture.disk.set_full(true);
    let error = store.commit(&batch([large.put()])).unwrap_err();
    assert!(matches!(error, StoreError::Full { .. }), "{error}");
    assert!(error.to_string().contains("/queue.db"), "{error}");
    assert!(matches!(store.commit(&Batch::new()), Err(StoreError::Failed { .. })));
    fixture.disk.set_full(false);
    store.reopen().unwrap();
    store.commit(&batch([large.put()])).unwrap();
    assert_eq!(loaded(&mut store), [large]);
}

#[test]
fn a_failed_sync_and_the_death_of_the_process_lose_nothing_committed_later() {
    let fixture = SqliteOnDisk::new(1);
    let mut store = fixture.try_open().unwrap();
    store.commit(&batch([Job::new(1).put()])).unwrap();
    fixture.disk.fail_after_ops(0, Fault::SyncIo);
    let error = store.commit(&batch([Job::new(2).put()])).unwrap_err();
    assert!(matches!(error, StoreError::Io { doing: "syncing a batch", .. }), "{error}");
    fixture.disk.crash(Unsynced::Kept);
    drop(store);
    let mut store = fixture.try_open().unwrap();
    store.commit(&batch([Job::new(3).put()])).unwrap();
    fixture.disk.crash(Unsynced::Lost);
    drop(store);
    let left: Vec<u64> = loaded(&mut fixture.try_open().unwrap()).iter().map(|job| job.0.number).collect();
    assert!(left == [1, 3] || left == [1, 2, 3], "{left:?}");
}

#[test]
fn a_persons_transaction_is_named_and_waited_for_only_so_long() {
    let fixture = SqliteOnDisk::new(1);
    let mut store = fixture.try_open().unwrap();
    let person = fixture.try_open().unwrap();
    let writing = person.connection().unwrap();
    writing.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.commit(&batch([delete(1)])).unwrap_err();
    assert!(matches!(error, StoreError::Busy { .. }), "{error}");
    assert!(matches!(store.reopen(), Err(StoreError::Busy { .. })));
    writing.execute_batch("COMMIT").unwrap();
    store.reopen().unwrap();
    store.commit(&batch([Job::new(1).put()])).unwrap();
}
