//! The text lists against the account: each number is the sum over the jobs.

use super::{Job, Oracle, handle_text};
use geartrain_core::Ticket;
use geartrain_proto::{AdminCommand, Priority};
use std::collections::BTreeMap;

impl Oracle {
    pub(super) fn check_status(&self, text: &[u8]) {
        let mut expected = String::new();
        for function in self.functions.iter() {
            let jobs = || self.jobs.values().filter(|job| job.content.function == *function);
            let running = jobs().filter(|job| job.state.is_on_worker()).count();
            let row = format!(
                "{}\t{}\t{running}\t{}\n",
                function.escape_ascii(),
                jobs().count(),
                self.workers(function)
            );
            expected.push_str(&row);
        }
        assert_eq!(self.sorted(text), self.sorted((expected + ".\n").as_bytes()), "counters of status");
    }

    pub(super) fn check_priority_status(&self, text: &[u8]) {
        let mut expected = String::new();
        for function in self.functions.iter() {
            let waiting = |priority: Priority| {
                let is_it = |job: &&Job| {
                    job.content.function == *function
                        && job.content.priority == priority
                        && !job.state.is_on_worker()
                };
                self.jobs.values().filter(is_it).count()
            };
            let [high, normal, low] = Priority::ALL.map(waiting);
            let row =
                format!("{}\t{high}\t{normal}\t{low}\t{}\n", function.escape_ascii(), self.workers(function));
            expected.push_str(&row);
        }
        assert_eq!(
            self.sorted(text),
            self.sorted((expected + ".\n").as_bytes()),
            "counters of prioritystatus"
        );
    }

    /// Every live job is listed with its attempts, and none else.
    pub(super) fn check_show_jobs(&self, text: &[u8]) {
        let text = String::from_utf8_lossy(text);
        let mut listed = BTreeMap::new();
        for row in text.lines().filter(|row| *row != ".") {
            let mut columns = row.split('\t');
            listed.insert(columns.next().unwrap_or_default().to_owned(), columns.next().map(str::to_owned));
        }
        let expected: BTreeMap<String, Option<String>> = self
            .jobs
            .iter()
            .map(|(handle, job)| (handle_text(handle), Some(job.attempts.to_string())))
            .collect();
        assert_eq!(listed, expected, "rows of show jobs");
    }

    /// A long list is begun: of no single moment, but with all that is there from here on until it is done.
    pub(super) fn list_begun(&mut self, command: &AdminCommand<'_>, place: Ticket) {
        let firsts = match command {
            AdminCommand::ShowJobs => self.jobs.keys().map(|handle| handle_text(handle)).collect(),
            AdminCommand::Status | AdminCommand::PriorityStatus => {
                self.functions.iter().map(|function| function.escape_ascii().to_string()).collect()
            }
            _ => panic!("I11: {command:?} is answered at once"),
        };
        self.lists.insert(place, firsts);
    }

    /// It is gone: a list that is not done may lack it.
    pub(super) fn need_not_list(&mut self, first: &str) {
        for firsts in self.lists.values_mut() {
            firsts.remove(first);
        }
    }

    pub(super) fn list_answered(&mut self, place: Ticket, text: &[u8]) {
        let Some(firsts) = self.lists.remove(&place) else { return };
        self.counts.lists += 1;
        let text = String::from_utf8_lossy(text);
        assert!(text.ends_with(".\n"), "a list has an end");
        for first in firsts {
            let listed = text.lines().filter(|row| row.split('\t').next() == Some(first.as_str())).count();
            assert_eq!(listed, 1, "{first} was there all the while: {text}");
        }
    }

    fn workers(&self, function: &[u8]) -> usize {
        self.conns.values().filter(|peer| peer.abilities.contains(function)).count()
    }

    /// The rows, but for functions without anything that only a command has named.
    fn sorted(&self, text: &[u8]) -> Vec<String> {
        let text = String::from_utf8_lossy(text);
        let is_told = |row: &&str| {
            let (name, counts) = row.split_once('\t').unwrap_or((row, "1"));
            counts.chars().any(|it| ('1'..='9').contains(&it)) || self.functions.contains(name.as_bytes())
        };
        let mut rows: Vec<String> = text.lines().filter(is_told).map(str::to_owned).collect();
        rows.sort();
        rows
    }
}
