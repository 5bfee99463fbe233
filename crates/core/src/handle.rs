//! Handles: the prefix of this server, a colon, and the number of the job.

use crate::settings::{HANDLE_PREFIX_BYTES_MAX, SettingsError};
use geartrain_proto::Handle;
use geartrain_proto::limits::HANDLE_BYTES_MAX;

/// Writes and reads the handles of one server.
#[derive(Debug)]
pub(crate) struct Handles {
    prefix: Box<[u8]>,
}

/// The text of one handle.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HandleText {
    bytes: [u8; HANDLE_BYTES_MAX],
    len: usize,
}

impl HandleText {
    pub(crate) fn as_handle(&self) -> Handle<'_> {
        Handle::new(self.bytes.get(..self.len).unwrap_or_default())
    }
}

impl Handles {
    pub(crate) fn new(prefix: &str) -> Result<Self, SettingsError> {
        if prefix.len() > HANDLE_PREFIX_BYTES_MAX {
            return Err(SettingsError::PrefixTooLong { len: prefix.len(), max: HANDLE_PREFIX_BYTES_MAX });
        }
        if prefix.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err(SettingsError::PrefixNotPrintable(prefix.to_owned()));
        }
        Ok(Self { prefix: [prefix.as_bytes(), b":"].concat().into_boxed_slice() })
    }

    pub(crate) fn text(&self, number: u64) -> HandleText {
        let mut buffer = itoa::Buffer::new();
        let digits = buffer.format(number).as_bytes();
        let len = self.prefix.len() + digits.len();
        let mut bytes = [0; HANDLE_BYTES_MAX];
        let room = "a prefix within its limit leaves room for any number";
        let (prefix, rest) = bytes.split_at_mut_checked(self.prefix.len()).expect(room);
        prefix.copy_from_slice(&self.prefix);
        rest.get_mut(..digits.len()).expect(room).copy_from_slice(digits);
        HandleText { bytes, len }
    }

    /// The number in a handle that this server could have written; `None` for any other.
    pub(crate) fn number(&self, handle: Handle<'_>) -> Option<u64> {
        let digits = handle.as_bytes().strip_prefix(self.prefix.as_ref())?;
        if digits.first().is_none_or(|first| *first == b'0') || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        std::str::from_utf8(digits).ok()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_handles_that_were_written_are_read() {
        let handles = Handles::new("H:host").unwrap();
        for number in [1, 42, u64::MAX] {
            assert_eq!(handles.number(handles.text(number).as_handle()), Some(number));
        }
        for foreign in
            ["H:host:", "H:host:01", "H:host:+1", "H:host:1 ", "H:other:1", "", "H:host:99999999999999999999"]
        {
            assert_eq!(handles.number(Handle::from(foreign)), None, "{foreign}");
        }
    }

    #[test]
    fn a_prefix_must_fit_and_be_printable() {
        assert!(Handles::new(&"p".repeat(HANDLE_PREFIX_BYTES_MAX)).is_ok());
        assert!(Handles::new(&"p".repeat(HANDLE_PREFIX_BYTES_MAX + 1)).is_err());
        assert!(Handles::new("two words").is_err());
    }
}
