//! The command about workers.
//!
//! From: `commands.rs`. To: a row for each connection that is able to do something.
//! Never: looks at more than a page of connections at once.

use super::{Reply, Rows};
use crate::conn::{Conn, Sleep};
use crate::core::Core;
use crate::suspect::identity;
use geartrain_proto::command::{Bytes, WorkerRow, WorkersList};
use std::cmp::Reverse;

/// Most slots of connections that one page looks at.
const SLOTS_MAX: u64 = 20_000;

/// Most rows of one page.
const ROWS_MAX: usize = 500;

/// Abilities after which a page ends, since the first are picked from all.
const ABILITIES_MAX: usize = 200_000;

/// Bytes of rows after which a page ends: names of functions may be long.
const ROWS_BYTES_MAX: usize = 4 << 20;

/// How many functions and running jobs of one worker are named.
const NAMED_MAX: usize = 100;

impl Core {
    pub(crate) fn workers_list(&self, arguments: &WorkersList) -> Reply {
        let mut rows = Rows::default();
        let (mut count, mut abilities) = (0, 0);
        for (slot, conn) in self.conns.slots(arguments.after) {
            let is_full = count >= ROWS_MAX || abilities >= ABILITIES_MAX || rows.len() >= ROWS_BYTES_MAX;
            if is_full || slot - arguments.after >= SLOTS_MAX {
                return rows.end(Some(slot));
            }
            let Some((_, peer)) = conn.filter(|(_, peer)| !peer.abilities().is_empty()) else { continue };
            count += 1;
            abilities += peer.abilities().len();
            rows.push(&self.worker_row(peer));
        }
        rows.end(None)
    }

    fn worker_row(&self, peer: &Conn) -> WorkerRow {
        let mut abilities: Vec<_> =
            peer.abilities().iter().map(|it| (Reverse(it.rank), it.function)).collect();
        if abilities.len() > NAMED_MAX {
            abilities.select_nth_unstable(NAMED_MAX);
            abilities.truncate(NAMED_MAX);
        }
        abilities.sort_unstable();
        let mut running: Vec<u64> = peer.running.iter().map(|key| self.jobs.get(*key).number()).collect();
        running.sort_unstable();
        running.truncate(NAMED_MAX);
        let suspended = self.suspects.suspended_until(identity(peer));
        WorkerRow {
            descriptor: peer.descriptor,
            address: peer.address.to_string(),
            port: peer.port,
            client_id: Bytes::from(&*peer.client_id),
            sleep: match peer.sleep {
                Sleep::Awake => "awake",
                Sleep::Sleeping => "sleeping",
                Sleep::Woken { .. } => "woken",
            }
            .to_owned(),
            functions: abilities
                .into_iter()
                .map(|(_, function)| Bytes::from(self.functions.name(function).as_bytes()))
                .collect(),
            running: running.into_iter().map(|number| self.handle_of(number)).collect(),
            failures: self.suspects.failures(identity(peer)),
            suspended_ms: suspended
                .map(|until| u64::try_from(until.since(self.now.moment).as_millis()).unwrap_or(u64::MAX)),
        }
    }
}
