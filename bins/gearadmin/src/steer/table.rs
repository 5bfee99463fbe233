//! Tables: rows in aligned columns, written in portions, so that a listing of any length needs little memory.

use std::io::{self, Write};
use unicode_width::UnicodeWidthStr;

/// Rows whose widths are looked at together.
const PORTION_ROWS: usize = 1000;

/// Widest cell but for the last column, in columns of a terminal; the middle of a wider one is left out.
const CELL_WIDTH_MAX: usize = 60;

/// Widest cell of the last column.
const LAST_WIDTH_MAX: usize = 120;

/// A table being written. A column whose head begins with `>` is aligned to the right.
#[derive(Debug)]
pub(crate) struct Table {
    heads: &'static [&'static str],
    widths: Vec<usize>,
    rows: Vec<Vec<String>>,
    headed: bool,
    /// Columns of the terminal that it is written to.
    terminal: Option<usize>,
}

impl Table {
    /// A table with these heads.
    pub(crate) fn new(heads: &'static [&'static str]) -> Self {
        let widths = heads.iter().map(|head| head.trim_start_matches('>').width()).collect();
        Self { heads, widths, rows: Vec::new(), headed: false, terminal: terminal_width() }
    }

    /// Adds a row; full portions are written.
    ///
    /// # Errors
    /// When `out` does not take them.
    pub(crate) fn row(&mut self, out: &mut impl Write, cells: Vec<String>) -> io::Result<()> {
        let last = self.heads.len().saturating_sub(1);
        let fit = |(column, cell): (usize, String)| {
            shorten(cell, if column == last { LAST_WIDTH_MAX } else { CELL_WIDTH_MAX })
        };
        let cells: Vec<String> = cells.into_iter().enumerate().map(fit).collect();
        for (width, cell) in self.widths.iter_mut().zip(&cells) {
            *width = cell.width().max(*width);
        }
        self.rows.push(cells);
        if self.rows.len() >= PORTION_ROWS { self.write(out) } else { Ok(()) }
    }

    /// Writes what is left; a table without rows has no heads either.
    ///
    /// # Errors
    /// When `out` does not take it.
    pub(crate) fn end(mut self, out: &mut impl Write) -> io::Result<()> {
        self.write(out)
    }

    fn write(&mut self, out: &mut impl Write) -> io::Result<()> {
        if !self.headed && !self.rows.is_empty() {
            self.headed = true;
            let heads: Vec<String> =
                self.heads.iter().map(|head| head.trim_start_matches('>').to_owned()).collect();
            self.write_line(out, &heads)?;
        }
        for row in std::mem::take(&mut self.rows) {
            self.write_line(out, &row)?;
        }
        Ok(())
    }

    fn write_line(&self, out: &mut impl Write, cells: &[String]) -> io::Result<()> {
        let mut line = String::new();
        for ((cell, width), head) in cells.iter().zip(&self.widths).zip(self.heads) {
            let padding = " ".repeat(width.saturating_sub(cell.width()));
            let (before, behind) =
                if head.starts_with('>') { (padding.as_str(), "") } else { ("", padding.as_str()) };
            line.push_str(before);
            line.push_str(cell);
            line.push_str(behind);
            line.push_str("  ");
        }
        let line = line.trim_end();
        match self.terminal {
            Some(max) if line.width() > max => writeln!(out, "{}", cut(line, max)),
            Some(_) | None => writeln!(out, "{line}"),
        }
    }
}

/// Columns of the terminal that standard output is; `None` where it is none, and nothing is cut.
pub(crate) fn terminal_width() -> Option<usize> {
    let (_, columns) = console::Term::stdout().size_checked()?;
    Some(usize::from(columns)).filter(|columns| *columns >= WIDTH_MIN)
}

/// Narrowest terminal that lines are fitted to.
const WIDTH_MIN: usize = 20;

/// The front of a line, an ellipsis behind it.
fn cut(line: &str, max: usize) -> String {
    let mut width = 0;
    let fits = |c: &char| {
        width += UnicodeWidthStr::width(c.encode_utf8(&mut [0; 4]) as &str);
        width < max
    };
    line.chars().take_while(fits).chain(['\u{2026}']).collect()
}

/// The text in lines of at most so many columns, broken between words; in one line where there is no such bound. A
/// word that is longer has a line of its own.
pub(crate) fn wrap(text: &str, max: Option<usize>) -> Vec<String> {
    let Some(max) = max else { return vec![text.to_owned()] };
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.width() + 1 + word.width() <= max => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The text without its middle where it is wider than `max`.
fn shorten(cell: String, max: usize) -> String {
    if cell.width() <= max {
        return cell;
    }
    let half = (max - 3) / 2;
    let take = |chars: &mut dyn Iterator<Item = char>| {
        let mut width = 0;
        let mut taken: Vec<char> = Vec::new();
        for c in chars {
            width += UnicodeWidthStr::width(c.encode_utf8(&mut [0; 4]) as &str);
            if width > half {
                break;
            }
            taken.push(c);
        }
        taken
    };
    let front: String = take(&mut cell.chars()).into_iter().collect();
    let back: String = take(&mut cell.chars().rev()).into_iter().rev().collect();
    format!("{front}...{back}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[[&str; 3]]) -> String {
        let mut out = Vec::new();
        let mut table = Table::new(&["NAME", ">COUNT", "TEXT"]);
        for row in rows {
            table.row(&mut out, row.map(str::to_owned).to_vec()).unwrap();
        }
        table.end(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_are_aligned() {
        let shown = table(&[["resize", "1,234", "a"], ["gr\u{fc}n", "1", ""], ["\u{5bfc}", "20", "b c"]]);
        let lines: Vec<&str> = shown.lines().collect();
        let expected =
            ["NAME    COUNT  TEXT", "resize  1,234  a", "gr\u{fc}n        1", "\u{5bfc}         20  b c"];
        assert_eq!(lines, expected);
        assert_eq!(table(&[]), "");
    }

    #[test]
    fn on_a_terminal_no_line_is_wider_than_that() {
        let mut out = Vec::new();
        let mut table = Table::new(&["NAME", ">COUNT", "TEXT"]);
        table.terminal = Some(20);
        for text in ["a text that is long", "short", "\u{5bfc}\u{5bfc}\u{5bfc}\u{5bfc}\u{5bfc}"] {
            table.row(&mut out, vec!["resize".to_owned(), "1".to_owned(), text.to_owned()]).unwrap();
        }
        table.end(&mut out).unwrap();
        let shown = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = shown.lines().collect();
        let expected = [
            "NAME    COUNT  TEXT",
            "resize      1  a te\u{2026}",
            "resize      1  short",
            "resize      1  \u{5bfc}\u{5bfc}\u{2026}",
        ];
        assert_eq!(lines, expected);
        assert!(lines.iter().all(|line| line.width() <= 20));
    }

    #[test]
    fn text_is_broken_between_words() {
        let text = "no worker is able to do it, a_word_that_is_longer, end";
        let expected = ["no worker is", "able to do it,", "a_word_that_is_longer,", "end"];
        assert_eq!(wrap(text, Some(15)), expected);
        assert_eq!(wrap(text, None), [text]);
    }

    #[test]
    fn a_wide_cell_loses_its_middle() {
        let wide = "a".repeat(100) + "end";
        let line = table(&[[&wide, "1", &wide]]).lines().nth(1).unwrap().to_owned();
        assert!(line.starts_with(&("a".repeat(28) + "...")) && line.contains("aaend      1  aa"), "{line}");
    }
}
