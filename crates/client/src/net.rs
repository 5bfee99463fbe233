//! The socket of one connection on tokio: TCP or Unix, with a time limit on coming about.
//!
//! From: a [`ServerAddress`]. To: bytes for a session, without a copy and without a task of its own.
//! Never: buffers, reconnects, or knows a packet.

use crate::address::ServerAddress;
use crate::client::limits::deadline;
use crate::error::ClientError;
use crate::limits::{KEEPALIVE_IDLE, PAUSE_LEAST};
use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use bytes::BytesMut;
use socket2::{SockRef, TcpKeepalive};
use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::{Instant, timeout};

/// The pauses between tries to connect.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pauses {
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
}

impl Pauses {
    /// Doubled each time, up to the longest, each with up to as much again by chance, so that many who lost one server
    /// do not come back in step. None is shorter than [`PAUSE_LEAST`].
    pub(crate) fn iter(self) -> ExponentialBackoff {
        let first = self.first.max(PAUSE_LEAST);
        ExponentialBuilder::default()
            .with_min_delay(first)
            .with_max_delay(self.longest.max(first))
            .with_jitter()
            .without_max_times()
            .build()
    }
}

/// A connected socket.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    /// Connects to a server; all addresses of its host are tried, within one limit that they share.
    ///
    /// # Errors
    /// When the host has no address, or none of them takes the connection in time.
    pub(crate) async fn connect(server: &ServerAddress, limit: Duration) -> Result<Self, ClientError> {
        let attempt = async {
            match server {
                ServerAddress::Tcp { host, port } => {
                    connect_tcp(server, host, *port, limit).await.map(Self::Tcp)
                }
                ServerAddress::Unix(path) => match UnixStream::connect(path).await {
                    Ok(stream) => Ok(Self::Unix(stream)),
                    Err(cause) => Err(ClientError::Connect { server: server.clone(), cause }),
                },
            }
        };
        match timeout(limit, attempt).await {
            Ok(outcome) => outcome,
            Err(_) => Err(ClientError::TimedOut { server: server.clone(), doing: "connecting", limit }),
        }
    }

    /// Reads once into the spare capacity of `into`; 0 at the end of the stream.
    ///
    /// A read that did not fill it has emptied the socket, which this way of reading knows without a second one.
    pub(crate) fn poll_read(
        &mut self,
        into: &mut BytesMut,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => pin!(stream.read_buf(into)).poll(context),
            Self::Unix(stream) => pin!(stream.read_buf(into)).poll(context),
        }
    }

    /// Writes what the socket takes; `WouldBlock` when it takes nothing.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write(bytes),
            Self::Unix(stream) => stream.try_write(bytes),
        }
    }

    /// Reads what the kernel has by now; the runtime may hear of it later. 0 at the end of the stream.
    pub(crate) fn read_now(&self, into: &mut [u8]) -> io::Result<usize> {
        let socket = match self {
            Self::Tcp(stream) => SockRef::from(stream),
            Self::Unix(stream) => SockRef::from(stream),
        };
        (&*socket).read(into)
    }

    /// Has the kernel tell of bytes to read only when there are so many, or the connection has ended; with fewer than
    /// are there by now it tells at once. What is there can be read all the same.
    ///
    /// # Errors
    /// Where that cannot be had: on a Unix socket, and on systems that do not tell again.
    pub(crate) fn set_read_mark(&self, bytes: usize) -> io::Result<()> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Tcp(stream) => Ok(nix::sys::socket::setsockopt(stream, read_mark::ReadMark, &bytes)?),
            #[cfg(not(target_os = "linux"))]
            Self::Tcp(_) => Err(io::ErrorKind::Unsupported.into()),
            Self::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    pub(crate) fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_write_ready(context),
            Self::Unix(stream) => stream.poll_write_ready(context),
        }
    }
}

/// `SO_RCVLOWAT`, which nix does not name.
#[cfg(target_os = "linux")]
mod read_mark {
    use nix::libc;
    use nix::sys::socket::sockopt::SetUsize;

    #[derive(Debug, Clone, Copy)]
    pub(super) struct ReadMark;

    nix::setsockopt_impl!(ReadMark, libc::SOL_SOCKET, libc::SO_RCVLOWAT, usize, SetUsize);
}

async fn connect_tcp(
    server: &ServerAddress,
    host: &str,
    port: u16,
    limit: Duration,
) -> Result<TcpStream, ClientError> {
    let by = deadline(Instant::now(), limit);
    let unresolved = |cause| ClientError::Resolve { server: server.clone(), cause };
    let addresses: Vec<SocketAddr> = lookup_host((host, port)).await.map_err(unresolved)?.collect();
    connect_any(&addresses, by).await.map_err(|cause| {
        let server = server.clone();
        if ClientError::is_time_limit(&cause) {
            return ClientError::TimedOut { server, doing: "connecting", limit };
        }
        ClientError::Connect { server, cause }
    })
}

/// Connects to the first address that takes the connection.
///
/// Each gets its share of the time that is left: one that swallows everything must not use it all.
async fn connect_any(addresses: &[SocketAddr], by: Instant) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for (left, address) in (1..=addresses.len()).rev().zip(addresses) {
        let left = u32::try_from(left).unwrap_or(u32::MAX);
        let share = by.saturating_duration_since(Instant::now()) / left;
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return set_manners(stream),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}

/// No delay, since packets are waited for; keepalive, so that a vanished server is noticed.
fn set_manners(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    let keepalive =
        TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_IDLE / 3).with_retries(3);
    SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn pauses_are_never_none() {
        let short = Duration::from_micros(10);
        for (first, longest) in
            [(Duration::ZERO, Duration::ZERO), (Duration::ZERO, PAUSE_LEAST), (short, short)]
        {
            let pauses: Vec<_> = Pauses { first, longest }.iter().take(5).collect();
            assert!(pauses.iter().all(|pause| *pause >= PAUSE_LEAST), "{pauses:?}");
        }
        let mut pauses = Pauses { first: Duration::ZERO, longest: Duration::from_secs(1) }.iter();
        assert!(pauses.nth(9) >= Some(Duration::from_millis(512)), "they grow");
    }

    #[tokio::test]
    async fn an_address_that_swallows_everything_leaves_time_for_the_next() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let good = listener.local_addr().unwrap();
        // Its queue is full, and further connections wait for an answer.
        let full = tokio::net::TcpSocket::new_v4().unwrap();
        full.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let full = full.listen(1).unwrap();
        let gone = full.local_addr().unwrap();
        let wait = Duration::from_millis(200);
        let filled: Vec<_> =
            (0..4).map_while(|_| std::net::TcpStream::connect_timeout(&gone, wait).ok()).collect();
        assert!(filled.len() < 4, "the queue is full");
        let by = Instant::now() + Duration::from_millis(500);
        let connected = connect_any(&[gone, good], by).await.unwrap();
        assert_eq!(connected.peer_addr().unwrap(), good);
        let error = connect_any(&[gone], Instant::now() + wait).await.unwrap_err();
        assert!(ClientError::is_time_limit(&error), "{error}");
    }
}
