//! The files of a disk: what is seen, what is durable, and what a crash leaves.

use crate::lock::{Level, Locks};
use crate::shm::Shm;
use crate::{Fault, Unsynced};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A write survives a crash in pieces of this size, in bytes.
pub(crate) const SECTOR_BYTES: usize = 512;

/// Why an operation was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    Io,
    Full,
    Missing,
}

#[derive(Debug)]
pub(crate) struct State {
    files: BTreeMap<String, Node>,
    /// Files that were deleted without a sync of the folder: a crash may bring them back.
    doomed: BTreeMap<String, Vec<u8>>,
    random: u64,
    generation: u64,
    handles: u64,
    power: Power,
    full: bool,
    ops: u64,
    syncs: u64,
    plan: Option<(u64, Fault)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Power {
    On,
    Off,
}

#[derive(Debug, Default)]
struct Node {
    seen: Vec<u8>,
    /// `None` while the file itself was never synced.
    durable: Option<Vec<u8>>,
    pending: Vec<Change>,
    locks: Locks,
    shm: Arc<Shm>,
}

#[derive(Debug, Clone)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Truncate { len: usize },
}

/// An open file: dead once the disk crashed.
#[derive(Debug, Clone)]
pub(crate) struct Handle {
    pub(crate) name: String,
    pub(crate) number: u64,
    generation: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sync,
    Other,
}

impl State {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            files: BTreeMap::new(),
            doomed: BTreeMap::new(),
            random: seed,
            generation: 0,
            handles: 0,
            power: Power::On,
            full: false,
            ops: 0,
            syncs: 0,
            plan: None,
        }
    }

    pub(crate) fn open(&mut self, name: &str, create: bool) -> Result<Handle, Refusal> {
        self.check_power()?;
        if !self.files.contains_key(name) {
            if !create {
                return Err(Refusal::Missing);
            }
            self.doomed.remove(name);
            self.files.insert(name.to_owned(), Node::default());
        }
        self.handles += 1;
        Ok(Handle { name: name.to_owned(), number: self.handles, generation: self.generation })
    }

    pub(crate) fn temporary_name(&self) -> String {
        format!("/temporary-{}", self.handles)
    }

    pub(crate) fn exists(&self, name: &str) -> Result<bool, Refusal> {
        self.check_power()?;
        Ok(self.files.contains_key(name))
    }

    /// Fills `into` from `offset`, with zeros behind the end; says how much was there.
    pub(crate) fn read(&mut self, handle: &Handle, offset: usize, into: &mut [u8]) -> Result<usize, Refusal> {
        let node = self.node(handle)?;
        let from = node.seen.get(offset..).unwrap_or_default();
        let len = from.len().min(into.len());
        let (filled, rest) = into.split_at_mut(len);
        filled.copy_from_slice(from.get(..len).unwrap_or_default());
        rest.fill(0);
        Ok(len)
    }

    pub(crate) fn size(&mut self, handle: &Handle) -> Result<usize, Refusal> {
        self.node(handle).map(|node| node.seen.len())
    }

    pub(crate) fn write(&mut self, handle: &Handle, offset: usize, bytes: &[u8]) -> Result<(), Refusal> {
        self.node(handle)?;
        let cut = self.step(Kind::Other)?;
        let full = self.full;
        let node = self.node(handle)?;
        if full && offset + bytes.len() > node.seen.len() {
            return Err(Refusal::Full);
        }
        node.apply(Change::Write { offset, bytes: bytes.to_vec() });
        self.end_step(cut)
    }

    pub(crate) fn truncate(&mut self, handle: &Handle, len: usize) -> Result<(), Refusal> {
        self.node(handle)?;
        let cut = self.step(Kind::Other)?;
        self.node(handle)?.apply(Change::Truncate { len });
        self.end_step(cut)
    }

    pub(crate) fn sync(&mut self, handle: &Handle) -> Result<(), Refusal> {
        self.node(handle)?;
        self.syncs += 1;
        let cut = match self.step(Kind::Sync) {
            Ok(cut) => cut,
            Err(refusal) => {
                if self.power == Power::On {
                    self.node(handle)?.pending.clear();
                }
                return Err(refusal);
            }
        };
        let node = self.node(handle)?;
        let created = node.durable.is_none();
        node.sync();
        if created {
            // SQLite's own file system syncs the folder with the first sync of a new file.
            self.doomed.clear();
        }
        self.end_step(cut)
    }

    pub(crate) fn delete(&mut self, name: &str, sync_folder: bool) -> Result<(), Refusal> {
        self.check_power()?;
        if !self.files.contains_key(name) {
            return Err(Refusal::Missing);
        }
        let cut = self.step(Kind::Other)?;
        if let Some(Node { durable: Some(durable), .. }) = self.files.remove(name)
            && !sync_folder
        {
            self.doomed.insert(name.to_owned(), durable);
        }
        self.end_step(cut)
    }

    pub(crate) fn close(&mut self, handle: &Handle) {
        if handle.generation == self.generation
            && let Some(node) = self.files.get_mut(&handle.name)
        {
            node.locks.descend(handle.number, Level::None);
            if Arc::strong_count(&node.shm) == 1 {
                // The first connection after the last one finds none, and reads the log itself.
                node.shm = Arc::default();
            }
        }
    }

    pub(crate) fn locks(&mut self, handle: &Handle) -> Result<&mut Locks, Refusal> {
        self.node(handle).map(|node| &mut node.locks)
    }

    pub(crate) fn shm(&mut self, handle: &Handle) -> Result<Arc<Shm>, Refusal> {
        self.node(handle).map(|node| Arc::clone(&node.shm))
    }

    /// SplitMix64: every seed gives a full period, and the same numbers everywhere.
    pub(crate) fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.random;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    pub(crate) fn crash(&mut self, unsynced: Unsynced) {
        for (name, node) in std::mem::take(&mut self.files) {
            let left = match unsynced {
                // The system outlived the process: what it has still to write stays to be written.
                Unsynced::Kept => Some(Node { locks: Locks::default(), shm: Arc::default(), ..node }),
                Unsynced::Lost => node.durable.map(Node::durable),
                Unsynced::Torn => self.torn(node).map(Node::durable),
            };
            if let Some(left) = left {
                self.files.insert(name, left);
            }
        }
        if unsynced != Unsynced::Kept {
            for (name, durable) in std::mem::take(&mut self.doomed) {
                if unsynced == Unsynced::Lost || self.coin() {
                    self.files.entry(name).or_insert_with(|| Node::durable(durable));
                }
            }
        }
        self.generation += 1;
        self.power = Power::On;
        self.plan = None;
    }

    pub(crate) fn plan(&mut self, ops: u64, fault: Fault) {
        self.plan = Some((ops, fault));
    }

    pub(crate) fn clear_plan(&mut self) {
        self.plan = None;
    }

    pub(crate) fn set_full(&mut self, full: bool) {
        self.full = full;
    }

    pub(crate) fn ops(&self) -> u64 {
        self.ops
    }

    pub(crate) fn syncs(&self) -> u64 {
        self.syncs
    }

    pub(crate) fn is_off(&self) -> bool {
        self.power == Power::Off
    }

    pub(crate) fn files(&self) -> Vec<String> {
        self.files.keys().cloned().collect()
    }

    pub(crate) fn read_file(&self, name: &str) -> Option<Vec<u8>> {
        self.files.get(name).map(|node| node.seen.clone())
    }

    pub(crate) fn left_by_a_crash(&self) -> Vec<(String, Vec<u8>)> {
        let durable = |(name, node): (&String, &Node)| Some((name.clone(), node.durable.clone()?));
        let mut files: BTreeMap<String, Vec<u8>> = self.doomed.clone();
        files.extend(self.files.iter().filter_map(durable));
        files.into_iter().collect()
    }

    pub(crate) fn write_file(&mut self, name: &str, bytes: &[u8]) {
        self.doomed.remove(name);
        self.files.insert(name.to_owned(), Node::durable(bytes.to_vec()));
    }

    pub(crate) fn remove_file(&mut self, name: &str) {
        self.files.remove(name);
        self.doomed.remove(name);
    }

    fn check_power(&self) -> Result<(), Refusal> {
        if self.power == Power::Off { Err(Refusal::Io) } else { Ok(()) }
    }

    fn node(&mut self, handle: &Handle) -> Result<&mut Node, Refusal> {
        self.check_power()?;
        if handle.generation != self.generation {
            return Err(Refusal::Io);
        }
        self.files.get_mut(&handle.name).ok_or(Refusal::Io)
    }

    /// Counts an operation and lets the planned fault happen; says whether the power goes after it.
    fn step(&mut self, kind: Kind) -> Result<Power, Refusal> {
        self.check_power()?;
        self.ops += 1;
        let Some((left, fault)) = self.plan else { return Ok(Power::On) };
        if left > 0 {
            self.plan = Some((left - 1, fault));
            return Ok(Power::On);
        }
        if fault == Fault::SyncIo && kind == Kind::Other {
            return Ok(Power::On);
        }
        self.plan = None;
        match fault {
            Fault::Io | Fault::SyncIo => Err(Refusal::Io),
            Fault::Full => {
                self.full = true;
                Ok(Power::On)
            }
            Fault::PowerBefore => {
                self.power = Power::Off;
                Err(Refusal::Io)
            }
            Fault::PowerAfter => Ok(Power::Off),
        }
    }

    fn end_step(&mut self, power: Power) -> Result<(), Refusal> {
        self.power = power;
        self.check_power()
    }

    /// What is durable, and of what is not, a choice of sectors.
    fn torn(&mut self, node: Node) -> Option<Vec<u8>> {
        let mut left = node.durable;
        // Now and then everything or nothing arrives; those are the usual cases.
        let odds = self.random() % 5;
        for piece in node.pending.into_iter().flat_map(Change::pieces) {
            let stays = match odds {
                0 => false,
                4 => true,
                _ => self.random() % 4 < odds,
            };
            if stays {
                piece.apply_to(left.get_or_insert_default());
            }
        }
        left
    }

    fn coin(&mut self) -> bool {
        self.random().is_multiple_of(2)
    }
}

impl Node {
    fn durable(bytes: Vec<u8>) -> Self {
        Self { seen: bytes.clone(), durable: Some(bytes), ..Self::default() }
    }

    fn apply(&mut self, change: Change) {
        change.apply_to(&mut self.seen);
        self.pending.push(change);
    }

    fn sync(&mut self) {
        let durable = self.durable.get_or_insert_default();
        for change in self.pending.drain(..) {
            change.apply_to(durable);
        }
    }
}

impl Change {
    fn apply_to(&self, bytes: &mut Vec<u8>) {
        match self {
            Change::Write { offset, bytes: written } => {
                if bytes.len() < *offset {
                    bytes.resize(*offset, 0);
                }
                let over = (bytes.len() - offset).min(written.len());
                let (over, behind) = written.split_at(over);
                if let Some(place) = bytes.get_mut(*offset..offset + over.len()) {
                    place.copy_from_slice(over);
                }
                bytes.extend_from_slice(behind);
            }
            Change::Truncate { len } => bytes.truncate(*len),
        }
    }

    /// The change in pieces that survive or are lost each for itself.
    fn pieces(self) -> Vec<Change> {
        let (mut offset, bytes) = match self {
            Change::Truncate { .. } => return vec![self],
            Change::Write { offset, bytes } => (offset, bytes),
        };
        let mut rest = bytes.as_slice();
        let mut pieces = Vec::new();
        while !rest.is_empty() {
            let len = rest.len().min(SECTOR_BYTES - offset % SECTOR_BYTES);
            let (piece, behind) = rest.split_at(len);
            pieces.push(Change::Write { offset, bytes: piece.to_vec() });
            offset += len;
            rest = behind;
        }
        pieces
    }
}
