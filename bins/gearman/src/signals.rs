//! Signals as bytes in a pipe, so that one wait covers them, servers and commands.

use signal_hook::consts::{SIGCHLD, SIGINT, SIGTERM};
use signal_hook::low_level::pipe;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

/// The signals a worker listens to.
pub(crate) struct Signals {
    wake: UnixStream,
    stop: UnixStream,
    stops: usize,
}

impl Signals {
    /// Listens to SIGTERM and SIGINT, which ask to leave, and to SIGCHLD, which only wakes.
    ///
    /// # Errors
    /// When the system has no descriptors left.
    pub(crate) fn listen() -> io::Result<Self> {
        let (wake, wake_sender) = UnixStream::pair()?;
        let (stop, stop_sender) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        stop.set_nonblocking(true)?;
        pipe::register(SIGCHLD, wake_sender)?;
        pipe::register(SIGTERM, stop_sender.try_clone()?)?;
        pipe::register(SIGINT, stop_sender)?;
        Ok(Self { wake, stop, stops: 0 })
    }

    /// How often the worker was asked to leave so far.
    pub(crate) fn stops(&mut self) -> usize {
        drain(&mut self.wake);
        self.stops += drain(&mut self.stop);
        self.stops
    }

    /// What becomes readable when a signal comes.
    pub(crate) fn descriptors(&self) -> [BorrowedFd<'_>; 2] {
        [self.wake.as_fd(), self.stop.as_fd()]
    }
}

/// Each signal is one byte.
fn drain(stream: &mut UnixStream) -> usize {
    let mut bytes = [0; 64];
    stream.read(&mut bytes).unwrap_or(0)
}
