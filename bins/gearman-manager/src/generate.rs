//! Shell completions, the manual page and the reference, made from the program's own description.

use crate::arguments::{Arguments, Generated};
use crate::output::print;
use crate::reference::reference;
use anyhow::Result;
use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use std::io::{self, Write};

const NAME: &str = "gearman-manager";

/// Writes one of the generated files to standard output.
pub(crate) fn generate(what: Generated) -> Result<()> {
    let mut command = Arguments::command();
    let mut out = Vec::new();
    let mut complete = |shell| clap_complete::generate(shell, &mut command, NAME, &mut out);
    match what {
        Generated::CompletionBash => complete(Shell::Bash),
        Generated::CompletionZsh => complete(Shell::Zsh),
        Generated::CompletionFish => complete(Shell::Fish),
        Generated::Man => manual(command, &mut out)?,
        Generated::Reference => out = reference().into_bytes(),
    }
    print(&String::from_utf8_lossy(&out))
}

/// One page for all: the commands stand behind the options, each with its own.
fn manual(command: Command, out: &mut Vec<u8>) -> io::Result<()> {
    let page = Man::new(Arguments::command()).section("8");
    page.render_title(out)?;
    page.render_name_section(out)?;
    page.render_synopsis_section(out)?;
    page.render_description_section(out)?;
    page.render_options_section(out)?;
    writeln!(out, ".SH COMMANDS")?;
    for command in command.get_subcommands() {
        commands(command, "", out)?;
    }
    writeln!(out, ".SH FILES\nThe configuration file is described in docs/manager.md.")?;
    page.render_version_section(out)
}

/// A command with its options, then those below it.
fn commands(command: &Command, before: &str, out: &mut Vec<u8>) -> io::Result<()> {
    let name = format!("{before} {}", command.get_name());
    let usage = command.clone().bin_name(name.trim_start()).render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").replace('-', "\\-");
    writeln!(out, ".SS \"{}\"", usage.replace('"', ""))?;
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    writeln!(out, "{}.", about.replace('-', "\\-"))?;
    let mut options = Vec::new();
    // Its help is that of all commands.
    Man::new(command.clone().disable_help_flag(true)).render_options_section(&mut options)?;
    let options = String::from_utf8_lossy(&options).replace(".SH OPTIONS\n", "");
    out.write_all(options.as_bytes())?;
    command.get_subcommands().try_for_each(|command| commands(command, &name, out))
}
