//! The Geartrain job server.

mod cli;
mod daemon;
mod file;
mod generate;
mod log;
mod process;
mod queue;
mod raw;
mod resolve;
mod serve;

use anyhow::Result;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&mut std::io::stderr(), format!("gearmand: {error:#}\n").as_bytes());
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let sources = cli::Sources::new(std::env::args_os().collect());
    let raw = sources.read()?;
    if let Some(what) = raw.generate {
        say(&mut std::io::stdout(), &generate::generate(what)?);
        return Ok(());
    }
    if raw.check_args {
        return resolve(raw, &sources).map(drop);
    }
    if raw.help {
        say(&mut std::io::stdout(), cli::help().as_bytes());
        return Ok(());
    }
    if raw.version {
        say(&mut std::io::stdout(), version().as_bytes());
        return Ok(());
    }
    let mut resolved = resolve(raw, &sources)?;
    let readiness = if resolved.process.daemon {
        match daemon::detach(sources.arguments())? {
            daemon::Side::Parent => return Ok(()),
            daemon::Side::Child(readiness) => Some(readiness),
        }
    } else {
        None
    };
    process::prepare(&mut resolved)?;
    let read_again = move || sources.read().and_then(|raw| resolve(raw, &sources));
    serve::serve(resolved, readiness, Arc::new(read_again))
}

/// What the options mean; an error that comes from the configuration file has its line.
fn resolve(raw: raw::Raw, sources: &cli::Sources) -> Result<resolve::Resolved> {
    resolve::resolve(raw).map_err(|error| match sources.place_of_fault(|raw| resolve::resolve(raw).is_ok()) {
        Some(place) => error.context(place),
        None => error,
    })
}

/// A blank line comes first, as scripts that parse it expect.
fn version() -> String {
    let (version, package) = (resolve::VERSION, env!("CARGO_PKG_VERSION"));
    format!("\ngearmand {version} (Geartrain {package})\n")
}

/// Writes to a stream that may be closed or full, in which case nobody wants to know.
fn say(stream: &mut dyn Write, text: &[u8]) {
    stream.write_all(text).and_then(|()| stream.flush()).unwrap_or_default();
}
