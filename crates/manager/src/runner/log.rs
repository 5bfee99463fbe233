//! The manager's own log: a line for each event, on standard error.
//!
//! From: the event loop. To: a thread that writes. Never: makes the loop wait for whoever reads standard error;
//! lines that nobody takes are counted and left out.

use crate::limits::{LOG_FLUSH_LIMIT, LOG_LINES_MAX};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
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

#[derive(Debug)]
pub(crate) struct Log {
    lines: Option<SyncSender<Line>>,
    lost: Arc<AtomicU64>,
    done: Receiver<()>,
}

impl Log {
    pub(crate) fn new() -> Self {
        let (lines, taken) = sync_channel(LOG_LINES_MAX);
        let (say_done, done) = channel();
        let lost = Arc::new(AtomicU64::new(0));
        let lost_here = Arc::clone(&lost);
        thread::spawn(move || {
            write_all(&taken, &lost_here);
            // Whoever waits for it may have stopped waiting.
            let _unheard = say_done.send(());
        });
        Self { lines: Some(lines), lost, done }
    }

    pub(crate) fn say(&self, level: Level, text: &str) {
        let level = match level {
            Level::Info => "INFO ",
            Level::Warn => "WARN ",
            Level::Error => "ERROR",
        };
        self.send(Line::Talk(format!("{} {level} {text}\n", timestamp())));
    }

    /// Lines that a process wrote, whole and with the name of their process in front.
    pub(crate) fn pass(&self, lines: Vec<u8>, is_error: bool) {
        self.send(if is_error { Line::DataError(lines) } else { Line::Data(lines) });
    }

    fn send(&self, line: Line) {
        let Some(lines) = &self.lines else { return };
        if lines.try_send(line).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Log {
    /// Waits a moment for what is left to be written.
    fn drop(&mut self) {
        self.lines = None;
        let _stuck = self.done.recv_timeout(LOG_FLUSH_LIMIT);
    }
}

fn write_all(lines: &Receiver<Line>, lost: &AtomicU64) {
    for line in lines {
        let left_out = lost.swap(0, Ordering::Relaxed);
        if left_out > 0 {
            let text =
                format!("{} WARN  {left_out} lines of log were left out, nobody read them\n", timestamp());
            let _closed = std::io::stderr().write_all(text.as_bytes());
        }
        // Somebody closed the stream: there is nobody to tell.
        let _closed = match line {
            Line::Talk(text) => std::io::stderr().write_all(text.as_bytes()),
            Line::DataError(bytes) => std::io::stderr().write_all(&bytes),
            Line::Data(bytes) => {
                let mut out = std::io::stdout();
                out.write_all(&bytes).and_then(|()| out.flush())
            }
        };
    }
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
    use super::date;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(date(59), (1970, 3, 1));
        assert_eq!(date(11_016), (2000, 2, 29));
        assert_eq!(date(20_778), (2026, 11, 21));
    }
}
