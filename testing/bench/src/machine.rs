//! The machine that the figures are from.

use std::fmt;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use crate::sample::Samples;
use crate::trouble::Trouble;

/// Writes that the cost of a sync is taken from.
const SYNCS: u32 = 200;

/// What a reader needs to know to compare two tables.
#[derive(Debug, Default)]
pub(crate) struct Machine {
    cores: usize,
    processor: String,
    kernel: String,
    /// Other programs' load shows here; it makes the figures worse.
    load_average: String,
    dir: String,
    sync_p50_us: Option<f64>,
    /// The policies that our server has, where it has any.
    pub(crate) policies: Option<String>,
}

impl Machine {
    /// Looks at this machine, and at the disk that `dir` is on.
    ///
    /// # Errors
    ///
    /// `Io` when `dir` cannot be written to.
    pub(crate) fn look(dir: &Path) -> Result<Self, Trouble> {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        Ok(Self {
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            processor: parse_processor(&read("/proc/cpuinfo")).to_owned(),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load_average: read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned(),
            dir: dir.display().to_string(),
            sync_p50_us: sync_cost(&dir.join("sync"))?,
            policies: None,
        })
    }

    /// The same as JSON.
    pub(crate) fn json(&self) -> Value {
        json!({
            "cores": self.cores,
            "processor": self.processor,
            "kernel": self.kernel,
            "load_average_at_start": self.load_average,
            "dir": self.dir,
            "fdatasync_p50_us": self.sync_p50_us,
            "policies": self.policies,
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cores, processor, kernel, load_average, dir, sync_p50_us, policies } = self;
        writeln!(to, "{cores} cores, {processor}, Linux {kernel}, load average at start {load_average}")?;
        let sync = sync_p50_us.unwrap_or(f64::NAN);
        writeln!(to, "disk under {dir}: 4 KiB written and fdatasync in {sync:.0} us (p50 of {SYNCS})")?;
        if let Some(policies) = policies {
            writeln!(to, "our server has policies: {policies}")?;
        }
        writeln!(
            to,
            "CPU us: user + system of the server's process per job; load us: of the load; /floor, /gearmand: multiples"
        )
    }
}

fn parse_processor(cpuinfo: &str) -> &str {
    cpuinfo.lines().find_map(|line| line.strip_prefix("model name\t: ")).unwrap_or("unknown processor")
}

/// Appends 4 KiB and syncs, again and again; the file grows as a log does.
fn sync_cost(path: &Path) -> Result<Option<f64>, Trouble> {
    let what = "measure the disk";
    let mut file = File::create(path).map_err(Trouble::io(what))?;
    let mut samples = Samples::default();
    for _ in 0..SYNCS {
        let start = Instant::now();
        file.write_all(&[7; 4096]).map_err(Trouble::io(what))?;
        file.sync_data().map_err(Trouble::io(what))?;
        samples.add(start.elapsed(), 1);
    }
    fs::remove_file(path).map_err(Trouble::io(what))?;
    Ok(samples.latency().map(|latency| latency.p50))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_is_named() {
        assert_eq!(parse_processor("processor\t: 0\nmodel name\t: Some CPU\n"), "Some CPU");
        assert_eq!(parse_processor(""), "unknown processor");
    }
}
