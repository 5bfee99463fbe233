//! The command line of gearadmin: the reference's options, and our own subcommands beside them.

use crate::steer::Action;
use clap::{Parser, ValueEnum};
use geartrain_client::{TextCommand, Waiting, Word};
use std::time::Duration;

/// Administration of Gearman job servers.
///
/// Several actions in one call run in this order: --getpid, --create-function, --maxqueue, --drop-function,
/// --cancel-job, --show-jobs, --show-unique-jobs, --server-verbose, --server-version, --workers,
/// --priority-status, --status. The commands need the gearmand of Geartrain; COMMAND --help explains each. Those
/// that only look ask every server that is given, those that change something take one.
///
/// Exit status: 0 done; 1 wrong usage, or a server could not be reached or understood; 2 a server refused, or a
/// requeue stopped.
#[derive(Debug, Parser)]
#[command(name = "gearadmin", version, disable_help_flag = true, disable_version_flag = true)]
#[command(infer_long_args = true, args_override_self = true)]
#[command(override_usage = "gearadmin [OPTIONS] ACTION...\n       gearadmin [OPTIONS] COMMAND")]
pub(crate) struct Arguments {
    /// Server to ask: HOST, HOST:PORT (an IPv6 address in brackets), unix:PATH or a list with commas; may be
    /// repeated. Default: the servers in GEARMAN_SERVERS, else localhost
    #[arg(short = 'h', long, value_name = "HOST", global = true, help_heading = "Connection and output")]
    pub(crate) host: Vec<String>,

    /// Port number or service for hosts that name none
    #[arg(short = 'p', long, default_value = "4730", global = true, help_heading = "Connection and output")]
    pub(crate) port: String,

    /// Encrypt the connection (refused: this build has no TLS)
    #[arg(short = 'S', long, global = true, help_heading = "Connection and output")]
    pub(crate) ssl: bool,

    /// Longest silence of a server, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 60_000, value_parser = clap::value_parser!(u64).range(1..))]
    #[arg(global = true, help_heading = "Connection and output")]
    timeout: u64,

    /// Print JSON: an object per reply on a line of its own; of a command, an object per row
    #[arg(long, global = true, help_heading = "Connection and output")]
    pub(crate) json: bool,

    /// Largest reply taken from a server, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = geartrain_client::limits::REPLY_BYTES_MAX_DEFAULT)]
    #[arg(global = true, help_heading = "Connection and output")]
    pub(crate) reply_bytes_max: u64,

    /// Process number of the server
    #[arg(long)]
    getpid: bool,

    /// Create a function without a worker or job
    #[arg(long, value_name = "FUNCTION")]
    create_function: Vec<String>,

    /// Bound the jobs of a function: nothing for no bound, N for all, or HIGH NORMAL LOW
    #[arg(long, value_names = ["FUNCTION", "N|HIGH", "NORMAL", "LOW"], num_args = 1..=4)]
    maxqueue: Vec<String>,

    /// Forget a function; refused while workers or jobs of it are there
    #[arg(long, value_name = "FUNCTION")]
    drop_function: Vec<String>,

    /// With --drop-function: cancel the waiting jobs of the function
    #[arg(long, requires = "drop_function")]
    force: bool,

    /// Take a job out of the queue
    #[arg(long, value_name = "HANDLE")]
    cancel_job: Vec<String>,

    /// List jobs: handle, retries, ignored, background
    #[arg(long)]
    show_jobs: bool,

    /// List the uniques of jobs
    #[arg(long)]
    show_unique_jobs: bool,

    /// What the server logs
    #[arg(long)]
    server_verbose: bool,

    /// Version of the server
    #[arg(long)]
    server_version: bool,

    /// List connections: number, address, client id, functions
    #[arg(long)]
    workers: bool,

    /// List functions: waiting jobs of high, normal and low priority, workers
    #[arg(long)]
    priority_status: bool,

    /// List functions: jobs, running jobs, workers
    #[arg(long)]
    status: bool,

    /// Print this help
    #[arg(long, global = true, action = clap::ArgAction::Help)]
    help: Option<bool>,

    /// Print the version of gearadmin
    #[arg(short = 'V', long, action = clap::ArgAction::Version)]
    version: Option<bool>,

    /// Print a shell completion or the manual page
    #[arg(long, hide = true, value_name = "WHAT")]
    pub(crate) generate: Option<Generated>,

    #[command(subcommand)]
    pub(crate) action: Option<Action>,
}

/// Files that are made from the command line's own description.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Generated {
    CompletionBash,
    CompletionZsh,
    CompletionFish,
    Man,
}

impl Arguments {
    /// The longest silence of a server.
    pub(crate) fn silence(&self) -> Duration {
        Duration::from_millis(self.timeout)
    }

    /// The text commands asked for, in the order of the reference.
    ///
    /// # Errors
    /// When a name cannot stand in a text command, or a bound is no number.
    pub(crate) fn commands(&self) -> anyhow::Result<Vec<TextCommand>> {
        let mut commands = Vec::new();
        let mut when = |asked: bool, command: TextCommand| commands.extend(asked.then_some(command));
        when(self.getpid, TextCommand::GetPid);
        for function in &self.create_function {
            when(true, TextCommand::CreateFunction(Word::parse(function)?));
        }
        if let Some((function, bounds)) = self.maxqueue.split_first() {
            let bounds = bounds.iter().map(|bound| parse_bound(bound)).collect::<anyhow::Result<_>>()?;
            when(true, TextCommand::MaxQueue { function: Word::parse(function)?, bounds });
        }
        for function in &self.drop_function {
            let waiting = if self.force { Waiting::Cancel } else { Waiting::Keep };
            when(true, TextCommand::DropFunction { function: Word::parse(function)?, waiting });
        }
        for handle in &self.cancel_job {
            when(true, TextCommand::CancelJob(Word::parse(handle)?));
        }
        when(self.show_jobs, TextCommand::ShowJobs);
        when(self.show_unique_jobs, TextCommand::ShowUniqueJobs);
        when(self.server_verbose, TextCommand::Verbose);
        when(self.server_version, TextCommand::Version);
        when(self.workers, TextCommand::Workers);
        when(self.priority_status, TextCommand::PriorityStatus);
        when(self.status, TextCommand::Status);
        Ok(commands)
    }
}

fn parse_bound(text: &str) -> anyhow::Result<u32> {
    text.parse().map_err(|_| anyhow::anyhow!("bound {text:?} is not a number (hint: 0 is no bound)"))
}
