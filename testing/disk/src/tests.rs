use super::*;
use rusqlite::{Connection, OpenFlags};

fn open(disk: &Disk) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let connection = Connection::open_with_flags_and_vfs("/test.db", flags, disk.vfs_name())?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.execute_batch("CREATE TABLE IF NOT EXISTS t(x)")?;
    Ok(connection)
}

fn count(connection: &Connection) -> i64 {
    connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap()
}

fn insert(connection: &Connection) -> rusqlite::Result<usize> {
    connection.execute("INSERT INTO t VALUES (randomblob(3000))", [])
}

#[test]
fn what_was_synced_survives_every_crash() {
    for unsynced in [Unsynced::Kept, Unsynced::Lost, Unsynced::Torn] {
        let disk = Disk::new(1);
        let connection = open(&disk).unwrap();
        insert(&connection).unwrap();
        disk.crash(unsynced);
        assert!(insert(&connection).is_err(), "a connection from before the crash is dead");
        drop(connection);
        assert_eq!(count(&open(&disk).unwrap()), 1, "{unsynced:?}");
    }
}

#[test]
fn what_a_crash_would_leave_is_what_it_leaves() {
    let disk = Disk::new(1);
    let connection = open(&disk).unwrap();
    insert(&connection).unwrap();
    connection.pragma_update(None, "synchronous", "off").unwrap();
    insert(&connection).unwrap();
    let foretold = disk.left_by_a_crash();
    assert_ne!(disk.read_file("/test.db-wal"), foretold.last().map(|(_, bytes)| bytes.clone()));
    disk.crash(Unsynced::Lost);
    let left: Vec<_> =
        disk.files().into_iter().map(|name| (name.clone(), disk.read_file(&name).unwrap())).collect();
    assert_eq!(left, foretold);
}

#[test]
fn what_was_not_synced_is_lost_with_the_power_only() {
    for (unsynced, expected) in [(Unsynced::Kept, 1), (Unsynced::Lost, 0)] {
        let disk = Disk::new(1);
        let connection = open(&disk).unwrap();
        connection.pragma_update(None, "synchronous", "off").unwrap();
        insert(&connection).unwrap();
        disk.crash(unsynced);
        assert_eq!(count(&open(&disk).unwrap()), expected, "{unsynced:?}");
    }
}

#[test]
fn a_failed_sync_forgets_what_it_should_have_written() {
    let disk = Disk::new(1);
    let connection = open(&disk).unwrap();
    disk.fail_after_ops(0, Fault::SyncIo);
    assert!(insert(&connection).is_err());
    insert(&connection).unwrap();
    assert_eq!(count(&connection), 1);
    disk.crash(Unsynced::Lost);
    // The same connection wrote the second insert over what the failed sync left behind.
    assert_eq!(count(&open(&disk).unwrap()), 1);
}

#[test]
fn what_a_failed_sync_left_makes_a_hole_for_the_next_connection() {
    let disk = Disk::new(1);
    let connection = open(&disk).unwrap();
    disk.fail_after_ops(0, Fault::SyncIo);
    assert!(insert(&connection).is_err());
    let never_copied = rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
    connection.set_db_config(never_copied, true).unwrap();
    drop(connection);
    // The next one believes what it sees, and writes behind it.
    let connection = open(&disk).unwrap();
    insert(&connection).unwrap();
    assert_eq!(count(&connection), 2);
    disk.crash(Unsynced::Lost);
    assert_eq!(count(&open(&disk).unwrap()), 0);
}

#[test]
fn a_full_disk_refuses_growth_until_there_is_space() {
    let disk = Disk::new(1);
    let connection = open(&disk).unwrap();
    disk.set_full(true);
    let error = insert(&connection).unwrap_err();
    assert_eq!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::DiskFull));
    disk.set_full(false);
    insert(&connection).unwrap();
    assert_eq!(count(&connection), 1);
}

#[test]
fn the_power_goes_before_or_after_the_planned_operation() {
    for (fault, expected) in [(Fault::PowerBefore, 0), (Fault::PowerAfter, 1)] {
        let disk = Disk::new(1);
        let connection = open(&disk).unwrap();
        let insert = |connection: &Connection| connection.execute("INSERT INTO t VALUES (1)", []);
        let before = disk.ops();
        insert(&connection).unwrap();
        let ops_each = disk.ops() - before;
        // The last operation of a commit is its sync.
        disk.fail_after_ops(ops_each - 1, fault);
        assert!(insert(&connection).is_err());
        assert!(disk.is_off());
        disk.crash(Unsynced::Lost);
        assert_eq!(count(&open(&disk).unwrap()), 1 + expected, "{fault:?}");
    }
}

#[test]
fn the_same_seed_tears_the_same_way() {
    let left = |seed| {
        let disk = Disk::new(seed);
        let handle = disk.shared.state().open("/f", true).unwrap();
        for turn in 0..20_u8 {
            disk.shared.state().write(&handle, usize::from(turn) * 300, &[turn + 1; 700]).unwrap();
        }
        disk.crash(Unsynced::Torn);
        disk.read_file("/f")
    };
    assert_eq!(left(3), left(3));
    let all: Vec<_> = (0..20).map(left).collect();
    assert!(all.iter().any(|one| Some(one) != all.first()));
}

#[test]
fn readers_and_a_writer_share_the_log() {
    let disk = Disk::new(1);
    let (writer, reader) = (open(&disk).unwrap(), open(&disk).unwrap());
    insert(&writer).unwrap();
    assert_eq!(count(&reader), 1);
    reader.execute_batch("BEGIN; SELECT * FROM t").unwrap();
    insert(&writer).unwrap();
    assert_eq!((count(&reader), count(&writer)), (1, 2));
    writer.execute_batch("BEGIN IMMEDIATE").unwrap();
    reader.execute_batch("COMMIT").unwrap();
    let error = insert(&reader).unwrap_err();
    assert_eq!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::DatabaseBusy));
}

#[test]
fn the_hook_sees_every_sync() {
    use std::sync::atomic::{AtomicU64, Ordering};
    let disk = Disk::new(1);
    let seen = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&seen);
    disk.on_sync(move |number| count.store(number, Ordering::SeqCst));
    insert(&open(&disk).unwrap()).unwrap();
    assert_eq!(seen.load(Ordering::SeqCst), disk.syncs());
}
