//! Any text line: read as a plain reading of the grammar says, answered by one whole line or list.

use geartrain_core::{Answer, ConnId, Core, Durability, Event, Now, Op, Outbox, Settings, Ticket, Wanted};
use geartrain_proto::command::{Command, CommandError, Page};
use geartrain_proto::{
    AdminCommand, Function, Message, Priority, Refusal, Request, Response, Step, Submit, SubmitMode, Unique,
    decode_message,
};
use geartrain_store::{Batch, MemoryStore, Reader as _, Store as _};

/// Sends every line of `data` to a queue that has functions, jobs, dead letters and a worker.
///
/// # Panics
/// When a line is read in another way than the grammar says, or answered in another form.
pub fn admin_line(data: &[u8]) {
    let settings = Settings { durability: Durability::Stored, job_retries: 1, ..Settings::default() };
    let mut core = Core::new(settings).expect("the default settings are good");
    let mut texts = Texts::default();
    let conn = core.handle_connected(3, "127.0.0.1");
    populate(&mut core, conn, &mut texts);
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
                core.handle_admin(Now::default(), conn, &command, &mut texts);
                texts.follow_up(&mut core);
                check_answer(&command, &std::mem::take(&mut texts.last));
            }
            Ok(Message::Request(_)) => panic!("a line is no packet"),
            Err(error) => core.handle_malformed(conn, &error, &mut texts),
        }
        texts.last.clear();
        core.check_all();
    }
}

/// Three jobs, of which two died on a worker, and a worker.
fn populate(core: &mut Core, conn: ConnId, texts: &mut Texts) {
    for (function, workload) in [("f", &b"a"[..]), ("f", b"b\xff"), ("g", b"c")] {
        let submit = Submit {
            function: Function::from(function),
            unique: Unique::from("u"),
            priority: Priority::Normal,
            mode: SubmitMode::Background,
            reducer: None,
            workload,
        };
        core.handle_request(Now::default(), conn, &Request::Submit(submit), texts);
        if function == "f" {
            let doomed = core.handle_connected(4, "127.0.0.1");
            let able = Request::CanDo { function: Function::from("f") };
            core.handle_request(Now::default(), doomed, &able, texts);
            let grab = Request::Grab(geartrain_proto::GrabKind::Plain);
            core.handle_request(Now::default(), doomed, &grab, texts);
            core.handle_closed(Now::default(), doomed, texts);
        }
    }
    let able = Request::CanDo { function: Function::from("f") };
    core.handle_request(Now::default(), conn, &able, texts);
    texts.follow_up(core);
}

/// Words are what spaces separate; more than five are too many; a space in front is an empty command.
fn check_words<E: std::fmt::Debug>(line: &[u8], message: &Result<Message<'_>, E>) {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if let Ok(Message::Admin(AdminCommand::Typed(command))) = message {
        let first = |words: &str| words.split(' ').next().map(str::len);
        let known = Command::ALL_WORDS.iter().any(|words| {
            first(words)
                .and_then(|len| words.get(..len))
                .is_some_and(|word| line.starts_with(word.as_bytes()))
        });
        assert!(known, "a typed command begins with its words");
        if let Ok(command) = command {
            let again = Command::parse(command.to_line().as_bytes());
            assert_eq!(again.as_ref(), Some(&Ok(command.clone())), "written and read again it is the same");
        }
        return;
    }
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
        AdminCommand::Typed(_) => return,
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
    if matches!(command, AdminCommand::Typed(_)) {
        check_rows(answer);
    } else if is_list {
        assert!(answer == b".\n" || answer.ends_with(b"\n.\n"), "a list ends with a dot");
        let rows = answer.split(|byte| *byte == b'\n');
        assert_eq!(rows.filter(|row| *row == b".").count(), 1, "only its end is a dot");
    } else {
        assert!(answer.starts_with(b"OK") || answer.starts_with(b"ERR "), "{}", answer.escape_ascii());
        assert!(answer.ends_with(b"\n"), "{}", answer.escape_ascii());
    }
}

/// Rows of JSON, the last of them a page or an error, and a dot.
fn check_rows(answer: &[u8]) {
    let rows = answer.strip_suffix(b".\n").expect("the answer to a typed command ends with a dot");
    let rows = rows.strip_suffix(b"\n").expect("and has a row before that");
    let rows: Vec<&[u8]> = rows.split(|byte| *byte == b'\n').collect();
    for row in &rows {
        let parsed: Result<serde_json::Value, _> = serde_json::from_slice(row);
        assert!(parsed.is_ok_and(|row| row.is_object()), "{} is no object", row.escape_ascii());
    }
    let last = rows.last().expect("splitting gives a part");
    let is_page = serde_json::from_slice::<Page>(last).is_ok();
    let is_error = serde_json::from_slice::<CommandError>(last).is_ok();
    assert!(is_page || (is_error && rows.len() == 1), "{} is no last row", last.escape_ascii());
}

#[derive(Default)]
struct Texts {
    last: Vec<u8>,
    batch: Batch,
    reads: Vec<(Ticket, Wanted, Vec<u64>)>,
    store: MemoryStore,
}

impl Texts {
    /// Stores and reads what was asked for, until nothing is.
    fn follow_up(&mut self, core: &mut Core) {
        while !self.batch.is_empty() || !self.reads.is_empty() {
            let batch = std::mem::take(&mut self.batch);
            self.store.commit(&batch).expect("memory takes every batch");
            core.handle_committed(Now::default(), batch.last_ticket(), self);
            for (ticket, wanted, numbers) in std::mem::take(&mut self.reads) {
                let mut store = self.store.clone();
                let read = store.read(wanted, &numbers, &mut |found| core.handle_read(ticket, found));
                read.expect("memory can be read");
                core.handle_read_end(Now::default(), ticket, Ok(()), self);
            }
        }
    }
}

impl Outbox for Texts {
    fn send(&mut self, _: ConnId, _: Response<'_>) {}
    fn hold(&mut self, _: ConnId, _: Ticket, _: Answer<'_>) {}
    fn release(&mut self, _: ConnId, _: Ticket) {}
    fn replace(&mut self, conn: ConnId, _: Ticket, answer: Answer<'_>) {
        if let Answer::Text(text) = answer {
            self.text(conn, text);
        }
    }
    fn text(&mut self, _: ConnId, text: &[u8]) {
        assert!(self.last.is_empty(), "a command is answered once");
        self.last = text.to_vec();
    }
    fn persist(&mut self, ticket: Ticket, op: Op<'_>) {
        self.batch.push(ticket, op);
    }
    fn read(&mut self, ticket: Ticket, wanted: Wanted, numbers: &[u64]) {
        self.reads.push((ticket, wanted, numbers.to_vec()));
    }
    fn close(&mut self, _: ConnId) {}
    fn note(&mut self, _: Event<'_>) {}
}
