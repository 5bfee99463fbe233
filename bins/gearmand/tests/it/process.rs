//! A server in a process of its own.

use crate::peer::{PATIENCE, Peer};
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, bind, getsockname, setsockopt, socket, sockopt,
};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A running `gearmand`, killed with the test.
#[derive(Debug)]
pub(crate) struct Gearmand {
    child: Child,
    said: Arc<Mutex<Vec<String>>>,
    /// Hears what it says, to the end.
    listener: Option<JoinHandle<()>>,
    pub(crate) addresses: Vec<String>,
    pub(crate) folder: TempDir,
}

/// The program, with nothing of the machine's in its environment.
pub(crate) fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gearmand"));
    command.env_clear().env("PATH", "/usr/bin:/bin").env("STATE_DIRECTORY", folder).current_dir(folder);
    command.stdin(Stdio::null());
    command
}

impl Gearmand {
    /// On any port of the loopback, in a folder of its own.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_in(TempDir::new().unwrap(), arguments)
    }

    pub(crate) fn start_in(folder: TempDir, arguments: &[&str]) -> Self {
        let mut command = command(folder.path());
        let given = |short, long| {
            arguments.iter().any(|argument: &&str| argument.starts_with(short) || argument.starts_with(long))
        };
        for (short, long, argument) in [
            ("-l", "--log-file", "-lstderr"),
            ("-p", "--port", "-p0"),
            ("-L", "--listen", "-L127.0.0.1"),
            ("--http", "--http", "--http-listen=none"),
        ] {
            if !given(short, long) {
                command.arg(argument);
            }
        }
        Self::spawn(folder, command.args(arguments))
    }

    pub(crate) fn spawn(folder: TempDir, command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let heard = Arc::clone(&said);
        let listener = thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                heard.lock().unwrap().push(line);
            }
        });
        let mut server = Self { child, said, listener: Some(listener), addresses: Vec::new(), folder };
        let line = server.wait_for_line("gearmand: listening on ");
        server.addresses = line.split(", ").map(|address| address.trim().to_owned()).collect();
        server
    }

    /// Waits until a line of its log has this in it.
    pub(crate) fn wait_for_text(&self, text: &str) {
        wait_until(text, || self.said().iter().any(|line| line.contains(text)));
    }

    /// Waits until it has said a line with this beginning; returns the rest of that line.
    pub(crate) fn wait_for_line(&mut self, beginning: &str) -> String {
        let mut found = None;
        wait_until(beginning, || {
            // Once it has ended it has said all; what it said may be on its way here still.
            let is_all_said = self.listener.as_ref().is_none_or(JoinHandle::is_finished);
            found = self.said().iter().find_map(|line| line.strip_prefix(beginning).map(str::to_owned));
            assert!(found.is_some() || !is_all_said, "it has ended: {:?}", self.said());
            found.is_some()
        });
        found.unwrap()
    }

    /// All that it has said on standard error, as far as it was heard: to the last word behind [`Self::wait`].
    pub(crate) fn said(&self) -> Vec<String> {
        self.said.lock().unwrap().clone()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.addresses[0].parse().unwrap()
    }

    pub(crate) fn connect(&self) -> Peer {
        Peer::connect(self.address())
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    /// Waits for its end, and until its last words were heard.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let status = wait_for_end(&mut self.child);
        if let Some(listener) = self.listener.take() {
            wait_until("its last words are heard", || listener.is_finished());
        }
        status
    }

    /// Ends it at once, as a power cut would, and keeps its folder.
    pub(crate) fn kill(mut self) -> TempDir {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::mem::replace(&mut self.folder, TempDir::new().unwrap())
    }

    /// Processor time it has used.
    pub(crate) fn cpu_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        // Linux counts in hundredths of a second everywhere.
        Duration::from_millis(ticks * 10)
    }

    /// Memory of it that is in RAM, in bytes.
    pub(crate) fn resident(&self) -> u64 {
        let statm = std::fs::read_to_string(format!("/proc/{}/statm", self.id())).unwrap();
        statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
    }
}

impl Drop for Gearmand {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Waits for something that can only be asked for.
pub(crate) fn wait_until(what: &str, mut reached: impl FnMut() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !reached() {
        assert!(Instant::now() < give_up, "not reached: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn wait_for_end(child: &mut Child) -> ExitStatus {
    let mut status = None;
    wait_until("the process ends", || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    status.unwrap()
}

/// A port of the loopback that is a test's own: bound but not listened on. Nobody else is given it, connections to it
/// are refused, and a server can still take it.
#[derive(Debug)]
pub(crate) struct HeldPort {
    pub(crate) address: SocketAddr,
    _held: OwnedFd,
}

impl HeldPort {
    pub(crate) fn new() -> Self {
        let held = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
        setsockopt(&held, sockopt::ReuseAddr, &true).unwrap();
        bind(held.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).unwrap();
        let port = getsockname::<SockaddrIn>(held.as_raw_fd()).unwrap().port();
        Self { address: SocketAddr::from(([127, 0, 0, 1], port)), _held: held }
    }

    /// The option that gives it to a server.
    pub(crate) fn option(&self) -> String {
        format!("-p{}", self.address.port())
    }
}

/// Runs the program to its end: exit code, standard output and standard error together.
pub(crate) fn run_in(folder: &Path, arguments: &[&str]) -> String {
    let output = command(folder).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).replace(&folder.display().to_string(), "FOLDER");
    let code = output.status.code().map_or("none".to_owned(), |code| code.to_string());
    format!("exit {code}\n-- stdout\n{}-- stderr\n{}", text(&output.stdout), text(&output.stderr))
}
