//! Counts words over several servers: each paragraph is a job, and one more adds the counts up.
//!
//! With workers for `count` (words of its workload) and `sum` (of the numbers in its lines) on each server:
//! `gearman -w -f count -- wc -w &` and `gearman -w -f sum -- awk '{s+=$1} END {print s}' &`, then
//! `GEARMAN_SERVERS=host1,host2 cargo run --example map_and_reduce < book.txt`.

use geartrain_client::{Client, Resend};
use std::error::Error;
use std::io::Read as _;

#[tokio::main(flavor = "current_thread")]
#[allow(clippy::print_stdout, reason = "what it is asked for goes there")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    // Counting twice does no harm, so what a dying server took with it is counted elsewhere.
    let client = Client::builder().resend(Resend::Always).build()?;
    println!("{} words", run(&client, &text).await?);
    Ok(())
}

/// Counts the words of a text.
pub(crate) async fn run(client: &Client, text: &str) -> Result<u64, Box<dyn Error>> {
    let paragraphs = text.split("\n\n").filter(|paragraph| !paragraph.trim().is_empty());
    // Equal paragraphs are one job while it runs, whichever client submits them: `-` makes the workload the unique.
    let jobs = paragraphs.map(|paragraph| client.job("count", paragraph.to_owned()).unique("-"));
    let mut counts = client.run_all(jobs).window(64);
    let mut lines = String::new();
    while let Some((_, count)) = counts.next().await {
        lines.push_str(std::str::from_utf8(&count?)?.trim());
        lines.push('\n');
    }
    let sum = client.job("sum", lines).run().await?;
    Ok(std::str::from_utf8(&sum)?.trim().parse()?)
}
