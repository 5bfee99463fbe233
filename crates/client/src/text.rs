//! Text commands: a line goes out, one line or a list comes back, and the end of each is known.
//!
//! From: [`TextCommand`], which the tools make of their options. To: [`TextReply`], line by line.
//! Never: guesses the end of a reply by silence, or holds more than one line.

use crate::address::ServerAddress;
use crate::connection::Connection;
use crate::error::ClientError;
use crate::limits::{LINE_BYTES_MAX, REPLY_BYTES_MAX_DEFAULT};
use std::time::Duration;
use thiserror::Error;

/// A text command of the Gearman port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextCommand {
    /// `status`: per function its name, jobs, running jobs and workers.
    Status,
    /// `prioritystatus`: per function its name, waiting jobs of high, normal and low priority, and workers.
    PriorityStatus,
    /// `workers`: per connection its number, address, client id and functions.
    Workers,
    /// `show jobs`: per job its handle, retries, whether it is ignored, whether it is a background job.
    ShowJobs,
    /// `show unique jobs`: per job its unique.
    ShowUniqueJobs,
    /// `getpid`: the process number of the server.
    GetPid,
    /// `verbose`: what the server logs.
    Verbose,
    /// `version`: the version of the server.
    Version,
    /// `create function NAME`.
    CreateFunction(Word),
    /// `drop function NAME`, and with `force` also when jobs of it wait.
    DropFunction {
        /// The function to forget.
        function: Word,
        /// Whether its waiting jobs are cancelled.
        waiting: Waiting,
    },
    /// `cancel job HANDLE`.
    CancelJob(Word),
    /// `maxqueue FUNCTION [N | HIGH NORMAL LOW]`: at most this many jobs; without numbers, no limit.
    MaxQueue {
        /// The function to bound.
        function: Word,
        /// No number, one for all priorities, or up to three for high, normal and low.
        bounds: Vec<u32>,
    },
}

/// What becomes of the waiting jobs of a function that is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// They stop the function from being dropped.
    Keep,
    /// They are cancelled.
    Cancel,
}

/// A name that can stand in a text command: not empty, no white space, no control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word(String);

/// The name cannot stand in a text command.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} cannot be named in a text command: it is empty, or has white space or control characters")]
pub struct WordError(String);

impl Word {
    /// Checks a name.
    ///
    /// # Errors
    /// When the name would not reach the server as one word: a space would end it, a line feed the command.
    pub fn parse(name: &str) -> Result<Self, WordError> {
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(WordError(name.to_owned()));
        }
        Ok(Self(name.to_owned()))
    }
}

impl TextCommand {
    /// Whether the reply is a list that a line with one full stop ends; otherwise it is one line.
    #[must_use]
    pub const fn replies_with_list(&self) -> bool {
        matches!(
            self,
            TextCommand::Status
                | TextCommand::PriorityStatus
                | TextCommand::Workers
                | TextCommand::ShowJobs
                | TextCommand::ShowUniqueJobs
        )
    }

    /// Whether the one line of the reply may come several times: gearmand 1.1.20 drops all functions whose names are
    /// alike but for upper and lower case, and answers once for each. A connection is good for nothing more then.
    #[must_use]
    pub const fn replies_may_repeat(&self) -> bool {
        matches!(self, TextCommand::DropFunction { .. })
    }

    /// The line as it is sent. It ends with CRLF: without the CR, gearmand cuts the name of a new function.
    pub(crate) fn line(&self) -> String {
        let command = match self {
            TextCommand::Status => "status".to_owned(),
            TextCommand::PriorityStatus => "prioritystatus".to_owned(),
            TextCommand::Workers => "workers".to_owned(),
            TextCommand::ShowJobs => "show jobs".to_owned(),
            TextCommand::ShowUniqueJobs => "show unique jobs".to_owned(),
            TextCommand::GetPid => "getpid".to_owned(),
            TextCommand::Verbose => "verbose".to_owned(),
            TextCommand::Version => "version".to_owned(),
            TextCommand::CreateFunction(Word(name)) => format!("create function {name}"),
            TextCommand::DropFunction { function: Word(name), waiting: Waiting::Keep } => {
                format!("drop function {name}")
            }
            TextCommand::DropFunction { function: Word(name), waiting: Waiting::Cancel } => {
                format!("drop function {name} force")
            }
            TextCommand::CancelJob(Word(handle)) => format!("cancel job {handle}"),
            TextCommand::MaxQueue { function: Word(name), bounds } => {
                let bounds: String = bounds.iter().map(|bound| format!(" {bound}")).collect();
                format!("maxqueue {name}{bounds}")
            }
        };
        command + "\r\n"
    }
}

/// How much of a reply is waited for, and how long.
#[derive(Debug, Clone, Copy)]
pub struct ReplyLimits {
    /// How long the server may be silent before and within the reply; default 60 seconds.
    pub silence: Duration,
    /// Largest reply, in bytes; default 4 GiB.
    pub reply_bytes_max: u64,
}

impl Default for ReplyLimits {
    fn default() -> Self {
        Self { silence: crate::limits::ANSWER_LIMIT_DEFAULT, reply_bytes_max: REPLY_BYTES_MAX_DEFAULT }
    }
}

/// The reply to a text command, read line by line.
#[derive(Debug)]
pub struct TextReply<'c> {
    /// For errors: a line that is handed out keeps the connection to itself.
    server: ServerAddress,
    connection: &'c mut Connection,
    limits: ReplyLimits,
    bytes: u64,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The one line of the reply is due.
    Line,
    /// The first line of a list is due, or an error in its place.
    ListStart,
    /// Further lines of a list are due.
    List,
    Ended,
}

impl Connection {
    /// Sends a text command and hands out its reply.
    ///
    /// Behind a command whose [reply may repeat](TextCommand::replies_may_repeat) the connection takes no other.
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub fn ask(&mut self, command: &TextCommand, limits: ReplyLimits) -> Result<TextReply<'_>, ClientError> {
        if self.is_spent {
            let doing = "dropping a function, whose answers may still come";
            return Err(ClientError::Closed { server: self.server().clone(), doing });
        }
        self.is_spent = command.replies_may_repeat();
        self.send_bytes(command.line().as_bytes(), "sending a text command")?;
        let state = if command.replies_with_list() { State::ListStart } else { State::Line };
        Ok(TextReply { server: self.server().clone(), connection: self, limits, bytes: 0, state })
    }
}

impl TextReply<'_> {
    /// The next line without its line feed, or `None` behind the last.
    ///
    /// A single line comes without its `OK `; a bare `OK` comes as it is. The full stop that ends a list
    /// is not handed out.
    ///
    /// # Errors
    /// [`ClientError::Refused`] when the server answered `ERR`; otherwise as [`Connection::receive`], and
    /// when a line or the reply is over its limit.
    pub fn next_line(&mut self) -> Result<Option<&[u8]>, ClientError> {
        const DOING: &str = "reading the reply to a text command";
        if self.state == State::Ended {
            return Ok(None);
        }
        let server = || self.server.clone();
        while !self.connection.inbox().has_line() {
            if self.connection.inbox().unread().len() > LINE_BYTES_MAX {
                return Err(ClientError::LineTooLong { server: server(), max: LINE_BYTES_MAX });
            }
            self.connection.fill(Some(self.limits.silence), DOING)?;
            if self.bytes == 0 && self.connection.inbox().unread().first() == Some(&0) {
                return Err(ClientError::NotText { server: server() });
            }
        }
        let state = self.state;
        let line = self.connection.inbox().take_line().unwrap_or_default();
        self.bytes = self.bytes.saturating_add(u64::try_from(line.len()).unwrap_or(u64::MAX));
        if self.bytes > self.limits.reply_bytes_max {
            return Err(ClientError::ReplyTooLong { server: server(), max: self.limits.reply_bytes_max });
        }
        // Errors end with CRLF and rows with LF alone, so that a unique or function "ERR x" is a row.
        if state != State::List
            && let Some(text) = line.strip_prefix(b"ERR ").and_then(|rest| rest.strip_suffix(b"\r\n"))
        {
            self.state = State::Ended;
            let text = String::from_utf8_lossy(text).into_owned();
            return Err(ClientError::Refused { server: server(), text });
        }
        let row = line.strip_suffix(b"\n").unwrap_or(line);
        match state {
            State::Line => {
                self.state = State::Ended;
                let row = row.strip_suffix(b"\r").unwrap_or(row);
                Ok(Some(row.strip_prefix(b"OK ").unwrap_or(row)))
            }
            State::ListStart | State::List if row == b"." => {
                self.state = State::Ended;
                Ok(None)
            }
            State::ListStart | State::List => {
                self.state = State::List;
                Ok(Some(row))
            }
            State::Ended => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ConnectionLimits, ServerAddress};
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    /// What the reply is to `command` when a server sends `reply` byte by byte and then stays silent.
    fn reply_to(
        command: &TextCommand,
        reply: &'static [u8],
        limits: ReplyLimits,
    ) -> Result<Vec<String>, String> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_nodelay(true).unwrap();
            let mut request = Vec::new();
            while request.last() != Some(&b'\n') {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.push(byte[0]);
            }
            // The client may leave before the end of what it refuses.
            let _sent = reply.iter().try_for_each(|byte| stream.write_all(&[*byte]));
            // The end of the client's side is the signal to leave.
            assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0);
            String::from_utf8(request).unwrap()
        });
        let address = ServerAddress::Tcp { host: "127.0.0.1".to_owned(), port };
        let mut connection = Connection::open(&address, &ConnectionLimits::default()).unwrap();
        let mut rows = Vec::new();
        let mut replied = connection.ask(command, limits).unwrap();
        let outcome = loop {
            match replied.next_line() {
                Ok(Some(row)) => rows.push(String::from_utf8(row.to_vec()).unwrap()),
                Ok(None) => break Ok(rows),
                Err(error) => break Err(error.to_string().replace(&port.to_string(), "PORT")),
            }
        };
        drop(connection);
        assert!(server.join().unwrap().ends_with("\r\n"));
        outcome
    }

    #[test]
    fn the_end_of_a_reply_is_known_without_waiting_for_silence() {
        let ask = |command: &TextCommand, reply| reply_to(command, reply, ReplyLimits::default());
        assert_eq!(ask(&TextCommand::Version, b"OK 1.1.20\n"), Ok(vec!["1.1.20".to_owned()]));
        assert_eq!(
            ask(&TextCommand::CancelJob(Word::parse("h").unwrap()), b"OK\r\n"),
            Ok(vec!["OK".to_owned()])
        );
        assert_eq!(ask(&TextCommand::Status, b".\n"), Ok(vec![]));
        let rows = vec!["a\t1\t0\t2".to_owned(), String::new(), "ERR x".to_owned()];
        assert_eq!(ask(&TextCommand::Status, b"a\t1\t0\t2\n\nERR x\n.\n"), Ok(rows));
        assert_eq!(ask(&TextCommand::ShowUniqueJobs, b"ERR x\n.\n"), Ok(vec!["ERR x".to_owned()]));
        assert_eq!(ask(&TextCommand::Status, b"ERR NO\r\n"), Err("NO".to_owned()));
    }

    #[test]
    fn a_reply_that_does_not_end_ends_at_its_limit() {
        let short = ReplyLimits { silence: Duration::from_secs(2), reply_bytes_max: 8 };
        assert_eq!(
            reply_to(&TextCommand::Status, b"abc\nde", short),
            Err("127.0.0.1:PORT was silent for 2000 ms while reading the reply to a text command".to_owned())
        );
        assert_eq!(
            reply_to(&TextCommand::Status, b"abc\ndefgh\n", short),
            Err("127.0.0.1:PORT sent a reply over the limit of 8 bytes (hint: raise reply-bytes-max)"
                .to_owned())
        );
        assert_eq!(
            reply_to(&TextCommand::Status, b"\0RES\0\0\0\x06\0\0\0\0", short),
            Err("127.0.0.1:PORT does not speak the protocol: a packet came in place of text \
                 (hint: is it a Gearman server?)"
                .to_owned())
        );
    }

    #[test]
    fn a_name_cannot_smuggle_a_second_word_or_command() {
        for name in ["", "a b", "a\nversion", "a\r", "\u{0}", "a\tb"] {
            assert!(Word::parse(name).is_err(), "{name:?}");
        }
        let function = Word::parse("f").unwrap();
        let command = TextCommand::MaxQueue { function: function.clone(), bounds: vec![3, 2, 1] };
        assert_eq!(command.line(), "maxqueue f 3 2 1\r\n");
        let command = TextCommand::DropFunction { function, waiting: Waiting::Cancel };
        assert_eq!(command.line(), "drop function f force\r\n");
    }
}
