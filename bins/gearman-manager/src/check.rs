//! `check`: a configuration file as it is understood, or all that is wrong with it.

use crate::Exit;
use crate::arguments::Check;
use crate::output::{print, say};
use anyhow::{Context, Result};
use geartrain_manager::{Config, ConfigError};

pub(crate) fn run(options: &Check) -> Result<Exit> {
    let config = match Config::read(&options.file) {
        Ok(config) => config,
        Err(error @ ConfigError::Wrong { .. }) => {
            say(&error.to_string());
            return Ok(Exit::Wrong);
        }
        Err(error) => return Err(error.into()),
    };
    let text = if options.json {
        serde_json::to_string_pretty(&config.to_json()).context("cannot write JSON")? + "\n"
    } else {
        config.to_toml()
    };
    print(&text)?;
    Ok(Exit::Done)
}
