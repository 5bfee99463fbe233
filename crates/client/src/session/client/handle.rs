//! A handle that needs no memory of its own.

use super::ClientSessionError;
use geartrain_proto::Handle;
use geartrain_proto::limits::HANDLE_BYTES_MAX;
use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};

/// The handle of a job, for example `H:host:12`: at most 63 bytes.
#[derive(Clone, Copy)]
pub struct OwnedHandle {
    bytes: [u8; HANDLE_BYTES_MAX],
    len: u8,
}

impl OwnedHandle {
    /// The bytes as they stand on the wire.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// The empty handle, which no job has.
impl Default for OwnedHandle {
    fn default() -> Self {
        Self { bytes: [0; HANDLE_BYTES_MAX], len: 0 }
    }
}

impl TryFrom<Handle<'_>> for OwnedHandle {
    type Error = ClientSessionError;

    /// # Errors
    /// [`ClientSessionError::HandleTooLong`].
    fn try_from(handle: Handle<'_>) -> Result<Self, ClientSessionError> {
        let given = handle.as_bytes();
        let too_long = || ClientSessionError::HandleTooLong { bytes: given.len(), max: HANDLE_BYTES_MAX };
        let mut bytes = [0; HANDLE_BYTES_MAX];
        bytes.get_mut(..given.len()).ok_or_else(too_long)?.copy_from_slice(given);
        Ok(Self { bytes, len: u8::try_from(given.len()).map_err(|_| too_long())? })
    }
}

// Equal and hashed as its bytes, so that a table of handles can be asked with borrowed ones.
impl PartialEq for OwnedHandle {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for OwnedHandle {}

impl Hash for OwnedHandle {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl Borrow<[u8]> for OwnedHandle {
    fn borrow(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl fmt::Display for OwnedHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_bytes().escape_ascii())
    }
}

impl fmt::Debug for OwnedHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OwnedHandle({self})")
    }
}
