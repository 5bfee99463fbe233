//! Readers: jobs are looked up while the store takes changes.

use super::fixtures::Fixture;
use super::{Job, Line, attempt, batch, delete, shelve};
use crate::Reader;
use geartrain_core::{Op, Outcome, Shelf, Wanted};

fn read(reader: &mut dyn Reader, wanted: Wanted, numbers: &[u64]) -> Vec<Line> {
    let mut lines = Vec::new();
    reader.read(wanted, numbers, &mut |found| lines.push(Line::of(found))).unwrap();
    lines
}

fn numbers(lines: &[Line]) -> Vec<u64> {
    lines
        .iter()
        .filter_map(|line| match line {
            Line::Job(job) | Line::Letter(job, _) => Some(job.0.number),
            Line::Workload(number, _) => Some(*number),
            Line::Attempt(_) | Line::Document(..) => None,
        })
        .collect()
}

pub(crate) fn a_reader_finds_what_was_committed(fixture: &impl Fixture) {
    let mut store = fixture.open();
    let mut reader = store.reader().unwrap();
    assert_eq!(read(&mut *reader, Wanted::Workloads, &[1, 2]), []);
    let job = Job::with(2, |job| (job.workload, job.place) = (vec![b'w'; 10_000], 9));
    let plain = Job::new(1);
    let ops = [plain.put(), job.put(), Op::Attempt(attempt(2, 1))];
    store.commit(&batch(ops)).unwrap();
    let workload = |job: &Job| Line::Workload(job.0.number, job.0.workload.clone());
    let workloads = [workload(&plain), workload(&job)];
    assert_eq!(read(&mut *reader, Wanted::Workloads, &[2, 1, 3, 2]), workloads);
    let (first, second) = (Line::Job(plain), Line::Job(job));
    let log = Line::Attempt(attempt(2, 1).into());
    assert_eq!(read(&mut *reader, Wanted::Jobs, &[2, 1]), [first, second, log.clone()]);
    assert_eq!(read(&mut *reader, Wanted::Letters(Shelf::Dead), &[1, 2]), []);

    store.commit(&batch([delete(1), shelve(2, Shelf::Dead, Outcome::Failed)])).unwrap();
    assert_eq!(read(&mut *reader, Wanted::Jobs, &[1, 2]), []);
    assert_eq!(read(&mut *reader, Wanted::Letters(Shelf::Finished), &[1, 2]), []);
    let letter = read(&mut *reader, Wanted::Letters(Shelf::Dead), &[2]);
    assert_eq!((numbers(&letter), &letter[1..]), (vec![2], &[log][..]));
    assert_eq!(read(&mut *reader, Wanted::Jobs, &[]), []);
    assert_eq!(read(&mut *reader, Wanted::Jobs, &[0, u64::MAX, 1 << 60]), []);
}

pub(crate) fn a_reader_finds_one_among_many_in_any_order(fixture: &impl Fixture) {
    let mut store = fixture.open();
    let jobs: Vec<Job> = (1..=2000).map(Job::new).collect();
    store.commit(&batch(jobs.iter().map(Job::put))).unwrap();
    store.commit(&batch((1..=2000).step_by(3).map(delete))).unwrap();
    let mut reader = store.reader().unwrap();
    let left = |number: &u64| (1..=2000).contains(number) && number % 3 != 1;
    let patterns: [Vec<u64>; 5] = [
        (1..=2000).collect(),
        (1..=2500).step_by(7).collect(),
        (1..=2000).step_by(60).collect(),
        vec![1500, 3, 1999, 2, 1501, 20, 36, 53, 70],
        (1..=2000).rev().collect(),
    ];
    for asked in patterns {
        let found = numbers(&read(&mut *reader, Wanted::Workloads, &asked));
        let mut expected: Vec<u64> = asked.into_iter().filter(left).collect();
        expected.sort_unstable();
        assert_eq!(found, expected);
    }
}

pub(crate) fn a_reader_outlives_what_happens_to_its_store(fixture: &impl Fixture) {
    let mut store = fixture.open();
    store.commit(&batch([Job::new(1).put()])).unwrap();
    let mut reader = store.reader().unwrap();
    assert_eq!(numbers(&read(&mut *reader, Wanted::Jobs, &[1, 2])), [1]);
    store.reopen().unwrap();
    store.commit(&batch([Job::new(2).put()])).unwrap();
    assert_eq!(numbers(&read(&mut *reader, Wanted::Jobs, &[1, 2])), [1, 2]);
    drop(store);
    let mut store = fixture.open();
    store.commit(&batch([delete(1)])).unwrap();
    assert_eq!(numbers(&read(&mut *reader, Wanted::Jobs, &[1, 2])), [2]);
}
