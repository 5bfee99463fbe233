//! What the next manager has to know if this one is killed.
//!
//! From: each spawn, stop signal and end, what people want, and the servers that are asked. To: a line each in
//! `processes` of the state folder, in the kernel's hands before it matters.
//! Never: believes a number alone; a process is its pid, its start time, and the start of the machine and the namespace
//! that these count in. Never: writes behind a line that it could not write whole; takes a file that cannot be read for
//! an empty one.

use super::{folder, proc};
use crate::config::Stop;
use crate::limits::STATE_LINES_MAX;
use crate::planner::Wish;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

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
    /// What it was spawned to do.
    pub(crate) functions: Vec<String>,
    /// How it is asked to leave.
    pub(crate) signal: String,
    pub(crate) group: bool,
    /// How long it may take then; without, it is never killed.
    pub(crate) patience_ms: Option<u64>,
    /// The same in the middle of a job.
    pub(crate) patience_job_ms: Option<u64>,
    #[serde(default)]
    pub(crate) stage: Stage,
}

/// How far on its way out a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Stage {
    #[default]
    AtWork,
    /// It was told to leave, and waits for its stop signal until its job is over.
    Leaving,
    /// It has its stop signal.
    Told,
}

impl Record {
    pub(crate) fn stop(&self) -> Stop {
        Stop {
            signal: self.signal.parse().unwrap_or(Signal::SIGTERM),
            group: self.group,
            patience: self.patience_ms.map(Duration::from_millis),
            patience_job: self.patience_job_ms.map(Duration::from_millis),
        }
    }

    /// The same with the patience of another program.
    pub(crate) fn with_patience(self, stop: &Stop) -> Self {
        Self {
            patience_ms: stop.patience.map(millis),
            patience_job_ms: stop.patience_job.map(millis),
            ..self
        }
    }
}

fn millis(patience: Duration) -> u64 {
    u64::try_from(patience.as_millis()).unwrap_or(u64::MAX)
}

/// A process that is about to be spawned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Intent {
    /// What it will be; no pid yet, and it will not be older than this.
    pub(crate) record: Record,
    /// The user it will be.
    pub(crate) user: u32,
}

/// What the last manager left.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Left {
    pub(crate) records: Vec<Record>,
    /// It was killed while it spawned this one, which may be there.
    pub(crate) intent: Option<Intent>,
    pub(crate) wishes: BTreeMap<String, Wish>,
    /// The job servers that it asked: processes may have jobs of each, whatever the configuration names by now.
    pub(crate) servers: Vec<String>,
    /// Whole lines that mean nothing here, as one of another release might be; what they tell of is not known.
    pub(crate) not_understood: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    /// The start of the machine, and the namespace of pids.
    Boot(String),
    Intent(Intent),
    Spawned(Record),
    NotSpawned,
    Leaving(i32),
    Told(i32),
    Gone(i32),
    Wish(String, Wish),
    Servers(Vec<String>),
}

#[derive(Debug)]
pub(crate) struct StateFile {
    path: PathBuf,
    file: File,
    lines: usize,
    /// A line could not be written: the file is as it was before, perhaps with a part of it.
    is_behind: bool,
    mark: String,
    now: Now,
    /// Held as long as the manager lives: a second one on the same folder would take its processes for orphans.
    _lock: Flock<File>,
}

/// What the lines say together.
#[derive(Debug, Default)]
struct Now {
    live: BTreeMap<i32, Record>,
    intent: Option<Intent>,
    wishes: BTreeMap<String, Wish>,
    servers: Vec<String>,
}

impl StateFile {
    /// Takes the folder, and what the last manager left in it.
    ///
    /// # Errors
    /// When the folder cannot be made, others may write to it, or another manager has it.
    pub(crate) fn open(folder: &Path) -> io::Result<(Self, Left)> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        folder::check_own(folder)?;
        let lock = lock(&folder.join("lock"))?;
        let mark = mark(&folder.join("mark"))?;
        let path = folder.join("processes");
        let (now, not_understood) = read(&path)?;
        let left = Left {
            records: now.live.values().cloned().collect(),
            intent: now.intent.clone(),
            wishes: now.wishes.clone(),
            servers: now.servers.clone(),
            not_understood,
        };
        let (file, lines) = rewrite(&path, &now)?;
        Ok((Self { path, file, lines, is_behind: false, mark, now, _lock: lock }, left))
    }

    /// Whether the file lacks something, since it could not be written.
    pub(crate) fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// Writes the file anew, with all that is known.
    pub(crate) fn rewrite(&mut self) -> io::Result<()> {
        let rewritten = rewrite(&self.path, &self.now);
        self.is_behind = rewritten.is_err();
        (self.file, self.lines) = rewritten?;
        Ok(())
    }

    /// What processes of this manager, and of those after it on the same folder, are marked with.
    pub(crate) fn mark(&self) -> &str {
        &self.mark
    }

    /// A process is about to be spawned.
    pub(crate) fn intends(&mut self, intent: Intent) -> io::Result<()> {
        self.append(Line::Intent(intent))
    }

    pub(crate) fn not_spawned(&mut self) -> io::Result<()> {
        if self.now.intent.is_none() { Ok(()) } else { self.append(Line::NotSpawned) }
    }

    pub(crate) fn spawned(&mut self, record: Record) -> io::Result<()> {
        self.append(Line::Spawned(record))
    }

    /// A process has the patience of this by now.
    pub(crate) fn patience(&mut self, pid: i32, stop: &Stop) -> io::Result<()> {
        let Some(record) = self.now.live.get(&pid) else { return Ok(()) };
        let patient = record.clone().with_patience(stop);
        if patient == *record { Ok(()) } else { self.append(Line::Spawned(patient)) }
    }

    pub(crate) fn leaving(&mut self, pid: i32) -> io::Result<()> {
        let is_news = self.now.stage(pid).is_some_and(|stage| stage < Stage::Leaving);
        if is_news { self.append(Line::Leaving(pid)) } else { Ok(()) }
    }

    pub(crate) fn told(&mut self, pid: i32) -> io::Result<()> {
        let is_news = self.now.stage(pid).is_some_and(|stage| stage < Stage::Told);
        if is_news { self.append(Line::Told(pid)) } else { Ok(()) }
    }

    pub(crate) fn gone(&mut self, pid: i32) -> io::Result<()> {
        if self.now.live.contains_key(&pid) { self.append(Line::Gone(pid)) } else { Ok(()) }
    }

    /// What is wanted of a program.
    pub(crate) fn wish(&mut self, program: &str, wish: Wish) -> io::Result<()> {
        if self.now.wishes.get(program) == Some(&wish) {
            return Ok(());
        }
        self.append(Line::Wish(program.to_owned(), wish))
    }

    /// The job servers that are asked.
    pub(crate) fn servers(&mut self, servers: Vec<String>) -> io::Result<()> {
        if self.now.servers == servers { Ok(()) } else { self.append(Line::Servers(servers)) }
    }

    /// All has ended as it should: the next manager begins as the configuration says.
    pub(crate) fn ended(&mut self) -> io::Result<()> {
        self.now.wishes.clear();
        self.now.servers.clear();
        self.rewrite()
    }

    fn append(&mut self, line: Line) -> io::Result<()> {
        let text = bytes(&line)?;
        self.now.take(line);
        let is_full = self.lines >= STATE_LINES_MAX.max((self.now.live.len() + self.now.wishes.len()) * 2);
        if is_full || self.is_behind {
            return self.rewrite();
        }
        self.lines += 1;
        let written = self.file.write_all(&text);
        // A part of it may be there, on a disk that is full: what came behind that would be no line.
        self.is_behind = written.is_err();
        written
    }
}

impl Now {
    fn take(&mut self, line: Line) {
        match line {
            Line::Boot(_) => {}
            Line::Intent(intent) => self.intent = Some(intent),
            Line::NotSpawned => self.intent = None,
            Line::Spawned(record) => {
                self.intent = None;
                self.live.insert(record.pid, record);
            }
            Line::Leaving(pid) => self.set_stage(pid, Stage::Leaving),
            Line::Told(pid) => self.set_stage(pid, Stage::Told),
            Line::Gone(pid) => {
                self.live.remove(&pid);
            }
            Line::Wish(program, wish) => {
                self.wishes.insert(program, wish);
            }
            Line::Servers(servers) => self.servers = servers,
        }
    }

    fn stage(&self, pid: i32) -> Option<Stage> {
        self.live.get(&pid).map(|record| record.stage)
    }

    fn set_stage(&mut self, pid: i32, stage: Stage) {
        if let Some(record) = self.live.get_mut(&pid) {
            record.stage = stage;
        }
    }

    fn lines(&self) -> Vec<Line> {
        let wishes = self.wishes.iter().map(|(program, wish)| Line::Wish(program.clone(), wish.clone()));
        let records = self.live.values().cloned().map(Line::Spawned);
        let intent = self.intent.clone().map(Line::Intent);
        let servers = Some(&self.servers).filter(|it| !it.is_empty()).map(|it| Line::Servers(it.clone()));
        let boot = std::iter::once(Line::Boot(boot()));
        boot.chain(servers).chain(wishes).chain(records).chain(intent).collect()
    }
}

/// What the numbers in the file count in.
fn boot() -> String {
    format!("{} {}", proc::boot_id(), proc::pid_namespace("self").unwrap_or_default())
}

fn bytes(line: &Line) -> io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(line)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// A file with this alone, in the place of what was there.
fn rewrite(path: &Path, now: &Now) -> io::Result<(File, usize)> {
    let lines = now.lines();
    let mut text = Vec::new();
    for line in &lines {
        text.extend(bytes(line)?);
    }
    let new = path.with_extension("new");
    let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(&text)?;
    fs::rename(&new, path)?;
    Ok((file, lines.len()))
}

/// What is in the file, and its lines that mean nothing here; one of an earlier start of the machine, or of another
/// namespace, has nothing that counts.
fn read(path: &Path) -> io::Result<(Now, Vec<String>)> {
    let bytes = read_if_there(path)?;
    let mut now = Now::default();
    let mut is_this_boot = false;
    let mut not_understood = Vec::new();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        match serde_json::from_slice(line) {
            Ok(line) => {
                if let Line::Boot(it) = &line {
                    is_this_boot = *it == boot();
                }
                now.take(line);
            }
            Err(_) if line.ends_with(b"\n") => {
                not_understood.push(String::from_utf8_lossy(line).trim_end().to_owned());
            }
            // It was cut; the process it would have told of is found by the intent before it.
            Err(_) => {}
        }
    }
    Ok(if is_this_boot { (now, not_understood) } else { (Now::default(), Vec::new()) })
}

/// A file's content; nothing where there is no file.
fn read_if_there(path: &Path) -> io::Result<Vec<u8>> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read,
    }
}

/// The random mark of a folder, made once.
fn mark(path: &Path) -> io::Result<String> {
    const MARK_BYTES: usize = 36;
    let known = String::from_utf8(read_if_there(path)?).unwrap_or_default();
    if known.len() == MARK_BYTES {
        return Ok(known);
    }
    let mark = fs::read_to_string("/proc/sys/kernel/random/uuid")?.trim().to_owned();
    let new = path.with_extension("new");
    let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(mark.as_bytes())?;
    fs::rename(&new, path)?;
    Ok(mark)
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
        Record {
            pid,
            started: 7,
            program: "mail".to_owned(),
            number: 0,
            launch: 1,
            functions: vec!["send".to_owned()],
            signal: "SIGQUIT".to_owned(),
            group: true,
            patience_ms: Some(1500),
            patience_job_ms: None,
            stage: Stage::AtWork,
        }
    }

    /// A folder and the file in it that a manager left which had spawned one process.
    fn left_with_one_process() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let (mut state, _) = StateFile::open(folder.path()).unwrap();
        state.spawned(record(1)).unwrap();
        let path = folder.path().join("processes");
        (folder, path)
    }

    #[test]
    fn the_next_manager_finds_what_was_spawned_and_did_not_end() {
        let _forks = crate::runner::forks::none();
        let folder = tempfile::tempdir().unwrap();
        let (mut state, left) = StateFile::open(folder.path()).unwrap();
        assert_eq!(left, Left::default());
        for pid in 1..=3 {
            state.spawned(record(pid)).unwrap();
        }
        state.gone(2).unwrap();
        drop(state);
        let (_state, left) = StateFile::open(folder.path()).unwrap();
        assert_eq!(left.records, [record(1), record(3)]);
    }

    #[test]
    fn a_cut_line_and_another_start_of_the_machine_are_no_trouble() {
        let (_folder, path) = left_with_one_process();
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{text}{{\"spawned\":{{\"pid\":9,\"sta")).unwrap();
        let (now, not_understood) = read(&path).unwrap();
        assert_eq!((now.live, not_understood.len()), (BTreeMap::from([(1, record(1))]), 0));
        fs::write(&path, text.replace(&proc::boot_id(), "another")).unwrap();
        assert!(read(&path).unwrap().0.live.is_empty());
    }

    #[test]
    fn a_line_that_means_nothing_is_named_and_costs_no_other() {
        let _forks = crate::runner::forks::none();
        let (folder, path) = left_with_one_process();
        let mut bytes = fs::read(&path).unwrap();
        bytes.extend(b"{\"moved\":{\"from\":1}}\n{\"gone\":\xff}\n");
        bytes.extend(super::bytes(&Line::Spawned(record(2))).unwrap());
        fs::write(&path, bytes).unwrap();
        let (_state, left) = StateFile::open(folder.path()).unwrap();
        assert_eq!(left.records, [record(1), record(2)]);
        assert_eq!(left.not_understood, ["{\"moved\":{\"from\":1}}", "{\"gone\":\u{fffd}}"]);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_not_taken_for_an_empty_one() {
        for name in ["processes", "mark"] {
            let folder = tempfile::tempdir().unwrap();
            // A link to itself cannot be read, but replaced.
            std::os::unix::fs::symlink(name, folder.path().join(name)).unwrap();
            let error = StateFile::open(folder.path()).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(nix::errno::Errno::ELOOP as i32), "{name}");
        }
    }

    #[test]
    fn a_disk_that_was_full_costs_nothing_that_is_known() {
        let _forks = crate::runner::forks::none();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("processes");
        let (mut state, _) = StateFile::open(folder.path()).unwrap();
        state.spawned(record(1)).unwrap();
        // As a disk that has room for a part of the line only.
        let ours = std::mem::replace(&mut state.file, File::options().write(true).open("/dev/full").unwrap());
        let line = bytes(&Line::Spawned(record(2))).unwrap();
        (&ours).write_all(&line[..line.len() / 2]).unwrap();
        assert!(state.spawned(record(2)).is_err() && state.is_behind());
        state.file = ours;
        state.spawned(record(3)).unwrap();
        assert!(!state.is_behind());
        drop(state);
        let (_state, left) = StateFile::open(folder.path()).unwrap();
        assert_eq!(left.records, [record(1), record(2), record(3)]);
        assert!(left.not_understood.is_empty(), "{}", fs::read_to_string(path).unwrap());
    }

    #[test]
    fn the_file_stays_small() {
        let _forks = crate::runner::forks::none();
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
        assert_eq!(left.records, [record(1)]);
    }

    #[test]
    fn signals_wishes_and_servers_outlive_a_kill_and_the_last_two_no_orderly_end() {
        let _forks = crate::runner::forks::none();
        let folder = tempfile::tempdir().unwrap();
        let wish = Wish { count: 3, is_by_hand: true, is_up: false, stopped: vec![2], min: 1, max: 1 };
        let (mut state, _) = StateFile::open(folder.path()).unwrap();
        state.spawned(record(1)).unwrap();
        state.spawned(record(2)).unwrap();
        state.leaving(2).unwrap();
        // It waits no longer, and is not one that never was told.
        state.told(1).unwrap();
        state.leaving(1).unwrap();
        state.wish("mail", wish.clone()).unwrap();
        state.servers(vec!["a:4730".to_owned()]).unwrap();
        state.servers(vec!["b:4730".to_owned()]).unwrap();
        drop(state);
        let (mut state, left) = StateFile::open(folder.path()).unwrap();
        let stages: Vec<Stage> = left.records.iter().map(|record| record.stage).collect();
        assert_eq!(stages, [Stage::Told, Stage::Leaving]);
        let patience = Some(Duration::from_millis(1500));
        let stop = Stop { signal: Signal::SIGQUIT, group: true, patience, patience_job: None };
        assert_eq!(left.records[0].stop(), stop);
        assert_eq!(left.wishes, BTreeMap::from([("mail".to_owned(), wish)]));
        assert_eq!(left.servers, ["b:4730"]);
        state.ended().unwrap();
        drop(state);
        let (_state, left) = StateFile::open(folder.path()).unwrap();
        assert_eq!((left.records.len(), left.wishes.len(), left.servers.len()), (2, 0, 0));
    }

    #[test]
    fn a_patience_that_changed_is_known_to_the_next_manager() {
        let _forks = crate::runner::forks::none();
        let (folder, path) = left_with_one_process();
        let (mut state, _) = StateFile::open(folder.path()).unwrap();
        let stop = Stop { patience: None, patience_job: Some(Duration::from_secs(7)), ..record(1).stop() };
        state.patience(1, &stop).unwrap();
        let lines = || fs::read_to_string(&path).unwrap().lines().count();
        let before = lines();
        state.patience(1, &stop).unwrap();
        state.patience(2, &stop).unwrap();
        assert_eq!(lines(), before, "what is no news is not written");
        drop(state);
        let (_state, left) = StateFile::open(folder.path()).unwrap();
        assert_eq!(left.records, [record(1).with_patience(&stop)]);
    }

    #[test]
    fn an_intent_stands_until_its_process_is_known_or_was_not_spawned() {
        let _forks = crate::runner::forks::none();
        let folder = tempfile::tempdir().unwrap();
        let intent = Intent { record: record(0), user: 7 };
        let left_after = |act: &dyn Fn(&mut StateFile)| {
            let (mut state, _) = StateFile::open(folder.path()).unwrap();
            state.intends(intent.clone()).unwrap();
            act(&mut state);
            drop(state);
            StateFile::open(folder.path()).unwrap().1.intent
        };
        assert_eq!(left_after(&|_| {}), Some(intent.clone()));
        assert_eq!(left_after(&|state| state.not_spawned().unwrap()), None);
        assert_eq!(left_after(&|state| state.spawned(record(1)).unwrap()), None);
    }

    #[test]
    fn the_mark_stays_with_the_folder_and_is_no_other_folders() {
        let _forks = crate::runner::forks::none();
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mark = |folder: &tempfile::TempDir| StateFile::open(folder.path()).unwrap().0.mark().to_owned();
        assert_eq!(mark(&one), mark(&one));
        assert_ne!(mark(&one), mark(&other));
    }

    #[test]
    fn a_folder_that_others_may_write_to_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let error = StateFile::open(folder.path()).unwrap_err().to_string();
        assert!(error.starts_with("others may write there"), "{error}");
    }

    #[test]
    fn a_second_manager_is_told_who_has_the_folder() {
        let _forks = crate::runner::forks::none();
        let folder = tempfile::tempdir().unwrap();
        let (_state, _) = StateFile::open(folder.path()).unwrap();
        let error = StateFile::open(folder.path()).unwrap_err().to_string();
        assert_eq!(error, format!("process {} has it", std::process::id()));
    }
}
