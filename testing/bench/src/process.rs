//! What a server's process used, from the operating system.

use std::fs;
use std::time::Duration;

use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

use crate::trouble::Trouble;

/// User and system time of all threads of a process, ended ones included.
///
/// The process's CPU clock counts the same time as `utime` and `stime` of `/proc/PID/stat`, in nanoseconds where
/// those have ticks of ten milliseconds.
///
/// # Errors
///
/// `Io` when the process is gone.
pub(crate) fn cpu(pid: Pid) -> Result<Duration, Trouble> {
    let clock =
        clock_getcpuclockid(pid).map_err(Trouble::io("read the server's CPU time (has it crashed?)"))?;
    clock_gettime(clock)
        .map(Duration::from)
        .map_err(Trouble::io("read the server's CPU time (has it crashed?)"))
}

/// The same of the bench's own process.
///
/// # Errors
///
/// `Io`, never seen.
pub(crate) fn own_cpu() -> Result<Duration, Trouble> {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)
        .map(Duration::from)
        .map_err(Trouble::io("read the bench's CPU time"))
}

/// Resident memory of a process in bytes, counted page by page (`Rss` of `smaps_rollup`).
///
/// # Errors
///
/// `Io` when the process is gone.
pub(crate) fn resident(pid: Pid) -> Result<u64, Trouble> {
    let text =
        fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).map_err(Trouble::io("read smaps_rollup"))?;
    parse_kib(&text, "Rss:").ok_or_else(|| Trouble::Answer("smaps_rollup without Rss".to_owned()))
}

/// The most resident memory that a process ever had, in bytes (`VmHWM`).
///
/// # Errors
///
/// `Io` when the process is gone.
pub(crate) fn peak_resident(pid: Pid) -> Result<u64, Trouble> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).map_err(Trouble::io("read status"))?;
    parse_kib(&text, "VmHWM:").ok_or_else(|| Trouble::Answer("status without VmHWM".to_owned()))
}

fn parse_kib(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resident_size_is_read_in_kib() {
        let text = "55d0-7ffe ---p 00000000 00:00 0  [rollup]\nRss:                5124 kB\nPss:  1 kB\n";
        assert_eq!(parse_kib(text, "Rss:"), Some(5124 * 1024));
        assert_eq!(parse_kib("Pss: 1 kB\n", "Rss:"), None);
        assert_eq!(parse_kib("Rss: many kB\n", "Rss:"), None);
    }

    #[test]
    fn the_own_process_has_used_cpu_and_memory() {
        let before = own_cpu().unwrap();
        let mut sum = 0_u64;
        while own_cpu().unwrap() - before < Duration::from_millis(1) {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(cpu(Pid::this()).unwrap() > before);
        assert!(resident(Pid::this()).unwrap() > 64 * 1024);
        assert!(peak_resident(Pid::this()).unwrap() > 64 * 1024);
    }
}
