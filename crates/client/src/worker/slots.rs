//! Slots: how many jobs may be in hand at once, over all servers and for single functions.
//!
//! From: lanes (one connection's place in the worker), which take a slot for each grab. To: whoever waits for one.
//! Never: hands out more slots than there are, or lets one lane starve another: a slot that comes back goes to
//! the lane that has waited longest.

use super::bell::Bell;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// All slots of one worker.
#[derive(Debug)]
pub(super) struct Slots {
    inner: Mutex<Inner>,
}

/// A connection's place among those that take slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LaneId(usize);

#[derive(Debug)]
struct Inner {
    free: usize,
    /// Taken or reserved.
    in_use: usize,
    /// How many jobs may still be begun, where the worker leaves after some.
    budget: Option<u64>,
    /// Free slots of each function, or set of functions, that has a limit of its own.
    groups: Vec<usize>,
    lanes: Vec<Lane>,
    /// Lanes that want more than they have, the one that has waited longest first.
    queue: VecDeque<usize>,
    closed: bool,
    /// A lane that gives a slot back and takes what there is.
    exchanging: Option<usize>,
    /// Rung when the last slot comes back, or the budget is spent.
    watcher: Arc<Bell>,
    /// To be rung when no lock is held.
    rings: Vec<Arc<Bell>>,
}

/// Bells that ring when this is dropped, which is to be behind all locks.
#[derive(Debug, Default)]
#[must_use = "it rings where it is dropped"]
pub(super) struct Rings(Vec<Arc<Bell>>);

impl Drop for Rings {
    fn drop(&mut self) {
        self.0.drain(..).for_each(|bell| bell.ring());
    }
}

#[derive(Debug)]
struct Lane {
    group: usize,
    bell: Arc<Bell>,
    /// Slots that came back and are this lane's to take.
    reserved: usize,
    queued: bool,
}

impl Slots {
    pub(super) fn new(at_once: usize, budget: Option<u64>, watcher: Arc<Bell>) -> Self {
        Self {
            inner: Mutex::new(Inner {
                free: at_once,
                in_use: 0,
                budget,
                groups: Vec::new(),
                lanes: Vec::new(),
                queue: VecDeque::new(),
                closed: false,
                exchanging: None,
                watcher,
                rings: Vec::new(),
            }),
        }
    }

    /// Adds a set of functions of which at most this many jobs are in hand.
    pub(super) fn add_group(&self, at_once: usize) -> usize {
        let mut inner = self.lock();
        inner.groups.push(at_once);
        inner.groups.len() - 1
    }

    pub(super) fn add_lane(&self, group: usize, bell: Arc<Bell>) -> LaneId {
        let mut inner = self.lock();
        inner.lanes.push(Lane { group, bell, reserved: 0, queued: false });
        LaneId(inner.lanes.len() - 1)
    }

    /// Takes up to `wanted` slots; for the rest the lane waits, and its bell rings when there is one.
    pub(super) fn take(&self, lane: LaneId, wanted: usize) -> usize {
        self.lock().take(lane.0, wanted)
    }

    /// Gives back the slot of a job that ended, then takes slots as [`Slots::take`] does.
    pub(super) fn exchange(&self, lane: LaneId, wanted: usize) -> (usize, Rings) {
        let mut inner = self.lock();
        // What is reserved for this lane by that is taken at once, so it need not be told.
        inner.exchanging = Some(lane.0);
        inner.put_back(lane.0, 1);
        inner.exchanging = None;
        let taken = inner.take(lane.0, wanted);
        let own = inner.lanes.get(lane.0).filter(|lane| lane.reserved > 0);
        let bell = own.map(|lane| Arc::clone(&lane.bell));
        inner.rings.extend(bell);
        (taken, inner.rings())
    }

    /// Gives back slots of jobs that ended.
    pub(super) fn give_back(&self, lane: LaneId, count: usize) -> Rings {
        let mut inner = self.lock();
        inner.put_back(lane.0, count);
        inner.rings()
    }

    /// Gives back slots of grabs that brought no job.
    pub(super) fn give_back_unused(&self, lane: LaneId, count: usize) -> Rings {
        let mut inner = self.lock();
        inner.put_back_unused(lane.0, count);
        inner.rings()
    }

    /// Says that a lane wants nothing now: it lets go of what is reserved for it, and waits no more.
    pub(super) fn decline(&self, lane: LaneId) -> Rings {
        let mut inner = self.lock();
        inner.decline(lane.0);
        inner.rings()
    }

    /// Hands out no more slots.
    pub(super) fn close(&self) -> Rings {
        let mut inner = self.lock();
        inner.closed = true;
        for number in 0..inner.lanes.len() {
            inner.decline(number);
        }
        let watcher = Arc::clone(&inner.watcher);
        inner.rings.push(watcher);
        inner.rings()
    }

    /// Whether no slot is taken or reserved.
    pub(super) fn is_idle(&self) -> bool {
        self.lock().in_use == 0
    }

    /// Whether the worker has begun as many jobs as it was to do.
    pub(super) fn is_spent(&self) -> bool {
        let inner = self.lock();
        // A grab on its way may come back without a job, and then it counts again.
        inner.budget == Some(0) && inner.in_use == 0
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn rings(&mut self) -> Rings {
        Rings(std::mem::take(&mut self.rings))
    }

    fn take(&mut self, number: usize, wanted: usize) -> usize {
        if self.closed || wanted == 0 {
            return 0;
        }
        let Some(lane) = self.lanes.get_mut(number) else { return 0 };
        let from_reserved = lane.reserved.min(wanted);
        lane.reserved -= from_reserved;
        let group = lane.group;
        let wanted = wanted - from_reserved;
        // What is free was refused by all that wait, for their own limits; so nobody is passed over here.
        let fresh = self.room(group).min(wanted);
        self.reserve(group, fresh);
        if fresh < wanted {
            self.enqueue(number);
        }
        from_reserved + fresh
    }

    /// How many slots a lane of this group could have.
    fn room(&self, group: usize) -> usize {
        let budget = self.budget.map_or(usize::MAX, |left| usize::try_from(left).unwrap_or(usize::MAX));
        self.free.min(self.groups.get(group).copied().unwrap_or(0)).min(budget)
    }

    fn reserve(&mut self, group: usize, count: usize) {
        self.in_use += count;
        self.free -= count;
        if let Some(free) = self.groups.get_mut(group) {
            *free -= count;
        }
        if let Some(budget) = &mut self.budget {
            *budget = budget.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
        }
    }

    fn enqueue(&mut self, number: usize) {
        if let Some(lane) = self.lanes.get_mut(number)
            && !lane.queued
        {
            lane.queued = true;
            self.queue.push_back(number);
        }
    }

    /// Makes slots free, and reserves them for those that wait.
    fn put_back(&mut self, number: usize, count: usize) {
        let Some(group) = self.lanes.get(number).map(|lane| lane.group) else { return };
        self.in_use -= count;
        self.free += count;
        if let Some(free) = self.groups.get_mut(group) {
            *free += count;
        }
        self.serve_queue();
        if self.in_use == 0 && (self.closed || self.budget == Some(0)) {
            self.rings.push(Arc::clone(&self.watcher));
        }
    }

    fn serve_queue(&mut self) {
        let mut at = 0;
        while self.free > 0 && at < self.queue.len() {
            let Some(waiting) = self.queue.get(at).copied() else { return };
            let Some(group) = self.lanes.get(waiting).map(|lane| lane.group) else { return };
            if self.room(group) == 0 {
                at += 1;
                continue;
            }
            self.queue.remove(at);
            self.reserve(group, 1);
            if let Some(lane) = self.lanes.get_mut(waiting) {
                lane.queued = false;
                lane.reserved += 1;
                if self.exchanging != Some(waiting) {
                    self.rings.push(Arc::clone(&lane.bell));
                }
            }
        }
    }

    fn decline(&mut self, number: usize) {
        let Some(lane) = self.lanes.get_mut(number) else { return };
        if std::mem::take(&mut lane.queued) {
            self.queue.retain(|waiting| *waiting != number);
        }
        let Some(lane) = self.lanes.get_mut(number) else { return };
        let reserved = std::mem::take(&mut lane.reserved);
        if reserved > 0 {
            self.put_back_unused(number, reserved);
        }
    }

    fn put_back_unused(&mut self, number: usize, count: usize) {
        if let Some(budget) = &mut self.budget {
            *budget = budget.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        }
        self.put_back(number, count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Slots with lanes of the given groups; a group is how many slots it may have.
    fn slots(at_once: usize, groups: &[usize], lanes: &[usize]) -> (Slots, Vec<LaneId>) {
        let slots = Slots::new(at_once, None, Arc::default());
        for group in groups {
            slots.add_group(*group);
        }
        let lanes = lanes.iter().map(|group| slots.add_lane(*group, Arc::default())).collect();
        (slots, lanes)
    }

    #[test]
    fn no_more_slots_are_handed_out_than_there_are() {
        let (slots, lanes) = slots(3, &[10], &[0, 0]);
        assert_eq!((slots.take(lanes[0], 2), slots.take(lanes[1], 2), slots.take(lanes[0], 1)), (2, 1, 0));
        assert!(!slots.is_idle());
        drop(slots.give_back(lanes[0], 2));
        drop(slots.give_back_unused(lanes[1], 1));
        drop(slots.decline(lanes[0]));
        drop(slots.decline(lanes[1]));
        assert!(slots.is_idle());
        assert_eq!(slots.take(lanes[1], 9), 3);
    }

    #[test]
    fn a_slot_goes_to_the_lane_that_has_waited_longest() {
        let (slots, lanes) = slots(1, &[1], &[0, 0, 0]);
        assert_eq!(slots.take(lanes[0], 1), 1);
        assert_eq!((slots.take(lanes[2], 1), slots.take(lanes[1], 1)), (0, 0));
        assert_eq!(slots.exchange(lanes[0], 1).0, 0, "others have waited longer");
        assert_eq!(slots.take(lanes[1], 1), 0, "it is reserved for the first in the queue");
        assert_eq!(slots.take(lanes[2], 1), 1);
        drop(slots.give_back(lanes[2], 1));
        assert_eq!(slots.take(lanes[1], 1), 1);
        drop(slots.give_back(lanes[1], 1));
        assert_eq!(slots.take(lanes[0], 1), 1, "and at last its turn comes again");
    }

    #[test]
    fn a_lane_alone_keeps_its_slot() {
        let (slots, lanes) = slots(1, &[1], &[0, 0]);
        assert_eq!(slots.take(lanes[0], 1), 1);
        assert_eq!(slots.exchange(lanes[0], 1).0, 1);
        assert_eq!(slots.exchange(lanes[0], 0).0, 0);
        assert!(slots.is_idle());
    }

    #[test]
    fn a_limit_of_its_own_holds_over_all_lanes_of_the_group() {
        let (slots, lanes) = slots(10, &[10, 2], &[0, 1, 1]);
        assert_eq!((slots.take(lanes[1], 1), slots.take(lanes[2], 5)), (1, 1));
        assert_eq!(slots.take(lanes[0], 20), 8, "the others have all the rest");
        drop(slots.give_back(lanes[0], 8));
        assert_eq!(slots.take(lanes[2], 1), 0, "the group is full, whoever has slots to spare");
        drop(slots.give_back(lanes[1], 1));
        assert_eq!(slots.take(lanes[2], 1), 1);
    }

    #[test]
    fn a_full_group_does_not_block_those_behind_it_in_the_queue() {
        let (slots, lanes) = slots(2, &[1, 2], &[0, 0, 1]);
        assert_eq!((slots.take(lanes[0], 1), slots.take(lanes[2], 1)), (1, 1));
        assert_eq!((slots.take(lanes[1], 1), slots.take(lanes[2], 1)), (0, 0));
        drop(slots.give_back(lanes[2], 1));
        assert_eq!(slots.take(lanes[2], 1), 1);
    }

    #[test]
    fn what_is_reserved_for_a_lane_that_declines_goes_to_the_next() {
        let (slots, lanes) = slots(1, &[1], &[0, 0, 0]);
        slots.take(lanes[0], 1);
        slots.take(lanes[1], 1);
        slots.take(lanes[2], 1);
        drop(slots.give_back(lanes[0], 1));
        drop(slots.decline(lanes[1]));
        assert_eq!(slots.take(lanes[2], 1), 1);
    }

    #[test]
    fn a_budget_counts_jobs_and_not_grabs() {
        let slots = Slots::new(8, Some(3), Arc::default());
        let group = slots.add_group(8);
        let lane = slots.add_lane(group, Arc::default());
        assert_eq!(slots.take(lane, 8), 3);
        drop(slots.give_back(lane, 1));
        drop(slots.give_back_unused(lane, 2));
        assert!(!slots.is_spent());
        drop(slots.decline(lane));
        assert_eq!(slots.take(lane, 8), 2);
        assert!(!slots.is_spent(), "the last two run");
        drop(slots.give_back(lane, 2));
        assert!(slots.is_spent());
        assert_eq!(slots.take(lane, 8), 0);
    }

    #[test]
    fn a_reserved_slot_is_not_spent_yet() {
        let slots = Slots::new(1, Some(2), Arc::default());
        let group = slots.add_group(1);
        let (one, two) = (slots.add_lane(group, Arc::default()), slots.add_lane(group, Arc::default()));
        slots.take(one, 1);
        slots.take(two, 1);
        drop(slots.give_back(one, 1));
        assert!(!slots.is_spent());
        assert_eq!(slots.take(two, 1), 1);
    }

    #[test]
    fn closed_slots_are_handed_out_no_more() {
        let (slots, lanes) = slots(1, &[1], &[0, 0]);
        slots.take(lanes[0], 1);
        slots.take(lanes[1], 1);
        drop(slots.give_back(lanes[0], 1));
        drop(slots.close());
        assert_eq!((slots.take(lanes[0], 1), slots.take(lanes[1], 1)), (0, 0));
        assert!(slots.is_idle(), "what was reserved is let go");
    }
}
