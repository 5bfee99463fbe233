//! The net effect of a batch.

use super::{Batch, Entry, Stored};
use geartrain_core::{Op, Record};
use std::ops::Range;

/// What a batch leaves to be written; see [`Batch::iter_net`].
#[derive(Debug)]
pub struct Net<'a> {
    batch: &'a Batch,
    effects: Effects,
    /// The `Bury` that follows the record given last.
    bury: Option<Op<'a>>,
    reserve: bool,
}

/// An entry that stands, with what later ones changed about it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effect {
    pub(super) entry: u32,
    given_back: Option<(u64, u32)>,
    pub(super) buried: Option<u32>,
}

impl Effect {
    const fn alone(entry: u32) -> Self {
        Self { entry, given_back: None, buried: None }
    }

    pub(super) fn fold_into(&self, record: &mut Record<'_>) {
        if let Some((place, attempts)) = self.given_back {
            record.place = place;
            record.attempts = attempts;
        }
    }
}

/// The entries that stand, in the order of their numbers.
#[derive(Debug)]
pub(super) enum Effects {
    /// Every entry as it is: records of ascending numbers, the most frequent batch.
    All(Range<u32>),
    /// These.
    Folded(std::vec::IntoIter<Effect>),
}

impl Iterator for Effects {
    type Item = Effect;

    fn next(&mut self) -> Option<Effect> {
        match self {
            Effects::All(entries) => entries.next().map(Effect::alone),
            Effects::Folded(effects) => effects.next(),
        }
    }
}

impl<'a> Net<'a> {
    pub(super) fn new(batch: &'a Batch) -> Self {
        Self { batch, effects: effects(batch), bury: None, reserve: batch.numbers_until > 0 }
    }

    fn put(&mut self, stored: &Stored, effect: Effect) -> Op<'a> {
        let mut record = self.batch.record(stored);
        effect.fold_into(&mut record);
        self.bury = effect.buried.map(|attempts| Op::Bury { number: record.number, attempts });
        Op::Put(record)
    }
}

impl<'a> Iterator for Net<'a> {
    type Item = Op<'a>;

    fn next(&mut self) -> Option<Op<'a>> {
        if let Some(bury) = self.bury.take() {
            return Some(bury);
        }
        let Some(effect) = self.effects.next() else {
            return std::mem::take(&mut self.reserve)
                .then_some(Op::ReserveNumbers { until: self.batch.numbers_until });
        };
        Some(match self.batch.entries.get(effect.entry as usize)? {
            Entry::Put(stored) => self.put(stored, effect),
            Entry::Withdraw(stored) if effect.buried.is_some() => self.put(stored, effect),
            Entry::Withdraw(stored) => Op::Delete { number: stored.number },
            Entry::GiveBack { number, place, attempts } => {
                Op::GiveBack { number: *number, place: *place, attempts: *attempts }
            }
            Entry::Bury { number, attempts } => Op::Bury { number: *number, attempts: *attempts },
            Entry::Delete { number } => Op::Delete { number: *number },
        })
    }
}

/// What stands of a batch.
pub(super) fn effects(batch: &Batch) -> Effects {
    match u32::try_from(batch.entries.len()) {
        Ok(len) if only_ascending_puts(batch) => Effects::All(0..len),
        _ => Effects::Folded(fold(batch).into_iter()),
    }
}

fn only_ascending_puts(batch: &Batch) -> bool {
    batch.entries.iter().all(|entry| matches!(entry, Entry::Put(_)))
        && batch.entries.is_sorted_by(|earlier, later| earlier.number() < later.number())
}

fn fold(batch: &Batch) -> Vec<Effect> {
    // More than 2^32 entries would be over 300 GiB; what cannot be counted cannot have been pushed.
    let mut order: Vec<(u64, u32)> =
        (0..u32::MAX).zip(&batch.entries).map(|(entry, at)| (at.number(), entry)).collect();
    order.sort_unstable();
    let mut effects = Vec::with_capacity(order.len());
    for of_one_job in order.chunk_by(|earlier, later| earlier.0 == later.0) {
        let mut standing: Option<Effect> = None;
        for &(_, entry) in of_one_job {
            standing = then(batch, standing, entry);
        }
        effects.extend(standing);
    }
    effects
}

/// What stands of a job when `entry` follows what stood before.
fn then(batch: &Batch, standing: Option<Effect>, entry: u32) -> Option<Effect> {
    let before = standing.and_then(|effect| batch.entries.get(effect.entry as usize));
    let is_buried = standing.is_some_and(|effect| effect.buried.is_some());
    match (before, batch.entries.get(entry as usize)?) {
        (Some(Entry::Put(_)), Entry::Delete { .. }) if !is_buried => None,
        (Some(Entry::Put(_)), Entry::GiveBack { place, attempts, .. }) if !is_buried => {
            standing.map(|effect| Effect { given_back: Some((*place, *attempts)), ..effect })
        }
        (Some(Entry::Put(_) | Entry::Withdraw(_)), Entry::Bury { attempts, .. }) => {
            standing.map(|effect| Effect { buried: Some(*attempts), ..effect })
        }
        // The job ended before.
        (Some(_), Entry::GiveBack { .. } | Entry::Delete { .. }) if is_buried => standing,
        (Some(Entry::Delete { .. } | Entry::Bury { .. } | Entry::Withdraw(_)), Entry::GiveBack { .. })
        | (Some(Entry::Bury { .. }), Entry::Delete { .. }) => standing,
        _ => Some(Effect::alone(entry)),
    }
}
