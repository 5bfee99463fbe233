//! Reading: one buffer for each thread, one pass through the queue for all that one read brought.
//!
//! From: the receiving half of a socket. To: [`crate::hub::Hub`], message by message under one lock.
//! Never: copies a packet that came whole, or keeps more than the beginning of one packet.

use super::{Connection, Mode};
use crate::flush::{self, Write};
use crate::hub::Hub;
use crate::limits::{READ_BYTES, TURN_MESSAGES_MAX, UNREAD_GROWTH_BYTES, UNREAD_SHARED_BYTES_MAX};
use geartrain_core::{ConnId, Now};
use geartrain_proto::{AdminCommand, Message, Request, Step, decode_message};
use std::cell::RefCell;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use tokio::net::{tcp, unix};

/// The receiving half of a socket.
#[derive(Debug)]
pub(super) enum Reader {
    Tcp(tcp::OwnedReadHalf),
    Unix(unix::OwnedReadHalf),
}

impl Reader {
    /// Reads into `room`; a length of 0 is the end of the stream.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(room);
        ready!(match self {
            Reader::Tcp(reader) => Pin::new(reader).poll_read(cx, &mut buf),
            Reader::Unix(reader) => Pin::new(reader).poll_read(cx, &mut buf),
        })?;
        Poll::Ready(Ok(buf.filled().len()))
    }

    /// Reads behind what is in `bytes`, as far as its memory goes.
    fn poll_append(&mut self, cx: &mut Context<'_>, bytes: &mut Vec<u8>) -> Poll<io::Result<usize>> {
        match self {
            Reader::Tcp(reader) => pin!(reader.read_buf(bytes)).poll(cx),
            Reader::Unix(reader) => pin!(reader.read_buf(bytes)).poll(cx),
        }
    }
}

/// What the connections of one thread share.
#[derive(Debug)]
pub(super) struct Scratch {
    bytes: Box<[u8]>,
    writes: Vec<Write>,
    spares: Vec<Vec<u8>>,
}

impl Scratch {
    /// The read buffer behind its first `start` bytes.
    pub(super) fn room(&mut self, start: usize) -> &mut [u8] {
        self.bytes.get_mut(start..).unwrap_or_default()
    }
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch {
        bytes: vec![0; READ_BYTES].into_boxed_slice(),
        writes: Vec::new(),
        spares: Vec::new(),
    });
}

/// Lends what the connections of this thread share. Not to be nested.
pub(super) fn with_scratch<T>(work: impl FnOnce(&mut Scratch) -> T) -> T {
    SCRATCH.with_borrow_mut(work)
}

/// What came of one read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Served,
    EndOfStream,
    Broken,
}

/// How far a pass through unread bytes came.
#[derive(Debug, Clone, Copy)]
struct Pass {
    consumed: usize,
    needed: usize,
    mode: Mode,
    /// Whether the peer gets an answer at once.
    answered: bool,
    /// Whether the turn ended before the messages did.
    more: bool,
}

impl Connection {
    /// Reads once and serves what came.
    pub(super) fn poll_turn(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> Poll<Turn> {
        let read = if self.unread.len() <= UNREAD_SHARED_BYTES_MAX {
            ready!(self.poll_read_shared(cx, scratch))
        } else {
            ready!(self.poll_read_own(cx, scratch))
        };
        Poll::Ready(match read {
            Ok(0) => Turn::EndOfStream,
            Ok(_) => Turn::Served,
            Err(_) => Turn::Broken,
        })
    }

    /// Reads behind what is left of the last read, all in the thread's buffer.
    fn poll_read_shared(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> Poll<io::Result<usize>> {
        let start = self.unread.len();
        let len = ready!(self.reader.poll_read(cx, scratch.room(start)))?;
        let end = start + len;
        if len == 0 {
            return Poll::Ready(Ok(0));
        }
        if end < self.needed {
            self.unread.extend_from_slice(scratch.bytes.get(start..end).unwrap_or_default());
            self.wait_for_rest();
            return Poll::Ready(Ok(len));
        }
        if let Some(front) = scratch.bytes.get_mut(..start) {
            front.copy_from_slice(&self.unread);
        }
        let bytes = std::mem::take(&mut scratch.bytes);
        let unread = bytes.get(..end).unwrap_or_default();
        let pass = self.pass(unread, scratch);
        let rest = unread.get(pass.consumed..).unwrap_or_default();
        if rest.is_empty() {
            self.unread = Vec::new();
        } else {
            self.unread.clear();
            self.unread.extend_from_slice(rest);
        }
        scratch.bytes = bytes;
        self.after_pass(&pass);
        Poll::Ready(Ok(len))
    }

    /// Reads into the connection's own buffer, which grows with what arrives.
    fn poll_read_own(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> Poll<io::Result<usize>> {
        let start = self.unread.len();
        let (least, most) = UNREAD_GROWTH_BYTES;
        if self.unread.capacity() == start {
            // Never more than the packet has (I2), and never because it was announced.
            let growth = start.clamp(least, most.max(start / 2));
            self.unread.reserve_exact(growth.min(self.needed.saturating_sub(start)).max(1));
        }
        let len = ready!(self.reader.poll_append(cx, &mut self.unread))?;
        if len > 0 && self.unread.len() >= self.needed {
            self.serve_unread(scratch);
        } else {
            self.wait_for_rest();
        }
        Poll::Ready(Ok(len))
    }

    /// Serves what is in the connection's own buffer.
    pub(super) fn serve_unread(&mut self, scratch: &mut Scratch) {
        let mut unread = std::mem::take(&mut self.unread);
        let pass = self.pass(&unread, scratch);
        self.unread = match unread.get(pass.consumed..) {
            Some([]) | None => Vec::new(),
            Some(_) if pass.consumed == 0 => unread,
            // What a large packet grew goes back when it is served.
            Some(rest) if rest.len() < unread.capacity() / 4 => rest.to_vec(),
            Some(_) => {
                unread.drain(..pass.consumed);
                unread
            }
        };
        self.after_pass(&pass);
    }

    fn after_pass(&mut self, pass: &Pass) {
        self.needed = pass.needed;
        self.more = pass.more;
        self.set_mode(pass.mode);
        if pass.answered {
            self.nagle.answered();
        } else if pass.mode == Mode::Reading && self.nagle.silent(self.unread.len()) {
            self.link.acknowledge();
        }
    }

    fn wait_for_rest(&mut self) {
        self.nagle.read_at(self.shared.clock.now().moment);
        if self.nagle.silent(self.unread.len()) {
            self.link.acknowledge();
        }
    }

    /// Takes unread bytes through the queue, message by message, and writes what that caused.
    fn pass(&mut self, unread: &[u8], scratch: &mut Scratch) -> Pass {
        let now = self.shared.clock.now();
        self.nagle.read_at(now.moment);
        let body_bytes_max = self.shared.body_bytes_max;
        let mut hub = self.shared.hub.lock();
        hub.out.recycle(&mut scratch.spares);
        let mut pass = serve_messages(&mut hub, now, self.conn, unread, body_bytes_max);
        pass.answered = hub.out.has_ready(self.conn);
        let after = hub.finish(now, &mut scratch.writes);
        drop(hub);
        own_last(&mut scratch.writes, self.conn);
        self.shared.after(after);
        flush::write_all(&self.shared, &mut scratch.writes, &mut scratch.spares);
        pass
    }
}

/// Puts the answer to whoever sent the batch behind what it caused elsewhere: a worker that is woken, or a
/// client that gets its result, has the longer way before it.
fn own_last(writes: &mut [Write], conn: ConnId) {
    if let [first, .., last] = writes
        && first.conn == conn
    {
        std::mem::swap(first, last);
    }
}

/// Hands whole messages to the queue, up to the end of a turn.
fn serve_messages(hub: &mut Hub, now: Now, conn: ConnId, unread: &[u8], body_bytes_max: u32) -> Pass {
    let mut pass = Pass { consumed: 0, needed: 0, mode: Mode::Reading, answered: false, more: false };
    hub.out.closing_some = false;
    for _ in 0..TURN_MESSAGES_MAX {
        let rest = unread.get(pass.consumed..).unwrap_or_default();
        let (consumed, message) = match decode_message(rest, body_bytes_max) {
            Step::Incomplete { needed } => {
                pass.needed = needed;
                return pass;
            }
            Step::Complete { consumed, message } => (consumed, message),
        };
        match message {
            Ok(message) if hub.loading && !is_served_while_loading(&message) => {
                pass.mode = Mode::Loading;
                return pass;
            }
            Ok(Message::Request(request)) => hub.core.handle_request(now, conn, &request, &mut hub.out),
            Ok(Message::Admin(command)) => hub.core.handle_admin(now, conn, &command, &mut hub.out),
            Err(error) => hub.core.handle_malformed(conn, &error, &mut hub.out),
        }
        pass.consumed += consumed;
        if hub.out.closing_some {
            hub.out.closing_some = false;
            if hub.out.is_ending(conn) {
                pass.consumed = unread.len();
                pass.mode = Mode::Ending;
                return pass;
            }
        }
    }
    pass.more = pass.consumed < unread.len();
    pass
}

/// Whether a message can be answered before the stored jobs are known.
fn is_served_while_loading(message: &Message<'_>) -> bool {
    match message {
        Message::Request(request) => matches!(request, Request::Echo { .. } | Request::Option { .. }),
        Message::Admin(command) => match command {
            AdminCommand::Status
            | AdminCommand::PriorityStatus
            | AdminCommand::Workers
            | AdminCommand::ShowJobs
            | AdminCommand::ShowUniqueJobs
            | AdminCommand::GetPid
            | AdminCommand::Verbose
            | AdminCommand::Version
            | AdminCommand::Refused(_) => true,
            AdminCommand::CancelJob(_)
            | AdminCommand::CreateFunction(_)
            | AdminCommand::DropFunction { .. }
            | AdminCommand::MaxQueue { .. }
            | AdminCommand::Typed(_) => false,
        },
    }
}
