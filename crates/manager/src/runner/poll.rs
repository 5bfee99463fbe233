//! Waiting for everything at once.
//!
//! From: descriptors, each with a token. To: the tokens of those that have something.
//! Never: waits longer than said.

use crate::planner::ProcessId;
use crate::runner::Stream;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

/// What a descriptor belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    /// Signals that came.
    Signals,
    /// Threads that have something to say.
    Wake,
    /// Clients of the control socket that want in.
    Listener,
    /// A client of the control socket.
    Client(u64),
    /// A process that wrote.
    Output(ProcessId, Stream),
    /// An adopted process that ended.
    Adopted(ProcessId),
}

/// What a descriptor is watched for; its end always is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Interest {
    pub(crate) reading: bool,
    pub(crate) writing: bool,
}

impl Interest {
    pub(crate) const READING: Self = Self { reading: true, writing: false };
    pub(crate) const NONE: Self = Self { reading: false, writing: false };
}

const KINDS: u64 = 8;

impl Token {
    fn number(self) -> u64 {
        match self {
            Self::Signals => 0,
            Self::Wake => 1,
            Self::Listener => 2,
            Self::Client(client) => 3 + KINDS * client,
            Self::Output(process, Stream::Stdout) => 4 + KINDS * process.0,
            Self::Output(process, Stream::Stderr) => 5 + KINDS * process.0,
            Self::Adopted(process) => 6 + KINDS * process.0,
        }
    }

    fn of(number: u64) -> Option<Self> {
        let of = number / KINDS;
        Some(match number % KINDS {
            0 => Self::Signals,
            1 => Self::Wake,
            2 => Self::Listener,
            3 => Self::Client(of),
            4 => Self::Output(ProcessId(of), Stream::Stdout),
            5 => Self::Output(ProcessId(of), Stream::Stderr),
            6 => Self::Adopted(ProcessId(of)),
            _ => return None,
        })
    }
}

#[derive(Debug)]
pub(crate) struct Poll {
    epoll: Epoll,
}

/// Events taken at once.
const EVENTS_MAX: usize = 256;

impl Poll {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)? })
    }

    pub(crate) fn add(&self, fd: impl AsFd, token: Token) -> io::Result<()> {
        Ok(self.epoll.add(fd, EpollEvent::new(EpollFlags::EPOLLIN, token.number()))?)
    }

    /// Says anew what a descriptor is watched for.
    pub(crate) fn watch(&self, fd: impl AsFd, token: Token, interest: Interest) -> io::Result<()> {
        let mut flags = EpollFlags::empty();
        flags.set(EpollFlags::EPOLLIN, interest.reading);
        flags.set(EpollFlags::EPOLLOUT, interest.writing);
        Ok(self.epoll.modify(fd, &mut EpollEvent::new(flags, token.number()))?)
    }

    pub(crate) fn remove(&self, fd: impl AsFd) {
        // Closing it does the same, so that nothing is lost when it is not there.
        let _known = self.epoll.delete(fd);
    }

    /// Waits until something is there, at most this long.
    pub(crate) fn wait(&self, limit: Option<Duration>) -> io::Result<Vec<Token>> {
        // Rounded up: to wake too early is to be called again at once.
        let millis = limit.map(|limit| u32::try_from(limit.as_micros().div_ceil(1000)).unwrap_or(u32::MAX));
        let timeout = match millis {
            None => EpollTimeout::NONE,
            Some(millis) => EpollTimeout::try_from(millis.min(3_600_000)).unwrap_or(EpollTimeout::ZERO),
        };
        let mut events = [EpollEvent::empty(); EVENTS_MAX];
        let count = match self.epoll.wait(&mut events, timeout) {
            Ok(count) => count,
            Err(Errno::EINTR) => 0,
            Err(error) => return Err(error.into()),
        };
        Ok(events.iter().take(count).filter_map(|event| Token::of(event.data())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back_as_they_went() {
        let process = ProcessId(77);
        for token in [
            Token::Signals,
            Token::Wake,
            Token::Listener,
            Token::Client(5),
            Token::Output(process, Stream::Stdout),
            Token::Output(process, Stream::Stderr),
            Token::Adopted(process),
        ] {
            assert_eq!(Token::of(token.number()), Some(token));
        }
    }
}
