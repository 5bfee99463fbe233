//! An index of jobs by a hash: many small tables instead of a large one.
//!
//! From: `job.rs`. Never: grows all at once. A table of ten million entries takes seconds to grow, during
//! which nobody is served; one of its 256 parts takes some milliseconds.

use hashbrown::HashTable;

/// Into how many tables the entries are spread. A power of two.
const TABLES: usize = 256;

/// Which bits of a hash choose the table: neither the lowest nor the highest, which each table uses itself.
const TABLE_SHIFT: u32 = 40;

/// Finds what was put under a hash.
#[derive(Debug)]
pub(crate) struct Index<T> {
    tables: Box<[HashTable<T>]>,
}

impl<T: Copy + PartialEq> Index<T> {
    pub(crate) fn new() -> Self {
        Self { tables: (0..TABLES).map(|_| HashTable::new()).collect() }
    }

    pub(crate) fn find(&self, hash: u64, is_it: impl FnMut(&T) -> bool) -> Option<T> {
        self.tables.get(table(hash))?.find(hash, is_it).copied()
    }

    /// Puts an entry under its hash; `hash_of` gives the hash of any entry again.
    pub(crate) fn insert(&mut self, hash: u64, entry: T, hash_of: impl Fn(&T) -> u64) {
        if let Some(table) = self.tables.get_mut(table(hash)) {
            table.insert_unique(hash, entry, hash_of);
        }
    }

    /// Takes an entry out; whether it was there.
    pub(crate) fn remove(&mut self, hash: u64, entry: T) -> bool {
        let found =
            self.tables.get_mut(table(hash)).and_then(|table| table.find_entry(hash, |it| *it == entry).ok());
        found.map(|found| found.remove()).is_some()
    }
}

fn table(hash: u64) -> usize {
    (hash >> TABLE_SHIFT) as usize & (TABLES - 1)
}
