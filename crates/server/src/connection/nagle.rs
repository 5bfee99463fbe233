//! Peers that leave Nagle's algorithm on: who they are is seen from how they pause.
//!
//! Such a peer that writes a packet in two parts, or two packets of which the first gets no answer, holds
//! the second back until the first is acknowledged; and the kernel acknowledges late, after 40 ms or
//! more, when the server has nothing to send. An acknowledgement at once costs a system call and a packet,
//! so only peers that show the pattern get it.

use geartrain_core::Moment;
use std::time::Duration;

/// Pauses in this range look like a late acknowledgement: Linux waits 40 to 200 ms.
const LATE_MIN: Duration = Duration::from_millis(36);
/// See [`LATE_MIN`].
const LATE_MAX: Duration = Duration::from_millis(250);
/// So few bytes at the end of a read are the first part of a packet that is written in two.
const FIRST_PART_BYTES_MAX: usize = 512;

/// What one connection showed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Nagle {
    silent_since: Option<Moment>,
    last_read: Moment,
    shown: bool,
}

impl Nagle {
    /// Something was read.
    pub(super) fn read_at(&mut self, now: Moment) {
        if let Some(silent_since) = self.silent_since.take() {
            let pause = now.since(silent_since);
            self.shown |= pause >= LATE_MIN && pause <= LATE_MAX;
        }
        self.last_read = now;
    }

    /// What was read got an answer, which carries the acknowledgement.
    pub(super) fn answered(&mut self) {
        self.silent_since = None;
    }

    /// What was read got no answer yet; says whether to acknowledge it at once. `unread` bytes of the
    /// beginning of a packet are there.
    pub(super) fn silent(&mut self, unread: usize) -> bool {
        self.shown |= (1..=FIRST_PART_BYTES_MAX).contains(&unread);
        self.silent_since = Some(self.last_read);
        self.shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::new(Duration::from_millis(millis))
    }

    #[test]
    fn a_peer_that_pauses_as_long_as_a_late_acknowledgement_is_acknowledged_from_then_on() {
        let mut nagle = Nagle::default();
        nagle.read_at(at(1000));
        assert!(!nagle.silent(0));
        nagle.read_at(at(1040));
        assert!(nagle.silent(0));
        nagle.read_at(at(1041));
        assert!(nagle.silent(0));
    }

    #[test]
    fn a_peer_that_waits_for_an_answer_is_left_alone() {
        let mut nagle = Nagle::default();
        for millis in (1000..2000).step_by(40) {
            nagle.read_at(at(millis));
            nagle.answered();
        }
        nagle.read_at(at(2000));
        assert!(!nagle.silent(0));
    }

    #[test]
    fn half_a_packet_shows_it_at_once() {
        let mut nagle = Nagle::default();
        nagle.read_at(at(5));
        assert!(nagle.silent(12));
    }
}
