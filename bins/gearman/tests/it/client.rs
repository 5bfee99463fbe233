//! Submitting: what goes to the server, and what is printed of what comes back.

use crate::support::{FakeServer, Peer, Ran, Server, run, start, worker};
use geartrain_client::Connection;
use geartrain_proto::{Handle, Message, Priority, Request, Response, SubmitMode};
use insta::assert_snapshot;
use std::net::TcpListener;

const OURS: &str = env!("CARGO_BIN_EXE_gearman");
const REFERENCE: &str = "/usr/bin/gearman";

fn ask(program: &str, port: u16, arguments: &[&str], input: &[u8]) -> Ran {
    run(program, &[&["-h", "127.0.0.1", "-p", &port.to_string()], arguments].concat(), input)
}

fn report(connection: &mut Connection, request: &Request<'_>) {
    connection.send(request, "testing").unwrap();
}

/// What a submit said: function, unique, priority, whether in background, workload.
type Submitted = (String, String, Priority, SubmitMode, Vec<u8>);

/// A server that accepts every job, completes foreground ones at once, and tells all submits it got.
#[expect(clippy::wildcard_enum_match_arm, reason = "a client's other packets do not matter here")]
fn recording_server() -> FakeServer<Vec<Submitted>> {
    FakeServer::start(|listener: TcpListener| {
        let mut peer = Peer::accept(&listener);
        let mut submits: Vec<Submitted> = Vec::new();
        while let Some(submit) = peer.next(|message| match message {
            Message::Request(Request::Submit(submit)) => Some((
                submit.function.to_string(),
                submit.unique.to_string(),
                submit.priority,
                submit.mode,
                submit.workload.to_vec(),
            )),
            _ => None,
        }) {
            let Some(submit) = submit else { continue };
            let handle = format!("H:fake:{}", submits.len() + 1);
            peer.send(&Response::JobCreated { handle: Handle::from(handle.as_str()) });
            if submit.3 == SubmitMode::Foreground {
                peer.send(&Response::WorkComplete { handle: Handle::from(handle.as_str()), result: b"" });
            }
            submits.push(submit);
        }
        submits
    })
}

#[test]
fn data_warnings_and_progress_are_printed_in_the_order_they_come() {
    let server = Server::start();
    let worker = worker(&server, "f", 1, |connection, handle| {
        report(connection, &Request::WorkData { handle, data: b"first\n" });
        report(connection, &Request::WorkWarning { handle, warning: b"careful\n" });
        report(connection, &Request::WorkStatus { handle, numerator: b"1", denominator: b"3" });
        report(connection, &Request::WorkStatus { handle, numerator: b"1", denominator: b"0" });
        report(connection, &Request::WorkData { handle, data: b"second" });
        report(connection, &Request::WorkComplete { handle, result: b" done\n" });
    });
    assert_snapshot!(ask(OURS, server.port.number, &["-f", "f", "-v", "x"], b"").shown(&[]), @r"
    exit Some(0)
    --- stdout
    Task created: H:HOST:1\n
    first\n
    33% Complete\n
    0% Complete\n
    second done\n
    --- stderr
    careful\n
    ");
    worker.join().unwrap();
}

#[test]
fn what_is_printed_is_what_the_reference_prints() {
    let server = Server::start();
    let port = server.port.number;
    let scenarios: &[(&[&str], &[u8])] = &[
        (&["-f", "good", "hello", "world"], b""),
        (&["-f", "good", "-P", "hello"], b""),
        (&["-f", "good", "-P"], b"from\0standard\ninput"),
        (&["-fgood", "-n"], b"one\ntwo\nthree\n"),
        (&["-f", "good", "-N", "-P"], b"one\ntwo\n"),
        (&["-f", "good", "-s"], b"not read"),
        (&["-f", "good", "-I", "x"], b""),
        (&["-f", "good", "-L", "-u", "-", "x"], b""),
        (&["-f", "good", "-u", "#", "x"], b""),
        (&["-f", "good", "-t", "-1", "x", "-P", "y"], b""),
        (&["-f", "good", "--", "-P"], b""),
        (&["-f", "bad", "x"], b""),
        (&["-f", "bad", "-P", "x", "y"], b""),
        (&["-f", "nobody", "-b", "x", "y"], b""),
    ];
    let good = |connection: &mut Connection, handle: Handle<'_>| {
        report(connection, &Request::WorkData { handle, data: b"da\0ta\n" });
        report(connection, &Request::WorkWarning { handle, warning: b"warning\n" });
        report(connection, &Request::WorkComplete { handle, result: b"result" });
    };
    let bad = |connection: &mut Connection, handle: Handle<'_>| {
        report(connection, &Request::WorkData { handle, data: b"some" });
        report(connection, &Request::WorkFail { handle });
    };
    // Jobs by scenario: 2, 1, 1, 3, 2, 1, 1, 1, 1, 2, 1 good ones and 1, 2 bad ones, for each of two programs.
    let workers = [worker(&server, "good", 2 * 16, good), worker(&server, "bad", 2 * 3, bad)];
    for (arguments, input) in scenarios {
        let (ours, reference) = (ask(OURS, port, arguments, input), ask(REFERENCE, port, arguments, input));
        assert_eq!(ours.shown(&[]), reference.shown(&[]), "{arguments:?}");
    }
    for worker in workers {
        worker.join().unwrap();
    }
}

#[test]
fn jobs_go_out_in_the_order_they_were_given() {
    let server = recording_server();
    let ran = ask(OURS, server.port, &["-f", "a", "-f", "b", "-b", "-u", "u", "1", "2"], b"");
    assert_eq!(ran.shown(&[]), "exit Some(0)\n--- stdout\n--- stderr\n");
    let order: Vec<(String, Vec<u8>)> = server.join().into_iter().map(|job| (job.0, job.4)).collect();
    let expected = [("a", b"1"), ("b", b"1"), ("a", b"2"), ("b", b"2")];
    assert_eq!(order, expected.map(|(function, workload)| (function.to_owned(), workload.to_vec())));
}

#[test]
fn options_become_the_parts_of_a_submit() {
    for (arguments, priority, mode) in [
        (&["-I"][..], Priority::High, SubmitMode::Foreground),
        (&["--low", "--background"], Priority::Low, SubmitMode::Background),
        (&["-I", "-L"], Priority::Low, SubmitMode::Foreground),
        (&["-bLI"], Priority::High, SubmitMode::Background),
        (&[], Priority::Normal, SubmitMode::Foreground),
    ] {
        let server = recording_server();
        let ran = ask(OURS, server.port, &[&["-f", "f", "-u", "mine", "w"], arguments].concat(), b"");
        assert_eq!(ran.shown(&[]), "exit Some(0)\n--- stdout\n--- stderr\n", "{arguments:?}");
        let expected = ("f".to_owned(), "mine".to_owned(), priority, mode, b"w".to_vec());
        assert_eq!(server.join(), [expected], "{arguments:?}");
    }
}

#[test]
fn without_a_unique_each_job_has_one_of_its_own() {
    let server = recording_server();
    ask(OURS, server.port, &["-f", "f", "-b", "w", "w"], b"");
    let uniques: Vec<String> = server.join().into_iter().map(|job| job.1).collect();
    assert_eq!(uniques.len(), 2);
    assert!(uniques.iter().all(|unique| unique.len() == 36) && uniques[0] != uniques[1], "{uniques:?}");
}

#[test]
fn a_line_is_one_job_whatever_its_length_and_end() {
    let long = vec![b'l'; 100_000];
    let input = [b"one\n\n", long.as_slice(), b"\nlast"].concat();
    for (option, stripped) in [("-n", false), ("-N", true)] {
        let server = recording_server();
        let ran = ask(OURS, server.port, &["-f", "f", option], &input);
        assert_eq!(ran.shown(&[]), "exit Some(0)\n--- stdout\n--- stderr\n");
        let workloads: Vec<Vec<u8>> = server.join().into_iter().map(|job| job.4).collect();
        let newline = if stripped { &b""[..] } else { b"\n" };
        let lines = [&b"one"[..], b"", &long].map(|line| [line, newline].concat());
        assert_eq!(workloads, [&lines[..], &[b"last".to_vec()]].concat(), "{option}");
    }
}

#[test]
fn servers_come_from_the_option_or_the_environment() {
    const ELSEWHERE: &str = "127.0.0.1:1";
    for case in 0..5 {
        let server = recording_server();
        let (port, here) = (server.port.to_string(), format!("127.0.0.1:{}", server.port));
        let (options, environment): (Vec<&str>, Vec<(&str, &str)>) = match case {
            0 => (vec!["-h", "127.0.0.1", "-p", &port], vec![("GEARMAN_SERVERS", ELSEWHERE)]),
            1 => (vec!["-h", &here], vec![]),
            2 => (vec!["-h", ELSEWHERE], vec![("GEARMAN_SERVER", &here), ("GEARMAN_SERVERS", ELSEWHERE)]),
            3 => (vec![], vec![("GEARMAN_SERVERS", &here)]),
            _ => (vec!["-p", &port], vec![]),
        };
        let arguments = [vec!["-f", "f", "-b", "x"], options].concat();
        let ran = start(OURS, &arguments, &environment, b"").end();
        assert_eq!(ran.shown(&[]), "exit Some(0)\n--- stdout\n--- stderr\n", "{arguments:?} {environment:?}");
        assert_eq!(server.join().len(), 1);
    }
}

#[test]
fn the_first_server_that_answers_takes_the_jobs() {
    let server = recording_server();
    let list = format!("127.0.0.1:1,127.0.0.1:{}", server.port);
    let ran = start(OURS, &["-f", "f", "-b", "x"], &[("GEARMAN_SERVERS", &list)], b"").end();
    assert_eq!(ran.shown(&[]), "exit Some(0)\n--- stdout\n--- stderr\n");
    assert_eq!(server.join().len(), 1);
}
