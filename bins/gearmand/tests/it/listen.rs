//! Where it listens, and where it cannot.

use crate::peer::Peer;
use crate::process::{Gearmand, command, run_in};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};
use tempfile::TempDir;

#[test]
fn several_addresses_of_both_families_and_a_socket_in_the_file_system() {
    let arguments =
        ["--queue-type=builtin", "-L127.0.0.1", "--listen=::1", "--listen", "127.0.0.2:0", "--socket=sock"];
    let server = Gearmand::start(&arguments);
    let (unix, tcp) = server.addresses.split_last().unwrap();
    assert_eq!(tcp.len(), 3);
    for address in tcp {
        Peer::connect(address.parse().unwrap()).expect_alive();
    }
    assert!(tcp[1].starts_with("[::1]:"));
    assert_eq!(unix, "unix:sock");
    let mut stream = UnixStream::connect(server.folder.path().join("sock")).unwrap();
    stream.write_all(b"version\r\n").unwrap();
    let mut answer = [0; 10];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"OK 1.1.20\n");
}

#[test]
fn without_an_address_it_listens_on_all() {
    let server = Gearmand::start(&["--queue-type=builtin", "--listen="]);
    let ports: Vec<&str> =
        server.addresses.iter().map(|address| address.rsplit_once(':').unwrap().1).collect();
    assert!(server.addresses[0].starts_with("0.0.0.0:"));
    assert!(ports.iter().all(|port| *port == ports[0]), "{ports:?}");
    Peer::connect(format!("127.0.0.1:{}", ports[0]).parse().unwrap()).expect_alive();
}

#[test]
fn a_socket_left_by_a_killed_server_is_replaced_and_a_file_is_not() {
    let server = Gearmand::start(&["--queue-type=builtin", "--socket=sock"]);
    let folder = server.kill();
    assert!(folder.path().join("sock").exists());
    let server = Gearmand::start_in(folder, &["--queue-type=builtin", "--socket=sock"]);
    server.connect().expect_alive();
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("sock"), "precious").unwrap();
    insta::assert_snapshot!(
        run_in(folder.path(), &["--queue-type=builtin", "-L", "unix:sock"]),
        @r"
    exit 1
    -- stdout
    -- stderr
    gearmand: could not listen on unix:sock: there is a file that is no socket
    "
    );
}

#[test]
fn a_port_in_use_is_one_clear_error_within_a_short_time() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let folder = TempDir::new().unwrap();
    let started = Instant::now();
    let said = run_in(folder.path(), &["-q", "builtin", "-L127.0.0.1", "-p", &port]);
    assert!(started.elapsed() < Duration::from_secs(15));
    insta::assert_snapshot!(said.replace(&port, "PORT"), @r"
    exit 1
    -- stdout
    -- stderr
    gearmand: could not listen on 127.0.0.1:PORT: it is in use (hint: stop the other server or choose another port)
    ");
}

#[test]
fn an_http_address_that_was_asked_for_has_to_be_free() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = TempDir::new().unwrap();
    let said = run_in(folder.path(), &["-q", "builtin", "-L127.0.0.1", "-p0", "--http-listen", &address]);
    insta::assert_snapshot!(said.replace(&address, "ADDRESS"), @r"
    exit 1
    -- stdout
    -- stderr
    gearmand: could not listen on ADDRESS for HTTP: Address already in use (os error 98)
    ");
}

#[test]
fn a_second_server_on_the_same_queue_is_refused_by_name() {
    let server = Gearmand::start(&["--libsqlite3-db=queue.db"]);
    let said = run_in(
        server.folder.path(),
        &["-p0", "-L127.0.0.1", "--http-listen=none", "--libsqlite3-db=queue.db"],
    );
    assert!(said.starts_with("exit 1"), "{said}");
    assert!(said.contains(&format!("in use by another server (process {})", server.id())), "{said}");
    server.connect().expect_alive();
}

#[test]
fn a_path_without_rights_is_refused_before_the_port_is_bound() {
    let folder = TempDir::new().unwrap();
    let closed = folder.path().join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o500)).unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = command(folder.path());
    command.args([
        "-p24999",
        "-L127.0.0.1",
        "--http-listen=none",
        "-lstderr",
        "--libsqlite3-db=closed/queue.db",
    ]);
    if nix::unistd::Uid::effective().is_root() {
        // Root may write anywhere.
        command.args(["--user", "nobody"]);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("closed/queue.db") && said.contains("ermission denied"), "{said}");
    assert!(!said.contains("listening"), "{said}");
}

#[test]
fn a_process_id_file_that_cannot_be_written_is_an_error() {
    let folder = TempDir::new().unwrap();
    insta::assert_snapshot!(
        run_in(folder.path(), &["-q", "builtin", "-p0", "-L127.0.0.1", "--http-listen=none", "-P", "none/pid"]),
        @r"
    exit 1
    -- stdout
    -- stderr
    gearmand: could not write process id file none/pid: No such file or directory (os error 2)
    "
    );
}

#[test]
fn the_queue_of_each_port_has_a_folder_of_its_own_and_is_said_at_start() {
    let mut server = Gearmand::start(&[]);
    let port = server.address().port();
    let line = server.wait_for_line("gearmand: the queue is in ");
    let file = server.folder.path().join(port.to_string()).join("queue.sqlite3");
    assert_eq!(line, format!("{}, with 0 stored jobs", file.display()));
    assert!(file.exists());
}
