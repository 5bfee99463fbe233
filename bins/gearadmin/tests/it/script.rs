//! A server that answers typed commands by a script, and what was asked of it.

use crate::support::{FakeServer, Peer, Ran, run, start};
use geartrain_proto::command::Command;
use geartrain_proto::{AdminCommand, Message};
use std::io::Write;
use std::net::TcpListener;

pub(crate) const OURS: &str = env!("CARGO_BIN_EXE_gearadmin");

/// Answers each command with the next of `replies`, without its final dot; hands back the lines of all commands.
pub(crate) fn scripted(replies: Vec<String>) -> FakeServer<Vec<String>> {
    FakeServer::start(move |listener: TcpListener| {
        let mut asked = Vec::new();
        let mut replies = replies.into_iter();
        let mut peer = Peer::accept(&listener);
        while let Some(command) = peer.next(typed) {
            asked.push(command.to_line());
            let reply =
                replies.next().unwrap_or_else(|| panic!("no answer is left for {}", command.to_line()));
            // The tool may have left.
            let _sent = peer.stream.write_all(format!("{reply}.\n").as_bytes());
        }
        assert_eq!(replies.len(), 0, "all answers were asked for");
        asked
    })
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the panic names what is expected")]
fn typed(message: &Message<'_>) -> Command {
    match message {
        Message::Admin(AdminCommand::Typed(Ok(command))) => command.clone(),
        other => panic!("no typed command: {other:?}"),
    }
}

/// What the tool does against a script, and what it asked.
pub(crate) struct Told {
    pub(crate) ran: Ran,
    pub(crate) asked: Vec<String>,
    port: u16,
}

impl Told {
    /// All of it, ages and moments filtered.
    pub(crate) fn shown(&self) -> String {
        let mut shown = self.ran.shown(&[self.port]);
        for line in &self.asked {
            shown.push_str("> ");
            shown.push_str(line);
            shown.push('\n');
        }
        shown
    }
}

/// Runs the tool against a script, in the time zone UTC.
pub(crate) fn tell(arguments: &[&str], replies: &[&str]) -> Told {
    tell_with(arguments, replies, b"")
}

pub(crate) fn tell_with(arguments: &[&str], replies: &[&str], input: &[u8]) -> Told {
    let server = scripted(replies.iter().map(|reply| (*reply).to_owned()).collect());
    let host = format!("127.0.0.1:{}", server.port);
    let arguments = [arguments, &["-h", &host]].concat();
    let ran = start(OURS, &arguments, &[("TZ", "UTC")], input).end();
    let port = server.port;
    Told { ran, asked: server.join(), port }
}

/// Runs the tool where it asks no server.
pub(crate) fn alone(arguments: &[&str]) -> Ran {
    run(OURS, arguments, b"")
}

/// A moment this many minutes ago, in milliseconds of Unix time.
pub(crate) fn minutes_ago(minutes: u64) -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(now.as_millis()).unwrap() - i64::try_from(minutes).unwrap() * 60_000 - 1000
}

/// The text with every moment as TIME.
pub(crate) fn without_moments(text: &str) -> String {
    let mut filtered = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("+00:00 (") {
        // A moment has 19 characters before its zone.
        filtered.push_str(&rest[..at - 19]);
        filtered.push_str("TIME (");
        rest = &rest[at + "+00:00 (".len()..];
    }
    filtered + rest
}
