//! Whatever is folded into each other, whichever commit fails, and whether it reached the disk all the same:
//! in the end the store remembers what a model does that applies every change at once.

use super::*;
use crate::contract::fixtures::SqliteOnDisk;
use crate::{MemoryStore, SqliteStore, Store};
use geartrain_core::{ATTEMPTS_KEPT, Change, Document, DocumentKind};
use std::collections::BTreeMap;

/// What `core` knows of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Job {
    /// Held for its foreground clients alone; nothing is written of it.
    Foreground,
    /// A background job that was never stored, since it is to be held in memory.
    InMemory {
        attempts: u32,
    },
    /// Its record is being written; its client waits.
    Writing {
        attempts: u32,
    },
    Stored {
        attempts: u32,
    },
    On(Shelf),
}

/// Emits changes as `core` does.
struct Jobs {
    random: u64,
    known: BTreeMap<u64, Job>,
    next: u64,
    ticket: u64,
    model: MemoryStore,
    trace: Vec<String>,
}

impl Jobs {
    fn new(seed: u64) -> Self {
        Self {
            random: seed,
            known: BTreeMap::new(),
            next: 1,
            ticket: 0,
            model: MemoryStore::new(),
            trace: Vec::new(),
        }
    }

    /// SplitMix64.
    fn below(&mut self, end: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.random;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)) % end
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    fn emit(&mut self, batch: &mut Batch, op: Op<'_>) {
        self.ticket += 1;
        self.trace.push(short(&op));
        self.model.apply(op);
        batch.push(Ticket::new(self.ticket), op);
    }

    fn note(&mut self, what: &str) {
        self.trace.push(format!("--- {what}"));
    }

    /// One input: all its changes come to the same batch.
    fn step(&mut self, batch: &mut Batch, ready: bool) {
        let count = self.known.len() as u64;
        let choice = self.below(10);
        if choice == 0 {
            self.document(batch);
        } else if count == 0 || (choice < 4 && count < 6) {
            self.submit(batch, ready);
        } else {
            let nth = usize::try_from(self.below(count)).unwrap();
            let (number, job) = self.known.iter().nth(nth).map(|(number, job)| (*number, *job)).unwrap();
            self.happen(batch, ready, number, job);
        }
    }

    fn document(&mut self, batch: &mut Batch) {
        let kind = DocumentKind::ALL[usize::try_from(self.below(2)).unwrap()];
        let (name, body) = ([b'a' + u8::try_from(self.below(3)).unwrap()], self.below(1000).to_string());
        let body = (self.below(3) > 0).then_some(body.as_bytes());
        self.emit(batch, Op::Document(Document { kind, name: &name, body }));
        if self.below(4) == 0 {
            let until = self.next + 10;
            self.emit(batch, Op::ReserveNumbers { until });
        }
    }

    fn submit(&mut self, batch: &mut Batch, ready: bool) {
        let number = self.number();
        if !ready || self.below(4) == 0 {
            self.known.insert(number, Job::InMemory { attempts: 0 });
            return;
        }
        self.put(batch, number, 0);
        self.known.insert(number, Job::Writing { attempts: 0 });
    }

    fn put(&mut self, batch: &mut Batch, number: u64, attempts: u32) {
        let place = if self.below(3) == 0 { self.number() } else { number };
        self.emit(batch, Op::Put(Record { number, place, attempts, ..record(number) }));
    }

    fn happen(&mut self, batch: &mut Batch, ready: bool, number: u64, job: Job) {
        match job {
            Job::Foreground => {
                if ready && self.below(2) == 0 {
                    self.put(batch, number, 0);
                    self.known.insert(number, Job::Writing { attempts: 0 });
                } else {
                    self.known.remove(&number);
                }
            }
            Job::InMemory { attempts } | Job::Writing { attempts } | Job::Stored { attempts } => {
                self.work(batch, number, job, attempts);
            }
            Job::On(shelf) => self.unshelve(batch, number, shelf),
        }
    }

    /// Something happens to a job that waits or runs.
    fn work(&mut self, batch: &mut Batch, number: u64, job: Job, attempts: u32) {
        let has_record = !matches!(job, Job::InMemory { .. });
        match self.below(4) {
            0 | 1 => {
                // Now and then so many that the first give way.
                let more = if self.below(8) == 0 { ATTEMPTS_KEPT + 3 } else { 1 };
                for attempt in attempts..attempts + more {
                    let text = self.below(100).to_string();
                    self.emit(batch, Op::Attempt(super::attempt(number, attempt + 1, text.as_bytes())));
                }
                if has_record {
                    self.change(batch, number, attempts + more);
                }
                let attempts = attempts + more;
                let after = match job {
                    Job::InMemory { .. } => Job::InMemory { attempts },
                    Job::Writing { .. } => Job::Writing { attempts },
                    Job::Foreground | Job::Stored { .. } | Job::On(_) => Job::Stored { attempts },
                };
                self.known.insert(number, after);
            }
            2 => {
                let shelf = Shelf::ALL[usize::try_from(self.below(2)).unwrap()];
                if !has_record {
                    self.put(batch, number, attempts);
                }
                self.emit(batch, Op::Shelve(shelving(number, shelf, attempts)));
                self.known.insert(number, Job::On(shelf));
                if self.below(6) == 0 {
                    self.unshelve(batch, number, shelf);
                }
            }
            _ => {
                if has_record || attempts > 0 {
                    self.emit(batch, Op::Delete { number, attempts });
                }
                self.known.remove(&number);
            }
        }
    }

    fn change(&mut self, batch: &mut Batch, number: u64, attempts: u32) {
        let place = self.number();
        let function = format!("f{}", self.below(5));
        let change = Change {
            number,
            place,
            function: function.as_bytes(),
            priority: Priority::High,
            not_before: 3,
            attempts,
            lost: attempts / 2,
        };
        self.emit(batch, Op::Change(change));
    }

    fn unshelve(&mut self, batch: &mut Batch, number: u64, shelf: Shelf) {
        match self.below(4) {
            0 | 1 => {
                self.emit(batch, Op::Unshelve { number, shelf });
                self.known.remove(&number);
            }
            2 => {
                self.put(batch, number, 0);
                self.emit(batch, Op::Unshelve { number, shelf });
                self.known.insert(number, Job::Stored { attempts: 0 });
            }
            _ => {
                self.emit(batch, Op::Unshelve { number, shelf });
                self.put(batch, number, 0);
                self.known.insert(number, Job::Stored { attempts: 0 });
            }
        }
    }

    fn committed(&mut self, written: &[u64]) {
        for number in written {
            if let Some(job) = self.known.get_mut(number)
                && let Job::Writing { attempts } = *job
            {
                *job = Job::Stored { attempts };
            }
        }
    }

    fn writing(&self) -> Vec<u64> {
        let writing = self.known.iter().filter(|(_, job)| matches!(job, Job::Writing { .. }));
        writing.map(|(number, _)| *number).collect()
    }

    /// The store failed: whatever is being written is refused. Some of it goes on for foreground clients.
    fn refused(&mut self) {
        for number in self.writing() {
            self.model.refuse(number);
            if self.below(2) == 0 {
                self.known.insert(number, Job::Foreground);
            } else {
                self.known.remove(&number);
            }
        }
    }
}

fn short(op: &Op<'_>) -> String {
    match op {
        Op::Put(Record { number, place, .. }) => format!("put {number} at {place}"),
        Op::Change(Change { number, place, .. }) => format!("change {number} to {place}"),
        Op::Attempt(Attempt { number, attempt, .. }) => format!("attempt {attempt} of {number}"),
        Op::Shelve(Shelving { number, shelf, .. }) => format!("shelve {number} {shelf:?}"),
        Op::Unshelve { number, shelf } => format!("unshelve {number} {shelf:?}"),
        Op::Delete { .. } | Op::Document(_) | Op::ReserveNumbers { .. } => format!("{op:?}"),
    }
}

/// What became of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Done,
    FailedButWritten,
    Failed,
}

fn fate(jobs: &mut Jobs) -> Fate {
    match jobs.below(8) {
        0 => Fate::Failed,
        1 => Fate::FailedButWritten,
        _ => Fate::Done,
    }
}

fn commit(jobs: &mut Jobs, store: &mut dyn Store, batch: &Batch) -> Fate {
    let fate = fate(jobs);
    jobs.note(&format!("commit: {fate:?}"));
    if fate != Fate::Failed {
        store.commit(batch).unwrap();
    }
    fate
}

/// Drives a store as a server does; returns the model.
fn drive(seed: u64, store: &mut dyn Store, rounds: u64) -> (MemoryStore, Vec<String>) {
    let mut jobs = Jobs::new(seed);
    let mut open = Batch::new();
    for _ in 0..rounds {
        for _ in 0..jobs.below(6) {
            jobs.step(&mut open, true);
        }
        let mut work = std::mem::take(&mut open);
        let writing = jobs.writing();
        // The disk works; more gathers meanwhile.
        for _ in 0..jobs.below(4) {
            jobs.step(&mut open, true);
        }
        if commit(&mut jobs, store, &work) == Fate::Done {
            jobs.committed(&writing);
            continue;
        }
        jobs.refused();
        let owed = if jobs.below(2) == 0 {
            work.append(&open);
            work.failed_followup()
        } else {
            let mut owed = work.failed_followup();
            owed.append(&open.failed_followup());
            owed
        };
        open.clear();
        recover(&mut jobs, store, owed);
    }
    store.commit(&open).unwrap();
    (jobs.model, jobs.trace)
}

fn recover(jobs: &mut Jobs, store: &mut dyn Store, mut owed: Batch) {
    loop {
        let mut more = Batch::new();
        for _ in 0..jobs.below(5) {
            jobs.step(&mut more, false);
        }
        owed.append(&more);
        match jobs.below(4) {
            0 => owed = owed.folded(),
            1 => owed = owed.failed_followup(),
            _ => {}
        }
        if commit(jobs, store, &owed) == Fate::Done {
            return;
        }
    }
}

#[test]
fn folding_and_failing_change_nothing_about_the_end() {
    for seed in 0..5_000 {
        let mut store = MemoryStore::new();
        let (model, trace) = drive(seed, &mut store, 12);
        assert!(store.dump() == model.dump(), "seed {seed}: {}", told(&trace, &store.dump(), &model.dump()));
    }
}

#[test]
fn the_same_holds_for_a_database() {
    for seed in 0..150 {
        let fixture = SqliteOnDisk::new(seed);
        let mut store = fixture.try_open().unwrap();
        let (mut model, trace) = drive(seed, &mut store, 12);
        let (found, expected) = (content(&mut store), content(&mut model));
        assert!(found == expected, "seed {seed}: {}", told(&trace, &found, &expected));
        assert_eq!(attempts(&store), model.attempts() as i64, "seed {seed}: {trace:#?}");
    }
}

fn told(trace: &[String], found: &str, expected: &str) -> String {
    format!("{}\nfound {found}\nexpected {expected}", trace.join("\n"))
}

fn content(store: &mut dyn Store) -> String {
    crate::contract::content(store).iter().map(|line| format!("{line:?}\n")).collect()
}

fn attempts(store: &SqliteStore) -> i64 {
    let count = "SELECT count(*) FROM attempts";
    store.connection().unwrap().query_row(count, [], |row| row.get(0)).unwrap()
}
