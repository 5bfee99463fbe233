//! Shell completions and the manual page, made from the description of the command line.

use crate::arguments::{Arguments, Generated};
use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use std::io::{self, Write};

/// Writes one of the generated files to standard output.
///
/// # Errors
/// When standard output does not take it.
pub(crate) fn generate(what: Generated) -> io::Result<()> {
    let mut command = Arguments::command();
    let mut out = Vec::new();
    let mut complete = |shell| clap_complete::generate(shell, &mut command, "gearadmin", &mut out);
    match what {
        Generated::CompletionBash => complete(Shell::Bash),
        Generated::CompletionZsh => complete(Shell::Zsh),
        Generated::CompletionFish => complete(Shell::Fish),
        Generated::Man => manual(command, &mut out)?,
    }
    io::stdout().lock().write_all(&out)
}

/// One page for all: the commands stand behind the options, each with its own.
fn manual(command: Command, out: &mut Vec<u8>) -> io::Result<()> {
    let without_commands = Arguments::command().disable_help_subcommand(true);
    let page = Man::new(without_commands);
    page.render_title(out)?;
    page.render_name_section(out)?;
    page.render_synopsis_section(out)?;
    page.render_description_section(out)?;
    page.render_options_section(out)?;
    writeln!(out, ".SH COMMANDS")?;
    for command in command.get_subcommands() {
        commands(command, "", out)?;
    }
    page.render_version_section(out)
}

/// A command, or those below it.
fn commands(command: &Command, before: &str, out: &mut Vec<u8>) -> io::Result<()> {
    let name = format!("{before} {}", command.get_name());
    if command.has_subcommands() {
        return command.get_subcommands().try_for_each(|command| commands(command, &name, out));
    }
    let usage = command.clone().bin_name(name.trim_start()).render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").replace('-', "\\-");
    writeln!(out, ".SS \"{}\"", usage.replace('"', ""))?;
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    writeln!(out, "{}.", about.replace('-', "\\-"))?;
    let mut options = Vec::new();
    // Its help is that of all commands.
    Man::new(command.clone().disable_help_flag(true)).render_options_section(&mut options)?;
    let options = String::from_utf8_lossy(&options).replace(".SH OPTIONS\n", "");
    out.write_all(options.as_bytes())
}
