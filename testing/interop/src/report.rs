//! The table of both servers side by side, and the verdict.
//!
//! From: `main`, with all cells. To: text or JSON on a writer, and [`Verdict`].
//! Never: calls a cell passed that was not played.

use crate::library::Lack;
use crate::matrix::{Cell, Outcome, Pair};
use crate::scenario::Scenario;
use crate::server::Side;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io;

const C_REPEATS: &str = "gearman -w -N repeats all earlier lines in each packet";

/// What is known to fail against every server, by the library's own doing.
const LIBRARY_FLAWS: &[(&str, Scenario, &str)] =
    &[("c", Scenario::Chunks, C_REPEATS), ("php>c", Scenario::Chunks, C_REPEATS)];

const FAIL_WITH_NUL: &str =
    "after an exception it sends WORK_FAIL with a trailing NUL, which the client cannot read";
const EMPTY_WITHOUT_NUL: &str = "it takes no WORK_COMPLETE without a NUL, and runs the job again for ever";
const ERROR_AFTER_EXCEPTION: &str =
    "it answers the WORK_FAIL that follows a WORK_EXCEPTION with ERROR, of which the worker dies";

/// What is known to fail against the reference server, by its doing.
const REFERENCE_FLAWS: &[(&str, Scenario, &str)] = &[
    ("perl", Scenario::EmptyResult, EMPTY_WITHOUT_NUL),
    ("gear>perl", Scenario::EmptyResult, EMPTY_WITHOUT_NUL),
    ("perl", Scenario::AfterException, ERROR_AFTER_EXCEPTION),
    ("gear>perl", Scenario::AfterException, ERROR_AFTER_EXCEPTION),
    ("python3-gearman", Scenario::Exception, FAIL_WITH_NUL),
    ("python3-gearman", Scenario::AfterException, FAIL_WITH_NUL),
    ("python3-gearman>abraxas", Scenario::Exception, FAIL_WITH_NUL),
    ("python3-gearman>abraxas", Scenario::AfterException, FAIL_WITH_NUL),
    ("c>php", Scenario::Exception, FAIL_WITH_NUL),
    ("c>php", Scenario::AfterException, FAIL_WITH_NUL),
];

fn flaw(list: &[(&str, Scenario, &'static str)], pair: Pair, scenario: Scenario) -> Option<&'static str> {
    let name = pair.name();
    list.iter().find(|(known, of, _)| *known == name && *of == scenario).map(|(.., reason)| *reason)
}

/// What the run says about the servers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Each a sentence; any of them makes the run fail.
    pub problems: Vec<String>,
    /// Cells that failed against the reference and passed against ours.
    pub better: usize,
    /// Cells that passed, over both servers.
    pub passed: usize,
    /// Cells that failed as known, over both servers.
    pub known: usize,
}

/// Everything a run found.
#[derive(Debug)]
pub struct Report {
    pairs: Vec<Pair>,
    scenarios: Vec<Scenario>,
    sides: Vec<Side>,
    cells: HashMap<(Pair, Scenario, Side), Cell>,
    lacks: HashMap<(Pair, Scenario), Lack>,
    surprises: Vec<String>,
}

impl Report {
    /// Sorts what was found into a table.
    #[must_use]
    pub fn new(
        wanted: &[(Pair, Scenario)],
        sides: &[Side],
        cells: Vec<Cell>,
        lacks: HashMap<(Pair, Scenario), Lack>,
        surprises: Vec<String>,
    ) -> Self {
        let has_pair = |pair: &Pair| wanted.iter().any(|(of, _)| of == pair);
        let has_scenario = |scenario: &Scenario| wanted.iter().any(|(_, of)| of == scenario);
        Self {
            pairs: Pair::all().into_iter().filter(has_pair).collect(),
            scenarios: Scenario::ALL.into_iter().filter(has_scenario).collect(),
            sides: sides.to_vec(),
            cells: cells.into_iter().map(|cell| ((cell.pair, cell.scenario, cell.side), cell)).collect(),
            lacks,
            surprises,
        }
    }

    /// Judges the run.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let mut verdict = Verdict { problems: self.surprises.clone(), ..Verdict::default() };
        for (pair, scenario) in self.places() {
            let reference = self.cells.get(&(pair, scenario, Side::Reference));
            let ours = self.cells.get(&(pair, scenario, Side::Ours));
            let place = format!("{}/{}", pair.name(), scenario.name());
            if passes(ours) && fails(reference) {
                verdict.better += 1;
            }
            for cell in [reference, ours].into_iter().flatten() {
                let library_flaw = flaw(LIBRARY_FLAWS, pair, scenario);
                let reference_flaw = flaw(REFERENCE_FLAWS, pair, scenario);
                match (&cell.outcome, cell.side) {
                    (Outcome::Pass(_), side) => {
                        verdict.passed += 1;
                        let listed = library_flaw.or(reference_flaw.filter(|_| side == Side::Reference));
                        if let Some(reason) = listed {
                            verdict.problems.push(format!(
                                "{place} passes against {} and is listed as failing: {reason}",
                                side.name()
                            ));
                        }
                    }
                    (Outcome::Fail(_), _) if library_flaw.is_some() => verdict.known += 1,
                    (Outcome::Fail(_), Side::Reference) if reference_flaw.is_some() || passes(ours) => {
                        verdict.known += 1;
                    }
                    (Outcome::Fail(reason), side) => {
                        let regress =
                            if passes(reference) { ", and passes against the reference" } else { "" };
                        verdict
                            .problems
                            .push(format!("{place} fails against {}{regress}: {reason}", side.name()));
                    }
                }
            }
        }
        verdict
    }

    /// Writes the tables, the reasons and the verdict for a person.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn write_text(&self, out: &mut impl io::Write) -> io::Result<()> {
        let (mixed, same): (Vec<Pair>, Vec<Pair>) =
            self.pairs.iter().copied().partition(|pair| pair.is_mixed());
        let sides: Vec<&str> = self.sides.iter().map(|side| side.name()).collect();
        for (title, pairs) in
            [("client and worker of one library", same), ("client > worker of two libraries", mixed)]
        {
            if !pairs.is_empty() {
                writeln!(out, "\n{title}: {}\n", sides.join(" | "))?;
                self.write_table(out, &pairs)?;
            }
        }
        self.write_reasons(out)?;
        let verdict = self.verdict();
        writeln!(
            out,
            "\n{} passed, {} failed, {} known failures, {} better than the reference",
            verdict.passed,
            verdict.problems.len(),
            verdict.known,
            verdict.better
        )?;
        for problem in &verdict.problems {
            writeln!(out, "problem: {problem}")?;
        }
        Ok(())
    }

    fn write_table(&self, out: &mut impl io::Write, pairs: &[Pair]) -> io::Result<()> {
        let head: Vec<String> = pairs.iter().map(|pair| pair.name()).collect();
        let rows: Vec<(&str, Vec<String>)> = self
            .scenarios
            .iter()
            .map(|scenario| {
                (scenario.name(), pairs.iter().map(|pair| self.place_text(*pair, *scenario)).collect())
            })
            .collect();
        let widths: Vec<usize> = head
            .iter()
            .enumerate()
            .map(|(column, name)| {
                let cells = rows.iter().filter_map(|(_, cells)| cells.get(column).map(String::len));
                cells.chain([name.len()]).max().unwrap_or(0)
            })
            .collect();
        let first = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let mut lines = vec![("", head)];
        lines.extend(rows);
        for (name, cells) in lines {
            let mut line = format!("{name:first$}");
            for (cell, width) in cells.iter().zip(&widths) {
                // Writing into a string cannot fail.
                write!(line, "  {cell:width$}").ok();
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }

    fn place_text(&self, pair: Pair, scenario: Scenario) -> String {
        if let Some(lack) = self.lacks.get(&(pair, scenario)) {
            return if lack.reason.starts_with("covered") { "." } else { "not offered" }.to_owned();
        }
        if self.sides.iter().all(|side| !self.cells.contains_key(&(pair, scenario, *side))) {
            return String::new();
        }
        let sides = self.sides.iter().map(|side| match self.cells.get(&(pair, scenario, *side)) {
            Some(Cell { outcome: Outcome::Pass(None), .. }) => "pass".to_owned(),
            Some(Cell { outcome: Outcome::Pass(Some(time)), .. }) => format!("{:.2} s", time.as_secs_f64()),
            Some(Cell { outcome: Outcome::Fail(_), .. }) => "FAIL".to_owned(),
            None => String::new(),
        });
        sides.collect::<Vec<_>>().join(" | ")
    }

    fn write_reasons(&self, out: &mut impl io::Write) -> io::Result<()> {
        let mut lines = Vec::new();
        for (pair, scenario) in self.places() {
            for side in &self.sides {
                let Some(Cell { outcome: Outcome::Fail(reason), .. }) =
                    self.cells.get(&(pair, scenario, *side))
                else {
                    continue;
                };
                let known = flaw(LIBRARY_FLAWS, pair, scenario)
                    .or_else(|| flaw(REFERENCE_FLAWS, pair, scenario).filter(|_| *side == Side::Reference))
                    .map_or_else(String::new, |known| format!(" (known: {known})"));
                lines.push(format!(
                    "  {}/{}, {}: {reason}{known}",
                    pair.name(),
                    scenario.name(),
                    side.name()
                ));
            }
        }
        if !lines.is_empty() {
            writeln!(out, "\nfailed:\n{}", lines.join("\n"))?;
        }
        let mut lacks: Vec<String> = self
            .lacks
            .iter()
            .filter(|(_, lack)| !lack.reason.starts_with("covered"))
            .map(|((_, scenario), lack)| {
                format!("  {}/{}: {}", lack.library.name(), scenario.name(), lack.reason)
            })
            .collect();
        lacks.sort();
        lacks.dedup();
        if !lacks.is_empty() {
            writeln!(out, "\nnot offered by the library:\n{}", lacks.join("\n"))?;
        }
        Ok(())
    }

    /// The run as one JSON object: the cells, what is not offered, and the verdict.
    #[must_use]
    pub fn json(&self) -> Value {
        let mut rows = Vec::new();
        for (pair, scenario) in self.places() {
            for side in &self.sides {
                let Some(cell) = self.cells.get(&(pair, scenario, *side)) else { continue };
                let (outcome, reason, measured) = match &cell.outcome {
                    Outcome::Pass(time) => ("pass", None, time.map(|time| time.as_millis().to_string())),
                    Outcome::Fail(reason) => ("fail", Some(reason.clone()), None),
                };
                rows.push(json!({
                    "client": pair.client.name(), "worker": pair.worker.name(), "scenario": scenario.name(),
                    "server": side.name(), "outcome": outcome, "reason": reason, "measured_ms": measured,
                    "took_ms": cell.took.as_millis().to_string(),
                }));
            }
        }
        let lacks: Vec<Value> = self
            .places()
            .filter_map(|place| Some((place, self.lacks.get(&place)?)))
            .map(|((pair, scenario), lack)| {
                json!({"client": pair.client.name(), "worker": pair.worker.name(),
                    "scenario": scenario.name(), "reason": lack.reason})
            })
            .collect();
        let verdict = self.verdict();
        json!({"cells": rows, "not_offered": lacks, "problems": verdict.problems,
            "passed": verdict.passed, "known": verdict.known, "better": verdict.better})
    }

    fn places(&self) -> impl Iterator<Item = (Pair, Scenario)> {
        self.pairs.iter().flat_map(|pair| self.scenarios.iter().map(|scenario| (*pair, *scenario)))
    }
}

fn passes(cell: Option<&Cell>) -> bool {
    cell.is_some_and(|cell| matches!(cell.outcome, Outcome::Pass(_)))
}

fn fails(cell: Option<&Cell>) -> bool {
    cell.is_some_and(|cell| matches!(cell.outcome, Outcome::Fail(_)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::Library;
    use std::time::Duration;

    const PHP: Pair = Pair { client: Library::Php, worker: Library::Php };
    const C: Pair = Pair { client: Library::C, worker: Library::C };

    fn report(pair: Pair, scenario: Scenario, outcomes: &[(Side, bool)]) -> Report {
        let cells = outcomes.iter().map(|(side, passes)| Cell {
            pair,
            scenario,
            side: *side,
            outcome: if *passes { Outcome::Pass(None) } else { Outcome::Fail("why".to_owned()) },
            took: Duration::ZERO,
        });
        let sides: Vec<Side> = outcomes.iter().map(|(side, _)| *side).collect();
        Report::new(&[(pair, scenario)], &sides, cells.collect(), HashMap::new(), Vec::new())
    }

    #[test]
    fn a_pass_against_the_reference_that_fails_against_ours_is_a_problem() {
        let both = report(PHP, Scenario::Echo, &[(Side::Reference, true), (Side::Ours, false)]);
        assert_eq!(
            both.verdict().problems,
            ["php/echo fails against ours, and passes against the reference: why"]
        );
    }

    #[test]
    fn what_the_reference_alone_fails_is_ours_being_better() {
        let both = report(PHP, Scenario::Echo, &[(Side::Reference, false), (Side::Ours, true)]);
        let verdict = both.verdict();
        assert_eq!((verdict.problems.len(), verdict.better, verdict.known), (0, 1, 1));
    }

    #[test]
    fn an_unlisted_failure_against_one_server_is_a_problem() {
        for side in [Side::Reference, Side::Ours] {
            assert_eq!(report(PHP, Scenario::Echo, &[(side, false)]).verdict().problems.len(), 1);
        }
    }

    #[test]
    fn a_listed_flaw_of_a_library_may_fail_and_must_not_pass() {
        let fails = report(C, Scenario::Chunks, &[(Side::Reference, false), (Side::Ours, false)]);
        assert!(fails.verdict().problems.is_empty());
        let passes = report(C, Scenario::Chunks, &[(Side::Ours, true)]);
        assert_eq!(passes.verdict().problems.len(), 1);
    }

    #[test]
    fn the_table_shows_both_servers_side_by_side() {
        let both = report(PHP, Scenario::Echo, &[(Side::Reference, true), (Side::Ours, false)]);
        let mut text = Vec::new();
        both.write_text(&mut text).expect("memory takes it");
        let text = String::from_utf8(text).expect("it is text");
        assert!(text.contains("reference | ours"), "{text}");
        assert!(text.contains("echo  pass | FAIL"), "{text}");
    }
}
