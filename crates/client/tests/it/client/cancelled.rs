//! Futures that are dropped in the middle: the connection is as good as it was.

use super::support::{Server, Side, TestWorker, on_both_servers, within_limit};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll};

on_both_servers![
    a_job_dropped_at_any_await_leaves_the_connection_usable,
    other_futures_dropped_at_any_await_leave_the_connection_usable,
    a_runtime_that_shuts_down_tells_those_who_wait,
];

/// Polls a future so many times, and drops it; says whether it ended before.
async fn polled<F: Future>(times: usize, future: F) -> bool {
    let mut future = pin!(future);
    let mut left = times;
    std::future::poll_fn(move |context: &mut Context<'_>| {
        if left == 0 {
            return Poll::Ready(false);
        }
        left -= 1;
        future.as_mut().poll(context).map(|_| true)
    })
    .await
}

fn a_job_dropped_at_any_await_leaves_the_connection_usable(side: Side) {
    let server = Server::start(side);
    let _worker = TestWorker::start(&server);
    within_limit(async {
        let client = server.client();
        let mut ended = 0;
        // From before the connection to behind the result; polled only when woken, so each is another await.
        for times in 0..12 {
            for function in ["reverse", "talk", "throw"] {
                ended += usize::from(polled(times, client.job(function, "ab").run()).await);
                ended += usize::from(polled(times, client.job(function, "ab").start()).await);
                ended += usize::from(
                    polled(times, async {
                        let mut job = client.job(function, "ab").start().await.unwrap();
                        while job.next().await.is_some() {}
                    })
                    .await,
                );
                assert_eq!(client.job("reverse", "abc").run().await.unwrap(), "cba", "after {times} polls");
            }
        }
        assert!(ended > 20, "{ended} came to their end: the later drops are behind all awaits");
        assert_eq!(server.connections(), 2, "all went over one connection");
    });
}

fn other_futures_dropped_at_any_await_leave_the_connection_usable(side: Side) {
    let server = Server::start(side);
    let _worker = TestWorker::start(&server);
    within_limit(async {
        let client = server.client();
        let address = client.servers().next().unwrap().clone();
        let handle = client.job("later", "").background().await.unwrap();
        let mut ended = 0;
        for times in 0..8 {
            ended += usize::from(polled(times, client.echo(&address, "e")).await);
            ended += usize::from(polled(times, client.status(&handle)).await);
            ended += usize::from(polled(times, client.job("later", "").background()).await);
            let jobs = (0..100).map(|_| client.job("reverse", "ab"));
            ended += usize::from(polled(times, client.run_all(jobs).window(10).next()).await);
            assert_eq!(client.echo(&address, "abc").await.unwrap(), "abc", "after {times} polls");
            assert!(client.status(&handle).await.unwrap().is_known);
        }
        assert!(ended > 10, "{ended} came to their end");
        assert_eq!(server.connections(), 2);
    });
}

fn a_runtime_that_shuts_down_tells_those_who_wait(side: Side) {
    let server = Server::start(side);
    let worker = TestWorker::start(&server);
    let client = server.client();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let job = runtime.block_on(client.job("hold", "x").start()).unwrap();
    worker.holds();
    runtime.shutdown_background();
    let error = within_limit(job.result()).unwrap_err();
    assert!(error.to_string().contains("its runtime was shut down"), "{error}");
    worker.let_go();
    // Another runtime takes over.
    assert_eq!(within_limit(client.job("reverse", "ab").run()).unwrap(), "ba");
}
