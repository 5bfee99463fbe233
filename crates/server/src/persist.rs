//! The thread of the store: takes what has gathered, makes it durable at once, and lets the answers go.
//!
//! From: [`crate::output::Output`], which gathers changes while the hub is locked.
//! To: a [`Store`]; then [`geartrain_core::Core::handle_committed`], and the sockets that wait for it.
//! Never: waits for more to gather, or holds the hub while the disk works.

use crate::hub::Hub;
use crate::limits::STORE_RETRY;
use crate::load;
use crate::log::Level;
use crate::shared::{Health, Shared};
use geartrain_core::Ticket;
use geartrain_store::{Batch, Store, StoreError};
use parking_lot::MutexGuard;
use std::mem;
use std::sync::Arc;

/// When changes reach the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StoreWhen {
    /// Before they are acknowledged.
    #[default]
    AtOnce,
    /// When the server ends in an orderly way (`--store-queue-on-shutdown`): a crash loses them.
    AtShutdown,
}

/// See the module.
pub(crate) struct Persist {
    shared: Arc<Shared>,
    store: Box<dyn Store>,
    when: StoreWhen,
    /// Taken from the hub, on its way to the store.
    work: Batch,
    /// What waits for the shutdown, with [`StoreWhen::AtShutdown`].
    later: Owed,
}

/// Changes that wait for long, so that those of one job are folded into each other now and then.
#[derive(Debug, Default)]
struct Owed {
    batch: Batch,
    /// Its length when it was last folded.
    folded_len: usize,
}

/// Changes that are kept before they are first folded into each other.
const FOLD_MIN: usize = 4096;

impl Owed {
    fn append(&mut self, later: &Batch) {
        self.batch.append(later);
        if self.batch.len() > FOLD_MIN.max(self.folded_len * 2) {
            let folded = self.batch.folded();
            self.folded_len = folded.len();
            self.batch = folded;
        }
    }
}

impl Persist {
    pub(crate) fn new(shared: Arc<Shared>, store: Box<dyn Store>, when: StoreWhen) -> Self {
        Self { shared, store, when, work: Batch::new(), later: Owed::default() }
    }

    /// Loads what is stored, then stores until the server ends. The outcome is that of the last commit.
    pub(crate) fn run(mut self) -> Result<(), StoreError> {
        load::load(&self.shared, self.store.as_mut())?;
        while self.take() {
            self.make_durable()?;
        }
        match self.when {
            StoreWhen::AtOnce => Ok(()),
            StoreWhen::AtShutdown => self.store.commit(&self.later.batch),
        }
    }

    /// Waits for changes and takes them; `false` when the server ends and none are left.
    fn take(&mut self) -> bool {
        let mut hub = self.shared.hub.lock();
        while hub.out.batch.is_empty() {
            if hub.store_stops {
                return false;
            }
            hub.store_waits = true;
            self.shared.store_wake.wait(&mut hub);
        }
        hub.store_waits = false;
        mem::swap(&mut hub.out.batch, &mut self.work);
        true
    }

    fn make_durable(&mut self) -> Result<(), StoreError> {
        let upto = self.work.last_ticket();
        if self.when == StoreWhen::AtShutdown {
            self.keep_for_shutdown();
        } else if let Err(error) = self.store.commit(&self.work) {
            return self.recover(&error);
        }
        self.work.clear();
        self.committed(upto);
        Ok(())
    }

    fn committed(&self, upto: Ticket) {
        self.shared.run(|now, hub| hub.core.handle_committed(now, upto, &mut hub.out));
    }

    fn keep_for_shutdown(&mut self) {
        self.later.append(&self.work);
    }

    /// Refuses what was to be stored, and tries until the store takes changes again.
    fn recover(&mut self, error: &StoreError) -> Result<(), StoreError> {
        let log = self.shared.log.clone();
        log.line(Level::Error, format_args!("background jobs are refused: {error}"));
        self.shared.set_health(Health::StoreFailed(error.to_string()));
        self.shared.run(|now, hub| {
            self.work.append(&hub.out.batch);
            hub.out.batch.clear();
            hub.core.handle_store_failed(now, self.work.last_ticket(), &mut hub.out);
        });
        let mut owed = Owed { batch: self.work.failed_followup(), folded_len: 0 };
        self.work.clear();
        loop {
            let ends = self.pause(&mut owed);
            let outcome = self.store.reopen().and_then(|()| self.store.commit(&owed.batch));
            match outcome {
                Ok(()) => break,
                Err(error) if ends => return Err(error),
                Err(error) => self.shared.set_health(Health::StoreFailed(error.to_string())),
            }
        }
        self.shared.set_health(Health::Ready);
        self.shared.run(|now, hub| {
            hub.core.handle_committed(now, owed.batch.last_ticket(), &mut hub.out);
            hub.core.handle_store_ready();
        });
        log.line(Level::Error, format_args!("the store takes changes again, background jobs are accepted"));
        Ok(())
    }

    /// Waits for the next try, and gathers what has to be made durable meanwhile; `true` when the server
    /// ends.
    fn pause(&self, owed: &mut Owed) -> bool {
        let mut hub = self.shared.hub.lock();
        if !hub.store_stops {
            // Woken early only by the end of the server: `store_waits` is off.
            self.shared.store_wake.wait_for(&mut hub, STORE_RETRY);
        }
        owed.append(&hub.out.batch);
        hub.out.batch.clear();
        hub.store_stops
    }
}

/// Asks the thread of the store to end.
pub(crate) fn stop(shared: &Shared) {
    let mut hub: MutexGuard<'_, Hub> = shared.hub.lock();
    hub.store_stops = true;
    drop(hub);
    shared.store_wake.notify_all();
}
