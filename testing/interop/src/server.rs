//! A server of its own for one cell: started on a free port, asked until it answers, ended with the cell.
//!
//! From: `matrix`. To: `scenario`, which gets the port and a text connection.
//! Never: talks to a server that it did not start (the answer to `getpid` must be the child's).

use crate::deadline::{Deadline, Failure};
use crate::peer::{Peer, tethered};
use rustix::net::sockopt::set_socket_reuseaddr;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::Duration;

/// Ports are taken below the range from which the system gives them to outgoing connections.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// The pause between two questions to a server that has not what is waited for yet.
const POLL: Duration = Duration::from_millis(5);

/// Which server a cell is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// The reference server of the distribution.
    Reference,
    /// This project's server.
    Ours,
}

impl Side {
    /// As the table calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Reference => "reference",
            Self::Ours => "ours",
        }
    }
}

/// One running server.
#[derive(Debug)]
pub struct Server {
    /// The port it listens on, on loopback.
    pub port: u16,
    process: Peer,
    text: BufReader<TcpStream>,
}

impl Server {
    /// Starts the program on a free port with the memory queue and waits until it answers.
    ///
    /// `folder` takes its pid file.
    ///
    /// # Errors
    /// When it ends, or does not answer before the deadline.
    pub fn start(program: &Path, folder: &Path, deadline: Deadline) -> Result<Self, Failure> {
        let port = free_port()?;
        let mut command = tethered(program);
        command
            .args(["-p", &port.to_string(), "-L", "127.0.0.1", "--queue-type", "builtin", "-l", "stderr"])
            .arg("-P")
            .arg(folder.join("gearmand.pid"))
            .current_dir(folder);
        let mut process = Peer::spawn("the server", command)?;
        let text = loop {
            deadline.left("the server to listen")?;
            if process.has_ended() {
                return Err(process.ended(deadline));
            }
            match TcpStream::connect(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)) {
                Ok(stream) => break stream,
                Err(_) => thread::sleep(POLL),
            }
        };
        let mut server = Self { port, process, text: BufReader::new(text) };
        server.version(deadline)?;
        let answer = server.ask_line("getpid", deadline)?;
        if answer != format!("OK {}", server.process.pid()) {
            return Err(Failure::Unexpected(format!("port {port} is answered by another process: {answer}")));
        }
        Ok(server)
    }

    /// What the server calls its version.
    ///
    /// # Errors
    /// When the answer is not `OK` and a version.
    pub fn version(&mut self, deadline: Deadline) -> Result<String, Failure> {
        let answer = self.ask_line("version", deadline)?;
        answer
            .strip_prefix("OK ")
            .map(str::to_owned)
            .ok_or_else(|| Failure::Unexpected(format!("`version` is answered with {answer}")))
    }

    /// Waits until a function has this many workers, by the text command `status`.
    ///
    /// # Errors
    /// When it has fewer at the deadline.
    pub fn await_workers(&mut self, function: &str, workers: u64, deadline: Deadline) -> Result<(), Failure> {
        self.await_status(function, deadline, &format!("{workers} workers for {function}"), |row| {
            row.2 >= workers
        })
    }

    /// Waits until a function has no job, waiting or running.
    ///
    /// # Errors
    /// When it has some at the deadline.
    pub fn await_no_jobs(&mut self, function: &str, deadline: Deadline) -> Result<(), Failure> {
        self.await_status(function, deadline, &format!("the end of all {function} jobs"), |row| row.0 == 0)
    }

    fn await_status(
        &mut self,
        function: &str,
        deadline: Deadline,
        waiting_for: &str,
        wanted: impl Fn(&(u64, u64, u64)) -> bool,
    ) -> Result<(), Failure> {
        while !self.status(deadline)?.get(function).is_some_and(&wanted) {
            deadline.left(waiting_for)?;
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// Total, running and workers of each function.
    fn status(&mut self, deadline: Deadline) -> Result<HashMap<String, (u64, u64, u64)>, Failure> {
        self.send("status", deadline)?;
        let mut rows = HashMap::new();
        loop {
            let line = self.line(deadline)?;
            if line == "." {
                return Ok(rows);
            }
            let mut words = line.split('\t');
            let function = words.next().unwrap_or_default().to_owned();
            let mut number = || words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
            rows.insert(function, (number(), number(), number()));
        }
    }

    fn ask_line(&mut self, command: &str, deadline: Deadline) -> Result<String, Failure> {
        self.send(command, deadline)?;
        self.line(deadline)
    }

    fn send(&mut self, command: &str, deadline: Deadline) -> Result<(), Failure> {
        let stream = self.text.get_mut();
        stream.set_read_timeout(Some(deadline.left(command)?)).map_err(Failure::io("text connection"))?;
        stream.write_all(format!("{command}\r\n").as_bytes()).map_err(Failure::io("text connection"))
    }

    fn line(&mut self, deadline: Deadline) -> Result<String, Failure> {
        let mut line = String::new();
        match self.text.read_line(&mut line) {
            Ok(0) => Err(self.process.ended(deadline)),
            Ok(_) => Ok(line.trim_end().to_owned()),
            Err(_) if deadline.left("").is_err() => {
                Err(Failure::TimedOut("an answer to a text command".to_owned()))
            }
            Err(source) => Err(Failure::io("text connection")(source)),
        }
    }

    /// Says whether the server died under the cell, and how.
    pub fn post_mortem(&mut self) -> Option<Failure> {
        self.process.has_ended().then(|| self.process.ended(Deadline::after(Duration::from_secs(1))))
    }
}

/// The reference server of the distribution.
pub const REFERENCE: &str = "/usr/sbin/gearmand";

/// This project's server: the newest one built in the workspace's target folder.
#[must_use]
pub fn built_server(root: &Path) -> Option<PathBuf> {
    let target = crate::scratch(root).parent()?.to_path_buf();
    ["release", "debug"]
        .into_iter()
        .map(|profile| target.join(profile).join("gearmand"))
        .filter_map(|path| Some((path.metadata().ok()?.modified().ok()?, path)))
        .max()
        .map(|(_, path)| path)
}

/// A port that nobody listens on; each is given once per run, so two cells never meet.
fn free_port() -> Result<u16, Failure> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let size = PORTS.end - PORTS.start;
    // Runs side by side start at different places.
    let first = u16::try_from(std::process::id() % u32::from(size)).unwrap_or(0);
    for _ in 0..size {
        let step = NEXT.fetch_add(1, Ordering::Relaxed) % size;
        let offset = (u32::from(first) * 7 + u32::from(step)) % u32::from(size);
        let port = PORTS.start + u16::try_from(offset).unwrap_or(0);
        if is_free(port) {
            return Ok(port);
        }
    }
    Err(Failure::Unexpected(format!("no free port between {} and {}", PORTS.start, PORTS.end)))
}

/// Takes the port for a moment, without listening on it: a process that another thread starts just now has
/// all sockets of this one until it becomes its program, and a listener among them would take the connection
/// that is meant for the server.
fn is_free(port: u16) -> bool {
    let attempt = || {
        let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        set_socket_reuseaddr(&socket, true)?;
        bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))
    };
    attempt().is_ok()
}
