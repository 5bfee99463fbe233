//! Submits a job, follows what happens to it, and prints its result.
//!
//! With a server and a worker: `gearmand & gearman -w -f reverse -- rev &`, then
//! `cargo run --example submit_and_wait -- reverse 'hello there'`. `GEARMAN_SERVERS` names other servers.

use geartrain_client::{Client, JobEvent, Priority};
use std::error::Error;
use std::time::Duration;

#[tokio::main(flavor = "current_thread")]
#[allow(clippy::print_stdout, reason = "what it is asked for goes there")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let function = arguments.next().unwrap_or_else(|| "reverse".to_owned());
    let workload = arguments.next().unwrap_or_else(|| "hello there".to_owned());
    let client = Client::builder().build()?;
    println!("{}", run(&client, &function, workload).await?);
    Ok(())
}

/// Submits a job, tells what happens to it on standard error, and gives the result.
pub(crate) async fn run(client: &Client, function: &str, workload: String) -> Result<String, Box<dyn Error>> {
    // The short way, where only the result matters:
    // let result = client.job(function, workload).run().await?;

    let job = client.job(function, workload).priority(Priority::High).timeout(Duration::from_secs(60));
    let mut job = job.start().await?;
    eprintln!("submitted as {}", job.handle());
    let mut result = Vec::new();
    while let Some(event) = job.next().await {
        match event? {
            JobEvent::Data(piece) => result.extend_from_slice(&piece),
            JobEvent::Warning(warning) => eprintln!("warning: {}", String::from_utf8_lossy(&warning)),
            JobEvent::Status { numerator, denominator } => eprintln!("{numerator} of {denominator} done"),
            JobEvent::Complete(end) => result.extend_from_slice(&end),
            JobEvent::Resent => result.clear(),
            // Events of later versions.
            _ => {}
        }
    }
    Ok(String::from_utf8_lossy(&result).into_owned())
}
