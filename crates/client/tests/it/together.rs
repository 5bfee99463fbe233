//! This client with this worker, over both servers: what one says is what the other hears.

use crate::support::{LIMIT, Server, Side, on_both_servers, wait_until, within_limit};
use crate::worker::support::{TestWorker, worker_of};
use bytes::Bytes;
use geartrain_client::worker::{Job, JobFailed, ReportError, WorkerBuilder};
use geartrain_client::{Client, JobError, JobEvent, Json, MsgPack, Priority, Resend};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

on_both_servers!(
    values_arrive_as_they_were_sent,
    progress_arrives_in_order_and_the_result_whole,
    a_client_hears_why_its_job_failed,
    a_reducer_puts_together_what_was_mapped,
    jobs_of_one_unique_are_done_once,
    all_jobs_are_done_under_servers_that_are_killed,
    background_jobs_are_polled_to_their_end,
);

fn client_of(servers: &[&Server]) -> Client {
    let list: Vec<String> = servers.iter().map(|server| server.address()).collect();
    Client::new(&list.join(",")).unwrap()
}

/// A worker that is connected to that many servers.
fn start(builder: WorkerBuilder, servers: usize) -> TestWorker {
    let (connect, connected) = mpsc::channel();
    let worker = TestWorker::start(builder.on_connect(move |server| {
        // Nobody listens any more when it connects anew.
        connect.send(server.clone()).ok();
    }));
    let seen: Vec<_> = (0..servers).map(|_| connected.recv_timeout(LIMIT).unwrap()).collect();
    assert!(seen.iter().all(|server| seen.iter().filter(|other| *other == server).count() == 1), "{seen:?}");
    worker
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Resize {
    photo: String,
    widths: Vec<u32>,
}

fn values_arrive_as_they_were_sent(side: Side) {
    let server = Server::start(side);
    let builder = worker_of(&[&server])
        .register("json", |Json(mut resize): Json<Resize>| async move {
            resize.widths.reverse();
            Json(resize)
        })
        .register("msgpack", |MsgPack(numbers): MsgPack<Vec<i64>>| async move {
            MsgPack(BTreeMap::from([("sum", numbers.iter().sum::<i64>())]))
        })
        .register("text", |text: String| async move { text.to_uppercase() })
        .register("bytes", |bytes: Bytes| async move { bytes });
    let worker = start(builder, 1);
    within_limit(async {
        let client = client_of(&[&server]);
        let resize = Resize { photo: "p".to_owned(), widths: vec![1, 70_000] };
        let Json(back): Json<Resize> = client.job("json", Json(&resize)).run_as().await.unwrap();
        assert_eq!(back, Resize { widths: vec![70_000, 1], ..resize });
        let sum = client.job("msgpack", MsgPack([1, -3])).run_as::<MsgPack<BTreeMap<String, i64>>>().await;
        assert_eq!(sum.unwrap().0, BTreeMap::from([("sum".to_owned(), -2)]));
        assert_eq!(client.job("text", "ab").run_as::<String>().await.unwrap(), "AB");
        let refused = client.job("json", "{}").run().await.unwrap_err().to_string();
        assert!(
            refused.contains("the workload is not the JSON expected: missing field `photo`"),
            "{refused}"
        );
        for size in [0_u32, 1, 8191, 20_000, 3_000_000] {
            let workload: Vec<u8> = (0..size).map(|at| at.to_le_bytes()[0]).collect();
            assert!(client.job("bytes", workload.clone()).run().await.unwrap() == workload, "{size} bytes");
        }
    });
    assert_eq!(worker.stop().jobs, 9);
}

fn progress_arrives_in_order_and_the_result_whole(side: Side) {
    let server = Server::start(side);
    let builder = worker_of(&[&server]).register("talk", |job: Job, pieces: String| async move {
        let pieces: u32 = pieces.parse().unwrap();
        for piece in 0..pieces {
            job.data(format!("{piece},")).await?;
            job.status(piece + 1, pieces).await?;
        }
        job.warning("enough").await?;
        Ok::<_, ReportError>("end")
    });
    let worker = start(builder, 1);
    within_limit(async {
        let client = client_of(&[&server]);
        let mut job = client.job("talk", "50").start().await.unwrap();
        let mut expected = Vec::new();
        for piece in 0..50 {
            expected.push(JobEvent::Data(format!("{piece},").into()));
            expected.push(JobEvent::Status { numerator: piece + 1, denominator: 50 });
        }
        expected.extend([JobEvent::Warning("enough".into()), JobEvent::Complete("end".into())]);
        for event in expected {
            assert_eq!(job.next().await.unwrap().unwrap(), event);
        }
        assert!(job.next().await.is_none());
        assert_eq!(client.job("talk", "3").run().await.unwrap(), "0,1,2,end");
    });
    worker.stop();
}

fn a_client_hears_why_its_job_failed(side: Side) {
    let server = Server::start(side);
    let builder = worker_of(&[&server])
        .register("throw", |text: String| async move { Err::<(), _>(format!("no {text}")) })
        .register("fail", |_: Bytes| async { Err::<(), _>(JobFailed) })
        .register("panic", |_: Bytes| async { assert!(std::hint::black_box(false), "oh") });
    let worker = start(builder, 1);
    within_limit(async {
        let client = client_of(&[&server]);
        for (function, text) in [("throw", "no way"), ("panic", "the handler panicked: oh")] {
            let error = client.job(function, "way").run().await.unwrap_err();
            let JobError::Exception { exception, .. } = error else { panic!("{error}") };
            assert_eq!(exception, text);
        }
        let error = client.job("fail", "").run().await.unwrap_err();
        assert!(matches!(error, JobError::Failed { .. }), "{error}");
    });
    worker.stop();
}

/// Each part is counted, and a worker that knows of the reducer puts the counts together.
fn a_reducer_puts_together_what_was_mapped(side: Side) {
    let servers = [Server::start(side), Server::start(side)];
    let servers = servers.each_ref();
    let inner = client_of(&servers);
    let builder = worker_of(&servers)
        .register("count", |text: String| async move { text.split_whitespace().count().to_string() })
        .register("total", move |job: Job, text: String| {
            let client = inner.clone();
            async move {
                assert_eq!(job.reducer(), Some(&b"sum"[..]));
                let parts = text.lines().map(|line| client.job("count", line.to_owned()));
                let counts = client.run_all(parts).collect().await?;
                let numbers: u64 = counts
                    .iter()
                    .map(|count| std::str::from_utf8(count).unwrap().parse::<u64>().unwrap())
                    .sum();
                Ok::<_, JobError>(numbers.to_string())
            }
        })
        .at_once(4);
    let worker = start(builder, 2);
    within_limit(async {
        let client = client_of(&servers);
        let total =
            client.job("total", "one two\nthree\n\nfour five six").reducer("sum").run().await.unwrap();
        assert_eq!(total, "6");
    });
    assert_eq!(worker.stop().jobs, 5);
}

fn jobs_of_one_unique_are_done_once(side: Side) {
    let servers = [Server::start(side), Server::start(side)];
    let servers = servers.each_ref();
    let (begin, begun) = mpsc::channel();
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let entry = Arc::clone(&gate);
    let builder = worker_of(&servers).register("once", move |job: Job| {
        begin.send(job.unique().map(<[u8]>::to_vec)).unwrap();
        let gate = Arc::clone(&entry);
        async move { gate.acquire().await.map(|_permit| "done") }
    });
    let worker = start(builder, 2);
    within_limit(async {
        let (one, other) = (client_of(&servers), client_of(&[servers[1], servers[0]]));
        let first = one.job("once", "1").unique("u").start().await.unwrap();
        let second = other.job("once", "2").unique("u").priority(Priority::High).start().await.unwrap();
        assert_eq!(first.handle(), second.handle());
        assert_eq!(begun.recv_timeout(LIMIT).unwrap(), Some(b"u".to_vec()));
        gate.add_permits(1);
        assert_eq!(first.result().await.unwrap(), "done");
        assert_eq!(second.result().await.unwrap(), "done");
    });
    assert_eq!(worker.stop().jobs, 1);
}

/// With leave to send again, every job has its result, whatever becomes of the servers meanwhile.
fn all_jobs_are_done_under_servers_that_are_killed(side: Side) {
    const JOBS: u32 = 3_000;
    let mut servers = [Server::start(side), Server::start(side)];
    let builder = worker_of(&servers.each_ref())
        .register("double", |number: String| async move { (2 * number.parse::<u32>().unwrap()).to_string() })
        .at_once(8);
    let worker = start(builder, 2);
    let addresses: Vec<String> = servers.iter().map(Server::address).collect();
    let done = Arc::new(Mutex::new(0));
    let count = Arc::clone(&done);
    let clients = std::thread::spawn(move || {
        within_limit(async {
            let builder = Client::builder().servers(addresses.join(",")).resend(Resend::Always);
            let pauses = (Duration::from_millis(10), Duration::from_millis(100));
            let client = builder.reconnect_pauses(pauses.0, pauses.1).build().unwrap();
            let jobs = (0..JOBS).map(|number| client.job("double", number.to_string()));
            let mut results = client.run_all(jobs).window(32);
            while let Some((place, result)) = results.next().await {
                assert_eq!(result.unwrap(), (2 * place).to_string());
                *count.lock().unwrap() += 1;
            }
        });
    });
    let done = || *done.lock().unwrap();
    for round in 0..4_u32 {
        wait_until("more are done", || done() >= (round + 1) * JOBS / 6);
        let server = &mut servers[round as usize % 2];
        server.kill();
        server.start_again();
    }
    clients.join().unwrap();
    assert_eq!(done(), JOBS);
    assert!(worker.stop().jobs >= u64::from(JOBS));
}

fn background_jobs_are_polled_to_their_end(side: Side) {
    let server = Server::start(side);
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let entry = Arc::clone(&gate);
    let builder = worker_of(&[&server]).register("slow", move |job: Job| {
        let gate = Arc::clone(&entry);
        async move {
            job.status(3, 4).await.unwrap();
            gate.acquire().await.map(|permit| permit.forget())
        }
    });
    let worker = start(builder, 1);
    within_limit(async {
        let client = client_of(&[&server]);
        let handle = client.job("slow", "").background().await.unwrap();
        let other = client_of(&[&server]);
        loop {
            let status = other.status(&handle).await.unwrap();
            assert!(status.is_known);
            if status.progress() == Some(0.75) {
                break;
            }
        }
        gate.add_permits(1);
        while other.status(&handle).await.unwrap().is_known {}
    });
    assert_eq!(worker.stop().jobs, 1);
}
