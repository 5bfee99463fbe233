//! Where commands go and their rows come out: servers, connections, standard output.
//!
//! From: the options beside a subcommand. To: [`Session`], which all subcommands work with.
//! Never: changes anything on more than one server.

use super::views::View;
use crate::arguments::Arguments;
use anyhow::bail;
use geartrain_client::{ClientError, Connection, ConnectionLimits, ReplyLimits, ServerAddress, TypedRows};
use geartrain_proto::command::{Changed, Command};
use serde::de::DeserializeOwned;
use serde_json::json;
use std::cell::Cell;
use std::io::{self, IsTerminal, Write};

/// What all subcommands need.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    arguments: &'a Arguments,
    servers: Vec<ServerAddress>,
    /// Servers that do not know what they were to explain.
    unknowing: Cell<usize>,
}

/// How many rows a listing may have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowLimit(pub(crate) Option<u64>);

impl<'a> Session<'a> {
    /// A session with these servers.
    pub(crate) fn new(arguments: &'a Arguments, servers: Vec<ServerAddress>) -> Self {
        Self { arguments, servers, unknowing: Cell::new(0) }
    }

    /// Whether no server knows what was to be explained.
    pub(crate) fn is_unknown(&self) -> bool {
        self.unknowing.get() == self.servers.len()
    }

    /// Whether rows are written as they come.
    pub(crate) fn is_json(&self) -> bool {
        self.arguments.json
    }

    /// The limits of every reply.
    pub(crate) fn limits(&self) -> ReplyLimits {
        ReplyLimits { silence: self.arguments.silence(), reply_bytes_max: self.arguments.reply_bytes_max }
    }

    /// A connection to the one server that something is changed on.
    ///
    /// # Errors
    /// When there are several, or it cannot be reached.
    pub(crate) fn connect_one(&self) -> anyhow::Result<Connection> {
        match self.servers.as_slice() {
            [server] => Ok(self.connect(server)?),
            servers => bail!(
                "this changes what is on a server, and {} are given (hint: name one with --host)",
                servers.len()
            ),
        }
    }

    fn connect(&self, server: &ServerAddress) -> Result<Connection, ClientError> {
        let silence = self.arguments.silence();
        let limits = ConnectionLimits {
            connect: silence.min(ConnectionLimits::default().connect),
            write: silence,
            ..ConnectionLimits::default()
        };
        Connection::open(server, &limits)
    }

    /// Asks every server and prints what it says; an error of one does not hide the others.
    ///
    /// # Errors
    /// When standard output does not take it, or a server could not be asked; [`Said`] with several servers.
    pub(crate) fn list(&self, commands: &[Command], view: View, limit: RowLimit) -> anyhow::Result<()> {
        self.on_each(|server| self.list_one(server, commands, view, limit))
    }

    /// Counts on every server: the pages are summed up, one number for each server.
    ///
    /// # Errors
    /// As [`Session::list`].
    pub(crate) fn list_sums(&self, commands: &[Command]) -> anyhow::Result<()> {
        self.on_each(|server| self.sum_one(server, commands))
    }

    fn sum_one(&self, server: &ServerAddress, commands: &[Command]) -> anyhow::Result<()> {
        let mut connection = self.connect(server)?;
        let mut matched = 0;
        for command in commands {
            for row in connection.ask_pages(command.clone(), self.limits())?.typed::<Changed>() {
                matched += row?.matched;
            }
        }
        let mut out = io::stdout().lock();
        match (self.is_json(), self.servers.len()) {
            (true, 1) => writeln!(out, "{}", json!({ "matched": matched }))?,
            (true, _) => writeln!(out, "{}", json!({ "server": server.to_string(), "matched": matched }))?,
            (false, 1) => writeln!(out, "{matched}")?,
            (false, _) => writeln!(out, "{server} {matched}")?,
        }
        Ok(())
    }

    /// Does something with every server; what goes wrong with one is said at once.
    fn on_each(&self, each: impl Fn(&ServerAddress) -> anyhow::Result<()>) -> anyhow::Result<()> {
        if let [server] = self.servers.as_slice() {
            return each(server);
        }
        let mut worst: Option<Said> = None;
        for server in &self.servers {
            let Err(error) = each(server) else { continue };
            if super::is_broken_pipe(&error) {
                return Err(error);
            }
            let is_refusal = super::is_refusal(&error);
            // Other errors name their server themselves.
            super::say_error(&if is_refusal { error.context(server.to_string()) } else { error });
            let was_only_refused = worst.as_ref().is_none_or(|worst| worst.is_refusal);
            worst = Some(Said { is_refusal: is_refusal && was_only_refused });
        }
        worst.map_or(Ok(()), |said| Err(said.into()))
    }

    fn list_one(
        &self,
        server: &ServerAddress,
        commands: &[Command],
        view: View,
        RowLimit(limit): RowLimit,
    ) -> anyhow::Result<()> {
        let mut connection = self.connect(server)?;
        let mut out = io::BufWriter::new(io::stdout().lock());
        let is_one_of_many = self.servers.len() > 1;
        if is_one_of_many && !self.is_json() {
            writeln!(out, "==> {server} <==")?;
        }
        let mut printer = view.printer();
        let (mut rows, mut more) = (0, false);
        'all: for command in commands {
            let mut reply = connection.ask_pages(command.clone(), self.limits())?;
            while let Some(row) = reply.next_row()? {
                if limit.is_some_and(|limit| rows >= limit) {
                    more = true;
                    break 'all;
                }
                rows += 1;
                self.unknowing.set(self.unknowing.get() + usize::from(view.is_unknown(row)));
                if !self.is_json() {
                    printer.row(&mut out, row)?;
                } else if is_one_of_many {
                    // A row is an object: the server goes in front of its first key.
                    write!(out, "{{\"server\":{}", json!(server.to_string()))?;
                    out.write_all(if row == b"{}" { b"" } else { b"," })?;
                    out.write_all(row.strip_prefix(b"{").unwrap_or(row))?;
                    out.write_all(b"\n")?;
                } else {
                    out.write_all(row)?;
                    out.write_all(b"\n")?;
                }
            }
        }
        printer.end(&mut out)?;
        out.flush()?;
        if let (0, false, Some(nothing)) = (rows, self.is_json(), view.nothing()) {
            // Beside the table, so that a script counts no line.
            super::say_note(nothing);
        }
        if more {
            super::say_note(&format!("there are more than {rows} rows (hint: --limit 0 shows all)"));
        }
        Ok(())
    }

    /// Carries commands out on the one server, all pages of them, and hands on each row; with `--json` the
    /// rows are written as well.
    ///
    /// # Errors
    /// As [`Session::connect_one`], and when a command is refused.
    pub(crate) fn change<R: DeserializeOwned>(
        &self,
        connection: &mut Connection,
        command: Command,
        each: impl FnMut(R),
    ) -> anyhow::Result<()> {
        let rows = connection.ask_pages(command, self.limits())?;
        self.take_rows(rows, each)
    }

    /// Hands on each row of a reply; with `--json` the rows are written as well.
    ///
    /// # Errors
    /// As the reply's.
    pub(crate) fn take_rows<R: DeserializeOwned>(
        &self,
        mut rows: TypedRows<'_>,
        mut each: impl FnMut(R),
    ) -> anyhow::Result<()> {
        while let Some(row) = rows.next_row()? {
            if self.is_json() {
                let mut out = io::stdout().lock();
                out.write_all(row)?;
                out.write_all(b"\n")?;
                out.flush()?;
            }
            each(parse_row(row)?);
        }
        Ok(())
    }

    /// Says on standard output what was done, unless rows stand there.
    ///
    /// # Errors
    /// When standard output does not take it.
    pub(crate) fn done(&self, text: &str) -> anyhow::Result<()> {
        if !self.is_json() {
            writeln!(io::stdout().lock(), "{text}")?;
        }
        Ok(())
    }

    /// Asks the person whether to do `what`, unless that is said already.
    ///
    /// # Errors
    /// When there is nobody to ask.
    pub(crate) fn confirm(&self, what: &str, yes: Consented) -> anyhow::Result<bool> {
        if yes == Consented::Yes {
            return Ok(true);
        }
        if !io::stdin().is_terminal() {
            bail!("would {what}, and nobody is there to ask: standard input is no terminal (hint: --yes)");
        }
        let mut stderr = io::stderr().lock();
        write!(stderr, "{what}? [y/N] ")?;
        stderr.flush()?;
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
    }
}

/// Something went wrong with one of several servers, and was said.
#[derive(Debug, thiserror::Error)]
#[error("not all servers did what was asked")]
pub(crate) struct Said {
    /// Whether all that went wrong was that servers refused.
    pub(crate) is_refusal: bool,
}

/// Whether the person said yes beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consented {
    Yes,
    Ask,
}

/// A row as a value.
///
/// # Errors
/// When it is of another kind than the command's.
pub(crate) fn parse_row<R: DeserializeOwned>(row: &[u8]) -> anyhow::Result<R> {
    serde_json::from_slice(row).map_err(|error| {
        anyhow::anyhow!(
            "the server sent a row of another kind: {error} (hint: are server and tool of one version?)"
        )
    })
}
