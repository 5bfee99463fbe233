//! Standard output and error may be pipes that nobody reads, or closed.

use crate::peer::{Peer, submit};
use crate::process::{HeldPort, command, wait_until};
use geartrain_proto::{PacketKind, SubmitMode};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::net::TcpStream;
use std::process::Stdio;
use tempfile::TempDir;

/// Serves 20,000 jobs, each with a line on standard error, and ends when asked.
fn serve_with_error_to(stderr: Stdio) {
    let folder = TempDir::new().unwrap();
    let port = HeldPort::new();
    let mut child = command(folder.path())
        .args([
            "-q",
            "builtin",
            "-L127.0.0.1",
            "--http-listen=none",
            "-lstderr",
            "--verbose=DEBUG",
            "-P",
            "pid",
        ])
        .arg(port.option())
        .stdout(Stdio::null())
        .stderr(stderr)
        .spawn()
        .unwrap();
    wait_until("the port answers", || TcpStream::connect(port.address).is_ok());
    let mut peer = Peer::connect(port.address);
    let workload = vec![b'x'; 100];
    for _ in 0..200 {
        peer.send(&vec![submit("reverse", SubmitMode::Background, &workload); 100]);
        for _ in 0..100 {
            peer.body_of(PacketKind::JobCreated);
        }
    }
    let pid: i32 = fs::read_to_string(folder.path().join("pid")).unwrap().trim().parse().unwrap();
    kill(Pid::from_raw(pid), Signal::SIGTERM).unwrap();
    assert_eq!(crate::process::wait_for_end(&mut child).code(), Some(0));
}

#[test]
fn a_pipe_that_nobody_reads_does_not_block_it() {
    // The reading end stays open in this process, unread, until the child has ended.
    serve_with_error_to(Stdio::piped());
}

#[test]
fn a_closed_pipe_does_not_end_it() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    serve_with_error_to(writer.into());
}
