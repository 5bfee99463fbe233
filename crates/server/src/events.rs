//! Log lines about what happens in the queue, each from one typed event.
//!
//! From: [`geartrain_core::Outbox::note`], and the parts of the server. To: [`crate::log::Log`].
//! Never: costs more than a comparison when nobody wants the line.

use crate::link::Who;
use crate::log::{Level, Log};
use geartrain_core::{DocumentKind, Ended, Event, Outcome, Shelf};

/// Writes the line of an event of the queue; `who` is the connection of a refused request.
#[expect(clippy::too_many_lines, reason = "one arm per event")]
pub(crate) fn note(log: &Log, event: &Event<'_>, who: Option<Who>) {
    match event {
        Event::Accepted { function, unique, not_before, .. } => {
            if log.takes(Level::Notice) {
                let (function, unique) = (text(function.as_bytes()), text(unique.as_bytes()));
                log.line(Level::Notice, format_args!("accepted,{function},{unique},{not_before}"));
            }
        }
        Event::Refused { code, text, .. } => {
            if let Some(who) = who {
                log.line(Level::Warning, format_args!("{who} was refused: {}, {text}", code.as_str()));
            }
        }
        Event::GivenBack { handle, function, reason, attempts } => {
            if log.takes(Level::Info) {
                let (handle, function) = (text(handle.as_bytes()), text(function.as_bytes()));
                let reason = because(*reason);
                log.line(
                    Level::Info,
                    format_args!("attempt {attempts} of job {handle} of {function} is over: {reason}"),
                );
            }
        }
        Event::Suspended { worker, failures, pause } => log.line(
            Level::Warning,
            format_args!(
                "worker {} gets no jobs for {} s: it failed {failures} in a row that others completed",
                text(worker),
                pause.as_secs()
            ),
        ),
        Event::Unsuspended { worker } => {
            log.line(Level::Info, format_args!("worker {} gets jobs again", text(worker)));
        }
        Event::LetterRemoved { handle, function, shelf } => {
            if log.takes(Level::Notice) {
                let what = match shelf {
                    Shelf::Dead => "dead letter",
                    Shelf::Finished => "finished job",
                };
                let (handle, function) = (text(handle.as_bytes()), text(function.as_bytes()));
                log.line(
                    Level::Notice,
                    format_args!("{what} {handle} of {function} is forgotten, as its policy says"),
                );
            }
        }
        Event::UnreadableDocument { kind, name, error } => {
            let what = match kind {
                DocumentKind::Policy => "policy",
                DocumentKind::Schedule => "schedule",
                DocumentKind::Import => "note about an import",
            };
            log.line(Level::Error, format_args!("the stored {what} {} has no effect: {error}", text(name)));
        }
        Event::RunsMissed { name, count, more } => {
            let or_more = if *more { " or more" } else { "" };
            log.line(
                Level::Warning,
                format_args!(
                    "schedule {} left out {count}{or_more} run(s) whose time had passed",
                    text(name)
                ),
            );
        }
        Event::RunRefused { name, reason } => {
            log.line(Level::Error, format_args!("the job of schedule {} was refused: {reason}", text(name)));
        }
        Event::ScheduleHidden { name } => log.line(
            Level::Error,
            format_args!(
                "schedule {} of the configuration file has no effect: one of this name was added at run time (hint: \
                 gearadmin schedule remove, then SIGHUP)",
                text(name)
            ),
        ),
        Event::ScheduleLeft { name, reason } => {
            log.line(Level::Error, format_args!("schedule {} does not run: {reason}", text(name)));
        }
        Event::Steered { command, changed, .. } => {
            if let Some(who) = who {
                log.line(Level::Notice, format_args!("{who} sent {command}: {changed} changed"));
            }
        }
        Event::PolicyChanged { function } => {
            log.line(
                Level::Debug,
                format_args!("function {} has another policy now", text(function.as_bytes())),
            );
        }
        Event::Ended { handle, function, how } => ended(log, handle.as_bytes(), function.as_bytes(), *how),
        Event::Spilled { is_first: true, .. } => log.line(
            Level::Info,
            format_args!("waiting jobs take all of --queue-memory: workloads leave it for the disk"),
        ),
        Event::Spilled { is_first: false, .. }
        | Event::Coalesced { .. } | Event::Awaited { .. } | Event::Assigned { .. } | Event::Woken => {}
    }
}

fn because(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Completed => "it completed",
        Outcome::Disconnected => "its worker disconnected",
        Outcome::TimedOut => "its worker took too long",
        Outcome::Unable => "its worker gave up the function",
        Outcome::Failed => "its worker reported a failure",
        Outcome::Exception => "its worker reported an exception",
        Outcome::LostWorkers => "it lost too many workers",
        Outcome::Expired => "it waited too long",
        Outcome::Unreadable => "it cannot be read from the store",
    }
}

fn ended(log: &Log, handle: &[u8], function: &[u8], how: Ended) {
    let (level, how) = match how {
        Ended::Completed => (Level::Debug, "completed"),
        Ended::Failed => (Level::Debug, "failed"),
        Ended::Exception => (Level::Debug, "ended with an exception"),
        Ended::Cancelled => (Level::Info, "was cancelled"),
        Ended::Dead(outcome) => {
            return log.line(
                Level::Warning,
                format_args!(
                    "job {} of {} was given up, {} (hint: gearadmin dead show)",
                    text(handle),
                    text(function),
                    because(outcome)
                ),
            );
        }
        Ended::Abandoned => (Level::Info, "was dropped, its last client left"),
        Ended::NotStored => (Level::Warning, "was refused, its record could not be written"),
    };
    if log.takes(level) {
        log.line(level, format_args!("job {} of {} {how}", text(handle), text(function)));
    }
}

/// A connection took too little of what was sent to it.
pub(crate) fn output_over_limit(log: &Log, who: Who, bytes_max: usize) {
    log.line(
        Level::Warning,
        format_args!(
            "{who} is closed: it has not read {bytes_max} bytes that were sent to it \
             (hint: raise output-bytes-max)"
        ),
    );
}

fn text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}
