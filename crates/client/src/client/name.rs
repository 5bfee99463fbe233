//! Names of functions and uniques: most of them need no memory of their own.

use bytes::Bytes;
use std::fmt;
use std::ops::Deref;

/// Bytes of a name that is held in place: a UUID as text, and what leaves a `Name` 40 bytes large.
const SHORT_BYTES_MAX: usize = 38;

/// Some bytes, held in place where they are few.
#[derive(Clone)]
pub(crate) enum Name {
    Short { len: u8, bytes: [u8; SHORT_BYTES_MAX] },
    Long(Bytes),
}

impl Name {
    pub(crate) const EMPTY: Self = Self::Short { len: 0, bytes: [0; SHORT_BYTES_MAX] };

    pub(crate) fn new(name: &[u8]) -> Self {
        let mut bytes = [0; SHORT_BYTES_MAX];
        match (bytes.get_mut(..name.len()), u8::try_from(name.len())) {
            (Some(place), Ok(len)) => {
                place.copy_from_slice(name);
                Self::Short { len, bytes }
            }
            _ => Self::Long(Bytes::copy_from_slice(name)),
        }
    }
}

impl Deref for Name {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Short { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Self::Long(bytes) => bytes,
        }
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_any_length_is_what_it_was_made_of() {
        for length in [0, 1, SHORT_BYTES_MAX, SHORT_BYTES_MAX + 1, 8191] {
            let given: Vec<u8> = (0..=255).cycle().take(length).collect();
            assert_eq!(*Name::new(&given), *given);
        }
        assert!(Name::EMPTY.is_empty());
        assert_eq!(size_of::<Name>(), 40);
        assert_eq!(format!("{:?}", Name::new(b"a\0")), "b\"a\\x00\"");
    }
}
