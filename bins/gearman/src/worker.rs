//! The worker: takes jobs from all servers in turn and runs the command for each.
//!
//! From: `JOB_ASSIGN_UNIQ` of any server. To: `WORK_DATA`, then `WORK_COMPLETE` or `WORK_FAIL`.
//! Never: holds more than one job, reports a job it could not run (its server gives it to another worker), or
//! leaves a job when asked once to go.

use crate::arguments::Arguments;
use crate::command::{self, Ended, Job, wait};
use crate::print::shown;
use crate::signals::Signals;
use crate::talk::{Outcome, say};
use geartrain_client::limits::ANSWER_LIMIT_DEFAULT;
use geartrain_client::{ClientError, Connection, ConnectionLimits, ServerAddress};
use geartrain_proto::{Function, GrabKind, Handle, Request, Response};
use nix::poll::{PollFd, PollFlags, PollTimeout};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

/// The first pause before a server is tried again; each further one is twice as long.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
/// The longest pause before a server is tried again.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// How long a server that owes an answer is waited for once the worker is asked to leave.
const LAST_ANSWER_LIMIT: Duration = Duration::from_secs(1);
/// How long connecting may take while other servers may have jobs.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Works until it is asked to leave or has done its count.
///
/// # Errors
/// When the command cannot be started, or standard output fails.
pub(crate) fn run(
    arguments: &Arguments,
    servers: &[ServerAddress],
    signals: &mut Signals,
) -> anyhow::Result<Outcome> {
    let links = servers.iter().map(|server| Link::new(server.clone())).collect();
    Worker { arguments, links, signals, rounds: 0, outcome: Outcome::Done }.run()
}

struct Worker<'a> {
    arguments: &'a Arguments,
    links: Vec<Link>,
    signals: &'a mut Signals,
    /// Jobs done, and waits that ended without one.
    rounds: u64,
    outcome: Outcome,
}

/// One server, connected or to be tried again.
struct Link {
    server: ServerAddress,
    connection: Option<Connection>,
    retry_at: Instant,
    pause: Duration,
}

/// A job, free of the connection's buffer.
struct Assigned {
    handle: Vec<u8>,
    function: Vec<u8>,
    unique: Vec<u8>,
    workload: Vec<u8>,
}

impl Worker<'_> {
    fn run(mut self) -> anyhow::Result<Outcome> {
        let mut waiting_since = Instant::now();
        while !self.is_done() {
            self.connect_due();
            if self.take_turn()? {
                waiting_since = Instant::now();
                continue;
            }
            if self.is_done() {
                break;
            }
            let until = self.arguments.silence().map(|limit| waiting_since + limit);
            self.sleep(until)?;
            if until.is_some_and(|until| Instant::now() >= until) && self.signals.stops() == 0 {
                self.give_up_waiting();
                waiting_since = Instant::now();
            }
        }
        Ok(self.outcome)
    }

    fn is_done(&mut self) -> bool {
        self.signals.stops() > 0
            || self.arguments.count.is_some_and(|count| count > 0 && self.rounds >= count)
    }

    fn connect_due(&mut self) {
        let now = Instant::now();
        for link in self.links.iter_mut().filter(|link| link.connection.is_none() && link.retry_at <= now) {
            let limits = ConnectionLimits { connect: CONNECT_LIMIT, ..ConnectionLimits::default() };
            let opened = Connection::open(&link.server, &limits).and_then(|mut connection| {
                // In reverse, as client libraries do: servers of the 1.1 line serve the last one first.
                for function in self.arguments.function.iter().rev() {
                    let function = Function::new(function.as_bytes());
                    connection.send(&Request::CanDo { function }, "registering a function")?;
                }
                Ok(connection)
            });
            match opened {
                Ok(connection) => link.connection = Some(connection),
                Err(error) => link.lost(&error),
            }
        }
    }

    /// Asks each server for one job, and runs what it gives; whether there was any.
    fn take_turn(&mut self) -> anyhow::Result<bool> {
        let mut worked = false;
        for link in &mut self.links {
            let Some(connection) = &mut link.connection else { continue };
            let job = match grab(connection, self.signals) {
                Ok(job) => job,
                Err(error) => {
                    link.lost(&error);
                    continue;
                }
            };
            link.pause = PAUSE_FIRST;
            let Some(job) = job else { continue };
            worked = true;
            match work(self.arguments, self.signals, connection, &job)? {
                Reported::Yes => {}
                Reported::Lost(error) => link.lost(&error),
                Reported::Stopped => {
                    self.outcome = Outcome::Failed;
                    return Ok(worked);
                }
            }
            self.rounds += 1;
            let counted = self.arguments.count.is_some_and(|count| count > 0 && self.rounds >= count);
            if counted || self.signals.stops() > 0 {
                if let Some(connection) = &mut link.connection
                    && let Err(error) = confirm(connection)
                {
                    say(&error);
                    self.outcome = Outcome::Failed;
                }
                return Ok(worked);
            }
        }
        Ok(worked)
    }

    /// Tells all servers to wake this worker, and waits for one of them, a signal, or a time.
    fn sleep(&mut self, until: Option<Instant>) -> io::Result<()> {
        for link in &mut self.links {
            if let Some(connection) = &mut link.connection
                && let Err(error) = connection.send(&Request::PreSleep, "going to sleep")
            {
                link.lost(&error);
            }
        }
        let retry = self.links.iter().filter(|link| link.connection.is_none()).map(|link| link.retry_at);
        let wake_at = retry.chain(until).min();
        let [wake, stop] = self.signals.descriptors();
        let mut polled = vec![PollFd::new(wake, PollFlags::POLLIN), PollFd::new(stop, PollFlags::POLLIN)];
        let connections = self.links.iter().filter_map(|link| link.connection.as_ref());
        polled.extend(connections.map(|connection| PollFd::new(connection.as_fd(), PollFlags::POLLIN)));
        wait(&mut polled, timeout_until(wake_at))
    }

    /// A wait without a job counts as a round, as in the reference: with a count, the worker ends.
    fn give_up_waiting(&mut self) {
        let limit = self.arguments.silence().unwrap_or_default().as_millis();
        self.rounds += 1;
        if self.links.iter().any(|link| link.connection.is_some()) {
            say(&format_args!("no job came within {limit} ms"));
        } else {
            say(&format_args!("no server was there within {limit} ms"));
            self.outcome = Outcome::Failed;
        }
    }
}

fn timeout_until(wake_at: Option<Instant>) -> PollTimeout {
    let Some(wake_at) = wake_at else { return PollTimeout::NONE };
    // Rounded up, so that the time has come when the wait ends.
    let left = wake_at.saturating_duration_since(Instant::now()).as_millis() + 1;
    PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
}

impl Link {
    fn new(server: ServerAddress) -> Self {
        Self { server, connection: None, retry_at: Instant::now(), pause: PAUSE_FIRST }
    }

    fn lost(&mut self, error: &ClientError) {
        say(&format_args!("{error}; next try in {} ms", self.pause.as_millis()));
        self.connection = None;
        self.retry_at = Instant::now() + self.pause;
        self.pause = (self.pause * 2).min(PAUSE_MAX);
    }
}

/// Asks one server for a job.
fn grab(connection: &mut Connection, signals: &mut Signals) -> Result<Option<Assigned>, ClientError> {
    const DOING: &str = "asking for a job";
    let server = connection.server().clone();
    connection.send(&Request::Grab(GrabKind::Unique), DOING)?;
    loop {
        wait_for_answer(connection, signals, DOING)?;
        match connection.receive(Some(ANSWER_LIMIT_DEFAULT), DOING)? {
            Response::NoJob => return Ok(None),
            Response::JobAssignUniq { handle, function, unique, workload } => {
                return Ok(Some(Assigned {
                    handle: handle.as_bytes().to_vec(),
                    function: function.as_bytes().to_vec(),
                    unique: unique.as_bytes().to_vec(),
                    workload: workload.to_vec(),
                }));
            }
            // As for a result that came too late: its job has another worker by now.
            Response::Error { code, text } => {
                say(&format_args!("{server} says: {}: {}", shown(code), shown(text)));
            }
            // A wake-up may come at any time, and before the answer.
            Response::Noop
            | Response::JobCreated { .. }
            | Response::JobAssign { .. }
            | Response::JobAssignAll { .. }
            | Response::WorkStatus { .. }
            | Response::WorkComplete { .. }
            | Response::WorkFail { .. }
            | Response::WorkException { .. }
            | Response::WorkData { .. }
            | Response::WorkWarning { .. }
            | Response::StatusRes { .. }
            | Response::StatusResUnique { .. }
            | Response::Echo { .. }
            | Response::Option { .. } => {}
        }
    }
}

/// Waits for a packet, and no longer than a moment once the worker is asked to leave.
fn wait_for_answer(
    connection: &mut Connection,
    signals: &mut Signals,
    doing: &'static str,
) -> Result<(), ClientError> {
    let since = Instant::now();
    while !connection.has_response() {
        let limit = if signals.stops() > 0 { LAST_ANSWER_LIMIT } else { ANSWER_LIMIT_DEFAULT };
        let [wake, stop] = signals.descriptors();
        let mut polled = [connection.as_fd(), wake, stop].map(|one| PollFd::new(one, PollFlags::POLLIN));
        let waited = wait(&mut polled, timeout_until(Some(since + limit)));
        let [socket, ..] = &polled;
        if waited.is_err() || socket.any().unwrap_or(true) || since.elapsed() >= limit {
            // What the poll found, the read finds as well: bytes, an error, or silence.
            let left = limit.saturating_sub(since.elapsed()).max(Duration::from_millis(1));
            connection.fill(Some(left), doing)?;
        }
    }
    Ok(())
}

/// Waits until the server has read all that was sent.
///
/// A worker that leaves right after its last result would reset the connection when something from the server
/// is unread, and the result could be lost on its way.
fn confirm(connection: &mut Connection) -> Result<(), ClientError> {
    const DOING: &str = "confirming the last result";
    connection.send(&Request::Echo { data: b"" }, DOING)?;
    while !matches!(connection.receive(Some(ANSWER_LIMIT_DEFAULT), DOING)?, Response::Echo { .. }) {}
    Ok(())
}

/// Whether the server heard how a job ended.
enum Reported {
    Yes,
    /// The connection is gone; the server gives the job to another worker.
    Lost(ClientError),
    /// The worker was asked twice to leave.
    Stopped,
}

fn work(
    arguments: &Arguments,
    signals: &mut Signals,
    connection: &mut Connection,
    job: &Assigned,
) -> anyhow::Result<Reported> {
    const DOING: &str = "reporting on a job";
    let handle = Handle::new(&job.handle);
    if arguments.arguments.is_empty() {
        let mut out = io::stdout().lock();
        out.write_all(&job.workload)?;
        out.flush()?;
        return Ok(reported(connection.send(&Request::WorkComplete { handle, result: b"" }, DOING)));
    }
    let mut lost = None;
    let ran = {
        let mut send_line = |line: &[u8]| {
            connection.send(&Request::WorkData { handle, data: line }, DOING).map_err(|error| {
                lost = Some(error);
                anyhow::anyhow!("lost the server")
            })
        };
        let job = Job {
            handle: &job.handle,
            function: &job.function,
            unique: &job.unique,
            workload: &job.workload,
        };
        command::run(&arguments.arguments, &job, arguments.lines(), signals, &mut send_line)
    };
    let (ended, output) = match (ran, lost) {
        (_, Some(error)) => return Ok(Reported::Lost(error)),
        (ran, None) => ran?,
    };
    let report = match ended {
        Ended::Stopped => {
            say(&format_args!("the job {handle} was left unfinished; its server gives it to another worker"));
            return Ok(Reported::Stopped);
        }
        Ended::Well => connection.send(&Request::WorkComplete { handle, result: &output }, DOING),
        Ended::Badly(how) => {
            say(&format_args!("job {handle} failed: the command {how}"));
            let data = if output.is_empty() {
                Ok(())
            } else {
                connection.send(&Request::WorkData { handle, data: &output }, DOING)
            };
            data.and_then(|()| connection.send(&Request::WorkFail { handle }, DOING))
        }
    };
    Ok(reported(report))
}

fn reported(sent: Result<(), ClientError>) -> Reported {
    sent.map_or_else(Reported::Lost, |()| Reported::Yes)
}
