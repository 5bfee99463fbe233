//! What a talk is made of.

use geartrain_proto::PacketKind;
use std::time::Duration;

/// A server that a talk can be held with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runner {
    /// The queue alone, without sockets.
    Core,
    /// Our daemon.
    Daemon,
    /// The reference server, 1.1.20.
    Reference,
}

/// One conversation, held with a fresh server.
#[derive(Debug, Clone)]
pub struct Talk {
    /// File and name, for messages.
    pub name: String,
    /// Command-line options of the server.
    pub options: Vec<String>,
    /// With which servers it is held.
    pub runners: Vec<Runner>,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// One line of a talk.
#[derive(Debug, Clone)]
pub struct Step {
    /// Its line number.
    pub line: usize,
    /// What happens.
    pub action: Action,
    /// What happens instead with the reference server.
    pub reference: Option<Instead>,
}

/// What the reference does in place of a step.
#[derive(Debug, Clone)]
pub enum Instead {
    /// Nothing is checked here.
    Skip,
    /// The talk ends here, since what follows depends on the difference.
    End,
    /// This.
    Action(Action),
}

/// What happens in a step.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the fields name themselves")]
pub enum Action {
    /// `c1 > ...`: send, so many times in one write, byte by byte when `split`; `c1 >> ...` does not settle.
    Send { conn: String, times: usize, split: bool, settles: bool, packet: Packet },
    /// `c1 < ...`: the next thing that comes.
    Expect { conn: String, times: usize, what: What },
    /// `c1 connect`.
    Connect { conn: String },
    /// `c1 close`.
    Close { conn: String },
    /// `c1 half-close`: no more is sent, but answers are read.
    HalfClose { conn: String },
    /// `advance 2s`.
    Advance(Duration),
    /// `restart`: the server dies (as by `kill -9`) and starts again on what it stored.
    Restart,
    /// `signal TERM`.
    Signal(String),
    /// `exit 0`: the process ends with this code.
    Exit(i32),
}

/// What is sent.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the fields name themselves")]
pub enum Packet {
    /// A packet whose parts are joined by NULs.
    Binary { magic: [u8; 4], kind: u32, fields: Vec<Template> },
    /// A text command; its line ending is written out.
    Text(Template),
    /// Any bytes, nothing is waited for.
    Raw(Template),
}

/// What is expected.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the fields name themselves")]
pub enum What {
    /// A packet; each field is a part of its body.
    Packet { kind: PacketKind, fields: Vec<Template> },
    /// Exactly this text.
    Text(Template),
    /// These rows in any order, then a line with a dot.
    Rows(Vec<Template>),
    /// Text in which `*` stands for anything.
    Like(Template),
    /// Nothing has come, though the server has done all that it was asked.
    Nothing,
    /// The end of the stream.
    Closed,
}

/// Bytes with variables in them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Template {
    /// The parts, in order.
    pub pieces: Vec<Piece>,
    /// How often all of it is repeated: `"x"*65`.
    pub times: usize,
}

/// Part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// These bytes.
    Bytes(Vec<u8>),
    /// `$h1`: the value of a variable; where something is expected and it has none yet, it gets one.
    Variable(String),
    /// `$now+2`: the second of Unix time so many seconds from now.
    Now(i64),
    /// `$i`: which repetition this is, from 0.
    Index,
    /// `_`: anything, where something is expected.
    Any,
}
