//! Packet bodies: NUL-separated parts, the last of which is the rest of the body.

use crate::error::DecodeError;
use crate::kind::PacketKind;
use crate::limits::HEADER_BYTES;

/// Magic of packets to the server.
pub(crate) const MAGIC_REQUEST: [u8; 4] = *b"\0REQ";
/// Magic of packets from the server.
pub(crate) const MAGIC_RESPONSE: [u8; 4] = *b"\0RES";

/// Takes the parts of one body from the front.
pub(crate) struct Reader<'a> {
    kind: PacketKind,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(kind: PacketKind, body: &'a [u8]) -> Self {
        Self { kind, rest: body }
    }

    /// The next part, which ends with a NUL.
    pub(crate) fn part(&mut self, name: &'static str) -> Result<&'a [u8], DecodeError> {
        let missing = DecodeError::MissingPart { kind: self.kind, part: name };
        let end = memchr::memchr(0, self.rest).ok_or(missing)?;
        let (part, rest) = self.rest.split_at(end);
        self.rest = rest.get(1..).unwrap_or_default();
        Ok(part)
    }

    /// The last part: all that is left, NULs included.
    pub(crate) fn rest(self) -> &'a [u8] {
        self.rest
    }

    /// A first part and what follows it; without a NUL, all is the first part and nothing follows.
    ///
    /// Perl's worker sends `WORK_COMPLETE` with the handle alone when the result is empty.
    pub(crate) fn part_and_rest(self) -> (&'a [u8], &'a [u8]) {
        match memchr::memchr(0, self.rest) {
            Some(end) => {
                let (part, rest) = self.rest.split_at(end);
                (part, rest.get(1..).unwrap_or_default())
            }
            None => (self.rest, &[]),
        }
    }

    /// The last part up to its first NUL: where a lone string may come with a trailing NUL.
    pub(crate) fn rest_until_nul(self) -> &'a [u8] {
        self.part_and_rest().0
    }
}

/// Appends one packet whose parts are joined by NULs.
pub(crate) fn put_packet(out: &mut Vec<u8>, magic: [u8; 4], kind: PacketKind, parts: &[&[u8]]) {
    let separators = parts.len().saturating_sub(1);
    let body_len = parts.iter().map(|part| part.len()).sum::<usize>() + separators;
    out.reserve(HEADER_BYTES + body_len);
    let kind = kind.to_wire().to_be_bytes();
    let len = u32::try_from(body_len).unwrap_or(u32::MAX).to_be_bytes();
    out.extend_from_slice([magic, kind, len].as_flattened());
    let mut parts = parts.iter();
    if let Some(first) = parts.next() {
        out.extend_from_slice(first);
    }
    for part in parts {
        out.push(0);
        out.extend_from_slice(part);
    }
}

/// Reads a decimal number the way the reference does: white space, a sign, digits, then anything.
///
/// `None` when the number does not fit; 0 when there are no digits.
#[must_use]
pub fn lenient_number(text: &[u8]) -> Option<i64> {
    let text = text.trim_ascii_start();
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let mut number: i64 = 0;
    for digit in digits.iter().take_while(|byte| byte.is_ascii_digit()) {
        let digit = i64::from(digit - b'0');
        number = number.checked_mul(10)?;
        number = if negative { number.checked_sub(digit)? } else { number.checked_add(digit)? };
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_leniently_as_the_reference_does() {
        assert_eq!(lenient_number(b"12"), Some(12));
        assert_eq!(lenient_number(b" -7x"), Some(-7));
        assert_eq!(lenient_number(b"abc"), Some(0));
        assert_eq!(lenient_number(b""), Some(0));
        assert_eq!(lenient_number(b"9223372036854775807"), Some(i64::MAX));
        assert_eq!(lenient_number(b"-9223372036854775808"), Some(i64::MIN));
        assert_eq!(lenient_number(b"9223372036854775808"), None);
    }
}
