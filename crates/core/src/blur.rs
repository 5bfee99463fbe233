//! Groups of errors: two errors are alike when they differ in nothing but numbers and hexadecimal.
//!
//! From: the error of a dead letter. To: its blurred text, and a fingerprint of that which is the same in
//! every release, so that people can note it. Never: looks beyond [`ERROR_BYTES_MAX`].

use crate::persist::{ERROR_BYTES_MAX, Outcome};
use std::fmt;

/// The fingerprint of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Group(u64);

impl Group {
    pub(crate) fn new(how: Outcome, blurred: &[u8]) -> Self {
        // FNV-1a: short, and never to change. Errors that collide would only be shown together.
        let bytes = how.name().bytes().chain([0]).chain(blurred.iter().copied());
        Self(bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        }))
    }

    pub(crate) const fn from_number(number: u64) -> Self {
        Self(number)
    }

    pub(crate) const fn number(self) -> u64 {
        self.0
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        u64::from_str_radix(text, 16).ok().filter(|_| text.len() == 16).map(Self)
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Words of hexadecimal digits that are at least this long are blurred also when they have no digit.
const HEX_WORD_MIN: usize = 8;

/// The error with each number, and each word of hexadecimal, as one `#`.
pub(crate) fn blur(error: &[u8]) -> Vec<u8> {
    let error = error.get(..ERROR_BYTES_MAX).unwrap_or(error);
    let mut blurred = Vec::with_capacity(error.len());
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric();
    for word in error.chunk_by(|before, after| is_word(before) == is_word(after)) {
        if word.first().is_some_and(is_word) {
            blur_word(word, &mut blurred);
        } else {
            blurred.extend_from_slice(word);
        }
    }
    blurred
}

fn blur_word(word: &[u8], blurred: &mut Vec<u8>) {
    let digits = word.strip_prefix(b"0x").or_else(|| word.strip_prefix(b"0X")).unwrap_or(word);
    let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
    let has_digit = digits.iter().any(u8::is_ascii_digit);
    if is_hex && (has_digit || digits.len() >= HEX_WORD_MIN) {
        return blurred.push(b'#');
    }
    // Units and names with numbers in them: `30s`, `worker7`.
    for part in word.chunk_by(|before, after| before.is_ascii_digit() == after.is_ascii_digit()) {
        match part.first() {
            Some(first) if first.is_ascii_digit() => blurred.push(b'#'),
            _ => blurred.extend_from_slice(part),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blurred(text: &str) -> String {
        String::from_utf8(blur(text.as_bytes())).expect("it stays text")
    }

    #[test]
    fn numbers_and_hexadecimal_are_blurred_and_words_are_not() {
        assert_eq!(blurred("timeout after 30s on db7:3306"), "timeout after #s on #:#");
        assert_eq!(blurred("object 0x7f3a at 1.25"), "object # at #.#");
        assert_eq!(blurred("id 3f2a-11ee deadbeefcafe not found"), "id #-# # not found");
        assert_eq!(blurred("bad face in decade"), "bad face in decade");
        assert_eq!(blurred("worker12 x"), "worker# x");
    }

    #[test]
    fn a_group_is_named_the_same_for_ever() {
        let group = Group::new(Outcome::Exception, b"no such table");
        assert_eq!(group.to_string(), "f449d09fd17e3370");
        assert_eq!(Group::parse("f449d09fd17e3370"), Some(group));
        assert_ne!(group, Group::new(Outcome::Failed, b"no such table"));
    }
}
