//! What every store has to keep, run for each of them.
//!
//! From: `contract!` in this module, one test for each claim and store.
//! To: a [`Fixture`], which opens the same store again and again.

mod crash;
mod faults;
pub(crate) mod fixtures;
mod readers;
mod shelves;

use crate::{Batch, LoadReport, Store};
use fixtures::{Fixture, Memory, SqliteFile, SqliteOnDisk};
use geartrain_core::{
    Attempt, Change, DocumentKind, Found, Op, Outcome, OwnedAttempt, OwnedRecord, OwnedShelving, Record,
    Shelf, Shelving, Stored, Ticket, UnixTime, Wanted,
};
use geartrain_proto::Priority;
use readers::*;
use shelves::*;
use std::fmt;

/// A job of which a test says only what matters to it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Job(OwnedRecord);

/// Short, since a claim that fails shows whole queues.
impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OwnedRecord { number, place, function, attempts, lost, workload, .. } = &self.0;
        write!(f, "{number} at {place} of {}, {attempts} attempts, ", function.escape_ascii())?;
        write!(f, "{lost} lost, {} bytes", workload.len())
    }
}

impl Job {
    fn new(number: u64) -> Self {
        Self::with(number, |_| {})
    }

    fn with(number: u64, change: impl FnOnce(&mut OwnedRecord)) -> Self {
        let mut record = OwnedRecord::from(Record {
            number,
            place: number,
            function: b"resize",
            unique: b"unique",
            priority: Priority::Normal,
            workload: b"workload",
            reducer: None,
            not_before: 0,
            attempts: 0,
            lost: 0,
            submitted: UnixTime::from_millis(1_700_000_000_123),
        });
        change(&mut record);
        Self(record)
    }

    fn put(&self) -> Op<'_> {
        Op::Put(self.0.as_record())
    }
}

/// One thing that a store remembers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line {
    Document(DocumentKind, Vec<u8>, Vec<u8>),
    Letter(Job, OwnedShelving),
    Workload(u64, Vec<u8>),
    Job(Job),
    /// Of the job or letter before.
    Attempt(OwnedAttempt),
}

fn batch<'a>(ops: impl IntoIterator<Item = Op<'a>>) -> Batch {
    let mut batch = Batch::new();
    for (ticket, op) in (1..).zip(ops) {
        batch.push(Ticket::new(ticket), op);
    }
    batch
}

/// A job that was given back, or otherwise changed.
fn changed(number: u64, place: u64, attempts: u32) -> Op<'static> {
    let (function, priority) = (b"resize", Priority::Normal);
    Op::Change(Change { number, place, function, priority, not_before: 0, attempts, lost: 0 })
}

fn delete(number: u64) -> Op<'static> {
    Op::Delete { number, attempts: 0 }
}

fn attempt(number: u64, attempt: u32) -> Attempt<'static> {
    Attempt {
        number,
        attempt,
        started: UnixTime::from_millis(1_700_000_000_000 + i64::from(attempt)),
        ended: UnixTime::from_millis(1_700_000_100_000),
        client_id: b"worker-7",
        address: b"10.0.0.7",
        how: Outcome::Exception,
        text: b"no such photo",
    }
}

fn shelve(number: u64, shelf: Shelf, how: Outcome) -> Op<'static> {
    let ended = UnixTime::from_millis(1_700_000_200_000);
    Op::Shelve(Shelving { number, shelf, ended, how, attempts: 3, error: b"no such photo" })
}

fn loaded(store: &mut dyn Store) -> Vec<Job> {
    let mut jobs = Vec::new();
    let report = store.load(&mut |stored| {
        if let Stored::Job(record) = stored {
            jobs.push(Job(record.into()));
        }
    });
    let LoadReport { loaded, letters: _, documents: _, unreadable, set_aside } = report.unwrap();
    assert_eq!((loaded, unreadable, set_aside), (jobs.len() as u64, 0, 0));
    jobs
}

/// Numbers of what a store has on a shelf, as it says at start.
fn heads(store: &mut dyn Store, shelf: Shelf) -> Vec<u64> {
    let mut heads = Vec::new();
    let report = store.load(&mut |stored| match stored {
        Stored::Letter(head) if head.shelving.shelf == shelf => heads.push(head.shelving.number),
        Stored::Letter(_) | Stored::Document(_) | Stored::Job(_) => {}
    });
    assert!(report.unwrap().letters >= heads.len() as u64);
    heads
}

/// Everything that a store remembers: what it loads, and what a reader finds about it.
pub(crate) fn content(store: &mut dyn Store) -> Vec<Line> {
    let mut lines = Vec::new();
    let (mut letters, mut jobs) = (Vec::new(), Vec::new());
    let report = store.load(&mut |stored| match stored {
        Stored::Document(document) => {
            let body = document.body.expect("a stored document has a body");
            lines.push(Line::Document(document.kind, document.name.to_vec(), body.to_vec()));
        }
        Stored::Letter(head) => letters.push((head.shelving.number, head.shelving.shelf, head.bytes)),
        Stored::Job(record) => jobs.push(record.number),
    });
    let report = report.unwrap();
    assert_eq!(report.letters, letters.len() as u64);
    assert_eq!(report.documents, lines.len() as u64);
    assert_eq!((report.unreadable, report.set_aside), (0, 0));
    let mut reader = store.reader().unwrap();
    let mut read = |wanted, numbers: &[u64]| {
        reader.read(wanted, numbers, &mut |found| lines.push(Line::of(found))).unwrap();
    };
    for (number, shelf, _) in &letters {
        read(Wanted::Letters(*shelf), &[*number]);
    }
    for number in &jobs {
        read(Wanted::Jobs, &[*number]);
    }
    let bytes: Vec<u64> = lines.iter().filter_map(Line::letter_bytes).collect();
    assert_eq!(bytes, letters.iter().map(|(_, _, bytes)| *bytes).collect::<Vec<_>>());
    lines
}

impl Line {
    fn of(found: Found<'_>) -> Self {
        match found {
            Found::Workload { number, workload } => Line::Workload(number, workload.to_vec()),
            Found::Job(record) => Line::Job(Job(record.into())),
            Found::Letter(record, shelving) => Line::Letter(Job(record.into()), shelving.into()),
            Found::Attempt(attempt) => Line::Attempt(attempt.into()),
        }
    }

    fn letter_bytes(&self) -> Option<u64> {
        let Line::Letter(Job(OwnedRecord { function, unique, reducer, workload, .. }), _) = self else {
            return None;
        };
        let reducer = reducer.as_ref().map_or(0, Vec::len);
        Some((function.len() + unique.len() + reducer + workload.len()) as u64)
    }
}

fn a_new_store_is_empty(fixture: &impl Fixture) {
    let mut store = fixture.open();
    assert_eq!((store.opening().next_number, store.opening().jobs_estimate), (1, 0));
    assert_eq!(loaded(&mut *store), []);
    store.commit(&Batch::new()).unwrap();
}

fn every_byte_comes_back(fixture: &impl Fixture) {
    let every_byte: Vec<u8> = (0..=255).collect();
    let jobs = [
        Job::with(1, |job| (job.function, job.unique) = (every_byte.clone(), vec![0; 64])),
        Job::with(2, |job| (job.function, job.unique, job.workload) = Default::default()),
        Job::with(3, |job| (job.workload, job.unique) = (every_byte.repeat(32 * 1024), b"-".to_vec())),
        Job::with(4, |job| (job.reducer, job.not_before) = (Some(Vec::new()), i64::MAX)),
        Job::with(5, |job| (job.reducer, job.not_before) = (Some(every_byte[..64].to_vec()), -1)),
        Job::with(6, |job| (job.attempts, job.submitted) = (u32::MAX, UnixTime::from_millis(i64::MIN))),
        Job::with(7, |job| (job.function, job.lost, job.place) = (vec![b'f'; 8191], u32::MAX, 9)),
        Job::with(8, |job| (job.priority, job.place) = (Priority::High, 10)),
        Job::with(9, |job| (job.priority, job.place) = (Priority::Low, 11)),
    ];
    let mut store = fixture.open();
    store.commit(&batch(jobs.iter().map(Job::put))).unwrap();
    assert_eq!(loaded(&mut *store), jobs);
    drop(store);
    let mut store = fixture.open();
    assert_eq!(store.opening().jobs_estimate, 9);
    assert_eq!(loaded(&mut *store), jobs);
}

fn jobs_come_in_the_order_of_their_places(fixture: &impl Fixture) {
    let mut store = fixture.open();
    let jobs: Vec<Job> = (1..=5).map(Job::new).collect();
    store.commit(&batch(jobs.iter().map(Job::put))).unwrap();
    store.commit(&batch([changed(2, 6, 1), changed(1, 7, 1)])).unwrap();
    let [eighth, last] = [8, 11].map(Job::new);
    let ops = [eighth.put(), changed(2, 9, 2), changed(8, 10, 1), last.put()];
    store.commit(&batch(ops)).unwrap();
    drop(store);
    let order: Vec<_> =
        loaded(&mut *fixture.open()).iter().map(|job| (job.0.number, job.0.place, job.0.attempts)).collect();
    assert_eq!(order, [(3, 3, 0), (4, 4, 0), (5, 5, 0), (1, 7, 1), (2, 9, 2), (8, 10, 1), (11, 11, 0)]);
}

fn what_ended_is_gone(fixture: &impl Fixture) {
    let mut store = fixture.open();
    let jobs: Vec<Job> = (1..=3).map(Job::new).collect();
    store.commit(&batch(jobs.iter().map(Job::put))).unwrap();
    store.commit(&batch([delete(2), delete(77)])).unwrap();
    store.commit(&batch([changed(2, 4, 1)])).unwrap();
    drop(store);
    assert_eq!(loaded(&mut *fixture.open()), [Job::new(1), Job::new(3)]);
}

fn what_came_and_went_within_a_batch_leaves_nothing(fixture: &impl Fixture) {
    let mut store = fixture.open();
    let (short, long) = (Job::new(1), Job::new(2));
    store.commit(&batch([short.put(), long.put(), delete(1)])).unwrap();
    drop(store);
    let mut store = fixture.open();
    assert_eq!((loaded(&mut *store), store.opening().jobs_estimate), (vec![long], 1));
}

fn everything_about_a_job_can_change(fixture: &impl Fixture) {
    let mut store = fixture.open();
    store.commit(&batch([Job::new(1).put(), Job::new(2).put()])).unwrap();
    let (function, priority) = (b"rotate", Priority::High);
    let change = Change { number: 1, place: 1, function, priority, not_before: 99, attempts: 7, lost: 5 };
    store.commit(&batch([Op::Change(change)])).unwrap();
    drop(store);
    let expected = Job::with(1, |job| {
        (job.function, job.priority) = (b"rotate".to_vec(), Priority::High);
        (job.not_before, job.attempts, job.lost) = (99, 7, 5);
    });
    let mut store = fixture.open();
    assert_eq!(loaded(&mut *store), [expected, Job::new(2)]);
    assert_eq!(store.opening().next_number, 3, "it kept its place");
}

fn a_record_that_is_put_again_counts_once(fixture: &impl Fixture) {
    let mut store = fixture.open();
    store.commit(&batch([Job::new(1).put()])).unwrap();
    let again = Job::with(1, |job| job.attempts = 3);
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
    commit(&[Op::ReserveNumbers { until: 50 }, delete(7)]);
    assert_eq!(next(), 100);
    commit(&[Job::new(200).put()]);
    commit(&[changed(200, 300, 1)]);
    assert_eq!(next(), 301);
    commit(&[delete(200)]);
    assert_eq!(next(), 301);
    commit(&[Job::new(400).put(), shelve(400, Shelf::Dead, Outcome::Failed)]);
    assert_eq!(next(), 401, "a letter's number is taken");
}

fn large_batches_are_kept_whole(fixture: &impl Fixture) {
    let jobs: Vec<Job> = (1..=20_000).map(Job::new).collect();
    let mut store = fixture.open();
    store.commit(&batch(jobs.iter().map(Job::put))).unwrap();
    store.commit(&batch((1..=20_000).step_by(2).map(delete))).unwrap();
    drop(store);
    let left = loaded(&mut *fixture.open());
    assert_eq!(left.len(), 10_000);
    assert!(left.iter().all(|job| job.0.number.is_multiple_of(2)));
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
            everything_about_a_job_can_change,
            a_record_that_is_put_again_counts_once,
            numbers_are_never_given_twice,
            large_batches_are_kept_whole,
            reopening_keeps_everything,
            a_job_on_a_shelf_keeps_everything,
            a_job_comes_back_from_a_shelf,
            a_letter_that_is_dropped_takes_its_attempts_along,
            the_last_attempts_are_kept,
            attempts_go_with_their_job,
            attempts_of_a_job_held_in_memory_reach_its_letter,
            documents_are_written_over_and_forgotten,
            a_reader_finds_what_was_committed,
            a_reader_finds_one_among_many_in_any_order,
            a_reader_outlives_what_happens_to_its_store,
        ]);)+
    };
}

contract! {
    memory: Memory::new(),
    sqlite_file: SqliteFile::new(),
    sqlite_on_disk: SqliteOnDisk::new(1),
}
