//! What is stored: documents, letters, and all jobs in the order of their places.
//!
//! Rows lie in the order of their numbers, and the place of a job that was given back is larger
//! than its number. So one pass over the jobs is enough: a row that was given back waits, as two
//! numbers in a heap, until its place comes, and is then read again. No index, no sort.

use super::failure::Context;
use super::rows::{self, Reason};
use super::schema::{NUMBER_END, highest_in};
use super::unreadable::{self, Unreadable};
use crate::{LoadReport, StoreError};
use geartrain_core::{Record, Stored};
use rusqlite::{Connection, Row, Statement};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Calls `each` with everything that can be read, and puts the rest aside.
pub(super) fn load(
    connection: &mut Connection,
    context: Context<'_>,
    each: &mut dyn FnMut(Stored<'_>),
) -> Result<LoadReport, StoreError> {
    let mut stream = Stream {
        each,
        waiting: BinaryHeap::new(),
        report: LoadReport::default(),
        unreadable: Unreadable::default(),
    };
    let end = context.at("loading its jobs", stream.run(connection))?;
    if end == End::OutOfOrder {
        // Whatever is looked up in such a table may be missed: a job that ended would stay.
        return Err(context.damaged("loading its jobs", "its rows are out of order"));
    }
    let Stream { each, mut report, unreadable, .. } = stream;
    unreadable::put_aside(connection, &unreadable, &mut report, each);
    Ok(report)
}

/// How a pass over rows ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Complete,
    OutOfOrder,
}

struct Stream<'e> {
    each: &'e mut dyn FnMut(Stored<'_>),
    waiting: BinaryHeap<Reverse<(u64, u64)>>,
    report: LoadReport,
    unreadable: Unreadable,
}

impl Stream<'_> {
    fn run(&mut self, connection: &mut Connection) -> rusqlite::Result<End> {
        let transaction = connection.transaction()?;
        self.documents(&transaction)?;
        if self.letters(&transaction)? == End::OutOfOrder {
            return Ok(End::OutOfOrder);
        }
        self.jobs(&transaction)
    }

    fn documents(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let all = format!("SELECT {} FROM documents ORDER BY kind, name", rows::DOCUMENT);
        let mut all = connection.prepare(&all)?;
        let mut rows = all.query([])?;
        while let Some(row) = rows.next()? {
            match rows::document(row) {
                Ok(document) => {
                    (self.each)(Stored::Document(document));
                    self.report.documents += 1;
                }
                Err(reason) => self.unreadable.documents.push((row.get(0)?, row.get(1)?, reason)),
            }
        }
        Ok(())
    }

    fn letters(&mut self, connection: &Connection) -> rusqlite::Result<End> {
        let (report, each, unreadable) = (&mut self.report, &mut self.each, &mut self.unreadable.letters);
        let all = format!("SELECT {} FROM letters ORDER BY number", rows::HEAD);
        ascending(connection, "letters", &all, &mut |row, number| {
            match rows::head(row) {
                Ok(head) => {
                    each(Stored::Letter(head));
                    report.letters += 1;
                }
                Err(reason) => unreadable.push((number, reason)),
            }
            Ok(())
        })
    }

    fn jobs(&mut self, connection: &Connection) -> rusqlite::Result<End> {
        let all = format!("SELECT {} FROM jobs ORDER BY number", rows::JOB);
        let mut one = connection.prepare(&format!("SELECT {} FROM jobs WHERE number = ?1", rows::JOB))?;
        let end = ascending(connection, "jobs", &all, &mut |row, number| match rows::job(row) {
            Ok(record) => self.job(&mut one, record),
            Err(reason) => {
                self.unreadable_job(row, number, reason);
                Ok(())
            }
        })?;
        self.release(&mut one, u64::MAX)?;
        Ok(end)
    }

    fn job(&mut self, one: &mut Statement<'_>, record: Record<'_>) -> rusqlite::Result<()> {
        self.release(one, record.number)?;
        if record.place > record.number {
            self.waiting.push(Reverse((record.place, record.number)));
        } else {
            self.give(record);
        }
        Ok(())
    }

    fn release(&mut self, one: &mut Statement<'_>, before: u64) -> rusqlite::Result<()> {
        while let Some(&Reverse((place, number))) = self.waiting.peek() {
            if place >= before {
                break;
            }
            self.waiting.pop();
            one.query_row([number.cast_signed()], |row| {
                // It was decoded a moment ago, in the same transaction.
                rows::job(row)
                    .map(|record| self.give(record))
                    .map_err(|_| rusqlite::Error::QueryReturnedNoRows)
            })?;
        }
        Ok(())
    }

    fn give(&mut self, record: Record<'_>) {
        (self.each)(Stored::Job(record));
        self.report.loaded += 1;
    }

    fn unreadable_job(&mut self, row: &Row<'_>, number: i64, reason: Reason) {
        if rows::identity(row).is_ok() {
            self.unreadable.jobs.push((number, reason));
        } else {
            self.unreadable.nameless.push((number, reason));
        }
    }
}

/// Calls `each` with every row, as long as their numbers ascend.
fn ascending(
    connection: &Connection,
    table: &str,
    all: &str,
    each: &mut dyn FnMut(&Row<'_>, i64) -> rusqlite::Result<()>,
) -> rusqlite::Result<End> {
    // Found by a search, which new numbers depend on, while the pass follows the rows.
    let highest = highest_in(connection, table)?;
    let mut all = connection.prepare(all)?;
    let mut rows = all.query([])?;
    let mut last: Option<i64> = None;
    while let Some(row) = rows.next()? {
        let number = row.get(0)?;
        if last.is_some_and(|last| number <= last) || (highest < number && number < NUMBER_END) {
            return Ok(End::OutOfOrder);
        }
        last = Some(number);
        each(row, number)?;
    }
    Ok(End::Complete)
}
