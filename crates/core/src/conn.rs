//! Connections: what a peer said of itself, what it is able to do, what it runs and what it waits for.
//!
//! From: every input. Never: sends anything; whoever decides does.

use crate::function::FunctionKey;
use crate::ids::{ConnId, Moment};
use crate::job::JobKey;
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::BuildHasher;
use std::time::Duration;

/// Whether a worker sleeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sleep {
    /// It has not said `PRE_SLEEP`, or has grabbed since.
    Awake,
    /// It waits for a `NOOP`.
    Sleeping,
    /// It got a `NOOP`, for a job of this function, and has not grabbed yet.
    Woken { function: FunctionKey, serial: u32 },
}

/// One function that a worker is able to do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ability {
    pub(crate) function: FunctionKey,
    /// The time limit of `CAN_DO_TIMEOUT`.
    pub(crate) timeout: Option<Duration>,
    /// Of two abilities with ready jobs, the one with the larger rank is served first.
    pub(crate) rank: i64,
    /// Tells this registration from an earlier one of the same function.
    pub(crate) registration: u32,
    /// Whether the function has an entry for it among its sleepers.
    pub(crate) listed: bool,
}

/// An open connection.
#[derive(Debug)]
pub(crate) struct Conn {
    pub(crate) descriptor: i32,
    pub(crate) address: Box<str>,
    pub(crate) port: Option<u16>,
    pub(crate) client_id: Box<[u8]>,
    /// Whether it gets `WORK_EXCEPTION` instead of `WORK_FAIL`.
    pub(crate) exceptions: bool,
    pub(crate) sleep: Sleep,
    /// When it was woken last.
    pub(crate) woken: Moment,
    pub(crate) wakes: u32,
    /// The job it just reported a `WORK_EXCEPTION` for: a `WORK_FAIL` right behind it is no mistake.
    pub(crate) exception_for: Option<u64>,
    /// Jobs it runs, in no order that may show.
    pub(crate) running: Vec<JobKey>,
    /// Its commands that wait for the store to be read.
    pub(crate) reading: u32,
    /// Jobs it waits for, each once.
    pub(crate) waits: HashTable<JobKey>,
    abilities: Vec<Ability>,
    /// Where in `abilities` a function is; used once there are many.
    by_function: HashTable<u32>,
    /// Abilities without an entry among the sleepers of their function.
    pub(crate) unlisted: Vec<FunctionKey>,
    registrations: u32,
    last_rank: i64,
    first_rank: i64,
}

/// From how many abilities on a worker's functions are found by hash.
const SCANNED_ABILITIES_MAX: usize = 16;

impl Conn {
    fn new(descriptor: i32, address: &str, exceptions: bool) -> Self {
        Self {
            descriptor,
            address: address.into(),
            port: None,
            client_id: Box::default(),
            exceptions,
            sleep: Sleep::Awake,
            woken: Moment::default(),
            wakes: 0,
            exception_for: None,
            running: Vec::new(),
            reading: 0,
            waits: HashTable::new(),
            abilities: Vec::new(),
            by_function: HashTable::new(),
            unlisted: Vec::new(),
            registrations: 0,
            last_rank: 0,
            first_rank: 0,
        }
    }

    /// Remembers that it waits for a job.
    pub(crate) fn await_job(&mut self, key: JobKey) {
        let hash = wait_hash(&key);
        if self.waits.find(hash, |waited| *waited == key).is_none() {
            self.waits.insert_unique(hash, key, wait_hash);
        }
    }

    /// Forgets that it waits for a job; whether it did.
    pub(crate) fn stop_awaiting(&mut self, key: JobKey) -> bool {
        self.waits.find_entry(wait_hash(&key), |waited| *waited == key).map(|entry| entry.remove()).is_ok()
    }

    /// What it is able to do, in no order that may show.
    pub(crate) fn abilities(&self) -> &[Ability] {
        &self.abilities
    }

    pub(crate) fn ability(&self, function: FunctionKey, hash: &FixedState) -> Option<&Ability> {
        self.abilities.get(self.position(function, hash)?)
    }

    pub(crate) fn ability_mut(&mut self, function: FunctionKey, hash: &FixedState) -> Option<&mut Ability> {
        let position = self.position(function, hash)?;
        self.abilities.get_mut(position)
    }

    fn position(&self, function: FunctionKey, hash: &FixedState) -> Option<usize> {
        if self.abilities.len() <= SCANNED_ABILITIES_MAX {
            return self.abilities.iter().position(|ability| ability.function == function);
        }
        let is_it = |index: &u32| self.function_at(*index) == Some(function);
        self.by_function.find(hash.hash_one(function), is_it).map(|index| *index as usize)
    }

    fn function_at(&self, index: u32) -> Option<FunctionKey> {
        self.abilities.get(index as usize).map(|ability| ability.function)
    }

    /// Registers a function that is not registered, behind all others, and says so to `unlisted`.
    pub(crate) fn add_ability(
        &mut self,
        function: FunctionKey,
        timeout: Option<Duration>,
        hash: &FixedState,
    ) {
        self.registrations = self.registrations.wrapping_add(1);
        self.last_rank += 1;
        let rank = self.last_rank;
        let registration = self.registrations;
        self.abilities.push(Ability { function, timeout, rank, registration, listed: false });
        self.unlisted.push(function);
        if self.abilities.len() == SCANNED_ABILITIES_MAX + 1 {
            for index in 0..self.abilities.len() {
                self.index(index, hash);
            }
        } else if self.abilities.len() > SCANNED_ABILITIES_MAX {
            self.index(self.abilities.len() - 1, hash);
        }
    }

    /// Takes a registration back; whether there was one.
    pub(crate) fn remove_ability(&mut self, function: FunctionKey, hash: &FixedState) -> bool {
        let Some(position) = self.position(function, hash) else { return false };
        if self.abilities.len() > SCANNED_ABILITIES_MAX {
            self.unindex(position, hash);
            let last = self.abilities.len() - 1;
            if position != last {
                self.unindex(last, hash);
            }
            self.abilities.swap_remove(position);
            if position != last {
                self.index(position, hash);
            }
            if self.abilities.len() == SCANNED_ABILITIES_MAX {
                self.by_function.clear();
            }
        } else {
            self.abilities.swap_remove(position);
        }
        self.unlisted.retain(|unlisted| *unlisted != function);
        true
    }

    /// Takes all registrations back and returns them.
    pub(crate) fn take_abilities(&mut self) -> Vec<Ability> {
        self.by_function = HashTable::new();
        self.unlisted = Vec::new();
        std::mem::take(&mut self.abilities)
    }

    /// Puts a function behind all others that the worker is able to do.
    pub(crate) fn rank_last(&mut self, function: FunctionKey, hash: &FixedState) {
        self.first_rank -= 1;
        let rank = self.first_rank;
        if let Some(ability) = self.ability_mut(function, hash) {
            ability.rank = rank;
        }
    }

    /// Puts a function before all others that the worker is able to do.
    pub(crate) fn rank_first(&mut self, function: FunctionKey, hash: &FixedState) {
        self.last_rank += 1;
        let rank = self.last_rank;
        if let Some(ability) = self.ability_mut(function, hash) {
            ability.rank = rank;
        }
    }

    fn index(&mut self, position: usize, hash: &FixedState) {
        let Self { abilities, by_function, .. } = self;
        let hash_at = |index: &u32| {
            hash.hash_one(abilities.get(*index as usize).expect("indexed abilities exist").function)
        };
        let index = u32::try_from(position).expect("abilities_max is below 2^32");
        by_function.insert_unique(hash_at(&index), index, hash_at);
    }

    fn unindex(&mut self, position: usize, hash: &FixedState) {
        let Some(function) = self.abilities.get(position).map(|ability| ability.function) else { return };
        if let Ok(entry) =
            self.by_function.find_entry(hash.hash_one(function), |index| *index as usize == position)
        {
            entry.remove();
        }
    }
}

/// Keys are small numbers of our own, so no peer can make them collide.
fn wait_hash(key: &JobKey) -> u64 {
    FixedState::default().hash_one(key)
}

/// All open connections.
#[derive(Debug, Default)]
pub(crate) struct Conns {
    slots: Vec<Slot>,
    vacant: Vec<u32>,
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    conn: Option<Box<Conn>>,
}

impl Conns {
    pub(crate) fn insert(&mut self, descriptor: i32, address: &str, exceptions: bool) -> ConnId {
        let conn = Some(Box::new(Conn::new(descriptor, address, exceptions)));
        if let Some(index) = self.vacant.pop() {
            let slot = self.slots.get_mut(index as usize).expect("vacant slots exist");
            slot.generation = slot.generation.wrapping_add(1);
            slot.conn = conn;
            return ConnId::new(index, slot.generation);
        }
        let index = u32::try_from(self.slots.len()).expect("fewer than 2^32 connections are open");
        self.slots.push(Slot { generation: 0, conn });
        ConnId::new(index, 0)
    }

    pub(crate) fn remove(&mut self, id: ConnId) -> Option<Box<Conn>> {
        let slot = self.slots.get_mut(id.slot()).filter(|slot| slot.generation == id.generation())?;
        let conn = slot.conn.take()?;
        self.vacant.push(u32::try_from(id.slot()).expect("slots are counted in 32 bits"));
        Some(conn)
    }

    pub(crate) fn get(&self, id: ConnId) -> Option<&Conn> {
        self.slots.get(id.slot()).filter(|slot| slot.generation == id.generation())?.conn.as_deref()
    }

    pub(crate) fn get_mut(&mut self, id: ConnId) -> Option<&mut Conn> {
        self.slots.get_mut(id.slot()).filter(|slot| slot.generation == id.generation())?.conn.as_deref_mut()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (ConnId, &Conn)> {
        self.slots(0).filter_map(|(_, conn)| conn)
    }

    /// The connections from this slot on, each with its slot, where there is one.
    pub(crate) fn slots(&self, from: u64) -> impl Iterator<Item = (u64, Option<(ConnId, &Conn)>)> {
        let from = usize::try_from(from).unwrap_or(usize::MAX).min(self.slots.len());
        let first = u32::try_from(from).expect("fewer than 2^32 connections are open");
        (first..).zip(self.slots.get(from..).unwrap_or_default()).map(|(index, slot)| {
            let conn = slot.conn.as_deref().map(|conn| (ConnId::new(index, slot.generation), conn));
            (u64::from(index), conn)
        })
    }
}

/// When a worker that was woken is given up for the job it was woken for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WakeLimit {
    pub(crate) at: Moment,
    pub(crate) conn: ConnId,
    pub(crate) serial: u32,
}
