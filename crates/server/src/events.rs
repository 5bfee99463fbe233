//! Log lines about what happens in the queue, each from one typed event.
//!
//! From: [`geartrain_core::Outbox::note`], and the parts of the server. To: [`crate::log::Log`].
//! Never: costs more than a comparison when nobody wants the line.

use crate::link::Who;
use crate::log::{Level, Log};
use geartrain_core::{Ended, Event, GivenBack};

/// Writes the line of an event of the queue; `who` is the connection of a refused request.
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
                let reason = match reason {
                    GivenBack::Disconnected => "its worker disconnected",
                    GivenBack::TimedOut => "its worker took too long",
                    GivenBack::Unable => "its worker gave up the function",
                };
                log.line(
                    Level::Info,
                    format_args!(
                        "job {handle} of {function} is queued again after {attempts} attempts: {reason}"
                    ),
                );
            }
        }
        Event::Ended { handle, function, how } => ended(log, handle.as_bytes(), function.as_bytes(), *how),
        Event::Coalesced { .. } | Event::Assigned { .. } | Event::Woken => {}
    }
}

fn ended(log: &Log, handle: &[u8], function: &[u8], how: Ended) {
    let (level, how) = match how {
        Ended::Completed => (Level::Debug, "completed"),
        Ended::Failed => (Level::Debug, "failed"),
        Ended::Exception => (Level::Debug, "ended with an exception"),
        Ended::Cancelled => (Level::Info, "was cancelled"),
        Ended::RetriesSpent => (Level::Warning, "was given up, its attempts are used up"),
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
