//! Whatever is encoded is decoded as the same.

use crate::generate::{RequestParts, request, response};
use geartrain_proto::{Message, PacketKind, Request, Step, decode_message, decode_response};
use proptest::prelude::*;
use std::collections::BTreeSet;

const BODY_BYTES_MAX: u32 = 1 << 20;

#[test]
fn every_kind_to_the_server_has_a_typed_request() {
    let kinds: BTreeSet<PacketKind> =
        RequestParts::one_of_each().iter().map(|parts| parts.request().kind()).collect();
    for kind in PacketKind::ALL {
        let refused = Request::decode(*kind, b"a\0b\x001\0d\0e\0f\0g\0h").is_err();
        // SUBMIT_JOB_BG is the one shape that the list leaves to `submit_bg_survives` below.
        let listed = kinds.contains(kind) || *kind == PacketKind::SubmitJobBg;
        assert_eq!(listed, !refused, "{kind}");
    }
}

#[test]
fn submit_bg_survives_the_wire() {
    let bytes = b"\0REQ\0\0\0\x12\0\0\0\x05f\0u\0d";
    let Step::Complete { consumed, message: Ok(Message::Request(request)) } =
        decode_message(bytes, BODY_BYTES_MAX)
    else {
        panic!("a whole packet is there");
    };
    let mut again = Vec::new();
    request.encode(&mut again);
    assert_eq!((consumed, again.as_slice()), (bytes.len(), &bytes[..]));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn every_request_survives_the_wire(parts in request(), tail in any::<[u8; 3]>()) {
        let mut bytes = parts.encoded();
        let len = bytes.len();
        bytes.extend_from_slice(&tail);
        prop_assert_eq!(
            decode_message(&bytes, BODY_BYTES_MAX),
            Step::Complete { consumed: len, message: Ok(Message::Request(parts.request())) }
        );
    }

    #[test]
    fn every_response_survives_the_wire(parts in response(), tail in any::<[u8; 3]>()) {
        let mut bytes = Vec::new();
        parts.response().encode(&mut bytes);
        let len = bytes.len();
        bytes.extend_from_slice(&tail);
        prop_assert_eq!(
            decode_response(&bytes, BODY_BYTES_MAX),
            Step::Complete { consumed: len, message: Ok(parts.response()) }
        );
    }

    #[test]
    fn a_worker_report_is_taken_with_either_magic(parts in request()) {
        let mut bytes = parts.encoded();
        bytes[3] = b'S';
        let Step::Complete { message, .. } = decode_message(&bytes, BODY_BYTES_MAX) else {
            panic!("a whole packet is there");
        };
        if parts.request().kind().is_worker_report() {
            prop_assert_eq!(message, Ok(Message::Request(parts.request())));
        } else {
            prop_assert_eq!(message, Err(geartrain_proto::DecodeError::ResponseMagic));
        }
    }

    #[test]
    fn no_bytes_make_the_decoder_panic_or_stand_still(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut rest = bytes.as_slice();
        loop {
            match decode_message(rest, 256) {
                Step::Incomplete { needed } => {
                    prop_assert!(needed > rest.len());
                    break;
                }
                Step::Complete { consumed, .. } => {
                    prop_assert!(consumed > 0 && consumed <= rest.len());
                    rest = &rest[consumed..];
                }
            }
        }
    }

    #[test]
    fn no_body_makes_a_kind_panic(
        kind in 1_u32..=42,
        body in prop::collection::vec(prop_oneof![Just(0_u8), any::<u8>()], 0..120),
    ) {
        let kind = PacketKind::from_wire(kind).expect("1 to 42 are all kinds");
        if let Ok(request) = Request::decode(kind, &body) {
            let mut bytes = Vec::new();
            request.encode(&mut bytes);
            let Step::Complete { message: Ok(Message::Request(again)), .. } =
                decode_message(&bytes, BODY_BYTES_MAX)
            else {
                panic!("what was decoded can be encoded and decoded");
            };
            prop_assert_eq!(again, request);
        }
        if let Ok(response) = geartrain_proto::Response::decode(kind, &body) {
            let mut bytes = Vec::new();
            response.encode(&mut bytes);
            prop_assert_eq!(
                decode_response(&bytes, BODY_BYTES_MAX),
                Step::Complete { consumed: bytes.len(), message: Ok(response) }
            );
        }
    }
}
