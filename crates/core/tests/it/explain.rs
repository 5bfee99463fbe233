//! What `explain` says, one test for each reason.

use crate::world::World;
use geartrain_core::{Durability, FunctionOrder, Now, Record, Settings, Stored, UnixTime};
use geartrain_proto::SubmitMode::{self, Background, Epoch, Foreground};
use geartrain_proto::{Function, Handle, Priority, Request, Submit, Unique};
use serde_json::Value;
use std::time::Duration;

fn world() -> World {
    World::new(Settings::default())
}

/// What is said of a job or function.
fn explain(world: &mut World, what: &str) -> Value {
    let asker = world.connect();
    let kind = if what.starts_with("H:") { "handle" } else { "function" };
    let (mut rows, others) = world.command(asker, &format!(r#"explain {{"{kind}":"{what}"}}"#));
    assert_eq!((rows.len(), others.len()), (2, 0), "{rows:?}");
    world.close(asker);
    rows.remove(0)
}

/// The findings as `reason: text`.
fn findings(world: &mut World, what: &str) -> Vec<String> {
    let explanation = explain(world, what);
    let findings = explanation.get("findings").and_then(Value::as_array).unwrap().iter();
    findings
        .map(|it| format!("{}: {}", it["reason"].as_str().unwrap(), it["text"].as_str().unwrap()))
        .collect()
}

fn submit(world: &mut World, function: &str, priority: Priority, mode: SubmitMode) {
    let client = world.connect();
    let submit = Submit {
        function: Function::from(function),
        unique: Unique::from(""),
        priority,
        mode,
        reducer: None,
        workload: b"workload",
    };
    world.request(client, &Request::Submit(submit));
}

fn background(world: &mut World, function: &str) {
    submit(world, function, Priority::Normal, Background);
}

fn policy(world: &mut World, function: &str, values: &str) {
    let asker = world.connect();
    let (rows, _) =
        world.command(asker, &format!(r#"policy set {{"function":"{function}","values":{values}}}"#));
    assert!(rows.iter().all(|row| row.get("error").is_none()), "{rows:?}");
}

const NEXT: &str = "next: it is the next of its function";
/// The next as well, where none can start.
const FIRST: &str = "queue: no job of its function is before it";

#[test]
fn no_worker_is_able_and_when_the_last_one_left() {
    let mut world = world();
    background(&mut world, "f");
    let never = "no-worker: no worker is able to do it, and none was since the server started";
    assert_eq!(findings(&mut world, "H:localhost:1"), [never, FIRST]);
    let worker = world.connect();
    world.can_do(worker, "f");
    world.close(worker);
    world.advance(Duration::from_secs(125));
    let left = "no-worker: no worker is able to do it: the last one left 2 min 5 s ago";
    assert_eq!(findings(&mut world, "H:localhost:1"), [left, FIRST]);
    let queue = "queue: 1 job waits for a worker (0 high, 1 normal, 0 low), 0 run";
    assert_eq!(findings(&mut world, "f"), [left, queue]);
    assert_eq!(explain(&mut world, "H:localhost:1").get("starts-in-ms"), None);
}

#[test]
fn all_workers_are_busy() {
    let mut world = world();
    let (one, other) = (world.connect(), world.connect());
    for worker in [other, one] {
        world.can_do(worker, "f");
        background(&mut world, "f");
        world.grab(worker);
        world.advance(Duration::from_secs(60));
    }
    background(&mut world, "f");
    let busy =
        "all-busy: all 2 able workers are busy for 1 min; the longest for 2 min, with H:localhost:1 of \"f\"";
    assert_eq!(findings(&mut world, "H:localhost:3"), [busy, NEXT]);
    world.complete(other, "H:localhost:1");
    let silent = "silent: 1 of 2 able workers is neither asleep nor at work, and has not asked for a job";
    assert_eq!(findings(&mut world, "H:localhost:3"), [silent, NEXT]);
    world.close(other);
    let busy =
        "all-busy: its one able worker is busy for 1 min; the longest for 1 min, with H:localhost:2 of \"f\"";
    assert_eq!(findings(&mut world, "H:localhost:3"), [busy, NEXT]);
}

#[test]
fn a_running_job_says_where() {
    let mut world = world();
    let worker = world.connect();
    world.request(worker, &Request::SetClientId { id: "w1".into() });
    world.request(worker, &Request::CanDoTimeout { function: Function::from("f"), timeout_ms: 90_000 });
    background(&mut world, "f");
    world.grab(worker);
    world.advance(Duration::from_secs(30));
    let handle = Handle::from("H:localhost:1");
    world.request(worker, &Request::WorkStatus { handle, numerator: b"1", denominator: b"4" });
    let running = "running: it runs on worker \"127.0.0.1 w1\" for 30 s, attempt 1, 1 of 4 done, and is taken from it in 1 min";
    assert_eq!(findings(&mut world, "H:localhost:1"), [running]);
}

#[test]
fn a_paused_function_and_one_that_is_drained() {
    let mut world = world();
    let worker = world.connect();
    world.can_do(worker, "f");
    background(&mut world, "f");
    policy(&mut world, "f", r#"{"paused":true,"draining":true}"#);
    world.request(worker, &Request::PreSleep);
    let paused = "paused: its function is paused (hint: resume it)";
    assert_eq!(findings(&mut world, "H:localhost:1"), [paused, FIRST]);
    let queue = "queue: 1 job waits for a worker (0 high, 1 normal, 0 low), 0 run";
    let draining = "draining: it is being drained: its jobs run dry, and no new ones are taken";
    assert_eq!(findings(&mut world, "f"), [paused, queue, draining]);
}

#[test]
fn a_job_waits_for_its_time() {
    let mut world = world();
    submit(&mut world, "f", Priority::Normal, Epoch(1_700_003_600));
    let delayed = "delayed: it waits for its time, which is in 1 h";
    let nobody = "no-worker: no worker is able to do it, and none was since the server started";
    assert_eq!(findings(&mut world, "H:localhost:1"), [delayed, nobody]);
    let worker = world.connect();
    world.can_do(worker, "f");
    assert_eq!(findings(&mut world, "H:localhost:1"), [delayed]);
    assert_eq!(explain(&mut world, "H:localhost:1")["starts-in-ms"], 3_600_000);
    assert_eq!(findings(&mut world, "f"), ["delayed: 1 job waits for its time, the first for 1 h more"]);
}

#[test]
fn a_job_waits_for_its_next_attempt() {
    let mut world = world();
    policy(&mut world, "f", r#"{"attempts":5,"backoff-first":"30s","retry-on":"fail"}"#);
    let worker = world.connect();
    world.can_do(worker, "f");
    background(&mut world, "f");
    world.grab(worker);
    world.request(worker, &Request::WorkFail { handle: Handle::from("H:localhost:1") });
    world.advance(Duration::from_secs(10));
    let pause = "retry-pause: it waits 20 s more before attempt 2 of 5: the last one ended as fail";
    assert_eq!(findings(&mut world, "H:localhost:1"), [pause]);
}

#[test]
fn a_cap_and_a_rate_that_are_reached() {
    let mut world = world();
    policy(&mut world, "f", r#"{"max-running":1}"#);
    policy(&mut world, "g", r#"{"rate":0.5}"#);
    let (worker, other) = (world.connect(), world.connect());
    for function in ["f", "g"] {
        world.can_do(worker, function);
        world.can_do(other, function);
        background(&mut world, function);
        background(&mut world, function);
        world.grab(worker);
    }
    world.request(other, &Request::PreSleep);
    world.advance(Duration::from_millis(500));
    let cap = "max-running: 1 job runs, which is as many as max-running 1 allows";
    assert_eq!(findings(&mut world, "H:localhost:2"), [cap, NEXT]);
    let rate = "rate: its rate is used up, one job every 2 s: the next may start in 1.5 s";
    assert_eq!(findings(&mut world, "H:localhost:4"), [rate, NEXT]);
    assert_eq!(explain(&mut world, "H:localhost:4")["starts-in-ms"], 1500);
}

#[test]
fn an_estimate_follows_the_rate_where_that_alone_is_waited_for() {
    let mut world = world();
    policy(&mut world, "f", r#"{"rate":5}"#);
    let worker = world.connect();
    world.can_do(worker, "f");
    for _ in 0..14 {
        background(&mut world, "f");
    }
    // Two jobs a minute ended: no pace to go by, since the worker only waits.
    for number in 1..=2 {
        world.advance(Duration::from_secs(20));
        world.grab(worker);
        world.complete(worker, &format!("H:localhost:{number}"));
    }
    world.request(worker, &Request::PreSleep);
    let queue = findings(&mut world, "f").pop().unwrap();
    assert!(queue.ends_with("by its rate they are started within 2.4 s"), "{queue}");
    assert_eq!(explain(&mut world, "H:localhost:14")["starts-in-ms"], 2400);
    policy(&mut world, "f", r#"{"paused":true}"#);
    let queue = findings(&mut world, "f").pop().unwrap();
    assert!(queue.ends_with("(0 high, 12 normal, 0 low), 0 run"), "{queue}");
    assert_eq!(explain(&mut world, "H:localhost:14").get("starts-in-ms"), None);
}

#[test]
fn a_worker_was_woken_and_did_not_come() {
    let mut world = world();
    world.advance(Duration::from_secs(100));
    let worker = world.connect();
    world.can_do(worker, "f");
    world.request(worker, &Request::PreSleep);
    background(&mut world, "f");
    world.advance(Duration::from_secs(3));
    let woken = "woken: 1 of 1 able worker was woken and did not come yet, the first for 3 s";
    assert_eq!(findings(&mut world, "H:localhost:1"), [woken, NEXT]);
}

#[test]
fn workers_that_serve_another_function_first() {
    for order in [FunctionOrder::LastRegistered, FunctionOrder::Priority] {
        let mut world = World::new(Settings { function_order: order, ..Settings::default() });
        let worker = world.connect();
        world.can_do(worker, "f");
        world.can_do(worker, "g");
        background(&mut world, "f");
        for _ in 0..3 {
            submit(&mut world, "g", Priority::High, Background);
        }
        world.grab(worker);
        let first = "other-functions: its one able worker takes jobs of other functions first: most of all of \"g\", of which 2 wait";
        let busy = "all-busy: its one able worker is busy for 0 ms; the longest for 0 ms, with H:localhost:2 of \"g\"";
        assert_eq!(findings(&mut world, "H:localhost:1"), [first, busy, NEXT]);
        assert_eq!(findings(&mut world, "H:localhost:3"), [busy, NEXT]);
        // A second worker that is able to do nothing else is enough.
        let other = world.connect();
        world.can_do(other, "f");
        let reasons = findings(&mut world, "H:localhost:1");
        assert!(reasons[0].starts_with("silent"), "{reasons:?}");
    }
}

#[test]
fn a_server_that_shuts_down_starts_nothing() {
    let mut world = world();
    let worker = world.connect();
    world.can_do(worker, "f");
    background(&mut world, "f");
    world.core.stop_assigning();
    let down = "not-assigning: the server is being shut down and starts no jobs";
    assert_eq!(findings(&mut world, "H:localhost:1")[0], down);
}

#[test]
fn a_record_that_is_not_written_and_a_store_that_takes_none() {
    let mut world = World::new(Settings { durability: Durability::Stored, ..Settings::default() });
    let worker = world.connect();
    world.can_do(worker, "f");
    background(&mut world, "f");
    let unwritten =
        "not-written: its record is not on disk yet: its client has no answer, but it may run all the same";
    assert_eq!(findings(&mut world, "H:localhost:1").last().unwrap(), unwritten);
    world.committed(2);
    assert_ne!(findings(&mut world, "H:localhost:1").last().unwrap(), unwritten);
    world.store_failed(3);
    let store = "store: the store takes no changes: background jobs are refused (hint: see the server's log)";
    assert_eq!(findings(&mut world, "f").last().unwrap(), store);
}

#[test]
fn jobs_that_are_kept_and_jobs_that_are_not() {
    let mut world = World::new(Settings { job_retries: 1, ..Settings::default() });
    policy(&mut world, "kept", r#"{"finished-count":10}"#);
    let (worker, other) = (world.connect(), world.connect());
    world.can_do(worker, "f");
    background(&mut world, "f");
    world.grab(worker);
    world.close(worker);
    for function in ["kept", "g"] {
        world.can_do(other, function);
        background(&mut world, function);
        world.grab(other);
    }
    world.complete(other, "H:localhost:2");
    world.complete(other, "H:localhost:3");
    world.advance(Duration::from_secs(60));
    let dead = findings(&mut world, "H:localhost:1");
    assert!(dead[0].starts_with("dead: it is a dead letter for 1 min: disconnect, group "), "{dead:?}");
    assert_eq!(explain(&mut world, "H:localhost:1")["function"], "f");
    assert_eq!(findings(&mut world, "H:localhost:2"), ["finished: it ended 1 min ago: completed"]);
    let ended = "unknown: the job ended, or was never accepted: it neither waits nor runs, and is not kept";
    assert_eq!(findings(&mut world, "H:localhost:3"), [ended]);
    assert_eq!(findings(&mut world, "H:localhost:4"), ["unknown: no job was given this handle yet"]);
    let foreign = "unknown: it is no handle of this server: these are H:localhost:NUMBER";
    assert_eq!(findings(&mut world, "H:other:1"), [foreign]);
    let unknown = findings(&mut world, "nothing");
    assert!(unknown[0].starts_with("unknown: no function \"nothing\" is known"), "{unknown:?}");
    let misspelt = findings(&mut world, "ketp");
    assert!(misspelt[0].starts_with("unknown: ") && !misspelt[0].contains("hint"), "{misspelt:?}");
    let misspelt = findings(&mut world, "kep");
    assert!(misspelt[0].ends_with(" (hint: is \"kept\" meant?)"), "{misspelt:?}");
    assert_eq!(findings(&mut world, "g"), ["idle: none of its jobs waits, 0 run"]);
}

#[test]
fn the_place_counts_what_is_served_before() {
    let mut world = world();
    let worker = world.connect();
    world.can_do(worker, "f");
    for priority in [Priority::Low, Priority::High, Priority::Normal, Priority::High, Priority::Low] {
        submit(&mut world, "f", priority, Foreground);
    }
    for (number, ahead) in [(2, 0), (4, 1), (3, 2), (1, 3), (5, 4)] {
        assert_eq!(explain(&mut world, &format!("H:localhost:{number}"))["ahead"], ahead, "{number}");
    }
    let queue = "queue: 4 jobs are served before it, 3 of them for their higher priority";
    assert_eq!(findings(&mut world, "H:localhost:5").last().unwrap(), queue);
    policy(&mut world, "f", r#"{"expires":"5m"}"#);
    let next = "next: it is the next of its function; it expires in 5 min";
    assert_eq!(findings(&mut world, "H:localhost:2").last().unwrap(), next);
}

#[test]
fn the_place_in_the_middle_of_a_long_line_is_at_least_so_far_behind() {
    let mut world = world();
    let now = Now { unix: UnixTime::from_seconds(1_700_000_000), ..Now::default() };
    for number in 1..=150_000 {
        let record = Record {
            number,
            place: number,
            function: b"f",
            unique: b"",
            priority: Priority::Normal,
            workload: b"",
            reducer: None,
            not_before: 0,
            attempts: 0,
            lost: 0,
            submitted: now.unix,
        };
        world.core.load(now, Stored::Job(record), &mut world.out);
    }
    assert_eq!(explain(&mut world, "H:localhost:40001")["ahead"], 40_000);
    assert_eq!(explain(&mut world, "H:localhost:149990")["ahead"], 149_989, "from the end");
    let middle = explain(&mut world, "H:localhost:75000");
    assert_eq!(middle.get("ahead"), None);
    let text = "at least 50000 jobs are served before it, 0 of them for their higher priority";
    assert_eq!(middle["findings"].as_array().unwrap().last().unwrap()["text"], text);
}

#[test]
fn the_estimate_follows_the_pace_of_the_last_minute() {
    let mut world = world();
    let worker = world.connect();
    world.can_do(worker, "f");
    for _ in 0..40 {
        background(&mut world, "f");
    }
    assert_eq!(explain(&mut world, "H:localhost:21").get("starts-in-ms"), None, "nothing ended yet");
    for number in 1..=20 {
        world.grab(worker);
        world.advance(Duration::from_millis(500));
        world.complete(worker, &format!("H:localhost:{number}"));
    }
    let explanation = explain(&mut world, "H:localhost:31");
    assert_eq!((&explanation["ahead"], &explanation["served-per-minute"]), (&10.into(), &20.into()));
    assert_eq!(explanation["starts-in-ms"], 5500, "the eleventh, at one each half second");
    world.advance(Duration::from_secs(300));
    let explanation = explain(&mut world, "H:localhost:31");
    assert_eq!(explanation["served-per-minute"], 0);
    assert_eq!(explanation.get("starts-in-ms"), None);
    // What is cancelled or expires says nothing about the pace.
    let client = world.connect();
    world.command(client, r#"jobs cancel {"pick":{"handles":["H:localhost:40"]}}"#);
    assert_eq!(explain(&mut world, "f")["served-per-minute"], 0);
}
