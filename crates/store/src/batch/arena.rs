//! The bytes of a batch, one behind the other.

use std::ops::Range;

/// Bytes that grow at the end, and are found again by where they begin and how long they are.
#[derive(Debug, Clone, Default)]
pub(super) struct Arena {
    bytes: Vec<u8>,
}

impl Arena {
    pub(super) const fn new() -> Self {
        Self { bytes: Vec::new() }
    }

    pub(super) const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Copies the pieces behind each other; says where the first begins.
    pub(super) fn add<const N: usize>(&mut self, pieces: [&[u8]; N]) -> usize {
        let start = self.bytes.len();
        self.bytes.reserve(pieces.iter().map(|piece| piece.len()).sum());
        for piece in pieces {
            self.bytes.extend_from_slice(piece);
        }
        start
    }

    /// Copies another arena behind this one; says where it begins.
    pub(super) fn append(&mut self, later: &Arena) -> usize {
        self.add([&later.bytes])
    }

    pub(super) fn clear(&mut self, kept_bytes_max: usize) {
        self.bytes.clear();
        self.bytes.shrink_to(kept_bytes_max);
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// The pieces of these lengths, which lie behind each other from `start` on.
    pub(super) fn pieces<const N: usize>(&self, start: usize, lens: [usize; N]) -> [&[u8]; N] {
        let mut at = start;
        lens.map(|len| {
            let range = at..at + len;
            at = range.end;
            self.piece(range)
        })
    }

    fn piece(&self, range: Range<usize>) -> &[u8] {
        self.bytes.get(range).expect("an entry points at bytes that were copied before it was made")
    }
}
