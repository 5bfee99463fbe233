//! A file of output that is put aside when it is full.
//!
//! From: whole lines of the processes that share it. To: `NAME`, `NAME.1`, ... `NAME.N`, the newest first.
//! Never: cuts a line in two files.

use crate::config::Rotation;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub(crate) struct LogFile {
    path: PathBuf,
    rotation: Rotation,
    file: File,
    bytes: u64,
}

impl LogFile {
    pub(crate) fn open(path: &Path, rotation: Rotation) -> io::Result<Self> {
        let file = open(path)?;
        let bytes = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), rotation, file, bytes })
    }

    pub(crate) fn set_rotation(&mut self, rotation: Rotation) {
        self.rotation = rotation;
    }

    /// Opens the file anew, for those who put it aside themselves.
    pub(crate) fn reopen(&mut self) -> io::Result<()> {
        self.file = open(&self.path)?;
        self.bytes = self.file.metadata()?.len();
        Ok(())
    }

    /// Writes whole lines.
    pub(crate) fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        let more = u64::try_from(lines.len()).unwrap_or(u64::MAX);
        let is_full = self.rotation.bytes_max.is_some_and(|max| self.bytes.saturating_add(more) > max);
        if is_full && self.bytes > 0 {
            self.rotate()?;
        }
        self.file.write_all(lines)?;
        self.bytes = self.bytes.saturating_add(more);
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        if self.rotation.files == 0 {
            // Opened for appending, so that what follows begins at the start.
            self.file.set_len(0)?;
            self.bytes = 0;
            return Ok(());
        }
        for number in (1..self.rotation.files).rev() {
            let from = self.aside(number);
            if from.exists() {
                fs::rename(from, self.aside(number + 1))?;
            }
        }
        fs::rename(&self.path, self.aside(1))?;
        self.reopen()
    }

    fn aside(&self, number: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_file_is_put_aside_and_the_oldest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.log");
        let mut log = LogFile::open(&path, Rotation { bytes_max: Some(10), files: 2 }).unwrap();
        for line in ["one 45678\n", "two 45678\n", "three 678\n", "four 5678\n"] {
            log.write(line.as_bytes()).unwrap();
        }
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap_or_default();
        assert_eq!(
            (read("out.log"), read("out.log.1")),
            ("four 5678\n".to_owned(), "three 678\n".to_owned())
        );
        assert_eq!((read("out.log.2"), read("out.log.3")), ("two 45678\n".to_owned(), String::new()));
        log.write(&[b'x'; 30]).unwrap();
        assert_eq!(read("out.log").len(), 30, "a line longer than the limit is whole in a file of its own");
    }

    #[test]
    fn a_file_that_was_put_aside_by_others_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.log");
        let mut log = LogFile::open(&path, Rotation { bytes_max: None, files: 0 }).unwrap();
        log.write(b"old\n").unwrap();
        fs::rename(&path, folder.path().join("aside")).unwrap();
        log.reopen().unwrap();
        log.write(b"new\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new\n");
    }
}
