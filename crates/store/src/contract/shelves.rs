//! Shelves, attempts and documents.

use super::fixtures::Fixture;
use super::{Job, Line, attempt, batch, changed, content, delete, heads, shelve};
use geartrain_core::{
    ATTEMPTS_KEPT, Attempt, Document, DocumentKind, LetterHead, Op, Outcome, OwnedShelving, Shelf, Stored,
};

fn every_byte() -> Vec<u8> {
    (0..=255).collect()
}

/// What a letter of [`shelve`] looks like.
fn letter(job: &Job, shelf: Shelf, how: Outcome) -> Line {
    let Op::Shelve(shelving) = shelve(job.0.number, shelf, how) else { unreachable!() };
    let mut job = job.clone();
    (job.0.place, job.0.attempts) = (job.0.number, shelving.attempts);
    Line::Letter(job, OwnedShelving::from(shelving))
}

pub(crate) fn a_job_on_a_shelf_keeps_everything(fixture: &impl Fixture) {
    let jobs = [
        Job::with(1, |job| {
            (job.function, job.workload) = (every_byte(), every_byte().repeat(4000));
            (job.reducer, job.not_before, job.lost) = (Some(every_byte()[..64].to_vec()), 7, 2);
        }),
        Job::with(2, |job| job.unique = every_byte()[..64].to_vec()),
        Job::with(3, |job| (job.function, job.unique, job.workload) = Default::default()),
        Job::new(4),
    ];
    let mut store = fixture.open();
    store.commit(&batch(jobs[..3].iter().map(Job::put))).unwrap();
    let tried = Attempt { client_id: &every_byte(), text: &vec![b't'; 64 * 1024], ..attempt(1, 1) };
    store
        .commit(&batch([
            Op::Attempt(tried),
            shelve(1, Shelf::Dead, Outcome::Exception),
            shelve(2, Shelf::Finished, Outcome::Completed),
            shelve(77, Shelf::Dead, Outcome::Failed),
            // In the same batch as its record.
            jobs[3].put(),
            shelve(4, Shelf::Dead, Outcome::LostWorkers),
        ]))
        .unwrap();
    let expected = [
        letter(&jobs[0], Shelf::Dead, Outcome::Exception),
        Line::Attempt(tried.into()),
        letter(&jobs[1], Shelf::Finished, Outcome::Completed),
        letter(&jobs[3], Shelf::Dead, Outcome::LostWorkers),
        Line::Job(jobs[2].clone()),
    ];
    assert_eq!(content(&mut *store), expected);
    drop(store);
    let mut store = fixture.open();
    assert_eq!(content(&mut *store), expected);
    assert_eq!((heads(&mut *store, Shelf::Dead), heads(&mut *store, Shelf::Finished)), (vec![1, 4], vec![2]));
    assert_eq!((store.opening().jobs_estimate, store.opening().next_number), (1, 5));
    let first = |head: LetterHead<'_>| {
        let Op::Shelve(expected) = shelve(1, Shelf::Dead, Outcome::Exception) else { unreachable!() };
        let bytes = 256 + 6 + 64 + 256 * 4000;
        assert_eq!(head, LetterHead { shelving: expected, function: &every_byte(), bytes });
    };
    let mut first = Some(first);
    let load = store.load(&mut |stored| {
        if let Stored::Letter(head) = stored
            && let Some(first) = first.take()
        {
            first(head);
        }
    });
    assert_eq!(load.unwrap().letters, 3);
    assert!(first.is_none());
}

pub(crate) fn a_job_comes_back_from_a_shelf(fixture: &impl Fixture) {
    let mut store = fixture.open();
    let jobs: Vec<Job> = (1..=3).map(Job::new).collect();
    store.commit(&batch(jobs.iter().map(Job::put))).unwrap();
    let tried = Op::Attempt(attempt(1, 1));
    store.commit(&batch([tried, shelve(1, Shelf::Dead, Outcome::Failed)])).unwrap();
    let again = Job::with(1, |job| (job.place, job.workload) = (4, b"mended".to_vec()));
    let back = Op::Unshelve { number: 1, shelf: Shelf::Dead };
    store.commit(&batch([again.put(), back])).unwrap();
    drop(store);
    let mut store = fixture.open();
    let rest = [2, 3].map(|number| Line::Job(Job::new(number)));
    assert_eq!(content(&mut *store), [&rest[..], &[Line::Job(again.clone())]].concat());
    // A follow-up may do it again, and it may fail once more.
    store.commit(&batch([again.put(), back])).unwrap();
    store.commit(&batch([shelve(1, Shelf::Finished, Outcome::Completed)])).unwrap();
    drop(store);
    let letter = letter(&again, Shelf::Finished, Outcome::Completed);
    assert_eq!(content(&mut *fixture.open()), [&[letter], &rest[..]].concat());
}

pub(crate) fn a_letter_that_is_dropped_takes_its_attempts_along(fixture: &impl Fixture) {
    let mut store = fixture.open();
    let job = Job::new(1);
    let ops = [job.put(), Op::Attempt(attempt(1, 1)), shelve(1, Shelf::Dead, Outcome::Failed)];
    store.commit(&batch(ops)).unwrap();
    // It lies on the other one, so nothing happens.
    store.commit(&batch([Op::Unshelve { number: 1, shelf: Shelf::Finished }])).unwrap();
    let expected = [letter(&Job::new(1), Shelf::Dead, Outcome::Failed), Line::Attempt(attempt(1, 1).into())];
    assert_eq!(content(&mut *store), expected);
    store.commit(&batch([Op::Unshelve { number: 1, shelf: Shelf::Dead }])).unwrap();
    assert_eq!(content(&mut *store), []);
    store.commit(&batch([Job::new(1).put()])).unwrap();
    drop(store);
    assert_eq!(content(&mut *fixture.open()), [Line::Job(Job::new(1))]);
}

pub(crate) fn the_last_attempts_are_kept(fixture: &impl Fixture) {
    let mut store = fixture.open();
    store.commit(&batch([Job::new(1).put(), Job::new(2).put()])).unwrap();
    let last = ATTEMPTS_KEPT + 5;
    let tries = (1..=last).map(|number| Op::Attempt(attempt(1, number)));
    store.commit(&batch(tries.chain([Op::Attempt(attempt(2, 1))]))).unwrap();
    drop(store);
    let expected: Vec<Line> = [Line::Job(Job::new(1))]
        .into_iter()
        .chain((6..=last).map(|number| Line::Attempt(attempt(1, number).into())))
        .chain([Line::Job(Job::new(2)), Line::Attempt(attempt(2, 1).into())])
        .collect();
    assert_eq!(content(&mut *fixture.open()), expected);
}

pub(crate) fn attempts_go_with_their_job(fixture: &impl Fixture) {
    let mut store = fixture.open();
    let tried = Op::Attempt(attempt(1, 1));
    store.commit(&batch([Job::new(1).put(), Job::new(2).put(), tried, changed(1, 3, 1)])).unwrap();
    store.commit(&batch([Op::Delete { number: 1, attempts: 1 }, delete(2)])).unwrap();
    // Under its number there would be some, had they stayed.
    store.commit(&batch([Job::new(1).put()])).unwrap();
    drop(store);
    assert_eq!(content(&mut *fixture.open()), [Line::Job(Job::new(1))]);
}

pub(crate) fn attempts_of_a_job_held_in_memory_reach_its_letter(fixture: &impl Fixture) {
    let mut store = fixture.open();
    store.commit(&batch([Op::Attempt(attempt(1, 1)), Op::Attempt(attempt(2, 1))])).unwrap();
    let job = Job::new(1);
    let ops = [
        Op::Attempt(attempt(1, 2)),
        job.put(),
        shelve(1, Shelf::Dead, Outcome::Failed),
        Op::Delete { number: 2, attempts: 1 },
    ];
    store.commit(&batch(ops)).unwrap();
    let letter = letter(&Job::new(1), Shelf::Dead, Outcome::Failed);
    let tries = [1, 2].map(|number| Line::Attempt(attempt(1, number).into()));
    assert_eq!(content(&mut *store), [&[letter], &tries[..]].concat());
}

pub(crate) fn documents_are_written_over_and_forgotten(fixture: &impl Fixture) {
    let document = |kind, name, body| Op::Document(Document { kind, name, body });
    let (policy, schedule) = (DocumentKind::Policy, DocumentKind::Schedule);
    let mut store = fixture.open();
    let all = every_byte();
    store
        .commit(&batch([
            document(policy, b"image.*", Some(b"{\"attempts\":3}")),
            document(schedule, b"image.*", Some(b"{}")),
            document(policy, &all, Some(&all)),
            document(policy, b"", Some(b"")),
            document(DocumentKind::Import, b"gone", Some(b"1")),
        ]))
        .unwrap();
    store
        .commit(&batch([
            document(policy, b"image.*", Some(b"{\"attempts\":5}")),
            document(DocumentKind::Import, b"gone", None),
            document(schedule, b"unknown", None),
        ]))
        .unwrap();
    drop(store);
    let mut found = content(&mut *fixture.open());
    // Text comes before bytes in a database; only the kinds have an order.
    found.sort_by_key(|line| format!("{line:?}"));
    let mut expected = [
        Line::Document(policy, Vec::new(), Vec::new()),
        Line::Document(policy, all.clone(), all.clone()),
        Line::Document(policy, b"image.*".to_vec(), b"{\"attempts\":5}".to_vec()),
        Line::Document(schedule, b"image.*".to_vec(), b"{}".to_vec()),
    ];
    expected.sort_by_key(|line| format!("{line:?}"));
    assert_eq!(found, expected);
}
