//! The fleet's configuration, `manager.toml` beside this crate, on this machine.
//!
//! From: the workspace, which has the workers' code and the libraries of their languages.
//! To: the manager's file, and the variables that workers are started with. Never: starts anything.

use crate::{Result, built};
use geartrain_interop::{scratch, workspace_root};
use std::path::Path;

const TEMPLATE: &str = include_str!("../manager.toml");

/// Programs that do nothing but their part of the load; each is named after its language.
pub(crate) const STEADY: [&str; 4] = ["php", "python", "node", "rust"];

/// Programs whose workers die of SIGTERM, whatever they do.
pub(crate) const PLAIN: [&str; 2] = ["plain-php", "plain-python"];

/// How many processes each of the steady ones has.
pub(crate) const STEADY_PROCESSES: u32 = 4;

/// The range of the program that follows its work.
pub(crate) const BURST_PROCESSES: (u32, u32) = (2, 6);

/// Processes that are ready when the load begins.
pub(crate) const PROCESSES: u32 = 28;

/// How long workers have to leave, in milliseconds; some jobs take longer.
pub(crate) const PATIENCE_MS: u64 = 1000;

/// Over which memory a worker gives way, in MiB.
pub(crate) const MEMORY_MAX_MIB: u64 = 64;

/// The language of the worker that does a function: the program of that name has it.
pub(crate) fn language_of(function: &str) -> &'static str {
    match function {
        "python" | "plain-python" | "long" => "python",
        "node" => "node",
        "rust" | "burst" => "rust",
        _ => "php",
    }
}

/// The manager's file.
pub(crate) fn file(port: u16) -> Result<String> {
    let workers = workspace_root().join("testing/fleet/workers");
    let python = scratch(&workspace_root()).join("python/bin/python");
    Ok(TEMPLATE
        .replace("{port}", &port.to_string())
        .replace("{workers}", &workers.display().to_string())
        .replace("{python}", &python.display().to_string())
        .replace("{rust}", &built("fleet-worker")?.display().to_string()))
}

/// What workers find in their environment.
pub(crate) fn variables(port: u16, folder: &Path) -> Vec<(&'static str, String)> {
    let inside = |name: &str| folder.join(name).display().to_string();
    let libraries = scratch(&workspace_root()).join("node/node_modules");
    vec![
        ("GEARMAN_SERVERS", format!("127.0.0.1:{port}")),
        ("JOB_LOG", inside("jobs.log")),
        ("RELEASE_FILE", inside("last-release")),
        ("NODE_PATH", libraries.display().to_string()),
        ("NODE_OPTIONS", "--no-deprecation".to_owned()),
        ("PYTHONDONTWRITEBYTECODE", "1".to_owned()),
    ]
}
