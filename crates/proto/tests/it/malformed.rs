//! Each malformed input costs its sender what is written down, and nothing else.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test stops at whatever it does not expect")]

use geartrain_proto::{
    AdminCommand, DecodeError, Disposition, ErrorCode, Handle, Message, PacketKind, Request, Step,
    decode_message, limits,
};

const BODY_BYTES_MAX: u32 = 64 * 1024 * 1024;

fn packet(magic: &[u8; 4], kind: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = magic.to_vec();
    bytes.extend_from_slice(&kind.to_be_bytes());
    bytes.extend_from_slice(&u32::try_from(body.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// The error of the first message in `bytes`, and how many bytes it takes.
fn refusal(bytes: &[u8]) -> (DecodeError, usize) {
    match decode_message(bytes, BODY_BYTES_MAX) {
        Step::Complete { consumed, message: Err(error) } => (error, consumed),
        other => panic!("expected an error, not {other:?}"),
    }
}

fn request(bytes: &[u8]) -> Request<'_> {
    match decode_message(bytes, BODY_BYTES_MAX) {
        Step::Complete { consumed, message: Ok(Message::Request(request)) } if consumed == bytes.len() => {
            request
        }
        other => panic!("expected a request of the whole input, not {other:?}"),
    }
}

#[test]
fn a_kind_outside_1_to_42_is_answered_and_ends_the_connection() {
    for kind in [0, 43, 44, 0x7fff_ffff, 0x8000_0000, 0x8000_0001, u32::MAX] {
        let (error, consumed) = refusal(&packet(b"\0REQ", kind, b""));
        assert_eq!(error, DecodeError::UnknownKind(kind));
        assert_eq!(consumed, limits::HEADER_BYTES);
        assert_eq!(error.disposition(), Disposition::ReplyThenClose(ErrorCode::InvalidCommand));
    }
}

#[test]
fn an_unknown_magic_is_answered_and_ends_the_connection() {
    let (error, _) = refusal(&packet(b"\0XXX", 1, b""));
    assert_eq!(error, DecodeError::UnknownMagic(*b"\0XXX"));
    assert_eq!(error.disposition(), Disposition::ReplyThenClose(ErrorCode::InvalidMagic));
}

#[test]
fn the_magic_of_a_response_is_answered_and_the_connection_stays() {
    let bytes = packet(b"\0RES", PacketKind::EchoReq.to_wire(), b"body");
    let (error, consumed) = refusal(&bytes);
    assert_eq!(consumed, bytes.len(), "the body is skipped as well");
    assert_eq!(error.to_string(), "Request magic expected");
    assert_eq!(error.disposition(), Disposition::Reply(ErrorCode::InvalidMagic));
}

#[test]
fn kinds_that_only_the_server_sends_are_answered_and_the_connection_stays() {
    for kind in [5, 6, 8, 10, 11, 17, 19, 20, 27, 31, 40, 42] {
        let bytes = packet(b"\0REQ", kind, b"a\0b");
        let (error, consumed) = refusal(&bytes);
        assert_eq!(consumed, bytes.len(), "kind {kind}");
        assert_eq!(error.to_string(), "Command not expected", "kind {kind}");
        assert_eq!(error.disposition(), Disposition::Reply(ErrorCode::InvalidCommand), "kind {kind}");
    }
}

#[test]
fn kinds_that_are_never_served_reach_the_queue_which_answers_them() {
    assert_eq!(request(&packet(b"\0REQ", 24, b"")), Request::AllYours);
    let sched = packet(b"\0REQ", 35, b"f\0u\0\0\0\0\0\0data");
    assert!(matches!(request(&sched), Request::SubmitSched { workload: b"data", .. }));
}

#[test]
fn an_oversized_body_is_refused_by_its_header_alone() {
    let mut bytes = packet(b"\0REQ", PacketKind::EchoReq.to_wire(), b"");
    bytes[8..].copy_from_slice(&(BODY_BYTES_MAX + 1).to_be_bytes());
    let (error, consumed) = refusal(&bytes);
    assert_eq!(error, DecodeError::BodyTooLarge { len: BODY_BYTES_MAX + 1, max: BODY_BYTES_MAX });
    assert_eq!(consumed, limits::HEADER_BYTES);
    assert_eq!(error.disposition(), Disposition::ReplyThenClose(ErrorCode::InvalidPacket));

    bytes[8..].copy_from_slice(&u32::MAX.to_be_bytes());
    assert_eq!(refusal(&bytes).0, DecodeError::BodyTooLarge { len: u32::MAX, max: BODY_BYTES_MAX });

    bytes[8..].copy_from_slice(&BODY_BYTES_MAX.to_be_bytes());
    let needed = limits::HEADER_BYTES + BODY_BYTES_MAX as usize;
    assert_eq!(decode_message(&bytes, BODY_BYTES_MAX), Step::Incomplete { needed });
}

#[test]
fn a_missing_nul_is_refused_within_the_packet_that_lacks_it() {
    let cases: &[(PacketKind, &[u8], &str)] = &[
        (PacketKind::SubmitJob, b"", "function"),
        (PacketKind::SubmitJob, b"reverse", "function"),
        (PacketKind::SubmitJobBg, b"reverse\0u1", "unique"),
        (PacketKind::SubmitJobEpoch, b"f\0u\x0012", "epoch"),
        (PacketKind::SubmitReduceJob, b"f\0u", "unique"),
        (PacketKind::SubmitReduceJob, b"f\0u\0r", "reducer"),
        (PacketKind::SubmitReduceJobBackground, b"f\0u\0r\0data", "aggregate"),
        (PacketKind::SubmitJobSched, b"f\0u\x001\x002\x003\x004", "month"),
        (PacketKind::CanDoTimeout, b"f", "function"),
        (PacketKind::WorkStatus, b"H:h:1", "handle"),
        (PacketKind::WorkStatus, b"H:h:1\x001", "numerator"),
    ];
    for (kind, body, part) in cases {
        let mut bytes = packet(b"\0REQ", kind.to_wire(), body);
        let len = bytes.len();
        // The reference looks for the NUL in whatever comes next.
        bytes.extend_from_slice(&packet(b"\0REQ", PacketKind::EchoReq.to_wire(), b"a\0b"));
        let (error, consumed) = refusal(&bytes);
        assert_eq!((&error, consumed), (&DecodeError::MissingPart { kind: *kind, part }, len));
        assert_eq!(error.disposition(), Disposition::ReplyThenClose(ErrorCode::InvalidPacket));
    }
}

#[test]
fn a_worker_report_without_its_nul_has_an_empty_rest() {
    let handle = Handle::from("H:h:1");
    let sent = |kind: PacketKind| packet(b"\0REQ", kind.to_wire(), b"H:h:1");
    assert_eq!(request(&sent(PacketKind::WorkComplete)), Request::WorkComplete { handle, result: b"" });
    assert_eq!(request(&sent(PacketKind::WorkData)), Request::WorkData { handle, data: b"" });
    assert_eq!(request(&sent(PacketKind::WorkWarning)), Request::WorkWarning { handle, warning: b"" });
    assert_eq!(request(&sent(PacketKind::WorkException)), Request::WorkException { handle, exception: b"" });
}

#[test]
fn a_nul_behind_a_lone_handle_is_not_part_of_it() {
    let handle = Handle::from("H:h:1");
    let sent = |kind: PacketKind| packet(b"\0REQ", kind.to_wire(), b"H:h:1\0");
    assert_eq!(request(&sent(PacketKind::WorkFail)), Request::WorkFail { handle });
    assert_eq!(request(&sent(PacketKind::GetStatus)), Request::GetStatus { handle });
}

#[test]
fn a_body_where_none_belongs_is_ignored() {
    assert_eq!(request(&packet(b"\0REQ", PacketKind::PreSleep.to_wire(), b"junk")), Request::PreSleep);
    assert!(matches!(request(&packet(b"\0REQ", PacketKind::GrabJob.to_wire(), b"junk")), Request::Grab(_)));
}

#[test]
fn a_unique_of_64_bytes_is_whole_and_one_of_65_is_too_large() {
    for (len, fits) in [(63, true), (64, true), (65, false), (5000, false)] {
        let unique = vec![b'u'; len];
        let mut submit = b"f\0".to_vec();
        submit.extend_from_slice(&unique);
        submit.extend_from_slice(b"\0data");
        for (kind, body) in
            [(PacketKind::SubmitJob, submit.as_slice()), (PacketKind::GetStatusUnique, unique.as_slice())]
        {
            let bytes = packet(b"\0REQ", kind.to_wire(), body);
            match decode_message(&bytes, BODY_BYTES_MAX) {
                Step::Complete { message: Ok(Message::Request(Request::Submit(submit))), .. } => {
                    assert!(fits && submit.unique.as_bytes() == unique);
                }
                Step::Complete {
                    message: Ok(Message::Request(Request::GetStatusUnique { unique: u })),
                    ..
                } => {
                    assert!(fits && u.as_bytes() == unique);
                }
                Step::Complete { consumed, message: Err(error) } => {
                    assert!(!fits);
                    assert_eq!(consumed, bytes.len());
                    assert_eq!(error.to_string(), "Unique value too large");
                    assert_eq!(error.disposition(), Disposition::Reply(ErrorCode::ArgumentTooLarge));
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn a_reducer_of_65_bytes_is_too_large_and_the_connection_stays() {
    let mut body = b"f\0u\0".to_vec();
    body.extend_from_slice(&[b'r'; 65]);
    body.extend_from_slice(b"\0agg\0data");
    let (error, _) = refusal(&packet(b"\0REQ", PacketKind::SubmitReduceJob.to_wire(), &body));
    assert_eq!(error, DecodeError::ReducerTooLong);
    assert_eq!(error.disposition(), Disposition::Reply(ErrorCode::ArgumentTooLarge));
}

#[test]
fn a_function_name_may_have_8191_bytes_and_no_more() {
    let name = vec![b'f'; limits::FUNCTION_BYTES_MAX + 1];
    let longest = packet(b"\0REQ", PacketKind::CanDo.to_wire(), &name[1..]);
    assert!(matches!(request(&longest), Request::CanDo { .. }));
    let (error, _) = refusal(&packet(b"\0REQ", PacketKind::CanDo.to_wire(), &name));
    assert_eq!(error, DecodeError::FunctionTooLong { len: 8192, max: 8191 });
    assert_eq!(error.disposition(), Disposition::ReplyThenClose(ErrorCode::ArgumentTooLarge));
}

#[test]
fn a_time_limit_that_is_no_positive_number_is_none() {
    let limit = |text: &str| {
        let body = format!("f\0{text}");
        match request(&packet(b"\0REQ", PacketKind::CanDoTimeout.to_wire(), body.as_bytes())) {
            Request::CanDoTimeout { timeout_ms, .. } => timeout_ms,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(limit("500"), 500);
    assert_eq!(limit("500\0"), 500);
    for none in ["", "0", "-3", "abc", "99999999999999999999"] {
        assert_eq!(limit(none), 0, "{none:?}");
    }
}

#[test]
fn an_epoch_that_fits_no_number_is_refused_and_the_connection_stays() {
    let body = b"f\0u\x0099999999999999999999\0data";
    let (error, _) = refusal(&packet(b"\0REQ", PacketKind::SubmitJobEpoch.to_wire(), body));
    assert_eq!(error, DecodeError::EpochOutOfRange);
    assert_eq!(error.disposition(), Disposition::Reply(ErrorCode::InvalidPacket));
}

#[test]
fn a_line_of_8192_bytes_is_taken_and_a_longer_one_ends_the_connection() {
    let mut line = vec![b'a'; limits::LINE_BYTES_MAX - 1];
    assert!(matches!(decode_message(&line, BODY_BYTES_MAX), Step::Incomplete { .. }));
    line.push(b'\n');
    assert!(matches!(
        decode_message(&line, BODY_BYTES_MAX),
        Step::Complete { consumed: 8192, message: Ok(Message::Admin(AdminCommand::Refused(_))) }
    ));
    for len in [limits::LINE_BYTES_MAX, 1 << 20] {
        let (error, consumed) = refusal(&vec![b'a'; len]);
        assert_eq!(
            (error.clone(), consumed),
            (DecodeError::LineTooLong { max: limits::LINE_BYTES_MAX }, len)
        );
        assert_eq!(error.disposition(), Disposition::ReplyLineThenClose("LINE_TOO_LONG"));
    }
}

#[test]
fn a_sixth_word_ends_the_connection() {
    let (error, consumed) = refusal(b"a b c d e f\r\nversion\r\n");
    assert_eq!(consumed, 13);
    assert_eq!(error.disposition(), Disposition::ReplyLineThenClose("TOO_MANY_WORDS"));
}
