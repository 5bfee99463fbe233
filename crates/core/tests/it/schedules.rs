//! Recurring schedules: due times, restarts, failures of the store, clocks that jump, commands.

use crate::world::World;
use geartrain_core::{Document, DocumentKind, Durability, Now, Record, Settings, Stored, UnixTime};
use geartrain_proto::command::{ScheduleAdd, ScheduleRow};
use geartrain_proto::{Calendar, Function, Priority, Request, Unique};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// 14 November 2023, 22:13:20 UTC; a schedule of `every 100s` counts from here.
const START: i64 = 1_700_000_000;

fn settings(durability: Durability) -> Settings {
    Settings { durability, ..Settings::default() }
}

fn begun(settings: Settings) -> World {
    let mut world = World::new(settings);
    world.loaded();
    world.take_persisted();
    world
}

fn stored() -> World {
    let mut world = begun(settings(Durability::Stored));
    world.committed(1000);
    world
}

/// What a command of this line is answered: its rows, then nothing but the page and the end.
fn rows(world: &mut World, line: &str) -> Vec<ScheduleRow> {
    let conn = world.connect();
    let mut answer = world.admin(conn, line);
    if answer.is_empty() {
        answer = world.committed(1_000_000).concat();
    }
    world.close(conn);
    let lines: Vec<&str> = answer.lines().filter(|line| *line != "." && *line != "{}").collect();
    lines.iter().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{answer}"))).collect()
}

fn error(world: &mut World, line: &str) -> String {
    let conn = world.connect();
    let answer = world.admin(conn, line);
    world.close(conn);
    let json: serde_json::Value = serde_json::from_str(answer.lines().next().unwrap()).unwrap();
    json.get("error").and_then(|error| error.as_str()).unwrap_or_else(|| panic!("{answer}")).to_owned()
}

fn add(world: &mut World, json: &str) -> ScheduleRow {
    let line = format!(r#"schedule add {{"name":"s","function":"f",{json}}}"#);
    rows(world, &line).remove(0)
}

fn show(world: &mut World) -> ScheduleRow {
    rows(world, r#"schedule show {"name":"s"}"#).remove(0)
}

fn persisted(world: &mut World) -> Vec<String> {
    world.take_persisted().into_iter().map(|(_, op)| op).collect()
}

/// The seconds from [`START`] on at which jobs are submitted, while time passes second by second.
fn runs(world: &mut World, seconds: u64) -> Vec<i64> {
    let mut runs = Vec::new();
    for _ in 0..seconds {
        world.advance(SECOND);
        let puts = persisted(world).into_iter().filter(|op| op.starts_with("put ")).count();
        runs.extend(std::iter::repeat_n(world.now().unix.seconds() - START, puts));
        world.committed(1_000_000);
    }
    runs
}

/// The queue after a restart that took this long, with what the store had.
fn restart(world: &World, settings: Settings, jobs: &[u64], seconds: i64) -> World {
    let mut after = World::new(settings);
    let unix = UnixTime::from_millis(world.now().unix.millis() + seconds * 1000);
    after.set_now(Now { unix, ..Now::default() });
    for ((kind, name), body) in &world.out.documents {
        let document = Document { kind: *kind, name, body: Some(body) };
        after.core.load(after.now(), Stored::Document(document), &mut after.out);
        after.out.documents.insert((*kind, name.clone()), body.clone());
    }
    for number in jobs {
        let record = Record {
            number: *number,
            place: *number,
            function: b"f",
            unique: b"",
            priority: Priority::Normal,
            workload: b"",
            reducer: None,
            not_before: 0,
            attempts: 0,
            lost: 0,
            submitted: world.now().unix,
        };
        after.core.load(after.now(), Stored::Job(record), &mut after.out);
    }
    after.loaded();
    after.committed(1_000_000);
    after
}

#[test]
fn a_run_and_the_memory_of_it_are_written_in_one_step() {
    let mut world = stored();
    let row = add(&mut world, r#""when":"every 100s","workload":"w","priority":"high""#);
    assert_eq!((row.next, row.runs, row.source.as_str()), (Some((START + 100) * 1000), 0, "set"));
    assert_eq!(row.schedule.zone.as_deref(), Some("UTC"));
    world.take_persisted();
    assert_eq!(world.next_timeout(), Some(SECOND * 100));
    world.advance(SECOND * 99);
    assert_eq!(persisted(&mut world), [""; 0]);
    // No input lies between the two: a store writes both or none.
    world.advance(SECOND);
    assert_eq!(persisted(&mut world), ["put 1", "document s"]);
    let row = show(&mut world);
    assert_eq!(row.last_outcome.as_deref(), Some("waiting"));
    assert_eq!((row.last, row.runs), (Some((START + 100) * 1000), 1));
    assert_eq!(row.last_handle.unwrap().as_bytes(), b"H:localhost:1");
    assert_eq!(row.next, Some((START + 200) * 1000));

    let worker = world.connect();
    world.can_do(worker, "f");
    assert_eq!(world.grab(worker), ["JOB_ASSIGN H:localhost:1 f"]);
    assert_eq!(show(&mut world).last_outcome.as_deref(), Some("running"));
    world.advance(SECOND * 2);
    world.take_persisted();
    world.complete(worker, "H:localhost:1");
    assert_eq!(persisted(&mut world), ["delete 1", "document s"]);
    let row = show(&mut world);
    assert_eq!(
        (row.last_outcome.as_deref(), row.last_took_ms, row.failed),
        (Some("completed"), Some(2000), 0)
    );
}

#[test]
fn a_run_that_fails_is_counted() {
    let mut world = begun(settings(Durability::Memory));
    add(&mut world, r#""when":"every 100s""#);
    let worker = world.connect();
    world.can_do(worker, "f");
    world.advance(SECOND * 100);
    world.grab(worker);
    let handle = geartrain_proto::Handle::from("H:localhost:1");
    world.request(worker, &Request::WorkFail { handle });
    let row = show(&mut world);
    assert_eq!((row.last_outcome.as_deref(), row.failed, row.runs), (Some("fail"), 1, 1));
}

/// I15: over restarts.
#[test]
fn a_restart_runs_nothing_twice_and_what_it_missed_by_the_rule() {
    for (missed, expected) in [("skip", vec![0, 30]), ("one", vec![0, 30]), ("all", vec![0, 0, 0, 0, 30])] {
        let mut world = stored();
        add(&mut world, &format!(r#""when":"every 100s","missed":"{missed}""#));
        assert_eq!(runs(&mut world, 150), [100]);
        // Back at 570: 200, 300 and 400 were missed, 500 is over a minute late as well.
        let mut world = restart(&world, settings(Durability::Stored), &[1], 420);
        world.take_persisted();
        world.advance(Duration::ZERO);
        let at_once = persisted(&mut world).into_iter().filter(|op| op.starts_with("put ")).count();
        let mut found = vec![0; at_once];
        found.extend(runs(&mut world, 30).into_iter().map(|second| second - 570));
        let expected = if missed == "skip" { vec![30] } else { expected };
        assert_eq!(found, expected, "{missed}");
        let row = show(&mut world);
        assert_eq!(
            row.missed_runs,
            match missed {
                "skip" => 4,
                "one" => 3,
                _ => 0,
            },
            "{missed}"
        );
        // A second restart at once changes nothing.
        let next = row.next;
        let mut world = restart(&world, settings(Durability::Stored), &[], 0);
        world.take_persisted();
        world.advance(Duration::ZERO);
        assert_eq!(show(&mut world).next, next);
        assert_eq!(show(&mut world).last_outcome.as_deref(), Some("unknown"));
    }
}

#[test]
fn a_run_that_could_not_be_written_runs_once_when_it_can() {
    let mut world = stored();
    add(&mut world, r#""when":"every 100s","missed":"skip""#);
    world.take_persisted();
    world.advance(SECOND * 100);
    assert_eq!(persisted(&mut world), ["put 1", "document s"]);
    world.store_failed(1_000_000);
    // The job is gone, and so is the memory of its run.
    assert_eq!(world.core.jobs(), 0);
    assert_eq!(persisted(&mut world), ["document s"]);
    world.advance(SECOND * 10);
    assert_eq!(world.next_timeout(), None, "it waits for the store, not for time");
    assert_eq!(persisted(&mut world), [""; 0]);
    world.core.handle_store_ready();
    world.advance(Duration::ZERO);
    assert_eq!(persisted(&mut world), ["put 2", "document s"]);
    world.committed(1_000_000);
    assert_eq!(runs(&mut world, 150), [200]);
    let row = show(&mut world);
    assert_eq!((row.runs, row.missed_runs, row.failed), (2, 0, 0));
}

#[test]
fn a_run_on_a_worker_whose_record_failed_comes_again_only_if_the_worker_is_lost() {
    for completes in [true, false] {
        let mut world = stored();
        add(&mut world, r#""when":"every 100s""#);
        let worker = world.connect();
        world.can_do(worker, "f");
        world.take_persisted();
        world.advance(SECOND * 100);
        assert_eq!(world.grab(worker), ["JOB_ASSIGN H:localhost:1 f"]);
        world.store_failed(1_000_000);
        if completes {
            world.complete(worker, "H:localhost:1");
        } else {
            world.close(worker);
        }
        world.core.handle_store_ready();
        world.take_persisted();
        world.advance(SECOND);
        let again: &[&str] = if completes { &[] } else { &["put 2", "document s"] };
        assert_eq!(persisted(&mut world), again);
        world.committed(1_000_000);
        let row = show(&mut world);
        assert_eq!((row.runs, row.failed, row.next), (1, 0, Some((START + 200) * 1000)));
    }
}

#[test]
fn a_due_time_comes_again_though_a_later_run_joined_its_job() {
    let mut world = stored();
    add(&mut world, r#""when":"every 100s","overlap":"coalesce""#);
    let person = world.connect();
    world.take_persisted();
    world.advance(SECOND * 100);
    world.admin(person, r#"schedule run {"name":"s"}"#);
    assert_eq!(world.core.jobs(), 1);
    world.store_failed(1_000_000);
    assert_eq!(world.core.jobs(), 0);
    world.core.handle_store_ready();
    world.take_persisted();
    world.advance(SECOND);
    assert_eq!(persisted(&mut world), ["put 2", "document s"]);
}

#[test]
fn a_schedule_that_takes_the_place_of_another_goes_on_with_its_runs() {
    let mut world = stored();
    add(&mut world, r#""when":"every 100s""#);
    world.take_persisted();
    world.advance(SECOND * 100);
    let person = world.connect();
    let replace = |world: &mut World, json: &str| {
        world.admin(person, &format!(r#"schedule add {{"name":"s","function":"f","replace":true,{json}}}"#));
        world.store_failed(1_000_000);
    };
    replace(&mut world, r#""when":"every 100s","workload":"other""#);
    assert_eq!((world.core.jobs(), show(&mut world).runs), (0, 0));
    world.core.handle_store_ready();
    world.take_persisted();
    world.advance(SECOND);
    assert_eq!(persisted(&mut world), ["put 2", "document s"], "its due time comes again");
    // With other times nothing comes again.
    replace(&mut world, r#""when":"every 70s""#);
    let row = show(&mut world);
    assert_eq!((world.core.jobs(), row.runs, row.failed), (0, 1, 1));
}

#[test]
fn a_run_that_was_missed_while_the_store_failed_goes_by_the_rule() {
    let mut world = stored();
    add(&mut world, r#""when":"every 100s","missed":"one""#);
    world.store_failed(1_000_000);
    assert_eq!(runs(&mut world, 350), [] as [i64; 0]);
    world.core.handle_store_ready();
    assert_eq!(runs(&mut world, 100), [351, 400]);
    assert_eq!(show(&mut world).missed_runs, 2);
}

#[test]
fn a_run_that_overlaps_is_left_out_queued_or_joins() {
    for (overlap, jobs, skipped, runs) in [("skip", 1, 2, 1), ("queue", 3, 0, 3), ("coalesce", 1, 0, 3)] {
        let mut world = begun(settings(Durability::Memory));
        add(&mut world, &format!(r#""when":"every 100s","overlap":"{overlap}""#));
        for _ in 0..3 {
            world.advance(SECOND * 100);
        }
        let row = show(&mut world);
        assert_eq!((world.core.jobs(), row.skipped, row.runs), (jobs, skipped, runs), "{overlap}");
        let worker = world.connect();
        world.can_do(worker, "f");
        for number in 1..=jobs {
            world.grab(worker);
            world.complete(worker, &format!("H:localhost:{number}"));
        }
        world.advance(SECOND * 100);
        assert_eq!((world.core.jobs(), show(&mut world).skipped), (1, skipped), "{overlap}");
    }
}

/// I15: over jumps of the clock.
#[test]
fn a_clock_that_jumps_runs_nothing_twice_and_loses_nothing() {
    let mut world = stored();
    add(&mut world, r#""when":"every 100s","missed":"all""#);
    assert_eq!(runs(&mut world, 250), [100, 200]);
    world.take_persisted();
    // An hour back: what ran does not run again.
    world.set_clock(-200);
    assert_eq!(runs(&mut world, 260), [300]);
    // Forward: what was jumped over is made up for.
    world.set_clock(300);
    assert_eq!(persisted(&mut world).iter().filter(|op| op.starts_with("put")).count(), 3);
    // A month ahead by mistake, and back: it goes on from the right time.
    let month = 30 * 86_400;
    world.set_clock(month);
    world.committed(1_000_000);
    world.set_clock(-month);
    world.take_persisted();
    assert_eq!(runs(&mut world, 200), [700, 800]);
}

#[test]
fn a_paused_schedule_waits_for_nothing_and_its_runs_are_skipped() {
    let mut world = stored();
    add(&mut world, r#""when":"every 100s","missed":"all""#);
    let row = rows(&mut world, r#"schedule pause {"name":"s"}"#).remove(0);
    assert_eq!((row.paused, row.next), (true, None));
    assert_eq!(world.next_timeout(), None);
    assert_eq!(runs(&mut world, 350), [] as [i64; 0]);
    let mut world = restart(&world, settings(Durability::Stored), &[], 0);
    assert!(show(&mut world).paused, "a pause is remembered");
    // A person may run it all the same.
    world.take_persisted();
    let row = rows(&mut world, r#"schedule run {"name":"s"}"#).remove(0);
    assert_eq!((row.runs, row.next), (1, None));
    assert_eq!(persisted(&mut world), ["put 1", "document s"]);
    let row = rows(&mut world, r#"schedule resume {"name":"s"}"#).remove(0);
    assert_eq!((row.skipped, row.missed_runs, row.next), (3, 0, Some((START + 400) * 1000)));
    assert_eq!(runs(&mut world, 100), [400]);
}

#[test]
fn a_run_by_hand_touches_no_due_time() {
    let mut world = stored();
    let next = add(&mut world, r#""when":"every 100s""#).next;
    world.advance(SECOND * 50);
    let row = rows(&mut world, r#"schedule run {"name":"s"}"#).remove(0);
    assert_eq!((row.next, row.runs, row.last), (next, 1, Some((START + 50) * 1000)));
    world.take_persisted();
    assert_eq!(runs(&mut world, 50), [100]);
}

#[test]
fn schedules_of_the_file_come_and_go_with_it_and_keep_their_state() {
    let given: ScheduleAdd =
        serde_json::from_str(r#"{"name":"s","function":"f","when":"every 100s"}"#).unwrap();
    let with = || Settings { schedules: vec![given.clone()], ..settings(Durability::Stored) };
    let mut world = World::new(with());
    world.loaded();
    world.committed(1000);
    assert_eq!(show(&mut world).source, "file");
    assert_eq!(runs(&mut world, 150), [100]);
    let in_file = "schedule s stands in the configuration file";
    assert!(error(&mut world, r#"schedule remove {"name":"s"}"#).starts_with(in_file));
    let again = r#"schedule add {"name":"s","function":"g","when":"@daily","replace":true}"#;
    assert!(error(&mut world, again).starts_with(in_file));

    let mut world = restart(&world, with(), &[1], 10);
    assert_eq!(persisted(&mut world), ["reserve"], "nothing about it changed");
    assert_eq!((show(&mut world).runs, show(&mut world).next), (1, Some((START + 200) * 1000)));
    let other = ScheduleAdd { when: "every 60s".to_owned(), ..given.clone() };
    let changed = Settings { schedules: vec![other], ..settings(Durability::Stored) };
    let mut changed = restart(&world, changed, &[1], 1000);
    assert_eq!(show(&mut changed).next, Some((START + 1160 + 60) * 1000), "other times begin now");

    let mut world = restart(&world, settings(Durability::Stored), &[1], 10);
    assert_eq!(persisted(&mut world), ["reserve", "forget document s"]);
    assert!(rows(&mut world, "schedule list").is_empty());
    assert_eq!(world.next_timeout(), None);
}

#[test]
fn commands_refuse_what_cannot_be_met_and_change_nothing() {
    let mut world = stored();
    add(&mut world, r#""when":"@daily","zone":"Europe/Berlin""#);
    world.take_persisted();
    for (line, expected) in [
        (
            r#"schedule add {"name":"t","function":"f","when":"0 0 30 2 *"}"#,
            "schedule t: recurrence \"0 0 30 2 *\" never comes: no month that it names has such a day (hint: L stands for a month's last day)",
        ),
        (
            r#"schedule add {"name":"t","function":"f","when":"@daily","zone":"Europe/Belin"}"#,
            "schedule t: time zone \"Europe/Belin\" is unknown (hint: did you mean Europe/Berlin?)",
        ),
        (
            r#"schedule add {"name":"a b","function":"f","when":"@daily"}"#,
            "schedule name \"a b\" is not allowed (hint: 1 to 50 letters, digits and . _ - : /)",
        ),
        (
            r#"schedule add {"name":"t","function":"","when":"@daily"}"#,
            "schedule t: function \"\" is not allowed (hint: 1 to 8191 bytes, none of them NUL)",
        ),
        (
            r#"schedule add {"name":"s","function":"g","when":"@daily"}"#,
            "schedule s is there already (hint: --replace puts this one in its place)",
        ),
        (r#"schedule show {"name":"t"}"#, "there is no schedule \"t\" (hint: schedule list)"),
        (r#"schedule pause {"name":"t"}"#, "there is no schedule \"t\" (hint: schedule list)"),
        (r#"schedule remove {"name":"t"}"#, "there is no schedule \"t\" (hint: schedule list)"),
    ] {
        assert_eq!(error(&mut world, line), expected);
    }
    let long = format!(
        r#"schedule add {{"name":"t","function":"f","when":"@daily","workload":"{}"}}"#,
        "x".repeat(1 << 21)
    );
    assert_eq!(
        error(&mut world, &long),
        "schedule t: workload of 2097152 bytes is over the limit of 1048576 bytes"
    );
    assert_eq!(persisted(&mut world), [""; 0]);
    assert_eq!(show(&mut world).schedule.function.as_bytes(), b"f");

    let row = add(&mut world, r#""when":"@hourly","replace":true"#);
    assert_eq!(row.next, Some((START - START % 3600 + 3600) * 1000));
    assert_eq!(rows(&mut world, "schedule list").len(), 1);
    assert!(rows(&mut world, r#"schedule remove {"name":"s"}"#).is_empty());
    assert_eq!(world.next_timeout(), None);
    assert!(!world.out.documents.contains_key(&(DocumentKind::Schedule, b"s".to_vec())));
}

#[test]
fn an_export_is_taken_in_once_and_its_due_times_go_on() {
    let mut world = stored();
    add(&mut world, r#""when":"every 100s","missed":"one","workload":"w""#);
    assert_eq!(runs(&mut world, 150), [100]);
    let conn = world.connect();
    let export = world.admin(conn, r#"export {"section":"schedules"}"#);
    let export = if export.is_empty() { world.committed(1_000_000).concat() } else { export };
    let item = export.lines().next().unwrap();
    let import = format!(r#"import {{"item":{item}}}"#);

    let mut other = stored();
    other.set_clock(250);
    let conn = other.connect();
    for outcome in ["new", "known"] {
        let answer = other.admin(conn, &import);
        let answer = if answer.is_empty() { other.committed(1_000_000).concat() } else { answer };
        assert!(answer.contains(&format!(r#""outcome":"{outcome}""#)), "{answer}");
    }
    let row = show(&mut other);
    assert_eq!((row.next, row.schedule.workload.as_bytes()), (Some((START + 200) * 1000), &b"w"[..]));
    other.take_persisted();
    assert_eq!(runs(&mut other, 60), [251, 300]);
}

#[test]
fn one_schedule_too_many_is_refused() {
    let mut settings = settings(Durability::Memory);
    settings.limits.schedules_max = 1;
    let mut world = begun(settings);
    add(&mut world, r#""when":"@daily""#);
    let another = r#"schedule add {"name":"t","function":"f","when":"@daily"}"#;
    assert_eq!(error(&mut world, another), "schedule t is one more than the limit of 1");
}

#[test]
fn the_schedules_of_the_file_leave_room_for_as_many_that_are_added() {
    let mut settings = settings(Durability::Memory);
    settings.limits.schedules_max = 1;
    settings.schedules = vec![
        serde_json::from_str(r#"{"name":"file","function":"f","when":"@daily","workload":"large"}"#).unwrap(),
    ];
    let mut world = begun(settings);
    let kept = format!("{:?}", world.core).matches("large").count();
    assert_eq!(kept, 1, "and each of them is kept once");
    add(&mut world, r#""when":"@daily""#);
    let another = r#"schedule add {"name":"t","function":"f","when":"@daily"}"#;
    assert_eq!(error(&mut world, another), "schedule t is one more than the limit of 1");
}

#[test]
fn ten_thousand_schedules_run_at_their_time_and_cost_nothing_until_then() {
    let mut world = begun(settings(Durability::Memory));
    let conn = world.connect();
    for number in 0..10_000 {
        let line = format!(
            r#"schedule add {{"name":"s{number}","function":"f","when":"every 1h","overlap":"queue"}}"#
        );
        let command = geartrain_proto::AdminCommand::parse(line.as_bytes()).unwrap();
        let now = world.now();
        world.core.handle_admin(now, conn, &command, &mut world.out);
    }
    world.close(conn);
    assert_eq!(world.next_timeout(), Some(SECOND * 3600), "nothing is to be done for an hour");
    let mut names = std::collections::BTreeSet::new();
    let mut after = 0;
    loop {
        let conn = world.connect();
        let answer = world.admin(conn, &format!(r#"schedule list {{"after":{after}}}"#));
        let answer = if answer.is_empty() { world.committed(1_000_000).concat() } else { answer };
        let mut lines: Vec<&str> = answer.lines().filter(|line| *line != ".").collect();
        let page: serde_json::Value = serde_json::from_str(lines.pop().unwrap()).unwrap();
        for line in lines {
            names.insert(serde_json::from_str::<ScheduleRow>(line).unwrap().schedule.name);
        }
        match page.get("next").and_then(serde_json::Value::as_u64) {
            Some(next) => after = next,
            None => break,
        }
    }
    assert_eq!(names.len(), 10_000);
    world.advance(SECOND * 3600);
    let mut calls = 1;
    while world.next_timeout() == Some(Duration::ZERO) {
        world.advance(Duration::ZERO);
        calls += 1;
    }
    assert_eq!(world.core.jobs(), 10_000);
    assert!(calls <= 6, "{calls} calls");
    assert_eq!(world.next_timeout(), Some(SECOND * 3600));
}

#[test]
fn a_document_that_cannot_be_read_is_left_where_it_is() {
    let mut world = stored();
    add(&mut world, r#""when":"@daily""#);
    for body in [&b"{}"[..], b"\xff", br#"{"source":"set","schedule":{"name":"x","function":"f","when":"never"},"memory":{"paused":false,"anchor":0,"done":0}}"#] {
        world.out.documents.insert((DocumentKind::Schedule, b"x".to_vec()), body.to_vec());
        let mut after = restart(&world, settings(Durability::Stored), &[], 0);
        assert_eq!(persisted(&mut after), ["reserve"]);
        assert_eq!(rows(&mut after, "schedule list").len(), 1);
    }
}

#[test]
fn a_sched_packet_runs_once_at_the_next_time_its_fields_match() {
    let mut world = begun(Settings { time_zone: "Asia/Kolkata".to_owned(), ..settings(Durability::Memory) });
    let client = world.connect();
    let sched = |minute: &'static str, hour: &'static str, weekday: &'static str| Request::SubmitSched {
        function: Function::from("f"),
        unique: Unique::from(""),
        calendar: Calendar {
            minute: minute.as_bytes(),
            hour: hour.as_bytes(),
            day: b"",
            month: b"*",
            weekday: weekday.as_bytes(),
        },
        workload: b"w",
    };
    // It is 03:43:20 on Wednesday there.
    assert_eq!(world.request(client, &sched("45", "3", "2")), ["JOB_CREATED H:localhost:1"]);
    assert_eq!(world.next_timeout(), Some(SECOND * 100));
    let worker = world.connect();
    world.can_do(worker, "f");
    assert_eq!(world.grab(worker), ["NO_JOB"]);
    world.advance(SECOND * 100);
    assert_eq!(world.grab(worker), ["JOB_ASSIGN H:localhost:1 f"]);
    world.complete(worker, "H:localhost:1");
    assert_eq!(world.next_timeout(), None, "once");
    assert_eq!(
        world.request(client, &sched("60", "", "")),
        ["ERROR minute \"60\" of the job's time is not 0 to 59 (hint: empty or * matches any)"]
    );
    assert_eq!(world.core.jobs(), 0);
}

#[test]
fn a_drained_function_gets_no_runs_and_its_drain_ends() {
    let mut world = begun(settings(Durability::Memory));
    add(&mut world, r#""when":"every 10s","overlap":"coalesce""#);
    world.advance(10 * SECOND);
    let worker = world.connect();
    world.can_do(worker, "f");
    world.command(worker, r#"policy set {"function":"f","values":{"draining":true}}"#);
    world.advance(10 * SECOND);
    let row = show(&mut world);
    assert_eq!((row.last_outcome.as_deref(), row.runs, row.skipped, row.failed), (Some("draining"), 1, 1, 0));
    world.grab(worker);
    world.complete(worker, "H:localhost:1");
    world.advance(10 * SECOND);
    assert_eq!((world.core.jobs(), show(&mut world).skipped), (0, 2));
    world.command(worker, r#"policy unset {"function":"f","keys":["draining"]}"#);
    world.advance(10 * SECOND);
    assert_eq!((world.core.jobs(), show(&mut world).runs), (1, 2));
}

#[test]
fn a_server_that_drains_gets_no_runs_that_it_would_hold_in_memory_alone() {
    for (durability, jobs) in [(Durability::Memory, 0), (Durability::Stored, 1)] {
        let mut world = begun(settings(durability));
        add(&mut world, r#""when":"every 10s""#);
        world.core.begin_drain();
        world.advance(10 * SECOND);
        assert_eq!(world.core.jobs(), jobs, "{durability:?}");
    }
}
