//! Gearman packets, the few that the load and the floor need.
//!
//! Never: checks more than the framing; the load trusts nobody else's limits.

use crate::trouble::Trouble;

pub(crate) const CAN_DO: u32 = 1;
pub(crate) const PRE_SLEEP: u32 = 4;
pub(crate) const NOOP: u32 = 6;
pub(crate) const SUBMIT_JOB: u32 = 7;
pub(crate) const JOB_CREATED: u32 = 8;
pub(crate) const GRAB_JOB: u32 = 9;
pub(crate) const NO_JOB: u32 = 10;
pub(crate) const JOB_ASSIGN: u32 = 11;
pub(crate) const WORK_COMPLETE: u32 = 13;
pub(crate) const ECHO_REQ: u32 = 16;
pub(crate) const ECHO_RES: u32 = 17;
pub(crate) const SUBMIT_JOB_BG: u32 = 18;
pub(crate) const ERROR: u32 = 19;
pub(crate) const SUBMIT_JOB_EPOCH: u32 = 36;

/// Length of a packet header in bytes.
pub(crate) const HEADER_BYTES: usize = 12;

/// Largest body the load accepts in an answer, in bytes.
const BODY_BYTES_MAX: usize = 1 << 20;

/// One packet that a server sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packet<'a> {
    pub(crate) kind: u32,
    pub(crate) body: &'a [u8],
}

impl<'a> Packet<'a> {
    /// The first field of the body: the handle in every packet that names a job.
    pub(crate) fn first_field(&self) -> &'a [u8] {
        self.body.split(|byte| *byte == 0).next().unwrap_or_default()
    }

    /// Bytes of the whole packet.
    pub(crate) fn len(&self) -> usize {
        HEADER_BYTES + self.body.len()
    }

    /// What to report when this packet was not expected.
    pub(crate) fn unexpected(&self) -> Trouble {
        if self.kind == ERROR {
            return Trouble::Answer(format!(
                "ERROR {}",
                String::from_utf8_lossy(self.body).replace('\0', " ")
            ));
        }
        Trouble::Answer(format!("packet kind {}", self.kind))
    }
}

/// Appends a request whose body is `fields`, with a NUL between two of them.
pub(crate) fn request(kind: u32, fields: &[&[u8]], out: &mut Vec<u8>) {
    let content: usize = fields.iter().map(|field| field.len()).sum();
    let body = content + fields.len().saturating_sub(1);
    out.extend_from_slice(b"\0REQ");
    out.extend_from_slice(&kind.to_be_bytes());
    out.extend_from_slice(&u32::try_from(body).unwrap_or(u32::MAX).to_be_bytes());
    for (index, field) in fields.iter().enumerate() {
        if index > 0 {
            out.push(0);
        }
        out.extend_from_slice(field);
    }
}

/// The first whole packet of `input` with the magic `magic`, or nothing while it is incomplete.
///
/// # Errors
///
/// `Answer` when the bytes are no packet or announce a body over the load's limit.
pub(crate) fn first<'a>(input: &'a [u8], magic: &[u8; 4]) -> Result<Option<Packet<'a>>, Trouble> {
    let Some((header, rest)) = input.split_first_chunk::<HEADER_BYTES>() else {
        return Ok(None);
    };
    let [m0, m1, m2, m3, k0, k1, k2, k3, l0, l1, l2, l3] = *header;
    if [m0, m1, m2, m3] != *magic {
        return Err(Trouble::Answer(format!("bytes {header:?} instead of a packet")));
    }
    let length = usize::try_from(u32::from_be_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX);
    if length > BODY_BYTES_MAX {
        return Err(Trouble::Answer(format!("a packet of {length} bytes")));
    }
    let kind = u32::from_be_bytes([k0, k1, k2, k3]);
    Ok(rest.get(..length).map(|body| Packet { kind, body }))
}

/// The first whole answer of a server, or nothing while it is incomplete.
///
/// # Errors
///
/// `Answer` when the bytes are no answer.
pub(crate) fn answer(input: &[u8]) -> Result<Option<Packet<'_>>, Trouble> {
    first(input, b"\0RES")
}

/// Calls `take` for each whole answer in `input` and says how many bytes they were.
///
/// # Errors
///
/// What `take` returns, and `Answer` when the bytes are no answer.
pub(crate) fn each_answer(
    input: &[u8],
    mut take: impl FnMut(Packet<'_>) -> Result<(), Trouble>,
) -> Result<usize, Trouble> {
    let mut rest = input;
    while let Some(packet) = answer(rest)? {
        let length = packet.len();
        take(packet)?;
        rest = rest.get(length..).unwrap_or_default();
    }
    Ok(input.len() - rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_joins_its_fields_with_nuls() {
        let mut out = Vec::new();
        request(SUBMIT_JOB_BG, &[b"f", b"u", b"data"], &mut out);
        assert_eq!(out, b"\0REQ\0\0\0\x12\0\0\0\x08f\0u\0data");
    }

    #[test]
    fn a_packet_cut_anywhere_is_incomplete_and_whole_packets_are_counted() {
        let mut wire = Vec::new();
        request(JOB_CREATED, &[b"H:1"], &mut wire);
        request(NO_JOB, &[], &mut wire);
        wire[3] = b'S';
        wire[18] = b'S';
        for cut in 0..wire.len() {
            let mut kinds = Vec::new();
            let used = each_answer(&wire[..cut], |packet| {
                kinds.push(packet.kind);
                Ok(())
            })
            .unwrap();
            let whole = usize::from(cut >= 15) + usize::from(cut >= wire.len());
            assert_eq!((kinds.len(), used), (whole, if whole == 0 { 0 } else { 15 }), "cut at {cut}");
        }
        let used = each_answer(&wire, |_| Ok(())).unwrap();
        assert_eq!(used, wire.len());
    }

    #[test]
    fn bytes_that_are_no_answer_are_an_error() {
        assert!(answer(b"ERR UNKNOWN_COMMAND").is_err());
        assert!(answer(b"\0RES\0\0\0\x08\xff\xff\xff\xff").is_err());
    }

    #[test]
    fn the_first_field_ends_at_the_nul() {
        assert_eq!(Packet { kind: JOB_ASSIGN, body: b"H:1\0f\0data" }.first_field(), b"H:1");
        assert_eq!(Packet { kind: JOB_CREATED, body: b"H:1" }.first_field(), b"H:1");
    }
}
