//! Taking stored jobs back into the queue, while connections are already open.
//!
//! From: [`Store::load`]. To: [`geartrain_core::Core::load`].
//! Never: keeps connections from asking for `version` or `status` while the disk is read.

use crate::limits::{LOAD_CHUNK, LOAD_LOG_EVERY};
use crate::log::Level;
use crate::shared::{Health, Shared};
use geartrain_store::{Batch, Store, StoreError};
use parking_lot::MutexGuard;
use std::mem;
use std::time::Instant;

/// Loads everything, then lets the requests go on that waited for it.
pub(crate) fn load(shared: &Shared, store: &mut dyn Store) -> Result<(), StoreError> {
    let (started, jobs) = (Instant::now(), store.opening().jobs_estimate);
    let now = shared.clock.now();
    let (mut loaded, mut in_chunk, mut logged) = (0_u64, 0, started);
    let outcome = store.load(&mut |stored| {
        // Not kept from one record to the next: the store reads the disk in between (I3).
        let mut hub = shared.hub.lock();
        let hub_now = &mut *hub;
        hub_now.core.load(now, stored, &mut hub_now.out);
        loaded += 1;
        in_chunk += 1;
        if in_chunk == LOAD_CHUNK {
            in_chunk = 0;
            // Not handed over, the lock would be taken again before anyone wakes up.
            MutexGuard::unlock_fair(hub);
            if logged.elapsed() >= LOAD_LOG_EVERY {
                logged = Instant::now();
                shared.log.talk(format_args!("loaded {loaded} of about {jobs} stored jobs"));
            }
        }
    });
    let report = outcome.inspect_err(|error| fail(shared, error))?;
    reserve_numbers(shared, store)?;
    shared.run(|_, hub| {
        hub.loading = false;
        hub.out.resume_all();
    });
    shared.set_health(Health::Ready);
    shared.timer_wake.notify_one();
    shared.loaded.notify_one();
    let loaded = report.loaded;
    shared.log.line(Level::Info, format_args!("loaded {loaded} stored jobs in {:?}", started.elapsed()));
    if report.set_aside > 0 {
        let set_aside = report.set_aside;
        shared.log.line(
            Level::Error,
            format_args!("{set_aside} stored records could not be read and were set aside"),
        );
    }
    Ok(())
}

/// Makes the first reservation of numbers durable, so that none of them is given out twice.
fn reserve_numbers(shared: &Shared, store: &mut dyn Store) -> Result<(), StoreError> {
    let mut batch = Batch::new();
    shared.run(|now, hub| {
        hub.core.handle_loaded(now, &mut hub.out);
        mem::swap(&mut batch, &mut hub.out.batch);
    });
    store.commit(&batch).inspect_err(|error| fail(shared, error))?;
    // Nothing later may come for long, and what was changed meanwhile is durable now.
    shared.run(|now, hub| hub.core.handle_committed(now, batch.last_ticket(), &mut hub.out));
    Ok(())
}

fn fail(shared: &Shared, error: &StoreError) {
    shared.set_health(Health::LoadFailed(error.to_string()));
    shared.loaded.notify_one();
}
