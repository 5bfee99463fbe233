//! Servers that come and go under a worker, and several at once.

use super::support::{LIMIT, Server, Side, TestWorker, on_both_servers, wait_until, worker_of};
use bytes::Bytes;
use geartrain_client::worker::{Job, Outcome};
use geartrain_proto::SubmitMode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, SystemTime};
use tokio::sync::Semaphore;

on_both_servers!(
    a_worker_goes_on_with_a_server_that_was_killed,
    a_job_under_way_knows_that_its_server_is_gone,
    a_worker_does_the_jobs_of_all_servers,
    no_server_starves_another,
    a_worker_starts_before_its_server,
    a_job_for_later_runs_when_it_is_due,
);

fn a_worker_goes_on_with_a_server_that_was_killed(side: Side) {
    let mut server = Server::start(side);
    let worker =
        TestWorker::start(worker_of(&[&server]).register("echo", |workload: Bytes| async { workload }));
    for round in 0..3_u8 {
        assert_eq!(server.observer().run("echo", &[b'0' + round]), [format!("complete {round}")]);
        server.kill();
        server.start_again();
    }
    assert_eq!(server.observer().run("echo", b"end"), ["complete end"]);
    assert_eq!(worker.stop().jobs, 4);
}

fn a_job_under_way_knows_that_its_server_is_gone(side: Side) {
    let mut server = Server::start(side);
    let (begin, begun) = mpsc::channel();
    let outcomes = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&outcomes);
    let builder = worker_of(&[&server])
        .register("wait", move |job: Job| {
            begin.send(()).unwrap();
            async move {
                job.lost().await;
                job.status(1, 1).await.map_err(|error| error.to_string())
            }
        })
        .after_job(move |report| seen.lock().unwrap().push(report.outcome.clone()));
    let worker = TestWorker::start(builder);
    server.observer().submit("wait", b"", SubmitMode::Background);
    begun.recv_timeout(LIMIT).unwrap();
    server.kill();
    wait_until("the handler has ended", || !outcomes.lock().unwrap().is_empty());
    assert_eq!(*outcomes.lock().unwrap(), [Outcome::Lost]);
    worker.stop();
}

fn a_worker_does_the_jobs_of_all_servers(side: Side) {
    let (mut one, two) = (Server::start(side), Server::start(side));
    let builder = worker_of(&[&one, &two]).register("echo", |workload: Bytes| async { workload });
    let worker = TestWorker::start(builder);
    assert_eq!(one.observer().run("echo", b"1"), ["complete 1"]);
    assert_eq!(two.observer().run("echo", b"2"), ["complete 2"]);
    one.kill();
    for _ in 0..20 {
        assert_eq!(two.observer().run("echo", b"2"), ["complete 2"]);
    }
    one.start_again();
    assert_eq!(one.observer().run("echo", b"1"), ["complete 1"]);
    assert_eq!(worker.stop().jobs, 23);
}

fn no_server_starves_another(side: Side) {
    let (one, two) = (Server::start(side), Server::start(side));
    for server in [&one, &two] {
        let mut client = server.observer();
        for _ in 0..50 {
            client.submit("take", b"", SubmitMode::Background);
        }
    }
    let order = Arc::new(Mutex::new(Vec::new()));
    let taken = Arc::clone(&order);
    let first_port = one.address();
    // No job goes on before both are there.
    let gate = Arc::new(Semaphore::new(0));
    let (entry, connected) = (Arc::clone(&gate), AtomicUsize::new(0));
    let builder = worker_of(&[&one, &two])
        .register("take", move |job: Job| {
            let (entry, taken) = (Arc::clone(&entry), Arc::clone(&taken));
            let is_first = job.server().to_string() == first_port;
            async move {
                entry.acquire().await.expect_err("it is closed when both are there");
                taken.lock().unwrap().push(is_first);
            }
        })
        .on_connect(move |_| {
            if connected.fetch_add(1, Ordering::SeqCst) == 1 {
                gate.close();
            }
        });
    let worker = TestWorker::start(builder);
    wait_until("all are done", || one.status("take").0 + two.status("take").0 == 0);
    worker.stop();
    let order = order.lock().unwrap();
    assert_eq!(order.len(), 100);
    // The second may be about to ask when the first job goes on; then they take turns.
    let both = order.iter().position(|first| *first != order[0]).unwrap();
    let turns = order[both..].windows(2).take(40).filter(|pair| pair[0] != pair[1]).count();
    assert!(turns >= 35, "{turns} turns: {order:?}");
}

fn a_worker_starts_before_its_server(side: Side) {
    let mut server = Server::start(side);
    server.kill();
    let worker =
        TestWorker::start(worker_of(&[&server]).register("echo", |workload: Bytes| async { workload }));
    server.start_again();
    assert_eq!(server.observer().run("echo", b"x"), ["complete x"]);
    worker.stop();
}

fn a_job_for_later_runs_when_it_is_due(side: Side) {
    let server = Server::start(side);
    // gearmand 1.1.20 wakes nobody for it.
    let builder =
        worker_of(&[&server]).look_every(Duration::from_millis(100)).register("later", |_: Bytes| async {});
    let worker = TestWorker::start(builder);
    server.await_workers("later", 1);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let due = i64::try_from(now.as_secs()).unwrap() + 4;
    let handle = server.observer().submit("later", b"", SubmitMode::Epoch(due));
    assert!(server.observer().status(&handle).0, "it waits");
    wait_until("it is done", || !server.observer().status(&handle).0);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    assert!(i64::try_from(now.as_secs()).unwrap() >= due);
    assert_eq!(worker.stop().jobs, 1);
}
