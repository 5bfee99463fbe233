//! Workers in threads of their own, and clients that see all that happens to their jobs.

pub(crate) use crate::support::{LIMIT, Server, Side, on_both_servers, wait_until};
use geartrain_client::worker::{Departure, RunError, ShutdownHandle, Worker, WorkerBuilder};
use geartrain_client::{Connection, ConnectionLimits, ServerAddress};
use geartrain_proto::{Function, Handle, Priority, Reducer, Request, Response, Submit, SubmitMode, Unique};
use std::thread::{self, JoinHandle};
use std::time::Duration;

impl Server {
    /// A client that sees each packet.
    pub(crate) fn observer(&self) -> Observer {
        let address = ServerAddress::parse(&self.address(), 1).unwrap();
        Observer { connection: Connection::open(&address, &ConnectionLimits::default()).unwrap() }
    }
}

/// A client on a connection of its own.
#[derive(Debug)]
pub(crate) struct Observer {
    connection: Connection,
}

#[expect(clippy::wildcard_enum_match_arm, reason = "a test takes the packets that it expects")]
impl Observer {
    /// Asks for exceptions in place of bare failures.
    pub(crate) fn with_exceptions(mut self) -> Self {
        self.connection.send(&Request::Option { name: b"exceptions" }, "asking").unwrap();
        assert!(matches!(self.receive(), Response::Option { .. }));
        self
    }

    /// Submits a job and gives its handle.
    pub(crate) fn submit(&mut self, function: &str, workload: &[u8], mode: SubmitMode) -> String {
        self.submit_with(function, "", None, workload, mode)
    }

    pub(crate) fn submit_with(
        &mut self,
        function: &str,
        unique: &str,
        reducer: Option<&str>,
        workload: &[u8],
        mode: SubmitMode,
    ) -> String {
        let reducer = reducer.map(|name| Reducer { name: name.as_bytes(), aggregate: b"" });
        let (function, unique) = (Function::from(function), Unique::from(unique));
        let priority = Priority::Normal;
        let submit = Submit { function, unique, priority, mode, reducer, workload };
        self.connection.send(&Request::Submit(submit), "submitting").unwrap();
        match self.receive() {
            Response::JobCreated { handle } => handle.to_string(),
            other => panic!("not created: {other:?}"),
        }
    }

    /// All that is said of one job, to its end.
    pub(crate) fn story(&mut self) -> Vec<String> {
        let mut story = Vec::new();
        loop {
            let (said, ended) = match self.receive() {
                Response::WorkStatus { numerator, denominator, .. } => {
                    (format!("status {}/{}", numerator.escape_ascii(), denominator.escape_ascii()), false)
                }
                Response::WorkData { data, .. } => (format!("data {}", data.escape_ascii()), false),
                Response::WorkWarning { warning, .. } => {
                    (format!("warning {}", warning.escape_ascii()), false)
                }
                Response::WorkComplete { result, .. } => {
                    (format!("complete {}", result.escape_ascii()), true)
                }
                Response::WorkException { exception, .. } => {
                    (format!("exception {}", exception.escape_ascii()), true)
                }
                Response::WorkFail { .. } => ("fail".to_owned(), true),
                other => panic!("unexpected: {other:?}"),
            };
            story.push(said);
            if ended {
                return story;
            }
        }
    }

    /// Submits a foreground job, and tells its story.
    pub(crate) fn run(&mut self, function: &str, workload: &[u8]) -> Vec<String> {
        self.submit(function, workload, SubmitMode::Foreground);
        self.story()
    }

    /// Whether a job waits or runs, and whether it runs.
    pub(crate) fn status(&mut self, handle: &str) -> (bool, bool) {
        self.connection.send(&Request::GetStatus { handle: Handle::from(handle) }, "asking").unwrap();
        match self.receive() {
            Response::StatusRes { status, .. } => (status.known, status.running),
            other => panic!("no status: {other:?}"),
        }
    }

    fn receive(&mut self) -> Response<'_> {
        self.connection.receive(Some(LIMIT), "waiting").unwrap()
    }
}

/// A worker that runs on a thread with a runtime of its own.
#[derive(Debug)]
pub(crate) struct TestWorker {
    shutdown: ShutdownHandle,
    thread: JoinHandle<Result<Departure, RunError>>,
}

/// The kind of runtime a worker runs on: it decides how handlers are polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runtime {
    OneThread,
    TwoThreads,
}

impl TestWorker {
    pub(crate) fn start(builder: WorkerBuilder) -> Self {
        Self::start_on(Runtime::TwoThreads, builder)
    }

    pub(crate) fn start_on(runtime: Runtime, builder: WorkerBuilder) -> Self {
        let worker = builder.build().unwrap();
        let shutdown = worker.shutdown_handle();
        let thread = thread::spawn(move || {
            let mut builder = match runtime {
                Runtime::OneThread => tokio::runtime::Builder::new_current_thread(),
                Runtime::TwoThreads => tokio::runtime::Builder::new_multi_thread(),
            };
            let runtime = builder.worker_threads(2).enable_all().build().unwrap();
            let departure = runtime.block_on(worker.run());
            runtime.shutdown_background();
            departure
        });
        Self { shutdown, thread }
    }

    pub(crate) fn shutdown_handle(&self) -> ShutdownHandle {
        self.shutdown.clone()
    }

    /// Waits until it has left by itself.
    pub(crate) fn await_departure(self) -> Departure {
        wait_until("the worker leaves", || self.thread.is_finished());
        self.thread.join().unwrap().unwrap()
    }

    /// Stops it gracefully and waits until it has left.
    pub(crate) fn stop(self) -> Departure {
        self.shutdown.shutdown();
        self.await_departure()
    }
}

/// A worker of these servers, in a hurry to connect again.
pub(crate) fn worker_of(servers: &[&Server]) -> WorkerBuilder {
    let builder = Worker::builder().reconnect_pauses(Duration::from_millis(20), Duration::from_millis(100));
    servers.iter().fold(builder, |builder, server| builder.servers(server.address()))
}
