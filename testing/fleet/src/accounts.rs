//! The accounts: what was submitted beside what was done.
//!
//! From: the load, the job log, the manager's log. To: the verdict, and the figures that are printed.
//! Never: forgives a job that was begun twice, whoever else may have been the cause.

use crate::job_log::{Entry, What};
use crate::load::Job;
use std::collections::{BTreeMap, BTreeSet};

/// How many mistakes are told of each kind.
const TOLD: usize = 5;

/// What is known of one job.
#[derive(Debug, Default)]
struct Account<'a> {
    begins: Vec<&'a Entry>,
    ends: Vec<&'a Entry>,
}

/// What was done in one language.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) jobs: usize,
    pub(crate) processes: usize,
}

/// Compares; what was done by language, or all that is wrong.
pub(crate) fn check(
    jobs: &[Job],
    log: &[Entry],
    language_of: impl Fn(&str) -> &'static str,
) -> Result<BTreeMap<String, Done>, String> {
    let mut accounts: BTreeMap<u64, Account<'_>> = BTreeMap::new();
    for entry in log {
        let account = accounts.entry(entry.job).or_default();
        match entry.what {
            What::Begin => account.begins.push(entry),
            What::End => account.ends.push(entry),
        }
    }
    let mut wrong = Vec::new();
    let mut processes: BTreeMap<&str, BTreeSet<i32>> = BTreeMap::new();
    let mut done: BTreeMap<String, Done> = BTreeMap::new();
    for job in jobs {
        let account = accounts.remove(&job.number).unwrap_or_default();
        match (account.begins.as_slice(), account.ends.as_slice()) {
            ([begin], [end]) if begin.pid == end.pid && begin.language == language_of(job.function) => {
                done.entry(begin.language.clone()).or_default().jobs += 1;
                processes.entry(&begin.language).or_default().insert(begin.pid);
            }
            (begins, ends) => wrong.push(format!(
                "job {} of {} was begun by {:?} and done by {:?}",
                job.number,
                job.function,
                who(begins),
                who(ends)
            )),
        }
    }
    wrong.extend(accounts.keys().map(|number| format!("job {number} was done and never submitted")));
    for (language, pids) in processes {
        if let Some(done) = done.get_mut(language) {
            done.processes = pids.len();
        }
    }
    if wrong.is_empty() { Ok(done) } else { Err(few(&wrong)) }
}

fn who(entries: &[&Entry]) -> Vec<String> {
    entries.iter().map(|entry| format!("{} {}", entry.language, entry.pid)).collect()
}

/// The first ones of many mistakes.
pub(crate) fn few(wrong: &[String]) -> String {
    let mut text: Vec<String> = wrong.iter().take(TOLD).cloned().collect();
    if wrong.len() > TOLD {
        text.push(format!("and {} more", wrong.len() - TOLD));
    }
    text.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(what: What, job: u64, pid: i32) -> Entry {
        Entry { what, job, pid, language: "php".to_owned(), release: "r1".to_owned() }
    }

    fn check_one(log: &[Entry]) -> Result<BTreeMap<String, Done>, String> {
        check(&[Job { number: 7, function: "f" }], log, |_| "php")
    }

    #[test]
    fn a_job_that_was_begun_and_done_once_is_counted() {
        let log = [entry(What::Begin, 7, 10), entry(What::End, 7, 10)];
        let done = check_one(&log).unwrap();
        assert_eq!(done.get("php"), Some(&Done { jobs: 1, processes: 1 }));
    }

    #[test]
    fn every_other_history_is_wrong() {
        let (begin, end) = (entry(What::Begin, 7, 10), entry(What::End, 7, 10));
        let by_another = entry(What::Begin, 7, 11);
        let histories = [
            (vec![], "job 7 of f was begun by [] and done by []"),
            (vec![begin.clone()], "job 7 of f was begun by [\"php 10\"] and done by []"),
            (vec![by_another.clone(), end.clone()], "begun by [\"php 11\"] and done by [\"php 10\"]"),
            (vec![begin.clone(), by_another, end.clone()], "begun by [\"php 10\", \"php 11\"]"),
            (vec![begin.clone(), end.clone(), entry(What::End, 8, 1)], "job 8 was done and never submitted"),
        ];
        for (log, expected) in histories {
            let wrong = check_one(&log).unwrap_err();
            assert!(wrong.contains(expected), "{wrong}");
        }
        let wrong = check(&[Job { number: 7, function: "f" }], &[begin, end], |_| "node").unwrap_err();
        assert!(wrong.contains("job 7"), "{wrong}");
    }
}
