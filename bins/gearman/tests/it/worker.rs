//! Working: what the command gets, what the client gets, and how a worker ends.

use crate::support::{FakeServer, Peer, Ran, Running, Server, run, start, wait_until};
use geartrain_proto::{Function, Handle, Message, Request, Response, Unique};
use insta::assert_snapshot;
use nix::sys::signal::Signal;
use std::net::TcpListener;

const OURS: &str = env!("CARGO_BIN_EXE_gearman");
const REFERENCE: &str = "/usr/bin/gearman";

fn work(server: &Server, arguments: &[&str]) -> Running {
    work_as(OURS, server, arguments)
}

fn work_as(program: &str, server: &Server, arguments: &[&str]) -> Running {
    let port = server.port.number.to_string();
    start(program, &[&["-w", "-h", "127.0.0.1", "-p", &port, "-f", "f"], arguments].concat(), &[], b"")
}

fn submit(server: &Server, arguments: &[&str], input: &[u8]) -> Ran {
    let port = server.port.number.to_string();
    run(OURS, &[&["-h", "127.0.0.1", "-p", &port, "-f", "f"], arguments].concat(), input)
}

fn is_registered(server: &Server) -> bool {
    server.ask("status", ".\n").lines().any(|row| row.starts_with("f\t") && row.ends_with("\t1"))
}

fn is_running(server: &Server) -> bool {
    server
        .ask("status", ".\n")
        .lines()
        .any(|row| row.starts_with("f\t") && row.split('\t').nth(2) == Some("1"))
}

#[test]
fn the_command_gets_the_workload_and_its_output_is_the_result() {
    for lines in [&[][..], &["-n"], &["-N"]] {
        let server = Server::start();
        let command = [lines, &["-c", "1", "--", "tr", "a-z", "A-Z"]].concat();
        let worker = work(&server, &command);
        let expected = if lines == ["-N"] { "ONETWO" } else { "ONE\\n\nTWO" };
        let ran = submit(&server, &[], b"one\ntwo").shown(&[]);
        assert_eq!(ran, format!("exit Some(0)\n--- stdout\n{expected}\n--- stderr\n"), "{lines:?}");
        assert_eq!(worker.end().shown(&[]), "exit Some(0)\n--- stdout\n--- stderr\n");
    }
}

#[test]
fn clients_get_from_our_worker_what_they_get_from_the_reference() {
    let scripts = ["cat", "echo out; echo err >&2", "printf data; exit 3", "exit 1", "true"];
    for script in scripts {
        let results = [OURS, REFERENCE].map(|program| {
            let server = Server::start();
            let worker = work_as(program, &server, &["-c", "1", "--", "sh", "-c", script]);
            let result = submit(&server, &[], b"in\0put").shown(&[]);
            (result, worker.end().exit)
        });
        assert_eq!(results[0], results[1], "{script}");
    }
}

#[test]
#[expect(clippy::wildcard_enum_match_arm, reason = "a worker's other packets do not matter here")]
fn each_line_is_sent_once() {
    let server = FakeServer::start(|listener: TcpListener| {
        let mut peer = Peer::accept(&listener);
        let mut reports = Vec::new();
        let handle = Handle::from("H:fake:1");
        enum Next {
            Grab,
            Echo,
            Report(String),
            Other,
        }
        while let Some(next) = peer.next(|message| match message {
            Message::Request(Request::Grab(_)) => Next::Grab,
            Message::Request(Request::Echo { .. }) => Next::Echo,
            Message::Request(Request::WorkData { data, .. }) => {
                Next::Report(format!("data {:?}", data.escape_ascii().to_string()))
            }
            Message::Request(Request::WorkComplete { result, .. }) => {
                Next::Report(format!("complete {:?}", result.escape_ascii().to_string()))
            }
            _ => Next::Other,
        }) {
            match next {
                Next::Grab => peer.send(&Response::JobAssignUniq {
                    handle,
                    function: Function::from("f"),
                    unique: Unique::from("u"),
                    workload: b"",
                }),
                Next::Echo => peer.send(&Response::Echo { data: b"" }),
                Next::Report(report) => reports.push(report),
                Next::Other => {}
            }
        }
        reports.join("\n")
    });
    let port = server.port.to_string();
    let script = "printf 'a\\nb\\n\\nc'";
    let ran = run(OURS, &["-wn", "-c1", "-h127.0.0.1", "-p", &port, "-ff", "--", "sh", "-c", script], b"");
    assert_eq!(ran.exit, Some(0));
    assert_snapshot!(server.join(), @r#"
    data "a\\n"
    data "b\\n"
    data "\\n"
    data "c"
    complete ""
    "#);
}

#[test]
fn a_large_workload_and_a_large_output_do_not_wait_for_each_other() {
    let server = Server::start();
    // With its header and handle just under the body limit of servers, 64 MiB.
    let workload: Vec<u8> = (0..=250u8).cycle().take(64 * 1024 * 1024 - 4096).collect();
    let worker = work(&server, &["-c", "1", "--", "cat"]);
    let ran = submit(&server, &[], &workload);
    assert_eq!((ran.exit, ran.stderr.len()), (Some(0), 0));
    assert!(ran.stdout == workload, "{} bytes came back", ran.stdout.len());
    assert_eq!(worker.end().exit, Some(0));
}

#[test]
fn a_command_that_reads_nothing_is_no_failure() {
    let server = Server::start();
    let worker = work(&server, &["-c", "1", "--", "echo", "done"]);
    let ran = submit(&server, &[], &vec![b'x'; 1 << 20]);
    assert_eq!(ran.shown(&[]), "exit Some(0)\n--- stdout\ndone\\n\n--- stderr\n");
    assert_eq!(worker.end().exit, Some(0));
}

#[test]
fn a_command_that_closes_its_output_still_gets_its_whole_input() {
    let server = Server::start();
    let copy = std::env::temp_dir().join(format!("geartrain-copy-{}", server.port.number));
    let script = format!("exec >&-; cat >{}", copy.display());
    let worker = work(&server, &["-c", "1", "--", "sh", "-c", &script]);
    let workload = vec![b'x'; 1 << 20];
    let ran = submit(&server, &[], &workload);
    assert_eq!(ran.shown(&[]), "exit Some(0)\n--- stdout\n--- stderr\n");
    assert_eq!(worker.end().exit, Some(0));
    assert!(std::fs::read(&copy).unwrap() == workload);
    std::fs::remove_file(copy).unwrap();
}

#[test]
fn a_command_that_is_killed_fails_its_job() {
    let server = Server::start();
    let worker = work(&server, &["-c", "1", "--", "sh", "-c", "echo some; kill -9 $$"]);
    assert_snapshot!(submit(&server, &["x"], b"").shown(&[]), @r"
    exit Some(1)
    --- stdout
    some\n
    --- stderr
    Job failed\n
    ");
    assert_snapshot!(worker.end().shown(&[]), @r"
    exit Some(0)
    --- stdout
    --- stderr
    gearman: job H:HOST:1 failed: the command was ended by signal 9\n
    ");
}

#[test]
fn a_command_that_cannot_start_leaves_the_job_to_others() {
    let server = Server::start();
    assert_eq!(submit(&server, &["-b", "kept"], b"").exit, Some(0));
    assert_snapshot!(work(&server, &["--", "/no/such/command"]).end().shown(&[]), @r"
    exit Some(1)
    --- stdout
    --- stderr
    gearman: cannot start /no/such/command: No such file or directory (os error 2)\n
    ");
    assert_eq!(work(&server, &["-c", "1"]).end().shown(&[]), "exit Some(0)\n--- stdout\nkept\n--- stderr\n");
}

#[test]
fn without_a_command_workloads_are_printed() {
    let server = Server::start();
    let worker = work(&server, &["-c", "2"]);
    assert_eq!(
        submit(&server, &["one\n", "two\n"], b"").shown(&[]),
        "exit Some(0)\n--- stdout\n--- stderr\n"
    );
    assert_eq!(worker.end().shown(&[]), "exit Some(0)\n--- stdout\none\\n\ntwo\\n\n--- stderr\n");
}

#[test]
fn the_command_learns_function_handle_and_unique() {
    let server = Server::start();
    let script = "printf '%s %s %s' \"$GEARMAN_FUNCTION\" \"$GEARMAN_HANDLE\" \"$GEARMAN_UNIQUE\"";
    let worker = work(&server, &["-c", "1", "--", "sh", "-c", script]);
    let ran = submit(&server, &["-u", "mine", "x"], b"").shown(&[]);
    assert_eq!(ran, "exit Some(0)\n--- stdout\nf H:HOST:1 mine\n--- stderr\n");
    assert_eq!(worker.end().exit, Some(0));
}

#[test]
fn a_wait_without_a_job_counts_when_it_has_a_limit() {
    let server = Server::start();
    assert_snapshot!(work(&server, &["-t", "100", "-c", "2", "--", "cat"]).end().shown(&[]), @r"
    exit Some(0)
    --- stdout
    --- stderr
    gearman: no job came within 100 ms\n
    gearman: no job came within 100 ms\n
    ");
}

#[test]
fn a_worker_without_a_server_exits_1_when_its_wait_is_over() {
    let port = crate::support::Port::reserve();
    let number = port.number.to_string();
    let ran =
        run(OURS, &["-w", "-f", "f", "-h", "127.0.0.1", "-p", &number, "-t", "250", "-c", "1", "cat"], b"");
    let stderr = String::from_utf8(ran.stderr).unwrap();
    let lines: Vec<&str> = stderr.lines().collect();
    let (last, tries) = lines.split_last().unwrap();
    assert_eq!((ran.exit, *last), (Some(1), "gearman: no server was there within 250 ms"));
    // On a busy machine the second try may come too late to be one.
    assert!((1..=2).contains(&tries.len()), "{stderr}");
    for (line, pause) in tries.iter().zip(["next try in 100 ms", "next try in 200 ms"]) {
        assert!(line.contains("connection refused") && line.ends_with(pause), "{stderr}");
    }
}

#[test]
fn asked_to_leave_it_finishes_its_job_first() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let server = Server::start();
        let gate = std::env::temp_dir().join(format!("geartrain-gate-{}", server.port.number));
        let script = format!("mkfifo {0}; cat {0}", gate.display());
        let worker = work(&server, &["--", "sh", "-c", &script]);
        let port = server.port.number.to_string();
        let client = start(OURS, &["-h", "127.0.0.1", "-p", &port, "-f", "f", "x"], &[], b"");
        wait_until("the job runs", || is_running(&server) && gate.exists());
        worker.signal(signal);
        std::fs::write(&gate, b"finished").unwrap();
        assert_eq!(client.end().shown(&[]), "exit Some(0)\n--- stdout\nfinished\n--- stderr\n");
        assert_eq!(worker.end().shown(&[]), "exit Some(0)\n--- stdout\n--- stderr\n");
        std::fs::remove_file(gate).unwrap();
    }
}

#[test]
fn asked_twice_it_ends_the_command_and_the_job_is_queued_again() {
    let server = Server::start();
    assert_eq!(submit(&server, &["-b", "x"], b"").exit, Some(0));
    let worker = work(&server, &["--", "sh", "-c", "sleep 1000"]);
    wait_until("the job runs", || is_running(&server));
    worker.signal(Signal::SIGTERM);
    worker.signal(Signal::SIGINT);
    assert_snapshot!(worker.end().shown(&[]), @r"
    exit Some(1)
    --- stdout
    --- stderr
    gearman: the job H:HOST:1 was left unfinished; its server gives it to another worker\n
    ");
    wait_until("the job waits again", || server.ask("status", ".\n") == "f\t1\t0\t0\n.\n");
}

#[test]
fn an_idle_worker_leaves_at_once_when_asked() {
    let server = Server::start();
    let worker = work(&server, &["--", "cat"]);
    wait_until("the worker is there", || is_registered(&server));
    worker.signal(Signal::SIGTERM);
    assert_eq!(worker.end().shown(&[]), "exit Some(0)\n--- stdout\n--- stderr\n");
}

#[test]
fn a_worker_comes_back_when_its_server_does() {
    let mut server = Server::start();
    let worker = work(&server, &["-c", "1", "--", "cat"]);
    wait_until("the worker is there", || is_registered(&server));
    server.stop();
    server.start_again();
    assert_eq!(submit(&server, &["again"], b"").shown(&[]), "exit Some(0)\n--- stdout\nagain\n--- stderr\n");
    let ran = worker.end();
    assert_eq!(ran.exit, Some(0));
    let stderr = String::from_utf8(ran.stderr).unwrap();
    assert!(stderr.contains("; next try in 100 ms\n"), "{stderr}");
}

#[test]
fn one_worker_serves_several_servers() {
    let servers = [Server::start(), Server::start()];
    let list = format!("{},{}", servers[0].address(), servers[1].address());
    let worker = start(OURS, &["-w", "-f", "f", "-c", "4", "--", "cat"], &[("GEARMAN_SERVERS", &list)], b"");
    for _round in 0..2 {
        for server in &servers {
            let ran = submit(server, &["x"], b"").shown(&[]);
            assert_eq!(ran, "exit Some(0)\n--- stdout\nx\n--- stderr\n");
        }
    }
    assert_eq!(worker.end().exit, Some(0));
}

#[test]
fn a_silent_server_does_not_keep_a_worker_that_is_asked_to_leave() {
    let server = FakeServer::start(|listener: TcpListener| {
        let mut peer = Peer::accept(&listener);
        // CAN_DO, then GRAB_JOB_UNIQ: from here on the worker waits for an answer.
        peer.next(|_| ()).unwrap();
        peer.next(|_| ()).unwrap();
        peer
    });
    let port = server.port.to_string();
    let worker = start(OURS, &["-w", "-h", "127.0.0.1", "-p", &port, "-f", "f", "cat"], &[], b"");
    let mut peer = server.join();
    worker.signal(Signal::SIGTERM);
    let ran = worker.end();
    assert_eq!(ran.exit, Some(0), "{}", ran.shown(&[]));
    peer.linger();
}
