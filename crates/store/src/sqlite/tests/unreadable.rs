//! Rows that somebody spoilt.

use super::*;
use crate::contract::{Line, content};
use geartrain_core::{Document, DocumentKind};

/// Numbers of jobs, and number and error of letters.
fn found(store: &mut SqliteStore) -> (Vec<u64>, Vec<(u64, String)>, LoadReport) {
    let (mut jobs, mut letters) = (Vec::new(), Vec::new());
    let report = store.load(&mut |stored| match stored {
        Stored::Job(record) => jobs.push(record.number),
        Stored::Letter(head) => {
            let error = String::from_utf8(head.shelving.error.to_vec()).unwrap();
            letters.push((head.shelving.number, error));
        }
        Stored::Document(_) => {}
    });
    (jobs, letters, report.unwrap())
}

#[test]
fn jobs_that_cannot_be_read_become_dead_letters() {
    let (_folder, path) = folder();
    let mut store = open(&path).unwrap();
    put(&mut store, &(1..=11).map(record).collect::<Vec<_>>());
    drop(store);
    let spoil = "UPDATE jobs SET priority = 3 WHERE number = 2;
        UPDATE jobs SET priority = 'high' WHERE number = 3;
        UPDATE jobs SET attempts = -1 WHERE number = 4;
        UPDATE jobs SET unique_key = zeroblob(65) WHERE number = 5;
        UPDATE jobs SET function = 7 WHERE number = 6;
        UPDATE jobs SET place = 0 WHERE number = 7;
        UPDATE jobs SET number = -8 WHERE number = 8;
        UPDATE jobs SET lost = 'some', workload = 12 WHERE number = 10;
        UPDATE jobs SET submitted = x'00', not_before = 1.5, reducer = zeroblob(9999) WHERE number = 11;
        INSERT INTO jobs SELECT 1 << 60, place, function, unique_key, priority, workload, reducer, not_before, attempts,
          submitted, lost FROM jobs WHERE number = 1;";
    drop(plain(&path, spoil));
    let mut store = open(&path).unwrap();
    assert_eq!(store.opening().next_number, 12, "a number that cannot be is not believed");
    let (jobs, letters, report) = found(&mut store);
    assert_eq!(jobs, [1, 9]);
    let numbers: Vec<u64> = letters.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [2, 3, 4, 5, 7, 10, 11]);
    assert_eq!(letters[0].1, "the stored job could not be read: its priority is out of range");
    let expected = LoadReport { loaded: 2, letters: 7, documents: 0, unreadable: 7, set_aside: 3 };
    assert_eq!(report, expected);

    let (jobs, again, report) = found(&mut store);
    assert_eq!((jobs, again), (vec![1, 9], letters));
    assert_eq!((report.unreadable, report.set_aside), (0, 0), "once is enough");
    // A person can requeue what was saved of them: `content` reads them all.
    let lines = content(&mut store);
    let Some(Line::Letter(job, shelving)) = lines.first() else { panic!("{lines:?}") };
    assert_eq!((shelving.number, shelving.how), (2, Outcome::Unreadable));
    assert_eq!(format!("{job:?}"), "2 at 2 of resize, 0 attempts, 0 lost, 4 bytes");
    assert_eq!(lines.len(), 9);
    let sql = "SELECT reason || ': ' || function FROM set_aside WHERE number = 6 AND origin = 'jobs'";
    let kept: String = store.connection().unwrap().query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(kept, "its function is unusable: 7");
}

#[test]
fn letters_and_documents_that_cannot_be_read_are_set_aside() {
    let (_folder, path) = folder();
    let mut store = open(&path).unwrap();
    put(&mut store, &(1..=3).map(record).collect::<Vec<_>>());
    let mut batch = Batch::new();
    for number in 1..=3 {
        let shelving = Shelving {
            number,
            shelf: Shelf::Dead,
            ended: UnixTime::from_millis(1),
            how: Outcome::Failed,
            attempts: 1,
            error: b"why",
        };
        batch.push(Ticket::new(9), Op::Shelve(shelving));
    }
    for name in [b"a", b"b"] {
        let document = Document { kind: DocumentKind::Policy, name, body: Some(b"{}") };
        batch.push(Ticket::new(9), Op::Document(document));
    }
    store.commit(&batch).unwrap();
    drop(store);
    let spoil =
        "UPDATE letters SET how = 77 WHERE number = 1; UPDATE letters SET shelf = 'top' WHERE number = 3;
        UPDATE documents SET kind = 9 WHERE name = 'a';";
    drop(plain(&path, spoil));
    let mut store = open(&path).unwrap();
    let (jobs, letters, report) = found(&mut store);
    assert_eq!((jobs, letters), (vec![], vec![(2, "why".to_owned())]));
    let expected = LoadReport { loaded: 0, letters: 1, documents: 1, unreadable: 0, set_aside: 3 };
    assert_eq!(report, expected);
    assert_eq!(found(&mut store).2, LoadReport { set_aside: 0, ..expected });
    let sql =
        "SELECT group_concat(concat_ws('/', reason, origin, number, CAST(function AS TEXT), shelf, how), ' ')
               FROM set_aside";
    let kept: String = store.connection().unwrap().query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(
        kept,
        "its outcome is unknown/letters/1/resize/0/77 its shelf is not a number/letters/3/resize/top/4 \
         its kind is unknown/documents/a/9"
    );
}

#[test]
fn what_cannot_be_read_on_a_full_disk_waits_for_the_next_start() {
    let fixture = crate::contract::fixtures::SqliteOnDisk::new(1);
    let mut store = fixture.try_open().unwrap();
    put(&mut store, &[record(1), record(2)]);
    store.connection().unwrap().execute_batch("UPDATE jobs SET priority = 3 WHERE number = 2").unwrap();
    drop(store);
    let mut store = fixture.try_open().unwrap();
    fixture.disk.set_full(true);
    let (jobs, letters, report) = found(&mut store);
    assert_eq!((jobs, letters.len(), report.set_aside, report.unreadable), (vec![1], 0, 1, 0));
    fixture.disk.set_full(false);
    let (jobs, letters, report) = found(&mut store);
    assert_eq!((jobs, letters.len(), report.set_aside, report.unreadable), (vec![1], 1, 0, 1));
}
