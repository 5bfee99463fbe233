//! `check`: a configuration file as it is understood, or all that is wrong with it.

use crate::Exit;
use crate::arguments::Check;
use crate::output::{print, say};
use anyhow::{Context, Result};
use geartrain_manager::{Config, ConfigError};
use std::path::Path;

pub(crate) fn run(options: &Check) -> Result<Exit> {
    let Some(config) = read(&options.file)? else { return Ok(Exit::Wrong) };
    let text = if options.json {
        serde_json::to_string_pretty(&config.to_json()).context("cannot write JSON")? + "\n"
    } else {
        config.to_toml()
    };
    print(&text)?;
    Ok(Exit::Done)
}

/// The configuration, or `None` once all its mistakes are said, each in a line.
pub(crate) fn read(path: &Path) -> Result<Option<Config>> {
    match Config::read(path) {
        Ok(config) => Ok(Some(config)),
        Err(error @ ConfigError::Wrong { .. }) => {
            say(&error.to_string());
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}
