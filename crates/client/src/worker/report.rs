//! What is known of a job once it is over, and of a worker once it has left.

use crate::address::ServerAddress;
use geartrain_proto::Handle;
use std::fmt;
use std::time::{Duration, SystemTime};

/// A job that is over, as the hook [`after_job`](super::WorkerBuilder::after_job) sees it.
#[derive(Debug)]
#[non_exhaustive]
pub struct JobReport<'a> {
    /// The function.
    pub function: &'a str,
    /// The handle.
    pub handle: Handle<'a>,
    /// The server that the job came from.
    pub server: &'a ServerAddress,
    /// How long the job waited from its submission until this worker began it, where that is known.
    ///
    /// The protocol does not tell. It is known where the unique of the job is a UUID of version 7, which has the
    /// time of its making in it; the clocks of both machines are taken for right.
    pub wait: Option<Duration>,
    /// How long the handler ran.
    pub run: Duration,
    /// Size of the workload, in bytes.
    pub workload_bytes: usize,
    /// Size of the result, in bytes; parts sent before the end are not counted. Zero without a result.
    pub result_bytes: usize,
    /// How it ended.
    pub outcome: &'a Outcome,
}

/// How a job ended, as its worker sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// With a result, which is written or on its way. If the connection is lost before the server has it, the server
    /// gives the job to another worker.
    Completed,
    /// Without success and without a word: its handler returned [`JobFailed`](super::JobFailed).
    Failed,
    /// With this exception: its handler returned an error.
    Exception(String),
    /// With this exception: its handler panicked.
    Panicked(String),
    /// Its handler ran longer than the time limit of the function, and was dropped. The server has given the job
    /// to another worker.
    TimedOut,
    /// Its end could not be told, since the connection was lost or the server gave the job out anew meanwhile.
    /// The server gives the job to another worker.
    Lost,
    /// Its handler was dropped before its end, since the worker left at once. The server gives the job to another
    /// worker.
    Abandoned,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Completed => f.write_str("completed"),
            Self::Failed => f.write_str("failed"),
            Self::Exception(text) | Self::Panicked(text) => f.write_str(text),
            Self::TimedOut => f.write_str("ran longer than its time limit"),
            Self::Lost => f.write_str("its end could not be told to the server"),
            Self::Abandoned => f.write_str("was abandoned"),
        }
    }
}

/// Why a worker left, and what it did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Departure {
    /// Why it left.
    pub reason: Reason,
    /// How many jobs it began.
    pub jobs: u64,
    /// How many of them it abandoned: they were not over when its patience was. Servers give them to others.
    pub abandoned: u64,
}

/// Why a worker leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// A [`ShutdownHandle`](super::ShutdownHandle) was used.
    Asked,
    /// The process got a signal to end.
    Signal,
    /// It began as many jobs as it was to do.
    JobsDone,
    /// Its lifetime is over.
    LifetimeOver,
}

/// How long ago a UUID of version 7 was made; `None` for anything else.
pub(super) fn age_of_unique(unique: &[u8], now: SystemTime) -> Option<Duration> {
    // 8-4-4-4-12 digits, the first 48 bits are milliseconds, and the version is the first digit of the third group.
    let text = std::str::from_utf8(unique).ok().filter(|text| text.len() == 36)?;
    let mut groups = text.split('-');
    let (high, low, version) = (groups.next()?, groups.next()?, groups.next()?);
    let others = [groups.next()?.len(), groups.next()?.len()];
    let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    if [high.len(), low.len(), version.len()] != [8, 4, 4] || others != [4, 12] || !is_hex {
        return None;
    }
    if !version.starts_with('7') {
        return None;
    }
    let millis = (u64::from_str_radix(high, 16).ok()? << 16) | u64::from_str_radix(low, 16).ok()?;
    let made = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(millis))?;
    // A clock behind that of the client must not show as a wait of centuries.
    Some(now.duration_since(made).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn age(unique: &str) -> Option<u128> {
        // 0x0190_0000_0000 milliseconds and half a second more.
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(0x0190_0000_0000 + 500);
        age_of_unique(unique.as_bytes(), now).map(|age| age.as_millis())
    }

    #[test]
    fn a_unique_with_a_time_in_it_tells_how_long_a_job_waited() {
        assert_eq!(age("01900000-0000-7abc-8def-0123456789ab"), Some(500));
        assert_eq!(age("01900000-0100-7abc-8def-0123456789ab"), Some(244));
        assert_eq!(age("01900001-0000-7abc-8def-0123456789ab"), Some(0), "the future is no wait");
    }

    #[test]
    fn other_uniques_tell_nothing() {
        for unique in [
            "",
            "-",
            "01900000-0000-4abc-8def-0123456789ab",
            "0190000000007abc8def0123456789ab0000",
            "+1900000-0000-7abc-8def-0123456789ab",
            "01900000-0000-7abc-8def0-123456789ab",
            "01900000-0000-7abc-8def-0123456789a\u{e4}",
        ] {
            assert_eq!(age(unique), None, "{unique:?}");
        }
    }
}
