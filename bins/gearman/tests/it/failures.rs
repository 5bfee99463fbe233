//! Jobs that fail and servers that are not there or misbehave: one clear error, never exit status 0.

use crate::support::{FakeServer, Peer, Port, Ran, Server, run, worker};
use geartrain_proto::{Handle, Request, Response};
use insta::assert_snapshot;
use std::io::Write;
use std::net::TcpListener;

const OURS: &str = env!("CARGO_BIN_EXE_gearman");

fn ask(port: u16, arguments: &[&str]) -> Ran {
    run(OURS, &[&["-h", "127.0.0.1", "-p", &port.to_string(), "-f", "f"], arguments].concat(), b"")
}

/// A server that sends `bytes` after the submit, which follows the option, then stays or goes.
fn server_with_answer(bytes: Vec<u8>, then: fn(&mut Peer)) -> FakeServer<()> {
    FakeServer::start(move |listener: TcpListener| {
        let mut peer = Peer::accept(&listener);
        peer.next(|_| ()).unwrap();
        peer.next(|_| ()).unwrap();
        peer.stream.write_all(&bytes).unwrap();
        then(&mut peer);
    })
}

fn created() -> Vec<u8> {
    let mut bytes = Vec::new();
    Response::JobCreated { handle: Handle::from("H:fake:1") }.encode(&mut bytes);
    bytes
}

#[test]
fn a_failed_job_exits_1_and_the_others_still_run() {
    let server = Server::start();
    let worker = worker(&server, "f", 2, |connection, handle| {
        connection.send(&Request::WorkFail { handle }, "testing").unwrap();
    });
    assert_snapshot!(ask(server.port.number, &["x", "y"]).shown(&[]), @r"
    exit Some(1)
    --- stdout
    --- stderr
    Job failed\n
    Job failed\n
    ");
    worker.join().unwrap();
}

#[test]
fn an_exception_is_printed_and_exits_1() {
    let server = Server::start();
    let worker = worker(&server, "f", 1, |connection, handle| {
        connection.send(&Request::WorkException { handle, exception: b"boom\n" }, "testing").unwrap();
    });
    assert_snapshot!(ask(server.port.number, &["-P", "x"]).shown(&[]), @r"
    exit Some(1)
    --- stdout
    --- stderr
    f: boom\n
    ");
    worker.join().unwrap();
}

#[test]
fn a_full_queue_exits_2() {
    let server = Server::start();
    assert_eq!(ask(server.port.number, &["-b", "x"]).exit, Some(0));
    assert_eq!(server.ask("maxqueue f 1", "\n"), "OK\r\n");
    assert_snapshot!(ask(server.port.number, &["-b", "y"]).shown(&[]), @r"
    exit Some(2)
    --- stdout
    --- stderr
    gearman: the server refused a job of f: QUEUE_ERROR: Job queue is full\n
    ");
}

#[test]
fn a_refused_connection_exits_1() {
    let port = Port::reserve();
    assert_snapshot!(ask(port.number, &["x"]).shown(&[port.number]), @r"
    exit Some(1)
    --- stdout
    --- stderr
    gearman: cannot connect to 127.0.0.1:PORT0: connection refused (hint: does a server listen there?)\n
    ");
}

#[test]
fn an_unknown_host_exits_1() {
    let ran = run(OURS, &["-f", "f", "-h", "no-such-host.invalid", "x"], b"").shown(&[]);
    assert!(
        ran.starts_with("exit Some(1)\n--- stdout\n--- stderr\ngearman: cannot find the address of"),
        "{ran}"
    );
}

#[test]
fn a_job_without_a_worker_exits_1_when_the_time_is_up() {
    let server = Server::start();
    // Long enough for the job to be accepted, on a busy machine as well.
    assert_snapshot!(ask(server.port.number, &["-t", "3000", "x"]).shown(&[server.port.number]), @r"
    exit Some(1)
    --- stdout
    --- stderr
    gearman: 127.0.0.1:PORT0 was silent for 3000 ms while waiting for a result\n
    ");
}

#[test]
fn a_server_that_accepts_no_job_exits_1_when_the_time_is_up() {
    let server = server_with_answer(Vec::new(), Peer::linger);
    assert_snapshot!(ask(server.port, &["-t", "200", "x"]).shown(&[server.port]), @r"
    exit Some(1)
    --- stdout
    --- stderr
    gearman: 127.0.0.1:PORT0 was silent for 200 ms while waiting for a job to be accepted\n
    ");
    server.join();
}

#[test]
fn a_server_that_goes_while_a_job_runs_exits_1() {
    let server = server_with_answer(created(), |_| ());
    assert_snapshot!(ask(server.port, &["-v", "x"]).shown(&[server.port]), @r"
    exit Some(1)
    --- stdout
    Task created: H:HOST:1\n
    --- stderr
    gearman: 127.0.0.1:PORT0 closed the connection while waiting for a result\n
    ");
    server.join();
}

#[test]
fn half_a_result_is_not_printed_and_exits_1() {
    let mut bytes = created();
    Response::WorkComplete { handle: Handle::from("H:fake:1"), result: b"whole" }.encode(&mut bytes);
    bytes.pop();
    let server = server_with_answer(bytes, |_| ());
    assert_snapshot!(ask(server.port, &["x"]).shown(&[server.port]), @r"
    exit Some(1)
    --- stdout
    --- stderr
    gearman: 127.0.0.1:PORT0 closed the connection while waiting for a result\n
    ");
    server.join();
}

#[test]
fn another_protocol_is_named() {
    let server = server_with_answer(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), Peer::linger);
    assert_snapshot!(ask(server.port, &["x"]).shown(&[server.port]), @r"
    exit Some(1)
    --- stdout
    --- stderr
    gearman: 127.0.0.1:PORT0 does not speak the protocol: packet magic [48, 54, 54, 50] is not part of the protocol (hint: is it a Gearman server?)\n
    ");
    server.join();
}

#[test]
fn an_announced_body_over_the_limit_is_refused_before_it_comes() {
    let server = server_with_answer(b"\0RES\0\0\0\x0d\xff\xff\xff\xff".to_vec(), Peer::linger);
    assert_snapshot!(ask(server.port, &["x"]).shown(&[server.port]), @r"
    exit Some(1)
    --- stdout
    --- stderr
    gearman: 127.0.0.1:PORT0 sent a packet of 4294967295 bytes, over the limit of 268435456 bytes\n
    ");
    server.join();
}

#[test]
fn packets_for_others_and_of_older_servers_are_passed_over() {
    let mut bytes = Vec::new();
    let fake = Handle::from("H:fake:1");
    Response::Error { code: b"UNKNOWN_OPTION", text: b"no such option" }.encode(&mut bytes);
    Response::Noop.encode(&mut bytes);
    bytes.extend(created());
    Response::WorkData { handle: Handle::from("H:other:1"), data: b"not mine" }.encode(&mut bytes);
    Response::WorkStatus { handle: fake, numerator: b"-1", denominator: b"x" }.encode(&mut bytes);
    Response::WorkComplete { handle: fake, result: b"mine" }.encode(&mut bytes);
    let server = server_with_answer(bytes, Peer::linger);
    assert_snapshot!(ask(server.port, &["x"]).shown(&[]), @r"
    exit Some(0)
    --- stdout
    0% Complete\n
    mine
    --- stderr
    ");
    server.join();
}

#[test]
fn a_closed_standard_output_ends_the_run_in_silence() {
    let server = Server::start();
    let worker = worker(&server, "f", 1, |connection, handle| {
        connection.send(&Request::WorkComplete { handle, result: &[b'x'; 1 << 20] }, "testing").unwrap();
    });
    let script = format!("{OURS} -h 127.0.0.1 -p {} -f f x | :; echo ${{PIPESTATUS[0]}}", server.port.number);
    let ran = run("bash", &["-c", &script], b"");
    assert_eq!(ran.shown(&[]), "exit Some(0)\n--- stdout\n1\\n\n--- stderr\n");
    worker.join().unwrap();
}
