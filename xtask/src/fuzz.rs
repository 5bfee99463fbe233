//! The fuzz targets, one after the other, on the stable compiler: fuzz/README.md says how.

use crate::shell::{self, cargo, root};
use anyhow::{Context, Result, bail};
use std::fs;
use std::process::Command;

/// The targets; each has a folder of seeds.
const TARGETS: [&str; 6] =
    ["decode", "admin_line", "queue_model", "store_recovery", "client_session", "worker_session"];

/// What `cargo fuzz` would set, less the sanitizers, which are not stable.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1";

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Seconds for each target.
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Only these targets; all when none is named.
    targets: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let all: Vec<String> = TARGETS.map(str::to_owned).into();
    let wanted = if options.targets.is_empty() { &all } else { &options.targets };
    if let Some(unknown) = wanted.iter().find(|target| !TARGETS.contains(&target.as_str())) {
        bail!("there is no fuzz target {unknown}; there are: {}", TARGETS.join(", "));
    }
    let folder = root().join("fuzz");
    // A target of its own keeps the flags away from build scripts.
    let host = host()?;
    shell::run(
        cargo(["build", "--release", "--quiet", "--target", &host])
            .current_dir(&folder)
            .env("RUSTFLAGS", FLAGS),
    )?;
    for target in wanted {
        let corpus = format!("corpus/{target}");
        fs::create_dir_all(folder.join(&corpus)).with_context(|| format!("create fuzz/{corpus}"))?;
        let program = folder.join("target").join(&host).join("release").join(target);
        let seconds = format!("-max_total_time={}", options.seconds);
        let seeds = format!("seeds/{target}");
        let limits = ["-max_len=4096", "-rss_limit_mb=2048", "-print_final_stats=1"];
        shell::run(Command::new(program).current_dir(&folder).args([corpus, seeds, seconds]).args(limits))?;
    }
    println!("{} targets ran {} s each without a finding", wanted.len(), options.seconds);
    Ok(())
}

fn host() -> Result<String> {
    let version = shell::capture(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc -vV names no host")?.to_owned())
}
