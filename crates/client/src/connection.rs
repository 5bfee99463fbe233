//! A blocking connection to one server, with a time limit on every operation.
//!
//! From: a [`ServerAddress`]. To: requests written, responses read, borrowed from the connection's buffer.
//! Never: waits beyond its limits, reconnects, or interprets a packet.

use crate::address::ServerAddress;
use crate::error::ClientError;
use crate::inbox::Inbox;
use crate::limits::{
    BODY_BYTES_MAX_DEFAULT, CONNECT_LIMIT_DEFAULT, KEEPALIVE_IDLE, NO_LIMIT, READ_BYTES_MIN,
    WRITE_LIMIT_DEFAULT,
};
use geartrain_proto::{DecodeError, Request, Response};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, setsockopt, socket, sockopt};
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// The limits of one connection.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    /// How long connecting may take, over all addresses of the host; default 10 seconds.
    pub connect: Duration,
    /// How long the server may take none of the bytes written; default 60 seconds.
    pub write: Duration,
    /// Largest packet body taken, in bytes; default 256 MiB.
    pub body_bytes_max: u32,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            connect: CONNECT_LIMIT_DEFAULT,
            write: WRITE_LIMIT_DEFAULT,
            body_bytes_max: BODY_BYTES_MAX_DEFAULT,
        }
    }
}

/// A connection to one server.
#[derive(Debug)]
pub struct Connection {
    server: ServerAddress,
    stream: Stream,
    inbox: Inbox,
    outbox: Vec<u8>,
    chunk: Vec<u8>,
    write_limit: Duration,
    /// Whether answers may still come that would be taken for those of the next command.
    pub(crate) is_spent: bool,
}

#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Connection {
    /// Connects to a server; all addresses of its host are tried, within one limit that they share.
    ///
    /// # Errors
    /// When the host has no address, or none of them takes the connection in time.
    pub fn open(server: &ServerAddress, limits: &ConnectionLimits) -> Result<Self, ClientError> {
        let stream = match server {
            ServerAddress::Tcp { host, port } => {
                Stream::Tcp(connect_tcp(server, (host.as_str(), *port), limits.connect)?)
            }
            ServerAddress::Unix(path) => {
                let failed = |cause| ClientError::Connect { server: server.clone(), cause };
                Stream::Unix(connect_unix(path).map_err(failed)?)
            }
        };
        stream
            .set_write_limit(limits.write)
            .map_err(|cause| ClientError::Connect { server: server.clone(), cause })?;
        Ok(Self {
            server: server.clone(),
            stream,
            inbox: Inbox::new(limits.body_bytes_max),
            outbox: Vec::new(),
            chunk: Vec::new(),
            write_limit: limits.write,
            is_spent: false,
        })
    }

    /// The server at the other end.
    #[must_use]
    pub fn server(&self) -> &ServerAddress {
        &self.server
    }

    /// Writes one request; `doing` names the step in an error.
    ///
    /// # Errors
    /// When the connection broke, or the server took nothing for the limit.
    pub fn send(&mut self, request: &Request<'_>, doing: &'static str) -> Result<(), ClientError> {
        let mut packet = std::mem::take(&mut self.outbox);
        packet.clear();
        request.encode(&mut packet);
        let sent = self.send_bytes(&packet, doing);
        packet.shrink_to(crate::limits::READ_BYTES_MAX);
        self.outbox = packet;
        sent
    }

    /// Writes bytes as they stand.
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub(crate) fn send_bytes(&mut self, bytes: &[u8], doing: &'static str) -> Result<(), ClientError> {
        self.stream.write_all(bytes).map_err(|cause| self.failed(cause, doing, self.write_limit))
    }

    /// Waits for the next packet, at most `limit` for each piece of it; `None` waits without a limit.
    ///
    /// # Errors
    /// When the limit runs out, the connection ends, or what comes is no packet.
    pub fn receive(
        &mut self,
        limit: Option<Duration>,
        doing: &'static str,
    ) -> Result<Response<'_>, ClientError> {
        // The loop only finds out that a packet is whole, so that the borrow of the answer can begin behind it.
        while !self.inbox.has_response() {
            self.fill(limit, doing)?;
        }
        self.take_received()
    }

    /// Whether [`Connection::receive`] has a packet, or an error, to hand out without a wait.
    ///
    /// For a caller that waits for more than this connection: it waits until the socket is readable, calls
    /// [`Connection::fill`], and asks again.
    pub fn has_response(&mut self) -> bool {
        self.inbox.has_response()
    }

    /// Reads once what the socket has, at most `limit` long.
    ///
    /// # Errors
    /// As [`Connection::receive`].
    pub fn fill(&mut self, limit: Option<Duration>, doing: &'static str) -> Result<(), ClientError> {
        let known = limit.unwrap_or_default();
        if limit == Some(Duration::ZERO) {
            return Err(ClientError::TimedOut { server: self.server.clone(), doing, limit: known });
        }
        self.stream.set_read_limit(limit).map_err(|cause| self.failed(cause, doing, known))?;
        self.chunk.resize(self.inbox.wanted().max(READ_BYTES_MIN), 0);
        let count = loop {
            match self.stream.read(&mut self.chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) => return Err(self.failed(cause, doing, known)),
                Ok(0) => return Err(ClientError::Closed { server: self.server.clone(), doing }),
                Ok(count) => break count,
            }
        };
        self.inbox.feed(self.chunk.get(..count).unwrap_or_default());
        Ok(())
    }

    pub(crate) fn inbox(&mut self) -> &mut Inbox {
        &mut self.inbox
    }

    fn take_received(&mut self) -> Result<Response<'_>, ClientError> {
        let server = &self.server;
        match self.inbox.take_response() {
            Some(Ok(response)) => Ok(response),
            Some(Err(DecodeError::BodyTooLarge { len, max })) => {
                Err(ClientError::BodyTooLarge { server: server.clone(), bytes: len, max })
            }
            Some(Err(cause)) => Err(ClientError::Protocol { server: server.clone(), cause }),
            None => Err(ClientError::Closed { server: server.clone(), doing: "reading a packet" }),
        }
    }

    fn failed(&self, cause: io::Error, doing: &'static str, limit: Duration) -> ClientError {
        let server = self.server.clone();
        if ClientError::is_time_limit(&cause) {
            ClientError::TimedOut { server, doing, limit }
        } else {
            ClientError::Broken { server, doing, cause }
        }
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.stream {
            Stream::Tcp(stream) => stream.as_fd(),
            Stream::Unix(stream) => stream.as_fd(),
        }
    }
}

impl Stream {
    fn set_read_limit(&self, limit: Option<Duration>) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.set_read_timeout(limit),
            Stream::Unix(stream) => stream.set_read_timeout(limit),
        }
    }

    fn set_write_limit(&self, limit: Duration) -> io::Result<()> {
        let limit = Some(limit).filter(|limit| !limit.is_zero());
        match self {
            Stream::Tcp(stream) => stream.set_write_timeout(limit),
            Stream::Unix(stream) => stream.set_write_timeout(limit),
        }
    }

    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.read(into),
            Stream::Unix(stream) => stream.read(into),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.write_all(bytes),
            Stream::Unix(stream) => stream.write_all(bytes),
        }
    }
}

fn connect_tcp(
    server: &ServerAddress,
    host_and_port: (&str, u16),
    limit: Duration,
) -> Result<TcpStream, ClientError> {
    let deadline = Instant::now() + limit.min(NO_LIMIT);
    let unresolved = |cause| ClientError::Resolve { server: server.clone(), cause };
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    let addresses: Vec<_> = host_and_port.to_socket_addrs().map_err(unresolved)?.collect();
    for (count, address) in (1..=addresses.len()).rev().zip(&addresses) {
        // Each gets its share of the time that is left: one that swallows everything must not use it all.
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let share = deadline.saturating_duration_since(Instant::now()) / count;
        if share.is_zero() {
            last = io::ErrorKind::TimedOut.into();
            break;
        }
        match TcpStream::connect_timeout(address, share).and_then(set_manners) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    let server = server.clone();
    if ClientError::is_time_limit(&last) {
        return Err(ClientError::TimedOut { server, doing: "connecting", limit });
    }
    Err(ClientError::Connect { server, cause: last })
}

/// Connects at once or not at all: a full backlog is an error here, where a blocking socket would wait.
fn connect_unix(path: &Path) -> io::Result<UnixStream> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    connect(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
    let stream = UnixStream::from(socket);
    stream.set_nonblocking(false)?;
    Ok(stream)
}

/// No delay, since every packet is waited for; keepalive, so that a vanished server is noticed.
fn set_manners(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    let idle_seconds = u32::try_from(KEEPALIVE_IDLE.as_secs()).unwrap_or(u32::MAX);
    setsockopt(&stream, sockopt::KeepAlive, &true)?;
    setsockopt(&stream, sockopt::TcpKeepIdle, &idle_seconds)?;
    setsockopt(&stream, sockopt::TcpKeepInterval, &(idle_seconds / 3))?;
    setsockopt(&stream, sockopt::TcpKeepCount, &3)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::socket::{Backlog, bind, listen};
    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;

    const LIMIT: Option<Duration> = Some(Duration::from_secs(10));

    fn tcp(listener: &TcpListener) -> ServerAddress {
        ServerAddress::Tcp { host: "127.0.0.1".to_owned(), port: listener.local_addr().unwrap().port() }
    }

    #[test]
    fn packets_pass_a_unix_socket() {
        let path = std::env::temp_dir().join(format!("geartrain-client-test-{}.sock", std::process::id()));
        // Of a run that was ended itself.
        std::fs::remove_file(&path).ok();
        let listener = UnixListener::bind(&path).unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 15];
            stream.read_exact(&mut request).unwrap();
            let mut answer = Vec::new();
            Response::Echo { data: &request[12..] }.encode(&mut answer);
            // In two pieces, the second of which ends the connection.
            stream.write_all(&answer[..5]).unwrap();
            stream.write_all(&answer[5..]).unwrap();
        });
        let address = ServerAddress::parse(&format!("unix:{}", path.display()), 1).unwrap();
        let mut connection = Connection::open(&address, &ConnectionLimits::default()).unwrap();
        connection.send(&Request::Echo { data: b"abc" }, "testing").unwrap();
        assert_eq!(connection.receive(LIMIT, "testing").unwrap(), Response::Echo { data: b"abc" });
        let gone = connection.receive(LIMIT, "testing").unwrap_err();
        assert!(gone.to_string().ends_with("closed the connection while testing"), "{gone}");
        server.join().unwrap();
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_unix_socket_with_a_full_backlog_is_not_waited_for() {
        let path = std::env::temp_dir().join(format!("geartrain-client-full-{}.sock", std::process::id()));
        std::fs::remove_file(&path).ok();
        let listener = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
        bind(listener.as_raw_fd(), &UnixAddr::new(&path).unwrap()).unwrap();
        listen(&listener, Backlog::new(1).unwrap()).unwrap();
        let address = ServerAddress::parse(&format!("unix:{}", path.display()), 1).unwrap();
        let opened: Vec<_> =
            (0..100).map_while(|_| Connection::open(&address, &ConnectionLimits::default()).ok()).collect();
        let error = Connection::open(&address, &ConnectionLimits::default()).unwrap_err().to_string();
        assert!(error.contains(": try again"), "{} opened, {error}", opened.len());
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_server_that_takes_nothing_is_left_at_the_write_limit() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let limits = ConnectionLimits { write: Duration::from_millis(100), ..ConnectionLimits::default() };
        let mut connection = Connection::open(&tcp(&listener), &limits).unwrap();
        let error = connection.send(&Request::Echo { data: &vec![0; 64 << 20] }, "testing").unwrap_err();
        assert!(matches!(error, ClientError::TimedOut { doing: "testing", .. }), "{error}");
    }

    #[test]
    fn a_limit_of_no_time_has_run_out() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut connection = Connection::open(&tcp(&listener), &ConnectionLimits::default()).unwrap();
        let error = connection.receive(Some(Duration::ZERO), "testing").unwrap_err();
        assert!(matches!(error, ClientError::TimedOut { .. }), "{error}");
        let limits = ConnectionLimits { connect: Duration::ZERO, ..ConnectionLimits::default() };
        let error = Connection::open(&tcp(&listener), &limits).unwrap_err();
        assert!(matches!(error, ClientError::TimedOut { doing: "connecting", .. }), "{error}");
    }
}
