//! `geartrain-fleet`: workers of four languages under a manager and load; and how fast the manager is.
//!
//! From: a person or the workspace's test command. To: what was counted on stdout, talk on stderr.
//! Exit codes: 0 all is as it must be, 1 something is not or is missing, 64 wrong usage.

mod accounts;
mod config;
mod events;
mod job_log;
mod load;
mod manager;
mod measure;
mod play;

use geartrain_interop::server::{REFERENCE, Side};
use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "\
usage: geartrain-fleet [run] [--server reference|ours|both]
       geartrain-fleet measure

  run       the manager with real workers under load (both servers, side by side)
  measure   how soon the manager replaces a process, and what it costs while nothing happens;
            build it and gearman-manager and gearmand with --release

The programs gearman-manager, gearmand and fleet-worker are those beside this one: build them before.
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        [] | ["run"] | ["run", "--server", "both"] => play::run(&[Side::Ours, Side::Reference]),
        ["run", "--server", "ours"] => play::run(&[Side::Ours]),
        ["run", "--server", "reference"] => play::run(&[Side::Reference]),
        ["measure"] => measure::run(),
        // What the measured manager runs.
        ["measured-child", socket] => measure::child(Path::new(socket)),
        _ => {
            complain(USAGE);
            return ExitCode::from(64);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("geartrain-fleet: {error}\n"));
            ExitCode::FAILURE
        }
    }
}

fn complain(text: &str) {
    // A closed stderr leaves nobody to tell.
    std::io::stderr().write_all(text.as_bytes()).ok();
}

/// What went wrong, for people.
type Result<T = ()> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// A program of this workspace, built where this one is.
fn built(name: &str) -> Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name(name);
    if !path.is_file() {
        return Err(format!("there is no {} (hint: cargo build --workspace --bins)", path.display()).into());
    }
    Ok(path)
}

/// The server of a side.
fn server_of(side: Side) -> Result<PathBuf> {
    match side {
        Side::Ours => built("gearmand"),
        Side::Reference => Ok(PathBuf::from(REFERENCE)),
    }
}
