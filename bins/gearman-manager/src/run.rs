//! `gearman-manager run`: the manager itself.
//!
//! From: the configuration file. To: [`geartrain_manager::runner`]. Never: begins with a wrong file.

use crate::Exit;
use crate::arguments::Run;
use crate::check;
use geartrain_manager::{Config, runner};

pub(crate) fn run(options: &Run) -> anyhow::Result<Exit> {
    let Some(config) = check::read(&options.config)? else { return Ok(Exit::Wrong) };
    let path = options.config.clone();
    let reread = Box::new(move || Config::read(&path).map_err(|error| error.to_string()));
    runner::run(config, reread)?;
    Ok(Exit::Done)
}
