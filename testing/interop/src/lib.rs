//! Real clients and workers against real servers.
//!
//! Programs in C, PHP, Perl, Python and Node, each with a Gearman library in use, are run against the
//! reference server of the distribution and against this project's, by the same scenarios. One table
//! shows both. README.md beside this crate lists the scenarios and what a peer is asked and prints.
//!
//! The way of one cell of the table: [`matrix`] picks a pair of libraries and a scenario, [`server`]
//! starts a server of its own for it, [`scenario`] drives one or more [`peer`] processes and compares
//! what they print, [`report`] puts the outcomes side by side and decides the exit code.
//!
//! ```no_run
//! let root = geartrain_interop::workspace_root();
//! let mut talk = std::io::stderr();
//! geartrain_interop::install::install(&root, &mut talk).expect("everything can be installed");
//! ```

pub mod deadline;
pub mod install;
pub mod library;
pub mod matrix;
pub mod peer;
pub mod report;
pub mod scenario;
pub mod server;

use std::path::{Path, PathBuf};

/// The folder of the workspace this crate was built from.
#[must_use]
pub fn workspace_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// Where the crate keeps what it installs and measures: `interop` in Cargo's target folder.
#[must_use]
pub fn scratch(root: &Path) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    target.join("interop")
}
