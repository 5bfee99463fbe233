//! The commands about jobs.

use crate::world::World;
use geartrain_core::{
    Attempt, Durability, Found, Now, Outcome, Record, Settings, Stored, Ticket, UnixTime, Wanted,
};
use geartrain_proto::Priority;
use geartrain_proto::SubmitMode::{Background, Epoch, Foreground};
use serde_json::{Value, json};
use std::time::Duration;

fn world() -> World {
    World::new(Settings::default())
}

fn changed(matched: u64, changed: u64) -> [Value; 2] {
    [json!({ "matched": matched, "changed": changed }), json!({})]
}

/// The handles of a list, by the number in them.
fn numbers(rows: &[Value]) -> Vec<u64> {
    let handles = rows.iter().filter_map(|row| row["handle"].as_str());
    let mut numbers: Vec<u64> = handles.map(|it| it.rsplit(':').next().unwrap().parse().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn a_list_says_where_each_job_is() {
    let mut world = world();
    let (client, worker) = (world.connect(), world.connect());
    world.can_do(worker, "f");
    world.submit(client, "f", "u1", Foreground);
    world.submit(client, "g", "u2", Background);
    world.submit(client, "g", "", Epoch(1_700_000_060));
    world.grab(worker);
    world.advance(Duration::from_millis(1500));
    let (rows, _) = world.command(client, "jobs list");
    let expected = json!({
        "handle": "H:localhost:1", "function": "f", "unique": "u1", "priority": "normal", "state": "running",
        "background": false, "submitted": 1_700_000_000_000_i64, "attempts": 0, "worker": "127.0.0.1",
        "running-ms": 1500, "clients": 1,
    });
    assert_eq!(rows[0], expected);
    let expected = json!({
        "handle": "H:localhost:2", "function": "g", "unique": "u2", "priority": "normal", "state": "queued",
        "background": true, "submitted": 1_700_000_000_000_i64, "attempts": 0, "clients": 0,
    });
    assert_eq!(rows[1], expected);
    assert_eq!(
        (&rows[2]["state"], &rows[2]["not-before"]),
        (&json!("delayed"), &json!(1_700_000_060_000_i64))
    );
    assert_eq!(rows[3..], [json!({})]);
}

#[test]
fn a_list_says_when_jobs_expire_by_the_policy_of_now() {
    let mut world = World::new(Settings { portion: 1, ..Settings::default() });
    let client = world.connect();
    for _ in 0..3 {
        world.submit(client, "f", "", Background);
    }
    for (expires, is_told) in [("1h", true), ("none", false)] {
        let set = format!(r#"policy set {{"function":"f","values":{{"expires":"{expires}"}}}}"#);
        world.command(client, &set);
        let (rows, _) = world.command(client, "jobs list {}");
        for (index, row) in rows[..3].iter().enumerate() {
            assert_eq!(row.get("expires").is_some_and(Value::is_number), is_told, "{expires}: {row}");
            let explain = format!(r#"explain {{"handle":"H:localhost:{}"}}"#, index + 1);
            let (rows, _) = world.command(client, &explain);
            assert_eq!(format!("{rows:?}").contains("it expires in"), is_told, "{expires}: {rows:?}");
        }
    }
    assert_eq!(world.next_timeout(), Some(Duration::ZERO), "the sweep has not come to all of them");
}

#[test]
fn a_filter_takes_what_fulfils_all_of_it() {
    let mut world = world();
    let (client, worker) = (world.connect(), world.connect());
    world.can_do(worker, "image.crop");
    world.submit(client, "image.resize", "a-1", Background);
    world.submit(client, "image.crop", "a-2", Background);
    world.advance(Duration::from_secs(60));
    world.submit(client, "mail", "b-1", Background);
    world.submit(client, "mail", "", Epoch(1_700_001_000));
    world.grab(worker);
    world.command(client, r#"jobs priority {"pick":{"handles":["H:localhost:3"]},"to":"high"}"#);
    for (filter, expected) in [
        (json!({}), vec![1, 2, 3, 4]),
        (json!({ "function": "mail" }), vec![3, 4]),
        (json!({ "function": "image.*" }), vec![1, 2]),
        (json!({ "function": "image.?rop" }), vec![2]),
        (json!({ "function": "nothing" }), vec![]),
        (json!({ "state": "running" }), vec![2]),
        (json!({ "state": "waiting" }), vec![1, 3, 4]),
        (json!({ "state": "queued" }), vec![1, 3]),
        (json!({ "state": "delayed" }), vec![4]),
        (json!({ "priority": "high" }), vec![3]),
        (json!({ "older-than": 60 }), vec![1, 2]),
        (json!({ "younger-than": 59 }), vec![3, 4]),
        (json!({ "older-than": 60, "younger-than": 60 }), vec![1, 2]),
        (json!({ "unique": "a-*" }), vec![1, 2]),
        (json!({ "unique": "" }), vec![4]),
        (json!({ "text": "workload" }), vec![1, 2, 3, 4]),
        (json!({ "text": "other" }), vec![]),
        (json!({ "function": "image.*", "state": "waiting", "unique": "a-*" }), vec![1]),
    ] {
        let (rows, _) =
            world.command(client, &format!("jobs list {}", json!({ "pick": { "filter": filter } })));
        assert_eq!(numbers(&rows), expected, "{filter}");
        let (rows, _) =
            world.command(client, &format!("jobs count {}", json!({ "pick": { "filter": filter } })));
        assert_eq!(rows, changed(expected.len() as u64, 0), "{filter}");
    }
}

#[test]
fn what_makes_no_sense_is_refused_in_one_sentence() {
    let mut world = world();
    let client = world.connect();
    world.submit(client, "f", "", Background);
    world.command(client, r#"policy set {"function":"dry","values":{"draining":true}}"#);
    let many = vec!["H:localhost:1"; 1001];
    for (command, part) in [
        (r#"jobs cancel {"pick":{"filter":{"older-than":5,"younger-than":3}}}"#.to_owned(), "no job is both"),
        (r#"jobs cancel {"pick":{"filter":{"function":""}}}"#.to_owned(), "function is empty"),
        (r#"jobs cancel {"pick":{"filter":{"text":""}}}"#.to_owned(), "text is empty"),
        (
            r#"jobs cancel {"pick":{"handles":["H:localhost:1","x"]}}"#.to_owned(),
            "x is no handle of this server",
        ),
        (format!(r#"jobs count {{"pick":{{"handles":{}}}}}"#, json!(many)), "limit of 1000"),
        (r#"jobs cancel {"pick":{"filter":{"colour":"red"}}}"#.to_owned(), "there is no key `colour`"),
        (r#"jobs move {"pick":{},"to":""}"#.to_owned(), "1 to 8191 bytes"),
        (r#"jobs move {"pick":{},"to":"f*"}"#.to_owned(), "f* is a pattern"),
        (r#"jobs move {"pick":{},"to":"dry"}"#.to_owned(), "dry takes no new jobs"),
        (r#"jobs show {"handle":"H:localhost:9"}"#.to_owned(), "no job with the handle H:localhost:9"),
        ("explain".to_owned(), "exactly one of both"),
    ] {
        let (rows, others) = world.command(client, &command);
        let error = rows[0]["error"].as_str().unwrap_or_default();
        assert!(error.contains(part), "{command}: {rows:?}");
        assert_eq!((rows.len(), others.len()), (1, 0), "{command}");
    }
    assert_eq!(world.core.jobs(), 1);
}

#[test]
fn cancelled_jobs_are_gone_and_their_clients_told_once() {
    let mut world = world();
    let (client, worker) = (world.connect(), world.connect());
    world.can_do(worker, "f");
    world.submit(client, "f", "", Foreground);
    world.submit(client, "f", "", Foreground);
    world.submit(client, "g", "", Foreground);
    world.submit(client, "f", "", Epoch(1_700_000_060));
    world.grab(worker);
    let (rows, others) = world.command(client, r#"jobs cancel {"pick":{"filter":{"function":"f"}}}"#);
    assert_eq!(rows, changed(3, 3));
    assert_eq!(others, ["WORK_FAIL H:localhost:1", "WORK_FAIL H:localhost:2"], "the worker is not told");
    let error = "ERROR Job given in work result not found";
    assert_eq!(world.complete(worker, "H:localhost:1"), [error]);
    assert_eq!(world.core.jobs(), 1);
    // The same handle twice is one job, and one that is gone is none.
    let pick = r#"jobs cancel {"pick":{"handles":["H:localhost:3","H:localhost:1","H:localhost:3"]}}"#;
    assert_eq!(world.command(client, pick).0, changed(1, 1));
}

#[test]
fn moved_jobs_stand_at_the_end_and_stay_where_their_unique_is_taken() {
    let mut world = world();
    let (client, worker) = (world.connect(), world.connect());
    world.can_do(worker, "f");
    world.submit(client, "f", "", Background);
    world.grab(worker);
    for unique in ["u", "v", ""] {
        world.submit(client, "f", unique, Background);
    }
    world.submit(client, "g", "u", Background);
    world.submit(client, "f", "", Epoch(1_700_000_060));
    let (rows, _) = world.command(client, r#"jobs move {"pick":{"filter":{"function":"f"}},"to":"g"}"#);
    assert_eq!(rows, changed(5, 3), "job 1 runs, and the unique of job 2 is taken");
    let other = world.connect();
    world.can_do(other, "g");
    for handle in [5, 3, 4] {
        assert_eq!(world.grab(other), [format!("JOB_ASSIGN H:localhost:{handle} g")]);
    }
    assert_eq!(world.grab(other), ["NO_JOB"], "job 6 waits for its time there too");
    world.advance(Duration::from_secs(60));
    assert_eq!(world.grab(other), ["JOB_ASSIGN H:localhost:6 g"]);
    assert_eq!(world.grab(worker), ["JOB_ASSIGN H:localhost:2 f"]);
    // A unique goes with its job.
    assert_eq!(world.submit(client, "g", "v", Background), ["JOB_CREATED H:localhost:3"]);
}

#[test]
fn a_moved_job_wakes_a_worker_of_its_new_function() {
    let mut world = world();
    let (client, worker) = (world.connect(), world.connect());
    world.can_do(worker, "g");
    world.request(worker, &geartrain_proto::Request::PreSleep);
    world.submit(client, "f", "", Background);
    let (_, others) = world.command(client, r#"jobs move {"pick":{},"to":"g"}"#);
    assert_eq!(others, ["NOOP"]);
}

#[test]
fn jobs_are_moved_only_as_far_as_there_is_room() {
    let mut world = world();
    let client = world.connect();
    for _ in 0..5 {
        world.submit(client, "f", "", Background);
    }
    world.command(client, r#"policy set {"function":"g","values":{"max-waiting-normal":2}}"#);
    world.command(client, r#"policy set {"function":"f","values":{"max-waiting-high":1}}"#);
    let (rows, _) = world.command(client, r#"jobs move {"pick":{},"to":"g"}"#);
    assert_eq!(rows, changed(5, 2));
    let (rows, _) =
        world.command(client, r#"jobs priority {"pick":{"filter":{"function":"f"}},"to":"high"}"#);
    assert_eq!(rows, changed(3, 1));
}

#[test]
fn a_job_with_another_priority_is_served_by_it() {
    let mut world = world();
    let (client, worker) = (world.connect(), world.connect());
    world.can_do(worker, "f");
    for _ in 0..3 {
        world.submit(client, "f", "", Background);
    }
    world.grab(worker);
    let pick = r#"{"pick":{"handles":["H:localhost:1","H:localhost:3"]},"to":"high"}"#;
    assert_eq!(world.command(client, &format!("jobs priority {pick}")).0, changed(2, 1), "job 1 runs");
    assert_eq!(world.command(client, &format!("jobs priority {pick}")).0, changed(2, 0));
    assert_eq!(world.grab(worker), ["JOB_ASSIGN H:localhost:3 f"]);
}

#[test]
fn the_answer_waits_for_what_was_changed_to_be_durable() {
    let mut world = World::new(Settings { durability: Durability::Stored, ..Settings::default() });
    let client = world.connect();
    world.submit(client, "f", "", Background);
    world.submit(client, "f", "", Background);
    world.submit(client, "f", "", Background);
    world.committed(4);
    world.take_persisted();
    let cancel = r#"jobs cancel {"pick":{"handles":["H:localhost:1"]}}"#;
    let (rows, _) = world.command(client, cancel);
    assert_eq!(rows.len(), 0);
    assert_eq!(world.take_persisted(), [(5, "delete 1".to_owned())]);
    world.core.handle_committed(world.now, Ticket::new(5), &mut world.out);
    assert_eq!(world.take_rows().0, changed(1, 1));
    world.command(client, r#"jobs move {"pick":{"handles":["H:localhost:2"]},"to":"g"}"#);
    world.command(client, r#"jobs priority {"pick":{"handles":["H:localhost:3"]},"to":"low"}"#);
    let op = |ticket, what: &str| (ticket, what.to_owned());
    assert_eq!(world.take_persisted(), [op(6, "change 2 to 4 after 0"), op(7, "change 3 to 5 after 0")]);
    world.core.handle_store_failed(world.now, Ticket::new(7), &mut world.out);
    let (rows, _) = world.take_rows();
    assert!(rows.iter().all(|row| row["error"].as_str().unwrap().contains("in force but not on disk")));
    assert_eq!(rows.len(), 2);
}

fn record(number: u64, workload: &[u8]) -> Record<'_> {
    Record {
        number,
        place: number,
        function: b"f",
        unique: b"",
        priority: Priority::Normal,
        workload,
        reducer: None,
        not_before: 0,
        attempts: 0,
        lost: 0,
        submitted: UnixTime::from_seconds(1_700_000_000),
    }
}

#[test]
fn show_has_the_workload_and_the_attempts() {
    let mut world = World::new(Settings { durability: Durability::Stored, ..Settings::default() });
    let (client, worker) = (world.connect(), world.connect());
    world.submit(client, "f", "u", Foreground);
    let (rows, _) = world.command(client, r#"jobs show {"handle":"H:localhost:1"}"#);
    assert_eq!(rows[0]["workload"], "workload");
    world.submit(client, "f", "", Background);
    world.committed(3);
    world.can_do(worker, "f");
    world.grab(worker);
    world.grab(worker);
    world.close(worker);
    let (rows, _) = world.command(client, r#"jobs show {"handle":"H:localhost:2"}"#);
    assert_eq!(rows.len(), 0, "what it went through is in the store");
    let (ticket, wanted, asked) = world.out.reads.pop().unwrap();
    assert_eq!((wanted, asked), (Wanted::Jobs, vec![2]));
    world.core.handle_read(ticket, Found::Job(Record { attempts: 1, ..record(2, b"workload") }));
    let attempt = Attempt {
        number: 2,
        attempt: 1,
        started: UnixTime::from_seconds(1_700_000_000),
        ended: UnixTime::from_seconds(1_700_000_001),
        client_id: b"w",
        address: b"127.0.0.1",
        how: Outcome::Disconnected,
        text: b"",
    };
    world.core.handle_read(ticket, Found::Attempt(attempt));
    world.core.handle_read_end(world.now, ticket, Ok(()), &mut world.out);
    let (rows, _) = world.take_rows();
    assert_eq!((&rows[0]["workload"], &rows[0]["attempts"]), (&json!("workload"), &json!(1)));
    assert_eq!(rows[0]["log"][0]["how"], "disconnect");
    // It may be gone when the store answers.
    world.command(client, r#"jobs show {"handle":"H:localhost:2"}"#);
    world.command(client, r#"jobs cancel {"pick":{"handles":["H:localhost:2"]}}"#);
    let (ticket, ..) = world.out.reads.pop().unwrap();
    world.core.handle_read_end(world.now, ticket, Ok(()), &mut world.out);
    let (rows, _) = world.take_rows();
    assert!(rows[0]["error"].as_str().unwrap().contains("no job with the handle"), "{rows:?}");
}

/// A queue with this many stored jobs.
fn long(jobs: u64) -> World {
    let mut world = World::new(Settings { durability: Durability::Memory, ..Settings::default() });
    let now = Now { unix: UnixTime::from_seconds(1_700_000_000), ..Now::default() };
    for number in 1..=jobs {
        world.core.load(now, Stored::Job(record(number, b"text")), &mut world.out);
    }
    world
}

/// The answer to a command whose changes become durable.
fn durably(world: &mut World, conn: geartrain_core::ConnId, line: &str) -> Vec<Value> {
    let (rows, _) = world.command(conn, line);
    let Some((last, _)) = world.take_persisted().pop() else { return rows };
    assert_eq!(rows.len(), 0, "what was changed is not durable");
    world.core.handle_committed(world.now, Ticket::new(last), &mut world.out);
    world.take_rows().0
}

#[test]
fn pages_meet_each_job_once_while_jobs_come_and_go() {
    let mut world = long(50_000);
    let client = world.connect();
    let (mut after, mut pages, mut matched) = (0, 0, 0);
    loop {
        let command = format!(r#"jobs count {{"pick":{{"filter":{{"function":"f"}},"after":{after}}}}}"#);
        let (rows, _) = world.command(client, &command);
        matched += rows[0]["matched"].as_u64().unwrap();
        pages += 1;
        if pages == 1 {
            // The first is counted already; the last is not; new ones take their slots.
            let gone = r#"jobs cancel {"pick":{"handles":["H:localhost:1","H:localhost:50000"]}}"#;
            assert_eq!(durably(&mut world, client, gone), changed(2, 2));
            world.submit(client, "g", "", Background);
            world.submit(client, "g", "", Background);
        }
        match rows[1]["next"].as_u64() {
            Some(next) => after = next,
            None => break,
        }
    }
    assert_eq!((pages, matched), (3, 49_999));
}

#[test]
fn a_page_changes_a_bounded_number_of_jobs_and_all_pages_change_all() {
    let mut world = long(5000);
    let client = world.connect();
    for (command, to) in [("priority", r#","to":"low""#), ("move", r#","to":"g""#), ("cancel", "")] {
        let (mut after, mut pages, mut all) = (0, 0, 0);
        loop {
            let filter = if command == "cancel" { r#"{"function":"g"}"# } else { "{}" };
            let line = format!(r#"jobs {command} {{"pick":{{"filter":{filter},"after":{after}}}{to}}}"#);
            let rows = durably(&mut world, client, &line);
            let changed = rows[0]["changed"].as_u64().unwrap();
            assert!(changed <= 2000, "{changed}");
            (all, pages) = (all + changed, pages + 1);
            match rows[1]["next"].as_u64() {
                Some(next) => after = next,
                None => break,
            }
        }
        assert_eq!((pages, all), (3, 5000), "{command}");
    }
    assert_eq!(world.core.jobs(), 0);
}

#[test]
fn a_list_is_as_long_as_it_is_asked_for() {
    let mut world = long(2500);
    let client = world.connect();
    let (rows, _) = world.command(client, r#"jobs list {"limit":3}"#);
    assert_eq!((numbers(&rows), rows[3]["next"].as_u64()), (vec![1, 2, 3], Some(3)));
    let (rows, _) = world.command(client, r#"jobs list {"limit":3,"pick":{"after":2498}}"#);
    assert_eq!((numbers(&rows), rows.last()), (vec![2499, 2500], Some(&json!({}))));
    let (rows, _) = world.command(client, r#"jobs list {"limit":99999}"#);
    assert_eq!((rows.len(), rows[1000]["next"].as_u64()), (1001, Some(1000)));
    let (rows, _) = world.command(client, r#"jobs list {"pick":{"after":99999999999}}"#);
    assert_eq!(rows, [json!({})]);
}

/// Gives the queue what it asked the store for, as a store would that has these jobs.
fn answer_reads(world: &mut World, workload: impl Fn(u64) -> &'static [u8]) {
    for (ticket, _, asked) in std::mem::take(&mut world.out.reads) {
        for number in asked {
            world.core.handle_read(ticket, Found::Workload { number, workload: workload(number) });
        }
        world.core.handle_read_end(world.now, ticket, Ok(()), &mut world.out);
    }
}

#[test]
fn workloads_are_searched_wherever_they_are() {
    let workload =
        |number: u64| -> &'static [u8] { if number.is_multiple_of(3) { b"a needle" } else { b"hay" } };
    let settings = Settings { durability: Durability::Stored, queue_memory_bytes: 1, ..Settings::default() };
    let mut world = World::new(settings);
    let now = Now { unix: UnixTime::from_seconds(1_700_000_000), ..Now::default() };
    for number in 1..=9000 {
        world.core.load(now, Stored::Job(record(number, workload(number))), &mut world.out);
    }
    let client = world.connect();
    let (mut after, mut matched) = (0, 0);
    for _ in 0..100 {
        let line = format!(r#"jobs count {{"pick":{{"filter":{{"text":"needle"}},"after":{after}}}}}"#);
        let (mut rows, _) = world.command(client, &line);
        if rows.is_empty() {
            answer_reads(&mut world, workload);
            rows = world.take_rows().0;
        }
        matched += rows[0]["matched"].as_u64().unwrap();
        match rows[1]["next"].as_u64() {
            Some(next) => after = next,
            None => break,
        }
    }
    assert_eq!(matched, 3000);
}
