//! Opens stores that were cut and spoilt, and checks what comes back.
//!
//! A healthy database, with half of its jobs still in the write-ahead log, is made once. The input
//! says how to damage a copy of both files; then a store opens it. It may refuse with an error, or
//! serve what SQLite vouches for: records and letters within their limits, in order, each number once and
//! below the next one, what a reader finds must be among them, and a batch that is committed then must be
//! there afterwards.
//!
//! From: the fuzzer, and the tests here, which cut at every sector and flip seeded bytes.
//! To: [`check`], which panics when a store serves nonsense.
//! Never: touches the real file system.

use geartrain_core::{
    Attempt, Change, Document, DocumentKind, ERROR_BYTES_MAX, Found, LetterHead, Op, Outcome as Ended,
    Record, Shelf, Shelving, Stored, Ticket, UnixTime, Wanted,
};
use geartrain_disk::{Disk, Unsynced};
use geartrain_proto::Priority;
use geartrain_proto::limits::{FUNCTION_BYTES_MAX, REDUCER_BYTES_MAX, UNIQUE_BYTES_MAX};
use geartrain_store::{Batch, Locking, SqliteOptions, SqliteStore, Store, StoreError};
use std::collections::BTreeSet;
use std::sync::OnceLock;

const DATABASE: &str = "/queue.db";
const LOG: &str = "/queue.db-wal";

/// How many jobs wait in the healthy database.
pub const JOBS: u64 = 40;

/// How many letters and documents it has beside them.
pub const BESIDE: u64 = 6;

/// One way of spoiling a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// The file ends here.
    Cut(usize),
    /// This byte is combined with these bits by exclusive or.
    Flip(usize, u8),
}

/// Which file is spoilt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The database.
    Database,
    /// Its write-ahead log.
    Log,
}

/// What a store did about the damage.
#[derive(Debug)]
pub enum Outcome {
    /// It refused to open, or to load, with an error.
    Refused(StoreError),
    /// It served what it could read.
    Served {
        /// How many jobs it loaded.
        loaded: u64,
        /// How many letters and documents it loaded, those of unreadable jobs counted.
        beside: u64,
        /// How many records it set aside.
        set_aside: u64,
    },
}

/// Both files of a database.
#[derive(Debug, Clone)]
struct Files {
    database: Vec<u8>,
    log: Vec<u8>,
}

/// Reads damages from the input, six bytes each, and checks a store that has them all.
///
/// # Panics
/// When a store serves nonsense, which is what the fuzzer looks for.
pub fn check_bytes(input: &[u8]) {
    let damages = input.chunks_exact(6).take(64).map(|chunk| {
        let at = chunk.iter().take(4).fold(0_usize, |at, byte| at << 8 | usize::from(*byte));
        let bits = chunk.get(4).copied().unwrap_or(1);
        let (which, cut) = chunk.get(5).map_or((false, false), |kind| (kind & 1 == 1, kind & 0x1e == 0x1e));
        let which = if which { Which::Log } else { Which::Database };
        (which, if cut { Damage::Cut(at) } else { Damage::Flip(at, bits) })
    });
    check(&damages.collect::<Vec<_>>());
}

/// Opens a store with these damages, positions taken modulo the length of the file.
///
/// # Panics
/// When the store serves nonsense.
pub fn check(damages: &[(Which, Damage)]) -> Outcome {
    let mut files = healthy().clone();
    for (which, damage) in damages {
        let file = match which {
            Which::Database => &mut files.database,
            Which::Log => &mut files.log,
        };
        spoil(file, *damage);
    }
    let disk = Disk::new(1);
    disk.write_file(DATABASE, &files.database);
    disk.write_file(LOG, &files.log);
    match serve(&disk) {
        Ok(served) => served,
        Err(error) => {
            assert!(error.to_string().contains(DATABASE), "an error names the file: {error}");
            Outcome::Refused(error)
        }
    }
}

fn spoil(file: &mut Vec<u8>, damage: Damage) {
    match damage {
        Damage::Cut(at) => {
            let len = at.checked_rem(file.len()).unwrap_or(0);
            file.truncate(len);
        }
        Damage::Flip(at, bits) => {
            if let Some(byte) = at.checked_rem(file.len()).and_then(|at| file.get_mut(at)) {
                *byte ^= bits;
            }
        }
    }
}

fn open(disk: &Disk) -> Result<SqliteStore, StoreError> {
    let options = SqliteOptions {
        lock: Locking::None,
        vfs: Some(disk.vfs_name().to_owned()),
        ..SqliteOptions::default()
    };
    SqliteStore::open(DATABASE, options)
}

fn serve(disk: &Disk) -> Result<Outcome, StoreError> {
    let mut store = open(disk)?;
    let next = store.opening().next_number;
    let mut seen = Seen { next, ..Seen::default() };
    let report = store.load(&mut |stored| match stored {
        Stored::Document(document) => assert!(document.body.is_some(), "a stored document has a body"),
        Stored::Letter(head) => seen.letter(&head),
        Stored::Job(record) => seen.job(&record),
    })?;
    assert_eq!((report.loaded, report.letters), (seen.jobs.len() as u64, seen.letters.len() as u64));
    seen.read(&store)?;
    let mut batch = Batch::new();
    batch.push(Ticket::new(1), Op::Put(record(next, b"after")));
    store.commit(&batch)?;
    disk.crash(Unsynced::Lost);
    drop(store);
    let mut found = false;
    open(disk)?.load(&mut |stored| {
        if let Stored::Job(record) = stored {
            found |= record.number == next && record.workload == b"after";
        }
    })?;
    assert!(found, "a job that was committed to a spoilt store is lost");
    let beside = report.letters + report.documents;
    Ok(Outcome::Served { loaded: report.loaded, beside, set_aside: report.set_aside })
}

/// What a store gave out.
#[derive(Debug, Default)]
struct Seen {
    next: u64,
    place: u64,
    jobs: BTreeSet<u64>,
    letters: BTreeSet<u64>,
}

impl Seen {
    fn job(&mut self, record: &Record<'_>) {
        let number = record.number;
        assert!(self.jobs.insert(number), "job {number} comes twice");
        assert!((1..self.next).contains(&number), "job {number} would be given again");
        assert!(record.place >= self.place, "job {number} is out of order");
        self.place = record.place;
        check_record(record);
    }

    fn letter(&mut self, head: &LetterHead<'_>) {
        let number = head.shelving.number;
        assert!(self.letters.insert(number), "letter {number} comes twice");
        assert!((1..self.next).contains(&number), "letter {number} would be given again");
        assert!(head.function.len() <= FUNCTION_BYTES_MAX && head.shelving.error.len() <= ERROR_BYTES_MAX);
    }

    /// A reader finds nothing else. It may find less: it looks closer at each row.
    fn read(&self, store: &SqliteStore) -> Result<(), StoreError> {
        let mut reader = store.reader()?;
        let jobs: Vec<u64> = self.jobs.iter().copied().collect();
        reader.read(Wanted::Jobs, &jobs, &mut |found| match found {
            Found::Job(record) => {
                assert!(self.jobs.contains(&record.number));
                check_record(&record);
            }
            Found::Letter(..) | Found::Workload { .. } => panic!("that is no job"),
            Found::Attempt(attempt) => assert!(self.jobs.contains(&attempt.number)),
        })?;
        let letters: Vec<u64> = self.letters.iter().copied().collect();
        reader.read(Wanted::Letters(Shelf::Dead), &letters, &mut |found| match found {
            Found::Letter(record, shelving) => {
                assert!(self.letters.contains(&record.number) && shelving.shelf == Shelf::Dead);
                check_record(&record);
            }
            Found::Job(_) | Found::Workload { .. } => panic!("that is no letter"),
            Found::Attempt(attempt) => assert!(self.letters.contains(&attempt.number)),
        })
    }
}

fn check_record(record: &Record<'_>) {
    assert!(record.function.len() <= FUNCTION_BYTES_MAX && record.unique.len() <= UNIQUE_BYTES_MAX);
    assert!(record.reducer.is_none_or(|reducer| reducer.len() <= REDUCER_BYTES_MAX));
}

fn record(number: u64, workload: &[u8]) -> Record<'_> {
    Record {
        number,
        place: number,
        function: b"resize",
        unique: b"a-unique",
        priority: Priority::Normal,
        workload,
        reducer: None,
        not_before: 0,
        attempts: 0,
        lost: 0,
        submitted: UnixTime::from_millis(1_700_000_000_000),
    }
}

fn healthy() -> &'static Files {
    static HEALTHY: OnceLock<Files> = OnceLock::new();
    HEALTHY.get_or_init(|| build().expect("a disk without faults takes every batch"))
}

fn build() -> Result<Files, StoreError> {
    let disk = Disk::new(1);
    drop(fill(&disk, 1..=JOBS / 2)?);
    let store = fill(&disk, JOBS / 2 + 1..=JOBS)?;
    // The process dies, so that the second half stays in the log.
    disk.crash(Unsynced::Kept);
    drop(store);
    Ok(Files {
        database: disk.read_file(DATABASE).unwrap_or_default(),
        log: disk.read_file(LOG).unwrap_or_default(),
    })
}

fn fill(disk: &Disk, numbers: std::ops::RangeInclusive<u64>) -> Result<SqliteStore, StoreError> {
    let mut store = open(disk)?;
    let mut batch = Batch::new();
    let (first, last) = (*numbers.start(), *numbers.end());
    for number in numbers {
        // From some bytes to several pages.
        let workload = vec![b'w'; usize::try_from(number * number * 7).unwrap_or(0)];
        batch.push(Ticket::new(number), Op::Put(record(number, &workload)));
    }
    let ticket = Ticket::new(last + 1);
    let function = b"resize";
    let (place, priority) = (last + 1000, Priority::Normal);
    let change = Change { number: 3, place, function, priority, not_before: 0, attempts: 1, lost: 1 };
    batch.push(ticket, Op::Change(change));
    for number in [3, last + 100, last + 101] {
        let attempt = attempt(number);
        batch.push(ticket, Op::Attempt(attempt));
    }
    for (number, shelf) in [(last + 100, Shelf::Dead), (last + 101, Shelf::Finished)] {
        let workload = vec![b'l'; 3000];
        batch.push(ticket, Op::Put(record(number, &workload)));
        let ended = UnixTime::from_millis(1_700_000_000_000);
        let shelving = Shelving { number, shelf, ended, how: Ended::Failed, attempts: 1, error: b"no photo" };
        batch.push(ticket, Op::Shelve(shelving));
    }
    let name = first.to_string();
    let (kind, body) = (DocumentKind::Schedule, Some(&b"{}"[..]));
    batch.push(ticket, Op::Document(Document { kind, name: name.as_bytes(), body }));
    store.commit(&batch)?;
    Ok(store)
}

fn attempt(number: u64) -> Attempt<'static> {
    Attempt {
        number,
        attempt: 1,
        started: UnixTime::from_millis(1_700_000_000_000),
        ended: UnixTime::from_millis(1_700_000_000_001),
        client_id: b"worker",
        address: b"10.0.0.7",
        how: Ended::Failed,
        text: &[b't'; 2000],
    }
}

#[cfg(test)]
mod tests;
