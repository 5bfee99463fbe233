//! Jobs that follow each other quickly, of which an answer that comes before the result is not read at once; and all
//! that must be told soon in spite of that.

use super::support::{
    LIMIT, SOON, Script, greet, pending_until, read_packet, read_to_end, soon, until, within_limit,
};
use geartrain_client::session::client::Sent;
use geartrain_client::{Client, JobError, Resend};
use std::cell::Cell;
use std::future::{Future, poll_fn, ready};
use std::io::Write as _;
use std::net::{Shutdown, TcpStream};
use std::pin::pin;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

const CREATED: &[u8] = b"\0RES\0\0\0\x08\0\0\0\x05H:h:1";
const CREATED_2: &[u8] = b"\0RES\0\0\0\x08\0\0\0\x05H:h:2";
const COMPLETE: &[u8] = b"\0RES\0\0\0\x0d\0\0\0\x08H:h:1\0ok";
const FAIL: &[u8] = b"\0RES\0\0\0\x0e\0\0\0\x05H:h:1";
const ECHO: &[u8] = b"\0RES\0\0\0\x11\0\0\0\x01e";

/// Jobs that make a connection one of quick jobs.
const QUICK: usize = 20;

/// A server that does some jobs at once, and then what is said.
fn script(talk: impl Fn(&mut TcpStream) + Send + 'static) -> (Script, Client) {
    let script = Script::start(1, move |_, stream| {
        stream.set_nodelay(true).unwrap();
        greet(stream);
        for _ in 0..QUICK {
            read_packet(stream);
            stream.write_all(&[CREATED, COMPLETE].concat()).unwrap();
        }
        talk(stream);
        read_to_end(stream);
    });
    let client = Client::builder().servers(&script.address).resend(Resend::Never).answer_timeout(LIMIT);
    (script, client.build().unwrap())
}

async fn hurry(client: &Client) {
    for _ in 0..QUICK {
        assert_eq!(client.job("f", "x").run().await.unwrap(), "ok");
    }
}

/// Polls a job until the server says that it knows of it.
async fn begin(job: &mut (impl Future<Output: std::fmt::Debug> + Unpin), sent: &Receiver<()>) {
    pending_until(job, until("the job is sent", || sent.try_recv().is_ok())).await;
}

#[cfg(target_os = "linux")]
#[test]
fn an_answer_before_the_result_wakes_nobody() {
    const JOBS: usize = 100;
    let (script, client) = script(|stream| {
        for _ in 0..JOBS {
            read_packet(stream);
            stream.write_all(CREATED).unwrap();
            // Long enough for a client that is woken to look.
            thread::sleep(Duration::from_millis(1));
            stream.write_all(COMPLETE).unwrap();
        }
    });
    let polls = Cell::new(0);
    let mut time = Duration::ZERO;
    within_limit(async {
        hurry(&client).await;
        let begun = Instant::now();
        for _ in 0..JOBS {
            let mut job = pin!(client.job("f", "x").run());
            let counted = poll_fn(|context| {
                polls.set(polls.get() + 1);
                job.as_mut().poll(context)
            });
            assert_eq!(counted.await.unwrap(), "ok");
        }
        time = begun.elapsed();
    });
    drop(client);
    script.finish();
    // Once to ask and once for the result, and once more in each twenty milliseconds: a busy machine takes many.
    let most = JOBS * 5 / 2 + usize::try_from(time.as_millis() / 20).unwrap();
    assert!(polls.get() < most, "{} looks at {JOBS} jobs in {time:?}", polls.get());
}

#[test]
fn a_refusal_that_is_shorter_than_an_acceptance_is_told_soon() {
    let (script, client) = script(|stream| {
        for _ in 0..3 {
            read_packet(stream);
            stream.write_all(b"\0RES\0\0\0\x13\0\0\0\x02E\0").unwrap();
        }
    });
    within_limit(async {
        hurry(&client).await;
        for _ in 0..3 {
            let refused = soon("a refusal", client.job("f", "x").run()).await.unwrap_err();
            assert!(matches!(refused, JobError::Refused { .. }), "{refused}");
        }
    });
    drop(client);
    script.finish();
}

/// The limit on answers looks at what came, and not at what was read.
#[test]
fn an_acceptance_that_came_in_time_counts_however_late_it_is_read() {
    let limit = Duration::from_secs(1);
    let (is_sent, sent) = channel();
    let (go_on, go) = channel();
    let (script, _) = script(move |stream| {
        read_packet(stream);
        stream.write_all(CREATED).unwrap();
        is_sent.send(()).unwrap();
        go.recv().unwrap();
        stream.write_all(COMPLETE).unwrap();
    });
    let client = Client::builder().servers(&script.address).resend(Resend::Never).answer_timeout(limit);
    let client = client.build().unwrap();
    within_limit(async {
        hurry(&client).await;
        let mut job = pin!(client.job("f", "x").run());
        pending_until(&mut job, ready(())).await;
        sent.recv_timeout(LIMIT).unwrap();
        // As a handler that computes would hold up all else on its thread.
        thread::sleep(limit * 2);
        let waited = tokio::time::timeout(limit * 2, job.as_mut()).await;
        assert!(waited.is_err(), "it runs: {waited:?}");
        go_on.send(()).unwrap();
        assert_eq!(job.await.unwrap(), "ok");
    });
    drop(client);
    script.finish();
}

#[test]
fn an_end_after_a_long_time_is_told_soon() {
    let (ends, ended): (Sender<Instant>, _) = channel();
    let (script, client) = script(move |stream| {
        // The second time the acceptance is read at once, with something behind it.
        for progress in [b"".as_slice(), b"\0RES\0\0\0\x0c\0\0\0\x09H:h:1\x001\x002"] {
            read_packet(stream);
            stream.write_all(&[CREATED, progress].concat()).unwrap();
            thread::sleep(Duration::from_millis(100));
            ends.send(Instant::now()).unwrap();
            stream.write_all(FAIL).unwrap();
            for _ in 0..QUICK {
                read_packet(stream);
                stream.write_all(&[CREATED, COMPLETE].concat()).unwrap();
            }
        }
    });
    within_limit(async {
        hurry(&client).await;
        for _ in 0..2 {
            let failed = soon("the end", client.job("f", "x").run()).await.unwrap_err();
            assert!(ended.try_recv().unwrap().elapsed() < SOON);
            assert!(matches!(failed, JobError::Failed { .. }), "{failed}");
            hurry(&client).await;
        }
    });
    drop(client);
    script.finish();
}

/// Whoever read the first part has to hear of a last part that is a few bytes.
#[test]
fn a_result_whose_last_bytes_come_apart_is_told_soon() {
    let (script, client) = script(|stream| {
        read_packet(stream);
        let (first, last) = COMPLETE.split_at(COMPLETE.len() - 1);
        stream.write_all(&[CREATED, first].concat()).unwrap();
        thread::sleep(Duration::from_millis(5));
        stream.write_all(last).unwrap();
    });
    within_limit(async {
        hurry(&client).await;
        assert_eq!(soon("the result", client.job("f", "x").run()).await.unwrap(), "ok");
    });
    drop(client);
    script.finish();
}

#[test]
fn others_that_join_are_answered_soon() {
    let (is_sent, sent) = channel();
    let (script, client) = script(move |stream| {
        read_packet(stream);
        is_sent.send(()).unwrap();
        // Answers are in the order of the requests. Each comes alone, and is short.
        read_packet(stream);
        for answer in [CREATED, ECHO] {
            stream.write_all(answer).unwrap();
            thread::sleep(Duration::from_millis(50));
        }
        for answer in [CREATED_2, b"\0RES\0\0\0\x14\0\0\0\x0dH:h:2\x001\x000\x000\x000"] {
            read_packet(stream);
            stream.write_all(answer).unwrap();
        }
        stream.write_all(FAIL).unwrap();
    });
    within_limit(async {
        hurry(&client).await;
        let mut job = pin!(client.job("f", "x").run());
        begin(&mut job, &sent).await;
        let server = client.servers().next().unwrap();
        assert_eq!(soon("an echo", client.echo(server, "e")).await.unwrap(), "e");
        let handle = soon("a handle", client.job("f", "y").background()).await.unwrap();
        assert!(soon("a status", client.status(&handle)).await.unwrap().is_known);
        let failed = soon("an end", job).await.unwrap_err();
        assert!(matches!(failed, JobError::Failed { .. }), "{failed}");
    });
    drop(client);
    script.finish();
}

#[test]
fn questions_after_quick_jobs_are_answered_soon() {
    let (script, client) = script(|stream| {
        read_packet(stream);
        stream.write_all(ECHO).unwrap();
        for _ in 0..QUICK {
            read_packet(stream);
            stream.write_all(&[CREATED, COMPLETE].concat()).unwrap();
        }
        read_packet(stream);
        stream.write_all(CREATED).unwrap();
    });
    within_limit(async {
        hurry(&client).await;
        let server = client.servers().next().unwrap();
        assert_eq!(soon("an echo", client.echo(server, "e")).await.unwrap(), "e");
        hurry(&client).await;
        soon("a handle", client.job("f", "y").background()).await.unwrap();
    });
    drop(client);
    script.finish();
}

#[test]
fn a_server_that_hangs_up_after_the_acceptance_is_noticed_soon() {
    let (script, client) = script(|stream| {
        read_packet(stream);
        stream.write_all(CREATED).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
    });
    within_limit(async {
        hurry(&client).await;
        let lost = soon("the end", client.job("f", "x").run()).await.unwrap_err();
        assert!(matches!(lost, JobError::Lost { sent: Sent::Accepted, .. }), "{lost}");
    });
    drop(client);
    script.finish();
}

#[test]
fn a_job_dropped_in_the_middle_delays_nobody() {
    let (is_sent, sent) = channel();
    let (script, client) = script(move |stream| {
        read_packet(stream);
        is_sent.send(()).unwrap();
        read_packet(stream);
        stream.write_all(&[CREATED, COMPLETE].concat()).unwrap();
        thread::sleep(Duration::from_millis(50));
        stream.write_all(CREATED_2).unwrap();
        read_packet(stream);
        stream.write_all(b"\0RES\0\0\0\x08\0\0\0\x05H:h:3").unwrap();
        stream.write_all(b"\0RES\0\0\0\x0d\0\0\0\x08H:h:3\0ok").unwrap();
    });
    within_limit(async {
        hurry(&client).await;
        {
            let mut job = pin!(client.job("f", "x").run());
            begin(&mut job, &sent).await;
        }
        soon("a handle", client.job("f", "y").background()).await.unwrap();
        assert_eq!(soon("a result", client.job("f", "z").run()).await.unwrap(), "ok");
    });
    drop(client);
    script.finish();
}
