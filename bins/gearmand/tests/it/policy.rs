//! Policies: from the configuration file and set at run time, also after a power cut.

use crate::peer::submit;
use crate::process::{Gearmand, wait_until};
use geartrain_proto::{Function, GrabKind, Handle, PacketKind, Request, Response, SubmitMode};
use nix::sys::signal::Signal;
use std::fs;
use tempfile::TempDir;

const CAN_RESIZE: Request<'_> = Request::CanDo { function: Function::new(b"image.resize") };
const GRAB: Request<'_> = Request::Grab(GrabKind::Plain);
const SHOW: &str = r#"policy show {"function":"image.resize"}"#;
const LIST: &str = "schedule list {}";
const ARGUMENTS: [&str; 3] = ["--verbose=NOTICE", "--config-file=gearmand.toml", "--libsqlite3-db=queue.db"];

/// What is shown of a key.
fn value(shown: &[String], key: &str) -> String {
    let row = shown.first().unwrap();
    let at = row.find(&format!("\"{key}\":[")).unwrap_or_else(|| panic!("{key} in {row}"));
    row[at..].split_inclusive(']').next().unwrap().to_owned()
}

#[test]
fn what_was_set_at_run_time_survives_a_power_cut_and_counts_before_the_file() {
    let folder = TempDir::new().unwrap();
    fs::write(
        folder.path().join("gearmand.toml"),
        "[function.\"image.*\"]\ntimeout = \"90s\"\nmax-running = 1\npaused = false\n",
    )
    .unwrap();
    let server = Gearmand::start_in(folder, &ARGUMENTS);
    let (mut person, mut worker) = (server.connect(), server.connect());
    for _ in 0..2 {
        person.send(&[submit("image.resize", SubmitMode::Background, b"")]);
        person.body_of(PacketKind::JobCreated);
    }
    worker.send(&[CAN_RESIZE, GRAB]);
    worker.body_of(PacketKind::JobAssign);
    worker.send(&[GRAB]);
    worker.expect(&Response::NoJob);
    let set = person.listing(
        r#"policy set {"function":"image.resize","values":{"attempts":3,"retry-on":["fail"],"paused":true}}"#,
    );
    assert_eq!(value(&set, "paused"), "\"paused\":[\"true\",\"set:image.resize\"]");

    let server = Gearmand::start_in(server.kill(), &ARGUMENTS);
    let (mut person, mut worker) = (server.connect(), server.connect());
    let shown = person.listing(SHOW);
    assert_eq!(value(&shown, "attempts"), "\"attempts\":[\"3\",\"set:image.resize\"]");
    assert_eq!(value(&shown, "timeout"), "\"timeout\":[\"1m30s\",\"file:image.*\"]");
    assert_eq!(value(&shown, "lost-workers"), "\"lost-workers\":[\"3\",\"default\"]");
    worker.send(&[CAN_RESIZE, GRAB]);
    worker.expect(&Response::NoJob);
    person.listing(r#"policy unset {"function":"image.resize","keys":["paused"]}"#);
    worker.send(&[GRAB]);
    worker.body_of(PacketKind::JobAssign);

    let server = Gearmand::start_in(server.kill(), &ARGUMENTS);
    let shown = server.connect().listing(SHOW);
    assert_eq!(value(&shown, "paused"), "\"paused\":[\"false\",\"file:image.*\"]");
    assert_eq!(value(&shown, "retry-on"), "\"retry-on\":[\"fail\",\"set:image.resize\"]");
}

#[test]
fn a_wrong_policy_on_the_port_is_refused_in_one_sentence() {
    let server = Gearmand::start(&["--queue-type=builtin"]);
    let refused = server.connect().listing(r#"policy set {"function":"f","values":{"attempts":"many"}}"#);
    assert_eq!(
        refused.concat().trim_end(),
        "{\"error\":\"policy of 'f': attempts cannot be 'many': it takes a number from 1 to 1000000, or none\"}"
    );
}

#[test]
fn a_queue_that_is_written_at_the_end_says_what_cannot_be_read_before() {
    let arguments = ["--store-queue-on-shutdown", "--libsqlite3-db=queue.db"];
    let mut server = Gearmand::start(&arguments);
    server.wait_for_line("gearmand: the queue is written when the server ends: dead letters");
    let (mut person, mut worker) = (server.connect(), server.connect());
    person.listing(r#"policy set {"function":"image.resize","values":{"attempts":1,"retry-on":["fail"]}}"#);
    person.send(&[submit("image.resize", SubmitMode::Background, b"")]);
    person.body_of(PacketKind::JobCreated);
    worker.send(&[CAN_RESIZE, GRAB]);
    let body = worker.body_of(PacketKind::JobAssign);
    let handle = body.split(|byte| *byte == 0).next().unwrap();
    worker.send(&[Request::WorkFail { handle: Handle::new(handle) }, GRAB]);
    worker.expect(&Response::NoJob);
    let list = r#"dead list {"shelf":"dead","filter":{},"after":0,"limit":0}"#;
    assert_eq!(person.listing("dead groups {}").len(), 2, "it is counted");
    assert_eq!(person.listing(list).len(), 1, "and not listed");
    // One whose change is on its way to the store is not looked for yet.
    wait_until("an export is refused", || {
        let export = person.listing(r#"export {"section":"dead"}"#).concat();
        export.starts_with(r#"{"error":"export: 1 dead letters cannot be read"#)
    });
    server.signal(Signal::SIGTERM);
    server.wait();
    let folder = server.kill();
    let server = Gearmand::start_in(folder, &arguments);
    assert_eq!(server.connect().listing(list).len(), 2, "it was written at the end");
}

#[test]
fn sighup_takes_the_policies_and_schedules_of_the_file_or_nothing_of_it() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("gearmand.toml");
    fs::write(&file, "[function.\"image.*\"]\npaused = true\n").unwrap();
    let server = Gearmand::start_in(folder, &ARGUMENTS);
    let (mut person, mut worker) = (server.connect(), server.connect());
    person.send(&[submit("image.resize", SubmitMode::Background, b"")]);
    person.body_of(PacketKind::JobCreated);
    worker.send(&[CAN_RESIZE, GRAB]);
    worker.expect(&Response::NoJob);
    let schedule = "[schedule.nightly]\nfunction = \"report\"\nwhen = \"@daily\"\n";
    fs::write(&file, format!("[function.\"image.*\"]\nattempts = 4\n{schedule}")).unwrap();
    server.signal(Signal::SIGHUP);
    server.wait_for_text(
        "SIGHUP, configuration file read again: functions with another policy: 1, schedules changed: 1",
    );
    worker.send(&[GRAB]);
    worker.body_of(PacketKind::JobAssign);
    assert_eq!(value(&person.listing(SHOW), "attempts"), "\"attempts\":[\"4\",\"file:image.*\"]");
    assert_eq!(person.listing(LIST).len(), 2, "the schedule, and the end of the page");

    fs::write(&file, "[function.\"image.*\"]\nattempts = 5\ntimeout = \"soon\"\n").unwrap();
    server.signal(Signal::SIGHUP);
    server.wait_for_text(
        "SIGHUP, the configuration file is not taken, all stays as it was: gearmand.toml:3: function 'image.*': ",
    );
    assert_eq!(value(&person.listing(SHOW), "attempts"), "\"attempts\":[\"4\",\"file:image.*\"]");
    assert_eq!(person.listing(LIST).len(), 2, "its schedule goes on");

    fs::remove_file(&file).unwrap();
    server.signal(Signal::SIGHUP);
    server.wait_for_text(
        "all stays as it was: Could not open configuration file gearmand.toml: it does not exist",
    );
    assert_eq!(value(&person.listing(SHOW), "attempts"), "\"attempts\":[\"4\",\"file:image.*\"]");
}
