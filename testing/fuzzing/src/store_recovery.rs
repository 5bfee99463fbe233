//! A database whose files were cut or whose bytes were flipped is opened, or refused with an error.
//!
//! Its write-ahead log has checksums: whatever is done to the log, what comes back is what some commit left.

use geartrain_core::{
    Attempt, Change, Document, DocumentKind, LetterHead, Op, Outcome, Record, Shelf, Shelving, Stored,
    Ticket, UnixTime,
};
use geartrain_disk::{Disk, Unsynced};
use geartrain_proto::Priority;
use geartrain_store::{Batch, Locking, SqliteOptions, SqliteStore, Store, StoreError};
use std::collections::BTreeMap;

const DATABASE: &str = "/queue.db";
const LOG: &str = "/queue.db-wal";

/// What is stored after a commit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct State {
    /// Place, attempts and workload of the jobs.
    jobs: BTreeMap<u64, (u64, u32, Vec<u8>)>,
    /// Error and bytes of the letters.
    letters: BTreeMap<u64, (Vec<u8>, u64)>,
    documents: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// Reads `data` as commits, and then as what is done to the files.
///
/// # Panics
/// When a store that opens gives out what was never stored.
pub fn store_recovery(data: &[u8]) {
    let (commits, damage) = data.split_at(data.len() / 2);
    let disk = Disk::new(1);
    let states = write(&disk, commits);
    disk.crash(Unsynced::Lost);
    let mut only_log = true;
    for change in damage.chunks_exact(4) {
        only_log &= change[0].is_multiple_of(2);
        spoil(&disk, [change[0], change[1], change[2], change[3]]);
    }
    let Ok(loaded) = load(&disk) else { return };
    if only_log {
        let is_one = states.contains(&loaded);
        assert!(is_one, "what came back is what no commit left: {loaded:?}");
    }
    if damage.len() < 4 {
        assert_eq!(Some(&loaded), states.last(), "an undamaged store gives back all");
    }
    // What a start repairs or sets aside, the next start finds in order.
    if let Ok(again) = load(&disk) {
        assert_eq!(again, loaded, "a second start finds the same");
    }
}

fn open(disk: &Disk) -> Result<SqliteStore, StoreError> {
    let options = SqliteOptions {
        vfs: Some(disk.vfs_name().to_owned()),
        lock: Locking::None,
        ..SqliteOptions::default()
    };
    SqliteStore::open(DATABASE, options)
}

fn load(disk: &Disk) -> Result<State, StoreError> {
    let mut store = open(disk)?;
    let mut state = State::default();
    let mut last_place = 0;
    let report = store.load(&mut |stored| match stored {
        Stored::Document(Document { name, body, .. }) => {
            let body = body.expect("a stored document has a body").to_vec();
            state.documents.insert(name.to_vec(), body);
        }
        Stored::Letter(LetterHead { shelving, bytes, .. }) => {
            let letter = (shelving.error.to_vec(), bytes);
            assert!(state.letters.insert(shelving.number, letter).is_none(), "no letter comes twice");
        }
        Stored::Job(record) => {
            assert!(record.place >= last_place, "jobs come in the order of their places");
            last_place = record.place;
            let content = (record.place, record.attempts, record.workload.to_vec());
            assert!(state.jobs.insert(record.number, content).is_none(), "no job comes twice");
        }
    })?;
    let counts = (state.jobs.len() as u64, state.letters.len() as u64);
    assert_eq!((report.loaded, report.letters), counts, "the report counts what came");
    Ok(state)
}

/// Commits what the bytes say; returns what each commit left, the empty queue first.
fn write(disk: &Disk, commits: &[u8]) -> Vec<State> {
    let mut store = open(disk).expect("a sound disk");
    let mut state = State::default();
    let mut states = vec![state.clone()];
    let mut next = 1;
    for bytes in commits.chunks(3).take(20) {
        let mut batch = Batch::new();
        for (index, byte) in bytes.iter().enumerate() {
            let ticket = Ticket::new(next * 3 + index as u64);
            change(&mut batch, &mut state, ticket, *byte, next + index as u64);
        }
        next += 3;
        store.commit(&batch).expect("a sound disk");
        states.push(state.clone());
    }
    states
}

fn change(batch: &mut Batch, state: &mut State, ticket: Ticket, byte: u8, number: u64) {
    let known = state.jobs.keys().nth(usize::from(byte / 8) % state.jobs.len().max(1)).copied();
    match (byte % 8, known) {
        (0, Some(known)) => {
            batch.push(ticket, Op::Delete { number: known, attempts: 1 });
            state.jobs.remove(&known);
        }
        (1, Some(known)) => give_back(batch, state, ticket, known, number),
        (2, Some(known)) => shelve(batch, state, ticket, known, byte),
        (3, _) if !state.letters.is_empty() => {
            let (letter, _) = state.letters.pop_first().expect("it is not empty");
            batch.push(ticket, Op::Unshelve { number: letter, shelf: Shelf::Dead });
        }
        (4, _) => {
            let (name, text) = ([byte / 64], vec![byte; usize::from(byte)]);
            let body = (byte < 250).then_some(&text[..]);
            let kind = DocumentKind::Policy;
            batch.push(ticket, Op::Document(Document { kind, name: &name, body }));
            state.documents.remove(&name[..]);
            state.documents.extend(body.map(|body| (name.to_vec(), body.to_vec())));
        }
        _ => put(batch, state, ticket, number, byte),
    }
}

fn put(batch: &mut Batch, state: &mut State, ticket: Ticket, number: u64, byte: u8) {
    let workload = vec![byte; usize::from(byte) * 9];
    let record = Record {
        number,
        place: number,
        function: b"f",
        unique: b"",
        priority: Priority::Normal,
        workload: &workload,
        reducer: None,
        not_before: 0,
        attempts: 0,
        lost: 0,
        submitted: UnixTime::from_seconds(1),
    };
    batch.push(ticket, Op::Put(record));
    state.jobs.insert(number, (number, 0, workload));
}

fn give_back(batch: &mut Batch, state: &mut State, ticket: Ticket, known: u64, place: u64) {
    let job = state.jobs.get_mut(&known).expect("a key of the map");
    (job.0, job.1) = (place, job.1 + 1);
    let time = UnixTime::from_seconds(1);
    batch.push(
        ticket,
        Op::Attempt(Attempt {
            number: known,
            attempt: job.1,
            started: time,
            ended: time,
            client_id: b"w",
            address: b"a",
            how: Outcome::Disconnected,
            text: b"",
        }),
    );
    let (function, priority, attempts) = (b"f", Priority::Normal, job.1);
    batch.push(
        ticket,
        Op::Change(Change { number: known, place, function, priority, not_before: 0, attempts, lost: 1 }),
    );
}

fn shelve(batch: &mut Batch, state: &mut State, ticket: Ticket, known: u64, byte: u8) {
    let error = vec![byte; usize::from(byte) * 2];
    let shelving = Shelving {
        number: known,
        shelf: Shelf::Dead,
        ended: UnixTime::from_seconds(2),
        how: Outcome::Failed,
        attempts: 1,
        error: &error,
    };
    batch.push(ticket, Op::Shelve(shelving));
    let (_, _, workload) = state.jobs.remove(&known).expect("a key of the map");
    state.letters.insert(known, (error, workload.len() as u64 + 1));
}

/// Cuts a file, or flips bits of it: the log or the database.
fn spoil(disk: &Disk, [what, at_high, at_low, bits]: [u8; 4]) {
    let name = if what.is_multiple_of(2) { LOG } else { DATABASE };
    let Some(mut bytes) = disk.read_file(name) else { return };
    if bytes.is_empty() {
        return;
    }
    let at = u16::from_be_bytes([at_high, at_low]);
    let at = usize::from(at) * 7 % bytes.len();
    if (what / 2).is_multiple_of(2) {
        bytes.truncate(at);
    } else {
        bytes[at] ^= bits;
    }
    disk.write_file(name, &bytes);
}
