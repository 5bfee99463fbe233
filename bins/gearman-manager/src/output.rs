//! Data to standard output, talk to standard error.

use anyhow::{Context, Result};
use std::io::{self, Write};

/// Writes data.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    match written {
        // Who closes our output, as `head` does, wants no more and no words about it.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write to standard output"),
    }
}

/// Says something to the person; where nobody listens, that is all right.
pub(crate) fn say(text: &str) {
    let mut out = io::stderr().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n")).unwrap_or_default();
}
