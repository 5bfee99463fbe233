//! What waits for a time of the calendar, in the order of the times.
//!
//! From: `timers.rs`, the only caller. Never: forgets one, or keeps one that was removed.
//!
//! Most jobs that expire are entered in the order in which they expire, and leave in about that order too. These
//! stand in a lane of eight bytes each, where a set takes fifty and looks for each one's place.

use super::Due;
use crate::ids::UnixTime;
use std::collections::{BTreeSet, VecDeque};

/// Set in an entry of the lane that was removed while others stood before it.
const GONE: u32 = 1 << 31;

/// Fewest entries of a lane that is tidied.
const TIDY_MIN: usize = 64;

/// Things with their times.
#[derive(Debug, Default)]
pub(crate) struct Dues {
    lane: Lane,
    others: BTreeSet<(UnixTime, Due)>,
}

impl Dues {
    /// Nothing may be added that is there already.
    pub(crate) fn add(&mut self, at: UnixTime, due: Due) {
        match due {
            Due::Job(number) if self.lane.push(at, number) => {}
            Due::Job(_) | Due::Letter(..) | Due::Schedule(_) => {
                self.others.insert((at, due));
            }
        }
    }

    /// Harmless where it is not there.
    pub(crate) fn remove(&mut self, at: UnixTime, due: Due) {
        match due {
            Due::Job(number) if self.lane.remove(at, number) => {}
            Due::Job(_) | Due::Letter(..) | Due::Schedule(_) => {
                self.others.remove(&(at, due));
            }
        }
    }

    pub(crate) fn first(&self) -> Option<(UnixTime, Due)> {
        [self.lane.first(), self.others.first().copied()].into_iter().flatten().min()
    }

    pub(crate) fn pop_first(&mut self) -> Option<(UnixTime, Due)> {
        let (at, due) = self.first()?;
        self.remove(at, due);
        Some((at, due))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lane.entries.is_empty() && self.others.is_empty()
    }

    pub(crate) fn contains(&self, (at, due): &(UnixTime, Due)) -> bool {
        let in_lane = matches!(due, Due::Job(number) if self.lane.find(*at, *number).is_some());
        in_lane || self.others.contains(&(*at, *due))
    }

    /// All of them in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (UnixTime, Due)> {
        let mut lane = self.lane.iter().peekable();
        let mut others = self.others.iter().copied().peekable();
        std::iter::from_fn(move || match (lane.peek(), others.peek()) {
            (Some(job), Some(other)) if job < other => lane.next(),
            (_, Some(_)) => others.next(),
            (_, None) => lane.next(),
        })
    }
}

/// Jobs that were added in the order of their times and numbers.
#[derive(Debug, Default)]
struct Lane {
    /// The first one that was added when the lane was empty; all entries count from it.
    base: (i64, u64),
    /// Ascending. The first and the last are not gone.
    entries: VecDeque<Entry>,
    /// How many are gone.
    gone: usize,
}

/// A job: milliseconds and numbers behind the base.
#[derive(Debug, Clone, Copy)]
struct Entry {
    millis: u32,
    number: u32,
}

impl Entry {
    fn key(self) -> (u32, u32) {
        (self.millis, self.number & !GONE)
    }

    fn is_gone(self) -> bool {
        self.number & GONE != 0
    }
}

impl Lane {
    /// Adds a job at the end; `false` when that is not its place.
    fn push(&mut self, at: UnixTime, number: u64) -> bool {
        if self.entries.is_empty() {
            self.base = (at.millis(), number);
        }
        let Some(entry) = self.entry(at, number) else { return false };
        if self.entries.back().is_some_and(|last| last.key() >= entry.key()) {
            return false;
        }
        self.entries.push_back(entry);
        true
    }

    /// Removes a job; `false` when it is not here.
    fn remove(&mut self, at: UnixTime, number: u64) -> bool {
        let Some(index) = self.find(at, number) else { return false };
        if let Some(entry) = self.entries.get_mut(index) {
            entry.number |= GONE;
            self.gone += 1;
        }
        while self.entries.pop_front_if(|entry| entry.is_gone()).is_some() {
            self.gone -= 1;
        }
        while self.entries.pop_back_if(|entry| entry.is_gone()).is_some() {
            self.gone -= 1;
        }
        if self.entries.len() >= TIDY_MIN && self.gone * 2 > self.entries.len() {
            self.entries.retain(|entry| !entry.is_gone());
            self.gone = 0;
        }
        if self.entries.capacity() > TIDY_MIN && self.entries.len() * 4 < self.entries.capacity() {
            self.entries.shrink_to(self.entries.len() * 2);
        }
        true
    }

    fn find(&self, at: UnixTime, number: u64) -> Option<usize> {
        let key = self.entry(at, number)?.key();
        let is_first = self.entries.front().is_some_and(|first| first.key() == key);
        let index =
            if is_first { 0 } else { self.entries.binary_search_by_key(&key, |entry| entry.key()).ok()? };
        self.entries.get(index).filter(|entry| !entry.is_gone()).map(|_| index)
    }

    fn first(&self) -> Option<(UnixTime, Due)> {
        self.entries.front().map(|entry| self.due(*entry))
    }

    fn iter(&self) -> impl Iterator<Item = (UnixTime, Due)> {
        self.entries.iter().filter(|entry| !entry.is_gone()).map(|entry| self.due(*entry))
    }

    /// Nothing for what lies before the base or too far behind it.
    fn entry(&self, at: UnixTime, number: u64) -> Option<Entry> {
        let millis = u32::try_from(at.millis().checked_sub(self.base.0)?).ok()?;
        let number = u32::try_from(number.checked_sub(self.base.1)?).ok().filter(|number| *number < GONE)?;
        Some(Entry { millis, number })
    }

    fn due(&self, entry: Entry) -> (UnixTime, Due) {
        let (millis, number) = entry.key();
        let at = UnixTime::from_millis(self.base.0 + i64::from(millis));
        (at, Due::Job(self.base.1 + u64::from(number)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::persist::Shelf;

    /// A sequence of numbers that looks random and is the same each time.
    fn chance(state: &mut u64) -> u64 {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *state >> 33
    }

    #[test]
    fn dues_are_a_set_in_order_whatever_is_added_and_removed() {
        for seed in 0..50 {
            let (mut state, mut dues, mut model) = (seed, Dues::default(), BTreeSet::new());
            let mut number = 0;
            for step in 0..2_000_u64 {
                number += 1;
                let spread = if chance(&mut state).is_multiple_of(8) { 5_000_000_000 } else { 3 };
                let at = UnixTime::from_millis((step + chance(&mut state) % spread).cast_signed());
                let due = if chance(&mut state).is_multiple_of(10) {
                    Due::Letter(Shelf::Dead, number)
                } else {
                    Due::Job(number)
                };
                dues.add(at, due);
                model.insert((at, due));
                let removals = if step % 500 < 300 { chance(&mut state) % 2 } else { 2 };
                for _ in 0..removals {
                    let index = match chance(&mut state) % 3 {
                        0 => usize::try_from(chance(&mut state)).unwrap() % model.len().max(1),
                        1 => 0,
                        _ => model.len().saturating_sub(1),
                    };
                    let Some(it) = model.iter().nth(index).copied() else { continue };
                    assert!(dues.contains(&it));
                    dues.remove(it.0, it.1);
                    dues.remove(it.0, it.1);
                    model.remove(&it);
                    assert!(!dues.contains(&it));
                }
                assert_eq!(dues.first(), model.first().copied(), "seed {seed} step {step}");
                assert_eq!(dues.is_empty(), model.is_empty());
            }
            assert!(dues.iter().eq(model.iter().copied()), "seed {seed}");
            while let Some(it) = model.pop_first() {
                assert_eq!(dues.pop_first(), Some(it), "seed {seed}");
            }
            assert_eq!(dues.pop_first(), None);
        }
    }

    #[test]
    fn jobs_that_expire_in_their_order_take_eight_bytes_each() {
        let mut dues = Dues::default();
        for number in 0..100_000_u64 {
            dues.add(UnixTime::from_millis(1_000_000 + number.cast_signed() / 10), Due::Job(number));
        }
        assert!(dues.others.is_empty());
        assert_eq!(size_of::<Entry>(), 8);
        // One job that stays does not keep the place of those that left behind it.
        for number in 1..99_999_u64 {
            dues.remove(UnixTime::from_millis(1_000_000 + number.cast_signed() / 10), Due::Job(number));
            assert!(dues.lane.gone <= TIDY_MIN.max(dues.lane.entries.len() / 2));
        }
        assert!(dues.lane.entries.capacity() < 1_000, "{}", dues.lane.entries.capacity());
        assert_eq!(dues.iter().count(), 2);
    }

    #[test]
    fn what_lies_too_far_behind_the_first_is_kept_too() {
        let mut dues = Dues::default();
        let all = [(5, 9), (6, 3), (5 + (1 << 32), 10), (i64::MAX, 11), (7, 9 + (1 << 31)), (i64::MIN, 12)];
        for (millis, number) in all {
            dues.add(UnixTime::from_millis(millis), Due::Job(number));
        }
        let popped: Vec<i64> = std::iter::from_fn(|| dues.pop_first()).map(|(at, _)| at.millis()).collect();
        assert_eq!(popped, [i64::MIN, 5, 6, 7, 5 + (1 << 32), i64::MAX]);
    }
}
