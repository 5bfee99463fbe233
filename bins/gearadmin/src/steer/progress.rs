//! Progress on standard error, where that is a terminal that can erase a line, and
//! the work is long enough to be watched; otherwise none.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::cell::Cell;
use std::fmt::Write;
use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

/// What is done before this time has passed shows no bar.
const SHOWN_AFTER: Duration = Duration::from_millis(500);

/// A bar, or a counter where the end is not known.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    /// When it was begun, while nothing of it is shown and may be later.
    hidden_since: Cell<Option<Instant>>,
}

impl Progress {
    /// Rows out of `total`; nothing is shown beside rows of JSON on the same terminal.
    pub(crate) fn rows(total: Option<u64>, rows_are_shown: bool) -> Self {
        let shared = rows_are_shown && io::stdout().is_terminal();
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
        if !io::stderr().is_terminal() || is_dumb || shared {
            return Self { bar: ProgressBar::hidden(), hidden_since: Cell::new(None) };
        }
        let (bar, template) = match total {
            Some(total) => {
                (ProgressBar::new(total), "{bar:30} {human_pos} of {human_len} ({speed}, {eta} left) {msg}")
            }
            None => (ProgressBar::no_length(), "{human_pos} ({speed}) {msg}"),
        };
        bar.set_draw_target(ProgressDrawTarget::hidden());
        // The templates are ours: one that is wrong shows in the first test at a terminal, and costs the bar.
        if let Ok(style) = ProgressStyle::with_template(template) {
            let style = style.with_key("speed", |state: &ProgressState, text: &mut dyn Write| {
                // Writing into the line of a bar cannot fail.
                let _written = write!(text, "{:.0}/s", state.per_sec());
            });
            bar.set_style(style.progress_chars("=> "));
        }
        Self { bar, hidden_since: Cell::new(Some(Instant::now())) }
    }

    /// How far it is.
    pub(crate) fn at(&self, rows: u64) {
        if self.hidden_since.get().is_some_and(|since| since.elapsed() >= SHOWN_AFTER) {
            self.hidden_since.set(None);
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.set_position(rows);
    }

    /// What stands behind the figures.
    pub(crate) fn say(&self, text: String) {
        self.bar.set_message(text);
    }

    /// Takes the bar away.
    pub(crate) fn end(self) {
        self.bar.finish_and_clear();
    }
}
