//! What is wrong with the JSON of a command, said in words: which key, which value, and what is allowed.
//!
//! From: an error of the JSON reader. To: [`CommandError`].
//! Never: repeats more than a little of what was sent, which may be a workload.

use super::CommandError;
use serde::de::DeserializeOwned;

/// Longest text about one mistake, in bytes.
const TEXT_BYTES_MAX: usize = 800;

/// Reads the arguments of a command.
///
/// # Errors
/// A sentence with the place, the value and what is allowed.
pub(super) fn read<T: DeserializeOwned>(words: &str, json: &[u8]) -> Result<T, CommandError> {
    let json = if json.is_empty() { b"{}" } else { json };
    serde_json::from_slice(json)
        .map_err(|error| CommandError::new(format!("{words}: {}", tell::<T>(json, &error))))
}

/// Reads a second time, now noting the way to each value: only what is wrong pays for that.
fn tell<T: DeserializeOwned>(json: &[u8], error: &serde_json::Error) -> String {
    if !error.is_data() {
        let place = if error.line() > 1 {
            format!("line {}, column {}", error.line(), error.column())
        } else {
            format!("column {}", error.column())
        };
        return format!("the JSON is malformed at {place}: {}", without_place(error));
    }
    let mut reader = serde_json::Deserializer::from_slice(json);
    let Err(error) = serde_path_to_error::deserialize::<_, T>(&mut reader) else {
        return without_place(error);
    };
    let path = error.path().to_string();
    let message = reword(&without_place(error.inner()));
    if path == "." { message } else { format!("`{}`: {message}", shortened(&path)) }
}

/// The message without its line and column, which say little about one line.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    shortened(text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message))
}

/// The reader's own words are about types; these are about what to write.
fn reword(message: &str) -> String {
    const WORDS: &[(&str, &str)] = &[
        ("unknown field", "there is no key"),
        ("missing field", "it lacks the key"),
        ("duplicate field", "this stands there twice:"),
        ("unknown variant", "there is no"),
        (", expected one of ", "; allowed: "),
        (", expected struct ", "; allowed: an object, "),
        (", expected u32", "; allowed: a whole number from 0 to 4294967295"),
        (", expected u64", "; allowed: a whole number from 0"),
        (", expected i64", "; allowed: a whole number"),
        (", expected a boolean", "; allowed: true or false"),
        (", expected ", "; allowed: "),
    ];
    let given = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "));
    let mut text = given.map_or_else(|| message.to_owned(), |rest| format!("not {rest}"));
    for (theirs, ours) in WORDS {
        text = text.replacen(theirs, ours, 1);
    }
    match text.split_once("; allowed: an object, ") {
        Some((given, _type)) => format!("{given}; allowed: an object"),
        None => text,
    }
}

/// A long text without its middle.
pub(super) fn shortened(text: &str) -> String {
    if text.len() <= TEXT_BYTES_MAX {
        return text.to_owned();
    }
    let half = TEXT_BYTES_MAX / 2;
    let front: String = text.char_indices().take_while(|(at, _)| *at < half).map(|(_, c)| c).collect();
    let behind = text.len() - half;
    let back: String = text.char_indices().skip_while(|(at, _)| *at < behind).map(|(_, c)| c).collect();
    format!("{front}...{back}")
}
