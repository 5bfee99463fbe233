//! Clients of real servers, workers in threads of their own, and servers that do what a script says.

pub(crate) use crate::support::{
    LIMIT, Server, Side, on_both_servers, until, wait_until, within, within_limit,
};
use geartrain_client::{Client, ClientBuilder, Connection, ConnectionLimits, ServerAddress};
use geartrain_proto::{Function, GrabKind, Handle, Request, Response};
use nix::sys::socket::{Shutdown, shutdown};
use std::fmt::Write as _;
use std::future::Future;
use std::io::{Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

impl Server {
    /// A client of this server, in a hurry where a test waits for a limit.
    pub(crate) fn client(&self) -> Client {
        client_of(&[self]).build().unwrap()
    }
}

/// A client of these servers.
pub(crate) fn client_of(servers: &[&Server]) -> ClientBuilder {
    servers.iter().fold(Client::builder(), |builder, server| builder.servers(server.address()))
}

/// A worker on a connection of its own, which does what the name of the function says:
///
/// - `reverse`: the workload backwards.
/// - `echo`: the workload.
/// - `talk`: two pieces, a warning and progress, and then an end.
/// - `data`: as many pieces of 64 KiB as the workload says.
/// - `fail`, `throw`: no result; with and without a reason.
/// - `hold`: nothing, until [`TestWorker::let_go`]; then `held:` and the workload.
/// - `describe`: what the job is.
/// - `count`, `sum`: the words of the workload, or the sum of the numbers in it.
#[derive(Debug)]
pub(crate) struct TestWorker {
    stopper: Arc<Mutex<Stopper>>,
    thread: Option<JoinHandle<()>>,
    let_go: Sender<()>,
    held: Receiver<Vec<u8>>,
}

#[derive(Debug, Default)]
struct Stopper {
    socket: Option<OwnedFd>,
    is_stopped: bool,
}

const FUNCTIONS: [&str; 10] =
    ["reverse", "talk", "data", "fail", "throw", "hold", "describe", "count", "sum", "echo"];

impl TestWorker {
    /// A worker that connects again whenever it loses its server.
    pub(crate) fn start(server: &Server) -> Self {
        let address = ServerAddress::parse(&server.address(), 1).unwrap();
        let stopper = Arc::new(Mutex::new(Stopper::default()));
        let (let_go, gate) = channel();
        let (holding, held) = channel();
        let shared = Arc::clone(&stopper);
        let thread = thread::spawn(move || {
            while !shared.lock().unwrap().is_stopped {
                let Ok(mut connection) = Connection::open(&address, &ConnectionLimits::default()) else {
                    thread::sleep(Duration::from_millis(2));
                    continue;
                };
                let mut stopper = shared.lock().unwrap();
                if stopper.is_stopped {
                    return;
                }
                stopper.socket = Some(connection.as_fd().try_clone_to_owned().unwrap());
                drop(stopper);
                // It ends with the connection.
                let _ended = work(&mut connection, &gate, &holding);
            }
        });
        let worker = Self { stopper, thread: Some(thread), let_go, held };
        wait_until("the worker is there", || server.status("reverse").2 > 0);
        worker
    }

    /// Waits until the worker holds a job, and gives its workload.
    pub(crate) fn holds(&self) -> Vec<u8> {
        self.held.recv_timeout(LIMIT).expect("a job is held")
    }

    /// The workload of a job that the worker has begun to hold.
    pub(crate) fn try_holds(&self) -> Option<Vec<u8>> {
        self.held.try_recv().ok()
    }

    /// Lets it end one held job, this or the next.
    pub(crate) fn let_go(&self) {
        self.let_go.send(()).unwrap();
    }
}

impl Drop for TestWorker {
    fn drop(&mut self) {
        let mut stopper = self.stopper.lock().unwrap();
        stopper.is_stopped = true;
        if let Some(socket) = stopper.socket.take() {
            // The server may have ended the connection before.
            let _shut = shutdown(socket.as_raw_fd(), Shutdown::Both);
        }
        drop(stopper);
        let (closed, _) = channel();
        self.let_go = closed;
        self.thread.take().unwrap().join().unwrap();
    }
}

type Ended = Result<(), Box<dyn std::error::Error>>;

#[expect(clippy::wildcard_enum_match_arm, reason = "a test takes the packets that it expects")]
fn work(connection: &mut Connection, gate: &Receiver<()>, holding: &Sender<Vec<u8>>) -> Ended {
    for function in FUNCTIONS {
        connection.send(&Request::CanDo { function: Function::from(function) }, "registering")?;
    }
    loop {
        connection.send(&Request::Grab(GrabKind::All), "grabbing")?;
        let (handle, function, workload, described) = loop {
            match connection.receive(None, "waiting for a job")? {
                Response::NoJob => connection.send(&Request::PreSleep, "sleeping")?,
                Response::Noop => connection.send(&Request::Grab(GrabKind::All), "grabbing")?,
                Response::JobAssignAll { handle, function, unique, reducer, workload } => {
                    let described = format!("{unique} reduced by {}", reducer.escape_ascii());
                    break (handle.to_string(), function.to_string(), workload.to_vec(), described);
                }
                Response::JobAssignUniq { handle, function, unique, workload } => {
                    break (handle.to_string(), function.to_string(), workload.to_vec(), unique.to_string());
                }
                other => return Err(format!("unexpected: {other:?}").into()),
            }
        };
        let handle = Handle::from(handle.as_str());
        let mut send = |request: Request<'_>| connection.send(&request, "reporting");
        match function.as_str() {
            "reverse" => {
                let result: Vec<u8> = workload.into_iter().rev().collect();
                send(Request::WorkComplete { handle, result: &result })?;
            }
            "echo" => send(Request::WorkComplete { handle, result: &workload })?,
            "talk" => {
                send(Request::WorkData { handle, data: b"one," })?;
                send(Request::WorkWarning { handle, warning: b"careful" })?;
                send(Request::WorkStatus { handle, numerator: b"1", denominator: b"2" })?;
                send(Request::WorkData { handle, data: b"two," })?;
                send(Request::WorkComplete { handle, result: b"end" })?;
            }
            "data" => {
                let pieces: usize = std::str::from_utf8(&workload)?.parse()?;
                for _ in 0..pieces {
                    send(Request::WorkData { handle, data: &[b'd'; 65_536] })?;
                }
                send(Request::WorkComplete { handle, result: b"" })?;
            }
            "fail" => send(Request::WorkFail { handle })?,
            "throw" => send(Request::WorkException { handle, exception: &workload })?,
            "hold" => {
                send(Request::WorkStatus { handle, numerator: b"1", denominator: b"4" })?;
                holding.send(workload.clone())?;
                gate.recv()?;
                send(Request::WorkComplete { handle, result: &[b"held:", &workload[..]].concat() })?;
            }
            "describe" => send(Request::WorkComplete { handle, result: described.as_bytes() })?,
            "count" => {
                let words = std::str::from_utf8(&workload)?.split_whitespace().count().to_string();
                send(Request::WorkComplete { handle, result: words.as_bytes() })?;
            }
            "sum" => {
                let numbers = std::str::from_utf8(&workload)?.split_whitespace().map(str::parse::<u64>);
                let sum = numbers.sum::<Result<u64, _>>()?.to_string();
                send(Request::WorkComplete { handle, result: sum.as_bytes() })?;
            }
            other => return Err(format!("a job of {other}").into()),
        }
    }
}

/// What must be told at once is told within this, whatever else the machine does. It would be [`LIMIT`] otherwise.
pub(crate) const SOON: Duration = Duration::from_secs(20);

pub(crate) async fn soon<T>(what: &str, told: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, told).await.unwrap_or_else(|_| panic!("{what} is told soon"))
}

/// Polls a future until something is so, before which it must not end. It is left alone then, as behind `select!`.
pub(crate) async fn pending_until(
    future: &mut (impl Future<Output: std::fmt::Debug> + Unpin),
    event: impl Future<Output = ()>,
) {
    tokio::select! {
        biased;
        ended = future => panic!("it ended: {ended:?}"),
        () = event => {}
    }
}

/// A server that does what a function says with each connection, in turn.
pub(crate) struct Script {
    pub(crate) address: String,
    thread: Option<JoinHandle<()>>,
}

impl Script {
    pub(crate) fn start(connections: usize, talk: impl Fn(usize, &mut TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let thread = thread::spawn(move || {
            for number in 0..connections {
                let mut accepted = None;
                wait_until("the client connects", || {
                    accepted = listener.accept().ok();
                    accepted.is_some()
                });
                let (mut stream, _) = accepted.unwrap();
                stream.set_nonblocking(false).unwrap();
                stream.set_read_timeout(Some(LIMIT)).unwrap();
                talk(number, &mut stream);
            }
        });
        Self { address, thread: Some(thread) }
    }

    /// One that answers the first request of each connection with these bytes, and says no more.
    pub(crate) fn answering(connections: usize, answer: &'static [u8]) -> Self {
        Self::start(connections, |_, stream| {
            greet(stream);
            read_packet(stream);
            stream.write_all(answer).unwrap();
            read_to_end(stream);
        })
    }

    /// Whether it has done all it was told.
    pub(crate) fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits until it has done all it was told.
    pub(crate) fn finish(mut self) {
        self.thread.take().unwrap().join().unwrap();
    }
}

/// Grants the option that a client asks for first.
pub(crate) fn greet(stream: &mut TcpStream) {
    assert_eq!(read_packet(stream).0, 26, "the option comes first");
    stream.write_all(b"\0RES\0\0\0\x1b\0\0\0\x0aexceptions").unwrap();
}

/// Reads one packet: its kind and body.
pub(crate) fn read_packet(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let mut header = [0; 12];
    stream.read_exact(&mut header).unwrap();
    let len = u32::from_be_bytes([header[8], header[9], header[10], header[11]]);
    let mut body = vec![0; len as usize];
    stream.read_exact(&mut body).unwrap();
    (header[7], body)
}

/// Waits until the client has closed its side.
pub(crate) fn read_to_end(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    // A reset is an end as well.
    let _end = stream.read_to_end(&mut rest);
}

/// Set in the process that runs one test alone.
const ALONE: &str = "GEARTRAIN_TEST_ALONE";

/// Runs a test in a process of its own, whose memory is that of the test; `name` is the test's, as the harness knows
/// it.
pub(crate) fn alone(name: &str, test: impl FnOnce()) {
    if std::env::var_os(ALONE).is_some() {
        return test();
    }
    let mut process = Command::new(std::env::current_exe().unwrap());
    let output = process.args([name, "--exact", "--nocapture"]).env(ALONE, "1").output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

/// Resident memory of this process, in KiB.
pub(crate) fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let row = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    row.trim().trim_end_matches(" kB").trim().parse().unwrap()
}

/// An error and its sources, with the ports of servers taken out.
pub(crate) fn told(error: &dyn std::error::Error, servers: &[&Server]) -> String {
    let mut text = String::new();
    write!(text, "{error}").unwrap();
    for server in servers {
        text = text.replace(&server.port.to_string(), "PORT");
    }
    text
}
