//! The command line of gearman: the reference's options, each with a long name beside it.

use anyhow::{Context, bail};
use clap::{Parser, ValueEnum};
use geartrain_client::{SERVERS_VARIABLE, ServerAddress, parse_port};
use geartrain_proto::Priority;
use geartrain_proto::limits::{FUNCTION_BYTES_MAX, UNIQUE_BYTES_MAX};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// Variable that overrides --host and --port, as in the reference.
pub(crate) const SERVER_VARIABLE: &str = "GEARMAN_SERVER";

/// Submit jobs to Gearman servers, or work on them.
///
/// As a client, each ARGUMENT is the workload of one job per function; without one, standard input is. Results
/// go to standard output. With several servers, the first that answers takes the jobs.
///
/// As a worker (-w), the command runs once per job with the workload on its standard input; what it prints is
/// the result, and an exit status other than 0 fails the job. Without a command, workloads are printed. All
/// servers are worked for. SIGTERM and SIGINT let the running job finish; a second one ends it.
///
/// Exit status: 0 done; 1 a job failed, a server could not be reached, was silent or went away, or wrong usage;
/// 2 a server refused a job.
#[derive(Debug, Parser)]
#[command(name = "gearman", version, disable_help_flag = true, disable_version_flag = true)]
#[command(args_override_self = true)]
#[command(
    override_usage = "gearman -f FUNCTION [OPTIONS] [ARGUMENT...]\n       gearman -w -f FUNCTION [OPTIONS] [--] [COMMAND [ARGUMENT...]]"
)]
pub(crate) struct Arguments {
    /// Function to call or to work on; may be repeated
    #[arg(short = 'f', long, value_name = "FUNCTION", allow_hyphen_values = true)]
    pub(crate) function: Vec<OsString>,

    /// Server: HOST, HOST:PORT (an IPv6 address in brackets), unix:PATH or a list with commas; may be repeated.
    /// Default: the servers in GEARMAN_SERVERS, else localhost. GEARMAN_SERVER overrides this option
    #[arg(short = 'h', long, value_name = "HOST")]
    host: Vec<String>,

    /// Port number or service for hosts that name none
    #[arg(short = 'p', long, default_value = "4730")]
    port: String,

    /// Longest silence of a server, and of a worker the longest wait for a job; below 0 is no limit
    #[arg(short = 't', long, value_name = "MS", allow_negative_numbers = true)]
    timeout: Option<i64>,

    /// Write the process number to this file, and remove it at the end
    #[arg(short = 'i', long, value_name = "PATH")]
    pub(crate) pid_file: Option<PathBuf>,

    /// Encrypt the connection (refused: this build has no TLS)
    #[arg(short = 'S', long)]
    ssl: bool,

    /// Print the handle of each job
    #[arg(short = 'v', long)]
    pub(crate) verbose: bool,

    /// Print this help
    #[arg(short = 'H', long, action = clap::ArgAction::Help)]
    help: Option<bool>,

    /// Print the version of gearman
    #[arg(short = 'V', long, action = clap::ArgAction::Version)]
    version: Option<bool>,

    /// Go to the background, without terminal and output
    #[arg(short = 'd', long)]
    pub(crate) daemon: bool,

    /// Client: submit background jobs, whose results nobody waits for
    #[arg(short = 'b', long)]
    pub(crate) background: bool,

    /// Client: high priority
    #[arg(short = 'I', long, overrides_with = "low")]
    high: bool,

    /// Client: low priority
    #[arg(short = 'L', long, overrides_with = "high")]
    low: bool,

    /// Client: one job per line of standard input. Worker: one data packet per line of output
    #[arg(short = 'n', long)]
    per_line: bool,

    /// As -n, without the newlines
    #[arg(short = 'N', long)]
    strip_newline: bool,

    /// Client: begin each output with the name of its function
    #[arg(short = 'P', long)]
    pub(crate) prefix: bool,

    /// Client: submit one job with an empty workload, without reading standard input
    #[arg(short = 's', long)]
    pub(crate) no_input: bool,

    /// Client: unique of the jobs; `-` takes the workload, `#` a hash of it [default: a random one each]
    #[arg(short = 'u', long, allow_hyphen_values = true)]
    pub(crate) unique: Option<String>,

    /// Worker: work on jobs
    #[arg(short = 'w', long)]
    pub(crate) worker: bool,

    /// Worker: leave after this many jobs; a wait that -t ends counts as one
    #[arg(short = 'c', long, value_name = "COUNT")]
    pub(crate) count: Option<u64>,

    /// Workloads, or the command of a worker
    #[arg(value_name = "ARGUMENT")]
    pub(crate) arguments: Vec<OsString>,

    /// Print a shell completion or the manual page
    #[arg(long, hide = true, value_name = "WHAT")]
    pub(crate) generate: Option<Generated>,
}

/// Files that are made from the command line's own description.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Generated {
    CompletionBash,
    CompletionZsh,
    CompletionFish,
    Man,
}

/// What becomes of lines: of the input of a client, of the output of a worker's command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lines {
    /// They do not matter: all is one.
    Whole,
    /// Each stands for itself, its newline included.
    Each,
    /// Each stands for itself, without its newline.
    Stripped,
}

impl Lines {
    /// One line as it is passed on.
    pub(crate) fn pass(self, line: &[u8]) -> &[u8] {
        if self == Lines::Stripped { line.strip_suffix(b"\n").unwrap_or(line) } else { line }
    }
}

impl Arguments {
    /// What `-n` and `-N` say.
    pub(crate) fn lines(&self) -> Lines {
        match (self.strip_newline, self.per_line) {
            (true, _) => Lines::Stripped,
            (false, true) => Lines::Each,
            (false, false) => Lines::Whole,
        }
    }

    /// What `-I` and `-L` say; the last of them counts.
    pub(crate) fn priority(&self) -> Priority {
        match (self.high, self.low) {
            (true, _) => Priority::High,
            (false, true) => Priority::Low,
            (false, false) => Priority::Normal,
        }
    }

    /// What `-t` says; `None` is no limit.
    pub(crate) fn silence(&self) -> Option<Duration> {
        self.timeout.and_then(|ms| u64::try_from(ms).ok()).map(Duration::from_millis)
    }

    /// Refuses what is wrong in itself, before a server is asked.
    ///
    /// # Errors
    /// With what is wrong and the way out.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        if self.ssl {
            bail!("-S is refused: this build has no TLS (hint: reach the server over loopback or a tunnel)");
        }
        if self.function.is_empty() {
            bail!("no function given (hint: -f FUNCTION; -H prints all options)");
        }
        for function in &self.function {
            if function.is_empty() {
                bail!("the name of a function is empty");
            }
            if function.len() > FUNCTION_BYTES_MAX {
                bail!(
                    "function name of {} bytes is over the limit of {FUNCTION_BYTES_MAX} bytes",
                    function.len()
                );
            }
        }
        if let Some(unique) = &self.unique
            && unique.len() > UNIQUE_BYTES_MAX
        {
            bail!("unique of {} bytes is over the limit of {UNIQUE_BYTES_MAX} bytes", unique.len());
        }
        Ok(())
    }

    /// The servers: of `GEARMAN_SERVER`, else of `-h`, else of `GEARMAN_SERVERS`, else the one on this machine.
    ///
    /// # Errors
    /// When one of them is no address.
    pub(crate) fn servers(&self) -> anyhow::Result<Vec<ServerAddress>> {
        let port = parse_port(&self.port).context("cannot use -p")?;
        let of_variable = |name: &str| std::env::var(name).ok().filter(|list| !list.trim().is_empty());
        if let Some(list) = of_variable(SERVER_VARIABLE) {
            return ServerAddress::parse_list(&list, port)
                .with_context(|| format!("cannot use the variable {SERVER_VARIABLE}"));
        }
        if !self.host.is_empty() {
            return ServerAddress::parse_list(&self.host.join(","), port).context("cannot use -h");
        }
        if let Some(list) = of_variable(SERVERS_VARIABLE) {
            return ServerAddress::parse_list(&list, port)
                .with_context(|| format!("cannot use the variable {SERVERS_VARIABLE}"));
        }
        Ok(vec![ServerAddress::Tcp { host: "localhost".to_owned(), port }])
    }
}
