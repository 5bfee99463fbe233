//! The configuration file, read again while the queue runs.

use crate::world::World;
use geartrain_core::{
    Document, Durability, FileRule, Limits, NewFile, ReloadError, Reloaded, Settings, Stored,
};
use geartrain_proto::SubmitMode::Background;
use geartrain_proto::command::ScheduleAdd;
use std::time::Duration;

/// More than two portions of schedules.
const MANY: usize = 2_500;

fn rule(pattern: &str, values: &[(&str, &str)]) -> FileRule {
    let values = values.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    FileRule { pattern: pattern.as_bytes().to_vec(), values }
}

fn schedule(name: &str, when: &str) -> ScheduleAdd {
    serde_json::from_str(&format!(r#"{{"name":"{name}","function":"s","when":"{when}"}}"#)).unwrap()
}

/// As the worlds of these tests are, but for what stands in the file.
fn settings() -> Settings {
    let limits = Limits { schedules_max: MANY, ..Limits::default() };
    Settings { limits, ..Settings::default() }
}

fn begun(rules: Vec<FileRule>, schedules: Vec<ScheduleAdd>) -> World {
    let mut world = World::new(Settings { rules, schedules, ..settings() });
    world.loaded();
    world
}

fn reload(world: &mut World, rules: &[FileRule], schedules: &[ScheduleAdd]) -> Result<Reloaded, ReloadError> {
    reload_steps(world, rules, schedules).map(|(reloaded, _)| reloaded)
}

/// Reloads, and says what the steps wrote.
fn reload_steps(
    world: &mut World,
    rules: &[FileRule],
    schedules: &[ScheduleAdd],
) -> Result<(Reloaded, Vec<usize>), ReloadError> {
    let now = world.now();
    let mut file = NewFile::new(&settings(), rules, schedules, now.unix)?;
    let mut written = Vec::new();
    loop {
        world.take_persisted();
        let done = world.core.reload(now, &mut file, &mut world.out)?;
        world.core.check_all();
        written.push(world.out.persisted.len());
        if let Some(reloaded) = done {
            return Ok((reloaded, written));
        }
    }
}

/// Names, times and counts of runs of all schedules.
fn schedules(world: &mut World) -> Vec<String> {
    let conn = world.connect();
    let (rows, _) = world.command(conn, "schedule list {}");
    let rows = rows.iter().filter(|row| row.get("name").is_some());
    let text = |row: &serde_json::Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    rows.map(|row| {
        let (name, when, source) = (text(row, "name"), text(row, "when"), text(row, "source"));
        format!("{name} {when} {source} {}", row["runs"])
    })
    .collect()
}

#[test]
fn policies_of_the_file_are_replaced_and_open_or_shut_their_gates_at_once() {
    let mut world = begun(vec![rule("f", &[("paused", "true")]), rule("g", &[("max-running", "3")])], vec![]);
    let (client, worker) = (world.connect(), world.connect());
    world.can_do(worker, "f");
    world.can_do(worker, "g");
    world.submit(client, "f", "", Background);
    world.request(worker, &geartrain_proto::Request::PreSleep);
    let changed = reload(&mut world, &[rule("g", &[("max-running", "3")])], &[]);
    assert_eq!(changed, Ok(Reloaded { functions: 1, schedules: 0 }), "g has the same policy");
    assert_eq!(world.advance(Duration::ZERO), ["NOOP"], "the worker is told of what it may do now");
    assert_eq!(world.grab(worker), ["JOB_ASSIGN H:localhost:1 f"]);
}

#[test]
fn what_was_set_at_run_time_counts_before_the_new_file_too() {
    let mut world = begun(vec![], vec![]);
    let client = world.connect();
    world.submit(client, "f", "", Background);
    world.command(client, r#"policy set {"function":"f","values":{"attempts":7}}"#);
    reload(&mut world, &[rule("f", &[("attempts", "2"), ("expires", "1h")])], &[]).unwrap();
    let (rows, _) = world.command(client, r#"policy show {"function":"f"}"#);
    assert_eq!(rows[0]["values"]["attempts"], serde_json::json!(["7", "set:f"]));
    assert_eq!(rows[0]["values"]["expires"], serde_json::json!(["1h", "file:f"]));
}

#[test]
fn schedules_of_the_file_begin_change_and_end_and_keep_what_they_were() {
    let before =
        [schedule("same", "every 10s"), schedule("other", "every 10s"), schedule("gone", "every 10s")];
    let mut world = begun(vec![], before.to_vec());
    let conn = world.connect();
    world.command(conn, r#"schedule add {"name":"own","function":"s","when":"every 1h"}"#);
    world.advance(Duration::from_secs(10));
    let after = [schedule("same", "every 10s"), schedule("other", "every 20s"), schedule("new", "every 5s")];
    assert_eq!(reload(&mut world, &[], &after), Ok(Reloaded { functions: 0, schedules: 3 }));
    assert_eq!(
        schedules(&mut world),
        ["same every 10s file 1", "other every 20s file 1", "own every 1h set 0", "new every 5s file 0"]
    );
    world.advance(Duration::from_secs(10));
    assert_eq!(schedules(&mut world)[0], "same every 10s file 2");
    assert_eq!(schedules(&mut world)[1], "other every 20s file 1", "its times begin at the reload");
    assert_eq!(reload(&mut world, &[], &after), Ok(Reloaded::default()), "nothing changed");
}

#[test]
fn a_file_with_something_wrong_changes_nothing() {
    let file = [rule("f", &[("attempts", "2")])];
    let mut world = begun(file.to_vec(), vec![schedule("same", "every 10s")]);
    let before = schedules(&mut world);
    let good = rule("f", &[("attempts", "3")]);
    let wrong = reload(&mut world, &[good.clone(), rule("g", &[("attempts", "many")])], &[]);
    let error = wrong.unwrap_err().to_string();
    assert!(error.starts_with(r#"policy of function "g": "#), "{error}");
    let wrong = reload(&mut world, &[good], &[schedule("same", "every 0s")]);
    assert!(wrong.unwrap_err().to_string().starts_with("schedule same: "));
    let conn = world.connect();
    let (rows, _) = world.command(conn, r#"policy show {"function":"f"}"#);
    assert_eq!(rows[0]["values"]["attempts"], serde_json::json!(["2", "file:f"]));
    assert_eq!(schedules(&mut world), before);
}

#[test]
fn a_schedule_that_was_added_stays_beside_one_of_its_name_in_the_file() {
    let mut world = begun(vec![], vec![]);
    let conn = world.connect();
    world.command(conn, r#"schedule add {"name":"own","function":"s","when":"every 1h"}"#);
    assert_eq!(reload(&mut world, &[], &[schedule("own", "every 10s")]), Ok(Reloaded::default()));
    assert_eq!(world.out.hidden, ["own"], "and the log says so");
    assert_eq!(schedules(&mut world), ["own every 1h set 0"]);
    let documents = world.out.documents.clone();
    assert_eq!(reload(&mut world, &[], &[]), Ok(Reloaded::default()));
    assert_eq!(schedules(&mut world), ["own every 1h set 0"], "nor does it end with the one in the file");

    // So it is at a start.
    let given = vec![schedule("own", "every 10s")];
    let mut world = World::new(Settings { schedules: given.clone(), ..settings() });
    for ((kind, name), body) in &documents {
        let document = Document { kind: *kind, name, body: Some(body) };
        world.core.load(world.now, Stored::Document(document), &mut world.out);
    }
    world.loaded();
    assert_eq!(world.out.hidden, ["own"]);
    assert_eq!(schedules(&mut world), ["own every 1h set 0"]);
    let conn = world.connect();
    world.command(conn, r#"schedule remove {"name":"own"}"#);
    assert_eq!(reload(&mut world, &[], &given).unwrap().schedules, 1);
    assert_eq!(schedules(&mut world), ["own every 10s file 0"]);
}

#[test]
fn a_reload_counts_every_function_that_has_another_policy() {
    let mut world = World::new(Settings { portion: 3, ..settings() });
    world.loaded();
    let client = world.connect();
    for number in 0..20 {
        world.submit(client, &format!("f{number}"), "u", Background);
    }
    let paused = [rule("f*", &[("paused", "true")])];
    assert_eq!(reload(&mut world, &paused, &[]), Ok(Reloaded { functions: 20, schedules: 0 }));
}

/// The timer does portions as well, and others keep passes of their own under way.
#[test]
fn a_reload_waits_for_its_own_pass_and_counts_what_others_do_of_it() {
    let mut world = World::new(Settings { portion: 3, ..settings() });
    world.loaded();
    let person = world.connect();
    for number in 0..20 {
        world.submit(person, &format!("f{number}"), "u", Background);
    }
    let mut file =
        NewFile::new(&settings(), &[rule("f*", &[("paused", "true")])], &[], world.now().unix).unwrap();
    for step in 0.. {
        assert!(step < 40, "it ends though a pass is always under way");
        world.command(person, r#"policy set {"function":"x*","values":{"paused":true}}"#);
        world.advance(Duration::ZERO);
        let now = world.now();
        if let Some(reloaded) = world.core.reload(now, &mut file, &mut world.out).unwrap() {
            assert_eq!(reloaded, Reloaded { functions: 20, schedules: 0 });
            break;
        }
    }
}

#[test]
fn very_many_schedules_are_taken_in_and_end_in_portions() {
    let mut world = begun(vec![], vec![]);
    let all: Vec<ScheduleAdd> =
        (0..MANY).map(|number| schedule(&format!("s{number}"), "every 10s")).collect();
    for file in [&all[..], &[]] {
        let (reloaded, written) = reload_steps(&mut world, &[], file).unwrap();
        assert_eq!(reloaded.schedules, MANY as u64);
        assert!(written.iter().all(|count| *count <= 2048), "{written:?}");
        assert_eq!(written.iter().sum::<usize>(), MANY);
        assert_eq!(schedules(&mut world).len().min(1), file.len().min(1));
    }
    let one_more: Vec<ScheduleAdd> = all.into_iter().chain([schedule("more", "every 10s")]).collect();
    let error = reload(&mut world, &[], &one_more).unwrap_err().to_string();
    assert_eq!(error, "2501 schedules are over the limit of 2500");
}

#[test]
fn large_schedules_are_written_in_portions() {
    let mut world = begun(vec![], vec![]);
    let large = |number: u32| ScheduleAdd {
        workload: "w".repeat(600_000).as_str().into(),
        ..schedule(&format!("s{number}"), "every 10s")
    };
    let all: Vec<ScheduleAdd> = (0..5).map(large).collect();
    let (_, written) = reload_steps(&mut world, &[], &all).unwrap();
    assert_eq!(written.iter().filter(|count| **count > 0).collect::<Vec<_>>(), [&2, &2, &1]);
}

#[test]
fn a_due_time_comes_again_though_the_file_changed_between_a_run_and_the_fault_of_its_write() {
    let durability = Durability::Stored;
    let file = schedule("own", "every 10s");
    let mut world = World::new(Settings { schedules: vec![file.clone()], durability, ..settings() });
    world.loaded();
    world.advance(Duration::from_secs(10));
    assert_eq!(schedules(&mut world), ["own every 10s file 1"]);
    let changed = ScheduleAdd { workload: "other".into(), ..file };
    assert_eq!(reload(&mut world, &[], &[changed]).unwrap().schedules, 1);
    let last = world.out.persisted.last().unwrap().0.number();
    world.store_failed(last);
    assert_eq!(schedules(&mut world), ["own every 10s file 0"], "it is no run");
    world.core.handle_store_ready();
    world.advance(Duration::ZERO);
    assert_eq!(schedules(&mut world), ["own every 10s file 1"]);
    assert_eq!(world.core.jobs(), 1);
}
