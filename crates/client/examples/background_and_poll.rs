//! Leaves a job to the server, and asks for it later, from another process.
//!
//! `cargo run --example background_and_poll -- submit resize photo-1` prints a handle;
//! `cargo run --example background_and_poll -- status geartrain://localhost:4730/H:host:12` says how that job is, until
//! it has ended. `GEARMAN_SERVERS` names other servers.

use geartrain_client::{Client, JobHandle, JobStatus};
use std::error::Error;
use std::time::Duration;

#[tokio::main(flavor = "current_thread")]
#[allow(clippy::print_stdout, reason = "what it is asked for goes there")]
async fn main() -> Result<(), Box<dyn Error>> {
    let client = Client::builder().build()?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["submit", function, workload] => println!("{}", submit(&client, function, workload).await?),
        ["status", handle] => poll(&client, handle, |status| println!("{}", words(status))).await?,
        _ => return Err("say: submit FUNCTION WORKLOAD, or: status HANDLE".into()),
    }
    Ok(())
}

/// Submits a job; the text can be kept anywhere, and names the job to any client of its server.
pub(crate) async fn submit(
    client: &Client,
    function: &str,
    workload: &str,
) -> Result<String, Box<dyn Error>> {
    let job = client.job(function, workload.to_owned()).unique(workload).background().await?;
    Ok(job.to_string())
}

/// Asks for a job every 200 ms until its server does not know it any more: it has ended.
pub(crate) async fn poll(
    client: &Client,
    handle: &str,
    mut show: impl FnMut(&JobStatus),
) -> Result<(), Box<dyn Error>> {
    let job: JobHandle = handle.parse()?;
    loop {
        let status = client.status(&job).await?;
        show(&status);
        if !status.is_known {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// How a job is, in words.
pub(crate) fn words(status: &JobStatus) -> String {
    match (status.is_known, status.is_running, status.progress()) {
        (false, _, _) => "it has ended".to_owned(),
        (true, false, _) => "it waits".to_owned(),
        (true, true, None) => "it runs".to_owned(),
        (true, true, Some(progress)) => format!("it runs, {:.0} % done", progress * 100.0),
    }
}
