//! The rows of text replies as values.
//!
//! Names are any bytes on the wire; what is no UTF-8 is replaced by its sign. A name with a tab or line feed breaks a
//! reply of the reference's form, which has nothing to tell it by: numbers are therefore read from the end of a row.

use std::str::FromStr;

/// A function as `status` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FunctionStatus {
    /// Its name.
    pub function: String,
    /// Jobs that wait or run.
    pub jobs: u64,
    /// Jobs that run.
    pub running: u64,
    /// Workers that are able to do it.
    pub workers: u64,
}

/// A function as `prioritystatus` shows it: jobs that wait.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FunctionPriorities {
    /// Its name.
    pub function: String,
    /// Waiting jobs of high priority.
    pub high: u64,
    /// Waiting jobs of normal priority.
    pub normal: u64,
    /// Waiting jobs of low priority.
    pub low: u64,
    /// Workers that are able to do it.
    pub workers: u64,
}

/// A connection as `workers` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerLine {
    /// Its number in the server.
    pub descriptor: i64,
    /// Where it comes from.
    pub address: String,
    /// What it calls itself; `-` when it does not.
    pub client_id: String,
    /// What it is able to do; a client is able to do nothing.
    pub functions: Vec<String>,
}

/// A job as `show jobs` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobLine {
    /// Its handle.
    pub handle: String,
    /// How often a worker was lost with it.
    pub retries: u64,
    /// Whether it is marked as wanted by nobody, as gearmand does with a job that was cancelled.
    pub is_ignored: bool,
    /// Whether it is a background job.
    pub is_background: bool,
}

impl FunctionStatus {
    pub(super) fn parse(row: &[u8]) -> Option<Self> {
        let (function, [jobs, running, workers]) = name_and_numbers(row)?;
        Some(Self { function, jobs, running, workers })
    }
}

impl FunctionPriorities {
    pub(super) fn parse(row: &[u8]) -> Option<Self> {
        let (function, [high, normal, low, workers]) = name_and_numbers(row)?;
        Some(Self { function, high, normal, low, workers })
    }
}

impl WorkerLine {
    pub(super) fn parse(row: &[u8]) -> Option<Self> {
        let row = String::from_utf8_lossy(row);
        let (descriptor, rest) = row.split_once(' ')?;
        let (address, rest) = rest.split_once(' ')?;
        let (client_id, functions) = match rest.split_once(" : ") {
            Some((client_id, functions)) => (client_id, functions),
            None => (rest.strip_suffix(" :")?, ""),
        };
        Some(Self {
            descriptor: descriptor.parse().ok()?,
            address: address.to_owned(),
            client_id: client_id.to_owned(),
            functions: functions.split(' ').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
        })
    }
}

impl JobLine {
    pub(super) fn parse(row: &[u8]) -> Option<Self> {
        let (handle, [retries, ignored, background]) = name_and_numbers(row)?;
        Some(Self { handle, retries, is_ignored: ignored != 0, is_background: background != 0 })
    }
}

/// A name and so many numbers behind it, with tabs between.
fn name_and_numbers<N: FromStr + Copy + Default, const COUNT: usize>(
    row: &[u8],
) -> Option<(String, [N; COUNT])> {
    let row = String::from_utf8_lossy(row);
    let mut parts = row.rsplitn(COUNT + 1, '\t');
    let mut numbers = [N::default(); COUNT];
    for number in numbers.iter_mut().rev() {
        *number = parts.next()?.trim_end().parse().ok()?;
    }
    Some((parts.next()?.to_owned(), numbers))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_whatever_stands_in_their_names() {
        let status = FunctionStatus::parse(b"a\tb\t3\t1\t2").unwrap();
        assert_eq!(status, FunctionStatus { function: "a\tb".to_owned(), jobs: 3, running: 1, workers: 2 });
        let priorities = FunctionPriorities::parse(b"f\t1\t2\t3\t4").unwrap();
        assert_eq!((priorities.high, priorities.normal, priorities.low, priorities.workers), (1, 2, 3, 4));
        let job = JobLine::parse(b"H:h:1\t2\t1\t0").unwrap();
        assert_eq!(
            (job.handle.as_str(), job.retries, job.is_ignored, job.is_background),
            ("H:h:1", 2, true, false)
        );
        let worker = WorkerLine::parse(b"37 ::1 w 1 : mail resize").unwrap();
        assert_eq!((worker.address.as_str(), worker.client_id.as_str()), ("::1", "w 1"));
        assert_eq!(worker.functions, ["mail", "resize"]);
        assert!(WorkerLine::parse(b"37 127.0.0.1 - :").unwrap().functions.is_empty());
    }

    #[test]
    fn what_is_no_row_is_none() {
        for row in [&b""[..], b"f", b"f\t1\t2", b"f\t1\tx\t2", b"f\t-1\t0\t0", b"OK"] {
            assert_eq!(FunctionStatus::parse(row), None, "{}", row.escape_ascii());
            assert_eq!(JobLine::parse(row), None, "{}", row.escape_ascii());
            assert_eq!(WorkerLine::parse(row), None, "{}", row.escape_ascii());
        }
    }
}
