//! The command line.

use std::path::PathBuf;

use crate::dialect::{UNIQUE_BYTES_MAX, UNIQUE_BYTES_MIN};
use crate::policies::Choice;
use crate::rows::{self, Row};
use crate::server::Kind;

/// The text of `--help`.
pub(crate) const HELP: &str = "\
usage: geartrain-bench [OPTION]...
       geartrain-bench floor PORT     run the floor server alone

  --only ROW[,ROW]       only these rows (--list names them)
  --servers NAME[,NAME]  only these: ours, gearmand, beanstalkd, redis, floor; and in the rows about client
                         libraries: ours-async, ours-blocking, libgearman, gearman-rs, rustygear, gear
  --quick                small counts, one repetition: for a look, not for figures
  --json                 print JSON instead of the table
  --deep N               waiting jobs in the row deep-queue (1000000)
  --backlog-jobs N       waiting jobs in the row backlog (1000000); 30000000 needs 20 GB of disk and minutes
  --backlog-queue-memory BYTES
                         its --queue-memory, also with KiB, MiB or GiB behind the number (1GiB, or a quarter
                         of all its workloads where that is less, so that most of them leave memory)
  --backlog-unique BYTES
                         length of its uniques, 16 to 64, or 0 for jobs without one (36)
  --policies FILE        our server with the policies of this configuration file; or builtin: all of them,
                         with values that limit nothing
  --dir DIR              stores and logs, on the disk to measure (target/bench)
  --ours PATH            the gearmand to measure (target/release/gearmand)
  --install              first install the missing peers with apt-get, and client libraries as the interop suite does
  --list                 name the rows and end
";

/// What to do.
#[derive(Debug)]
pub(crate) enum Action {
    Help,
    List,
    Floor { port: u16 },
    Run(Plan),
}

/// What to run.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) rows: Vec<&'static str>,
    pub(crate) servers: Vec<Kind>,
    pub(crate) quick: bool,
    pub(crate) json: bool,
    pub(crate) install: bool,
    pub(crate) deep: Option<u64>,
    pub(crate) backlog_jobs: Option<u64>,
    pub(crate) backlog_queue_memory: Option<u64>,
    pub(crate) backlog_unique: usize,
    pub(crate) policies: Option<Choice>,
    pub(crate) dir: Option<PathBuf>,
    pub(crate) ours: Option<PathBuf>,
}

/// Parses the arguments after the program's name.
///
/// # Errors
///
/// A sentence about the first argument that is wrong.
pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Action, String> {
    let mut plan = Plan {
        rows: rows::ALL.iter().map(|row: &Row| row.name).collect(),
        servers: Kind::everything().collect(),
        quick: false,
        json: false,
        install: false,
        deep: None,
        backlog_jobs: None,
        backlog_queue_memory: None,
        backlog_unique: 36,
        policies: None,
        dir: None,
        ours: None,
    };
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let (name, inline) = match argument.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (argument, None),
        };
        let mut value = || inline.clone().or_else(|| arguments.next()).ok_or(format!("{name} needs a value"));
        match name.as_str() {
            "-h" | "--help" => return Ok(Action::Help),
            "--list" => return Ok(Action::List),
            "floor" => return Ok(Action::Floor { port: number(&value()?)? }),
            "--quick" => plan.quick = true,
            "--json" => plan.json = true,
            "--install" => plan.install = true,
            "--only" => plan.rows = value()?.split(',').map(row).collect::<Result<_, _>>()?,
            "--servers" => plan.servers = value()?.split(',').map(server).collect::<Result<_, _>>()?,
            "--deep" => plan.deep = Some(number(&value()?)?),
            "--backlog-jobs" => plan.backlog_jobs = Some(number(&value()?)?),
            "--backlog-queue-memory" => plan.backlog_queue_memory = Some(bytes(&value()?)?),
            "--backlog-unique" => plan.backlog_unique = unique_bytes(&value()?)?,
            "--policies" => plan.policies = Some(policies(&value()?)),
            "--dir" => plan.dir = Some(value()?.into()),
            "--ours" => plan.ours = Some(value()?.into()),
            _ => return Err(format!("unknown argument {name}")),
        }
    }
    Ok(Action::Run(plan))
}

fn number<N: std::str::FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("{text} is not a number in range"))
}

fn bytes(text: &str) -> Result<u64, String> {
    let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
    let (digits, unit) = units
        .into_iter()
        .find_map(|(name, unit)| Some((text.strip_suffix(name)?, unit)))
        .unwrap_or((text, 1_u64));
    number::<u64>(digits)?.checked_mul(unit).ok_or_else(|| format!("{text} is not a number in range"))
}

fn unique_bytes(text: &str) -> Result<usize, String> {
    let bytes = number(text)?;
    if bytes == 0 || (UNIQUE_BYTES_MIN..=UNIQUE_BYTES_MAX).contains(&bytes) {
        return Ok(bytes);
    }
    Err(format!("a unique has {UNIQUE_BYTES_MIN} to {UNIQUE_BYTES_MAX} bytes, or 0 for none, not {bytes}"))
}

fn policies(name: &str) -> Choice {
    if name == "builtin" { Choice::Builtin } else { Choice::File(name.into()) }
}

fn row(name: &str) -> Result<&'static str, String> {
    let known = rows::ALL.iter().find(|row| row.name == name);
    known.map(|row| row.name).ok_or_else(|| format!("there is no row {name} (hint: --list)"))
}

fn server(name: &str) -> Result<Kind, String> {
    Kind::everything().find(|kind| kind.name() == name).ok_or_else(|| format!("there is no server {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_line(line: &str) -> Result<Action, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn rows_servers_and_switches_are_taken() {
        let Ok(Action::Run(plan)) = parse_line("--quick --only drain,epoch --servers=ours,floor --deep 5")
        else {
            panic!("not a plan");
        };
        assert_eq!((plan.quick, plan.json, plan.deep), (true, false, Some(5)));
        assert_eq!(plan.rows, ["drain", "epoch"]);
        assert_eq!(plan.servers, [Kind::Ours, Kind::Floor]);
    }

    #[test]
    fn policies_are_the_builtin_ones_or_a_file() {
        let taken = |line| match parse_line(line) {
            Ok(Action::Run(plan)) => plan.policies,
            other => panic!("not a plan: {other:?}"),
        };
        assert_eq!(taken("--quick"), None);
        assert_eq!(taken("--policies builtin"), Some(Choice::Builtin));
        assert_eq!(taken("--policies=mine.toml"), Some(Choice::File("mine.toml".into())));
    }

    #[test]
    fn the_backlog_has_a_length_a_budget_and_uniques() {
        let taken = |line| match parse_line(line) {
            Ok(Action::Run(plan)) => (plan.backlog_jobs, plan.backlog_queue_memory, plan.backlog_unique),
            other => panic!("not a plan: {other:?}"),
        };
        assert_eq!(taken("--only backlog"), (None, None, 36));
        let given = "--backlog-jobs 30000000 --backlog-queue-memory=16MiB --backlog-unique 0";
        assert_eq!(taken(given), (Some(30_000_000), Some(16 << 20), 0));
        assert_eq!(taken("--backlog-queue-memory 4096").1, Some(4096));
        assert_eq!(
            parse_line("--backlog-unique 15").unwrap_err(),
            "a unique has 16 to 64 bytes, or 0 for none, not 15"
        );
        assert_eq!(parse_line("--backlog-queue-memory 16MB").unwrap_err(), "16MB is not a number in range");
        let huge = "--backlog-queue-memory 99999999999GiB";
        assert_eq!(parse_line(huge).unwrap_err(), "99999999999GiB is not a number in range");
    }

    #[test]
    fn wrong_arguments_are_named() {
        assert_eq!(parse_line("--only drains").unwrap_err(), "there is no row drains (hint: --list)");
        assert_eq!(parse_line("--deep many").unwrap_err(), "many is not a number in range");
        assert_eq!(parse_line("--dir").unwrap_err(), "--dir needs a value");
        assert_eq!(parse_line("--fast").unwrap_err(), "unknown argument --fast");
        assert_eq!(parse_line("floor 70000").unwrap_err(), "70000 is not a number in range");
    }
}
