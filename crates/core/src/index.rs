//! An index of jobs by a hash: many small tables instead of a large one.
//!
//! From: `job.rs`. Never: grows all at once. A table of ten million entries takes seconds to grow, during
//! which nobody is served; one of its 256 parts takes some milliseconds. The parts have different shares of the
//! entries, so that they grow one after the other, and never are all of them half empty.

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::BuildHasher;

/// Into how many tables the entries are spread.
const TABLES: usize = 256;

/// How many values the bits of a hash have that choose the table.
const PLACES: usize = 4096;

/// The table of each place. Each table has 1.0027 times the places of the one before, and the last one twice those
/// of the first: when one table has doubled, the next one is about to.
static TABLE_OF: [u8; PLACES] = spread();

/// The 256th root of 2, in parts of 2^31.
const GROWTH: u64 = 2_153_306_067;

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

/// The hash of a number. Four in a row stand in one place of the index, with tags of their own: jobs are mostly
/// served in the order of their numbers, and each place that was not looked at lately costs a wait for memory.
pub(crate) fn number_hash(state: &FixedState, number: u64) -> u64 {
    state.hash_one(number >> 2) ^ ((number & 3) << INDEX_TAG_SHIFT)
}

/// Where in a hash the bits stand by which a table tells apart what is in one place.
const INDEX_TAG_SHIFT: u32 = 57;

fn table(hash: u64) -> usize {
    let place = (hash >> TABLE_SHIFT) as usize % PLACES;
    TABLE_OF.get(place).copied().unwrap_or_default().into()
}

/// Table `n` begins at place 4096 x (2^(n/256) - 1).
#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "done by the compiler, which checks"
)]
const fn spread() -> [u8; PLACES] {
    let mut places = [0; PLACES];
    let (mut place, mut table, mut power) = (0, 0, 1_u64 << 31);
    while place < PLACES {
        let next = (power * GROWTH) >> 31;
        let end = ((next * PLACES as u64) >> 31) as usize - PLACES;
        while place < end || (place < PLACES && table == TABLES - 1) {
            places[place] = table as u8;
            place += 1;
        }
        power = next;
        table += 1;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_have_shares_from_one_to_two() {
        let mut shares = [0; TABLES];
        for table in TABLE_OF {
            shares[usize::from(table)] += 1;
        }
        assert!(shares.iter().all(|share| (11..=23).contains(share)), "{shares:?}");
        assert_eq!((shares[0], shares[TABLES - 1]), (11, 23));
        assert!(TABLE_OF.is_sorted());
    }
}
