//! `geartrain-interop`: installs the peers, plays the scenarios, prints the table.
//!
//! From: a person or the workspace's test command. To: the table or JSON on stdout, talk on stderr.
//! Exit codes: 0 all is as it must be, 1 something is not or is missing, 64 wrong usage.

use geartrain_interop::library::Peers;
use geartrain_interop::matrix::{self, Pair, Plan};
use geartrain_interop::report::Report;
use geartrain_interop::scenario::Scenario;
use geartrain_interop::server::{REFERENCE, Side, built_server};
use geartrain_interop::{install, workspace_root};
use std::collections::HashSet;
use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "\
usage: geartrain-interop install
       geartrain-interop [run] [--server reference|ours|both] [--ours PATH] [--only PAIR/SCENARIO]...
                         [--jobs N] [--json]

  --server  which servers, side by side (both)
  --ours    this project's server ($GEARTRAIN_GEARMAND, or the newest built in the target folder)
  --only    a pair such as php or php>c, a scenario such as echo; * for all; may be repeated
  --jobs    how many cells at a time (4)
  --json    one JSON object instead of the table
";

struct Options {
    sides: Vec<Side>,
    ours: Option<PathBuf>,
    only: Vec<(String, String)>,
    jobs: usize,
    json: bool,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = match words.first().map(String::as_str) {
        Some("install") if words.len() == 1 => {
            install::install(&workspace_root(), &mut std::io::stderr()).map(|()| true).map_err(Into::into)
        }
        Some("-h" | "--help") => tell_usage(&mut std::io::stdout()),
        _ => match parse(&words) {
            Ok(options) => run(&options),
            Err(reason) => {
                complain(&reason);
                tell_usage(&mut std::io::stderr()).ok();
                return ExitCode::from(64);
            }
        },
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn tell_usage(out: &mut impl Write) -> Result<bool, Box<dyn Error>> {
    out.write_all(USAGE.as_bytes())?;
    Ok(true)
}

fn complain(reason: &str) {
    // A closed stderr leaves nobody to tell.
    writeln!(std::io::stderr(), "geartrain-interop: {reason}").ok();
}

fn parse(words: &[String]) -> Result<Options, String> {
    let mut options = Options {
        sides: vec![Side::Reference, Side::Ours],
        ours: std::env::var_os("GEARTRAIN_GEARMAND").map(PathBuf::from),
        only: Vec::new(),
        jobs: 4,
        json: false,
    };
    let mut words = words.iter().map(String::as_str).peekable();
    words.next_if_eq(&"run");
    while let Some(word) = words.next() {
        if word == "--json" {
            options.json = true;
            continue;
        }
        let value = words.next().ok_or_else(|| format!("{word} is unknown or wants a value"))?;
        match word {
            "--server" => {
                options.sides = match value {
                    "reference" => vec![Side::Reference],
                    "ours" => vec![Side::Ours],
                    "both" => vec![Side::Reference, Side::Ours],
                    _ => return Err(format!("there is no server {value}")),
                }
            }
            "--ours" => options.ours = Some(PathBuf::from(value)),
            "--only" => {
                let (pair, scenario) = value.split_once('/').unwrap_or((value, "*"));
                options.only.push((pair.to_owned(), scenario.to_owned()));
            }
            "--jobs" => options.jobs = value.parse().map_err(|_| format!("{value} is not a number"))?,
            _ => return Err(format!("there is no option {word}")),
        }
    }
    Ok(options)
}

/// Plays what is wanted; true when nothing is wrong.
fn run(options: &Options) -> Result<bool, Box<dyn Error>> {
    let root = workspace_root();
    let missing = install::missing(&root);
    if !missing.is_nothing() {
        let missing = missing.describe();
        return Err(format!("missing: {missing}; hint: cargo run -p geartrain-interop -- install").into());
    }
    let wanted = wanted(&options.only);
    if wanted.is_empty() {
        return Err("--only names no cell of the table".into());
    }
    let lacks = matrix::not_offered(&wanted);
    let peers = Peers::in_workspace(&root);
    let folder = std::env::temp_dir().join(format!("geartrain-interop-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let plan = Plan {
        servers: servers(options)?,
        cells: wanted.iter().copied().filter(|place| !lacks.contains_key(place)).collect(),
        peers: peers.clone(),
        folder: folder.clone(),
        jobs: options.jobs,
    };
    let surprises = matrix::surprises(&peers, &lacks.values().copied().collect::<HashSet<_>>());
    let cells = matrix::run(&plan);
    fs::remove_dir_all(&folder)?;
    let report = Report::new(&wanted, &options.sides, cells?, lacks, surprises?);
    let mut out = std::io::stdout().lock();
    if options.json {
        writeln!(out, "{}", report.json())?;
    } else {
        report.write_text(&mut out)?;
    }
    Ok(report.verdict().problems.is_empty())
}

fn servers(options: &Options) -> Result<Vec<(Side, PathBuf)>, Box<dyn Error>> {
    let mut servers = Vec::new();
    for side in &options.sides {
        let program = match side {
            Side::Reference => Some(PathBuf::from(REFERENCE)),
            Side::Ours => options.ours.clone().or_else(|| built_server(&workspace_root())),
        };
        let program = program.filter(|program| program.is_file()).ok_or_else(|| {
            let hint = "cargo build --release -p gearmand, or --ours PATH";
            format!("no server for the side {}; hint: {hint}", side.name())
        })?;
        servers.push((*side, program.canonicalize()?));
    }
    Ok(servers)
}

fn wanted(only: &[(String, String)]) -> Vec<(Pair, Scenario)> {
    let fits = |pattern: &str, name: &str| pattern == "*" || pattern == name;
    let places = Pair::all().into_iter().flat_map(|pair| Scenario::ALL.map(|scenario| (pair, scenario)));
    places
        .filter(|(pair, scenario)| {
            only.is_empty() || only.iter().any(|(p, s)| fits(p, &pair.name()) && fits(s, scenario.name()))
        })
        .collect()
}
