//! A supervisor for Gearman workers in any language.
//!
//! From: the command line and the configuration file. To: the manager, or one that runs already; the file as it is
//! understood, or made from another supervisor's.
//! Never: exits 0 when a file is wrong, or starts anything by it.

mod arguments;
mod check;
mod ctl;
mod generate;
mod import;
mod output;
mod reference;
mod run;

use arguments::{Action, Arguments, Run};
use clap::Parser;
use clap::error::ErrorKind;
use output::say;
use std::process::ExitCode;

/// What the program ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    /// It did what it was asked for.
    Done,
    /// It could not: a file cannot be read or written.
    Failed,
    /// The manager said no.
    Refused,
    /// The command line or a configuration is wrong.
    Wrong,
}

fn main() -> ExitCode {
    let exit = match Arguments::try_parse() {
        Ok(arguments) => run(&arguments).unwrap_or_else(|error| {
            say(&format!("gearman-manager: {error:#}"));
            Exit::Failed
        }),
        Err(error) => usage(&error),
    };
    ExitCode::from(match exit {
        Exit::Done => 0,
        Exit::Failed => 1,
        Exit::Refused => 2,
        Exit::Wrong => 64,
    })
}

/// Help is data, wrong usage is talk.
fn usage(error: &clap::Error) -> Exit {
    let printed = error.print().is_ok();
    let asked_for = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    match (asked_for, printed) {
        (true, true) => Exit::Done,
        (true, false) => Exit::Failed,
        (false, _) => Exit::Wrong,
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    if let Some(what) = arguments.generate {
        return generate::generate(what).map(|()| Exit::Done);
    }
    match &arguments.action {
        Some(Action::Check(options)) => check::run(options),
        Some(Action::Import(options)) => import::run(options),
        Some(Action::Run(options)) => run::run(options),
        Some(Action::Ctl(options)) => ctl::ctl(options),
        None => run::run(&Run::default()),
    }
}
