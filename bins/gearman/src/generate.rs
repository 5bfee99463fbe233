//! Shell completions and the manual page, made from the description of the command line.

use crate::arguments::{Arguments, Generated};
use clap::CommandFactory;
use clap_complete::Shell;
use std::io;

/// Writes one of the generated files to standard output.
///
/// # Errors
/// When standard output does not take it.
pub(crate) fn generate(what: Generated) -> io::Result<()> {
    let mut command = Arguments::command();
    let mut out = Vec::new();
    let mut complete = |shell| clap_complete::generate(shell, &mut command, "gearman", &mut out);
    match what {
        Generated::CompletionBash => complete(Shell::Bash),
        Generated::CompletionZsh => complete(Shell::Zsh),
        Generated::CompletionFish => complete(Shell::Fish),
        Generated::Man => clap_mangen::Man::new(command).render(&mut out)?,
    }
    io::Write::write_all(&mut io::stdout().lock(), &out)
}
