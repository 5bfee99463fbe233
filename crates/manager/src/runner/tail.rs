//! The last lines of a place, for those who look later.
//!
//! From: [`super::output`]. To: `ctl tail`, and the log when a crash loop is held.
//! Never: takes more memory than its limits.

use crate::limits::{TAIL_BYTES_MAX, TAIL_LINES_MAX};
use std::collections::VecDeque;

/// Which stream of a process a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

#[derive(Debug, Default)]
pub(crate) struct Tail {
    lines: VecDeque<(Stream, String)>,
    bytes: usize,
}

impl Tail {
    pub(crate) fn push(&mut self, stream: Stream, line: String) {
        self.bytes += line.len();
        self.lines.push_back((stream, line));
        while self.lines.len() > TAIL_LINES_MAX || self.bytes > TAIL_BYTES_MAX {
            let Some((_, line)) = self.lines.pop_front() else { break };
            self.bytes -= line.len();
        }
    }

    /// The last lines, at most `count`, the oldest first.
    pub(crate) fn last(&self, count: usize) -> impl Iterator<Item = &(Stream, String)> {
        self.lines.iter().skip(self.lines.len().saturating_sub(count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_stay_and_memory_is_bounded() {
        let mut tail = Tail::default();
        for number in 0..10 * TAIL_LINES_MAX {
            tail.push(Stream::Stdout, format!("line {number}"));
        }
        assert_eq!(tail.lines.len(), TAIL_LINES_MAX);
        let last: Vec<&str> = tail.last(2).map(|(_, line)| line.as_str()).collect();
        assert_eq!(
            last,
            [format!("line {}", 10 * TAIL_LINES_MAX - 2), format!("line {}", 10 * TAIL_LINES_MAX - 1)]
        );
        for _ in 0..100 {
            tail.push(Stream::Stderr, "x".repeat(TAIL_BYTES_MAX / 4));
        }
        assert!(tail.bytes <= TAIL_BYTES_MAX && tail.lines.len() <= 4);
    }
}
