//! What the next manager has to know if this one is killed.
//!
//! From: each spawn and each end. To: one line each in `processes` of the state folder, in the kernel's hands before
//! the process matters. Never: believes a number alone; a process is its pid, its start time and the machine's.

use super::{folder, proc};
use crate::limits::STATE_LINES_MAX;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A process that was spawned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) pid: i32,
    /// Ticks after the machine's start.
    pub(crate) started: u64,
    pub(crate) program: String,
    pub(crate) number: u32,
    /// What it was spawned from, as a number: another one where the program changed.
    pub(crate) launch: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    Boot(String),
    Spawned(Record),
    Gone(i32),
}

#[derive(Debug)]
pub(crate) struct StateFile {
    path: PathBuf,
    file: File,
    lines: usize,
    live: BTreeMap<i32, Record>,
    /// Held as long as the manager lives: a second one on the same folder would take its processes for orphans.
    _lock: Flock<File>,
}

impl StateFile {
    /// Takes the folder, and what the last manager left in it.
    ///
    /// # Errors
    /// When the folder cannot be made, others may write to it, or another manager has it.
    pub(crate) fn open(folder: &Path) -> io::Result<(Self, Vec<Record>)> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        folder::check_own(folder)?;
        let lock = lock(&folder.join("lock"))?;
        let path = folder.join("processes");
        let left = read(&path);
        let live: BTreeMap<i32, Record> = left.iter().map(|record| (record.pid, record.clone())).collect();
        let (file, lines) = rewrite(&path, live.values())?;
        Ok((Self { path, file, lines, live, _lock: lock }, left))
    }

    pub(crate) fn spawned(&mut self, record: Record) -> io::Result<()> {
        self.live.insert(record.pid, record.clone());
        self.append(&Line::Spawned(record))
    }

    pub(crate) fn gone(&mut self, pid: i32) -> io::Result<()> {
        if self.live.remove(&pid).is_none() {
            return Ok(());
        }
        self.append(&Line::Gone(pid))
    }

    fn append(&mut self, line: &Line) -> io::Result<()> {
        if self.lines >= STATE_LINES_MAX.max(self.live.len() * 2) {
            (self.file, self.lines) = rewrite(&self.path, self.live.values())?;
            return Ok(());
        }
        self.lines += 1;
        self.file.write_all(&bytes(line)?)
    }
}

fn bytes(line: &Line) -> io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(line)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// A file with these processes alone, in the place of what was there.
fn rewrite<'a>(path: &Path, live: impl Iterator<Item = &'a Record>) -> io::Result<(File, usize)> {
    let mut text = bytes(&Line::Boot(proc::boot_id()))?;
    let mut lines = 1;
    for record in live {
        text.extend(bytes(&Line::Spawned(record.clone()))?);
        lines += 1;
    }
    let new = path.with_extension("new");
    let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(&text)?;
    fs::rename(&new, path)?;
    Ok((file, lines))
}

/// What is in the file and still lives; a file of an earlier start of the machine has nothing that does.
fn read(path: &Path) -> Vec<Record> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let mut live = BTreeMap::new();
    let mut is_this_boot = false;
    // The last line may be cut; what it would have said is found by the process's variables.
    for line in text.lines().filter_map(|line| serde_json::from_str(line).ok()) {
        match line {
            Line::Boot(boot) => is_this_boot = boot == proc::boot_id(),
            Line::Spawned(record) => {
                live.insert(record.pid, record);
            }
            Line::Gone(pid) => {
                live.remove(&pid);
            }
        }
    }
    live.into_values().filter(|_| is_this_boot).collect()
}

fn lock(path: &Path) -> io::Result<Flock<File>> {
    let file =
        OpenOptions::new().create(true).read(true).write(true).truncate(false).mode(0o600).open(path)?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(mut lock) => {
            lock.set_len(0)?;
            lock.rewind()?;
            write!(lock, "{}", std::process::id())?;
            Ok(lock)
        }
        Err((mut file, _)) => {
            let mut pid = String::new();
            file.read_to_string(&mut pid)?;
            Err(io::Error::new(io::ErrorKind::WouldBlock, format!("process {} has it", pid.trim())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(pid: i32) -> Record {
        Record { pid, started: 7, program: "mail".to_owned(), number: 0, launch: 1 }
    }

    #[test]
    fn the_next_manager_finds_what_was_spawned_and_did_not_end() {
        let folder = tempfile::tempdir().unwrap();
        let (mut state, left) = StateFile::open(folder.path()).unwrap();
        assert_eq!(left, []);
        for pid in 1..=3 {
            state.spawned(record(pid)).unwrap();
        }
        state.gone(2).unwrap();
        drop(state);
        let (_state, left) = StateFile::open(folder.path()).unwrap();
        assert_eq!(left, [record(1), record(3)]);
    }

    #[test]
    fn a_cut_line_and_another_start_of_the_machine_are_no_trouble() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("processes");
        let (mut state, _) = StateFile::open(folder.path()).unwrap();
        state.spawned(record(1)).unwrap();
        drop(state);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{text}{{\"spawned\":{{\"pid\":9,\"sta")).unwrap();
        assert_eq!(read(&path), [record(1)]);
        fs::write(&path, text.replace(&proc::boot_id(), "another")).unwrap();
        assert_eq!(read(&path), []);
    }

    #[test]
    fn the_file_stays_small() {
        let folder = tempfile::tempdir().unwrap();
        let (mut state, _) = StateFile::open(folder.path()).unwrap();
        state.spawned(record(1)).unwrap();
        for pid in 2..2 * i32::try_from(STATE_LINES_MAX).unwrap() {
            state.spawned(record(pid)).unwrap();
            state.gone(pid).unwrap();
        }
        let lines = fs::read_to_string(folder.path().join("processes")).unwrap().lines().count();
        assert!(lines <= STATE_LINES_MAX, "{lines}");
        drop(state);
        let (_state, left) = StateFile::open(folder.path()).unwrap();
        assert_eq!(left, [record(1)]);
    }

    #[test]
    fn a_second_manager_is_told_who_has_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let (_state, _) = StateFile::open(folder.path()).unwrap();
        let error = StateFile::open(folder.path()).unwrap_err().to_string();
        assert_eq!(error, format!("process {} has it", std::process::id()));
    }
}
