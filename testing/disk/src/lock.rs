//! The locks of one database file, as SQLite climbs them: shared, reserved, exclusive.

use std::collections::BTreeMap;

/// How far a handle has climbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    None,
    Shared,
    Reserved,
    Exclusive,
}

/// Who holds what.
#[derive(Debug, Default)]
pub(crate) struct Locks {
    held: BTreeMap<u64, Level>,
}

impl Locks {
    /// Climbs to `wanted`, unless another handle is in the way.
    pub(crate) fn climb(&mut self, handle: u64, wanted: Level) -> bool {
        let others = self.held.iter().filter(|(other, _)| **other != handle).map(|(_, level)| *level);
        let highest = others.max().unwrap_or(Level::None);
        let free = match wanted {
            Level::None => true,
            Level::Shared => highest < Level::Exclusive,
            Level::Reserved => highest < Level::Reserved,
            Level::Exclusive => highest == Level::None,
        };
        if free && self.level(handle) < wanted {
            self.held.insert(handle, wanted);
        }
        free
    }

    /// Comes down to `wanted`.
    pub(crate) fn descend(&mut self, handle: u64, wanted: Level) {
        if wanted == Level::None {
            self.held.remove(&handle);
        } else if self.level(handle) > wanted {
            self.held.insert(handle, wanted);
        }
    }

    /// Whether somebody is about to write.
    pub(crate) fn is_reserved(&self) -> bool {
        self.held.values().any(|level| *level >= Level::Reserved)
    }

    fn level(&self, handle: u64) -> Level {
        self.held.get(&handle).copied().unwrap_or(Level::None)
    }
}
