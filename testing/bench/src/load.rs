//! The load: one thread, one epoll, many connections.
//!
//! From: a `Script`, which says what to send and what the answers mean.
//! To: the server under test. What the script wants sent after one read goes out in one write, at once.
//! Never: waits longer than its limit, spins, or starts a thread; the load shares two cores with the server.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::trouble::Trouble;

/// Bytes read from one connection at once.
const READ_BYTES: usize = 256 * 1024;

/// Longest wait for a connection to be accepted.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// What a load does.
pub(crate) trait Script {
    /// Sends the first packets.
    fn start(&mut self, outbox: &mut Outbox);

    /// Takes the whole answers at the start of `input` and says how many bytes they were.
    ///
    /// # Errors
    ///
    /// Any `Trouble` ends the measurement.
    fn receive(
        &mut self,
        link: usize,
        input: &[u8],
        now: Instant,
        outbox: &mut Outbox,
    ) -> Result<usize, Trouble>;

    /// The work is done.
    fn is_done(&self) -> bool;
}

/// Bytes waiting to be written, one buffer per connection.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    buffers: Vec<Vec<u8>>,
    dirty: Vec<usize>,
    nowhere: Vec<u8>,
}

impl Outbox {
    /// The buffer of the connection `link`.
    pub(crate) fn to(&mut self, link: usize) -> &mut Vec<u8> {
        if self.dirty.last() != Some(&link) {
            self.dirty.push(link);
        }
        self.buffers.get_mut(link).unwrap_or(&mut self.nowhere)
    }

    /// How many connections there are.
    pub(crate) fn len(&self) -> usize {
        self.buffers.len()
    }
}

struct Link {
    stream: TcpStream,
    /// The beginning of an answer whose end has not arrived.
    partial: Vec<u8>,
    /// The kernel did not take all; epoll says when to go on.
    blocked: bool,
}

/// Connections to one server.
pub(crate) struct Load {
    epoll: Epoll,
    links: Vec<Link>,
    outbox: Outbox,
    scratch: Vec<u8>,
}

/// Connects to `port` on loopback, with Nagle's algorithm off.
///
/// # Errors
///
/// `Io` when the server does not accept within the limit.
pub(crate) fn connect(port: u16) -> Result<TcpStream, Trouble> {
    let stream = TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), CONNECT_LIMIT)
        .map_err(Trouble::io("connect"))?;
    stream.set_nodelay(true).map_err(Trouble::io("set TCP_NODELAY"))?;
    Ok(stream)
}

impl Load {
    /// Opens `count` connections.
    ///
    /// # Errors
    ///
    /// `Io` when one is refused.
    pub(crate) fn open(port: u16, count: usize) -> Result<Self, Trouble> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(Trouble::io("epoll_create"))?;
        let mut links = Vec::with_capacity(count);
        for index in 0..count {
            let stream = connect(port)?;
            stream.set_nonblocking(true).map_err(Trouble::io("set_nonblocking"))?;
            epoll
                .add(&stream, EpollEvent::new(EpollFlags::EPOLLIN, token(index)))
                .map_err(Trouble::io("epoll_ctl"))?;
            links.push(Link { stream, partial: Vec::new(), blocked: false });
        }
        let outbox = Outbox { buffers: vec![Vec::new(); count], ..Outbox::default() };
        Ok(Self { epoll, links, outbox, scratch: vec![0; READ_BYTES] })
    }

    /// Runs `script` until it is done.
    ///
    /// # Errors
    ///
    /// `Limit` after `limit`, `Closed` when the server ends a connection, and what the script returns.
    pub(crate) fn run(
        &mut self,
        script: &mut impl Script,
        what: &'static str,
        limit: Duration,
    ) -> Result<(), Trouble> {
        let end = Instant::now() + limit;
        let mut events = [EpollEvent::empty(); 64];
        script.start(&mut self.outbox);
        self.flush_dirty(what)?;
        while !script.is_done() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Trouble::Limit { what, limit });
            }
            let count = match self.epoll.wait(&mut events, timeout(left)) {
                Ok(count) => count,
                Err(nix::errno::Errno::EINTR) => 0,
                Err(error) => return Err(Trouble::io("epoll_wait")(error)),
            };
            for event in events.iter().take(count) {
                let index = usize::try_from(event.data()).unwrap_or(usize::MAX);
                if event.events().contains(EpollFlags::EPOLLOUT) {
                    self.flush(index, what)?;
                }
                if event
                    .events()
                    .intersects(EpollFlags::EPOLLIN | EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR)
                {
                    self.read(index, script, what)?;
                    self.flush_dirty(what)?;
                }
            }
        }
        Ok(())
    }

    fn read(&mut self, index: usize, script: &mut impl Script, what: &'static str) -> Result<(), Trouble> {
        let Some(link) = self.links.get_mut(index) else { return Ok(()) };
        let count = match link.stream.read(&mut self.scratch) {
            Ok(0) => return Err(Trouble::Closed { what }),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                return Err(Trouble::Closed { what });
            }
            Err(error) => return Err(Trouble::io("read")(error)),
        };
        let fresh = self.scratch.get(..count).unwrap_or_default();
        let now = Instant::now();
        if link.partial.is_empty() {
            let used = script.receive(index, fresh, now, &mut self.outbox)?;
            link.partial.extend_from_slice(fresh.get(used..).unwrap_or_default());
        } else {
            link.partial.extend_from_slice(fresh);
            let used = script.receive(index, &link.partial, now, &mut self.outbox)?;
            link.partial.drain(..used);
        }
        Ok(())
    }

    fn flush_dirty(&mut self, what: &'static str) -> Result<(), Trouble> {
        while let Some(index) = self.outbox.dirty.pop() {
            self.flush(index, what)?;
        }
        Ok(())
    }

    fn flush(&mut self, index: usize, what: &'static str) -> Result<(), Trouble> {
        let (Some(link), Some(buffer)) = (self.links.get_mut(index), self.outbox.buffers.get_mut(index))
        else {
            return Ok(());
        };
        let mut sent = 0;
        let mut blocked = false;
        while let Some(rest) = buffer.get(sent..).filter(|rest| !rest.is_empty()) {
            match link.stream.write(rest) {
                Ok(0) => return Err(Trouble::Closed { what }),
                Ok(count) => sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    blocked = true;
                    break;
                }
                Err(error) => return Err(ended(error, "write", what)),
            }
        }
        buffer.drain(..sent);
        if blocked != link.blocked {
            link.blocked = blocked;
            let wanted =
                if blocked { EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT } else { EpollFlags::EPOLLIN };
            self.epoll
                .modify(&link.stream, &mut EpollEvent::new(wanted, token(index)))
                .map_err(Trouble::io("epoll_ctl"))?;
        }
        Ok(())
    }
}

/// A connection that the server gave up is the server's doing; any other error is this machine's.
fn ended(error: io::Error, step: &'static str, what: &'static str) -> Trouble {
    if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) {
        return Trouble::Closed { what };
    }
    Trouble::io(step)(error)
}

fn token(index: usize) -> u64 {
    u64::try_from(index).unwrap_or(u64::MAX)
}

/// Rounds up, so that a wait never ends just before its limit and spins.
fn timeout(left: Duration) -> EpollTimeout {
    EpollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(EpollTimeout::MAX)
}
