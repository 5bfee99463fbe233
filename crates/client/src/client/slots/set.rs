//! The sets of one connection: readers of many requests each, which take all their news at once.
//!
//! From: the slots of their requests. To: whoever has the set.
//! Never: holds news of a request before its last.

use super::{Bell, Key, Phase, Reader, Slot, Slots, index, register};
use crate::client::news::{Last, News};
use std::mem;
use std::task::{Context, Poll, Waker};

/// What a set of requests is known by.
pub(crate) type SetKey = usize;

/// What a set knows one of its requests by.
pub(crate) type Seat = usize;

/// Requests whose news one reader takes all at once.
#[derive(Debug, Default)]
pub(super) struct Set {
    pub(super) waker: Option<Waker>,
    /// News of those that had their last.
    told: Vec<Told>,
    held_bytes: usize,
    /// How many of its requests have not had their last news.
    pub(super) waiting: usize,
}

/// News of one request of a set.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) seat: Seat,
    pub(crate) news: News,
    pub(crate) last: Last,
}

impl Slots {
    /// A set of requests to come.
    pub(crate) fn add_set(&mut self) -> SetKey {
        let free = self.sets.iter().position(Option::is_none);
        let key = free.unwrap_or(self.sets.len());
        match self.sets.get_mut(key) {
            Some(set) => *set = Some(Set::default()),
            None => self.sets.push(Some(Set::default())),
        }
        key
    }

    /// Forgets a set: whoever has it is not interested in its requests any more. Its waker, whose end must not happen
    /// under a lock.
    pub(crate) fn remove_set(&mut self, key: SetKey) -> Option<Waker> {
        let set = self.sets.get_mut(key)?.take()?;
        self.held_bytes -= set.held_bytes;
        if set.waiting > 0 {
            let all = (0..).zip(&self.slots);
            let its = all.filter(|(_, slot)| slot.is_of(key)).map(|(key, _)| key).collect::<Vec<_>>();
            for key in its {
                self.abandon(key);
            }
        }
        set.waker
    }

    pub(super) fn set(&mut self, key: SetKey) -> Option<&mut Set> {
        self.sets.get_mut(key)?.as_mut()
    }

    /// Gives a request of its own, of which nothing was read, to a set.
    pub(crate) fn join(&mut self, key: Key, set_key: SetKey, seat: Seat) {
        let Some(slot) = self.slots.get_mut(index(key)) else { return };
        let Some(Some(set)) = self.sets.get_mut(set_key) else { return };
        match &mut slot.reader {
            Reader::Waiting(bell) => {
                *bell = Bell::OfSet(set_key, seat);
                set.waiting += 1;
            }
            Reader::Told => {
                if let Some(last) = slot.news.pop_back() {
                    slot.tell_set(set, seat, last);
                }
                slot.reader = Reader::Gone;
                if slot.phase == Phase::Over {
                    self.release(key);
                }
            }
            Reader::Gone => {}
        }
    }

    /// All news for a set, into `told`, which is empty; `former` as in [`Slots::poll`].
    pub(crate) fn collect(
        &mut self,
        key: SetKey,
        context: &Context<'_>,
        told: &mut Vec<Told>,
        former: &mut Option<Waker>,
    ) -> Poll<()> {
        let Some(Some(set)) = self.sets.get_mut(key) else { return Poll::Pending };
        if set.told.is_empty() {
            register(&mut set.waker, context, former);
            return Poll::Pending;
        }
        self.held_bytes -= mem::take(&mut set.held_bytes);
        mem::swap(told, &mut set.told);
        Poll::Ready(())
    }
}

impl Slot {
    fn is_of(&self, set: SetKey) -> bool {
        matches!(&self.reader, Reader::Waiting(Bell::OfSet(key, _)) if *key == set)
    }

    /// Moves all news, and the last, to the set that the request belongs to.
    pub(super) fn tell_set(&mut self, set: &mut Set, seat: Seat, news: News) {
        set.held_bytes += mem::take(&mut self.held_bytes);
        // Most have no other news than their last.
        if !self.news.is_empty() {
            set.told.extend(self.news.drain(..).map(|news| Told { seat, news, last: Last::No }));
        }
        let last = self.last(&news);
        set.told.push(Told { seat, news, last });
    }
}
