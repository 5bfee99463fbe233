//! The power goes before and after each write and sync of a sequence of batches.

use super::fixtures::SqliteOnDisk;
use super::{Job, Line, attempt, batch, changed, content, delete, shelve};
use crate::{Batch, MemoryStore, Store};
use geartrain_core::{Document, DocumentKind, Op, Outcome, Shelf};
use geartrain_disk::{Fault, Unsynced};

/// Batches that touch one page and many, with every kind of change.
pub(super) fn script() -> Vec<Batch> {
    let job =
        |number| Job::with(number, |job| job.workload = vec![b'w'; 100 * usize::try_from(number).unwrap()]);
    let large = Job::with(40, |job| job.workload = vec![b'l'; 30_000]);
    let jobs: Vec<Job> = (1..=12).map(job).collect();
    let later: Vec<Job> = (41..=60).map(job).collect();
    let document = |body| Op::Document(Document { kind: DocumentKind::Schedule, name: b"nightly", body });
    vec![
        batch(jobs.iter().map(Job::put).chain([Op::ReserveNumbers { until: 1000 }])),
        batch([delete(2), Op::Attempt(attempt(1, 1)), changed(1, 13, 1)]),
        batch([large.put(), delete(5), document(Some(b"{\"last\":1}"))]),
        batch(later.iter().map(Job::put)),
        batch([shelve(40, Shelf::Dead, Outcome::Failed), changed(3, 61, 1)]),
        batch((41..=58).map(delete)),
        batch([
            Op::Attempt(attempt(1, 2)),
            changed(1, 62, 2),
            delete(12),
            shelve(11, Shelf::Finished, Outcome::Completed),
            document(Some(b"{\"last\":2}")),
        ]),
        batch([
            // It comes back, and an old letter goes.
            large.put(),
            Op::Unshelve { number: 40, shelf: Shelf::Dead },
            Op::Unshelve { number: 11, shelf: Shelf::Finished },
            shelve(1, Shelf::Dead, Outcome::Exception),
            document(None),
        ]),
    ]
}

/// What is remembered after so many batches.
fn states() -> Vec<Vec<Line>> {
    let mut model = MemoryStore::new();
    let mut states = vec![content(&mut model)];
    for batch in script() {
        model.commit(&batch).unwrap();
        states.push(content(&mut model));
    }
    states
}

/// How many of the batches were committed before something failed.
fn commit_all(store: &mut dyn Store) -> usize {
    let script = script();
    script.iter().take_while(|batch| store.commit(batch).is_ok()).count()
}

/// Operations of opening a new store, and of opening it and committing the script.
fn ops() -> (u64, u64) {
    let fixture = SqliteOnDisk::new(0);
    let mut store = fixture.try_open().unwrap();
    let opening = fixture.disk.ops();
    assert_eq!(commit_all(&mut store), script().len());
    let all = fixture.disk.ops();
    drop(store);
    (opening, all)
}

fn survives(seed: u64, at: u64, fault: Fault, unsynced: Unsynced, states: &[Vec<Line>]) {
    let told = format!("{fault:?} at operation {at}, {unsynced:?}, seed {seed}");
    let fixture = SqliteOnDisk::new(seed);
    fixture.disk.fail_after_ops(at, fault);
    let mut store = fixture.try_open().ok();
    let committed = store.as_mut().map_or(0, |store| commit_all(store));
    assert!(fixture.disk.is_off(), "{told}: the power never went");
    fixture.disk.crash(unsynced);
    drop(store);
    let mut store = fixture.try_open().unwrap_or_else(|error| panic!("{told}: {error}"));
    let found = content(&mut store);
    // A batch that was not answered may be there as well, as a whole.
    let allowed = &states[committed..(committed + 2).min(states.len())];
    assert!(allowed.contains(&found), "{told}: after {committed} batches the store has {found:?}");
    if committed > 0 {
        assert!(store.opening().next_number >= 1000, "{told}");
    }
    let next = Job::new(5000);
    store.commit(&batch([next.put()])).unwrap_or_else(|error| panic!("{told}: {error}"));
    fixture.disk.crash(Unsynced::Lost);
    drop(store);
    let after = content(&mut fixture.try_open().unwrap());
    assert_eq!(after.last(), Some(&Line::Job(next)), "{told}");
    assert_eq!(after[..after.len() - 1], found, "{told}");
}

#[test]
fn what_was_committed_survives_a_crash_at_every_write_and_sync() {
    let states = states();
    let (opening, all) = ops();
    assert!(all - opening > 50, "{opening} and {all} operations");
    for at in 0..all {
        for fault in [Fault::PowerBefore, Fault::PowerAfter] {
            for unsynced in [Unsynced::Kept, Unsynced::Lost] {
                survives(0, at, fault, unsynced, &states);
            }
            for seed in 0..4 {
                survives(seed * 1000 + at, at, fault, Unsynced::Torn, &states);
            }
        }
    }
}

#[test]
fn without_the_sync_a_crash_loses_what_was_committed() {
    // Proves that the disk would show it.
    let fixture = SqliteOnDisk::new(0);
    let mut store = fixture.try_open().unwrap();
    store.set_synchronous_off();
    assert_eq!(commit_all(&mut store), script().len());
    fixture.disk.crash(Unsynced::Lost);
    drop(store);
    assert!(fixture.try_open().map_or(true, |mut store| content(&mut store) != *states().last().unwrap()));
}
