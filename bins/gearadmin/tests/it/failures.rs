//! Wrong usage, and servers that are not there or misbehave: one clear error, never exit status 0.

use crate::support::{FakeServer, Peer, Port, Ran, run};
use insta::assert_snapshot;
use std::io::Write;
use std::net::TcpListener;

const OURS: &str = env!("CARGO_BIN_EXE_gearadmin");

fn ask(port: u16, arguments: &[&str]) -> Ran {
    run(OURS, &[&["-h", "127.0.0.1", "-p", &port.to_string()], arguments].concat(), b"")
}

/// A server that sends `reply` to the first command, then waits for the client to leave.
fn server_with_reply(reply: &'static [u8]) -> FakeServer<()> {
    FakeServer::start(move |listener: TcpListener| {
        let mut peer = Peer::accept(&listener);
        peer.next(|_| ()).unwrap();
        peer.stream.write_all(reply).unwrap();
        peer.linger();
    })
}

#[test]
fn wrong_usage_exits_1() {
    for (arguments, expected) in [
        (&[][..], "no action given (hint: --status; --help lists all)"),
        (&["--foo"], "unexpected argument '--foo'"),
        (&["extra"], "unrecognized subcommand 'extra'"),
        (&["--create-function"], "a value is required"),
        (&["--create-function", ""], "\"\" cannot be named in a text command"),
        (&["--cancel-job", "a b"], "\"a b\" cannot be named in a text command"),
        (&["--cancel-job", "a\nversion"], "cannot be named in a text command"),
        (&["--maxqueue", "f", "many"], "bound \"many\" is not a number"),
        (&["--status=1"], "unexpected value '1'"),
        (&["--status", "--force"], "--drop-function"),
        (&["--status", "-p", "nosuchservice"], "port \"nosuchservice\" is neither a number"),
        (&["--status", "-p", "99999"], "port \"99999\" is neither a number"),
        (&["--status", "-h", "[::1"], "\"[::1\" is malformed"),
        (&["--status", "-S"], "--ssl is refused: this build has no TLS"),
        (&["--status", "--timeout", "0"], "0 is not in 1.."),
    ] {
        let ran = run(OURS, arguments, b"");
        let stderr = String::from_utf8(ran.stderr).unwrap();
        assert_eq!((ran.exit, ran.stdout.len()), (Some(1), 0), "{arguments:?}: {stderr}");
        assert!(stderr.contains(expected), "{arguments:?}: {stderr}");
    }
}

#[test]
fn help_and_generated_files_go_to_standard_output() {
    for arguments in [&["--help"][..], &["--generate", "man"], &["--generate", "completion-bash"]] {
        let ran = run(OURS, arguments, b"");
        let text = String::from_utf8_lossy(&ran.stdout).replace("\\-", "-");
        assert_eq!((ran.exit, ran.stderr.len()), (Some(0), 0));
        for option in ["--priority-status", "--show-unique-jobs", "--maxqueue", "--json"] {
            assert!(text.contains(option), "{arguments:?} does not name {option}");
        }
    }
}

#[test]
fn a_refused_connection_exits_1() {
    let port = Port::reserve();
    assert_snapshot!(ask(port.number, &["--status", "--getpid"]).shown(&[port.number]), @r"
    exit Some(1)
    --- stdout
    --- stderr
    Error: cannot connect to 127.0.0.1:PORT0: connection refused (hint: does a server listen there?)\n
    ");
}

#[test]
fn an_unreachable_server_does_not_hide_the_others() {
    let port = Port::reserve();
    let server = server_with_reply(b".\n");
    let hosts = [format!("127.0.0.1:{}", port.number), format!("127.0.0.1:{}", server.port)];
    let ran = run(OURS, &["-h", &hosts[0], "-h", &hosts[1], "--status"], b"");
    assert_snapshot!(ran.shown(&[port.number, server.port]), @r"
    exit Some(1)
    --- stdout
    ==> 127.0.0.1:PORT1 <==\n
    .\n
    --- stderr
    Error: cannot connect to 127.0.0.1:PORT0: connection refused (hint: does a server listen there?)\n
    ");
    server.join();
}

#[test]
fn a_silent_server_exits_1_when_the_time_is_up() {
    let server = server_with_reply(b"");
    assert_snapshot!(ask(server.port, &["--status", "--timeout", "200"]).shown(&[server.port]), @r"
    exit Some(1)
    --- stdout
    --- stderr
    Error: 127.0.0.1:PORT0 was silent for 200 ms while reading the reply to a text command\n
    ");
    server.join();
}

#[test]
fn half_a_listing_is_printed_and_exits_1() {
    let server = FakeServer::start(|listener: TcpListener| {
        let mut peer = Peer::accept(&listener);
        peer.next(|_| ()).unwrap();
        peer.stream.write_all(b"f\t1\t0\t0\ng\t2").unwrap();
    });
    assert_snapshot!(ask(server.port, &["--status"]).shown(&[server.port]), @r"
    exit Some(1)
    --- stdout
    f	1	0	0\n
    --- stderr
    Error: 127.0.0.1:PORT0 closed the connection while reading the reply to a text command\n
    ");
    server.join();
}

#[test]
fn a_listing_that_pauses_is_read_to_its_end() {
    let server = FakeServer::start(|listener: TcpListener| {
        let mut peer = Peer::accept(&listener);
        peer.next(|_| ()).unwrap();
        // The pause is what is tested: the reference takes 5 ms of silence for the end.
        for piece in [&b"f\t1"[..], b"\t0\t0\n", b".\n"] {
            peer.stream.write_all(piece).unwrap();
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        peer.linger();
    });
    assert_snapshot!(ask(server.port, &["--status"]).shown(&[server.port]), @r"
    exit Some(0)
    --- stdout
    f	1	0	0\n
    .\n
    --- stderr
    ");
    server.join();
}

#[test]
fn a_listing_without_an_end_is_left_at_the_limit() {
    let server = FakeServer::start(|listener: TcpListener| {
        let mut peer = Peer::accept(&listener);
        peer.next(|_| ()).unwrap();
        while peer.stream.write_all(&b"f\t1\t0\t0\n".repeat(1000)).is_ok() {}
    });
    let ran = ask(server.port, &["--status", "--reply-bytes-max", "1000000"]);
    assert_eq!(ran.exit, Some(1));
    assert_eq!(ran.stdout.len(), 1_000_000);
    let stderr = String::from_utf8(ran.stderr).unwrap();
    assert!(
        stderr.contains("sent a reply over the limit of 1000000 bytes (hint: raise reply-bytes-max)"),
        "{stderr}"
    );
    server.join();
}

#[test]
fn a_line_without_an_end_is_left_at_its_limit() {
    let server = FakeServer::start(|listener: TcpListener| {
        let mut peer = Peer::accept(&listener);
        peer.next(|_| ()).unwrap();
        while peer.stream.write_all(&[b'x'; 65_536]).is_ok() {}
    });
    assert_snapshot!(ask(server.port, &["--server-version"]).shown(&[server.port]), @r"
    exit Some(1)
    --- stdout
    --- stderr
    Error: 127.0.0.1:PORT0 sent a line over the limit of 16777216 bytes (hint: is it a Gearman server?)\n
    ");
    server.join();
}

#[test]
fn a_packet_in_place_of_text_is_named() {
    let server = server_with_reply(b"\0RES\0\0\0\x06\0\0\0\0");
    assert_snapshot!(ask(server.port, &["--server-version"]).shown(&[server.port]), @r"
    exit Some(1)
    --- stdout
    --- stderr
    Error: 127.0.0.1:PORT0 does not speak the protocol: a packet came in place of text (hint: is it a Gearman server?)\n
    ");
    server.join();
}
