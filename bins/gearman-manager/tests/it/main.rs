//! gearman-manager as a person or a script meets it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected is to fail there and then"
)]

mod check;
mod import;

use std::path::{Path, PathBuf};
use std::process::Command;

/// A file of the project.
fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path).canonicalize().unwrap()
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gearman-manager"));
    command.current_dir(folder).args(arguments).env("COLUMNS", "100").env_remove("GEARMAN");
    command
}

/// Runs the program and shows all that a caller sees of it.
fn run(folder: &Path, arguments: &[&str]) -> String {
    shown(&mut command(folder, arguments))
}

fn shown(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap();
    format!("exit {code}\n-- stdout\n{}-- stderr\n{}", text(output.stdout), text(output.stderr))
}

fn folder_with(name: &str, text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(name), text).unwrap();
    folder
}
