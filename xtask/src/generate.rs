//! Files made from the programs' own options, so that they cannot disagree with them.

use crate::shell::{capture, cargo, root};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Writes nothing; fails where a file is not what would be written.
    #[arg(long)]
    check: bool,
}

/// What each program can write, and where it goes.
const FILES: &[(&str, &str, &str)] = &[
    ("gearmand", "man", "docs/man/gearmand.8"),
    ("gearmand", "completion-bash", "docs/completions/gearmand.bash"),
    ("gearmand", "completion-zsh", "docs/completions/_gearmand"),
    ("gearmand", "completion-fish", "docs/completions/gearmand.fish"),
    ("gearmand", "reference", "docs/options.md"),
    ("gearmand", "sample-config", "docs/gearmand.toml"),
    ("gearman", "man", "docs/man/gearman.1"),
    ("gearman", "completion-bash", "docs/completions/gearman.bash"),
    ("gearman", "completion-zsh", "docs/completions/_gearman"),
    ("gearman", "completion-fish", "docs/completions/gearman.fish"),
    ("gearman-manager", "man", "docs/man/gearman-manager.8"),
    ("gearman-manager", "completion-bash", "docs/completions/gearman-manager.bash"),
    ("gearman-manager", "completion-zsh", "docs/completions/_gearman-manager"),
    ("gearman-manager", "completion-fish", "docs/completions/gearman-manager.fish"),
    ("gearman-manager", "reference", "docs/manager.md"),
    ("gearadmin", "man", "docs/man/gearadmin.1"),
    ("gearadmin", "completion-bash", "docs/completions/gearadmin.bash"),
    ("gearadmin", "completion-zsh", "docs/completions/_gearadmin"),
    ("gearadmin", "completion-fish", "docs/completions/gearadmin.fish"),
];

pub(crate) fn run(options: &Options) -> Result<()> {
    if options.check { check() } else { write() }
}

fn write() -> Result<()> {
    for (program, what, path) in FILES {
        let path = root().join(path);
        fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        fs::write(&path, generated(program, what)?).with_context(|| format!("write {}", path.display()))?;
    }
    println!("{} files written", FILES.len());
    Ok(())
}

pub(crate) fn check() -> Result<()> {
    for (program, what, path) in FILES {
        let found = fs::read_to_string(root().join(path)).with_context(|| format!("read {path}"))?;
        if found != generated(program, what)? {
            bail!("{path} is not what {program} says of itself now (hint: cargo xtask generate)");
        }
    }
    println!("{} generated files are up to date", FILES.len());
    Ok(())
}

fn generated(program: &str, what: &str) -> Result<String> {
    capture(&mut cargo(["run", "--quiet", "--package", program, "--", "--generate", what]))
}
