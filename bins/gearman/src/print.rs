//! What a client prints: results and progress on standard output, warnings and failures on standard error.
//!
//! From: packets about jobs, in the order they arrive. To: the two streams, at once.
//! Never: changes a byte of a result.

use geartrain_proto::Handle;
use std::io::{self, Write};

/// Prints for one client.
pub(crate) struct Printer {
    /// Whether each output begins with the name of its function.
    prefix: bool,
}

impl Printer {
    pub(crate) const fn new(prefix: bool) -> Self {
        Self { prefix }
    }

    /// The handle of an accepted job.
    pub(crate) fn created(&self, handle: Handle<'_>) -> io::Result<()> {
        put(&[b"Task created: ", handle.as_bytes(), b"\n"])
    }

    /// Data or the result of a job.
    pub(crate) fn data(&self, function: &[u8], data: &[u8]) -> io::Result<()> {
        put(&[&self.prefix_of(function), data])
    }

    /// Progress of a job in whole percent.
    pub(crate) fn status(&self, function: &[u8], numerator: &[u8], denominator: &[u8]) -> io::Result<()> {
        let percent = percent(numerator, denominator);
        put(&[&self.prefix_of(function), format!("{percent}% Complete\n").as_bytes()])
    }

    /// A warning or an exception. Nobody may listen on standard error: that is no failure of the job.
    pub(crate) fn warning(&self, function: &[u8], text: &[u8]) {
        let _unheard = io::stderr().write_all(&[&self.prefix_of(function), text].concat());
    }

    /// The failure of a job.
    pub(crate) fn failed(&self, function: &[u8]) {
        self.warning(function, b"Job failed\n");
    }

    fn prefix_of(&self, function: &[u8]) -> Vec<u8> {
        if self.prefix { [function, b": "].concat() } else { Vec::new() }
    }
}

/// What a server or a peer of it said, fit for a terminal: control characters and all beyond ASCII are escaped.
pub(crate) fn shown(text: &[u8]) -> String {
    let is_plain = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
    let mut shown = String::new();
    for byte in text {
        if is_plain(*byte) {
            shown.push(char::from(*byte));
        } else {
            shown.extend(byte.escape_ascii().map(char::from));
        }
    }
    shown
}

fn put(parts: &[&[u8]]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for part in parts {
        out.write_all(part)?;
    }
    out.flush()
}

/// Numerator by denominator in whole percent; what is not a number, or divided by 0, is 0.
fn percent(numerator: &[u8], denominator: &[u8]) -> u64 {
    let number = |text: &[u8]| -> u64 {
        let text = text.trim_ascii();
        let digits = text.iter().take_while(|byte| byte.is_ascii_digit());
        digits.fold(0, |number: u64, digit| number.saturating_mul(10).saturating_add(u64::from(digit - b'0')))
    };
    number(numerator).saturating_mul(100).checked_div(number(denominator)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_server_keep_their_quotes() {
        assert_eq!(shown(b"see the server's \"log\" \\"), "see the server's \"log\" \\");
        assert_eq!(shown(b"a\x1b[2J\n\xff"), "a\\x1b[2J\\n\\xff");
    }

    #[test]
    fn progress_never_divides_by_zero() {
        assert_eq!(percent(b"1", b"3"), 33);
        assert_eq!(percent(b"20", b"10"), 200);
        assert_eq!(percent(b"1", b"0"), 0);
        assert_eq!(percent(b"-1", b"10"), 0);
        assert_eq!(percent(b"abc", b"7"), 0);
        assert_eq!(percent(b"5\0", b"10\0"), 50);
        assert_eq!(percent(b"99999999999999999999", b"1"), u64::MAX);
    }
}
