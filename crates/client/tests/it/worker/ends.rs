//! Workers that leave: asked to, by themselves, at once; and what becomes of the jobs.

use super::support::{LIMIT, Runtime, Server, Side, TestWorker, on_both_servers, wait_until, worker_of};
use bytes::Bytes;
use geartrain_client::Worker;
use geartrain_client::worker::{Job, Outcome, Reason};
use geartrain_proto::SubmitMode;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

on_both_servers!(
    stopping_workers_lose_and_double_nothing,
    a_stopping_worker_finishes_what_it_has,
    a_worker_leaves_after_its_jobs,
    a_worker_leaves_when_its_lifetime_is_over,
    a_worker_that_leaves_at_once_leaves_its_job_to_another,
    a_worker_out_of_patience_leaves_its_job_to_another,
    a_dropped_worker_leaves_its_job_to_another,
);

/// How often each workload was done.
type Tally = Arc<Mutex<BTreeMap<String, u32>>>;

fn stopping_workers_lose_and_double_nothing(side: Side) {
    const JOBS: u32 = 1_500;
    let server = Server::start(side);
    let tally = Tally::default();
    let start = |number: usize| {
        let tally = Arc::clone(&tally);
        let builder = worker_of(&[&server])
            .register("count", move |workload: String| {
                let tally = Arc::clone(&tally);
                async move {
                    if workload.ends_with('7') {
                        tokio::task::yield_now().await;
                    }
                    *tally.lock().unwrap().entry(workload).or_default() += 1;
                }
            })
            .at_once(1 + number % 5);
        let runtime = if number.is_multiple_of(2) { Runtime::OneThread } else { Runtime::TwoThreads };
        TestWorker::start_on(runtime, builder)
    };
    let mut client = server.observer();
    for number in 0..JOBS {
        client.submit("count", number.to_string().as_bytes(), SubmitMode::Background);
    }
    let mut workers = vec![start(0), start(1)];
    let (mut begun, mut left) = (0, 0);
    // Each one is stopped in the middle of its work, whatever it is about just then.
    for number in 2..30 {
        let before = tally.lock().unwrap().len();
        workers.push(start(number));
        wait_until("some more are done", || {
            let done = tally.lock().unwrap().len();
            done > before + 20 || done == JOBS as usize
        });
        let departure = workers.remove(0).stop();
        assert_eq!((departure.reason, departure.abandoned), (Reason::Asked, 0));
        begun += departure.jobs;
        left += 1;
    }
    wait_until("all are done", || server.status("count").0 == 0);
    begun += workers.into_iter().map(|worker| worker.stop().jobs).sum::<u64>();
    assert_eq!((begun, left), (u64::from(JOBS), 28));
    let tally = tally.lock().unwrap();
    assert!(tally.values().all(|times| *times == 1), "{tally:?}");
    assert_eq!(tally.len(), JOBS as usize);
}

/// A worker of one server whose handler says that it has begun, and ends when told.
struct Gate {
    begun: mpsc::Receiver<String>,
    end: Arc<tokio::sync::Semaphore>,
    outcomes: Arc<Mutex<Vec<Outcome>>>,
}

fn gated(server: &Server) -> (geartrain_client::worker::WorkerBuilder, Gate) {
    let (begin, begun) = mpsc::channel();
    let end = Arc::new(tokio::sync::Semaphore::new(0));
    let outcomes = Arc::new(Mutex::new(Vec::new()));
    let (ending, seen) = (Arc::clone(&end), Arc::clone(&outcomes));
    let builder = worker_of(&[server])
        .register("gate", move |job: Job| {
            begin.send(job.handle().to_string()).unwrap();
            let end = Arc::clone(&ending);
            async move { end.acquire().await.map(|permit| permit.forget()) }
        })
        .after_job(move |report| seen.lock().unwrap().push(report.outcome.clone()));
    (builder, Gate { begun, end, outcomes })
}

fn a_stopping_worker_finishes_what_it_has(side: Side) {
    let server = Server::start(side);
    let (builder, gate) = gated(&server);
    let worker = TestWorker::start(builder.at_once(2));
    let mut client = server.observer();
    client.submit("gate", b"1", SubmitMode::Foreground);
    client.submit("gate", b"2", SubmitMode::Foreground);
    gate.begun.recv_timeout(LIMIT).unwrap();
    gate.begun.recv_timeout(LIMIT).unwrap();
    worker.shutdown_handle().shutdown();
    client.submit("gate", b"3", SubmitMode::Background);
    gate.end.add_permits(3);
    assert_eq!((client.story(), client.story()), (vec!["complete ".into()], vec!["complete ".into()]));
    assert_eq!(worker.await_departure().jobs, 2);
    wait_until("the worker is gone", || server.status("gate") == (1, 0, 0));
    assert_eq!(*gate.outcomes.lock().unwrap(), [Outcome::Completed, Outcome::Completed]);
}

fn a_worker_leaves_after_its_jobs(side: Side) {
    let server = Server::start(side);
    let mut client = server.observer();
    for _ in 0..20 {
        client.submit("echo", b"", SubmitMode::Background);
    }
    for (at_once, jobs) in [(1, 3), (8, 5), (8, 1)] {
        let builder = worker_of(&[&server]).register("echo", |workload: Bytes| async { workload });
        let departure = TestWorker::start(builder.at_once(at_once).jobs_max(jobs)).await_departure();
        assert_eq!((departure.reason, departure.jobs), (Reason::JobsDone, jobs));
    }
    wait_until("they are gone", || server.status("echo") == (11, 0, 0));
}

fn a_worker_leaves_when_its_lifetime_is_over(side: Side) {
    let server = Server::start(side);
    let (builder, gate) = gated(&server);
    let builder = builder.lifetime(Duration::from_millis(1)).lifetime_jitter(Duration::from_millis(100));
    let mut client = server.observer();
    client.submit("gate", b"", SubmitMode::Foreground);
    let worker = TestWorker::start(builder);
    // It may be gone before it had a job; with one, it does it to the end.
    gate.end.add_permits(1);
    let departure = worker.await_departure();
    assert_eq!((departure.reason, departure.abandoned), (Reason::LifetimeOver, 0));
    wait_until("it is gone", || server.status("gate").2 == 0);
    let done = u32::try_from(departure.jobs).unwrap();
    assert_eq!(server.status("gate"), (1 - done, 0, 0));
}

/// Another worker gets the job that one left, and ends it.
fn done_by_another(server: &Server, handle: &str) {
    let (builder, gate) = gated(server);
    let worker = TestWorker::start(builder);
    assert_eq!(gate.begun.recv_timeout(LIMIT).unwrap(), handle);
    gate.end.add_permits(1);
    wait_until("it is done", || server.status("gate").0 == 0);
    worker.stop();
}

fn a_worker_that_leaves_at_once_leaves_its_job_to_another(side: Side) {
    let server = Server::start(side);
    let (builder, gate) = gated(&server);
    let worker = TestWorker::start(builder);
    let handle = server.observer().submit("gate", b"", SubmitMode::Background);
    gate.begun.recv_timeout(LIMIT).unwrap();
    worker.shutdown_handle().shutdown_now();
    let departure = worker.await_departure();
    assert_eq!((departure.jobs, departure.abandoned), (1, 1));
    assert_eq!(*gate.outcomes.lock().unwrap(), [Outcome::Abandoned]);
    done_by_another(&server, &handle);
}

fn a_worker_out_of_patience_leaves_its_job_to_another(side: Side) {
    let server = Server::start(side);
    let (builder, gate) = gated(&server);
    let worker = TestWorker::start(builder.patience(Duration::from_millis(20)));
    let handle = server.observer().submit("gate", b"", SubmitMode::Background);
    gate.begun.recv_timeout(LIMIT).unwrap();
    assert_eq!(worker.stop().abandoned, 1);
    done_by_another(&server, &handle);
}

fn a_dropped_worker_leaves_its_job_to_another(side: Side) {
    let server = Server::start(side);
    let (builder, gate) = gated(&server);
    let worker: Worker = builder.build().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let running = runtime.spawn(worker.run());
    let handle = server.observer().submit("gate", b"", SubmitMode::Background);
    gate.begun.recv_timeout(LIMIT).unwrap();
    running.abort();
    done_by_another(&server, &handle);
    wait_until("its hook has seen it", || *gate.outcomes.lock().unwrap() == [Outcome::Abandoned]);
}
