//! A start with many stored jobs, watched until all are there.
//!
//! From: a directory with a store. To: the server, and how its start went.
//! Never: takes it for loaded before `/readyz` says so and `status` counts every job.

use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use super::super::load::waiting_jobs;
use super::free_port;
use crate::load::connect;
use crate::server::{Keep, Kind, Lab, START_LIMIT, Server};
use crate::trouble::Trouble;

/// Least time for all jobs to be there; it grows with their number.
const LOAD_LIMIT_MIN: Duration = Duration::from_secs(60);

/// Pause between two questions, so that asking is not what takes the server's time.
const PAUSE: Duration = Duration::from_millis(20);

/// How a start went; times are since the process was started.
pub(super) struct Restart {
    pub(super) server: Server,
    /// `version` was answered for the first time.
    pub(super) first_answer: Duration,
    /// The longest answer to `status` or `/readyz` meanwhile.
    pub(super) longest_answer: Duration,
    /// `/readyz` is ready and `status` counts all jobs.
    pub(super) loaded: Duration,
    /// Lines on standard error that say how many are loaded so far.
    pub(super) progress_lines: u64,
    /// Different numbers of jobs that `status` told meanwhile.
    pub(super) status_steps: u64,
}

impl Restart {
    /// Starts a server on the store in `dir` and asks it until all jobs are there.
    ///
    /// # Errors
    ///
    /// `Limit`, `Lost` when it says that it is ready with fewer jobs, `Answer` when with more.
    pub(super) fn watch(lab: &Lab, kind: Kind, dir: &Path, more: &[String]) -> Result<Self, Trouble> {
        let limit = LOAD_LIMIT_MIN + Duration::from_micros(lab.backlog.jobs.saturating_mul(10));
        eprintln!("  starting again: at most {} s", limit.as_secs());
        let http = free_port();
        let more = [more, &[format!("--http-listen=127.0.0.1:{http}")]].concat();
        let start = Instant::now();
        let mut server = Server::spawn_with(lab, kind, Keep::Durable, dir, &more)?;
        server.wait_for_answer(START_LIMIT)?;
        let first_answer = start.elapsed();
        let (mut longest_answer, mut status_steps, mut before) = (Duration::ZERO, 0, None);
        let loaded = loop {
            let asked = Instant::now();
            let waiting = waiting_jobs(&server)?;
            longest_answer = longest_answer.max(asked.elapsed());
            if before.replace(waiting) != Some(waiting) {
                status_steps += 1;
            }
            let asked = Instant::now();
            let ready = is_ready(http)?;
            longest_answer = longest_answer.max(asked.elapsed());
            if ready {
                break start.elapsed();
            }
            if start.elapsed() > limit {
                return Err(Trouble::Limit { what: "loading the stored jobs", limit });
            }
            std::thread::sleep(PAUSE);
        };
        expect_waiting(&server, lab.backlog.jobs)?;
        server.check_policies(lab)?;
        let progress_lines = count_progress(&server.log_text());
        Ok(Self { server, first_answer, longest_answer, loaded, progress_lines, status_steps })
    }
}

/// Makes sure that `jobs` wait, no more and no fewer.
///
/// # Errors
///
/// `Lost` or `Answer` when not.
pub(super) fn expect_waiting(server: &Server, jobs: u64) -> Result<(), Trouble> {
    let waiting = waiting_jobs(server)?;
    match jobs.checked_sub(waiting) {
        Some(0) => Ok(()),
        Some(missing) => Err(Trouble::Lost { missing, of: jobs }),
        None => Err(Trouble::Answer(format!("{waiting} jobs wait, not {jobs}"))),
    }
}

/// Asks `/readyz`.
fn is_ready(port: u16) -> Result<bool, Trouble> {
    let what = "asking /readyz";
    let mut stream = connect(port)?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).map_err(Trouble::io(what))?;
    let request = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request).map_err(Trouble::io(what))?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).map_err(Trouble::io(what))?;
    parse_ready(&String::from_utf8_lossy(&answer))
}

/// Whether the answer says ready, or that jobs are being loaded; any other is no start.
fn parse_ready(answer: &str) -> Result<bool, Trouble> {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    match head.split(' ').nth(1) {
        Some("200") => Ok(true),
        Some("503") if body.contains("loaded") => Ok(false),
        _ => Err(Trouble::Answer(format!("/readyz: {}", body.trim_end()))),
    }
}

fn count_progress(log: &str) -> u64 {
    let lines = log.lines().filter(|line| line.contains("loaded ") && line.contains(" of about "));
    u64::try_from(lines.count()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_is_told_from_loading_and_from_failure() {
        let answer = |status, body| format!("HTTP/1.1 {status}\r\ncontent-length: 9\r\n\r\n{body}\n");
        assert!(parse_ready(&answer("200 OK", "ready")).unwrap());
        assert!(!parse_ready(&answer("503 Service Unavailable", "stored jobs are being loaded")).unwrap());
        let failed = parse_ready(&answer("503 Service Unavailable", "disk full")).unwrap_err();
        assert_eq!(failed.to_string(), "unexpected answer: /readyz: disk full");
        assert!(parse_ready("").is_err());
    }

    #[test]
    fn lines_of_progress_are_counted() {
        let log = "gearmand: loaded 5 of about 9 stored jobs\nloaded 7 of about 9 stored jobs\nloaded 9 stored jobs\n";
        assert_eq!(count_progress(log), 2);
    }
}
