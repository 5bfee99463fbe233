//! The socket of one connection on tokio: TCP or Unix, with a time limit on coming about.
//!
//! From: a [`ServerAddress`]. To: bytes for a session, without a copy and without a task of its own.
//! Never: buffers, reconnects, or knows a packet.

use crate::address::ServerAddress;
use crate::error::ClientError;
use crate::limits::KEEPALIVE_IDLE;
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::mem::MaybeUninit;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::timeout;

/// A connected socket.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    /// Connects to a server; all addresses of its host are tried, within one limit.
    ///
    /// # Errors
    /// When the host has no address, or none of them takes the connection in time.
    pub(crate) async fn connect(server: &ServerAddress, limit: Duration) -> Result<Self, ClientError> {
        let attempt = async {
            match server {
                ServerAddress::Tcp { host, port } => connect_tcp(server, host, *port).await.map(Self::Tcp),
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

    /// Reads what is there; `WouldBlock` when nothing is.
    ///
    /// A read that did not fill `into` has emptied the socket, so it is not ready until more comes: without a second
    /// read to find that out. What comes in between is not missed: readiness is taken back only as it was before.
    pub(crate) fn try_read(&self, into: &mut [u8]) -> io::Result<usize> {
        let mut outcome = Err(io::ErrorKind::WouldBlock.into());
        let mut read = |stream: &mut dyn FnMut(&mut [u8]) -> io::Result<usize>| {
            outcome = stream(into);
            match &outcome {
                Ok(count) if *count > 0 && *count < into.len() => Err(io::ErrorKind::WouldBlock.into()),
                Ok(_) => Ok(()),
                Err(error) => Err(error.kind().into()),
            }
        };
        // What the closure says is only about the readiness.
        let _readiness = match self {
            Self::Tcp(stream) => {
                stream.try_io(Interest::READABLE, || read(&mut |into| stream.try_read(into)))
            }
            Self::Unix(stream) => {
                stream.try_io(Interest::READABLE, || read(&mut |into| stream.try_read(into)))
            }
        };
        outcome
    }

    /// Writes what the socket takes; `WouldBlock` when it takes nothing.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write(bytes),
            Self::Unix(stream) => stream.try_write(bytes),
        }
    }

    /// Whether the peer has ended the connection, as far as the kernel knows by now; the runtime may know later.
    pub(crate) fn is_over(&self) -> bool {
        let socket = match self {
            Self::Tcp(stream) => SockRef::from(stream),
            Self::Unix(stream) => SockRef::from(stream),
        };
        match socket.peek(&mut [MaybeUninit::uninit()]) {
            Ok(count) => count == 0,
            Err(error) => !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted),
        }
    }

    pub(crate) fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_read_ready(context),
            Self::Unix(stream) => stream.poll_read_ready(context),
        }
    }

    pub(crate) fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_write_ready(context),
            Self::Unix(stream) => stream.poll_write_ready(context),
        }
    }
}

async fn connect_tcp(server: &ServerAddress, host: &str, port: u16) -> Result<TcpStream, ClientError> {
    let unresolved = |cause| ClientError::Resolve { server: server.clone(), cause };
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in lookup_host((host, port)).await.map_err(unresolved)? {
        match TcpStream::connect(address).await.and_then(set_manners) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(ClientError::Connect { server: server.clone(), cause: last })
}

/// No delay, since packets are waited for; keepalive, so that a vanished server is noticed.
fn set_manners(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    let keepalive =
        TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_IDLE / 3).with_retries(3);
    SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
    Ok(stream)
}
