//! How much must have come over a connection before anybody is woken for it: its mark, `SO_RCVLOWAT`.
//!
//! A server answers a submit with `JOB_CREATED`, and soon with the result. Who runs one job after the other has nothing
//! to do at the first: the kernel is told to keep quiet about so few bytes, and one wake-up of two is saved. More
//! bytes, and the end of the connection, wake at once.
//!
//! From: the one request that a connection was asked for, or several. To: the socket, and the timer of the driver.
//! Never: keeps anything unseen for longer than [`UNSEEN_ANSWER_MAX`], an `ERROR` that is shorter for example, or
//! anything at all that another request waits for.

use super::State;
use crate::limits::UNSEEN_ANSWER_MAX;
use crate::session::client::OwnedHandle;
use geartrain_proto::limits::HEADER_BYTES;
use tokio::time::Instant;

/// What is known of a connection for its mark.
#[derive(Debug, Default)]
pub(super) struct Mark {
    /// The mark where it is above one byte. It stays while nothing is in flight: the next job may need the same.
    raised: Option<usize>,
    /// Size of the last `JOB_CREATED`, as a packet; `None` where none came, or a refusal came since.
    created_bytes: Option<usize>,
    /// When the last job was asked for that was alone.
    asked_at: Option<Instant>,
}

impl Mark {
    pub(super) fn created(&mut self, handle: &OwnedHandle) {
        self.created_bytes = Some(HEADER_BYTES + handle.as_bytes().len());
    }

    /// The next may be refused as well, which is to be seen at once.
    pub(super) fn refused(&mut self) {
        self.created_bytes = None;
    }
}

impl State {
    /// From now on one job is all that is in flight, and its end all that is waited for; says whether the driver's
    /// timer stands well.
    ///
    /// The mark is for jobs that follow each other quickly. With others it saves nothing, and costs a look of the
    /// timer.
    pub(super) fn hear_of_result(&mut self, now: Instant) -> bool {
        let former = self.mark.asked_at.replace(now);
        let is_quick = former.is_some_and(|at| now.duration_since(at) < UNSEEN_ANSWER_MAX);
        let Some(created_bytes) = self.mark.created_bytes.filter(|_| is_quick) else {
            self.hear_of_all();
            return true;
        };
        // A mark that is too high is so by the digits of a number, and any result is longer.
        if self.mark.raised.is_none_or(|raised| raised <= created_bytes) {
            let mark = created_bytes + 1;
            if self.socket.as_ref().is_none_or(|socket| socket.set_read_mark(mark).is_err()) {
                self.hear_of_all();
                return true;
            }
            self.mark.raised = Some(mark);
        }
        self.check_by(now + UNSEEN_ANSWER_MAX)
    }

    /// From now on whatever comes is told at once, also what is there already; says whether it was not so before.
    pub(super) fn hear_of_all(&mut self) -> bool {
        if self.mark.raised.is_none() {
            return false;
        }
        if self.socket.as_ref().is_none_or(|socket| socket.set_read_mark(1).is_ok()) {
            self.mark.raised = None;
        }
        true
    }
}
