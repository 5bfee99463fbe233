//! Signals, the process id file and the end.

use crate::peer::submit;
use crate::process::{Gearmand, wait_until};
use geartrain_proto::{Function, GrabKind, Handle, PacketKind, Request, Response, SubmitMode};
use nix::fcntl::OFlag;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const CAN_REVERSE: Request<'_> = Request::CanDo { function: Function::new(b"reverse") };
const GRAB: Request<'_> = Request::Grab(GrabKind::Plain);

#[test]
fn sigterm_and_sigint_end_it_at_once_with_clients_connected_and_jobs_running() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut server = Gearmand::start(&["--queue-type=builtin"]);
        let (mut client, mut worker) = (server.connect(), server.connect());
        client.send(&[submit("reverse", SubmitMode::Foreground, b"abc")]);
        client.body_of(PacketKind::JobCreated);
        worker.send(&[CAN_REVERSE, GRAB]);
        worker.body_of(PacketKind::JobAssign);
        let asked = Instant::now();
        server.signal(signal);
        assert_eq!(server.wait().code(), Some(0));
        assert!(asked.elapsed() < Duration::from_secs(10));
        client.expect_end();
        worker.expect_end();
    }
}

#[test]
fn what_was_acknowledged_or_done_before_sigterm_is_on_disk() {
    let mut server = Gearmand::start(&["--libsqlite3-db=queue.db"]);
    let (mut client, mut worker) = (server.connect(), server.connect());
    for number in 0..100_u32 {
        client.send(&[submit("reverse", SubmitMode::Background, &number.to_be_bytes())]);
        client.body_of(PacketKind::JobCreated);
    }
    worker.send(&[CAN_REVERSE]);
    for _ in 0..50 {
        worker.send(&[GRAB]);
        let handle = worker.first_part_of(PacketKind::JobAssign);
        worker.send(&[Request::WorkComplete { handle: Handle::new(&handle), result: b"" }]);
    }
    worker.expect_alive();
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait().code(), Some(0));
    let server = Gearmand::start_in(server.kill(), &["--libsqlite3-db=queue.db"]);
    let mut worker = server.connect();
    worker.send(&[CAN_REVERSE]);
    for number in 50..100_u32 {
        worker.send(&[GRAB]);
        assert!(worker.body_of(PacketKind::JobAssign).ends_with(&number.to_be_bytes()));
    }
    worker.send(&[GRAB]);
    worker.expect(&Response::NoJob);
}

#[test]
fn sigterm_while_jobs_are_loaded_ends_it() {
    let mut server = Gearmand::start(&["--libsqlite3-db=queue.db"]);
    // As early as a test can be.
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn sigusr1_ends_an_idle_server() {
    let mut server = Gearmand::start(&["--queue-type=builtin"]);
    server.signal(Signal::SIGUSR1);
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn sigusr1_closes_the_port_and_waits_until_no_job_would_be_lost() {
    let mut server = Gearmand::start(&["--libsqlite3-db=queue.db"]);
    let (mut client, mut worker) = (server.connect(), server.connect());
    // Nobody does it, but it is stored.
    client.send(&[submit("mail", SubmitMode::Background, b"later")]);
    client.body_of(PacketKind::JobCreated);
    client.send(&[submit("reverse", SubmitMode::Foreground, b"abc")]);
    client.body_of(PacketKind::JobCreated);
    worker.send(&[CAN_REVERSE, GRAB]);
    let handle = worker.first_part_of(PacketKind::JobAssign);
    server.signal(Signal::SIGUSR1);
    wait_until("the port is closed", || TcpStream::connect(server.address()).is_err());
    client.expect_alive();
    let handle = Handle::new(&handle);
    worker.send(&[Request::WorkComplete { handle, result: b"cba" }]);
    client.expect(&Response::WorkComplete { handle, result: b"cba" });
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn shutdown_grace_lets_running_jobs_end_and_hands_out_no_more() {
    let mut server = Gearmand::start(&["--queue-type=builtin", "--shutdown-grace=60"]);
    let (mut client, mut worker, mut idle) = (server.connect(), server.connect(), server.connect());
    client.send(&[submit("reverse", SubmitMode::Foreground, b"abc")]);
    client.body_of(PacketKind::JobCreated);
    worker.send(&[CAN_REVERSE, GRAB]);
    let handle = worker.first_part_of(PacketKind::JobAssign);
    client.send(&[submit("reverse", SubmitMode::Foreground, b"waits")]);
    client.body_of(PacketKind::JobCreated);
    server.signal(Signal::SIGTERM);
    server.wait_for_line("gearmand: waiting up to 60 s for running jobs");
    // It stops handing out jobs before it stops listening.
    wait_until("the port is closed", || TcpStream::connect(server.address()).is_err());
    idle.send(&[CAN_REVERSE, GRAB]);
    idle.expect(&Response::NoJob);
    let handle = Handle::new(&handle);
    worker.send(&[Request::WorkComplete { handle, result: b"cba" }]);
    client.expect(&Response::WorkComplete { handle, result: b"cba" });
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn a_second_sigterm_ends_the_grace() {
    let mut server = Gearmand::start(&["--queue-type=builtin", "--shutdown-grace=600"]);
    let mut worker = server.connect();
    worker.send(&[submit("reverse", SubmitMode::Background, b"abc"), CAN_REVERSE, GRAB]);
    worker.body_of(PacketKind::JobCreated);
    worker.body_of(PacketKind::JobAssign);
    server.signal(Signal::SIGTERM);
    server.wait_for_line("gearmand: waiting up to 600 s for running jobs");
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn sighup_reopens_the_log_file() {
    let mut server = Gearmand::start(&["--queue-type=builtin", "--log-file=log", "--verbose=NOTICE"]);
    let log = server.folder.path().join("log");
    let moved = server.folder.path().join("log.1");
    let mut client = server.connect();
    client.send(&[submit("before", SubmitMode::Background, b"abc")]);
    let has =
        |path: &std::path::Path, text: &str| fs::read_to_string(path).is_ok_and(|all| all.contains(text));
    wait_until("the job is logged", || has(&log, "accepted,before,,0"));
    fs::rename(&log, &moved).unwrap();
    server.signal(Signal::SIGHUP);
    wait_until("the log is open again", || log.exists());
    client.send(&[submit("after", SubmitMode::Background, b"abc")]);
    wait_until("the job is logged", || has(&log, "accepted,after,,0"));
    assert!(has(&moved, "SIGHUP, reopening log file"));
    assert!(!has(&moved, "after"));
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait().code(), Some(0));
}

/// A file system that hangs is like a pipe that nobody writes to.
#[test]
fn sigterm_ends_it_while_the_configuration_file_is_being_read() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("gearmand.toml");
    fs::write(&file, "").unwrap();
    let mut server =
        Gearmand::start_in(folder, &["--config-file=gearmand.toml", "-P", "gearmand.pid", "--verbose=INFO"]);
    let mut client = server.connect();
    fs::remove_file(&file).unwrap();
    mkfifo(&file, Mode::S_IRWXU).unwrap();
    server.signal(Signal::SIGHUP);
    let mut pipe = None;
    wait_until("the file is being read", || {
        pipe = fs::File::options().write(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(&file).ok();
        pipe.is_some()
    });
    client.send(&[submit("reverse", SubmitMode::Background, b"abc")]);
    client.body_of(PacketKind::JobCreated);
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait().code(), Some(0));
    assert!(server.said().iter().any(|line| line.ends_with("Shutdown complete")));
    assert!(!server.folder.path().join("gearmand.pid").exists());
    drop(pipe);
}

#[test]
fn log_lines_have_the_references_shape() {
    let mut server = Gearmand::start(&["--queue-type=builtin", "--verbose=NOTICE"]);
    let mut client = server.connect();
    client.send(&[submit("reverse", SubmitMode::Background, b"abc")]);
    client.body_of(PacketKind::JobCreated);
    wait_until("the job is logged", || server.said().iter().any(|line| line.contains("accepted")));
    let line = server.said().into_iter().find(|line| line.contains("accepted")).unwrap();
    let (level, rest) = line.split_at(" NOTICE ".len());
    assert_eq!(level, " NOTICE ");
    let (time, rest) = rest.split_at("2026-11-21 00:00:00.000000".len());
    let shape: String =
        time.chars().map(|letter| if letter.is_ascii_digit() { '9' } else { letter }).collect();
    assert_eq!(shape, "9999-99-99 99:99:99.999999");
    assert_eq!(rest, " [  main ] accepted,reverse,,0");
    server.signal(Signal::SIGTERM);
    server.wait();
}

#[test]
fn who_was_refused_is_logged_as_the_list_of_workers_names_it() {
    let mut server = Gearmand::start(&["--queue-type=builtin", "--verbose=WARNING"]);
    let mut client = server.connect();
    let row = client.listing("workers").remove(0);
    let descriptor = row.split(' ').next().unwrap();
    client.send(&[Request::Option { name: b"nonsense" }]);
    client.body_of(PacketKind::Error);
    let expected = format!(
        " [  main ] connection {descriptor} of 127.0.0.1 was refused: UNKNOWN_OPTION, \
         Server does not recognize given option"
    );
    wait_until("the refusal is logged", || server.said().iter().any(|line| line.ends_with(&expected)));
    server.signal(Signal::SIGTERM);
    server.wait();
}

#[test]
fn the_process_id_file_is_there_when_the_port_answers_and_gone_at_the_end() {
    let mut server = Gearmand::start(&["--queue-type=builtin", "-P", "gearmand.pid"]);
    let path = server.folder.path().join("gearmand.pid");
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", server.id()));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o700, 0o700);
    server.connect().expect_alive();
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait().code(), Some(0));
    assert!(!path.exists());
}

#[test]
fn other_signals_end_it_as_usual() {
    for signal in [Signal::SIGABRT, Signal::SIGUSR2, Signal::SIGQUIT] {
        let folder = TempDir::new().unwrap();
        // A shell that runs the tests in the background ignores SIGQUIT, and so would all that they start.
        let mut as_usual = Command::new("env");
        as_usual.arg("--default-signal").arg(env!("CARGO_BIN_EXE_gearmand")).current_dir(folder.path());
        as_usual.args(["--queue-type=builtin", "-lstderr", "-p0", "-L127.0.0.1", "--http-listen=none"]);
        let mut server = Gearmand::spawn(folder, &mut as_usual);
        server.signal(signal);
        assert_eq!(server.wait().signal(), Some(signal as i32));
    }
}
