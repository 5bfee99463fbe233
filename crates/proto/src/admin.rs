//! The text commands of the Gearman port, as words.
//!
//! From: a line without its line feed. To: an [`AdminCommand`], which `core` answers.
//! The grammar is the reference's: words are separated by spaces only, the first is not case-sensitive,
//! and most commands ignore words they do not know.

use crate::body::lenient_number;
use crate::command::{Command, CommandError};
use crate::error::DecodeError;
use crate::limits::LINE_WORDS_MAX;
use crate::names::{Function, Handle};

/// Upper bounds for the waiting jobs of a function, by priority (high, normal, low); `None` is no bound.
pub type QueueBounds = [Option<u32>; 3];

/// A text command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminCommand<'a> {
    /// `status`
    Status,
    /// `prioritystatus`
    PriorityStatus,
    /// `workers`
    Workers,
    /// `show jobs`
    ShowJobs,
    /// `show unique jobs`
    ShowUniqueJobs,
    /// `cancel job HANDLE`
    CancelJob(Handle<'a>),
    /// `create function NAME`
    CreateFunction(Function<'a>),
    /// `drop function NAME [force]`
    DropFunction {
        /// The function to forget.
        function: Function<'a>,
        /// What happens to its waiting jobs.
        waiting: DropWaiting,
    },
    /// `maxqueue FUNCTION [N | HIGH NORMAL LOW]`
    MaxQueue {
        /// The function to bound.
        function: Function<'a>,
        /// Its bounds.
        bounds: QueueBounds,
    },
    /// `getpid`
    GetPid,
    /// `verbose`
    Verbose,
    /// `version`
    Version,
    /// A typed command, or why what follows its words is none.
    Typed(Result<Command, CommandError>),
    /// A command that is none, or that lacks words, and the line that says so.
    Refused(Refusal<'a>),
}

/// What `drop function` does when jobs of the function wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DropWaiting {
    /// Refuses, as the reference does.
    Refuse,
    /// Cancels them: `drop function NAME force`.
    Cancel,
}

/// Why a line is not a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal<'a> {
    /// The first word is no command, or the command lacks a word.
    UnknownCommand(&'a [u8]),
    /// `show` with words it does not know.
    UnknownShow,
    /// `cancel` with words it does not know.
    UnknownCancel,
    /// The named command lacks arguments.
    Incomplete(&'static str),
}

impl<'a> AdminCommand<'a> {
    /// Reads one line, without its line feed; one carriage return at its end is dropped.
    ///
    /// # Errors
    /// [`DecodeError::LineTooManyWords`]. What is not a command is [`AdminCommand::Refused`].
    pub fn parse(line: &'a [u8]) -> Result<Self, DecodeError> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.first() == Some(&b' ') {
            return Ok(AdminCommand::Refused(Refusal::UnknownCommand(b"")));
        }
        if let Some(command) = Command::parse(line) {
            return Ok(AdminCommand::Typed(command));
        }
        let mut words = [&b""[..]; LINE_WORDS_MAX];
        let mut count = 0;
        for word in line.split(|byte| *byte == b' ').filter(|word| !word.is_empty()) {
            *words.get_mut(count).ok_or(DecodeError::LineTooManyWords { max: LINE_WORDS_MAX })? = word;
            count += 1;
        }
        Ok(Self::from_words(words.get(..count).unwrap_or_default()))
    }

    fn from_words(words: &[&'a [u8]]) -> Self {
        let Some((command, arguments)) = words.split_first() else {
            return AdminCommand::Refused(Refusal::UnknownCommand(b""));
        };
        let unknown = AdminCommand::Refused(Refusal::UnknownCommand(command));
        match command.to_ascii_lowercase().as_slice() {
            b"status" => AdminCommand::Status,
            b"prioritystatus" => AdminCommand::PriorityStatus,
            b"workers" => AdminCommand::Workers,
            b"getpid" => AdminCommand::GetPid,
            b"verbose" => AdminCommand::Verbose,
            b"version" => AdminCommand::Version,
            b"show" => show(arguments).unwrap_or(unknown),
            b"cancel" => cancel(arguments).unwrap_or(unknown),
            b"create" => match arguments {
                [what, name, ..] if what.eq_ignore_ascii_case(b"function") => {
                    AdminCommand::CreateFunction(Function::new(name))
                }
                _ => AdminCommand::Refused(Refusal::Incomplete("create")),
            },
            b"drop" => drop_function(arguments),
            b"maxqueue" => maxqueue(arguments),
            _ => unknown,
        }
    }
}

fn show<'a>(arguments: &[&'a [u8]]) -> Option<AdminCommand<'a>> {
    let is = |word: &[u8], expected: &[u8]| word.eq_ignore_ascii_case(expected);
    match arguments {
        [] => None,
        [jobs] if is(jobs, b"jobs") => Some(AdminCommand::ShowJobs),
        [unique, jobs] if is(unique, b"unique") && is(jobs, b"jobs") => Some(AdminCommand::ShowUniqueJobs),
        _ => Some(AdminCommand::Refused(Refusal::UnknownShow)),
    }
}

fn cancel<'a>(arguments: &[&'a [u8]]) -> Option<AdminCommand<'a>> {
    match arguments {
        [] | [_] => None,
        [job, handle] if job.eq_ignore_ascii_case(b"job") => {
            Some(AdminCommand::CancelJob(Handle::new(handle)))
        }
        _ => Some(AdminCommand::Refused(Refusal::UnknownCancel)),
    }
}

fn drop_function<'a>(arguments: &[&'a [u8]]) -> AdminCommand<'a> {
    match arguments {
        [what, name, rest @ ..] if what.eq_ignore_ascii_case(b"function") => {
            let force = rest.first().is_some_and(|word| word.eq_ignore_ascii_case(b"force"));
            let waiting = if force { DropWaiting::Cancel } else { DropWaiting::Refuse };
            AdminCommand::DropFunction { function: Function::new(name), waiting }
        }
        _ => AdminCommand::Refused(Refusal::Incomplete("drop")),
    }
}

/// No number: no bounds. One: the same for all. Two: high and normal. Three: high, normal, low.
fn maxqueue<'a>(arguments: &[&'a [u8]]) -> AdminCommand<'a> {
    let Some((name, numbers)) = arguments.split_first() else {
        return AdminCommand::Refused(Refusal::Incomplete("maxqueue"));
    };
    let bounds = match numbers {
        [] => [None; 3],
        [all] => [bound(all); 3],
        [high, normal] => [bound(high), bound(normal), None],
        [high, normal, low, ..] => [bound(high), bound(normal), bound(low)],
    };
    AdminCommand::MaxQueue { function: Function::new(name), bounds }
}

/// A bound as the reference reads it: what is not a positive number is no bound.
fn bound(text: &[u8]) -> Option<u32> {
    lenient_number(text).filter(|number| *number > 0).map(|number| u32::try_from(number).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> AdminCommand<'_> {
        AdminCommand::parse(line.as_bytes()).expect("a line of at most five words")
    }

    #[test]
    fn commands_are_read_as_the_reference_reads_them() {
        assert_eq!(parse("STATUS extra\r"), AdminCommand::Status);
        assert_eq!(parse("show  unique jobs"), AdminCommand::ShowUniqueJobs);
        assert_eq!(parse("show"), AdminCommand::Refused(Refusal::UnknownCommand(b"show")));
        assert_eq!(parse("show me"), AdminCommand::Refused(Refusal::UnknownShow));
        assert_eq!(parse("cancel job"), AdminCommand::Refused(Refusal::UnknownCommand(b"cancel")));
        assert_eq!(parse("cancel foo bar"), AdminCommand::Refused(Refusal::UnknownCancel));
        assert_eq!(parse("cancel job H:h:1"), AdminCommand::CancelJob(Handle::from("H:h:1")));
        assert_eq!(parse("create function abcd"), AdminCommand::CreateFunction(Function::from("abcd")));
        assert_eq!(parse("drop"), AdminCommand::Refused(Refusal::Incomplete("drop")));
        assert_eq!(parse(""), AdminCommand::Refused(Refusal::UnknownCommand(b"")));
        assert_eq!(parse(" version"), AdminCommand::Refused(Refusal::UnknownCommand(b"")));
        assert_eq!(parse("status\tx"), AdminCommand::Refused(Refusal::UnknownCommand(b"status\tx")));
        assert_eq!(
            AdminCommand::parse(b"a b c d e f"),
            Err(DecodeError::LineTooManyWords { max: LINE_WORDS_MAX })
        );
    }

    #[test]
    fn maxqueue_takes_its_numbers_in_the_order_of_the_reference() {
        let bounds = |line| {
            let AdminCommand::MaxQueue { bounds, .. } = parse(line) else { panic!("{line}") };
            bounds
        };
        assert_eq!(bounds("maxqueue f"), [None; 3]);
        assert_eq!(bounds("maxqueue f 4"), [Some(4); 3]);
        assert_eq!(bounds("maxqueue f 4 3"), [Some(4), Some(3), None]);
        assert_eq!(bounds("maxqueue f 4 3 2"), [Some(4), Some(3), Some(2)]);
        assert_eq!(bounds("maxqueue f -1"), [None; 3]);
        assert_eq!(bounds("maxqueue f x 0 9999999999"), [None, None, Some(u32::MAX)]);
    }
}
