//! The libraries and tools: how each is started, and what each has no way to do.
//!
//! From: `matrix`. To: `scenario`, as commands. Never: guesses. Whatever is listed here as not offered
//! is asked of the library itself in every run (the `lacks` role of its peer).

use crate::peer::tethered;
use crate::scenario::Scenario;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A client and worker library, or a pair of command-line tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Library {
    /// `gearman` and `gearadmin`.
    C,
    /// The PHP extension.
    Php,
    /// `Gearman::Client` and `Gearman::Worker`.
    Perl,
    /// Python's `gear`.
    Gear,
    /// Python's `python3-gearman`.
    Python3Gearman,
    /// Node's `gearmanode`.
    Gearmanode,
    /// Node's `abraxas`.
    Abraxas,
}

/// What a library has no way to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lack {
    /// The library.
    pub library: Library,
    /// What its peer is asked with `lacks`; empty where the absence is one of the suite's own making.
    pub feature: &'static str,
    /// Why, for the table.
    pub reason: &'static str,
}

impl Library {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 7] =
        [Self::C, Self::Php, Self::Perl, Self::Gear, Self::Python3Gearman, Self::Gearmanode, Self::Abraxas];

    /// As the table and `--only` call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::C => "c",
            Self::Php => "php",
            Self::Perl => "perl",
            Self::Gear => "gear",
            Self::Python3Gearman => "python3-gearman",
            Self::Gearmanode => "gearmanode",
            Self::Abraxas => "abraxas",
        }
    }

    /// What the client of this library cannot do in a scenario.
    #[must_use]
    pub fn client_lacks(self, scenario: Scenario) -> Option<Lack> {
        let (feature, reason) = match (self, scenario) {
            (Self::C, Scenario::Echo) => ("echo", "neither gearman nor gearadmin sends ECHO_REQ"),
            (Self::C, Scenario::Background) => {
                ("poll", "neither gearman nor gearadmin asks for a job's status")
            }
            (Self::C, Scenario::Sequential) => ("", "one process a job: process starts would be measured"),
            (Self::Php | Self::Gearmanode, Scenario::Admin) => ("admin", "the library has no text commands"),
            (Self::Perl, Scenario::Echo) => ("echo", "the library has no ECHO_REQ"),
            (Self::Python3Gearman, Scenario::LargeBinary) => ("binary", "the library takes text alone"),
            _ => return None,
        };
        Some(Lack { library: self, feature, reason })
    }

    /// What the worker of this library cannot do in a scenario.
    #[must_use]
    pub fn worker_lacks(self, scenario: Scenario) -> Option<Lack> {
        let (feature, reason) = match (self, scenario) {
            (Self::C, Scenario::Progress) => ("progress", "gearman -w sends no WORK_STATUS"),
            (Self::C, Scenario::Warning) => ("warning", "gearman -w sends no WORK_WARNING"),
            (Self::C, Scenario::Exception | Scenario::AfterException) => {
                ("exceptions", "gearman -w sends no WORK_EXCEPTION")
            }
            (Self::Python3Gearman, Scenario::LargeBinary) => ("binary", "the library takes text alone"),
            (Self::Gearmanode, Scenario::LargeBinary) => {
                ("binary-result", "its worker turns results into text")
            }
            (Self::Abraxas, Scenario::Chunks) => {
                ("chunks", "its worker sends WORK_DATA to its own server alone")
            }
            (Self::Abraxas, Scenario::Failure) => {
                ("fail", "its worker turns every failure into an exception")
            }
            _ => return None,
        };
        Some(Lack { library: self, feature, reason })
    }

    /// Whether its client can ask the server for the exceptions of jobs; without, they are failures.
    #[must_use]
    pub fn asks_for_exceptions(self) -> bool {
        !matches!(self, Self::C | Self::Python3Gearman)
    }

    /// Whether its client has the text command `version`.
    #[must_use]
    pub fn tells_version(self) -> bool {
        matches!(self, Self::C | Self::Gear | Self::Python3Gearman)
    }

    /// Whether its client has the text command `workers`.
    #[must_use]
    pub fn lists_workers(self) -> bool {
        matches!(self, Self::C | Self::Gear | Self::Python3Gearman | Self::Abraxas)
    }

    /// Whether its worker reports progress to those who ask for a job's status.
    #[must_use]
    pub fn reports_progress(self) -> bool {
        self.worker_lacks(Scenario::Progress).is_none()
    }

    /// How a function of its worker ends with an exception where the language has a way of its own.
    #[must_use]
    pub fn natural_exception(self) -> &'static str {
        match self {
            Self::Perl => "die",
            Self::C | Self::Php | Self::Gear | Self::Python3Gearman | Self::Gearmanode | Self::Abraxas => {
                "throw"
            }
        }
    }
}

/// Where the programs of the libraries are.
#[derive(Clone, Debug)]
pub struct Peers {
    /// The folder of the peer programs.
    pub programs: PathBuf,
    /// The folder into which `install` puts the Python and Node libraries.
    pub installed: PathBuf,
}

impl Peers {
    /// The places in a workspace.
    #[must_use]
    pub fn in_workspace(root: &Path) -> Self {
        Self { programs: root.join("testing/interop/peers"), installed: crate::scratch(root) }
    }

    /// The command that starts a library's peer; role and arguments are still to be added.
    #[must_use]
    pub fn command(&self, library: Library) -> Command {
        let (interpreter, program) = match library {
            Library::C => (PathBuf::from("bash"), "c.sh"),
            Library::Php => (PathBuf::from("php"), "php.php"),
            Library::Perl => (PathBuf::from("perl"), "perl.pl"),
            Library::Gear => (self.python(), "gear_peer.py"),
            Library::Python3Gearman => (self.python(), "python3_gearman_peer.py"),
            Library::Gearmanode => (PathBuf::from("node"), "gearmanode_peer.js"),
            Library::Abraxas => (PathBuf::from("node"), "abraxas_peer.js"),
        };
        let mut command = tethered(interpreter);
        command
            .arg(self.programs.join(program))
            .env("NODE_PATH", self.installed.join("node/node_modules"))
            .env("NODE_OPTIONS", "--no-deprecation")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env_remove("GEARMAN_SERVERS")
            .env_remove("GEARMAN_SERVER");
        command
    }

    fn python(&self) -> PathBuf {
        self.installed.join("python/bin/python")
    }
}
