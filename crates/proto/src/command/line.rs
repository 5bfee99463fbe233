//! The line of a typed command: words, the length of the JSON where the line is long, and the JSON.
//!
//! From: the front of a text line. To: the words of a command and where its JSON begins, or why there is none.
//! Never: reads the JSON. A line over [`LINE_BYTES_MAX`] says its length, so that its end is not searched for:
//! the bytes of a packet are waited for in the same way (I2).

use super::{Command, CommandError};
use crate::limits::{COMMAND_HEAD_BYTES_MAX, LINE_BYTES_MAX, LONG_LINE_BYTES_MIN};

/// Commands that carry workloads: their lines may be as long as a packet, in base64.
const LONG: &[&str] = &["import", "dead requeue", "schedule add"];

/// First words that the reference knows as well: only what is ours in full is ours.
const SHARED: &[&str] = &["workers"];

/// What a line begins with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// The words of no typed command.
    Other,
    /// The first word of a typed command, and a second one that it does not have.
    Unknown(CommandError),
    /// The words of a typed command, and where they end.
    Words(&'static str, usize),
}

/// Reads the words at the front of `line`; they are not case-sensitive, as all words of the port.
pub(super) fn head(line: &[u8]) -> Head {
    let (first, first_end) = word(line, 0);
    let is_first = |words: &&&str| words.split(' ').next().is_some_and(|word| same(word, first));
    let mut allowed = Command::ALL_WORDS.iter().filter(is_first);
    let Some(one) = allowed.next() else { return Head::Other };
    if same(one, first) {
        return Head::Words(one, first_end);
    }
    let (second, second_end) = word(line, first_end);
    let is_second = |words: &&&str| words.split(' ').nth(1).is_some_and(|word| same(word, second));
    let is_shared = SHARED.iter().any(|word| same(word, first));
    if let Some(words) = Command::ALL_WORDS.iter().filter(is_first).find(is_second) {
        let behind = rest(line, second_end).first();
        let is_ours = !is_shared || matches!(behind, None | Some(b'{' | b'\r' | b'0'..=b'9'));
        return if is_ours { Head::Words(words, second_end) } else { Head::Other };
    }
    if is_shared {
        return Head::Other;
    }
    let names: Vec<&str> = Command::ALL_WORDS.iter().filter(is_first).copied().collect();
    let given = first.escape_ascii();
    Head::Unknown(CommandError::new(if second.is_empty() {
        format!("`{given}` lacks its second word (allowed: {})", names.join(", "))
    } else {
        format!("there is no command `{given} {}` (allowed: {})", second.escape_ascii(), names.join(", "))
    }))
}

/// The JSON behind the words.
///
/// # Errors
/// When something else stands there, or the length that is said before it is not its length.
pub(super) fn json<'a>(words: &str, line: &'a [u8], words_end: usize) -> Result<&'a [u8], CommandError> {
    let behind = rest(line, words_end);
    let digits = behind.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, json) = behind.split_at_checked(digits).unwrap_or_default();
    let json = json.strip_prefix(b" ").unwrap_or(json);
    let trimmed = json.trim_ascii();
    if !matches!(trimmed.first(), None | Some(b'{')) {
        let shown = trimmed.get(..trimmed.len().min(40)).unwrap_or_default().escape_ascii();
        return Err(CommandError::new(format!(
            "{words}: a JSON object or nothing follows the words, not `{shown}`"
        )));
    }
    if !number.is_empty() {
        let said = parse_length(number);
        if said != Some(json.len()) && said != Some(trimmed.len()) {
            return Err(CommandError::new(format!(
                "{words}: the line says {} bytes of JSON and has {}",
                number.escape_ascii(),
                trimmed.len()
            )));
        }
    }
    Ok(trimmed)
}

/// How the end of a line is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineEnd {
    /// It is the next line feed.
    LineFeed,
    /// The length is being said, and not yet to its end.
    Unfinished,
    /// It comes behind this many bytes.
    Behind(usize),
    /// It would come behind more than this many bytes, which is too far; so many of them are the head.
    TooFar {
        /// The limit, in bytes.
        max: usize,
        /// Bytes before the JSON.
        head: usize,
    },
}

/// Finds out how the line at the front of `unread` ends; looks at [`COMMAND_HEAD_BYTES_MAX`] bytes at most.
pub(crate) fn line_end(unread: &[u8], body_bytes_max: u32) -> LineEnd {
    let window = unread.get(..COMMAND_HEAD_BYTES_MAX).unwrap_or(unread);
    let front = window.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let Head::Words(words, words_end) = head(front) else { return LineEnd::LineFeed };
    let behind = rest(front, words_end);
    let digits = behind.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number_end = front.len() - behind.len() + digits;
    if digits == 0 {
        return LineEnd::LineFeed;
    }
    match front.get(number_end) {
        None if front.len() == unread.len() => return LineEnd::Unfinished,
        Some(b' ') => {}
        _ => return LineEnd::LineFeed,
    }
    let head = number_end + 1;
    let max = bytes_max(words, body_bytes_max);
    match behind.get(..digits).and_then(parse_length).and_then(|length| length.checked_add(head)) {
        Some(end) if end < max => LineEnd::Behind(end),
        _ => LineEnd::TooFar { max, head },
    }
}

/// Longest line of a command, its line feed included, in bytes.
fn bytes_max(words: &str, body_bytes_max: u32) -> usize {
    if !LONG.contains(&words) {
        return LINE_BYTES_MAX;
    }
    let encoded = u64::from(body_bytes_max).div_ceil(3) * 4;
    usize::try_from(encoded).unwrap_or(usize::MAX).saturating_add(LONG_LINE_BYTES_MIN)
}

/// The line of a command, its JSON's length said where the line feed might not be found otherwise.
pub(super) fn write(words: &str, json: &str) -> String {
    let length = words.len() + " ".len() + json.len() + "\r\n".len();
    if length <= LINE_BYTES_MAX {
        format!("{words} {json}")
    } else {
        format!("{words} {} {json}", json.len())
    }
}

fn parse_length(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The word at or behind `from`, past spaces, and where it ends.
fn word(line: &[u8], from: usize) -> (&[u8], usize) {
    let behind = rest(line, from);
    let start = line.len() - behind.len();
    let len = behind.iter().take_while(|byte| !matches!(byte, b' ' | b'{' | b'\r')).count();
    (behind.get(..len).unwrap_or_default(), start + len)
}

/// What follows the spaces at `from`.
fn rest(line: &[u8], from: usize) -> &[u8] {
    let behind = line.get(from..).unwrap_or_default();
    let spaces = behind.iter().take_while(|byte| **byte == b' ').count();
    behind.get(spaces..).unwrap_or_default()
}

fn same(word: &str, given: &[u8]) -> bool {
    word.as_bytes().eq_ignore_ascii_case(given)
}
