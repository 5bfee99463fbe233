//! All tests, in the order in which a failure is cheapest to find.

use crate::shell::{self, cargo};
use crate::tidy;
use anyhow::Result;
use std::process::Command;
use std::time::Instant;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Takes what the tests need as given: installs nothing, and fails where something is missing.
    #[arg(long)]
    no_install: bool,
}

/// Installs what the tests need: job servers, clients in five languages, tools.
pub(crate) fn install() -> Result<()> {
    shell::run(&mut cargo(["run", "--quiet", "--package", "geartrain-interop", "--", "install"]))
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let start = Instant::now();
    if !options.no_install {
        step("install what the tests need", install)?;
    }
    step("formatting", || run_cargo(["fmt", "--all", "--check"]))?;
    step("lints", || {
        run_cargo(["clippy", "--workspace", "--all-targets", "--quiet", "--", "--deny", "warnings"])
    })?;
    step("tidiness and generated files", || {
        tidy::run()?;
        crate::generate::check()
    })?;
    step("unit, contract, simulation, conformance and command line tests", || {
        run_cargo(["build", "--workspace", "--bins", "--quiet"])?;
        let mut tests = cargo(["test", "--workspace", "--quiet", "--no-fail-fast"]);
        // Without it the conversations are not held with a reference server that is missing.
        tests.env("GEARTRAIN_REFERENCE_REQUIRED", "1");
        // Without it some tests build the server anew, with the features of that one package, beside other tests.
        tests.env("GEARTRAIN_BUILT", "1");
        shell::run(&mut tests)
    })?;
    step("documentation", || {
        let mut command = cargo(["doc", "--workspace", "--no-deps", "--quiet"]);
        shell::run(command.env("RUSTDOCFLAGS", "--deny warnings"))
    })?;
    step("real clients and workers against both servers", || {
        run_cargo(["run", "--quiet", "--package", "geartrain-interop", "--", "run", "--server", "both"])
    })?;
    step("real workers under the manager, on both servers", || {
        // As built above: with other packages around it, Cargo would build it anew.
        shell::run(&mut Command::new(std::env::current_exe()?.with_file_name("geartrain-fleet")))
    })?;
    println!("\nall tests passed in {} s", start.elapsed().as_secs());
    Ok(())
}

fn run_cargo<const N: usize>(arguments: [&str; N]) -> Result<()> {
    shell::run(&mut cargo(arguments))
}

fn step(name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("\n== {name}");
    let start = Instant::now();
    work()?;
    println!("== {name}: done in {} s", start.elapsed().as_secs());
    Ok(())
}
