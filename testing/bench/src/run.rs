//! Running the rows: each repetition takes every server once, so that all of them see the same weather.

use std::process::Command;

use crate::figures::Figures;
use crate::rows::Row;
use crate::server::{Kind, Lab};
use crate::table::Finished;
use crate::trouble::Trouble;

/// File descriptors that 20,000 held connections need in the bench and in the server, with room.
const FILES: u64 = 65_536;

/// Runs one row on those of its servers that are wanted.
///
/// A server that fails once is not tried again in this row.
pub(crate) fn run(row: &'static Row, lab: &Lab, wanted: &[Kind]) -> Finished {
    let repetitions = if lab.quick { 1 } else { row.repetitions };
    let servers = row.servers.iter().filter(|kind| wanted.contains(kind));
    let mut runs: Vec<(Kind, Result<Vec<Figures>, Trouble>)> =
        servers.map(|kind| (*kind, Ok(Vec::new()))).collect();
    for repetition in 1..=repetitions {
        for (kind, result) in &mut runs {
            let Ok(figures) = result else { continue };
            eprintln!("{} {} {repetition}/{repetitions}", row.name, kind.name());
            match (row.measure)(lab, *kind) {
                Ok(measured) => figures.push(measured),
                Err(trouble) => {
                    eprintln!("{} {}: {trouble}", row.name, kind.name());
                    *result = Err(trouble);
                }
            }
        }
    }
    let outcome =
        runs.into_iter().map(|(kind, result)| (kind, result.map(|all| Figures::median_of(&all)))).collect();
    Finished { row, repetitions, outcome }
}

/// Lets this process, and the servers it starts, hold as many connections as the system allows; says how many files.
pub(crate) fn raise_file_limit() -> u64 {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return 0 };
    // Raising the hard limit needs a right that a container's root may lack.
    for (wanted, limit) in [(FILES, hard.max(FILES)), (hard.min(FILES), hard)] {
        if setrlimit(Resource::RLIMIT_NOFILE, wanted, limit).is_ok() {
            return wanted;
        }
    }
    soft
}

/// Installs the packages of the peers that are missing, and the client libraries.
///
/// # Errors
///
/// A sentence when apt-get does not do it.
pub(crate) fn install(lab: &Lab) -> Result<(), String> {
    let missing: Vec<&str> = Kind::ALL
        .into_iter()
        .filter(|kind| kind.program(lab).is_err())
        .filter_map(Kind::package)
        .chain(["sqlite3"])
        .collect();
    eprintln!("installing with apt-get: {}", missing.join(" "));
    let install = [&["install", "-y", "--no-install-recommends"][..], &missing].concat();
    for arguments in [&["update"][..], &install] {
        let status = Command::new("apt-get")
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdout(std::process::Stdio::null())
            .status()
            .map_err(|error| format!("cannot run apt-get: {error}"))?;
        if !status.success() {
            return Err(format!("apt-get {} ended with {status}", arguments.join(" ")));
        }
    }
    geartrain_interop::install::install(&geartrain_interop::workspace_root(), &mut std::io::stderr())
        .map_err(|error| error.to_string())
}
