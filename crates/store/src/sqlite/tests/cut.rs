//! Real files that end too early. `testing/recovery` does the same in memory, and more of it.

use super::*;

/// Whatever can be read of the job is what was written.
fn check_job(record: &Record<'_>) {
    let number = record.number;
    assert!(record.workload == workload(number), "job {number} has another content");
}

fn workload(number: u64) -> Vec<u8> {
    vec![u8::try_from(number).unwrap(); usize::try_from(number * number * 3).unwrap()]
}

/// A database of 30 jobs in its file and 30 in its log, as a crash leaves it.
fn crashed(folder: &TempDir) -> (Vec<u8>, Vec<u8>) {
    let path = folder.path().join("whole.db");
    let fill = |store: &mut SqliteStore, numbers: std::ops::RangeInclusive<u64>| {
        for number in numbers {
            put(store, &[Record { workload: &workload(number), ..record(number) }]);
        }
    };
    fill(&mut open(&path).unwrap(), 1..=30);
    let mut store = open(&path).unwrap();
    fill(&mut store, 31..=60);
    (fs::read(&path).unwrap(), fs::read(super::super::place::with_suffix(&path, "-wal")).unwrap())
}

/// The numbers that are served of these files, or why they are refused.
fn serve(folder: &TempDir, database: &[u8], log: &[u8]) -> Result<Vec<u64>, StoreError> {
    let path = folder.path().join("cut.db");
    fs::write(&path, database).unwrap();
    fs::write(super::super::place::with_suffix(&path, "-wal"), log).unwrap();
    let mut numbers = Vec::new();
    let mut store = open(&path)?;
    store.load(&mut each_job(|record| {
        check_job(&record);
        numbers.push(record.number);
    }))?;
    Ok(numbers)
}

#[test]
fn a_log_that_is_cut_anywhere_gives_the_batches_before_the_cut() {
    let (folder, _) = folder();
    let (database, log) = crashed(&folder);
    let mut fewest = 60;
    for at in (0..log.len()).rev().step_by(1009).chain(0..40) {
        let served = serve(&folder, &database, &log[..at]).unwrap();
        let last = *served.last().unwrap();
        assert_eq!(served, (1..=last).collect::<Vec<_>>(), "cut at {at}");
        assert!((30..=60).contains(&last), "cut at {at}");
        fewest = fewest.min(last);
    }
    assert_eq!(fewest, 30);
    assert_eq!(serve(&folder, &database, &log).unwrap().len(), 60);
}

#[test]
fn a_database_that_is_cut_anywhere_is_served_in_part_or_refused() {
    let (folder, _) = folder();
    let (database, _) = crashed(&folder);
    let mut refused = 0;
    for at in (0..database.len()).rev().step_by(499).chain(1..120) {
        match serve(&folder, &database[..at], &[]) {
            Ok(served) => assert!(served.iter().all(|number| *number <= 30), "cut at {at}: {served:?}"),
            Err(error) => {
                assert!(error.to_string().contains("cut.db"), "cut at {at}: {error}");
                refused += 1;
            }
        }
    }
    assert!(refused > 50, "{refused} refused");
}
