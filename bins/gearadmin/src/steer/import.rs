//! Importing: a file that was found whole goes to the server, item by item, many at once.
//!
//! From: [`Archive`]. To: `import` commands; what the server knows already stays as it is.
//! Never: sends anything of a file with something wrong in it.

use super::actions::Import;
use super::archive::{Archive, section_name};
use super::progress::Progress;
use super::session::Session;
use super::shown::{count, counted, size};
use anyhow::{Context, bail};
use geartrain_client::{ClientError, Connection};
use geartrain_proto::command::{Command, CommandError, Import as ImportItem, Imported, Item, Section};
use serde_json::json;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Seek};
use std::path::Path;

/// Most commands whose replies are outstanding. Replies are short: so many of them fit into the buffers of a
/// connection, so that neither side waits for the other.
const IN_FLIGHT_MAX: usize = 256;

/// Commands that are sent together, at most, and their bytes from which on they are sent.
const BATCH_COMMANDS: usize = 64;
const BATCH_BYTES: usize = 256 * 1024;

/// What the file may have in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    Anything,
    DeadOnly,
}

/// `import`, `dead import`
///
/// # Errors
/// When the file is not whole, or the server refuses one of its items.
pub(crate) fn run(session: &Session<'_>, import: &Import, expected: Expected) -> anyhow::Result<()> {
    let (file, name) = open(&import.file)?;
    let archive = Archive::check(file, &name)?;
    let other = archive.counts.keys().find(|section| *section != section_name(Section::Dead));
    if let (Expected::DeadOnly, Some(other)) = (expected, other) {
        bail!("{name} has more in it than dead letters: {other} (hint: gearadmin import takes all of it in)");
    }
    if import.check {
        return session.done(&format!("{name} is whole: {}", counted(archive.items, "item")));
    }
    let mut connection = session.connect_one()?;
    check_longest(session, &mut connection, &archive, &name)?;
    let mut pipeline = Pipeline {
        session,
        connection,
        name: &name,
        batch: Vec::new(),
        batch_bytes: 0,
        waiting: VecDeque::new(),
        taken: Taken::default(),
        refused: None,
    };
    let progress = Progress::rows(Some(archive.items), false);
    archive.each(|line, item, bytes| {
        pipeline.push(line, item)?;
        progress.at(pipeline.taken.new + pipeline.taken.known);
        progress.say(size(usize::try_from(bytes).unwrap_or(usize::MAX)));
        Ok(())
    })?;
    pipeline.finish()?;
    progress.end();
    let Taken { new, known } = pipeline.taken;
    if session.is_json() {
        return super::export::write_line(&mut io::stdout().lock(), &json!({ "new": new, "known": known }));
    }
    let rest = if known == 0 { String::new() } else { format!("; {} were known already", count(known)) };
    session.done(&format!("imported {} from {name}{rest}", counted(new, "item")))
}

/// Lets the server look at the longest item before anything is sent that it would take in.
fn check_longest(
    session: &Session<'_>,
    connection: &mut Connection,
    archive: &Archive,
    name: &str,
) -> anyhow::Result<()> {
    let Some((line, item)) = &archive.longest else { return Ok(()) };
    let command = Command::Import(Box::new(ImportItem { item: item.clone(), check: true }));
    let rows = connection.ask_typed(&command, session.limits());
    let looked = rows.and_then(|rows| rows.typed::<Imported>().collect::<Result<Vec<_>, _>>());
    match looked {
        Ok(_) => Ok(()),
        Err(error @ (ClientError::Command { .. } | ClientError::Refused { .. })) => {
            let text = format!("{name}: line {line}: {error}; nothing is taken in");
            let server = connection.server().clone();
            Err(ClientError::Command { server, error: CommandError::new(text) }.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// The file, or a copy of standard input: it is read twice.
fn open(path: &Path) -> anyhow::Result<(File, String)> {
    if path != Path::new("-") {
        let name = path.display().to_string();
        let file = File::open(path).with_context(|| format!("cannot read {name}"))?;
        if file.metadata().is_ok_and(|it| it.is_file()) {
            return Ok((file, name));
        }
        return Ok((copied(file).with_context(|| format!("cannot read {name}"))?, name));
    }
    let copy = copied(io::stdin().lock()).context("cannot read standard input")?;
    Ok((copy, "standard input".to_owned()))
}

fn copied(mut from: impl io::Read) -> io::Result<File> {
    let mut copy = tempfile::tempfile()?;
    io::copy(&mut from, &mut copy)?;
    copy.rewind()?;
    Ok(copy)
}

#[derive(Debug, Default)]
struct Taken {
    new: u64,
    known: u64,
}

/// Commands on their way, in order.
struct Pipeline<'p> {
    session: &'p Session<'p>,
    connection: Connection,
    name: &'p str,
    batch: Vec<Command>,
    batch_bytes: usize,
    /// Lines of the items that are not answered yet.
    waiting: VecDeque<u64>,
    taken: Taken,
    /// The first line that the server refused, and its reason; up to there all is in.
    refused: Option<(u64, ClientError)>,
}

impl Pipeline<'_> {
    fn push(&mut self, line: u64, item: Item) -> anyhow::Result<()> {
        self.batch_bytes += bytes_of(&item);
        self.batch.push(Command::Import(Box::new(ImportItem { item, check: false })));
        self.waiting.push_back(line);
        if self.batch.len() >= BATCH_COMMANDS || self.batch_bytes >= BATCH_BYTES {
            self.send(IN_FLIGHT_MAX - BATCH_COMMANDS)?;
        }
        Ok(())
    }

    /// Sends what is gathered and reads replies until at most `left` are outstanding.
    fn send(&mut self, left: usize) -> anyhow::Result<()> {
        let sent = self.connection.send_typed(&self.batch);
        self.batch.clear();
        self.batch_bytes = 0;
        if let Err(error) = sent {
            // A server that closes the connection may have said why.
            while !self.waiting.is_empty() {
                self.read_reply()?;
            }
            return if self.refused.is_some() { self.stop() } else { Err(error.into()) };
        }
        while self.waiting.len() > left {
            self.read_reply()?;
        }
        if self.refused.is_some() { self.stop() } else { Ok(()) }
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        self.send(0)
    }

    fn read_reply(&mut self) -> anyhow::Result<()> {
        let Some(line) = self.waiting.pop_front() else { return Ok(()) };
        let reply = self.connection.typed_reply(self.session.limits());
        match reply.typed::<Imported>().collect::<Result<Vec<_>, _>>() {
            Ok(rows) if rows.iter().any(|row| row.outcome == "known") => self.taken.known += 1,
            Ok(_) => self.taken.new += 1,
            Err(error @ ClientError::Command { .. }) => {
                self.refused.get_or_insert((line, error));
            }
            Err(error @ ClientError::Refused { .. }) => {
                self.refused.get_or_insert((line, error));
                // Behind this the server closes the connection.
                self.waiting.clear();
            }
            Err(error) => bail!("{}: line {line}: {error}{}", self.name, self.so_far(line)),
        }
        Ok(())
    }

    /// Reads what is outstanding, so that the figures are exact, and fails with the first refusal.
    fn stop(&mut self) -> anyhow::Result<()> {
        while !self.waiting.is_empty() {
            self.read_reply()?;
        }
        match self.refused.take() {
            Some((line, error)) => {
                let text = format!("{}: line {line}: {error}{}", self.name, self.so_far(line));
                let server = self.connection.server().clone();
                Err(ClientError::Command { server, error: CommandError::new(text) }.into())
            }
            None => Ok(()),
        }
    }

    /// What stands behind the reason why a line is not taken in: how much is all the same. Some lines behind it
    /// may be.
    fn so_far(&self, line: u64) -> String {
        let Taken { new, known } = self.taken;
        if new + known == 0 {
            return "; nothing is taken in".to_owned();
        }
        let (upto, known) = (line.saturating_sub(1), count(known));
        let were = if new == 1 { "was" } else { "were" };
        let new = counted(new, "item");
        format!(
            "; all up to line {upto} is in, {new} {were} new and {known} known in all (hint: mend the file and import \
             it again, nothing is doubled)"
        )
    }
}

/// About how many bytes an item's line has.
fn bytes_of(item: &Item) -> usize {
    match item {
        Item::Policy { .. } => 200,
        Item::Schedule { schedule, .. } => 300 + schedule.workload.as_bytes().len(),
        Item::Job { workload, .. } => 300 + workload.as_bytes().len(),
    }
}
