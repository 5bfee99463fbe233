//! What the tests of both tools share: running them, real servers, servers that misbehave, and a worker.

#![allow(dead_code, reason = "each tool's tests use their part")]

use geartrain_client::{Connection, ConnectionLimits, ServerAddress};
use geartrain_proto::{Function, GrabKind, Handle, Message, Request, Response, Step, decode_message};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, bind, getsockname, setsockopt, socket, sockopt,
};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Longest any step of a test may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Variable that names another server than the reference to run the same tests against.
const SERVER_UNDER_TEST: &str = "GEARMAND_UNDER_TEST";

/// A port of this test alone: bound but not listened on, so that connections to it are refused and a server
/// can still take it.
pub(crate) struct Port {
    pub(crate) number: u16,
    _held: OwnedFd,
}

impl Port {
    pub(crate) fn reserve() -> Self {
        let held = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
        setsockopt(&held, sockopt::ReuseAddr, &true).unwrap();
        bind(held.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).unwrap();
        let number = getsockname::<SockaddrIn>(held.as_raw_fd()).unwrap().port();
        Self { number, _held: held }
    }
}

/// The reference's server.
pub(crate) const REFERENCE: &str = "/usr/sbin/gearmand";

/// A real server: the reference, or the one the environment names.
pub(crate) struct Server {
    pub(crate) port: Port,
    path: PathBuf,
    process: Option<Child>,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_of(std::env::var_os(SERVER_UNDER_TEST).unwrap_or_else(|| REFERENCE.into()))
    }

    /// A server of this program.
    pub(crate) fn start_of(path: impl Into<PathBuf>) -> Self {
        let mut server = Self { port: Port::reserve(), path: path.into(), process: None };
        server.start_again();
        server
    }

    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.process.as_ref().unwrap().id()).unwrap()
    }

    /// Whether it tells which worker runs which job.
    pub(crate) fn tells_jobs(&self) -> bool {
        *self.path != *REFERENCE
    }

    /// Starts on the port it had.
    pub(crate) fn start_again(&mut self) {
        let path = self.path.display();
        let port = self.port.number.to_string();
        // Of a run that was ended itself: it would pass for that of this server.
        std::fs::remove_file(self.pid_file()).ok();
        let process = Command::new(&self.path)
            .args(["-p", &port, "-L", "127.0.0.1", "--queue-type", "builtin", "-l", "stderr", "-P"])
            .arg(self.pid_file())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("cannot start {path}: {error} (hint: `cargo xtask test` installs it)")
            });
        self.process = Some(process);
        wait_until("the server answers", || TcpStream::connect(("127.0.0.1", self.port.number)).is_ok());
        // It may answer first.
        wait_until("the server has written its process id", || self.pid_file().exists());
    }

    fn pid_file(&self) -> PathBuf {
        std::env::temp_dir().join(format!("geartrain-tools-test-{}.pid", self.port.number))
    }

    /// Ends the server without a word, as a crash would.
    pub(crate) fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
            // Not there where the test fails before the server has written it.
            std::fs::remove_file(self.pid_file()).ok();
        }
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port.number)
    }

    pub(crate) fn connect(&self) -> Connection {
        let address = ServerAddress::parse(&self.address(), 1).unwrap();
        Connection::open(&address, &ConnectionLimits::default()).unwrap()
    }

    /// The reply to a text command that is one line or a list.
    pub(crate) fn ask(&self, command: &str, end: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port.number)).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.write_all(format!("{command}\r\n").as_bytes()).unwrap();
        let mut reply = Vec::new();
        while !reply.ends_with(end.as_bytes()) {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            reply.push(byte[0]);
        }
        String::from_utf8(reply).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Waits until something outside this process is so, and fails when it is not within the limit.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// What one run of a tool did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) exit: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

impl Ran {
    /// Exit status and both streams, with line feeds shown as `\n` and ports, handles and versions filtered.
    pub(crate) fn shown(&self, ports: &[u16]) -> String {
        let stream = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).replace('\r', "\\r").replace('\n', "\\n\n");
            if text.is_empty() || text.ends_with('\n') { text } else { text + "\n" }
        };
        let mut shown = format!(
            "exit {:?}\n--- stdout\n{}--- stderr\n{}",
            self.exit,
            stream(&self.stdout),
            stream(&self.stderr)
        );
        for (number, port) in ports.iter().enumerate() {
            shown = shown.replace(&port.to_string(), &format!("PORT{number}"));
        }
        let handles: Vec<String> = shown
            .split(|c: char| c.is_whitespace() || c == '\\' || c == '"')
            .filter(|word| word.starts_with("H:") && word.split(':').count() == 3)
            .map(ToOwned::to_owned)
            .collect();
        for handle in handles {
            let number = handle.rsplit(':').next().unwrap().to_owned();
            shown = shown.replace(&handle, &format!("H:HOST:{number}"));
        }
        shown
    }
}

/// A tool that runs.
pub(crate) struct Running {
    pub(crate) child: Child,
    streams: mpsc::Receiver<(bool, Vec<u8>)>,
}

/// Starts a tool with nothing of this process's Gearman settings in its environment.
pub(crate) fn start(
    program: &str,
    arguments: &[&str],
    environment: &[(&str, &str)],
    input: &[u8],
) -> Running {
    let mut child = Command::new(program)
        .args(arguments)
        .env_remove("GEARMAN_SERVER")
        .env_remove("GEARMAN_SERVERS")
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| {
            panic!("cannot start {program}: {error} (hint: `cargo xtask test` installs it)")
        });
    let (sender, streams) = mpsc::channel();
    let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_vec());
    // A tool may end without reading its input.
    thread::spawn(move || stdin.write_all(&input).is_ok());
    let readers: [(bool, Box<dyn Read + Send>); 2] =
        [(true, Box::new(child.stdout.take().unwrap())), (false, Box::new(child.stderr.take().unwrap()))];
    for (is_stdout, mut reader) in readers {
        let sender = sender.clone();
        thread::spawn(move || {
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).unwrap();
            sender.send((is_stdout, bytes))
        });
    }
    Running { child, streams }
}

impl Running {
    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        let process = nix::unistd::Pid::from_raw(self.child.id().try_into().unwrap());
        nix::sys::signal::kill(process, signal).unwrap();
    }

    /// Waits for the end, and ends it with a failure where it takes too long.
    pub(crate) fn end(mut self) -> Ran {
        let mut ran = Ran { exit: None, stdout: Vec::new(), stderr: Vec::new() };
        for _stream in 0..2 {
            match self.streams.recv_timeout(LIMIT) {
                Ok((true, bytes)) => ran.stdout = bytes,
                Ok((false, bytes)) => ran.stderr = bytes,
                Err(error) => {
                    self.child.kill().unwrap();
                    panic!("the tool did not end within {LIMIT:?}: {error}");
                }
            }
        }
        ran.exit = self.child.wait().unwrap().code();
        ran
    }
}

pub(crate) fn run(program: &str, arguments: &[&str], input: &[u8]) -> Ran {
    start(program, arguments, &[], input).end()
}

/// A server of this process that does what a test says with each connection, one after the other.
pub(crate) struct FakeServer<T> {
    pub(crate) port: u16,
    thread: JoinHandle<T>,
}

impl<T: Send + 'static> FakeServer<T> {
    pub(crate) fn start(serve: impl FnOnce(TcpListener) -> T + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        Self { port, thread: thread::spawn(move || serve(listener)) }
    }

    /// What the server has seen.
    pub(crate) fn join(self) -> T {
        self.thread.join().unwrap()
    }
}

/// One connection of a fake server, typed.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    unread: Vec<u8>,
}

impl Peer {
    pub(crate) fn accept(listener: &TcpListener) -> Self {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        Self { stream, unread: Vec::new() }
    }

    /// Hands the next request or text line to `with`; `None` at the end of the stream.
    pub(crate) fn next<T>(&mut self, with: impl FnOnce(&Message<'_>) -> T) -> Option<T> {
        loop {
            if let Step::Complete { consumed, message } = decode_message(&self.unread, u32::MAX) {
                let seen = with(&message.unwrap());
                self.unread.drain(..consumed);
                return Some(seen);
            }
            let mut chunk = vec![0; 1 << 20];
            match self.stream.read(&mut chunk) {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.unread.extend_from_slice(&chunk[..count]),
            }
        }
    }

    pub(crate) fn send(&mut self, response: &Response<'_>) {
        let mut bytes = Vec::new();
        response.encode(&mut bytes);
        self.stream.write_all(&bytes).unwrap();
    }

    /// Waits for the other side to leave.
    pub(crate) fn linger(&mut self) {
        while self.next(|_| ()).is_some() {}
    }
}

/// A worker of this process that reports the same about each of `jobs` jobs.
#[expect(clippy::wildcard_enum_match_arm, reason = "the assertion names what is expected")]
pub(crate) fn worker(
    server: &Server,
    function: &'static str,
    jobs: usize,
    report: impl Fn(&mut Connection, Handle<'_>) + Send + 'static,
) -> JoinHandle<()> {
    let mut connection = server.connect();
    thread::spawn(move || {
        let send =
            |connection: &mut Connection, request: &Request<'_>| connection.send(request, "testing").unwrap();
        send(&mut connection, &Request::CanDo { function: Function::from(function) });
        let mut done = 0;
        while done < jobs {
            send(&mut connection, &Request::Grab(GrabKind::Plain));
            let handle = loop {
                match connection.receive(Some(LIMIT), "testing").unwrap() {
                    Response::JobAssign { handle, .. } => break Some(handle.as_bytes().to_vec()),
                    Response::NoJob => break None,
                    other => assert_eq!(other, Response::Noop, "no answer to a grab"),
                }
            };
            match handle {
                Some(handle) => {
                    report(&mut connection, Handle::new(&handle));
                    done += 1;
                }
                None => {
                    send(&mut connection, &Request::PreSleep);
                    connection.receive(Some(LIMIT), "testing").unwrap();
                }
            }
        }
        // Its answer says that the server has read the last report.
        send(&mut connection, &Request::Echo { data: b"" });
        while !matches!(connection.receive(Some(LIMIT), "testing").unwrap(), Response::Echo { .. }) {}
    })
}
