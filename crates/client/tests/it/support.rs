//! Real servers in processes of their own, and what all tests share.

use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, bind, getsockname, setsockopt, socket, sockopt,
};
use nix::unistd::Pid;
use std::future::Future;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
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
            $(#[test] fn $test() { super::$test($crate::support::Side::Ours); })*
        }
        mod reference {
            $(#[test] fn $test() { super::$test($crate::support::Side::Reference); })*
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
    options: &'static [&'static str],
    pub(crate) port: u16,
    /// Bound but not listened on: connections are refused, and the server can still take the port.
    _held: OwnedFd,
    process: Option<Child>,
    folder: tempfile::TempDir,
}

impl Server {
    pub(crate) fn start(side: Side) -> Self {
        Self::start_with(side, &[])
    }

    /// A server that is given these options as well.
    pub(crate) fn start_with(side: Side, options: &'static [&'static str]) -> Self {
        let held = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
        setsockopt(&held, sockopt::ReuseAddr, &true).unwrap();
        bind(held.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).unwrap();
        let port = getsockname::<SockaddrIn>(held.as_raw_fd()).unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let mut server = Self { side, options, port, _held: held, process: None, folder };
        server.start_again();
        server
    }

    pub(crate) fn start_again(&mut self) {
        let program = self.side.program();
        let mut command = Command::new(&program);
        command.args(["-p", &self.port.to_string(), "-L", "127.0.0.1", "--queue-type", "builtin"]);
        command.args(["-l", "none", "-P"]).arg(self.folder.path().join("gearmand.pid"));
        command.args(self.options);
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
        // Threads go on for a moment behind the signal, and may end in it.
        wait_until("all threads are stopped", || {
            let mut tasks = std::fs::read_dir(&tasks).unwrap();
            tasks.all(|task| {
                let stat = task.and_then(|task| std::fs::read_to_string(task.path().join("stat")));
                stat.is_ok_and(|stat| stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" T")))
            })
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

    /// Connections that the server lists, but that which asks.
    pub(crate) fn connections(&self) -> usize {
        self.ask("workers", ".\n").lines().count() - 2
    }

    pub(crate) fn ask(&self, command: &str, end: &str) -> String {
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

/// Runs a test on one thread, and fails when it takes too long.
pub(crate) fn within_limit<T>(test: impl Future<Output = T>) -> T {
    within(LIMIT, test)
}

/// The same for a test with much to do.
pub(crate) fn within<T>(limit: Duration, test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(limit, test).await.expect("the test ends in time") })
}

/// Waits until something is so that nobody tells of, and fails when it is not within the limit.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// As [`wait_until`], in a test that runs on a runtime, whose tasks go on meanwhile.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
