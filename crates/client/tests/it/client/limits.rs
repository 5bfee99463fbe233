//! Time limits and sizes.

use super::support::{
    Script, Server, Side, TestWorker, client_of, greet, on_both_servers, read_packet, read_to_end, told,
    until, within_limit,
};
use geartrain_client::{Client, Held, JobError};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, bind, getsockname, listen, socket,
};
use std::io::Write as _;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::{Duration, Instant};

on_both_servers![
    a_job_that_takes_too_long_is_given_up_and_the_connection_is_not,
    data_that_nobody_reads_ends_its_job_alone,
    jobs_that_nobody_waits_for_do_not_pile_up,
    a_server_that_is_gone_holds_up_no_job_of_another,
    a_server_that_hangs_gets_no_jobs,
    a_unique_that_gearmand_would_spoil_is_refused,
];

/// gearmand 1.1.20 leaves the question without an answer, and the next answer would be taken for that.
fn a_unique_that_gearmand_would_spoil_is_refused(side: Side) {
    let server = Server::start(side);
    let _worker = TestWorker::start(&server);
    within_limit(async {
        let client = client_of(&[&server]).answer_timeout(Duration::from_secs(10)).build().unwrap();
        let (long, longest) = ("x".repeat(64), "x".repeat(63));
        let refused = client.status_of_unique("f", &long).await.unwrap_err();
        assert!(matches!(refused, JobError::Invalid(_)), "{refused}");
        let refused = client.job("echo", "workload").unique(&long).run().await.unwrap_err();
        assert!(matches!(refused, JobError::Invalid(_)), "{refused}");
        assert_eq!(client.job("echo", "workload").unique(&longest).run().await.unwrap(), "workload");
        assert!(!client.status_of_unique("f", &longest).await.unwrap().is_known);
    });
}

const SHORT: Duration = Duration::from_millis(50);

/// Long enough for a server to answer, on a busy machine as well.
const MODERATE: Duration = Duration::from_secs(2);

fn a_job_that_takes_too_long_is_given_up_and_the_connection_is_not(side: Side) {
    let server = Server::start(side);
    let worker = TestWorker::start(&server);
    within_limit(async {
        let client = server.client();
        // Connecting counts as well.
        assert_eq!(client.job("reverse", "ab").run().await.unwrap(), "ba");
        let start = Instant::now();
        let error = client.job("hold", "x").timeout(MODERATE).run().await.unwrap_err();
        let elapsed = start.elapsed();
        assert!(elapsed >= MODERATE && elapsed < Duration::from_secs(10), "{elapsed:?}");
        assert_eq!(
            told(&error, &[&server]),
            "waiting for the job to end at 127.0.0.1:PORT took longer than 2000 ms (hint: raise the time limit)"
        );
        let handle = error.handle().expect("the job was accepted").clone();
        assert!(client.status(&handle).await.unwrap().is_running, "it runs all the same");
        worker.let_go();
        assert_eq!(client.job("reverse", "ab").run().await.unwrap(), "ba");
        assert_eq!(server.connections(), 2);

        // A job that no worker does.
        let mut job = client.job("nobody", "x").timeout(MODERATE).start().await.unwrap();
        assert!(matches!(job.next().await, Some(Err(JobError::TimedOut { .. }))));
        assert!(job.next().await.is_none());
        // No limit at all.
        let forever = client.job("reverse", "ab").timeout(Duration::MAX);
        assert_eq!(forever.run().await.unwrap(), "ba");
    });
}

fn data_that_nobody_reads_ends_its_job_alone(side: Side) {
    let server = Server::start(side);
    let _workers = [TestWorker::start(&server), TestWorker::start(&server)];
    within_limit(async {
        let client = client_of(&[&server]).held_bytes_max(300_000).build().unwrap();
        let mut unread = client.job("data", "64").start().await.unwrap();
        assert_eq!(client.job("reverse", "ab").run().await.unwrap(), "ba");
        let mut error = None;
        while let Some(event) = unread.next().await {
            error = event.err();
        }
        let Some(JobError::Overrun { max, held: Held::OfJob, .. }) = error else { panic!("{error:?}") };
        assert_eq!(max, 300_000);
        // The same data, as a result that is too large, and read in time.
        let error = client.job("data", "64").run().await.unwrap_err();
        assert!(matches!(error, JobError::Overrun { .. }), "{error}");
        assert_eq!(client.job("data", "4").run().await.unwrap().len(), 4 * 65_536);
        assert_eq!(server.connections(), 3, "the connection is the same");
    });
}

/// A client cannot take a job back but by closing the connection.
fn jobs_that_nobody_waits_for_do_not_pile_up(side: Side) {
    let server = Server::start(side);
    within_limit(async {
        let client = server.client();
        for _ in 0..3 {
            for _ in 0..geartrain_client::limits::ABANDONED_JOBS_MAX {
                drop(client.job("nobody", "x").start().await.unwrap());
            }
        }
        let address = client.servers().next().unwrap().clone();
        client.echo(&address, b"").await.unwrap();
        until("the old connections are closed", || server.connections() <= 1).await;
        if side == Side::Ours {
            // The reference forgets such jobs when a worker polls.
            let most = u32::try_from(geartrain_client::limits::ABANDONED_JOBS_MAX).unwrap() + 1;
            until("their jobs are gone", || server.status("nobody").0 <= most).await;
        }
    });
}

#[test]
fn a_server_that_owes_an_answer_too_long_is_given_up() {
    let script = Script::start(2, |number, stream| {
        greet(stream);
        assert_eq!(read_packet(stream).0, 7);
        if number == 0 {
            read_to_end(stream);
        }
    });
    within_limit(async {
        // What comes before the job is answered.
        let client = Client::builder().servers(&script.address).answer_timeout(MODERATE).build().unwrap();
        let error = client.job("f", "x").run().await.unwrap_err();
        let text = error.to_string().replace(&script.address, "SERVER");
        assert_eq!(
            text,
            "SERVER was silent for 2000 ms while an answer was due; the job was sent and not acknowledged: it may run \
             or not"
        );
        // The second connection is closed by the server.
        let error = client.job("f", "x").run().await.unwrap_err();
        assert!(matches!(error, JobError::Lost { .. }), "{error}");
    });
    script.finish();
}

#[test]
fn a_job_that_is_not_accepted_in_its_time_is_given_up_alone() {
    let script = Script::answering(1, b"\0RES\0\0\0\x11\0\0\0\x01e");
    within_limit(async {
        let client = Client::new(&script.address).unwrap();
        // Connecting counts as well.
        assert_eq!(client.echo(client.servers().next().unwrap(), "e").await.unwrap(), "e");
        let error = client.job("f", "x").timeout(SHORT).run().await.unwrap_err();
        assert_eq!(
            error.to_string().replace(&script.address, "SERVER"),
            "waiting for the job to be accepted at SERVER took longer than 50 ms (hint: raise the time limit)"
        );
        assert!(error.handle().is_none());
        let error = client.job("f", "x").timeout(SHORT).background().await.unwrap_err();
        assert!(matches!(error, JobError::TimedOut { doing: "waiting for an answer", .. }), "{error}");
    });
    script.finish();
}

#[test]
fn a_server_that_takes_nothing_is_given_up_and_nothing_is_taken_as_sent() {
    let (has_left, left) = std::sync::mpsc::channel();
    let script = Script::start(1, move |_, stream| {
        // It says something, so that the connection is a good one, and reads nothing until the client has left.
        stream.write_all(b"\0RES\0\0\0\x1b\0\0\0\x0aexceptions").unwrap();
        left.recv_timeout(super::support::LIMIT).unwrap();
    });
    within_limit(async {
        let client = Client::builder()
            .servers(&script.address)
            .write_timeout(SHORT)
            .patience(SHORT)
            .resend(geartrain_client::Resend::Never)
            .build()
            .unwrap();
        let error = client.job("f", vec![0; 64 << 20]).run().await.unwrap_err();
        let text = error.to_string().replace(&script.address, "SERVER");
        assert_eq!(text, "SERVER was silent for 50 ms while taking what was sent; the job was not sent");
    });
    has_left.send(()).unwrap();
    script.finish();
}

/// A port that takes no connection and refuses none, as a host that is gone: its queue is full, and further
/// connections wait for an answer.
struct Swallows {
    port: u16,
    _listener: OwnedFd,
    _filled: Vec<std::net::TcpStream>,
}

fn swallows() -> Swallows {
    let listener = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
    bind(listener.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).unwrap();
    listen(&listener, Backlog::new(0).unwrap()).unwrap();
    let port = getsockname::<SockaddrIn>(listener.as_raw_fd()).unwrap().port();
    let filled: Vec<_> = (0..4)
        .map_while(|_| {
            let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
            std::net::TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok()
        })
        .collect();
    assert!(filled.len() < 4, "the queue is full");
    Swallows { port, _listener: listener, _filled: filled }
}

fn a_server_that_is_gone_holds_up_no_job_of_another(side: Side) {
    let gone = swallows();
    let server = Server::start(side);
    let _worker = TestWorker::start(&server);
    within_limit(async {
        let servers = format!("{}, 127.0.0.1:{}", server.address(), gone.port);
        let client = Client::builder().servers(&servers).build().unwrap();
        let mut times = Vec::new();
        for _ in 0..20 {
            let start = Instant::now();
            assert_eq!(client.job("reverse", "ab").run().await.unwrap(), "ba");
            times.push(start.elapsed());
        }
        // One or the other may meet a busy machine.
        times.sort();
        assert!(times[15] < Duration::from_millis(900), "jobs that go anywhere waited: {times:?}");
        let start = Instant::now();
        let client = Client::builder().servers(&servers).build().unwrap();
        let uniques = (0..20).map(|number| client.job("reverse", "ab").unique(number.to_string()));
        assert_eq!(client.run_all(uniques).collect().await.unwrap().len(), 20);
        assert!(start.elapsed() < Duration::from_secs(5), "jobs with a unique waited too long");
    });
}

/// The kernel takes connections for a server that hangs; jobs go elsewhere, and are not lost on it.
fn a_server_that_hangs_gets_no_jobs(side: Side) {
    let (hung, server) = (Server::start(side), Server::start(side));
    let _worker = TestWorker::start(&server);
    hung.pause();
    within_limit(async {
        let client = client_of(&[&hung, &server]).build().unwrap();
        let jobs = (0..20).map(|number| client.job("reverse", "ab").unique(number.to_string()));
        assert_eq!(client.run_all(jobs).collect().await.unwrap().len(), 20);
    });
    hung.resume();
}

#[test]
fn a_connection_that_does_not_come_about_is_given_up() {
    let gone = swallows();
    let port = gone.port;
    within_limit(async {
        let client = Client::builder()
            .servers(format!("127.0.0.1:{port}"))
            .connect_timeout(SHORT)
            .patience(Duration::ZERO)
            .build()
            .unwrap();
        let error = client.job("f", "x").run().await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("no server can be reached: 127.0.0.1:{port} was silent for 50 ms while connecting")
        );
        // The job's own limit, which ends before the patience.
        let client = Client::builder().servers(format!("127.0.0.1:{port}")).build().unwrap();
        let error = client.job("f", "x").timeout(SHORT).run().await.unwrap_err();
        assert!(matches!(error, JobError::TimedOut { doing: "connecting", .. }), "{error}");
    });
}
