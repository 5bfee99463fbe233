//! The queue seen from outside: inputs, outputs and the next time it wants to be called.

use crate::ids::{ConnId, Moment, Now, Ticket};
use crate::outbox::Outbox;
use crate::persist::Record;
use crate::settings::{Settings, SettingsError};
use geartrain_proto::{AdminCommand, DecodeError, Request};

/// The whole job queue.
#[derive(Debug)]
pub struct Core {}

#[expect(unused_variables, reason = "the seam stands before its inside")]
impl Core {
    /// An empty queue.
    ///
    /// # Errors
    /// When the handle prefix is too long or cannot be carried in text.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        todo!()
    }

    /// Takes a stored job back into the queue; to be called in the order of the places, before any
    /// request. (Connections may be open meanwhile and ask text commands.)
    pub fn load(&mut self, now: Now, record: Record<'_>) {
        todo!()
    }

    /// A peer connected. `descriptor` and `address` are what `workers` prints.
    pub fn handle_connected(&mut self, descriptor: i32, address: &str) -> ConnId {
        todo!()
    }

    /// A packet came.
    pub fn handle_request(&mut self, now: Now, conn: ConnId, request: &Request<'_>, out: &mut dyn Outbox) {
        todo!()
    }

    /// A text command came.
    pub fn handle_admin(&mut self, now: Now, conn: ConnId, command: &AdminCommand<'_>, out: &mut dyn Outbox) {
        todo!()
    }

    /// Bytes came that are no message: answers by the error's disposition, and asks to close where it says so.
    pub fn handle_malformed(&mut self, conn: ConnId, error: &DecodeError, out: &mut dyn Outbox) {
        todo!()
    }

    /// The connection ended; the id means nothing any more.
    pub fn handle_closed(&mut self, now: Now, conn: ConnId, out: &mut dyn Outbox) {
        todo!()
    }

    /// All changes up to this ticket are durable.
    pub fn handle_committed(&mut self, now: Now, upto: Ticket, out: &mut dyn Outbox) {
        todo!()
    }

    /// All changes up to this ticket that are not yet committed failed. Their submits are refused.
    ///
    /// Deletes and the like are the store's driver to keep and try again. Until [`Core::handle_store_ready`],
    /// background submits are answered with `ERROR`.
    pub fn handle_store_failed(&mut self, now: Now, upto: Ticket, out: &mut dyn Outbox) {
        todo!()
    }

    /// The store takes changes again.
    pub fn handle_store_ready(&mut self) {
        todo!()
    }

    /// The time of [`Core::poll_timeout`] has come; harmless when it has not.
    pub fn handle_timeout(&mut self, now: Now, out: &mut dyn Outbox) {
        todo!()
    }

    /// When [`Core::handle_timeout`] is to be called; `None` while nothing waits for time.
    #[must_use]
    pub fn poll_timeout(&self, now: Now) -> Option<Moment> {
        todo!()
    }

    /// Jobs that wait or run.
    #[must_use]
    pub fn jobs(&self) -> usize {
        todo!()
    }

    /// Jobs that are held in memory alone: foreground jobs, and background jobs without a store.
    #[must_use]
    pub fn jobs_in_memory_only(&self) -> usize {
        todo!()
    }

    /// Jobs that run on a worker.
    #[must_use]
    pub fn jobs_running(&self) -> usize {
        todo!()
    }

    /// Stops handing out jobs: workers get `NO_JOB` and are not woken (`--shutdown-grace`).
    pub fn stop_assigning(&mut self) {
        todo!()
    }

    /// Checks every invariant, in time proportional to the queue; for tests and simulation.
    ///
    /// # Panics
    /// When one does not hold, with its number.
    pub fn check_all(&self) {
        todo!()
    }
}
