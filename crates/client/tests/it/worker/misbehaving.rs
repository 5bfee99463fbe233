//! Servers that do not keep to the protocol: each costs its connection, and a worker connects again.

use super::support::{LIMIT, TestWorker, wait_until};
use bytes::Bytes;
use geartrain_client::worker::{Job, Outcome, ReportError, Worker, WorkerBuilder};
use geartrain_proto::{Function, Handle, Response};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A worker in a hurry, and the place it connects to.
pub(crate) fn hurried() -> (WorkerBuilder, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let builder = Worker::builder().servers(address);
    (builder.reconnect_pauses(Duration::from_millis(5), Duration::from_millis(500)), listener)
}

pub(crate) fn accept(listener: &TcpListener) -> TcpStream {
    listener.set_nonblocking(true).unwrap();
    let deadline = Instant::now() + LIMIT;
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false).unwrap();
                stream.set_read_timeout(Some(LIMIT)).unwrap();
                return stream;
            }
            Err(error) => assert!(Instant::now() < deadline, "no connection: {error}"),
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The kind of a request, as its number on the wire.
pub(crate) const ECHO: u8 = 0x10;
pub(crate) const GRAB: u8 = 0x27;

/// Reads packets until the worker has sent one of this kind; what it asks for a sign of life meanwhile is answered.
///
/// Says the bodies of the packets before it, by kind.
pub(crate) fn await_packet(stream: &mut TcpStream, wanted: u8) -> Vec<(u8, Vec<u8>)> {
    let mut before = Vec::new();
    loop {
        let mut header = [0; 12];
        stream.read_exact(&mut header).expect("the worker is there");
        let len = u32::from_be_bytes([header[8], header[9], header[10], header[11]]);
        let mut body = vec![0; len as usize];
        stream.read_exact(&mut body).expect("the worker is there");
        if header[7] == wanted {
            return before;
        }
        if header[7] == ECHO {
            answer_echo(stream, &body);
        }
        before.push((header[7], body));
    }
}

pub(crate) fn answer_echo(stream: &mut TcpStream, data: &[u8]) {
    let mut bytes = Vec::new();
    Response::Echo { data }.encode(&mut bytes);
    stream.write_all(&bytes).unwrap();
}

/// Reads until the worker has grabbed.
pub(crate) fn await_grab(stream: &mut TcpStream) {
    await_packet(stream, GRAB);
}

pub(crate) fn assign(stream: &mut TcpStream, workload: &[u8]) {
    assign_as(stream, "H:h:1", workload);
}

pub(crate) fn assign_as(stream: &mut TcpStream, handle: &str, workload: &[u8]) {
    let mut bytes = Vec::new();
    let (handle, function) = (Handle::from(handle), Function::from("f"));
    Response::JobAssign { handle, function, workload }.encode(&mut bytes);
    stream.write_all(&bytes).unwrap();
}

/// Waits for the end of the connection.
pub(crate) fn await_close(stream: &mut TcpStream) {
    let mut chunk = [0; 4096];
    // A reset is an end as well: the worker leaves garbage unread.
    while matches!(stream.read(&mut chunk), Ok(count) if count > 0) {}
}

#[test]
fn garbage_ends_the_connection_and_pauses_grow() {
    let (builder, listener) = hurried();
    let worker = TestWorker::start(builder.register("f", |_: Bytes| async {}));
    let garbage: [&[u8]; 4] = [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\0RES\0\0\0\x0a\0\0\0\0\0RES\0\0\0\x0a\0\0\0\0",
        b"\0RES\0\0\0\x0b\xff\xff\xff\xff",
        b"\0RES\0\0\0\x0b\0\0\0\x0aH:h:1\0g\0ab",
    ];
    for bytes in garbage {
        let mut stream = accept(&listener);
        await_grab(&mut stream);
        stream.write_all(bytes).unwrap();
        await_close(&mut stream);
    }
    // A server that ends connections without a word is not hurried: the pauses grow from 5 to 500 ms.
    let began = Instant::now();
    for _ in 0..8 {
        drop(accept(&listener));
    }
    assert!(began.elapsed() > Duration::from_millis(500), "{:?}", began.elapsed());
    let mut stream = accept(&listener);
    await_grab(&mut stream);
    assign(&mut stream, b"");
    await_grab(&mut stream);
    // The grab is not answered before the worker is asked to stop; an answer lets it go.
    worker.shutdown_handle().shutdown();
    stream.write_all(b"\0RES\0\0\0\x0a\0\0\0\0").unwrap();
    assert_eq!(worker.await_departure().jobs, 1);
}

#[test]
fn a_grab_without_an_answer_costs_the_connection() {
    let (builder, listener) = hurried();
    let worker =
        TestWorker::start(builder.grab_timeout(Duration::from_secs(1)).register("f", |_: Bytes| async {}));
    let mut silent = accept(&listener);
    await_close(&mut silent);
    let mut stream = accept(&listener);
    await_grab(&mut stream);
    assign(&mut stream, b"");
    await_grab(&mut stream);
    worker.shutdown_handle().shutdown();
    assert_eq!(worker.await_departure().jobs, 1, "a server that never answers does not keep it");
}

#[test]
fn a_sleeping_worker_notices_a_server_that_is_gone() {
    let (builder, listener) = hurried();
    let builder = builder.look_every(Duration::from_millis(40)).grab_timeout(Duration::from_secs(1));
    let worker = TestWorker::start(builder.register("f", |_: Bytes| async {}));
    let mut stream = accept(&listener);
    await_grab(&mut stream);
    stream.write_all(b"\0RES\0\0\0\x0a\0\0\0\0").unwrap();
    // It goes to sleep, looks for work by itself, and hears nothing.
    await_close(&mut stream);
    drop(accept(&listener));
    worker.stop();
}

#[test]
fn a_server_that_does_not_read_makes_handlers_wait_and_is_given_up() {
    let (builder, listener) = hurried();
    let builder = builder.write_timeout(Duration::from_millis(200));
    let outcomes = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&outcomes);
    let builder = builder
        .register("f", |job: Job| async move {
            let chunk = vec![0; 256 * 1024];
            for sent in 0..10_000 {
                if let Err(error) = job.data(&chunk).await {
                    assert!(matches!(error, ReportError::Lost { .. }), "{error}");
                    return Err(format!("{sent}"));
                }
            }
            Ok(())
        })
        .after_job(move |report| seen.lock().unwrap().push(report.outcome.clone()));
    let worker = TestWorker::start(builder);
    let mut stream = accept(&listener);
    await_grab(&mut stream);
    assign(&mut stream, b"");
    wait_until("the handler is told", || !outcomes.lock().unwrap().is_empty());
    assert_eq!(*outcomes.lock().unwrap(), [Outcome::Lost], "2.5 GB were not taken into memory");
    drop(stream);
    worker.stop();
}

#[test]
fn a_server_that_wakes_for_nothing_is_not_followed_as_fast_as_it_can() {
    let (builder, listener) = hurried();
    let worker = TestWorker::start(builder.register("f", |_: Bytes| async {}));
    let mut stream = accept(&listener);
    let began = Instant::now();
    for _ in 0..750 {
        await_grab(&mut stream);
        // NO_JOB, and NOOP for the PRE_SLEEP that follows it.
        stream.write_all(b"\0RES\0\0\0\x0a\0\0\0\0").unwrap();
        stream.read_exact(&mut [0; 12]).unwrap();
        stream.write_all(b"\0RES\0\0\0\x06\0\0\0\0").unwrap();
    }
    // It waits behind each hundred, for 5 ms at first and twice as long each time.
    assert!(began.elapsed() >= Duration::from_millis(635), "{:?}", began.elapsed());
    assign_after_grab(&mut stream);
    worker.shutdown_handle().shutdown_now();
    assert_eq!(worker.await_departure().jobs, 1);
}

/// A job comes at last.
fn assign_after_grab(stream: &mut TcpStream) {
    await_grab(stream);
    assign(stream, b"");
    await_grab(stream);
}

#[test]
fn a_job_that_comes_with_the_stop_is_done() {
    let (builder, listener) = hurried();
    let worker = TestWorker::start(builder.register("f", |workload: Bytes| async { workload }));
    let mut stream = accept(&listener);
    await_grab(&mut stream);
    worker.shutdown_handle().shutdown();
    assign(&mut stream, b"late");
    let mut answer = [0; 22];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer[12..], b"H:h:1\0late");
    assert_eq!(worker.await_departure().jobs, 1);
    await_close(&mut stream);
}
