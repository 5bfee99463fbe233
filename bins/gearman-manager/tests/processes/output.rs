//! What processes write.

use crate::manager::{Manager, wait_until};
use nix::sys::signal::Signal;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

#[test]
fn logs_are_rotated_by_size() {
    let mut manager = Manager::start(
        "[program.loud]\ncommand = 'while :; do echo 123456789012345678901234567890123456789012345678901234567890; done'\n\
         shell = true\nstdout = 'loud.log'\nlog-bytes = '4KiB'\nlog-files = 2\n",
    );
    manager.wait_for("loud:0 starting");
    let folder = manager.folder.path().to_owned();
    let path = |name: &str| folder.join(name);
    wait_until("two files were put aside", || path("loud.log.2").exists());
    assert_eq!(manager.ctl(&["stop", "loud"]).code, 0);
    manager.wait_for("loud:0 stopping -> exited");
    for name in ["loud.log.1", "loud.log.2"] {
        let text = fs::read_to_string(path(name)).unwrap();
        // What is read at once is written at once, so that a file is over its size by one read at most.
        assert!(text.ends_with('\n') && text.len() <= 4096 + 65_536, "{name}: {}", text.len());
    }
    assert!(!path("loud.log.3").exists());
}

#[test]
fn usr1_opens_logs_anew() {
    let mut manager = Manager::start(
        "[program.a]\ncommand = 'while :; do echo out; echo err >&2; sleep 0.05; done'\nshell = true\n\
         stdout = 'out.log'\nstderr = 'err.log'\n",
    );
    wait_until("both logs are there", || {
        manager.path("out.log").exists() && manager.path("err.log").exists()
    });
    fs::rename(manager.path("out.log"), manager.path("aside.log")).unwrap();
    manager.signal(Signal::SIGUSR1);
    manager.wait_for("log files are opened anew");
    wait_until("the log is begun anew", || {
        fs::read_to_string(manager.path("out.log")).is_ok_and(|text| text.contains("out"))
    });
    let aside = fs::read_to_string(manager.path("aside.log")).unwrap();
    assert!(aside.lines().all(|line| line == "out"), "{aside}");
    assert!(fs::read_to_string(manager.path("err.log")).unwrap().lines().all(|line| line == "err"));
}

#[test]
fn tail_shows_the_last_lines_and_follows() {
    let mut manager = Manager::start(
        "[program.a]\ncommand = 'echo first; echo second >&2; while [ ! -e go ]; do sleep 0.05; done; echo third; exec sleep 1000'\n\
         shell = true\nstdout = 'none'\n",
    );
    manager.wait_for("a:0 starting");
    wait_until("two lines are there", || manager.ctl(&["tail", "a"]).out.lines().count() == 2);
    assert_eq!(manager.ctl(&["tail", "-n", "1", "a:0"]).out, "a:0 second\n");
    let mut follower = manager.ctl_command(&["tail", "-f", "a"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(
        (lines.next().unwrap(), lines.next().unwrap()),
        ("a:0 first".to_owned(), "a:0 second".to_owned())
    );
    fs::write(manager.path("go"), "").unwrap();
    assert_eq!(lines.next().unwrap(), "a:0 third");
    follower.kill().unwrap();
    follower.wait().unwrap();
    let unknown = manager.ctl(&["tail", "b"]);
    assert_eq!(
        (unknown.code, unknown.err.as_str()),
        (2, "gearman-manager: there is no \"b\" (hint: there are a)\n")
    );
}
