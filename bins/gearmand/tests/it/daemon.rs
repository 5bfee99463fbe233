//! `--daemon`, and what a service manager sees.

use crate::peer::{PATIENCE, Peer};
use crate::process::{Gearmand, HeldPort, command, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use tempfile::TempDir;

/// A detached server has nobody to tell which port it took, so it is told.
fn detach(folder: &Path, port: &str) -> std::process::Output {
    command(folder)
        .args(["-d", "-L127.0.0.1", "--http-listen=none", "-P", "pid", "-l", "log", port])
        .output()
        .unwrap()
}

#[test]
fn a_detached_server_can_be_used_when_the_command_returns() {
    let folder = TempDir::new().unwrap();
    let port = HeldPort::new();
    let output = detach(folder.path(), &port.option());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let mut peer = Peer::connect(port.address);
    peer.expect_alive();
    let pid: i32 = fs::read_to_string(folder.path().join("pid")).unwrap().trim().parse().unwrap();
    let session = nix::unistd::getsid(Some(Pid::from_raw(pid))).unwrap();
    assert_eq!(session.as_raw(), pid, "it leads a session of its own");
    kill(Pid::from_raw(pid), Signal::SIGTERM).unwrap();
    peer.expect_end();
    wait_until("the process id file is gone", || !folder.path().join("pid").exists());
}

#[test]
fn a_server_that_cannot_start_says_so_before_the_command_returns() {
    let folder = TempDir::new().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let output = detach(folder.path(), &format!("-p{port}"));
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(&format!("could not listen on 127.0.0.1:{port}: it is in use")), "{said}");
}

#[test]
fn a_service_manager_is_told_when_the_server_can_be_used() {
    let folder = TempDir::new().unwrap();
    let socket = folder.path().join("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = command(folder.path());
    command.env("NOTIFY_SOCKET", &socket).args(["-p0", "-L127.0.0.1", "--http-listen=none", "-lstderr"]);
    let mut server = Gearmand::spawn(folder, &mut command);
    let mut text = [0; 200];
    let mut next = || {
        let len = manager.recv(&mut text).unwrap();
        String::from_utf8_lossy(&text[..len]).trim().to_owned()
    };
    assert_eq!(next(), "READY=1");
    server.signal(Signal::SIGTERM);
    assert_eq!(next(), "STOPPING=1");
    assert_eq!(server.wait().code(), Some(0));
}
