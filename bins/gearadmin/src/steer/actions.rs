//! The subcommands, as they are typed.
//!
//! From: the command line. To: [`super::run`].
//! Never: explains what a command does in another way than its help.

use super::filters::{JobsFilters, LetterFilters};
use clap::{Args, Subcommand, ValueEnum};
use geartrain_proto::command::{Missed, Overlap, PriorityName, Section};
use std::path::PathBuf;

/// What steers the queue of a server.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Policies of functions: attempts, pauses between them, time limits, caps, rates, what is kept
    #[command(subcommand)]
    Policy(PolicyAction),
    /// Give no more jobs of a function to workers; submits are still taken
    Pause(FunctionArgument),
    /// End what pause and drain began
    Resume(FunctionArgument),
    /// Take no more submits of a function; what waits runs dry
    Drain(FunctionArgument),
    /// Jobs that wait or run
    #[command(subcommand)]
    Jobs(JobsAction),
    /// Workers: what they are able to do, what they run, which get no jobs for a while
    Workers,
    /// Dead letters: jobs that used up their attempts, expired, or could not be read
    #[command(subcommand)]
    Dead(DeadAction),
    /// Finished jobs, where the policy of their function keeps them
    #[command(subcommand)]
    Finished(FinishedAction),
    /// Recurring schedules
    #[command(subcommand)]
    Schedule(ScheduleAction),
    /// Why a job or a function does not move, and when it will
    Explain(Explain),
    /// Write policies, schedules, dead letters and background jobs to a file, as lines of JSON
    Export(Export),
    /// Take an export in; what was taken in before stays as it is
    Import(Import),
}

#[derive(Debug, Args)]
pub(crate) struct FunctionArgument {
    /// The function, or a pattern with * and ?
    pub(crate) function: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyAction {
    /// Set values for a function or a pattern of functions
    Set {
        /// The function, or a pattern with * and ?
        function: String,
        /// What is set, as attempts=3 or retry-on=fail,timeout
        #[arg(required = true, value_name = "KEY=VALUE")]
        values: Vec<String>,
    },
    /// Take values back that were set at run time
    Unset {
        /// The function or pattern, as it was set
        function: String,
        /// The keys; none: all of this function or pattern
        #[arg(value_name = "KEY")]
        keys: Vec<String>,
    },
    /// Show all rules, or all values of a function and where each comes from
    Show {
        /// The function
        function: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum JobsAction {
    /// Count jobs
    Count(JobsFilters),
    /// List jobs
    List {
        #[command(flatten)]
        which: JobsFilters,
        #[command(flatten)]
        limit: Limit,
    },
    /// Show jobs with their workloads and attempts
    Show(Handles),
    /// End jobs; clients that wait for them get WORK_FAIL
    Cancel(JobsChange),
    /// Move waiting jobs to another function
    Move {
        #[command(flatten)]
        change: JobsChange,
        /// The function they go to
        #[arg(long, value_name = "FUNCTION")]
        to: String,
    },
    /// Give waiting jobs another priority
    Priority {
        #[command(flatten)]
        change: JobsChange,
        /// Their new priority
        #[arg(long, value_name = "PRIORITY")]
        to: Priority,
    },
    /// End all jobs that wait; those that run go on
    Purge(JobsChange),
}

/// Which jobs a change is for.
#[derive(Debug, Args)]
pub(crate) struct JobsChange {
    #[command(flatten)]
    pub(crate) which: JobsFilters,
    #[command(flatten)]
    pub(crate) consent: Consent,
}

/// What protects from changing more than was meant.
#[derive(Debug, Args)]
pub(crate) struct Consent {
    /// All of them, where nothing else says which
    #[arg(long)]
    pub(crate) all: bool,
    /// Do not ask
    #[arg(long, short = 'y')]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Limit {
    /// Most rows; 0 is no limit. Default: 1000, and with --json no limit
    #[arg(long, value_name = "ROWS")]
    pub(crate) limit: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct Handles {
    /// Handles
    #[arg(required = true, value_name = "HANDLE")]
    pub(crate) handles: Vec<String>,
    /// Write nothing but the workload, as it is; counts for nothing with --json
    #[arg(long)]
    pub(crate) workload: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DeadAction {
    /// Dead letters by error: how many, since when, of which functions
    Groups,
    /// How many there are, and how many were removed by the policies of their functions
    Counts,
    /// List dead letters
    List {
        #[command(flatten)]
        which: LetterFilters,
        #[command(flatten)]
        limit: Limit,
    },
    /// Show dead letters with their workloads and attempts
    Show(Handles),
    /// Put dead letters back into the queue, and follow what becomes of them
    Requeue(Requeue),
    /// Follow a requeue that was left
    Progress {
        /// Its number
        requeue: u64,
    },
    /// Forget dead letters
    Drop(LettersDrop),
    /// Write dead letters to a file, as lines of JSON
    Export {
        /// The file; - is standard output
        file: PathBuf,
        #[command(flatten)]
        which: LetterFilters,
    },
    /// Take an export of dead letters in
    Import(Import),
}

#[derive(Debug, Args)]
pub(crate) struct Requeue {
    #[command(flatten)]
    pub(crate) which: LetterFilters,
    #[command(flatten)]
    pub(crate) consent: Consent,
    /// How fast, as 10/s or 30/m; default all at once
    #[arg(long)]
    pub(crate) rate: Option<String>,
    /// How many go first, and have to complete before the others follow
    #[arg(long, value_name = "JOBS", default_value_t = 0)]
    pub(crate) canary: u32,
    /// The function they go to, instead of their own
    #[arg(long, value_name = "FUNCTION")]
    pub(crate) to: Option<String>,
    /// Their workload, instead of their own
    #[arg(long, value_name = "TEXT", conflicts_with = "workload_file")]
    pub(crate) workload: Option<String>,
    /// File with their workload; - is standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) workload_file: Option<PathBuf>,
    /// Do not wait for what becomes of them
    #[arg(long)]
    pub(crate) detach: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LettersDrop {
    #[command(flatten)]
    pub(crate) which: LetterFilters,
    #[command(flatten)]
    pub(crate) consent: Consent,
}

#[derive(Debug, Subcommand)]
pub(crate) enum FinishedAction {
    /// List finished jobs
    List {
        #[command(flatten)]
        which: LetterFilters,
        #[command(flatten)]
        limit: Limit,
    },
    /// Show finished jobs with their workloads and attempts
    Show(Handles),
    /// Forget finished jobs
    Drop(LettersDrop),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ScheduleAction {
    /// Add a schedule
    Add(ScheduleAdd),
    /// List schedules
    List,
    /// Show a schedule
    Show(ScheduleNamed),
    /// Let the runs of a schedule pass
    Pause(ScheduleNamed),
    /// End that
    Resume(ScheduleNamed),
    /// Submit the job of a schedule now
    Run(ScheduleNamed),
    /// Forget a schedule
    Remove(ScheduleNamed),
}

#[derive(Debug, Args)]
pub(crate) struct ScheduleNamed {
    /// Its name
    pub(crate) name: String,
}

#[derive(Debug, Args)]
pub(crate) struct ScheduleAdd {
    /// Its name
    pub(crate) name: String,
    /// When it runs: five or six cron fields, @hourly and the like, or "every 90s"
    pub(crate) when: String,
    /// Function of its jobs
    pub(crate) function: String,
    /// Time zone, as Europe/Berlin; default the server's
    #[arg(long)]
    pub(crate) zone: Option<String>,
    /// Workload of its jobs
    #[arg(long, value_name = "TEXT", conflicts_with = "workload_file")]
    pub(crate) workload: Option<String>,
    /// File with the workload of its jobs; - is standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) workload_file: Option<PathBuf>,
    /// Priority of its jobs
    #[arg(long)]
    pub(crate) priority: Option<Priority>,
    /// Unique of its jobs
    #[arg(long)]
    pub(crate) unique: Option<String>,
    /// Runs whose time passed while the server was down: left out, made up for by one, or by all
    #[arg(long, default_value = "one")]
    pub(crate) missed: MissedRuns,
    /// A run that is due while the one before waits or runs: left out, submitted too, or joined to it
    #[arg(long, default_value = "queue")]
    pub(crate) overlap: OverlappingRuns,
    /// Replace a schedule of this name
    #[arg(long)]
    pub(crate) replace: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// A handle, or a function: what ends in a colon and a number is a handle
    #[arg(value_name = "HANDLE|FUNCTION", required_unless_present_any = ["handle", "function"])]
    pub(crate) what: Option<String>,
    /// The handle, whatever it looks like
    #[arg(long, conflicts_with_all = ["what", "function"])]
    pub(crate) handle: Option<String>,
    /// The function, whatever it looks like
    #[arg(long, conflicts_with = "what")]
    pub(crate) function: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The file; - is standard output
    pub(crate) file: PathBuf,
    /// What is exported; default all
    #[arg(long, value_name = "SECTION", value_delimiter = ',')]
    pub(crate) section: Vec<ExportedSection>,
    /// The policies of the configuration file too, to be set at run time where they are imported
    #[arg(long)]
    pub(crate) with_file_policies: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The file; - is standard input
    pub(crate) file: PathBuf,
    /// Only check the file
    #[arg(long)]
    pub(crate) check: bool,
}

/// A value of the protocol, as a word of the command line.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident for $of:ident: $($word:ident),*) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
        pub(crate) enum $name { $($word),* }

        impl From<$name> for $of {
            fn from(word: $name) -> Self {
                match word { $($name::$word => $of::$word),* }
            }
        }
    };
}

words!(
    /// A priority.
    Priority for PriorityName: High, Normal, Low
);
words!(
    /// What happens to runs that were missed.
    MissedRuns for Missed: Skip, One, All
);
words!(
    /// What happens to runs that overlap.
    OverlappingRuns for Overlap: Skip, Queue, Coalesce
);
words!(
    /// A section of an export.
    ExportedSection for Section: Policies, Schedules, Dead, Jobs
);
