//! `--daemon`: the server runs detached, and the command returns once it can be used.
//!
//! The program starts itself anew instead of forking: no thread or lock is copied half-way, and no code
//! has to be proven safe between fork and exec. The new process tells over a pipe, its standard output,
//! that the port answers and the queue is loaded.

use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// Set for the process that is to detach itself.
const MARK: &str = "GEARTRAIN_DETACHED";
const READY: &[u8] = b"ready\n";

/// Which process this is.
pub(crate) enum Side {
    /// The one that was called; the server runs in another.
    Parent,
    /// The server.
    Child(Readiness),
}

/// Tells the calling process that the server can be used.
#[derive(Debug)]
pub(crate) struct Readiness(());

/// Starts the server in a process of its own; returns there as the child, here once that is ready.
pub(crate) fn detach(arguments: &[OsString]) -> Result<Side> {
    if std::env::var_os(MARK).is_some() {
        // It fails only for the leader of a process group, which a child is not.
        nix::unistd::setsid().context("could not detach from the terminal")?;
        return Ok(Side::Child(Readiness(())));
    }
    let (program, rest) = arguments.split_first().context("the program has no name")?;
    let mut child = Command::new("/proc/self/exe")
        .arg0(program)
        .args(rest)
        .env(MARK, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("could not start the detached process")?;
    let mut said = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout
            .take(READY.len() as u64)
            .read_to_end(&mut said)
            .context("could not wait for the detached process")?;
    }
    if said == READY {
        return Ok(Side::Parent);
    }
    let status = child.wait().context("could not wait for the detached process")?;
    match status.code() {
        // It has said why on the standard error that both share.
        Some(code) => std::process::exit(code.max(1)),
        None => bail!("the detached process ended: {status}"),
    }
}

impl Readiness {
    /// Lets the calling process return, and leaves the terminal.
    pub(crate) fn tell(self) -> Result<()> {
        // The caller may have been ended meanwhile: the server runs on.
        std::io::stdout().write_all(READY).and_then(|()| std::io::stdout().flush()).unwrap_or_default();
        let null =
            File::options().read(true).write(true).open("/dev/null").context("could not open /dev/null")?;
        nix::unistd::dup2_stdout(&null).context("could not leave standard output")?;
        nix::unistd::dup2_stderr(&null).context("could not leave standard error")?;
        Ok(())
    }
}
