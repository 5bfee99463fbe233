//! A worker that leaves in an orderly way: at a signal, after a number of jobs, or when it has lived long enough.
//! It measures each job.
//!
//! ```text
//! cargo run -p geartrain-client --example graceful_worker -- localhost:4730
//! gearman -f nap 5000 &                          # a job of five seconds
//! kill PID                                       # the worker ends it, and leaves
//! ```
//!
//! A supervisor that starts it again gets a fresh process after each 1,000 jobs or about an hour, and none of its
//! jobs is cut off by that.
#![expect(clippy::print_stdout, reason = "what it does is its output")]

use geartrain_client::Worker;
use geartrain_client::worker::{Ability, JobReport, WorkerBuilder};
use std::error::Error;
use std::num::ParseIntError;
use std::time::Duration;

/// Sleeps for as many milliseconds as the workload says.
async fn nap(millis: String) -> Result<String, ParseIntError> {
    tokio::time::sleep(Duration::from_millis(millis.trim().parse()?)).await;
    Ok(format!("slept for {} ms", millis.trim()))
}

fn log(report: &JobReport<'_>) {
    println!(
        "{} {}: {} after {} ms, {} bytes in, {} bytes out",
        report.function,
        report.handle,
        report.outcome,
        report.run.as_millis(),
        report.workload_bytes,
        report.result_bytes,
    );
}

fn worker(server: &str) -> WorkerBuilder {
    Worker::builder()
        .servers(server)
        .register(Ability::new("nap").timeout(Duration::from_secs(600)), nap)
        .at_once(10)
        .before_job(|job| println!("{} {}: begins", job.function(), job.handle()))
        .after_job(log)
        .jobs_max(1_000)
        .lifetime(Duration::from_secs(3600))
        .lifetime_jitter(Duration::from_secs(600))
        .patience(Duration::from_secs(60))
        .stop_on_signals()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = std::env::args().nth(1).unwrap_or_else(|| "localhost:4730".to_owned());
    let departure = worker(&server).build()?.run().await?;
    println!(
        "left ({:?}) after {} jobs, {} abandoned",
        departure.reason, departure.jobs, departure.abandoned
    );
    Ok(())
}
