//! What can go wrong between a client and a server: what, where, and the way out.

use crate::address::ServerAddress;
use geartrain_proto::DecodeError;
use geartrain_proto::command::CommandError;
use std::io;
use std::time::Duration;
use thiserror::Error;

/// Why talking to a server failed.
///
/// `doing` is what the client was about, as in "submitting a job".
#[derive(Debug, Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the fields are named in each message")]
pub enum ClientError {
    /// The host name has no address.
    #[error("cannot find the address of {server}: {} (hint: check the host name)", reason(cause))]
    Resolve {
        server: ServerAddress,
        #[source]
        cause: io::Error,
    },
    /// No connection came about.
    #[error("cannot connect to {server}: {} (hint: does a server listen there?)", reason(cause))]
    Connect {
        server: ServerAddress,
        #[source]
        cause: io::Error,
    },
    /// The time limit of an operation ran out.
    #[error("{server} was silent for {} ms while {doing}", limit.as_millis())]
    TimedOut { server: ServerAddress, doing: &'static str, limit: Duration },
    /// The server ended the connection.
    #[error("{server} closed the connection while {doing}")]
    Closed { server: ServerAddress, doing: &'static str },
    /// The connection broke.
    #[error("lost the connection to {server} while {doing}: {}", reason(cause))]
    Broken {
        server: ServerAddress,
        doing: &'static str,
        #[source]
        cause: io::Error,
    },
    /// The server sent bytes that are no packet.
    #[error("{server} does not speak the protocol: {cause} (hint: is it a Gearman server?)")]
    Protocol {
        server: ServerAddress,
        #[source]
        cause: DecodeError,
    },
    /// The server sent a packet that answers nothing.
    #[cfg(feature = "async")]
    #[error("{server} broke the protocol: {cause}")]
    Session {
        server: ServerAddress,
        #[source]
        cause: crate::session::client::ClientSessionError,
    },
    /// The server takes no connection of this client, and says why.
    #[cfg(feature = "async")]
    #[error("{server} refuses the connection: {refusal}")]
    RefusedConnection { server: ServerAddress, refusal: crate::session::client::Refusal },
    /// The server sent a packet larger than this client takes.
    #[error("{server} sent a packet of {bytes} bytes, over the limit of {max} bytes")]
    BodyTooLarge { server: ServerAddress, bytes: u32, max: u32 },
    /// The server sent a binary packet where a line of text is due.
    #[error(
        "{server} does not speak the protocol: a packet came in place of text (hint: is it a Gearman server?)"
    )]
    NotText { server: ServerAddress },
    /// A line of a text reply does not end.
    #[error("{server} sent a line over the limit of {max} bytes (hint: is it a Gearman server?)")]
    LineTooLong { server: ServerAddress, max: usize },
    /// A command that is answered with a list was sent as one that is answered with a line. Nothing was sent.
    #[error("{command:?} is answered with a list, and not with one line")]
    List { command: String },
    /// A text reply does not end.
    #[error("{server} sent a reply over the limit of {max} bytes (hint: raise reply-bytes-max)")]
    ReplyTooLong { server: ServerAddress, max: u64 },
    /// A list is larger than what is held as a whole.
    #[error("{server} sent a list over {max} bytes (hint: read it line by line, with Connection::ask)")]
    ListTooLong { server: ServerAddress, max: u64 },
    /// The server does not carry a typed command out.
    #[error("{error}")]
    Command { server: ServerAddress, error: CommandError },
    /// The server knows no typed commands.
    #[error("{server} does not know this command: {text} (hint: is it gearmand of Geartrain?)")]
    NoTypedCommands { server: ServerAddress, text: String },
    /// A line of the reply to a typed command is no row.
    #[error("{server} sent a line that is no row of JSON (hint: is it gearmand of Geartrain?)")]
    NotRows { server: ServerAddress },
    /// A row is not of the kind that belongs to the command.
    #[error("{server} sent a row of another kind: {cause} (hint: are server and tool of one version?)")]
    Row { server: ServerAddress, cause: String },
    /// A page is followed by itself.
    #[error("{server} sent a page that is followed by itself, at {next}")]
    SamePage { server: ServerAddress, next: u64 },
    /// The server answered a text command with `ERR`.
    #[error("{text}")]
    Refused { server: ServerAddress, text: String },
}

/// An operating system's reason in lower case and without its number.
fn reason(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(code) => nix::errno::Errno::from_raw(code).desc().to_lowercase(),
        None => error.to_string(),
    }
}

impl ClientError {
    /// Whether an operation that failed with `error` ran into its time limit.
    ///
    /// A limit shows as EAGAIN or, for connecting, without a number; ETIMEDOUT is the kernel's word that the
    /// peer is gone.
    pub(crate) fn is_time_limit(error: &io::Error) -> bool {
        let kind = error.kind();
        kind == io::ErrorKind::WouldBlock
            || (kind == io::ErrorKind::TimedOut && error.raw_os_error().is_none())
    }
}

/// How many causes of an error are told: a chain without an end is no reason to hang.
const CAUSES_MAX: usize = 32;

/// An error and its causes in one line, each of them once: many errors, those of this library among them, show
/// their cause in their own text. For `main` functions, in place of `{error:#}`.
#[must_use]
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    for cause in std::iter::successors(error.source(), |cause| cause.source()).take(CAUSES_MAX) {
        let shown = cause.to_string();
        let is_reason_told = cause.downcast_ref().is_some_and(|error| text.contains(&reason(error)));
        if !is_reason_told && !text.contains(&shown) {
            text.push_str(": ");
            text.push_str(&shown);
        }
    }
    text
}
