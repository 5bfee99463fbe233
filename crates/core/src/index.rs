//! An index of jobs by a hash: many small tables instead of a large one.
//!
//! From: `job.rs`. Never: grows all at once. A table of ten million entries takes seconds to grow, during
//! which nobody is served; one of its 4096 parts takes a moment. The parts have different shares of the entries, so
//! that they grow one after the other, and never are all of them half empty. Each entry has what a table needs of its
//! hash with it: growing looks at no job, each of which would be a wait for memory.

use crate::job::JobKey;
use hashbrown::HashTable;

/// Into how many groups of tables the entries are spread.
const GROUPS: usize = 256;

/// How many tables of the same share a group has.
const GROUP: usize = 16;

/// How many values the bits of a hash have that choose the group.
const PLACES: usize = 4096;

/// The group of each place. Each has 1.0027 times the places of the one before, and the last one twice those
/// of the first: when one has doubled, the next one is about to.
static GROUP_OF: [u8; PLACES] = spread();

/// The 256th root of 2, in parts of 2^31.
const GROWTH: u64 = 2_153_306_067;

/// Which bits of a hash choose the group.
const GROUP_SHIFT: u32 = 40;

/// Which bits of a hash choose the table in its group.
const TABLE_SHIFT: u32 = 32;

/// Finds jobs by what they were put under.
#[derive(Debug)]
pub(crate) struct Index {
    tables: Box<[HashTable<Entry>]>,
}

/// A job and its [`ShortHash`], in six bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    hash: ShortHash,
    key: [u16; 2],
}

/// The lowest bits of a hash: as many as choose a place in a table while there are fewer than 160 million jobs. With
/// more of them it takes longer to find one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ShortHash(u16);

impl ShortHash {
    #[expect(clippy::cast_possible_truncation, reason = "the lowest bits are what it is")]
    const fn of(hash: u64) -> Self {
        Self(hash as u16)
    }

    /// A hash for a table, which takes the place from its lowest bits, and from its seven highest the tag that tells
    /// apart what is in neighbouring places. On 32 bits it takes that from bits that are all zero here: what is found
    /// is the same, and takes longer.
    const fn long(self) -> u64 {
        let hash = self.0 as u64;
        hash | (hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) & (u64::MAX << 57))
    }
}

impl Entry {
    const fn new(hash: ShortHash, key: JobKey) -> Self {
        let bits = key.bits();
        Self { hash, key: [(bits >> 16) as u16, (bits & 0xffff) as u16] }
    }

    const fn key(self) -> JobKey {
        let [high, low] = self.key;
        JobKey::from_bits((high as u32) << 16 | low as u32)
    }
}

impl Index {
    pub(crate) fn new() -> Self {
        Self { tables: (0..GROUPS * GROUP).map(|_| HashTable::new()).collect() }
    }

    pub(crate) fn find(&self, hash: u64, is_it: impl Fn(JobKey) -> bool) -> Option<JobKey> {
        let short = ShortHash::of(hash);
        let is_it = |entry: &Entry| entry.hash == short && is_it(entry.key());
        self.tables.get(table(hash))?.find(short.long(), is_it).map(|entry| entry.key())
    }

    /// Puts a job under its hash.
    pub(crate) fn insert(&mut self, hash: u64, key: JobKey) {
        let entry = Entry::new(ShortHash::of(hash), key);
        if let Some(table) = self.tables.get_mut(table(hash)) {
            table.insert_unique(entry.hash.long(), entry, |entry| entry.hash.long());
        }
    }

    /// Takes a job out; whether it was there.
    pub(crate) fn remove(&mut self, hash: u64, key: JobKey) -> bool {
        let entry = Entry::new(ShortHash::of(hash), key);
        let Some(table) = self.tables.get_mut(table(hash)) else { return false };
        table.find_entry(entry.hash.long(), |it| *it == entry).map(|found| found.remove()).is_ok()
    }
}

fn table(hash: u64) -> usize {
    let place = (hash >> GROUP_SHIFT) as usize % PLACES;
    let group = usize::from(GROUP_OF.get(place).copied().unwrap_or_default());
    group * GROUP + (hash >> TABLE_SHIFT) as usize % GROUP
}

/// Group `n` begins at place 4096 x (2^(n/256) - 1).
#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "done by the compiler, which checks"
)]
const fn spread() -> [u8; PLACES] {
    let mut places = [0; PLACES];
    let (mut place, mut group, mut power) = (0, 0, 1_u64 << 31);
    while place < PLACES {
        let next = (power * GROWTH) >> 31;
        let end = ((next * PLACES as u64) >> 31) as usize - PLACES;
        while place < end || (place < PLACES && group == GROUPS - 1) {
            places[place] = group as u8;
            place += 1;
        }
        power = next;
        group += 1;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use foldhash::fast::FixedState;
    use std::hash::BuildHasher;

    #[test]
    fn the_groups_have_shares_from_one_to_two() {
        let mut shares = [0; GROUPS];
        for group in GROUP_OF {
            shares[usize::from(group)] += 1;
        }
        assert!(shares.iter().all(|share| (11..=23).contains(share)), "{shares:?}");
        assert_eq!((shares[0], shares[GROUPS - 1]), (11, 23));
        assert!(GROUP_OF.is_sorted());
    }

    #[test]
    fn jobs_are_found_after_their_tables_grew() {
        let state = FixedState::with_seed(7);
        let hash = |number: u32| state.hash_one(number);
        let mut index = Index::new();
        let jobs: Vec<JobKey> = (0..400_000).map(JobKey::of).collect();
        for (number, key) in (0..).zip(&jobs) {
            index.insert(hash(number), *key);
        }
        for (number, key) in (0..).zip(&jobs) {
            assert_eq!(index.find(hash(number), |it| it == *key), Some(*key));
        }
        assert_eq!(index.find(hash(0), |it| it == JobKey::of(400_000)), None);
        for (number, key) in (0..).zip(&jobs) {
            assert!(index.remove(hash(number), *key));
            assert!(!index.remove(hash(number), *key));
        }
    }

    #[test]
    fn an_entry_takes_six_bytes_and_keeps_its_key() {
        let key = JobKey::of(0xfedc_ba98);
        let entry = Entry::new(ShortHash::of(0x1234_5678_9abc_def0), key);
        assert_eq!((size_of::<Entry>(), entry.key(), entry.hash), (6, key, ShortHash(0xdef0)));
        assert_eq!(ShortHash::of(entry.hash.long()), entry.hash);
    }
}
