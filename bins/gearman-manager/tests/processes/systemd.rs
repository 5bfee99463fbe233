//! What systemd hears.

use crate::manager::{LIMIT, Manager};
use nix::sys::signal::Signal;
use std::os::unix::net::UnixDatagram;

/// The next message of the manager that has this line.
fn message(socket: &UnixDatagram, line: &str) -> String {
    let mut buffer = [0; 4096];
    loop {
        let count = socket.recv(&mut buffer).expect("the manager says it in time");
        let text = String::from_utf8_lossy(&buffer[..count]).into_owned();
        if text.lines().any(|it| it.starts_with(line)) {
            return text;
        }
    }
}

#[test]
fn systemd_hears_of_the_start_of_each_reload_of_life_and_of_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    let programs = "[program.a]\ncommand = 'echo socket: $NOTIFY_SOCKET.; exec sleep 1000'\nshell = true\n";
    let variables = [("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "400000")];
    let mut manager = Manager::start_in(&variables, programs);
    let ready = message(&socket, "READY=1");
    assert!(ready.contains(&format!("MAINPID={}", manager.pid())), "{ready}");
    manager.wait_for("a:0 socket: .");
    message(&socket, "WATCHDOG=1");
    message(&socket, "WATCHDOG=1");
    manager.signal(Signal::SIGHUP);
    message(&socket, "RELOADING=1");
    message(&socket, "READY=1");
    manager.signal(Signal::SIGTERM);
    message(&socket, "STOPPING=1");
    assert_eq!(manager.wait(), Some(0));
}
