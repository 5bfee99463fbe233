//! Sleeping and waking: which worker is told that there is a job.
//!
//! From: `PRE_SLEEP`; every place that queues a job; a worker that was woken and did not come.
//! To: `NOOP`. Never: picks the job; a woken worker grabs what is best for it, see `grab.rs`.
//!
//! No wake is lost (I10): while a job is ready and an able worker sleeps unwoken, another able worker has
//! been woken and has not grabbed yet. Each place that could break this wakes one more.

use crate::conn::{Sleep, WakeLimit};
use crate::core::Core;
use crate::event::Event;
use crate::function::{FunctionKey, Sleeper};
use crate::ids::ConnId;
use crate::outbox::Outbox;
use crate::settings::Wakeup;
use crate::suspect::identity;
use geartrain_proto::Response;
use std::time::Duration;

impl Core {
    /// `PRE_SLEEP`: a `NOOP` at once where a job is ready, chosen as a grab would choose.
    ///
    /// The look at the queues is what keeps a job that was submitted after the worker's `NO_JOB` from
    /// finding nobody asleep (I10).
    pub(crate) fn pre_sleep(&mut self, conn: ConnId, out: &mut dyn Outbox) {
        match self.select(conn) {
            Some(function) if self.assigning => self.wake_who_asks(conn, function, out),
            Some(_) | None => {
                self.set_sleep(conn, Sleep::Sleeping);
                self.list_sleeper(conn);
            }
        }
    }

    /// Tells a worker that asks of a ready job.
    ///
    /// One that was woken before and has not grabbed may go on like this for ever: it gets no new time for
    /// the same function, and what it was woken for before is left to others (I10).
    fn wake_who_asks(&mut self, conn: ConnId, function: FunctionKey, out: &mut dyn Outbox) {
        let Some(before) = self.conns.get(conn).map(|peer| peer.sleep) else { return };
        if matches!(before, Sleep::Woken { function: woken_for, .. } if woken_for == function) {
            out.note(Event::Woken);
            return out.send(conn, Response::Noop);
        }
        self.send_noop(conn, function, out);
        self.wake_instead_of(before, out);
    }

    pub(crate) fn set_sleep(&mut self, conn: ConnId, sleep: Sleep) {
        if let Some(peer) = self.conns.get_mut(conn) {
            peer.sleep = sleep;
        }
    }

    /// Enters a sleeping worker with each function it is able to do, where it has no entry yet.
    pub(crate) fn list_sleeper(&mut self, conn: ConnId) {
        let Some(peer) = self.conns.get_mut(conn) else { return };
        let unlisted = std::mem::take(&mut peer.unlisted);
        for function in &unlisted {
            let Some(ability) = peer.ability_mut(*function, &self.hash) else { continue };
            ability.listed = true;
            let registration = ability.registration;
            self.functions.get_mut(*function).sleepers.push_back(Sleeper { conn, registration });
        }
        for function in unlisted {
            self.bound_sleepers(function);
        }
    }

    /// One connection less is able to do the function.
    pub(crate) fn remove_worker(&mut self, function: FunctionKey) {
        let entry = self.functions.get_mut(function);
        entry.workers -= 1;
        if entry.workers == 0 {
            entry.last_worker_left = Some(self.now.unix);
        }
        self.bound_sleepers(function);
    }

    /// Drops entries of workers that have gone once they are more than the workers there are.
    fn bound_sleepers(&mut self, function: FunctionKey) {
        let Self { functions, conns, hash, .. } = self;
        let entry = functions.get_mut(function);
        if entry.sleepers.len() > entry.workers as usize * 2 + 16 {
            entry.sleepers.retain(|sleeper| {
                conns
                    .get(sleeper.conn)
                    .and_then(|peer| peer.ability(function, hash))
                    .is_some_and(|ability| ability.listed && ability.registration == sleeper.registration)
            });
        }
    }

    /// A job of this function became ready: wakes as many workers as the settings say.
    pub(crate) fn wake(&mut self, function: FunctionKey, out: &mut dyn Outbox) {
        let count = match self.settings.wakeup {
            Wakeup::OneThenNext(_) => 1,
            Wakeup::Count(count) => count,
            Wakeup::All => u32::MAX,
        };
        for _ in 0..count {
            if !self.wake_one(function, out) {
                break;
            }
        }
    }

    /// Wakes the worker that sleeps longest, where one does.
    pub(crate) fn wake_one(&mut self, function: FunctionKey, out: &mut dyn Outbox) -> bool {
        match self.next_sleeper(function) {
            Some(conn) if self.assigning => {
                self.send_noop(conn, function, out);
                true
            }
            Some(_) | None => false,
        }
    }

    /// A worker that was woken will not grab that job: wakes the next, if the job is still there.
    pub(crate) fn wake_instead_of(&mut self, sleep: Sleep, out: &mut dyn Outbox) {
        if let Sleep::Woken { function, .. } = sleep
            && self.jobs.line(function).is_ready()
        {
            self.wake(function, out);
        }
    }

    /// The longest sleeping worker able to do the function that was not woken yet.
    fn next_sleeper(&mut self, function: FunctionKey) -> Option<ConnId> {
        let Self { functions, conns, hash, suspects, .. } = self;
        while let Some(Sleeper { conn, registration }) = functions.get_mut(function).sleepers.pop_front() {
            let Some(peer) = conns.get_mut(conn) else { continue };
            let Some(ability) = peer.ability_mut(function, hash) else { continue };
            if !ability.listed || ability.registration != registration {
                continue;
            }
            ability.listed = false;
            peer.unlisted.push(function);
            // A suspended one is entered again when its suspension is over.
            if peer.sleep == Sleep::Sleeping && suspects.suspended_until(identity(peer)).is_none() {
                return Some(conn);
            }
        }
        None
    }

    pub(crate) fn send_noop(&mut self, conn: ConnId, function: FunctionKey, out: &mut dyn Outbox) {
        let Some(peer) = self.conns.get_mut(conn) else { return };
        peer.wakes = peer.wakes.wrapping_add(1);
        let serial = peer.wakes;
        peer.woken = self.now.moment;
        peer.sleep = Sleep::Woken { function, serial };
        if let Wakeup::OneThenNext(patience) = self.settings.wakeup {
            let patience = patience.max(Duration::from_millis(1));
            self.timers.add_wake_limit(WakeLimit { at: self.now.moment.after(patience), conn, serial });
        }
        out.note(Event::Woken);
        out.send(conn, Response::Noop);
    }
}
