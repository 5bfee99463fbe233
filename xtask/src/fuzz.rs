//! The fuzz targets, one after the other.

use crate::shell::{self, capture, root};
use anyhow::{Context, Result, bail};
use std::process::Command;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Seconds for each target.
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Only these targets; all when none is named.
    targets: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let listed = capture(&mut cargo_fuzz(&["list"]))
        .context("list the fuzz targets (hint: cargo install cargo-fuzz)")?;
    let known: Vec<String> = listed.lines().map(str::to_owned).collect();
    run_all(options, &known)
}

fn run_all(options: &Options, known: &[String]) -> Result<()> {
    let wanted = if options.targets.is_empty() { known } else { &options.targets };
    for target in wanted {
        if !known.contains(target) {
            bail!("there is no fuzz target {target}; there are: {}", known.join(", "));
        }
        let seconds = format!("-max_total_time={}", options.seconds);
        let mut fuzz = cargo_fuzz(&["run", target]);
        shell::run(fuzz.args(["--", &seconds, "-max_len=4096", "-rss_limit_mb=2048"]))?;
    }
    println!("{} targets ran {} s each without a finding", wanted.len(), options.seconds);
    Ok(())
}

/// `cargo fuzz`, which needs a feature of the compiler that is not stable: the sanitizer's switches.
fn cargo_fuzz(arguments: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(root()).arg("fuzz").args(arguments).env("RUSTC_BOOTSTRAP", "1");
    command
}
