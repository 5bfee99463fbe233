//! The limits of a container, which are less than the machine.
//!
//! From: the control groups (version 2) that the manager is in. To: how busy the machine is, as autoscaling sees it.
//! Never: takes a group without a limit for one.

use crate::planner::MachineLoad;
use std::fs;
use std::path::{Path, PathBuf};

/// Where control groups are shown.
const ROOT: &str = "/sys/fs/cgroup";

/// The load of the machine, or that of the tightest group around the manager, whichever is more.
pub(crate) fn within(machine: MachineLoad) -> MachineLoad {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    // Version 1 has other lines, and none that begins so.
    let own = own.lines().find_map(|line| line.strip_prefix("0::/"));
    own.map_or(machine, |own| tightest(machine, Path::new(ROOT), Path::new(own)))
}

/// The most that any group on the way says; `own` is meant from `root`.
fn tightest(machine: MachineLoad, root: &Path, own: &Path) -> MachineLoad {
    let groups = own.ancestors().map(|part| root.join(part));
    groups.fold(machine, |most, group| MachineLoad {
        load: most.load.max(load_of(&group).unwrap_or_default()),
        memory: most.memory.max(memory_of(&group).unwrap_or_default()),
    })
}

/// The part of its memory that a group uses; what the kernel may drop at once does not count.
fn memory_of(group: &Path) -> Option<f64> {
    let max = number(&read(group, "memory.max")?)?;
    let used = number(&read(group, "memory.current")?)?;
    let cache =
        read(group, "memory.stat")?.lines().find_map(|line| number(line.strip_prefix("inactive_file ")?));
    (max > 0.0).then(|| ((used - cache.unwrap_or_default()) / max).max(0.0))
}

/// For a group with a limit on processors: twice the part of the last minute in which something of it waited for one. A
/// load of 1.5 is one where that was so for three quarters of the time.
fn load_of(group: &Path) -> Option<f64> {
    let quota = read(group, "cpu.max")?;
    number(quota.split_ascii_whitespace().next()?)?;
    let pressure = read(group, "cpu.pressure")?;
    let some = pressure.lines().find_map(|line| line.strip_prefix("some "))?;
    let percent = number(some.split_ascii_whitespace().find_map(|it| it.strip_prefix("avg60="))?)?;
    Some(percent / 100.0 * 2.0)
}

fn read(group: &Path, file: &str) -> Option<String> {
    let path: PathBuf = group.join(file);
    fs::read_to_string(path).ok()
}

/// A number; `max` is none.
fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: MachineLoad = MachineLoad { load: 0.5, memory: 0.5 };

    fn group(folder: &Path, files: [&str; 5]) {
        fs::create_dir_all(folder).unwrap();
        let names = ["memory.max", "memory.current", "memory.stat", "cpu.max", "cpu.pressure"];
        for (name, text) in names.into_iter().zip(files) {
            fs::write(folder.join(name), text).unwrap();
        }
    }

    #[test]
    fn the_tightest_limit_counts() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let pressure = "some avg10=9.00 avg60=40.00 avg300=1.00 total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n";
        let stat = "anon 1\ninactive_file 100\n";
        group(&root.join("pod"), ["1000\n", "900\n", stat, "200000 100000\n", pressure]);
        group(&root.join("pod/app"), ["max\n", "900\n", stat, "max 100000\n", pressure]);
        assert_eq!(tightest(HALF, root, Path::new("pod/app")), MachineLoad { load: 0.8, memory: 0.8 });
        // Without a limit on the way, it is the machine's.
        group(&root.join("free"), ["max\n", "900\n", stat, "max 100000\n", pressure]);
        assert_eq!(tightest(HALF, root, Path::new("free")), HALF);
        // Nor does a busy machine seem idle from within.
        let busy = MachineLoad { load: 2.0, memory: 0.95 };
        assert_eq!(tightest(busy, root, Path::new("pod/app")), busy);
        assert_eq!(tightest(HALF, root, Path::new("not/there")), HALF);
    }
}
