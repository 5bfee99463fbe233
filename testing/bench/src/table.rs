//! The table, and the same as JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::figures::Figures;
use crate::goal::{Check, figures, short};
use crate::machine::Machine;
use crate::rows::{NO_GOAL, Outcome, Row};
use crate::server::Kind;
use crate::trouble::Trouble;

const HEADINGS: [&str; 11] = [
    "row",
    "server",
    "rate/s",
    "CPU us",
    "load us",
    "p50 us",
    "p95 us",
    "p99 us",
    "bytes",
    "/floor",
    "/gearmand",
];

/// A finished row.
pub(crate) struct Finished {
    pub(crate) row: &'static Row,
    pub(crate) repetitions: u64,
    pub(crate) outcome: Vec<(Kind, Result<Figures, Trouble>)>,
}

impl Finished {
    /// The comparisons with the goal; none when our server was left out of the run.
    fn checks(&self) -> Vec<Check> {
        if self.outcome.iter().any(|(kind, _)| kind.is_ours()) {
            (self.row.checks)(&self.outcome)
        } else {
            Vec::new()
        }
    }

    fn verdict(&self) -> &'static str {
        let checks = self.checks();
        if self.row.goal == NO_GOAL {
            "shown"
        } else if checks.is_empty() {
            "not run"
        } else if checks.iter().any(|check| check.met == Some(false)) {
            "missed"
        } else if checks.iter().any(|check| check.met.is_none()) {
            "open"
        } else {
            "met"
        }
    }
}

/// The whole table as text.
pub(crate) fn text(machine: &Machine, rows: &[Finished]) -> String {
    let mut lines: Vec<[String; 11]> = vec![HEADINGS.map(str::to_owned)];
    let mut notes: Vec<String> = vec!["also".to_owned()];
    let mut headings: Vec<(usize, &Finished)> = Vec::new();
    for finished in rows {
        headings.push((lines.len(), finished));
        for (kind, result) in &finished.outcome {
            let (cells, note) = match result {
                Ok(figures) => (cells(finished, *kind, figures), also(figures)),
                Err(trouble) => (empty_cells(finished, *kind), trouble.to_string()),
            };
            lines.push(cells);
            notes.push(note);
        }
    }
    let widths: [usize; 11] = std::array::from_fn(|column| {
        lines.iter().filter_map(|cells| cells.get(column)).map(String::len).max().unwrap_or(0)
    });
    let mut text = machine.to_string();
    for (index, (cells, note)) in lines.iter().zip(&notes).enumerate() {
        for (_, finished) in headings.iter().filter(|(first, _)| *first == index) {
            heading(&mut text, finished);
        }
        for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
            // Names stand left, numbers right.
            match column {
                0 | 1 => push(&mut text, format_args!("{cell:<width$}  ")),
                _ => push(&mut text, format_args!("{cell:>width$}  ")),
            }
        }
        push(&mut text, format_args!("{note}\n"));
    }
    text
}

fn heading(text: &mut String, finished: &Finished) {
    let row = finished.row;
    push(text, format_args!("\n# {} (median of {})\n", row.work, finished.repetitions));
    let checks: Vec<String> =
        finished.checks().iter().map(|check| format!("{}: {}", verdict_of(check), check.text)).collect();
    push(text, format_args!("# goal: {} -> {} [{}]\n", row.goal, finished.verdict(), checks.join(", ")));
}

fn verdict_of(check: &Check) -> &'static str {
    match check.met {
        Some(true) => "met",
        Some(false) => "missed",
        None => "open",
    }
}

fn cells(finished: &Finished, kind: Kind, figures: &Figures) -> [String; 11] {
    let show = |figure: Option<f64>| figure.map_or_else(|| "-".to_owned(), short);
    let latency = figures.latency;
    let [floor, gearmand] = ratios(finished, figures)
        .map(|ratio| ratio.map_or_else(|| "-".to_owned(), |(name, ratio)| format!("{ratio:.2} {name}")));
    [
        finished.row.name.to_owned(),
        kind.name().to_owned(),
        show(figures.rate),
        show(figures.cpu_us),
        show(figures.load_us),
        show(latency.map(|all| all.p50)),
        show(latency.map(|all| all.p95)),
        show(latency.map(|all| all.p99)),
        show(figures.memory),
        floor,
        gearmand,
    ]
}

fn empty_cells(finished: &Finished, kind: Kind) -> [String; 11] {
    let mut cells: [String; 11] = std::array::from_fn(|_| "-".to_owned());
    let [row, server, ..] = &mut cells;
    finished.row.name.clone_into(row);
    kind.name().clone_into(server);
    cells
}

/// The row's key figures as multiples of the floor's and of the reference's.
fn ratios(finished: &Finished, own: &Figures) -> [Option<(&'static str, f64)>; 2] {
    let row = finished.row;
    let ratio = |key: crate::rows::Key, outcome: &Outcome, kind| {
        let base = key.of(figures(outcome, kind)?)?;
        (base > 0.0).then_some((key.short_name(), key.of(own)? / base))
    };
    [
        ratio(row.floor_ratio, &finished.outcome, Kind::Floor),
        ratio(row.gearmand_ratio, &finished.outcome, Kind::Gearmand),
    ]
}

fn also(figures: &Figures) -> String {
    let named: Vec<String> =
        figures.extra.iter().map(|(name, value)| format!("{name} {}", short(*value))).collect();
    named.join(", ")
}

fn push(text: &mut String, part: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    if text.write_fmt(part).is_err() {
        text.push('?');
    }
}

/// The whole table as JSON.
pub(crate) fn json(machine: &Machine, rows: &[Finished]) -> Value {
    let rows: Vec<Value> = rows
        .iter()
        .map(|finished| {
            let checks: Vec<Value> = finished
                .checks()
                .into_iter()
                .map(|check| json!({ "check": check.text, "met": check.met }))
                .collect();
            let servers: Vec<Value> =
                finished.outcome.iter().map(|(kind, result)| server_json(finished, *kind, result)).collect();
            json!({
                "row": finished.row.name,
                "work": finished.row.work,
                "goal": finished.row.goal,
                "verdict": finished.verdict(),
                "checks": checks,
                "repetitions": finished.repetitions,
                "servers": servers,
            })
        })
        .collect();
    json!({ "machine": machine.json(), "rows": rows })
}

fn server_json(finished: &Finished, kind: Kind, result: &Result<Figures, Trouble>) -> Value {
    let figures = match result {
        Ok(figures) => figures,
        Err(trouble) => return json!({ "server": kind.name(), "trouble": trouble.to_string() }),
    };
    let [floor, gearmand] =
        ratios(finished, figures).map(|ratio| ratio.map(|(name, value)| json!({ name: value })));
    let extra: serde_json::Map<String, Value> =
        figures.extra.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    json!({
        "server": kind.name(),
        "jobs_per_second": figures.rate,
        "cpu_us_per_job": figures.cpu_us,
        "load_cpu_us_per_job": figures.load_us,
        "p50_us": figures.latency.map(|all| all.p50),
        "p95_us": figures.latency.map(|all| all.p95),
        "p99_us": figures.latency.map(|all| all.p99),
        "bytes_each": figures.memory,
        "of_floor": floor,
        "of_gearmand": gearmand,
        "also": extra,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows;

    fn finished(ours: Result<Figures, Trouble>) -> Vec<Finished> {
        let row = rows::ALL.iter().find(|row| row.name == "submit-1").unwrap();
        let figures = |cpu| Figures { cpu_us: Some(cpu), rate: Some(10.0), ..Figures::default() };
        let outcome = vec![
            (Kind::Ours, ours),
            (Kind::Gearmand, Err(Trouble::NotInstalled { hint: "apt package gearman-job-server" })),
            (Kind::Floor, Ok(figures(8.0))),
        ];
        vec![Finished { row, repetitions: 5, outcome }]
    }

    fn ours(cpu: f64) -> Result<Figures, Trouble> {
        Ok(Figures { cpu_us: Some(cpu), extra: vec![("held", 3.0)], ..Figures::default() })
    }

    #[test]
    fn the_table_shows_ratios_verdicts_and_missing_peers() {
        let shown = text(&Machine::default(), &finished(ours(10.0)));
        assert!(shown.contains("CPU within 1.3x the floor -> met [met: cpu 10.0 <= 10.4]"), "{shown}");
        assert!(shown.contains("1.25 cpu"), "{shown}");
        assert!(shown.contains("not installed (apt package gearman-job-server)"), "{shown}");
        assert!(shown.contains("held 3.00"), "{shown}");
    }

    #[test]
    fn a_server_of_ours_that_fails_misses_its_goal() {
        let rows = finished(Err(Trouble::Closed { what: "submitting" }));
        let shown = text(&Machine::default(), &rows);
        assert!(shown.contains("-> missed"), "{shown}");
        assert!(shown.contains("closed a connection while submitting"), "{shown}");
        let json = json(&Machine::default(), &rows);
        assert_eq!(json["rows"][0]["verdict"], "missed");
        assert_eq!(json["rows"][0]["servers"][0]["trouble"], "closed a connection while submitting");
    }

    #[test]
    fn every_row_has_a_name_of_its_own() {
        let names: std::collections::HashSet<&str> = rows::ALL.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), rows::ALL.len());
    }
}
