mod model;

use super::*;
use geartrain_core::{
    ATTEMPTS_KEPT, Attempt, Change, Document, DocumentKind, Outcome, Record, Shelf, Shelving, UnixTime,
};
use geartrain_proto::Priority;

fn record(number: u64) -> Record<'static> {
    Record {
        number,
        place: number,
        function: b"resize",
        unique: b"u\x001",
        priority: Priority::Low,
        workload: b"work\0load",
        reducer: None,
        not_before: 7,
        attempts: 1,
        lost: 0,
        submitted: UnixTime::from_millis(5),
    }
}

fn attempt(number: u64, attempt: u32, text: &[u8]) -> Attempt<'_> {
    Attempt {
        number,
        attempt,
        started: UnixTime::from_millis(100),
        ended: UnixTime::from_millis(200),
        client_id: b"worker-7",
        address: b"10.0.0.7",
        how: Outcome::Exception,
        text,
    }
}

fn shelving(number: u64, shelf: Shelf, attempts: u32) -> Shelving<'static> {
    let ended = UnixTime::from_millis(300);
    Shelving { number, shelf, ended, how: Outcome::Failed, attempts, error: b"no such photo" }
}

fn change(number: u64, place: u64, attempts: u32) -> Op<'static> {
    Op::Change(Change {
        number,
        place,
        function: b"resize2",
        priority: Priority::High,
        not_before: 9,
        attempts,
        lost: 1,
    })
}

fn changed(record: Record<'static>, place: u64, attempts: u32) -> Record<'static> {
    Record {
        place,
        function: b"resize2",
        priority: Priority::High,
        not_before: 9,
        attempts,
        lost: 1,
        ..record
    }
}

fn delete(number: u64) -> Op<'static> {
    Op::Delete { number, attempts: 0 }
}

fn shelve(number: u64) -> Op<'static> {
    Op::Shelve(shelving(number, Shelf::Dead, 3))
}

fn unshelve(number: u64) -> Op<'static> {
    Op::Unshelve { number, shelf: Shelf::Dead }
}

#[test]
fn of_a_job_that_is_tried_for_ever_no_more_attempts_wait_than_are_kept() {
    let tried = (1..=1000).map(|number| Op::Attempt(attempt(7, number, b"again")));
    let folded = batch(tried).folded();
    assert_eq!(folded.len(), ATTEMPTS_KEPT as usize);
    let last = folded.iter_net().last();
    assert_eq!(last, Some(Op::Attempt(attempt(7, 1000, b"again"))));
}

fn batch<'a>(ops: impl IntoIterator<Item = Op<'a>>) -> Batch {
    let mut batch = Batch::new();
    for (ticket, op) in (1..).zip(ops) {
        batch.push(Ticket::new(ticket), op);
    }
    batch
}

fn net(batch: &Batch) -> Vec<Op<'_>> {
    batch.iter_net().collect()
}

#[test]
fn changes_come_back_as_they_were_pushed() {
    let reduced = Record { reducer: Some(b""), workload: b"", unique: b"", ..record(2) };
    let document = Document { kind: DocumentKind::Policy, name: b"resize", body: Some(b"{}") };
    let ops = [
        Op::Put(record(1)),
        Op::Put(reduced),
        change(3, 30, 2),
        Op::Attempt(attempt(4, 1, b"died")),
        shelve(4),
        unshelve(5),
        delete(6),
        Op::Document(document),
        Op::Document(Document { name: b"x", body: None, ..document }),
        Op::ReserveNumbers { until: 9 },
    ];
    let batch = batch(ops);
    assert_eq!(net(&batch), ops);
    assert_eq!((batch.len(), batch.last_ticket()), (10, Ticket::new(10)));
    let bytes = (6 + 3 + 9) + 6 + 7 + (8 + 8 + 4) + 13 + (6 + 2) + 1;
    assert_eq!(batch.bytes(), bytes);
}

#[test]
fn a_job_that_ended_before_it_was_written_is_never_written() {
    let batch = batch([
        Op::Put(record(1)),
        Op::Put(record(2)),
        Op::Attempt(attempt(1, 1, b"")),
        change(1, 3, 2),
        Op::Delete { number: 1, attempts: 1 },
    ]);
    assert_eq!(net(&batch), [Op::Put(record(2))]);
}

#[test]
fn what_changed_folds_into_its_record() {
    let batch =
        batch([Op::Put(record(2)), change(1, 4, 2), change(2, 5, 2), change(1, 6, 3), change(2, 7, 4)]);
    assert_eq!(net(&batch), [change(1, 6, 3), Op::Put(changed(record(2), 7, 4))]);
}

#[test]
fn deleting_wins_over_changing_in_either_order() {
    let batch = batch([change(1, 4, 2), delete(1), delete(2), change(2, 5, 2)]);
    assert_eq!(net(&batch), [delete(1), delete(2)]);
}

#[test]
fn of_reservations_the_largest_and_of_documents_the_last_counts() {
    let policy = |name, body| Op::Document(Document { kind: DocumentKind::Policy, name, body });
    let batch = batch([
        Op::ReserveNumbers { until: 20 },
        policy(b"b", Some(b"1")),
        policy(b"a", Some(b"2")),
        Op::Put(record(1)),
        policy(b"b", None),
        policy(b"a", Some(b"3")),
        Op::ReserveNumbers { until: 10 },
    ]);
    let expected =
        [Op::Put(record(1)), policy(b"a", Some(b"3")), policy(b"b", None), Op::ReserveNumbers { until: 20 }];
    assert_eq!(net(&batch), expected);
    assert_eq!(net(&batch.failed_followup())[1..], expected[1..]);
}

#[test]
fn a_failed_batch_leaves_what_must_be_undone_and_done_again() {
    let failed = batch([
        Op::Put(record(5)),
        change(5, 9, 1),
        Op::Put(record(6)),
        delete(6),
        delete(1),
        change(2, 8, 1),
        Op::Attempt(attempt(3, 1, b"lost")),
        Op::ReserveNumbers { until: 100 },
    ]);
    let mut followup = failed.failed_followup();
    assert_eq!(followup.last_ticket(), failed.last_ticket());
    let expected = [
        delete(1),
        change(2, 8, 1),
        Op::Attempt(attempt(3, 1, b"lost")),
        delete(5),
        // It came and went, but what came may be there.
        delete(6),
        Op::ReserveNumbers { until: 100 },
    ];
    assert_eq!(net(&followup), expected);
    assert_eq!(net(&followup.folded()), expected);

    let mut later = Batch::new();
    later.push(Ticket::new(9), change(5, 11, 2));
    later.push(Ticket::new(10), Op::Put(record(10)));
    later.push(Ticket::new(11), delete(2));
    followup.append(&later);
    assert_eq!(followup.last_ticket(), Ticket::new(11));
    let expected = [
        delete(1),
        delete(2),
        Op::Attempt(attempt(3, 1, b"lost")),
        delete(5),
        delete(6),
        Op::Put(record(10)),
        Op::ReserveNumbers { until: 100 },
    ];
    assert_eq!(net(&followup), expected);
}

#[test]
fn appended_changes_keep_their_bytes() {
    let document =
        Op::Document(Document { kind: DocumentKind::Schedule, name: b"nightly", body: Some(b"{}") });
    let mut first = batch([Op::Put(record(1)), document]);
    let other = Op::Put(Record { workload: b"other", ..record(2) });
    let ops = [other, change(3, 8, 1), Op::Attempt(attempt(4, 1, b"why")), shelve(4)];
    first.append(&batch(ops));
    assert_eq!(net(&first)[1..5], ops);
    assert_eq!(net(&first)[5], document);
}

#[test]
fn clearing_forgets_changes_and_gives_large_memory_back() {
    let large = vec![b'x'; KEPT_BYTES_MAX * 2];
    let mut batch =
        batch([Op::Put(Record { workload: &large, ..record(1) }), Op::ReserveNumbers { until: 5 }]);
    batch.clear();
    assert!(batch.is_empty());
    assert_eq!((batch.len(), batch.bytes(), batch.last_ticket()), (0, 0, Ticket::ZERO));
    assert!(batch.arena.capacity() <= KEPT_BYTES_MAX);
    assert!(net(&batch).is_empty());
}

#[test]
fn a_job_that_is_shelved_before_it_was_written_is_written_and_shelved() {
    let attempt = Op::Attempt(attempt(1, 2, b"no"));
    let both = batch([Op::Put(record(1)), attempt, change(1, 5, 2), shelve(1)]);
    let put = Op::Put(changed(record(1), 5, 2));
    assert_eq!(net(&both), [put, attempt, shelve(1)]);
    let again = batch([change(1, 5, 2), shelve(1), change(1, 6, 3), shelve(1), delete(1)]);
    assert_eq!(net(&again), [change(1, 5, 2), shelve(1)]);
    // A person is to find it, so a failure changes nothing.
    assert_eq!(net(&both.failed_followup()), [put, attempt, shelve(1)]);
    assert_eq!(net(&both.failed_followup().failed_followup()), [put, attempt, shelve(1)]);
}

#[test]
fn a_refused_job_that_was_shelved_meanwhile_is_shelved() {
    let attempt = Op::Attempt(attempt(1, 2, b"no"));
    let mut followup = batch([Op::Put(record(1)), attempt, Op::Put(record(2))]).failed_followup();
    assert_eq!(net(&followup), [Op::Delete { number: 1, attempts: 1 }, delete(2)]);
    let (mut again, mut folded) = (followup.failed_followup(), followup.folded());
    for followup in [&mut followup, &mut again, &mut folded] {
        followup.append(&batch([shelve(1)]));
        assert_eq!(net(followup), [Op::Put(record(1)), attempt, shelve(1), delete(2)]);
    }
}

#[test]
fn a_refused_job_that_ended_meanwhile_is_deleted() {
    let mut followup = batch([Op::Put(record(1))]).failed_followup();
    followup.append(&batch([change(1, 4, 1), delete(1)]));
    assert_eq!(net(&followup), [delete(1)]);
}

#[test]
fn a_refused_job_that_is_submitted_again_and_ends_is_deleted() {
    let mut followup = batch([Op::Put(record(1))]).failed_followup();
    followup.append(&batch([Op::Put(record(1)), delete(1)]));
    assert_eq!(net(&followup), [delete(1)]);
}

#[test]
fn a_job_that_comes_back_from_a_shelf_is_owed() {
    let requeued = batch([Op::Put(record(1)), unshelve(1)]);
    let back = [unshelve(1), Op::Put(record(1))];
    assert_eq!(net(&requeued), back);
    assert_eq!(net(&requeued.failed_followup()), back);
    assert_eq!(net(&batch(back).failed_followup()), back);
    // It ends again: nothing of it stays, whatever reached the disk.
    let mut ended = requeued.failed_followup();
    ended.append(&batch([delete(1)]));
    assert_eq!(net(&ended), [unshelve(1), delete(1)]);
}

#[test]
fn a_letter_that_is_dropped_in_the_batch_that_made_it_leaves_nothing() {
    let gone = Op::Delete { number: 1, attempts: u32::MAX };
    assert_eq!(net(&batch([Op::Put(record(1)), shelve(1), unshelve(1)])), [unshelve(1), gone]);
    assert_eq!(net(&batch([shelve(1), unshelve(1)])), [unshelve(1), gone]);
    let back = batch([shelve(1), Op::Put(record(1)), unshelve(1)]);
    assert_eq!(net(&back), [unshelve(1), gone, Op::Put(record(1))]);
}
