//! `import`: another supervisor's configuration becomes ours; the report goes to standard error.

use crate::Exit;
use crate::arguments::Import;
use crate::output::{print, say};
use anyhow::{Context, Result};
use geartrain_manager::import::{Around, Became, ImportError, import};
use std::fs::File;
use std::io::Write;
use std::path::Path;

pub(crate) fn run(options: &Import) -> Result<Exit> {
    let host = nix::unistd::gethostname().unwrap_or_default();
    let host = host.to_string_lossy();
    let around = Around { variable: &|name| std::env::var(name).ok(), host: &host, worker: &options.worker };
    let imported = match import(&options.file, &around) {
        Ok(imported) => imported,
        Err(error @ ImportError::Unreadable { .. }) => return Err(error.into()),
        Err(error) => {
            say(&format!("gearman-manager: {error}"));
            return Ok(Exit::Wrong);
        }
    };
    match &options.output {
        Some(path) => {
            write(path, &imported.text).with_context(|| format!("cannot write {}", path.display()))?
        }
        None => print(&imported.text)?,
    }
    let mut lost = 0_usize;
    for row in &imported.report {
        say(&row.to_string());
        lost += usize::from(matches!(row.became, Became::Nothing(_)));
    }
    let all = imported.report.len();
    say(&format!("{} taken over, {lost} not", all - lost));
    Ok(Exit::Done)
}

/// Writes a new file: one that is there may have been changed by hand since.
fn write(path: &Path, text: &str) -> Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    Ok(())
}
