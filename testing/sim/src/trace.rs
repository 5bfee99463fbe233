//! What happened, as a hash that two runs of one seed must agree on, and as lines for people.

use std::fmt;

/// Takes a line for each thing that happens.
#[derive(Debug)]
pub(crate) struct Trace {
    hash: u64,
    prints: Prints,
    line: String,
}

/// Whether lines are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prints {
    /// Only the hash is kept.
    Nothing,
    /// Every line goes to standard output.
    Everything,
}

impl Trace {
    pub(crate) fn new(prints: Prints) -> Self {
        Self { hash: 0xcbf2_9ce4_8422_2325, prints, line: String::new() }
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    /// Adds bytes that are not shown.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        // FNV-1a.
        for byte in bytes {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    #[expect(clippy::print_stdout, reason = "the trace is what was asked for")]
    pub(crate) fn line(&mut self, text: fmt::Arguments<'_>) {
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        fmt::Write::write_fmt(&mut line, text).expect("writing to a string does not fail");
        self.bytes(line.as_bytes());
        if self.prints == Prints::Everything {
            println!("{line}");
        }
        self.line = line;
    }
}
