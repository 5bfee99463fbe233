//! The command line of gearman-manager.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Keeps Gearman workers running, in any language.
///
/// Without a command: run, with /etc/gearman-manager.toml. Exit status: 0 done; 1 a file cannot be read or written, or
/// no manager answers; 2 the manager refused; 64 wrong usage, or a wrong configuration.
#[derive(Debug, Parser)]
#[command(name = "gearman-manager", version, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    /// Print a shell completion, the manual page or the reference of the configuration file
    #[arg(long, hide = true, value_name = "WHAT")]
    pub(crate) generate: Option<Generated>,

    #[command(subcommand)]
    pub(crate) action: Option<Action>,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Run the programs of a configuration file until told to stop
    Run(Run),
    /// Ask or steer the manager that runs
    Ctl(Ctl),
    /// Look at a configuration file: print it as it is understood, or all that is wrong with it
    Check(Check),
    /// Make a configuration file from that of GearmanManager or supervisord, and say what each key became
    Import(Import),
}

/// Run the programs of a configuration file.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Configuration file
    #[arg(short, long, value_name = "FILE", default_value = DEFAULT_FILE)]
    pub(crate) config: PathBuf,
}

impl Default for Run {
    fn default() -> Self {
        Self { config: DEFAULT_FILE.into() }
    }
}

/// The configuration file when none is named.
const DEFAULT_FILE: &str = "/etc/gearman-manager.toml";

/// Ask or steer the manager that runs.
#[derive(Debug, Args)]
pub(crate) struct Ctl {
    /// Control socket of the manager
    #[arg(short, long, value_name = "PATH", global = true)]
    #[arg(default_value = "/run/gearman-manager/socket")]
    pub(crate) socket: PathBuf,

    /// Print what comes as JSON, a line each
    #[arg(long, global = true)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) action: CtlAction,
}

/// What can be asked of it.
#[derive(Debug, Subcommand)]
pub(crate) enum CtlAction {
    /// Show all processes
    Status {
        /// Only these: NAME or NAME:NUMBER
        what: Option<String>,
    },
    /// Start what does not run; a held crash loop is tried again
    Start {
        /// NAME, NAME:NUMBER or all
        what: String,
    },
    /// Stop, and leave stopped
    Stop {
        /// NAME, NAME:NUMBER or all
        what: String,
        /// Kill at once, in the middle of a job or not; also what was told to stop before
        #[arg(long)]
        now: bool,
    },
    /// Send a signal to processes, and nothing more
    Signal {
        /// NAME, NAME:NUMBER or all
        what: String,
        /// HUP, USR1 or any other name of a signal
        signal: String,
    },
    /// Replace processes by new ones, the first one as a canary
    Restart {
        /// NAME, NAME:NUMBER or all
        what: String,
    },
    /// Change the number of processes
    Scale {
        /// Name of the program
        program: String,
        /// +2: two more; -1: one less; =8: eight; auto: as the configuration says
        #[arg(allow_hyphen_values = true)]
        to: String,
    },
    /// Show the last lines that processes wrote
    Tail {
        /// NAME, NAME:NUMBER or all
        what: String,
        /// Go on with new lines until interrupted
        #[arg(short, long)]
        follow: bool,
        /// Lines of each process
        #[arg(short = 'n', long, default_value_t = 20)]
        lines: usize,
    },
    /// Show what the configuration file would change
    Reread,
    /// Take the configuration file over
    Update,
    /// Stop all programs, then the manager; returns when it has ended
    Shutdown,
}

/// Look at a configuration file.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The configuration file
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// Print JSON instead of TOML
    #[arg(long)]
    pub(crate) json: bool,
}

/// Make a configuration file from another supervisor's.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The INI file of GearmanManager, or supervisord.conf
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// Where to write it; a file that is there is not replaced. Default: standard output
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Command of the workers that take the place of those inside GearmanManager, split at spaces; the functions
    /// follow as arguments
    #[arg(long, value_name = "COMMAND", default_value = "php worker.php", value_delimiter = ' ')]
    pub(crate) worker: Vec<String>,
}

/// Files that are made from the program's own description.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Generated {
    CompletionBash,
    CompletionZsh,
    CompletionFish,
    Man,
    Reference,
}
