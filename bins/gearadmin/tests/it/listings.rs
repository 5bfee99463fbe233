//! What a real server says, printed as the reference prints it.

use crate::support::{Ran, Server, run, start};
use geartrain_proto::{Function, Priority, Request, Response, Submit, SubmitMode, Unique};
use insta::assert_snapshot;

const OURS: &str = env!("CARGO_BIN_EXE_gearadmin");
const REFERENCE: &str = "/usr/bin/gearadmin";

fn ours(server: &Server, arguments: &[&str]) -> Ran {
    run(OURS, &[&["-h", "127.0.0.1", "-p", &server.port.number.to_string()], arguments].concat(), b"")
}

fn submit(server: &Server, function: &str, unique: &str, priority: Priority) {
    let mut connection = server.connect();
    let submit = Request::Submit(Submit {
        function: Function::from(function),
        unique: Unique::from(unique),
        priority,
        mode: SubmitMode::Background,
        reducer: None,
        workload: b"w",
    });
    connection.send(&submit, "testing").unwrap();
    let created = connection.receive(Some(crate::support::LIMIT), "testing").unwrap();
    assert!(matches!(created, Response::JobCreated { .. }));
}

/// Without the lines of `workers`: they show connections, also those that are just going.
const ACTIONS: &[&[&str]] = &[
    &["--getpid"],
    &["--server-version"],
    &["--server-verbose"],
    &["--show-jobs"],
    &["--show-unique-jobs"],
    &["--status"],
    &["--priority-status"],
    &["--sta"],
    &["--create-function", "made"],
    &["--create-function=made"],
    &["--create-function", "passing", "--drop-function", "passing"],
    &["--status", "--getpid", "--show-jobs", "--priority-status", "--server-version", "--show-unique-jobs"],
];

#[test]
fn all_actions_print_what_the_reference_prints() {
    let server = Server::start();
    submit(&server, "mail", "u-1", Priority::High);
    submit(&server, "mail", "u-2", Priority::Low);
    submit(&server, "resize", "u-3", Priority::Normal);
    let port = server.port.number.to_string();
    for action in ACTIONS {
        let arguments = [&["-h127.0.0.1", "-p", port.as_str()], *action].concat();
        assert_eq!(run(OURS, &arguments, b""), run(REFERENCE, &arguments, b""), "{action:?}");
    }
}

#[test]
fn workers_are_listed_with_their_functions() {
    let server = Server::start();
    let mut worker = server.connect();
    for function in ["mail", "resize"] {
        worker.send(&Request::CanDo { function: Function::from(function) }, "testing").unwrap();
    }
    worker.send(&Request::Echo { data: b"" }, "testing").unwrap();
    worker.receive(Some(crate::support::LIMIT), "testing").unwrap();
    let plain = String::from_utf8(ours(&server, &["--workers"]).stdout).unwrap();
    assert!(plain.contains(" 127.0.0.1 - : resize mail\n") && plain.ends_with("\n.\n"), "{plain}");
    let json = String::from_utf8(ours(&server, &["--workers", "--json"]).stdout).unwrap();
    let row = r#"{"address":"127.0.0.1","client_id":null,"connection":"#;
    assert!(json.contains(row) && json.contains(r#""functions":["resize","mail"]}"#), "{json}");
}

#[test]
fn json_has_one_object_per_reply() {
    let server = Server::start();
    submit(&server, "mail", "u-1", Priority::High);
    let listed = ours(
        &server,
        &["--json", "--status", "--priority-status", "--show-unique-jobs", "--show-jobs", "--server-verbose"],
    );
    assert_snapshot!(listed.shown(&[server.port.number]), @r#"
    exit Some(0)
    --- stdout
    {"server":"127.0.0.1:PORT0","jobs":[{"background":1,"handle":"H:HOST:1","ignored":0,"retries":0}]}\n
    {"server":"127.0.0.1:PORT0","unique_jobs":["u-1"]}\n
    {"server":"127.0.0.1:PORT0","verbose":"ERROR"}\n
    {"server":"127.0.0.1:PORT0","priority_status":[{"function":"mail","high":1,"low":0,"normal":0,"workers":0}]}\n
    {"server":"127.0.0.1:PORT0","status":[{"function":"mail","running":0,"total":1,"workers":0}]}\n
    --- stderr
    "#);
}

#[test]
fn an_empty_listing_is_an_empty_array() {
    let server = Server::start();
    assert_snapshot!(ours(&server, &["--json", "--show-jobs"]).shown(&[server.port.number]), @r#"
    exit Some(0)
    --- stdout
    {"server":"127.0.0.1:PORT0","jobs":[]}\n
    --- stderr
    "#);
}

#[test]
fn a_refusal_goes_to_standard_error_and_exits_2() {
    let server = Server::start();
    let refused = ours(&server, &["--drop-function", "nope", "--cancel-job", "H:x:1", "--status"]);
    assert_snapshot!(refused.shown(&[server.port.number]), @r"
    exit Some(2)
    --- stdout
    .\n
    --- stderr
    Error: function not found\n
    Error: UNKNOWN_JOB\n
    ");
}

#[test]
fn a_created_function_has_its_whole_name() {
    let server = Server::start();
    assert_snapshot!(ours(&server, &["--create-function", "abcd", "--status"]).shown(&[]), @r"
    exit Some(0)
    --- stdout
    OK\n
    abcd	0	0	0\n
    .\n
    --- stderr
    ");
}

#[test]
fn maxqueue_bounds_a_function() {
    let server = Server::start();
    submit(&server, "f", "u-1", Priority::Normal);
    assert_eq!(ours(&server, &["--maxqueue", "f", "1"]).exit, Some(0));
    let mut connection = server.connect();
    let full = Request::Submit(Submit {
        function: Function::from("f"),
        unique: Unique::from("u-2"),
        priority: Priority::Normal,
        mode: SubmitMode::Background,
        reducer: None,
        workload: b"w",
    });
    let limit = Some(crate::support::LIMIT);
    connection.send(&full, "testing").unwrap();
    assert!(matches!(connection.receive(limit, "testing"), Ok(Response::Error { code: b"QUEUE_ERROR", .. })));
    assert_eq!(ours(&server, &["--maxqueue", "f"]).exit, Some(0));
    connection.send(&full, "testing").unwrap();
    assert!(matches!(connection.receive(limit, "testing"), Ok(Response::JobCreated { .. })));
}

#[test]
fn several_servers_are_asked_in_turn_and_named() {
    let (one, two) = (Server::start(), Server::start());
    submit(&two, "f", "u-1", Priority::Normal);
    let ports = [one.port.number, two.port.number];
    let listed = run(OURS, &["-h", &one.address(), "-h", &two.address(), "--status"], b"").shown(&ports);
    assert_snapshot!(listed, @r"
    exit Some(0)
    --- stdout
    ==> 127.0.0.1:PORT0 <==\n
    .\n
    ==> 127.0.0.1:PORT1 <==\n
    f	1	0	0\n
    .\n
    --- stderr
    ");
    let list = format!("{},{}", one.address(), two.address());
    let by_variable = start(OURS, &["--status"], &[("GEARMAN_SERVERS", &list)], b"").end().shown(&ports);
    assert_eq!(by_variable, listed);
}
