use super::*;
use crate::limits::READ_BYTES_MAX;
use bytes::Bytes;
use geartrain_proto::{DecodeError, Function, PacketKind, Priority, Reducer, Status};

const JOB: Submit<'static> = Submit {
    function: Function::new(b"f"),
    unique: Unique::new(b""),
    priority: Priority::Normal,
    mode: SubmitMode::Foreground,
    reducer: None,
    workload: b"w",
};

const BACKGROUND: Submit<'static> = Submit { mode: SubmitMode::Background, ..JOB };

fn handle(number: u32) -> String {
    format!("H:h:{number}")
}

fn created(number: u32) -> Vec<u8> {
    encoded(&Response::JobCreated { handle: Handle::from(handle(number).as_str()) })
}

fn complete(number: u32, result: &[u8]) -> Vec<u8> {
    encoded(&Response::WorkComplete { handle: Handle::from(handle(number).as_str()), result })
}

fn data(number: u32, data: &[u8]) -> Vec<u8> {
    encoded(&Response::WorkData { handle: Handle::from(handle(number).as_str()), data })
}

fn fail(number: u32) -> Vec<u8> {
    encoded(&Response::WorkFail { handle: Handle::from(handle(number).as_str()) })
}

fn encoded(response: &Response<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    response.encode(&mut bytes);
    bytes
}

/// A session that submitted foreground jobs with the tokens 1 to `count`.
fn submitted(count: u32) -> ClientSession<u32> {
    let mut session = ClientSession::default();
    for token in 1..=count {
        session.submit(&JOB, token).unwrap();
    }
    session
}

fn shown(event: &ClientEvent<u32>) -> String {
    match event {
        ClientEvent::Created { token, handle } => format!("{token} created {handle}"),
        ClientEvent::Work { token, report } => match report {
            Report::Data(data) => format!("{token} data {}", data.escape_ascii()),
            Report::Warning(data) => format!("{token} warning {}", data.escape_ascii()),
            Report::Status { numerator, denominator } => format!("{token} at {numerator}/{denominator}"),
            Report::Complete(data) => format!("{token} done {}", data.escape_ascii()),
            Report::Fail => format!("{token} failed"),
            Report::Exception(data) => format!("{token} threw {}", data.escape_ascii()),
        },
        ClientEvent::Refused { token, refusal } => format!("{token} refused {refusal}"),
        ClientEvent::Echo { token, data } => format!("{token} echo {}", data.escape_ascii()),
        ClientEvent::Status { token, status, clients } => {
            let Status { known, running, numerator, denominator } = status;
            format!("{token} known {known} running {running} {numerator}/{denominator} clients {clients:?}")
        }
        ClientEvent::Option { token } => format!("{token} option"),
    }
}

/// What the session says to these bytes, whole and byte by byte alike.
fn events(session: &mut ClientSession<u32>, packets: &[Vec<u8>]) -> Vec<String> {
    let mut events = Vec::new();
    for byte in packets.concat() {
        session.feed(&[byte]);
        while let Some(event) = session.poll().unwrap() {
            events.push(shown(&event));
        }
    }
    events
}

#[test]
fn results_find_their_jobs_in_any_order() {
    let mut session = submitted(3);
    let packets = [
        created(11),
        created(12),
        created(13),
        complete(13, b"c"),
        data(11, b"a\0"),
        fail(12),
        complete(11, b""),
    ];
    let expected = [
        "1 created H:h:11",
        "2 created H:h:12",
        "3 created H:h:13",
        "3 done c",
        "1 data a\\x00",
        "2 failed",
        "1 done ",
    ];
    assert_eq!(events(&mut session, &packets), expected);
    assert_eq!(session.in_flight(), 0);
}

#[test]
fn answers_find_their_requests_by_order() {
    let mut session = ClientSession::default();
    session.option(b"exceptions", 0).unwrap();
    session.submit(&BACKGROUND, 1).unwrap();
    session.echo(b"e", 2).unwrap();
    session.status(Handle::from("H:h:1"), 3).unwrap();
    session.status_of_unique(Unique::from("u"), 4).unwrap();
    session.submit(&BACKGROUND, 5).unwrap();
    let status = Status { known: true, running: true, numerator: 3, denominator: 10 };
    let packets = [
        encoded(&Response::Option { name: b"exceptions" }),
        created(1),
        encoded(&Response::Echo { data: b"e" }),
        encoded(&Response::StatusRes { handle: Handle::from("H:h:1"), status }),
        encoded(&Response::StatusResUnique { unique: Unique::from("u"), status, clients: 2 }),
        encoded(&Response::Error { code: b"QUEUE_ERROR", text: b"Job queue is full" }),
    ];
    let expected = [
        "0 option",
        "1 created H:h:1",
        "2 echo e",
        "3 known true running true 3/10 clients None",
        "4 known true running true 3/10 clients Some(2)",
        "5 refused QUEUE_ERROR: Job queue is full",
    ];
    assert_eq!(events(&mut session, &packets), expected);
    assert_eq!(session.in_flight(), 0);
}

#[test]
fn a_server_without_the_option_refuses_it_and_the_session_goes_on() {
    let mut session = ClientSession::default();
    session.option(b"exceptions", 0).unwrap();
    session.submit(&JOB, 1).unwrap();
    let refused = encoded(&Response::Error { code: b"UNKNOWN_OPTION", text: b"no" });
    // Without the option, gearmand tells an exception as a failure with a NUL behind the handle.
    let failed = [b"\0RES\0\0\0\x0e\0\0\0\x06".as_slice(), b"H:h:1\0"].concat();
    let expected = ["0 refused UNKNOWN_OPTION: no", "1 created H:h:1", "1 failed"];
    assert_eq!(events(&mut session, &[refused, created(1), failed]), expected);
}

#[test]
fn an_exception_ends_a_job_and_a_failure_behind_it_is_nobodys() {
    let mut session = submitted(1);
    let exception = encoded(&Response::WorkException { handle: Handle::from("H:h:1"), exception: b"boom" });
    let expected = ["1 created H:h:1", "1 threw boom"];
    assert_eq!(events(&mut session, &[created(1), exception, fail(1)]), expected);
    assert_eq!(session.in_flight(), 0);
}

#[test]
fn progress_that_is_no_number_is_none() {
    let mut session = submitted(1);
    let status = |numerator, denominator| {
        encoded(&Response::WorkStatus { handle: Handle::from("H:h:1"), numerator, denominator })
    };
    let packets =
        [created(1), status(b"3", b"10"), status(b"abc", b"-1"), status(b"99999999999999999999", b"2")];
    let expected = ["1 created H:h:1", "1 at 3/10", "1 at 0/0", "1 at 4294967295/2"];
    assert_eq!(events(&mut session, &packets), expected);
}

/// The server sends each report once for each submit, over the connection they share.
#[test]
fn submits_of_one_unique_each_get_every_report_once() {
    let mut session = submitted(3);
    let mut said = events(&mut session, &[created(7), created(7), data(7, b"a"), data(7, b"a")]);
    // The third joins while the job runs.
    said.extend(events(&mut session, &[created(7), data(7, b"b"), data(7, b"b"), data(7, b"b")]));
    said.extend(events(&mut session, &[complete(7, b"r"), complete(7, b"r"), complete(7, b"r")]));
    let expected = [
        "1 created H:h:7",
        "2 created H:h:7",
        "1 data a",
        "2 data a",
        "3 created H:h:7",
        "1 data b",
        "2 data b",
        "3 data b",
        "1 done r",
        "2 done r",
        "3 done r",
    ];
    assert_eq!(said, expected);
    assert_eq!(session.in_flight(), 0);
}

#[test]
fn reports_before_the_handle_is_known_wait_for_it() {
    let mut session = submitted(2);
    let packets =
        [data(2, b"a"), complete(2, b"b"), complete(9, b"lost"), created(1), created(2), complete(1, b"c")];
    let expected = ["1 created H:h:1", "2 created H:h:2", "2 data a", "2 done b", "1 done c"];
    assert_eq!(events(&mut session, &packets), expected);
    assert!(
        session.ledger.early.is_empty() && session.ledger.early_bytes == 0,
        "what is nobody's is forgotten"
    );
}

/// One of them may be the end of a job that is accepted next, so none of them is dropped.
#[test]
fn reports_of_unknown_jobs_do_not_pile_up() {
    for size in [0, 100_000] {
        let mut session = submitted(1);
        let packet = complete(9, &vec![0; size]);
        let taken = (0..3 * EARLY_REPORTS_MAX).take_while(|_| {
            session.feed(&packet);
            session.poll() == Ok(None)
        });
        assert_eq!(taken.count(), EARLY_REPORTS_MAX.min(EARLY_BYTES_MAX / size.max(1)));
        assert_eq!(session.poll(), Err(ClientSessionError::TooEarly));
    }
}

/// Some servers go on with the reports of a job that was cancelled; a client that is never without an unanswered submit
/// must not keep them.
#[test]
fn reports_of_unknown_jobs_are_forgotten_with_the_last_submit_they_may_be_of() {
    let mut session = submitted(2);
    for number in 1..=2 * u32::try_from(EARLY_REPORTS_MAX).unwrap() {
        let said = events(&mut session, &[data(0, b"of nobody"), created(number)]);
        assert_eq!(said, [format!("{number} created H:h:{number}")]);
        session.submit(&JOB, number + 2).unwrap();
        assert!(session.ledger.early.len() <= 2, "{} are kept", session.ledger.early.len());
    }
    // What comes for the submit behind is kept over the answer to the one before.
    let last = 2 * u32::try_from(EARLY_REPORTS_MAX).unwrap() + 1;
    let refusal = encoded(&Response::Error { code: b"NO", text: b"no" });
    let said = events(&mut session, &[data(last + 1, b"early"), refusal, created(last + 1)]);
    let next = last + 1;
    let expected = [
        format!("{last} refused NO: no"),
        format!("{next} created H:h:{next}"),
        format!("{next} data early"),
    ];
    assert_eq!(said, expected);
}

#[test]
fn early_reports_are_forgotten_when_the_last_open_submit_is_refused() {
    let mut session = submitted(1);
    let refusal = encoded(&Response::Error { code: b"NO", text: b"no" });
    events(&mut session, &[complete(9, b"of nobody"), refusal]);
    assert!(session.ledger.early.is_empty() && session.ledger.early_bytes == 0);
}

#[test]
fn the_status_of_another_job_is_no_answer() {
    let status = Status { known: true, running: true, numerator: 0, denominator: 0 };
    let mut session = ClientSession::default();
    session.status(Handle::from("H:h:1"), 1).unwrap();
    session.feed(&encoded(&Response::StatusRes { handle: Handle::from("H:h:2"), status }));
    assert_eq!(session.poll(), Err(ClientSessionError::OtherJob { kind: PacketKind::StatusRes }));
    assert_eq!(session.take_lost(), [(1, Sent::Not)], "who asked is not forgotten");
    let mut session = ClientSession::default();
    session.status_of_unique(Unique::from("a"), 1).unwrap();
    session.status_of_unique(Unique::from("b"), 2).unwrap();
    session.feed(&encoded(&Response::StatusResUnique { unique: Unique::from("b"), status, clients: 0 }));
    assert_eq!(session.poll(), Err(ClientSessionError::OtherJob { kind: PacketKind::StatusResUnique }));
}

#[test]
fn a_request_that_does_not_fit_is_not_copied_to_find_that_out() {
    let limits = ClientSessionLimits { outgoing_bytes_max: 1000, ..ClientSessionLimits::default() };
    let mut session = ClientSession::new(limits);
    session.echo(&[0; 2000], 1).unwrap();
    assert!(!session.has_room());
    session.written(1500);
    let held = session.outgoing.capacity();
    assert_eq!(session.echo(&[0; 1 << 20], 2), Err(SubmitError::Full));
    assert!(session.has_room() && session.outgoing.capacity() == held);
    session.echo(b"small", 3).unwrap();
}

#[test]
fn no_more_is_in_flight_than_may_be() {
    let limits = ClientSessionLimits { in_flight_max: 2, ..ClientSessionLimits::default() };
    let mut session = ClientSession::new(limits);
    session.submit(&JOB, 1).unwrap();
    session.echo(b"", 2).unwrap();
    let pending = session.pending().len();
    assert_eq!(session.submit(&JOB, 3), Err(SubmitError::Full));
    assert_eq!(session.pending().len(), pending, "a refused submit leaves no trace");
    // The job still counts while it runs.
    assert_eq!(events(&mut session, &[created(1), encoded(&Response::Echo { data: b"" })]).len(), 2);
    session.submit(&JOB, 3).unwrap();
    assert_eq!(session.submit(&JOB, 4), Err(SubmitError::Full));
}

#[test]
fn no_more_waits_to_be_written_than_may() {
    let limits = ClientSessionLimits { outgoing_bytes_max: 1000, ..ClientSessionLimits::default() };
    let mut session = ClientSession::new(limits);
    let large = Submit { workload: &[0; 5000], ..JOB };
    session.submit(&large, 1).unwrap();
    assert_eq!(
        session.submit(&JOB, 2),
        Err(SubmitError::Full),
        "one large request may wait, and nothing behind it"
    );
    session.written(session.pending().len());
    session.submit(&JOB, 2).unwrap();
    assert_eq!(session.submit(&large, 3), Err(SubmitError::Full));
    assert_eq!(session.in_flight(), 2);
}

#[test]
fn what_a_lost_connection_took_is_known_by_how_far_it_came() {
    let mut session = ClientSession::default();
    session.submit(&JOB, 1).unwrap();
    session.submit(&JOB, 2).unwrap();
    session.submit(&BACKGROUND, 3).unwrap();
    session.written(session.pending().len());
    assert_eq!(events(&mut session, &[created(1), created(2), complete(1, b"")]).len(), 3);
    session.submit(&JOB, 4).unwrap();
    // All but its last byte: the server cannot run it.
    session.written(session.pending().len() - 1);
    let mut lost = session.take_lost();
    lost.sort_by_key(|(token, _)| *token);
    assert_eq!(lost, [(2, Sent::Accepted), (3, Sent::Unanswered), (4, Sent::Not)]);
    assert_eq!(session.in_flight(), 0);
}

#[test]
fn requests_that_would_not_arrive_as_they_are_do_not_leave() {
    let long = "x".repeat(9000);
    let reducer = Some(Reducer { name: b"r", aggregate: b"" });
    let cases = [
        (Submit { function: Function::from(""), ..JOB }, "the function has no name"),
        (
            Submit { function: Function::from("a\0b"), ..JOB },
            "the function \"a\\\\x00b\" has a NUL byte, which ends it on the wire",
        ),
        (
            Submit { unique: Unique::new(&long.as_bytes()[..64]), ..JOB },
            "the unique is 64 bytes long, over the limit of 63 bytes",
        ),
        (
            Submit { function: Function::from(long.as_str()), ..JOB },
            "the function is 9000 bytes long, over the limit of 8191 bytes",
        ),
        (
            Submit { mode: SubmitMode::Epoch(1), priority: Priority::High, ..JOB },
            "the protocol has no way to submit a job for a given time with a priority",
        ),
        (
            Submit { priority: Priority::Low, reducer, ..JOB },
            "the protocol has no way to submit a job with a reducer and a priority",
        ),
    ];
    let mut session = ClientSession::default();
    for (submit, message) in cases {
        let error = session.submit(&submit, 1).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
    assert!(session.pending().is_empty());
    assert_eq!(session.in_flight(), 0);
}

/// Whatever comes, it ends in events or one lasting error.
#[test]
fn what_makes_no_sense_is_an_error_from_then_on() {
    let cases: [(&[u8], ClientSessionError); 6] = [
        (b"HTTP/1.1 400 Bad Request", ClientSessionError::Decode(DecodeError::UnknownMagic(*b"HTTP"))),
        (b"\0RES\0\0\0\x63\0\0\0\0", ClientSessionError::Decode(DecodeError::UnknownKind(99))),
        (b"\0RES\0\0\0\x06\0\0\0\0", ClientSessionError::Unasked { kind: PacketKind::Noop }),
        (b"\0RES\0\0\0\x11\0\0\0\x01x", ClientSessionError::Unasked { kind: PacketKind::EchoRes }),
        (b"\0REQ\0\0\0\x11\0\0\0\x01x", ClientSessionError::Decode(DecodeError::RequestMagic)),
        (
            b"\0RES\0\0\0\x0d\xff\xff\xff\xff",
            ClientSessionError::Decode(DecodeError::BodyTooLarge {
                len: u32::MAX,
                max: BODY_BYTES_MAX_DEFAULT,
            }),
        ),
    ];
    for (bytes, expected) in cases {
        let mut session = submitted(1);
        session.feed(bytes);
        assert_eq!(session.poll(), Err(expected.clone()));
        session.feed(&created(1));
        assert_eq!(session.poll(), Err(expected), "nothing is believed behind an error");
    }
    let mut session = ClientSession::<u32>::default();
    session.feed(&encoded(&Response::Error { code: b"TOO_MANY", text: b"connections" }));
    assert_eq!(
        session.poll().unwrap_err().to_string(),
        "the server refuses this connection: TOO_MANY: connections"
    );
    let mut session = submitted(1);
    session.feed(&encoded(&Response::JobCreated { handle: Handle::new(&[b'h'; 64]) }));
    assert_eq!(session.poll(), Err(ClientSessionError::HandleTooLong { bytes: 64, max: 63 }));
}

#[test]
fn random_bytes_and_broken_packets_never_panic() {
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..2000 {
        let mut session = submitted(3);
        let mut bytes =
            [created(1), created(1), data(1, b"abc"), created(2), complete(1, b"x"), fail(2), data(3, b"")]
                .concat();
        for _ in 0..random.usize(0..4) {
            let at = random.usize(0..bytes.len());
            bytes[at] = random.u8(..);
        }
        for piece in bytes.chunks(random.usize(1..40)) {
            session.feed(piece);
            while let Ok(Some(_)) = session.poll() {}
        }
    }
}

#[test]
fn a_large_result_leaves_without_its_buffer_being_kept_for_small_ones() {
    let mut session = submitted(3);
    let large: Vec<u8> = (0..3_000_000_u32).map(|at| at.to_be_bytes()[3]).collect();
    session.feed(&[created(1), created(2), created(3), complete(1, &large), complete(2, b"small")].concat());
    let mut results = Vec::new();
    while let Some(event) = session.poll().unwrap() {
        if let ClientEvent::Work { report: Report::Complete(result), .. } = event {
            results.push(result);
        }
    }
    assert_eq!(results, [Bytes::from(large), Bytes::from_static(b"small")]);
    assert!(session.read_buffer().capacity() <= READ_BYTES_MAX, "the buffer is small again");
    assert_eq!(events(&mut session, &[complete(3, b"z")]), ["3 done z"]);
}

#[test]
fn an_announced_body_takes_no_memory_before_it_comes() {
    let mut session = submitted(1);
    session.feed(&created(1));
    session.feed(b"\0RES\0\0\0\x0d\x0f\xff\xff\xff");
    assert!(matches!(session.poll(), Ok(Some(ClientEvent::Created { .. }))));
    assert_eq!(session.poll(), Ok(None));
    assert!(session.read_buffer().capacity() <= 2 * READ_BYTES_MAX);
}

#[test]
fn a_hundred_thousand_jobs_leave_nothing_behind() {
    let mut session = ClientSession::default();
    for number in 1..=100_000 {
        session.submit(&JOB, number).unwrap();
        session.written(session.pending().len());
        session.feed(&[created(number), complete(number, b"r")].concat());
        while session.poll().unwrap().is_some() {}
    }
    assert_eq!(session.in_flight(), 0);
    assert!(session.ledger.unanswered.capacity() < 64 && session.outgoing.capacity() < 1024);
    assert!(session.read_buffer().capacity() < READ_BYTES_MAX);
}
