//! The client libraries under test, and the programs that use them.
//!
//! From: sources in `peers/`, Debian, the registries of Python and Rust. To: a command for each library, which
//! [`crate::peer`] runs.
//! Never: runs a library within the bench, where its CPU time could not be told from the bench's own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::peer::Role;
use crate::trouble::Trouble;

/// One of the libraries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Library {
    /// This project's, async.
    Ours,
    /// This project's, blocking.
    OursBlocking,
    /// The C library.
    Libgearman,
    /// The crate `gearman`.
    GearmanRs,
    /// The crate `rustygear`.
    Rustygear,
    /// OpenStack's for Python.
    Gear,
}

impl Library {
    /// All of them, ours first.
    pub(crate) const ALL: [Self; 6] =
        [Self::Ours, Self::OursBlocking, Self::Libgearman, Self::GearmanRs, Self::Rustygear, Self::Gear];

    /// The name in the table and in `--servers`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours-async",
            Self::OursBlocking => "ours-blocking",
            Self::Libgearman => "libgearman",
            Self::GearmanRs => "gearman-rs",
            Self::Rustygear => "rustygear",
            Self::Gear => "gear",
        }
    }

    /// Whether it is this project's.
    pub(crate) fn is_ours(self) -> bool {
        matches!(self, Self::Ours | Self::OursBlocking)
    }

    /// How many jobs it can have in flight, of those wanted.
    pub(crate) fn in_flight(self, role: Role, wanted: u64) -> u64 {
        match (self, role) {
            // Submitting waits for the answer; a worker does one job at a time.
            (Self::Rustygear | Self::Gear, Role::Background | Role::Worker)
            | (Self::Libgearman, Role::Worker) => 1,
            _ => wanted,
        }
    }

    /// What many jobs in flight are with it: libgearman waits for the last of them before it sends more.
    pub(crate) fn in_flight_is(self, role: Role) -> &'static str {
        match (self, role) {
            (Self::Libgearman, Role::Foreground | Role::Background) => "in batches of",
            _ => "in flight",
        }
    }

    /// How many jobs it is given: slow ones get fewer, so that all end in seconds.
    pub(crate) fn jobs(self, full: u64) -> u64 {
        match self {
            Self::Ours | Self::OursBlocking | Self::Libgearman | Self::GearmanRs => full,
            Self::Rustygear => full.div_ceil(5),
            Self::Gear => full.div_ceil(20),
        }
    }
}

/// The programs that use the libraries, or why there is none.
#[derive(Debug)]
pub(crate) struct Programs {
    libgearman: Result<PathBuf, String>,
    rust: Result<PathBuf, String>,
    python: Result<PathBuf, String>,
}

impl Programs {
    /// For a run without libraries.
    pub(crate) fn none() -> Self {
        let none = || Err("not built".to_owned());
        Self { libgearman: none(), rust: none(), python: none() }
    }

    /// Builds those in C and Rust that are not built yet, and looks for Python's libraries.
    pub(crate) fn build(target: &Path) -> Self {
        let dir = target.join("bench/peers");
        Self { libgearman: build_c(&dir), rust: build_rust(&dir), python: find_python() }
    }

    /// The command that uses a library, without the arguments that all of them take.
    ///
    /// # Errors
    ///
    /// `Peer` when there is no program.
    pub(crate) fn command(&self, library: Library) -> Result<Command, Trouble> {
        let (program, argument) = match library {
            Library::Libgearman => (&self.libgearman, None),
            Library::Gear => (&self.python, Some(sources().join("gear_peer.py").display().to_string())),
            Library::Ours => (&self.rust, Some("ours".to_owned())),
            Library::OursBlocking | Library::GearmanRs | Library::Rustygear => {
                (&self.rust, Some(library.name().to_owned()))
            }
        };
        let program = program.as_ref().map_err(|reason| Trouble::Peer(reason.clone()))?;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(program).args(argument);
        Ok(command)
    }
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}

fn build_c(dir: &Path) -> Result<PathBuf, String> {
    std::fs::create_dir_all(dir).map_err(|error| format!("cannot make {}: {error}", dir.display()))?;
    let program = dir.join("libgearman");
    let mut compiler = Command::new("cc");
    compiler.args(["-O2", "-Wall", "-Wextra", "-o"]).arg(&program).arg(sources().join("libgearman.c"));
    run(compiler.arg("-lgearman"), "apt packages gcc, libc6-dev and libgearman-dev")?;
    Ok(program)
}

/// Built as this program is: with optimisation where figures are wanted, without in a test.
fn build_rust(dir: &Path) -> Result<PathBuf, String> {
    let release = !cfg!(debug_assertions);
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--locked", "--manifest-path"]).arg(sources().join("rust/Cargo.toml"));
    cargo.arg("--target-dir").arg(dir).args(release.then_some("--release"));
    run(&mut cargo, "cargo fetches the crates")?;
    Ok(dir.join(if release { "release" } else { "debug" }).join("geartrain-bench-peers"))
}

fn find_python() -> Result<PathBuf, String> {
    let root = geartrain_interop::workspace_root();
    let python = geartrain_interop::scratch(&root).join("python/bin/python");
    if !python.is_file() || geartrain_interop::install::missing(&root).python {
        return Err("the Python libraries are not installed (hint: --install)".to_owned());
    }
    Ok(python)
}

fn run(command: &mut Command, hint: &str) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{program} cannot be started: {error} ({hint})"))?;
    if output.status.success() {
        return Ok(());
    }
    let talk = String::from_utf8_lossy(&output.stderr);
    let first = talk.lines().find(|line| line.contains("error")).unwrap_or_default().trim().to_owned();
    Err(format!("{program} ended with {}: {first} ({hint})", output.status))
}
