//! The command line of gearman-manager.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Keeps Gearman workers running, in any language.
///
/// Exit status: 0 done; 1 a file cannot be read or written; 64 wrong usage, or a wrong configuration.
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
    /// Look at a configuration file: print it as it is understood, or all that is wrong with it
    Check(Check),
    /// Make a configuration file from that of GearmanManager or supervisord, and say what each key became
    Import(Import),
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
