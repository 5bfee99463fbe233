//! Signals, with the example `graceful_worker` in a process of its own.

use super::support::{Server, Side, on_both_servers, wait_until};
use geartrain_proto::SubmitMode;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

on_both_servers!(
    a_signal_lets_a_worker_finish_and_leave,
    a_second_signal_makes_it_leave_at_once,
    without_a_job_it_leaves_at_the_first_signal,
);

struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Process {
    fn start(server: &Server) -> Self {
        let test = std::env::current_exe().unwrap();
        let target = test.parent().and_then(|deps| deps.parent()).unwrap();
        let program = target.join("examples/graceful_worker");
        let mut child = Command::new(&program)
            .arg(server.address())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{}: {error} (hint: `cargo build -p geartrain-client --examples`)", program.display())
            });
        let output = BufReader::new(child.stdout.take().unwrap());
        server.await_workers("nap", 1);
        Self { child, output }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    /// Waits until it has ended, and gives its exit status.
    fn end(mut self) -> Option<i32> {
        wait_until("the worker ends", || self.child.try_wait().unwrap().is_some());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended already, unless the test failed.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn a_signal_lets_a_worker_finish_and_leave(side: Side) {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let server = Server::start(side);
        let mut worker = Process::start(&server);
        let mut client = server.observer();
        let handle = client.submit("nap", b"300", SubmitMode::Foreground);
        assert_eq!(worker.line(), format!("nap {handle}: begins"));
        worker.signal(signal);
        assert_eq!(client.story(), ["complete slept for 300 ms"]);
        let report = worker.line();
        assert!(report.starts_with(&format!("nap {handle}: completed after 3")), "{report}");
        assert!(report.ends_with(" ms, 3 bytes in, 16 bytes out"), "{report}");
        assert_eq!(worker.line(), "left (Signal) after 1 jobs, 0 abandoned");
        assert_eq!(worker.end(), Some(0));
    }
}

fn a_second_signal_makes_it_leave_at_once(side: Side) {
    let server = Server::start(side);
    let mut worker = Process::start(&server);
    let handle = server.observer().submit("nap", b"600000", SubmitMode::Background);
    assert_eq!(worker.line(), format!("nap {handle}: begins"));
    worker.signal(Signal::SIGTERM);
    // Nothing shows when the first has arrived, and two at once count as one; so it is sent until it helps.
    wait_until("it leaves", || {
        worker.signal(Signal::SIGTERM);
        worker.child.try_wait().unwrap().is_some()
    });
    assert_eq!(worker.child.wait().unwrap().code(), Some(0));
    assert!(worker.line().starts_with(&format!("nap {handle}: was abandoned after")));
    assert_eq!(worker.line(), "left (Signal) after 1 jobs, 1 abandoned");
    wait_until("the job waits for another", || server.observer().status(&handle) == (true, false));
}

fn without_a_job_it_leaves_at_the_first_signal(side: Side) {
    let server = Server::start(side);
    let mut worker = Process::start(&server);
    worker.signal(Signal::SIGTERM);
    assert_eq!(worker.line(), "left (Signal) after 0 jobs, 0 abandoned");
    assert_eq!(worker.end(), Some(0));
}
