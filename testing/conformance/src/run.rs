//! Holding a talk with a server.

use crate::talk::{Action, Instead, Packet, Piece, Runner, Step, Talk, Template, What};
use geartrain_proto::PacketKind;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// A server that talks can be held with. Connections have the names that the talk gives them.
pub trait Server {
    /// Which one it is.
    fn runner(&self) -> Runner;
    /// Opens a connection.
    fn connect(&mut self, conn: &str);
    /// Sends bytes, one at a time when `split`.
    fn send(&mut self, conn: &str, bytes: &[u8], split: bool);
    /// Waits until the server has done all that this connection asked of it.
    fn settle(&mut self, conn: &str);
    /// The next thing that came to this connection; waits for it, with a limit, when `wait`.
    fn receive(&mut self, conn: &str, wait: bool) -> Option<Item>;
    /// Closes a connection, and waits until the server knows.
    fn close(&mut self, conn: &str);
    /// Sends no more.
    fn half_close(&mut self, conn: &str);
    /// Lets time pass.
    fn advance(&mut self, span: Duration);
    /// The second of Unix time.
    fn unix_seconds(&self) -> i64;
    /// Ends the server as by `kill -9` and starts it again on what it stored.
    fn restart(&mut self);
    /// Sends a signal.
    fn signal(&mut self, name: &str);
    /// Waits for the end of the process, with a limit; its exit code.
    fn exit_code(&mut self) -> Option<i32>;
}

/// Something that came from the server.
#[derive(Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields name themselves")]
pub enum Item {
    /// A packet.
    Packet { kind: u32, body: Vec<u8> },
    /// Text, as much as came in one run.
    Text(Vec<u8>),
    /// The end of the stream.
    Closed,
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |bytes: &[u8]| bytes.get(..300).unwrap_or(bytes).escape_ascii().to_string();
        match self {
            Item::Packet { kind, body } => {
                let name = PacketKind::from_wire(*kind).map_or("unknown kind", PacketKind::name);
                write!(f, "{name} \"{}\"", short(body))
            }
            Item::Text(text) => write!(f, "text \"{}\"", short(text)),
            Item::Closed => f.write_str("closed"),
        }
    }
}

/// Where a server did not do what the talk says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// The talk.
    pub talk: String,
    /// The line in its file.
    pub line: usize,
    /// What came, and what should have.
    pub problem: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (line {}): {}", self.talk, self.line, self.problem)
    }
}

/// Holds a talk with a fresh server.
///
/// # Errors
/// At the first step where the server did something else.
pub fn run(talk: &Talk, server: &mut dyn Server) -> Result<(), Mismatch> {
    let mut state = State { server, variables: BTreeMap::new(), connected: Vec::new() };
    for step in &talk.steps {
        match state.step(step) {
            Ok(true) => {}
            Ok(false) => break,
            Err(problem) => return Err(Mismatch { talk: talk.name.clone(), line: step.line, problem }),
        }
    }
    Ok(())
}

struct State<'a> {
    server: &'a mut dyn Server,
    variables: BTreeMap<String, Vec<u8>>,
    connected: Vec<String>,
}

impl State<'_> {
    fn step(&mut self, step: &Step) -> Result<bool, String> {
        let action = match &step.reference {
            Some(instead) if self.server.runner() == Runner::Reference => match instead {
                Instead::Skip => return Ok(true),
                Instead::End => return Ok(false),
                Instead::Action(action) => action,
            },
            _ => &step.action,
        };
        self.act(action)?;
        Ok(true)
    }

    fn act(&mut self, action: &Action) -> Result<(), String> {
        match action {
            Action::Connect { conn } => self.connect(conn),
            Action::Send { conn, times, split, settles, packet } => {
                self.connect(conn);
                let mut bytes = Vec::new();
                for index in 0..*times {
                    self.put(packet, index, &mut bytes)?;
                }
                self.server.send(conn, &bytes, *split);
                if *settles && !matches!(packet, Packet::Raw(_)) {
                    self.server.settle(conn);
                }
            }
            Action::Expect { conn, times, what } => {
                self.connect(conn);
                for index in 0..*times {
                    self.expect(conn, what, index)?;
                }
            }
            Action::Close { conn } => {
                self.server.close(conn);
                self.connected.retain(|name| name != conn);
            }
            Action::HalfClose { conn } => self.server.half_close(conn),
            Action::Advance(span) => self.server.advance(*span),
            Action::Restart => {
                self.server.restart();
                self.connected.clear();
            }
            Action::Signal(name) => self.server.signal(name),
            Action::Exit(code) => {
                let actual = self.server.exit_code();
                if actual != Some(*code) {
                    return Err(format!("expected exit code {code}, got {actual:?}"));
                }
            }
        }
        Ok(())
    }

    fn connect(&mut self, conn: &str) {
        if !self.connected.iter().any(|name| name == conn) {
            self.server.connect(conn);
            self.connected.push(conn.to_owned());
        }
    }

    fn put(&self, packet: &Packet, index: usize, out: &mut Vec<u8>) -> Result<(), String> {
        match packet {
            Packet::Text(text) | Packet::Raw(text) => out.extend(self.expand(text, index)?),
            Packet::Binary { magic, kind, fields } => {
                let fields: Vec<Vec<u8>> =
                    fields.iter().map(|field| self.expand(field, index)).collect::<Result<_, _>>()?;
                let body = fields.join(&0);
                out.extend_from_slice(magic);
                out.extend_from_slice(&kind.to_be_bytes());
                let len = u32::try_from(body.len()).map_err(|_| "the body is too large")?;
                out.extend_from_slice(&len.to_be_bytes());
                out.extend(body);
            }
        }
        Ok(())
    }

    fn expand(&self, template: &Template, index: usize) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        for piece in &template.pieces {
            match piece {
                Piece::Bytes(literal) => bytes.extend_from_slice(literal),
                Piece::Variable(name) => {
                    let value = self.variables.get(name).ok_or_else(|| format!("${name} has no value"))?;
                    bytes.extend_from_slice(value);
                }
                Piece::Now(offset) => {
                    bytes.extend_from_slice((self.server.unix_seconds() + offset).to_string().as_bytes());
                }
                Piece::Index => bytes.extend_from_slice(index.to_string().as_bytes()),
                Piece::Any => return Err("`_` is only for what is expected".to_owned()),
            }
        }
        Ok(bytes.repeat(template.times))
    }

    fn expect(&mut self, conn: &str, what: &What, index: usize) -> Result<(), String> {
        if matches!(what, What::Nothing) {
            self.server.settle(conn);
            return match self.server.receive(conn, false) {
                None => Ok(()),
                Some(item) => Err(format!("expected nothing, got {item:?}")),
            };
        }
        let item = self.server.receive(conn, true);
        match (what, &item) {
            (What::Closed, Some(Item::Closed)) => Ok(()),
            (What::Packet { kind, fields }, Some(Item::Packet { kind: actual, body }))
                if kind.to_wire() == *actual =>
            {
                self.compare_fields(*kind, fields, body, index).map_err(|why| format!("{why}, got {item:?}"))
            }
            (What::Text(text), Some(Item::Text(actual))) if self.expand(text, index)? == *actual => Ok(()),
            (What::Like(pattern), Some(Item::Text(actual)))
                if like(&self.expand(pattern, index)?, actual) =>
            {
                Ok(())
            }
            (What::Rows(rows), Some(Item::Text(actual))) => {
                let mut expected: Vec<Vec<u8>> =
                    rows.iter().map(|row| self.expand(row, index)).collect::<Result<_, _>>()?;
                expected.sort();
                let mut lines: Vec<Vec<u8>> =
                    actual.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
                let end = lines.split_off(lines.len().saturating_sub(2));
                lines.sort();
                if lines == expected && end == [b".".to_vec(), Vec::new()] {
                    return Ok(());
                }
                Err(format!("expected other rows, got {item:?}"))
            }
            _ => Err(format!("expected {}, got {item:?}", describe(what))),
        }
    }

    fn compare_fields(
        &mut self,
        kind: PacketKind,
        fields: &[Template],
        body: &[u8],
        index: usize,
    ) -> Result<(), String> {
        let parts: Vec<&[u8]> = match kind.parts() {
            0 if body.is_empty() => Vec::new(),
            parts => body.splitn(parts.max(1), |byte| *byte == 0).collect(),
        };
        // An empty body is no part, or one empty part.
        let parts = if fields.is_empty() && body.is_empty() { Vec::new() } else { parts };
        if parts.len() != fields.len() {
            return Err(format!("expected {} parts", fields.len()));
        }
        for (field, part) in fields.iter().zip(parts) {
            match field.pieces.as_slice() {
                [Piece::Any] => {}
                [Piece::Variable(name)] if !self.variables.contains_key(name) => {
                    if let Some((other, _)) =
                        self.variables.iter().find(|(_, value)| value.as_slice() == part)
                    {
                        return Err(format!("${name} must differ from ${other}"));
                    }
                    self.variables.insert(name.clone(), part.to_vec());
                }
                _ => {
                    let expected = self.expand(field, index)?;
                    if expected != part {
                        let short = expected.get(..300).unwrap_or(&expected).escape_ascii();
                        return Err(format!("expected the part \"{short}\""));
                    }
                }
            }
        }
        Ok(())
    }
}

fn describe(what: &What) -> String {
    match what {
        What::Packet { kind, .. } => kind.name().to_owned(),
        What::Text(template) | What::Like(template) => format!("text {template:?}"),
        What::Rows(rows) => format!("{} rows", rows.len()),
        What::Nothing => "nothing".to_owned(),
        What::Closed => "closed".to_owned(),
    }
}

/// Whether `*` in `pattern` can stand for something that makes it `text`.
fn like(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|skip| like(rest, &text[skip..])),
        Some((byte, rest)) => {
            text.split_first().is_some_and(|(first, after)| first == byte && like(rest, after))
        }
    }
}
