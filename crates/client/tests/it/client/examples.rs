//! The examples, with real servers and workers.

use super::support::{Server, Side, TestWorker, client_of, on_both_servers, within_limit};

#[path = "../../../examples/background_and_poll.rs"]
#[expect(dead_code, reason = "its `main` reads arguments")]
mod background_and_poll;
#[path = "../../../examples/map_and_reduce.rs"]
#[expect(dead_code, reason = "its `main` reads standard input")]
mod map_and_reduce;
#[path = "../../../examples/submit_and_wait.rs"]
#[expect(dead_code, reason = "its `main` reads arguments")]
mod submit_and_wait;

on_both_servers![submit_and_wait_prints_the_result, background_and_poll_sees_the_end, map_and_reduce_counts];

fn submit_and_wait_prints_the_result(side: Side) {
    let server = Server::start(side);
    let _worker = TestWorker::start(&server);
    within_limit(async {
        let client = server.client();
        let result = submit_and_wait::run(&client, "talk", String::new()).await.unwrap();
        assert_eq!(result, "one,two,end");
        assert!(submit_and_wait::run(&client, "fail", String::new()).await.is_err());
    });
}

fn background_and_poll_sees_the_end(side: Side) {
    let server = Server::start(side);
    let worker = TestWorker::start(&server);
    within_limit(async {
        let client = server.client();
        let handle = background_and_poll::submit(&client, "hold", "photo-1").await.unwrap();
        worker.holds();
        let mut said = Vec::new();
        background_and_poll::poll(&client, &handle, |status| {
            // The server may hear of the progress after the worker has told it to this test.
            if status.numerator > 0 && !said.contains(&"it runs, 25 % done".to_owned()) {
                worker.let_go();
            }
            said.push(background_and_poll::words(status));
        })
        .await
        .unwrap();
        assert!(said.contains(&"it runs, 25 % done".to_owned()), "{said:?}");
        assert_eq!(said.last().map(String::as_str), Some("it has ended"));
    });
}

fn map_and_reduce_counts(side: Side) {
    let servers = [Server::start(side), Server::start(side)];
    let _workers = servers.each_ref().map(TestWorker::start);
    within_limit(async {
        let client = client_of(&servers.each_ref()).build().unwrap();
        let text: String = (1..=100).map(|words| "word ".repeat(words) + "\n\n").collect();
        assert_eq!(map_and_reduce::run(&client, &text).await.unwrap(), 5050);
    });
}
