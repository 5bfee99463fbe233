//! Jobs and sets that got something and are not polled any more, as those whose caller is busy elsewhere: nobody who
//! shares the connection waits for them, or pays for them.

use super::support::{Script, greet, pending_until, read_packet, read_to_end, soon, within_limit};
use geartrain_client::{Client, JobBuilder, JobError, Resend, blocking};
use geartrain_proto::{Handle, Response};
use std::future::ready;
use std::io::Write as _;
use std::net::{Shutdown, TcpStream};
use std::pin::pin;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, UNIX_EPOCH};

const ECHO: u8 = 16;
const SUBMIT: u8 = 7;
const SUBMIT_BG: u8 = 18;

/// A connection that was heard of within this is not looked at before it is used.
const TRUSTED: Duration = geartrain_client::limits::TRUSTED_SILENCE;

/// A server that holds its answers back until it was asked for `batch` jobs, and then for the results of all but
/// `ended` of these until it is asked for something more. It hangs up behind the answer to the job with number `last`.
fn serve(stream: &mut TcpStream, batch: usize, ended: usize, last: usize) {
    stream.set_nodelay(true).unwrap();
    greet(stream);
    let (mut jobs, mut answers, mut later) = (0, Vec::new(), Vec::new());
    while jobs < last && stream.peek(&mut [0]).unwrap_or(0) > 0 {
        let (kind, body) = read_packet(stream);
        answers.append(&mut later);
        jobs += usize::from(kind != ECHO);
        let handle = format!("H:h:{jobs}");
        let handle = Handle::from(handle.as_str());
        let created = Response::JobCreated { handle };
        let complete = Response::WorkComplete { handle, result: b"ok" };
        match kind {
            ECHO => Response::Echo { data: &body }.encode(&mut answers),
            SUBMIT if jobs <= batch && jobs > ended => {
                created.encode(&mut answers);
                complete.encode(&mut later);
            }
            SUBMIT => {
                created.encode(&mut answers);
                complete.encode(&mut answers);
            }
            SUBMIT_BG => created.encode(&mut answers),
            kind => panic!("a packet of kind {kind}"),
        }
        if !(1..batch).contains(&jobs) {
            stream.write_all(&std::mem::take(&mut answers)).unwrap();
        }
    }
}

/// A client that has a connection to a server, which nobody reads.
async fn connected(script: &Script) -> Client {
    let client = Client::builder().servers(&script.address).resend(Resend::Never).in_flight_max(4);
    let client = client.build().unwrap();
    assert_eq!(client.echo(client.servers().next().unwrap(), "e").await.unwrap(), "e");
    client
}

/// All that another may want over the same connection.
async fn want_everything(client: &Client) {
    let server = client.servers().next().unwrap();
    assert_eq!(soon("an echo", client.echo(server, "e")).await.unwrap(), "e");
    assert_eq!(soon("a result", client.job("f", "x").run()).await.unwrap(), "ok");
    soon("a handle", client.job("f", "x").background()).await.unwrap();
    let mut set = client.run_all((0..8).map(|_| client.job("f", "x"))).window(3);
    for _ in 0..8 {
        assert_eq!(soon("a result of a set", set.next()).await.unwrap().1.unwrap(), "ok");
    }
}

/// Some of its jobs are still to end, or all have, and one that took the place of another was submitted since.
#[test]
fn whoever_shares_a_connection_with_a_set_that_is_not_polled_is_answered_soon() {
    for (ended, read) in [(1, 1), (4, 2)] {
        let script = Script::start(1, move |_, stream| serve(stream, 4, ended, usize::MAX));
        within_limit(async {
            let client = connected(&script).await;
            let mut set = client.run_all((0..12).map(|_| client.job("f", "x"))).window(4);
            for _ in 0..read {
                assert_eq!(set.next().await.unwrap().1.unwrap(), "ok");
            }
            want_everything(&client).await;
            for _ in read..12 {
                assert_eq!(soon("a result", set.next()).await.unwrap().1.unwrap(), "ok");
            }
            assert!(set.next().await.is_none());
        });
        script.finish();
    }
}

/// The connection has no room, and nobody else was there who could be woken for it.
#[test]
fn whoever_waits_for_room_on_a_connection_with_a_set_that_is_not_polled_gets_it_soon() {
    let script = Script::start(1, |_, stream| serve(stream, 4, 4, usize::MAX));
    within_limit(async {
        let client = connected(&script).await;
        // What cannot be is told without a look at the connection.
        let impossible = |job: JobBuilder| job.not_before(UNIX_EPOCH);
        let jobs = (0..8).map(|place| client.job("f", place.to_string()));
        let mut set = client.run_all(jobs.enumerate().map(|(place, job)| match place {
            0..4 => impossible(job),
            _ => job,
        }));
        let (_, first) = set.next().await.unwrap();
        assert!(matches!(first, Err(JobError::Invalid(_))), "{first:?}");
        want_everything(&client).await;
        let mut results = 0;
        while let Some((_, result)) = soon("a result", set.next()).await {
            results += usize::from(result.is_ok());
        }
        assert_eq!(results, 4);
    });
    script.finish();
}

/// A server that hangs up behind the answer to a job, which is told of that, and then one that does not.
fn hangs_up_behind(batch: usize, last: usize) -> (Script, Receiver<()>) {
    let (is_closed, closed) = channel();
    let script = Script::start(2, move |connection, stream| {
        if connection == 0 {
            serve(stream, batch, batch, last);
            stream.shutdown(Shutdown::Write).unwrap();
            is_closed.send(()).unwrap();
            read_to_end(stream);
        } else {
            serve(stream, 0, 0, usize::MAX);
        }
    });
    (script, closed)
}

/// What nobody has read stands before the end of the connection.
#[test]
fn a_connection_that_ended_behind_results_that_nobody_read_gets_no_other_job() {
    let (script, closed) = hangs_up_behind(4, 5);
    within_limit(async {
        let client = connected(&script).await;
        let mut set = client.run_all((0..8).map(|_| client.job("f", "x"))).window(4);
        for _ in 0..2 {
            assert_eq!(set.next().await.unwrap().1.unwrap(), "ok");
        }
        closed.recv().unwrap();
        std::thread::sleep(2 * TRUSTED);
        assert_eq!(client.job("f", "x").run().await.unwrap(), "ok");
        for _ in 2..8 {
            assert_eq!(set.next().await.unwrap().1.unwrap(), "ok");
        }
    });
    script.finish();

    // As a future behind `select!` that lost.
    let (script, closed) = hangs_up_behind(0, 1);
    within_limit(async {
        let client = connected(&script).await;
        let mut first = pin!(client.job("f", "x").run());
        pending_until(&mut first, ready(())).await;
        closed.recv().unwrap();
        std::thread::sleep(2 * TRUSTED);
        assert_eq!(client.job("f", "x").run().await.unwrap(), "ok");
        assert_eq!(first.await.unwrap(), "ok");
    });
    script.finish();
}

/// The end came with the answer, and the next job follows at once.
#[test]
fn a_connection_that_ended_with_the_last_answer_gets_no_other_job() {
    let (script, closed) = hangs_up_behind(0, 1);
    within_limit(async {
        let client = connected(&script).await;
        let mut first = pin!(client.job("f", "x").run());
        pending_until(&mut first, ready(())).await;
        closed.recv().unwrap();
        // The kernel may be a little later than the word of it.
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(first.await.unwrap(), "ok");
        assert_eq!(client.job("f", "x").run().await.unwrap(), "ok");
    });
    script.finish();
}

/// Nothing is read between the calls of a blocking client, whoever is to do it.
#[test]
fn a_connection_that_ended_between_blocking_calls_gets_no_other_job() {
    let (is_told, told) = channel::<()>();
    let (is_closed, closed) = channel();
    let script = Script::start(2, move |connection, stream| {
        if connection > 0 {
            return serve(stream, 0, 0, usize::MAX);
        }
        greet(stream);
        let mut answers = Vec::new();
        Response::JobCreated { handle: Handle::from("H:h:1") }.encode(&mut answers);
        for _ in 0..2 {
            let (kind, body) = read_packet(stream);
            if kind == ECHO {
                Response::Echo { data: &body }.encode(&mut answers);
            }
            stream.write_all(&std::mem::take(&mut answers)).unwrap();
        }
        told.recv().unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        is_closed.send(()).unwrap();
        read_to_end(stream);
    });
    let client = blocking::Client::builder().servers(&script.address).resend(Resend::Never);
    let client = client.build_blocking().unwrap();
    let job = client.job("f", "x").start().unwrap();
    assert_eq!(client.echo(client.servers().next().unwrap(), "e").unwrap(), "e");
    is_told.send(()).unwrap();
    closed.recv().unwrap();
    std::thread::sleep(2 * TRUSTED);
    assert_eq!(client.job("f", "x").run().unwrap(), "ok");
    let lost = job.result().unwrap_err();
    assert!(matches!(lost, JobError::Lost { .. }), "{lost}");
    drop(client);
    script.finish();
}

/// As a future behind `select!` that lost.
#[test]
fn whoever_shares_a_connection_with_a_job_that_is_not_polled_is_answered_soon() {
    let script = Script::start(1, |_, stream| serve(stream, 0, 0, usize::MAX));
    within_limit(async {
        let client = connected(&script).await;
        let mut first = pin!(client.job("f", "x").run());
        pending_until(&mut first, ready(())).await;
        want_everything(&client).await;
        assert_eq!(soon("its result", first).await.unwrap(), "ok");
    });
    script.finish();
}
