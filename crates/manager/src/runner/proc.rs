//! What the kernel says of processes and of the machine, under `/proc`.
//!
//! From: the event loop, a few times a minute. To: memory, processor time, sockets, load.
//! Never: takes a missing process for an error; it ended.

use super::clock;
use crate::planner::MachineLoad;
use nix::errno::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::thread;
use std::time::Duration;

/// One line of `/proc/PID/stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) pid: i32,
    pub(crate) state: u8,
    pub(crate) group: i32,
    /// Processor time it has used.
    pub(crate) cpu: Duration,
    /// When it was started, in ticks after the machine's start.
    pub(crate) started: u64,
    /// Its resident memory, in bytes.
    pub(crate) memory: u64,
}

impl Stat {
    /// Whether it is dead, and only its exit status is still there.
    pub(crate) fn is_zombie(&self) -> bool {
        matches!(self.state, b'Z' | b'X')
    }
}

/// One process; `None` when there is none of this number.
pub(crate) fn stat(pid: i32) -> Option<Stat> {
    parse_stat(&fs::read(format!("/proc/{pid}/stat")).ok()?)
}

fn parse_stat(bytes: &[u8]) -> Option<Stat> {
    let text = String::from_utf8_lossy(bytes);
    // The name is in parentheses and may have any character, more parentheses among them.
    let (pid, rest) = text.split_once(' ')?;
    let (_, rest) = rest.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some(Stat {
        pid: pid.parse().ok()?,
        state: fields.first()?.bytes().next()?,
        group: fields.get(2)?.parse().ok()?,
        cpu: clock::ticks(number(11)?.saturating_add(number(12)?)),
        started: number(19)?,
        memory: number(21)?.saturating_mul(page_bytes()),
    })
}

fn page_bytes() -> u64 {
    use nix::unistd::{SysconfVar, sysconf};
    sysconf(SysconfVar::PAGE_SIZE).ok().flatten().and_then(|it| u64::try_from(it).ok()).unwrap_or(4096)
}

/// Whether nothing can be said of processes just now: no descriptor is left, or no memory.
pub(crate) fn is_unreadable() -> bool {
    // A look at all of them has two open at once.
    let folder = fs::read_dir("/proc");
    folder.is_err() || fs::read("/proc/self/stat").is_err()
}

/// All processes of the machine.
pub(crate) fn all() -> impl Iterator<Item = Stat> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| stat(entry.file_name().to_str()?.parse().ok()?))
}

/// The children of this process, also those that it took over, as `pid 123 (name)`.
pub(crate) fn children() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let of_task = |task: fs::DirEntry| fs::read_to_string(task.path().join("children")).ok();
    let pids: Vec<i32> = tasks
        .filter_map(of_task)
        .flat_map(|text| text.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect();
    let alive = pids.into_iter().filter(|pid| stat(*pid).is_some_and(|stat| !stat.is_zombie()));
    let named = |pid: i32| {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        format!("pid {pid} ({})", name.trim())
    };
    alive.map(named).collect()
}

/// What all processes of a group have together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) pids: Vec<i32>,
    pub(crate) cpu: Duration,
    pub(crate) memory: u64,
}

/// The process groups with these numbers.
pub(crate) fn groups(wanted: &BTreeSet<i32>) -> BTreeMap<i32, Group> {
    let mut groups: BTreeMap<i32, Group> = BTreeMap::new();
    for stat in all().filter(|stat| wanted.contains(&stat.group) && !stat.is_zombie()) {
        let group = groups.entry(stat.group).or_default();
        group.pids.push(stat.pid);
        group.cpu += stat.cpu;
        group.memory = group.memory.saturating_add(stat.memory);
    }
    groups
}

/// The variables a process was started with; `None` where we may not know.
pub(crate) fn environment(pid: i32) -> Option<BTreeMap<String, String>> {
    let bytes = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let pairs = bytes.split(|byte| *byte == 0).filter_map(|pair| {
        let pair = String::from_utf8_lossy(pair);
        pair.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()))
    });
    Some(pairs.collect())
}

/// A number that is another one after each start of the machine.
pub(crate) fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// The inodes of the sockets that a process has open; `None` where we may not know.
pub(crate) fn sockets(pid: i32) -> Option<BTreeSet<u64>> {
    let entries = match fs::read_dir(format!("/proc/{pid}/fd")) {
        Ok(entries) => entries.flatten(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Some(BTreeSet::new()),
        Err(_) => return None,
    };
    let inode = |entry: fs::DirEntry| {
        let target = fs::read_link(entry.path()).ok()?;
        target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
    };
    Some(entries.filter_map(inode).collect())
}

/// Whether a process would die of a signal: it has no handler for it, and neither ignores nor blocks it.
pub(crate) fn would_die_of(pid: i32, signal: i32) -> bool {
    is_deadly(fs::read_to_string(format!("/proc/{pid}/status")), signal)
}

fn is_deadly(status: io::Result<String>, signal: i32) -> bool {
    match status {
        Ok(text) => !is_handled(&text, signal),
        // One that is gone has nothing to lose; of one that cannot be looked at, as when no descriptor is left, nobody
        // knows.
        Err(error) => {
            error.kind() != io::ErrorKind::NotFound && error.raw_os_error() != Some(Errno::ESRCH as i32)
        }
    }
}

fn is_handled(status: &str, signal: i32) -> bool {
    let mask = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        u64::from_str_radix(line.trim(), 16).ok()
    };
    let masks = ["SigBlk:", "SigIgn:", "SigCgt:"].into_iter().filter_map(mask);
    let handled = masks.fold(0, |all, mask| all | mask);
    u32::try_from(signal - 1).is_ok_and(|bit| handled.checked_shr(bit).unwrap_or(0) & 1 == 1)
}

/// The user that a process is; `None` where there is no such process.
pub(crate) fn user(pid: i32) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// The namespace that the numbers of processes are of; `None` where we may not know.
pub(crate) fn pid_namespace(pid: &str) -> Option<String> {
    Some(fs::read_link(format!("/proc/{pid}/ns/pid")).ok()?.to_string_lossy().into_owned())
}

/// An established TCP connection of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TcpSocket {
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
}

/// All established connections of this machine, by inode.
pub(crate) fn connections() -> BTreeMap<u64, TcpSocket> {
    let mut found = BTreeMap::new();
    for table in ["/proc/self/net/tcp", "/proc/self/net/tcp6"] {
        let text = fs::read_to_string(table).unwrap_or_default();
        found.extend(text.lines().skip(1).filter_map(parse_connection));
    }
    found
}

fn parse_connection(line: &str) -> Option<(u64, TcpSocket)> {
    const ESTABLISHED: &str = "01";
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    if *fields.get(3)? != ESTABLISHED {
        return None;
    }
    let (local, remote) = (parse_address(fields.get(1)?)?, parse_address(fields.get(2)?)?);
    Some((fields.get(9)?.parse().ok()?, TcpSocket { local, remote }))
}

/// An address as the kernel prints it: words of 32 bits in the order of the machine, in hexadecimal.
fn parse_address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut bytes = Vec::with_capacity(16);
    for at in (0..address.len()).step_by(8) {
        let word = u32::from_str_radix(address.get(at..at + 8)?, 16).ok()?;
        bytes.extend(word.to_ne_bytes());
    }
    let ip = match bytes.len() {
        4 => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?)),
        16 => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?)),
        _ => return None,
    };
    Some(SocketAddr::new(ip.to_canonical(), port))
}

/// How busy the machine is.
pub(crate) fn machine_load() -> MachineLoad {
    let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let cores = u32::try_from(cores).map_or(1.0, f64::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().and_then(|it| it.parse::<f64>().ok()).unwrap_or_default();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let of = |key: &str| {
        let line = memory.lines().find_map(|line| line.strip_prefix(key))?;
        line.trim_start_matches(':').trim().split(' ').next()?.parse::<f64>().ok()
    };
    let memory = match (of("MemTotal"), of("MemAvailable")) {
        (Some(total), Some(available)) if total > 0.0 => 1.0 - available / total,
        _ => 0.0,
    };
    MachineLoad { load: load / cores, memory }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_shift_the_fields() {
        let line = b"42 (a) R (b) S 1 40 40 0 -1 4194560 1 2 3 4 150 50 7 8 20 0 1 0 12345 1000 3 18446744073709551615";
        let stat = parse_stat(line).unwrap();
        assert_eq!((stat.pid, stat.state, stat.group, stat.started), (42, b'S', 40, 12345));
        assert_eq!(stat.cpu, clock::ticks(200));
        assert_eq!(stat.memory, 3 * page_bytes());
        assert_eq!(parse_stat(b"42 (a"), None);
    }

    #[test]
    fn this_process_is_there_with_its_memory() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let stat = stat(pid).unwrap();
        assert!(stat.memory > 100_000 && !stat.is_zombie());
        assert!(groups(&BTreeSet::from([stat.group]))[&stat.group].pids.contains(&pid));
    }

    #[test]
    fn a_connection_is_found_by_its_inode_among_those_of_its_process() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let client = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        let local = client.local_addr().unwrap();
        let found = connections();
        // Connections to elsewhere may have the same port.
        let is_it = |socket: &TcpSocket| socket.local == local && socket.remote.port() == port;
        let (inode, _) = found.iter().find(|(_, socket)| is_it(socket)).unwrap();
        assert!(sockets(i32::try_from(std::process::id()).unwrap()).unwrap().contains(inode));
    }

    #[test]
    fn a_signal_is_handled_where_it_is_caught_ignored_or_blocked() {
        let status = "SigBlk:\t0000000000000001\nSigIgn:\t0000000000001000\nSigCgt:\t0000000000004000\n";
        for (signal, handled) in [(1, true), (13, true), (15, true), (2, false), (9, false), (64, false)] {
            assert_eq!(is_handled(status, signal), handled, "{signal}");
        }
        let pid = i32::try_from(std::process::id()).unwrap();
        assert!(would_die_of(pid, 9) && !would_die_of(i32::MAX, 9));
        let unreadable = |error: Errno| is_deadly(Err(error.into()), 15);
        assert!(unreadable(Errno::EMFILE) && unreadable(Errno::EACCES));
        assert!(!unreadable(Errno::ENOENT) && !unreadable(Errno::ESRCH));
    }
}
