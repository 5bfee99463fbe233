//! Any bytes through the decoders: no panic, no standing still, and what was read is written the same.

use geartrain_proto::{Message, PacketKind, Request, Response, Step, decode_message, decode_response};

const BODY_BYTES_MAX: u32 = 1 << 16;

/// Decodes `data` as what a server reads, and as what a client reads.
///
/// # Panics
/// When a promise of the decoder does not hold.
pub fn decode(data: &[u8]) {
    as_server(data);
    as_client(data);
}

fn as_server(data: &[u8]) {
    let mut rest = data;
    loop {
        match decode_message(rest, BODY_BYTES_MAX) {
            Step::Incomplete { needed } => {
                check_needed(needed, rest.len());
                return;
            }
            Step::Complete { consumed, message } => {
                assert!(consumed > 0 && consumed <= rest.len(), "{consumed} of {} bytes", rest.len());
                // One byte less is no message, unless it is a line that is too long already.
                if let Step::Complete { message, .. } = decode_message(&rest[..consumed - 1], BODY_BYTES_MAX)
                {
                    assert!(message.is_err(), "a message is shorter than it is");
                }
                if let Ok(Message::Request(request)) = message {
                    check_request(&request, &rest[..consumed]);
                }
                rest = &rest[consumed..];
            }
        }
    }
}

fn check_needed(needed: usize, len: usize) {
    assert!(needed > len, "{needed} bytes are needed of which {len} are there");
    assert!(needed <= 12 + (1 << 16), "{needed} bytes are asked for");
}

fn check_request(request: &Request<'_>, packet: &[u8]) {
    let mut bytes = Vec::new();
    request.encode(&mut bytes);
    let again = decode_message(&bytes, BODY_BYTES_MAX + 64);
    assert_eq!(
        again,
        Step::Complete { consumed: bytes.len(), message: Ok(Message::Request(*request)) },
        "a request survives the wire"
    );
    let is_canonical = match request {
        Request::CanDo { .. }
        | Request::CantDo { .. }
        | Request::SetClientId { .. }
        | Request::Echo { .. }
        | Request::GetStatusUnique { .. }
        | Request::SubmitSched { .. } => true,
        Request::Submit(submit) => !matches!(submit.mode, geartrain_proto::SubmitMode::Epoch(_)),
        Request::WorkComplete { .. }
        | Request::WorkData { .. }
        | Request::WorkWarning { .. }
        | Request::WorkException { .. } => packet[12..].contains(&0),
        _ => false,
    };
    if is_canonical && packet.starts_with(b"\0REQ") {
        assert_eq!(bytes, packet, "a canonical packet is written as it was read");
    }
}

fn as_client(data: &[u8]) {
    let mut rest = data;
    loop {
        match decode_response(rest, BODY_BYTES_MAX) {
            Step::Incomplete { needed } => {
                assert!(needed > rest.len() || rest.is_empty());
                return;
            }
            Step::Complete { consumed, message } => {
                assert!(consumed > 0 && consumed <= rest.len());
                if let Ok(response) = message {
                    check_response(&response, &rest[..consumed]);
                }
                rest = &rest[consumed..];
            }
        }
    }
}

fn check_response(response: &Response<'_>, packet: &[u8]) {
    let mut bytes = Vec::new();
    response.encode(&mut bytes);
    assert_eq!(
        decode_response(&bytes, BODY_BYTES_MAX + 64),
        Step::Complete { consumed: bytes.len(), message: Ok(*response) },
        "a response survives the wire"
    );
    // Lone handles may come with a NUL, numbers with zeros in front; bodies of bodiless kinds are dropped.
    let is_canonical = !matches!(
        response.kind(),
        PacketKind::JobCreated
            | PacketKind::WorkFail
            | PacketKind::StatusRes
            | PacketKind::StatusResUnique
            | PacketKind::Noop
            | PacketKind::NoJob
    );
    if is_canonical {
        assert_eq!(bytes, packet, "a canonical packet is written as it was read");
    }
}
