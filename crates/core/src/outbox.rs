//! The outputs of `core`, as calls on whoever drives it.

use crate::event::Event;
use crate::ids::{ConnId, Ticket};
use crate::persist::{Op, Wanted};
use geartrain_proto::Response;

/// What a connection gets: a packet, or lines of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer<'a> {
    /// A packet.
    Packet(Response<'a>),
    /// The answer to a text command.
    Text(&'a [u8]),
}

impl Answer<'_> {
    /// Appends its bytes.
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        match self {
            Answer::Packet(response) => response.encode(bytes),
            Answer::Text(text) => bytes.extend_from_slice(text),
        }
    }
}

/// Takes what [`crate::Core`] wants done, in order.
///
/// Everything is borrowed: an implementation encodes or copies what it keeps, and returns at once.
/// It does no IO, since `core` is held while it runs.
pub trait Outbox {
    /// Send this packet to this connection, behind all that was sent to it before.
    fn send(&mut self, conn: ConnId, response: Response<'_>);

    /// As [`Outbox::send`], but this answer, and everything sent to the connection after it, is held
    /// back until [`Outbox::release`] or [`Outbox::replace`] with the same ticket.
    fn hold(&mut self, conn: ConnId, ticket: Ticket, answer: Answer<'_>);

    /// What was held for this ticket may go.
    fn release(&mut self, conn: ConnId, ticket: Ticket);

    /// What was held for this ticket is replaced by this answer, and may go.
    fn replace(&mut self, conn: ConnId, ticket: Ticket, answer: Answer<'_>);

    /// As [`Outbox::replace`] with an answer in text, which may be long: an implementation can keep it without a copy.
    fn replace_text(&mut self, conn: ConnId, ticket: Ticket, text: Vec<u8>) {
        self.replace(conn, ticket, Answer::Text(&text));
    }

    /// Send these bytes, the answer to a text command, to this connection.
    fn text(&mut self, conn: ConnId, text: &[u8]);

    /// Make this change durable; [`crate::Core::handle_committed`] says when it is.
    fn persist(&mut self, ticket: Ticket, op: Op<'_>);

    /// Look these jobs up in the store; [`crate::Core::handle_read`] brings what is found.
    ///
    /// The ticket is one of its own kind: no [`Outbox::persist`] has it.
    fn read(&mut self, ticket: Ticket, wanted: Wanted, numbers: &[u64]);

    /// Close this connection once all that was sent to it is written; then, as for any closed
    /// connection, call [`crate::Core::handle_closed`].
    fn close(&mut self, conn: ConnId);

    /// Something happened that logs and metrics speak of.
    fn note(&mut self, event: Event<'_>);
}
