//! Any text line: read as a plain reading of the grammar says, answered by one whole line or list.

use geartrain_core::{ConnId, Core, Event, Now, Op, Outbox, Settings, Ticket};
use geartrain_proto::{AdminCommand, Function, Message, Refusal, Request, Response, Step, decode_message};

/// Sends every line of `data` to a queue that has a function, a job and a worker.
///
/// # Panics
/// When a line is read in another way than the grammar says, or answered in another form.
pub fn admin_line(data: &[u8]) {
    let mut core = Core::new(Settings::default()).expect("the default settings are good");
    let mut texts = Texts::default();
    let conn = core.handle_connected(3, "127.0.0.1");
    let able = Request::CanDo { function: Function::from("f") };
    core.handle_request(Now::default(), conn, &able, &mut texts);
    for line in data.split(|byte| *byte == b'\n') {
        let mut text = line.to_vec();
        text.push(b'\n');
        // A line that begins with a NUL is a packet.
        if text[0] == 0 || text.len() > geartrain_proto::limits::LINE_BYTES_MAX {
            continue;
        }
        let Step::Complete { consumed, message } = decode_message(&text, 1024) else {
            panic!("a whole line is there");
        };
        assert_eq!(consumed, text.len(), "a line ends with its line feed");
        check_words(line, &message);
        match message {
            Ok(Message::Admin(command)) => {
                core.handle_admin(conn, &command, &mut texts);
                check_answer(&command, &std::mem::take(&mut texts.last));
            }
            Ok(Message::Request(_)) => panic!("a line is no packet"),
            Err(error) => core.handle_malformed(conn, &error, &mut texts),
        }
        texts.last.clear();
        core.check_all();
    }
}

/// Words are what spaces separate; more than five are too many; a space in front is an empty command.
fn check_words<E: std::fmt::Debug>(line: &[u8], message: &Result<Message<'_>, E>) {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let text: Vec<&[u8]> = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).collect();
    if line.first() == Some(&b' ') || text.is_empty() {
        assert!(
            matches!(message, Ok(Message::Admin(AdminCommand::Refused(Refusal::UnknownCommand(b""))))),
            "an empty command is refused: {message:?}"
        );
        return;
    }
    assert_eq!(text.len() > 5, message.is_err(), "a line of {} words", text.len());
    let Ok(Message::Admin(command)) = message else { return };
    let first = text[0].to_ascii_lowercase();
    let expected = match command {
        AdminCommand::Status => b"status".as_slice(),
        AdminCommand::PriorityStatus => b"prioritystatus",
        AdminCommand::Workers => b"workers",
        AdminCommand::ShowJobs
        | AdminCommand::ShowUniqueJobs
        | AdminCommand::Refused(Refusal::UnknownShow) => b"show",
        AdminCommand::CancelJob(_) | AdminCommand::Refused(Refusal::UnknownCancel) => b"cancel",
        AdminCommand::CreateFunction(_) => b"create",
        AdminCommand::DropFunction { .. } => b"drop",
        AdminCommand::MaxQueue { .. } => b"maxqueue",
        AdminCommand::GetPid => b"getpid",
        AdminCommand::Verbose => b"verbose",
        AdminCommand::Version => b"version",
        AdminCommand::Refused(Refusal::UnknownCommand(word)) => {
            assert_eq!(*word, text[0], "the word that is refused");
            return;
        }
        AdminCommand::Refused(Refusal::Incomplete(command)) => command.as_bytes(),
    };
    assert_eq!(first, expected, "the first word names the command");
}

/// A list ends with a dot, everything else is one line.
fn check_answer(command: &AdminCommand<'_>, answer: &[u8]) {
    let is_list = matches!(
        command,
        AdminCommand::Status
            | AdminCommand::PriorityStatus
            | AdminCommand::Workers
            | AdminCommand::ShowJobs
            | AdminCommand::ShowUniqueJobs
    );
    if is_list {
        assert!(answer == b".\n" || answer.ends_with(b"\n.\n"), "a list ends with a dot");
        let rows = answer.split(|byte| *byte == b'\n');
        assert_eq!(rows.filter(|row| *row == b".").count(), 1, "only its end is a dot");
    } else {
        assert!(answer.starts_with(b"OK") || answer.starts_with(b"ERR "), "{}", answer.escape_ascii());
        assert!(answer.ends_with(b"\n"), "{}", answer.escape_ascii());
    }
}

#[derive(Default)]
struct Texts {
    last: Vec<u8>,
}

impl Outbox for Texts {
    fn send(&mut self, _: ConnId, _: Response<'_>) {}
    fn hold(&mut self, _: ConnId, _: Ticket, _: Response<'_>) {}
    fn release(&mut self, _: ConnId, _: Ticket) {}
    fn refuse(&mut self, _: ConnId, _: Ticket, _: Response<'_>) {}
    fn text(&mut self, _: ConnId, text: &[u8]) {
        assert!(self.last.is_empty(), "a command is answered once");
        self.last = text.to_vec();
    }
    fn persist(&mut self, _: Ticket, _: Op<'_>) {}
    fn close(&mut self, _: ConnId) {}
    fn note(&mut self, _: Event<'_>) {}
}
