//! Where log lines end up.

use super::Level;
use jiff::Zoned;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process;
use thiserror::Error;

/// Where log lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogTarget {
    /// Appended to this file.
    File(PathBuf),
    /// Standard error.
    Stderr,
    /// Nowhere.
    Nowhere,
}

/// Why the log cannot be opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenLogError {
    /// The file cannot be opened for appending.
    #[error("could not open log file {path}: {error}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The thread that writes could not be started.
    #[error("could not start the thread that writes the log: {0}")]
    Thread(io::Error),
}

/// The open log.
#[derive(Debug)]
pub(super) struct Sink {
    target: LogTarget,
    file: Option<File>,
    syslog: Option<UnixDatagram>,
}

const SYSLOG_SOCKET: &str = "/dev/log";
/// Facility `user`, in the place where syslog wants it.
const SYSLOG_USER: u8 = 1 << 3;

impl Sink {
    pub(super) fn open(target: LogTarget, syslog: bool) -> Result<Self, OpenLogError> {
        let file = match &target {
            LogTarget::File(path) => {
                Some(append(path).map_err(|error| OpenLogError::File { path: path.clone(), error })?)
            }
            LogTarget::Stderr | LogTarget::Nowhere => None,
        };
        let syslog = if syslog { UnixDatagram::unbound().ok() } else { None };
        if let Some(socket) = &syslog {
            // Without this a full journal would block; it fails on no system that has the socket.
            socket.set_nonblocking(true).ok();
        }
        Ok(Self { target, file, syslog })
    }

    /// Errors are not reported: there is nobody left to report them to.
    pub(super) fn line(&mut self, level: Level, text: &str) {
        let text = text.replace('\n', " ");
        let now = Zoned::now().strftime("%Y-%m-%d %H:%M:%S%.6f").to_string();
        let line = format!("{:>7} {now} [  main ] {text}\n", level.name());
        match (&self.target, &mut self.file) {
            (LogTarget::Stderr, _) => io::stderr().write_all(line.as_bytes()).unwrap_or_default(),
            (_, Some(file)) => file.write_all(line.as_bytes()).unwrap_or_default(),
            (LogTarget::File(_) | LogTarget::Nowhere, None) => {}
        }
        if let Some(socket) = &self.syslog {
            let packet = format!("<{}>gearmand[{}]: {text}", SYSLOG_USER | severity(level), process::id());
            socket.send_to(packet.as_bytes(), SYSLOG_SOCKET).ok();
        }
    }

    pub(super) fn talk(&mut self, text: &str) {
        io::stderr().write_all(format!("gearmand: {text}\n").as_bytes()).unwrap_or_default();
    }

    /// Opens the file anew; goes on with the old one when that is not possible.
    pub(super) fn reopen(&mut self) {
        if let LogTarget::File(path) = &self.target {
            match append(path) {
                Ok(file) => self.file = Some(file),
                Err(error) => {
                    let text = format!("could not reopen log file {}: {error}", path.display());
                    self.line(Level::Error, &text);
                }
            }
        }
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o644).open(path)
}

const fn severity(level: Level) -> u8 {
    match level {
        Level::Fatal => 0,
        Level::Alert => 1,
        Level::Critical => 2,
        Level::Error => 3,
        Level::Warning => 4,
        Level::Notice => 5,
        Level::Info => 6,
        Level::Debug => 7,
    }
}
