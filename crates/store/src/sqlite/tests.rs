//! Real files: who may open them, what is taken over from others, what a person sees.

mod cut;
mod import;
mod place;
mod unreadable;
mod upgrade;

use super::*;
use geartrain_core::{Op, Outcome, Record, Shelf, Shelving, Ticket, UnixTime};
use geartrain_proto::Priority;
use std::fs;
use tempfile::TempDir;

fn record(number: u64) -> Record<'static> {
    Record {
        number,
        place: number,
        function: b"resize",
        unique: b"unique",
        priority: Priority::Normal,
        workload: b"work",
        reducer: None,
        not_before: 0,
        attempts: 0,
        lost: 0,
        submitted: UnixTime::from_millis(1),
    }
}

fn put(store: &mut SqliteStore, records: &[Record<'_>]) {
    let mut batch = Batch::new();
    for record in records {
        batch.push(Ticket::new(record.number), Op::Put(*record));
    }
    store.commit(&batch).unwrap();
}

fn numbers(store: &mut SqliteStore) -> Vec<u64> {
    let mut numbers = Vec::new();
    store.load(&mut each_job(|record| numbers.push(record.number))).unwrap();
    numbers
}

/// Looks at jobs alone.
fn each_job(mut each: impl FnMut(Record<'_>)) -> impl FnMut(Stored<'_>) {
    move |stored| {
        if let Stored::Job(record) = stored {
            each(record);
        }
    }
}

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queue.db");
    (folder, path)
}

fn open(path: &Path) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(path, SqliteOptions::default())
}

/// Everything in the folder, to see that nothing was changed.
fn content(folder: &TempDir) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), fs::read(&path).unwrap_or_default()))
        .collect();
    files.sort();
    files
}

#[test]
fn a_second_server_is_told_who_the_first_is() {
    let (_folder, path) = folder();
    let first = open(&path).unwrap();
    let error = open(&path).unwrap_err();
    assert!(
        matches!(error, StoreError::InUse { pid: Some(pid), .. } if pid == std::process::id()),
        "{error}"
    );
    assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
    drop(first);
    open(&path).unwrap();
}

#[test]
fn a_missing_folder_is_an_error_unless_the_path_is_our_own() {
    let (folder, _) = folder();
    let path = folder.path().join("a/b/queue.db");
    let error = open(&path).unwrap_err();
    assert!(matches!(error, StoreError::FolderMissing { .. }), "{error}");
    assert!(error.to_string().contains("a/b"), "{error}");
    assert!(content(&folder).is_empty());
    let options = SqliteOptions { parents: Parents::Created, ..SqliteOptions::default() };
    SqliteStore::open(&path, options).unwrap();
    assert!(path.is_file());
}

#[test]
fn a_path_through_a_file_is_an_error() {
    let (folder, path) = folder();
    fs::write(&path, b"").unwrap();
    let options = SqliteOptions { parents: Parents::Created, ..SqliteOptions::default() };
    let error = SqliteStore::open(path.join("x/queue.db"), options).unwrap_err();
    assert!(matches!(error, StoreError::Io { .. }), "{error}");
    assert_eq!(content(&folder).len(), 1);
}

#[test]
fn what_is_not_a_database_is_left_as_it_is() {
    let (folder, path) = folder();
    fs::create_dir(&path).unwrap();
    assert!(matches!(open(&path), Err(StoreError::NotAFile { .. })));
    fs::remove_dir(&path).unwrap();
    for bytes in [&b"some text\n"[..], b"SQLite format 3\0cut", &[0; 5000]] {
        fs::write(&path, bytes).unwrap();
        let before = content(&folder);
        let error = open(&path).unwrap_err();
        assert!(matches!(error, StoreError::NotADatabase { .. }), "{error}");
        assert!(error.to_string().contains("queue.db"), "{error}");
        assert_eq!(content(&folder), before);
    }
}

#[test]
fn a_device_is_not_a_store() {
    let error = open(Path::new("/dev/null")).unwrap_err();
    assert!(matches!(error, StoreError::NotAFile { .. }), "{error}");
}

#[test]
fn an_empty_file_becomes_a_store() {
    let (_folder, path) = folder();
    fs::write(&path, b"").unwrap();
    put(&mut open(&path).unwrap(), &[record(1)]);
    assert_eq!(numbers(&mut open(&path).unwrap()), [1]);
}

fn plain(path: &Path, sql: &str) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection.execute_batch(sql).unwrap();
    connection
}

#[test]
fn a_database_of_a_later_release_is_left_as_it_is() {
    let (folder, path) = folder();
    drop(open(&path).unwrap());
    drop(plain(&path, "PRAGMA user_version = 3; PRAGMA journal_mode = delete"));
    fs::remove_file(folder.path().join("queue.db.lock")).unwrap();
    let before = content(&folder);
    let error = open(&path).unwrap_err();
    assert!(matches!(error, StoreError::NewerFormat { found: 3, known: 2, .. }), "{error}");
    assert_eq!(content(&folder), before);
}

#[test]
fn a_database_of_another_program_is_left_as_it_is() {
    for sql in [
        "PRAGMA application_id = 7",
        "PRAGMA user_version = 3",
        "CREATE TABLE Jobs(id)",
        "CREATE TABLE meta(x)",
    ] {
        let (folder, path) = folder();
        drop(plain(&path, &format!("CREATE TABLE t(x); {sql}")));
        let error = open(&path).unwrap_err();
        assert!(matches!(error, StoreError::Foreign { .. }), "{sql}: {error}");
        drop(plain(&path, "SELECT * FROM t"));
        let files: Vec<_> = content(&folder).into_iter().map(|(path, _)| path).collect();
        assert!(files.iter().all(|file| !file.ends_with("queue.db-wal")), "{sql}: {files:?}");
    }
}

#[test]
fn a_person_reads_the_queue_while_the_server_runs() {
    let (_folder, path) = folder();
    let mut store = open(&path).unwrap();
    put(&mut store, &[record(1), Record { not_before: 99, workload: b"\0\xff", ..record(2) }]);
    let person = Connection::open(&path).unwrap();
    let sql = "SELECT data, when_to_run, priority FROM gearman_queue
               WHERE function_name = 'resize' AND unique_key = 'unique' ORDER BY when_to_run";
    let mut statement = person.prepare(sql).unwrap();
    let rows: Vec<(Vec<u8>, i64, i64)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(rows, [(b"work".to_vec(), 0, 1), (b"\0\xff".to_vec(), 99, 1)]);
    // A reader in the middle of its query does not hold up a commit.
    person.execute_batch("BEGIN; SELECT * FROM gearman_queue").unwrap();
    put(&mut store, &[record(3)]);
    assert_eq!(numbers(&mut store), [1, 2, 3]);
}

#[test]
fn the_write_ahead_log_does_not_grow_without_bound() {
    let (folder, path) = folder();
    let options = SqliteOptions { checkpoint_pages: 64, ..SqliteOptions::default() };
    let mut store = SqliteStore::open(&path, options).unwrap();
    let workload = vec![b'w'; 20_000];
    for number in 1..=200 {
        put(&mut store, &[Record { workload: &workload, ..record(number) }]);
    }
    let log = fs::metadata(folder.path().join("queue.db-wal")).unwrap().len();
    assert!(log < 1_000_000, "4 MB went through a log of {log} bytes");
}

#[test]
fn a_person_finds_letters_and_their_attempts_in_words() {
    let (_folder, path) = folder();
    let mut store = open(&path).unwrap();
    put(&mut store, &[record(1), record(2), record(3)]);
    let ended = UnixTime::from_millis(1_700_000_000_250);
    let shelving = Shelving {
        number: 2,
        shelf: Shelf::Dead,
        ended,
        how: Outcome::LostWorkers,
        attempts: 5,
        error: b"went away",
    };
    let attempt = geartrain_core::Attempt {
        number: 2,
        attempt: 5,
        started: UnixTime::from_millis(0),
        ended,
        client_id: b"w7",
        address: b"10.0.0.7",
        how: Outcome::TimedOut,
        text: b"",
    };
    let finished =
        Shelving { number: 3, shelf: Shelf::Finished, how: Outcome::Completed, error: b"", ..shelving };
    let mut batch = Batch::new();
    for op in [Op::Attempt(attempt), Op::Shelve(shelving), Op::Shelve(finished)] {
        batch.push(Ticket::new(4), op);
    }
    store.commit(&batch).unwrap();
    let person = Connection::open(&path).unwrap();
    let text = |sql: &str| person.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    let words =
        "concat_ws(' ', number, function, unique_key, priority, submitted, ended, how, attempts, lost, error,
      CAST(data AS TEXT))";
    assert_eq!(
        text(&format!("SELECT {words} FROM dead_letters")),
        "2 resize unique normal 1970-01-01 00:00:00.001 2023-11-14 22:13:20.250 lost-workers 5 0 went away work"
    );
    assert_eq!(
        text(&format!("SELECT {words} FROM finished_jobs")),
        "3 resize unique normal 1970-01-01 00:00:00.001 2023-11-14 22:13:20.250 completed 5 0  work"
    );
    assert_eq!(
        text(
            "SELECT concat_ws(' ', number, attempt, started, ended, client_id, address, how, text) FROM attempt_log"
        ),
        "2 5 1970-01-01 00:00:00.000 2023-11-14 22:13:20.250 w7 10.0.0.7 timeout "
    );
    assert_eq!(numbers(&mut store), [1]);
}

#[test]
fn many_jobs_are_estimated_when_a_store_is_opened() {
    let (_folder, path) = folder();
    let mut store = open(&path).unwrap();
    let jobs: Vec<_> = (1..=40_000).map(record).collect();
    put(&mut store, &jobs);
    put(&mut store, &[record(5_000_000)]);
    drop(store);
    let estimate = open(&path).unwrap().opening().jobs_estimate;
    // All of them, some of them, and a late one far behind.
    assert!((10_000..400_000).contains(&estimate), "{estimate}");
    let mut store = open(&path).unwrap();
    let mut batch = Batch::new();
    batch.push(Ticket::new(1), Op::Delete { number: 5_000_000, attempts: 0 });
    for number in (1..=40_000).filter(|number| number % 2 == 0) {
        batch.push(Ticket::new(1), Op::Delete { number, attempts: 0 });
    }
    store.commit(&batch).unwrap();
    drop(store);
    let estimate = open(&path).unwrap().opening().jobs_estimate;
    assert!((18_000..22_000).contains(&estimate), "{estimate}");
}

#[test]
fn the_view_takes_the_name_that_was_asked_for() {
    let (_folder, path) = folder();
    let named = |view: &str| {
        SqliteStore::open(&path, SqliteOptions { view: view.to_owned(), ..SqliteOptions::default() })
    };
    put(&mut named("my \"queue\"").unwrap(), &[record(1)]);
    drop(named("other").unwrap());
    let person = Connection::open(&path).unwrap();
    for view in ["\"my \"\"queue\"\"\"", "other"] {
        let sql = format!("SELECT count(*) FROM {view}");
        assert_eq!(person.query_row(&sql, [], |row| row.get::<_, i64>(0)).unwrap(), 1);
    }
    for view in ["", "jobs", "META", "Dead_Letters", "sqlite_x", "a\0b"] {
        let error = named(view).unwrap_err();
        assert!(matches!(error, StoreError::ViewName { .. }), "{view:?}: {error}");
    }
}

#[test]
fn numbers_that_do_not_fit_are_refused() {
    let (_folder, path) = folder();
    let mut store = open(&path).unwrap();
    let mut batch = Batch::new();
    batch.push(Ticket::new(1), Op::Put(record(1 << 53)));
    let error = store.commit(&batch).unwrap_err();
    assert!(matches!(error, StoreError::NumberTooLarge { .. }), "{error}");
    store.reopen().unwrap();
    assert!(numbers(&mut store).is_empty());
}
