//! How replies are printed: as the reference prints them, or as JSON.
//!
//! From: a reply, line by line. To: standard output, at once.
//! Never: holds a listing; only the row at hand is in memory.

use geartrain_client::{ClientError, ServerAddress, TextCommand, TextReply};
use serde_json::{Map, Value, json};
use std::io::{self, Write};

/// The form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// As the reference prints it.
    Plain,
    /// As the reference, each reply under the name of its server.
    PlainWithServer,
    /// One JSON object per reply, on a line of its own.
    Json,
}

/// Why a reply was not printed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PrintError {
    /// The server, or the way to it, is at fault.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Standard output is.
    #[error("cannot write to standard output: {0}")]
    Output(#[from] io::Error),
}

/// Prints a whole reply.
///
/// # Errors
/// When the reply does not come whole, or standard output does not take it.
pub(crate) fn print(
    out: &mut impl Write,
    form: Form,
    server: &ServerAddress,
    command: &TextCommand,
    reply: &mut TextReply<'_>,
) -> Result<(), PrintError> {
    match form {
        Form::Json => print_json(out, server, command, reply)?,
        Form::Plain => print_plain(out, command, reply)?,
        Form::PlainWithServer => {
            writeln!(out, "==> {server} <==")?;
            print_plain(out, command, reply)?;
        }
    }
    Ok(out.flush()?)
}

fn print_plain(
    out: &mut impl Write,
    command: &TextCommand,
    reply: &mut TextReply<'_>,
) -> Result<(), PrintError> {
    while let Some(row) = reply.next_line()? {
        out.write_all(row)?;
        out.write_all(b"\n")?;
    }
    if command.replies_with_list() {
        out.write_all(b".\n")?;
    }
    Ok(())
}

fn print_json(
    out: &mut impl Write,
    server: &ServerAddress,
    command: &TextCommand,
    reply: &mut TextReply<'_>,
) -> Result<(), PrintError> {
    let opening = format!("{{\"server\":{},\"{}\":", json!(server.to_string()), json_name(command));
    if !command.replies_with_list() {
        let line = reply.next_line()?.map(<[u8]>::to_vec).unwrap_or_default();
        writeln!(out, "{opening}{}}}", json_line(command, &line))?;
        return Ok(());
    }
    // The first row is awaited before anything is printed: a refusal leaves no half object behind.
    let mut before = opening + "[";
    while let Some(row) = reply.next_line()? {
        write!(out, "{before}{}", json_row(command, row))?;
        ",".clone_into(&mut before);
    }
    if before != "," {
        write!(out, "{before}")?;
    }
    writeln!(out, "]}}")?;
    Ok(())
}

fn json_name(command: &TextCommand) -> &'static str {
    match command {
        TextCommand::Status => "status",
        TextCommand::PriorityStatus => "priority_status",
        TextCommand::Workers => "workers",
        TextCommand::ShowJobs => "jobs",
        TextCommand::ShowUniqueJobs => "unique_jobs",
        TextCommand::GetPid => "pid",
        TextCommand::Verbose => "verbose",
        TextCommand::Version => "version",
        TextCommand::CreateFunction(_) => "create_function",
        TextCommand::DropFunction { .. } => "drop_function",
        TextCommand::CancelJob(_) => "cancel_job",
        TextCommand::MaxQueue { .. } => "maxqueue",
    }
}

fn json_line(command: &TextCommand, line: &[u8]) -> Value {
    if *command == TextCommand::GetPid { number_or_text(line) } else { text(line) }
}

/// The columns of a row by name; a row of another shape keeps its text under `row`.
fn json_row(command: &TextCommand, row: &[u8]) -> Value {
    let object = match command {
        TextCommand::Status => from_the_end(row, "function", &["total", "running", "workers"]),
        TextCommand::PriorityStatus => from_the_end(row, "function", &["high", "normal", "low", "workers"]),
        TextCommand::ShowJobs => from_the_end(row, "handle", &["retries", "ignored", "background"]),
        TextCommand::Workers => worker(row),
        TextCommand::ShowUniqueJobs
        | TextCommand::GetPid
        | TextCommand::Verbose
        | TextCommand::Version
        | TextCommand::CreateFunction(_)
        | TextCommand::DropFunction { .. }
        | TextCommand::CancelJob(_)
        | TextCommand::MaxQueue { .. } => return text(row),
    };
    object.map_or_else(|| json!({ "row": text(row) }), Value::Object)
}

/// Splits a row at tabs from its end, since a tab may stand in the name at its front.
fn from_the_end(row: &[u8], name: &str, columns: &[&str]) -> Option<Map<String, Value>> {
    let mut parts = row.rsplitn(columns.len() + 1, |byte| *byte == b'\t');
    let numbers: Vec<&[u8]> = parts.by_ref().take(columns.len()).collect();
    let mut object = Map::new();
    object.insert(name.to_owned(), text(parts.next()?));
    for (column, number) in columns.iter().zip(numbers.iter().rev()) {
        object.insert((*column).to_owned(), number_or_text(number));
    }
    Some(object)
}

/// `FD IP ID :[ FUNCTION]...`; a client id may hold spaces, so the functions begin behind the first ` :`.
fn worker(row: &[u8]) -> Option<Map<String, Value>> {
    let row = String::from_utf8_lossy(row);
    let (connection, rest) = row.split_once(' ')?;
    let (address, rest) = rest.split_once(' ')?;
    let (id, functions) = rest.split_once(" :")?;
    let mut object = Map::new();
    object.insert("connection".to_owned(), number_or_text(connection.as_bytes()));
    object.insert("address".to_owned(), json!(address));
    object.insert("client_id".to_owned(), if id == "-" { Value::Null } else { json!(id) });
    let functions: Vec<&str> = functions.split(' ').filter(|function| !function.is_empty()).collect();
    object.insert("functions".to_owned(), json!(functions));
    Some(object)
}

fn text(bytes: &[u8]) -> Value {
    Value::String(String::from_utf8_lossy(bytes).into_owned())
}

fn number_or_text(bytes: &[u8]) -> Value {
    let parsed = std::str::from_utf8(bytes).ok().and_then(|digits| digits.parse::<u64>().ok());
    parsed.map_or_else(|| text(bytes), |number| json!(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(command: &TextCommand, row: &str) -> String {
        json_row(command, row.as_bytes()).to_string()
    }

    #[test]
    fn rows_become_objects_whatever_stands_in_the_names() {
        assert_eq!(
            row(&TextCommand::Status, "a\tb\t3\t1\t2"),
            r#"{"function":"a\tb","running":1,"total":3,"workers":2}"#
        );
        assert_eq!(
            row(&TextCommand::Workers, "37 ::1 my worker : mail resize"),
            r#"{"address":"::1","client_id":"my worker","connection":37,"functions":["mail","resize"]}"#
        );
        assert_eq!(
            row(&TextCommand::Workers, "37 127.0.0.1 - :"),
            r#"{"address":"127.0.0.1","client_id":null,"connection":37,"functions":[]}"#
        );
        assert_eq!(row(&TextCommand::ShowUniqueJobs, "\"u\""), r#""\"u\"""#);
        assert_eq!(row(&TextCommand::ShowJobs, "no tabs"), r#"{"row":"no tabs"}"#);
    }
}
