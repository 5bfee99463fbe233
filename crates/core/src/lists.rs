//! Lists of text commands: all functions, workers or jobs, a row each, then a full stop.
//!
//! From: `admin.rs`; `chores.rs`, which goes on with a list that is long. To: one reply, byte for byte as the
//! reference's. Control characters in names are shown escaped, since they would break the reader's table.
//! Never: looks at a whole table at once. A long list is put together in portions, and so is of no single moment: what
//! is there all the while is in it once, what comes or goes meanwhile may be.

use crate::core::Core;
use crate::ids::{ConnId, Ticket};
use crate::job::Kept;
use crate::outbox::{Answer, Outbox};
use geartrain_proto::Priority;
use std::cmp::Reverse;
use std::io::Write;

/// Long lists that are asked for at once, of all connections together.
const LISTS_MAX: usize = 1024;

/// Bytes of rows after which a portion ends: a worker's row has all of its functions.
const PORTION_BYTES: usize = 256 << 10;

/// What is listed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Table {
    /// `status`
    Functions,
    /// `prioritystatus`
    Priorities,
    /// `workers`
    Workers,
    /// `show jobs`
    Jobs,
    /// `show unique jobs`
    Uniques,
}

/// A list that is put together; a peer waits for it.
#[derive(Debug)]
pub(crate) struct List {
    table: Table,
    /// Slot of the next row.
    at: u64,
    rows: Vec<u8>,
    pub(crate) conn: ConnId,
    /// The place that is held for the answer.
    pub(crate) place: Ticket,
}

impl Core {
    /// Answers with a list: at once, or where it is long, once all of its portions are done.
    pub(crate) fn list(&mut self, conn: ConnId, table: Table, out: &mut dyn Outbox) {
        let mut list = List { table, at: 0, rows: Vec::new(), conn, place: self.reads.next_ticket() };
        if let Some(reply) = self.list_portion(&mut list) {
            out.text(conn, &reply);
        } else if self.chores.lists.len() >= LISTS_MAX {
            out.text(conn, b"ERR too many lists are being made\r\n");
        } else {
            out.hold(conn, list.place, Answer::Text(b".\n"));
            self.chores.lists.push_back(list);
        }
    }

    /// Adds a portion of rows to a list: the whole reply with the last one. One that grows too long is refused.
    pub(crate) fn list_portion(&self, list: &mut List) -> Option<Vec<u8>> {
        let next = match list.table {
            Table::Functions | Table::Priorities => self.list_functions(list),
            Table::Workers => self.list_workers(list),
            Table::Jobs | Table::Uniques => self.list_jobs(list),
        };
        let bytes_max = self.settings.limits.list_bytes_max;
        if list.rows.len() > bytes_max {
            let refusal = format!("ERR LIST_TOO_LARGE The list is over the limit of {bytes_max} bytes\r\n");
            return Some(refusal.into_bytes());
        }
        if let Some(next) = next {
            list.at = next;
            return None;
        }
        list.rows.extend_from_slice(b".\n");
        Some(std::mem::take(&mut list.rows))
    }

    fn list_functions(&self, list: &mut List) -> Option<u64> {
        let (keys, next) = self.functions.slots(list.at, self.settings.portion);
        for key in keys {
            let (entry, line) = (self.functions.get(key), self.jobs.line(key));
            push_name(&mut list.rows, entry.name().as_bytes());
            if let Table::Priorities = list.table {
                let [high, normal, low] = Priority::ALL.map(|priority| line.waiting(priority));
                push_columns(&mut list.rows, &[high, normal, low, entry.workers]);
            } else {
                push_columns(&mut list.rows, &[line.total(), line.running(), entry.workers]);
            }
        }
        next
    }

    fn list_workers(&self, list: &mut List) -> Option<u64> {
        let end = list.rows.len() + PORTION_BYTES;
        let mut room = self.settings.portion;
        for (slot, conn) in self.conns.slots(list.at) {
            if room == 0 || list.rows.len() > end {
                return Some(slot);
            }
            room -= 1;
            let Some((_, peer)) = conn else { continue };
            let id: &[u8] = if peer.client_id.is_empty() { b"-" } else { &peer.client_id };
            push(&mut list.rows, format_args!("{} {} ", peer.descriptor, peer.address));
            push_name(&mut list.rows, id);
            list.rows.extend_from_slice(b" :");
            let mut abilities = peer.abilities().to_vec();
            abilities.sort_by_key(|ability| Reverse(ability.rank));
            for ability in abilities {
                list.rows.push(b' ');
                push_name(&mut list.rows, self.functions.name(ability.function).as_bytes());
            }
            list.rows.push(b'\n');
        }
        None
    }

    /// The third column is the reference's mark of jobs that nobody waits for: such jobs are gone here.
    fn list_jobs(&self, list: &mut List) -> Option<u64> {
        let (keys, next) = self.jobs.portion(list.at, self.settings.portion);
        for key in keys {
            let job = self.jobs.get(key);
            if let Table::Uniques = list.table {
                push_name(&mut list.rows, job.unique().as_bytes());
                list.rows.push(b'\n');
            } else {
                let background = u8::from(job.kept() != Kept::ByClients);
                list.rows.extend_from_slice(self.handles.text(job.number()).as_handle().as_bytes());
                push(&mut list.rows, format_args!("\t{}\t0\t{background}\n", job.attempts()));
            }
        }
        next
    }
}

fn push(rows: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    rows.write_fmt(text).expect("writing to memory does not fail");
}

fn push_columns(rows: &mut Vec<u8>, columns: &[u32]) {
    for column in columns {
        push(rows, format_args!("\t{column}"));
    }
    rows.push(b'\n');
}

/// Pushes bytes that a peer chose, control characters escaped.
fn push_name(rows: &mut Vec<u8>, name: &[u8]) {
    for byte in name {
        if byte.is_ascii_control() {
            rows.extend(byte.escape_ascii());
        } else {
            rows.push(*byte);
        }
    }
}
