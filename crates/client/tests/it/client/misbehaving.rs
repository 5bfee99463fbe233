//! Servers that are none, or that break the protocol.

use super::support::{LIMIT, Script, greet, pending_until, read_packet, read_to_end, until, within_limit};
use geartrain_client::session::client::Sent;
use geartrain_client::{Client, JobError, JobHandle, Resend};
use std::io::Write as _;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const CREATED: &[u8] = b"\0RES\0\0\0\x08\0\0\0\x05H:h:1";

/// What a job is told by a server that answers its submit with these bytes and then closes the connection.
fn told_by(answer: &'static [u8], client: impl Fn(&str) -> Client) -> String {
    let script = Script::start(1, move |_, stream| {
        greet(stream);
        read_packet(stream);
        stream.write_all(answer).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        read_to_end(stream);
    });
    let error = within_limit(client(&script.address).job("f", "x").run()).unwrap_err();
    let text = error.to_string().replace(&script.address, "SERVER");
    script.finish();
    text
}

fn client(server: &str) -> Client {
    Client::builder().servers(server).patience(Duration::ZERO).resend(Resend::Never).build().unwrap()
}

#[test]
fn what_is_no_packet_is_a_typed_error() {
    assert_eq!(
        told_by(b"HTTP/1.1 400 Bad Request\r\n\r\n", client),
        "SERVER does not speak the protocol: packet magic [48, 54, 54, 50] is not part of the protocol (hint: is it a \
         Gearman server?); the job was sent and not acknowledged: it may run or not"
    );
    assert_eq!(
        told_by(b"\0RES\0\0\0\x06\0\0\0\0", client),
        "SERVER broke the protocol: a NOOP came that answers no request; the job was sent and not acknowledged: it \
         may run or not"
    );
    assert_eq!(
        told_by(b"", client),
        "SERVER closed the connection while waiting for an answer; the job was sent and not acknowledged: it may run \
         or not"
    );
}

/// A question changes nothing, so there is no word of a job that may run.
#[test]
fn a_question_that_is_lost_is_told_as_one() {
    let script = Script::answering(6, b"\0RES\0\0\0\x06\0\0\0\0");
    let client = Client::new(&script.address).unwrap();
    let address = client.servers().next().unwrap();
    let error = within_limit(client.echo(address, "e")).unwrap_err();
    assert!(matches!(error, JobError::Unanswered { .. }), "{error}");
    let text = error.to_string().replace(&script.address, "SERVER");
    assert_eq!(text, "SERVER broke the protocol: a NOOP came that answers no request");
    script.finish();
}

/// The one who asked hears of it as all the others do.
#[test]
fn a_question_that_is_answered_with_another_job_is_lost() {
    let script = Script::answering(6, b"\0RES\0\0\0\x14\0\0\0\x0dH:h:2\x001\x001\x000\x000");
    let client = Client::new(&script.address).unwrap();
    let handle = JobHandle::new(client.servers().next().unwrap().clone(), b"H:h:1").unwrap();
    let error = within_limit(client.status(&handle)).unwrap_err();
    let text = error.to_string().replace(&script.address, "SERVER");
    assert_eq!(text, "SERVER broke the protocol: a STATUS_RES came about another job than was asked for");
    script.finish();
}

/// Who started a job and looks away leaves the reading to the driver.
#[test]
fn a_connection_that_ends_while_nobody_looks_at_its_job_gets_no_other() {
    let (is_started, started) = std::sync::mpsc::channel();
    let (is_closed, closed) = std::sync::mpsc::channel();
    let script = Script::start(2, move |connection, stream| {
        greet(stream);
        read_packet(stream);
        stream.write_all(CREATED).unwrap();
        if connection == 0 {
            // Not before: who reads the acceptance would read the end with it.
            started.recv().unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            is_closed.send(()).unwrap();
        } else {
            stream.write_all(b"\0RES\0\0\0\x0d\0\0\0\x08H:h:1\0ok").unwrap();
        }
        read_to_end(stream);
    });
    within_limit(async {
        let client = client(&script.address);
        let first = client.job("f", "x").start().await.unwrap();
        is_started.send(()).unwrap();
        closed.recv().unwrap();
        // What the kernel has already is read within this.
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(client.job("f", "y").run().await.unwrap(), "ok".as_bytes());
        drop(first);
    });
    script.finish();
}

/// As a future behind `select!` that lost: it was the one who read, and nobody polls it.
#[test]
fn a_connection_that_ends_beside_a_future_that_is_left_alone_gets_no_other_job() {
    let (is_sent, sent) = std::sync::mpsc::channel();
    let (is_left, left) = std::sync::mpsc::channel();
    let (is_closed, closed) = std::sync::mpsc::channel();
    let script = Script::start(2, move |connection, stream| {
        greet(stream);
        read_packet(stream);
        if connection == 0 {
            stream.write_all(b"\0RES\0\0\0\x11\0\0\0\x01e").unwrap();
            read_packet(stream);
            is_sent.send(()).unwrap();
            left.recv().unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            is_closed.send(()).unwrap();
        } else {
            stream.write_all(CREATED).unwrap();
            stream.write_all(b"\0RES\0\0\0\x0d\0\0\0\x08H:h:1\0ok").unwrap();
        }
        read_to_end(stream);
    });
    within_limit(async {
        let client = client(&script.address);
        // A server that has answered something is connected to anew at once.
        assert_eq!(client.echo(client.servers().next().unwrap(), "e").await.unwrap(), "e");
        let mut first = std::pin::pin!(client.job("f", "x").run());
        pending_until(&mut first, until("the job is sent", || sent.try_recv().is_ok())).await;
        is_left.send(()).unwrap();
        closed.recv().unwrap();
        // A connection that was heard of within this is not looked at.
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(client.job("f", "y").run().await.unwrap(), "ok".as_bytes());
        let error = first.await.unwrap_err();
        assert!(matches!(error, JobError::Lost { sent: Sent::Unanswered, .. }), "{error}");
    });
    script.finish();
}

#[test]
fn a_connection_that_ends_in_the_middle_of_a_packet_loses_the_job() {
    let answer: &[u8] = b"\0RES\0\0\0\x08\0\0\0\x05H:h:1\0RES\0\0\0\x0d\0\0\0\x64H:h:1\0ab";
    assert_eq!(
        told_by(answer, client),
        "SERVER closed the connection while waiting for an answer; the job was accepted: it may wait, run, or be done"
    );
}

#[test]
fn a_packet_over_the_limit_is_refused_before_it_comes() {
    let small = |server: &str| {
        Client::builder()
            .servers(server)
            .patience(Duration::ZERO)
            .resend(Resend::Never)
            .body_bytes_max(1000)
            .build()
            .unwrap()
    };
    let answer: &[u8] = b"\0RES\0\0\0\x08\0\0\0\x05H:h:1\0RES\0\0\0\x0d\0\0\x10\0";
    assert_eq!(
        told_by(answer, small),
        "SERVER sent a packet of 4096 bytes, over the limit of 1000 bytes; the job was accepted: it may wait, run, or \
         be done"
    );
}

/// A job is not sent again for ever because of a server that hangs up on it.
#[test]
fn a_job_that_its_server_hangs_up_on_is_sent_again_a_few_times() {
    let script = Script::start(6, |_, stream| {
        greet(stream);
        read_packet(stream);
        stream.write_all(CREATED).unwrap();
    });
    let client = Client::builder().servers(&script.address).resend(Resend::Always).build().unwrap();
    let error = within_limit(client.job("f", "x").run()).unwrap_err();
    assert!(matches!(error, JobError::Lost { .. }), "{error}");
    script.finish();
}

/// A server that takes connections and closes them is tried with pauses, as one that does not take them.
#[test]
fn a_server_that_hangs_up_at_once_is_left_out() {
    let script = Script::start(4, |_, stream| stream.shutdown(std::net::Shutdown::Both).unwrap());
    let error = within_limit(client(&script.address).job("f", "x").run()).unwrap_err();
    assert!(matches!(error, JobError::NoServer { .. } | JobError::Lost { .. }), "{error}");
    let builder = Client::builder().servers(&script.address).patience(LIMIT);
    let client = builder.resend(Resend::Always).build().unwrap();
    within_limit(async {
        tokio::select! {
            ended = client.job("f", "x").run() => panic!("{ended:?}"),
            () = until("it was tried three times", || script.is_finished()) => {}
        }
    });
    script.finish();
}

/// As this project's server does at its limit of connections: the job is not sent, and the server is not hurried.
#[test]
fn a_server_that_is_full_is_quoted_and_left_out() {
    const FULL: &[u8] = b"\0RES\0\0\0\x13\0\0\0\x20QUEUE_ERROR\0Too many connections";
    let accepted = Arc::new(AtomicUsize::new(0));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, count) = (listener.local_addr().unwrap().to_string(), Arc::clone(&accepted));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            count.fetch_add(1, Ordering::SeqCst);
            let mut stream = stream.unwrap();
            stream.write_all(FULL).unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            read_to_end(&mut stream);
        }
    });
    let builder = Client::builder().servers(&address).patience(Duration::from_secs(2));
    let client = builder.resend(Resend::Always).build().unwrap();
    let error = within_limit(client.job("f", "x").timeout(Duration::from_secs(2)).run()).unwrap_err();
    let accepted = accepted.load(Ordering::SeqCst);
    assert!((2..20).contains(&accepted), "{accepted} connections in two seconds");
    let quoted =
        matches!(error, JobError::TimedOut { .. }) || error.to_string().contains("Too many connections");
    assert!(quoted && !matches!(error, JobError::Lost { .. }), "{error}");
    let error = within_limit(client.job("f", "x").run()).unwrap_err().to_string().replace(&address, "SERVER");
    assert_eq!(
        error,
        "no server can be reached: SERVER refuses the connection: QUEUE_ERROR: Too many connections"
    );
}

/// One that does not know the option answers with an error, and is as good as any.
#[test]
fn a_server_without_exceptions_is_used_all_the_same() {
    let script = Script::start(1, |_, stream| {
        read_packet(stream);
        stream.write_all(b"\0RES\0\0\0\x13\0\0\0\x13UNKNOWN_OPTION\0what").unwrap();
        read_packet(stream);
        stream.write_all(CREATED).unwrap();
        stream.write_all(b"\0RES\0\0\0\x0d\0\0\0\x08H:h:1\0ok").unwrap();
        read_to_end(stream);
    });
    let client = client(&script.address);
    assert_eq!(within_limit(client.job("f", "x").run()).unwrap(), "ok");
    drop(client);
    script.finish();
}

#[test]
fn a_server_that_refuses_the_connection_is_quoted() {
    let script = Script::start(1, |_, stream| {
        greet(stream);
        stream.write_all(b"\0RES\0\0\0\x13\0\0\0\x11FULL\0go elsewhere").unwrap();
        read_to_end(stream);
    });
    let client = client(&script.address);
    let error = within_limit(client.job("f", "x").run()).unwrap_err();
    // The job may have been on its way, or the connection gone before it.
    let text = error.to_string().replace(&script.address, "SERVER");
    assert!(text.contains("FULL: go elsewhere"), "{text}");
    script.finish();
}

/// A server that hangs up in the middle of a job, which it cannot know of then, and takes the next one.
fn hangs_up_in_the_middle() -> Script {
    Script::start(2, |number, stream| {
        greet(stream);
        if number == 0 {
            let mut part = vec![0; 1 << 20];
            std::io::Read::read_exact(stream, &mut part).unwrap();
            return;
        }
        assert_eq!(read_packet(stream).0, 7);
        stream.write_all(CREATED).unwrap();
        stream.write_all(b"\0RES\0\0\0\x0d\0\0\0\x08H:h:1\0ok").unwrap();
    })
}

#[test]
fn a_job_that_was_not_wholly_sent_is_sent_again_or_reported() {
    let workload = vec![b'w'; 32 << 20];
    let script = hangs_up_in_the_middle();
    let client = Client::new(&script.address).unwrap();
    let job = client.job("f", workload.clone()).resend(Resend::Unsent);
    assert_eq!(within_limit(job.run()).unwrap(), "ok");
    script.finish();

    let script = hangs_up_in_the_middle();
    let client = Client::new(&script.address).unwrap();
    within_limit(async {
        let error = client.job("f", workload.clone()).resend(Resend::Never).run().await.unwrap_err();
        assert!(matches!(error, JobError::Lost { sent: Sent::Not, .. }), "{error}");
        assert!(error.to_string().ends_with("; the job was not sent"), "{error}");
        assert_eq!(client.job("f", "x").run().await.unwrap(), "ok");
    });
    script.finish();
}
