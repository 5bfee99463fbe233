//! The manager's own log: a line for each event, on standard error.
//!
//! From: the event loop. To: a thread that writes. Never: makes the loop wait for whoever reads standard error;
//! lines that nobody takes are counted and left out.

use crate::limits::{LOG_BYTES_MAX, LOG_FLUSH_LIMIT};
use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

/// Whether somebody should look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Info,
    /// Look soon.
    Warn,
    /// Act.
    Error,
}

/// Where a line goes.
enum Line {
    /// To standard error.
    Talk(String),
    /// To standard output: what a process of a program wrote there.
    Data(Vec<u8>),
    /// The same for its standard error.
    DataError(Vec<u8>),
}

impl Line {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Talk(text) => text.as_bytes(),
            Self::Data(bytes) | Self::DataError(bytes) => bytes,
        }
    }
}

/// Lines that wait for being written.
#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    more: Condvar,
}

#[derive(Default)]
struct Waiting {
    lines: VecDeque<Line>,
    bytes: usize,
    /// Lines that were left out since one was written.
    lost: u64,
    has_ended: bool,
}

pub(crate) struct Log {
    queue: Arc<Queue>,
    done: Receiver<()>,
}

impl Log {
    /// # Errors
    /// Where no thread can be made.
    pub(crate) fn new() -> io::Result<Self> {
        let queue = Arc::new(Queue::default());
        let (say_done, done) = channel();
        let taken = Arc::clone(&queue);
        thread::Builder::new().name("log".to_owned()).spawn(move || {
            while let Some((line, lost)) = taken.take() {
                write(&line, lost);
            }
            // Whoever waits for it may have stopped waiting.
            let _unheard = say_done.send(());
        })?;
        Ok(Self { queue, done })
    }

    pub(crate) fn say(&self, level: Level, text: &str) {
        let level = match level {
            Level::Info => "INFO ",
            Level::Warn => "WARN ",
            Level::Error => "ERROR",
        };
        self.queue.add(Line::Talk(format!("{} {level} {text}\n", timestamp())));
    }

    /// Lines that a process wrote, whole and with the name of their process in front.
    pub(crate) fn pass(&self, lines: Vec<u8>, is_error: bool) {
        self.queue.add(if is_error { Line::DataError(lines) } else { Line::Data(lines) });
    }
}

impl Drop for Log {
    /// Waits a moment for what is left to be written.
    fn drop(&mut self) {
        self.queue.waiting.lock().unwrap_or_else(PoisonError::into_inner).has_ended = true;
        self.queue.more.notify_one();
        let _stuck = self.done.recv_timeout(LOG_FLUSH_LIMIT);
    }
}

impl Queue {
    fn add(&self, line: Line) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = line.bytes().len();
        // A line that is longer than all that may wait is written where nothing else waits.
        if waiting.bytes > 0 && waiting.bytes.saturating_add(bytes) > LOG_BYTES_MAX {
            let lines = line.bytes().iter().filter(|byte| **byte == b'\n').count();
            waiting.lost = waiting.lost.saturating_add(u64::try_from(lines).unwrap_or(u64::MAX));
            return;
        }
        waiting.bytes += bytes;
        waiting.lines.push_back(line);
        self.more.notify_one();
    }

    /// The next line, and how many were left out before it; `None` after the last.
    fn take(&self) -> Option<(Line, u64)> {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let is_empty = |waiting: &mut Waiting| waiting.lines.is_empty() && !waiting.has_ended;
        let mut waiting = self.more.wait_while(waiting, is_empty).unwrap_or_else(PoisonError::into_inner);
        let line = waiting.lines.pop_front()?;
        waiting.bytes = waiting.bytes.saturating_sub(line.bytes().len());
        Some((line, std::mem::take(&mut waiting.lost)))
    }
}

fn write(line: &Line, lost: u64) {
    if lost > 0 {
        let text = format!("{} WARN  {lost} lines of log were left out, nobody read them\n", timestamp());
        let _closed = std::io::stderr().write_all(text.as_bytes());
    }
    // Somebody closed the stream: there is nobody to tell.
    let _closed = match line {
        Line::Talk(_) | Line::DataError(_) => std::io::stderr().write_all(line.bytes()),
        Line::Data(bytes) => {
            let mut out = std::io::stdout();
            out.write_all(bytes).and_then(|()| out.flush())
        }
    };
}

/// The time as `2026-11-21T07:00:00.123Z`.
fn timestamp() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = now.as_secs();
    let (year, month, day) = date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", now.subsec_millis())
}

/// The date so many days after 1970-01-01, by the Gregorian calendar.
fn date(days: u64) -> (u64, u64, u64) {
    // Counted from a first of March, so that the leap day is the last of its year.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_bounded_in_bytes_and_what_is_left_out_is_counted_in_lines() {
        let queue = Queue::default();
        let chunk = || Line::Data(b"name:0 a line that a process wrote\n".repeat(2000));
        for _ in 0..1000 {
            queue.add(chunk());
        }
        let kept = queue.waiting.lock().unwrap().lines.len();
        assert!(queue.waiting.lock().unwrap().bytes <= LOG_BYTES_MAX);
        let (_, lost) = queue.take().unwrap();
        assert_eq!(lost, u64::try_from(1000 - kept).unwrap() * 2000);
        queue.add(Line::Talk("short\n".to_owned()));
        queue.waiting.lock().unwrap().has_ended = true;
        let rest = std::iter::from_fn(|| queue.take()).map(|(_, lost)| lost).sum::<u64>();
        assert_eq!((rest, queue.waiting.lock().unwrap().bytes), (0, 0));
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(date(59), (1970, 3, 1));
        assert_eq!(date(11_016), (2000, 2, 29));
        assert_eq!(date(20_778), (2026, 11, 21));
    }
}
