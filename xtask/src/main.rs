//! The project's own commands: `cargo xtask --help` lists them.
#![expect(clippy::print_stdout, reason = "what these commands find is their output")]

mod bench;
mod fuzz;
mod generate;
mod shell;
mod test;
mod tidy;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Builds, tests and measures Geartrain.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Installs what the tests need, says what, and runs all of them.
    Test(test::Options),
    /// Installs what the tests need from the distribution and the language registries.
    Install,
    /// Measures the server against the floor and every peer, and prints one table.
    Bench(bench::Options),
    /// Runs each fuzz target for a while.
    Fuzz(fuzz::Options),
    /// Checks what no compiler checks: crate edges, sizes, names, tables that must agree.
    Tidy,
    /// Writes the generated files: man pages, completions, the option reference, the sample configuration.
    Generate(generate::Options),
}

fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Test(options) => test::run(&options),
        Command::Install => test::install(),
        Command::Bench(options) => bench::run(&options),
        Command::Fuzz(options) => fuzz::run(&options),
        Command::Tidy => tidy::run(),
        Command::Generate(options) => generate::run(&options),
    }
}
