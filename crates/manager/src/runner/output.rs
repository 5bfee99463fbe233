//! What processes write: out of the pipe, line by line, to where it belongs.
//!
//! From: pipes that have something. To: log files, the last lines of a place, followers.
//! Never: holds more of a line than its limit, or lets one process's line end in another's.

use super::log::{Level, Log};
use super::logfile::{LogFile, Written};
use super::tail::{Stream, Tail};
use crate::config::{LogTarget, Program};
use crate::limits::{LINE_BYTES_MAX, READ_BYTES};
use nix::errno::Errno;
use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// The end of a pipe that a process writes to.
#[derive(Debug)]
pub(crate) struct Pipe {
    fd: OwnedFd,
    partial: Vec<u8>,
}

impl Pipe {
    pub(crate) fn new(fd: OwnedFd) -> Self {
        Self { fd, partial: Vec::new() }
    }

    /// Reads once; the whole lines that are there now, and whether the pipe has ended.
    pub(crate) fn read(&mut self, buffer: &mut Vec<u8>) -> (Vec<u8>, bool) {
        buffer.resize(READ_BYTES, 0);
        let (count, has_ended) = match nix::unistd::read(&self.fd, buffer) {
            Ok(0) => (0, true),
            Ok(count) => (count, false),
            Err(Errno::EAGAIN | Errno::EINTR) => (0, false),
            Err(_) => (0, true),
        };
        self.partial.extend_from_slice(buffer.get(..count).unwrap_or_default());
        (self.take_lines(has_ended), has_ended)
    }

    fn take_lines(&mut self, has_ended: bool) -> Vec<u8> {
        let end = self.partial.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let mut lines: Vec<u8> = self.partial.drain(..end).collect();
        if has_ended || self.partial.len() > LINE_BYTES_MAX {
            lines.append(&mut self.partial);
            if lines.last().is_some_and(|last| *last != b'\n') {
                lines.push(b'\n');
            }
        }
        lines
    }
}

impl AsFd for Pipe {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A place, as program and number.
pub(crate) type Place = (String, u32);

/// A line for those who follow.
#[derive(Debug, Clone)]
pub(crate) struct Followed {
    pub(crate) place: Place,
    pub(crate) stream: Stream,
    pub(crate) line: String,
}

#[derive(Debug, Default)]
pub(crate) struct Outputs {
    files: BTreeMap<PathBuf, LogFile>,
    tails: BTreeMap<Place, Tail>,
    /// Lines since somebody took them, where there are followers.
    pub(crate) followed: Vec<Followed>,
    pub(crate) has_followers: bool,
    /// Files that do not take lines, so that the log has each once.
    broken: BTreeMap<PathBuf, String>,
    /// Files that cannot be put aside, for the same reason.
    too_long: BTreeMap<PathBuf, String>,
}

impl Outputs {
    /// Hands on whole lines of a place.
    pub(crate) fn take(&mut self, log: &Log, place: &Place, program: &Program, stream: Stream, lines: &[u8]) {
        if lines.is_empty() {
            return;
        }
        let tail = self.tails.entry(place.clone()).or_default();
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            let line = String::from_utf8_lossy(line.get(..LINE_BYTES_MAX).unwrap_or(line)).into_owned();
            if self.has_followers {
                self.followed.push(Followed { place: place.clone(), stream, line: line.clone() });
            }
            tail.push(stream, line);
        }
        let target = match (stream, &program.stderr) {
            (Stream::Stdout, _) | (Stream::Stderr, LogTarget::Stdout) => &program.stdout,
            (Stream::Stderr, target) => target,
        };
        match target {
            LogTarget::Nowhere | LogTarget::Stdout => {}
            LogTarget::Manager => {
                let name = format!("{}:{} ", place.0, place.1);
                let mut named = Vec::with_capacity(lines.len() + 64);
                for line in lines.split_inclusive(|byte| *byte == b'\n') {
                    named.extend_from_slice(name.as_bytes());
                    named.extend_from_slice(line);
                }
                log.pass(named, stream == Stream::Stderr);
            }
            LogTarget::File(path) => {
                let path = path.to_string_lossy().replace("{number}", &place.1.to_string());
                self.write(log, Path::new(&path), program, lines);
            }
        }
    }

    fn write(&mut self, log: &Log, path: &Path, program: &Program, lines: &[u8]) {
        let written = match self.files.get_mut(path) {
            Some(file) => {
                file.set_rotation(program.rotation);
                file.write(lines)
            }
            None => LogFile::open(path, program.rotation).and_then(|mut file| {
                let written = file.write(lines);
                self.files.insert(path.to_owned(), file);
                written
            }),
        };
        match written {
            Ok(Written::Well) => {}
            Ok(Written::TooLong(error)) => {
                let error = error.to_string();
                if self.too_long.get(path) != Some(&error) {
                    let text = format!("{} is too long and cannot be put aside: {error}", path.display());
                    log.say(Level::Warn, &text);
                    self.too_long.insert(path.to_owned(), error);
                }
            }
            Err(error) => {
                let error = error.to_string();
                if self.broken.get(path) != Some(&error) {
                    let text = format!("output for {} is lost: {error}", path.display());
                    log.say(Level::Error, &text);
                    self.broken.insert(path.to_owned(), error);
                }
                return;
            }
        }
        if self.broken.remove(path).is_some() {
            log.say(Level::Info, &format!("{} takes output again", path.display()));
        }
    }

    /// Opens all files anew.
    pub(crate) fn reopen(&mut self, log: &Log) {
        self.files.retain(|path, file| match file.reopen() {
            Ok(()) => true,
            Err(error) => {
                log.say(Level::Error, &format!("cannot open {} anew: {error}", path.display()));
                false
            }
        });
    }

    /// The last lines of a place.
    pub(crate) fn last(&self, place: &Place, count: usize) -> Vec<(Stream, String)> {
        self.tails.get(place).map(|tail| tail.last(count).cloned().collect()).unwrap_or_default()
    }

    /// Forgets places that are no more, and closes all files: those that are still written to are opened again.
    pub(crate) fn retain(&mut self, is_there: impl Fn(&Place) -> bool) {
        self.tails.retain(|place, _| is_there(place));
        self.files.clear();
        self.broken.clear();
        self.too_long.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn lines_come_whole_and_long_ones_in_pieces() {
        let _forks = crate::runner::forks::none();
        let (read, write) = nix::unistd::pipe2(nix::fcntl::OFlag::O_NONBLOCK).unwrap();
        let mut write = std::fs::File::from(write);
        let mut pipe = Pipe::new(read);
        let mut buffer = Vec::new();
        write.write_all(b"one\ntw").unwrap();
        assert_eq!(pipe.read(&mut buffer), (b"one\n".to_vec(), false));
        assert_eq!(pipe.read(&mut buffer), (Vec::new(), false));
        write.write_all(b"o\nrest").unwrap();
        assert_eq!(pipe.read(&mut buffer), (b"two\n".to_vec(), false));
        write.write_all(&vec![b'x'; LINE_BYTES_MAX]).unwrap();
        let (lines, _) = pipe.read(&mut buffer);
        assert_eq!(lines.len(), LINE_BYTES_MAX + 5);
        write.write_all(b"end").unwrap();
        drop(write);
        assert_eq!(pipe.read(&mut buffer), (Vec::new(), false));
        assert_eq!(pipe.read(&mut buffer), (b"end\n".to_vec(), true));
    }
}
