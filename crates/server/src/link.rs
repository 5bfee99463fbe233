//! What a connection shares with whoever writes to it: the sending half of its socket, and whose turn
//! it is to write.
//!
//! From: [`crate::hub::Hub`], which hands its bytes to one writer at a time.
//! To: the peer; or the connection's own tasks, when the kernel does not take all.
//! Never: holds a lock during a system call.

use atomic_waker::AtomicWaker;
use parking_lot::Mutex;
use socket2::SockRef;
use std::fmt;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::task::Waker;
use tokio::net::{tcp, unix};

/// Who is on the other side, as the text command `workers` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Who {
    pub(crate) descriptor: i32,
    /// `None` for a socket in the file system.
    pub(crate) address: Option<SocketAddr>,
}

impl Who {
    /// The address alone.
    pub(crate) fn address(&self) -> String {
        self.address.map_or_else(|| "unix".to_owned(), |address| address.ip().to_string())
    }

    /// The port it comes from.
    pub(crate) fn port(&self) -> Option<u16> {
        self.address.map(|address| address.port())
    }
}

impl fmt::Display for Who {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "connection {} of {}", self.descriptor, self.address())
    }
}

/// The sending half of a socket.
#[derive(Debug)]
pub(crate) enum Writer {
    Tcp(tcp::OwnedWriteHalf),
    Unix(unix::OwnedWriteHalf),
}

/// Nobody writes.
const IDLE: u8 = 0;
/// Somebody writes.
const WRITING: u8 = 1;
/// Somebody writes, and has to look for more when it is done.
const WRITING_MORE: u8 = 2;

/// What the connection's task is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Requests(u8);

impl Requests {
    /// Write what the kernel did not take; see [`Link::take_unsent`].
    pub(crate) const DRAIN: Requests = Requests(1);
    /// All is written: close.
    pub(crate) const CLOSE: Requests = Requests(2);
    /// The peer is gone or hopeless: close without writing.
    pub(crate) const ABORT: Requests = Requests(4);
    /// What the connection waited for has come.
    pub(crate) const RESUME: Requests = Requests(8);

    pub(crate) const fn has(self, request: Requests) -> bool {
        self.0 & request.0 != 0
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Link {
    who: Who,
    writer: Writer,
    turn: AtomicU8,
    requests: AtomicU8,
    owner: AtomicWaker,
    /// Whether the connection is not read until its backlog is smaller.
    paused: AtomicBool,
    /// Bytes in the hub's buffer when it was last looked at.
    queued: AtomicUsize,
    /// Bytes taken out of the hub's buffer that the kernel has not taken.
    unsent_len: AtomicUsize,
    unsent: Mutex<Option<Unsent>>,
}

/// Bytes that the kernel did not take at once.
#[derive(Debug)]
pub(crate) struct Unsent {
    pub(crate) bytes: Vec<u8>,
    pub(crate) start: usize,
    /// Whether the connection ends behind them.
    pub(crate) last: bool,
}

impl Link {
    pub(crate) fn new(who: Who, writer: Writer) -> Self {
        Self {
            who,
            writer,
            turn: AtomicU8::new(IDLE),
            requests: AtomicU8::new(0),
            owner: AtomicWaker::new(),
            paused: AtomicBool::new(false),
            queued: AtomicUsize::new(0),
            unsent_len: AtomicUsize::new(0),
            unsent: Mutex::new(None),
        }
    }

    pub(crate) fn who(&self) -> Who {
        self.who
    }

    /// Takes the turn to write, or tells its holder to look for more. To be called with the hub locked.
    pub(crate) fn begin(&self) -> bool {
        if self.turn.swap(WRITING_MORE, Ordering::AcqRel) == IDLE {
            self.turn.store(WRITING, Ordering::Release);
            return true;
        }
        false
    }

    /// Gives the turn back; fails when there is more to write.
    pub(crate) fn end(&self) -> bool {
        self.turn.compare_exchange(WRITING, IDLE, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Keeps the turn and marks that all known bytes were taken. To be called with the hub locked.
    pub(crate) fn keep(&self) {
        self.turn.store(WRITING, Ordering::Release);
    }

    /// Gives the turn back whatever is marked. To be called with the hub locked.
    pub(crate) fn end_for_good(&self) {
        self.turn.store(IDLE, Ordering::Release);
    }

    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match &self.writer {
            Writer::Tcp(writer) => writer.try_write(bytes),
            Writer::Unix(writer) => writer.try_write(bytes),
        }
    }

    pub(crate) async fn writable(&self) -> io::Result<()> {
        match &self.writer {
            Writer::Tcp(writer) => writer.writable().await,
            Writer::Unix(writer) => writer.writable().await,
        }
    }

    /// Sends what is acknowledged late at once, so that a peer with Nagle's algorithm can go on.
    pub(crate) fn acknowledge(&self) {
        if let Writer::Tcp(writer) = &self.writer {
            // A peer that is gone is noticed by the next read.
            SockRef::from(writer.as_ref()).set_tcp_quickack(true).ok();
        }
    }

    /// Ends the stream, in one direction or both.
    pub(crate) fn shutdown(&self, how: Shutdown) {
        let socket = match &self.writer {
            Writer::Tcp(writer) => SockRef::from(writer.as_ref()),
            Writer::Unix(writer) => SockRef::from(writer.as_ref()),
        };
        // It fails when the peer was faster.
        socket.shutdown(how).ok();
    }

    pub(crate) fn request(&self, requests: Requests) {
        self.requests.fetch_or(requests.0, Ordering::AcqRel);
        self.owner.wake();
    }

    pub(crate) fn take_requests(&self) -> Requests {
        if self.requests.load(Ordering::Acquire) == 0 {
            return Requests(0);
        }
        Requests(self.requests.swap(0, Ordering::AcqRel))
    }

    pub(crate) fn register(&self, waker: &Waker) {
        self.owner.register(waker);
    }

    pub(crate) fn put_unsent(&self, unsent: Unsent) {
        self.set_unsent_len(unsent.bytes.len() - unsent.start);
        *self.unsent.lock() = Some(unsent);
    }

    pub(crate) fn take_unsent(&self) -> Option<Unsent> {
        self.unsent.lock().take()
    }

    pub(crate) fn set_unsent_len(&self, len: usize) {
        self.unsent_len.store(len, Ordering::Relaxed);
    }

    pub(crate) fn unsent_len(&self) -> usize {
        self.unsent_len.load(Ordering::Relaxed)
    }

    pub(crate) fn set_queued(&self, len: usize) {
        self.queued.store(len, Ordering::Relaxed);
    }

    /// Bytes on their way to the peer that the kernel has not taken.
    pub(crate) fn backlog(&self) -> usize {
        self.queued.load(Ordering::Relaxed) + self.unsent_len()
    }

    pub(crate) fn set_paused(&self, paused: bool) {
        self.paused.store(paused, Ordering::SeqCst);
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.paused.load(Ordering::SeqCst)
    }
}
