//! A worker with this project's library that leaves at SIGTERM when its job is done: `fleet-worker FUNCTION`.
//!
//! From: `GEARMAN_SERVERS`. To: the result of each job, and its begin and end in the job log.
//! Never: knows that it is a test.

use geartrain_client::Worker;
use std::env;
use std::error::Error;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::time::Duration;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let function = env::args().nth(1).ok_or("which function?")?;
    let release = fs::read_to_string(env::var("RELEASE_FILE")?)?.trim().to_owned();
    if release == "broken" {
        return Err("this release does not even start".into());
    }
    let work = move |workload: String| do_job(workload, release.clone());
    Worker::builder().register(function, work).stop_on_signals().build()?.run().await?;
    Ok(())
}

/// A workload is the number of the job and how many milliseconds it takes.
async fn do_job(workload: String, release: String) -> Result<String, Box<dyn Error + Send + Sync>> {
    let (number, millis) = workload.split_once(' ').ok_or("a workload is a number and a time")?;
    let millis = millis.parse()?;
    note("begin", number, &release)?;
    tokio::time::sleep(Duration::from_millis(millis)).await;
    note("end", number, &release)?;
    Ok(number.to_owned())
}

fn note(what: &str, number: &str, release: &str) -> io::Result<()> {
    let path = env::var_os("JOB_LOG").ok_or_else(|| io::Error::other("JOB_LOG names no file"))?;
    let line = format!("{what} {number} {} rust {release}\n", std::process::id());
    OpenOptions::new().append(true).create(true).open(path)?.write_all(line.as_bytes())
}
