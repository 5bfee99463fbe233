//! Databases of older formats.

use super::*;
use crate::contract::{Line, content};
use geartrain_core::OwnedRecord;

/// A database as the release with format 1 left it.
const FORMAT_1: &str = "
PRAGMA application_id = 1196708430;
PRAGMA user_version = 1;
CREATE TABLE jobs (
  number INTEGER PRIMARY KEY,
  place INTEGER,
  function BLOB NOT NULL,
  unique_key BLOB NOT NULL,
  priority INTEGER NOT NULL,
  workload BLOB NOT NULL,
  reducer BLOB,
  not_before INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  submitted INTEGER NOT NULL
);
CREATE TABLE buried (
  number INTEGER PRIMARY KEY,
  function BLOB NOT NULL,
  unique_key BLOB NOT NULL,
  priority INTEGER NOT NULL,
  workload BLOB NOT NULL,
  reducer BLOB,
  not_before INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  submitted INTEGER NOT NULL,
  buried INTEGER NOT NULL
);
CREATE TABLE meta (
  name TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE set_aside (
  id INTEGER PRIMARY KEY,
  reason TEXT NOT NULL,
  noticed INTEGER NOT NULL,
  origin TEXT NOT NULL,
  number, place, function, unique_key, priority, workload, reducer, not_before, attempts, submitted
);
CREATE VIEW \"gearman_queue\" AS SELECT
  CAST(unique_key AS TEXT) AS unique_key,
  CAST(function AS TEXT) AS function_name,
  priority,
  workload AS data,
  not_before AS when_to_run
FROM jobs;
INSERT INTO jobs VALUES (1, 9, x'66', x'75', 2, x'0077', NULL, 0, 2, 1700000000000);
INSERT INTO jobs VALUES (4, NULL, x'66', x'', 0, x'', x'72', 5, 0, 1700000000001);
INSERT INTO buried VALUES (3, x'66', x'76', 1, x'00ff', NULL, 0, 7, 1700000000002, 1700000009000);
INSERT INTO meta VALUES ('numbers_until', 500), ('reopened', 2);
INSERT INTO set_aside VALUES (1, 'its priority is out of range', 5, 'jobs', 2, NULL, x'66', x'', 9, x'', NULL, 0, 0, 1);
";

#[test]
fn a_database_of_format_1_is_converted() {
    let (_folder, path) = folder();
    drop(plain(&path, FORMAT_1));
    let mut store = open(&path).unwrap();
    assert_eq!((store.opening().next_number, store.opening().jobs_estimate), (500, 2));
    let lines = content(&mut store);
    let mut jobs = Vec::new();
    store.load(&mut each_job(|record| jobs.push(OwnedRecord::from(record)))).unwrap();
    let first = Record {
        number: 1,
        place: 9,
        function: b"f",
        unique: b"u",
        priority: Priority::Low,
        workload: b"\0w",
        attempts: 2,
        submitted: UnixTime::from_millis(1_700_000_000_000),
        ..record(1)
    };
    let second = Record {
        function: b"f",
        unique: b"",
        priority: Priority::High,
        workload: b"",
        reducer: Some(b"r"),
        not_before: 5,
        submitted: UnixTime::from_millis(1_700_000_000_001),
        ..record(4)
    };
    assert_eq!(jobs, [OwnedRecord::from(second), OwnedRecord::from(first)]);
    let Some(Line::Letter(_, shelving)) = lines.first() else { panic!("{lines:?}") };
    assert_eq!((shelving.number, shelving.shelf, shelving.attempts), (3, Shelf::Dead, 7));
    assert_eq!((shelving.how, shelving.ended.millis()), (Outcome::Disconnected, 1_700_000_009_000));
    assert_eq!(shelving.error, b"used up its attempts under an earlier release");

    put(&mut store, &[Record { lost: 3, ..record(600) }]);
    drop(store);
    let person = plain(&path, "");
    let value = |sql: &str| person.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(value("PRAGMA user_version"), 2);
    assert_eq!(value("SELECT count(*) FROM gearman_queue"), 3);
    assert_eq!(value("SELECT count(*) FROM set_aside WHERE shelf IS NULL"), 1);
    assert_eq!(value("SELECT count(*) FROM sqlite_schema WHERE name = 'buried'"), 0);
    assert_eq!(value("SELECT sum(lost) FROM jobs"), 3);
    drop(person);
    assert_eq!(numbers(&mut open(&path).unwrap()), [4, 1, 600]);
}

#[test]
fn a_converted_database_has_the_tables_of_a_new_one() {
    let schema = |path: &Path| {
        let person = plain(path, "");
        let sql = "SELECT group_concat(name || ' ' || (SELECT group_concat(name || '/' || type || '/' || pk || '/' || \"notnull\", ' ')
                     FROM pragma_table_info(s.name)), char(10))
                   FROM (SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') ORDER BY name) AS s";
        person.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap()
    };
    let ((_old_folder, old), (_new_folder, new)) = (folder(), folder());
    drop(plain(&old, FORMAT_1));
    drop(open(&old).unwrap());
    drop(open(&new).unwrap());
    assert_eq!(schema(&old), schema(&new));
}

#[test]
fn a_conversion_that_fails_leaves_the_old_format() {
    let (_folder, path) = folder();
    drop(plain(&path, FORMAT_1));
    drop(plain(&path, "CREATE TABLE letters(mine)"));
    let error = open(&path).unwrap_err();
    assert!(matches!(error, StoreError::Foreign { .. }), "{error}");
    assert!(error.to_string().contains("a table letters"), "{error}");
    // And one that is only found out on the way.
    drop(plain(&path, "DROP TABLE letters; ALTER TABLE jobs ADD COLUMN lost"));
    let error = open(&path).unwrap_err();
    assert!(error.to_string().contains("converting it"), "{error}");
    let person = plain(&path, "");
    let version: i64 = person.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    let letters = "SELECT count(*) FROM sqlite_schema WHERE name IN ('letters', 'attempts')";
    assert_eq!((version, person.query_row(letters, [], |row| row.get::<_, i64>(0)).unwrap()), (1, 0));
}
