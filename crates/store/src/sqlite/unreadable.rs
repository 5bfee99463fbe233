//! Rows that cannot be read: where they go, so that they never keep the server from starting.
//!
//! From: the load. To: the shelf of dead letters, where a job is still known by number and function; else to
//! the table `set_aside`, as it was found.
//! Never: fails the load. Where the disk takes no change, the next start finds the same rows again.

use super::rows::{self, Reason};
use crate::LoadReport;
use geartrain_core::{LetterHead, Outcome, Shelf, Shelving, Stored, UnixTime};
use geartrain_proto::Priority;
use geartrain_proto::limits::{REDUCER_BYTES_MAX, UNIQUE_BYTES_MAX};
use rusqlite::types::Value;
use rusqlite::{Connection, TransactionBehavior};

/// What cannot be read, by what names its row.
#[derive(Debug, Default)]
pub(super) struct Unreadable {
    /// Jobs whose number and function can be read.
    pub(super) jobs: Vec<(i64, Reason)>,
    /// Jobs of which not even that can be read.
    pub(super) nameless: Vec<(i64, Reason)>,
    pub(super) letters: Vec<(i64, Reason)>,
    /// Kind and name.
    pub(super) documents: Vec<(Value, Value, Reason)>,
}

impl Unreadable {
    fn len(&self) -> usize {
        self.jobs.len() + self.nameless.len() + self.letters.len() + self.documents.len()
    }
}

/// A job that became a dead letter, without its contents.
struct Head {
    number: u64,
    ended: i64,
    function: Vec<u8>,
    error: String,
    bytes: u64,
}

/// Now, in milliseconds of Unix time.
const NOW: &str = "CAST(unixepoch('subsec') * 1000 AS INTEGER)";

/// Puts it aside, tells `each` of the dead letters that come of it, and adds to the report.
pub(super) fn put_aside(
    connection: &mut Connection,
    unreadable: &Unreadable,
    report: &mut LoadReport,
    each: &mut dyn FnMut(Stored<'_>),
) {
    if unreadable.len() == 0 {
        return;
    }
    // What can be read is served even if the disk takes no change.
    let heads = write(connection, unreadable).unwrap_or_default();
    for head in &heads {
        each(Stored::Letter(head.letter_head()));
    }
    report.unreadable = heads.len() as u64;
    report.letters += report.unreadable;
    report.set_aside = (unreadable.len() - heads.len()) as u64;
}

fn write(connection: &mut Connection, unreadable: &Unreadable) -> rusqlite::Result<Vec<Head>> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut heads = Vec::with_capacity(unreadable.jobs.len());
    for (number, reason) in &unreadable.jobs {
        match shelve(&transaction, *number, reason)? {
            Some(head) => heads.push(head),
            None => set_aside(&transaction, "jobs", *number, reason)?,
        }
    }
    for (number, reason) in &unreadable.nameless {
        set_aside(&transaction, "jobs", *number, reason)?;
    }
    for (number, reason) in &unreadable.letters {
        set_aside(&transaction, "letters", *number, reason)?;
    }
    for (kind, name, reason) in &unreadable.documents {
        set_document_aside(&transaction, kind, name, reason)?;
    }
    transaction.commit()?;
    Ok(heads)
}

/// Makes a dead letter of a job; `None` where there is one of that number.
fn shelve(connection: &Connection, number: i64, reason: Reason) -> rusqlite::Result<Option<Head>> {
    let error = format!("the stored job could not be read: {reason}");
    let sql = format!(
        "INSERT OR IGNORE INTO letters (number, shelf, ended, how, error, function, unique_key, priority,
           reducer, not_before, attempts, lost, submitted, workload)
         SELECT number, {dead}, {NOW}, {how}, CAST(?2 AS BLOB), CAST(function AS BLOB),
           iif(typeof(unique_key) IN ('blob', 'text') AND length(CAST(unique_key AS BLOB)) <= {unique_max},
             CAST(unique_key AS BLOB), x''),
           iif(priority IN (0, 1, 2) AND typeof(priority) = 'integer', priority, {normal}),
           iif(typeof(reducer) IN ('blob', 'text') AND length(CAST(reducer AS BLOB)) <= {reducer_max},
             CAST(reducer AS BLOB), NULL),
           iif(typeof(not_before) = 'integer', not_before, 0),
           iif(typeof(attempts) = 'integer' AND attempts BETWEEN 0 AND {count_max}, attempts, 0),
           iif(typeof(lost) = 'integer' AND lost BETWEEN 0 AND {count_max}, lost, 0),
           iif(typeof(submitted) = 'integer', submitted, {NOW}),
           ifnull(CAST(workload AS BLOB), x'')
         FROM jobs WHERE number = ?1",
        dead = Shelf::Dead as u8,
        how = Outcome::Unreadable as u8,
        unique_max = UNIQUE_BYTES_MAX,
        reducer_max = REDUCER_BYTES_MAX,
        normal = Priority::Normal as u8,
        count_max = u32::MAX,
    );
    if connection.prepare_cached(&sql)?.execute((number, &error))? == 0 {
        return Ok(None);
    }
    connection.prepare_cached("DELETE FROM jobs WHERE number = ?1")?.execute([number])?;
    let head = format!("SELECT {} FROM letters WHERE number = ?1", rows::HEAD);
    connection
        .prepare_cached(&head)?
        .query_row([number], |row| Ok(rows::head(row).ok().map(|head| Head::of(&head))))
}

fn set_aside(connection: &Connection, table: &str, number: i64, reason: Reason) -> rusqlite::Result<()> {
    let (columns, values) = match table {
        "letters" => (", shelf, ended, how, error", ", shelf, ended, how, error"),
        _ => (", place", ", place"),
    };
    let keep = format!(
        "INSERT INTO set_aside (reason, noticed, origin, number, function, unique_key, priority, workload,
           reducer, not_before, attempts, submitted, lost{columns})
         SELECT ?2, {NOW}, ?3, number, function, unique_key, priority, workload,
           reducer, not_before, attempts, submitted, lost{values}
         FROM {table} WHERE number = ?1"
    );
    connection.prepare_cached(&keep)?.execute((number, reason, table))?;
    connection.prepare_cached(&format!("DELETE FROM {table} WHERE number = ?1"))?.execute([number])?;
    Ok(())
}

fn set_document_aside(
    connection: &Connection,
    kind: &Value,
    name: &Value,
    reason: Reason,
) -> rusqlite::Result<()> {
    let keep = format!(
        "INSERT INTO set_aside (reason, noticed, origin, shelf, function, workload)
         SELECT ?3, {NOW}, 'documents', kind, name, body FROM documents WHERE kind IS ?1 AND name IS ?2"
    );
    connection.prepare_cached(&keep)?.execute((kind, name, reason))?;
    let delete = "DELETE FROM documents WHERE kind IS ?1 AND name IS ?2";
    connection.prepare_cached(delete)?.execute((kind, name))?;
    Ok(())
}

impl Head {
    fn of(head: &LetterHead<'_>) -> Self {
        Self {
            number: head.shelving.number,
            ended: head.shelving.ended.millis(),
            function: head.function.to_vec(),
            error: String::from_utf8_lossy(head.shelving.error).into_owned(),
            bytes: head.bytes,
        }
    }

    fn letter_head(&self) -> LetterHead<'_> {
        let shelving = Shelving {
            number: self.number,
            shelf: Shelf::Dead,
            ended: UnixTime::from_millis(self.ended),
            how: Outcome::Unreadable,
            attempts: 0,
            error: self.error.as_bytes(),
        };
        LetterHead { shelving, function: &self.function, bytes: self.bytes }
    }
}
