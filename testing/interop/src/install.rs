//! What the suite needs of the machine: looked for, named, and installed where it is missing.
//!
//! From: `main` and the workspace's test command. To: Debian packages on the machine, the Python and
//! Node libraries under the target folder. Never: starts a server of the distribution, nor installs a
//! version that is not pinned in this folder (Debian's packages are the release's).

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Debian packages, with what each is for.
const DEBIAN: &[(&str, &str)] = &[
    ("gearman-job-server", "the reference server"),
    ("gearman-tools", "the C tools"),
    ("libgearman-dev", "the C library, for the benchmarks"),
    ("php-cli", "PHP"),
    ("php-gearman", "the PHP extension"),
    ("libgearman-client-perl", "Perl's client and worker"),
    ("python3-venv", "Python's libraries in a folder of their own"),
];

/// Commands that may come from elsewhere than Debian, and the packages that bring them otherwise.
const COMMANDS: &[(&str, &str)] = &[("node", "nodejs"), ("npm", "npm"), ("cc", "gcc")];

/// A policy that lets no package start its service while it is installed.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// What keeps the suite from having what it needs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstallError {
    /// A command could not be started.
    #[error("{command} cannot be started: {source}")]
    Start {
        /// The whole command.
        command: String,
        /// What the system said.
        source: io::Error,
    },
    /// A command failed.
    #[error("{command} failed with {status}: {talk}")]
    Failed {
        /// The whole command.
        command: String,
        /// How it ended.
        status: String,
        /// The last it said.
        talk: String,
    },
    /// Packages are missing and may not be installed.
    #[error("neither root nor sudo; hint: as root, apt-get install {0}")]
    NotAllowed(String),
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What is missing of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// Debian packages.
    pub debian: Vec<&'static str>,
    /// Whether the Python libraries are absent or others than those pinned.
    pub python: bool,
    /// Whether the Node libraries are absent or others than those pinned.
    pub node: bool,
}

impl Missing {
    /// Whether everything is there.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// All that is missing, in words.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut parts: Vec<String> =
            self.debian.iter().map(|package| format!("Debian's {package}")).collect();
        if self.python {
            parts.push("the Python libraries".to_owned());
        }
        if self.node {
            parts.push("the Node libraries".to_owned());
        }
        parts.join(", ")
    }
}

/// Looks for everything the suite needs.
#[must_use]
pub fn missing(root: &Path) -> Missing {
    let mut debian: Vec<&str> =
        DEBIAN.iter().map(|(package, _)| *package).filter(|package| !has_package(package)).collect();
    debian.extend(COMMANDS.iter().filter(|(command, _)| !has_command(command)).map(|(_, package)| *package));
    Missing { debian, python: !Library::python(root).is_current(), node: !Library::node(root).is_current() }
}

/// Installs what is missing and says what and from where; does nothing when all is there.
///
/// # Errors
/// When a package manager fails or may not be used; the message says which and why.
pub fn install(root: &Path, talk: &mut impl Write) -> Result<(), InstallError> {
    let missing = missing(root);
    if missing.is_nothing() {
        say(talk, "interop: everything is installed");
        return Ok(());
    }
    if !missing.debian.is_empty() {
        say(talk, &format!("Debian packages: {}", missing.debian.join(" ")));
        install_debian(&missing.debian)?;
    }
    if missing.python {
        let python = Library::python(root);
        say(talk, &format!("PyPI: {} into {}", python.names()?, python.folder.display()));
        install_python(&python)?;
    }
    if missing.node {
        let node = Library::node(root);
        say(talk, &format!("npm: {} into {}", node.names()?, node.folder.display()));
        install_node(&node)?;
    }
    Ok(())
}

/// The libraries of one language: the file that pins them and the folder that takes them.
struct Library {
    pins: PathBuf,
    folder: PathBuf,
}

impl Library {
    fn python(root: &Path) -> Self {
        Self {
            pins: root.join("testing/interop/python/requirements.txt"),
            folder: crate::scratch(root).join("python"),
        }
    }

    fn node(root: &Path) -> Self {
        Self {
            pins: root.join("testing/interop/node/package-lock.json"),
            folder: crate::scratch(root).join("node"),
        }
    }

    /// A copy of the pins is left when all of them are installed.
    fn stamp(&self) -> PathBuf {
        self.folder.join("installed")
    }

    fn is_current(&self) -> bool {
        fs::read(&self.pins).is_ok_and(|pins| fs::read(self.stamp()).is_ok_and(|stamp| stamp == pins))
    }

    fn set_current(&self) -> Result<(), InstallError> {
        fs::copy(&self.pins, self.stamp()).map(drop).map_err(file(&self.stamp()))
    }

    /// The libraries by name and version, as the pins have them.
    fn names(&self) -> Result<String, InstallError> {
        let pins = fs::read_to_string(&self.pins).map_err(file(&self.pins))?;
        if let Ok(lock) = serde_json::from_str::<serde_json::Value>(&pins) {
            let wanted = lock.pointer("/packages//dependencies").and_then(|wanted| wanted.as_object());
            let names = wanted
                .into_iter()
                .flatten()
                .map(|(name, version)| format!("{name} {}", version.as_str().unwrap_or_default()));
            return Ok(names.collect::<Vec<_>>().join(", "));
        }
        let names = pins.lines().filter(|line| !line.starts_with('#'));
        let names = names.filter_map(|line| line.split_whitespace().next()).map(|pin| pin.replace("==", " "));
        Ok(names.collect::<Vec<_>>().join(", "))
    }
}

fn install_debian(packages: &[&str]) -> Result<(), InstallError> {
    let root = rustix::process::geteuid().is_root();
    if !root && !has_command("sudo") {
        return Err(InstallError::NotAllowed(packages.join(" ")));
    }
    let admin = |program: &str| {
        let mut command = if root { Command::new("env") } else { Command::new("sudo") };
        if !root {
            command.arg("env");
        }
        command.args(["DEBIAN_FRONTEND=noninteractive", program]);
        command
    };
    // Another installation may hold the lock for a while.
    let wait = ["-o", "DPkg::Lock::Timeout=300"];
    run(admin("apt-get").args(wait).args(["update", "-q"]))?;
    let shielded = !Path::new(POLICY).exists();
    if shielded {
        run(admin("sh")
            .args(["-c", &format!("printf '#!/bin/sh\\nexit 101\\n' > {POLICY} && chmod 755 {POLICY}")]))?;
    }
    let installed = run(admin("apt-get")
        .args(wait)
        .args(["install", "-q", "-y", "--no-install-recommends"])
        .args(packages));
    if shielded {
        run(admin("rm").args(["-f", POLICY]))?;
    }
    installed
}

fn install_python(library: &Library) -> Result<(), InstallError> {
    if library.folder.exists() {
        fs::remove_dir_all(&library.folder).map_err(file(&library.folder))?;
    }
    // The distribution's Python: another one on the path may be built without what the libraries need.
    run(Command::new("/usr/bin/python3").args(["-m", "venv"]).arg(&library.folder))?;
    run(Command::new(library.folder.join("bin/pip"))
        .args(["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"])
        .args(["--only-binary", ":all:", "-r"])
        .arg(&library.pins))?;
    library.set_current()
}

fn install_node(library: &Library) -> Result<(), InstallError> {
    fs::create_dir_all(&library.folder).map_err(file(&library.folder))?;
    let source = library.pins.parent().unwrap_or(Path::new("."));
    for name in ["package.json", "package-lock.json", ".npmrc"] {
        let from = source.join(name);
        fs::copy(&from, library.folder.join(name)).map_err(file(&from))?;
    }
    run(Command::new("npm").args(["ci", "--ignore-scripts", "--silent"]).current_dir(&library.folder))?;
    library.set_current()
}

fn has_package(package: &str) -> bool {
    let status = Command::new("dpkg-query").args(["-W", "-f=${Status}", package]).output();
    status.is_ok_and(|output| output.stdout == b"install ok installed")
}

fn has_command(command: &str) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| folder.join(command).is_file())
}

fn run(command: &mut Command) -> Result<(), InstallError> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line = words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|source| InstallError::Start { command: line.clone(), source })?;
    if output.status.success() {
        return Ok(());
    }
    let talk =
        String::from_utf8_lossy(if output.stderr.is_empty() { &output.stdout } else { &output.stderr });
    let talk = talk.trim().lines().rev().take(5).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>();
    Err(InstallError::Failed { command: line, status: output.status.to_string(), talk: talk.join("; ") })
}

fn file(path: &Path) -> impl FnOnce(io::Error) -> InstallError {
    let path = path.to_owned();
    move |source| InstallError::File { path, source }
}

/// Talk that nobody reads does not keep anything from being installed.
fn say(talk: &mut impl Write, line: &str) {
    writeln!(talk, "{line}").ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pins_are_named_in_words() {
        let root = crate::workspace_root();
        let python = Library::python(&root).names().expect("the pins are there");
        assert!(python.contains("gear 0.16.0") && python.contains("python3-gearman 0.1.0"), "{python}");
        let node = Library::node(&root).names().expect("the pins are there");
        assert_eq!(node, "abraxas 2.1.10, gearmanode 0.9.2");
    }

    #[test]
    fn a_failing_command_is_told_with_its_last_words() {
        let failure = run(Command::new("sh").args(["-c", "echo no such thing >&2; exit 4"]));
        let failure = failure.expect_err("4 is not success").to_string();
        assert!(failure.contains("no such thing") && failure.contains('4'), "{failure}");
    }

    #[test]
    fn what_is_not_installed_is_missing() {
        assert!(!has_package("no-such-package-in-any-release"));
        assert!(!has_command("no-such-command-on-any-path"));
        assert!(has_command("sh"));
    }
}
