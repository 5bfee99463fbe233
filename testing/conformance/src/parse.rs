//! From the text of a talk file to its talks.

use crate::talk::{Action, Instead, Packet, Piece, Runner, Step, Talk, Template, What};
use geartrain_proto::PacketKind;
use std::fmt;
use std::time::Duration;

/// Why a talk file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// File and line.
    pub place: String,
    /// What is wrong.
    pub problem: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.problem)
    }
}

impl std::error::Error for ParseError {}

/// Reads all talks of a file.
///
/// # Errors
/// With file and line, at the first line that is not understood.
pub fn parse(file: &str, text: &str) -> Result<Vec<Talk>, ParseError> {
    let mut talks: Vec<Talk> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        parse_line(file, &mut talks, number, line)
            .map_err(|problem| ParseError { place: format!("{file}:{number}"), problem })?;
    }
    Ok(talks)
}

fn parse_line(file: &str, talks: &mut Vec<Talk>, number: usize, line: &str) -> Result<(), String> {
    let line = line.trim();
    if let Some(name) = line.strip_prefix("== ") {
        talks.push(Talk {
            name: format!("{file}: {name}"),
            options: Vec::new(),
            runners: vec![Runner::Core, Runner::Daemon, Runner::Reference],
            steps: Vec::new(),
        });
        return Ok(());
    }
    let reference = line.strip_prefix("# reference:");
    if line.is_empty() || (line.starts_with('#') && reference.is_none()) {
        return Ok(());
    }
    let talk = talks.last_mut().ok_or("a step before the first `== name`")?;
    if let Some(difference) = reference {
        return parse_difference(talk, number, difference.trim());
    }
    if let Some(options) = line.strip_prefix("options ") {
        talk.options = options.split_whitespace().map(str::to_owned).collect();
        return Ok(());
    }
    if let Some(runners) = line.strip_prefix("runners ") {
        let words = runners.split('#').next().unwrap_or_default().split_whitespace();
        talk.runners = words.map(runner).collect::<Result<_, _>>()?;
        return Ok(());
    }
    talk.steps.push(Step { line: number, action: parse_action(line)?, reference: None });
    Ok(())
}

fn runner(word: &str) -> Result<Runner, String> {
    match word {
        "core" => Ok(Runner::Core),
        "daemon" => Ok(Runner::Daemon),
        "reference" => Ok(Runner::Reference),
        _ => Err(format!("unknown runner {word}")),
    }
}

/// `# reference: STEP -- reason`, where STEP may also be `skip`, `end` or `not run`.
fn parse_difference(talk: &mut Talk, number: usize, text: &str) -> Result<(), String> {
    let (what, reason) = text.split_once("-- ").ok_or("a difference needs `-- ` and a reason")?;
    if reason.trim().is_empty() {
        return Err("a difference needs a reason".to_owned());
    }
    let what = what.trim();
    if what == "not run" {
        talk.runners.retain(|runner| *runner != Runner::Reference);
        return Ok(());
    }
    let instead = match what {
        "skip" => Instead::Skip,
        "end" => Instead::End,
        step => Instead::Action(parse_action(step)?),
    };
    let last = talk.steps.last_mut().ok_or("a difference belongs behind the step it replaces")?;
    if last.reference.is_some() {
        talk.steps.push(Step {
            line: number,
            action: Action::Advance(Duration::ZERO),
            reference: Some(instead),
        });
    } else {
        last.reference = Some(instead);
    }
    Ok(())
}

fn parse_action(line: &str) -> Result<Action, String> {
    let tokens = tokenize(line)?;
    let words: Vec<String> = tokens.iter().map(plain).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse::<i32>().map_err(|_| format!("{text} is no number"));
    match words.as_slice() {
        ["advance", span] => Ok(Action::Advance(duration(span)?)),
        ["restart"] => Ok(Action::Restart),
        ["signal", name] => Ok(Action::Signal((*name).to_owned())),
        ["exit", code] => Ok(Action::Exit(number(code)?)),
        [conn, "connect"] => Ok(Action::Connect { conn: (*conn).to_owned() }),
        [conn, "close"] => Ok(Action::Close { conn: (*conn).to_owned() }),
        [conn, "half-close"] => Ok(Action::HalfClose { conn: (*conn).to_owned() }),
        [conn, rest @ ..] => {
            let (times, used) = match rest.first().and_then(|word| word.strip_prefix('x')) {
                Some(times) => (times.parse().map_err(|_| "a number belongs behind `x`")?, 1),
                None => (1, 0),
            };
            let conn = (*conn).to_owned();
            let fields = tokens.get(used + 3..).unwrap_or_default().to_vec();
            match (rest.get(used).copied(), rest.get(used + 1).copied()) {
                (Some(arrow @ (">" | ">>" | "split>")), Some(name)) => {
                    let packet = sent(name, fields)?;
                    Ok(Action::Send { conn, times, split: arrow == "split>", settles: arrow != ">>", packet })
                }
                (Some("<"), Some(name)) => Ok(Action::Expect { conn, times, what: expected(name, fields)? }),
                _ => Err("expected `NAME > PACKET` or `NAME < PACKET`".to_owned()),
            }
        }
        [] => Err("an empty step".to_owned()),
    }
}

fn sent(name: &str, mut fields: Vec<Template>) -> Result<Packet, String> {
    match (name, fields.len()) {
        ("text", 1) => return Ok(Packet::Text(fields.remove(0))),
        ("raw", 1) => return Ok(Packet::Raw(fields.remove(0))),
        _ => {}
    }
    let (magic, name) = match name.strip_prefix("RES:") {
        Some(name) => (*b"\0RES", name),
        None => (*b"\0REQ", name),
    };
    let kind = match name.strip_prefix("kind:") {
        Some(number) => number.parse().map_err(|_| format!("{number} is no kind"))?,
        None => kind_named(name)?.to_wire(),
    };
    Ok(Packet::Binary { magic, kind, fields })
}

fn expected(name: &str, mut fields: Vec<Template>) -> Result<What, String> {
    match (name, fields.len()) {
        ("nothing", 0) => Ok(What::Nothing),
        ("closed", 0) => Ok(What::Closed),
        ("text", 1) => Ok(What::Text(fields.remove(0))),
        ("like", 1) => Ok(What::Like(fields.remove(0))),
        ("rows", _) => Ok(What::Rows(fields)),
        _ => Ok(What::Packet { kind: kind_named(name)?, fields }),
    }
}

fn kind_named(name: &str) -> Result<PacketKind, String> {
    let found = PacketKind::ALL.iter().find(|kind| kind.name() == name);
    found.copied().ok_or_else(|| format!("unknown packet {name}"))
}

fn duration(text: &str) -> Result<Duration, String> {
    let (digits, unit) = match text.strip_suffix("ms") {
        Some(digits) => (digits, 1),
        None => (text.strip_suffix('s').ok_or("a time ends in s or ms")?, 1000),
    };
    let number: u64 = digits.parse().map_err(|_| format!("{text} is no time"))?;
    Ok(Duration::from_millis(number * unit))
}

/// The text of a token that has neither variables nor repetition; empty for others.
fn plain(token: &Template) -> String {
    match token.pieces.as_slice() {
        [Piece::Bytes(bytes)] if token.times == 1 => String::from_utf8_lossy(bytes).into_owned(),
        _ => String::new(),
    }
}

fn tokenize(line: &str) -> Result<Vec<Template>, String> {
    let mut tokens = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() && !rest.starts_with('#') {
        let (mut token, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_token(quoted)?,
            None => {
                let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                (bare_token(&rest[..end])?, &rest[end..])
            }
        };
        rest = after;
        if let Some(times) = rest.strip_prefix('*') {
            let end = times.find(char::is_whitespace).unwrap_or(times.len());
            token.times = times[..end].parse().map_err(|_| "a number belongs behind `*`")?;
            rest = &times[end..];
        }
        tokens.push(token);
        rest = rest.trim_start();
    }
    Ok(tokens)
}

fn bare_token(word: &str) -> Result<Template, String> {
    let piece = match word.strip_prefix('$') {
        Some(name) => variable(name)?,
        None if word == "_" => Piece::Any,
        None => Piece::Bytes(word.as_bytes().to_vec()),
    };
    Ok(Template { pieces: vec![piece], times: 1 })
}

fn variable(name: &str) -> Result<Piece, String> {
    if name == "i" {
        return Ok(Piece::Index);
    }
    match name.strip_prefix("now") {
        Some("") => Ok(Piece::Now(0)),
        Some(offset) => offset.parse().map(Piece::Now).map_err(|_| format!("${name} is no time")),
        None => Ok(Piece::Variable(name.to_owned())),
    }
}

/// A token behind its opening quote, and what follows its closing one.
fn quoted_token(text: &str) -> Result<(Template, &str), String> {
    let mut pieces = Vec::new();
    let mut bytes = Vec::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => {
                if !bytes.is_empty() || pieces.is_empty() {
                    pieces.push(Piece::Bytes(bytes));
                }
                return Ok((Template { pieces, times: 1 }, &text[at + 1..]));
            }
            '\\' => match chars.next().map(|(_, escaped)| escaped) {
                Some('0') => bytes.push(0),
                Some('n') => bytes.push(b'\n'),
                Some('r') => bytes.push(b'\r'),
                Some('t') => bytes.push(b'\t'),
                Some(same @ ('\\' | '"' | '$')) => bytes.push(u8::try_from(same).unwrap_or(b'?')),
                Some('x') => {
                    let digits: String = chars.by_ref().take(2).map(|(_, digit)| digit).collect();
                    bytes.push(u8::from_str_radix(&digits, 16).map_err(|_| "\\x needs two hex digits")?);
                }
                other => return Err(format!("unknown escape {other:?}")),
            },
            '$' => {
                let name = text[at + 1..].strip_prefix('{').and_then(|rest| rest.split_once('}'));
                let (name, _) = name.ok_or("a variable within quotes is written ${name}")?;
                pieces.push(Piece::Bytes(std::mem::take(&mut bytes)));
                pieces.push(variable(name)?);
                // Skips `{name}`.
                chars.nth(name.chars().count() + 1);
            }
            other => bytes.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Err("a quote is not closed".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_words_quotes_variables_and_repetitions() {
        let bytes = |text: &[u8]| Piece::Bytes(text.to_vec());
        let tokens = tokenize(r#"c1 "a\0b ${h1}!" $h2 _ "x"*65 $now+2 # comment"#).unwrap();
        let pieces: Vec<_> = tokens.iter().map(|token| (token.pieces.clone(), token.times)).collect();
        assert_eq!(
            pieces,
            [
                (vec![bytes(b"c1")], 1),
                (vec![bytes(b"a\0b "), Piece::Variable("h1".to_owned()), bytes(b"!")], 1),
                (vec![Piece::Variable("h2".to_owned())], 1),
                (vec![Piece::Any], 1),
                (vec![bytes(b"x")], 65),
                (vec![Piece::Now(2)], 1),
            ]
        );
        assert!(tokenize("\"open").is_err());
    }

    #[test]
    fn a_difference_needs_a_reason() {
        let text = "== t\nc1 > ECHO_REQ a\nc1 < ECHO_RES a\n# reference: skip -- \n";
        let error = parse("f", text).unwrap_err();
        assert_eq!(error.to_string(), "f:4: a difference needs `-- ` and a reason");
    }
}
