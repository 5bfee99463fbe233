//! Finds a job by its number.
//!
//! From: `job.rs`. Never: hashes a number by itself. Numbers are given out one after the other, and jobs are mostly
//! served in that order: a page has the jobs of 30 numbers in a row, so that the next one is found where the last one
//! was. A page goes when its last job goes; one that holds a single old job takes as much as a full one, and is counted
//! as that. Pages are spread over many tables, so that no table takes long to grow.

use crate::job::JobKey;
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use std::hash::BuildHasher;

/// How many numbers a page has: with what the allocator adds it takes 128 bytes.
const PAGE: usize = 30;

/// Bytes of a page: with its place in a table that is two thirds full.
const PAGE_BYTES: u64 = 154;

/// Into how many tables the pages are spread.
const TABLES: usize = 256;

/// Which bits of a hash choose the table: those that no table uses itself.
const TABLE_SHIFT: u32 = 40;

/// Jobs by their numbers.
#[derive(Debug)]
pub(crate) struct Numbers {
    tables: Box<[HashTable<Page>]>,
    pages: u64,
    hash: FixedState,
}

#[derive(Debug)]
struct Page {
    /// The numbers of its jobs, divided by [`PAGE`].
    number: u64,
    jobs: Box<[Option<JobKey>; PAGE]>,
}

impl Numbers {
    pub(crate) fn new(hash: FixedState) -> Self {
        Self { tables: (0..TABLES).map(|_| HashTable::new()).collect(), pages: 0, hash }
    }

    /// Bytes of all that it has.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.pages * PAGE_BYTES
    }

    pub(crate) fn find(&self, number: u64) -> Option<JobKey> {
        let (page, place) = place(number);
        let hash = self.hash.hash_one(page);
        let page = self.tables.get(table(hash))?.find(hash, |it| it.number == page)?;
        *page.jobs.get(place)?
    }

    pub(crate) fn insert(&mut self, number: u64, key: JobKey) {
        let Self { tables, pages, hash: state } = self;
        let (number, place) = place(number);
        let hash = state.hash_one(number);
        let Some(table) = tables.get_mut(table(hash)) else { return };
        let page = match table.entry(hash, |it| it.number == number, |it| state.hash_one(it.number)) {
            Entry::Occupied(page) => page.into_mut(),
            Entry::Vacant(room) => {
                *pages += 1;
                room.insert(Page { number, jobs: Box::new([None; PAGE]) }).into_mut()
            }
        };
        if let Some(place) = page.jobs.get_mut(place) {
            *place = Some(key);
        }
    }

    /// Forgets a number; whether it named this job.
    pub(crate) fn remove(&mut self, number: u64, key: JobKey) -> bool {
        let (page, place) = place(number);
        let hash = self.hash.hash_one(page);
        let table = self.tables.get_mut(table(hash));
        let Some(Ok(mut page)) = table.map(|table| table.find_entry(hash, |it| it.number == page)) else {
            return false;
        };
        let Some(found) = page.get_mut().jobs.get_mut(place).filter(|found| **found == Some(key)) else {
            return false;
        };
        *found = None;
        if page.get().jobs.iter().all(Option::is_none) {
            page.remove();
            self.pages -= 1;
        }
        true
    }
}

const fn table(hash: u64) -> usize {
    (hash >> TABLE_SHIFT) as usize % TABLES
}

/// The page of a number, and its place there.
#[expect(clippy::cast_possible_truncation, reason = "a remainder of 30")]
const fn place(number: u64) -> (u64, usize) {
    (number / PAGE as u64, (number % PAGE as u64) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u64) -> JobKey {
        JobKey::of(u32::try_from(number).expect("small"))
    }

    #[test]
    fn a_page_goes_with_its_last_job() {
        let mut numbers = Numbers::new(FixedState::with_seed(7));
        for number in 0..100 {
            numbers.insert(number, key(number));
        }
        assert_eq!((numbers.find(40), numbers.find(100)), (Some(key(40)), None));
        for number in (0..100).filter(|number| *number != 40) {
            assert!(!numbers.remove(number, key(number + 1)), "it is another job's");
            assert!(numbers.remove(number, key(number)));
        }
        assert_eq!((numbers.pages, numbers.find(40), numbers.find(41)), (1, Some(key(40)), None));
        assert!(numbers.remove(40, key(40)));
        assert!(!numbers.remove(40, key(40)));
        assert_eq!(numbers.pages, 0);
    }
}
