//! Where the network cuts the bytes never shows.

use crate::generate::{RequestParts, line, request, response};
use geartrain_proto::{Step, decode_message, decode_response};
use proptest::prelude::*;

const BODY_BYTES_MAX: u32 = 1 << 20;

/// Checks every proper prefix of one message: never a message, and a need that is true.
///
/// The need is true when it is more than what is there, not more than the whole, and (for packets, whose
/// length is known from the header on) exactly the header and then exactly the whole.
fn check_prefixes(bytes: &[u8], needed: impl Fn(&[u8]) -> Option<usize>, is_packet: bool) {
    for cut in 0..bytes.len() {
        let Some(needed) = needed(&bytes[..cut]) else {
            panic!("{cut} of {} bytes were taken for a message", bytes.len());
        };
        assert!(needed > cut && needed <= bytes.len(), "at {cut} of {}: {needed}", bytes.len());
        if is_packet && cut > 0 {
            assert_eq!(needed, if cut < 12 { 12 } else { bytes.len() }, "at {cut} of {}", bytes.len());
        }
    }
}

fn needed_for_message(bytes: &[u8]) -> Option<usize> {
    match decode_message(bytes, BODY_BYTES_MAX) {
        Step::Incomplete { needed } => Some(needed),
        Step::Complete { .. } => None,
    }
}

fn needed_for_response(bytes: &[u8]) -> Option<usize> {
    match decode_response(bytes, BODY_BYTES_MAX) {
        Step::Incomplete { needed } => Some(needed),
        Step::Complete { .. } => None,
    }
}

#[test]
fn every_split_of_every_request_is_incomplete() {
    for parts in RequestParts::one_of_each() {
        check_prefixes(&parts.encoded(), needed_for_message, true);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn every_split_of_any_request_is_incomplete(parts in request()) {
        check_prefixes(&parts.encoded(), needed_for_message, true);
    }

    #[test]
    fn every_split_of_any_response_is_incomplete(parts in response()) {
        let mut bytes = Vec::new();
        parts.response().encode(&mut bytes);
        check_prefixes(&bytes, needed_for_response, true);
    }

    #[test]
    fn every_split_of_any_line_is_incomplete(line in line()) {
        check_prefixes(&line, needed_for_message, false);
    }

    /// A stream of packets and lines gives the same messages, however it is cut.
    #[test]
    fn a_stream_gives_the_same_messages_however_it_is_cut(
        packets in prop::collection::vec(request(), 1..6),
        lines in prop::collection::vec(line(), 1..6),
        cuts in prop::collection::vec(1_usize..40, 1..20),
    ) {
        let mut stream = Vec::new();
        for (index, parts) in packets.iter().enumerate() {
            stream.extend_from_slice(&parts.encoded());
            if let Some(line) = lines.get(index) {
                stream.extend_from_slice(line);
            }
        }
        let whole = messages(&mut stream.clone());
        let mut unread = Vec::new();
        let mut found = Vec::new();
        let mut rest = stream.as_slice();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (chunk, later) = rest.split_at(rest.len().min(*cut));
            rest = later;
            unread.extend_from_slice(chunk);
            found.extend(messages(&mut unread));
        }
        prop_assert_eq!(found, whole);
        prop_assert!(unread.is_empty());
    }
}

/// Takes all whole messages off the front of `unread`, as text that can be compared.
fn messages(unread: &mut Vec<u8>) -> Vec<String> {
    let mut found = Vec::new();
    while let Step::Complete { consumed, message } = decode_message(unread, BODY_BYTES_MAX) {
        found.push(format!("{message:?}"));
        unread.drain(..consumed);
    }
    found
}
