//! One connection: bytes come in, are cut into packets, and go through the queue in one piece.
//!
//! From: [`crate::listen`], which accepts. To: [`crate::hub`], under its lock, then [`crate::flush`].
//! Never: keeps a buffer while its peer is silent, waits while the hub is locked, or takes memory
//! because a peer announced something.

mod nagle;
mod read;
mod turns;

use crate::flush;
use crate::limits::{LINGER, LINGER_BYTES_MAX, OUTPUT_PAUSE_BYTES, OWING_MAX};
use crate::link::{Link, Requests, Who, Writer};
use crate::shared::Shared;
use geartrain_core::ConnId;
use nagle::Nagle;
use read::{Reader, Scratch, Turn};
use std::future::poll_fn;
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};
use std::task::{Context, Poll, ready};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

/// An accepted socket, its options set, not yet known to any runtime.
#[derive(Debug)]
pub(crate) enum Accepted {
    Tcp(std::net::TcpStream, std::net::SocketAddr),
    Unix(std::os::unix::net::UnixStream),
}

/// How a connection came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// All that was owed is written, and the server closes.
    Served,
    /// Nothing more that the peer sends counts, and answers may still be on their way to it.
    Owing,
    /// Nothing more can be written.
    Aborted,
}

/// Why a connection is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Reading,
    /// Too much of its output is unread.
    Paused,
    /// It asked for something that has to wait until the stored jobs are loaded.
    Loading,
    /// Nothing it sends counts any more.
    Ending,
}

struct Connection {
    shared: Arc<Shared>,
    conn: ConnId,
    link: Arc<Link>,
    reader: Reader,
    mode: Mode,
    nagle: Nagle,
    /// The beginning of a packet whose rest has not come.
    unread: Vec<u8>,
    /// How many bytes `unread` must have before it is worth looking at.
    needed: usize,
    /// Whether `unread` has messages that wait for the connection's next turn.
    more: bool,
    /// Whether it may stand in the line of those.
    in_line: bool,
}

/// Serves a connection to its end.
pub(crate) async fn serve(shared: Arc<Shared>, accepted: Accepted) {
    let Ok((reader, writer, who)) = register(accepted) else {
        shared.connections.leave();
        return;
    };
    let link = Arc::new(Link::new(who, writer));
    let conn = {
        let mut hub = shared.hub.lock();
        let conn = hub.core.handle_connected_from(who.descriptor, &who.address(), who.port());
        hub.out.add(conn, Arc::clone(&link));
        conn
    };
    let mut connection = Connection {
        shared,
        conn,
        link,
        reader,
        mode: Mode::Reading,
        nagle: Nagle::default(),
        unread: Vec::new(),
        needed: 0,
        more: false,
        in_line: false,
    };
    let mut end = poll_fn(|cx| connection.poll_end(cx)).await;
    if end == End::Owing {
        connection.end_after_output();
        end = connection.serve_owed().await;
    }
    connection.finish(end).await;
}

type Registered = (Reader, Writer, Who);

fn register(accepted: Accepted) -> std::io::Result<Registered> {
    Ok(match accepted {
        Accepted::Tcp(stream, address) => {
            let descriptor = stream.as_raw_fd();
            let (reader, writer) = TcpStream::from_std(stream)?.into_split();
            (Reader::Tcp(reader), Writer::Tcp(writer), Who { descriptor, address: Some(address) })
        }
        Accepted::Unix(stream) => {
            let descriptor = stream.as_raw_fd();
            let (reader, writer) = UnixStream::from_std(stream)?.into_split();
            (Reader::Unix(reader), Writer::Unix(writer), Who { descriptor, address: None })
        }
    })
}

impl Connection {
    /// Reads and serves until the connection has to end.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        self.link.register(cx.waker());
        let requests = self.link.take_requests();
        if requests.has(Requests::ABORT) {
            return Poll::Ready(End::Aborted);
        }
        if requests.has(Requests::DRAIN) {
            tokio::spawn(flush::drain(Arc::clone(&self.shared), self.conn, Arc::clone(&self.link)));
        }
        if requests.has(Requests::CLOSE) {
            return Poll::Ready(End::Served);
        }
        if requests.has(Requests::RESUME) && matches!(self.mode, Mode::Paused | Mode::Loading) {
            self.link.set_paused(false);
            self.mode = Mode::Reading;
            self.more = true;
        }
        if self.more && self.mode == Mode::Reading {
            self.in_line = true;
            if !turns::enter(self.conn, cx.waker()) {
                return Poll::Pending;
            }
            read::with_scratch(|scratch| self.serve_unread(scratch));
            if self.more && self.mode == Mode::Reading {
                turns::go_to_end(self.conn, cx.waker());
                return Poll::Pending;
            }
            self.leave_line();
            if self.mode == Mode::Ending {
                return Poll::Ready(End::Owing);
            }
        }
        while self.mode == Mode::Reading {
            if self.more {
                self.in_line = true;
                if turns::enter(self.conn, cx.waker()) {
                    cx.waker().wake_by_ref();
                }
                return Poll::Pending;
            }
            match ready!(read::with_scratch(|scratch| self.poll_turn(cx, scratch))) {
                Turn::Served if self.mode == Mode::Ending => return Poll::Ready(End::Owing),
                Turn::Served => {}
                Turn::EndOfStream => return Poll::Ready(End::Owing),
                Turn::Broken => return Poll::Ready(End::Aborted),
            }
        }
        Poll::Pending
    }

    /// Waits until all that is owed is written; a peer that stops reading is given up.
    async fn serve_owed(&mut self) -> End {
        loop {
            let backlog = self.link.backlog();
            match timeout(OWING_MAX, poll_fn(|cx| self.poll_end(cx))).await {
                Ok(end) => return end,
                Err(_) if self.link.backlog() < backlog => {}
                Err(_) => return End::Aborted,
            }
        }
    }

    fn leave_line(&mut self) {
        if std::mem::take(&mut self.in_line) {
            turns::leave(self.conn);
        }
    }

    /// Decides whether the connection is read on.
    fn set_mode(&mut self, mode: Mode) {
        self.mode = mode;
        if mode == Mode::Reading && self.link.backlog() > OUTPUT_PAUSE_BYTES {
            self.link.set_paused(true);
            fence(Ordering::SeqCst);
            // Looked at again, since what was written before the mark was set resumed nobody.
            if self.link.backlog() > OUTPUT_PAUSE_BYTES / 2 {
                self.mode = Mode::Paused;
            } else {
                self.link.set_paused(false);
            }
        }
    }

    /// Lets the connection end once all that it is owed is written.
    fn end_after_output(&mut self) {
        use geartrain_core::Outbox as _;
        self.mode = Mode::Ending;
        self.unread = Vec::new();
        let conn = self.conn;
        self.shared.clone().run(|_, hub| hub.out.close(conn));
    }

    /// Takes the connection out of the queue, and closes the socket.
    async fn finish(mut self, end: End) {
        let conn = self.conn;
        self.leave_line();
        self.unread = Vec::new();
        self.shared.clone().run(|now, hub| hub.forget(now, conn));
        match end {
            End::Served => {
                self.link.shutdown(Shutdown::Write);
                let mut left = LINGER_BYTES_MAX;
                // It is over when the peer closes, sends too much, or takes too long.
                timeout(LINGER, poll_fn(|cx| self.poll_linger(cx, &mut left))).await.ok();
            }
            End::Owing => {}
            // A writer that waits for this socket ends with it.
            End::Aborted => self.link.shutdown(Shutdown::Both),
        }
        self.shared.connections.leave();
    }

    /// Drops what the peer still sends, to the end of its stream.
    fn poll_linger(&mut self, cx: &mut Context<'_>, left: &mut usize) -> Poll<()> {
        loop {
            let read = ready!(read::with_scratch(|scratch: &mut Scratch| {
                self.reader.poll_read(cx, scratch.room(0))
            }));
            match read {
                Ok(len) if len > 0 && len < *left => *left -= len,
                Ok(_) | Err(_) => return Poll::Ready(()),
            }
        }
    }
}
