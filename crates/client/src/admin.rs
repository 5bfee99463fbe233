//! Administration over a connection of its own: text commands whose replies are typed, and typed commands.
//!
//! From: [`Client::admin`](crate::Client::admin) or [`Admin::connect`]. To: rows as values.
//! Never: takes a reply without an end for a whole one, or holds one over its limit.

mod rows;

pub use rows::{FunctionPriorities, FunctionStatus, JobLine, WorkerLine};

use crate::address::ServerAddress;
use crate::error::ClientError;
use crate::inbox::Inbox;
use crate::limits::{
    ANSWER_LIMIT_DEFAULT, BODY_BYTES_MAX_DEFAULT, CONNECT_LIMIT_DEFAULT, HELD_REPLY_BYTES_MAX,
    LINE_BYTES_MAX, ROW_BYTES_MAX, WRITE_LIMIT_DEFAULT,
};
use crate::net::Socket;
use crate::text::TextCommand;
use crate::typed::{Line, classify};
use bytes::BytesMut;
use geartrain_proto::command::{Command, Page};
use serde::de::DeserializeOwned;
use std::future::poll_fn;
use std::io;
use std::time::Duration;
use tokio::time::timeout;

/// A connection that steers and inspects one server.
///
/// Commands are sent one after the other. When the future of one is dropped in the middle, or the connection ended
/// meanwhile, the next one connects anew.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use geartrain_client::{Client, TextCommand, Word};
///
/// let client = Client::new("localhost:4730")?;
/// for server in client.servers() {
///     let mut admin = client.admin(server);
///     for function in admin.functions().await? {
///         println!("{server}: {} jobs of {}", function.jobs, function.function);
///     }
///     admin.tell(&TextCommand::CreateFunction(Word::parse("resize")?)).await?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Admin {
    server: ServerAddress,
    connect_limit: Duration,
    silence_limit: Duration,
    connection: Option<Connection>,
}

#[derive(Debug)]
struct Connection {
    socket: Socket,
    inbox: Inbox,
    chunk: BytesMut,
    /// Bytes of the reply at hand.
    bytes: u64,
}

impl Admin {
    /// A connection to be: it comes about with the first command. Limits: 10 seconds to connect, 60 seconds of silence.
    #[must_use]
    pub fn new(server: ServerAddress) -> Self {
        Self::with_limits(server, CONNECT_LIMIT_DEFAULT, ANSWER_LIMIT_DEFAULT)
    }

    pub(crate) fn with_limits(
        server: ServerAddress,
        connect_limit: Duration,
        silence_limit: Duration,
    ) -> Self {
        Self { server, connect_limit, silence_limit, connection: None }
    }

    /// The server at the other end.
    #[must_use]
    pub fn server(&self) -> &ServerAddress {
        &self.server
    }

    /// All functions with their jobs and workers: `status`.
    ///
    /// # Errors
    /// When there is no whole reply, or its rows are of another form.
    pub async fn functions(&mut self) -> Result<Vec<FunctionStatus>, ClientError> {
        self.list(&TextCommand::Status, FunctionStatus::parse).await
    }

    /// All functions with their waiting jobs by priority: `prioritystatus`.
    ///
    /// # Errors
    /// As [`Admin::functions`].
    pub async fn priorities(&mut self) -> Result<Vec<FunctionPriorities>, ClientError> {
        self.list(&TextCommand::PriorityStatus, FunctionPriorities::parse).await
    }

    /// All connections, clients and this one among them, with what they are able to do: `workers`.
    ///
    /// # Errors
    /// As [`Admin::functions`].
    pub async fn workers(&mut self) -> Result<Vec<WorkerLine>, ClientError> {
        self.list(&TextCommand::Workers, WorkerLine::parse).await
    }

    /// All jobs that wait or run: `show jobs`.
    ///
    /// # Errors
    /// As [`Admin::functions`].
    pub async fn jobs(&mut self) -> Result<Vec<JobLine>, ClientError> {
        self.list(&TextCommand::ShowJobs, JobLine::parse).await
    }

    /// The uniques of all jobs: `show unique jobs`.
    ///
    /// # Errors
    /// As [`Admin::functions`].
    pub async fn uniques(&mut self) -> Result<Vec<String>, ClientError> {
        self.list(&TextCommand::ShowUniqueJobs, |row| Some(String::from_utf8_lossy(row).into_owned())).await
    }

    /// The version of the server: `version`.
    ///
    /// # Errors
    /// As [`Admin::tell`].
    pub async fn version(&mut self) -> Result<String, ClientError> {
        self.tell(&TextCommand::Version).await
    }

    /// The process number of the server: `getpid`.
    ///
    /// # Errors
    /// As [`Admin::tell`], and when it is no number.
    pub async fn pid(&mut self) -> Result<u32, ClientError> {
        let text = self.tell(&TextCommand::GetPid).await?;
        text.parse().map_err(|_| self.strange(text.as_bytes()))
    }

    /// Sends a command that is answered with one line, as all but the lists are, and gives the line without its `OK`.
    ///
    /// # Errors
    /// [`ClientError::List`] when it is answered with a list, [`ClientError::Refused`] when the server answered `ERR`;
    /// otherwise when there is no reply.
    pub async fn tell(&mut self, command: &TextCommand) -> Result<String, ClientError> {
        if command.replies_with_list() {
            return Err(ClientError::List { command: command.line().trim_ascii_end().to_owned() });
        }
        let mut connection = self.send(command.line().as_bytes()).await?;
        let line = connection.line(self, LINE_BYTES_MAX).await?;
        // A second answer would be taken for that to the next command.
        if !command.replies_may_repeat() {
            self.connection = Some(connection);
        }
        if let Some(text) = line.strip_prefix(b"ERR ") {
            let text = String::from_utf8_lossy(text.trim_ascii_end()).into_owned();
            return Err(ClientError::Refused { server: self.server.clone(), text });
        }
        let line = line.strip_prefix(b"OK").unwrap_or(&line).trim_ascii();
        Ok(String::from_utf8_lossy(line).into_owned())
    }

    /// Sends a typed command, which gearmand of Geartrain knows, and gives the rows of all pages of its reply.
    ///
    /// [`geartrain_proto::command::Command`] says of each command what its rows are.
    ///
    /// # Errors
    /// [`ClientError::Command`] when the server does not carry it out, [`ClientError::NoTypedCommands`] when it does
    /// not know typed commands; otherwise when there is no whole reply.
    pub async fn command<R: DeserializeOwned>(&mut self, command: Command) -> Result<Vec<R>, ClientError> {
        let mut command = command;
        let mut rows = Vec::new();
        loop {
            let line = command.to_line() + "\r\n";
            let mut connection = self.send(line.as_bytes()).await?;
            let page = self.page(&mut connection, &mut rows).await?;
            self.connection = Some(connection);
            match (command.after_mut(), page.next) {
                (Some(after), Some(next)) if *after == next => {
                    return Err(ClientError::SamePage { server: self.server.clone(), next });
                }
                (Some(after), Some(next)) => *after = next,
                _ => return Ok(rows),
            }
        }
    }

    /// Reads one page of rows.
    async fn page<R: DeserializeOwned>(
        &self,
        connection: &mut Connection,
        rows: &mut Vec<R>,
    ) -> Result<Page, ClientError> {
        let server = || self.server.clone();
        let (mut page, mut refused) = (Page::default(), None);
        loop {
            let line = connection.line(self, ROW_BYTES_MAX).await?;
            match classify(line.trim_ascii_end()) {
                Some(Line::Row) => match serde_json::from_slice(line.trim_ascii_end()) {
                    Ok(row) => rows.push(row),
                    Err(cause) => {
                        return Err(ClientError::Row { server: server(), cause: cause.to_string() });
                    }
                },
                Some(Line::Page(next)) => page = next,
                Some(Line::Error(error)) => refused = Some(error),
                Some(Line::Refused(text)) if text.starts_with("UNKNOWN_COMMAND") => {
                    return Err(ClientError::NoTypedCommands { server: server(), text });
                }
                Some(Line::Refused(text)) => return Err(ClientError::Refused { server: server(), text }),
                Some(Line::End) => break,
                None => return Err(ClientError::NotRows { server: server() }),
            }
        }
        match refused {
            Some(error) => Err(ClientError::Command { server: server(), error }),
            None => Ok(page),
        }
    }

    async fn list<R>(
        &mut self,
        command: &TextCommand,
        parse: impl Fn(&[u8]) -> Option<R>,
    ) -> Result<Vec<R>, ClientError> {
        let mut connection = self.send(command.line().as_bytes()).await?;
        let mut rows = Vec::new();
        loop {
            let line = connection.line(self, LINE_BYTES_MAX).await?;
            // Errors end with CRLF and rows with LF alone, so that a unique "ERR x" is a row.
            if rows.is_empty()
                && let Some(text) = line.strip_prefix(b"ERR ").and_then(|rest| rest.strip_suffix(b"\r\n"))
            {
                self.connection = Some(connection);
                let text = String::from_utf8_lossy(text).into_owned();
                return Err(ClientError::Refused { server: self.server.clone(), text });
            }
            let row = line.strip_suffix(b"\n").unwrap_or(&line);
            if row == b"." {
                self.connection = Some(connection);
                return Ok(rows);
            }
            rows.push(parse(row).ok_or_else(|| self.strange(row))?);
        }
    }

    fn strange(&self, row: &[u8]) -> ClientError {
        let cause = format!("{:?}", row.escape_ascii().to_string());
        ClientError::Row { server: self.server.clone(), cause }
    }

    /// Writes a command. The connection is put back when its reply was read to the end: otherwise the next command
    /// would read what is left of it.
    async fn send(&mut self, line: &[u8]) -> Result<Connection, ClientError> {
        let mut connection = match self.connection.take().filter(Connection::is_quiet) {
            Some(connection) => connection,
            None => Connection {
                socket: Socket::connect(&self.server, self.connect_limit).await?,
                inbox: Inbox::new(BODY_BYTES_MAX_DEFAULT),
                chunk: BytesMut::new(),
                bytes: 0,
            },
        };
        connection.bytes = 0;
        let mut rest = line;
        while !rest.is_empty() {
            match connection.socket.try_write(rest) {
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let ready = poll_fn(|context| connection.socket.poll_write_ready(context));
                    let ready = timeout(WRITE_LIMIT_DEFAULT, ready).await;
                    let limit = WRITE_LIMIT_DEFAULT;
                    let doing = "sending a command";
                    ready
                        .map_err(|_| ClientError::TimedOut { server: self.server.clone(), doing, limit })?
                        .map_err(|cause| self.broken(cause))?;
                }
                Err(cause) => return Err(self.broken(cause)),
            }
        }
        Ok(connection)
    }

    fn broken(&self, cause: io::Error) -> ClientError {
        ClientError::Broken { server: self.server.clone(), doing: "talking to it in text", cause }
    }
}

impl Connection {
    /// Whether it is there, and nothing came unasked that would be taken for the reply to the next command.
    fn is_quiet(&self) -> bool {
        let read = self.socket.read_now(&mut [0]);
        self.inbox.unread().is_empty() && read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// The next line, its line feed included.
    async fn line(&mut self, admin: &Admin, line_bytes_max: usize) -> Result<Vec<u8>, ClientError> {
        const DOING: &str = "reading the reply to a command";
        let server = || admin.server.clone();
        loop {
            if let Some(line) = self.inbox.take_line() {
                self.bytes = self.bytes.saturating_add(u64::try_from(line.len()).unwrap_or(u64::MAX));
                if self.bytes > HELD_REPLY_BYTES_MAX {
                    return Err(ClientError::ListTooLong { server: server(), max: HELD_REPLY_BYTES_MAX });
                }
                return Ok(line.to_vec());
            }
            if self.inbox.unread().len() > line_bytes_max {
                return Err(ClientError::LineTooLong { server: server(), max: line_bytes_max });
            }
            if self.inbox.unread().first() == Some(&0) {
                return Err(ClientError::NotText { server: server() });
            }
            self.chunk.clear();
            self.chunk.reserve(self.inbox.wanted());
            let read = poll_fn(|context| self.socket.poll_read(&mut self.chunk, context));
            let limit = admin.silence_limit;
            let count = timeout(limit, read)
                .await
                .map_err(|_| ClientError::TimedOut { server: server(), doing: DOING, limit })?
                .map_err(|cause| admin.broken(cause))?;
            if count == 0 {
                return Err(ClientError::Closed { server: server(), doing: DOING });
            }
            self.inbox.feed(&self.chunk);
        }
    }
}
