//! The job log: every worker adds a line when it begins a job and when it has done it.
//!
//! From: the file that all workers append to. To: those who wait for a job, and the accounts.
//! Never: written by the suite.

use crate::Result;
use crate::manager::LIMIT;
use std::fs::File;
use std::io::{Read as _, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The pause between two looks into the file.
const POLL: Duration = Duration::from_millis(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Begin,
    End,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) what: What,
    /// The job's number.
    pub(crate) job: u64,
    pub(crate) pid: i32,
    pub(crate) language: String,
    /// The release of the code that did it.
    pub(crate) release: String,
}

#[derive(Debug)]
pub(crate) struct JobLog {
    path: PathBuf,
    read: Mutex<Read>,
}

/// What was read so far.
#[derive(Debug, Default)]
struct Read {
    bytes: u64,
    entries: Vec<Entry>,
}

impl JobLog {
    /// The log at a path, empty to begin with.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        File::create(path)?;
        Ok(Self { path: path.to_owned(), read: Mutex::default() })
    }

    /// Shows all that was written so far; a line that is no entry is an error.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&[Entry]) -> T) -> Result<T> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(read.bytes))?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        // A line without its end is still being written.
        let whole = text.rfind('\n').map_or("", |end| text.get(..=end).unwrap_or_default());
        for line in whole.lines() {
            read.entries.push(parse(line)?);
        }
        read.bytes += u64::try_from(whole.len())?;
        Ok(look(&read.entries))
    }

    /// Waits until something is written that answers a question.
    pub(crate) fn wait_for<T>(&self, what: &str, answer: impl Fn(&[Entry]) -> Option<T>) -> Result<T> {
        let begun = Instant::now();
        loop {
            if let Some(found) = self.with(&answer)? {
                return Ok(found);
            }
            if begun.elapsed() > LIMIT {
                return Err(format!("the job log was waited for in vain: {what}").into());
            }
            thread::sleep(POLL);
        }
    }

    /// Waits until a job has begun; the process that does it.
    pub(crate) fn wait_for_begin(&self, job: u64) -> Result<i32> {
        let begin = |entries: &[Entry]| {
            let entry = entries.iter().rev().find(|entry| entry.what == What::Begin && entry.job == job)?;
            Some(entry.pid)
        };
        self.wait_for(&format!("the begin of job {job}"), begin)
    }

    /// Whether a job has been done.
    pub(crate) fn has_ended(&self, job: u64) -> Result<bool> {
        self.with(|entries| entries.iter().any(|entry| entry.what == What::End && entry.job == job))
    }
}

fn parse(line: &str) -> Result<Entry> {
    let words: Vec<&str> = line.split(' ').collect();
    let [what, job, pid, language, release] = words.as_slice() else {
        return Err(format!("{line:?} is no line of a job log").into());
    };
    let what = match *what {
        "begin" => What::Begin,
        "end" => What::End,
        _ => return Err(format!("{line:?} is no line of a job log").into()),
    };
    let (language, release) = ((*language).to_owned(), (*release).to_owned());
    Ok(Entry { what, job: job.parse()?, pid: pid.parse()?, language, release })
}
