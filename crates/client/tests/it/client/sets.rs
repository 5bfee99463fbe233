//! Many jobs at once, and what they cost.

use super::support::{
    LIMIT, Server, Side, TestWorker, alone, client_of, on_both_servers, pending_until, resident_kib, until,
    within, within_limit,
};
use geartrain_client::JobError;
use geartrain_client::session::client::Sent;
use std::cell::Cell;
use std::collections::HashSet;

on_both_servers![
    a_set_gives_every_result_once,
    a_set_has_no_more_in_flight_than_its_window,
    a_set_goes_on_over_jobs_that_fail,
    jobs_of_a_set_wait_for_room_on_every_connection,
    jobs_of_a_set_that_take_too_long_are_given_up_alone,
    a_set_that_is_dropped_lets_go_of_its_jobs,
    a_set_hears_which_of_its_jobs_a_killed_server_took_along,
    more_jobs_than_a_connection_takes_wait_for_room,
    a_hundred_thousand_jobs_over_four_connections_leave_nothing_behind,
];

fn a_set_gives_every_result_once(side: Side) {
    let server = Server::start(side);
    let _worker = TestWorker::start(&server);
    within_limit(async {
        let client = server.client();
        let jobs = (0..1000).map(|number| client.job("reverse", number.to_string()));
        let mut results = client.run_all(jobs).window(64);
        let mut places = HashSet::new();
        while let Some((place, result)) = results.next().await {
            let expected: String = place.to_string().chars().rev().collect();
            assert_eq!(result.unwrap(), expected);
            assert!(places.insert(place), "{place} came twice");
        }
        assert_eq!(places.len(), 1000);
        assert!(results.next().await.is_none());

        let jobs = (10..20).map(|number| client.job("reverse", number.to_string()));
        let all = client.run_all(jobs).collect().await.unwrap();
        assert_eq!(all, ["01", "11", "21", "31", "41", "51", "61", "71", "81", "91"]);
        assert_eq!(client.run_all([]).collect().await.unwrap().len(), 0);
    });
}

fn a_set_has_no_more_in_flight_than_its_window(side: Side) {
    let server = Server::start(side);
    let worker = TestWorker::start(&server);
    within_limit(async {
        let client = server.client();
        let asked_for = Cell::new(0);
        let jobs = (0..50_u32).map(|number| {
            asked_for.set(asked_for.get() + 1);
            client.job("hold", number.to_string())
        });
        let mut results = client.run_all(jobs).window(8);
        for ended in 0..42 {
            let mut next = std::pin::pin!(results.next());
            // Polled until the window is full at the server; the job that is held does not end before.
            pending_until(&mut next, until("the window is full", || server.status("hold").0 == 8)).await;
            assert_eq!(asked_for.get(), ended + 8);
            worker.let_go();
            assert!(next.await.unwrap().1.is_ok());
        }
        (0..8).for_each(|_| worker.let_go());
        while let Some((_, result)) = results.next().await {
            result.unwrap();
        }
    });
}

/// A task that has used up its share of the runtime gets it back when it returns; timers fire only then.
#[test]
fn a_set_returns_to_the_runtime_when_its_task_has_used_up_its_share() {
    let (end, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        // Nobody listens there, so that the job waits for a server, with its patience as the limit.
        let builder = geartrain_client::Client::builder().servers("127.0.0.1:1");
        let client = builder.patience(std::time::Duration::from_millis(200)).build().unwrap();
        let result = runtime.block_on(async {
            let mut results = client.run_all([client.job("f", "x")]);
            let (send, mut receive) = tokio::sync::mpsc::unbounded_channel();
            let mut is_first = true;
            std::future::poll_fn(|context| {
                while is_first && tokio::task::coop::has_budget_remaining() {
                    send.send(()).unwrap();
                    let _ready = receive.poll_recv(context);
                }
                is_first = false;
                let mut next = std::pin::pin!(results.next());
                next.as_mut().poll(context)
            })
            .await
        });
        end.send(result.is_some_and(|(_, result)| result.is_err())).unwrap();
    });
    assert_eq!(ended.recv_timeout(std::time::Duration::from_secs(20)), Ok(true));
}

fn a_set_goes_on_over_jobs_that_fail(side: Side) {
    let server = Server::start(side);
    let _worker = TestWorker::start(&server);
    within_limit(async {
        let client = server.client();
        let functions = ["reverse", "fail", "throw"];
        let jobs = (0..300).map(|number| client.job(functions[number % 3], "ab"));
        let mut results = client.run_all(jobs).window(32);
        let mut counts = [0; 3];
        while let Some((place, result)) = results.next().await {
            counts[place % 3] += 1;
            match (place % 3, result) {
                (0, Ok(result)) => assert_eq!(result, "ba"),
                (1, Err(JobError::Failed { .. })) | (2, Err(JobError::Exception { .. })) => {}
                (_, other) => panic!("{place}: {other:?}"),
            }
        }
        assert_eq!(counts, [100, 100, 100]);
        let jobs = functions.map(|function| client.job(function, ""));
        assert!(client.run_all(jobs).collect().await.is_err());
    });
}

fn jobs_of_a_set_wait_for_room_on_every_connection(side: Side) {
    let server = Server::start(side);
    let _worker = TestWorker::start(&server);
    within_limit(async {
        let client = client_of(&[&server]).in_flight_max(4).connections(2).build().unwrap();
        let mut results =
            client.run_all((0..200).map(|number| client.job("reverse", number.to_string()))).window(64);
        let mut places = HashSet::new();
        while let Some((place, result)) = results.next().await {
            let expected: String = place.to_string().chars().rev().collect();
            assert_eq!(result.unwrap(), expected);
            assert!(places.insert(place));
        }
        assert_eq!(places.len(), 200);
        let mut handles =
            client.background_all((0..200).map(|_| client.job("nobody", "x").unique("-"))).window(64);
        let mut seen = HashSet::new();
        while let Some((place, handle)) = handles.next().await {
            assert!(!handle.unwrap().handle().as_bytes().is_empty());
            assert!(seen.insert(place));
        }
        assert_eq!(seen.len(), 200);
    });
}

fn jobs_of_a_set_that_take_too_long_are_given_up_alone(side: Side) {
    let server = Server::start(side);
    let worker = TestWorker::start(&server);
    within_limit(async {
        let client = server.client();
        // Long enough for a job to be accepted.
        let limit = std::time::Duration::from_secs(1);
        let jobs = (0..30).map(|number| match number % 3 {
            0 => client.job("nobody", "x").timeout(limit),
            _ => client.job("reverse", "ab"),
        });
        let mut results = client.run_all(jobs).window(5);
        let mut counts = [0; 3];
        while let Some((place, result)) = results.next().await {
            counts[place % 3] += 1;
            match result {
                Ok(result) => assert!(place % 3 > 0 && result == "ba"),
                Err(JobError::TimedOut { handle: Some(_), doing: "waiting for the job to end", .. }) => {
                    assert_eq!(place % 3, 0);
                }
                Err(error) => panic!("{place}: {error}"),
            }
        }
        assert_eq!(counts, [10, 10, 10]);
        assert_eq!(server.connections(), 2);
    });
    drop(worker);
}

fn a_set_that_is_dropped_lets_go_of_its_jobs(side: Side) {
    let server = Server::start(side);
    let worker = TestWorker::start(&server);
    within_limit(async {
        let client = server.client();
        let mut results = client.run_all((0..20).map(|_| client.job("hold", "x"))).window(8);
        {
            let mut next = std::pin::pin!(results.next());
            pending_until(&mut next, until("the window is full", || server.status("hold").0 == 8)).await;
        }
        drop(results);
        let beside = tokio::spawn(client.job("reverse", "ab").run());
        (0..8).for_each(|_| worker.let_go());
        // The others of the set are on the same connection, and their results are nobody's.
        assert_eq!(beside.await.unwrap().unwrap(), "ba");
        assert_eq!(server.connections(), 2);
    });
}

fn a_set_hears_which_of_its_jobs_a_killed_server_took_along(side: Side) {
    let mut server = Server::start(side);
    within_limit(async {
        let client = client_of(&[&server]).patience(std::time::Duration::from_millis(50)).build().unwrap();
        let mut results = client.run_all((0..30).map(|_| client.job("nobody", "x"))).window(20);
        {
            let mut next = std::pin::pin!(results.next());
            pending_until(&mut next, until("the window is full", || server.status("nobody").0 == 20)).await;
        }
        // The server lists a job before it has told its client so; answers come in order.
        client.echo(client.servers().next().unwrap(), "e").await.unwrap();
        server.kill();
        let (mut lost, mut others) = (HashSet::new(), HashSet::new());
        while let Some((place, result)) = results.next().await {
            let error = result.unwrap_err();
            if matches!(error, JobError::Lost { sent: Sent::Accepted, handle: Some(_), .. }) {
                lost.insert(place);
            } else {
                assert!(matches!(error, JobError::NoServer { .. }), "{place}: {error}");
                others.insert(place);
            }
        }
        assert_eq!(lost, (0..20).collect());
        assert_eq!(others, (20..30).collect());
    });
}

fn more_jobs_than_a_connection_takes_wait_for_room(side: Side) {
    let server = Server::start(side);
    let _worker = TestWorker::start(&server);
    within_limit(async {
        let client = client_of(&[&server]).in_flight_max(4).build().unwrap();
        let tasks: Vec<_> = (0..200).map(|_| tokio::spawn(client.job("reverse", "ab").run())).collect();
        // Some stop waiting, in every state.
        for task in tasks.iter().step_by(7) {
            task.abort();
        }
        let mut done = 0;
        for task in tasks {
            if let Ok(result) = task.await {
                assert_eq!(result.unwrap(), "ba");
                done += 1;
            }
        }
        assert!(done >= 200 - 29, "{done} done");
        assert_eq!(client.job("reverse", "ab").run().await.unwrap(), "ba");
    });
}

fn a_hundred_thousand_jobs_over_four_connections_leave_nothing_behind(side: Side) {
    let module = if side == Side::Ours { "ours" } else { "reference" };
    let test = "a_hundred_thousand_jobs_over_four_connections_leave_nothing_behind";
    alone(&format!("client::sets::{module}::{test}"), || a_hundred_thousand_jobs(side));
}

fn a_hundred_thousand_jobs(side: Side) {
    let server = Server::start(side);
    let _workers = [TestWorker::start(&server), TestWorker::start(&server)];
    let run = |client: &geartrain_client::Client, count: u32| {
        let (client, count) = (client.clone(), count);
        async move {
            let jobs = (0..count).map(|number| client.job("reverse", number.to_be_bytes().to_vec()));
            let mut results = client.run_all(jobs).window(256);
            let mut ended = 0;
            while let Some((place, result)) = results.next().await {
                let place = u32::try_from(place).unwrap();
                assert_eq!(result.unwrap(), place.to_le_bytes().as_slice());
                ended += 1;
            }
            assert_eq!(ended, count);
        }
    };
    within(5 * LIMIT, async {
        let client = client_of(&[&server]).connections(4).build().unwrap();
        run(&client, 10_000).await;
        let before = resident_kib();
        run(&client, 90_000).await;
        let grown = resident_kib().saturating_sub(before);
        // A leak of 24 bytes a job would be 2,100 KiB.
        assert!(grown < 2_000, "memory grew by {grown} KiB over 90,000 jobs");
        assert_eq!(server.connections(), 2 + 4);
        assert_eq!(server.status("reverse").0, 0);
    });
}
