//! The client: submits jobs and prints what comes back.
//!
//! From: arguments or standard input. To: one round of submits per workload, one job for each function, in the
//! order they were given; then what workers send, in the order it arrives.
//! Never: ends with 0 when a job failed, was refused, or its result will not come.

use crate::arguments::{Arguments, Lines};
use crate::print::{Printer, shown};
use crate::talk::{Outcome, say};
use crate::unique::unique_of;
use anyhow::{Context, bail};
use geartrain_client::limits::ANSWER_LIMIT_DEFAULT;
use geartrain_client::{ClientError, Connection, ConnectionLimits, ServerAddress};
use geartrain_proto::{Function, Handle, Request, Response, Submit, SubmitMode, Unique};
use std::io::{self, BufRead, Read};
use std::os::unix::ffi::OsStrExt;

/// Largest workload, in bytes: 1 GiB, far over what servers take.
const WORKLOAD_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// Submits everything the arguments say.
///
/// # Errors
/// When a server cannot be reached, is silent or goes, or input and output fail.
pub(crate) fn run(arguments: &Arguments, servers: &[ServerAddress]) -> anyhow::Result<Outcome> {
    let mut client = Client { arguments, servers, connection: None, printer: Printer::new(arguments.prefix) };
    let mut outcome = Outcome::Done;
    let mut input = io::stdin().lock();
    if !arguments.arguments.is_empty() {
        for argument in &arguments.arguments {
            outcome = outcome.max(client.round(argument.as_bytes())?);
        }
    } else if arguments.no_input {
        outcome = client.round(b"")?;
    } else if arguments.lines() == Lines::Whole {
        let mut workload = Vec::new();
        input
            .take(WORKLOAD_BYTES_MAX + 1)
            .read_to_end(&mut workload)
            .context("cannot read standard input")?;
        check_size(&workload)?;
        outcome = client.round(&workload)?;
    } else {
        let mut line = Vec::new();
        loop {
            line.clear();
            let count = input.by_ref().take(WORKLOAD_BYTES_MAX + 1).read_until(b'\n', &mut line);
            if count.context("cannot read standard input")? == 0 {
                break;
            }
            check_size(&line)?;
            outcome = outcome.max(client.round(arguments.lines().pass(&line))?);
        }
    }
    Ok(outcome)
}

fn check_size(workload: &[u8]) -> anyhow::Result<()> {
    if u64::try_from(workload.len()).is_ok_and(|len| len <= WORKLOAD_BYTES_MAX) {
        return Ok(());
    }
    bail!("the workload is over the limit of {WORKLOAD_BYTES_MAX} bytes")
}

struct Client<'a> {
    arguments: &'a Arguments,
    servers: &'a [ServerAddress],
    connection: Option<Connection>,
    printer: Printer,
}

/// One job of a round.
struct Task<'a> {
    function: &'a [u8],
    state: TaskState,
}

enum TaskState {
    /// Submitted; the server has not answered yet.
    Submitted,
    /// Accepted under this handle; its result is due.
    Accepted {
        handle: Vec<u8>,
    },
    Ended,
}

impl Client<'_> {
    /// One job for each function with this workload, until all have ended.
    fn round(&mut self, workload: &[u8]) -> anyhow::Result<Outcome> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let mut tasks = Vec::new();
        for function in &self.arguments.function {
            let unique = unique_of(self.arguments.unique.as_deref(), workload).context("no random unique")?;
            let background = self.arguments.background;
            let submit = Request::Submit(Submit {
                function: Function::new(function.as_bytes()),
                unique: Unique::new(unique.as_bytes()),
                priority: self.arguments.priority(),
                mode: if background { SubmitMode::Background } else { SubmitMode::Foreground },
                reducer: None,
                workload,
            });
            if let Err(error) = connection.send(&submit, "submitting a job") {
                return Err(refusal_behind(&mut connection, error).into());
            }
            tasks.push(Task { function: function.as_bytes(), state: TaskState::Submitted });
        }
        let outcome = self.finish(&mut connection, &mut tasks)?;
        self.connection = Some(connection);
        Ok(outcome)
    }

    fn connect(&self) -> anyhow::Result<Connection> {
        let mut limits = ConnectionLimits::default();
        if let Some(silence) = self.arguments.silence() {
            limits.connect = limits.connect.min(silence);
            limits.write = silence;
        }
        let mut last = None;
        for server in self.servers {
            // Without the option, servers turn an exception into a failure and its text is lost.
            let opened = Connection::open(server, &limits).and_then(|mut connection| {
                connection.send(&Request::Option { name: b"exceptions" }, "setting an option")?;
                Ok(connection)
            });
            match (opened, last.take()) {
                (Ok(connection), _) => return Ok(connection),
                (Err(error), None) => last = Some(error),
                (Err(error), Some(before)) => {
                    say(&before);
                    last = Some(error);
                }
            }
        }
        match last {
            Some(error) => Err(error.into()),
            None => bail!("no server is given"),
        }
    }

    fn finish(&mut self, connection: &mut Connection, tasks: &mut [Task<'_>]) -> anyhow::Result<Outcome> {
        let mut outcome = Outcome::Done;
        while tasks.iter().any(|task| !matches!(task.state, TaskState::Ended)) {
            let all_accepted = !tasks.iter().any(|task| matches!(task.state, TaskState::Submitted));
            // A job may take hours, its acceptance may not.
            let (limit, doing) = if all_accepted {
                (self.arguments.silence(), "waiting for a result")
            } else {
                let limit = self.arguments.silence().unwrap_or(ANSWER_LIMIT_DEFAULT);
                (Some(limit), "waiting for a job to be accepted")
            };
            let response = connection.receive(limit, doing)?;
            outcome = outcome.max(self.handle_response(tasks, &response)?);
        }
        Ok(outcome)
    }

    fn handle_response(
        &mut self,
        tasks: &mut [Task<'_>],
        response: &Response<'_>,
    ) -> anyhow::Result<Outcome> {
        let printer = &mut self.printer;
        let mut outcome = Outcome::Done;
        match response {
            Response::JobCreated { handle } => {
                if self.arguments.verbose {
                    printer.created(*handle)?;
                }
                if let Some(task) = submitted(tasks) {
                    task.state = if self.arguments.background {
                        TaskState::Ended
                    } else {
                        TaskState::Accepted { handle: handle.as_bytes().to_vec() }
                    };
                }
            }
            Response::Error { code, text } => outcome = refused(tasks, code, text),
            Response::WorkData { handle, data } => {
                if let Some(task) = accepted(tasks, *handle) {
                    printer.data(task.function, data)?;
                }
            }
            Response::WorkWarning { handle, warning } => {
                if let Some(task) = accepted(tasks, *handle) {
                    printer.warning(task.function, warning);
                }
            }
            Response::WorkStatus { handle, numerator, denominator } => {
                if let Some(task) = accepted(tasks, *handle) {
                    printer.status(task.function, numerator, denominator)?;
                }
            }
            Response::WorkComplete { handle, result } => {
                if let Some(task) = accepted(tasks, *handle) {
                    printer.data(task.function, result)?;
                    task.state = TaskState::Ended;
                }
            }
            Response::WorkFail { handle } => {
                if let Some(task) = accepted(tasks, *handle) {
                    printer.failed(task.function);
                    task.state = TaskState::Ended;
                    outcome = Outcome::Failed;
                }
            }
            Response::WorkException { handle, exception } => {
                if let Some(task) = accepted(tasks, *handle) {
                    printer.warning(task.function, exception);
                    task.state = TaskState::Ended;
                    outcome = Outcome::Failed;
                }
            }
            // The answer to the option, and what a client has no use for.
            Response::Option { .. }
            | Response::Noop
            | Response::NoJob
            | Response::JobAssign { .. }
            | Response::JobAssignUniq { .. }
            | Response::JobAssignAll { .. }
            | Response::StatusRes { .. }
            | Response::StatusResUnique { .. }
            | Response::Echo { .. } => {}
        }
        Ok(outcome)
    }
}

/// An `ERROR` belongs to the first job without an answer.
fn refused(tasks: &mut [Task<'_>], code: &[u8], text: &[u8]) -> Outcome {
    // A server that does not know the option answers so; it is of an older kind.
    if code == b"UNKNOWN_OPTION" {
        return Outcome::Done;
    }
    let (code, text) = (shown(code), shown(text));
    match submitted(tasks) {
        Some(task) => {
            let function = shown(task.function);
            say(&format_args!("the server refused a job of {function}: {code}: {text}"));
            task.state = TaskState::Ended;
        }
        None => say(&format_args!("the server says: {code}: {text}")),
    }
    Outcome::Refused
}

/// The first job without an answer: servers answer submits in their order.
fn submitted<'t, 'a>(tasks: &'t mut [Task<'a>]) -> Option<&'t mut Task<'a>> {
    tasks.iter_mut().find(|task| matches!(task.state, TaskState::Submitted))
}

/// The first job under this handle whose result is due. Coalesced jobs share a handle and get each packet once
/// for each of them.
fn accepted<'t, 'a>(tasks: &'t mut [Task<'a>], handle: Handle<'_>) -> Option<&'t mut Task<'a>> {
    tasks.iter_mut().find(
        |task| matches!(&task.state, TaskState::Accepted { handle: of_task } if of_task == handle.as_bytes()),
    )
}

/// What a server said before it stopped reading, as it does with a workload over its limit; else `error`.
fn refusal_behind(connection: &mut Connection, error: ClientError) -> ClientError {
    const LIMIT: std::time::Duration = std::time::Duration::from_secs(1);
    let server = connection.server().clone();
    for _answer in 0..2 {
        if let Ok(Response::Error { code, text }) = connection.receive(Some(LIMIT), "reading a refusal") {
            let text = format!("the server refused a job: {}: {}", shown(code), shown(text));
            return ClientError::Refused { server, text };
        }
    }
    error
}
