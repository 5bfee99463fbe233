//! The blocking client.

use super::support::{Server, Side, TestWorker, on_both_servers};
use geartrain_client::blocking::Client;
use geartrain_client::{JobError, JobEvent, Priority};
use std::time::Duration;

on_both_servers![a_program_without_a_runtime_has_the_same_client, it_goes_on_over_a_restart_between_calls];

fn a_program_without_a_runtime_has_the_same_client(side: Side) {
    let server = Server::start(side);
    let _worker = TestWorker::start(&server);
    let client = Client::new(&server.address()).unwrap();
    assert_eq!(client.job("reverse", "abc").run().unwrap(), "cba");
    let job = client.job("talk", "").priority(Priority::High).start().unwrap();
    let events: Vec<JobEvent> = job.map(Result::unwrap).collect();
    assert_eq!(events.len(), 5);
    assert_eq!(events.last(), Some(&JobEvent::Complete("end".into())));
    assert_eq!(client.job("talk", "").start().unwrap().result().unwrap(), "one,two,end");

    let handle = client.job("later", "").background().unwrap();
    assert!(client.status(&handle).unwrap().is_known);
    let address = client.servers().next().unwrap();
    assert_eq!(client.echo(address, "e").unwrap(), "e");

    let jobs = (0..500).map(|number| client.job("reverse", number.to_string()));
    let ended = client.run_all(jobs).window(50).filter(|(_, result)| result.is_ok()).count();
    assert_eq!(ended, 500);
    let jobs = (10..30).map(|number| client.job("reverse", number.to_string()));
    let backwards: Vec<_> =
        (10..30).map(|number| number.to_string().chars().rev().collect::<String>()).collect();
    assert_eq!(client.run_all(jobs).results().unwrap(), backwards);
    let late = client.job("nobody", "").timeout(Duration::from_millis(50)).run();
    assert!(matches!(late, Err(JobError::TimedOut { .. })), "{late:?}");

    // Threads share it.
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    assert_eq!(client.job("reverse", "abc").run().unwrap(), "cba");
                }
            });
        }
    });
    assert_eq!(server.connections(), 2);
}

/// A runtime of its own that waits for its threads at its end must not be dropped where others wait.
#[test]
fn the_last_of_a_client_may_be_dropped_within_async_code() {
    let client = Client::new("127.0.0.1:1").unwrap();
    let job = client.job("f", "x");
    drop(client);
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async { drop(job) });
}

fn it_goes_on_over_a_restart_between_calls(side: Side) {
    let mut server = Server::start(side);
    let _worker = TestWorker::start(&server);
    let client = Client::new(&server.address()).unwrap();
    for _ in 0..3 {
        assert_eq!(client.job("reverse", "abc").run().unwrap(), "cba");
        server.kill();
        server.start_again();
    }
    assert_eq!(client.job("reverse", "abc").run().unwrap(), "cba");
}
