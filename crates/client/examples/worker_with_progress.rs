//! A worker that tells its clients how far it is: it counts the words of a text, line by line.
//!
//! ```text
//! cargo run -p geartrain-client --example worker_with_progress -- localhost:4730
//! gearman -f count_words "$(cat README.md)"      # in another terminal
//! ```

use geartrain_client::Worker;
use geartrain_client::worker::{Job, ReportError, WorkerBuilder};
use std::error::Error;

/// Counts words. Each line is a step of progress, its count a part of the result; empty lines are worth a warning.
async fn count_words(job: Job, text: String) -> Result<String, ReportError> {
    let lines = u32::try_from(text.lines().count()).unwrap_or(u32::MAX);
    let mut total = 0;
    for (number, line) in (1..).zip(text.lines()) {
        let words = line.split_whitespace().count();
        if words == 0 {
            job.warning(format!("line {number} is empty\n")).await?;
        }
        job.data(format!("line {number}: {words}\n")).await?;
        job.status(number, lines).await?;
        total += words;
    }
    Ok(format!("total: {total}\n"))
}

fn worker(server: &str) -> WorkerBuilder {
    Worker::builder().servers(server).register("count_words", count_words).at_once(4).stop_on_signals()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = std::env::args().nth(1).unwrap_or_else(|| "localhost:4730".to_owned());
    let departure = worker(&server).build()?.run().await?;
    eprintln!("did {} jobs", departure.jobs);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use geartrain_client::JobEvent;
    use geartrain_client::blocking::Client;
    use geartrain_testserver::TestServer;

    fn shown(event: JobEvent) -> String {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match event {
            JobEvent::Data(data) | JobEvent::Complete(data) => text(&data),
            JobEvent::Status { numerator, denominator } => format!("{numerator}/{denominator}"),
            JobEvent::Warning(warning) => format!("warning: {}", text(&warning)),
            other @ (JobEvent::Resent | _) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_client_sees_each_line_counted() {
        let server = TestServer::start().unwrap();
        let worker = worker(server.address()).build_blocking().unwrap();
        let shutdown = worker.shutdown_handle();
        let thread = std::thread::spawn(|| worker.run().unwrap());

        let client = Client::new(server.address()).unwrap();
        let job = client.job("count_words", "one two\n\nthree\n").start().unwrap();
        let told: Vec<String> = job.map(|event| shown(event.unwrap())).collect();
        let expected = [
            "line 1: 2\n",
            "1/3",
            "warning: line 2 is empty\n",
            "line 2: 0\n",
            "2/3",
            "line 3: 1\n",
            "3/3",
            "total: 3\n",
        ];
        assert_eq!(told, expected);
        shutdown.shutdown();
        assert_eq!(thread.join().unwrap().jobs, 1);
    }
}
