//! Jobs that must not stall, vanish or end early, and what a peer must not make the queue hold.

use crate::world::World;
use geartrain_core::{
    Attempt, ConnId, Durability, FileRule, Found, Now, Outcome, Record, Settings, Shelf, Shelving, Stored,
    UnixTime,
};
use geartrain_proto::SubmitMode::{Background, Epoch, Foreground};
use geartrain_proto::{ClientId, Handle, Priority, Request};
use std::time::Duration;

fn world(durability: Durability, values: &[(&str, &str)]) -> World {
    let values = values.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let rules = vec![FileRule { pattern: b"f".to_vec(), values }];
    let mut world = World::new(Settings { durability, rules, ..Settings::default() });
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

#[test]
fn a_function_dropped_while_its_rate_is_used_up_starts_anew() {
    let mut world = world(Durability::Stored, &[("rate", "1")]);
    let (client, first) = (world.connect(), worker(&mut world));
    world.submit(client, "f", "", Background);
    assert_eq!(world.grab(first), ["JOB_ASSIGN H:localhost:1 f"]);
    world.complete(first, "H:localhost:1");
    world.close(first);
    assert_eq!(world.admin(client, "drop function f"), "OK\r\n");
    world.advance(Duration::from_secs(2));
    let second = worker(&mut world);
    world.submit(client, "f", "", Background);
    assert_eq!(world.grab(second), ["JOB_ASSIGN H:localhost:2 f"]);
}

#[test]
fn a_job_without_a_pause_never_gets_one() {
    let mut world = world(Durability::Stored, &[]);
    let client = world.connect();
    world.submit(client, "f", "", Background);
    for attempt in 1..1_100 {
        let worker = worker(&mut world);
        assert_eq!(world.grab(worker), ["JOB_ASSIGN H:localhost:1 f"], "attempt {attempt}");
        world.close(worker);
    }
}

fn expiring() -> World {
    world(Durability::Stored, &[("expires", "1h"), ("retry-on", "fail"), ("attempts", "0")])
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_job_that_is_moved_expires_no_earlier() {
    let mut world = expiring();
    let client = world.connect();
    world.submit(client, "f", "", Epoch(world.now().unix.seconds() + 7200));
    world.advance(120 * MINUTE);
    world.advance(30 * MINUTE);
    world.command(client, r#"jobs priority {"pick":{"filter":{}},"to":"high"}"#);
    world.advance(29 * MINUTE);
    assert_eq!(world.core.jobs(), 1, "it waits since its epoch");
    world.advance(MINUTE);
    assert_eq!(world.core.jobs(), 0);
}

#[test]
fn a_policy_that_comes_later_counts_from_the_epoch_as_well() {
    let mut world = world(Durability::Stored, &[]);
    let client = world.connect();
    world.submit(client, "f", "", Epoch(world.now().unix.seconds() + 7200));
    world.advance(120 * MINUTE);
    world.command(client, r#"policy set {"function":"f","values":{"expires":"1h"}}"#);
    world.advance(59 * MINUTE);
    assert_eq!(world.core.jobs(), 1, "it waits since its epoch");
    world.advance(MINUTE);
    assert_eq!(world.core.jobs(), 0);
}

#[test]
fn a_job_that_came_back_expires_no_earlier_over_a_restart() {
    let mut world = World::new(Settings {
        durability: Durability::Stored,
        rules: vec![FileRule {
            pattern: b"f".to_vec(),
            values: vec![("expires".to_owned(), "1h".to_owned())],
        }],
        ..Settings::default()
    });
    let record = Record {
        number: 1,
        place: 2,
        function: b"f",
        unique: b"",
        priority: Priority::Normal,
        workload: b"",
        reducer: None,
        not_before: 0,
        attempts: 1,
        lost: 1,
        submitted: UnixTime::from_seconds(world.now().unix.seconds() - 7200),
    };
    world.core.load(world.now, Stored::Job(record), &mut world.out);
    world.loaded();
    world.advance(MINUTE);
    assert_eq!(world.core.jobs(), 1);
    world.advance(60 * MINUTE);
    assert_eq!(world.core.jobs(), 0);
}

/// Ends the read that was asked for last, with what the store has of it.
fn end_read(world: &mut World, found: &[Found<'_>]) -> Vec<serde_json::Value> {
    let (ticket, ..) = world.out.reads.pop().unwrap();
    for found in found {
        world.core.handle_read(ticket, *found);
    }
    world.core.handle_read_end(world.now, ticket, Ok(()), &mut world.out);
    world.take_rows().0
}

#[test]
fn jobs_that_the_store_does_not_have_are_exported_from_memory() {
    for durability in [Durability::Memory, Durability::Stored] {
        let mut world = world(durability, &[]);
        let (client, person) = (world.connect(), world.connect());
        world.submit(client, "f", "background", Background);
        world.submit(client, "f", "foreground", Foreground);
        world.admin(person, r#"export {"section":"policies"}"#);
        world.committed(1_000);
        world.command(person, r#"export {"section":"jobs"}"#);
        let rows = end_read(&mut world, &[]);
        assert_eq!(rows.len(), 2, "a job and the end of the page: {rows:?}");
        assert_eq!((&rows[0]["unique"], &rows[0]["workload"]), (&"background".into(), &"workload".into()));
    }
}

#[test]
fn a_page_of_an_export_ends_where_it_has_grown_large() {
    let mut world = world(Durability::Stored, &[("attempts", "1"), ("retry-on", "fail")]);
    let (client, worker) = (world.connect(), worker(&mut world));
    for number in 1..=3 {
        world.submit(client, "f", "", Background);
        world.grab(worker);
        let handle = format!("H:localhost:{number}");
        world.request(worker, &Request::WorkFail { handle: Handle::new(handle.as_bytes()) });
    }
    world.admin(client, r#"export {"section":"policies"}"#);
    world.committed(1_000);
    world.command(client, r#"export {"section":"dead"}"#);
    let text = vec![b'x'; 64 << 10];
    let letter = |number| {
        let record = Record {
            number,
            place: number,
            function: b"f",
            unique: b"",
            priority: Priority::Normal,
            workload: b"",
            reducer: None,
            not_before: 0,
            attempts: 64,
            lost: 0,
            submitted: UnixTime::default(),
        };
        let (ended, how) = (UnixTime::default(), Outcome::Failed);
        let shelving = Shelving { number, shelf: Shelf::Dead, ended, how, attempts: 64, error: b"" };
        let attempt = move |attempt| {
            Found::Attempt(Attempt {
                number,
                attempt,
                started: ended,
                ended,
                client_id: b"",
                address: b"",
                how,
                text: &[],
            })
        };
        std::iter::once(Found::Letter(record, shelving)).chain((1..=200).map(attempt))
    };
    let mut found: Vec<_> = (1..=3).flat_map(letter).collect();
    for found in &mut found {
        if let Found::Attempt(attempt) = found {
            attempt.text = &text;
        }
    }
    let rows = end_read(&mut world, &found);
    let numbers: Vec<_> = rows.iter().map(|row| row["number"].as_u64()).collect();
    assert_eq!(numbers, [Some(1), None]);
    assert_eq!(rows[1]["next"], 2);
}

#[test]
fn a_peer_has_no_more_than_some_commands_waiting_for_the_store() {
    let mut world = world(Durability::Stored, &[]);
    let person = world.connect();
    for _ in 0..16 {
        assert_eq!(world.command(person, "dead list {}").0, [serde_json::Value::Null; 0]);
    }
    let (rows, _) = world.command(person, "dead list {}");
    assert!(rows[0]["error"].as_str().unwrap().starts_with("16 commands"), "{rows:?}");
    assert_eq!(world.out.reads.len(), 16);
    end_read(&mut world, &[]);
    assert_eq!(world.command(person, "dead list {}").0, [serde_json::Value::Null; 0]);
}

#[test]
fn a_command_is_answered_while_the_store_takes_nothing() {
    let mut world = world(Durability::Stored, &[]);
    let person = world.connect();
    world.store_failed(1);
    let (rows, _) = world.command(person, r#"policy set {"function":"f","values":{"paused":true}}"#);
    assert!(rows[0]["error"].as_str().unwrap().contains("not on disk"), "{rows:?}");
}

#[test]
fn what_no_packet_can_carry_is_not_taken_in() {
    let mut world = world(Durability::Stored, &[]);
    let person = world.connect();
    for item in [r#""function":"f\u0000g","unique":"""#, r#""function":"f","unique":"u\u0000""#] {
        let line = format!(
            r#"import {{"item":{{"kind":"job","origin":"o","number":1,{item},"priority":"normal","workload":"","submitted":0}}}}"#
        );
        let (rows, _) = world.command(person, &line);
        assert!(rows[0]["error"].as_str().unwrap().contains("zero byte"), "{rows:?}");
    }
    let (rows, _) = world.command(person, r#"dead requeue {"filter":{},"function":"f\u0000"}"#);
    assert!(rows[0]["error"].as_str().unwrap().contains("zero"), "{rows:?}");
    assert_eq!(world.core.jobs(), 0);
}

#[test]
fn a_woken_worker_that_takes_a_suspended_name_leaves_the_job_to_another() {
    let mut world = World::new(Settings { bad_worker_after: 1, ..Settings::default() });
    let (client, bad, good) = (world.connect(), worker(&mut world), worker(&mut world));
    let name = Request::SetClientId { id: ClientId::from("bad") };
    world.request(bad, &name);
    world.submit(client, "f", "", Background);
    world.grab(bad);
    world.close(bad);
    world.grab(good);
    world.complete(good, "H:localhost:1");
    world.request(good, &Request::PreSleep);
    let woken = worker(&mut world);
    world.request(woken, &Request::PreSleep);
    let sent = world.submit(client, "f", "", Background);
    assert_eq!(sent.iter().filter(|it| *it == "NOOP").count(), 1);
    let first = world.request(good, &name);
    assert_eq!(first, ["NOOP"], "the other one is woken");
}

#[test]
fn a_job_past_its_expiry_is_not_assigned_before_the_timers_are_looked_at() {
    let mut world = expiring();
    let (client, worker) = (world.connect(), world.connect());
    world.can_do(worker, "f");
    world.submit(client, "f", "old", Background);
    world.committed(1000);
    let now = world.now();
    world.set_now(Now { moment: now.moment.after(30 * MINUTE), unix: now.unix.after(30 * MINUTE) });
    world.submit(client, "f", "new", Background);
    world.committed(1000);
    world.set_now(Now { moment: now.moment.after(60 * MINUTE), unix: now.unix.after(60 * MINUTE) });
    assert_eq!(world.grab(worker), ["JOB_ASSIGN H:localhost:2 f"]);
    assert_eq!(world.core.jobs(), 1, "the other one is a dead letter");
}

#[test]
fn a_queued_epoch_job_that_is_moved_expires_no_earlier_over_a_restart() {
    let mut world = expiring();
    let client = world.connect();
    let epoch = world.now().unix.seconds() + 7200;
    world.submit(client, "f", "", Epoch(epoch));
    world.committed(1000);
    world.advance(120 * MINUTE);
    world.advance(30 * MINUTE);
    world.command(client, r#"jobs priority {"pick":{"filter":{}},"to":"high"}"#);
    let record = world.out.stored[&1].clone();
    assert_eq!(record.not_before, -epoch, "it waits since then");
    let mut after = expiring();
    after.set_now(world.now());
    let now = after.now();
    after.core.load(now, Stored::Job(record.as_record()), &mut after.out);
    after.loaded();
    after.advance(29 * MINUTE);
    assert_eq!(after.core.jobs(), 1, "it waits since its epoch");
    after.advance(MINUTE);
    assert_eq!(after.core.jobs(), 0);
}

#[test]
fn a_job_that_ended_since_its_export_does_not_run_again_in_its_own_queue() {
    let mut world = world(Durability::Stored, &[]);
    let (person, worker) = (world.connect(), worker(&mut world));
    world.submit(person, "f", "", Background);
    world.admin(person, r#"export {"section":"policies"}"#);
    world.committed(1_000);
    world.command(person, r#"export {"section":"jobs"}"#);
    let item = end_read(&mut world, &[]).remove(0);
    world.grab(worker);
    world.complete(worker, "H:localhost:1");
    let (rows, _) = world.command(person, &format!(r#"import {{"item":{item}}}"#));
    assert_eq!((rows[0]["outcome"].as_str(), world.core.jobs()), (Some("known"), 0));
    let other = item.to_string().replace(item["origin"].as_str().unwrap(), "other");
    world.command(person, &format!(r#"import {{"item":{other}}}"#));
    assert_eq!(world.core.jobs(), 1, "that of another queue runs");
}

/// Whether it was taken in or loaded, a pause that is left follows the policy and no calendar.
#[test]
fn a_job_that_was_tried_elsewhere_waits_its_pause_and_no_longer_than_one() {
    let mut world = World::new(Settings { durability: Durability::Stored, ..Settings::default() });
    world.loaded();
    let (person, worker) = (world.connect(), world.connect());
    world.can_do(worker, "f");
    world.command(person, r#"policy set {"function":"f","values":{"backoff-first":"10s"}}"#);
    let not_before = world.now.unix.seconds() + 3600;
    let item = format!(
        r#"{{"kind":"job","origin":"o","number":1,"function":"f","unique":"","priority":"normal","workload":"",
            "submitted":0,"attempts":1,"not-before":{not_before}}}"#
    );
    world.command(person, &format!(r#"import {{"item":{}}}"#, item.replace('\n', "")));
    assert_eq!(world.core.jobs(), 1);
    world.now.unix = UnixTime::from_seconds(0);
    world.advance(Duration::from_secs(9));
    assert_eq!(world.grab(worker), ["NO_JOB"]);
    world.advance(Duration::from_secs(1));
    assert_eq!(world.grab(worker), ["JOB_ASSIGN H:localhost:1 f"]);
}

/// A function of which a portion of the jobs was cancelled, and the one who waits to hear that it is dropped. Beside it
/// there is a job of another function, and a dead letter of a third.
fn half_dropped() -> (World, ConnId) {
    let values = vec![("attempts".to_owned(), "1".to_owned()), ("retry-on".to_owned(), "fail".to_owned())];
    let rules = vec![FileRule { pattern: b"*".to_vec(), values }];
    let mut world =
        World::new(Settings { durability: Durability::Stored, rules, portion: 2, ..Settings::default() });
    world.loaded();
    let (client, person, worker) = (world.connect(), world.connect(), world.connect());
    world.submit(client, "letters", "", Background);
    world.committed(1000);
    world.can_do(worker, "letters");
    world.grab(worker);
    world.request(worker, &Request::WorkFail { handle: Handle::from("H:localhost:1") });
    world.submit(client, "other", "elsewhere", Background);
    for number in 3..=8 {
        world.submit(client, "f", &format!("u{number}"), Background);
    }
    world.committed(1000);
    assert_eq!(world.admin(person, "drop function f force"), "", "the answer is held");
    assert_eq!(world.core.jobs(), 5);
    (world, client)
}

const STAYS: &str = "ERR there are still connected workers or executing clients\r\n";

#[test]
fn a_function_that_is_dropped_stays_when_a_job_is_moved_there() {
    let (mut world, client) = half_dropped();
    let (_, others) = world.command(client, r#"jobs move {"pick":{"handles":["H:localhost:2"]},"to":"f"}"#);
    assert_eq!(others, [STAYS]);
    world.advance(MINUTE);
    assert_eq!((world.core.jobs(), world.next_timeout()), (5, None));
}

#[test]
fn a_function_that_is_dropped_stays_when_a_letter_is_requeued_there() {
    let (mut world, client) = half_dropped();
    world.command(client, r#"dead requeue {"filter":{},"function":"f"}"#);
    world.committed(1000);
    let (ticket, ..) = world.out.reads.pop().expect("the letter is read");
    let record = Record {
        number: 1,
        place: 1,
        function: b"letters",
        unique: b"",
        priority: Priority::Normal,
        workload: b"workload",
        reducer: None,
        not_before: 0,
        attempts: 1,
        lost: 0,
        submitted: UnixTime::default(),
    };
    let (shelf, ended, how) = (Shelf::Dead, UnixTime::default(), Outcome::Failed);
    let shelving = Shelving { number: 1, shelf, ended, how, attempts: 1, error: b"" };
    world.core.handle_read(ticket, Found::Letter(record, shelving));
    assert_eq!(world.end_read(ticket, Ok(())), [STAYS]);
    world.advance(MINUTE);
    assert_eq!(world.core.jobs(), 6);
}

#[test]
fn a_function_that_is_dropped_stays_when_one_of_its_jobs_is_joined() {
    let import = r#"import {"item":{"kind":"job","origin":"o","number":1,"function":"f","unique":"u8","priority":"normal","workload":"","submitted":0}}"#;
    for way in ["background", "foreground", "import"] {
        let (mut world, client) = half_dropped();
        let told = match way {
            "background" => world.submit(client, "f", "u8", Background),
            "foreground" => world.submit(client, "f", "u8", Foreground),
            _ => world.command(client, import).1,
        };
        assert!(told.iter().any(|it| it == STAYS), "{way}: {told:?}");
        world.advance(MINUTE);
        assert_eq!(world.core.jobs(), 5, "{way}");
    }
}

#[test]
fn a_function_that_is_dropped_loses_all_it_had_though_new_jobs_come() {
    let (mut world, client) = half_dropped();
    world.submit(client, "f", "new", Background);
    for _ in 0..4 {
        world.advance(Duration::ZERO);
    }
    assert_eq!(world.core.jobs(), 2, "the new one, and that of the other function");
}

#[test]
fn a_job_that_was_ready_is_ready_after_a_restart_with_the_clock_set_back() {
    let mut world = expiring();
    let person = world.connect();
    let import = r#"import {"item":{"kind":"job","origin":"o","number":1,"function":"f","unique":"","priority":"normal","workload":"","submitted":0}}"#;
    world.command(person, import);
    world.committed(1000);
    let record = world.out.stored.values().next().unwrap().clone();
    let mut after = expiring();
    let now = after.now();
    after.set_now(Now { moment: now.moment, unix: UnixTime::from_seconds(now.unix.seconds() - 7200) });
    let now = after.now();
    after.core.load(now, Stored::Job(record.as_record()), &mut after.out);
    after.loaded();
    let worker = worker(&mut after);
    assert_eq!(after.grab(worker).len(), 1);
    assert_eq!(after.out.assigned.len(), 1, "it does not wait for the time of its import");
    // Where the clock was right, it expires an hour behind its import, not behind its submit.
    let mut after = expiring();
    after.core.load(world.now(), Stored::Job(record.as_record()), &mut after.out);
    after.loaded();
    after.advance(59 * MINUTE);
    assert_eq!(after.core.jobs(), 1);
    after.advance(MINUTE);
    assert_eq!(after.core.jobs(), 0);
}

/// They go in portions, between which others are served: what ends, starts or comes meanwhile is none of the leaver's.
#[test]
fn a_client_that_leaves_very_many_jobs_holds_up_nobody() {
    let mut world = World::new(Settings { portion: 2, ..Settings::default() });
    let (leaver, other, worker) = (world.connect(), world.connect(), worker(&mut world));
    for number in 1..=8 {
        world.submit(leaver, "f", &format!("u{number}"), Foreground);
    }
    world.submit(other, "f", "u5", Foreground);
    world.close(leaver);
    assert!((6..=7).contains(&world.core.jobs()), "a portion of them is gone");
    let first = world.grab(worker).remove(0);
    let handle = first.split(' ').nth(1).unwrap();
    world.complete(worker, handle);
    let new = world.submit(other, "f", "in the place of the one that ended", Foreground);
    let mut portions = 0;
    while world.next_timeout() == Some(Duration::ZERO) {
        world.advance(Duration::ZERO);
        portions += 1;
    }
    assert_eq!((portions, world.core.jobs()), (3, 2));
    let stays = ["JOB_ASSIGN H:localhost:5 f".to_owned(), new[0].replace("JOB_CREATED", "JOB_ASSIGN") + " f"];
    assert_eq!([world.grab(worker), world.grab(worker)].concat(), stays);
}

#[test]
fn a_job_that_runs_while_its_client_leaves_runs_on() {
    let mut world = World::new(Settings { portion: 1, ..Settings::default() });
    let (leaver, worker) = (world.connect(), worker(&mut world));
    for number in 1..=3 {
        world.submit(leaver, "f", &format!("u{number}"), Foreground);
    }
    world.grab(worker);
    world.close(leaver);
    while world.next_timeout() == Some(Duration::ZERO) {
        world.advance(Duration::ZERO);
    }
    assert_eq!((world.core.jobs(), world.core.jobs_running()), (1, 1));
    assert_eq!(world.complete(worker, "H:localhost:1"), [""; 0]);
    assert_eq!(world.core.jobs(), 0);
}
