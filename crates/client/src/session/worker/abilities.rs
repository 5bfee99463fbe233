//! What a session told the server it does, and how many jobs of each function are in hand.

use std::collections::BTreeMap;
use std::sync::Arc;

/// All abilities of one session.
#[derive(Debug, Default)]
pub(super) struct Abilities {
    by_function: BTreeMap<Arc<str>, Ability>,
    /// How many are to be taken back.
    leaving: usize,
}

#[derive(Debug)]
struct Ability {
    function: Arc<str>,
    has_timeout: bool,
    jobs: usize,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Registered,
    /// To be taken back, once no job can be lost by that.
    Leaving,
}

impl Abilities {
    pub(super) fn is_empty(&self) -> bool {
        self.by_function.is_empty()
    }

    pub(super) fn count(&self) -> usize {
        self.by_function.len()
    }

    pub(super) fn some_leave(&self) -> bool {
        self.leaving > 0
    }

    /// Adds a function; `false` when the server knows it already.
    pub(super) fn add(&mut self, function: &str, has_timeout: bool) -> bool {
        if let Some(ability) = self.by_function.get_mut(function) {
            if ability.stage == Stage::Leaving {
                ability.stage = Stage::Registered;
                self.leaving -= 1;
            }
            return false;
        }
        let function: Arc<str> = function.into();
        let ability =
            Ability { function: Arc::clone(&function), has_timeout, jobs: 0, stage: Stage::Registered };
        self.by_function.insert(function, ability);
        true
    }

    pub(super) fn leave(&mut self, function: &str) {
        if let Some(ability) = self.by_function.get_mut(function)
            && ability.stage == Stage::Registered
        {
            ability.stage = Stage::Leaving;
            self.leaving += 1;
        }
    }

    pub(super) fn leave_all(&mut self) {
        self.leaving = self.by_function.len();
        for ability in self.by_function.values_mut() {
            ability.stage = Stage::Leaving;
        }
    }

    /// Forgets those that are to be taken back and have no job in hand, and names each.
    pub(super) fn remove_idle(&mut self, mut taken_back: impl FnMut(&str)) {
        if self.leaving == 0 {
            return;
        }
        self.by_function.retain(|function, ability| {
            let stays = ability.stage == Stage::Registered || ability.jobs > 0;
            if !stays {
                taken_back(function);
            }
            stays
        });
        self.leaving = self.by_function.values().filter(|it| it.stage == Stage::Leaving).count();
    }

    /// Counts a job of a function, and says its name; `None` for an unknown one.
    pub(super) fn take_on(&mut self, function: &[u8]) -> Option<Arc<str>> {
        let ability = self.by_function.get_mut(std::str::from_utf8(function).ok()?)?;
        ability.jobs += 1;
        Some(Arc::clone(&ability.function))
    }

    /// Counts the end of a job, and says whether its function has a time limit.
    pub(super) fn ended(&mut self, function: &str) -> bool {
        let Some(ability) = self.by_function.get_mut(function) else { return false };
        ability.jobs = ability.jobs.saturating_sub(1);
        ability.has_timeout
    }
}
