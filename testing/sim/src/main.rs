//! Runs seeds of the simulation.
//!
//! `SIM_SEED=7 cargo run -p geartrain-sim --release` runs one, with `--trace` step by step;
//! `--seeds N --from S` runs many.

#![expect(clippy::print_stdout, reason = "what it prints is what it is for")]

use geartrain_sim::{Counts, Failure, Prints, run_seed};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// What the command line asks for.
struct Options {
    from: u64,
    seeds: u64,
    prints: Prints,
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("{problem}\nusage: [SIM_SEED=N] geartrain-sim [--trace] [--seeds N] [--from S]");
            return ExitCode::from(64);
        }
    };
    if options.seeds == 1 {
        return run_one(&options);
    }
    // The report says what failed; the default report of each panic would only repeat it.
    std::panic::set_hook(Box::new(|_| {}));
    run_many(&options)
}

fn options() -> Result<Options, String> {
    let number = |text: Option<String>, what: &str| {
        text.and_then(|text| text.parse().ok()).ok_or_else(|| format!("{what} needs a number"))
    };
    let mut options = Options { from: 0, seeds: 1000, prints: Prints::Nothing };
    if let Ok(seed) = std::env::var("SIM_SEED") {
        options.from = number(Some(seed), "SIM_SEED")?;
        options.seeds = 1;
    }
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--trace" => options.prints = Prints::Everything,
            "--seeds" => options.seeds = number(words.next(), "--seeds")?,
            "--from" => options.from = number(words.next(), "--from")?,
            other => return Err(format!("unknown option {other}")),
        }
    }
    Ok(options)
}

fn run_one(options: &Options) -> ExitCode {
    match run_seed(options.from, options.prints) {
        Ok(outcome) => {
            println!("seed {} holds: {outcome:#?}", options.from);
            ExitCode::SUCCESS
        }
        Err(failure) => {
            println!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn run_many(options: &Options) -> ExitCode {
    let next = AtomicU64::new(options.from);
    let end = options.from + options.seeds;
    let found: Mutex<(Counts, Vec<Failure>, u64)> = Mutex::new((Counts::default(), Vec::new(), 0));
    let start = Instant::now();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        break;
                    }
                    let result = run_seed(seed, Prints::Nothing);
                    let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                    found.2 += 1;
                    match result {
                        Ok(outcome) => found.0.add(&outcome.counts),
                        Err(failure) => {
                            println!("{failure}");
                            found.1.push(failure);
                        }
                    }
                    if found.2.is_multiple_of(1000) {
                        println!(
                            "{} seeds in {:.1} s, {} fail",
                            found.2,
                            start.elapsed().as_secs_f32(),
                            found.1.len()
                        );
                    }
                }
            });
        }
    });
    let (counts, failures, run) = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    println!("{counts:#?}");
    println!("{run} seeds in {:.1} s: {} fail", start.elapsed().as_secs_f32(), failures.len());
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
