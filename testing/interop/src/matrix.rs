//! The cells of the table: which there are, and their run on a few threads.
//!
//! From: `main`, with what is wanted. To: [`Cell`]s for `report`.
//! Never: lets one cell meet another: each has its server, its folder and its time.

use crate::deadline::{Deadline, Failure};
use crate::library::{Lack, Library, Peers};
use crate::peer::{Peer, field};
use crate::scenario::{Scenario, Stage, Workload, play};
use crate::server::{Server, Side};
use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The bytes of the large workloads.
const LARGE_BYTES: usize = 8 << 20;

/// A client of one library and a worker of the same or another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pair {
    /// Whose client.
    pub client: Library,
    /// Whose worker.
    pub worker: Library,
}

impl Pair {
    /// Each library with itself, and a round in which each serves and is served by another.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mixed = [
            (Library::C, Library::Php),
            (Library::Php, Library::C),
            (Library::Perl, Library::Gear),
            (Library::Gear, Library::Perl),
            (Library::Python3Gearman, Library::Abraxas),
            (Library::Gearmanode, Library::Python3Gearman),
            (Library::Abraxas, Library::Gearmanode),
        ];
        let same = Library::ALL.map(|library| (library, library));
        same.into_iter().chain(mixed).map(|(client, worker)| Self { client, worker }).collect()
    }

    /// As the table and `--only` call it: `php`, or `php>c` for a PHP client and a C worker.
    #[must_use]
    pub fn name(self) -> String {
        if self.is_mixed() {
            format!("{}>{}", self.client.name(), self.worker.name())
        } else {
            self.client.name().to_owned()
        }
    }

    /// Whether client and worker are of different libraries.
    #[must_use]
    pub fn is_mixed(self) -> bool {
        self.client != self.worker
    }

    /// Why a scenario is not played with this pair, where it is not.
    #[must_use]
    pub fn lack(self, scenario: Scenario) -> Option<Lack> {
        let needs_worker = !matches!(scenario, Scenario::Echo);
        let lack = self
            .client
            .client_lacks(scenario)
            .or_else(|| self.worker.worker_lacks(scenario).filter(|_| needs_worker));
        // Mixed pairs repeat neither what one library does alone nor what takes long.
        let once = matches!(scenario, Scenario::Echo | Scenario::Admin | Scenario::Sequential);
        let text_is_enough = scenario == Scenario::LargeText
            && self.client.client_lacks(Scenario::LargeBinary).is_none()
            && self.worker.worker_lacks(Scenario::LargeBinary).is_none();
        let own = |reason| Some(Lack { library: self.client, feature: "", reason });
        if self.is_mixed() && once {
            own("covered by the libraries' own rows")
        } else if text_is_enough {
            own("covered by 8MiB-binary")
        } else {
            lack
        }
    }
}

/// How a cell ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// All as it must be; with the time, for the scenario that measures.
    Pass(Option<Duration>),
    /// Not so, and how.
    Fail(String),
}

/// One scenario with one pair against one server.
#[derive(Clone, Debug)]
pub struct Cell {
    /// Whose client and worker.
    pub pair: Pair,
    /// What was played.
    pub scenario: Scenario,
    /// Against which server.
    pub side: Side,
    /// How it ended.
    pub outcome: Outcome,
    /// How long it took, its server's start included.
    pub took: Duration,
}

/// What is to be run.
#[derive(Debug)]
pub struct Plan {
    /// The servers and their programs.
    pub servers: Vec<(Side, PathBuf)>,
    /// The pairs and scenarios, without those that are not offered.
    pub cells: Vec<(Pair, Scenario)>,
    /// The peers' places.
    pub peers: Peers,
    /// A folder for the run; removed by the caller.
    pub folder: PathBuf,
    /// How many cells at a time; most of a cell's time is waiting.
    pub jobs: usize,
}

/// Runs all cells of a plan.
///
/// # Errors
/// When the workloads cannot be made; a failing cell is not an error.
pub fn run(plan: &Plan) -> Result<Vec<Cell>, Failure> {
    let binary = workload(&plan.folder, "binary", binary_bytes())?;
    let text = workload(&plan.folder, "text", text_bytes())?;
    let mut order: Vec<(Pair, Scenario, Side, &Path)> = Vec::new();
    for (pair, scenario) in &plan.cells {
        for (side, program) in &plan.servers {
            order.push((*pair, *scenario, *side, program));
        }
    }
    // The long ones first, so that the short ones fill the gaps.
    order.sort_by_key(|(_, scenario, ..)| std::cmp::Reverse(scenario.limit()));
    let next = AtomicUsize::new(0);
    let cells = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..plan.jobs.clamp(1, order.len().max(1)) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some((pair, scenario, side, program)) = order.get(number).copied() else { return };
                    let start = Instant::now();
                    let folder = plan.folder.join(number.to_string());
                    let outcome = match cell(plan, &folder, program, pair, scenario, &binary, &text) {
                        Ok(time) => Outcome::Pass(time),
                        Err(failure) => Outcome::Fail(failure.to_string()),
                    };
                    let cell = Cell { pair, scenario, side, outcome, took: start.elapsed() };
                    cells.lock().unwrap_or_else(PoisonError::into_inner).push(cell);
                }
            });
        }
    });
    Ok(cells.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn cell(
    plan: &Plan,
    folder: &Path,
    program: &Path,
    pair: Pair,
    scenario: Scenario,
    binary: &Workload,
    text: &Workload,
) -> Result<Option<Duration>, Failure> {
    fs::create_dir_all(folder).map_err(Failure::io("making a folder"))?;
    let deadline = Deadline::after(scenario.limit());
    let mut server = Server::start(program, folder, deadline)?;
    let mut stage = Stage {
        server: &mut server,
        peers: &plan.peers,
        client: pair.client,
        worker: pair.worker,
        deadline,
        folder,
        binary,
        text,
        workers: Vec::new(),
    };
    let played = play(scenario, &mut stage).map_err(|failure| stage.explain(failure));
    drop(stage);
    match server.post_mortem() {
        Some(death) => Err(death),
        None => played,
    }
}

/// Asks each library whether it still lacks what is listed; answers those that differ, in words.
///
/// # Errors
/// When a peer cannot be asked.
pub fn surprises(peers: &Peers, lacks: &HashSet<Lack>) -> Result<Vec<String>, Failure> {
    let mut different = Vec::new();
    for lack in lacks.iter().filter(|lack| !lack.feature.is_empty()) {
        let mut command: Command = peers.command(lack.library);
        command.args(["lacks", lack.feature]);
        let label = format!("the {} peer", lack.library.name());
        let answer = Peer::spawn(&label, command)?.finish(Deadline::after(Duration::from_secs(30)))?;
        if answer.first().is_none_or(|event| *field(event, "value") != true) {
            different.push(format!(
                "{} is listed as lacking {} ({}), and says it does not",
                lack.library.name(),
                lack.feature,
                lack.reason
            ));
        }
    }
    different.sort();
    Ok(different)
}

/// The cells that are not played, with the reason.
#[must_use]
pub fn not_offered(cells: &[(Pair, Scenario)]) -> HashMap<(Pair, Scenario), Lack> {
    cells.iter().filter_map(|(pair, scenario)| Some(((*pair, *scenario), pair.lack(*scenario)?))).collect()
}

fn workload(folder: &Path, name: &str, bytes: Vec<u8>) -> Result<Workload, Failure> {
    let path = folder.join(name);
    fs::write(&path, &bytes).map_err(Failure::io("writing a workload"))?;
    let digest = Command::new("sha256sum").arg(&path).output().map_err(Failure::io("sha256sum"))?;
    let digest = String::from_utf8_lossy(&digest.stdout);
    let sha256 = digest.split_whitespace().next().unwrap_or_default().to_owned();
    Ok(Workload { path, bytes: bytes.len(), sha256 })
}

/// Every byte value, in an order that no shift of the whole repeats soon.
fn binary_bytes() -> Vec<u8> {
    let mut state: u32 = 1;
    (0..LARGE_BYTES)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes().first().copied().unwrap_or(0)
        })
        .collect()
}

/// The same as letters.
fn text_bytes() -> Vec<u8> {
    binary_bytes().into_iter().map(|byte| b'a' + byte % 26).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binary_workload_has_every_byte_value() {
        let bytes = binary_bytes();
        assert_eq!(bytes.len(), LARGE_BYTES);
        assert_eq!(bytes.iter().collect::<HashSet<_>>().len(), 256);
    }

    #[test]
    fn every_library_is_client_and_worker_of_another() {
        let mixed: Vec<Pair> = Pair::all().into_iter().filter(|pair| pair.is_mixed()).collect();
        for library in Library::ALL {
            assert!(mixed.iter().any(|pair| pair.client == library), "{library:?}");
            assert!(mixed.iter().any(|pair| pair.worker == library), "{library:?}");
        }
    }

    #[test]
    fn every_scenario_is_played_by_some_library() {
        for scenario in Scenario::ALL {
            assert!(Pair::all().iter().any(|pair| pair.lack(scenario).is_none()), "{scenario:?}");
        }
    }
}
