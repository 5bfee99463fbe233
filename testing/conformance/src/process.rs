//! A server in a process of its own, talked to over loopback sockets.

use crate::run::{Item, Server};
use crate::talk::Runner;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, bind, getsockname, setsockopt, socket, sockopt,
};
use std::collections::{BTreeMap, VecDeque};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long the reference's lists of jobs are watched for the end of a client: it shows there only when nobody
/// else waits for the client's jobs.
const NOTHING_TO_SEE: Duration = Duration::from_millis(500);

/// What a request whose answer only shows that all before it was done carries.
const SETTLE: &[u8] = b"\x02settle ";

/// A server process, ended when dropped.
#[derive(Debug)]
pub struct Process {
    runner: Runner,
    program: PathBuf,
    options: Vec<String>,
    folder: PathBuf,
    port: u16,
    /// Bound but not listened on: nobody else is given the port, and the server can take it, also after a restart.
    _held: OwnedFd,
    child: Child,
    conns: BTreeMap<String, Conn>,
    settles: u64,
    /// Lists the connections; open as long as the server, so that it is always among them.
    watch: Option<TcpStream>,
}

#[derive(Debug)]
struct Conn {
    stream: TcpStream,
    unread: Vec<u8>,
    inbox: VecDeque<Item>,
    closed: bool,
    /// Ends of [`SETTLE`] answers that came.
    settled: u64,
    half_closed: bool,
}

impl Process {
    /// Starts `program` on a free port of the loopback, with its state in `folder`.
    ///
    /// # Panics
    /// When it cannot be started, or does not listen within twenty seconds.
    #[must_use]
    pub fn start(runner: Runner, program: &Path, options: &[String], folder: &Path) -> Self {
        let (port, held) = hold_port();
        let child = spawn(runner, program, options, folder, port);
        let mut process = Self {
            runner,
            program: program.to_owned(),
            options: options.to_vec(),
            folder: folder.to_owned(),
            port,
            _held: held,
            child,
            conns: BTreeMap::new(),
            settles: 0,
            watch: None,
        };
        process.wait_until_it_answers();
        process
    }

    fn wait_until_it_answers(&mut self) {
        let limit = Instant::now() + PATIENCE;
        loop {
            if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) {
                // The port may answer before the server does.
                let asked = stream
                    .write_all(b"\0REQ\0\0\0\x10\0\0\0\x01x")
                    .and_then(|()| stream.set_read_timeout(Some(PATIENCE)))
                    .and_then(|()| stream.read_exact(&mut [0; 13]));
                if asked.is_ok() {
                    if self.runner == Runner::Daemon {
                        // It lists jobs and echoes while the stored jobs are loaded, but this waits until they are.
                        list(&mut stream, "workers list {}");
                    }
                    self.watch = Some(stream);
                    return;
                }
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("{} ended at its start: {status}", self.program.display());
            }
            assert!(Instant::now() < limit, "{} does not listen", self.program.display());
            std::thread::yield_now();
        }
    }

    fn conn(&mut self, name: &str) -> &mut Conn {
        self.conns.get_mut(name).expect("a step connects before it uses a connection")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A process that has ended already cannot be killed; both are fine here.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// How many connections the server lists.
fn connections(watch: &mut TcpStream) -> usize {
    list(watch, "workers").iter().filter(|byte| **byte == b'\n').count()
}

/// What the server lists of functions, their workers, and jobs.
fn job_lists(watch: &mut TcpStream) -> Vec<u8> {
    [list(watch, "status"), list(watch, "show jobs")].concat()
}

fn list(watch: &mut TcpStream, command: &str) -> Vec<u8> {
    watch.write_all(format!("{command}\r\n").as_bytes()).expect("an open socket");
    watch.set_read_timeout(Some(PATIENCE)).expect("a socket option");
    let mut listing = Vec::new();
    let mut byte = [0];
    while listing != b".\n" && !listing.ends_with(b"\n.\n") {
        watch.read_exact(&mut byte).expect("the list ends with a dot");
        listing.push(byte[0]);
    }
    listing
}

/// A port of the loopback, and what keeps it from being given to others.
fn hold_port() -> (u16, OwnedFd) {
    let held = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).expect("a socket");
    setsockopt(&held, sockopt::ReuseAddr, &true).expect("a socket option");
    bind(held.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).expect("a free port");
    let address: SockaddrIn = getsockname(held.as_raw_fd()).expect("a bound socket has an address");
    (address.port(), held)
}

fn spawn(runner: Runner, program: &Path, options: &[String], folder: &Path, port: u16) -> Child {
    let mut command = Command::new(program);
    command.args(["--listen", "127.0.0.1", "--port", &port.to_string()]).args(options);
    command.args(["--log-file", "none", "--pid-file"]).arg(folder.join("gearmand.pid"));
    if runner == Runner::Daemon {
        command.args(["--http-listen", "none"]);
    }
    command.env("STATE_DIRECTORY", folder).current_dir(folder);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap_or_else(|error| panic!("{} does not start: {error}", program.display()))
}

impl Server for Process {
    fn runner(&self) -> Runner {
        self.runner
    }

    fn connect(&mut self, conn: &str) {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the server listens");
        stream.set_nodelay(true).expect("a socket option");
        let new = Conn {
            stream,
            unread: Vec::new(),
            inbox: VecDeque::new(),
            closed: false,
            settled: 0,
            half_closed: false,
        };
        self.conns.insert(conn.to_owned(), new);
        self.settle(conn);
    }

    fn send(&mut self, conn: &str, bytes: &[u8], split: bool) {
        let conn = self.conn(conn);
        let size = if split { 1 } else { bytes.len().max(1) };
        for piece in bytes.chunks(size) {
            if conn.stream.write_all(piece).is_err() {
                // The server has closed it, which the next step sees.
                return;
            }
        }
    }

    fn settle(&mut self, conn: &str) {
        self.settles += 1;
        let number = self.settles;
        let conn = self.conn(conn);
        if conn.closed || conn.half_closed {
            return;
        }
        let body = [SETTLE, number.to_string().as_bytes()].concat();
        let mut packet = b"\0REQ\0\0\0\x10".to_vec();
        packet.extend_from_slice(&u32::try_from(body.len()).unwrap_or(0).to_be_bytes());
        packet.extend(body);
        if conn.stream.write_all(&packet).is_err() {
            conn.read_until(|conn| conn.closed);
            return;
        }
        conn.read_until(|conn| conn.closed || conn.settled >= number);
    }

    fn receive(&mut self, conn: &str, wait: bool) -> Option<Item> {
        let conn = self.conn(conn);
        if wait {
            conn.read_until(|conn| conn.closed || !conn.inbox.is_empty());
        }
        conn.inbox.pop_front().or_else(|| conn.closed.then_some(Item::Closed))
    }

    fn close(&mut self, conn: &str) {
        let closed = self.conns.remove(conn).expect("a step connects before it uses a connection");
        let watch = self.watch.as_mut().expect("a server that answered");
        if self.runner == Runner::Reference {
            // It stops listing the connection, and even closes its side, before another thread sees to the
            // jobs; only their lists show that it did.
            let before = job_lists(watch);
            let patience = if conn.starts_with('w') { PATIENCE } else { NOTHING_TO_SEE };
            drop(closed);
            let limit = Instant::now() + patience;
            while job_lists(watch) == before && Instant::now() < limit {
                std::thread::yield_now();
            }
            return;
        }
        let before = connections(watch);
        drop(closed);
        let limit = Instant::now() + PATIENCE;
        // All that closed before is no longer listed, so fewer shows the end of this one.
        while connections(watch) >= before {
            assert!(Instant::now() < limit, "the server keeps the connection {conn} that its peer closed");
            std::thread::yield_now();
        }
    }

    fn half_close(&mut self, conn: &str) {
        let conn = self.conn(conn);
        conn.half_closed = true;
        conn.stream.shutdown(Shutdown::Write).expect("an open socket");
    }

    fn advance(&mut self, span: Duration) {
        assert!(span <= Duration::from_secs(4), "a talk over sockets really waits; {span:?} is too long");
        std::thread::sleep(span);
    }

    fn unix_seconds(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    }

    fn restart(&mut self) {
        self.conns.clear();
        self.watch = None;
        self.child.kill().expect("a running server can be killed");
        self.child.wait().expect("a killed server ends");
        self.child = spawn(self.runner, &self.program, &self.options, &self.folder, self.port);
        self.wait_until_it_answers();
    }

    fn signal(&mut self, name: &str) {
        let status = Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status()
            .expect("kill can be run");
        assert!(status.success(), "the server takes SIG{name}");
    }

    fn exit_code(&mut self) -> Option<i32> {
        let limit = Instant::now() + PATIENCE;
        while Instant::now() < limit {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                return status.code();
            }
            std::thread::yield_now();
        }
        None
    }
}

impl Conn {
    /// Reads until the condition holds or patience ends.
    fn read_until(&mut self, done: impl Fn(&Conn) -> bool) {
        let limit = Instant::now() + PATIENCE;
        let mut chunk = vec![0; 64 * 1024];
        while !done(self) {
            let left = limit.saturating_duration_since(Instant::now());
            if left.is_zero() || self.stream.set_read_timeout(Some(left)).is_err() {
                return;
            }
            match self.stream.read(&mut chunk) {
                Ok(0) => self.closed = true,
                Ok(len) => {
                    self.unread.extend_from_slice(&chunk[..len]);
                    self.take_items();
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return,
                Err(_) => self.closed = true,
            }
        }
    }

    fn take_items(&mut self) {
        let mut rest = std::mem::take(&mut self.unread);
        let mut start = 0;
        while let Some((item, len)) = first_item(&rest[start..]) {
            start += len;
            self.keep(item);
        }
        rest.drain(..start);
        self.unread = rest;
    }

    fn keep(&mut self, item: Item) {
        match item {
            Item::Packet { kind: 17, body } if body.starts_with(SETTLE) => {
                let number =
                    std::str::from_utf8(&body[SETTLE.len()..]).ok().and_then(|text| text.parse().ok());
                self.settled = number.expect("the server sends back what it got");
            }
            Item::Text(text) => match self.inbox.back_mut() {
                Some(Item::Text(before)) => before.extend(text),
                _ => self.inbox.push_back(Item::Text(text)),
            },
            item => self.inbox.push_back(item),
        }
    }
}

/// The first whole item of what was read, and its length. A run of text ends where a packet begins.
pub(crate) fn first_item(unread: &[u8]) -> Option<(Item, usize)> {
    if *unread.first()? != 0 {
        let len = unread.iter().position(|byte| *byte == 0).unwrap_or(unread.len());
        return Some((Item::Text(unread[..len].to_vec()), len));
    }
    let header = unread.get(..12)?;
    assert_eq!(&header[..4], b"\0RES", "a server answers with the magic of a response");
    let word = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let len = 12 + word(8) as usize;
    let body = unread.get(12..len)?.to_vec();
    Some((Item::Packet { kind: word(4), body }, len))
}
