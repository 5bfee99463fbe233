//! A database whose files were cut or whose bytes were flipped is opened, or refused with an error.
//!
//! Its write-ahead log has checksums: whatever is done to the log, what comes back is what some commit left.

use geartrain_core::{Change, Op, Record, Stored, Ticket, UnixTime};
use geartrain_disk::{Disk, Unsynced};
use geartrain_proto::Priority;
use geartrain_store::{Batch, Locking, SqliteOptions, SqliteStore, Store, StoreError};
use std::collections::BTreeMap;

const DATABASE: &str = "/queue.db";
const LOG: &str = "/queue.db-wal";

/// Number, place and content of the jobs after a commit.
type Jobs = BTreeMap<u64, (u64, u32, Vec<u8>)>;

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

fn load(disk: &Disk) -> Result<Jobs, StoreError> {
    let mut store = open(disk)?;
    let mut jobs = Jobs::new();
    let mut last_place = 0;
    let report = store.load(&mut |stored| {
        let Stored::Job(record) = stored else { return };
        assert!(record.place >= last_place, "jobs come in the order of their places");
        last_place = record.place;
        let content = (record.place, record.attempts, record.workload.to_vec());
        assert!(jobs.insert(record.number, content).is_none(), "no job comes twice");
    })?;
    assert_eq!(report.loaded, jobs.len() as u64, "the report counts what came");
    Ok(jobs)
}

/// Commits what the bytes say; returns what each commit left, the empty queue first.
fn write(disk: &Disk, commits: &[u8]) -> Vec<Jobs> {
    let mut store = open(disk).expect("a sound disk");
    let mut jobs = Jobs::new();
    let mut states = vec![jobs.clone()];
    let mut next = 1;
    for bytes in commits.chunks(3).take(20) {
        let mut batch = Batch::new();
        for (index, byte) in bytes.iter().enumerate() {
            let ticket = Ticket::new(next * 3 + index as u64);
            change(&mut batch, &mut jobs, ticket, *byte, next + index as u64);
        }
        next += 3;
        store.commit(&batch).expect("a sound disk");
        states.push(jobs.clone());
    }
    states
}

fn change(batch: &mut Batch, jobs: &mut Jobs, ticket: Ticket, byte: u8, number: u64) {
    let known = jobs.keys().nth(usize::from(byte / 4) % jobs.len().max(1)).copied();
    match (byte % 4, known) {
        (0, Some(known)) => {
            batch.push(ticket, Op::Delete { number: known, attempts: 0 });
            jobs.remove(&known);
        }
        (1, Some(known)) => {
            let attempts = u32::from(byte);
            let change = Change {
                number: known,
                place: number,
                function: b"f",
                priority: Priority::Normal,
                not_before: 0,
                attempts,
                lost: 0,
            };
            batch.push(ticket, Op::Change(change));
            let job = jobs.get_mut(&known).expect("a key of the map");
            (job.0, job.1) = (number, attempts);
        }
        _ => {
            let workload = vec![byte; usize::from(byte) * 9];
            batch.push(
                ticket,
                Op::Put(Record {
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
                }),
            );
            jobs.insert(number, (number, 0, workload));
        }
    }
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
