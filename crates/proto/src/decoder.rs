//! Finding packets and lines in the bytes of a connection.
//!
//! From: whoever holds the unread bytes of one peer.
//! To: one [`Message`] at a time, and how many bytes it took.
//! Never: copies, keeps state between calls, or looks past the end of a packet.

use crate::admin::AdminCommand;
use crate::body::{MAGIC_REQUEST, MAGIC_RESPONSE};
use crate::command::{LineEnd, line_end};
use crate::error::DecodeError;
use crate::kind::PacketKind;
use crate::limits::{HEADER_BYTES, LINE_BYTES_MAX};
use crate::request::Request;
use crate::response::Response;

/// What a client or worker sent: both forms may alternate on one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message<'a> {
    /// A binary packet.
    Request(Request<'a>),
    /// A text line.
    Admin(AdminCommand<'a>),
}

/// What stands at the front of the unread bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step<T> {
    /// Nothing whole yet; at least this many bytes in all are needed before it is worth asking again.
    Incomplete {
        /// How many bytes the unread part must have, those at hand included.
        needed: usize,
    },
    /// A message, well formed or not, and how many bytes it takes.
    Complete {
        /// Bytes to drop from the front; never 0.
        consumed: usize,
        /// The message, or why it is none.
        message: Result<T, DecodeError>,
    },
}

/// Finds the first message to a server in `unread`.
///
/// `body_bytes_max` is the largest body taken; a larger one is an error as soon as its header is there,
/// so that none of it need be buffered. A line of a typed command that carries a workload may have that size in
/// base64 and [`crate::limits::LONG_LINE_BYTES_MIN`] more. See [`DecodeError::disposition`] for what follows an error.
#[must_use]
pub fn decode_message(unread: &[u8], body_bytes_max: u32) -> Step<Message<'_>> {
    match unread.first() {
        None => Step::Incomplete { needed: 1 },
        Some(0) => decode_packet(unread, body_bytes_max, |magic, kind, body| {
            if magic == MAGIC_RESPONSE && !kind.is_worker_report() {
                return Err(DecodeError::ResponseMagic);
            }
            Request::decode(kind, body).map(Message::Request)
        }),
        Some(_) => decode_line(unread, body_bytes_max),
    }
}

/// Finds the first packet from a server in `unread`; `body_bytes_max` as in [`decode_message`].
#[must_use]
pub fn decode_response(unread: &[u8], body_bytes_max: u32) -> Step<Response<'_>> {
    decode_packet(unread, body_bytes_max, |magic, kind, body| {
        if magic == MAGIC_REQUEST {
            return Err(DecodeError::RequestMagic);
        }
        Response::decode(kind, body)
    })
}

fn decode_packet<'a, T>(
    unread: &'a [u8],
    body_bytes_max: u32,
    decode: impl FnOnce([u8; 4], PacketKind, &'a [u8]) -> Result<T, DecodeError>,
) -> Step<T> {
    let Some(header) = unread.first_chunk::<HEADER_BYTES>() else {
        return Step::Incomplete { needed: HEADER_BYTES };
    };
    let [m0, m1, m2, m3, k0, k1, k2, k3, l0, l1, l2, l3] = *header;
    let magic = [m0, m1, m2, m3];
    let raw_kind = u32::from_be_bytes([k0, k1, k2, k3]);
    let body_len = u32::from_be_bytes([l0, l1, l2, l3]);
    let refuse = |error| Step::Complete { consumed: HEADER_BYTES, message: Err(error) };
    if magic != MAGIC_REQUEST && magic != MAGIC_RESPONSE {
        return refuse(DecodeError::UnknownMagic(magic));
    }
    let Some(kind) = PacketKind::from_wire(raw_kind) else {
        return refuse(DecodeError::UnknownKind(raw_kind));
    };
    if body_len > body_bytes_max {
        return refuse(DecodeError::BodyTooLarge { len: body_len, max: body_bytes_max });
    }
    let Some(needed) = usize::try_from(body_len).ok().and_then(|len| len.checked_add(HEADER_BYTES)) else {
        return refuse(DecodeError::BodyTooLarge { len: body_len, max: body_bytes_max });
    };
    match unread.get(HEADER_BYTES..needed) {
        Some(body) => Step::Complete { consumed: needed, message: decode(magic, kind, body) },
        None => Step::Incomplete { needed },
    }
}

fn decode_line(unread: &[u8], body_bytes_max: u32) -> Step<Message<'_>> {
    match line_end(unread, body_bytes_max) {
        LineEnd::LineFeed => {}
        LineEnd::Unfinished => return Step::Incomplete { needed: unread.len() + 1 },
        LineEnd::TooFar { max, head } => {
            return Step::Complete { consumed: head, message: Err(DecodeError::LineTooLong { max }) };
        }
        LineEnd::Behind(length) => return decode_announced_line(unread, length),
    }
    let window = unread.get(..LINE_BYTES_MAX).unwrap_or(unread);
    match memchr::memchr(b'\n', window) {
        Some(end) => {
            let line = window.get(..end).unwrap_or_default();
            Step::Complete { consumed: end + 1, message: AdminCommand::parse(line).map(Message::Admin) }
        }
        None if unread.len() >= LINE_BYTES_MAX => Step::Complete {
            consumed: unread.len(),
            message: Err(DecodeError::LineTooLong { max: LINE_BYTES_MAX }),
        },
        None => Step::Incomplete { needed: unread.len() + 1 },
    }
}

/// A line that says its length is waited for like a packet: its end is not searched for as its bytes arrive.
fn decode_announced_line(unread: &[u8], length: usize) -> Step<Message<'_>> {
    let consumed = match unread.get(length..) {
        Some([b'\n', ..]) => length + 1,
        Some([b'\r', b'\n', ..]) => length + 2,
        Some([b'\r']) => return Step::Incomplete { needed: length + 2 },
        Some([b'\r', ..]) => {
            return Step::Complete {
                consumed: length + 2,
                message: Err(DecodeError::LineLengthWrong { length }),
            };
        }
        None | Some([]) => return Step::Incomplete { needed: length + 1 },
        Some(_) => {
            return Step::Complete {
                consumed: length + 1,
                message: Err(DecodeError::LineLengthWrong { length }),
            };
        }
    };
    let line = unread.get(..length).unwrap_or_default();
    Step::Complete { consumed, message: AdminCommand::parse(line).map(Message::Admin) }
}
