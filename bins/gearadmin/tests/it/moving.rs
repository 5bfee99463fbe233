//! Exports and imports against a scripted server, and files that are not what they should be.

use crate::script::{OURS, alone, scripted, tell, tell_with};
use crate::support::{FakeServer, Peer, run};
use geartrain_proto::command::{Command, Item};
use geartrain_proto::{AdminCommand, Message};
use insta::assert_snapshot;
use std::io::Write;
use std::net::TcpListener;

const POLICY: &str = r#"{"kind":"policy","function":"f","values":{"paused":"true"}}"#;
const LETTER: &str = r#"{"kind":"job","origin":"o","number":3,"function":"f","unique":"","priority":"low","workload":{"base64":"AP8="},"not-before":0,"attempts":3,"lost":1,"submitted":5,"shelf":"dead","ended":9,"how":"fail","error":"no","log":[]}"#;

/// A job with this number and a workload of this many bytes.
fn job(number: u64, bytes: usize) -> String {
    format!(
        r#"{{"kind":"job","origin":"o","number":{number},"function":"f","unique":"","priority":"low","workload":"{}","not-before":0,"attempts":0,"lost":0,"submitted":5,"ended":0,"how":"","error":"","log":[]}}"#,
        "x".repeat(bytes)
    )
}

/// A whole file with these items, all of them jobs.
fn export_of(jobs: &[String]) -> String {
    let head = r#"{"geartrain-export":1,"origin":"o:1","made":"m","sections":["jobs"]}"#;
    let count = jobs.len();
    format!(
        "{head}\n{}{{\"geartrain-export-end\":{count},\"counts\":{{\"jobs\":{count}}}}}\n",
        jobs.iter().map(|job| format!("{job}\n")).collect::<String>()
    )
}

/// Answers every import by its number: known where it is odd, refused where `refused` says so.
fn importer(refused: Option<u64>) -> FakeServer<Vec<u64>> {
    FakeServer::start(move |listener: TcpListener| {
        let mut peer = Peer::accept(&listener);
        let mut numbers = Vec::new();
        while let Some(number) = peer.next(number_of) {
            numbers.push(number);
            let reply = if refused == Some(number) {
                "{\"error\":\"the workload is over the limit of 5 bytes\"}\n.\n".to_owned()
            } else {
                let outcome = if number % 2 == 1 { "known" } else { "new" };
                format!("{{\"outcome\":\"{outcome}\"}}\n{{}}\n.\n")
            };
            peer.stream.write_all(reply.as_bytes()).unwrap();
        }
        numbers
    })
}

fn number_of(message: &Message<'_>) -> u64 {
    let Message::Admin(AdminCommand::Typed(Ok(Command::Import(import)))) = message else {
        panic!("no import: {message:?}");
    };
    let Item::Job { number, .. } = &import.item else { panic!("no job: {import:?}") };
    *number
}

fn running(background: bool) -> String {
    format!(
        r#"{{"handle":"H:a:1","function":"f","unique":"","priority":"high","state":"running","background":{background},"submitted":0,"attempts":1,"clients":0}}"#
    )
}

#[test]
fn an_export_has_a_head_its_items_and_an_end() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("queue.jsonl");
    let name = file.to_str().unwrap();
    let told = tell(
        &["export", name],
        &[
            "{\"function\":\"*\",\"values\":{\"attempts\":[\"3\",\"file:*\"]}}\n{\"function\":\"f\",\"values\":{\"attempts\":[\"3\",\"set:f\"]}}\n{}\n",
            &format!("{}\n{}\n{}\n{{}}\n", running(true), running(false), running(true)),
            &format!("{POLICY}\n{{}}\n"),
            "{}\n",
            &format!("{LETTER}\n{{\"next\":4}}\n"),
            "{}\n",
            &format!("{}\n{}\n{{}}\n", job(1, 3), job(2, 3)),
        ],
    );
    assert_snapshot!(told.shown().replace(name, "FILE"), @r#"
    exit Some(0)
    --- stdout
    exported 4 items to FILE: 1 dead letter, 2 jobs, 1 policy, 0 schedules\n
    --- stderr
    not exported: the policies of the configuration file, 1 rule (hint: copy the file, or --with-file-policies)\n
    2 jobs run here now and are in the file: they run again where it is imported (hint: let workers finish and export again)\n
    > policy show {}
    > jobs list {"pick":{"filter":{"state":"running"},"after":0},"limit":0}
    > export {"section":"policies","after":0,"filter":{}}
    > export {"section":"schedules","after":0,"filter":{}}
    > export {"section":"dead","after":0,"filter":{}}
    > export {"section":"dead","after":4,"filter":{}}
    > export {"section":"jobs","after":0,"filter":{}}
    "#);
    let written = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = written.lines().collect();
    assert!(lines[0].starts_with(r#"{"geartrain-export":1,"origin":"127.0.0.1:"#), "{}", lines[0]);
    assert!(lines[0].ends_with(r#""sections":["policies","schedules","dead","jobs"]}"#), "{}", lines[0]);
    assert_eq!(lines[1..5], [POLICY, LETTER, &job(1, 3), &job(2, 3)]);
    let end = r#"{"geartrain-export-end":4,"counts":{"dead":1,"jobs":2,"policies":1,"schedules":0}}"#;
    assert_eq!(lines[5..], [end]);
    let checked = alone(&["import", "--check", name]);
    assert_eq!(
        checked.shown(&[]).replace(name, "FILE"),
        "exit Some(0)\n--- stdout\nFILE is whole: 4 items\\n\n--- stderr\n"
    );
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "nothing else is left in the folder");
}

#[test]
fn policies_of_the_configuration_file_are_exported_where_that_is_said() {
    let rules = [
        r#"{"function":"f","values":{"attempts":["2","file:f"],"timeout":["1m","file:f"]}}"#,
        r#"{"function":"*","values":{"expires":["1d","file:*"]}}"#,
        r#"{"function":"f","values":{"attempts":["3","set:f"]}}"#,
        "{}",
    ];
    let rules = rules.map(|row| row.to_owned() + "\n").concat();
    let told = tell(&["export", "-", "--section", "policies", "--with-file-policies"], &[&rules]);
    let file = String::from_utf8(told.ran.stdout).unwrap();
    let lines: Vec<&str> = file.lines().collect();
    assert_eq!(
        lines[1..],
        [
            r#"{"kind":"policy","function":"*","values":{"expires":"1d"}}"#,
            r#"{"kind":"policy","function":"f","values":{"attempts":"3","timeout":"1m"}}"#,
            r#"{"geartrain-export-end":2,"counts":{"policies":2}}"#,
        ]
    );
    assert_eq!(
        (told.ran.exit, told.ran.stderr, told.asked),
        (Some(0), Vec::new(), vec!["policy show {}".to_owned()])
    );
}

#[test]
fn a_file_that_cannot_be_written_is_named_as_it_was_given() {
    let told = tell(&["export", "/nonexistent/queue.jsonl"], &[]);
    assert_snapshot!(told.shown(), @r"
    exit Some(1)
    --- stdout
    --- stderr
    Error: cannot write /nonexistent/queue.jsonl: entity not found\n
    ");
}

#[test]
fn an_export_that_fails_leaves_the_file_that_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("queue.jsonl");
    std::fs::write(&file, "the old one").unwrap();
    let name = file.to_str().unwrap();
    let told =
        tell(&["export", name, "--section", "jobs"], &["{}\n", "{\"error\":\"the store cannot be read\"}\n"]);
    assert_eq!(told.ran.exit, Some(2));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "the old one");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    let told = alone(&["export", "/nonexistent/x", "-h", "127.0.0.1:1"]);
    assert_eq!(told.exit, Some(1));
}

#[test]
fn dead_letters_alone_are_exported_by_filter_and_taken_in() {
    let told = tell(&["dead", "export", "-", "--function", "f"], &[&format!("{LETTER}\n{{}}\n")]);
    assert_eq!(told.ran.exit, Some(0));
    assert_eq!(told.asked, [r#"export {"section":"dead","after":0,"filter":{"function":"f"}}"#]);
    let file = told.ran.stdout;
    let taken =
        tell_with(&["dead", "import", "-"], &["{\"outcome\":\"new\",\"handle\":\"H:a:7\"}\n{}\n"], &file);
    assert_snapshot!(taken.shown(), @r#"
    exit Some(0)
    --- stdout
    imported 1 item from standard input\n
    --- stderr
    > import {"item":{"kind":"job","origin":"o","number":3,"function":"f","unique":"","priority":"low","workload":{"base64":"AP8="},"not-before":0,"attempts":3,"lost":1,"submitted":5,"shelf":"dead","ended":9,"how":"fail","error":"no","log":[]}}
    "#);
    let jobs = export_of(&[job(1, 3)]);
    let refused = crate::support::start(OURS, &["dead", "import", "-"], &[], jobs.as_bytes()).end();
    assert_snapshot!(refused.shown(&[]), @r#"
    exit Some(1)
    --- stdout
    --- stderr
    Error: standard input has more in it than dead letters: jobs (hint: gearadmin import takes all of it in)\n
    "#);
}

#[test]
fn many_items_go_out_before_the_first_is_answered_and_all_arrive_in_order() {
    let jobs: Vec<String> =
        (0..1500).map(|number| job(number, if number % 100 == 0 { 50_000 } else { 10 })).collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), export_of(&jobs)).unwrap();
    let server = importer(None);
    let host = format!("127.0.0.1:{}", server.port);
    let name = file.path().to_str().unwrap();
    let ran = run(OURS, &["import", name, "-h", &host], b"");
    let shown = ran.shown(&[]).replace(name, "FILE");
    assert_snapshot!(shown, @r#"
    exit Some(0)
    --- stdout
    imported 750 items from FILE; 750 were known already\n
    --- stderr
    "#);
    // The longest is looked at before all others.
    assert_eq!(server.join(), std::iter::once(1000).chain(0..1500).collect::<Vec<u64>>());
}

#[test]
fn an_import_stops_at_what_the_server_refuses_and_says_how_far_it_came() {
    let jobs: Vec<String> = (0..1000).map(|number| job(number, 10)).collect();
    let server = importer(Some(10));
    let host = format!("127.0.0.1:{}", server.port);
    let ran = run(OURS, &["import", "-", "-h", &host], export_of(&jobs).as_bytes());
    assert_snapshot!(ran.shown(&[]), @r#"
    exit Some(2)
    --- stdout
    --- stderr
    Error: standard input: line 12: the workload is over the limit of 5 bytes; all up to line 11 is in, 127 items were new and 128 known in all (hint: mend the file and import it again, nothing is doubled)\n
    "#);
    assert_eq!(server.join().len(), 256);
}

#[test]
fn a_server_that_refuses_and_closes_is_heard_though_sending_fails() {
    let server = FakeServer::start(|listener: TcpListener| {
        let mut peer = Peer::accept(&listener);
        peer.next(number_of);
        peer.stream.write_all(b"{\"outcome\":\"new\"}\n{}\n.\n").unwrap();
        peer.next(number_of);
        peer.stream.write_all(b"ERR LINE_TOO_LONG the line is too long\r\n").unwrap();
        // Much of what is under way is not read: whoever sends on is told that the connection is gone.
    });
    let jobs: Vec<String> = (1..=60).map(|number| job(number, 300_000)).collect();
    let host = format!("127.0.0.1:{}", server.port);
    let ran = run(OURS, &["import", "-", "-h", &host], export_of(&jobs).as_bytes());
    server.join();
    let shown = ran.shown(&[]);
    assert!(shown.contains("the line is too long; nothing is taken in"), "{shown}");
}

#[test]
fn a_file_with_something_wrong_in_it_reaches_no_server() {
    let whole = export_of(&[job(1, 3), job(2, 3)]);
    for (file, expected) in [
        (whole[..whole.len() - 30].to_owned(), "Error: standard input: line 4 is cut off"),
        (
            whole.replace("\"low\"", "\"urgent\""),
            "Error: standard input: line 2 is not an item of an export: unknown variant `urgent`, expected one of `high`, `normal`, `low`\n",
        ),
        (
            whole.replace("export\":1", "export\":9"),
            "Error: standard input: line 1 has version 9 of the export, and this gearadmin reads up to 1",
        ),
        ("#!/bin/sh\n".to_owned(), "Error: standard input: line 1 is not the head of an export"),
    ] {
        // A command would be a failure of the script, which has no answer for it.
        let server = scripted(Vec::new());
        let host = format!("127.0.0.1:{}", server.port);
        let ran = run(OURS, &["import", "-", "-h", &host], file.as_bytes());
        let stderr = String::from_utf8(ran.stderr).unwrap();
        assert_eq!((ran.exit, ran.stdout.len()), (Some(1), 0));
        assert!(stderr.starts_with(expected), "{stderr}");
        // The tool did not even connect; the script waits for somebody.
        drop(std::net::TcpStream::connect(&host).unwrap());
        assert!(server.join().is_empty());
    }
}
