//! Policies by command: what is answered, what is written, what follows at once.

use crate::world::{Outputs, World};
use geartrain_core::{
    ConnId, Core, Document, DocumentKind, Durability, FileRule, Now, Settings, SettingsError, Stored,
};
use geartrain_proto::SubmitMode::Background;
use geartrain_proto::{AdminCommand, Function, GrabKind, Priority, Request, Submit, Unique};

fn world() -> World {
    let mut world = World::new(Settings { durability: Durability::Stored, ..Settings::default() });
    world.loaded();
    world.take_persisted();
    world.committed(1);
    world
}

fn rule(pattern: &str, key: &str, value: &str) -> FileRule {
    FileRule { pattern: pattern.as_bytes().to_vec(), values: vec![(key.to_owned(), value.to_owned())] }
}

const PAUSE: &str = r#"policy set {"function":"image.*","values":{"paused":true}}"#;
const RESUME: &str = r#"policy unset {"function":"image.*","keys":["paused"]}"#;

/// I17: the answer.
#[test]
fn a_policy_is_in_force_at_once_and_answered_when_it_is_durable() {
    let mut world = world();
    let (person, worker) = (world.connect(), world.connect());
    world.can_do(worker, "image.resize");
    world.submit(person, "image.resize", "", Background);
    world.take_persisted();
    assert_eq!(world.admin(person, PAUSE), "", "it is not durable yet");
    let [(ticket, document)] = world.take_persisted().try_into().unwrap();
    assert_eq!(document, "document image.*");
    assert_eq!(world.grab(worker), ["NO_JOB"]);
    let answer = "{\"function\":\"image.*\",\"values\":{\"paused\":[\"true\",\"set:image.*\"]}}\n{}\n.\n";
    assert_eq!(world.committed(ticket).last().unwrap(), answer);
    assert_eq!(world.admin(person, RESUME), "");
    let [(ticket, _)] = world.take_persisted().try_into().unwrap();
    assert_eq!(world.committed(ticket), ["{\"function\":\"image.*\",\"values\":{}}\n{}\n.\n"]);
    assert_eq!(world.grab(worker).len(), 1);
}

#[test]
fn the_log_counts_the_values_of_a_rule_that_changed() {
    let mut world = world();
    let person = world.connect();
    world.admin(person, r#"policy set {"function":"f","values":{"attempts":3,"paused":true,"rate":"5/s"}}"#);
    world.admin(person, r#"policy set {"function":"f","values":{"attempts":4,"paused":true}}"#);
    world.admin(person, r#"policy set {"function":"f","values":{"attempts":4}}"#);
    world.admin(person, r#"policy unset {"function":"f","keys":["rate"]}"#);
    world.admin(person, r#"policy unset {"function":"f"}"#);
    let expected = ["policy set: 3", "policy set: 1", "policy set: 0", "policy unset: 1", "policy unset: 2"];
    assert_eq!(world.out.steered, expected);
}

#[test]
fn a_function_that_comes_later_has_the_policy_as_well() {
    let mut world = world();
    let (person, worker) = (world.connect(), world.connect());
    world.admin(person, PAUSE);
    world.can_do(worker, "image.crop");
    world.can_do(worker, "sound.crop");
    world.submit(person, "image.crop", "", Background);
    assert_eq!(world.grab(worker), ["NO_JOB"]);
    world.submit(person, "sound.crop", "", Background);
    assert_ne!(world.grab(worker), ["NO_JOB"]);
}

#[test]
fn a_sleeping_worker_is_woken_when_a_pause_ends() {
    let mut world = world();
    let (person, worker) = (world.connect(), world.connect());
    world.can_do(worker, "image.resize");
    world.admin(person, PAUSE);
    world.submit(person, "image.resize", "", Background);
    world.request(worker, &Request::PreSleep);
    let answer = world.admin(person, RESUME);
    assert_eq!(answer, "NOOP");
}

/// I17: a refusal.
#[test]
fn a_wrong_policy_is_one_sentence_and_changes_nothing() {
    let mut world = world();
    let person = world.connect();
    let refused = [
        (
            r#"policy set {"function":"f","values":{"attempts":3,"timeout":"soon"}}"#,
            "policy of 'f': timeout cannot be 'soon': it takes a time from 1ms to 3650d such as 250ms, 90s, 1h30m or \
             7d, or none",
        ),
        (
            r#"policy set {"function":"f","values":{"attemps":3}}"#,
            "policy of 'f': there is no policy 'attemps' (hint: did you mean 'attempts'?)",
        ),
        (
            r#"policy set {"function":"f","values":{}}"#,
            "policy of 'f': no value is given (hint: one such as attempts 3)",
        ),
        (
            r#"policy unset {"function":"f"}"#,
            "policy of 'f': no policy was set for 'f' at run time (hint: policy show lists what was)",
        ),
        (
            r#"policy show {"function":"g*"}"#,
            "there is no policy for 'g*' (hint: policy show without a pattern lists all)",
        ),
    ];
    for (line, error) in refused {
        assert_eq!(world.admin(person, line), format!("{{\"error\":\"{error}\"}}\n.\n"));
    }
    assert_eq!(world.take_persisted(), []);
    assert_eq!(world.admin(person, "policy show"), "{}\n.\n");
}

#[test]
fn what_is_shown_says_where_it_comes_from() {
    let rules = vec![rule("*", "timeout", "90s"), rule("f", "attempts", "3")];
    let mut world = World::new(Settings { rules, job_retries: 7, ..Settings::default() });
    let person = world.connect();
    world.admin(person, r#"policy set {"function":"f","values":{"rate":0.5,"retry-on":["fail"]}}"#);
    let shown = world.admin(person, r#"policy show {"function":"f"}"#);
    for part in [
        r#""attempts":["3","file:f"]"#,
        r#""lost-workers":["3","default"]"#,
        r#""rate":["0.5","set:f"]"#,
        r#""retry-on":["fail","set:f"]"#,
        r#""timeout":["1m30s","file:*"]"#,
        r#""paused":["false","default"]"#,
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    let other = world.admin(person, r#"policy show {"function":"g"}"#);
    assert!(other.contains(r#""attempts":["7","default"]"#), "{other}");
    let all = world.admin(person, "policy show");
    assert_eq!(all.lines().count(), 5, "{all}");
    assert!(
        all.starts_with("{\"function\":\"*\",\"values\":{\"timeout\":[\"1m30s\",\"file:*\"]}}\n"),
        "{all}"
    );
}

#[test]
fn a_wrong_rule_of_the_file_is_refused_before_there_is_a_queue() {
    let rules = vec![rule("a", "attempts", "3"), rule("image.*", "attempts", "-3")];
    let error = Core::new(Settings { rules, ..Settings::default() }).unwrap_err();
    assert!(matches!(error, SettingsError::Policy { .. }));
    assert_eq!(
        error.to_string(),
        "policy of function \"image.*\": attempts cannot be '-3': it takes a number from 1 to 1000000, or none"
    );
}

fn load(world: &mut World, name: &str, body: &[u8]) {
    let document = Document { kind: DocumentKind::Policy, name: name.as_bytes(), body: Some(body) };
    world.core.load(Now::default(), Stored::Document(document), &mut world.out);
}

#[test]
fn stored_policies_come_back_and_an_unreadable_one_is_left_as_it_is() {
    let mut world = World::new(Settings { durability: Durability::Stored, ..Settings::default() });
    load(&mut world, "broken", b"{\"order\":1,\"values\":{\"attempts\":\"3\"");
    load(&mut world, "newer", b"{\"order\":1,\"values\":{\"colour\":\"red\"}}");
    load(&mut world, "image.*", b"{\"order\":2,\"values\":{\"paused\":\"true\"}}");
    assert_eq!(world.take_persisted(), [], "nothing of them is written anew, or forgotten");
    world.loaded();
    let (person, worker) = (world.connect(), world.connect());
    world.can_do(worker, "image.resize");
    world.submit(person, "image.resize", "", Background);
    assert_eq!(world.grab(worker), ["NO_JOB"]);
    assert_eq!(
        world.admin(person, "policy show"),
        "{\"function\":\"image.*\",\"values\":{\"paused\":[\"true\",\"set:image.*\"]}}\n{}\n.\n"
    );
}

#[test]
fn a_change_that_is_not_durable_is_answered_as_such() {
    let mut world = world();
    let person = world.connect();
    world.admin(person, PAUSE);
    let [(ticket, _)] = world.take_persisted().try_into().unwrap();
    let answer = world.store_failed(ticket).concat();
    assert!(answer.starts_with("{\"error\":\"what was changed is in force but not on disk"), "{answer}");
}

/// A queue that has this many functions, `f0` and on, with a job each, and a connection to it.
fn with_functions(count: u32) -> (Core, Outputs, ConnId) {
    let mut core = Core::new(Settings::default()).unwrap();
    let mut out = Outputs::default();
    let conn = core.handle_connected(3, "127.0.0.1");
    for number in 0..count {
        let name = format!("f{number}");
        let request = Request::Submit(Submit {
            function: Function::from(name.as_str()),
            unique: Unique::from(""),
            priority: Priority::Normal,
            mode: Background,
            reducer: None,
            workload: b"",
        });
        core.handle_request(Now::default(), conn, &request, &mut out);
    }
    (core, out, conn)
}

fn pause_all(core: &mut Core, conn: ConnId, out: &mut Outputs) {
    let line = br#"policy set {"function":"f*","values":{"paused":true}}"#;
    core.handle_admin(Now::default(), conn, &AdminCommand::parse(line).unwrap(), out);
}

/// Every function is looked at once for a rule, in portions, and all of them share what follows.
#[test]
fn a_hundred_thousand_functions_have_a_policy_when_it_is_answered() {
    let (mut core, mut out, conn) = with_functions(100_000);
    pause_all(&mut core, conn, &mut out);
    assert_eq!(out.persisted.last().unwrap().1, "document f*");
    core.handle_committed(Now::default(), out.persisted.last().unwrap().0, &mut out);
    let mut steps = 0;
    while core.poll_timeout(Now::default()).is_some() {
        assert!(!out.sent.last().unwrap().1.ends_with(".\n"), "it is not in force yet");
        core.handle_timeout(Now::default(), &mut out);
        steps += 1;
    }
    assert!(out.sent.last().unwrap().1.ends_with(".\n"), "{:?}", out.sent.last());
    assert!((40..=60).contains(&steps), "{steps} portions");
    let worker = core.handle_connected(4, "127.0.0.1");
    for number in [0, 31_415, 99_999] {
        let name = format!("f{number}");
        let can_do = Request::CanDo { function: Function::from(name.as_str()) };
        core.handle_request(Now::default(), worker, &can_do, &mut out);
    }
    core.handle_request(Now::default(), worker, &Request::Grab(GrabKind::Plain), &mut out);
    assert_eq!(out.sent.last().unwrap().1, "NO_JOB");
}

#[test]
fn each_of_several_policies_at_once_is_answered_when_it_is_in_force() {
    let (mut core, mut out, conn) = with_functions(5_000);
    out.sent.clear();
    for _ in 0..3 {
        pause_all(&mut core, conn, &mut out);
    }
    core.handle_committed(Now::default(), out.persisted.last().unwrap().0, &mut out);
    let answers = |out: &Outputs| out.sent.iter().filter(|(_, what)| what.ends_with(".\n")).count();
    let mut answered = vec![answers(&out)];
    while core.poll_timeout(Now::default()).is_some() {
        core.handle_timeout(Now::default(), &mut out);
        answered.push(answers(&out));
    }
    // What came while the first pass was under way is done with the second one.
    assert_eq!(answered, [0, 0, 1, 1, 1, 3]);
    core.check_all();
}

#[test]
fn while_the_store_takes_no_changes_a_command_says_so_at_once() {
    let mut world = world();
    let person = world.connect();
    world.store_failed(1);
    let answer = world.admin(person, PAUSE);
    assert!(answer.starts_with("{\"error\":\"what was changed is in force but not on disk"), "{answer}");
    let (worker, client) = (world.connect(), world.connect());
    world.can_do(worker, "image.resize");
    world.submit(client, "image.resize", "", geartrain_proto::SubmitMode::Foreground);
    assert_eq!(world.grab(worker), ["NO_JOB"], "it is in force");
}

#[test]
fn an_import_that_is_only_looked_at_takes_nothing_in() {
    let mut world = World::new(Settings::default());
    let person = world.connect();
    for item in [
        r#"{"kind":"policy","function":"f","values":{"paused":"true"}}"#,
        r#"{"kind":"schedule","schedule":{"name":"s","when":"@hourly","function":"f"},"paused":false}"#,
    ] {
        let (rows, _) = world.command(person, &format!(r#"import {{"item":{item},"check":true}}"#));
        assert_eq!(rows[0]["outcome"], "checked", "{rows:?}");
    }
    let (rows, _) = world.command(person, r#"schedule list {}"#);
    assert_eq!(rows.len(), 1, "{rows:?}");
    let (rows, _) = world.command(person, r#"policy show {"function":"f"}"#);
    assert!(!rows[0].to_string().contains("\"paused\":\"true\""), "{rows:?}");
}
