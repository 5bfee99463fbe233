//! Functions: their names, the workers able to do them, and those of them that sleep.
//!
//! From: `abilities`, `submit`, `sleep`, `admin`. Never: knows a job; see `line.rs`.

use crate::ids::{ConnId, UnixTime};
use crate::meter::Meter;
use crate::policy::Policy;
use foldhash::fast::FixedState;
use geartrain_proto::{Function, QueueBounds};
use hashbrown::HashTable;
use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::sync::Arc;

/// Where a function lies in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FunctionKey(u32);

impl FunctionKey {
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A worker that went to sleep able to do a function. Entries outlive the sleep: see [`FunctionEntry`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sleeper {
    pub(crate) conn: ConnId,
    /// The registration this entry belongs to; a later registration of the worker has another.
    pub(crate) registration: u32,
}

/// What is known of a function beside its jobs.
#[derive(Debug)]
pub(crate) struct FunctionEntry {
    name: Box<[u8]>,
    /// How its jobs are treated.
    pub(crate) policy: Arc<Policy>,
    /// Bounds of the text command `maxqueue`, which count running jobs as well.
    pub(crate) bounds: QueueBounds,
    /// When the last of its workers left.
    pub(crate) last_worker_left: Option<UnixTime>,
    /// How many of its jobs ended of late.
    pub(crate) served: Meter,
    /// Connections able to do it.
    pub(crate) workers: u32,
    /// Those that went to sleep, the longest sleeping first.
    ///
    /// An entry is not taken out when its worker wakes for another function, since a worker with many
    /// abilities would pay for each of them at every job; it is dropped when it is met.
    pub(crate) sleepers: VecDeque<Sleeper>,
}

impl FunctionEntry {
    pub(crate) fn name(&self) -> Function<'_> {
        Function::new(&self.name)
    }
}

/// All functions, in the order in which they came to be.
#[derive(Debug)]
pub(crate) struct Functions {
    entries: Vec<Option<FunctionEntry>>,
    vacant: Vec<u32>,
    by_name: HashTable<u32>,
    hash: FixedState,
}

impl Functions {
    pub(crate) fn new(hash_seed: u64) -> Self {
        Self {
            entries: Vec::new(),
            vacant: Vec::new(),
            by_name: HashTable::new(),
            hash: FixedState::with_seed(hash_seed),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len() - self.vacant.len()
    }

    pub(crate) fn get(&self, key: FunctionKey) -> &FunctionEntry {
        self.entries.get(key.index()).and_then(Option::as_ref).expect("a key in use names a function")
    }

    pub(crate) fn get_mut(&mut self, key: FunctionKey) -> &mut FunctionEntry {
        self.entries.get_mut(key.index()).and_then(Option::as_mut).expect("a key in use names a function")
    }

    pub(crate) fn name(&self, key: FunctionKey) -> Function<'_> {
        self.get(key).name()
    }

    pub(crate) fn find(&self, name: Function<'_>) -> Option<FunctionKey> {
        let is_it = |index: &u32| self.get(FunctionKey(*index)).name() == name;
        self.by_name.find(self.hash.hash_one(name.as_bytes()), is_it).map(|index| FunctionKey(*index))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (FunctionKey, &FunctionEntry)> {
        (0..).zip(&self.entries).filter_map(|(index, entry)| Some((FunctionKey(index), entry.as_ref()?)))
    }

    /// As many functions from this slot on as stand in so many slots, and the slot behind them, if there is one.
    pub(crate) fn slots(&self, from: u64, count: usize) -> (Vec<FunctionKey>, Option<u64>) {
        let end = self.entries.len();
        let from = usize::try_from(from).unwrap_or(usize::MAX).min(end);
        let until = from.saturating_add(count).min(end);
        let first = u32::try_from(from).expect("functions_max is below 2^32");
        let slots = (first..).zip(self.entries.get(from..until).unwrap_or_default());
        let keys = slots.filter_map(|(index, entry)| entry.as_ref().map(|_| FunctionKey(index))).collect();
        (keys, (until < end).then_some(until as u64))
    }

    /// Adds a function that is not there yet.
    pub(crate) fn insert(&mut self, name: Function<'_>, policy: Arc<Policy>) -> FunctionKey {
        let entry = FunctionEntry {
            name: name.as_bytes().into(),
            policy,
            bounds: [None; 3],
            last_worker_left: None,
            served: Meter::default(),
            workers: 0,
            sleepers: VecDeque::new(),
        };
        let index = match self.vacant.pop() {
            Some(index) => {
                *self.entries.get_mut(index as usize).expect("vacant entries exist") = Some(entry);
                index
            }
            None => {
                self.entries.push(Some(entry));
                u32::try_from(self.entries.len() - 1).expect("functions_max is below 2^32")
            }
        };
        let Self { entries, by_name, hash, .. } = self;
        let hash_at = |index: &u32| {
            let entry = entries.get(*index as usize).and_then(Option::as_ref);
            hash.hash_one(entry.expect("indexed functions exist").name.as_ref())
        };
        by_name.insert_unique(hash.hash_one(name.as_bytes()), index, hash_at);
        FunctionKey(index)
    }

    /// Forgets a function that has neither jobs nor workers.
    pub(crate) fn remove(&mut self, key: FunctionKey) {
        let hash = self.hash.hash_one(self.get(key).name.as_ref());
        let indexed = self.by_name.find_entry(hash, |index| *index == key.0);
        indexed.expect("every function is indexed by its name").remove();
        if let Some(entry) = self.entries.get_mut(key.index()) {
            *entry = None;
        }
        self.vacant.push(key.0);
    }
}
