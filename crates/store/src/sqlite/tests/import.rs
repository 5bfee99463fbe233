//! Databases that a reference server wrote.

use super::*;

/// The table as the reference server creates it.
const REFERENCE: &str = "CREATE TABLE gearman_queue (unique_key TEXT, function_name TEXT, priority INTEGER,
  data BLOB, when_to_run INTEGER, PRIMARY KEY (unique_key, function_name))";

#[derive(Debug, PartialEq, Eq)]
struct Row {
    number: u64,
    unique: Vec<u8>,
    function: Vec<u8>,
    priority: Priority,
    workload: Vec<u8>,
    not_before: i64,
}

fn row(
    number: u64,
    unique: &[u8],
    function: &[u8],
    priority: Priority,
    workload: &[u8],
    not_before: i64,
) -> Row {
    let (unique, function, workload) = (unique.to_vec(), function.to_vec(), workload.to_vec());
    Row { number, unique, function, priority, workload, not_before }
}

fn rows(store: &mut SqliteStore) -> Vec<Row> {
    let mut rows = Vec::new();
    store
        .load(&mut each_job(|record| {
            assert_eq!((record.place, record.attempts, record.reducer), (record.number, 0, None));
            assert!(record.submitted.millis() > 1_600_000_000_000);
            rows.push(row(
                record.number,
                record.unique,
                record.function,
                record.priority,
                record.workload,
                record.not_before,
            ));
        }))
        .unwrap();
    rows
}

fn value<T: rusqlite::types::FromSql>(store: &SqliteStore, sql: &str) -> T {
    store.connection().unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn the_jobs_of_a_reference_server_are_taken_over() {
    let (_folder, path) = folder();
    let unique = "u".repeat(63);
    drop(plain(
        &path,
        &format!(
            "{REFERENCE};
             INSERT INTO gearman_queue VALUES ('zz', 'first', 0, CAST('text' AS BLOB), 0);
             INSERT INTO gearman_queue VALUES ('{unique}' || char(0), 'second', 1, x'00ff', 1700000000);
             INSERT INTO gearman_queue VALUES ('', 'third', 2, NULL, 0);
             INSERT INTO gearman_queue VALUES ('-', '', 1, 'as text', NULL);
             INSERT INTO gearman_queue VALUES (NULL, 'fifth', 1, x'', 0);"
        ),
    ));
    let mut store = open(&path).unwrap();
    let opening = store.opening();
    assert_eq!(
        (opening.imported, opening.set_aside, opening.jobs_estimate, opening.next_number),
        (5, 0, 5, 6)
    );
    let expected = [
        row(1, b"zz", b"first", Priority::High, b"text", 0),
        row(2, unique.as_bytes(), b"second", Priority::Normal, b"\0\xff", 1_700_000_000),
        row(3, b"", b"third", Priority::Low, b"", 0),
        row(4, b"-", b"", Priority::Normal, b"as text", 0),
        row(5, b"", b"fifth", Priority::Normal, b"", 0),
    ];
    assert_eq!(rows(&mut store), expected);
    assert_eq!(value::<i64>(&store, "SELECT count(*) FROM gearman_queue_imported_1"), 5);
    assert_eq!(value::<i64>(&store, "SELECT count(*) FROM gearman_queue"), 5);
    drop(store);
    let mut store = open(&path).unwrap();
    assert_eq!(store.opening().imported, 0, "once is enough");
    assert_eq!(rows(&mut store), expected);
}

#[test]
fn rows_that_are_no_jobs_are_set_aside_and_block_nothing() {
    let (_folder, path) = folder();
    drop(plain(
        &path,
        &format!(
            "{REFERENCE};
             INSERT INTO gearman_queue VALUES ('1', 'f', 9, 'data', 0);
             INSERT INTO gearman_queue VALUES ('2', NULL, 1, 'data', 0);
             INSERT INTO gearman_queue VALUES ('3', 'f', 'high', 'data', 0);
             INSERT INTO gearman_queue VALUES ('4', 'f', 1, 12, 0);
             INSERT INTO gearman_queue VALUES ('5', 'f', 1, 'data', 'soon');
             INSERT INTO gearman_queue VALUES ('{}', 'f', 1, 'data', 0);
             INSERT INTO gearman_queue VALUES ('7', 'f', 1, 'good', 0);
             INSERT INTO gearman_queue VALUES (x'00', 'f', 1, 'good', 0);",
            "u".repeat(65)
        ),
    ));
    let mut store = open(&path).unwrap();
    let opening = store.opening();
    assert_eq!((opening.imported, opening.set_aside), (2, 6));
    assert_eq!(
        rows(&mut store),
        [row(1, b"7", b"f", Priority::Normal, b"good", 0), row(2, b"\0", b"f", Priority::Normal, b"good", 0)]
    );
    let sql = "SELECT group_concat(reason || '/' || origin || '/' || CAST(workload AS TEXT), '; ')
               FROM set_aside WHERE unique_key IN ('1', '4')";
    let kept: String = value(&store, sql);
    let origin = "gearman_queue_imported_1";
    assert_eq!(
        kept,
        format!(
            "its priority is out of range/{origin}/data; its workload is neither text nor bytes/{origin}/12"
        )
    );
}

#[test]
fn a_table_of_an_old_release_without_times_is_taken_over() {
    let (_folder, path) = folder();
    drop(plain(
        &path,
        "CREATE TABLE gearman_queue (unique_key TEXT, function_name TEXT, priority INTEGER, data BLOB,
           PRIMARY KEY (unique_key, function_name));
         INSERT INTO gearman_queue VALUES ('u', 'f', 1, 'w');
         INSERT INTO gearman_queue VALUES ('v', 'f', 7, 'w');",
    ));
    let mut store = open(&path).unwrap();
    assert_eq!((store.opening().imported, store.opening().set_aside), (1, 1));
    assert_eq!(rows(&mut store), [row(1, b"u", b"f", Priority::Normal, b"w", 0)]);
}

#[test]
fn a_table_of_another_name_is_taken_over_beside_what_is_there() {
    let (_folder, path) = folder();
    put(&mut open(&path).unwrap(), &[record(7)]);
    let table = REFERENCE.replace("gearman_queue", "\"my 'queue'\"");
    drop(plain(
        &path,
        &format!("{table}; INSERT INTO \"my 'queue'\" VALUES ('u', 'f', 1, 'w', 0), ('v', 'f', 5, 'w', 0)"),
    ));
    let options = SqliteOptions { view: "my 'queue'".to_owned(), ..SqliteOptions::default() };
    let mut store = SqliteStore::open(&path, options).unwrap();
    assert_eq!(
        (store.opening().imported, store.opening().set_aside, store.opening().jobs_estimate),
        (1, 1, 2)
    );
    assert_eq!(numbers(&mut store), [7, 8]);
    assert_eq!(value::<i64>(&store, "SELECT count(*) FROM \"my 'queue'\""), 2);
    assert_eq!(value::<i64>(&store, "SELECT count(*) FROM \"my 'queue'_imported_1\""), 2);
    assert_eq!(value::<String>(&store, "SELECT origin FROM set_aside"), "my 'queue'_imported_1");
}

#[test]
fn a_table_of_that_name_that_is_no_queue_is_left_alone() {
    let (_folder, path) = folder();
    drop(plain(
        &path,
        "CREATE TABLE gearman_queue (id INTEGER, text TEXT); INSERT INTO gearman_queue VALUES (1, 'x')",
    ));
    let error = open(&path).unwrap_err();
    assert!(matches!(error, StoreError::ViewName { .. }), "{error}");
    let tables: String = plain(&path, "")
        .query_row("SELECT group_concat(name) FROM sqlite_schema WHERE type = 'table'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(tables, "gearman_queue");
}

#[test]
fn a_queue_in_a_database_with_other_tables_is_taken_over() {
    let (_folder, path) = folder();
    drop(plain(
        &path,
        &format!("CREATE TABLE mine(x); {REFERENCE}; INSERT INTO gearman_queue VALUES ('u','f',1,'w',0)"),
    ));
    let store = open(&path).unwrap();
    assert_eq!(store.opening().imported, 1);
    assert_eq!(value::<i64>(&store, "SELECT count(*) FROM mine"), 0);
}
