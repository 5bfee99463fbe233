//! Log lines in the format of the reference server, written by a thread of their own.
//!
//! From: any thread. To: a file, standard error, syslog, or nothing.
//! Never: blocks whoever logs. A pipe that nobody reads or a slow disk costs lines, which are counted.
//!
//! A library for structured logs would bring its own format, levels and filters, all of which the
//! reference fixes here; so this is written by hand.

mod sink;

pub use sink::{LogTarget, OpenLogError};

use crate::limits::LOG_LINES_MAX;
use sink::Sink;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

/// How urgent a line is; the names are those of `--verbose`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[expect(missing_docs, reason = "the names are those of --verbose")]
pub enum Level {
    Fatal,
    Alert,
    Critical,
    #[default]
    Error,
    Warning,
    Notice,
    Info,
    Debug,
}

impl Level {
    /// All levels, the most urgent first.
    pub const ALL: [Level; 8] = [
        Level::Fatal,
        Level::Alert,
        Level::Critical,
        Level::Error,
        Level::Warning,
        Level::Notice,
        Level::Info,
        Level::Debug,
    ];

    /// Its name, as `--verbose` takes it and the text command `verbose` answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Level::Fatal => "FATAL",
            Level::Alert => "ALERT",
            Level::Critical => "CRITICAL",
            Level::Error => "ERROR",
            Level::Warning => "WARNING",
            Level::Notice => "NOTICE",
            Level::Info => "INFO",
            Level::Debug => "DEBUG",
        }
    }

    /// The level of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }
}

/// Where to log; cheap to clone.
#[derive(Debug, Clone)]
pub struct Log {
    level: Level,
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    lines: SyncSender<Entry>,
    dropped: AtomicU64,
}

#[derive(Debug)]
enum Entry {
    Line(Level, String),
    /// A line for a person at the terminal, whatever the log goes to.
    Talk(String),
    Reopen,
    Flush(SyncSender<()>),
}

impl Log {
    /// Opens the log.
    ///
    /// # Errors
    /// When its file cannot be opened, or its thread not be started.
    pub fn open(level: Level, target: LogTarget, syslog: bool) -> Result<Self, OpenLogError> {
        let sink = Sink::open(target, syslog)?;
        let (lines, entries) = sync_channel(LOG_LINES_MAX);
        let inner = Arc::new(Inner { lines, dropped: AtomicU64::new(0) });
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write_entries(sink, &entries))
            .map_err(OpenLogError::Thread)?;
        Ok(Self { level, inner })
    }

    /// The level up to which lines are written.
    #[must_use]
    pub fn level(&self) -> Level {
        self.level
    }

    /// Whether lines of this level are written.
    #[must_use]
    pub fn takes(&self, level: Level) -> bool {
        level <= self.level
    }

    /// Writes a line, if its level is wanted.
    pub fn line(&self, level: Level, text: fmt::Arguments<'_>) {
        if self.takes(level) {
            self.send(Entry::Line(level, text.to_string()));
        }
    }

    /// Tells a person at the terminal something, on standard error.
    pub fn talk(&self, text: fmt::Arguments<'_>) {
        self.send(Entry::Talk(text.to_string()));
    }

    /// Opens the log file anew, since somebody moved it away.
    pub fn reopen(&self) {
        self.send(Entry::Reopen);
    }

    /// Waits until all lines so far are written, up to a second.
    pub fn flush(&self) {
        let (done, wait) = sync_channel(1);
        if self.inner.lines.try_send(Entry::Flush(done)).is_ok() {
            // A sink that blocks must not keep the process from ending.
            wait.recv_timeout(Duration::from_secs(1)).ok();
        }
    }

    fn send(&self, entry: Entry) {
        let dropped = self.inner.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            let text = format!("{dropped} log lines were dropped, since the log was too slow");
            if self.inner.lines.try_send(Entry::Line(Level::Warning, text)).is_err() {
                self.inner.dropped.fetch_add(dropped, Ordering::Relaxed);
            }
        }
        match self.inner.lines.try_send(entry) {
            Ok(()) | Err(TrySendError::Disconnected(_)) => {}
            Err(TrySendError::Full(_)) => {
                self.inner.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

fn write_entries(mut sink: Sink, entries: &Receiver<Entry>) {
    while let Ok(entry) = entries.recv() {
        match entry {
            Entry::Line(level, text) => sink.line(level, &text),
            Entry::Talk(text) => sink.talk(&text),
            Entry::Reopen => {
                sink.line(Level::Notice, "SIGHUP, reopening log file");
                sink.reopen();
            }
            // Whoever waited may have given up.
            Entry::Flush(done) => done.try_send(()).unwrap_or_default(),
        }
    }
}
