//! Benchmarks against the floor and other job servers.
//!
//! The way of a figure: `args` says what to run, `run` goes through `rows`, each row starts a `server`, sends a
//! `scripts` conversation through `load`, takes CPU and memory from `process`, and `table` prints the median of the
//! repetitions beside the `goal`. README.md says what each row does.

mod args;
mod dialect;
mod disk;
mod figures;
mod floor;
mod goal;
mod library;
mod load;
mod machine;
mod packet;
mod peer;
mod policies;
mod process;
mod rows;
mod run;
mod sample;
mod scripts;
mod server;
mod table;
mod trouble;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use args::{Action, Plan};
use dialect::Shape;
use library::Programs;
use machine::Machine;
use policies::Policies;
use server::{Backlog, Kind, Lab};

/// Exit code for wrong usage.
const USAGE: u8 = 64;

/// What our server has by default, in bytes.
const QUEUE_MEMORY: u64 = 1 << 30;

fn main() -> ExitCode {
    let done = match args::parse(std::env::args().skip(1)) {
        Ok(Action::Help) => {
            print(args::HELP);
            Ok(())
        }
        Ok(Action::List) => {
            rows::ALL.iter().for_each(|row| print(&format!("{:<20} {}\n", row.name, row.work)));
            Ok(())
        }
        Ok(Action::Floor { port }) => floor::serve(port).map_err(|trouble| trouble.to_string()),
        Ok(Action::Run(plan)) => bench(&plan),
        Err(wrong) => {
            eprintln!("geartrain-bench: {wrong}");
            return ExitCode::from(USAGE);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("geartrain-bench: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn bench(plan: &Plan) -> Result<(), String> {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    let target = target.canonicalize().unwrap_or(target);
    let dir = plan.dir.clone().unwrap_or_else(|| target.join("bench"));
    std::fs::create_dir_all(&dir).map_err(|error| format!("cannot make {}: {error}", dir.display()))?;
    let dir = dir.canonicalize().unwrap_or(dir);
    let policies = plan.policies.as_ref().map(|choice| Policies::set_up(choice, &dir)).transpose();
    let mut lab = Lab {
        policies: policies.map_err(|trouble| trouble.to_string())?,
        dir,
        ours: plan.ours.clone().map_or_else(|| target.join("release/gearmand"), absolute),
        quick: plan.quick,
        files: run::raise_file_limit(),
        backlog: backlog(plan),
        programs: Programs::none(),
        deep: plan.deep.unwrap_or(if plan.quick { 50_000 } else { 1_000_000 }).max(20_000),
    };
    if plan.install {
        run::install(&lab)?;
    }
    let is_library = |kind: &Kind| matches!(kind, Kind::Library(_)) && plan.servers.contains(kind);
    if rows::ALL.iter().any(|row| plan.rows.contains(&row.name) && row.servers.iter().any(is_library)) {
        lab.programs = Programs::build(&target);
    }
    let mut machine = Machine::look(&lab.dir).map_err(|trouble| trouble.to_string())?;
    machine.policies = lab.policies.as_ref().map(|policies| policies.name.clone());
    let finished: Vec<table::Finished> = rows::ALL
        .iter()
        .filter(|row| plan.rows.contains(&row.name))
        .map(|row| run::run(row, &lab, &plan.servers))
        .collect();
    if plan.json {
        print(&format!("{:#}\n", table::json(&machine, &finished)));
    } else {
        print(&table::text(&machine, &finished));
    }
    Ok(())
}

/// By default most workloads leave memory, however many jobs there are.
fn backlog(plan: &Plan) -> Backlog {
    let jobs = plan.backlog_jobs.unwrap_or(if plan.quick { 100_000 } else { 1_000_000 }).max(100_000);
    let quarter = jobs.saturating_mul(Shape::WORKLOAD_BYTES) / 4;
    Backlog {
        jobs,
        queue_memory: plan.backlog_queue_memory.unwrap_or(QUEUE_MEMORY.min(quarter)),
        unique_bytes: plan.backlog_unique,
    }
}

fn absolute(path: PathBuf) -> PathBuf {
    path.canonicalize().unwrap_or(path)
}

#[expect(clippy::print_stdout, reason = "the table is this program's data")]
fn print(text: &str) {
    print!("{text}");
}
