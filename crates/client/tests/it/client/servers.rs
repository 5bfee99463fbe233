//! Servers that come and go, and several of them.

use super::support::{
    LIMIT, Server, Side, TestWorker, client_of, on_both_servers, told, until, wait_until, within_limit,
};
use geartrain_client::session::client::Sent;
use geartrain_client::{Connection, ConnectionLimits, JobError, JobEvent, Resend, ServerAddress};
use geartrain_proto::{Request, Response};
use std::time::{Duration, Instant};

on_both_servers![
    a_client_goes_on_by_itself_over_the_restart_of_its_server,
    of_two_servers_a_dead_one_is_left_out_and_used_again_later,
    what_was_in_flight_on_a_killed_server_is_reported_or_sent_again,
    a_stream_says_that_its_job_was_sent_again,
    equal_uniques_meet_on_one_server_whatever_the_order_of_the_servers,
    jobs_without_a_unique_go_to_all_servers,
    with_no_server_a_job_waits_as_long_as_its_patience,
];

fn a_client_goes_on_by_itself_over_the_restart_of_its_server(side: Side) {
    let mut server = Server::start(side);
    let worker = TestWorker::start(&server);
    within_limit(async {
        let client = server.client();
        assert_eq!(client.job("reverse", "ab").run().await.unwrap(), "ba");
        for _ in 0..3 {
            let last_heard = Instant::now();
            server.kill();
            // The client trusts a connection that it heard of just now, and a job may be lost on it; this is about
            // one that was idle, while the runtime had no chance to see its end.
            wait_until("the connection is an idle one", || last_heard.elapsed() > Duration::from_millis(1));
            // Submitted while nothing listens: it waits, and goes to the server when that is back.
            let waiting = tokio::spawn(client.job("reverse", "abc").run());
            tokio::task::yield_now().await;
            server.start_again();
            assert_eq!(waiting.await.unwrap().unwrap(), "cba");
            assert_eq!(client.job("reverse", "ab").run().await.unwrap(), "ba");
        }
    });
    drop(worker);
}

fn of_two_servers_a_dead_one_is_left_out_and_used_again_later(side: Side) {
    let (mut first, second) = (Server::start(side), Server::start(side));
    let _workers = [TestWorker::start(&first), TestWorker::start(&second)];
    within_limit(async {
        let client = client_of(&[&first, &second]).build().unwrap();
        first.kill();
        // Half of these uniques belong to the dead server.
        for number in 0..40 {
            let job = client.job("reverse", "ab").unique(number.to_string());
            assert_eq!(job.run().await.unwrap(), "ba");
        }
        first.start_again();
        until("the first server is used again", || {
            // What is submitted makes the client try it.
            first.connections() > 1 || {
                drop(tokio::spawn(client.job("reverse", "ab").run()));
                false
            }
        })
        .await;
    });
}

/// Waits until one of the workers holds a job, and says which.
async fn holder(workers: &[TestWorker; 2]) -> usize {
    let mut holder = None;
    until("a job is held", || {
        holder = holder.or_else(|| workers.iter().position(|worker| worker.try_holds().is_some()));
        holder.is_some()
    })
    .await;
    holder.unwrap()
}

fn what_was_in_flight_on_a_killed_server_is_reported_or_sent_again(side: Side) {
    for resend in [Resend::Never, Resend::Unsent, Resend::Always] {
        let mut servers = [Server::start(side), Server::start(side)];
        let workers = servers.each_ref().map(TestWorker::start);
        within_limit(async {
            let client = client_of(&servers.each_ref()).build().unwrap();
            let jobs: Vec<_> =
                (0..20).map(|_| tokio::spawn(client.job("nobody", "x").resend(resend).run())).collect();
            let held = tokio::spawn(client.job("hold", "w").resend(resend).run());
            let killed = holder(&workers).await;
            let count = |servers: &[Server; 2]| servers.each_ref().map(|server| server.status("nobody").0);
            until("all jobs are accepted", || count(&servers).iter().sum::<u32>() == 20).await;
            // A server lists a job before it has told its client so; answers come in order.
            for server in client.servers() {
                client.echo(server, "e").await.unwrap();
            }
            let before = count(&servers);
            servers[killed].kill();

            if resend == Resend::Always {
                assert_eq!(holder(&workers).await, 1 - killed, "the job went to the other server");
                workers[1 - killed].let_go();
                assert_eq!(held.await.unwrap().unwrap(), "held:w");
                until("all jobs are on the other server", || servers[1 - killed].status("nobody").0 == 20)
                    .await;
                jobs.iter().for_each(|job| job.abort());
            } else {
                let lost = held.await.unwrap().unwrap_err();
                let JobError::Lost { sent: Sent::Accepted, handle: Some(handle), .. } = &lost else {
                    panic!("{lost:?}")
                };
                assert_eq!(handle.server().to_string(), servers[killed].address());
                let text = told(&lost, &servers.each_ref());
                assert!(text.ends_with("; the job was accepted: it may wait, run, or be done"), "{text}");
                // Those on the other server go on; those on the killed one are lost, and nothing else.
                let is_lost =
                    |jobs: &[tokio::task::JoinHandle<_>]| jobs.iter().filter(|job| job.is_finished()).count();
                let expected = usize::try_from(before[killed]).unwrap();
                until("the losses are reported", || is_lost(&jobs) == expected).await;
                assert_eq!(servers[1 - killed].status("nobody").0, before[1 - killed]);
                jobs.iter().for_each(|job| job.abort());
            }
        });
    }
}

fn a_stream_says_that_its_job_was_sent_again(side: Side) {
    let mut server = Server::start(side);
    let worker = TestWorker::start(&server);
    within_limit(async {
        let client = server.client();
        let mut job = client.job("hold", "w").resend(Resend::Always).start().await.unwrap();
        let status = JobEvent::Status { numerator: 1, denominator: 4 };
        assert_eq!(job.next().await.unwrap().unwrap(), status);
        server.kill();
        server.start_again();
        assert_eq!(job.next().await.unwrap().unwrap(), JobEvent::Resent);
        // The old worker's job is let go as well, on a connection that is gone.
        worker.let_go();
        assert_eq!(job.next().await.unwrap().unwrap(), status);
        worker.let_go();
        assert_eq!(job.next().await.unwrap().unwrap(), JobEvent::Complete("held:w".into()));
    });
}

fn equal_uniques_meet_on_one_server_whatever_the_order_of_the_servers(side: Side) {
    let (first, second) = (Server::start(side), Server::start(side));
    within_limit(async {
        let one = client_of(&[&first, &second]).build().unwrap();
        let other = client_of(&[&second, &first]).build().unwrap();
        for number in 0..50 {
            let unique = number.to_string();
            let job = one.job("f", "x").unique(&unique).background().await.unwrap();
            let same = other.job("f", "y").unique(&unique).background().await.unwrap();
            assert_eq!(job, same, "{unique} is one job");
            assert!(other.status_of_unique("f", &unique).await.unwrap().is_known);
        }
    });
    let (on_first, on_second) = (first.status("f").0, second.status("f").0);
    assert_eq!(on_first + on_second, 50);
    assert!(on_first > 10 && on_second > 10, "{on_first} and {on_second}: both have their share");
}

fn jobs_without_a_unique_go_to_all_servers(side: Side) {
    let servers = [Server::start(side), Server::start(side), Server::start(side)];
    within_limit(async {
        let client = client_of(&servers.each_ref()).build().unwrap();
        // Before, a job goes to the server that is connected to first.
        let addresses: Vec<_> = client.servers().cloned().collect();
        for address in &addresses {
            client.echo(address, "e").await.unwrap();
        }
        for _ in 0..300 {
            client.job("f", "x").background().await.unwrap();
        }
    });
    let counts = servers.each_ref().map(|server| server.status("f").0);
    assert_eq!(counts.iter().sum::<u32>(), 300);
    // By chance alone, one of them would get less than 50 once in ten billion runs.
    assert!(counts.iter().all(|count| *count >= 50), "{counts:?}");
}

/// The reference has no such limit.
#[test]
fn a_server_at_its_limit_of_connections_is_quoted_and_used_again_later() {
    let server = Server::start_with(Side::Ours, &["--connections-max", "1"]);
    // The one with which the test saw that it answers may be there still.
    let mut held = None;
    wait_until("the one connection is held", || {
        let address = ServerAddress::parse(&server.address(), 1).unwrap();
        let mut connection = Connection::open(&address, &ConnectionLimits::default()).unwrap();
        connection.send(&Request::Echo { data: b"" }, "asking").unwrap();
        let answer = connection.receive(Some(LIMIT), "asking");
        let is_held = matches!(answer, Ok(Response::Echo { .. }));
        held = is_held.then_some(connection);
        is_held
    });
    within_limit(async {
        let client = client_of(&[&server]).patience(Duration::from_secs(2)).build().unwrap();
        let error = client.job("f", "x").background().await.unwrap_err();
        assert!(matches!(error, JobError::NoServer { .. }), "{error}");
        assert!(error.to_string().contains("QUEUE_ERROR: Too many connections"), "{error}");
        drop(held.take());
        let client = client_of(&[&server]).build().unwrap();
        client.job("f", "x").background().await.unwrap();
    });
}

fn with_no_server_a_job_waits_as_long_as_its_patience(side: Side) {
    let mut server = Server::start(side);
    server.kill();
    within_limit(async {
        let impatient = client_of(&[&server]).patience(Duration::ZERO).build().unwrap();
        let error = impatient.job("f", "x").run().await.unwrap_err();
        assert_eq!(
            told(&error, &[&server]),
            "no server can be reached: cannot connect to 127.0.0.1:PORT: connection refused (hint: does a server \
             listen there?)"
        );
        let mut other = Server::start(side);
        other.kill();
        let impatient = client_of(&[&server, &other]).patience(Duration::from_millis(200)).build().unwrap();
        let text = impatient.job("f", "x").run().await.unwrap_err().to_string();
        assert!(text.contains(&server.address()) && text.contains(&other.address()), "{text}");
        let address = impatient.servers().next().unwrap();
        let error = impatient.echo(address, "e").await.unwrap_err();
        assert!(matches!(error, JobError::NoServer { .. }), "{error}");
        // One whose limit ends before the patience says what the last try came to.
        let patient = client_of(&[&server]).build().unwrap();
        let job = patient.job("f", "x").timeout(Duration::from_millis(100));
        let text = job.run().await.unwrap_err().to_string();
        assert!(
            text.starts_with("connecting took longer than 100 ms: cannot connect to 127.0.0.1:"),
            "{text}"
        );
        let patience = Duration::from_millis(300);
        let patient = client_of(&[&server]).patience(patience).build().unwrap();
        let start = Instant::now();
        let error = patient.job("f", "x").background().await.unwrap_err();
        assert!(matches!(error, JobError::NoServer { .. }), "{error}");
        assert!(start.elapsed() >= patience, "{:?}", start.elapsed());
    });
}
