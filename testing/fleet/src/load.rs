//! The load: clients that submit numbered jobs and check each result, for as long as events go on.
//!
//! From: whoever plays events, who says of which functions. To: the job server. To the accounts: every job that was
//! submitted, and every one that failed. Never: submits a job twice; the library is told not to.

use crate::Result;
use geartrain_client::blocking::Client;
use geartrain_client::{Client as AsyncClient, Resend};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Longest that any job may take from its submit to its result.
const JOB_LIMIT: Duration = Duration::from_secs(60);

/// Of so many jobs of a lane, one is submitted in background.
const BACKGROUND_EVERY: u64 = 4;

/// One job that was submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) number: u64,
    pub(crate) function: &'static str,
}

#[derive(Debug)]
pub(crate) struct Load {
    server: String,
    next: AtomicU64,
    is_over: AtomicBool,
    jobs: Mutex<Vec<Job>>,
    failed: Mutex<Vec<String>>,
}

impl Load {
    pub(crate) fn new(server: String) -> Self {
        Self {
            server,
            next: AtomicU64::new(1),
            is_over: AtomicBool::new(false),
            jobs: Mutex::default(),
            failed: Mutex::default(),
        }
    }

    /// A client with a connection of its own.
    pub(crate) fn client(&self) -> Result<Client> {
        let builder = AsyncClient::builder().servers(&self.server);
        Ok(builder.resend(Resend::Never).job_timeout(JOB_LIMIT).build_blocking()?)
    }

    /// Lanes that are busy end after the jobs they have.
    pub(crate) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// A client that submits a job when it has the result of the last one, and some in background, until the load
    /// ends. Jobs take from `shortest` on up to `longest` milliseconds.
    pub(crate) fn lane(&self, function: &'static str, shortest: u64, longest: u64) -> Result {
        self.lane_until(function, shortest, longest, || false)
    }

    /// The same, until something is so.
    pub(crate) fn lane_until(
        &self,
        function: &'static str,
        shortest: u64,
        longest: u64,
        is_enough: impl Fn() -> bool,
    ) -> Result {
        let client = self.client()?;
        let mut count = 0;
        while !self.is_over.load(Ordering::Relaxed) && !is_enough() {
            let job = self.number(function);
            // Scattered, and the same in each run.
            let millis = shortest + job * 7919 % (longest - shortest + 1);
            count += 1;
            if count % BACKGROUND_EVERY == 0 {
                self.submit(&client, function, job, millis);
            } else {
                self.do_job(&client, function, job, millis);
            }
        }
        Ok(())
    }

    /// A number for a job that is submitted next.
    pub(crate) fn number(&self, function: &'static str) -> u64 {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).push(Job { number, function });
        number
    }

    /// Submits a job and waits for its result; one that fails is noted.
    pub(crate) fn do_job(&self, client: &Client, function: &str, number: u64, millis: u64) {
        match client.job(function, workload(number, millis)).run() {
            Ok(result) if result == number.to_string() => {}
            Ok(result) => self.note(format!("job {number} of {function} has the result {result:?}")),
            Err(error) => self.note(format!("job {number} of {function}: {error}")),
        }
    }

    /// Submits a job in background.
    pub(crate) fn submit(&self, client: &Client, function: &str, number: u64, millis: u64) {
        if let Err(error) = client.job(function, workload(number, millis)).background() {
            self.note(format!("job {number} of {function} in background: {error}"));
        }
    }

    fn note(&self, failure: String) {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).push(failure);
    }

    /// All jobs that were submitted.
    pub(crate) fn jobs(&self) -> Vec<Job> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All that failed, in words.
    pub(crate) fn failed(&self) -> Vec<String> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn workload(number: u64, millis: u64) -> String {
    format!("{number} {millis}")
}
