//! `gearman-manager ctl`: asks and steers the manager that runs.
//!
//! From: the command line. To: its control socket, and what it answers to standard output.
//! Never: waits for a manager that does not answer.

mod table;

use crate::Exit;
use crate::arguments::{Ctl, CtlAction};
use crate::output::say;
use anyhow::Context;
use geartrain_manager::planner::Scale;
use geartrain_manager::protocol::{Reply, Request};
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// How long the manager may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// Longest reply that is taken, in bytes.
const REPLY_BYTES_MAX: u64 = 64 * 1024 * 1024;

pub(crate) fn ctl(arguments: &Ctl) -> anyhow::Result<Exit> {
    let request = match &arguments.action {
        CtlAction::Status { .. } => Request::Status,
        CtlAction::Start { what } => Request::Start { what: what.clone() },
        CtlAction::Stop { what, now } => Request::Stop { what: what.clone(), now: *now },
        CtlAction::Signal { what, signal } => Request::Signal { what: what.clone(), signal: signal.clone() },
        CtlAction::Restart { what } => Request::Restart { what: what.clone() },
        CtlAction::Scale { program, to } => {
            if Scale::parse(to).is_none() {
                say(&format!("gearman-manager: {to:?} is none of +2, -1, =8 and auto"));
                return Ok(Exit::Wrong);
            }
            Request::Scale { program: program.clone(), to: to.clone() }
        }
        CtlAction::Tail { what, follow, lines } => {
            Request::Tail { what: what.clone(), lines: *lines, follow: *follow }
        }
        CtlAction::Reread => Request::Reread,
        CtlAction::Update => Request::Update,
        CtlAction::Shutdown => Request::Shutdown,
    };
    match talk(arguments, &request) {
        Ok(exit) => Ok(exit),
        // Whoever read us has seen enough.
        Err(error) if is_closed_pipe(&error) => Ok(Exit::Failed),
        Err(error) => Err(error),
    }
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

fn talk(arguments: &Ctl, request: &Request) -> anyhow::Result<Exit> {
    let path = arguments.socket.display();
    let mut stream = UnixStream::connect(&arguments.socket)
        .with_context(|| format!("no manager answers on {path} (hint: does it run? --socket says where)"))?;
    stream.set_write_timeout(Some(ANSWER_LIMIT))?;
    let is_endless = matches!(request, Request::Tail { follow: true, .. });
    stream.set_read_timeout(Some(ANSWER_LIMIT).filter(|_| !is_endless))?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line).with_context(|| format!("cannot ask the manager on {path}"))?;
    let mut replies = BufReader::new(stream);
    let mut out = io::stdout().lock();
    loop {
        let mut line = Vec::new();
        let read = io::Read::take(&mut replies, REPLY_BYTES_MAX).read_until(b'\n', &mut line);
        let count = read.with_context(|| format!("the manager on {path} does not answer"))?;
        if count == 0 {
            anyhow::bail!("the manager on {path} ended the conversation");
        }
        let reply: Reply = serde_json::from_slice(&line)
            .with_context(|| format!("{path} is not the control socket of a manager of this version"))?;
        let is_last = !matches!(reply, Reply::Line { .. });
        let exit = print(arguments, &mut out, &line, &reply)?;
        out.flush()?;
        if is_last {
            if exit == Exit::Done && *request == Request::Shutdown {
                wait_for_the_end(&mut replies)?;
            }
            return Ok(exit);
        }
    }
}

/// The manager closes the connection when it ends; before, its processes end, however long that takes.
fn wait_for_the_end(replies: &mut BufReader<UnixStream>) -> anyhow::Result<()> {
    replies.get_ref().set_read_timeout(None)?;
    let mut rest = Vec::new();
    // A connection that is reset has ended as well.
    let _ended = io::Read::read_to_end(replies, &mut rest);
    Ok(())
}

fn print(arguments: &Ctl, out: &mut impl Write, line: &[u8], reply: &Reply) -> anyhow::Result<Exit> {
    let exit = match reply {
        Reply::Refused { error } => {
            if !arguments.json {
                say(&format!("gearman-manager: {error}"));
            }
            Exit::Refused
        }
        Reply::Done { .. } | Reply::Line { .. } | Reply::Status(_) => Exit::Done,
    };
    let what = if let CtlAction::Status { what } = &arguments.action { what.as_deref() } else { None };
    if let (Reply::Status(status), Some(what)) = (reply, what)
        && !table::has(status, what)
    {
        say(&format!("gearman-manager: there is no {what:?}"));
        return Ok(Exit::Refused);
    }
    if arguments.json {
        if let (Reply::Status(status), Some(what)) = (reply, what) {
            let picked = Reply::Status(Box::new(table::pick(status, what)));
            writeln!(out, "{}", serde_json::to_string(&picked)?)?;
        } else {
            out.write_all(line)?;
        }
        return Ok(exit);
    }
    match reply {
        Reply::Refused { .. } => {}
        Reply::Done { text } if text.is_empty() => {}
        Reply::Done { text } => writeln!(out, "{text}")?,
        Reply::Line { process, line, .. } => writeln!(out, "{process} {line}")?,
        Reply::Status(status) => match what {
            Some(what) => table::print(out, &table::pick(status, what))?,
            None => table::print(out, status)?,
        },
    }
    Ok(exit)
}
