//! One process of a library: started in a process group of its own, read line by line, ended for sure.
//!
//! From: `scenario`, which says what to run. To: `Value`s, one per line of JSON that the process prints.
//! Never: outlives the suite (the group is killed when the peer is dropped, and the kernel kills the
//! process when the suite dies), nor keeps more than the last of what it says on stderr.

use crate::deadline::{Deadline, Failure};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// How much of a process's stderr is kept for the reason of a failure, in bytes.
const TALK_BYTES_MAX: usize = 4096;

/// A command that the kernel ends together with the thread that started it.
#[must_use]
pub fn tethered(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// A running process of a library or of a server.
#[derive(Debug)]
pub struct Peer {
    label: String,
    child: Child,
    events: Receiver<Value>,
    talk: Arc<Mutex<Vec<u8>>>,
}

impl Peer {
    /// Starts a command; `label` names the process in failures.
    ///
    /// # Errors
    /// [`Failure::Io`] when the program cannot be started.
    pub fn spawn(label: &str, mut command: Command) -> Result<Self, Failure> {
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(Failure::io(format!("starting {label}")))?;
        let (sender, events) = channel();
        let talk = Arc::new(Mutex::new(Vec::new()));
        if let Some(stdout) = child.stdout.take() {
            let talk = Arc::clone(&talk);
            thread::spawn(move || {
                for line in BufReader::new(stdout).lines() {
                    let Ok(line) = line else { return };
                    match serde_json::from_str(&line) {
                        Ok(event) => {
                            if sender.send(event).is_err() {
                                return;
                            }
                        }
                        Err(_) => keep(&talk, line.as_bytes()),
                    }
                }
            });
        }
        if let Some(mut stderr) = child.stderr.take() {
            let talk = Arc::clone(&talk);
            thread::spawn(move || {
                let mut buffer = [0; 1024];
                while let Ok(read @ 1..) = stderr.read(&mut buffer) {
                    keep(&talk, buffer.get(..read).unwrap_or_default());
                }
            });
        }
        Ok(Self { label: label.to_owned(), child, events, talk })
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next event, whatever it is; an `error` event is a failure.
    ///
    /// # Errors
    /// When the peer reports one, ends, or says nothing before the deadline.
    pub fn next_event(&mut self, waiting_for: &str, deadline: Deadline) -> Result<Value, Failure> {
        let what = format!("{waiting_for} of {}", self.label);
        match self.events.recv_timeout(deadline.left(&what)?) {
            Ok(event) if field(&event, "event") == "error" => {
                Err(Failure::Unexpected(format!("{} reports: {}", self.label, field(&event, "text"))))
            }
            Ok(event) => Ok(event),
            Err(RecvTimeoutError::Timeout) => Err(Failure::TimedOut(what)),
            Err(RecvTimeoutError::Disconnected) => Err(self.ended(deadline)),
        }
    }

    /// The next event of one name that satisfies `wanted`; others before it are passed over.
    ///
    /// # Errors
    /// As [`Peer::next_event`].
    pub fn await_event(
        &mut self,
        name: &str,
        deadline: Deadline,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<Value, Failure> {
        loop {
            let event = self.next_event(name, deadline)?;
            if field(&event, "event") == name && wanted(&event) {
                return Ok(event);
            }
        }
    }

    /// Everything the peer prints until it ends, which it must do without a failure.
    ///
    /// # Errors
    /// When it does not end in time, ends with another status than 0, or reports an error.
    pub fn finish(&mut self, deadline: Deadline) -> Result<Vec<Value>, Failure> {
        let mut events = Vec::new();
        loop {
            match self.next_event("the end", deadline) {
                Ok(event) => events.push(event),
                Err(Failure::Ended { status, .. }) if status == SUCCESS => return Ok(events),
                Err(failure) => return Err(failure),
            }
        }
    }

    /// The events that are there already.
    pub fn pending(&mut self) -> Vec<Value> {
        self.events.try_iter().collect()
    }

    /// Whether the process has ended.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// SIGKILL to the process and all it started, as a machine that vanishes would.
    pub fn kill(&mut self) {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // It may have ended by itself a moment ago.
            kill_process_group(group, Signal::KILL).ok();
        }
    }

    /// How the process ended and what it said last.
    pub fn ended(&mut self, deadline: Deadline) -> Failure {
        let status = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break describe(status),
                Ok(None) if deadline.left("").is_ok() => thread::sleep(Duration::from_millis(2)),
                Ok(None) | Err(_) => break "its output closed".to_owned(),
            }
        };
        Failure::Ended { label: self.label.clone(), status, talk: self.last_words() }
    }

    /// The last lines of stderr on one line, or nothing.
    fn last_words(&self) -> String {
        let kept = self.talk.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&kept);
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        lines.last().map_or_else(String::new, |line| format!(": {line}"))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.kill();
        // Nothing is left to do with an error: the process is gone or not ours.
        self.child.wait().ok();
    }
}

/// A field of an event; null where it has none.
#[must_use]
pub fn field<'a>(event: &'a Value, name: &str) -> &'a Value {
    event.get(name).unwrap_or(&Value::Null)
}

const SUCCESS: &str = "exit code 0";

fn describe(status: ExitStatus) -> String {
    status.code().map_or_else(|| status.to_string(), |code| format!("exit code {code}"))
}

fn keep(talk: &Mutex<Vec<u8>>, bytes: &[u8]) {
    let mut kept = talk.lock().unwrap_or_else(PoisonError::into_inner);
    kept.extend_from_slice(bytes);
    kept.push(b'\n');
    let excess = kept.len().saturating_sub(TALK_BYTES_MAX);
    kept.drain(..excess);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Peer {
        let mut command = tethered("sh");
        command.args(["-c", script]);
        Peer::spawn("peer", command).expect("a shell starts")
    }

    fn soon() -> Deadline {
        Deadline::after(Duration::from_secs(5))
    }

    #[test]
    fn events_are_read_in_order_and_others_passed_over() {
        let mut peer = shell(r#"echo noise; echo '{"event":"a","n":1}'; echo '{"event":"b","n":2}'"#);
        assert_eq!(peer.await_event("b", soon(), |_| true).expect("b comes")["n"], 2);
        assert!(peer.finish(soon()).expect("it ends well").is_empty());
    }

    #[test]
    fn a_failing_peer_is_a_failure_with_its_last_words() {
        let mut peer = shell("echo first >&2; echo last >&2; exit 3");
        let failure = peer.finish(soon()).expect_err("3 is not success").to_string();
        assert!(failure.starts_with("peer ended with exit code 3"), "{failure}");
    }

    #[test]
    fn a_silent_peer_is_given_up_at_the_deadline() {
        let mut peer = shell("exec sleep 60");
        let failure = peer.next_event("word", Deadline::after(Duration::from_millis(50)));
        assert!(matches!(failure, Err(Failure::TimedOut(_))), "{failure:?}");
    }

    #[test]
    fn an_error_event_is_a_failure() {
        let mut peer = shell(r#"echo '{"event":"error","text":"boom"}'"#);
        let failure = peer.finish(soon()).expect_err("the peer reports an error").to_string();
        assert!(failure.contains("boom"), "{failure}");
    }

    #[test]
    fn kill_reaches_what_the_process_started() {
        let mut peer = shell(r#"sleep 60 & echo "{\"event\":\"child\",\"pid\":$!}"; wait"#);
        let child =
            peer.await_event("child", soon(), |_| true).expect("it starts a child")["pid"].to_string();
        peer.kill();
        let status = format!("/proc/{child}/stat");
        let deadline = soon();
        while std::fs::read_to_string(&status).is_ok_and(|stat| !stat.contains(") Z")) {
            deadline.left("the child to end").expect("the child is killed too");
            thread::sleep(Duration::from_millis(5));
        }
    }
}
