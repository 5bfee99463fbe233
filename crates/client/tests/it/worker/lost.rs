//! Connections that are lost at a bad moment, hang, or are refused: no slot is lost with them, nobody else waits for
//! them, and no result either.

use super::misbehaving::{
    ECHO, GRAB, accept, answer_echo, assign, assign_as, await_close, await_grab, await_packet, hurried,
};
use super::support::{LIMIT, Runtime, Server, Side, TestWorker, on_both_servers, wait_until, worker_of};
use bytes::Bytes;
use geartrain_client::worker::{Job, Outcome, RunError, Worker, WorkerBuilder};
use geartrain_proto::SubmitMode;
use nix::libc::linger;
use nix::sys::socket::{setsockopt, sockopt};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

on_both_servers!(
    a_server_that_hangs_holds_up_no_other,
    a_hung_server_does_not_keep_a_worker_that_stops,
    a_blocking_handler_does_not_keep_its_worker_from_connecting,
);

/// Longest wait for what comes at once.
const SHORT_LIMIT: Duration = Duration::from_secs(10);

/// Ends a connection as the kernel does for a server that is killed with requests unread; it has ended on the
/// other side as well when this returns.
fn reset(stream: TcpStream) {
    setsockopt(&stream, sockopt::Linger, &linger { l_onoff: 1, l_linger: 0 }).unwrap();
    let ends = [stream.local_addr().unwrap(), stream.peer_addr().unwrap()];
    let [here, there] = ends.map(|address| format!("0100007F:{:04X}", address.port()));
    drop(stream);
    // Not at once where another test starts a process just now, which has all sockets of this one until it becomes its
    // program.
    wait_until("the connection is gone", || {
        let connections = std::fs::read_to_string("/proc/net/tcp").unwrap();
        !connections.contains(&format!(" {there} {here} "))
    });
}

#[test]
fn a_job_that_comes_with_the_end_of_its_connection_keeps_no_slot() {
    const SLOTS: usize = 4;
    let (builder, listener) = hurried();
    let worker = builder.register("f", |_: Bytes| async {}).at_once(SLOTS).build().unwrap();
    let shutdown = worker.shutdown_handle();
    let (block, mut blocks) = tokio::sync::mpsc::unbounded_channel();
    let (begin, blocked) = mpsc::channel();
    let (release, gate) = mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            // It blocks the one thread of the worker, so that nothing is read before all has come.
            tokio::spawn(async move {
                while let Some(()) = blocks.recv().await {
                    begin.send(()).unwrap();
                    gate.recv_timeout(SHORT_LIMIT).unwrap();
                }
            });
            worker.run().await
        })
    });
    for _ in 0..SLOTS {
        let mut stream = accept(&listener);
        await_grab(&mut stream);
        block.send(()).unwrap();
        blocked.recv_timeout(SHORT_LIMIT).unwrap();
        // A job and the reset behind it: when the job is read, the next grab cannot be written.
        assign(&mut stream, b"");
        reset(stream);
        release.send(()).unwrap();
    }
    let mut stream = accept(&listener);
    stream.set_read_timeout(Some(SHORT_LIMIT)).unwrap();
    await_grab(&mut stream);
    drop(stream);
    shutdown.shutdown();
    assert_eq!(thread.join().unwrap().unwrap().jobs, 0, "they were left to other workers");
}

#[test]
fn a_server_that_reads_nothing_gets_no_more_grabs() {
    let (builder, listener) = hurried();
    let (done, ended) = mpsc::channel();
    let builder = builder
        .register("f", |_: Bytes| async { vec![0_u8; 1 << 20] })
        .after_job(move |_| done.send(()).unwrap());
    let worker = TestWorker::start(builder);
    let mut stream = accept(&listener);
    await_grab(&mut stream);
    // It assigns on and on for grabs that it has not read.
    let mut jobs = 0;
    for _ in 0..200 {
        assign(&mut stream, b"");
        // The first one comes, however busy the machine is.
        let limit = if jobs == 0 { LIMIT } else { Duration::from_secs(2) };
        if ended.recv_timeout(limit).is_err() {
            break;
        }
        jobs += 1;
    }
    assert!((1..20).contains(&jobs), "{jobs} MiB of results are held for it");
    drop(stream);
    worker.shutdown_handle().shutdown_now();
    worker.await_departure();
}

/// It wants no slot while its results wait, so it keeps none from the others.
#[test]
fn a_server_that_reads_nothing_holds_up_no_other() {
    let (builder, stuck) = hurried();
    let healthy = TcpListener::bind("127.0.0.1:0").unwrap();
    let builder = builder
        .servers(healthy.local_addr().unwrap().to_string())
        .register("f", |workload: Bytes| async move { vec![0_u8; usize::from(workload[0]) << 20] })
        .at_once(1);
    let worker = TestWorker::start(builder);
    let mut stuck = accept(&stuck);
    await_grab(&mut stuck);
    // More than the kernel takes.
    assign(&mut stuck, &[64]);
    let mut healthy = accept(&healthy);
    healthy.set_read_timeout(Some(SHORT_LIMIT)).unwrap();
    for _ in 0..5 {
        await_grab(&mut healthy);
        assign(&mut healthy, &[0]);
    }
    await_grab(&mut healthy);
    drop((stuck, healthy));
    worker.shutdown_handle().shutdown_now();
    worker.await_departure();
}

#[test]
fn a_server_that_refuses_connections_is_tried_ever_more_rarely() {
    let (builder, listener) = hurried();
    let worker = TestWorker::start(builder.register("f", |_: Bytes| async {}));
    let began = Instant::now();
    for _ in 0..8 {
        let mut stream = accept(&listener);
        std::io::Write::write_all(&mut stream, b"\0RES\0\0\0\x13\0\0\0\x20QUEUE_ERROR\0Too many connections")
            .unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        await_close(&mut stream);
    }
    // From 5 to 500 ms, each as long again as the one before.
    assert!(began.elapsed() > Duration::from_millis(500), "{:?}", began.elapsed());
    worker.stop();
}

/// Its results are on their way when it leaves; unread bytes at the close would throw them away.
#[test]
fn a_worker_leaves_when_the_server_has_its_last_result() {
    let (builder, listener) = hurried();
    let worker = TestWorker::start(builder.register("f", |workload: Bytes| async { workload }).jobs_max(1));
    let mut stream = accept(&listener);
    await_grab(&mut stream);
    assign(&mut stream, b"last");
    let before = await_packet(&mut stream, ECHO);
    assert!(before.iter().any(|(_, body)| body == b"H:h:1\0last"), "{before:?}");
    assert!(before.iter().all(|(kind, _)| *kind != GRAB), "{before:?}");
    // It waits for the answer.
    stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let waits = std::io::Read::read(&mut stream, &mut [0; 16]);
    assert!(waits.is_err(), "it is gone: {waits:?}");
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    answer_echo(&mut stream, b"geartrain");
    await_close(&mut stream);
    assert_eq!(worker.await_departure().jobs, 1);
}

/// A worker that looks for work by itself all the time, and not only when it is woken.
fn restless(servers: &[&Server]) -> WorkerBuilder {
    worker_of(servers)
        .look_every(Duration::from_millis(20))
        .register("echo", |workload: Bytes| async { workload })
}

fn a_server_that_hangs_holds_up_no_other(side: Side) {
    let (hung, server) = (Server::start(side), Server::start(side));
    let worker = TestWorker::start(restless(&[&hung, &server]));
    hung.await_workers("echo", 1);
    server.await_workers("echo", 1);
    hung.pause();
    let began = Instant::now();
    // Wake-ups by itself, and connections that come about anew, are all unanswered.
    for number in 0..200_u32 {
        let number = number.to_string();
        assert_eq!(server.observer().run("echo", number.as_bytes()), [format!("complete {number}")]);
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    hung.resume();
    assert_eq!(hung.observer().run("echo", b"back"), ["complete back"]);
    worker.stop();
}

fn a_hung_server_does_not_keep_a_worker_that_stops(side: Side) {
    let server = Server::start(side);
    let (end, ended) = mpsc::channel();
    let builder = restless(&[&server]).after_job(move |report| end.send(report.outcome.clone()).unwrap());
    let worker = TestWorker::start(builder);
    assert_eq!(server.observer().run("echo", b"1"), ["complete 1"]);
    assert_eq!(ended.recv_timeout(LIMIT), Ok(Outcome::Completed));
    server.pause();
    std::thread::sleep(Duration::from_millis(200)); // It has asked for work meanwhile.
    let began = Instant::now();
    worker.stop();
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    server.resume();
    wait_until("it is gone", || server.status("echo") == (0, 0, 0));
}

/// A fresh connection has no slot before its server has answered anything.
#[test]
fn a_server_that_never_answers_gets_no_slot() {
    let (builder, listener) = hurried();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let outcomes = Arc::new(Mutex::new(0));
    let count = Arc::clone(&outcomes);
    let builder = builder
        .servers(silent.local_addr().unwrap().to_string())
        .register("f", |_: Job| async {})
        .after_job(move |_| *count.lock().unwrap() += 1);
    let worker = TestWorker::start(builder);
    let hung = accept(&silent);
    let began = Instant::now();
    let mut stream = accept(&listener);
    for number in 0..20 {
        await_grab(&mut stream);
        assign_as(&mut stream, &format!("H:h:{number}"), b"");
    }
    wait_until("all are done", || *outcomes.lock().unwrap() == 20);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    worker.shutdown_handle().shutdown_now();
    worker.await_departure();
    drop(hung);
}

/// The name of a server is looked up on a thread that may block, as handlers run on.
fn a_blocking_handler_does_not_keep_its_worker_from_connecting(side: Side) {
    let (first, mut second) = (Server::start(side), Server::start(side));
    let (begin, begun) = mpsc::channel();
    let (release, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let builder = worker_of(&[&first]).servers(format!("localhost:{}", second.port)).register_blocking(
        "block",
        move |_: Bytes| {
            begin.send(()).unwrap();
            gate.lock().unwrap().recv_timeout(LIMIT).unwrap();
        },
    );
    let worker = builder.build_blocking().unwrap();
    let shutdown = worker.shutdown_handle();
    let thread = std::thread::spawn(|| worker.run().unwrap());
    second.await_workers("block", 1);
    first.observer().submit("block", b"", SubmitMode::Background);
    begun.recv_timeout(LIMIT).unwrap();
    second.kill();
    second.start_again();
    let began = Instant::now();
    second.await_workers("block", 1);
    assert!(began.elapsed() < SHORT_LIMIT, "{:?}", began.elapsed());
    release.send(()).unwrap();
    shutdown.shutdown();
    assert_eq!(thread.join().unwrap().jobs, 1);
}

/// The hook behind a job hears what became of it, and not what was meant to.
#[test]
fn a_result_that_could_not_be_written_is_told_as_lost() {
    let (builder, listener) = hurried();
    let (begin, begun) = mpsc::channel();
    let (release, gate) = mpsc::channel::<()>();
    let gate = Arc::new(Mutex::new(gate));
    let (end, ended) = mpsc::channel();
    // It blocks the one thread, so that nobody has seen the reset when the result is written.
    let builder = builder
        .register("f", move |_: Bytes| {
            let (begin, gate) = (begin.clone(), Arc::clone(&gate));
            async move {
                tokio::task::yield_now().await;
                begin.send(()).unwrap();
                gate.lock().unwrap().recv_timeout(SHORT_LIMIT).unwrap();
            }
        })
        .after_job(move |report| end.send(report.outcome.clone()).unwrap());
    let worker = TestWorker::start_on(Runtime::OneThread, builder);
    let mut stream = accept(&listener);
    await_grab(&mut stream);
    assign(&mut stream, b"");
    begun.recv_timeout(SHORT_LIMIT).unwrap();
    reset(stream);
    release.send(()).unwrap();
    assert_eq!(ended.recv_timeout(SHORT_LIMIT), Ok(Outcome::Lost));
    worker.stop();
}

/// A subscriber that hands on what a worker's connections have to say.
struct Listener<F>(F);

impl<F: Fn(String) + 'static> tracing::Subscriber for Listener<F> {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "geartrain_client::worker::driver"
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut |field: &tracing::field::Field, value: &dyn std::fmt::Debug| {
            if field.name() == "message" {
                self.0(format!("{value:?}"));
            }
        });
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

/// Runs a worker in a thread whose connections are listened to.
fn run_heard(
    worker: Worker,
    hear: impl Fn(String) + Send + Sync + 'static,
) -> JoinHandle<Result<u64, RunError>> {
    std::thread::spawn(move || {
        let _listener = tracing::subscriber::set_default(Listener(hear));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(worker.run()).map(|departure| departure.jobs)
    })
}

/// It does not announce a pause behind which nothing follows.
#[test]
fn a_worker_that_leaves_a_silent_server_says_so() {
    let (builder, listener) = hurried();
    let builder = builder.register("f", |_: Bytes| async {}).grab_timeout(Duration::from_secs(3));
    let worker = builder.build().unwrap();
    let shutdown = worker.shutdown_handle();
    let (log, heard) = mpsc::channel();
    let thread = run_heard(worker, move |message| log.send(message).unwrap());
    let mut stream = accept(&listener);
    await_grab(&mut stream);
    shutdown.shutdown();
    await_close(&mut stream);
    thread.join().unwrap().unwrap();
    assert_eq!(
        heard.try_iter().collect::<Vec<_>>(),
        ["connected", "a connection ended while the worker leaves"]
    );
}

#[test]
fn a_connection_that_panics_ends_the_worker_and_not_only_itself() {
    let (builder, listener) = hurried();
    let worker = builder.register("f", |_: Bytes| async {}).build().unwrap();
    let thread = run_heard(worker, |_| panic!("a log that is full"));
    wait_until("the worker ends", || thread.is_finished());
    let payload = thread.join().unwrap_err();
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"a log that is full"));
    drop(listener);
}
