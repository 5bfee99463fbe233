use super::*;

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
        submitted: UnixTime::from_millis(5),
    }
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
fn records_come_back_as_they_were_pushed() {
    let reduced = Record { reducer: Some(b""), workload: b"", unique: b"", ..record(2) };
    let batch = batch([Op::Put(record(1)), Op::Put(reduced), Op::Put(record(3))]);
    assert_eq!(net(&batch), [Op::Put(record(1)), Op::Put(reduced), Op::Put(record(3))]);
    assert_eq!((batch.len(), batch.last_ticket()), (3, Ticket::new(3)));
    assert_eq!(batch.bytes(), 2 * 18 + 6);
}

#[test]
fn a_job_that_ended_before_it_was_written_is_never_written() {
    let batch = batch([
        Op::Put(record(1)),
        Op::Put(record(2)),
        Op::GiveBack { number: 1, place: 3, attempts: 2 },
        Op::Delete { number: 1 },
    ]);
    assert_eq!(net(&batch), [Op::Put(record(2))]);
}

#[test]
fn what_is_given_back_folds_into_its_record() {
    let batch = batch([
        Op::Put(record(2)),
        Op::GiveBack { number: 1, place: 4, attempts: 2 },
        Op::GiveBack { number: 2, place: 5, attempts: 2 },
        Op::GiveBack { number: 1, place: 6, attempts: 3 },
        Op::GiveBack { number: 2, place: 7, attempts: 4 },
    ]);
    assert_eq!(
        net(&batch),
        [
            Op::GiveBack { number: 1, place: 6, attempts: 3 },
            Op::Put(Record { place: 7, attempts: 4, ..record(2) }),
        ]
    );
}

#[test]
fn deleting_wins_over_giving_back_in_either_order() {
    let batch = batch([
        Op::GiveBack { number: 1, place: 4, attempts: 2 },
        Op::Delete { number: 1 },
        Op::Delete { number: 2 },
        Op::GiveBack { number: 2, place: 5, attempts: 2 },
    ]);
    assert_eq!(net(&batch), [Op::Delete { number: 1 }, Op::Delete { number: 2 }]);
}

#[test]
fn the_largest_reservation_counts() {
    let batch =
        batch([Op::ReserveNumbers { until: 20 }, Op::Put(record(1)), Op::ReserveNumbers { until: 10 }]);
    assert_eq!(net(&batch), [Op::Put(record(1)), Op::ReserveNumbers { until: 20 }]);
    assert_eq!(batch.len(), 2);
}

#[test]
fn a_failed_batch_leaves_what_must_be_undone_and_done_again() {
    let failed = batch([
        Op::Put(record(5)),
        Op::GiveBack { number: 5, place: 9, attempts: 1 },
        Op::Put(record(6)),
        Op::Delete { number: 6 },
        Op::Delete { number: 1 },
        Op::GiveBack { number: 2, place: 8, attempts: 1 },
        Op::ReserveNumbers { until: 100 },
    ]);
    let mut followup = failed.failed_followup();
    assert_eq!(followup.last_ticket(), failed.last_ticket());
    let expected = [
        Op::Delete { number: 1 },
        Op::GiveBack { number: 2, place: 8, attempts: 1 },
        Op::Delete { number: 5 },
        Op::ReserveNumbers { until: 100 },
    ];
    assert_eq!(net(&followup), expected);

    let mut later = Batch::new();
    later.push(Ticket::new(8), Op::GiveBack { number: 5, place: 11, attempts: 2 });
    later.push(Ticket::new(9), Op::Put(record(10)));
    later.push(Ticket::new(10), Op::Delete { number: 2 });
    followup.append(&later);
    assert_eq!(followup.last_ticket(), Ticket::new(10));
    let expected = [
        Op::Delete { number: 1 },
        Op::Delete { number: 2 },
        Op::Delete { number: 5 },
        Op::Put(record(10)),
        Op::ReserveNumbers { until: 100 },
    ];
    assert_eq!(net(&followup), expected);
}

#[test]
fn appended_records_keep_their_bytes() {
    let mut first = batch([Op::Put(record(1))]);
    first.append(&batch([Op::Put(Record { workload: b"other", ..record(2) })]));
    assert_eq!(net(&first), [Op::Put(record(1)), Op::Put(Record { workload: b"other", ..record(2) })]);
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
fn a_job_that_is_buried_before_it_was_written_is_written_and_buried() {
    let bury = Op::Bury { number: 1, attempts: 3 };
    let given_back = Op::GiveBack { number: 1, place: 5, attempts: 2 };
    let both = batch([Op::Put(record(1)), given_back, bury]);
    let put = Op::Put(Record { place: 5, attempts: 2, ..record(1) });
    assert_eq!(net(&both), [put, bury]);
    assert_eq!(net(&batch([given_back, bury, given_back, Op::Delete { number: 1 }])), [bury]);
    // Its client was answered when it was buried, so a failure changes nothing.
    assert_eq!(net(&both.failed_followup()), [put, bury]);
    assert_eq!(net(&both.failed_followup().failed_followup()), [put, bury]);
}

#[test]
fn a_refused_job_that_was_buried_meanwhile_is_buried() {
    let bury = Op::Bury { number: 1, attempts: 3 };
    let mut followup = batch([Op::Put(record(1)), Op::Put(record(2))]).failed_followup();
    assert_eq!(net(&followup), [Op::Delete { number: 1 }, Op::Delete { number: 2 }]);
    let mut followup_again = followup.failed_followup();
    for followup in [&mut followup, &mut followup_again] {
        followup.append(&batch([bury]));
        assert_eq!(net(followup), [Op::Put(record(1)), bury, Op::Delete { number: 2 }]);
    }
}

#[test]
fn a_refused_job_that_ended_meanwhile_is_deleted() {
    let mut followup = batch([Op::Put(record(1))]).failed_followup();
    followup.append(&batch([Op::GiveBack { number: 1, place: 4, attempts: 1 }, Op::Delete { number: 1 }]));
    assert_eq!(net(&followup), [Op::Delete { number: 1 }]);
}
