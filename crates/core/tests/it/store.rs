//! What the queue asks of a store, and what it does when the store fails.

use crate::world::World;
use geartrain_core::{Durability, Now, Record, Settings, Stored, UnixTime};
use geartrain_proto::Priority;
use geartrain_proto::SubmitMode::{Background, Foreground};

fn stored(job_retries: u32) -> World {
    let mut world =
        World::new(Settings { durability: Durability::Stored, job_retries, ..Settings::default() });
    world.loaded();
    assert_eq!(world.take_persisted(), [(1, "reserve".to_owned())]);
    world.committed(1);
    world
}

fn op(ticket: u64, what: &str) -> (u64, String) {
    (ticket, what.to_owned())
}

#[test]
fn the_answer_to_a_background_submit_follows_its_record() {
    let mut world = stored(0);
    let client = world.connect();
    assert_eq!(world.submit(client, "f", "u", Background), ["hold 2 JOB_CREATED H:localhost:1"]);
    assert_eq!(world.take_persisted(), [op(2, "put 1")]);
    assert_eq!(world.submit(client, "f", "u", Background), ["hold 2 JOB_CREATED H:localhost:1"]);
    assert_eq!(world.core.jobs_in_memory_only(), 1);
    assert_eq!(world.committed(1), [""; 0]);
    assert_eq!(world.committed(2), ["release 2", "release 2"]);
    assert_eq!(world.core.jobs_in_memory_only(), 0);
    assert_eq!(world.submit(client, "f", "u", Background), ["JOB_CREATED H:localhost:1"]);
}

#[test]
fn a_job_that_ends_before_its_record_is_written_is_answered_at_once() {
    let mut world = stored(0);
    let (client, worker) = (world.connect(), world.connect());
    world.can_do(worker, "f");
    world.submit(client, "f", "", Background);
    assert_eq!(world.grab(worker), ["JOB_ASSIGN H:localhost:1 f"]);
    assert_eq!(world.complete(worker, "H:localhost:1"), ["release 2"]);
    assert_eq!(world.take_persisted(), [op(2, "put 1"), op(3, "delete 1")]);
    world.committed(3);
}

#[test]
fn a_background_submit_makes_a_foreground_job_durable() {
    let mut world = stored(0);
    let (client, other) = (world.connect(), world.connect());
    assert_eq!(world.submit(client, "f", "u", Foreground), ["JOB_CREATED H:localhost:1"]);
    assert_eq!(world.take_persisted(), []);
    assert_eq!(world.submit(other, "f", "u", Background), ["hold 2 JOB_CREATED H:localhost:1"]);
    assert_eq!(world.take_persisted(), [op(2, "put 1")]);
    world.committed(2);
    world.close(client);
    world.close(other);
    assert_eq!(world.core.jobs(), 1);
}

#[test]
fn a_job_given_back_keeps_its_attempts_and_its_new_place() {
    let mut world = stored(2);
    let client = world.connect();
    world.submit(client, "f", "", Background);
    world.committed(2);
    world.take_persisted();
    let first = [op(3, "attempt 1 of 1: disconnect"), op(4, "change 1 to 2 after 1")];
    let last = [op(5, "attempt 2 of 1: disconnect"), op(6, "shelve 1 after 2: disconnect")];
    for expected in [first, last] {
        let worker = world.connect();
        world.can_do(worker, "f");
        assert_eq!(world.grab(worker), ["JOB_ASSIGN H:localhost:1 f"]);
        world.close(worker);
        assert_eq!(world.take_persisted(), expected);
    }
    assert_eq!(world.core.jobs(), 0);
}

#[test]
fn a_job_that_is_buried_before_its_record_is_written_is_answered_when_it_is() {
    let mut world = stored(1);
    let (client, worker) = (world.connect(), world.connect());
    world.can_do(worker, "f");
    world.submit(client, "f", "", Background);
    world.grab(worker);
    assert_eq!(world.close(worker), [""; 0], "neither the job nor its burial is on disk");
    let attempt = op(3, "attempt 1 of 1: disconnect");
    assert_eq!(world.take_persisted(), [op(2, "put 1"), attempt, op(4, "shelve 1 after 1: disconnect")]);
    assert_eq!(world.committed(4), ["release 2"]);
}

#[test]
fn a_job_given_back_before_it_became_durable_is_stored_at_the_end() {
    let mut world = stored(0);
    let (client, worker) = (world.connect(), world.connect());
    world.can_do(worker, "f");
    world.submit(client, "f", "u", Foreground);
    world.submit(client, "f", "v", Foreground);
    world.grab(worker);
    world.close(worker);
    world.submit(client, "f", "u", Background);
    assert_eq!(world.take_persisted(), [op(2, "put 1 at 3")]);
}

#[test]
fn what_the_store_refused_is_refused_and_foreground_jobs_go_on() {
    let mut world = stored(0);
    let (client, waiting) = (world.connect(), world.connect());
    world.submit(client, "f", "u", Background);
    world.submit(client, "f", "u", Background);
    world.submit(client, "f", "v", Background);
    world.submit(waiting, "f", "v", Foreground);
    assert_eq!(world.store_failed(3), ["refuse 2 ERROR", "refuse 2 ERROR", "refuse 3 ERROR"]);
    assert_eq!(world.core.jobs(), 1, "the job that a client waits for stays");
    let refusal = "ERROR background jobs are refused: the queue cannot be written, see the server's log";
    assert_eq!(world.submit(client, "f", "w", Background), [refusal]);
    assert_eq!(world.submit(client, "f", "v", Background), [refusal], "it would have to be stored");
    assert_eq!(world.submit(client, "f", "", Foreground), ["JOB_CREATED H:localhost:3"]);
    world.core.handle_store_ready();
    assert_eq!(world.submit(client, "f", "v", Background), ["hold 4 JOB_CREATED H:localhost:2"]);
}

#[test]
fn a_submit_that_joined_a_durable_record_is_not_refused_with_later_ones() {
    let mut world = stored(0);
    let client = world.connect();
    world.submit(client, "f", "u", Background);
    world.submit(client, "f", "v", Background);
    world.submit(client, "f", "u", Background);
    assert_eq!(world.committed(2), ["release 2"]);
    assert_eq!(world.store_failed(3), ["refuse 3 ERROR", "release 2"]);
    assert_eq!(world.core.jobs(), 1);
}

#[test]
fn a_buried_job_is_refused_when_neither_record_nor_burial_became_durable() {
    let mut world = stored(1);
    let (client, worker) = (world.connect(), world.connect());
    world.can_do(worker, "f");
    world.submit(client, "f", "", Background);
    world.grab(worker);
    world.close(worker);
    let attempt = op(3, "attempt 1 of 1: disconnect");
    assert_eq!(world.take_persisted(), [op(2, "put 1"), attempt, op(4, "shelve 1 after 1: disconnect")]);
    assert_eq!(world.store_failed(3), ["refuse 2 ERROR"]);
}

#[test]
fn a_job_that_runs_while_its_record_is_refused_still_gives_its_result() {
    let mut world = stored(0);
    let (client, worker) = (world.connect(), world.connect());
    world.can_do(worker, "f");
    world.submit(client, "f", "", Background);
    world.grab(worker);
    world.take_persisted();
    assert_eq!(world.store_failed(2), ["refuse 2 ERROR"]);
    assert_eq!(world.complete(worker, "H:localhost:1"), [""; 0]);
    assert_eq!(world.take_persisted(), [], "it has no record to forget");
}

#[test]
fn loaded_jobs_are_served_in_the_order_given_and_numbers_go_on_behind_them() {
    let mut world = World::new(Settings { durability: Durability::Stored, ..Settings::default() });
    for (number, place, not_before) in [(5, 5, 0), (9, 9, 1_700_000_060), (3, 12, 0)] {
        let record = Record {
            number,
            place,
            function: b"f",
            unique: b"",
            priority: Priority::Normal,
            workload: b"",
            reducer: None,
            not_before,
            attempts: 0,
            lost: 0,
            submitted: UnixTime::default(),
        };
        let now = Now { unix: UnixTime::from_seconds(1_700_000_000), ..Now::default() };
        world.core.load(now, Stored::Job(record), &mut world.out);
    }
    let worker = world.connect();
    world.can_do(worker, "f");
    assert_eq!(world.grab(worker), ["JOB_ASSIGN H:localhost:5 f"]);
    assert_eq!(world.grab(worker), ["JOB_ASSIGN H:localhost:3 f"]);
    assert_eq!(world.grab(worker), ["NO_JOB"], "job 9 waits for its time");
    assert_eq!(world.submit(worker, "f", "", Foreground), ["JOB_CREATED H:localhost:13"]);
}
