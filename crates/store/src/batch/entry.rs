//! A change, its bytes in the arena.

use super::{Arena, Batch};
use geartrain_core::{
    Attempt, Change, Document, DocumentKind, Op, Outcome, Record, Shelf, Shelving, UnixTime,
};
use geartrain_proto::Priority;

/// A change of one job.
#[derive(Debug, Clone, Copy)]
pub(super) enum Entry {
    Put(StoredRecord),
    Change(StoredChange),
    Attempt(StoredAttempt),
    Shelve(StoredShelving),
    Unshelve { number: u64, shelf: Shelf },
    Delete { number: u64, attempts: u32 },
}

/// What becomes of a record should its commit fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// A client waits for it, and is refused.
    Asked,
    /// It is put again.
    Owed,
    /// It was refused: it is deleted, and only put again should its job go to a shelf.
    Withdrawn,
}

/// A record whose function, unique, reducer and workload lie in the arena in this order.
#[derive(Debug, Clone, Copy)]
pub(super) struct StoredRecord {
    pub(super) number: u64,
    pub(super) keep: Keep,
    place: u64,
    not_before: i64,
    submitted: UnixTime,
    start: usize,
    function_len: usize,
    unique_len: usize,
    reducer_len: Option<usize>,
    workload_len: usize,
    attempts: u32,
    lost: u32,
    priority: Priority,
}

/// A change whose function lies in the arena.
#[derive(Debug, Clone, Copy)]
pub(super) struct StoredChange {
    number: u64,
    place: u64,
    not_before: i64,
    start: usize,
    function_len: usize,
    attempts: u32,
    lost: u32,
    priority: Priority,
}

/// An attempt whose client id, address and text lie in the arena in this order.
#[derive(Debug, Clone, Copy)]
pub(super) struct StoredAttempt {
    number: u64,
    started: UnixTime,
    ended: UnixTime,
    start: usize,
    client_id_len: usize,
    address_len: usize,
    text_len: usize,
    attempt: u32,
    how: Outcome,
}

/// A shelving whose error lies in the arena.
#[derive(Debug, Clone, Copy)]
pub(super) struct StoredShelving {
    number: u64,
    ended: UnixTime,
    start: usize,
    error_len: usize,
    attempts: u32,
    pub(super) shelf: Shelf,
    how: Outcome,
}

/// A document whose name and body lie in the arena in this order.
#[derive(Debug, Clone, Copy)]
pub(super) struct StoredDocument {
    kind: DocumentKind,
    start: usize,
    name_len: usize,
    body_len: Option<usize>,
}

impl Entry {
    /// The entry of a change of a job; `None` for the changes of anything else.
    pub(super) fn new(arena: &mut Arena, op: &Op<'_>) -> Option<Self> {
        Some(match *op {
            Op::Put(ref record) => Entry::put(arena, record, Keep::Asked),
            Op::Change(ref change) => Entry::Change(StoredChange::new(arena, change)),
            Op::Attempt(ref attempt) => Entry::Attempt(StoredAttempt::new(arena, attempt)),
            Op::Shelve(ref shelving) => Entry::Shelve(StoredShelving::new(arena, shelving)),
            Op::Unshelve { number, shelf } => Entry::Unshelve { number, shelf },
            Op::Delete { number, attempts } => Entry::Delete { number, attempts },
            Op::Document(_) | Op::ReserveNumbers { .. } => return None,
        })
    }

    pub(super) fn put(arena: &mut Arena, record: &Record<'_>, keep: Keep) -> Self {
        Entry::Put(StoredRecord::new(arena, record, keep))
    }

    /// The change, without what others of its batch make of it.
    pub(super) fn op<'a>(&self, arena: &'a Arena) -> Op<'a> {
        match self {
            Entry::Put(stored) => Op::Put(stored.record(arena)),
            Entry::Change(stored) => Op::Change(stored.change(arena)),
            Entry::Attempt(stored) => Op::Attempt(stored.attempt(arena)),
            Entry::Shelve(stored) => Op::Shelve(stored.shelving(arena)),
            Entry::Unshelve { number, shelf } => Op::Unshelve { number: *number, shelf: *shelf },
            Entry::Delete { number, attempts } => Op::Delete { number: *number, attempts: *attempts },
        }
    }

    pub(super) const fn number(&self) -> u64 {
        match self {
            Entry::Put(StoredRecord { number, .. })
            | Entry::Change(StoredChange { number, .. })
            | Entry::Attempt(StoredAttempt { number, .. })
            | Entry::Shelve(StoredShelving { number, .. })
            | Entry::Unshelve { number, .. }
            | Entry::Delete { number, .. } => *number,
        }
    }

    /// The same entry, its bytes so many further on.
    pub(super) const fn moved(&self, by: usize) -> Self {
        match *self {
            Entry::Put(stored) => Entry::Put(StoredRecord { start: stored.start + by, ..stored }),
            Entry::Change(stored) => Entry::Change(StoredChange { start: stored.start + by, ..stored }),
            Entry::Attempt(stored) => Entry::Attempt(StoredAttempt { start: stored.start + by, ..stored }),
            Entry::Shelve(stored) => Entry::Shelve(StoredShelving { start: stored.start + by, ..stored }),
            Entry::Unshelve { .. } | Entry::Delete { .. } => *self,
        }
    }
}

impl StoredRecord {
    fn new(arena: &mut Arena, record: &Record<'_>, keep: Keep) -> Self {
        let reducer = record.reducer.unwrap_or_default();
        Self {
            number: record.number,
            keep,
            place: record.place,
            not_before: record.not_before,
            submitted: record.submitted,
            start: arena.add([record.function, record.unique, reducer, record.workload]),
            function_len: record.function.len(),
            unique_len: record.unique.len(),
            reducer_len: record.reducer.map(<[u8]>::len),
            workload_len: record.workload.len(),
            attempts: record.attempts,
            lost: record.lost,
            priority: record.priority,
        }
    }

    fn record<'a>(&self, arena: &'a Arena) -> Record<'a> {
        let reducer_len = self.reducer_len.unwrap_or(0);
        let lens = [self.function_len, self.unique_len, reducer_len, self.workload_len];
        let [function, unique, reducer, workload] = arena.pieces(self.start, lens);
        Record {
            number: self.number,
            place: self.place,
            function,
            unique,
            priority: self.priority,
            workload,
            reducer: self.reducer_len.map(|_| reducer),
            not_before: self.not_before,
            attempts: self.attempts,
            lost: self.lost,
            submitted: self.submitted,
        }
    }
}

impl StoredChange {
    fn new(arena: &mut Arena, change: &Change<'_>) -> Self {
        Self {
            number: change.number,
            place: change.place,
            not_before: change.not_before,
            start: arena.add([change.function]),
            function_len: change.function.len(),
            attempts: change.attempts,
            lost: change.lost,
            priority: change.priority,
        }
    }

    fn change<'a>(&self, arena: &'a Arena) -> Change<'a> {
        let [function] = arena.pieces(self.start, [self.function_len]);
        Change {
            number: self.number,
            place: self.place,
            function,
            priority: self.priority,
            not_before: self.not_before,
            attempts: self.attempts,
            lost: self.lost,
        }
    }
}

impl StoredAttempt {
    fn new(arena: &mut Arena, attempt: &Attempt<'_>) -> Self {
        Self {
            number: attempt.number,
            started: attempt.started,
            ended: attempt.ended,
            start: arena.add([attempt.client_id, attempt.address, attempt.text]),
            client_id_len: attempt.client_id.len(),
            address_len: attempt.address.len(),
            text_len: attempt.text.len(),
            attempt: attempt.attempt,
            how: attempt.how,
        }
    }

    fn attempt<'a>(&self, arena: &'a Arena) -> Attempt<'a> {
        let lens = [self.client_id_len, self.address_len, self.text_len];
        let [client_id, address, text] = arena.pieces(self.start, lens);
        Attempt {
            number: self.number,
            attempt: self.attempt,
            started: self.started,
            ended: self.ended,
            client_id,
            address,
            how: self.how,
            text,
        }
    }
}

impl StoredShelving {
    fn new(arena: &mut Arena, shelving: &Shelving<'_>) -> Self {
        Self {
            number: shelving.number,
            ended: shelving.ended,
            start: arena.add([shelving.error]),
            error_len: shelving.error.len(),
            attempts: shelving.attempts,
            shelf: shelving.shelf,
            how: shelving.how,
        }
    }

    fn shelving<'a>(&self, arena: &'a Arena) -> Shelving<'a> {
        let [error] = arena.pieces(self.start, [self.error_len]);
        Shelving {
            number: self.number,
            shelf: self.shelf,
            ended: self.ended,
            how: self.how,
            attempts: self.attempts,
            error,
        }
    }
}

impl StoredDocument {
    pub(super) fn new(arena: &mut Arena, document: &Document<'_>) -> Self {
        Self {
            kind: document.kind,
            start: arena.add([document.name, document.body.unwrap_or_default()]),
            name_len: document.name.len(),
            body_len: document.body.map(<[u8]>::len),
        }
    }

    pub(super) fn document<'a>(&self, arena: &'a Arena) -> Document<'a> {
        let [name, body] = arena.pieces(self.start, [self.name_len, self.body_len.unwrap_or(0)]);
        Document { kind: self.kind, name, body: self.body_len.map(|_| body) }
    }

    pub(super) const fn moved(self, by: usize) -> Self {
        Self { start: self.start + by, ..self }
    }
}

impl Batch {
    /// The record of a `Put`, with a later `Change` of it.
    pub(super) fn record(&self, put: u32, change: Option<u32>) -> Option<Record<'_>> {
        let Some(Entry::Put(stored)) = self.entries.get(put as usize) else { return None };
        let mut record = stored.record(&self.arena);
        if let Some(Entry::Change(stored)) = change.and_then(|change| self.entries.get(change as usize)) {
            let Change { number: _, place, function, priority, not_before, attempts, lost } =
                stored.change(&self.arena);
            record = Record { place, function, priority, not_before, attempts, lost, ..record };
        }
        Some(record)
    }
}

/// The documents of a batch that stand: the last of each name, in the order of their names.
pub(super) fn last_documents(batch: &Batch) -> Vec<u32> {
    let key = |index: &u32| {
        let document = batch.documents.get(*index as usize).map(|stored| stored.document(&batch.arena));
        document.map(|document| (document.kind, document.name))
    };
    // More than 2^32 of them would be over 100 GiB; what cannot be counted cannot have been pushed.
    let mut order: Vec<u32> = (0..u32::MAX).zip(&batch.documents).map(|(index, _)| index).collect();
    order.sort_by(|earlier, later| key(earlier).cmp(&key(later)).then(earlier.cmp(later)));
    order.dedup_by(|later, earlier| {
        let same = key(later) == key(earlier);
        if same {
            *earlier = *later;
        }
        same
    });
    order
}
