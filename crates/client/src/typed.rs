//! Typed commands: a line goes out, rows of JSON come back, and pages follow each other.
//!
//! From: [`Command`], which the tools make of their subcommands. To: [`TypedRows`], row by row.
//! Never: holds more than one row, or takes a reply without an end for a whole one.

use crate::connection::Connection;
use crate::error::ClientError;
use crate::limits::ROW_BYTES_MAX;
use crate::text::ReplyLimits;
use geartrain_proto::command::{Command, CommandError, Page};
use serde::Deserialize;
use serde::de::DeserializeOwned;

const DOING: &str = "reading the reply to a command";

/// The rows that answer a command, read one by one.
///
/// Dropped before its end, it leaves the rest of the reply on the connection, which is then good for nothing.
#[derive(Debug)]
pub struct TypedRows<'c> {
    connection: &'c mut Connection,
    limits: ReplyLimits,
    bytes: u64,
    /// The command, where the pages behind the first are asked for as well.
    follow: Option<Command>,
    page: Page,
    refused: Option<CommandError>,
    ended: bool,
}

/// What a line of a reply is.
pub(crate) enum Line {
    Row,
    Page(Page),
    Error(CommandError),
    /// A line that refuses the command as text.
    Refused(String),
    End,
}

impl Connection {
    /// Sends a typed command and hands out its reply: one page, where it is answered in pages.
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub fn ask_typed(
        &mut self,
        command: &Command,
        limits: ReplyLimits,
    ) -> Result<TypedRows<'_>, ClientError> {
        self.send_typed(std::slice::from_ref(command))?;
        Ok(self.typed_reply(limits))
    }

    /// As [`Connection::ask_typed`], and goes on with the following pages to the last.
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub fn ask_pages(&mut self, command: Command, limits: ReplyLimits) -> Result<TypedRows<'_>, ClientError> {
        let mut rows = self.ask_typed(&command, limits)?;
        rows.follow = Some(command);
        Ok(rows)
    }

    /// Sends commands whose replies are read later, in this order, with [`Connection::typed_reply`].
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub fn send_typed(&mut self, commands: &[Command]) -> Result<(), ClientError> {
        let mut lines = String::new();
        for command in commands {
            lines.push_str(&command.to_line());
            lines.push_str("\r\n");
        }
        self.send_bytes(lines.as_bytes(), "sending a command")
    }

    /// The reply to the first command that was sent and whose reply was not read yet.
    pub fn typed_reply(&mut self, limits: ReplyLimits) -> TypedRows<'_> {
        TypedRows {
            connection: self,
            limits,
            bytes: 0,
            follow: None,
            page: Page::default(),
            refused: None,
            ended: false,
        }
    }
}

impl TypedRows<'_> {
    /// The next row, as the JSON object that came; `None` behind the last.
    ///
    /// # Errors
    /// [`ClientError::Command`] when the server does not carry the command out; otherwise as
    /// [`Connection::receive`], and when a row or the reply is over its limit.
    pub fn next_row(&mut self) -> Result<Option<&[u8]>, ClientError> {
        while !self.ended {
            match self.next_line()? {
                Line::Row => {
                    let line = self.connection.inbox().take_line().unwrap_or_default();
                    return Ok(Some(line.trim_ascii_end()));
                }
                Line::Page(page) => self.page = page,
                Line::Error(error) => self.refused = Some(error),
                Line::Refused(text) => {
                    self.ended = true;
                    let server = self.connection.server().clone();
                    return Err(if text.starts_with("UNKNOWN_COMMAND") {
                        ClientError::NoTypedCommands { server, text }
                    } else {
                        ClientError::Refused { server, text }
                    });
                }
                Line::End => self.end_page()?,
            }
            self.connection.inbox().take_line();
        }
        Ok(None)
    }

    /// The rows as values of one type.
    pub fn typed<R: DeserializeOwned>(self) -> impl Iterator<Item = Result<R, ClientError>> {
        let mut rows = self;
        std::iter::from_fn(move || rows.next_typed().transpose())
    }

    /// The next row as a value; `None` behind the last.
    ///
    /// # Errors
    /// As [`TypedRows::next_row`], and [`ClientError::Row`] when the row is of another type.
    pub fn next_typed<R: DeserializeOwned>(&mut self) -> Result<Option<R>, ClientError> {
        let Some(row) = self.next_row()? else { return Ok(None) };
        serde_json::from_slice(row).map(Some).map_err(|cause| {
            let server = self.connection.server().clone();
            ClientError::Row { server, cause: cause.to_string() }
        })
    }

    /// Where the next page begins, known behind the last row.
    #[must_use]
    pub fn page(&self) -> Page {
        self.page
    }

    /// Waits for a line and says what it is; it is not taken yet.
    fn next_line(&mut self) -> Result<Line, ClientError> {
        while !self.connection.inbox().has_line() {
            if self.connection.inbox().unread().len() > ROW_BYTES_MAX {
                let server = self.connection.server().clone();
                return Err(ClientError::LineTooLong { server, max: ROW_BYTES_MAX });
            }
            self.connection.fill(Some(self.limits.silence), DOING)?;
            if self.bytes == 0 && self.connection.inbox().unread().first() == Some(&0) {
                return Err(ClientError::NotText { server: self.connection.server().clone() });
            }
        }
        let line = self.connection.inbox().peek_line();
        self.bytes = self.bytes.saturating_add(u64::try_from(line.len()).unwrap_or(u64::MAX));
        let line = classify(line.trim_ascii_end());
        if self.bytes > self.limits.reply_bytes_max {
            let server = self.connection.server().clone();
            return Err(ClientError::ReplyTooLong { server, max: self.limits.reply_bytes_max });
        }
        line.ok_or_else(|| ClientError::NotRows { server: self.connection.server().clone() })
    }

    /// The end of a page: of all, or the next one is asked for.
    fn end_page(&mut self) -> Result<(), ClientError> {
        if let Some(error) = self.refused.take() {
            self.ended = true;
            self.connection.inbox().take_line();
            return Err(ClientError::Command { server: self.connection.server().clone(), error });
        }
        let after = self.follow.as_mut().and_then(Command::after_mut);
        if let (Some(after), Some(next)) = (after, self.page.next) {
            if next == *after {
                return Err(ClientError::SamePage { server: self.connection.server().clone(), next });
            }
            *after = next;
            self.page = Page::default();
            let command = self.follow.clone();
            return self.connection.send_typed(command.as_slice());
        }
        self.ended = true;
        Ok(())
    }
}

/// What a line is, or `None` where it is nothing that belongs into a reply.
pub(crate) fn classify(line: &[u8]) -> Option<Line> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Failure {
        error: String,
    }
    if line == b"." {
        return Some(Line::End);
    }
    if let Some(text) = line.strip_prefix(b"ERR ") {
        return Some(Line::Refused(String::from_utf8_lossy(text).into_owned()));
    }
    if !line.starts_with(b"{") {
        return None;
    }
    if line == b"{}" {
        return Some(Line::Page(Page::default()));
    }
    let next = line.strip_prefix(br#"{"next":"#).and_then(|rest| rest.strip_suffix(b"}"));
    if let Some(next) = next.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok()) {
        return Some(Line::Page(Page { next: Some(next) }));
    }
    if line.starts_with(br#"{"error":"#)
        && let Ok(failure) = serde_json::from_slice::<Failure>(line)
    {
        return Some(Line::Error(CommandError::new(failure.error)));
    }
    Some(Line::Row)
}

#[cfg(test)]
mod tests;
