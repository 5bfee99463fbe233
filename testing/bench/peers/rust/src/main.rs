//! This project's client library and others in Rust, each as a process to be measured.
//!
//! From: `LIBRARY ROLE PORT JOBS WARM_UP IN_FLIGHT` on the command line, and `go` on standard input.
//! To: `ready` and `done COUNT` on standard output; README.md of the folder above says more.
//! Never: measures itself, or runs two libraries in one process.

mod gate;
mod gearman_rs;
mod ours;
mod ours_blocking;
mod rustygear_peer;

use gate::Plan;
use std::error::Error;
use std::process::ExitCode;

/// Anything that ends a peer.
type Failure = Box<dyn Error>;

/// What a peer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Runs jobs and checks their results.
    Foreground,
    /// Submits jobs in background and checks that each has a handle.
    Background,
    /// Does jobs.
    Worker,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("geartrain-bench-peers: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().ok_or("usage: LIBRARY ROLE PORT JOBS WARM_UP IN_FLIGHT");
    let library = next()?;
    let role = match next()?.as_str() {
        "foreground" => Role::Foreground,
        "background" => Role::Background,
        "worker" => Role::Worker,
        other => return Err(format!("there is no role {other}").into()),
    };
    let server = format!("127.0.0.1:{}", next()?);
    let plan = Plan { jobs: next()?.parse()?, warm_up: next()?.parse()?, in_flight: next()?.parse()? };
    match library.as_str() {
        "ours" => ours::run(role, &server, plan),
        "ours-blocking" => ours_blocking::run(role, &server, plan),
        "gearman-rs" => gearman_rs::run(role, &server, plan),
        "rustygear" => rustygear_peer::run(role, &server, plan),
        other => Err(format!("there is no library {other}").into()),
    }
}

/// One thread is the least CPU for each of these libraries: nothing crosses to another core.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}
