//! Where a workload is, in the four bytes that the state of a job has left.
//!
//! From: `job.rs` and `job/window.rs`. Never: knows which job it is about.

/// In memory; or in the store alone, of a known length, and perhaps being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Presence(u32);

/// Set while the workload is being read.
const ASKED: u32 = 1 << 30;

impl Presence {
    /// In memory.
    pub(crate) const HERE: Presence = Presence(u32::MAX);

    /// In the store alone; `None` for one that is so long that it stays in memory.
    pub(crate) fn away(len: usize) -> Option<Self> {
        u32::try_from(len).ok().filter(|len| *len < ASKED).map(Self)
    }

    pub(crate) fn is_here(self) -> bool {
        self == Self::HERE
    }

    /// Whether it is being read.
    pub(crate) fn is_asked(self) -> bool {
        !self.is_here() && self.0 & ASKED != 0
    }

    /// Whether it is to be asked for before the job can run.
    pub(crate) fn is_missed(self) -> bool {
        !self.is_here() && !self.is_asked()
    }

    /// Length of what is in the store alone, in bytes.
    pub(crate) fn away_len(self) -> u64 {
        if self.is_here() { 0 } else { u64::from(self.0 & !ASKED) }
    }

    /// As it is while it is being read.
    pub(crate) fn asked(self) -> Self {
        if self.is_here() { self } else { Self(self.0 | ASKED) }
    }

    /// As it is when reading it came to nothing.
    pub(crate) fn missed(self) -> Self {
        if self.is_here() { self } else { Self(self.0 & !ASKED) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_survives_being_asked_for() {
        let away = Presence::away(1000).unwrap();
        assert!(away.is_missed() && !away.is_here());
        assert!(away.asked().is_asked() && !away.asked().is_missed());
        assert_eq!(away.asked().away_len(), 1000);
        assert_eq!(away.asked().missed(), away);
        assert_eq!(Presence::away(1 << 30), None);
        assert!(!Presence::HERE.asked().is_asked());
    }
}
