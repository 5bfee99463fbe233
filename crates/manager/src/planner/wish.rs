//! What people and autoscaling made of a program, to outlive a manager that is killed.
//!
//! From: pools. To: the state file, and back at the next start.
//! Never: counts against a configuration that says another number of processes by now.

use super::Planner;
use super::moment::Moment;
use super::slot::{Fate, Slot};
use serde::{Deserialize, Serialize};

/// How many processes a program is to have, and whether it is to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    /// How many processes.
    pub count: u32,
    /// Whether a person said so.
    pub is_by_hand: bool,
    /// Whether it is to run.
    pub is_up: bool,
    /// The numbers of places that are not to have a process although it runs: stopped by hand.
    #[serde(default)]
    pub stopped: Vec<u32>,
    /// Fewest processes by its configuration.
    pub min: u32,
    /// Most processes by its configuration.
    pub max: u32,
}

impl Planner {
    /// What is wanted of each program; of none in a shutdown, which is no wish.
    pub fn wishes(&self) -> impl Iterator<Item = (&str, Wish)> {
        let pools = self.pools.values().filter(|pool| !self.is_ending() && !pool.is_removed);
        pools.map(|pool| {
            let (count, is_by_hand, is_up) = (pool.count, pool.is_by_hand, pool.is_up);
            let processes = pool.program.processes;
            let is_stopped = |slot: &&Slot| slot.fate == Fate::Stopped;
            let stopped = pool.slots.values().filter(is_stopped).map(|slot| slot.number).collect();
            let wish = Wish { count, is_by_hand, is_up, stopped, min: processes.min, max: processes.max };
            (pool.name.as_str(), wish)
        })
    }

    /// What was wanted of a program under the last manager; before orphans take their places.
    pub fn restore(&mut self, now: Moment, program: &str, wish: &Wish) {
        let Some(pool) = self.pools.get_mut(program) else { return };
        pool.is_up = wish.is_up;
        let processes = pool.program.processes;
        if (wish.min, wish.max) != (processes.min, processes.max) {
            return;
        }
        pool.count = wish.count;
        pool.is_by_hand = wish.is_by_hand;
        let (mut cx, slots) = pool.split(now, &mut self.floor);
        for number in &wish.stopped {
            let slot = slots.entry(*number).or_insert_with(|| Slot::new(now, *number));
            slot.fate = Fate::Stopped;
            slot.stop(&mut cx, "stopped by hand");
        }
    }
}
