//! Shelves: dead letters and finished jobs, as far as they are kept in memory: where each is, and what group
//! of errors it belongs to. Their contents are in the store, and are read when somebody asks.
//!
//! From: `retry.rs` and `work.rs`, when a job ends that is kept. To: the commands about dead letters; the
//! store, when the keeping of a letter is over. Never: holds a workload.

use crate::blur::{Group, blur};
use crate::core::Core;
use crate::ids::{Ticket, UnixTime};
use crate::outbox::Outbox;
use crate::persist::{LetterHead, Op, Outcome, Shelf};
use crate::policy::Keep;
use crate::rules::is_pattern;
use crate::settings::Limits;
use crate::timers::Due;
use geartrain_proto::Function;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

/// All letters.
#[derive(Debug, Default)]
pub(crate) struct Archive {
    dead: Letters,
    finished: Letters,
    /// The groups of dead letters.
    groups: BTreeMap<Group, GroupEntry>,
    /// Letters that were removed since their keeping was over, since the start.
    removed: u64,
}

/// The letters of one shelf.
#[derive(Debug, Default)]
pub(crate) struct Letters {
    by_number: BTreeMap<u64, Letter>,
    by_function: BTreeMap<Arc<[u8]>, OfFunction>,
    by_time: BTreeSet<(UnixTime, u64)>,
    /// Length of their contents.
    bytes: u64,
}

/// How far a pass over all letters is, or over those of one function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeepingAt {
    /// The function that it is about; `None` for all.
    only: Option<Box<[u8]>>,
    shelf: Shelf,
    /// The function it is at, or the least name behind the last one.
    function: Vec<u8>,
    /// The last letter of it that was looked at.
    letter: Option<(UnixTime, u64)>,
}

impl Default for KeepingAt {
    fn default() -> Self {
        Self { only: None, shelf: Shelf::Dead, function: Vec::new(), letter: None }
    }
}

impl KeepingAt {
    /// Where a pass over the letters of one function begins.
    pub(crate) fn of(function: &[u8]) -> Self {
        Self { only: Some(function.into()), function: function.to_vec(), ..Self::default() }
    }

    fn is_about(&self, function: &[u8]) -> bool {
        self.only.as_ref().is_none_or(|only| **only == *function)
    }

    /// Where it goes on when a shelf is done.
    fn on_next_shelf(self) -> Option<Self> {
        let function = self.only.as_ref().map_or_else(Vec::new, |only| only.to_vec());
        match self.shelf {
            Shelf::Dead => Some(Self { shelf: Shelf::Finished, function, letter: None, ..self }),
            Shelf::Finished => None,
        }
    }
}

/// Letters that make room for one that comes, at once.
const REMOVED_MAX: usize = 64;

/// A letter, without its contents.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    pub(crate) function: Arc<[u8]>,
    pub(crate) ended: UnixTime,
    pub(crate) how: Outcome,
    pub(crate) group: Group,
    /// Length of its contents.
    pub(crate) bytes: u64,
    /// Its change is durable with this ticket; until then it cannot be read.
    pub(crate) ticket: Ticket,
    /// When its keeping is over by age.
    expires: Option<UnixTime>,
}

#[derive(Debug, Default)]
struct OfFunction {
    by_time: BTreeSet<(UnixTime, u64)>,
    bytes: u64,
}

/// Dead letters whose errors are alike.
#[derive(Debug, Clone)]
pub(crate) struct GroupEntry {
    pub(crate) how: Outcome,
    /// The blurred error.
    pub(crate) error: Box<[u8]>,
    by_time: BTreeSet<(UnixTime, u64)>,
    by_function: BTreeMap<Arc<[u8]>, u64>,
}

impl GroupEntry {
    pub(crate) fn count(&self) -> u64 {
        self.by_time.len() as u64
    }

    /// When the first and the last of them died.
    pub(crate) fn span(&self) -> (UnixTime, UnixTime) {
        let time = |entry: Option<&(UnixTime, u64)>| entry.map_or(UnixTime::default(), |(time, _)| *time);
        (time(self.by_time.first()), time(self.by_time.last()))
    }

    pub(crate) fn functions(&self) -> impl Iterator<Item = &[u8]> {
        self.by_function.keys().map(AsRef::as_ref)
    }
}

impl Letters {
    pub(crate) fn get(&self, number: u64) -> Option<&Letter> {
        self.by_number.get(&number)
    }

    /// Letters from this number on, in the order of their numbers.
    pub(crate) fn from(&self, number: u64) -> impl Iterator<Item = (u64, &Letter)> {
        self.by_number.range(number..).map(|(number, letter)| (*number, letter))
    }

    pub(crate) fn len(&self) -> usize {
        self.by_number.len()
    }

    /// The oldest letter, where there are too many or too large ones of all functions together.
    fn surplus(&self, limits: &Limits) -> Option<u64> {
        self.by_time.first().filter(|_| !self.fits(limits)).map(|(_, number)| *number)
    }

    /// Whether there are not too many, nor too large ones, of all functions together.
    pub(crate) fn fits(&self, limits: &Limits) -> bool {
        self.len() <= limits.letters_max && self.bytes <= limits.letters_bytes_max
    }

    /// The first function of this name or behind it of which there are letters.
    fn function_from(&self, name: &[u8]) -> Option<Arc<[u8]>> {
        let from = (Bound::Included(name), Bound::Unbounded);
        self.by_function.range::<[u8], _>(from).next().map(|(name, _)| Arc::clone(name))
    }

    /// The next letters of a function that is passed, up to so many.
    fn letters_behind(&self, at: &KeepingAt, max: usize) -> Vec<(UnixTime, u64)> {
        let Some(of_function) = self.by_function.get(at.function.as_slice()) else { return Vec::new() };
        let from = at.letter.map_or(Bound::Unbounded, Bound::Excluded);
        of_function.by_time.range((from, Bound::Unbounded)).take(max).copied().collect()
    }
}

impl Archive {
    pub(crate) fn shelf(&self, shelf: Shelf) -> &Letters {
        match shelf {
            Shelf::Dead => &self.dead,
            Shelf::Finished => &self.finished,
        }
    }

    fn shelf_mut(&mut self, shelf: Shelf) -> &mut Letters {
        match shelf {
            Shelf::Dead => &mut self.dead,
            Shelf::Finished => &mut self.finished,
        }
    }

    pub(crate) fn groups(&self) -> &BTreeMap<Group, GroupEntry> {
        &self.groups
    }

    /// Letters that were removed since their keeping was over, since the start.
    pub(crate) fn removed(&self) -> u64 {
        self.removed
    }

    fn insert(&mut self, head: &LetterHead<'_>, ticket: Ticket, expires: Option<UnixTime>) {
        let shelving = &head.shelving;
        self.take(shelving.shelf, shelving.number);
        let blurred = blur(shelving.error);
        let group = Group::new(shelving.how, &blurred);
        let letters = self.shelf_mut(shelving.shelf);
        let function: Arc<[u8]> = match letters.by_function.get_key_value(head.function) {
            Some((name, _)) => Arc::clone(name),
            None => head.function.into(),
        };
        let of_function = letters.by_function.entry(Arc::clone(&function)).or_default();
        of_function.by_time.insert((shelving.ended, shelving.number));
        of_function.bytes += head.bytes;
        letters.by_time.insert((shelving.ended, shelving.number));
        letters.bytes += head.bytes;
        if shelving.shelf == Shelf::Dead {
            let entry = self.groups.entry(group).or_insert_with(|| GroupEntry {
                how: shelving.how,
                error: blurred.into(),
                by_time: BTreeSet::new(),
                by_function: BTreeMap::new(),
            });
            entry.by_time.insert((shelving.ended, shelving.number));
            *entry.by_function.entry(Arc::clone(&function)).or_default() += 1;
        }
        let (ended, how, bytes) = (shelving.ended, shelving.how, head.bytes);
        let letter = Letter { function, ended, how, group, bytes, ticket, expires };
        self.shelf_mut(shelving.shelf).by_number.insert(shelving.number, letter);
    }

    fn take(&mut self, shelf: Shelf, number: u64) -> Option<Letter> {
        let letters = self.shelf_mut(shelf);
        let letter = letters.by_number.remove(&number)?;
        letters.by_time.remove(&(letter.ended, number));
        letters.bytes -= letter.bytes;
        if let Some(of_function) = letters.by_function.get_mut(&letter.function) {
            of_function.by_time.remove(&(letter.ended, number));
            of_function.bytes -= letter.bytes;
            if of_function.by_time.is_empty() {
                letters.by_function.remove(&letter.function);
            }
        }
        if shelf == Shelf::Dead
            && let Some(group) = self.groups.get_mut(&letter.group)
        {
            group.by_time.remove(&(letter.ended, number));
            if let Some(count) = group.by_function.get_mut(&letter.function) {
                *count -= 1;
                if *count == 0 {
                    group.by_function.remove(&letter.function);
                }
            }
            if group.by_time.is_empty() {
                self.groups.remove(&letter.group);
            }
        }
        Some(letter)
    }

    /// The oldest letter of a function, where there are too many or too large ones.
    fn surplus(&self, shelf: Shelf, function: &[u8], keep: Keep) -> Option<u64> {
        let of_function = self.shelf(shelf).by_function.get(function)?;
        let is_over = of_function.by_time.len() as u64 > keep.count || of_function.bytes > keep.bytes;
        of_function.by_time.first().filter(|_| is_over).map(|(_, number)| *number)
    }
}

impl Core {
    /// A letter came to a shelf, or is loaded from the store.
    pub(crate) fn file_letter(&mut self, head: &LetterHead<'_>, ticket: Ticket, out: &mut dyn Outbox) {
        let shelving = &head.shelving;
        let keep = self.rules.resolve(head.function).keep(shelving.shelf);
        let expires = keep.age.map(|age| shelving.ended.after(age));
        self.drop_letter_timer(shelving.shelf, shelving.number);
        self.archive.insert(head, ticket, expires);
        if let Some(expires) = expires {
            self.timers.add(expires, Due::Letter(shelving.shelf, shelving.number));
        }
        self.make_room(shelving.shelf, head.function, keep, out);
    }

    /// Removes what is too much since a letter came. A large one may push out very many: not all at once.
    fn make_room(&mut self, shelf: Shelf, function: &[u8], keep: Keep, out: &mut dyn Outbox) {
        let removed = self.remove_surplus(shelf, function, keep, REMOVED_MAX, out);
        let removed = removed.max(self.remove_surplus_of_all(shelf, REMOVED_MAX, out));
        if removed == REMOVED_MAX {
            self.chores.keeping.ask_for(KeepingAt::of(function));
        }
    }

    /// Takes a letter from its shelf, and lets the store do the same.
    pub(crate) fn unfile_letter(
        &mut self,
        shelf: Shelf,
        number: u64,
        out: &mut dyn Outbox,
    ) -> Option<Ticket> {
        self.drop_letter_timer(shelf, number);
        self.archive.take(shelf, number)?;
        let ticket = self.writing.next_ticket();
        out.persist(ticket, Op::Unshelve { number, shelf });
        Some(ticket)
    }

    fn drop_letter_timer(&mut self, shelf: Shelf, number: u64) {
        if let Some(expires) = self.archive.shelf(shelf).get(number).and_then(|letter| letter.expires) {
            self.timers.remove(expires, Due::Letter(shelf, number));
        }
    }

    /// Removes what is too much of a function, up to so many: how many those were.
    fn remove_surplus(
        &mut self,
        shelf: Shelf,
        function: &[u8],
        keep: Keep,
        max: usize,
        out: &mut dyn Outbox,
    ) -> usize {
        let mut removed = 0;
        while removed < max
            && let Some(number) = self.archive.surplus(shelf, function, keep)
        {
            self.remove_old(shelf, number, out);
            removed += 1;
        }
        removed
    }

    /// As [`Core::remove_surplus`], for what is too much of all functions together.
    fn remove_surplus_of_all(&mut self, shelf: Shelf, max: usize, out: &mut dyn Outbox) -> usize {
        let mut removed = 0;
        while removed < max
            && let Some(number) = self.archive.shelf(shelf).surplus(&self.settings.limits)
        {
            self.remove_old(shelf, number, out);
            removed += 1;
        }
        removed
    }

    fn remove_old(&mut self, shelf: Shelf, number: u64, out: &mut dyn Outbox) {
        if let Some(function) = self.archive.shelf(shelf).get(number).map(|it| Arc::clone(&it.function)) {
            self.unfile_letter(shelf, number, out);
            self.archive.removed += 1;
            let handle = self.handles.text(number);
            out.note(crate::event::Event::LetterRemoved {
                handle: handle.as_handle(),
                function: Function::new(&function),
                shelf,
            });
        }
    }

    /// The age of a letter is what its policy allows.
    ///
    /// While the letters are not yet timed by the rules of now, what they say of this one counts, not its timer.
    pub(crate) fn letter_is_old(&mut self, shelf: Shelf, number: u64, out: &mut dyn Outbox) {
        if self.chores.keeping.at().is_some()
            && let Some(function) = self.archive.shelf(shelf).get(number).map(|it| Arc::clone(&it.function))
        {
            let keep = self.rules.resolve(&function).keep(shelf);
            if !self.follow_age(shelf, number, keep) {
                return;
            }
        }
        self.remove_old(shelf, number, out);
    }

    /// Gives a letter the end of its keeping that this age says; `true` when it has come.
    fn follow_age(&mut self, shelf: Shelf, number: u64, keep: Keep) -> bool {
        let Some(letter) = self.archive.shelf_mut(shelf).by_number.get_mut(&number) else { return false };
        let expires = keep.age.map(|age| letter.ended.after(age));
        let before = std::mem::replace(&mut letter.expires, expires);
        if before != expires {
            let due = Due::Letter(shelf, number);
            if let Some(before) = before {
                self.timers.remove(before, due);
            }
            if let Some(expires) = expires {
                self.timers.add(expires, due);
            }
        }
        expires.is_some_and(|expires| expires <= self.now.unix)
    }

    /// Letters are kept by other rules now: those of functions of this name or pattern. The first portion of them
    /// follows at once.
    pub(crate) fn keep_anew(&mut self, pattern: &[u8], out: &mut dyn Outbox) {
        let is_first = self.chores.keeping.at().is_none();
        let all = is_pattern(pattern);
        self.chores.keeping.ask_for(if all { KeepingAt::default() } else { KeepingAt::of(pattern) });
        if is_first {
            self.enforce_keeping(out);
        }
    }

    /// Keeps a portion of the letters as their policies say now, and as many as fit of all.
    pub(crate) fn enforce_keeping(&mut self, out: &mut dyn Outbox) {
        let Some(mut at) = self.chores.keeping.at() else { return };
        let portion = self.settings.portion;
        let mut left = portion - self.remove_surplus_of_all(at.shelf, portion, out);
        // The first name is free, so that each portion gets on.
        let mut name_costs = 0;
        while left > 0 {
            let next = self.archive.shelf(at.shelf).function_from(&at.function);
            let Some(name) = next.filter(|name| at.is_about(name)) else {
                let Some(next) = at.on_next_shelf() else { return self.chores.keeping.go_on(None) };
                at = next;
                left -= self.remove_surplus_of_all(at.shelf, left, out);
                continue;
            };
            if *name != *at.function {
                (at.function, at.letter) = (name.to_vec(), None);
            }
            let keep = self.rules.resolve(&name).keep(at.shelf);
            left = left.saturating_sub(name_costs);
            name_costs = portion / self.rules.names_compared(portion);
            left -= self.remove_surplus(at.shelf, &name, keep, left, out);
            left -= self.time_keeping(&mut at, keep, left);
            if left > 0 {
                // The least name behind this one.
                at.function.push(0);
                at.letter = None;
            }
        }
        self.chores.keeping.go_on(Some(at));
    }

    /// Sets when the next letters of a function are too old, up to so many: how many those were.
    fn time_keeping(&mut self, at: &mut KeepingAt, keep: Keep, max: usize) -> usize {
        let letters = self.archive.shelf(at.shelf).letters_behind(at, max);
        for (_, number) in &letters {
            self.follow_age(at.shelf, *number, keep);
        }
        at.letter = letters.last().copied().or(at.letter);
        letters.len()
    }
}
