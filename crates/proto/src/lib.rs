//! The Gearman protocol without IO: bytes become typed packets and text commands, and packets become bytes.
//!
//! ```
//! use geartrain_proto::{Function, Message, Request, Step, decode_message};
//!
//! let mut bytes = Vec::new();
//! Request::CanDo { function: Function::from("reverse") }.encode(&mut bytes);
//! bytes.extend_from_slice(b"version\r\n");
//!
//! let Step::Complete { consumed, message } = decode_message(&bytes, 1024) else {
//!     panic!("the whole packet is there");
//! };
//! assert_eq!(message, Ok(Message::Request(Request::CanDo { function: Function::from("reverse") })));
//! assert_eq!(&bytes[consumed..], b"version\r\n");
//! ```
//!
//! The way of a packet: [`decode_message`] finds it among the unread bytes of a connection, [`PacketKind`]
//! names it, [`Request::decode`] or [`AdminCommand::parse`] types it, and [`Response::encode`] writes the
//! answer. Whatever the bytes are, the outcome is a message, a typed [`DecodeError`] with what its sender
//! gets for it, or a wait for more bytes: nothing here panics, allocates by what a peer announces, or keeps
//! state between calls.

pub mod command;
pub mod limits;
pub mod units;

mod admin;
mod body;
mod decoder;
mod error;
mod kind;
mod names;
mod request;
mod response;

pub use admin::{AdminCommand, DropWaiting, QueueBounds, Refusal};
pub use body::lenient_number;
pub use decoder::{Message, Step, decode_message, decode_response};
pub use error::{DecodeError, Disposition, ErrorCode};
pub use kind::PacketKind;
pub use names::{ClientId, Function, Handle, Priority, Unique};
pub use request::{Calendar, GrabKind, Reducer, Request, Submit, SubmitMode};
pub use response::{Response, Status};
