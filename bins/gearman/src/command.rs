//! Runs the command of a worker for one job.
//!
//! From: a workload. To: the command's standard input, while its output is taken at the same time, so that
//! neither side waits for the other; its error output goes where the worker's goes.
//! Never: holds more of the output than a limit, or waits without listening to signals.

use crate::arguments::Lines;
use crate::signals::Signals;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};

/// Most output held for one job, in bytes: 256 MiB. Output passed on by line is held a line at a time.
const OUTPUT_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Bytes read at once from a command.
const READ_BYTES: usize = 64 * 1024;

/// A job as a command gets it.
pub(crate) struct Job<'a> {
    pub(crate) handle: &'a [u8],
    pub(crate) function: &'a [u8],
    pub(crate) unique: &'a [u8],
    pub(crate) workload: &'a [u8],
}

/// How a command ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// With exit status 0.
    Well,
    /// Otherwise; the text says how.
    Badly(String),
    /// It was stopped, because the worker was asked twice to leave.
    Stopped,
}

/// Takes what a command prints.
pub(crate) type Sink<'s> = dyn FnMut(&[u8]) -> anyhow::Result<()> + 's;

/// Runs the command for one job. Whole output is handed back; lines go to `sink` as they come.
///
/// The command gets `GEARMAN_FUNCTION`, `GEARMAN_HANDLE` and `GEARMAN_UNIQUE`. It has a process group of its
/// own: an interrupt from the terminal reaches the worker alone, which lets the job finish.
///
/// # Errors
/// When the command cannot be started or `sink` fails; then the command is ended.
pub(crate) fn run(
    command: &[OsString],
    job: &Job<'_>,
    lines: Lines,
    signals: &mut Signals,
    sink: &mut Sink<'_>,
) -> anyhow::Result<(Ended, Vec<u8>)> {
    let (program, arguments) =
        command.split_first().ok_or_else(|| anyhow::anyhow!("the command is empty"))?;
    let mut child = Command::new(program)
        .args(arguments)
        .env("GEARMAN_FUNCTION", OsStr::from_bytes(job.function))
        .env("GEARMAN_HANDLE", OsStr::from_bytes(job.handle))
        .env("GEARMAN_UNIQUE", OsStr::from_bytes(job.unique))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|error| anyhow::anyhow!("cannot start {}: {error}", program.display()))?;
    let ran = drive(&mut child, job.workload, lines, signals, sink);
    if ran.is_err() {
        stop_child(&mut child)?;
    }
    ran
}

fn drive(
    child: &mut Child,
    workload: &[u8],
    lines: Lines,
    signals: &mut Signals,
    sink: &mut Sink<'_>,
) -> anyhow::Result<(Ended, Vec<u8>)> {
    let mut stdin = Input { pipe: child.stdin.take(), rest: workload };
    if let Some(pipe) = &stdin.pipe {
        fcntl(pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    }
    let mut stdout = child.stdout.take();
    let mut output = Vec::new();
    let mut chunk = vec![0; READ_BYTES];
    let mut ended: Option<ExitStatus> = None;
    loop {
        if signals.stops() > 1 {
            stop_child(child)?;
            return Ok((Ended::Stopped, Vec::new()));
        }
        // A signal that a child ended may have come before the wait below: look first.
        if ended.is_none() {
            ended = child.try_wait()?;
        }
        if let (Some(status), None) = (ended, &stdout) {
            flush_line(&mut output, lines, sink)?;
            return Ok((judge(status), output));
        }
        stdin.drop_if_written();
        let [wake, stop] = signals.descriptors();
        let mut polled = vec![PollFd::new(wake, PollFlags::POLLIN), PollFd::new(stop, PollFlags::POLLIN)];
        polled.extend(stdout.as_ref().map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLIN)));
        polled.extend(stdin.pipe.as_ref().map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLOUT)));
        wait(&mut polled, PollTimeout::NONE)?;
        let ready: Vec<bool> = polled.iter().map(|one| one.any().unwrap_or(false)).collect();
        drop(polled);
        let mut ready = ready.into_iter().skip(2);
        let (out_ready, in_ready) = match &stdout {
            Some(_) => (ready.next().unwrap_or(false), ready.next().unwrap_or(false)),
            None => (false, ready.next().unwrap_or(false)),
        };
        if in_ready {
            stdin.write_some()?;
        }
        if let (true, Some(pipe)) = (out_ready, &mut stdout) {
            match pipe.read(&mut chunk)? {
                0 => stdout = None,
                count => output.extend_from_slice(chunk.get(..count).unwrap_or_default()),
            }
            if lines != Lines::Whole {
                pass_lines(&mut output, lines, sink)?;
            }
            if output.len() > OUTPUT_BYTES_MAX {
                stop_child(child)?;
                let text =
                    format!("printed more than {OUTPUT_BYTES_MAX} bytes (hint: -n passes output on by line)");
                return Ok((Ended::Badly(text), Vec::new()));
            }
        }
    }
}

/// Waits until a descriptor is ready or the time is up.
pub(crate) fn wait(polled: &mut [PollFd<'_>], timeout: PollTimeout) -> io::Result<()> {
    match poll(polled, timeout) {
        Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The workload on its way to the command.
struct Input<'w> {
    pipe: Option<ChildStdin>,
    rest: &'w [u8],
}

impl Input<'_> {
    fn drop_if_written(&mut self) {
        if self.rest.is_empty() {
            self.pipe = None;
        }
    }

    /// A command that does not read its input closes it: that is its right and no error.
    fn write_some(&mut self) -> io::Result<()> {
        let Some(pipe) = &mut self.pipe else { return Ok(()) };
        match pipe.write(self.rest) {
            Ok(count) => self.rest = self.rest.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.pipe = None,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// Hands whole lines on and keeps the rest.
fn pass_lines(output: &mut Vec<u8>, lines: Lines, sink: &mut Sink<'_>) -> anyhow::Result<()> {
    let Some(end) = output.iter().rposition(|byte| *byte == b'\n') else { return Ok(()) };
    let rest = output.split_off(end + 1);
    for line in output.split_inclusive(|byte| *byte == b'\n') {
        sink(lines.pass(line))?;
    }
    *output = rest;
    Ok(())
}

/// A last line without a line feed is a line too.
fn flush_line(output: &mut Vec<u8>, lines: Lines, sink: &mut Sink<'_>) -> anyhow::Result<()> {
    if lines != Lines::Whole && !output.is_empty() {
        sink(output)?;
        output.clear();
    }
    Ok(())
}

fn judge(status: ExitStatus) -> Ended {
    match (status.code(), status.signal()) {
        (Some(0), _) => Ended::Well,
        (Some(code), _) => Ended::Badly(format!("ended with exit status {code}")),
        (None, Some(signal)) => Ended::Badly(format!("was ended by signal {signal}")),
        (None, None) => Ended::Badly("ended in an unknown way".to_owned()),
    }
}

/// Ends the command and all it started.
fn stop_child(child: &mut Child) -> io::Result<()> {
    if child.try_wait()?.is_none() {
        let group = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
        killpg(group, Signal::SIGKILL)?;
        child.wait()?;
    }
    Ok(())
}
