//! Submit and work on Gearman jobs from the shell.
//!
//! From: the command line, standard input, `GEARMAN_SERVER` and `GEARMAN_SERVERS`. To: jobs, and what becomes
//! of them on standard output. As a worker: from jobs to a command and back.
//! Never: exits 0 when a job failed, was refused or was lost.

mod arguments;
mod client;
mod command;
mod generate;
mod pid_file;
mod print;
mod signals;
mod talk;
mod unique;
mod worker;

use anyhow::Context;
use arguments::Arguments;
use clap::Parser;
use clap::error::ErrorKind;
use pid_file::PidFile;
use signals::Signals;
use std::io;
use std::process::ExitCode;
use talk::{Outcome, say};

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    let outcome = run(&arguments).unwrap_or_else(|error| {
        // Who closes our output, as `head` does, wants no more and no words about it.
        let closed =
            error.downcast_ref::<io::Error>().map(io::Error::kind) == Some(io::ErrorKind::BrokenPipe);
        if !closed {
            say(&geartrain_client::chain(error.as_ref()));
        }
        Outcome::Failed
    });
    ExitCode::from(outcome.exit_status())
}

/// Help is data, wrong usage is talk; its exit status is 1, as the reference's.
fn usage(error: &clap::Error) -> ExitCode {
    let printed = error.print().is_ok();
    let asked_for = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if asked_for && printed { ExitCode::SUCCESS } else { ExitCode::from(Outcome::Failed.exit_status()) }
}

fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    if let Some(what) = arguments.generate {
        generate::generate(what).context("cannot write to standard output")?;
        return Ok(Outcome::Done);
    }
    arguments.check()?;
    let servers = arguments.servers()?;
    if arguments.daemon {
        // Before anything else is opened: a file or connection would not survive the change of process.
        nix::unistd::daemon(true, false).context("cannot go to the background")?;
    }
    let _pid_file = arguments.pid_file.as_deref().map(PidFile::write).transpose()?;
    if arguments.worker {
        let mut signals = Signals::listen().context("cannot listen to signals")?;
        worker::run(arguments, &servers, &mut signals)
    } else {
        client::run(arguments, &servers)
    }
}
