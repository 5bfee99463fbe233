//! Real servers, workers in threads of their own, and clients that see all that happens to their jobs.

use geartrain_client::worker::{Departure, RunError, ShutdownHandle, Worker, WorkerBuilder, WorkerLimits};
use geartrain_client::{Connection, Limits, ServerAddress};
use geartrain_proto::{Function, Handle, Priority, Reducer, Request, Response, Submit, SubmitMode, Unique};
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, bind, getsockname, setsockopt, socket, sockopt,
};
use nix::unistd::Pid;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Longest any step of a test may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Which server a test is held with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Ours,
    Reference,
}

/// Makes one test for each server of each function named.
macro_rules! on_both_servers {
    ($($test:ident),* $(,)?) => {
        mod ours {
            $(#[test] fn $test() { super::$test($crate::worker::support::Side::Ours); })*
        }
        mod reference {
            $(#[test] fn $test() { super::$test($crate::worker::support::Side::Reference); })*
        }
    };
}
pub(crate) use on_both_servers;

impl Side {
    fn program(self) -> PathBuf {
        match self {
            Self::Reference => PathBuf::from("/usr/sbin/gearmand"),
            Self::Ours => {
                let test = std::env::current_exe().unwrap();
                test.parent().and_then(|deps| deps.parent()).unwrap().join("gearmand")
            }
        }
    }

    fn hint(self) -> &'static str {
        match self {
            Self::Reference => "`cargo xtask install` installs it",
            Self::Ours => "`cargo build -p gearmand` builds it",
        }
    }
}

/// A server in a process of its own, on a port that stays its own while it is down.
#[derive(Debug)]
pub(crate) struct Server {
    side: Side,
    pub(crate) port: u16,
    /// Bound but not listened on: connections are refused, and the server can still take the port.
    _held: OwnedFd,
    process: Option<Child>,
    folder: tempfile::TempDir,
}

impl Server {
    pub(crate) fn start(side: Side) -> Self {
        let held = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
        setsockopt(&held, sockopt::ReuseAddr, &true).unwrap();
        bind(held.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).unwrap();
        let port = getsockname::<SockaddrIn>(held.as_raw_fd()).unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let mut server = Self { side, port, _held: held, process: None, folder };
        server.start_again();
        server
    }

    pub(crate) fn start_again(&mut self) {
        let program = self.side.program();
        let mut command = Command::new(&program);
        command.args(["-p", &self.port.to_string(), "-L", "127.0.0.1", "--queue-type", "builtin"]);
        command.args(["-l", "none", "-P"]).arg(self.folder.path().join("gearmand.pid"));
        if self.side == Side::Ours {
            command.args(["--http-listen", "none"]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let hint = self.side.hint();
        let process = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error} (hint: {hint})", program.display()));
        self.process = Some(process);
        wait_until("the server answers", || TcpStream::connect(("127.0.0.1", self.port)).is_ok());
    }

    /// Ends the server without a word, as a crash would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Stops it from doing anything, as a stuck disk would; its connections stay.
    pub(crate) fn pause(&self) {
        self.signal(Signal::SIGSTOP);
        let tasks = format!("/proc/{}/task", self.process.as_ref().unwrap().id());
        // Threads go on for a moment behind the signal.
        wait_until("all threads are stopped", || {
            let tasks = std::fs::read_dir(&tasks).unwrap().map(|task| task.unwrap().path().join("stat"));
            let states: Vec<String> = tasks.map(|stat| std::fs::read_to_string(stat).unwrap()).collect();
            states.iter().all(|stat| stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" T")))
        });
    }

    pub(crate) fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        let process = self.process.as_ref().unwrap();
        kill(Pid::from_raw(i32::try_from(process.id()).unwrap()), signal).unwrap();
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn client(&self) -> Client {
        let address = ServerAddress::parse(&self.address(), 1).unwrap();
        Client { connection: Connection::open(&address, &Limits::default()).unwrap() }
    }

    /// All jobs, running jobs and workers of a function.
    pub(crate) fn status(&self, function: &str) -> (u32, u32, u32) {
        let reply = self.ask("status", ".\n");
        let row = reply.lines().find_map(|line| line.strip_prefix(function)?.strip_prefix('\t'));
        let numbers: Vec<u32> = row.map_or(Vec::new(), |row| row.split('\t').flat_map(str::parse).collect());
        match numbers[..] {
            [jobs, running, workers] => (jobs, running, workers),
            _ => (0, 0, 0),
        }
    }

    /// Waits until that many workers do a function.
    pub(crate) fn await_workers(&self, function: &str, workers: u32) {
        wait_until("the workers are there", || self.status(function).2 == workers);
    }

    fn ask(&self, command: &str, end: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.write_all(format!("{command}\r\n").as_bytes()).unwrap();
        let mut reply = String::new();
        let mut chunk = [0; 4096];
        while !reply.ends_with(end) {
            let count = stream.read(&mut chunk).unwrap();
            assert_ne!(count, 0, "the server closed the connection");
            reply.push_str(std::str::from_utf8(&chunk[..count]).unwrap());
        }
        reply
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A client on a connection of its own.
#[derive(Debug)]
pub(crate) struct Client {
    connection: Connection,
}

#[expect(clippy::wildcard_enum_match_arm, reason = "a test takes the packets that it expects")]
impl Client {
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
    let mut limits = WorkerLimits::default();
    limits.reconnect_min = Duration::from_millis(20);
    limits.reconnect_max = Duration::from_millis(100);
    servers.iter().fold(Worker::builder().limits(limits), |builder, server| builder.server(server.address()))
}

/// Waits until something is so that nobody tells of, and fails when it is not within the limit.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}
