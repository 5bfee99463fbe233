//! Chores: work on very many entries, done in portions, so that no input holds the queue for long.
//!
//! From: a rule that changed, shelves or memory that are over their limits, a function that is dropped with its jobs,
//! a client that left behind its jobs, a list that somebody asked for.
//! To: the file that knows what becomes of an entry. The first portion is done at once, the others by
//! [`Core::handle_timeout`], which is due at once while a chore is left.
//! Never: remembers what an entry was to become. Each portion looks at the rules of that moment, so what comes,
//! goes or changes between two portions needs no care, and a restart ends all chores: what is loaded follows
//! the rules from the start. A timer that was set before its rule changed asks the rules once more when it fires.

use crate::archive::KeepingAt;
use crate::backlog::Below;
use crate::core::Core;
use crate::ids::{ConnId, Ticket};
use crate::job::JobKey;
use crate::lists::List;
use crate::outbox::{Answer, Outbox};
use std::collections::VecDeque;

/// Entries that a portion looks at, unless a test says otherwise: some milliseconds where each of them changes.
pub(crate) const PORTION: usize = 2048;

/// Functions that are being dropped at once.
pub(crate) const DROPS_MAX: usize = 1024;

/// Everything that is not done yet.
#[derive(Debug, Default)]
pub(crate) struct Chores {
    /// Functions get the policies that follow from their rules.
    pub(crate) policies: Sweep<u64>,
    /// How many functions got another policy, since the start.
    pub(crate) policies_changed: u64,
    /// Queued jobs get the time at which they expire.
    pub(crate) expiries: Sweep<u64>,
    /// Letters are kept for as long as their policies say.
    pub(crate) keeping: Sweep<KeepingAt>,
    /// Workloads leave memory that came before the budget was used up.
    pub(crate) spills: Sweep<Below>,
    /// Functions are dropped with their jobs, one after the other.
    pub(crate) drops: VecDeque<Drop>,
    /// Clients that left take their waits off jobs, one after the other.
    pub(crate) leavers: VecDeque<Leaver>,
    /// Long lists are put together, one after the other: only the first one grows.
    pub(crate) lists: VecDeque<List>,
}

/// A pass over a table, from its beginning to its end.
#[derive(Debug, Default)]
pub(crate) struct Sweep<At> {
    /// Where it goes on; `None` while there is nothing to do.
    at: Option<At>,
    /// What changed since it began: it passes that once more.
    again: Option<At>,
    /// Passes that are over.
    passed: u64,
    /// The pass with which all that changed so far is done.
    wanted: u64,
}

impl<At: Clone + Default + PartialEq> Sweep<At> {
    /// Something changed: a whole pass is due from here on.
    pub(crate) fn ask(&mut self) {
        self.ask_for(At::default());
    }

    /// Something changed in a part of the table: a pass over that is due. Where several parts change while it
    /// passes, the next pass is over the whole table.
    pub(crate) fn ask_for(&mut self, part: At) {
        match (&self.at, &self.again) {
            (None, _) => self.at = Some(part),
            (Some(_), None) => self.again = Some(part),
            (Some(_), Some(other)) if *other == part => {}
            (Some(_), Some(_)) => self.again = Some(At::default()),
        }
        self.wanted = self.passed + 1 + u64::from(self.again.is_some());
    }

    pub(crate) fn passed(&self) -> u64 {
        self.passed
    }

    pub(crate) fn wanted(&self) -> u64 {
        self.wanted
    }

    pub(crate) fn at(&self) -> Option<At> {
        self.at.clone()
    }

    /// A portion was done; `next` is where the next one begins.
    pub(crate) fn go_on(&mut self, next: Option<At>) {
        self.passed += u64::from(next.is_none());
        self.at = next.or_else(|| self.again.take());
    }
}

/// A function that is dropped with its jobs; a peer waits for the answer.
#[derive(Debug)]
pub(crate) struct Drop {
    pub(crate) function: Box<[u8]>,
    /// Jobs that were submitted since are not meant.
    pub(crate) before: u64,
    /// Slot of the next job to look at.
    pub(crate) at: u64,
    pub(crate) conn: ConnId,
    /// The place that is held for the answer.
    pub(crate) place: Ticket,
}

/// A client that left while it waited for very many jobs. Its connection is in the table until none is left.
#[derive(Debug)]
pub(crate) struct Leaver {
    pub(crate) conn: ConnId,
    /// What it waited for when it left: what its connection does not have any more is over.
    pub(crate) waits: Vec<JobKey>,
}

impl Chores {
    pub(crate) fn is_empty(&self) -> bool {
        let Self { policies, policies_changed: _, expiries, keeping, spills, drops, leavers, lists } = self;
        policies.at.is_none()
            && expiries.at.is_none()
            && keeping.at.is_none()
            && spills.at.is_none()
            && drops.is_empty()
            && leavers.is_empty()
            && lists.is_empty()
    }
}

impl Core {
    /// Does one portion of each chore.
    pub(crate) fn do_chores(&mut self, out: &mut dyn Outbox) {
        self.apply_policies(out);
        self.time_expiries();
        self.enforce_keeping(out);
        self.spill(out);
        self.answer_passed(out);
        if let Some(mut chore) = self.chores.drops.pop_front() {
            match self.drop_jobs(&mut chore, out) {
                Some(reply) => out.replace(chore.conn, chore.place, Answer::Text(&reply)),
                None => self.chores.drops.push_front(chore),
            }
        }
        if let Some(mut leaver) = self.chores.leavers.pop_front() {
            if self.leave(&mut leaver, out) {
                self.conns.remove(leaver.conn);
            } else {
                self.chores.leavers.push_front(leaver);
            }
        }
        if let Some(mut list) = self.chores.lists.pop_front() {
            match self.list_portion(&mut list) {
                Some(reply) => out.replace_text(list.conn, list.place, reply),
                None => self.chores.lists.push_front(list),
            }
        }
    }
}
