//! Finds a job by its number.
//!
//! From: `job.rs`. Never: hashes a number by itself. Numbers are given out one after the other, and jobs are mostly
//! served in that order: a page has the jobs of 62 numbers in a row, so that the next one is found where the last one
//! was. A page goes when its last job goes; one that holds a single old job takes about 280 bytes.

use crate::job::JobKey;
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use std::hash::BuildHasher;

/// How many numbers a page has: with what the allocator adds it takes 256 bytes.
const PAGE: usize = 62;

/// Jobs by their numbers.
#[derive(Debug)]
pub(crate) struct Numbers {
    pages: HashTable<Page>,
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
        Self { pages: HashTable::new(), hash }
    }

    pub(crate) fn find(&self, number: u64) -> Option<JobKey> {
        let (page, place) = place(number);
        let page = self.pages.find(self.hash.hash_one(page), |it| it.number == page)?;
        *page.jobs.get(place)?
    }

    pub(crate) fn insert(&mut self, number: u64, key: JobKey) {
        let (page, place) = place(number);
        let mut page = self.page(page).or_insert_with(|| Page { number: page, jobs: Box::new([None; PAGE]) });
        if let Some(place) = page.get_mut().jobs.get_mut(place) {
            *place = Some(key);
        }
    }

    /// Forgets a number; whether it named this job.
    pub(crate) fn remove(&mut self, number: u64, key: JobKey) -> bool {
        let (page, place) = place(number);
        let Entry::Occupied(mut page) = self.page(page) else { return false };
        let Some(found) = page.get_mut().jobs.get_mut(place).filter(|found| **found == Some(key)) else {
            return false;
        };
        *found = None;
        if page.get().jobs.iter().all(Option::is_none) {
            page.remove();
        }
        true
    }

    fn page(&mut self, number: u64) -> Entry<'_, Page> {
        let Self { pages, hash } = self;
        pages.entry(hash.hash_one(number), |it| it.number == number, |it| hash.hash_one(it.number))
    }
}

/// The page of a number, and its place there.
#[expect(clippy::cast_possible_truncation, reason = "a remainder of 62")]
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
        assert_eq!((numbers.pages.len(), numbers.find(40), numbers.find(41)), (1, Some(key(40)), None));
        assert!(numbers.remove(40, key(40)));
        assert!(!numbers.remove(40, key(40)));
        assert_eq!(numbers.pages.len(), 0);
    }
}
