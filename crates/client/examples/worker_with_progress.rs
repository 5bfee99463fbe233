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
    Worker::builder().server(server).register("count_words", count_words).at_once(4).stop_on_signals()
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
    use geartrain_client::{Connection, Limits, ServerAddress};
    use geartrain_proto::{Function, Priority, Request, Response, Submit, SubmitMode, Unique};
    use geartrain_testserver::TestServer;
    use std::time::Duration;

    #[test]
    fn a_client_sees_each_line_counted() {
        let server = TestServer::start().unwrap();
        let worker = worker(server.address()).build().unwrap();
        let shutdown = worker.shutdown_handle();
        let thread = std::thread::spawn(|| geartrain_client::blocking::Worker::new(worker).run().unwrap());

        let address = ServerAddress::parse(server.address(), 1).unwrap();
        let mut client = Connection::open(&address, &Limits::default()).unwrap();
        let submit = Submit {
            function: Function::from("count_words"),
            unique: Unique::from(""),
            priority: Priority::Normal,
            mode: SubmitMode::Foreground,
            reducer: None,
            workload: b"one two\n\nthree\n",
        };
        client.send(&Request::Submit(submit), "submitting").unwrap();
        let mut told = Vec::new();
        while !told.last().is_some_and(|last: &String| last.starts_with("total")) {
            let packet = client.receive(Some(Duration::from_secs(30)), "waiting").unwrap();
            if let Response::WorkData { data, .. } | Response::WorkComplete { result: data, .. } = packet {
                told.push(String::from_utf8(data.to_vec()).unwrap());
            } else if let Response::WorkStatus { numerator, denominator, .. } = packet {
                told.push(format!("{}/{}", numerator.escape_ascii(), denominator.escape_ascii()));
            } else if let Response::WorkWarning { warning, .. } = packet {
                told.push(format!("warning: {}", String::from_utf8_lossy(warning)));
            }
        }
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
