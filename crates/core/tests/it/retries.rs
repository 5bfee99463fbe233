//! Retries, caps, rates and bad workers: what a policy changes about jobs that workers do not finish.

use crate::world::World;
use geartrain_core::{ConnId, Durability, FileRule, Record, Settings, Stored};
use geartrain_proto::SubmitMode::{Background, Foreground};
use geartrain_proto::{ClientId, Function, Handle, Priority, Request, Submit, Unique};
use std::time::Duration;

fn world(values: &[(&str, &str)]) -> World {
    world_with(values, Settings::default())
}

fn world_with(values: &[(&str, &str)], settings: Settings) -> World {
    let values = values.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let rules = vec![FileRule { pattern: b"f".to_vec(), values }];
    let mut world = World::new(Settings { durability: Durability::Stored, rules, ..settings });
    world.loaded();
    world.take_persisted();
    world.committed(1);
    world
}

fn worker(world: &mut World) -> ConnId {
    let worker = world.connect();
    world.can_do(worker, "f");
    worker
}

fn fail(world: &mut World, worker: ConnId, number: u64) -> Vec<String> {
    let handle = format!("H:localhost:{number}");
    world.request(worker, &Request::WorkFail { handle: Handle::new(handle.as_bytes()) })
}

fn throw(world: &mut World, worker: ConnId, text: &[u8]) -> Vec<String> {
    let handle = Handle::from("H:localhost:1");
    world.request(worker, &Request::WorkException { handle, exception: text })
}

#[test]
fn a_clock_that_is_set_neither_prolongs_nor_shortens_a_pause() {
    for hours in [-1, 1] {
        let mut world = world(&[("attempts", "9"), ("retry-on", "fail"), ("backoff-first", "10s")]);
        let (client, worker) = (world.connect(), worker(&mut world));
        world.submit(client, "f", "", Background);
        world.grab(worker);
        fail(&mut world, worker, 1);
        world.set_clock(hours * 3600);
        assert_eq!(world.grab(worker), ["NO_JOB"], "its pause is not over");
        assert_eq!(world.next_timeout(), Some(Duration::from_secs(10)));
        world.advance(Duration::from_secs(10));
        assert_eq!(world.grab(worker), ["JOB_ASSIGN H:localhost:1 f"], "its pause was 10 s");
    }
}

#[test]
fn a_pause_is_no_longer_over_a_restart_when_the_clock_was_set_back() {
    let mut world = world(&[("attempts", "9"), ("retry-on", "fail"), ("backoff-first", "10s")]);
    let record = Record {
        number: 5,
        place: 7,
        function: b"f",
        unique: b"",
        priority: Priority::Normal,
        workload: b"workload",
        reducer: None,
        not_before: world.now().unix.seconds() + 3600,
        attempts: 1,
        lost: 0,
        submitted: world.now().unix,
    };
    let now = world.now();
    world.core.load(now, Stored::Job(record), &mut world.out);
    assert_eq!(world.next_timeout(), Some(Duration::from_secs(10)));
    world.advance(Duration::from_secs(10));
    let worker = worker(&mut world);
    assert_eq!(world.grab(worker), ["JOB_ASSIGN H:localhost:5 f"]);
}

#[test]
fn a_submit_that_could_not_be_written_leaves_no_attempts_behind() {
    let mut world = world(&[("attempts", "9"), ("retry-on", "fail")]);
    let (client, worker) = (world.connect(), worker(&mut world));
    world.submit(client, "f", "", Background);
    let put = world.take_persisted()[0].0;
    world.grab(worker);
    fail(&mut world, worker, 1);
    assert_eq!(world.take_persisted()[0].1, "attempt 1 of 1: fail");
    world.store_failed(put);
    let after: Vec<String> = world.take_persisted().into_iter().map(|(_, op)| op).collect();
    assert_eq!((after, world.core.jobs()), (vec!["delete 1".to_owned()], 0));
}

/// I16: one answer.
#[test]
fn a_client_waits_through_all_attempts_and_gets_one_answer() {
    let mut world = world(&[("attempts", "3"), ("retry-on", "disconnect,fail,exception")]);
    let (client, first) = (world.connect(), worker(&mut world));
    world.submit(client, "f", "", Foreground);
    world.grab(first);
    assert_eq!(fail(&mut world, first, 1), [""; 0], "the first attempt is not the last");
    world.grab(first);
    assert_eq!(world.close(first), [""; 0]);
    let last = worker(&mut world);
    assert_eq!(world.grab(last), ["JOB_ASSIGN H:localhost:1 f"]);
    assert_eq!(throw(&mut world, last, b"boom"), ["WORK_FAIL H:localhost:1"]);
    assert_eq!(world.core.jobs(), 0);
    assert_eq!(world.take_persisted(), [], "nobody wants a foreground job kept");
}

#[test]
fn without_a_policy_a_failure_is_final() {
    let mut world = world(&[]);
    let (client, worker) = (world.connect(), worker(&mut world));
    world.submit(client, "f", "", Background);
    world.take_persisted();
    world.grab(worker);
    fail(&mut world, worker, 1);
    let persisted = world.take_persisted();
    assert_eq!(persisted.iter().map(|(_, op)| op.as_str()).collect::<Vec<_>>(), ["delete 1"]);
}

#[test]
fn a_job_waits_its_growing_pause_and_others_go_before_it() {
    let pauses = [("attempts", "9"), ("retry-on", "fail"), ("backoff-first", "10s"), ("backoff-max", "25s")];
    let mut world = world(&pauses);
    let (client, worker) = (world.connect(), worker(&mut world));
    world.submit(client, "f", "", Background);
    for pause in [10, 20, 25, 25] {
        assert_eq!(world.grab(worker), ["JOB_ASSIGN H:localhost:1 f"]);
        fail(&mut world, worker, 1);
        assert_eq!(world.grab(worker), ["NO_JOB"], "it waits");
        world.advance(Duration::from_millis(pause * 1000 - 1));
        assert_eq!(world.grab(worker), ["NO_JOB"], "it still waits");
        world.advance(Duration::from_millis(1));
    }
    // It was the first to be submitted, and stands behind who came while it waited.
    world.grab(worker);
    fail(&mut world, worker, 1);
    world.submit(client, "f", "", Background);
    world.advance(Duration::from_secs(25));
    let order: Vec<String> = (0..2).flat_map(|_| world.grab(worker)).collect();
    assert!(order[1].ends_with(":1 f"), "{order:?}");
}

#[test]
fn what_was_attempted_is_written_with_the_job() {
    let mut world = world(&[("attempts", "2"), ("retry-on", "exception")]);
    let (client, worker) = (world.connect(), worker(&mut world));
    world.submit(client, "f", "", Background);
    world.take_persisted();
    world.grab(worker);
    throw(&mut world, worker, b"boom");
    world.grab(worker);
    throw(&mut world, worker, b"boom");
    let ops: Vec<String> = world.take_persisted().into_iter().map(|(_, op)| op).collect();
    assert_eq!(
        ops,
        [
            "attempt 1 of 1: exception",
            "change 1 to 2 after 1",
            "attempt 2 of 1: exception",
            "shelve 1 after 2: exception"
        ]
    );
}

#[test]
fn a_job_that_loses_three_workers_is_put_aside_whatever_its_attempts_say() {
    let mut world = world(&[("attempts", "100")]);
    let client = world.connect();
    world.submit(client, "f", "", Background);
    for _ in 0..3 {
        let victim = worker(&mut world);
        assert_eq!(world.grab(victim), ["JOB_ASSIGN H:localhost:1 f"]);
        world.close(victim);
    }
    assert_eq!(world.core.jobs(), 0);
    let last = world.take_persisted().pop().expect("something was written");
    assert_eq!(last.1, "shelve 1 after 3: lost-workers");
}

#[test]
fn a_job_that_waited_too_long_expires() {
    let mut world = world(&[("expires", "1m")]);
    let client = world.connect();
    assert_eq!(world.submit(client, "f", "", Foreground), ["JOB_CREATED H:localhost:1"]);
    assert_eq!(world.next_timeout(), Some(Duration::from_secs(60)));
    assert_eq!(world.advance(Duration::from_secs(60)), ["WORK_FAIL H:localhost:1"]);
    assert_eq!((world.core.jobs(), world.next_timeout()), (0, None));
}

#[test]
fn a_worker_that_was_given_the_job_in_time_may_finish_it() {
    let mut world = world(&[("expires", "1m")]);
    let (client, worker) = (world.connect(), worker(&mut world));
    world.submit(client, "f", "", Foreground);
    world.grab(worker);
    assert_eq!(world.advance(Duration::from_secs(90)), [""; 0]);
    assert_eq!(world.complete(worker, "H:localhost:1"), ["WORK_COMPLETE H:localhost:1 result"]);
}

/// I13: the cap.
#[test]
fn no_more_jobs_run_than_the_cap_and_each_end_lets_one_more() {
    let mut world = world(&[("max-running", "2")]);
    let client = world.connect();
    let workers: Vec<ConnId> = (0..4).map(|_| worker(&mut world)).collect();
    for worker in &workers {
        world.request(*worker, &Request::PreSleep);
    }
    let mut woken = 0;
    for _ in 0..4 {
        let sent = world.submit(client, "f", "", Foreground);
        woken += sent.iter().filter(|what| *what == "NOOP").count();
    }
    assert!(woken >= 2, "as many as may run are woken");
    let got: Vec<Vec<String>> = workers.iter().map(|worker| world.grab(*worker)).collect();
    let assigned = got.iter().filter(|sent| sent[0].starts_with("JOB_ASSIGN")).count();
    assert_eq!(assigned, 2, "{got:?}");
    world.request(workers[2], &Request::PreSleep);
    world.request(workers[3], &Request::PreSleep);
    let sent = world.complete(workers[0], "H:localhost:1");
    assert!(sent.contains(&"NOOP".to_owned()), "there is room for one more: {sent:?}");
    assert_eq!(world.grab(workers[2]), ["JOB_ASSIGN H:localhost:3 f"]);
    assert_eq!(world.grab(workers[3]), ["NO_JOB"]);
}

/// I13: the rate.
#[test]
fn starts_keep_to_the_rate_and_its_burst() {
    let mut world = world(&[("rate", "10"), ("rate-burst", "3")]);
    let (client, worker) = (world.connect(), worker(&mut world));
    for _ in 0..8 {
        world.submit(client, "f", "", Foreground);
    }
    let mut started = 0;
    let mut grab_all = |world: &mut World| {
        while world.grab(worker)[0].starts_with("JOB_ASSIGN") {
            started += 1;
        }
        started
    };
    assert_eq!(grab_all(&mut world), 3, "the burst");
    world.advance(Duration::from_millis(99));
    assert_eq!(grab_all(&mut world), 3);
    world.advance(Duration::from_millis(1));
    assert_eq!(grab_all(&mut world), 4, "one each tenth of a second");
    world.advance(Duration::from_millis(250));
    assert_eq!(grab_all(&mut world), 6);
    world.request(worker, &Request::PreSleep);
    assert_eq!(world.next_timeout(), Some(Duration::from_millis(50)));
    assert_eq!(world.advance(Duration::from_millis(50)), ["NOOP"], "who sleeps is woken for it");
}

#[test]
fn progress_gives_a_job_its_whole_time_again_where_the_policy_says_so() {
    let mut world = world(&[("timeout", "10s"), ("timeout-extends", "true")]);
    let (client, worker) = (world.connect(), worker(&mut world));
    world.submit(client, "f", "", Background);
    world.grab(worker);
    let handle = Handle::from("H:localhost:1");
    for _ in 0..3 {
        world.advance(Duration::from_secs(9));
        world.request(worker, &Request::WorkStatus { handle, numerator: b"1", denominator: b"2" });
    }
    world.advance(Duration::from_secs(10));
    assert_eq!(world.core.jobs_running(), 0, "it was silent for too long");
}

#[test]
fn a_later_submit_may_change_the_priority_of_a_waiting_job() {
    for (value, later, first) in [
        ("keep", Priority::High, 2),
        ("highest", Priority::High, 1),
        ("highest", Priority::Low, 2),
        ("last", Priority::High, 1),
    ] {
        let mut world = world(&[("on-duplicate", value)]);
        let (client, worker) = (world.connect(), worker(&mut world));
        let mut submit = |unique: &str, priority| {
            let (function, unique) = (Function::from("f"), Unique::from(unique));
            let submit =
                Submit { function, unique, priority, mode: Foreground, reducer: None, workload: b"" };
            world.request(client, &Request::Submit(submit));
        };
        submit("low", Priority::Low);
        submit("normal", Priority::Normal);
        submit("low", later);
        assert_eq!(world.grab(worker), [format!("JOB_ASSIGN H:localhost:{first} f")], "{value} {later:?}");
    }
}

#[test]
fn a_worker_that_fails_what_others_complete_gets_no_jobs_for_a_while() {
    let settings =
        Settings { bad_worker_after: 3, bad_worker_pause: Duration::from_secs(60), ..Settings::default() };
    let mut world = world_with(&[("attempts", "9"), ("retry-on", "fail")], settings);
    let client = world.connect();
    let (bad, good) = (worker(&mut world), worker(&mut world));
    world.request(bad, &Request::SetClientId { id: ClientId::from("bad") });
    world.request(good, &Request::SetClientId { id: ClientId::from("good") });
    for number in 1..=3 {
        let created = world.submit(client, "f", "", Foreground);
        let handle = created[0].strip_prefix("JOB_CREATED ").expect("it is created").to_owned();
        assert!(world.grab(bad)[0].starts_with("JOB_ASSIGN"), "attempt {number}");
        world.request(bad, &Request::WorkFail { handle: Handle::new(handle.as_bytes()) });
        world.grab(good);
        world.complete(good, &handle);
    }
    world.submit(client, "f", "", Foreground);
    assert_eq!(world.grab(bad), ["NO_JOB"]);
    world.request(bad, &Request::PreSleep);
    let (rows, _) = world.command(client, "workers list");
    let suspended = rows.iter().find(|row| row["client-id"] == "bad").expect("it is listed");
    assert_eq!((&suspended["failures"], &suspended["suspended-ms"]), (&3.into(), &60_000.into()));
    assert_eq!(world.advance(Duration::from_secs(60)), ["NOOP"], "it gets another chance");
    assert!(world.grab(bad)[0].starts_with("JOB_ASSIGN"));
}

#[test]
fn a_worker_is_not_suspected_for_jobs_that_nobody_completes() {
    let settings = Settings { bad_worker_after: 2, ..Settings::default() };
    let mut world = world_with(&[("attempts", "2"), ("retry-on", "fail")], settings);
    let (client, worker) = (world.connect(), worker(&mut world));
    for _ in 0..5 {
        let created = world.submit(client, "f", "", Foreground);
        let handle = created[0].strip_prefix("JOB_CREATED ").expect("it is created").to_owned();
        for _ in 0..2 {
            assert!(world.grab(worker)[0].starts_with("JOB_ASSIGN"));
            world.request(worker, &Request::WorkFail { handle: Handle::new(handle.as_bytes()) });
        }
    }
}
