//! Progress on standard error, where that is a terminal; otherwise none.

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use std::fmt::Write;
use std::io::{self, IsTerminal};

/// A bar, or a counter where the end is not known.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Rows out of `total`; nothing is shown beside rows of JSON on the same terminal.
    pub(crate) fn rows(total: Option<u64>, rows_are_shown: bool) -> Self {
        let shared = rows_are_shown && io::stdout().is_terminal();
        if !io::stderr().is_terminal() || shared {
            return Self { bar: ProgressBar::hidden() };
        }
        let (bar, template) = match total {
            Some(total) => {
                (ProgressBar::new(total), "{bar:30} {human_pos} of {human_len} ({speed}, {eta} left) {msg}")
            }
            None => (ProgressBar::no_length(), "{human_pos} ({speed}) {msg}"),
        };
        // The templates are ours: one that is wrong shows in the first test at a terminal, and costs the bar.
        if let Ok(style) = ProgressStyle::with_template(template) {
            let style = style.with_key("speed", |state: &ProgressState, text: &mut dyn Write| {
                // Writing into the line of a bar cannot fail.
                let _written = write!(text, "{:.0}/s", state.per_sec());
            });
            bar.set_style(style.progress_chars("=> "));
        }
        Self { bar }
    }

    /// How far it is.
    pub(crate) fn at(&self, rows: u64) {
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
