//! Binding addresses, before anything else of the server lives.

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};
use thiserror::Error;

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// An address and a port; port 0 takes any that is free.
    Tcp(SocketAddr),
    /// A socket in the file system.
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(address) => address.fmt(formatter),
            Address::Unix(path) => write!(formatter, "unix:{}", path.display()),
        }
    }
}

/// Why an address cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BindError {
    /// Another process listens there.
    #[error(
        "could not listen on {address}: it is in use (hint: stop the other server or choose another port)"
    )]
    InUse {
        /// The address.
        address: Address,
    },
    /// The system refuses it.
    #[error("could not listen on {address}: {error}")]
    Refused {
        /// The address.
        address: Address,
        /// Why.
        error: io::Error,
    },
    /// There is a file of another kind.
    #[error("could not listen on {address}: there is a file that is no socket")]
    NotASocket {
        /// The address.
        address: Address,
    },
    /// There is nowhere to listen.
    #[error("no address to listen on")]
    NoAddress,
}

/// How long an address that is in use is tried again: a server that just ended may hold it a moment.
const IN_USE_PATIENCE: Duration = Duration::from_secs(2);
const IN_USE_PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, SocketFile),
}

/// Removes the socket's file at the end.
#[derive(Debug)]
pub(crate) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Somebody may have been faster.
        std::fs::remove_file(&self.0).ok();
    }
}

/// Bound addresses; peers can connect, and are served once the server starts.
#[derive(Debug)]
pub struct Listeners {
    pub(crate) listeners: Vec<Listener>,
    addresses: Vec<Address>,
}

impl Listeners {
    /// Binds all addresses; those with port 0 get the same port where that is free.
    ///
    /// # Errors
    /// When one of them cannot be bound; then none is.
    pub fn bind(addresses: &[Address], backlog: i32) -> Result<Self, BindError> {
        let mut bound = Self { listeners: Vec::new(), addresses: Vec::new() };
        let mut port = 0;
        for address in addresses {
            match address {
                Address::Tcp(address) => {
                    let mut address = *address;
                    if address.port() == 0 {
                        address.set_port(port);
                    }
                    let listener = bind_patiently(address, backlog)?;
                    let local = listener.local_addr().map_err(|error| refused(address, error))?;
                    port = local.port();
                    bound.addresses.push(Address::Tcp(local));
                    bound.listeners.push(Listener::Tcp(listener));
                }
                Address::Unix(path) => {
                    let listener = bind_unix(path)?;
                    bound.addresses.push(address.clone());
                    bound.listeners.push(Listener::Unix(listener, SocketFile(path.clone())));
                }
            }
        }
        if bound.listeners.is_empty() { Err(BindError::NoAddress) } else { Ok(bound) }
    }

    /// What was bound, with real ports.
    #[must_use]
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }
}

fn refused(address: SocketAddr, error: io::Error) -> BindError {
    let address = Address::Tcp(address);
    if error.kind() == io::ErrorKind::AddrInUse {
        BindError::InUse { address }
    } else {
        BindError::Refused { address, error }
    }
}

fn bind_patiently(address: SocketAddr, backlog: i32) -> Result<TcpListener, BindError> {
    let give_up = Instant::now() + IN_USE_PATIENCE;
    loop {
        match bind_tcp(address, backlog) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && Instant::now() < give_up => {
                thread::sleep(IN_USE_PAUSE);
            }
            outcome => return outcome.map_err(|error| refused(address, error)),
        }
    }
}

fn bind_tcp(address: SocketAddr, backlog: i32) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Supervisors keep a bound socket on the port, or start anew at once.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&SockAddr::from(address))?;
    socket.listen(backlog)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn bind_unix(path: &Path) -> Result<UnixListener, BindError> {
    let address = || Address::Unix(path.to_path_buf());
    let failed = |error| BindError::Refused { address: address(), error };
    if let Ok(metadata) = std::fs::symlink_metadata(path) {
        if !metadata.file_type().is_socket() {
            return Err(BindError::NotASocket { address: address() });
        }
        // A server that was killed leaves its socket behind, and nobody answers there. Any other outcome
        // than that may be a server that is busy.
        match UnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                std::fs::remove_file(path).map_err(failed)?;
            }
            Ok(_) | Err(_) => return Err(BindError::InUse { address: address() }),
        }
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    Ok(listener)
}

/// Whether an address could be bound now.
pub(crate) fn free_address(address: SocketAddr) -> io::Result<TcpListener> {
    bind_tcp(address, 16)
}
