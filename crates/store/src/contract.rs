//! What every store has to keep, run for each of them.
//!
//! From: `contract!` in this module, one test for each claim and store.
//! To: a [`Fixture`], which opens the same store again and again.

mod crash;
mod faults;
mod fixtures;

use crate::{Batch, Store};
use fixtures::{Fixture, Memory, SqliteFile, SqliteOnDisk};
use geartrain_core::{Op, Record, Ticket, UnixTime};
use geartrain_proto::Priority;
use std::fmt;

/// A record that owns its bytes.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Job {
    number: u64,
    place: u64,
    function: Vec<u8>,
    unique: Vec<u8>,
    priority: Priority,
    workload: Vec<u8>,
    reducer: Option<Vec<u8>>,
    not_before: i64,
    attempts: u32,
    submitted: UnixTime,
}

/// Short, since a claim that fails shows whole queues.
impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, place, attempts, workload, .. } = self;
        write!(f, "{number} at {place}, {attempts} attempts, {} bytes", workload.len())
    }
}

impl Job {
    fn new(number: u64) -> Self {
        Self::of(&Record {
            number,
            place: number,
            function: b"resize",
            unique: b"unique",
            priority: Priority::Normal,
            workload: b"workload",
            reducer: None,
            not_before: 0,
            attempts: 0,
            submitted: UnixTime::from_millis(1_700_000_000_123),
        })
    }

    fn of(record: &Record<'_>) -> Self {
        Self {
            number: record.number,
            place: record.place,
            function: record.function.to_vec(),
            unique: record.unique.to_vec(),
            priority: record.priority,
            workload: record.workload.to_vec(),
            reducer: record.reducer.map(<[u8]>::to_vec),
            not_before: record.not_before,
            attempts: record.attempts,
            submitted: record.submitted,
        }
    }

    fn put(&self) -> Op<'_> {
        Op::Put(Record {
            number: self.number,
            place: self.place,
            function: &self.function,
            unique: &self.unique,
            priority: self.priority,
            workload: &self.workload,
            reducer: self.reducer.as_deref(),
            not_before: self.not_before,
            attempts: self.attempts,
            submitted: self.submitted,
        })
    }
}

fn batch<'a>(ops: impl IntoIterator<Item = Op<'a>>) -> Batch {
    let mut batch = Batch::new();
    for (ticket, op) in (1..).zip(ops) {
        batch.push(Ticket::new(ticket), op);
    }
    batch
}

fn loaded(store: &mut dyn Store) -> Vec<Job> {
    let mut jobs = Vec::new();
    let report = store.load(&mut |record| jobs.push(Job::of(&record))).unwrap();
    assert_eq!((report.loaded, report.set_aside), (jobs.len() as u64, 0));
    jobs
}

fn a_new_store_is_empty(fixture: &impl Fixture) {
    let mut store = fixture.open();
    assert_eq!((store.opening().next_number, store.opening().jobs), (1, 0));
    assert_eq!(loaded(&mut *store), []);
    store.commit(&Batch::new()).unwrap();
}

fn every_byte_comes_back(fixture: &impl Fixture) {
    let every_byte: Vec<u8> = (0..=255).collect();
    let jobs = [
        Job { function: every_byte.clone(), unique: vec![0; 64], ..Job::new(1) },
        Job { function: Vec::new(), unique: Vec::new(), workload: Vec::new(), ..Job::new(2) },
        Job { workload: every_byte.repeat(32 * 1024), unique: b"-".to_vec(), ..Job::new(3) },
        Job { reducer: Some(Vec::new()), priority: Priority::High, not_before: i64::MAX, ..Job::new(4) },
        Job {
            reducer: Some(every_byte[..64].to_vec()),
            priority: Priority::Low,
            not_before: -1,
            ..Job::new(5)
        },
        Job { attempts: u32::MAX, submitted: UnixTime::from_millis(i64::MIN), ..Job::new(6) },
        Job { function: vec![b'f'; 8191], unique: vec![b'u'; 64], place: 9, ..Job::new(7) },
    ];
    let mut store = fixture.open();
    store.commit(&batch(jobs.iter().map(Job::put))).unwrap();
    assert_eq!(loaded(&mut *store), jobs);
    drop(store);
    let mut store = fixture.open();
    assert_eq!(store.opening().jobs, 7);
    assert_eq!(loaded(&mut *store), jobs);
}

fn jobs_come_in_the_order_of_their_places(fixture: &impl Fixture) {
    let mut store = fixture.open();
    let jobs: Vec<Job> = (1..=5).map(Job::new).collect();
    store.commit(&batch(jobs.iter().map(Job::put))).unwrap();
    let give_back = |number, place, attempts| Op::GiveBack { number, place, attempts };
    store.commit(&batch([give_back(2, 6, 1), give_back(1, 7, 1)])).unwrap();
    store
        .commit(&batch([Job::new(8).put(), give_back(2, 9, 2), give_back(8, 10, 1), Job::new(11).put()]))
        .unwrap();
    drop(store);
    let order: Vec<_> =
        loaded(&mut *fixture.open()).iter().map(|job| (job.number, job.place, job.attempts)).collect();
    assert_eq!(order, [(3, 3, 0), (4, 4, 0), (5, 5, 0), (1, 7, 1), (2, 9, 2), (8, 10, 1), (11, 11, 0)]);
}

fn what_ended_is_gone(fixture: &impl Fixture) {
    let mut store = fixture.open();
    let jobs: Vec<Job> = (1..=3).map(Job::new).collect();
    store.commit(&batch(jobs.iter().map(Job::put))).unwrap();
    let unknown = Op::Delete { number: 77 };
    store.commit(&batch([Op::Delete { number: 2 }, unknown])).unwrap();
    store.commit(&batch([Op::GiveBack { number: 2, place: 4, attempts: 1 }])).unwrap();
    drop(store);
    assert_eq!(loaded(&mut *fixture.open()), [Job::new(1), Job::new(3)]);
}

fn what_came_and_went_within_a_batch_leaves_nothing(fixture: &impl Fixture) {
    let mut store = fixture.open();
    let (short, long) = (Job::new(1), Job::new(2));
    store.commit(&batch([short.put(), long.put(), Op::Delete { number: 1 }])).unwrap();
    drop(store);
    let mut store = fixture.open();
    assert_eq!((loaded(&mut *store), store.opening().jobs), (vec![long], 1));
}

fn a_job_that_used_up_its_attempts_is_kept_elsewhere(fixture: &impl Fixture) {
    let bury = |number| Op::Bury { number, attempts: 3 };
    let mut store = fixture.open();
    let jobs: Vec<Job> = (1..=4).map(Job::new).collect();
    store.commit(&batch(jobs[..3].iter().map(Job::put))).unwrap();
    store.commit(&batch([bury(2), bury(77), jobs[3].put(), bury(4)])).unwrap();
    drop(store);
    let mut store = fixture.open();
    assert_eq!(loaded(&mut *store), [Job::new(1), Job::new(3)]);
    assert_eq!((store.opening().jobs, store.opening().buried, store.opening().next_number), (2, 2, 5));
    // A follow-up may do it again.
    store.commit(&batch([jobs[3].put(), bury(4)])).unwrap();
    drop(store);
    assert_eq!(fixture.open().opening().buried, 2);
}

fn a_record_that_is_put_again_counts_once(fixture: &impl Fixture) {
    let mut store = fixture.open();
    store.commit(&batch([Job::new(1).put()])).unwrap();
    let again = Job { attempts: 3, ..Job::new(1) };
    store.commit(&batch([again.put()])).unwrap();
    drop(store);
    assert_eq!(loaded(&mut *fixture.open()), [again]);
}

fn numbers_are_never_given_twice(fixture: &impl Fixture) {
    let next = || fixture.open().opening().next_number;
    let commit = |ops: &[Op<'_>]| fixture.open().commit(&batch(ops.iter().copied())).unwrap();
    commit(&[Job::new(7).put()]);
    assert_eq!(next(), 8);
    commit(&[Op::ReserveNumbers { until: 100 }]);
    assert_eq!(next(), 100);
    commit(&[Op::ReserveNumbers { until: 50 }, Op::Delete { number: 7 }]);
    assert_eq!(next(), 100);
    commit(&[Job::new(200).put()]);
    commit(&[Op::GiveBack { number: 200, place: 300, attempts: 1 }]);
    assert_eq!(next(), 301);
    commit(&[Op::Delete { number: 200 }]);
    assert_eq!(next(), 301);
}

fn large_batches_are_kept_whole(fixture: &impl Fixture) {
    let jobs: Vec<Job> = (1..=20_000).map(Job::new).collect();
    let mut store = fixture.open();
    store.commit(&batch(jobs.iter().map(Job::put))).unwrap();
    store.commit(&batch((1..=20_000).step_by(2).map(|number| Op::Delete { number }))).unwrap();
    drop(store);
    let left = loaded(&mut *fixture.open());
    assert_eq!(left.len(), 10_000);
    assert!(left.iter().all(|job| job.number.is_multiple_of(2)));
}

fn reopening_keeps_everything(fixture: &impl Fixture) {
    let mut store = fixture.open();
    store.commit(&batch([Job::new(1).put()])).unwrap();
    store.reopen().unwrap();
    store.commit(&batch([Job::new(2).put()])).unwrap();
    assert_eq!(loaded(&mut *store), [Job::new(1), Job::new(2)]);
}

macro_rules! contract {
    ($store:ident, $fixture:expr, [$($claim:ident),+ $(,)?]) => {
        mod $store {
            use super::*;
            $(#[test]
            fn $claim() {
                super::$claim(&$fixture);
            })+
        }
    };
    ($($store:ident: $fixture:expr),+ $(,)?) => {
        $(contract!($store, $fixture, [
            a_new_store_is_empty,
            every_byte_comes_back,
            jobs_come_in_the_order_of_their_places,
            what_ended_is_gone,
            what_came_and_went_within_a_batch_leaves_nothing,
            a_job_that_used_up_its_attempts_is_kept_elsewhere,
            a_record_that_is_put_again_counts_once,
            numbers_are_never_given_twice,
            large_batches_are_kept_whole,
            reopening_keeps_everything,
        ]);)+
    };
}

contract! {
    memory: Memory::new(),
    sqlite_file: SqliteFile::new(),
    sqlite_on_disk: SqliteOnDisk::new(1),
}
