//! The benchmarks, built as users run the server: with optimisation, nothing else at work.

use crate::shell::{self, cargo};
use anyhow::Result;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Arguments of the benchmark; `cargo xtask bench --list` lists them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    shell::run(&mut cargo(["build", "--release", "--quiet", "--package", "gearmand"]))?;
    let mut command = cargo(["run", "--release", "--quiet", "--package", "geartrain-bench", "--"]);
    shell::run(command.args(&options.arguments))
}
