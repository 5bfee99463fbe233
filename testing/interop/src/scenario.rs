//! The scenarios: who is started when, and what each must print.
//!
//! From: `matrix`, one call per cell. To: pass (with a time for the one that measures) or a [`Failure`].
//! Never: knows how a library does something; that is in the peers.

use crate::deadline::{Deadline, Failure};
use crate::library::{Library, Peers};
use crate::peer::{Peer, field};
use crate::server::Server;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How many jobs are in the set, and in the row of sequential ones.
pub const JOBS: usize = 500;

/// One column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scenario {
    /// `ECHO_REQ` comes back.
    Echo,
    /// A foreground job and its result.
    Foreground,
    /// A result of no bytes.
    EmptyResult,
    /// The worker's `WORK_STATUS` reaches the client.
    Progress,
    /// A background job, its status polled while it waits, runs and is gone.
    Background,
    /// Six background jobs of three priorities run in the order of priority, then of submission.
    Priorities,
    /// The same in foreground, each client gets its own result.
    ForegroundPriorities,
    /// Two clients submit the same unique: one run, two results.
    Coalescing,
    /// `WORK_DATA` before the result.
    Chunks,
    /// `WORK_WARNING` before the result.
    Warning,
    /// `WORK_EXCEPTION`: with its text for clients that can ask for it, a failure for the others.
    Exception,
    /// After an exception, in the language's own way, the same worker runs the next job.
    AfterException,
    /// `WORK_FAIL`.
    Failure,
    /// 8 MiB with every byte value as workload and as result.
    LargeBinary,
    /// 8 MiB of ASCII, for libraries that take nothing else.
    LargeText,
    /// 500 jobs in one set.
    Set,
    /// The worker is killed in the middle of a job, which reaches another worker.
    WorkerKilled,
    /// The text commands the library has.
    Admin,
    /// 500 jobs one after the other, timed and not judged by time.
    Sequential,
}

impl Scenario {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 19] = [
        Self::Echo,
        Self::Foreground,
        Self::EmptyResult,
        Self::Progress,
        Self::Background,
        Self::Priorities,
        Self::ForegroundPriorities,
        Self::Coalescing,
        Self::Chunks,
        Self::Warning,
        Self::Exception,
        Self::AfterException,
        Self::Failure,
        Self::LargeBinary,
        Self::LargeText,
        Self::Set,
        Self::WorkerKilled,
        Self::Admin,
        Self::Sequential,
    ];

    /// As the table and `--only` call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Foreground => "foreground",
            Self::EmptyResult => "empty-result",
            Self::Progress => "progress",
            Self::Background => "background",
            Self::Priorities => "priorities",
            Self::ForegroundPriorities => "fg-priorities",
            Self::Coalescing => "coalescing",
            Self::Chunks => "chunks",
            Self::Warning => "warning",
            Self::Exception => "exception",
            Self::AfterException => "after-exception",
            Self::Failure => "failure",
            Self::LargeBinary => "8MiB-binary",
            Self::LargeText => "8MiB-text",
            Self::Set => "set-of-500",
            Self::WorkerKilled => "worker-killed",
            Self::Admin => "admin",
            Self::Sequential => "500-in-a-row",
        }
    }

    /// How long it may take against a server on a busy machine.
    #[must_use]
    pub fn limit(self) -> Duration {
        match self {
            // The C tools read a pipe byte for byte; 500 jobs may each cost 40 ms of a delayed acknowledgement.
            Self::LargeBinary | Self::LargeText | Self::Set | Self::Sequential => Duration::from_secs(90),
            Self::Echo
            | Self::Foreground
            | Self::EmptyResult
            | Self::Progress
            | Self::Background
            | Self::Priorities
            | Self::ForegroundPriorities
            | Self::Coalescing
            | Self::Chunks
            | Self::Warning
            | Self::Exception
            | Self::AfterException
            | Self::Failure
            | Self::WorkerKilled
            | Self::Admin => Duration::from_secs(30),
        }
    }
}

/// The large workloads, made once per run.
#[derive(Clone, Debug)]
pub struct Workload {
    /// The file that holds it.
    pub path: PathBuf,
    /// Its length in bytes.
    pub bytes: usize,
    /// The digest that every peer that saw it must print.
    pub sha256: String,
}

/// Which of the workers of a cell.
#[derive(Clone, Copy, Debug)]
struct WorkerIndex(usize);

/// All that one cell has.
#[derive(Debug)]
pub struct Stage<'a> {
    /// Its server.
    pub server: &'a mut Server,
    /// How peers are started.
    pub peers: &'a Peers,
    /// Whose client.
    pub client: Library,
    /// Whose worker.
    pub worker: Library,
    /// Until when everything must have happened.
    pub deadline: Deadline,
    /// A folder of its own.
    pub folder: &'a Path,
    /// 8 MiB with every byte value.
    pub binary: &'a Workload,
    /// 8 MiB of ASCII.
    pub text: &'a Workload,
    /// The workers started so far; they stay until the cell ends.
    pub workers: Vec<Peer>,
}

/// Plays a scenario.
///
/// # Errors
/// What did not happen, or happened otherwise.
pub fn play(scenario: Scenario, stage: &mut Stage<'_>) -> Result<Option<Duration>, Failure> {
    let done = match scenario {
        Scenario::Echo => stage.echo(),
        Scenario::Foreground => {
            stage.one_job("reverse", "hello", &[json!({"event": "complete", "text": "olleh"})])
        }
        Scenario::EmptyResult => stage.one_job("empty", "x", &[json!({"event": "complete", "text": ""})]),
        Scenario::Progress => stage.progress(),
        Scenario::Background => stage.background(),
        Scenario::Priorities => stage.priorities(),
        Scenario::ForegroundPriorities => stage.foreground_priorities(),
        Scenario::Coalescing => stage.coalescing(),
        Scenario::Chunks => stage.chunks(),
        Scenario::Warning => stage.one_job(
            "warn",
            "x",
            &[json!({"event": "warning", "text": "careful"}), json!({"event": "complete", "text": "ok"})],
        ),
        Scenario::Exception => stage.exception(),
        Scenario::AfterException => stage.after_exception(),
        Scenario::Failure => stage.one_job("fail", "x", &[json!({"event": "fail"})]),
        Scenario::LargeBinary => stage.large(stage.binary.clone()),
        Scenario::LargeText => stage.large(stage.text.clone()),
        Scenario::Set => stage.set(),
        Scenario::WorkerKilled => stage.worker_killed(),
        Scenario::Admin => stage.admin(),
        Scenario::Sequential => return stage.sequential().map(Some),
    };
    done.map(|()| None)
}

impl Stage<'_> {
    /// A failure, with the workers that ended by themselves: a client that hangs may hang of that.
    #[must_use]
    pub fn explain(&mut self, failure: Failure) -> Failure {
        let soon = Deadline::after(Duration::from_secs(1));
        let deaths =
            self.workers.iter_mut().filter_map(|worker| worker.has_ended().then(|| worker.ended(soon)));
        let deaths: Vec<String> = deaths.map(|death| death.to_string()).collect();
        if deaths.is_empty() || deaths.contains(&failure.to_string()) {
            return failure;
        }
        Failure::Unexpected(format!("{failure}; {}", deaths.join("; ")))
    }
}

impl Stage<'_> {
    fn client(&self, arguments: &[&str]) -> Result<Peer, Failure> {
        let mut command = self.peers.command(self.client);
        command.arg("client").arg(self.server.port.to_string()).args(arguments);
        Peer::spawn(&format!("the {} client", self.client.name()), command)
    }

    /// Starts a worker and waits until the server knows what it can do.
    fn worker(&mut self, name: &str, functions: &[&str]) -> Result<WorkerIndex, Failure> {
        let mut command = self.peers.command(self.worker);
        command.arg("worker").arg(self.server.port.to_string()).arg(name).args(functions);
        self.workers.push(Peer::spawn(&format!("the {} worker {name}", self.worker.name()), command)?);
        for function in functions {
            self.server.await_workers(function, 1, self.deadline)?;
        }
        Ok(WorkerIndex(self.workers.len() - 1))
    }

    /// The next job that a worker tells of.
    fn job(&mut self, worker: WorkerIndex) -> Result<Value, Failure> {
        let deadline = self.deadline;
        match self.workers.get_mut(worker.0) {
            Some(worker) => worker.await_event("job", deadline, |_| true),
            None => Err(Failure::Unexpected("the worker was never started".to_owned())),
        }
    }

    fn echo(&mut self) -> Result<(), Failure> {
        let seen = self.client(&["echo", "are you there"])?.finish(self.deadline)?;
        same("the client", &seen, &[json!({"event": "echo", "text": "are you there"})])
    }

    /// One foreground job; `expected` is all that the client prints after the handle.
    fn one_job(&mut self, function: &str, workload: &str, expected: &[Value]) -> Result<(), Failure> {
        let worker = self.worker("w1", &[function])?;
        let seen = self.client(&["run", function, "normal", "", workload])?.finish(self.deadline)?;
        same("the client", rest_after_handle(&seen)?, expected)?;
        let job = self.job(worker)?;
        expect(&job, "text", &json!(workload))
    }

    fn progress(&mut self) -> Result<(), Failure> {
        self.worker("w1", &["progress"])?;
        let seen = self.client(&["run", "progress", "normal", "", "x"])?.finish(self.deadline)?;
        let seen = rest_after_handle(&seen)?;
        let (last, statuses) = seen.split_last().ok_or_else(|| unexpected("the client", seen))?;
        expect(last, "text", &json!("done"))?;
        let fractions: Vec<f64> = statuses.iter().filter_map(fraction).collect();
        // One library keeps the latest status alone.
        if fractions == [0.25, 0.5, 1.0] || (statuses.len() == 1 && fractions == [1.0]) {
            return Ok(());
        }
        Err(unexpected("the client", seen))
    }

    fn background(&mut self) -> Result<(), Failure> {
        let release = self.folder.join("release");
        let mut client = self.client(&["poll", "hold", &path(&release)])?;
        let state = |known: bool, running: bool| {
            move |event: &Value| field(event, "known") == known && field(event, "running") == running
        };
        client.await_event("state", self.deadline, state(true, false))?;
        let worker = self.worker("w1", &["hold"])?;
        self.job(worker)?;
        let half = self.worker.reports_progress();
        client.await_event("state", self.deadline, |event| {
            state(true, true)(event) && (!half || fraction(event) == Some(0.5))
        })?;
        fs::write(&release, "").map_err(Failure::io("releasing the job"))?;
        client.await_event("state", self.deadline, state(false, false))?;
        client.finish(self.deadline).map(drop)
    }

    fn priorities(&mut self) -> Result<(), Failure> {
        let jobs = [
            "low::low 1",
            "normal::normal 1",
            "high::high 1",
            "low::low 2",
            "normal::normal 2",
            "high::high 2",
        ];
        let handles =
            self.client(&[&["background", "reverse"][..], &jobs[..]].concat())?.finish(self.deadline)?;
        if handles.len() != jobs.len() || handles.iter().any(|event| !is_handle(event)) {
            return Err(unexpected("the client", &handles));
        }
        let worker = self.worker("w1", &["reverse"])?;
        for expected in ["high 1", "high 2", "normal 1", "normal 2", "low 1", "low 2"] {
            expect(&self.job(worker)?, "text", &json!(expected))?;
        }
        self.server.await_no_jobs("reverse", self.deadline)
    }

    fn foreground_priorities(&mut self) -> Result<(), Failure> {
        let mut clients = Vec::new();
        for priority in ["low", "normal", "high"] {
            let mut client = self.client(&["run", "reverse", priority, "", priority])?;
            client.await_event("created", self.deadline, is_handle)?;
            clients.push((client, priority.chars().rev().collect::<String>()));
        }
        let worker = self.worker("w1", &["reverse"])?;
        for expected in ["high", "normal", "low"] {
            expect(&self.job(worker)?, "text", &json!(expected))?;
        }
        for (mut client, result) in clients {
            let seen = client.finish(self.deadline)?;
            same("the client", &seen, &[json!({"event": "complete", "text": result})])?;
        }
        Ok(())
    }

    fn coalescing(&mut self) -> Result<(), Failure> {
        let mut first = self.client(&["run", "reverse", "normal", "the unique", "first"])?;
        let handle = first.await_event("created", self.deadline, is_handle)?;
        let mut second = self.client(&["run", "reverse", "high", "the unique", "second"])?;
        let other = second.await_event("created", self.deadline, is_handle)?;
        expect(&other, "handle", field(&handle, "handle"))?;
        let worker = self.worker("w1", &["reverse"])?;
        for client in [&mut first, &mut second] {
            let seen = client.finish(self.deadline)?;
            same("the client", &seen, &[json!({"event": "complete", "text": "tsrif"})])?;
        }
        self.server.await_no_jobs("reverse", self.deadline)?;
        // What it told of the one run may be on its way here still.
        self.job(worker)?;
        let more = self.workers.get_mut(worker.0).map(Peer::pending).unwrap_or_default();
        if more.is_empty() { Ok(()) } else { Err(unexpected("the worker, after its one job,", &more)) }
    }

    fn chunks(&mut self) -> Result<(), Failure> {
        self.worker("w1", &["chunks"])?;
        let seen = self.client(&["run", "chunks", "normal", "", "x"])?.finish(self.deadline)?;
        let seen = rest_after_handle(&seen)?;
        let texts: Vec<&str> = seen.iter().filter_map(|event| field(event, "text").as_str()).collect();
        // Some libraries hand out one stream; the C worker sends no result after its chunks.
        let end = if self.worker == Library::C { "" } else { "end" };
        let ends = seen.last().is_some_and(|event| field(event, "event") == "complete");
        let whole = texts.concat() == format!("onetwothree{end}");
        let apart = texts.len() == 1 || texts == ["one", "two", "three", end];
        if ends && whole && apart { Ok(()) } else { Err(unexpected("the client", seen)) }
    }

    fn exception(&mut self) -> Result<(), Failure> {
        let expected = if self.client.asks_for_exceptions() {
            json!({"event": "exception", "text": "boom"})
        } else {
            json!({"event": "fail"})
        };
        self.one_job("throw", "x", &[expected])
    }

    fn after_exception(&mut self) -> Result<(), Failure> {
        let throw = self.worker.natural_exception();
        let worker = self.worker("w1", &[throw, "reverse"])?;
        let seen = self.client(&["run", throw, "normal", "", "x"])?.finish(self.deadline)?;
        let ends = rest_after_handle(&seen)?;
        let known = ["exception", "fail"];
        if ends.is_empty() || ends.iter().any(|end| known.iter().all(|name| field(end, "event") != *name)) {
            return Err(unexpected("the client", &seen));
        }
        let seen = self.client(&["run", "reverse", "normal", "", "hello"])?.finish(self.deadline)?;
        same("the client", rest_after_handle(&seen)?, &[json!({"event": "complete", "text": "olleh"})])?;
        for function in [throw, "reverse"] {
            expect(&self.job(worker)?, "function", &json!(function))?;
        }
        Ok(())
    }

    fn large(&mut self, workload: Workload) -> Result<(), Failure> {
        let worker = self.worker("w1", &["mirror"])?;
        let argument = format!("@{}", path(&workload.path));
        let seen = self.client(&["run", "mirror", "normal", "", &argument])?.finish(self.deadline)?;
        let (bytes, sha256) = (json!(workload.bytes), json!(workload.sha256));
        same(
            "the client",
            rest_after_handle(&seen)?,
            &[json!({"event": "complete", "bytes": bytes, "sha256": sha256})],
        )?;
        let job = self.job(worker)?;
        expect(&job, "bytes", &bytes)?;
        expect(&job, "sha256", &sha256)
    }

    fn set(&mut self) -> Result<(), Failure> {
        self.worker("w1", &["reverse"])?;
        let seen = self.client(&["set", "reverse", &JOBS.to_string()])?.finish(self.deadline)?;
        reversed_jobs(&seen, "set").map(drop)
    }

    fn sequential(&mut self) -> Result<Duration, Failure> {
        self.worker("w1", &["reverse"])?;
        let seen = self.client(&["sequential", "reverse", &JOBS.to_string()])?.finish(self.deadline)?;
        let event = reversed_jobs(&seen, "sequential")?;
        field(event, "ms").as_u64().map(Duration::from_millis).ok_or_else(|| unexpected("the client", &seen))
    }

    fn worker_killed(&mut self) -> Result<(), Failure> {
        let release = self.folder.join("release");
        let first = self.worker("w1", &["hold"])?;
        let mut client = self.client(&["run", "hold", "normal", "", &path(&release)])?;
        let handle = client.await_event("created", self.deadline, is_handle)?;
        self.job(first)?;
        let second = self.worker("w2", &["hold"])?;
        self.server.await_workers("hold", 2, self.deadline)?;
        if let Some(first) = self.workers.get_mut(first.0) {
            first.kill();
        }
        self.job(second)?;
        fs::write(&release, "").map_err(Failure::io("releasing the job"))?;
        let complete = client.await_event("complete", self.deadline, |_| true)?;
        expect(&complete, "text", &json!("w2"))?;
        client.finish(self.deadline)?;
        self.server.await_no_jobs("hold", self.deadline)?;
        if is_handle(&handle) { Ok(()) } else { Err(unexpected("the client", &[handle])) }
    }

    fn admin(&mut self) -> Result<(), Failure> {
        self.worker("w1", &["reverse"])?;
        self.client(&["background", "waiting", "normal::x"])?.finish(self.deadline)?;
        let seen = self.client(&["admin"])?.finish(self.deadline)?;
        let [event] = seen.as_slice() else { return Err(unexpected("the client", &seen)) };
        expect(event, "status", &json!({"reverse": [0, 0, 1], "waiting": [1, 0, 0]}))?;
        if self.client.lists_workers() {
            expect(event, "workers", &json!(["reverse"]))?;
        }
        if self.client.tells_version() {
            let version = self.server.version(self.deadline)?;
            let told = field(event, "version").as_str().unwrap_or_default();
            if told != version && told != format!("OK {version}") {
                return Err(unexpected("the client", &seen));
            }
        }
        Ok(())
    }
}

/// The results of all jobs, each once, in whatever order the library hands them out.
fn reversed_jobs<'a>(seen: &'a [Value], name: &str) -> Result<&'a Value, Failure> {
    let [event] = seen else { return Err(unexpected("the client", seen)) };
    expect(event, "event", &json!(name))?;
    let mut results: Vec<&str> =
        field(event, "results").as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    results.sort_unstable();
    let mut expected: Vec<String> =
        (0..JOBS).map(|number| format!("job {number}").chars().rev().collect()).collect();
    expected.sort_unstable();
    if results == expected {
        return Ok(event);
    }
    Err(Failure::Unexpected(format!("{} of {JOBS} results are right", {
        results.iter().filter(|result| expected.iter().any(|job| job == *result)).count()
    })))
}

/// What follows the `created` event, which must come first and hold a handle.
fn rest_after_handle(seen: &[Value]) -> Result<&[Value], Failure> {
    match seen.split_first() {
        Some((first, rest)) if is_handle(first) => Ok(rest),
        _ => Err(unexpected("the client", seen)),
    }
}

fn is_handle(event: &Value) -> bool {
    field(event, "event") == "created"
        && field(event, "handle").as_str().is_some_and(|handle| handle.starts_with("H:"))
}

fn fraction(event: &Value) -> Option<f64> {
    let denominator = field(event, "denominator").as_f64().filter(|denominator| *denominator > 0.0)?;
    Some(field(event, "numerator").as_f64()? / denominator)
}

fn path(path: &Path) -> String {
    path.display().to_string()
}

fn same(who: &str, seen: &[Value], expected: &[Value]) -> Result<(), Failure> {
    if seen == expected { Ok(()) } else { Err(unexpected(who, seen)) }
}

fn expect(event: &Value, name: &str, expected: &Value) -> Result<(), Failure> {
    if field(event, name) == expected {
        return Ok(());
    }
    Err(Failure::Unexpected(format!("{name} is {} where {expected} is due", field(event, name))))
}

fn unexpected(who: &str, seen: &[Value]) -> Failure {
    let told: String = seen.iter().map(Value::to_string).collect::<Vec<_>>().join(" ");
    let told: String = told.chars().take(200).collect();
    Failure::Unexpected(format!("{who} saw: {}", if told.is_empty() { "nothing" } else { &told }))
}
